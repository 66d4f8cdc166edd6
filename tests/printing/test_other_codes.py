"""Code 128 and Data Matrix, read back by ZXing, which knows nothing of how they were made."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.graphics.barcode.code128 import Code128

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.codes.code128 import code128
from rfid_station.printing.codes.data_matrix import data_matrix
from rfid_station.printing.codes.modules import Modules, packed
from rfid_station.printing.design import CardDesign
from rfid_station.printing.layout import SheetLayout
from rfid_station.printing.sheet import render_sheets

Plain = Callable[[str], CardDesign]
LARGE = [(62, 32), (86, 36), (114, 40), (144, 44), (174, 48)]
"""Characters, and modules on a side, of squares of four regions."""
TEXTS = st.text(string.printable[:95], min_size=1, max_size=60).filter(lambda text: text == text.strip())


def drawn(modules: Modules, quiet_zone: int, high: int = 1, scale: int = 3) -> Image.Image:
    """The modules as a picture, by other means than the printing ones."""
    stride = (modules.columns + 7) // 8
    size = ((modules.columns + 2 * quiet_zone), (modules.rows * high + 2 * quiet_zone))
    picture = Image.new("1", size, 1)
    for row in range(modules.rows * high):
        for column in range(modules.columns):
            byte = modules.bits[row // high * stride + column // 8]
            picture.putpixel((column + quiet_zone, row + quiet_zone), not byte >> (7 - column % 8) & 1)
    return picture.resize((size[0] * scale, size[1] * scale)).convert("L")


def read(picture: Image.Image, kind: zxingcpp.BarcodeFormat) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture, formats=kind)]


@settings(max_examples=60)
@given(TEXTS)
def test_a_code_128_reads_back(text: str) -> None:
    assert read(drawn(code128(text), 10, high=30), zxingcpp.BarcodeFormat.Code128) == [text]


@pytest.mark.parametrize(
    ("text", "columns"),
    [("123456", 68), ("12345", 79), ("12", 46), ("1", 46), ("EXM-1234-5678-9", 200), ("A12B", 79)],
)
def test_digits_take_half_the_width(text: str, columns: int) -> None:
    assert code128(text).columns == columns


@pytest.mark.parametrize("text", ["EXM-4821-3075-9", "NL-EXM-C48213075-K", "0123456789", "a"])
def test_a_code_128_is_no_wider_than_another_makes_it(text: str) -> None:
    other = Code128(text, barWidth=1, quiet=0)
    for step in (other.validate, other.encode, other.decompose, other.computeSize):
        step()
    assert code128(text).columns <= other.width


@settings(max_examples=60)
@given(TEXTS | st.text("0123456789", min_size=1, max_size=150).filter(lambda text: text == text.strip()))
def test_a_data_matrix_reads_back(text: str) -> None:
    assert read(drawn(data_matrix(text), 2), zxingcpp.BarcodeFormat.DataMatrix) == [text]


@pytest.mark.parametrize(
    ("length", "side"),
    [(3, 10), (5, 12), (8, 14), (12, 16), (18, 18), (22, 20), (30, 22), (36, 24), (44, 26), *LARGE],
)
def test_every_size_holds_what_it_should(length: int, side: int) -> None:
    matrix = data_matrix("Z" * length)
    assert (matrix.columns, matrix.rows) == (side, side)
    assert read(drawn(matrix, 2), zxingcpp.BarcodeFormat.DataMatrix) == ["Z" * length]


def test_a_worn_data_matrix_still_reads() -> None:
    picture = drawn(data_matrix("EXM-4821-3075-9"), 2, scale=6)
    picture.paste(255, (36, 36, 54, 54))
    assert read(picture, zxingcpp.BarcodeFormat.DataMatrix) == ["EXM-4821-3075-9"]


def test_letters_of_western_europe() -> None:
    assert read(drawn(data_matrix("Zoë Müßig"), 2), zxingcpp.BarcodeFormat.DataMatrix) == ["Zoë Müßig"]


@pytest.mark.parametrize(
    ("make", "text", "message"),
    [
        (code128, "Müller", "cannot have 'ü'"),
        (code128, "a\nb", r"cannot have '\\n'"),
        (code128, "", "0 characters"),
        (code128, "9" * 81, "81 characters"),
        (data_matrix, "Łódź", "cannot have 'Ł'"),
        (data_matrix, "Z" * 175, "175 characters do not fit"),
    ],
)
def test_what_cannot_be_encoded(make: Callable[[str], Modules], text: str, message: str) -> None:
    with pytest.raises(PrintError, match=message) as caught:
        make(text)
    assert caught.value.hint


def test_rows_are_padded_to_bytes() -> None:
    assert packed([[True] * 9, [False] * 8 + [True]]) == Modules(9, 2, bytes([0xFF, 0x80, 0x00, 0x80]))


BARS = '[[front]]\nkind = "code128"\nvalue = "{visual_number}"\nat = [5, 20]\nsize = [75, 12]\n'
SQUARE = '[[front]]\nkind = "datamatrix"\nvalue = "{visual_number}"\nat = [5, 36]\nside = 12\n'


def test_both_read_on_a_printed_card(plain: Plain, example: Brand, a4: SheetLayout) -> None:
    from printed_page import cut, rendered, slot

    cards = [{"visual_number": f"EXM-4821-3075-{n}"} for n in range(3)]
    page = rendered(render_sheets(plain(BARS + SQUARE), example, a4, cards, job="j").pdf, 1, 300)
    for position, card in enumerate(cards, start=1):
        found = zxingcpp.read_barcodes(cut(page, slot(position), 300))
        assert sorted((str(code.format), code.text) for code in found) == [
            ("Code 128", card["visual_number"]),
            ("Data Matrix", card["visual_number"]),
        ]


@pytest.mark.parametrize(
    ("layer", "message", "hint"),
    [
        (BARS.replace("75", "50"), r"Code 128 has modules of 0\.227 mm, less than 0\.25", "a width of 55"),
        (SQUARE.replace("side = 12", "side = 7"), r"Data Matrix has modules of 0\.350 mm", "a side of 8"),
    ],
)
def test_modules_that_are_too_small(
    plain: Plain, example: Brand, a4: SheetLayout, layer: str, message: str, hint: str
) -> None:
    with pytest.raises(PrintError, match=message) as caught:
        render_sheets(plain(layer), example, a4, [{"visual_number": "EXM-4821-3075-9"}], job="j")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("layer", [BARS, SQUARE])
def test_light_on_dark_is_refused(plain: Plain, example: Brand, a4: SheetLayout, layer: str) -> None:
    with pytest.raises(WrongCall, match=r"is white on black, a contrast of 21\.0"):
        render_sheets(
            plain(layer + 'color = "white"\nground = "black"'),
            example,
            a4,
            [{"visual_number": "A-1"}],
            job="j",
        )
