"""A designer's PDF as one side of a card, judged by PDFium, Ghostscript and pikepdf."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from press_pdfs import (
    CARD_MM,
    MM,
    artwork,
    picture,
    separations,
    with_helvetica,
    with_spot,
)
from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.design import Side
from rfid_station.printing.press.artwork import place_artwork

BLEED_MM = 2.0


def sheet(*sides: Side, bleed: float = BLEED_MM) -> bytes:
    """A page of 120 × 80 mm for each side, with an empty form for artwork at 12, 12 mm."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(120 * MM, 80 * MM), invariant=1)
    for side in sides:
        edges = (-bleed, -bleed, CARD_MM[0] + bleed, CARD_MM[1] + bleed)
        canvas.beginForm(f"artwork-{side}", *(edge * MM for edge in edges))
        canvas.endForm()
    for side in sides:
        canvas.translate(12 * MM, 12 * MM)
        canvas.doForm(f"artwork-{side}")
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def pixel(pdf: bytes, x_mm: float, y_mm: float, page: int = 1) -> tuple[int, int, int]:
    """The colour at a place counted from the lower left corner of the trimmed card."""
    shown = picture(pdf, page)
    red, green, blue = shown.getpixel((round(10 * (12 + x_mm)), shown.height - round(10 * (12 + y_mm))))
    return red, green, blue


def is_magenta(color: tuple[int, int, int]) -> bool:
    return color[1] < 100 < min(color[0], color[2])


def is_cyan(color: tuple[int, int, int]) -> bool:
    return color[0] < 100 < min(color[1], color[2])


def test_the_bleed_is_not_clipped_by_the_trim_box(tmp_path: Path) -> None:
    pdf = place_artwork(sheet(Side.FRONT), {Side.FRONT: artwork(tmp_path / "front.pdf")})
    width, height = CARD_MM
    middle_x, middle_y = width / 2, height / 2
    for x, y in ((-1, middle_y), (width + 1, middle_y), (middle_x, -1), (middle_x, height + 1)):
        assert is_magenta(pixel(pdf, x, y)), (x, y)
    for x, y in ((0.5, middle_y), (width - 0.5, middle_y), (middle_x, 0.5), (middle_x, height - 0.5)):
        assert is_cyan(pixel(pdf, x, y)), (x, y)
    for x, y in ((-2.5, middle_y), (width + 2.5, middle_y), (middle_x, -2.5), (middle_x, height + 2.5)):
        assert pixel(pdf, x, y) == (255, 255, 255), "the bleed ends where the sheet's does"


def test_pikepdf_clips_when_it_is_not_told(tmp_path: Path) -> None:
    """The trap itself: should pikepdf lose it, the code that avoids it can go."""
    with pikepdf.open(artwork(tmp_path / "front.pdf")) as pdf:
        page = pdf.pages[0]
        form = page.as_form_xobject()
        assert [float(edge) for edge in form.BBox] == [float(edge) for edge in page.trimbox]


