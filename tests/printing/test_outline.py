from __future__ import annotations

import math
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.printing.art.outline import Close, Curve, Line, Move, circle, parse_outline
from rfid_station.printing.geometry import Box

points = st.lists(
    st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=2, max_size=12, unique=True
)


def test_every_command_absolute() -> None:
    outline = parse_outline("M1 2 L3,4 H5 V6 C1 1 2 2 3 3 S5 5 6 6 Q1 2 4 5 T9 9 Z")
    assert outline.segments[:5] == (
        Move((1, 2)),
        Line((3, 4)),
        Line((5, 4)),
        Line((5, 6)),
        Curve((1, 1), (2, 2), (3, 3)),
    )
    smooth, quadratic, mirrored, close = outline.segments[5:]
    assert smooth == Curve((4, 4), (5, 5), (6, 6))
    assert isinstance(quadratic, Curve)
    assert quadratic.first == pytest.approx((6 + 2 * (1 - 6) / 3, 6 + 2 * (2 - 6) / 3))
    assert quadratic.to == (4, 5)
    assert isinstance(mirrored, Curve)
    # The control point (1, 2) reflected at (4, 5) is (7, 8).
    assert mirrored.first == pytest.approx((4 + 2 * (7 - 4) / 3, 5 + 2 * (8 - 5) / 3))
    assert close == Close()


def test_smooth_commands_without_a_curve_before_them() -> None:
    assert parse_outline("M1 1 S3 3 4 4").segments[1] == Curve((1, 1), (3, 3), (4, 4))
    assert parse_outline("M1 1 C0 0 9 9 2 2 L3 3 S5 5 6 6").segments[3] == Curve((3, 3), (5, 5), (6, 6))


def test_a_part_after_close_starts_where_the_last_one_began() -> None:
    assert parse_outline("M2 3 l5 0 l0 5 z l1 1").segments[-1] == Line((3, 4))


def test_numbers_as_drawing_programs_write_them() -> None:
    assert parse_outline("M.5-.5L1e1-2.5").segments == (Move((0.5, -0.5)), Line((10, -2.5)))


@given(points)
def test_relative_and_absolute_are_the_same(corners: list[tuple[int, int]]) -> None:
    absolute = "M" + " ".join(f"{x},{y}" for x, y in corners)
    steps = [(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in pairwise(corners)]
    relative = f"M{corners[0][0]} {corners[0][1]}l" + " ".join(f"{dx} {dy}" for dx, dy in steps)
    assert parse_outline(absolute) == parse_outline(relative)
    assert [segment.to for segment in parse_outline(absolute).segments] == corners  # type: ignore[union-attr]


@given(st.text(alphabet="MLHVCSQTZAmlhvcsqtzea0123456789.,- \n", max_size=40))
def test_anything_else_is_a_value_error(text: str) -> None:
    with suppress(ValueError):
        outline = parse_outline(text)
        assert isinstance(outline.segments[0], Move)
        assert math.isfinite(outline.box.width)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "empty"),
        ("L 1 2", "must begin with M"),
        ("M 1 2 L 3", "ends within L"),
        ("M 1 2 A 1 1 0 0 0 5", "ends within A"),
        ("M 1 2 B 3", "command B"),
        ("M 1 2 L 1e99 0", "the number 1e99"),
        ("M 1 2 x 3", "command x"),
        ("M 1 2 L 3 Z", "ends within L, after 3"),
        ("M 1 2 # 3", "'# 3'"),
        ("M 1 2 Z 3", "without a command"),
        ("3 4", "without a command"),
    ],
)
def test_what_is_wrong_is_said(data: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_outline(data)


def test_a_circle_is_round() -> None:
    outline = circle((10, 20), 5)
    assert outline.box == Box(5, 15, 10, 10)
    start = (15.0, 20.0)
    for segment in outline.segments[1:-1]:
        assert isinstance(segment, Curve)
        for step in range(11):
            t = step / 10
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            places = (start, segment.first, segment.second, segment.to)
            x, y = (sum(w * p[axis] for w, p in zip(weights, places, strict=True)) for axis in (0, 1))
            assert math.hypot(x - 10, y - 20) == pytest.approx(5, rel=3e-4)
        start = segment.to


ARC_NUMBERS = st.floats(-50, 50, allow_nan=False).map(lambda number: round(number, 3))


@given(
    *[ARC_NUMBERS] * 4,
    *[st.floats(0.5, 40).map(lambda number: round(number, 3))] * 2,
    st.floats(-360, 360).map(lambda number: round(number, 2)),
    st.booleans(),
    st.booleans(),
)
def test_an_arc_lies_on_an_ellipse(
    x1: float, y1: float, x2: float, y2: float, rx: float, ry: float, turn: float, large: bool, sweep: bool
) -> None:
    """Points of the curves, put into the ellipse's own axes and units, all are 1 from one middle."""
    outline = parse_outline(f"M{x1} {y1}A{rx} {ry} {turn} {large:d}{sweep:d}{x2},{y2}")
    if len(outline.segments) == 1 or not isinstance(outline.segments[1], Curve):
        return
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    start, points, turned = (x1, y1), [], 0.0
    for segment in outline.segments[1:]:
        assert isinstance(segment, Curve)
        for step in range(9):
            t = step / 8
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            places = (start, segment.first, segment.second, segment.to)
            x, y = (sum(w * p[axis] for w, p in zip(weights, places, strict=True)) for axis in (0, 1))
            points.append(((x * cosine + y * sine) / rx, (y * cosine - x * sine) / ry))
        start = segment.to
    assert start == pytest.approx((x2, y2))
    ax, ay, bx, by, cx, cy = (*points[0], *points[len(points) // 2], *points[-1])
    double = 2 * ((ax * (by - cy)) + bx * (cy - ay) + cx * (ay - by))
    if abs(double) < 1e-3:
        return
    squares = (ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy)
    mx = (squares[0] * (by - cy) + squares[1] * (cy - ay) + squares[2] * (ay - by)) / double
    my = (squares[0] * (cx - bx) + squares[1] * (ax - cx) + squares[2] * (bx - ax)) / double
    radius = math.hypot(ax - mx, ay - my)
    assert radius >= 1 - 1e-3
    for px, py in points:
        assert math.hypot(px - mx, py - my) == pytest.approx(radius, rel=2e-3)
    for (px, py), (qx, qy) in pairwise(points):
        cross = (px - mx) * (qy - my) - (py - my) * (qx - mx)
        turned += math.atan2(cross, (px - mx) * (qx - mx) + (py - my) * (qy - my))
    if abs(abs(turned) - math.pi) > 0.05:
        assert (turned > 0) is sweep
        assert (abs(turned) > math.pi) is large


@pytest.mark.parametrize(
    ("data", "last"),
    [
        ("M0 0a5 5 0 0110 0", Curve),
        ("M0 0A0 5 0 0 1 10 0", Line),
        ("M0 0A5 5 0 0 1 0 0", Move),
        ("M0 0a5 5 0 1 0 10 0", Curve),
    ],
)
def test_arcs_that_are_none(data: str, last: type) -> None:
    assert isinstance(parse_outline(data).segments[-1], last)
