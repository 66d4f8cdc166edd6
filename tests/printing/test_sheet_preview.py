from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from printed_page import pixel, slot

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.layout import SheetLayout
from rfid_station.printing.preview import preview_png
from rfid_station.printing.sheet import render_sheets

PINK = (230, 0, 126)


@pytest.fixture
def pdf(
    classic: CardDesign, example: Brand, a4: SheetLayout, faces: Callable[[int], list[dict[str, str]]]
) -> bytes:
    return render_sheets(classic, example, a4, faces(11), job="j").pdf


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return picture.convert("RGB")


def test_a_picture_of_the_whole_sheet(pdf: bytes) -> None:
    picture = opened(preview_png(pdf, dpi=110))
    assert picture.size == pytest.approx((210 / 25.4 * 110, 297 / 25.4 * 110), abs=1)
    assert pixel(picture, slot(1)[0] + 3, slot(1)[1] + 3, 110) == (0x0B, 0x2A, 0x3B)
    assert PINK not in {colour for _, colour in picture.getcolors(1 << 20)}


def test_the_second_page_has_one_card(pdf: bytes) -> None:
    first, second = (opened(preview_png(pdf, page, 50)) for page in (1, 2))
    assert pixel(first, slot(2)[0] + 5, slot(2)[1] + 5, 50) != (255, 255, 255)
    assert pixel(second, slot(2)[0] + 5, slot(2)[1] + 5, 50) == (255, 255, 255)


def test_where_cards_are_cut(pdf: bytes, a4: SheetLayout) -> None:
    picture = opened(preview_png(pdf, dpi=200, trims=a4))
    left, top, right, bottom = slot(4)
    for x, y in ((left, (top + bottom) / 2), (right, (top + bottom) / 2), ((left + right) / 2, bottom)):
        around = [pixel(picture, x + dx / 8, y + dy / 8, 200) for dx in range(-2, 3) for dy in range(-2, 3)]
        assert PINK in around
    assert PINK not in [pixel(picture, left + dx / 8, top + dx / 8, 200) for dx in range(-4, 5)]


@pytest.mark.parametrize("page", [0, 3, -1])
def test_a_page_that_is_not_there(pdf: bytes, page: int) -> None:
    with pytest.raises(WrongCall, match=f"there is no page {page}") as caught:
        preview_png(pdf, page)
    assert caught.value.hint == "choose one from 1 to 2"


@pytest.mark.parametrize("dpi", [0, 19, 1201])
def test_a_resolution_that_is_none(pdf: bytes, dpi: int) -> None:
    with pytest.raises(WrongCall, match=f"{dpi} dpi"):
        preview_png(pdf, dpi=dpi)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 and no more", b"text"])
def test_what_is_no_pdf(data: bytes) -> None:
    with pytest.raises(PrintError, match="is no PDF"):
        preview_png(data)
