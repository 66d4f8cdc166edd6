"""The firmware of a contactless PC/SC reader: bytes of an APDU in, bytes of the answer out. No sockets here.

A storage card is read and written by pseudo-APDUs (PC/SC part 3, 3.2.2); a reader of the
ACR1552's class also passes frames on as they are, in a transparent session (supplement to part 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.simulator.atr import contactless_atr, historical_bytes
from rfid_station.simulator.field import Field

_DONE = bytes.fromhex("9000")
_FAILED = bytes.fromhex("6300")
_WRONG_LENGTH = bytes.fromhex("6700")
_NOT_SUPPORTED = bytes.fromhex("6A81")

_NO_ANSWER = "6401"
_MALFORMED = "6A80"
_NO_SESSION = "6985"
_UNKNOWN_OBJECT = "6A81"

_LAYER_3 = bytes.fromhex("0003")
_ACK_SIZE_BITS = 4

Objects = list[tuple[str, bytes]]


@dataclass(slots=True)
class _Session:
    """A transparent session: whether it is open, and whether the card is selected in it."""

    is_open: bool = False
    has_field: bool = True


class ContactlessReader:
    """One reader with at most one card on it. `transparent=False` makes one without a raw path.

    :raises CardGone: by `transmit`, when the card leaves in the middle of it
    """

    def __init__(self, *, transparent: bool = True) -> None:
        self.transparent = transparent
        self.field: Field | None = None
        self._session = _Session()

    def place(self, field: Field) -> None:
        """Lay a card on the reader."""
        self.field = field
        self._session = _Session()

    def power_on(self) -> None:
        """Select the card, after IccPowerOn."""
        if self.field is not None:
            self.field.select()

    def power_off(self) -> None:
        """Switch the field off, after IccPowerOff. Ends a session."""
        self._session = _Session()
        if self.field is not None:
            self.field.switch_off()

    def atr(self) -> bytes:
        """The ATR made up for the card; empty without one."""
        if self.field is None or self.field.is_empty:
            return b""
        return contactless_atr(self.field.card)

    def transmit(self, apdu: bytes) -> bytes:
        """Answer an APDU, status word included."""
        if self.field is None or len(apdu) < 4:
            return _WRONG_LENGTH
        if apdu[0] != 0xFF:
            return self.field.card.apdu(apdu) or _NOT_SUPPORTED
        handler = {
            0xCA: self._get_data,
            0xB0: self._read,
            0xD6: self._write,
            0x82: self._fail,
            0x86: self._fail,
            0xC2: self._transparent,
        }.get(apdu[1], self._not_supported)
        return handler(self.field, apdu)

    def _not_supported(self, _field: Field, _apdu: bytes) -> bytes:
        return _NOT_SUPPORTED

    def _fail(self, _field: Field, _apdu: bytes) -> bytes:
        """No card here has keys that could be loaded or used."""
        return _FAILED

    def _get_data(self, field: Field, apdu: bytes) -> bytes:
        data = {0x00: field.card.uid, 0x01: historical_bytes(field.card)}.get(apdu[2], b"")
        return data + _DONE if data else _NOT_SUPPORTED

    def _read(self, field: Field, apdu: bytes) -> bytes:
        if len(apdu) != 5 or apdu[4] not in (4, 16):
            return _WRONG_LENGTH
        answer = field.exchange(bytes([0x30, apdu[3]]))
        if len(answer) == 16:
            return answer[: apdu[4]] + _DONE
        field.select()
        return _FAILED

    def _write(self, field: Field, apdu: bytes) -> bytes:
        if len(apdu) != 9 or apdu[4] != 4:
            return _WRONG_LENGTH
        if field.exchange(bytes([0xA2, apdu[3]]) + apdu[5:]) == b"\x0a":
            return _DONE
        field.select()
        return _FAILED

    def _transparent(self, field: Field, apdu: bytes) -> bytes:
        handler = {0x00: self._manage, 0x01: self._exchange, 0x02: self._switch}.get(apdu[3])
        if not self.transparent or apdu[2] != 0x00 or handler is None:
            return _NOT_SUPPORTED
        size = apdu[4] if len(apdu) > 4 else 0
        if len(apdu) not in (5 + size, 6 + size):
            return _WRONG_LENGTH
        objects = _parse_objects(apdu[5 : 5 + size])
        return (_status(1, _MALFORMED) if objects is None else handler(field, objects)) + _DONE

    def _manage(self, field: Field, objects: Objects) -> bytes:
        for number, (tag, _) in enumerate(objects, start=1):
            if tag == "81":
                self._session = _Session(is_open=True)
            elif tag == "82":
                self._session = _Session()
            elif tag == "83":
                self._session.has_field = False
                field.switch_off()
            elif tag == "84":
                self._session.has_field = True
            elif tag not in ("80", "5F46"):
                return _status(number, _UNKNOWN_OBJECT)
        return _status()

    def _switch(self, field: Field, objects: Objects) -> bytes:
        """Only ISO 14443-A layer 3 can be switched to: the card is selected anew."""
        if objects != [("8F", _LAYER_3)]:
            return _status(1, _UNKNOWN_OBJECT)
        if not self._session.is_open or not self._session.has_field:
            return _status(1, _NO_SESSION)
        field.select()
        return _status()

    def _exchange(self, field: Field, objects: Objects) -> bytes:
        unknown = next((n for n, (tag, _) in enumerate(objects, 1) if tag not in ("90", "5F46", "95")), None)
        if unknown is not None:
            return _status(unknown, _UNKNOWN_OBJECT)
        if not self._session.is_open:
            return _status(1, _NO_SESSION)
        frames = [value for tag, value in objects if tag == "95"]
        answer = field.exchange(frames[0]) if frames and self._session.has_field else b""
        if not answer:
            return _status(len(objects), _NO_ANSWER)
        valid_bits = _ACK_SIZE_BITS if len(answer) == 1 else 0
        return (
            _status()
            + bytes([0x92, 0x01, valid_bits])
            + bytes([0x96, 0x02, 0x00, 0x00])
            + b"\x97"
            + _length(len(answer))
            + answer
        )


def _status(object_number: int = 0, status_word: str = "9000") -> bytes:
    """Status object C0: which data object was the first that failed (0: none), and why."""
    return b"\xc0\x03" + bytes([object_number]) + bytes.fromhex(status_word)


def _length(length: int) -> bytes:
    return bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2)


def _parse_objects(raw: bytes) -> Objects | None:
    """Data objects of a command, in order; None if they are not well formed."""
    objects: Objects = []
    rest = raw
    while rest:
        tag, rest = (rest[:2], rest[2:]) if rest[0] == 0x5F else (rest[:1], rest[1:])
        if not rest:
            return None
        length, rest = rest[0], rest[1:]
        if length & 0x80:
            size = length & 0x7F
            length, rest = int.from_bytes(rest[:size]), rest[size:]
        if len(rest) < length:
            return None
        objects.append((tag.hex().upper(), rest[:length]))
        rest = rest[length:]
    return objects
