"""Sheets as data: what ships fits its paper, slots turn, the back lies behind the front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.errors import WrongCall
from rfid_station.printing.geometry import Box
from rfid_station.printing.layout import Duplex, Flip, Order, SheetLayout, Slot, Turn, load_layout
from rfid_station.printing.sheet import place
from rfid_station.printing.template import TemplateKind, template_names

Write = Callable[..., Path]

LISTED = """
title = "Own"
size = [210, 297]
card = [85.60, 53.98]
bleed = 1.0
slots = [[10, 10], [100, 10], [10, 110]]
turns = [0, 90, 270]
"""

SHIPPED = {
    "a4-10up": (10, (210, 297)),
    "a4-8up": (8, (210, 297)),
    "letter-9up": (9, (215.9, 279.4)),
    "letter-8up": (8, (215.9, 279.4)),
    "sra3-21up": (21, (320, 450)),
    "sra3-25up": (25, (320, 450)),
    "pvc-a4-8up": (8, (210, 297)),
    "pvc-24up": (24, (300, 500)),
    "stock-c32011": (10, (210, 297)),
    "stock-5371": (10, (215.9, 279.4)),
    "labels-l7160": (21, (210, 297)),
    "labels-l7163": (14, (210, 297)),
    "labels-5160": (30, (215.9, 279.4)),
}


class TestWhatShips:
    def test_nothing_else(self) -> None:
        assert set(template_names(TemplateKind.SHEET)) == set(SHIPPED)

    @pytest.mark.parametrize("name", SHIPPED)
    def test_it_is_in_the_middle_of_its_paper(self, name: str) -> None:
        layout = load_layout(name)
        count, (width, height) = SHIPPED[name]
        assert len(layout.slots) == count
        assert (layout.paper.width, layout.paper.height) == (width, height)
        left, right = min(slot.x for slot in layout.slots), width - max(slot.right for slot in layout.slots)
        top, bottom = min(s.y for s in layout.slots), height - max(slot.bottom for slot in layout.slots)
        assert left == pytest.approx(right, abs=0.02)
        assert top == pytest.approx(bottom, abs=0.02)
        for flip in Flip:
            layout.back(Duplex(flip))

    @pytest.mark.parametrize("name", [name for name in SHIPPED if "up" in name])
    def test_its_cards_are_cr80(self, name: str) -> None:
        assert {slot.card_size for slot in load_layout(name).slots} == {(85.60, 53.98)}

    @pytest.mark.parametrize("name", [name for name in SHIPPED if "labels" in name])
    def test_labels_are_labels(self, name: str) -> None:
        assert load_layout(name).is_label


class TestTurns:
    def test_a_turned_slot_is_as_wide_as_a_card_is_high(self, template: Write) -> None:
        layout = load_layout("own", [template("sheets", LISTED)])
        upright, right, left = layout.slots
        assert (upright.width, upright.height, upright.turn) == (85.60, 53.98, Turn.UPRIGHT)
        assert (right.width, right.height, right.turn) == (53.98, 85.60, Turn.RIGHT)
        assert left.turn is Turn.LEFT
        assert left.card_size == right.card_size == upright.card_size

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("[0, 90, 270]", "[0, 90]", r"turns is \[0, 90\]"),
            ("[0, 90, 270]", "[0, 90, 45]", "turns has 45"),
            ("turns = [0, 90, 270]", "turn = 30", "turn has 30"),
            ("card =", "label = [9, 9]\ncard =", "card and label are both there"),
            ("card = [85.60, 53.98]", "", "card and label are both there, or neither"),
            ("bleed = 1.0", "bleed = 1.0\norder = 'pile'", "order is 'pile'"),
            ("turns = [0, 90, 270]", "[duplex]\nflip = 'left'", "duplex: flip is 'left'"),
            ("turns = [0, 90, 270]", "[duplex]\noffset = [1]", r"duplex: offset is \[1\]"),
            ("turns = [0, 90, 270]", "[slug]\nat = [5, 5]\nwidth = 30\nturn = 180", "slug: turn has 180"),
            (
                "slots = [[10, 10], [100, 10], [10, 110]]\nturns = [0, 90, 270]",
                "grid = {columns = 1, rows = 1, first = [9, 9], gap = [0, 0], order = 'stack'}",
                "grid: order is 'stack'",
            ),
        ],
    )
    def test_a_broken_sheet(self, template: Write, old: str, new: str, message: str) -> None:
        assert old in LISTED
        with pytest.raises(WrongCall, match=message):
            load_layout("own", [template("sheets", LISTED.replace(old, new))])


def through_the_paper(point: tuple[float, float], paper: Box, sideways: bool) -> tuple[float, float]:
    """Where a point of the front is when somebody looks at the back, the paper turned over."""
    return (paper.width - point[0], point[1]) if sideways else (point[0], paper.height - point[1])


def upper_left_of_card(slot: Slot) -> tuple[float, float]:
    """The corner of the paper's slot where the card's own upper left corner lies."""
    return {
        Turn.UPRIGHT: (slot.x, slot.y),
        Turn.RIGHT: (slot.right, slot.y),
        Turn.UPSIDE_DOWN: (slot.right, slot.bottom),
        Turn.LEFT: (slot.x, slot.bottom),
    }[slot.turn]


def upper_right_of_card(slot: Slot) -> tuple[float, float]:
    return {
        Turn.UPRIGHT: (slot.right, slot.y),
        Turn.RIGHT: (slot.right, slot.bottom),
        Turn.UPSIDE_DOWN: (slot.x, slot.bottom),
        Turn.LEFT: (slot.x, slot.y),
    }[slot.turn]


class TestBack:
    @settings(max_examples=25, deadline=None)
    @given(
        x=st.floats(20, 60),
        y=st.floats(20, 60),
        turn=st.sampled_from(Turn),
        flip=st.sampled_from(Flip),
        is_landscape=st.booleans(),
    )
    def test_every_corner_of_a_card_is_behind_itself(
        self, x: float, y: float, turn: Turn, flip: Flip, is_landscape: bool
    ) -> None:
        """A card turned over like a page keeps its upper edge: its upper left corner is then on the right."""
        size = (54.0, 86.0) if turn.is_sideways else (86.0, 54.0)
        paper = Box(0, 0, 297, 210) if is_landscape else Box(0, 0, 210, 297)
        slot = Slot(x, y, *size, turn)
        layout = replace(load_layout("a4-10up"), paper=paper, slots=(slot,), slug=None)
        (behind,) = layout.back(Duplex(flip)).slots
        sideways = (flip is Flip.LONG) is not is_landscape
        assert upper_right_of_card(behind) == pytest.approx(
            through_the_paper(upper_left_of_card(slot), paper, sideways)
        )
        assert upper_left_of_card(behind) == pytest.approx(
            through_the_paper(upper_right_of_card(slot), paper, sideways)
        )

    def test_unequal_margins(self, template: Write) -> None:
        """By absolute places: mirroring columns alone would shift the back by the margins' difference."""
        layout = load_layout("own", [template("sheets", LISTED)])
        first = layout.back(Duplex(Flip.LONG)).slots[0]
        assert (first.x, first.y) == pytest.approx((210 - 10 - 85.6, 10))
        first = layout.back(Duplex(Flip.SHORT)).slots[0]
        assert (first.x, first.y, first.turn) == (10, pytest.approx(297 - 10 - 53.98), Turn.UPSIDE_DOWN)

    def test_the_offset_moves_it(self, a4: SheetLayout) -> None:
        plain, moved = a4.back(Duplex()), a4.back(Duplex(offset_mm=(0.5, -0.25)))
        for one, other in zip(plain.slots, moved.slots, strict=True):
            assert (other.x - one.x, other.y - one.y) == pytest.approx((0.5, -0.25))

    def test_an_offset_off_the_paper(self, a4: SheetLayout) -> None:
        with pytest.raises(WrongCall, match="position 1 with its bleed leaves the paper"):
            a4.back(Duplex(offset_mm=(0, -8)))

    @pytest.mark.parametrize("name", ["a4-10up", "letter-9up", "pvc-24up"])
    @pytest.mark.parametrize("flip", Flip)
    def test_its_slug_is_on_no_card(self, name: str, flip: Flip) -> None:
        back = load_layout(name).back(Duplex(flip))
        assert back.slug is not None
        assert back.paper.holds(back.slug.box)
        assert not any(back.slug.box.overlaps(slot.grown(back.bleed_mm)) for slot in back.slots)


