"""What can be wrong with a blank, to try the desk with: one word each, as in `sim:ntag213?fault=locked`."""

from __future__ import annotations

from enum import StrEnum

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.memory.classic import VirtualClassic, trailer_of
from rfid_station.simulator.memory.password_tag import VirtualPasswordTag
from rfid_station.simulator.memory.type2 import CC_PAGE, PAGE_SIZE, STATIC_LOCK_PAGE, VirtualType2
from rfid_station.simulator.memory.ultralight_aes import VirtualUltralightAes
from rfid_station.simulator.memory.ultralight_c import VirtualUltralightC

_USER_PAGE = 4
_WEAK_OR_WORN = 6
_WEAK_OR_WORN_BLOCK = 4
_WEAK_BITS = 0x60606060
_NOBODYS_KEY = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")

_FOREIGN_LINK = "charge.other-msp.example/c/7Q2M9X"
_OLD_LINK = "parking.example/t/00481516"

_MAD_TRAILER = bytes.fromhex("A0A1A2A3A4A5 787788C1 FFFFFFFFFFFF")
_NDEF_TRAILER = bytes.fromhex("D3F7D3F7D3F7 7F078840 FFFFFFFFFFFF")
_SHUT_TRAILER = bytes.fromhex("FFFFFFFFFFFF 078F0F69 FFFFFFFFFFFF")
_NDEF_AID = bytes.fromhex("03E1")
_MAD_SECTORS = 16


class Fault(StrEnum):
    """The matrix. It strikes the first card of a process, and only if that is a new blank."""

    VANISH = "vanish"
    """The card is pulled away at its third exchange and never comes back."""
    SWAP = "swap"
    """At its third exchange the card is exchanged for another of the same type, and comes back after that."""
    SLOW = "slow"
    """Every answer takes a fifth of a second."""
    DUPLICATE = "duplicate"
    """The card is laid on the reader a second time right after it was finished."""
    TWO_CARDS = "two-cards"
    """Another card lies in the field too; afterwards the card comes again alone."""
    RANDOM_UID = "random-uid"
    """A card that makes up a new UID at every field restart."""
    CLONE = "clone"
    """No NXP chip: of an NTAG213 the copy by Feiju, of a MIFARE Classic one that obeys without a key."""
    FOREIGN = "foreign"
    """A card that carries somebody else's link."""
    USED = "used"
    """A card whose message was deleted; the old content still stands behind the terminator."""
    LOCKED = "locked"
    """All pages or blocks are locked for ever."""
    PROTECTED = "protected"
    """User memory can be written only with a password or key that nobody knows."""
    STUCK = "stuck"
    """Page 6 (block 4) refuses every write; with tear=: what is torn refuses from then on."""
    WEAK = "weak"
    """Writing page 6 (block 4) is acknowledged, and two bits of every byte stay 0."""


_IN_THE_HAND = (Fault.VANISH, Fault.SWAP, Fault.SLOW, Fault.DUPLICATE, Fault.TWO_CARDS)
_WITHOUT_KEYS = ("ultralight", "ntag203")
_COPIED = {"ntag213": "feiju213", "classic1k": "classic1k"}


def can_have(chip: str, fault: Fault) -> bool:
    """Whether a blank of this chip can have this fault."""
    if fault in _IN_THE_HAND:
        return True
    if fault is Fault.CLONE:
        return chip in _COPIED
    return chip in MEMORY_CHIPS and not (fault is Fault.PROTECTED and chip in _WITHOUT_KEYS)


def chip_with(chip: str, fault: Fault | None) -> str:
    """Which chip is laid on the reader for a chip with this fault."""
    if fault is Fault.RANDOM_UID:
        return "random"
    return _COPIED.get(chip, chip) if fault is Fault.CLONE else chip


def prepare(card: VirtualCard, fault: Fault, *, is_torn: bool = False) -> None:
    """Do to a blank what the fault says, as far as it lies in the card."""
    if isinstance(card, VirtualType2):
        _prepare_tag(card, fault, is_torn)
    elif isinstance(card, VirtualClassic):
        _prepare_classic(card, fault, is_torn)


def _prepare_tag(card: VirtualType2, fault: Fault, is_torn: bool) -> None:
    match fault:
        case Fault.FOREIGN:
            _fill(card, _message(_FOREIGN_LINK))
        case Fault.USED:
            _fill(card, _deleted(_OLD_LINK))
        case Fault.LOCKED:
            _lock(card)
        case Fault.PROTECTED:
            _protect(card)
        case Fault.STUCK:
            card.is_fragile = is_torn
            card.worn = set() if is_torn else {_WEAK_OR_WORN}
        case Fault.WEAK:
            card.weak = {_WEAK_OR_WORN: _WEAK_BITS}
        case _:
            pass


