"""Cards that a print bureau prints: everything it needs in one archive, recorded like any other print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.paper.sheets import Printable, check_again, face_of, item_of
from rfid_station.desk.station import Station
from rfid_station.errors import WrongCall
from rfid_station.printing.brand import load_brand
from rfid_station.printing.design_file import load_design
from rfid_station.printing.press.bureau import Delivery, load_bureau, render_for_bureau

KIND = "press"


@dataclass(frozen=True, slots=True)
class PressWish:
    """What a bureau is sent; None takes what the settings or the bureau's file say."""

    bureau: str = "standard"
    delivery: Delivery = Delivery.CARDS
    design: str | None = None
    brand: str | None = None
    profile: Path | None = None
    """The ICC profile of its press."""
    language: str | None = None
    out: Path | None = None
    reason: str | None = None
    """Why cards are printed again."""


@dataclass(frozen=True, slots=True)
class PressFile:
    """What was made."""

    archive: Path
    sha256: str
    job: int
    cards: int
    sides: tuple[str, ...]
    spots: tuple[str, ...]
    """The inks beside those of the colour space."""
    press: str | None
    """What the profile in the output intent calls its press."""


def make_press_archive(station: Station, cards: Sequence[Printable], wish: PressWish) -> PressFile:
    """Draw cards as a bureau wants them, write its archive, and record it.

    :raises WrongCall: no cards, no profile, a missing template, or things that do not fit together
    :raises Conflict: a card was printed before, and there is no reason to do it again
    :raises PrintError: something would not be printed as the bureau wants it; it is named
    :raises DiskFull: there is no room; nothing is recorded
    """
    if not cards:
        raise WrongCall(
            "there is nothing to print: every card that is made is printed",
            hint='rfid-station sheet press --again --reason "…"',
        )
    check_again(station, cards, KIND, wish.reason)
    print_, folders = station.settings.print, [station.folder / "templates"]
    design, bureau = load_design(wish.design or print_.design, folders), load_bureau(wish.bureau, folders)
    name = f"press-{station.store.prints.next_job():04}"
    made = render_for_bureau(
        design,
        load_brand(wish.brand or print_.brand, folders),
        bureau,
        [face_of(station, card) for card in cards],
        job=name,
        delivery=wish.delivery,
        profile=wish.profile,
        language=wish.language,
    )
    archive = wish.out or station.folder / "prints" / f"{name}.zip"
    write_whole(archive, made.data)
    job = station.store.prints.record(
        design=design.source.stem,
        sheet=bureau.source.stem,
        file_sha256=made.sha256,
        items=[
            item_of(cards[place.face_index], place.sheet_number, place.position, side)
            for place in made.placements
            for side in made.sides
        ],
        actor=station.actor,
        kind=KIND,
        reason=wish.reason,
    )
    sides = tuple(f"{side}" for side in made.sides)
    press = made.intent.description if made.intent else None
    return PressFile(archive, made.sha256, job, len(cards), sides, made.spots, press)
