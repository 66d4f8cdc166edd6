"""The ATR a contactless reader makes up for a card (PC/SC part 3, 3.1.3.2.3).

It tells the kind of card and never the UID: all cards of a kind have the same.
"""

from __future__ import annotations

from rfid_station.simulator.card import VirtualCard

_PCSC_WORKGROUP = bytes.fromhex("A000000306")
_ISO_14443_A_3 = 0x03
_CARD_NAMES = {0x00: "0003", 0x08: "0001"}
"""Card name by SAK. Readers call every Type 2 tag a MIFARE Ultralight."""


def contactless_atr(card: VirtualCard) -> bytes:
    """What a reader answers for a card that lies on it."""
    if card.ats:
        return _with_check(b"", historical_bytes(card))
    name = bytes.fromhex(_CARD_NAMES[card.sak])
    identifier = _PCSC_WORKGROUP + bytes([_ISO_14443_A_3]) + name + bytes(4)
    return _with_check(b"\x80\x4f" + bytes([len(identifier)]), identifier)


def historical_bytes(card: VirtualCard) -> bytes:
    """What stands behind the interface bytes of an ATS (ISO/IEC 14443-4, 5.2)."""
    if len(card.ats) < 2:
        return b""
    interface_bytes = (card.ats[1] >> 4 & 0b111).bit_count()
    return card.ats[2 + interface_bytes :]


def _with_check(prefix: bytes, historical: bytes) -> bytes:
    body = prefix + historical
    checked = bytes([0x80 | len(body), 0x80, 0x01]) + body
    check = 0
    for value in checked:
        check ^= value
    return b"\x3b" + checked + bytes([check])
