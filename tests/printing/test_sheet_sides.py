"""Turned cards, fronts with backs, and every code at every position, seen by PDFium, pikepdf and zxing."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from printed_page import MM, codes, cut, pixel, rendered, text_of

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.calibration import behind, calibration_points, correction, render_calibration
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import Duplex, Flip, Order, SheetLayout, Slot, Turn, load_layout
from rfid_station.printing.sheet import Placement, render_sheets

Faces = Callable[[int], list[dict[str, str]]]

ACCENT, PRIMARY, BLACK, WHITE = (0x2F, 0xD0, 0x8A), (0x0B, 0x2A, 0x3B), (0, 0, 0), (255, 255, 255)
MARK = (5.0, 5.0)
"""Of both sides' marks on the card, from its upper left corner, in mm."""

TWO_SIDES = """
title = "Two sides"
size = [85.60, 53.98]

[[front]]
kind = "fill"
color = "accent"

[[front]]
kind = "rect"
at = [4, 4]
size = [2, 2]
color = "black"

[[front]]
kind = "qr"
value = "{qr_link}"
at = [50, 20]
side = 22

[[back]]
kind = "fill"
color = "primary"

[[back]]
kind = "rect"
at = [4, 4]
size = [2, 2]
color = "white"

[[back]]
kind = "text"
text = "{visual_number}"
at = [10, 30]
width = 60
size = 10
color = "white"
"""

CARD_SHEETS = ["a4-8up", "letter-9up", "letter-8up", "sra3-21up", "sra3-25up", "pvc-a4-8up", "pvc-24up"]


@pytest.fixture
def two_sides(template: Callable[..., Path]) -> CardDesign:
    return load_design("own", [template("cards", TWO_SIDES)])