def test_inks_stay_what_they_are(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", draw=with_spot)
    placed = tmp_path / "placed.pdf"
    placed.write_bytes(place_artwork(sheet(Side.FRONT), {Side.FRONT: file}))
    (tmp_path / "inks").mkdir()
    inks = separations(placed, tmp_path / "inks")
    card, page = CARD_MM[0] * CARD_MM[1], 120 * 80
    assert inks["PANTONE 123 C"] == pytest.approx(300 / page, abs=0.003)
    assert inks["Cyan"] == pytest.approx((card - 300) / page, abs=0.01)
    assert inks["Yellow"] == inks["Black"] == 0


def test_each_side_has_its_own(tmp_path: Path) -> None:
    both = artwork(tmp_path / "card.pdf", pages=2)
    one_file = place_artwork(sheet(Side.FRONT, Side.BACK), {Side.FRONT: both, Side.BACK: both})
    assert is_cyan(pixel(one_file, 40, 25, page=1))
    red, green, blue = pixel(one_file, 40, 25, page=2)
    assert min(red, green) > 200 > 100 > blue, "the second page is yellow"
    front = artwork(tmp_path / "front.pdf")
    only_front = place_artwork(sheet(Side.FRONT, Side.BACK), {Side.FRONT: front})
    assert pixel(only_front, 40, 25, page=2) == (255, 255, 255)
    one_side = place_artwork(sheet(Side.BACK), {Side.FRONT: both, Side.BACK: both})
    assert min(pixel(one_side, 40, 25)[:2]) > 200, "the second page, though only the back is printed"
    with pytest.raises(LookupError, match="no page of the file has a place for artwork"):
        place_artwork(sheet(Side.BACK), {Side.FRONT: front})


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_turned(tmp_path: Path, turn: int) -> None:
    size = CARD_MM if turn == 180 else (CARD_MM[1], CARD_MM[0])

    def corner(canvas: Canvas) -> None:
        canvas.setFillColorCMYK(0, 0, 0, 1)
        canvas.rect(7 * MM, 7 * MM, 8 * MM, 8 * MM, stroke=0, fill=1)  # lower left before it is turned

    file = artwork(tmp_path / "front.pdf", size=size, draw=corner)
    with pikepdf.open(file, allow_overwriting_input=True) as pdf:
        pdf.pages[0].rotate(turn, relative=True)
        pdf.save(file)
    pdf = place_artwork(sheet(Side.FRONT), {Side.FRONT: file})
    width, height = CARD_MM
    black = {90: (4, height - 4), 180: (width - 4, height - 4), 270: (width - 4, 4)}[turn]
    assert max(pixel(pdf, *black)) < 80
    assert is_magenta(pixel(pdf, -1, height / 2))
    assert is_cyan(pixel(pdf, width / 2, height / 2))


def test_without_a_trim_box_the_card_is_in_the_middle(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", bleed=3, margin=3, trim=False)
    pdf = place_artwork(sheet(Side.FRONT), {Side.FRONT: file})
    assert is_magenta(pixel(pdf, -1, 25))
    assert is_cyan(pixel(pdf, 0.5, 25))


def test_the_same_artwork_gives_the_same_bytes(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", draw=with_spot)
    once = place_artwork(sheet(Side.FRONT), {Side.FRONT: file})
    moved = file.rename(tmp_path / "elsewhere.pdf")
    assert place_artwork(sheet(Side.FRONT), {Side.FRONT: moved}) == once
    with pikepdf.open(io.BytesIO(once)) as pdf:
        assert pdf.check_pdf_syntax() == []


def hide_a_layer(pdf: pikepdf.Pdf) -> None:
    layer = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name="Die line"))
    pdf.Root.OCProperties = pikepdf.Dictionary(OCGs=[layer], D=pikepdf.Dictionary(OFF=[layer]))


def annotate(pdf: pikepdf.Pdf) -> None:
    note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Text, Rect=[0, 0, 9, 9])
    pdf.pages[0].obj.Annots = pikepdf.Array([pdf.make_indirect(note)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (hide_a_layer, "has layers that are switched off"),
        (annotate, "has annotations or form fields, which would be lost"),
    ],
)
def test_what_would_be_lost_is_refused(
    tmp_path: Path, change: Callable[[pikepdf.Pdf], None], words: str
) -> None:
    file = artwork(tmp_path / "front.pdf")
    with pikepdf.open(file, allow_overwriting_input=True) as pdf:
        change(pdf)
        pdf.save(file)
    with pytest.raises(PrintError, match=words):
        place_artwork(sheet(Side.FRONT), {Side.FRONT: file})


def test_a_font_that_is_not_embedded_is_named(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", draw=with_helvetica)
    with pytest.raises(PrintError, match=r"front\.pdf: font Helvetica is not embedded"):
        place_artwork(sheet(Side.FRONT), {Side.FRONT: file})


def test_too_little_bleed_is_measured(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", bleed=1)
    with pytest.raises(PrintError, match=r"front\.pdf has 1\.00 mm of bleed, and 2\.00 mm are printed"):
        place_artwork(sheet(Side.FRONT), {Side.FRONT: file})
    assert place_artwork(sheet(Side.FRONT, bleed=1), {Side.FRONT: file})


def test_a_card_of_another_size(tmp_path: Path) -> None:
    file = artwork(tmp_path / "front.pdf", size=(90, 55), margin=30)
    with pytest.raises(
        WrongCall, match=r"the card in it is 90\.00 × 55\.00 mm, and the design's is 85\.6 × 53\.98"
    ):
        place_artwork(sheet(Side.FRONT), {Side.FRONT: file})


def lock(pdf: pikepdf.Pdf, path: Path) -> None:
    pdf.save(path, encryption=pikepdf.Encryption(user="secret", owner="secret"))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "cannot be read as a PDF"), (b"%PDF-1.4\nbroken", "cannot be read as a PDF"), (None, "locked")],
)
def test_what_is_no_artwork(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = artwork(tmp_path / "front.pdf")
    if content is None:
        with pikepdf.open(file, allow_overwriting_input=True) as pdf:
            lock(pdf, file)
    else:
        file.write_bytes(content)
    with pytest.raises(WrongCall, match=words):
        place_artwork(sheet(Side.FRONT), {Side.FRONT: file})
