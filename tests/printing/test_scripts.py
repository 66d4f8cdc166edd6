"""Scripts that are joined, stacked or run from right to left: read by PDFium, joined as HarfBuzz does it."""

from __future__ import annotations

import ctypes
import io
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pypdfium2
import pypdfium2.raw
import pytest
import uharfbuzz
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from printed_page import character_boxes, codes, rendered, text_of, text_within

from rfid_station.errors import PrintError
from rfid_station.printing import shaping
from rfid_station.printing.bidi import embedding_levels, isolated, runs_right_to_left, visual_runs
from rfid_station.printing.brand import Brand, ShippedFont
from rfid_station.printing.design import CardDesign
from rfid_station.printing.fonts import typeface
from rfid_station.printing.layout import SheetLayout, load_layout
from rfid_station.printing.papers.label import Label, render_labels
from rfid_station.printing.papers.letter import Letter, LetterTemplate, load_letter, render_letters
from rfid_station.printing.sheet import render_sheets
from rfid_station.printing.system_fonts import with_system_fonts
from rfid_station.shipped import shipped

NOTO = Path("/usr/share/fonts/truetype/noto")
LETTER = Letter(
    visual_number="EXM-1000-0000-0",
    contract_id="DE-EXM-C00004711-X",
    link="https://cards.example.com/c/7QX4M2KD9ABC",
    qr_link="HTTPS://CARDS.EXAMPLE.COM/C/7QX4M2KD9ABC",
    name="محمد الأحمد",
    claim_code="K7QM-2XR4-9P",
    language="xx",
)
# Not the wording of a letter that ships: words of each script, with what is hard in it.
WORDS = {
    "ARABIC": ("NotoSansArabic", "بطاقة الشحن", "السلام عليكم"),
    "HEBREW": ("NotoSansHebrew", "כרטיס טעינה", "שלום"),
    "DEVANAGARI": ("NotoSansDevanagari", "हिन्दी विद्यार्थी", "श्री कर्म"),
    "THAI": ("NotoSansThai", "ที่อยู่ ผู้ใช้", "น้ำ ปี้"),
}


@pytest.fixture
def worded(template: Callable[..., Path]) -> Callable[..., LetterTemplate]:
    """The carrier letter, its English words replaced by words of a script."""

    def load(subject: str, body: str, fonts: str = "") -> LetterTemplate:
        text = shipped("templates", "letters", "carrier.toml").read_text("utf-8")
        head, _, rest = text.partition("[texts.en]")
        words = rest.partition("[texts.de]")[0]
        for old, new in (
            ("Your charging card", subject),
            ("Hello {name},", "{name}"),
            (
                "here is your charging card. Hold it to the reader of a charge point, wait for the light,"
                " and plug in.",
                body,
            ),
            (
                "Lost your card? Call {hotline} at once: we stop it everywhere.",
                body + " {hotline} " + subject,
            ),
        ):
            assert old in words
            words = words.replace(old, new)
        return load_letter("own", [template("letters", f"{head}[texts.xx]\n{fonts}{words}")])

    return load


def chained(brand: Brand, *names: str) -> Brand:
    files = tuple(NOTO / f"{name}-Regular.ttf" for name in names)
    return replace(brand, fonts=dict.fromkeys(("regular", "bold"), (ShippedFont.REGULAR, *files)))


@pytest.mark.parametrize("script", WORDS)
def test_a_letter_in_any_script(worded: Callable[..., LetterTemplate], example: Brand, script: str) -> None:
    """The brand has no font for it, and names none: the system's is taken."""
    _, subject, greeting = WORDS[script]
    pdf = render_letters(worded(subject, greeting), example, [LETTER], job="j").pdf
    text = text_of(pdf, 1).replace("\u00a0", " ")
    for part in (subject, greeting, "محمد الأحمد", "+49 30 23125 100", "EXM-1000-0000-0", "K7QM-2XR4-9P"):
        assert part in text, part
    assert codes(rendered(pdf, 1, 300)) == [LETTER.qr_link]
    assert pikepdf.open(io.BytesIO(pdf)).check_pdf_syntax() == []
    assert render_letters(worded(subject, greeting), example, [LETTER], job="j").pdf == pdf


