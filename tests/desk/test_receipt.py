"""The receipt of a block: the same in all forms, in the card's language, and the same bytes again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest

from rfid_station.desk.support.receipt import (
    _ENGLISH,
    _GERMAN,
    AtPartner,
    Known,
    Receipt,
    as_document,
    as_text,
    check_receipt_path,
    write_receipt,
)
from rfid_station.domain.card import CardState
from rfid_station.errors import WrongCall
from rfid_station.sync.confirmation import IN_WORDS, Risk

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=30)


def at_partner(name: str, known: Known = Known.PROVEN, risk: Risk = Risk.REFUSES) -> AtPartner:
    confirmed = None if known is Known.UNKNOWN else AT
    return AtPartner(name, known, confirmed, AT if known is Known.PROVEN else None, risk, False, None)


RECEIPT = Receipt(
    number="EXM-1234-5678-2",
    uid="04…3C80",
    state=CardState.BLOCKED,
    reason="lost",
    who="Tess",
    at=AT,
    as_of=LATER,
    language="en",
    issuer="Example Mobility",
    partners=(
        at_partner("redline", Known.UNKNOWN, Risk.MAY_ACCEPT),
        replace(at_partner("hub", Known.CONFIRMED), is_hub=True, cached_until=LATER),
        at_partner("greenline"),
    ),
    not_connected=("blueline",),
)


def pdf_of(receipt: Receipt, path: Path) -> bytes:
    write_receipt(path, receipt)
    return path.read_bytes()


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        assert len(document) == 1
        page = document[0]
        text = page.get_textpage().get_text_range()
        page.close()
    finally:
        document.close()
    return " ".join(str(text).split())


def test_text_json_and_pdf_tell_the_same(tmp_path: Path) -> None:
    told = as_text(RECEIPT)
    printed = text_of(pdf_of(RECEIPT, tmp_path / "r.pdf"))
    for words in (
        "Card EXM-1234-5678-2 is blocked",
        "04…3C80",
        "lost",
        "Tess",
        "2026-03-01 08:00:00 UTC",
        "redline: unknown, not confirmed yet",
        "May go on accepting the card without asking us.",
        "hub: confirmed 2026-03-01 08:00:00 UTC, not proven",
        "what the operators behind it know is unknown",
        "by the state before until 2026-03-01 08:30:00 UTC",
        "greenline: proven 2026-03-01 08:00:00 UTC",
        "they cannot know the card from us: blueline",
        "A charger that is offline may go by an older list",
        "As of 2026-03-01 08:30:00 UTC. Example Mobility",
    ):
        assert words in " ".join(told.split()), words
        assert words in printed, words
    document = as_document(RECEIPT)
    assert [(one["partner"], one["known"]) for one in document["partners"]] == [
        ("redline", "unknown"),
        ("hub", "confirmed"),
        ("greenline", "proven"),
    ]
    write_receipt(tmp_path / "r.json", RECEIPT)
    assert json.loads((tmp_path / "r.json").read_text()) == document


@pytest.mark.parametrize("kind", ["pdf", "json", "txt"])
def test_the_same_receipt_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    first, again = (pdf_of(RECEIPT, tmp_path / f"{n}.{kind}") for n in (1, 2))
    assert first == again
    other = pdf_of(replace(RECEIPT, who="Sam"), tmp_path / f"3.{kind}")
    assert other != first


def test_a_german_card_gets_a_german_receipt(tmp_path: Path) -> None:
    german = replace(RECEIPT, language="de")
    printed = text_of(pdf_of(german, tmp_path / "r.pdf"))
    for words in ("Karte EXM-1234-5678-2 ist gesperrt", "verloren", "bestätigt", "ohne uns zu fragen"):
        assert words in printed
        assert words in as_text(german)


def test_both_languages_have_words_for_everything() -> None:
    assert _ENGLISH.keys() == _GERMAN.keys()
    assert {f"risk {risk}" for risk in Risk} <= _ENGLISH.keys()
    assert set(IN_WORDS) == set(Risk)
    assert {f"{known}" for known in Known} <= _ENGLISH.keys()


def test_an_unblocked_card_and_nobody_to_tell(tmp_path: Path) -> None:
    free = replace(
        RECEIPT, state=CardState.ACTIVE, reason="found", partners=(), not_connected=(), language="en"
    )
    printed = text_of(pdf_of(free, tmp_path / "r.pdf"))
    assert "Card EXM-1234-5678-2 may charge again" in printed
    assert "No charging network is connected" in printed
    assert "offline" not in printed


@pytest.mark.parametrize("count", [1, 20, 400])
def test_any_number_of_partners_fits_on_one_page_with_the_worst_first(tmp_path: Path, count: int) -> None:
    partners = (
        at_partner("away", Known.UNKNOWN, Risk.MAY_ACCEPT_OFFLINE),
        *(at_partner(f"p{n}") for n in range(count)),
    )
    printed = text_of(pdf_of(replace(RECEIPT, partners=partners), tmp_path / "r.pdf"))
    assert "away: unknown" in printed
    is_whole = f"p{count - 1}: proven" in printed
    assert is_whole == ("more, of those with the best answers" not in printed)
    assert is_whole == (count < 400)
    assert "As of" in printed


def test_a_name_that_no_font_has_still_gives_a_receipt(tmp_path: Path) -> None:
    printed = text_of(pdf_of(replace(RECEIPT, who="山田 Zoë " + "x" * 300), tmp_path / "r.pdf"))
    assert "?? Zoë" in printed


def test_an_unknown_ending_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    for name in ("receipt.docx", "receipt"):
        with pytest.raises(WrongCall, match="does not say what to write"):
            check_receipt_path(tmp_path / name)
    assert check_receipt_path(tmp_path / "R.PDF")
