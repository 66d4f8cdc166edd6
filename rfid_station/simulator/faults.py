"""What can be wrong with a blank, to try the desk with: one word each, as in `sim:ntag213?fault=locked`."""

from __future__ import annotations

from enum import StrEnum

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.ntag21x import VirtualNtag21x
from rfid_station.simulator.type2 import CC_PAGE, PAGE_SIZE, STATIC_LOCK_PAGE

_USER_PAGE = 4
_WEAK_OR_WORN_PAGE = 6


class Fault(StrEnum):
    """The matrix. It strikes the first card of a process, and only if that is a new blank."""

    VANISH = "vanish"
    """The card is pulled away at its third exchange and never comes back."""
    DUPLICATE = "duplicate"
    """The card is laid on the reader a second time right after it was finished."""
    TWO_CARDS = "two-cards"
    """Another card lies in the field too; afterwards the card comes again alone."""
    RANDOM_UID = "random-uid"
    """A card that makes up a new UID at every field restart."""
    FOREIGN = "foreign"
    """A card that carries somebody else's link."""
    USED = "used"
    """A card whose message was deleted; the old content still stands behind the terminator."""
    LOCKED = "locked"
    """All pages are locked for ever."""
    PROTECTED = "protected"
    """User memory can be written only with a password that nobody knows."""
    STUCK = "stuck"
    """Page 6 refuses every write; together with tear=: the page that is torn refuses from then on."""
    WEAK = "weak"
    """Writing page 6 is acknowledged, and two of its bits stay 0."""


def can_have(chip: str, fault: Fault) -> bool:
    """Whether a blank of this chip can have this fault."""
    return chip.startswith("ntag") or fault in (Fault.VANISH, Fault.DUPLICATE, Fault.TWO_CARDS)


def prepare(card: VirtualCard, fault: Fault, *, is_torn: bool = False) -> None:
    """Do to a blank what the fault says, as far as it lies in the card."""
    if isinstance(card, VirtualNtag21x):
        _prepare_ntag(card, fault, is_torn)


def _prepare_ntag(card: VirtualNtag21x, fault: Fault, is_torn: bool) -> None:
    match fault:
        case Fault.FOREIGN:
            _fill(card, _message("charge.other-msp.example/c/7Q2M9X"))
        case Fault.USED:
            old = _message("parking.example/t/00481516")
            _fill(card, b"\x03\x00\xfe" + old[3:])
        case Fault.LOCKED:
            _lock(card)
        case Fault.PROTECTED:
            config = card.model.dynamic_lock_page + 1
            card.set_page(config, card.page(config)[:3] + bytes([_USER_PAGE]))
            card.set_page(config + 2, bytes.fromhex("A1B2C3D4"))
        case Fault.STUCK:
            card.is_fragile = is_torn
            card.worn = set() if is_torn else {_WEAK_OR_WORN_PAGE}
        case Fault.WEAK:
            card.weak = {_WEAK_OR_WORN_PAGE: 0x60606060}
        case _:
            pass


def _lock(card: VirtualNtag21x) -> None:
    card.set_page(CC_PAGE, card.page(CC_PAGE)[:3] + b"\x0f")
    card.set_page(STATIC_LOCK_PAGE, card.page(STATIC_LOCK_PAGE)[:2] + b"\xff\xff")
    locks = card.model.lock_bits.to_bytes(3, "little") + card.page(card.model.dynamic_lock_page)[3:]
    card.set_page(card.model.dynamic_lock_page, locks)


def _message(rest_of_https_link: str) -> bytes:
    """An NDEF message of one URI record (prefix 04, `https://`) in its TLV, and the terminator."""
    payload = b"\x04" + rest_of_https_link.encode("ascii")
    record = bytes([0xD1, 0x01, len(payload)]) + b"U" + payload
    return bytes([0x03, len(record)]) + record + b"\xfe"


def _fill(card: VirtualNtag21x, content: bytes) -> None:
    padded = content.ljust(-(-len(content) // PAGE_SIZE) * PAGE_SIZE, b"\x00")
    for offset in range(0, len(padded), PAGE_SIZE):
        card.set_page(_USER_PAGE + offset // PAGE_SIZE, padded[offset : offset + PAGE_SIZE])
