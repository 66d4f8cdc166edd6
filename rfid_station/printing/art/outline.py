"""Vector outlines: the path data of SVG, as a logo or a shape in a template carries it.

Knows all its commands, absolute and relative (SVG 2, chapter 9.3). Elliptical arcs become curves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rfid_station.printing.geometry import Box, Point, box_around

_TOKEN = re.compile(r"[\s,]*(?:([A-Za-z])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))")
_FLAG = re.compile(r"[\s,]*([01])")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_LARGEST = 1e9
_NEGLIGIBLE = 1e-9
_ARC_FLAGS = (3, 4)
"""Which numbers of an arc are one digit each, that the next may follow at once."""


@dataclass(frozen=True, slots=True)
class Move:
    """Begin a new part of the outline."""

    to: Point


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line from where the outline is."""

    to: Point


@dataclass(frozen=True, slots=True)
class Curve:
    """A cubic Bézier curve from where the outline is."""

    first: Point
    second: Point
    to: Point


@dataclass(frozen=True, slots=True)
class Close:
    """Back to where this part began."""


Segment = Move | Line | Curve | Close


@dataclass(frozen=True, slots=True)
class Outline:
    """A parsed path."""

    segments: tuple[Segment, ...]

    @property
    def box(self) -> Box:
        """A box that holds the outline: the one around its points and control points."""
        points: list[Point] = []
        for segment in self.segments:
            if isinstance(segment, Curve):
                points += [segment.first, segment.second]
            if not isinstance(segment, Close):
                points.append(segment.to)
        return box_around(points)


def circle(center: Point, radius: float) -> Outline:
    """A circle as four curves, off by less than 0.03 % of the radius."""
    return ellipse(center, (radius, radius))


def ellipse(center: Point, radii: tuple[float, float]) -> Outline:
    """An ellipse as four curves, as good as `circle`."""
    (x, y), (rx, ry) = center, radii
    share = 4 / 3 * (math.sqrt(2) - 1)
    hx, hy = rx * share, ry * share
    return Outline(
        (
            Move((x + rx, y)),
            Curve((x + rx, y + hy), (x + hx, y + ry), (x, y + ry)),
            Curve((x - hx, y + ry), (x - rx, y + hy), (x - rx, y)),
            Curve((x - rx, y - hy), (x - hx, y - ry), (x, y - ry)),
            Curve((x + hx, y - ry), (x + rx, y - hy), (x + rx, y)),
            Close(),
        )
    )


def parse_outline(data: str) -> Outline:
    """Read SVG path data.

    :raises ValueError: it is not path data; the text says what is wrong
    """
    drawing = _Drawing()
    for command, numbers in _commands(data):
        drawing.add(command, numbers)
    if not drawing.segments:
        raise ValueError("is empty")
    return Outline(tuple(drawing.segments))


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with the numbers it takes; a repeated command letter may be left out."""
    letter = ""
    numbers: list[float] = []
    position, data = 0, data.strip()
    while position < len(data):
        is_flag = letter.upper() == "A" and len(numbers) in _ARC_FLAGS
        command, number, position = _token(data, position, is_flag=is_flag)
        if command:
            _refuse_half_a_command(letter, numbers)
            letter = command
            if letter.upper() not in _NUMBERS:
                raise ValueError(f"has the command {letter}, and only {' '.join(_NUMBERS)} are known")
        else:
            numbers.append(number)
        needed = _NUMBERS.get(letter.upper())
        if needed is None or (needed == 0 and numbers):
            raise ValueError("has a number without a command")
        if len(numbers) == needed:
            yield letter, numbers
            numbers = []
            letter = {"M": "L", "m": "l"}.get(letter, letter)
    _refuse_half_a_command(letter, numbers)


def _token(data: str, position: int, *, is_flag: bool) -> tuple[str, float, int]:
    """A command, or else a number, and where it ends."""
    flag = _FLAG.match(data, position) if is_flag else None
    if flag:
        return "", float(flag[1]), flag.end()
    match = _TOKEN.match(data, position)
    if match is None:
        raise ValueError(f"has {data[position:].strip()[:8]!r} in it")
    number = float(match[2] or 0)
    if not abs(number) < _LARGEST:
        raise ValueError(f"has the number {match[2]}")
    return match[1] or "", number, match.end()


def _refuse_half_a_command(letter: str, numbers: list[float]) -> None:
    if numbers:
        raise ValueError(f"ends within {letter}, after {numbers[-1]:g}")


class _Drawing:
    """Where the pen is while commands are turned into segments."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._here: Point = (0.0, 0.0)
        self._begin: Point = (0.0, 0.0)
        self._mirrored: Point | None = None
        """The control point before, which S and T reflect; None when there is none."""
        self._mirrors = ""

    def add(self, command: str, numbers: list[float]) -> None:
        letter = command.upper()
        if not self.segments and letter != "M":
            raise ValueError(f"begins with {command}, and must begin with M")
        if letter == "A":
            self._arc(numbers, is_relative=command.islower())
            return
        points = self._points(letter, numbers, is_relative=command.islower())
        if letter == "M":
            self._begin = points[0]
            self.segments.append(Move(points[0]))
        elif letter == "Z":
            self.segments.append(Close())
            points = [self._begin]
        elif letter in "LHV":
            self.segments.append(Line(points[0]))
        else:
            self._curve(letter, points)
        if letter not in "CSQT":
            self._mirrors = ""
        self._here = points[-1]

    def _points(self, letter: str, numbers: list[float], *, is_relative: bool) -> list[Point]:
        x, y = self._here
        left, top = self._here if is_relative else (0.0, 0.0)
        if letter == "H":
            return [(left + numbers[0], y)]
        if letter == "V":
            return [(x, top + numbers[0])]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [(left + dx, top + dy) for dx, dy in pairs]

    def _curve(self, letter: str, points: list[Point]) -> None:
        if letter in "ST":
            points = [self._reflection("CS" if letter == "S" else "QT"), *points]
        control, to = points[-2], points[-1]
        if letter in "QT":
            first, second = _third(self._here, control), _third(to, control)
        else:
            first, second = points[0], control
        self.segments.append(Curve(first, second, to))
        self._mirrored, self._mirrors = control, letter

    def _arc(self, numbers: list[float], *, is_relative: bool) -> None:
        rx, ry, turn, is_large, is_clockwise, x, y = numbers
        if is_relative:
            x, y = self._here[0] + x, self._here[1] + y
        self.segments += _arc_curves(
            self._here, (x, y), (abs(rx), abs(ry)), math.radians(turn), bool(is_large), bool(is_clockwise)
        )
        self._here, self._mirrors = (x, y), ""

    def _reflection(self, family: str) -> Point:
        if self._mirrored is None or not self._mirrors or self._mirrors not in family:
            return self._here
        return (2 * self._here[0] - self._mirrored[0], 2 * self._here[1] - self._mirrored[1])


