"""Cards of ISO 14443-4: how a native command is wrapped, and which chip says what of itself.

NXP's chips take native commands in ISO 7816-4 APDUs of class 90 and answer with status 91xx; 91AF says that
there is more to come (MIFARE DESFire EV1 data sheet MF3ICDX21_41_81, 8.4; NT4H2421Gx, 10.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.exchange import Apdu, Dialogue

OK = 0x9100
MORE = 0x91AF
ISO_OK = 0x9000

SELECT_NDEF = bytes.fromhex("00A4040007D276000085010100")
"""Select the NDEF application (NFC Forum Type 4 Tag 2.0, 5.4.2)."""

SELECT_PAYMENT = b"\x00\xa4\x04\x00\x0e2PAY.SYS.DDF01\x00"
"""Select the proximity payment environment, which every bank card has (EMV book B, 3.3.2)."""

_GET_VERSION, _NEXT = 0x60, 0xAF
_PART, _LAST_PART = 7, 14


@dataclass(frozen=True, slots=True)
class Answer:
    """What a card answered to an APDU: data and status word. Status 0 is no answer at all."""

    data: bytes
    status: int


@dataclass(frozen=True, slots=True)
class ChipVersion:
    """The three parts of GetVersion (NT4H2421Gx, 10.5.2)."""

    hardware: bytes
    """Vendor, type, subtype, major, minor, storage, protocol."""
    software: bytes
    """The same seven of the software."""
    production: bytes
    """UID (7, all zero if the card makes up its UIDs), batch (5), calendar week, year (BCD)."""

    @property
    def kind(self) -> tuple[int, int]:
        """Type and version: the version is major and minor in one number."""
        return self.hardware[1], int.from_bytes(self.hardware[3:5])

    @property
    def storage(self) -> int:
        """Bytes of memory; chips with an odd size byte have more than this, and less than twice."""
        return 1 << (self.hardware[5] >> 1)

    @property
    def hides_uid(self) -> bool:
        """Whether the card is set to random UIDs for good."""
        return not any(self.production[:7])


def wrapped(command: int, data: bytes = b"") -> bytes:
    """A native command in its APDU: at most 255 bytes of data."""
    body = bytes([len(data)]) + data if data else b""
    return bytes([0x90, command, 0x00, 0x00]) + body + b"\x00"


def parse_answer(raw: bytes) -> Answer:
    """Split the status word from an answer; one that is too short to have one is no answer."""
    return Answer(raw[:-2], int.from_bytes(raw[-2:])) if len(raw) >= 2 else Answer(b"", 0)


def transmit(apdu: bytes) -> Dialogue[Answer]:
    """Send an APDU as it is."""
    return parse_answer((yield Apdu(apdu)))


def native(command: int, data: bytes = b"") -> Dialogue[Answer]:
    """Send one native command, wrapped."""
    return (yield from transmit(wrapped(command, data)))


def get_version() -> Dialogue[ChipVersion | None]:
    """Ask which chip it is: three exchanges; None when the card does not know the question."""
    hardware = yield from native(_GET_VERSION)
    if hardware.status != MORE or len(hardware.data) != _PART:
        return None
    software = yield from native(_NEXT)
    if software.status != MORE or len(software.data) != _PART:
        return None
    production = yield from native(_NEXT)
    # Newer chips may tell a fabrication key behind the fourteen bytes.
    if production.status != OK or len(production.data) < _LAST_PART:
        return None
    return ChipVersion(hardware.data, software.data, production.data[:_LAST_PART])