def test_a_letter_from_right_to_left_begins_at_the_right(
    worded: Callable[..., LetterTemplate], example: Brand
) -> None:
    pdf = render_letters(worded("כרטיס טעינה", "שלום"), example, [LETTER], job="j").pdf
    assert "כרטיס טעינה" in text_within(pdf, 1, (140, 95, 186, 140))
    assert "שלום" not in text_within(pdf, 1, (20, 95, 140, 140))
    placed = [(character, box) for character, box in character_boxes(pdf, 1) if box[1] > 217]
    (first,) = (box for character, box in placed if character == "Y")
    (number,) = (box for character, box in placed if character == "3" and abs(box[3] - first[3]) < 0.5)
    assert number[0] > 183 > first[0]  # the third step, which is all Latin


def test_marks_stand_as_high_as_harfbuzz_says(worded: Callable[..., LetterTemplate], example: Brand) -> None:
    word = "مُحَمَّد"
    (run,) = typeface(chained(example, "NotoSansArabic"), "regular").shaped(word)
    heights = {round(glyph.y_offset, 2) for glyph in run.glyphs}
    assert len(heights) > 2
    document = pypdfium2.PdfDocument(
        render_labels(
            load_layout("labels-l7160"), chained(example, "NotoSansArabic"), [Label((word,))], job="j"
        ).pdf
    )
    text = document[0].get_textpage()
    found = set()
    for index in range(text.count_chars()):
        if text.get_text_range(index, 1) in word:
            x, y = ctypes.c_double(), ctypes.c_double()
            assert pypdfium2.raw.FPDFText_GetCharOrigin(text, index, x, y)
            found.add(round(y.value, 3))
    document.close()
    in_sizes = {round((y - min(found)) / 11, 2) for y in found}
    assert in_sizes == {round(height - min(heights), 2) for height in heights}


def test_parts_from_left_to_right() -> None:
    text = "אב ab-1 (גד) 12"
    runs = visual_runs(text, right_to_left=True)
    assert [text[run.start : run.end] for run in runs] == ["12", " (גד) ", "ab-1", "אב "]
    runs = visual_runs(text, right_to_left=False)
    assert [text[run.start : run.end] for run in runs] == ["אב", " ab-1 (", "גד", ") ", "12"]


@pytest.mark.parametrize("script", WORDS)
def test_glyphs_and_places_are_those_of_harfbuzz(example: Brand, script: str) -> None:
    """The glyph of each word, from left to right, taken from the PDF's own font by its outline."""
    name, *texts = WORDS[script]
    face = typeface(chained(example, name), "regular")
    original = TTFont(NOTO / f"{name}-Regular.ttf")
    blob = uharfbuzz.Blob((NOTO / f"{name}-Regular.ttf").read_bytes())
    font = uharfbuzz.Font(uharfbuzz.Face(blob))
    for word in " ".join(texts).split():
        buffer = uharfbuzz.Buffer()
        buffer.add_str(word)
        buffer.guess_segment_properties()
        uharfbuzz.shape(font, buffer)
        (run,) = face.shaped(word)
        drawn = [glyph for glyph in run.glyphs if glyph.font != face.name]
        embedded = shaping.pdfmetrics.getFont(drawn[0].font).face
        assert [embedded.charToGlyph[ord(glyph.character)] for glyph in drawn] == [
            info.codepoint for info in buffer.glyph_infos
        ]
        scale = 1 / original["head"].unitsPerEm
        for glyph, place in zip(drawn, buffer.glyph_positions, strict=True):
            assert (glyph.advance, glyph.x_offset, glyph.y_offset) == pytest.approx(
                (place.x_advance * scale, place.x_offset * scale, place.y_offset * scale)
            )
        nominal = [original.getBestCmap().get(ord(character)) for character in word]
        names = [original.getGlyphName(info.codepoint) for info in buffer.glyph_infos]
        if script in ("ARABIC", "DEVANAGARI") and len(word) > 3:
            assert names not in (nominal, nominal[::-1])  # else the word would prove nothing


def test_on_cards_too(plain: Callable[[str], CardDesign], example: Brand, a4: SheetLayout) -> None:
    layer = (
        '[[front]]\nkind = "text"\ntext = "{driver}"\nat = [6, 30]\nwidth = 70\nsize = 8\nmin_size = 5\n'
        'color = "black"\ntracking = 0.05\n'
    )
    names = ["محمد الأحمد", "שלום עולם", "श्री विद्यार्थी", "ที่อยู่"]
    cards = [{"visual_number": f"A-{n}", "driver": name} for n, name in enumerate(names)]
    brand = chained(example, *(name for name, *_ in WORDS.values()))
    printed = render_sheets(plain(layer), brand, a4, cards, job="j")
    text = text_of(printed.pdf, 1)
    for name in names:
        assert name in text


