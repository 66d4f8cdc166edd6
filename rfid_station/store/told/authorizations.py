"""The record of real-time authorizations: a file a month, one JSON line for each decision.

It is no part of the audit chain, whose every entry takes the one lock of the store and the disk, and a
driver waits at the charger. A line is handed to the system at once, so it survives the end of the program
and is lost by a failure of power only. It names the card by its id in the store: no UID, no contract, no
driver.
"""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from rfid_station.errors import StoreError
from rfid_station.ocpi.port import Allowed
from rfid_station.store.tables import moment_text


class Authorizations:
    """Appends decisions. May be used from several threads, and by several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._month = ""
        self._file: int | None = None

    def keep(self, at: datetime, partner: str, reference: str, card_id: int, allowed: Allowed) -> None:
        """Write down one decision.

        :param reference: one of ours, a UUID

        :raises StoreError: it cannot be written
        """
        moment = moment_text(at)
        # Put together by hand, in a third of the time: only texts of others may need an escape.
        line = (
            f'{{"at":"{moment}","partner":{_quoted(partner)},"reference":"{reference}",'
            f'"card":{card_id},"allowed":"{allowed}"}}\n'
        )
        with self._turn:
            try:
                os.write(self._open(moment[: len("2026-11")]), line.encode())
            except OSError as error:
                raise StoreError(
                    f"an authorization cannot be written to {self._folder}: {error.strerror}",
                    hint=f"df -h {self._folder.parent}",
                ) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._close()

    def _open(self, month: str) -> int:
        if self._file is None or month != self._month:
            self._close()
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{month}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._month = month
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


@lru_cache(maxsize=1024)
def _quoted(partner: str) -> str:
    return json.dumps(partner)
