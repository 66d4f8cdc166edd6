"""PDF/X-4 for a press, judged by poppler, Ghostscript and pikepdf; and what is refused, each trap by name."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from PIL import Image
from press_pdfs import (
    MM,
    artwork,
    changed,
    fonts_by_poppler,
    said_by,
    separations,
    with_helvetica,
    with_rgb_picture,
    with_spot,
)
from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.layer import FillLayer
from rfid_station.printing.press.bureau import Bureau, load_bureau, render_for_bureau
from rfid_station.printing.press.pdf_faults import Rules, inspect
from rfid_station.printing.press.press import FREE_PROFILES, load_intent, press_ready

Faces = Callable[[int], list[dict[str, str]]]
Plain = Callable[[str], CardDesign]

BOX = "at = [10, 25]\nsize = [20, 15]\n"


@pytest.fixture
def standard() -> Bureau:
    return load_bureau("standard")


@pytest.fixture
def cards(classic: CardDesign, example: Brand, standard: Bureau, faces: Faces, tmp_path: Path) -> Path:
    """The PDF of three cards, unpacked from the archive for a bureau."""
    return unpacked(render_for_bureau(classic, example, standard, faces(3), job="press-0001").data, tmp_path)


def unpacked(archive: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(folder / "archive")
    return folder / "archive" / "cards.pdf"


class TestFile:
    def test_poppler_takes_it_for_what_it_says(self, cards: Path) -> None:
        told = said_by("pdfinfo", "-box", "-f", "1", "-l", "3", cards)
        facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
        assert facts["PDF subtype"].strip() == "PDF/X-4"
        assert facts["PDF version"].strip() == "1.6"
        assert (facts["Pages"].strip(), facts["Encrypted"].strip()) == ("3", "no")
        for number in (1, 2, 3):
            media, bleed, trim = (
                [float(edge) for edge in facts[f"Page {number:4} {box}Box"].split()]
                for box in ("Media", "Bleed", "Trim")
            )
            assert media == pytest.approx([0, 0, 89.6 * MM, 57.98 * MM], abs=0.02)
            assert bleed == media
            assert trim == pytest.approx([2 * MM, 2 * MM, 87.6 * MM, 55.98 * MM], abs=0.02)

    def test_all_fonts_are_in_it(self, cards: Path) -> None:
        fonts = fonts_by_poppler(cards)
        assert fonts
        assert all(fonts.values()), fonts
        assert not any("Helvetica" in name for name in fonts)

    def test_the_press_it_is_for(self, cards: Path) -> None:
        with pikepdf.open(cards) as pdf:
            [intent] = pdf.Root.OutputIntents
            assert (intent.S, intent.OutputConditionIdentifier) == ("/GTS_PDFX", "Custom")
            assert intent.DestOutputProfile.read_bytes() == FREE_PROFILES[0].read_bytes()
            assert intent.DestOutputProfile.N == 4
            assert "CMYK" in str(intent.Info)
            assert pdf.docinfo["/Trapped"] == "/False"
            with pdf.open_metadata() as xmp:
                assert xmp["{http://www.npes.org/pdfx/ns/id/}GTS_PDFXVersion"] == "PDF/X-4"
                assert xmp["pdf:Trapped"] == "False"
                assert xmp["dc:title"] == str(pdf.docinfo.Title) == "press-0001"
                assert str(xmp["xmpMM:DocumentID"]).startswith("uuid:")
                assert xmp["xmpMM:RenditionClass"] == "default"
            assert pdf.check_pdf_syntax() == []
            assert "/Filter" not in pdf.Root.Metadata
            for page in pdf.pages:
                assert not {"/Trans", "/Annots", "/ArtBox"} & set(page.obj.keys())

    def test_only_the_inks_of_the_press(self, cards: Path, tmp_path: Path) -> None:
        inks = separations(cards, tmp_path)
        assert {ink for ink, amount in inks.items() if amount} == {"Cyan", "Magenta", "Yellow", "Black"}

    def test_the_same_cards_give_the_same_bytes(
        self, classic: CardDesign, example: Brand, standard: Bureau, faces: Faces
    ) -> None:
        one, other = (
            render_for_bureau(classic, example, standard, faces(2), job="press-0001") for _ in range(2)
        )
        assert one.data == other.data
        third = render_for_bureau(classic, example, standard, faces(3), job="press-0001")
        assert third.data != one.data
        assert identity(one.data) != identity(third.data)


def identity(archive: bytes) -> str:
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as opened,
        pikepdf.open(opened.open("cards.pdf")) as pdf,
        pdf.open_metadata() as xmp,
    ):
        return str(xmp["xmpMM:DocumentID"])


class TestProfile:
    def test_one_that_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "press.icc"
        file.write_bytes(FREE_PROFILES[0].read_bytes())
        intent = load_intent(file, "FOGRA39")
        assert (intent.condition, intent.description) == ("FOGRA39", "Artifex CMYK SWOP Profile")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is no ICC profile"),
            (b"\0" * 500, "is no ICC profile"),
            (FREE_PROFILES[0].read_bytes()[:-1], "is no ICC profile"),
            (FREE_PROFILES[0].with_name("default_rgb.icc").read_bytes(), "CMYK: it says mntr, RGB"),
            (FREE_PROFILES[0].with_name("default_gray.icc").read_bytes(), "CMYK: it says mntr, GRAY"),
        ],
    )
    def test_one_that_is_none_of_a_press(self, tmp_path: Path, content: bytes, words: str) -> None:
        file = tmp_path / "press.icc"
        file.write_bytes(content)
        with pytest.raises(WrongCall, match=words):
            load_intent(file)

    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        with pytest.raises(WrongCall, match="cannot be read: No such file"):
            load_intent(tmp_path / "press.icc")
        monkeypatch.setattr("rfid_station.printing.press.press.FREE_PROFILES", ())
        with pytest.raises(WrongCall, match=r"PDF/X-4 needs the ICC profile of the press") as refused:
            load_intent(None)
        assert "--intent FILE.icc" in str(refused.value.hint)


class TestSpots:
    @pytest.fixture
    def spotted(self, example: Brand) -> Brand:
        accent = replace(example.colors["accent"], spot="PANTONE 354 C")
        return replace(example, colors={**example.colors, "accent": accent})

    def test_a_spot_colour_survives_forms(
        self, classic: CardDesign, spotted: Brand, standard: Bureau, faces: Faces, tmp_path: Path
    ) -> None:
        """The trap: ReportLab's forms lose colour spaces, and what was drawn in them with it."""
        made = render_for_bureau(classic, spotted, standard, faces(2), job="j")
        assert made.spots == ("PANTONE 354 C",)
        inks = separations(unpacked(made.data, tmp_path), tmp_path)
        assert inks["PANTONE 354 C"] > 0.01

    def test_a_form_that_lost_it_is_refused(
        self, classic: CardDesign, spotted: Brand, standard: Bureau, faces: Faces
    ) -> None:
        made = render_for_bureau(classic, spotted, standard, faces(1), job="j")
        with zipfile.ZipFile(io.BytesIO(made.data)) as opened:
            pdf = opened.read("cards.pdf")

        def lose(file: pikepdf.Pdf) -> None:
            for thing in file.objects:
                if isinstance(thing, pikepdf.Stream) and thing.get("/Subtype") == "/Form":
                    del thing.Resources["/ColorSpace"]

        with pytest.raises(PrintError, match=r"is used, and not in the file \(ColorSpace\)"):
            press_ready(changed(pdf, lose), load_intent(None), standard.rules)

    def test_a_bureau_that_has_no_such_ink(self, classic: CardDesign, spotted: Brand, faces: Faces) -> None:
        with pytest.raises(PrintError, match="the spot colour PANTONE 354 C is used"):
            render_for_bureau(classic, spotted, load_bureau("perfect-cards"), faces(1), job="j")


