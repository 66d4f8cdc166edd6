"""Claim codes: drawn for the letter, shown once, kept as a slow hash, typed by the driver."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.people.slow_hash import is_secret, slow_hash
from rfid_station.desk.station import Station
from rfid_station.desk.support.stopping import Stopped, push
from rfid_station.domain import typed_code
from rfid_station.domain.card import Card
from rfid_station.errors import WrongCall

_LENGTH = 10
"""50 bits: in 10 tries nobody guesses one."""


@dataclass(frozen=True, slots=True)
class DrawnCode:
    """A card's code, known to nobody else, and from now on not to us."""

    card: Card
    code: str


def draw_code(station: Station, card: Card) -> DrawnCode:
    """Draw a new code for the driver of a card. Nothing can show it again.

    :raises MoveNotAllowed: the card can do nothing with one, or only a supervisor may go on with it
    """
    drawn = typed_code.draw(_LENGTH)
    kept = station.store.claims.keep(card.id, hash_of(drawn), station.actor)
    return DrawnCode(kept, typed_code.in_blocks(drawn))


def claim(station: Station, card: Card, typed: str) -> Stopped:
    """Activate a card by the code that its driver typed, and tell partners at once.

    :raises WrongCall: it is another code
    :raises MoveNotAllowed: the card waits for none, or too many were typed
    """
    claimed = station.store.claims.claim(
        card.id, lambda kept: is_code(typed, kept), station.actor, station.token
    )
    return push(station, claimed)


def prove(station: Station, card: Card, typed: str) -> Card:
    """Let the driver of a card pass by the code that was typed.

    :raises WrongCall: it is another code
    :raises MoveNotAllowed: the card has none, or too many were typed
    """
    return station.store.claims.prove(card.id, lambda kept: is_code(typed, kept), station.actor)


def try_in_vain(typed: str) -> None:
    """Take as long as a try of a code takes, where there is none to try."""
    is_secret(typed_code.bare(typed), None)


def write_codes(path: Path, drawn: Sequence[DrawnCode]) -> None:
    """Write codes as `letter print` reads them: CSV, readable by nobody else.

    :raises WrongCall: the place cannot be written to
    :raises DiskFull: there is no room
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["number", "claim_code"])
    writer.writerows([one.card.visual_number, one.code] for one in drawn)
    write_whole(path, text.getvalue().encode(), mode=0o600)


def check_codes_path(path: Path) -> Path:
    """Let a path pass at which there is nothing: codes that were written there cannot be shown again.

    :raises WrongCall: there is a file
    """
    if path.exists():
        raise WrongCall(f"there is a file {path} already", hint="choose another name for the codes")
    return path


def hash_of(code: str) -> str:
    """What is kept of a code."""
    return slow_hash(typed_code.bare(code))


def is_code(typed: str, kept: str) -> bool:
    """Whether what was typed is the code with this hash; dashes, spaces and case do not matter."""
    return is_secret(typed_code.bare(typed), kept)
