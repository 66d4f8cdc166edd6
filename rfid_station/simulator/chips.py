"""Which chips there are, by the word they go by in `sim:ntag213`, and how one is made."""

from __future__ import annotations

from rfid_station.simulator.card import State, VirtualCard
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.native.chips import ISO_DEP_CHIPS

_CHIPS = MEMORY_CHIPS | ISO_DEP_CHIPS

CHIPS = tuple(_CHIPS)
"""All chips."""


def uid_size(chip: str) -> int:
    """How many bytes the UID of a chip has."""
    return _CHIPS[chip].uid_size


def manufacturer(chip: str) -> int:
    """The first byte of a chip's UID."""
    return _CHIPS[chip].manufacturer


def new_card(chip: str, uid: bytes) -> VirtualCard:
    """A card as the maker delivers it. `random` takes a UID too: the hidden one."""
    return _CHIPS[chip].make(chip, uid)


def card_from(state: State) -> VirtualCard:
    """The card that once gave this state."""
    card = new_card(state["chip"], bytes.fromhex(state["uid"]))
    card.restore(state)
    return card


def is_blank(card: VirtualCard) -> bool:
    """Whether a card still is as its maker delivered it."""
    state = card.state()
    return state == new_card(card.chip, bytes.fromhex(state["uid"])).state()
