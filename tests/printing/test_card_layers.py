"""What layers can do: seen in the picture that PDFium draws, and in the objects of the file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image
from printed_page import pixel, placed_forms, rendered, slot, streams, text_of

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand, ShippedFont, load_brand
from rfid_station.printing.card_picture import card_pdf
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import ColorSpace, SheetLayout
from rfid_station.printing.sheet import render_sheets

Plain = Callable[[str], CardDesign]
CARD = {"visual_number": "A-1", "driver": ""}
USED = {
    "gs": "/ExtGState",
    "cs": "/ColorSpace",
    "CS": "/ColorSpace",
    "sh": "/Shading",
    "Do": "/XObject",
    "Tf": "/Font",
}


def printed(design: CardDesign, brand: Brand, layout: SheetLayout, **face: str) -> bytes:
    return render_sheets(design, brand, layout, [{**CARD, **face}], job="j").pdf


def missing_resources(pdf: pikepdf.Pdf) -> Iterator[tuple[str, str]]:
    """What a stream names and its resources do not have, of every page and form."""
    owners = [(page.Contents, page.Resources) for page in pdf.pages]
    owners += [(form, form.get("/Resources", {})) for form in streams(pdf) if form.get("/Subtype") == "/Form"]
    for stream, resources in owners:
        for instruction in pikepdf.parse_content_stream(stream):
            kind = USED.get(str(instruction.operator))
            if kind:
                name = str(instruction.operands[0])
                if not name.startswith("/Device") and name not in resources.get(kind, {}):
                    yield kind, name


EVERYTHING = """
[[front]]
kind = "gradient"
colors = ["white", "black"]
from = [0, 0]
to = [85.6, 0]

[[front]]
kind = "rect"
color = "ink"
at = [10, 20]
size = [20, 20]

[[front]]
kind = "rect"
color = "black"
opacity = 0.5
at = [40, 20]
size = [20, 20]

