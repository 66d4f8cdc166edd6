"""One card in the field of a reader: exchanges are counted here, and here mishaps happen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from rfid_station.simulator.card import Tear, TornMode, VirtualCard

Answer = Callable[[bytes], bytes]
Tearing = Callable[[bytes, Tear], None]


class CardGone(Exception):
    """The card is not in the field any more."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens at an exchange. Exchanges count from 1; field restarts count as well.

    With `leaves`, the card is pulled away as `tear` says. With `kill`, that process gets
    SIGKILL: a `tear` of mode `before` or `after` says whether the frame still reached the
    card (which keeps its power), the other two that the power went as well.
    """

    at: int
    tear: Tear
    leaves: bool = False
    kill: int | None = None


class Field:
    """A card in the field. `changed` is called after everything that changed what the card keeps.

    :raises CardGone: by every exchange, once the card has left
    """

    def __init__(
        self,
        card: VirtualCard,
        *,
        mishap: Mishap | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.card = card
        self.exchanges = 0
        """Frames and APDUs that were sent to the card."""
        self.restarts = 0
        """How often the field was switched off and on again."""
        self.is_empty = False
        self._mishap = mishap
        self._changed = changed
        self._noted = card.changes

    def select(self) -> bytes:
        """Select the card without counting it, and return its UID."""
        self._check_present()
        return self.card.select()

    def exchange(self, frame: bytes) -> bytes:
        """Send a frame and return the answer, empty if the card is silent."""
        return self._exchange(frame, self.card.answer, self.card.tear)

    def apdu(self, command: bytes) -> bytes:
        """Send an APDU and return the answer, empty if the card has none."""
        return self._exchange(command, self.card.apdu, self.card.tear_apdu)

    def restart(self) -> bytes:
        """Switch the field off and on, and return the UID the card is selected with then."""
        self._check_present()
        self.restarts += 1
        self.card.power_off()
        self._note_changes()
        if self._is_time():
            self._suffer(b"", self.card.answer, self.card.tear)
        return self.card.select()

    def switch_off(self) -> None:
        """Take power from the card without counting it."""
        if not self.is_empty:
            self.card.power_off()
            self._note_changes()

    def take_away(self) -> None:
        """Lift the card off the reader."""
        self.switch_off()
        self.is_empty = True

    def _exchange(self, command: bytes, answer: Answer, tear: Tearing) -> bytes:
        self._check_present()
        self.exchanges += 1
        if self._is_time():
            return self._suffer(command, answer, tear)
        reply = answer(command)
        self._note_changes()
        return reply

    def _check_present(self) -> None:
        if self.is_empty:
            raise CardGone

    def _is_time(self) -> bool:
        return self._mishap is not None and self.exchanges + self.restarts == self._mishap.at

    def _suffer(self, command: bytes, answer: Answer, tear: Tearing) -> bytes:
        mishap = self._mishap
        if mishap is None:
            return b""
        reply = b""
        if not mishap.leaves and mishap.tear.mode is TornMode.AFTER:
            reply = answer(command)
        elif mishap.leaves or mishap.tear.mode is not TornMode.BEFORE:
            tear(command, mishap.tear)
        self._note_changes()
        if mishap.kill is not None:
            os.kill(mishap.kill, signal.SIGKILL)
        if mishap.leaves:
            self.is_empty = True
            raise CardGone
        return reply

    def _note_changes(self) -> None:
        if self._noted != self.card.changes:
            self._noted = self.card.changes
            self._changed()
