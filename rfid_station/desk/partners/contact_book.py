"""How partners are met, kept in the store for every process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from rfid_station.errors import StationError
from rfid_station.ocpi.port import TokenPage, TokenShelf
from rfid_station.store.partners.contacts import Contacts

PULL_EVERY_S = 60.0
"""How often it is written down that a partner reads from us."""


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A `sync.port.ContactBook` over the store."""

    contacts: Contacts
    partner: str

    def note_down(self, since: datetime | None) -> None:
        """Write down since when it is down."""
        self.contacts.note_down(self.partner, since)

    def note_success(self, at: datetime) -> None:
        """Write down that it acknowledged something."""
        self.contacts.note_success(self.partner, at)


class PullNotes:
    """Writes down who read our list, at most once a minute each, in a thread that nobody waits for."""

    def __init__(self, contacts: Contacts, every_s: float = PULL_EVERY_S) -> None:
        self._contacts = contacts
        self._every_s = every_s
        self._written_s: dict[str, float] = {}
        self._waiting: dict[str, datetime] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._writer = threading.Thread(target=self._run, name="pull-notes", daemon=True)
        self._writer.start()

    def note(self, partner: str) -> None:
        """A partner has read the list to its end just now. Returns at once."""
        with self._changed:
            self._waiting[partner] = datetime.now(UTC)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._writer.join(5.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._pause_s())
                is_over = self._is_closed
                due = {name: at for name, at in self._waiting.items() if is_over or self._left_s(name) <= 0}
                for name in due:
                    del self._waiting[name]
                    self._written_s[name] = time.monotonic()
            for name, at in due.items():
                with suppress(StationError):  # it is noted again at the next pull
                    self._contacts.note_pull(name, at)
            if is_over:
                return

    def _pause_s(self) -> float | None:
        """How long nothing is due; None until somebody reads."""
        if self._is_closed:
            return 0.0
        return max(0.0, min(map(self._left_s, self._waiting))) if self._waiting else None

    def _left_s(self, partner: str) -> float:
        return self._written_s.get(partner, -self._every_s) + self._every_s - time.monotonic()


class NotingShelf:
    """A `TokenShelf` that tells when a partner has read the list to its end. Nothing else of it is slower."""

    def __init__(self, shelf: TokenShelf, note: Callable[[str], None]) -> None:
        self._shelf_page = shelf.page
        self._note = note
        self.style = shelf.style
        self.one = shelf.one
        self.decide = shelf.decide

    def page(
        self,
        partner: str,
        *,
        date_from: datetime | None,
        date_to: datetime | None,
        after: int | None,
        offset: int,
        limit: int,
        known: Container[int] = (),
    ) -> TokenPage:
        """The shelf's page."""
        page = self._shelf_page(
            partner,
            date_from=date_from,
            date_to=date_to,
            after=after,
            offset=offset,
            limit=limit,
            known=known,
        )
        if page.after is None:
            self._note(partner)
        return page
