"""What is said when a card goes away in the middle, the same for every driver. UIDs are masked."""

from __future__ import annotations

from rfid_station.domain.uid import masked as masked_text
from rfid_station.errors import CardLost

_TAP_AGAIN = "lay the same card on the reader again, flat and alone: the work goes on where it stopped"


def masked(uid: bytes) -> str:
    """Enough to tell two cards apart, too little to copy one: `04…3C80`. Takes any UID, even a random one."""
    return masked_text(uid.hex().upper())


def card_left(uid: bytes, reader: str, detail: str = "") -> CardLost:
    """The card does not answer any more because it is gone."""
    because = f" ({detail})" if detail else ""
    return CardLost(f"card {masked(uid)} left reader {reader}{because}", hint=_TAP_AGAIN)


def other_card(before: bytes, now: bytes, reader: str) -> CardLost:
    """Another card lies where the one we worked with was."""
    return CardLost(
        f"reader {reader} now holds card {masked(now)} instead of {masked(before)}", hint=_TAP_AGAIN
    )
