"""What a desk may do while its server is away, as it is said and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfid_station.cli.context import copy_document
from rfid_station.cli.output import talk
from rfid_station.desk.record.cut_off import CutOff, cut_off
from rfid_station.desk.record.lease_note import Noted
from rfid_station.domain.lease import Lease


def say_what_may_be_done(folder: Path) -> None:
    """Say it below an error."""
    talk("\nwithout the server:")
    for about, words in cut_off(folder).words():
        talk(f"  {about:<8} {words}")


def cut_off_document(known: CutOff) -> dict[str, Any]:
    """What a desk knows without the server, for programs."""
    return {"lease": _noted_row(known.lease), "copy": copy_document(known.copy)}


def _noted_row(noted: Noted | None) -> dict[str, Any] | None:
    return lease_row(noted.lease) | {"at": noted.at} if noted else None


def lease_row(held: Lease) -> dict[str, Any]:
    """A lease for programs."""
    return {
        "place": held.place,
        "first": held.first,
        "next": held.next,
        "last": held.last,
        "left": held.left,
        "leased_at": held.leased_at,
        "leased_by": held.leased_by,
    }


def lease_words(held: Lease) -> str:
    """A lease in a line."""
    who = held.place or "given back"
    return f"{who}: {held.next} to {held.last} ({held.left} left)" if held.left else f"{who}: none left"
