"""Which chips there are, by the word they go by in `sim:ntag213`, and how one is made."""

from __future__ import annotations

from collections.abc import Callable

from rfid_station.simulator.card import State, VirtualCard
from rfid_station.simulator.ntag21x import MODELS, VirtualNtag21x
from rfid_station.simulator.other_chips import (
    VirtualClassic1k,
    VirtualDesfire,
    VirtualRandomUid,
    VirtualUltralight,
)

_MAKERS: dict[str, Callable[[str, bytes], VirtualCard]] = {
    **dict.fromkeys(MODELS, VirtualNtag21x),
    "ultralight": VirtualUltralight,
    "classic1k": VirtualClassic1k,
    "desfire": VirtualDesfire,
    "random": VirtualRandomUid,
}

CHIPS = tuple(_MAKERS)
"""All chips, the ones a desk can issue first."""


def uid_size(chip: str) -> int:
    """How many bytes the UID of a chip has."""
    return 4 if chip == "classic1k" else 7


def new_card(chip: str, uid: bytes) -> VirtualCard:
    """A card as the maker delivers it. `random` takes a UID too: the hidden one."""
    return _MAKERS[chip](chip, uid)


def card_from(state: State) -> VirtualCard:
    """The card that once gave this state."""
    card = new_card(state["chip"], bytes.fromhex(state["uid"]))
    card.restore(state)
    return card


def is_blank(card: VirtualCard) -> bool:
    """Whether a card still is as its maker delivered it."""
    state = card.state()
    return state == new_card(card.chip, bytes.fromhex(state["uid"])).state()