def test_a_card_has_no_font_that_its_brand_does_not_name(
    plain: Callable[[str], CardDesign], example: Brand, a4: SheetLayout
) -> None:
    layer = '[[front]]\nkind = "text"\ntext = "שלום"\nat = [6, 30]\nwidth = 70\nsize = 8\ncolor = "black"\n'
    with pytest.raises(PrintError, match="no glyph for 'ש'"):
        render_sheets(plain(layer), example, a4, [{"visual_number": "A-1"}], job="j")


def test_labels_too(example: Brand) -> None:
    label = Label(("محمد الأحمد", "Hauptstraße 5"))
    pdf = render_labels(load_layout("labels-l7160"), example, [label], job="j").pdf
    assert "محمد الأحمد" in text_of(pdf, 1)


def test_without_the_extra_its_name_is_said(
    worded: Callable[..., LetterTemplate], example: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfid_station.printing.fonts.is_installed", lambda: False)
    monkeypatch.setattr(shaping, "is_installed", lambda: False)
    with pytest.raises(PrintError, match=r"'م'.*ARABIC LETTER MEEM.* is not installed") as caught:
        render_letters(load_letter("carrier"), example, [replace(LETTER, language="en")], job="j")
    assert caught.value.hint == "python -m pip install 'rfid-station[scripts]'"


def test_a_script_that_no_font_has(example: Brand) -> None:
    with pytest.raises(PrintError, match="no glyph for '山'"):
        render_letters(load_letter("carrier"), example, [replace(LETTER, name="山田")], job="j")


def test_lines_end_where_a_zero_width_space_allows_it(example: Brand) -> None:
    face = typeface(chained(example, "NotoSansThai"), "regular")
    size, lines = face.wrapped("ที่อยู่\u200bผู้ใช้", 0, 15, 2, (5, 8))
    assert lines == ["ที่อยู่", "ผู้ใช้"]
    assert size == 8


@pytest.mark.parametrize(
    ("text", "right_to_left", "levels"),
    [
        # Examples of UAX 9, 3.3 and 3.4, with Hebrew for capitals.
        ("car is אבג in", False, "0000000111000"),
        ("he said (אב) 12", False, "000000000110022"),
        ("אבג car", True, "1111222"),
        ("אב 12.5", True, "1112222"),
        ("ب 12 3", True, "112212"),
        ("a (אב) c", True, "21111112"),
        ("אב (a)", False, "110000"),
        ("א \u2066+1 2\u2069 ב", True, "1112222111"),
        ("אב  ", False, "1100"),
    ],
)
def test_levels(text: str, right_to_left: bool, levels: str) -> None:
    found = embedding_levels(text, right_to_left=right_to_left)
    assert "".join(map(str, found)) == levels


@settings(max_examples=60, deadline=None)
@given(st.text("ab12 -+.,:()אבب٣\u05b4\u2066\u2067\u2068\u2069", max_size=20), st.booleans())
def test_every_character_stands_somewhere_once(text: str, right_to_left: bool) -> None:
    runs = visual_runs(text, right_to_left=right_to_left)
    assert sorted(index for run in runs for index in range(run.start, run.end)) == list(range(len(text)))
    for run in runs:
        for character in text[run.start : run.end]:
            if unicodedata.bidirectional(character) in ("L", "R", "AL"):
                assert run.is_right_to_left == (unicodedata.bidirectional(character) != "L")


def test_a_number_is_not_turned_round() -> None:
    assert isolated("+49 30 1") == "\u2066+49\u00a030\u00a01\u2069"
    assert isolated("Anna Bell") == "Anna Bell"
    assert isolated("") == ""
    assert runs_right_to_left("12 שלום a")
    assert not runs_right_to_left("\u2067שלום\u2069 a")


def test_the_system_font_of_a_script(example: Brand) -> None:
    face = with_system_fonts(typeface(example, "regular"), "a नम", "Bold")
    assert [stand_in.title for stand_in in face.stand_ins] == ["NotoSansDevanagari-Bold.ttf"]
    assert with_system_fonts(face, "a नम", "Bold") is face
