"""What a reader learned when it selected a card, and which kind of card that may be.

A PC/SC reader makes an ATR up (PC/SC part 3, 3.1.3.2.3): `3B 8F 80 01 80 4F 0C A0 00 00 03 06 SS NN NN
00 00 00 00 TCK` is a storage card of standard SS with name NN NN, anything else an ISO 14443-4 card. It
never holds the UID, and two cards of one kind have the same one. An NFC reader tells SAK and ATS
themselves, which name more (NXP AN10833).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rfid_station.chip.catalogue import CardName, card_name_of_atr, card_name_of_sak


class Standard(StrEnum):
    """By which rules the card speaks."""

    TYPE_A = "ISO 14443-A"
    TYPE_B = "ISO 14443-B"
    FELICA = "FeliCa"
    VICINITY = "ISO 15693"
    UNKNOWN = "unknown"


class Family(StrEnum):
    """Which commands make sense with a card."""

    TYPE2 = "type2"
    """Pages of four bytes, frames of ISO 14443-3."""
    CLASSIC = "classic"
    """Sectors behind Crypto1, which the reader speaks."""
    ISO_DEP = "iso-dep"
    """APDUs over ISO 14443-4."""
    OTHER = "other"
    """Only its name can be told."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of a card before it is asked anything. A reader leaves out what it does not learn."""

    standard: Standard = Standard.UNKNOWN
    atr: bytes = b""
    """PC/SC readers only."""
    sak: int | None = None
    """Select acknowledge of the last cascade level; NFC readers only."""
    atqa: bytes = b""
    """Two bytes as data sheets print them, the high one first."""
    ats: bytes = b""
    """Answer to select with its length byte; NFC readers only."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of card in words, and how to go on with it."""

    name: str
    family: Family
    refusal: str = ""
    """Why it can never be a charging card; empty if it may be one."""


_STORAGE_CARD = bytes.fromhex("804F0CA000000306")
_ISO_DEP = Kind("ISO 14443-4 card", Family.ISO_DEP)
_ISO_DEP_BIT = 0x20

_REFUSALS = {
    Standard.TYPE_B: "charge points read ISO 14443-A only, and type B cards make up a new number each time",
    Standard.FELICA: "charge points read ISO 14443-A only, and FeliCa has no UID that OCPP knows",
    Standard.VICINITY: "charge points read ISO 14443-A only, and this is a vicinity card",
}

VECTORS = [
    ("3B8F8001804F0CA000000306030001000000006A", "MIFARE Classic 1K", "classic"),
    ("3B8F8001804F0CA0000003060300030000000068", "MIFARE Ultralight or NTAG", "type2"),
    ("3B8F8001804F0CA0000003060300020000000069", "MIFARE Classic 4K", "classic"),
    ("3B8F8001804F0CA000000306030026000000004D", "MIFARE Mini", "classic"),
    ("3B8180018080", "ISO 14443-4 card", "iso-dep"),
    ("3B8F8001804F0CA00000030603F011000000008A", "FeliCa at 212 kbit/s", "other"),
]
"""(ATR, name, family)"""


def kind_of(seen: Sighting) -> Kind:
    """Name the kind of card. What nothing is known about may be anything, so it is tried as Type 2."""
    if seen.standard in _REFUSALS:
        return Kind(f"{seen.standard} card", Family.OTHER, _REFUSALS[seen.standard])
    if seen.sak is not None:
        return _kind_of_sak(seen.sak)
    return _kind_of_atr(seen.atr) if seen.atr else Kind("unknown card", Family.TYPE2)


def _kind_of_sak(sak: int) -> Kind:
    named = card_name_of_sak(sak)
    if named:
        return _kind(named)
    if sak & _ISO_DEP_BIT:
        return _ISO_DEP
    return Kind(f"card with SAK {sak:02X}", Family.OTHER, "no chip that charge points know has this SAK")


def _kind_of_atr(atr: bytes) -> Kind:
    start = atr.find(_STORAGE_CARD)
    if start < 0:
        return _ISO_DEP
    code = atr[start + 9 : start + 11].hex().upper()
    named = card_name_of_atr(code)
    if named:
        return _kind(named)
    is_sak = code.startswith("FF")
    return _kind_of_sak(int(code[2:], 16)) if is_sak else Kind(f"storage card {code}", Family.TYPE2)


def _kind(named: CardName) -> Kind:
    return Kind(named.name, Family(named.family), named.refusal)