def on_paper(slot: Slot, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of a card, from the card's own upper left corner, lies on the paper."""
    u, v = point
    return {
        Turn.UPRIGHT: (slot.x + u, slot.y + v),
        Turn.RIGHT: (slot.right - v, slot.y + u),
        Turn.UPSIDE_DOWN: (slot.right - u, slot.bottom - v),
        Turn.LEFT: (slot.x + v, slot.bottom - u),
    }[slot.turn]


def box_of(slot: Slot) -> tuple[float, float, float, float]:
    return (slot.x, slot.y, slot.right, slot.bottom)


def badly_printed(picture: Image.Image) -> Image.Image:
    """Ink that has run, on a printer that runs out of it, scanned with noise."""
    faint = ImageEnhance.Contrast(picture.convert("L").filter(ImageFilter.GaussianBlur(1.6))).enhance(0.35)
    dice = random.Random(7)
    noise = Image.frombytes("L", faint.size, dice.randbytes(faint.width * faint.height))
    return Image.blend(faint, noise, 0.12)


@pytest.mark.parametrize("name", CARD_SHEETS)
def test_every_code_of_every_position_reads_also_when_badly_printed(
    name: str, classic: CardDesign, example: Brand, faces: Faces
) -> None:
    layout = load_layout(name)
    cards = faces(len(layout.slots))
    printed = render_sheets(classic, example, layout, cards, job="j")
    picture = rendered(printed.pdf, 1, 300).convert("L")
    worse = badly_printed(picture)
    for placement in printed.placements:
        card = box_of(layout.slots[placement.position - 1])
        link = cards[placement.face_index]["qr_link"]
        assert codes(cut(picture, card, 300)) == [link], placement
        assert codes(cut(worse, card, 300)) == [link], placement


@pytest.mark.parametrize("name", ["letter-9up", "pvc-24up"])
def test_a_turned_card_is_the_same_card(
    name: str, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
) -> None:
    layout = load_layout(name)
    position = len(layout.slots)
    slot = layout.slots[-1]
    turned = cut(
        rendered(
            render_sheets(classic, example, layout, faces(1), job="j", start_position=position).pdf, 1, 200
        ),
        box_of(slot),
        200,
    ).rotate(int(slot.turn), expand=True)
    upright = cut(
        rendered(render_sheets(classic, example, a4, faces(1), job="j").pdf, 1, 200), box_of(a4.slots[0]), 200
    )
    size = (upright.width - 8, upright.height - 8)
    one, other = (
        picture.crop((4, 4, 4 + size[0], 4 + size[1])).convert("L").filter(ImageFilter.GaussianBlur(3))
        for picture in (turned, upright)
    )
    if layout.color_space != a4.color_space:  # other inks look different, and lie in the same places
        one, other = (picture.point(lambda value: 255 if value > 128 else 0) for picture in (one, other))
    differing = sum(
        abs(a - b) > 40 for a, b in zip(one.tobytes(), other.tobytes(), strict=True)
    ) / len(one.tobytes())  # fmt: skip
    assert differing < 0.02


class TestTwoSides:
    @pytest.mark.parametrize("flip", Flip)
    @pytest.mark.parametrize("name", ["a4-10up", "letter-9up", "pvc-a4-8up"])
    def test_each_back_lies_behind_its_front(
        self, name: str, flip: Flip, two_sides: CardDesign, example: Brand, faces: Faces
    ) -> None:
        layout = load_layout(name)
        cards = [{k: card[k] for k in ("visual_number", "qr_link")} for card in faces(len(layout.slots) - 1)]
        printed = render_sheets(two_sides, example, layout, cards, job="j", duplex=Duplex(flip))
        front, back = (rendered(printed.pdf, page, 150) for page in (1, 2))
        for placement in printed.placements:
            slot = layout.slots[placement.position - 1]
            assert dark(front, on_paper(slot, MARK)) == "dark"
            width, _ = slot.card_size
            x, y = on_paper(slot, (width - MARK[0], MARK[1]))
            seen = (layout.paper.width - x, y) if flip is Flip.LONG else (x, layout.paper.height - y)
            assert dark(back, seen) == "light", placement
            x, y = on_paper(slot, MARK)
            elsewhere = (layout.paper.width - x, y) if flip is Flip.LONG else (x, layout.paper.height - y)
            assert dark(back, elsewhere) == "dark", placement
        blank = layout.slots[-1]
        x, y = on_paper(blank, (40, 20))
        seen = (layout.paper.width - x, y) if flip is Flip.LONG else (x, layout.paper.height - y)
        assert pixel(front, x, y, 150) == pixel(back, *seen, 150) == WHITE

    def test_pages_go_front_back_front_back(
        self, two_sides: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = [{k: card[k] for k in ("visual_number", "qr_link")} for card in faces(11)]
        printed = render_sheets(two_sides, example, a4, cards, job="j")
        assert printed.sides == (Side.FRONT, Side.BACK)
        assert (printed.sheet_count, len(pikepdf.open(io.BytesIO(printed.pdf)).pages)) == (2, 4)
        assert printed.page(2, Side.BACK) == 4
        assert "sheet 2/2" in text_of(printed.pdf, 3)
        assert "front" in text_of(printed.pdf, 3)
        assert "back" in text_of(printed.pdf, 4)
        assert cards[10]["visual_number"] in text_of(printed.pdf, 4)
        assert printed.placements[10] == Placement(10, 2, 1)

    def test_one_side_only(
        self, two_sides: CardDesign, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = [{k: card[k] for k in ("visual_number", "qr_link")} for card in faces(3)]
        printed = render_sheets(two_sides, example, a4, cards, job="j", sides=[Side.BACK])
        assert len(pikepdf.open(io.BytesIO(printed.pdf)).pages) == 1
        assert pixel(rendered(printed.pdf, 1, 50), 210 - 40, 30, 50) == PRIMARY
        with pytest.raises(WrongCall, match="the design classic has no back"):
            render_sheets(classic, example, a4, faces(1), job="j", sides=[Side.BACK])

    def test_the_backs_boxes_are_those_of_the_back(
        self, two_sides: CardDesign, example: Brand, template: Callable[..., Path], faces: Faces
    ) -> None:
        sheet = 'title = "O"\nsize = [210, 297]\ncard = [85.60, 53.98]\nbleed = 1\nslots = [[10, 10]]'
        layout = load_layout("own", [template("sheets", sheet)])
        cards = [{k: card[k] for k in ("visual_number", "qr_link")} for card in faces(2)]
        printed = render_sheets(two_sides, example, layout, cards, job="j", duplex=Duplex(offset_mm=(1, 2)))
        pages = pikepdf.open(io.BytesIO(printed.pdf)).pages
        for page, (left, top) in zip(pages, [(10, 10), (210 - 95.6 + 1, 12)] * 2, strict=True):
            trim, bleed = ([float(edge) / MM for edge in page[name]] for name in ("/TrimBox", "/BleedBox"))
            expected = [left, 297 - top - 53.98, left + 85.6, 297 - top]
            assert trim == pytest.approx(expected, abs=0.01)
            assert bleed == pytest.approx(
                [expected[0] - 1, expected[1] - 1, expected[2] + 1, expected[3] + 1], abs=0.01
            )

    def test_same_cards_same_bytes(
        self, two_sides: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = [{k: card[k] for k in ("visual_number", "qr_link")} for card in faces(5)]
        one, again, other = (
            render_sheets(two_sides, example, a4, cards, job="j", duplex=Duplex(flip)).sha256
            for flip in (Flip.LONG, Flip.LONG, Flip.SHORT)
        )
        assert one == again != other


def dark(picture: Image.Image, at: tuple[float, float]) -> str:
    return "dark" if sum(pixel(picture, *at, 150)) < 3 * 100 else "light"


class TestSlug:
    def test_what_stays_blank_is_said(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        printed = render_sheets(classic, example, a4, faces(10), job="order 9", start_position=4)
        assert "blank: 1–3" in text_of(printed.pdf, 1)
        assert "blank: 4–10" in text_of(printed.pdf, 2)
        full = render_sheets(classic, example, a4, faces(10), job="order 9")
        assert "blank" not in text_of(full.pdf, 1)

    def test_first_and_last_of_a_stack(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = faces(20)
        printed = render_sheets(classic, example, a4, cards, job="j", order=Order.STACK)
        assert f"{cards[0]['visual_number']} – {cards[18]['visual_number']}" in text_of(printed.pdf, 1)
        assert f"{cards[1]['visual_number']} – {cards[19]['visual_number']}" in text_of(printed.pdf, 2)

    def test_a_line_that_runs_downwards(self, classic: CardDesign, example: Brand, faces: Faces) -> None:
        layout = load_layout("letter-9up")
        printed = render_sheets(classic, example, layout, faces(9), job="order 12")
        assert "order 12" in text_of(printed.pdf, 1)
        picture = rendered(printed.pdf, 1, 150)
        assert layout.slug is not None
        box = layout.slug.box
        inked = (
            cut(picture, (0, 0, 16, 279.4), 150).convert("L").point(lambda v: 255 if v < 128 else 0).getbbox()
        )
        assert inked is not None
        left, top, right, bottom = (edge / 150 * 25.4 for edge in inked)
        assert left > box.x - 0.3
        assert right < box.right + 0.3
        assert top == pytest.approx(box.y, abs=0.5)
        assert bottom < box.bottom


def test_labels_take_no_cards(classic: CardDesign, example: Brand, faces: Faces) -> None:
    with pytest.raises(WrongCall, match="the sheet labels-l7160 is for labels"):
        render_sheets(classic, example, load_layout("labels-l7160"), faces(1), job="j")


def test_stock_of_another_size_takes_no_cr80(classic: CardDesign, example: Brand, faces: Faces) -> None:
    with pytest.raises(WrongCall, match=r"cards on the sheet stock-c32011 are 85 × 54 mm"):
        render_sheets(classic, example, load_layout("stock-c32011"), faces(1), job="j")


def test_a_slug_that_does_not_fit(classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces) -> None:
    with pytest.raises(PrintError, match=r"slug: .*too long"):
        render_sheets(classic, example, a4, faces(1), job="j" * 200)


class TestCalibration:
    @pytest.mark.parametrize("flip", Flip)
    @pytest.mark.parametrize("shift", [(0.0, 0.0), (1.0, -2.0), (-3.0, 0.5)])
    def test_what_is_read_off_brings_the_back_into_place(
        self, a4: SheetLayout, flip: Flip, shift: tuple[float, float]
    ) -> None:
        """A printer moves every back by `shift`; the correction has to undo it."""
        place = calibration_points(a4)[0]
        back_x, back_y = behind(place, a4.paper, Duplex(flip))
        printed = (back_x + shift[0], back_y + shift[1])
        seen = (210 - printed[0], printed[1]) if flip is Flip.LONG else (printed[0], 297 - printed[1])
        read = correction(a4.paper, flip, (seen[0] - place[0], seen[1] - place[1]))
        assert read == pytest.approx((-shift[0], -shift[1]))

    @pytest.mark.parametrize("name", ["a4-10up", "letter-9up"])
    def test_crosses_lie_behind_the_zeros(self, name: str) -> None:
        layout = load_layout(name)
        pdf = render_calibration(layout)
        assert render_calibration(layout) == pdf
        front, back = (rendered(pdf, page, 300).convert("L") for page in (1, 2))
        for x, y in calibration_points(layout):
            for picture, at in ((front, (x, y)), (back, (layout.paper.width - x, y))):
                spot = cut(picture, (at[0] - 0.3, at[1] - 0.3, at[0] + 0.3, at[1] + 0.3), 300)
                assert spot.getextrema()[0] < 128
        assert "X +5" in text_of(pdf, 1)
        assert name in text_of(pdf, 1)
        assert str(len(layout.slots)) in text_of(pdf, 2)
