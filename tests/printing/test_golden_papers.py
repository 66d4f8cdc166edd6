"""Whole pages beside pictures of them that a person has looked at.

`GOLDEN=renew` makes the pictures anew: look at each before it is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from printed_page import rendered

from rfid_station.domain.lot_line import LotLine, Movement
from rfid_station.printing.brand import Brand, load_brand
from rfid_station.printing.calibration import render_calibration
from rfid_station.printing.layout import load_layout
from rfid_station.printing.papers.label import Label, render_labels
from rfid_station.printing.papers.letter import Letter, load_letter, render_letters
from rfid_station.printing.papers.packing_list import PackedCard, PackingList, render_packing_list
from rfid_station.printing.papers.receipt import Entry, ReceiptPage, render_receipt
from rfid_station.printing.papers.shift_report import ShiftReport, render_shift_report

GOLDEN = Path(__file__).parent / "golden" / "papers"
DPI = 60
MOST_DIFFERING = 0.003
"""Of the pixels: a letter that moves by a millimetre is more."""

LETTER = Letter(
    visual_number="EXM-1000-0000-0",
    contract_id="DE-EXM-C00004711-X",
    link="https://cards.example.com/c/7QX4M2KD9ABC",
    qr_link="HTTPS://CARDS.EXAMPLE.COM/C/7QX4M2KD9ABC",
    name="Łukasz Dąbrowski",
    address=("Flotte Süd GmbH", "Łukasz Dąbrowski", "Hauptstraße 5", "79098 Freiburg"),
    claim_code="K7QM-2XR4-9P",
    language="de",
)
LOTS = (
    LotLine(
        Movement(lot="NTAG213-7", at_start=500, issued=120, spoiled=2, samples=1, at_end=377), counted=377
    ),
    LotLine(Movement(lot="DESFire-2", at_start=100, received=50, issued=20, at_end=130), counted=129),
)


def letter(brand: Brand, **change: object) -> bytes:
    return render_letters(load_letter("carrier"), brand, [replace(LETTER, **change)], job="j").pdf  # type: ignore[arg-type]


def labels(brand: Brand) -> bytes:
    some = [Label((f"Driver {n}", "Hauptstraße 5", "79098 Freiburg"), f"EXM-{n}") for n in range(7)]
    return render_labels(load_layout("labels-l7160"), brand, some, start_position=4, job="j").pdf


def packing(_: Brand) -> bytes:
    cards = tuple(
        PackedCard(f"EXM-{n:04d}", f"Driver {n}", f"job 3, sheet 1, position {n}") for n in range(9)
    )
    return render_packing_list(
        PackingList(
            "fleet-7", "Example Mobility", "2026-11-22 13:00 UTC", "Tess", cards, ("fleet-7:9: spoiled",)
        )
    )


def shift(_: Brand) -> bytes:
    work = (("cards issued", 140), ("cards spoiled", 2))
    return render_shift_report(
        ShiftReport(
            "Example Mobility", "Desk 1", "Tess", "08:00", "16:00", work, LOTS, (("09:12", "no reader"),)
        )
    )


def receipt(_: Brand) -> bytes:
    facts = (("Card", "EXM-1000-0000-0"), ("Reason", "lost"), ("By", "Tess"))
    entries = (Entry("greenline: proven", "Refuses the card."), Entry("cpx: unknown", "May accept the card."))
    return render_receipt(
        ReceiptPage(
            "Card EXM-1000-0000-0 is blocked", facts, "What was said", entries, ("A note.",), "As of now."
        )
    )


PAPERS: dict[str, Callable[[Brand], bytes]] = {
    "letter-code": letter,
    "letter-plain": lambda brand: letter(brand, claim_code="", address=(), language="el"),
    "labels": labels,
    "packing-list": packing,
    "shift-report": shift,
    "receipt": receipt,
    "calibration": lambda _: render_calibration(load_layout("letter-9up")),
}


@pytest.mark.parametrize("name", PAPERS)
def test_it_looks_as_it_did(name: str) -> None:
    picture = rendered(PAPERS[name](load_brand("example")), 1, DPI).convert("L")
    file = GOLDEN / f"{name}.png"
    if os.environ.get("GOLDEN") == "renew":
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(16).save(file, optimize=True)
    known = Image.open(file).convert("L")
    assert picture.size == known.size
    one, other = (image.filter(ImageFilter.GaussianBlur(0.8)).tobytes() for image in (picture, known))
    differing = sum(abs(a - b) > 48 for a, b in zip(one, other, strict=True)) / len(one)
    assert differing <= MOST_DIFFERING