class TestOrder:
    def positions(
        self, count: int, layout: SheetLayout, order: Order, start: int = 1
    ) -> list[tuple[int, int]]:
        return [(p.sheet_number, p.position) for p in place(count, layout, start, order)]

    def test_by_row_and_by_column(self, a4: SheetLayout) -> None:
        assert self.positions(4, a4, Order.ROW) == [(1, 1), (1, 2), (1, 3), (1, 4)]
        assert self.positions(6, a4, Order.COLUMN) == [(1, 1), (1, 3), (1, 5), (1, 7), (1, 9), (1, 2)]
        assert self.positions(2, a4, Order.COLUMN, 9) == [(1, 9), (1, 2)]

    @settings(max_examples=25, deadline=None)
    @given(count=st.integers(1, 95), start=st.integers(1, 10))
    def test_cut_piles_laid_on_one_another_are_in_order(self, count: int, start: int) -> None:
        a4 = load_layout("a4-10up")
        placed = place(count, a4, start, Order.STACK)
        assert [p.face_index for p in placed] == list(range(count))
        piles: dict[int, list[tuple[int, int]]] = {}
        for p in placed:
            piles.setdefault(p.position, []).append((p.sheet_number, p.face_index))
        stacked = [face for position in sorted(piles) for _, face in sorted(piles[position])]
        assert stacked == list(range(count))

    @settings(max_examples=30, deadline=None)
    @given(count=st.integers(1, 95), start=st.integers(1, 10), order=st.sampled_from(Order))
    def test_no_order_takes_more_paper(self, count: int, start: int, order: Order) -> None:
        a4 = load_layout("a4-10up")
        placed = place(count, a4, start, order)
        assert len({(p.sheet_number, p.position) for p in placed}) == count
        used = (10 - a4.sequence(order).index(start), count)
        sheets = 1 + max(0, -(-(used[1] - used[0]) // 10))
        assert {p.sheet_number for p in placed} == set(range(1, sheets + 1))

    def test_the_sheet_says_it_itself(self) -> None:
        press = load_layout("sra3-21up")
        assert [p.position for p in place(42, press)[:4]] == [1, 1, 2, 2]