def _third(end: Point, control: Point) -> Point:
    """The control point of the cubic curve that equals a quadratic one, on the side of `end`."""
    return (end[0] + 2 * (control[0] - end[0]) / 3, end[1] + 2 * (control[1] - end[1]) / 3)


def _arc_curves(
    start: Point, end: Point, radii: Point, turn: float, is_large: bool, is_clockwise: bool
) -> list[Segment]:
    """An elliptical arc as curves of a quarter turn at most (SVG 2, appendix B.2.4)."""
    if start == end:
        return []
    if not min(radii) > 0:
        return [Line(end)]
    sine, cosine = math.sin(turn), math.cos(turn)
    half_x, half_y = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    along, across = cosine * half_x + sine * half_y, cosine * half_y - sine * half_x
    too_far = math.hypot(along / radii[0], across / radii[1])
    rx, ry = (radius * max(1, too_far) for radius in radii)
    distance = math.hypot(along / rx, across / ry)
    if not _NEGLIGIBLE < distance < 1 / _NEGLIGIBLE:
        return [Line(end)]
    spread = max(0.0, 1 / distance**2 - 1)
    share = math.copysign(math.sqrt(spread), 1 if is_large != is_clockwise else -1)
    middle = (share * rx * across / ry, -share * ry * along / rx)
    first = math.atan2((across - middle[1]) / ry, (along - middle[0]) / rx)
    last = math.atan2((-across - middle[1]) / ry, (-along - middle[0]) / rx)
    sweep = (last - first) % math.tau if is_clockwise else -((first - last) % math.tau)
    center_x = cosine * middle[0] - sine * middle[1] + (start[0] + end[0]) / 2
    center_y = sine * middle[0] + cosine * middle[1] + (start[1] + end[1]) / 2

    def at(angle: float, tangent: float) -> Point:
        """A point of the ellipse, moved along its tangent."""
        x = rx * (math.cos(angle) - tangent * math.sin(angle))
        y = ry * (math.sin(angle) + tangent * math.cos(angle))
        return center_x + cosine * x - sine * y, center_y + sine * x + cosine * y

    count = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    step = sweep / count
    handle = 4 / 3 * math.tan(step / 4)
    angles = [first + number * step for number in range(count + 1)]
    curves = [
        Curve(at(begin, handle), at(finish, -handle), at(finish, 0)) for begin, finish in pairwise(angles)
    ]
    return [*curves[:-1], Curve(curves[-1].first, curves[-1].second, end)]
