"""The ATR a contactless reader makes up for a card (PC/SC part 3, 3.1.3.2.3).

It tells the kind of card and never the UID: all cards of a kind have the same.
"""

from __future__ import annotations

from rfid_station.simulator.card import VirtualCard

_PCSC_WORKGROUP = bytes.fromhex("A000000306")
_ISO_14443_A_3, _ISO_15693_3, _FELICA = 0x03, 0x0B, 0x11
_ISO_DEP_BIT = 0x20

_NAMES_BY_SAK = {0x00: "0003", 0x08: "0001", 0x09: "0026", 0x18: "0002"}
"""Card name by SAK. Readers call every Type 2 tag a MIFARE Ultralight. All others: FF and the SAK."""
_FELICA_NAME, _FELICA_NAME_OF_ACR122U = "003B", "F011"
_ICODE_SLI_NAME = "0014"
_NO_INFORMATION = bytes(4)

_REQUEST_B = bytes.fromhex("050008")
"""WUPB for all applications (ISO/IEC 14443-3, 7.7)."""
_PLAIN_ATQB = bytes.fromhex("00000000008171")
"""No application data, 106 kbit/s, frames of 256 bytes, ISO 14443-4, 77 ms (ISO/IEC 14443-3, 7.9)."""


def contactless_atr(card: VirtualCard, *, has_whole_ats: bool = False, is_acr122u: bool = False) -> bytes:
    """What a reader answers for a card that lies on it.

    With `has_whole_ats` the reader puts in more of the ATS than it should: all of it.
    """
    if is_iso_dep(card):
        return _with_check(b"", card.ats if has_whole_ats else historical_bytes(card))
    standard, name = _storage_card(card, is_acr122u=is_acr122u)
    identifier = _PCSC_WORKGROUP + bytes([standard]) + bytes.fromhex(name) + _NO_INFORMATION
    return _with_check(b"\x80\x4f" + bytes([len(identifier)]), identifier)


def is_iso_dep(card: VirtualCard) -> bool:
    """Whether a reader brings the card to ISO 14443-4 by itself."""
    return card.standard == "B" or (card.standard == "A" and bool(card.sak & _ISO_DEP_BIT))


def historical_bytes(card: VirtualCard) -> bytes:
    """What a card tells of itself: the end of its ATS (ISO/IEC 14443-4, 5.2), or what is in its ATQB."""
    if card.standard == "B":
        return atqb(card)[5:12] + b"\x00"
    if len(card.ats) < 2:
        return b""
    interface_bytes = (card.ats[1] >> 4 & 0b111).bit_count()
    return card.ats[2 + interface_bytes :]


def atqb(card: VirtualCard) -> bytes:
    """What a card of type B answers to a request; something usual for one that only has a number."""
    return card.answer(_REQUEST_B) or b"\x50" + card.uid[:4] + _PLAIN_ATQB


def _storage_card(card: VirtualCard, *, is_acr122u: bool) -> tuple[int, str]:
    """Standard and name."""
    if card.standard == "F":
        return (_ISO_14443_A_3, _FELICA_NAME_OF_ACR122U) if is_acr122u else (_FELICA, _FELICA_NAME)
    if card.standard == "V":
        return _ISO_15693_3, _ICODE_SLI_NAME
    return _ISO_14443_A_3, _NAMES_BY_SAK.get(card.sak, f"FF{card.sak:02X}")


def _with_check(prefix: bytes, historical: bytes) -> bytes:
    body = prefix + historical
    checked = bytes([0x80 | len(body), 0x80, 0x01]) + body
    check = 0
    for value in checked:
        check ^= value
    return b"\x3b" + checked + bytes([check])