def _lock(card: VirtualType2) -> None:
    if card.page(CC_PAGE)[0]:
        card.set_page(CC_PAGE, card.page(CC_PAGE)[:3] + b"\x0f")
    card.set_page(STATIC_LOCK_PAGE, card.page(STATIC_LOCK_PAGE)[:2] + b"\xff\xff")
    for page, locks in card.lock_pages.items():
        user = sum(1 << bit for bit, area in locks.areas.items() if area.stop <= page)
        bits = user.to_bytes(PAGE_SIZE - len(locks.reserved), "little")
        card.set_page(page, bits + locks.reserved)


def _protect(card: VirtualType2) -> None:
    if isinstance(card, VirtualPasswordTag):
        configuration = card.model.configuration_page
        card.set_page(configuration, card.page(configuration)[:3] + bytes([_USER_PAGE]))
        card.set_page(configuration + 2, _NOBODYS_KEY[:PAGE_SIZE])
    elif isinstance(card, VirtualUltralightC):
        card.set_page(0x2A, bytes([_USER_PAGE, 0, 0, 0]))
        card.set_page(0x2B, bytes([1, 0, 0, 0]))
        _put(card, 0x2C, _NOBODYS_KEY)
    elif isinstance(card, VirtualUltralightAes):
        card.set_page(0x29, bytes([0, 0, 0, _USER_PAGE]))
        _put(card, 0x30, _NOBODYS_KEY)


def _fill(card: VirtualType2, content: bytes) -> None:
    """Format a tag that was delivered empty, and put content into its user memory."""
    if not any(card.page(CC_PAGE)):
        card.set_page(CC_PAGE, bytes([0xE1, 0x10, _user_pages(card) * PAGE_SIZE // 8, 0x00]))
    _put(card, _USER_PAGE, content)


def _user_pages(card: VirtualType2) -> int:
    configuration = card.model.configuration_page if isinstance(card, VirtualPasswordTag) else card.pages
    return min((configuration, *card.lock_pages)) - _USER_PAGE


def _put(card: VirtualType2, page: int, content: bytes) -> None:
    padded = content.ljust(-(-len(content) // PAGE_SIZE) * PAGE_SIZE, b"\x00")
    for offset in range(0, len(padded), PAGE_SIZE):
        card.set_page(page + offset // PAGE_SIZE, padded[offset : offset + PAGE_SIZE])


def _prepare_classic(card: VirtualClassic, fault: Fault, is_torn: bool) -> None:
    match fault:
        case Fault.FOREIGN:
            _format(card, _message(_FOREIGN_LINK))
        case Fault.USED:
            _format(card, _deleted(_OLD_LINK))
        case Fault.LOCKED:
            for sector in range(card.sectors):
                card.set_block(trailer_of(sector), _SHUT_TRAILER)
        case Fault.PROTECTED:
            for sector in range(1, card.sectors):
                access = card.block(trailer_of(sector))[6:10]
                card.set_block(trailer_of(sector), _NOBODYS_KEY[:6] + access + _NOBODYS_KEY[:6])
        case Fault.STUCK:
            card.is_fragile = is_torn
            card.worn = set() if is_torn else {_WEAK_OR_WORN_BLOCK}
        case Fault.WEAK:
            card.weak = {_WEAK_OR_WORN_BLOCK: _WEAK_BITS}
        case Fault.CLONE:
            card.is_magic = True
        case _:
            pass


def _format(card: VirtualClassic, content: bytes) -> None:
    """A directory that gives all sectors it names to NDEF (NXP AN10787, AN1304), and content in sector 1."""
    sectors = min(card.sectors, _MAD_SECTORS)
    directory = b"\x01" + (_NDEF_AID * (sectors - 1)).ljust(2 * (_MAD_SECTORS - 1), b"\x00")
    directory = bytes([_mad_check(directory)]) + directory
    card.set_block(1, directory[:16])
    card.set_block(2, directory[16:])
    card.set_block(trailer_of(0), _MAD_TRAILER)
    for sector in range(1, sectors):
        card.set_block(trailer_of(sector), _NDEF_TRAILER)
    for number, block in enumerate(range(4, 7)):
        card.set_block(block, content[16 * number : 16 * number + 16].ljust(16, b"\x00"))


def _mad_check(directory: bytes) -> int:
    """CRC-8 with polynomial 1D that begins with C7 (AN10787, 3.7)."""
    check = 0xC7
    for value in directory:
        check ^= value
        for _ in range(8):
            check = check << 1 & 0xFF ^ (0x1D if check & 0x80 else 0)
    return check


def _message(rest_of_https_link: str) -> bytes:
    """An NDEF message of one URI record (prefix 04, `https://`) in its TLV, and the terminator."""
    payload = b"\x04" + rest_of_https_link.encode("ascii")
    record = bytes([0xD1, 0x01, len(payload)]) + b"U" + payload
    return bytes([0x03, len(record)]) + record + b"\xfe"


def _deleted(rest_of_https_link: str) -> bytes:
    """What is left of a message whose length was set to 0."""
    return b"\x03\x00\xfe" + _message(rest_of_https_link)[3:]
