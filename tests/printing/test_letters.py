"""Letters, labels and lists as PDF, read by PDFium and pikepdf."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from printed_page import character_boxes, codes, rendered, text_of

from rfid_station.domain.lot_line import LotLine, Movement
from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.layout import load_layout
from rfid_station.printing.papers.label import Label, render_labels
from rfid_station.printing.papers.letter import Letter, LetterTemplate, load_letter, render_letters
from rfid_station.printing.papers.packing_list import PackedCard, PackingList, render_packing_list
from rfid_station.printing.papers.shift_report import ShiftReport, render_shift_report
from rfid_station.shipped import shipped

Write = Callable[..., Path]

LETTER = Letter(
    visual_number="EXM-1000-0000-0",
    contract_id="DE-EXM-C00004711-X",
    link="https://cards.example.com/c/7QX4M2KD9ABC",
    qr_link="HTTPS://CARDS.EXAMPLE.COM/C/7QX4M2KD9ABC",
    name="Łukasz Dąbrowski",
    address=("Flotte Süd GmbH", "Łukasz Dąbrowski", "Hauptstraße 5", "79098 Freiburg"),
    claim_code="K7QM-2XR4-9P",
    language="en",
)
SUBJECTS = {
    "en": "Your charging card",
    "de": "Ihre Ladekarte",
    "fr": "Votre carte de recharge",
    "nl": "Uw laadpas",
    "pl": "Twoja karta do ładowania",
    "el": "Η κάρτα φόρτισής σας",
    "uk": "Ваша картка для заряджання",
}


@pytest.fixture
def carrier() -> LetterTemplate:
    return load_letter("carrier")


def fonts_of(pdf: bytes) -> list[pikepdf.Object]:
    return [
        thing
        for thing in pikepdf.open(io.BytesIO(pdf)).objects
        if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Font"
    ]


class TestLetter:
    def test_every_language_with_its_script(self, carrier: LetterTemplate, example: Brand) -> None:
        assert set(carrier.words) == set(SUBJECTS)
        letters = [replace(LETTER, language=language) for language in SUBJECTS]
        pdf = render_letters(carrier, example, letters, job="j").pdf
        for page, subject in enumerate(SUBJECTS.values(), start=1):
            text = text_of(pdf, page)
            for part in (subject, "Łukasz Dąbrowski", "79098 Freiburg", "+49 30 23125 100"):
                assert part in text, part
            assert text.count("EXM-1000-0000-0") == 2  # beside the card's place, and on it
            assert text.count("K7QM-2XR4-9P") == 2  # large, and among the steps
        for font in fonts_of(pdf):
            assert "/FontFile2" in font.FontDescriptor

    def test_the_address_is_in_the_window(self, carrier: LetterTemplate, example: Brand) -> None:
        pdf = render_letters(carrier, example, [LETTER], job="j").pdf
        boxes = [box for _, box in character_boxes(pdf, 1) if 44 < box[1] < 92]
        assert len(boxes) > 40
        for left, top, right, bottom in boxes:
            assert left >= 20
            assert top >= 45
            assert right <= 105
            assert bottom <= 90

    def test_without_address_name_and_code(self, carrier: LetterTemplate, example: Brand) -> None:
        plain = replace(LETTER, address=(), name="", claim_code="")
        text = text_of(render_letters(carrier, example, [plain], job="j").pdf, 1)
        assert "Hello," in text
        assert "Hauptstraße" not in text
        assert "Claim code" not in text
        assert "Your card is ready" in text

    @pytest.mark.parametrize("claim_code", ["", "K7QM-2XR4-9P"])
    def test_its_code_reads(self, carrier: LetterTemplate, example: Brand, claim_code: str) -> None:
        pdf = render_letters(carrier, example, [replace(LETTER, claim_code=claim_code)], job="j").pdf
        assert codes(rendered(pdf, 1, 300)) == [LETTER.qr_link]

    def test_a_language_that_is_not_there_is_the_first(self, carrier: LetterTemplate, example: Brand) -> None:
        pdf = render_letters(carrier, example, [replace(LETTER, language="sv")], job="j").pdf
        assert SUBJECTS["en"] in text_of(pdf, 1)

    def test_same_letters_same_bytes(self, carrier: LetterTemplate, example: Brand) -> None:
        one, again, other = (
            render_letters(carrier, example, [letter], job="j").sha256
            for letter in (LETTER, LETTER, replace(LETTER, name="Zoë"))
        )
        assert one == again != other

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"name": "山田"}, "letter of card EXM-1000-0000-0: .*no glyph for '山'"),
            ({"address": ("x" * 200,)}, "letter of card .* is too long"),
            ({"address": ("a",) * 20}, "20 lines take more than 34 mm"),
            ({"name": "very long " * 150}, "the text takes more than 43 mm at 8 pt"),
        ],
    )
    def test_what_does_not_fit(
        self, carrier: LetterTemplate, example: Brand, change: dict[str, object], message: str
    ) -> None:
        with pytest.raises(PrintError, match=message):
            render_letters(carrier, example, [LETTER, replace(LETTER, **change)], job="j")

    def test_no_letters(self, carrier: LetterTemplate, example: Brand) -> None:
        with pytest.raises(WrongCall, match="there are no letters"):
            render_letters(carrier, example, [], job="j")

    def test_a_brand_without_a_hotline(self, carrier: LetterTemplate, example: Brand) -> None:
        with pytest.raises(WrongCall, match="the brand has no hotline, which the letter names"):
            render_letters(carrier, replace(example, fields={"issuer": "E"}), [LETTER], job="j")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("Hello {name}", "Hello {nam}", r"names the unknown field \{nam\}"),
            ("Hello {name}", "Hello {name!r}", "a field has no format"),
            ("Hello {name}", "Hello {name", "greeting is"),
            ("window = [20.0, 45.0, 85.0, 45.0]", "window = [20.0]", r"window is \[20\.0\]"),
            ('subject = "Your charging card"', "", "subject is missing"),
            ("[texts.en]", '[texts.en]\nfonts = ["none.ttf"]', "names 'none.ttf', which is not there"),
            ("[texts.en]", "[texts.en]\nsubjct = 'x'", "'subjct' is not an entry here"),
        ],
    )
    def test_a_broken_template(self, template: Write, old: str, new: str, message: str) -> None:
        text = shipped("templates", "letters", "carrier.toml").read_text("utf-8")
        assert old in text
        with pytest.raises(WrongCall, match=message):
            load_letter("own", [template("letters", text.replace(old, new, 1))])


class TestLabels:
    def test_each_on_its_place(self, example: Brand) -> None:
        layout = load_layout("labels-l7160")
        labels = [Label((f"Driver {n}", "Hauptstraße 5", f"7909{n} Freiburg"), f"EXM-{n}") for n in range(4)]
        printed = render_labels(layout, example, labels, start_position=20, job="j")
        assert [(p.sheet_number, p.position) for p in printed.placements] == [
            (1, 20),
            (1, 21),
            (2, 1),
            (2, 2),
        ]
        boxes = list(character_boxes(printed.pdf, 2))
        for _, (left, top, right, bottom) in boxes:
            assert any(
                slot.x + 3 <= left
                and right <= slot.right - 3
                and slot.y + 3 <= top
                and bottom <= slot.bottom - 3
                for slot in layout.slots[:2]
            )
        assert "Driver 2" in text_of(printed.pdf, 2)
        assert "Driver 1" not in text_of(printed.pdf, 2)

    def test_what_cannot_be_a_label(self, example: Brand) -> None:
        layout = load_layout("labels-5160")
        with pytest.raises(WrongCall, match="the sheet a4-10up is for cards"):
            render_labels(load_layout("a4-10up"), example, [Label(("a",))], job="j")
        with pytest.raises(WrongCall, match="position 31 is not on the sheet labels-5160"):
            render_labels(layout, example, [Label(("a",))], start_position=31, job="j")
        with pytest.raises(PrintError, match=r"label 1 \(x+\): .*too long"):
            render_labels(layout, example, [Label(("x" * 99,))], job="j")


class TestLists:
    PACKING = PackingList(
        order="fleet-7",
        issuer="Example Mobility",
        made_at="2026-11-22 13:00 UTC",
        made_by="Tess",
        cards=tuple(PackedCard(f"EXM-{n:04d}", f"Driver {n}", f"job 3, sheet {n}") for n in range(90)),
        missing=("fleet-7:91: spoiled",),
    )

    def test_a_packing_list_goes_on_under_its_header(self) -> None:
        pdf = render_packing_list(self.PACKING)
        pages = len(pikepdf.open(io.BytesIO(pdf)).pages)
        texts = [text_of(pdf, page) for page in range(1, pages + 1)]
        assert pages == 3
        for page, text in enumerate(texts, start=1):
            assert "No." in text
            assert f"{page}/3" in text
        whole = "".join(texts)
        for n in range(90):
            assert whole.count(f"EXM-{n:04d}") == 1
        assert "fleet-7:91: spoiled" in whole
        assert "Packed by" in texts[-1]
        for page in range(1, pages + 1):
            for character, (left, _, right, bottom) in character_boxes(pdf, page):
                assert left >= 19.5, character
                assert right <= 190.5, character
                assert bottom <= 297 - 11, character
        assert render_packing_list(self.PACKING) == pdf

    def test_a_shift_that_adds_up_and_one_that_does_not(self) -> None:
        good = LotLine(
            Movement(lot="L1", at_start=500, issued=120, spoiled=2, samples=1, at_end=377), counted=377
        )
        report = ShiftReport("Example", "Desk 1", "Tess", "08:00", "16:00", (("cards made", 120),), (good,))
        text = text_of(render_shift_report(report), 1)
        assert "All lots add up" in text
        assert "Supervisor" not in text
        short = replace(good, counted=375)
        text = text_of(render_shift_report(replace(report, lots=(short,))), 1)
        assert "Lot L1: 377 expected, 375 counted: 2 missing." in text
        assert "Supervisor, date" in text
        over = replace(good, counted=378)
        assert "1 too many" in text_of(render_shift_report(replace(report, lots=(over,))), 1)

    def test_many_lots_stand_under_each_other(self) -> None:
        lots = tuple(
            LotLine(Movement(lot=f"LOT-{n}-{'X' * 20}", at_start=n, at_end=n), counted=n)
            for n in range(1, 10)
        )
        report = ShiftReport("Example", "D", "Tess", "08:00", "16:00", (), lots)
        pdf = render_shift_report(report)
        text = "".join(text_of(pdf, page) for page in range(1, len(pikepdf.open(io.BytesIO(pdf)).pages) + 1))
        assert [text.count(f"LOT-{n}-") for n in range(1, 10)] == [1] * 9
        assert text.count("Blank cards") == 3
