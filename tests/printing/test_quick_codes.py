"""Codes by differences, and what is written for speed: equal to the library's and the canvas's own."""

from __future__ import annotations

import io
import string
from collections.abc import Callable
from dataclasses import replace

import pikepdf
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps
from printed_page import rendered, text_of
from qrcode.base import Polynomial
from qrcode.main import QRCode
from qrcode.util import QRData

from rfid_station.errors import PrintError
from rfid_station.printing import quick_pen, sheet
from rfid_station.printing.brand import Brand
from rfid_station.printing.codes.qr_code import _LEVELS, _MASK, _differences, qr_matrix
from rfid_station.printing.design import CardDesign
from rfid_station.printing.layer import ErrorCorrection
from rfid_station.printing.layout import ColorSpace, SheetLayout, load_layout
from rfid_station.printing.pen import Pen
from rfid_station.printing.sheet import render_sheets

Faces = Callable[[int], list[dict[str, str]]]
Plain = Callable[[str], CardDesign]

ALPHANUMERIC = string.digits + string.ascii_uppercase + "$%*+-./:"


def by_the_library(payload: str, level: ErrorCorrection) -> tuple[int, list[int]]:
    """Side and rows of a code as `qrcode` makes it, in the smallest version that holds it."""
    code = QRCode(error_correction=_LEVELS[level], mask_pattern=_MASK)
    code.add_data(QRData(payload.encode()))
    code.make(fit=True)
    return code.modules_count, [int("".join("01"[bool(m)] for m in row), 2) for row in code.modules]


@pytest.fixture(autouse=True)
def a_library_that_divides_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a block of zeros the library makes no code (glog(0) of qrcode 8.2): zeros are left over."""
    divided = Polynomial.__mod__
    monkeypatch.setattr(
        "qrcode.base.Polynomial.__mod__", lambda self, other: divided(self, other) if any(self) else self
    )


def by_us(payload: str, level: ErrorCorrection) -> tuple[int, list[int]]:
    matrix = qr_matrix(payload, level)
    width = (matrix.side + 7) // 8
    rows = [int.from_bytes(matrix.bits[y * width : (y + 1) * width]) for y in range(matrix.side)]
    return matrix.side, [row >> (-matrix.side % 8) for row in rows]


@settings(max_examples=25, deadline=None)
@given(
    alphabet=st.sampled_from(["01", "0", string.digits, ALPHANUMERIC, string.ascii_letters + "-/:ß€\0"]),
    level=st.sampled_from(ErrorCorrection),
    length=st.integers(1, 60),
    data=st.data(),
)
def test_codes_of_one_length_are_those_of_the_library(
    alphabet: str, level: ErrorCorrection, length: int, data: st.DataObject
) -> None:
    """The first of a length is the library's own; what follows is made of differences to it."""
    for payload in data.draw(
        st.lists(st.text(alphabet, min_size=length, max_size=length), min_size=2, max_size=3)
    ):
        assert by_us(payload, level) == by_the_library(payload, level)


@pytest.mark.parametrize("level", ErrorCorrection)
@pytest.mark.parametrize("payload", ["0" * 40, "1" + "0" * 98, "0" * 99 + "1", "A" + "0" * 60, "\0" * 40])
def test_codes_of_zeros_are_read(
    payload: str, level: ErrorCorrection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the library as it is
    _differences.cache_clear()
    matrix = qr_matrix(payload, level)
    width = (matrix.side + 7) // 8
    picture = Image.frombytes("1", (matrix.side, matrix.side), matrix.bits[: width * matrix.side])
    dark = ImageOps.expand(picture.convert("L"), border=4)
    large = ImageOps.invert(dark).resize((dark.width * 4, dark.height * 4), Image.Resampling.NEAREST)
    (code,) = zxingcpp.read_barcodes(large, formats=zxingcpp.BarcodeFormat.QRCode)
    assert code.bytes.decode() == payload
    _differences.cache_clear()


@pytest.mark.parametrize("level", ErrorCorrection)
def test_what_is_too_long_for_any_code(level: ErrorCorrection) -> None:
    with pytest.raises(PrintError, match="8000 characters do not fit into a QR code"):
        qr_matrix("0" * 8000, level)


@pytest.mark.parametrize("level", ErrorCorrection)
def test_every_bit_of_a_text_has_its_difference(level: ErrorCorrection) -> None:
    """Every character at every place, upper case and bytes: no column of the table stays unproven."""
    for first, others in (("A" * 31, ALPHANUMERIC), ("a" * 21, "bdhpq`!A")):
        qr_matrix(first, level)
        for place in range(len(first)):
            for other in others[place % 3 :: 3]:
                payload = first[:place] + other + first[place + 1 :]
                if payload.isupper() == first.isupper():
                    assert by_us(payload, level) == by_the_library(payload, level)


@pytest.mark.parametrize("name", ["a4-10up", "pvc-a4-8up", "letter-9up"])
def test_the_quick_pen_draws_what_the_canvas_draws(
    name: str, classic: CardDesign, example: Brand, faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = load_layout(name)
    quick = render_sheets(classic, example, layout, faces(3), job="j").pdf
    monkeypatch.setattr(sheet, "QuickPen", Pen)
    slow = render_sheets(classic, example, layout, faces(3), job="j").pdf
    assert text_of(quick, 1) == text_of(slow, 1)
    difference = ImageChops.difference(rendered(quick, 1, 200), rendered(slow, 1, 200))
    assert max(high for _, high in difference.getextrema()) <= 8
    assert difference.getbbox() is None or sum(difference.convert("L").tobytes()) < 2000
    assert pikepdf.open(io.BytesIO(quick)).check_pdf_syntax() == []


@pytest.mark.parametrize("colors", ColorSpace)
def test_letters_that_have_a_meaning_in_pdf(
    plain: Plain, example: Brand, a4: SheetLayout, colors: ColorSpace
) -> None:
    layer = (
        '[[front]]\nkind = "text"\ntext = "{driver}"\nat = [6, 30]\nwidth = 70\nsize = 8\nmin_size = 5\n'
        'color = "black"\ntracking = 0.05\n'
    )
    names = [r"O\'Neill (Jr.) )( \\", "Ж–ß €½ Ω", "".join(chr(code) for code in range(0x100, 0x140))]
    cards = [{"visual_number": f"A-{n}", "driver": name} for n, name in enumerate(names)]
    printed = render_sheets(plain(layer), example, replace(a4, color_space=colors), cards, job="j")
    for name in names:
        assert name in text_of(printed.pdf, 1)
    assert quick_pen.QuickPen is sheet.QuickPen
