"""Single cards for card printers, at the dots of the printer, drawn by PDFium and read by zxing."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
import zxingcpp
from PIL import Image
from press_pdfs import MM, artwork, dots

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layer import FillLayer
from rfid_station.printing.press.card_printer import BackTurn, Black, CardPrinter, load_printer, render_cards
from rfid_station.printing.sheet import Placement
from rfid_station.printing.template import TemplateKind, template_names

Faces = Callable[[int], list[dict[str, str]]]

TWO_SIDES = """
title = "Two sides"
size = [85.60, 53.98]

[[front]]
kind = "fill"
color = "accent"

[[front]]
kind = "text"
text = "{visual_number}"
at = [6, 12]
width = 60
size = 10
color = "black"

[[front]]
kind = "qr"
value = "{qr_link}"
at = [60, 27]
side = 21

[[back]]
kind = "rect"
at = [5, 5]
size = [10, 10]
color = "black"
"""


@pytest.fixture
def two_sides(template: Callable[..., Path]) -> CardDesign:
    return load_design("own", [template("cards", TWO_SIDES)])


@pytest.fixture
def cr80() -> CardPrinter:
    return load_printer("cr80")


def blackness(shown: Image.Image) -> tuple[int, int, int, int]:
    """The box of all black in a picture, in dots."""
    box = shown.convert("L").point(lambda value: 255 if value < 40 else 0).getbbox()
    assert box
    return box


@pytest.mark.parametrize("name", template_names(TemplateKind.PRINTER))
def test_every_printer_that_ships(name: str, two_sides: CardDesign, example: Brand, faces: Faces) -> None:
    printer = load_printer(name)
    printed = render_cards(two_sides, example, printer, faces(1), job="j")
    shown = dots(printed.pdf, 1, printer.dpi)
    assert shown.size == printer.dots
    assert [code.text for code in zxingcpp.read_barcodes(shown)] == [faces(1)[0]["qr_link"]]


def test_pages_go_front_back_front_back(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    printed = render_cards(two_sides, example, cr80, faces(2), job="cards-0001")
    assert printed.sides == (Side.FRONT, Side.BACK)
    assert printed.placements == (Placement(0, 1, 1), Placement(1, 2, 1))
    with pikepdf.open(io.BytesIO(printed.pdf)) as pdf:
        assert len(pdf.pages) == 4
    for index, face in enumerate(faces(2)):
        front, back = dots(printed.pdf, 2 * index + 1), dots(printed.pdf, 2 * index + 2)
        assert [code.text for code in zxingcpp.read_barcodes(front)] == [face["qr_link"]]
        assert zxingcpp.read_barcodes(back) == []
        assert printed.page(index + 1, Side.BACK) == 2 * index + 2
    only_front = render_cards(two_sides, example, cr80, faces(2), job="j", sides=[Side.FRONT])
    assert (only_front.sides, only_front.page(2)) == ((Side.FRONT,), 2)


def test_every_page_is_all_dots_and_nothing_is_to_be_cut(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    """A program that takes the card for the page would cut the overprint off."""
    printed = render_cards(two_sides, example, cr80, faces(1), job="j")
    with pikepdf.open(io.BytesIO(printed.pdf)) as pdf:
        assert pdf.check_pdf_syntax() == []
        for page in pdf.pages:
            whole = pytest.approx([0, 0, 1016 * 72 / 300, 648 * 72 / 300], abs=0.01)
            for box in ("/MediaBox", "/TrimBox", "/BleedBox"):
                assert [float(edge) for edge in page.obj[box]] == whole


def test_colour_runs_over_all_edges(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    shown = dots(render_cards(two_sides, example, cr80, faces(1), job="j").pdf)
    accent = tuple(round(255 * part) for part in example.color("accent").rgb)
    for x, y in ((0, 0), (1015, 0), (0, 647), (1015, 647), (500, 0), (0, 320), (1015, 320), (500, 647)):
        assert shown.getpixel((x, y)) == accent, (x, y)


def test_as_far_as_the_printer_says(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    printer = replace(cr80, overprint_mm=(0.0, 0.0))
    shown = dots(render_cards(two_sides, example, printer, faces(1), job="j").pdf)
    white = (255, 255, 255)
    assert shown.getpixel((0, 320)) == shown.getpixel((500, 0)) == white
    assert shown.getpixel((4, 320)) != white
    box = shown.convert("L").point(lambda value: 255 if value < 250 else 0).getbbox()
    assert box
    assert (box[2] - box[0], box[3] - box[1]) == pytest.approx((1011, 638), abs=2)


@pytest.mark.parametrize("black", list(Black))
def test_an_offset_moves_each_side(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces, black: Black
) -> None:
    printer = replace(cr80, black=black)
    moved = replace(printer, offset_mm=(0.5, -0.25), back_offset_mm=(-1.0, 0.75))
    boxes = [
        blackness(dots(render_cards(two_sides, example, one, faces(1), job="j").pdf, page))
        for one in (printer, moved)
        for page in (1, 2)
    ]
    dot = 25.4 / 300
    for before, after, (right, down) in (
        (boxes[0], boxes[2], (0.5, -0.25)),
        (boxes[1], boxes[3], (-1, 0.75)),
    ):
        shift = ((after[0] - before[0]) * dot, (after[1] - before[1]) * dot)
        assert shift == pytest.approx((right, down), abs=dot)
    shown = dots(render_cards(two_sides, example, moved, faces(1), job="j").pdf)
    assert (255, 255, 255) not in {shown.getpixel((0, y)) for y in range(648)}, "colour still fills all dots"


def test_a_back_that_is_upside_down(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    turned = replace(cr80, back=BackTurn.UPSIDE_DOWN)
    upright = render_cards(two_sides, example, cr80, faces(1), job="j").pdf
    pdf = render_cards(two_sides, example, turned, faces(1), job="j").pdf
    assert dots(pdf, 1).tobytes() == dots(upright, 1).tobytes()
    left, top, right, bottom = blackness(dots(upright, 2))
    assert blackness(dots(pdf, 2)) == pytest.approx(
        (1016 - right, 648 - bottom, 1016 - left, 648 - top), abs=1
    )


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.13, 0.31)])
@pytest.mark.parametrize("back", list(BackTurn))
def test_codes_lie_on_whole_dots(
    template: Callable[..., Path],
    example: Brand,
    cr80: CardPrinter,
    faces: Faces,
    offset: tuple[float, float],
    back: BackTurn,
) -> None:
    """No module is blurred or wider than its neighbour: edges and modules are whole dots."""
    both = TWO_SIDES.replace('[[back]]\nkind = "rect"\nat = [5, 5]\nsize = [10, 10]\ncolor = "black"\n', "")
    code = both[both.index('[[front]]\nkind = "qr"') :]
    design = load_design("own", [template("cards", both + code.replace("front", "back"))])
    printer = replace(cr80, offset_mm=offset, back_offset_mm=offset, back=back)
    printed = render_cards(design, example, printer, faces(1), job="j")
    with pikepdf.open(io.BytesIO(printed.pdf)) as pdf:
        for page in pdf.pages:
            [(edges, columns)] = stencils(page)
            in_dots = [edge * 300 / 72 for edge in edges]
            assert in_dots == pytest.approx([round(edge) for edge in in_dots], abs=0.01)
            width = round(in_dots[2]) - round(in_dots[0])
            assert width % columns == 0
            assert abs(width) // columns == 6, "21 mm hold 37 modules of 6 dots, quiet zone included"


def stencils(page: pikepdf.Page) -> list[tuple[list[float], int]]:
    """Where each stencil of a page lies: two corners in points, and how many modules it is wide."""
    found, kept = [], []
    matrix = pikepdf.Matrix()
    for one in pikepdf.parse_content_stream(page):
        match str(one.operator):
            case "q":
                kept.append(matrix)
            case "Q":
                matrix = kept.pop()
            case "cm":
                matrix = pikepdf.Matrix(*(float(one.operands[n]) for n in range(6))) @ matrix
            case "INLINE IMAGE":
                (x1, y1), (x2, y2) = matrix.transform((0, 0)), matrix.transform((1, 1))
                found.append(([x1, y1, x2, y2], one.iimage.width))
    return found


def test_a_code_whose_modules_would_blur(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    with pytest.raises(PrintError, match=r"modules of 3 dots on the printer cr80, and 4 are the least"):
        render_cards(two_sides, example, replace(cr80, dpi=150, dots=(520, 330)), faces(1), job="j")


def test_black_is_what_the_resin_panel_prints(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    def operators(printer: CardPrinter) -> set[tuple[str, ...]]:
        pdf = render_cards(two_sides, example, printer, faces(1), job="j").pdf
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            page = opened.pages[0]
            return {
                (str(one.operator), *(str(one.operands[n]) for n in range(len(one.operands))))
                for one in pikepdf.parse_content_stream(page)
                if str(one.operator) in ("g", "rg", "k")
            }

    assert ("g", "0") in operators(cr80)
    assert ("rg", "0", "0", "0") not in operators(cr80)
    assert ("rg", "0", "0", "0") in operators(replace(cr80, black=Black.COMPOSITE))


def test_artwork_fills_the_page(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces, tmp_path: Path
) -> None:
    front = artwork(tmp_path / "front.pdf", bleed=1)
    layers = tuple(layer for layer in two_sides.front if not isinstance(layer, FillLayer))
    design = replace(two_sides, front=layers, artwork={Side.FRONT: front})
    moved = replace(cr80, offset_mm=(0.3, 0.0))
    shown = dots(render_cards(design, example, moved, faces(1), job="j").pdf)
    for x, y, is_card in ((0, 320, False), (9, 320, True), (1015, 320, True), (500, 0, False)):
        red, green, _ = shown.getpixel((x, y))
        assert (red < 100 < green) if is_card else (green < 100 < red), (x, y)


def test_the_same_cards_give_the_same_bytes(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    one, other = (render_cards(two_sides, example, cr80, faces(3), job="j") for _ in range(2))
    assert (one.pdf, one.sha256) == (other.pdf, other.sha256)


def test_what_does_not_fit_together(
    two_sides: CardDesign, example: Brand, cr80: CardPrinter, faces: Faces
) -> None:
    with pytest.raises(WrongCall, match=r"is 100 × 54 mm, and the printer cr80 covers 86\.02 × 54\.86 mm"):
        render_cards(replace(two_sides, width_mm=100, height_mm=54), example, cr80, faces(1), job="j")
    with pytest.raises(WrongCall, match="the design own has no back"):
        render_cards(replace(two_sides, back=()), example, cr80, faces(1), job="j", sides=[Side.BACK])
    with pytest.raises(WrongCall, match="there are no cards to print"):
        render_cards(two_sides, example, cr80, [], job="j")
    with pytest.raises(WrongCall, match="card 1 has no qr_link"):
        render_cards(two_sides, example, cr80, [{"visual_number": "A"}], job="j")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dots_across = 10", "dots_across has 10"),
        ('back = "left"', "back is 'left'"),
        ("ofset = [1, 1]", "'ofset' is not an entry here"),
        ("offset = [9, 0]", "offset has 9"),
        ("[options]\nmedia = 3", "media is 3"),
    ],
)
def test_a_printer_that_is_written_wrong(template: Callable[..., Path], line: str, words: str) -> None:
    text = 'title = "x"\ndots_across = 1016\ndots_down = 648\ndpi = 300\n'
    if line.startswith("dots"):
        text = text.replace("dots_across = 1016\n", "")
    with pytest.raises(WrongCall, match=words):
        load_printer("own", [template("printers", text + line + "\n")])


def test_millimetres_are_right() -> None:
    printer = load_printer("cr80")
    assert (printer.paper.width * MM, printer.paper.height * MM) == pytest.approx((243.84, 155.52))