def in_a_page(content: str, **resources: pikepdf.Object) -> bytes:
    """A page that draws something by hand."""
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(254, 164))
    page = pdf.pages[0]
    page.obj.TrimBox = pikepdf.Array([6, 6, 248, 158])
    page.obj.Resources = pikepdf.Dictionary(**resources)
    page.obj.Contents = pdf.make_stream(content.encode())
    target = io.BytesIO()
    pdf.save(target)
    return target.getvalue()


def spaces(**named: object) -> dict[str, pikepdf.Object]:
    return {"ColorSpace": pikepdf.Dictionary(**named)}


N = pikepdf.Name
RGB_TINT = pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], N=1, C0=[1, 1, 1], C1=[1, 0, 0])


@pytest.mark.parametrize(
    ("content", "resources", "words"),
    [
        ("1 0 0 rg 0 0 9 9 re f", {}, r"page 1: a colour is in RGB \(1 0 0\)"),
        ("0 0.5 0 RG 0 0 m 9 9 l S", {}, r"page 1: a colour is in RGB \(0 0\.5 0\)"),
        ("/DeviceRGB cs 1 0 0 sc", {}, "page 1: a colour is in RGB"),
        ("/A cs 1 sc", spaces(A=[N.Indexed, N.DeviceRGB, 0, b"abc"]), "page 1: a colour is in RGB"),
        ("/A cs 1 0 0 sc", spaces(A=[N.Lab, pikepdf.Dictionary(WhitePoint=[1, 1, 1])]), "a colour is in Lab"),
        ("/A CS 1 SCN", spaces(A=[N.Separation, N("/Red"), N.DeviceRGB, RGB_TINT]), "a colour is in RGB"),
        ("BI /W 1 /H 1 /BPC 8 /CS /RGB ID abc EI", {}, "page 1: an image in the text is in RGB"),
        ("0.9 0.8 0.7 0.5 k 0 0 9 9 re f", {}, "CMYK 90, 80, 70, 50 takes 290 % of ink, and 280 % is"),
        ("/Gone Do", {}, r"page 1: Gone is used, and not in the file \(XObject\)"),
        ("BT /F9 9 Tf ET", {}, r"page 1: F9 is used, and not in the file \(Font\)"),
        ("/Half gs 0 0 9 9 re f", {}, r"page 1: Half is used, and not in the file \(ExtGState\)"),
        (
            "/S sh",
            {"Shading": pikepdf.Dictionary(S=pikepdf.Dictionary(ShadingType=2, ColorSpace=N.DeviceRGB))},
            "page 1: a gradient is in RGB",
        ),
        (
            "/Pattern cs /P scn",
            {
                "Pattern": pikepdf.Dictionary(
                    P=pikepdf.Dictionary(PatternType=2, Shading=pikepdf.Dictionary(ColorSpace=N.DeviceRGB))
                )
            },
            "page 1: a gradient is in RGB",
        ),
        (
            "/D gs",
            {"ExtGState": pikepdf.Dictionary(D=pikepdf.Dictionary(TR=N.Identity))},
            "page 1: TR of D is for one device only",
        ),
        (
            "",
            {"Font": pikepdf.Dictionary(F1=pikepdf.Dictionary(Subtype=N.Type1, BaseFont=N.Helvetica))},
            "page 1: font Helvetica is not embedded",
        ),
    ],
)  # fmt: skip
def test_what_no_press_takes_is_named(content: str, resources: dict[str, pikepdf.Object], words: str) -> None:
    with pytest.raises(PrintError, match=words):
        press_ready(in_a_page(content, **resources), load_intent(None), Rules(most_ink=2.8))


