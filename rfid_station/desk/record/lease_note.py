"""What this desk holds in lease, written down in its folder, for when the server is away."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rfid_station.domain.lease import Lease
from rfid_station.errors import DiskFull, StoreError

FILE = "lease.json"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FIELDS = ("place", "first", "next", "last", "leased_by")


@dataclass(frozen=True, slots=True)
class Noted:
    """What the desk held when it last drew a number, or asked."""

    lease: Lease
    at: datetime


def note_lease(folder: Path, store: str, held: Lease, at: datetime) -> None:
    """Write down what this desk holds in a store, named as messages name it.

    Numbers that are about to be given out are no longer among them.

    :raises DiskFull: there is no room
    :raises StoreError: it cannot be written
    """
    document = {name: getattr(held, name) for name in _FIELDS}
    document |= {"leased_at": held.leased_at.isoformat(), "at": at.isoformat(), "store": store}
    partial = folder / f".{FILE}.{os.getpid()}"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
        partial.replace(folder / FILE)
    except OSError as error:
        partial.unlink(missing_ok=True)
        kind = DiskFull if error.errno in _NO_ROOM else StoreError
        words = f"what this desk holds in lease cannot be written to {folder / FILE}: {error.strerror}"
        raise kind(words, hint=f"df -h {folder}") from error


def noted_lease(folder: Path, store: str) -> Noted | None:
    """What this desk held last in a store; None if that is not known."""
    try:
        document = json.loads((folder / FILE).read_text())
        if document["store"] != store:
            return None
        values = {name: document[name] for name in _FIELDS}
        held = Lease(**values, leased_at=datetime.fromisoformat(document["leased_at"]))
        return Noted(held, datetime.fromisoformat(document["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_lease(folder: Path) -> None:
    """This desk holds nothing any more."""
    (folder / FILE).unlink(missing_ok=True)
