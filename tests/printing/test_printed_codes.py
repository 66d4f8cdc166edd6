"""Every QR code is read again from the picture, at its place, by another library."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from printed_page import codes, cut, pixel, rendered, slot

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.codes.qr_code import qr_matrix
from rfid_station.printing.design import CardDesign
from rfid_station.printing.layer import ErrorCorrection
from rfid_station.printing.layout import SheetLayout
from rfid_station.printing.sheet import render_sheets

Faces = Callable[[int], list[dict[str, str]]]
Plain = Callable[[str], CardDesign]

ALPHANUMERIC = string.digits + string.ascii_uppercase + "$%*+-./:"


def code_layer(more: str = "", side: float = 20) -> str:
    return f'[[front]]\nkind = "qr"\nvalue = "{{qr_link}}"\nat = [50, 28]\nside = {side}\n{more}'


def drawn(payload: str, level: ErrorCorrection) -> Image.Image:
    """A matrix as a picture: four pixels a module, the quiet zone around it."""
    matrix = qr_matrix(payload, level)
    row_bytes = (matrix.side + 7) // 8
    picture = Image.new("L", (matrix.side + 8, matrix.side + 8), 255)
    for y in range(matrix.side):
        row = matrix.bits[y * row_bytes : (y + 1) * row_bytes]
        for x in range(matrix.side):
            if row[x // 8] >> (7 - x % 8) & 1:
                picture.putpixel((x + 4, y + 4), 0)
    return picture.resize((picture.width * 4, picture.height * 4), Image.Resampling.NEAREST)


@pytest.mark.parametrize("dpi", [200, 300])
def test_every_code_of_every_sheet_reads_as_its_own_link(
    classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces, dpi: int
) -> None:
    cards = faces(23)
    printed = render_sheets(classic, example, a4, cards, job="j", start_position=2)
    pictures = [rendered(printed.pdf, page, dpi) for page in range(1, printed.sheet_count + 1)]
    for placement in printed.placements:
        card = cut(pictures[placement.sheet_number - 1], slot(placement.position), dpi)
        assert codes(card) == [cards[placement.face_index]["qr_link"]], placement


def test_the_code_stands_in_its_quiet_zone(
    classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
) -> None:
    picture = rendered(render_sheets(classic, example, a4, faces(1), job="j").pdf, 1, 600)
    left, top = slot(1)[0] + 60.87, slot(1)[1] + 27.2
    module = 21 / (29 + 8)
    code = cut(picture, (left, top, left + 21, top + 21), 600).convert("L")
    dark = code.point(lambda value: 255 if value < 128 else 0).getbbox()
    assert dark == pytest.approx(
        [round(edge / 25.4 * 600) for edge in (4 * module, 4 * module, 33 * module, 33 * module)], abs=2
    )
    # The corner of a finder pattern is seven dark modules wide, then comes a light one.
    assert pixel(picture, left + 10.5 * module, top + 4.5 * module, 600) == (0, 0, 0)
    assert pixel(picture, left + 11.5 * module, top + 4.5 * module, 600) == (255, 255, 255)


@pytest.mark.parametrize("level", ErrorCorrection)
def test_a_code_has_the_level_that_was_asked_for(level: ErrorCorrection) -> None:
    (code,) = zxingcpp.read_barcodes(drawn("HTTPS://CARD.EXAMPLE.COM/C/7QX4M2KD", level))
    assert code.ec_level == level


@settings(max_examples=25, deadline=None)
@given(st.text(ALPHANUMERIC, min_size=1, max_size=60), st.sampled_from(ErrorCorrection))
def test_any_upper_case_text_reads_back(payload: str, level: ErrorCorrection) -> None:
    assert codes(drawn(payload, level)) == [payload]


@pytest.mark.parametrize(
    ("payload", "level", "side"),
    [
        ("7" * 77, ErrorCorrection.Q, 29),
        ("HTTPS://CARDS.EXAMPLE.COM/C/NL-EXA-C12345678-X", ErrorCorrection.M, 29),
        ("HTTPS://CARDS.EXAMPLE.COM/C/NL-EXA-C12345678-X", ErrorCorrection.Q, 29),
        ("https://cards.example.com/c/NL-EXA-C12345678-X", ErrorCorrection.M, 33),
        ("https://cards.example.com/c/NL-EXA-C12345678-X", ErrorCorrection.Q, 33),
        ("https://cards.example.com/c/NL-EXA-C12345678-X", ErrorCorrection.H, 41),
        ("https://münchen.example/ß", ErrorCorrection.M, 29),
    ],
)
def test_the_smallest_version_that_holds_it(payload: str, level: ErrorCorrection, side: int) -> None:
    """Sides from table 7 of ISO/IEC 18004: version v has 17 + 4 v modules."""
    assert qr_matrix(payload, level).side == side
    assert codes(drawn(payload, level)) == [payload]


def test_a_text_longer_than_any_code() -> None:
    with pytest.raises(PrintError, match="5000 characters do not fit into a QR code at level M"):
        qr_matrix("A" * 5000, ErrorCorrection.M)


def test_modules_that_are_too_small(plain: Plain, example: Brand, a4: SheetLayout, faces: Faces) -> None:
    card = {"visual_number": "A-1", "qr_link": faces(1)[0]["qr_link"]}
    with pytest.raises(
        PrintError, match=r"card A-1: the QR code has modules of 0\.397 mm, less than 0\.40"
    ) as caught:
        render_sheets(plain(code_layer(side=14.7)), example, a4, [card], job="j")
    assert "a side of 14.8 mm" in (caught.value.hint or "")
    printed = render_sheets(plain(code_layer(side=14.8)), example, a4, [card], job="j")
    assert codes(cut(rendered(printed.pdf, 1, 300), slot(1), 300)) == [card["qr_link"]]


@pytest.mark.parametrize(
    ("colours", "ratio"),
    [
        ('color = "white"\nground = "black"', "21.0"),
        ('color = "accent"\nground = "white"', "2.0"),
        ('color = "black"\nground = "primary"', "1.4"),
    ],
)
def test_a_code_that_no_phone_reads(
    plain: Plain, example: Brand, a4: SheetLayout, colours: str, ratio: str
) -> None:
    with pytest.raises(WrongCall, match=rf"front 3 \(qr\).*: the QR code is .*a contrast of {ratio}"):
        render_sheets(
            plain(code_layer(colours)), example, a4, [{"visual_number": "A", "qr_link": "X"}], job="j"
        )


def test_a_code_in_the_brands_colours(plain: Plain, example: Brand, a4: SheetLayout) -> None:
    card = {"visual_number": "A", "qr_link": "HTTPS://E.EXAMPLE/7"}
    design = plain(code_layer('color = "primary"\nground = "accent"\nerror_correction = "H"'))
    picture = rendered(render_sheets(design, example, a4, [card], job="j").pdf, 1, 300)
    assert codes(cut(picture, slot(1), 300)) == [card["qr_link"]]
