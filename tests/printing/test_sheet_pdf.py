"""The PDF of a sheet, judged by PDFium and pikepdf."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pikepdf
import pytest
import reportlab
from PIL import Image
from printed_page import (
    BLEED_MM,
    CARD_MM,
    MM,
    PAPER_MM,
    character_boxes,
    operators,
    pixel,
    placed_forms,
    rendered,
    slot,
    streams,
    text_of,
    text_within,
)

import rfid_station
from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import ColorSpace, SheetLayout
from rfid_station.printing.sheet import Placement, PrintedSheets, place, render_sheets

Faces = Callable[[int], list[dict[str, str]]]
Plain = Callable[[str], CardDesign]

WHITE = (255, 255, 255)


@pytest.fixture
def printed(classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces) -> PrintedSheets:
    return render_sheets(classic, example, a4, faces(11), job="order 17")


@pytest.fixture
def pdf(printed: PrintedSheets) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(printed.pdf))


def text_layer(text: str, more: str = "") -> str:
    return (
        f'[[front]]\nkind = "text"\ntext = "{text}"\nat = [6, 30]\nwidth = 60\nsize = 8\n'
        f'color = "black"\n{more}'
    )


class TestPages:
    def test_eleven_cards_take_two_sheets(self, printed: PrintedSheets, pdf: pikepdf.Pdf) -> None:
        assert len(pdf.pages) == printed.sheet_count == 2
        assert printed.placements[0] == Placement(0, 1, 1)
        assert printed.placements[9:] == (Placement(9, 1, 10), Placement(10, 2, 1))
        assert printed.sha256 == sha256(printed.pdf).hexdigest()

    def test_boxes(self, pdf: pikepdf.Pdf) -> None:
        left, top, right, bottom = *slot(1)[:2], *slot(10)[2:]
        for page in pdf.pages:
            media, bleed, trim = (
                [float(edge) / MM for edge in page[name]] for name in ("/MediaBox", "/BleedBox", "/TrimBox")
            )
            assert media == pytest.approx([0, 0, *PAPER_MM], abs=0.01)
            assert trim == pytest.approx([left, PAPER_MM[1] - bottom, right, PAPER_MM[1] - top], abs=0.01)
            assert bleed == pytest.approx(
                [trim[0] - BLEED_MM, trim[1] - BLEED_MM, trim[2] + BLEED_MM, trim[3] + BLEED_MM], abs=0.01
            )

    def test_every_card_has_its_size_and_place(self, pdf: pikepdf.Pdf) -> None:
        first = placed_forms(pdf.pages[0], "/FormXob.static0")
        second = placed_forms(pdf.pages[1], "/FormXob.static0")
        assert len(first) == 10
        assert len(second) == 1
        for position, box in enumerate(first, start=1):
            left, top, right, bottom = box
            assert right - left - 2 * BLEED_MM == pytest.approx(CARD_MM[0], abs=0.01)
            assert bottom - top - 2 * BLEED_MM == pytest.approx(CARD_MM[1], abs=0.01)
            trimmed = (left + BLEED_MM, top + BLEED_MM, right - BLEED_MM, bottom - BLEED_MM)
            assert trimmed == pytest.approx(slot(position), abs=0.01)

    def test_start_at_a_position(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = faces(4)
        printed = render_sheets(classic, example, a4, cards, job="rest", start_position=8)
        assert [(p.sheet_number, p.position) for p in printed.placements] == [(1, 8), (1, 9), (1, 10), (2, 1)]
        for placement in printed.placements:
            text = text_within(printed.pdf, placement.sheet_number, slot(placement.position))
            assert cards[placement.face_index]["visual_number"] in text
        picture = rendered(printed.pdf, 1, 50)
        for position in range(1, 8):
            left, top, right, bottom = slot(position)
            blank = picture.crop(
                tuple(round(edge / 25.4 * 50) for edge in (left + 1, top + 1, right - 1, bottom - 4))
            )
            assert blank.getcolors() == [(blank.width * blank.height, WHITE)]

    @pytest.mark.parametrize("position", [0, -1, 11])
    def test_a_position_that_is_not_there(self, a4: SheetLayout, position: int) -> None:
        with pytest.raises(WrongCall, match=f"position {position} is not on the sheet a4-10up") as caught:
            place(1, a4, position)
        assert caught.value.hint == "choose one from 1 to 10"

    def test_others_find_no_fault(self, pdf: pikepdf.Pdf) -> None:
        assert pdf.check_pdf_syntax() == []

    def test_a_sheet_without_marks_and_slug(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        bare = replace(a4, marks=None, slug=None)
        printed = render_sheets(classic, example, bare, faces(10), job="order 17")
        assert "order 17" not in text_of(printed.pdf, 1)
        margin = rendered(printed.pdf, 1, 200).crop((0, 0, 1653, 57))
        assert margin.getcolors() == [(margin.width * margin.height, WHITE)]

    def test_full_sheets_have_no_empty_one_behind(self, a4: SheetLayout) -> None:
        assert place(20, a4)[-1] == Placement(19, 2, 10)
        assert place(10, a4, 2)[-1] == Placement(9, 2, 1)


class TestText:
    def test_every_text_once_on_its_card(self, printed: PrintedSheets, faces: Faces) -> None:
        for placement, card in zip(printed.placements, faces(11), strict=True):
            text = text_within(printed.pdf, placement.sheet_number, slot(placement.position))
            expected = (card["visual_number"], card["contract_id"], "Example Mobility", "+49 30 23125 100")
            for part in (*expected, "One card. Every charger.", "Scan for help"):
                assert text.count(part) == 1, part

    def test_numbers_are_on_no_other_card(self, printed: PrintedSheets, faces: Faces) -> None:
        whole = text_of(printed.pdf, 1)
        for card in faces(11)[:10]:
            assert whole.count(card["contract_id"]) == 1

    def test_the_slug(self, printed: PrintedSheets, faces: Faces) -> None:
        cards = faces(11)
        below = text_within(printed.pdf, 1, (0, slot(10)[3] + BLEED_MM, *PAPER_MM))
        assert "order 17" in below
        assert "sheet 1/2" in below
        assert f"{cards[0]['visual_number']} – {cards[9]['visual_number']}" in below
        assert f"{cards[10]['visual_number']} – {cards[10]['visual_number']}" in text_of(printed.pdf, 2)

    def test_no_ink_of_a_text_is_cut_off(self, printed: PrintedSheets) -> None:
        """Every letter lies 2.5 mm inside of a card, clear of its rounded corners, or in the slug."""
        safe = [
            (left + 2.5, top + 2.5, right - 2.5, bottom - 2.5)
            for left, top, right, bottom in map(slot, range(1, 11))
        ]
        seen = 0
        for character, (left, top, right, bottom) in character_boxes(printed.pdf, 1):
            on_a_card = any(
                left >= box[0] and top >= box[1] and right <= box[2] and bottom <= box[3] for box in safe
            )
            in_the_slug = top > slot(10)[3] + BLEED_MM
            assert on_a_card or in_the_slug, character
            seen += 1
        assert seen > 1000

    @pytest.mark.parametrize(("anchor", "share"), [("left", 0), ("center", 0.5), ("right", 1)])
    def test_a_text_stands_at_its_anchor(
        self, plain: Plain, example: Brand, a4: SheetLayout, anchor: str, share: float
    ) -> None:
        layer = text_layer("HIH", f'anchor = "{anchor}"').replace("[6, 30]", "[42, 30]").replace("60", "35")
        printed = render_sheets(plain(layer), example, a4, [{"visual_number": "A"}], job="j")
        boxes = [box for letter, box in character_boxes(printed.pdf, 1) if letter in "HI"]
        left, right = boxes[0][0] - slot(1)[0], boxes[2][2] - slot(1)[0]
        assert len(boxes) == 3
        assert left + share * (right - left) == pytest.approx(42, abs=0.4)
        assert boxes[0][3] - slot(1)[1] == pytest.approx(30, abs=0.05)

    def test_tracking_spreads_the_letters(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        ends = []
        for tracking in (0, 0.2):
            layer = text_layer("HIH", f"tracking = {tracking}")
            printed = render_sheets(plain(layer), example, a4, [{"visual_number": "A"}], job="j")
            boxes = [box for letter, box in character_boxes(printed.pdf, 1) if letter in "HI"]
            ends.append(boxes[2][2])
            assert "HIH" in text_of(printed.pdf, 1)
        assert ends[1] - ends[0] == pytest.approx(2 * 0.2 * 8 / MM, abs=0.02)

    def test_a_long_text_is_set_smaller(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        design = plain(text_layer("{driver}", "min_size = 5"))

        def width(name: str) -> float:
            printed = render_sheets(design, example, a4, [{"visual_number": "A", "driver": name}], job="j")
            boxes = [box for _, box in character_boxes(printed.pdf, 1) if 25 < box[1] - slot(1)[1] < 32]
            return max(box[2] for box in boxes) - min(box[0] for box in boxes)

        assert width("M" * 10) == pytest.approx(10 * 0.727 * 8 / MM, abs=0.6)
        assert 59 < width("M" * 32) < 60.1

    def test_a_text_that_is_too_long(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        design = plain(text_layer("{driver}", "min_size = 5"))
        cards = [{"visual_number": "A-1", "driver": "short"}, {"visual_number": "A-2", "driver": "W" * 50}]
        with pytest.raises(
            PrintError, match=r"W{50}.* is too long: it would fit at 4\.3 pt, and 5 pt"
        ) as caught:
            render_sheets(design, example, a4, cards, job="j")
        assert "front 3 (text), card A-2" in caught.value.message

    @pytest.mark.parametrize(
        "name",
        [
            "Jürgen Größe",
            "Łukasz Dąbrowski",
            "Gyula Hős",
            "Zoë d’Aubigné – Ångström",
            "100 € ½",
            "Γιώργος",
            "Ілля Щур",
        ],
    )
    def test_names_of_europe(self, plain: Plain, example: Brand, a4: SheetLayout, name: str) -> None:
        printed = render_sheets(
            plain(text_layer("{driver}")), example, a4, [{"visual_number": "A", "driver": name}], job="j"
        )
        assert name in text_of(printed.pdf, 1)

    def test_decomposed_letters_are_composed(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        card = {"visual_number": "A", "driver": "Ju\u0308rgen"}
        assert "Jürgen" in text_of(
            render_sheets(plain(text_layer("{driver}")), example, a4, [card], job="j").pdf, 1
        )

    @pytest.mark.parametrize(
        ("name", "character"),
        [
            ("山田", "'山' (U+5C71"),
            ("a\nb", r"'\n' (U+000A"),
            ("🚗", "'🚗' (U+1F697"),
        ],
    )
    def test_a_missing_glyph(
        self, plain: Plain, example: Brand, a4: SheetLayout, name: str, character: str
    ) -> None:
        with pytest.raises(PrintError) as caught:
            render_sheets(
                plain(text_layer("{driver}")),
                example,
                a4,
                [{"visual_number": "A-7", "driver": name}],
                job="j",
            )
        assert f"font SourceSansPro-Regular.ttf has no glyph for {character}" in caught.value.message
        assert repr(name) in caught.value.message
        assert "card A-7" in caught.value.message

    def test_a_job_that_cannot_be_written(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        for job, why in (("山", "no glyph"), ("j" * 200, "too long")):
            with pytest.raises(PrintError, match=f"slug: .*{why}"):
                render_sheets(classic, example, a4, faces(1), job=job)


class TestFonts:
    def test_all_are_embedded(self, pdf: pikepdf.Pdf) -> None:
        fonts = [
            thing
            for thing in pdf.objects
            if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Font"
        ]
        assert len(fonts) == 2
        for font in fonts:
            assert "/FontFile2" in font.FontDescriptor
            assert "SourceSansPro" in str(font.BaseFont)
            assert "/ToUnicode" in font

    def test_a_font_file_of_the_brand(
        self, plain: Plain, template: Callable[..., Path], example: Brand, a4: SheetLayout
    ) -> None:
        shipped_font = Path(reportlab.__file__).parent / "fonts" / "VeraIt.ttf"
        brand = replace(example, fonts={**example.fonts, "regular": shipped_font})
        printed = render_sheets(plain(""), brand, a4, [{"visual_number": "A"}], job="j")
        assert b"BitstreamVeraSans-Oblique" in printed.pdf

    def test_what_is_no_font(self, plain: Plain, example: Brand, a4: SheetLayout, tmp_path: Path) -> None:
        for number, content in enumerate(
            (b"", b"OTTO" + bytes(200), b"\0\1\0\0" + bytes(200), b"no font at all" * 20, None)
        ):
            file = tmp_path / f"{number}bad.ttf"
            if content is not None:
                file.write_bytes(content)
            brand = replace(example, fonts={"regular": file})
            with pytest.raises(WrongCall, match=r"bad\.ttf is no TrueType font"):
                render_sheets(plain(""), brand, a4, [{"visual_number": "A"}], job="j")


class TestColours:
    def test_bleed_is_filled_to_its_edge(
        self, plain: Plain, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = [{"visual_number": card["visual_number"]} for card in faces(10)]
        picture = rendered(render_sheets(plain(""), example, a4, cards, job="j").pdf, 1, 300)
        accent = (0x2F, 0xD0, 0x8A)
        inside, outside = BLEED_MM - 0.15, BLEED_MM + 0.25
        for position in range(1, 11):
            left, top, right, bottom = slot(position)
            for x, y in ((left, top), (right, top), (left, bottom), (right, bottom)):
                away_x, away_y = (-1 if x == left else 1), (-1 if y == top else 1)
                assert pixel(picture, x + away_x * inside, y + away_y * inside, 300) == accent
        for y in (20, 150, 280):
            assert pixel(picture, slot(1)[0] - outside, y, 300) == WHITE
            assert pixel(picture, slot(2)[2] + outside, y, 300) == WHITE
        for x in (50, 150):
            assert pixel(picture, x, slot(1)[1] - outside, 300) == WHITE
            assert pixel(picture, x, slot(9)[3] + outside, 300) == WHITE

    def test_parts_of_a_shape_add_up(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        """Non-zero winding, the rule of SVG: two squares drawn the same way round leave no hole."""
        square = 'path = "M20 20h30v20h-30Z M30 25h10v10h-10Z"'
        hole = square.replace("M30 25h10v10h-10Z", "M30 25v10h10v-10Z")
        for path, inner in ((square, (0, 0, 0)), (hole, (0x2F, 0xD0, 0x8A))):
            design = plain(f'[[front]]\nkind = "shape"\ncolor = "black"\n{path}')
            picture = rendered(render_sheets(design, example, a4, [{"visual_number": "A"}], job="j").pdf)
            assert pixel(picture, slot(1)[0] + 25, slot(1)[1] + 30, 200) == (0, 0, 0)
            assert pixel(picture, slot(1)[0] + 35, slot(1)[1] + 30, 200) == inner

    def test_rectangles_and_lines(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        design = plain(
            '[[front]]\nkind = "rect"\nat = [20, 20]\nsize = [20, 10]\nradius = 4\ncolor = "white"\n'
            '[[front]]\nkind = "line"\nfrom = [50, 20]\nto = [50, 30]\nwidth = 1\ncolor = "white"\n'
        )
        picture = rendered(render_sheets(design, example, a4, [{"visual_number": "A"}], job="j").pdf)
        accent = (0x2F, 0xD0, 0x8A)
        for x, y, colour in (
            (30, 20.3, WHITE),
            (20.5, 20.5, accent),
            (30, 30.3, accent),
            (50, 20.3, WHITE),
            (50, 19.6, accent),
            (49.6, 25, WHITE),
            (50.4, 25, WHITE),
            (49.2, 25, accent),
            (50.8, 25, accent),
        ):
            assert pixel(picture, slot(1)[0] + x, slot(1)[1] + y, 200) == colour, (x, y)

    def test_crop_marks_at_every_cut_and_on_no_card(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        picture = rendered(render_sheets(classic, example, a4, faces(1), job="j").pdf, 1, 600)
        near, far = BLEED_MM + 0.2, BLEED_MM + 2.8

        def is_dark(x: float, y: float) -> bool:
            spot = [pixel(picture, x + dx / 100, y + dy / 100, 600) for dx in (-4, 0, 4) for dy in (-4, 0, 4)]
            return min(sum(colour) for colour in spot) < 3 * 160

        for distance in (near, far):
            for position in range(1, 11):
                left, top, right, bottom = slot(position)
                for y in (top, bottom):
                    assert is_dark(slot(1)[0] - distance, y)
                    assert is_dark(slot(2)[2] + distance, y)
                for x in (left, right):
                    assert is_dark(x, slot(1)[1] - distance)
                    assert is_dark(x, slot(10)[3] + distance)
        assert not is_dark(slot(1)[0] - BLEED_MM - 3.3, slot(1)[1])
        blank = picture.crop(
            tuple(
                round(edge / 25.4 * 600)
                for edge in (slot(4)[0] - 1.1, slot(4)[1] - 1.1, slot(10)[2] + 1.1, slot(10)[3] + 1.1)
            )
        )
        assert blank.getcolors() == [(blank.width * blank.height, WHITE)]

    def test_an_office_sheet_is_rgb(self, pdf: pikepdf.Pdf) -> None:
        used = operators(pdf)
        assert {"rg", "RG"} <= used
        assert used.isdisjoint({"k", "K"})

    def test_a_press_sheet_is_cmyk(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        press = replace(a4, color_space=ColorSpace.CMYK)
        pdf = pikepdf.open(io.BytesIO(render_sheets(classic, example, press, faces(2), job="j").pdf))
        used = operators(pdf)
        assert {"k", "K"} <= used
        assert used.isdisjoint({"rg", "RG", "g", "G", "cs", "CS"})
        fills = [
            [float(value) for value in instruction.operands]
            for stream in streams(pdf)
            for instruction in pikepdf.parse_content_stream(stream)
            if str(instruction.operator) == "k"
        ]
        assert [0.68, 0, 0.6, 0] in fills
        assert [0, 0, 0, 1] in fills

    def test_forms_need_no_resources_that_reportlab_drops(self, pdf: pikepdf.Pdf) -> None:
        assert operators(pdf).isdisjoint({"gs", "sh", "cs", "CS", "scn", "SCN"})


class TestPictures:
    LAYER = '[[front]]\nkind = "image"\nfile = "logo.png"\nat = [6, 20]\nsize = [30, 10]\nanchor = "right"\n'

    def test_a_picture_is_fitted_and_keeps_its_transparency(
        self, plain: Plain, example: Brand, a4: SheetLayout, template: Callable[..., Path]
    ) -> None:
        picture = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
        picture.paste((0, 0, 0, 0), (0, 0, 40, 20))
        picture.save(template("cards", "") / "cards" / "logo.png")
        cards = [{"visual_number": f"A-{n}"} for n in range(3)]
        printed = render_sheets(plain(self.LAYER), example, a4, cards, job="j")
        page = rendered(printed.pdf, 1, 200)
        left, top = slot(1)[:2]
        assert pixel(page, left + 31, top + 28, 200) == (255, 0, 0)
        assert pixel(page, left + 31, top + 22, 200) == (0x2F, 0xD0, 0x8A)
        assert pixel(page, left + 25, top + 28, 200) == (0x2F, 0xD0, 0x8A)
        pdf = pikepdf.open(io.BytesIO(printed.pdf))
        stored = [
            thing
            for thing in pdf.objects
            if isinstance(thing, pikepdf.Stream) and thing.get("/Subtype") == "/Image"
        ]
        assert len(stored) == 2  # the picture and its mask, once for all cards

    def test_its_folder_is_not_in_the_bytes(
        self, example: Brand, a4: SheetLayout, plain: Plain, template: Callable[..., Path], tmp_path: Path
    ) -> None:
        Image.new("RGBA", (8, 8), (9, 9, 9, 99)).save(template("cards", "") / "cards" / "logo.png")
        here = plain(self.LAYER)
        (tmp_path / "cards").rename(tmp_path / "moved")
        (tmp_path / "there").mkdir()
        (tmp_path / "moved").rename(tmp_path / "there" / "cards")
        there = load_design("own", [tmp_path / "there"])
        card = {"visual_number": "A"}
        (tmp_path / "cards").mkdir()
        (tmp_path / "cards" / "logo.png").write_bytes(
            (tmp_path / "there" / "cards" / "logo.png").read_bytes()
        )
        assert (
            render_sheets(here, example, a4, [card], job="j").sha256
            == render_sheets(there, example, a4, [card], job="j").sha256
        )

    def test_a_file_that_is_no_picture(
        self, plain: Plain, example: Brand, a4: SheetLayout, template: Callable[..., Path]
    ) -> None:
        file = template("cards", "") / "cards" / "logo.png"
        whole = io.BytesIO()
        Image.effect_noise((40, 40), 50).save(whole, "PNG")
        for content in (b"", b"text", whole.getvalue()[:200]):
            file.write_bytes(content)
            with pytest.raises(PrintError, match=r"front 3 \(image\): logo.png cannot be read as a picture"):
                render_sheets(plain(self.LAYER), example, a4, [{"visual_number": "A"}], job="j")
        design = plain(self.LAYER)
        file.unlink()
        with pytest.raises(PrintError, match=r"logo\.png cannot be read as a picture"):
            render_sheets(design, example, a4, [{"visual_number": "A"}], job="j")

    def test_rgb_pictures_do_not_go_to_a_press(
        self, plain: Plain, example: Brand, a4: SheetLayout, template: Callable[..., Path]
    ) -> None:
        file = template("cards", "") / "cards" / "logo.png"
        press = replace(a4, color_space=ColorSpace.CMYK)
        Image.new("RGB", (8, 8)).save(file)
        with pytest.raises(PrintError, match="is in RGB, and the sheet is printed in CMYK"):
            render_sheets(plain(self.LAYER), example, press, [{"visual_number": "A"}], job="j")
        Image.new("L", (8, 8)).save(file)
        assert render_sheets(plain(self.LAYER), example, press, [{"visual_number": "A"}], job="j").pdf


class TestWhatDoesNotFit:
    def test_no_cards(self, classic: CardDesign, example: Brand, a4: SheetLayout) -> None:
        with pytest.raises(WrongCall, match="there are no cards to print"):
            render_sheets(classic, example, a4, [], job="j")

    def test_a_card_lacks_a_field(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        cards = faces(3)
        del cards[1]["contract_id"]
        with pytest.raises(WrongCall, match="card 2 has no contract_id, which the design classic shows"):
            render_sheets(classic, example, a4, cards, job="j")

    def test_the_visual_number_is_always_needed(self, example: Brand, a4: SheetLayout, plain: Plain) -> None:
        with pytest.raises(WrongCall, match="card 1 has no visual_number"):
            render_sheets(plain(""), example, a4, [{}], job="j")

    @pytest.mark.parametrize("field", ["uid", "issuer", "visual"])
    def test_a_card_has_an_unknown_field(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces, field: str
    ) -> None:
        with pytest.raises(WrongCall, match=f"card 1 has the unknown field '{field}'"):
            render_sheets(classic, example, a4, [{**faces(1)[0], field: "x"}], job="j")

    def test_an_empty_value_is_not_printed_as_nothing(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        for field in ("contract_id", "qr_link"):
            card = {**faces(1)[0], field: " "}
            with pytest.raises(PrintError, match="there is nothing to print"):
                render_sheets(classic, example, a4, [card], job="j")

    def test_a_brand_without_what_the_design_shows(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        brand = replace(example, fields={"issuer": "E", "hotline": "1"})
        with pytest.raises(WrongCall, match="has no claim, which the design classic shows"):
            render_sheets(classic, brand, a4, faces(1), job="j")

    @pytest.mark.parametrize("part", ["colors", "fonts", "logos"])
    def test_a_brand_without_a_colour_font_or_logo(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces, part: str
    ) -> None:
        with pytest.raises(
            WrongCall, match=rf"classic\.toml: front \d+ \(.*example\.toml has no {part[:-1]}"
        ):
            render_sheets(classic, replace(example, **{part: {}}), a4, faces(1), job="j")

    def test_a_card_of_another_size(
        self, classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
    ) -> None:
        with pytest.raises(WrongCall, match=r"design classic is 85\.5 × 53\.98 mm"):
            render_sheets(replace(classic, width_mm=85.5), example, a4, faces(1), job="j")


AGAIN = """
import os, sys
os.chdir(sys.argv[1])
from rfid_station.printing.brand import load_brand
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import load_layout
from rfid_station.printing.sheet import render_sheets
faces = [
    {"visual_number": f"N-{n}", "contract_id": f"C-{n}", "qr_link": f"HTTPS://CARD.EXAMPLE.COM/C/{n:08}"}
    for n in range(12)
]
templates = load_design("classic"), load_brand("example"), load_layout("a4-10up")
print(render_sheets(*templates, faces, job="j").sha256)
"""


def test_the_same_cards_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", AGAIN, str(folder)],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "TZ": zone,
                "PYTHONPATH": str(Path(rfid_station.__file__).parents[1]),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_other_cards_give_other_bytes(
    classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces
) -> None:
    one, other = faces(2)
    first = render_sheets(classic, example, a4, [one], job="j")
    assert first.sha256 != render_sheets(classic, example, a4, [other], job="j").sha256
    assert first.sha256 != render_sheets(classic, example, a4, [one], job="k").sha256
    assert first.sha256 == render_sheets(classic, example, a4, [dict(one)], job="j").sha256


def test_a_card_takes_few_bytes(classic: CardDesign, example: Brand, a4: SheetLayout, faces: Faces) -> None:
    few, many = (len(render_sheets(classic, example, a4, faces(n), job="j").pdf) for n in (10, 110))
    assert few < 35_000
    assert (many - few) / 100 < 300


def test_streams_are_bytes_and_not_text(printed: PrintedSheets) -> None:
    assert b"ASCII85" not in printed.pdf
