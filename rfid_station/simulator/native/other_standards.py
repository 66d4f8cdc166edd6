"""What else is laid on a desk: phones, bank cards, Java cards, and cards of type B, FeliCa and ISO 15693.

Just enough of each to be named and refused for the right reason. Selecting is ISO/IEC 7816-4, the answer of a
payment environment EMV Book B, 3.3.
"""

from __future__ import annotations

from typing import ClassVar

from rfid_station.simulator.card import State, Tear, VirtualCard
from rfid_station.simulator.native.iso_dep import VirtualIsoDep

_SELECT = 0xA4
_OK, _NOT_FOUND = bytes.fromhex("9000"), bytes.fromhex("6A82")
_UNKNOWN_INSTRUCTION, _UNKNOWN_CLASS = bytes.fromhex("6D00"), bytes.fromhex("6E00")
_WRONG_LENGTH = bytes.fromhex("6700")

PAYMENT_ENVIRONMENT = b"2PAY.SYS.DDF01"
_PAYMENT_APPLICATION = bytes.fromhex("A0000000041010")


class _SmartCard(VirtualIsoDep):
    """A smart card on which an application has to be selected first."""

    unknown_class: ClassVar[bytes] = _UNKNOWN_CLASS

    def _obey(self, command: bytes) -> bytes:
        if len(command) < 4:
            return _WRONG_LENGTH
        if command[0] != 0x00:
            return self.unknown_class
        if command[1] != _SELECT:
            return _UNKNOWN_INSTRUCTION
        size = command[4] if len(command) > 4 else 0
        return self._select(command[5 : 5 + size])

    def _select(self, _name: bytes) -> bytes:
        return _NOT_FOUND


class VirtualPhone(_SmartCard):
    """A phone that emulates a card: a new UID each time, and no application that we know."""

    full_name = "phone (host card emulation)"
    ats = bytes.fromhex("0578807002")

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self.has_random_id = self._shows_random_id = True


class VirtualBankCard(_SmartCard):
    """A bank card: it names its payment application to everybody."""

    full_name = "bank card (EMV)"
    ats = bytes.fromhex("0A788082022063CBA3A0")

    def _select(self, name: bytes) -> bytes:
        if name == PAYMENT_ENVIRONMENT:
            return _payment_environment() + _OK
        return _tlv("6F", _tlv("84", name)) + _OK if name == _PAYMENT_APPLICATION else _NOT_FOUND


class VirtualJavaCard(_SmartCard):
    """A Java card: it knows the class of native commands no more than any other instruction."""

    full_name = "JCOP"
    ats = bytes.fromhex("0D787771024A434F5032343252")
    unknown_class = _UNKNOWN_INSTRUCTION


class _OtherStandard(VirtualCard):
    """A card of another standard: a reader can select it, and hardly more."""

    full_name: ClassVar[str]
    atqa = b""

    @property
    def name(self) -> str:
        """What kind of card it is."""
        return self.full_name

    def select(self) -> bytes:
        """Select the card and tell its number."""
        return self.uid

    def power_off(self) -> None:
        """There is nothing to forget."""

    def answer(self, _frame: bytes) -> bytes:
        """Stay silent: frames of type A are noise here."""
        return b""

    def tear(self, _frame: bytes, _tear: Tear) -> None:
        """Nothing leaves a trace."""

    def state(self) -> State:
        """Chip and number."""
        return {"chip": self.chip, "uid": self._uid.hex()}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""


class VirtualTypeB(_OtherStandard):
    """A card of ISO 14443 type B. Its number is the PUPI, four bytes."""

    full_name = "ISO 14443 type B card"
    standard = "B"


class VirtualFelica(_OtherStandard):
    """A FeliCa card. Its number is the IDm, eight bytes."""

    full_name = "FeliCa"
    standard = "F"


class VirtualIso15693(_OtherStandard):
    """A card of ISO 15693, as ICODE SLIX. Its number has eight bytes and ends with E0 on the air."""

    full_name = "ISO 15693 card"
    standard = "V"


def _payment_environment() -> bytes:
    entry = _tlv("61", _tlv("4F", _PAYMENT_APPLICATION) + _tlv("50", b"DEBIT") + _tlv("87", b"\x01"))
    return _tlv("6F", _tlv("84", PAYMENT_ENVIRONMENT) + _tlv("A5", _tlv("BF0C", entry)))


def _tlv(tag: str, value: bytes) -> bytes:
    return bytes.fromhex(tag) + bytes([len(value)]) + value