[[front]]
kind = "line"
color = "ink"
from = [62, 20]
to = [62, 40]
width = 2
"""


@pytest.fixture
def inked(template: Callable[..., Path]) -> Brand:
    """The example with a spot colour."""
    text = Path(load_brand("example").source).read_text(encoding="utf-8")
    ink = (
        '[colors.ink]\nrgb = "#E0007A"\ncmyk = [0, 100, 10, 0]\nspot = "PANTONE Rhodamine Red C"\ntint = 80\n'
    )
    return load_brand(
        "own", [template("brands", text.replace("[colors.accent]", ink + "\n[colors.accent]", 1))]
    )


class TestForms:
    """ReportLab's `endForm` keeps fonts and images only; the rest has to be handed to it."""

    def test_static_layers_keep_all_that_they_name(self, plain: Plain, inked: Brand, a4: SheetLayout) -> None:
        press = replace(a4, color_space=ColorSpace.CMYK)
        pdf = pikepdf.open(io.BytesIO(printed(plain(EVERYTHING), inked, press)))
        form = next(thing for thing in streams(pdf) if "/Shading" in thing.get("/Resources", {}))
        assert form.Subtype == "/Form"
        assert {"/Shading", "/ExtGState", "/ColorSpace"} <= set(form.Resources.keys())
        assert list(missing_resources(pdf)) == []

    def test_layers_of_a_card_too(self, plain: Plain, inked: Brand, a4: SheetLayout) -> None:
        """The same on the page itself, where a condition makes them differ from card to card."""
        press = replace(a4, color_space=ColorSpace.CMYK)
        design = plain(EVERYTHING.replace('kind = "', 'unless = { driver = "x" }\nkind = "'))
        pdf = pikepdf.open(io.BytesIO(printed(design, inked, press)))
        assert {"/Shading", "/ExtGState", "/ColorSpace"} <= set(pdf.pages[0].Resources.keys())
        assert list(missing_resources(pdf)) == []

    @pytest.mark.parametrize("condition", ["", 'unless = { driver = "x" }\n'])
    def test_they_come_out(self, plain: Plain, inked: Brand, a4: SheetLayout, condition: str) -> None:
        design = plain(EVERYTHING.replace('kind = "', condition + 'kind = "'))
        page = rendered(printed(design, inked, a4), 1, 200)
        left, top = slot(1)[:2]
        bright, middle, dark = (pixel(page, left + x, top + 10, 200)[0] for x in (1, 42.8, 84))
        assert bright > 245 > 140 > middle > 110 > 12 > dark
        assert pixel(page, left + 20, top + 30, 200) == (0xE0, 0, 0x7A)
        assert pixel(page, left + 62, top + 30, 200) == (0xE0, 0, 0x7A)
        behind, through = (pixel(page, left + 50, top + y, 200)[0] for y in (10, 30))
        assert through == pytest.approx(behind / 2, abs=2)

    def test_opacity_ends_with_its_layer(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        layers = '[[front]]\nkind = "rect"\nopacity = 0.2\ncolor = "black"\nat = [5, 20]\nsize = [9, 9]\n'
        solid = layers.replace("opacity = 0.2\n", "").replace("[5, 20]", "[30, 20]")
        page = rendered(printed(plain(layers + solid), example, a4), 1, 200)
        assert pixel(page, slot(1)[0] + 34, slot(1)[1] + 24, 200) == (0, 0, 0)


class TestSpotColours:
    def test_a_press_gets_the_ink_in_its_tint(self, plain: Plain, inked: Brand, a4: SheetLayout) -> None:
        press = replace(a4, color_space=ColorSpace.CMYK)
        pdf = pikepdf.open(io.BytesIO(printed(plain(EVERYTHING), inked, press)))
        inks = [
            thing
            for thing in pdf.objects
            if isinstance(thing, pikepdf.Array) and thing and thing[0] == "/Separation"
        ]
        assert [str(ink[1]) for ink in inks] == ["/PANTONE Rhodamine Red C"]
        assert str(inks[0][2]) == "/DeviceCMYK"
        tints = [
            float(instruction.operands[0])
            for stream in streams(pdf)
            for instruction in pikepdf.parse_content_stream(stream)
            if str(instruction.operator) in ("scn", "SCN")
        ]
        assert tints == [0.8, 0.8]

    def test_an_office_printer_gets_rgb(self, plain: Plain, inked: Brand, a4: SheetLayout) -> None:
        assert b"Separation" not in printed(plain(EVERYTHING), inked, a4)


class TestGradients:
    def test_a_round_one(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        layer = """
[[front]]
kind = "gradient"
colors = ["white", "black"]
center = [40, 27]
radius = 20
at = [10, 5]
size = [60, 40]
"""
        page = rendered(printed(plain(layer), example, a4), 1, 200)
        left, top = slot(1)[:2]
        assert pixel(page, left + 40, top + 27, 200)[0] > 250
        assert pixel(page, left + 30, top + 27, 200)[0] == pytest.approx(127, abs=6)
        assert max(pixel(page, left + 12, top + 8, 200)) <= 2
        assert pixel(page, left + 5, top + 27, 200) == (0x2F, 0xD0, 0x8A)

    def test_stops(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        layer = EVERYTHING.partition('[[front]]\nkind = "rect"')[0]
        layer = layer.replace('["white", "black"]', '["white", "white", "black"]\nstops = [0, 0.5, 1]')
        page = rendered(printed(plain(layer), example, a4), 1, 200)
        left, top = slot(1)[:2]
        assert pixel(page, left + 40, top + 40, 200)[0] > 250
        assert pixel(page, left + 64.2, top + 40, 200)[0] == pytest.approx(127, abs=6)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('["white", "black"]', '["white"]', "colors has one colour"),
            ('["white", "black"]', '["white", "black"]\nstops = [1, 0]', r"stops is \[1, 0\]"),
            ('["white", "black"]', '["white", "black"]\nstops = [0.5]', r"stops is \[0\.5\]"),
            ("from = [0, 0]", "", "from is missing"),
        ],
    )
    def test_a_wrong_one(self, plain: Plain, old: str, new: str, message: str) -> None:
        with pytest.raises(WrongCall, match=message):
            plain(EVERYTHING.replace(old, new))


TEXT = '\n[[front]]\nkind = "text"\nat = [6, 30]\nwidth = 40\nsize = 8\nmin_size = 6\ncolor = "black"\n'


class TestConditions:
    LAYERS = (
        TEXT
        + 'text = "For {driver}"\nunless = { driver = "" }\n'
        + TEXT
        + 'text = "For anybody"\nwhen = { driver = "" }'
    )

    @pytest.mark.parametrize(("driver", "shown"), [("Ada", "For Ada"), ("", "For anybody")])
    def test_one_of_two(self, plain: Plain, example: Brand, a4: SheetLayout, driver: str, shown: str) -> None:
        text = text_of(printed(plain(self.LAYERS), example, a4, driver=driver), 1)
        assert shown in text
        assert text.count("For ") == 1

    def test_what_depends_on_the_brand_is_drawn_once(
        self, plain: Plain, example: Brand, a4: SheetLayout
    ) -> None:
        design = plain(TEXT + 'text = "Ours"\nwhen = { issuer = "Example Mobility" }')
        other = replace(example, fields={**example.fields, "issuer": "Other"})
        assert design.front[-1].is_static
        assert "Ours" in text_of(printed(design, example, a4), 1)
        assert "Ours" not in text_of(printed(design, other, a4), 1)

    def test_an_unknown_field(self, plain: Plain) -> None:
        with pytest.raises(WrongCall, match=r"when names the unknown field \{drivr\}") as caught:
            plain(TEXT + 'text = "a"\nwhen = { drivr = "" }')
        assert "did you mean 'driver'" in (caught.value.hint or "")

    @pytest.mark.parametrize("condition", ["when = 3", "when = { driver = 3 }", 'unless = ["driver"]'])
    def test_what_is_no_condition(self, plain: Plain, condition: str) -> None:
        with pytest.raises(WrongCall, match=r"(when|unless|driver) is "):
            plain(TEXT + 'text = "a"\n' + condition)

    def test_layers_that_exclude_each_other(self, plain: Plain) -> None:
        _, _, one, other = plain(self.LAYERS).front
        assert one.excludes(other)
        assert other.excludes(one)
        assert not one.excludes(one)


class TestLanguages:
    def design(self, template: Callable[..., Path]) -> CardDesign:
        text = 'title = "a"\nsize = [85.60, 53.98]\nlanguages = ["de", "en"]\n' + TEXT.replace("30]", "20]")
        text += 'text = { de = "Karte {visual_number}", en = "Card {visual_number}" }\n'
        text += (
            TEXT + 'text = "{claim}"\n' + TEXT.replace("30]", "40]") + 'language = "en"\ntext = "{claim}"\n'
        )
        return load_design("own", [template("cards", text)])

    @pytest.mark.parametrize(
        ("language", "texts"),
        [
            (None, ["Karte A-1", "Eine Karte. Überall laden.", "One card. Every charger."]),
            ("en", ["Card A-1", "One card. Every charger."]),
            ("fr", ["Karte A-1", "Eine Karte. Überall laden."]),
        ],
    )
    def test_each_card_in_its_own(
        self, template: Callable[..., Path], example: Brand, language: str | None, texts: list[str]
    ) -> None:
        pdf = card_pdf(self.design(template), example, CARD, [Side.FRONT], language=language)
        shown = page_text(pdf)
        assert all(text in shown for text in texts)

    def test_a_text_that_misses_one(self, template: Callable[..., Path]) -> None:
        text = 'title = "a"\nsize = [85.60, 53.98]\nlanguages = ["de", "en"]\n' + TEXT
        with pytest.raises(WrongCall, match=r"front 1 \(text\)\.text|front 1 \(text\): .*en is missing"):
            load_design("own", [template("cards", text + 'text = { de = "Karte" }')])
        with pytest.raises(WrongCall, match="'fr' is not an entry here"):
            load_design("own", [template("cards", text + 'text = { de = "a", en = "b", fr = "c" }')])


def page_text(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return str(document[0].get_textpage().get_text_bounded())
    finally:
        document.close()


class TestLines:
    def test_a_long_text_takes_more_lines_and_then_less_size(
        self, plain: Plain, example: Brand, a4: SheetLayout
    ) -> None:
        layer = TEXT.replace("width = 40", "width = 30\nlines = 3") + 'text = "{driver}"'
        short = text_of(printed(plain(layer), example, a4, driver="Ada Lovelace"), 1)
        assert "Ada Lovelace" in short
        words = "one two three four five six seven eight nine ten eleven"
        lines = text_of(printed(plain(layer), example, a4, driver=words), 1).splitlines()
        found = [line.strip() for line in lines if line.strip() and line.split()[0] in words.split()]
        assert len(found) == 3
        assert " ".join(found) == words

    def test_too_much_even_then(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        layer = TEXT.replace("width = 40", "width = 30\nlines = 2") + 'text = "{driver}"'
        for driver in ("word " * 40, "W" * 60):
            with pytest.raises(PrintError, match="takes more than 2 lines at 6 pt") as caught:
                printed(plain(layer), example, a4, driver=driver)
            assert "front 3 (text), card A-1" in caught.value.message


class TestFonts:
    VERA = Path(__import__("reportlab").__file__).parent / "fonts" / "Vera.ttf"

    def test_the_first_font_that_has_the_letter(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        both = replace(example, fonts={"regular": (self.VERA, ShippedFont.REGULAR)})
        pdf = printed(plain(TEXT + 'text = "{driver}"'), both, a4, driver="Jörg Dąbrowski Иван")
        assert "Jörg Dąbrowski Иван" in text_of(pdf, 1)
        opened = pikepdf.open(io.BytesIO(pdf))
        names = {
            str(thing.BaseFont)
            for thing in opened.objects
            if isinstance(thing, pikepdf.Dictionary) and "/BaseFont" in thing
        }
        assert {name.partition("+")[2] for name in names} == {
            "BitstreamVeraSans-Roman",
            "SourceSansPro-Regular",
        }

    def test_a_letter_that_none_has(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        both = replace(example, fonts={"regular": (self.VERA, ShippedFont.REGULAR)})
        with pytest.raises(
            PrintError, match=r"none of the fonts Vera\.ttf, SourceSansPro-Regular\.ttf has a glyph"
        ):
            printed(plain(TEXT + 'text = "{driver}"'), both, a4, driver="山田")

    @pytest.mark.parametrize("text", ["ąőșțŁĦğ", "Ελληνικά ΐΰ", "Україна Ђоковић Ёж"])
    def test_the_usual_font_has_europe(
        self, plain: Plain, example: Brand, a4: SheetLayout, text: str
    ) -> None:
        assert text in text_of(printed(plain(TEXT + 'text = "{driver}"'), example, a4, driver=text), 1)


class TestPreprinted:
    LAYERS = (
        '\n[[front]]\nkind = "rect"\npreprinted = true\ncolor = "black"\nat = [5, 20]\nsize = [20, 20]\n'
        + TEXT.replace("6, 30", "40, 30")
        + 'text = "shown"\npreprinted = true\n'
    )

    def test_it_is_never_printed(self, plain: Plain, example: Brand, a4: SheetLayout) -> None:
        pdf = printed(plain(self.LAYERS), example, a4)
        assert "shown" not in text_of(pdf, 1)
        assert pixel(rendered(pdf, 1, 200), slot(1)[0] + 15, slot(1)[1] + 30, 200) == (0x2F, 0xD0, 0x8A)

    def test_a_picture_of_the_card_has_it(self, plain: Plain, example: Brand) -> None:
        assert "shown" in page_text(card_pdf(plain(self.LAYERS), example, CARD, [Side.FRONT]))

    def test_the_shipped_design_prints_black_only(self, example: Brand, a4: SheetLayout) -> None:
        face = {"contract_id": "NL-1", "qr_link": "HTTPS://A.EXAMPLE/1", "driver": "Ada", "fleet": ""}
        page = rendered(printed(load_design("preprinted"), example, a4, **face), 1, 150)
        card = page.crop(tuple(round(edge / 25.4 * 150) for edge in slot(1)))
        assert all(red == green == blue for _, (red, green, blue) in card.getcolors(10**6))
        assert card.getextrema()[0][0] == 0


class TestArtwork:
    NUMBER = TEXT + 'text = "{visual_number}"'

    def design(self, template: Callable[..., Path], file: str, layers: str = "") -> CardDesign:
        text = f'title = "a"\nsize = [85.60, 53.98]\n[artwork]\nfront = "{file}"\nbleed = 2\n'
        return load_design("own", [template("cards", text + layers)])

    def test_a_picture_below_what_varies(
        self, template: Callable[..., Path], example: Brand, a4: SheetLayout
    ) -> None:
        picture = Image.new("RGB", (896, 580), (200, 0, 0))
        picture.paste((0, 0, 200), (0, 0, 448, 580))
        picture.save(template("cards", "") / "cards" / "art.png")
        design = self.design(template, "art.png", TEXT + 'text = "{visual_number}"')
        pdf = printed(design, example, a4)
        page = rendered(pdf, 1, 200)
        left, top, right, _ = slot(1)
        assert pixel(page, left - 1, top + 20, 200) == (0, 0, 200)
        assert pixel(page, right + 1, top + 20, 200) == (200, 0, 0)
        assert "A-1" in text_of(pdf, 1)

    def test_a_drawing(self, template: Callable[..., Path], example: Brand, a4: SheetLayout) -> None:
        svg = '<svg viewBox="0 0 896 580"><rect width="448" height="580" fill="#00f"/></svg>'
        (template("cards", "") / "cards" / "art.svg").write_text(svg)
        page = rendered(printed(self.design(template, "art.svg", self.NUMBER), example, a4), 1, 200)
        left, top, right, _ = slot(1)
        assert pixel(page, left - 1, top + 20, 200) == (0, 0, 255)
        assert pixel(page, right - 1, top + 20, 200) == (255, 255, 255)

    def test_a_pdf_has_a_form_that_waits_for_it(
        self, template: Callable[..., Path], example: Brand, a4: SheetLayout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (template("cards", "") / "cards" / "art.pdf").write_bytes(b"%PDF-1.7")
        design = self.design(template, "art.pdf", TEXT + 'text = "{visual_number}"')
        monkeypatch.setattr("rfid_station.printing.sheet._with_artwork", lambda pdf, _: pdf)
        pdf = pikepdf.open(io.BytesIO(printed(design, example, a4)))
        [box] = placed_forms(pdf.pages[0], "/FormXob.artwork-front")
        assert box == pytest.approx(
            [edge + grown for edge, grown in zip(slot(1), (-1.25, -1.25, 1.25, 1.25), strict=True)], abs=0.01
        )

    @pytest.mark.parametrize(
        "content", [b"", b"<svg", b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'/>"]
    )
    def test_a_broken_one(
        self, template: Callable[..., Path], example: Brand, a4: SheetLayout, content: bytes
    ) -> None:
        (template("cards", "") / "cards" / "art.svg").write_bytes(content)
        with pytest.raises(PrintError, match=r"artwork\.front: art\.svg"):
            printed(self.design(template, "art.svg", self.NUMBER), example, a4)

    def test_another_file(self, template: Callable[..., Path]) -> None:
        (template("cards", "") / "cards" / "art.ai").write_bytes(b"")
        with pytest.raises(WrongCall, match=r"artwork: front is 'art\.ai'"):
            self.design(template, "art.ai")


class TestPictureFit:
    def test_cover_fills_and_is_cut_off(
        self, plain: Plain, example: Brand, a4: SheetLayout, template: Callable[..., Path]
    ) -> None:
        Image.new("RGB", (400, 400), (255, 0, 0)).save(template("cards", "") / "cards" / "a.png")
        layer = '\n[[front]]\nkind = "image"\nfile = "a.png"\nat = [10, 20]\nsize = [40, 10]\nfit = "cover"\n'
        page = rendered(printed(plain(layer), example, a4), 1, 200)
        left, top = slot(1)[:2]
        for x, y, is_red in ((11, 21, True), (49, 29, True), (30, 31, False), (51, 25, False)):
            assert (pixel(page, left + x, top + y, 200) == (255, 0, 0)) is is_red

    @pytest.mark.parametrize(
        ("size", "message"),
        [((1, 1), "has 1 × 1 pixels, which shows nothing"), ((12, 12), r"has 12 × 12 pixels, \d+ dpi")],
    )
    def test_too_few_pixels(
        self,
        plain: Plain,
        example: Brand,
        a4: SheetLayout,
        template: Callable[..., Path],
        size: tuple[int, int],
        message: str,
    ) -> None:
        Image.new("L", size).save(template("cards", "") / "cards" / "a.png")
        layer = '\n[[front]]\nkind = "image"\nfile = "a.png"\nat = [10, 20]\nsize = [30, 30]\n'
        with pytest.raises(PrintError, match=message):
            printed(plain(layer), example, a4)

    def test_a_huge_file_is_not_even_read(
        self, plain: Plain, example: Brand, a4: SheetLayout, template: Callable[..., Path]
    ) -> None:
        file = template("cards", "") / "cards" / "a.png"
        with file.open("wb") as sparse:
            sparse.truncate(200 * 2**20)
        layer = '\n[[front]]\nkind = "image"\nfile = "a.png"\nat = [10, 20]\nsize = [30, 30]\n'
        with pytest.raises(PrintError, match=r"a\.png has 200 MB, and a picture has 30 MB at most"):
            printed(plain(layer), example, a4)