@pytest.mark.parametrize(
    ("content", "resources"),
    [
        ("0 g 0.2 0.3 0.4 0.5 k 0 0 9 9 re f", {}),
        ("BI /W 8 /H 1 /IM true /D [1 0] ID a EI", {}),
        ("/A cs 1 sc", spaces(A=[N.Separation, N("/Gold"), N.DeviceCMYK, RGB_TINT])),
        ("/A cs 0.5 sc", spaces(A=[N.Indexed, N.DeviceCMYK, 0, b"abcd"])),
        ("/Pattern cs", {}),
    ],
)
def test_what_a_press_takes(content: str, resources: dict[str, pikepdf.Object]) -> None:
    pdf, _ = press_ready(in_a_page(content, **resources), load_intent(None), Rules(most_ink=2.8))
    assert pdf.startswith(b"%PDF-1.6")


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (with_rgb_picture, r"page 1: image \S+ is in RGB"),
        (with_helvetica, "page 1: font Helvetica is not embedded"),
    ],
)
def test_what_a_designer_left_in(tmp_path: Path, draw: Callable[[Canvas], None], words: str) -> None:
    """Two traps: ReportLab writes pictures in RGB whatever it is told, and Helvetica without its outlines."""
    pdf = artwork(tmp_path / "front.pdf", draw=draw).read_bytes()
    with pytest.raises(PrintError, match=words):
        press_ready(pdf, load_intent(None), Rules())


def test_artwork_keeps_its_inks_and_is_looked_into(
    plain: Plain, example: Brand, standard: Bureau, faces: Faces, tmp_path: Path
) -> None:
    front = artwork(tmp_path / "front.pdf", draw=with_spot)
    design = with_artwork(plain(""), front)
    made = render_for_bureau(design, example, standard, faces(2), job="j")
    assert made.spots == ("PANTONE 123 C",)
    assert separations(unpacked(made.data, tmp_path), tmp_path)["PANTONE 123 C"] > 0.04
    artwork(front, draw=with_rgb_picture)
    with pytest.raises(PrintError, match=r"page 1, form artwork-front, form Artwork: image \S+ is in RGB"):
        render_for_bureau(design, example, standard, faces(2), job="j")


def with_artwork(design: CardDesign, file: Path) -> CardDesign:
    layers = tuple(layer for layer in design.front if not isinstance(layer, FillLayer))
    return replace(design, front=layers, artwork={Side.FRONT: file})


def test_a_picture_in_rgb_is_refused_before_it_is_drawn(
    plain: Plain, example: Brand, standard: Bureau, faces: Faces, tmp_path: Path
) -> None:
    (tmp_path / "cards").mkdir()
    Image.new("RGB", (600, 450), (10, 90, 200)).save(tmp_path / "cards" / "photo.png")
    design = plain(f'[[front]]\nkind = "image"\nfile = "photo.png"\n{BOX}')
    with pytest.raises(PrintError, match=r"photo\.png is in RGB"):
        render_for_bureau(design, example, standard, faces(1), job="j")


def test_every_fault_is_counted() -> None:
    lines = "".join(f"0.{n} 0 0 rg\n" for n in range(1, 8))
    with pytest.raises(PrintError, match=r"and 2 more$") as refused:
        press_ready(in_a_page(lines), load_intent(None), Rules())
    assert refused.value.message.count("is in RGB") == 5


def test_a_thousand_pages_are_looked_through_fast() -> None:
    with pikepdf.open(io.BytesIO(in_a_page("0 g 0 0 9 9 re f"))) as pdf:
        for _ in range(999):
            pdf.pages.append(pdf.pages[0])
        began = time.perf_counter()
        assert inspect(pdf, Rules()).faults == ()
    assert time.perf_counter() - began < 3
