"""The firmware of a contactless PC/SC reader: bytes of an APDU in, bytes of the answer out. No sockets here.

A storage card is read and written by pseudo-APDUs (PC/SC part 3, 3.2.2). To pass frames on as they are,
readers of the ACR1552's class have transparent sessions (supplement to part 3), and the ACR122U hands them to
the PN532 inside it. Escape commands (SCardControl) do not reach a virtual reader: vpcd has no way for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.air import Air
from rfid_station.simulator.readers.antenna import Antenna
from rfid_station.simulator.readers.atr import contactless_atr, historical_bytes, is_iso_dep
from rfid_station.simulator.readers.pn532 import Pn532, UnknownCommand
from rfid_station.simulator.readers.reader_models import DEFAULT_MODEL, MODELS, BareCommand, ReaderModel

_DONE = bytes.fromhex("9000")
_FAILED = bytes.fromhex("6300")
_WRONG_LENGTH = bytes.fromhex("6700")
_NOT_SUPPORTED = bytes.fromhex("6A81")
_NOT_AUTHENTICATED = bytes.fromhex("6982")
_NO_VOLATILE_MEMORY, _NO_LASTING_MEMORY = bytes.fromhex("6986"), bytes.fromhex("6987")
_NO_SUCH_SLOT, _WRONG_KEY_LENGTH = bytes.fromhex("6988"), bytes.fromhex("6989")

_NO_ANSWER = "6401"
_MALFORMED = "6A80"
_NO_SESSION = "6985"
_UNKNOWN_OBJECT = "6A81"

_LAYERS = {bytes.fromhex("0003"): 3, bytes.fromhex("0004"): 4}
_ACK_SIZE_BITS = 4
_ACK = b"\x0a"
_CLASSIC_BIT = 0x08
_KEY_SIZE = 6
_PAGE_SIZE, _BLOCK_SIZE = 4, 16
_EVERYTHING = 0xFF
"""PICC operating parameter of an ACR122U: poll for all kinds of cards, and send RATS (ACR122U API, 6.5)."""

Objects = list[tuple[str, bytes]]
Handler = Callable[[Field, bytes], bytes]


@dataclass(slots=True)
class _Session:
    """A transparent session: whether it is open, and whether the card is selected in it."""

    is_open: bool = False
    has_field: bool = True
    layer: int = 3


class ContactlessReader:
    """One reader with at most one card on it. `transparent=False` makes one of the model `plain`.

    :raises CardGone: by `transmit`, when the card leaves in the middle of it
    """

    def __init__(self, model: ReaderModel = DEFAULT_MODEL, *, transparent: bool = True) -> None:
        self.model = model if transparent else MODELS["plain"]
        self.field: Field | None = None
        self.signals: list[bytes] = []
        """Every LED and buzzer command: P2 and four bytes (ACR122U, `FF 00 40`)."""
        self.overwritten_keys: list[bytes] = []
        """What was written over a key of the reader, by those who took it for an ACR122U."""
        self._keys: dict[int, bytes] = {}
        self._session = _Session()
        self._air: Air | None = None
        self._antenna = _Fixed()
        self._chip = Pn532(self._antenna)
        self._is_stale = False
        self._polled = _EVERYTHING

    def place(self, field: Field) -> None:
        """Lay a card on the reader."""
        self.field = self._antenna.placed = field
        self._air = Air(field)
        self._session = _Session()
        self._is_stale = False

    def power_on(self) -> None:
        """Select the card, after IccPowerOn."""
        if self.field is not None:
            self._select()

    def power_off(self) -> None:
        """Switch the field off, after IccPowerOff. Ends a session."""
        self._session = _Session()
        if self._air is not None:
            self._chip.switch_off()
            self._air.switch_off()

    def atr(self) -> bytes:
        """The ATR made up for the card; empty without one."""
        if self.field is None or self.field.is_empty:
            return b""
        return contactless_atr(
            self.field.card, has_whole_ats=self.model.puts_whole_ats, is_acr122u=self.model.has_pn532
        )

    def transmit(self, apdu: bytes) -> bytes:
        """Answer an APDU, status word included."""
        if self.field is None or len(apdu) < 4:
            return _WRONG_LENGTH
        if apdu[0] != 0xFF:
            return self._pass_apdu(self.field, apdu)
        return self._handlers().get(apdu[1], _not_supported)(self.field, apdu)

    def _handlers(self) -> dict[int, Handler]:
        return {
            0x00: self._reader_command,
            0xCA: self._get_data,
            0xB0: self._read,
            0xD6: self._write,
            0x82: self._load_key,
            0x86: self._authenticate,
            0x88: self._authenticate_in_the_old_form,
            0xC2: self._transparent,
        }

    def _select(self) -> None:
        """Select the card as the firmware does it by itself: it forgets whom it trusted."""
        self._is_stale = False
        if self.model.has_pn532:
            self._chip.activate()
        elif self._air is not None:
            self._air.select()

    def _select_if_stale(self) -> None:
        """Frames that a program sent past the firmware are nothing to it: it begins anew with the card."""
        if self._is_stale:
            self._select()

    def _pass_apdu(self, field: Field, apdu: bytes) -> bytes:
        if not is_iso_dep(field.card):
            return _NOT_SUPPORTED
        return field.apdu(apdu) or _FAILED

    def _reader_command(self, _field: Field, apdu: bytes) -> bytes:
        """Class FF, instruction 00: the ACR122U's own commands, and what other brands make of them."""
        if not self.model.has_pn532:
            return self._bare_command(apdu)
        if apdu[2] == 0x00:
            return self._direct_transmit(apdu)
        if apdu[2] == 0x40 and len(apdu) == 9:
            self.signals.append(apdu[3:4] + apdu[5:])
            return bytes([0x90, apdu[3] & 0x03])
        if apdu[2] == 0x48:
            return self.model.firmware.encode("ascii")
        if apdu[2] in (0x50, 0x51):
            self._polled = apdu[3] if apdu[2] == 0x51 else self._polled
            return bytes([0x90, self._polled])
        return _DONE if apdu[2] in (0x41, 0x52) else _FAILED

    def _bare_command(self, apdu: bytes) -> bytes:
        if apdu[2:4] != bytes(2) or self.model.bare_command is BareCommand.REFUSES:
            return _NOT_SUPPORTED
        self.overwritten_keys.append(apdu[5:])
        return _DONE

    def _direct_transmit(self, apdu: bytes) -> bytes:
        """Hand a command to the PN532 (ACR122U API, 5.1)."""
        if len(apdu) < 7 or apdu[4] != len(apdu) - 5 or apdu[5] != 0xD4:
            return _FAILED
        self._is_stale = True
        try:
            answer = self._chip.execute(apdu[6:])
        except UnknownCommand:
            return _FAILED
        return _FAILED if answer is None else b"\xd5" + answer + _DONE

    def _get_data(self, field: Field, apdu: bytes) -> bytes:
        historical = historical_bytes(field.card) if self.model.tells_ats and is_iso_dep(field.card) else b""
        data = {0x00: field.card.uid, 0x01: historical}.get(apdu[2], b"")
        return data + _DONE if data else _NOT_SUPPORTED

    def _read(self, field: Field, apdu: bytes) -> bytes:
        if is_iso_dep(field.card):
            return _NOT_SUPPORTED
        sizes = (_BLOCK_SIZE,) if _is_classic(field) else (_PAGE_SIZE, _BLOCK_SIZE)
        if len(apdu) != 5 or apdu[4] not in sizes:
            return _WRONG_LENGTH
        self._select_if_stale()
        answer = field.exchange(bytes([0x30, apdu[3]]))
        if len(answer) == _BLOCK_SIZE:
            return answer[: apdu[4]] + _DONE
        return self._refuse(field)

    def _write(self, field: Field, apdu: bytes) -> bytes:
        if is_iso_dep(field.card):
            return _NOT_SUPPORTED
        size, code = (_BLOCK_SIZE, 0xA0) if _is_classic(field) else (_PAGE_SIZE, 0xA2)
        if len(apdu) != 5 + size or apdu[4] != size:
            return _WRONG_LENGTH
        self._select_if_stale()
        if field.exchange(bytes([code, apdu[3]]) + apdu[5:]) == _ACK:
            return _DONE
        return self._refuse(field)

    def _refuse(self, field: Field) -> bytes:
        """The card said no or nothing, and listens no more: select it again."""
        self._select()
        return _NOT_AUTHENTICATED if self.model.is_talkative and _is_classic(field) else _FAILED

    def _load_key(self, _field: Field, apdu: bytes) -> bytes:
        """`FF 82 STRUCTURE SLOT 06 KEY`."""
        trouble = self._trouble_with_key(apdu)
        if trouble:
            return trouble if self.model.is_talkative else _FAILED
        self._keys[apdu[3]] = apdu[5:]
        return _DONE

    def _trouble_with_key(self, apdu: bytes) -> bytes:
        if len(apdu) != 5 + _KEY_SIZE or apdu[4] != _KEY_SIZE:
            return _WRONG_KEY_LENGTH
        slots = self.model.slots(apdu[2])
        if not slots:
            return _NO_LASTING_MEMORY if apdu[2] & 0x20 else _NO_VOLATILE_MEMORY
        return b"" if apdu[3] in slots else _NO_SUCH_SLOT

    def _authenticate(self, field: Field, apdu: bytes) -> bytes:
        """`FF 86 00 00 05 01 00 BLOCK TYPE SLOT`."""
        if len(apdu) != 10 or apdu[4:7] != bytes.fromhex("050100"):
            return _WRONG_LENGTH
        return self._log_in(field, *apdu[7:])

    def _authenticate_in_the_old_form(self, field: Field, apdu: bytes) -> bytes:
        """`FF 88 00 BLOCK TYPE SLOT`."""
        return self._log_in(field, *apdu[3:]) if len(apdu) == 6 else _WRONG_LENGTH

    def _log_in(self, field: Field, block: int, key_type: int, slot: int) -> bytes:
        key = self._keys.get(slot)
        if key is None or key_type not in (0x60, 0x61) or not _is_classic(field):
            return _FAILED
        self._select_if_stale()
        if field.exchange(bytes([key_type, block]) + key + field.card.uid[-4:]) == _ACK:
            return _DONE
        self._select()
        return _FAILED

    def _transparent(self, field: Field, apdu: bytes) -> bytes:
        handler = {0x00: self._manage, 0x01: self._exchange, 0x02: self._switch}.get(apdu[3])
        if not self.model.is_transparent or apdu[2] != 0x00 or handler is None:
            return _NOT_SUPPORTED
        size = apdu[4] if len(apdu) > 4 else 0
        if len(apdu) not in (5 + size, 6 + size):
            return _WRONG_LENGTH
        objects = _parse_objects(apdu[5 : 5 + size])
        return (_status(1, _MALFORMED) if objects is None else handler(field, objects)) + _DONE

    def _manage(self, _field: Field, objects: Objects) -> bytes:
        for number, (tag, _) in enumerate(objects, start=1):
            if tag == "81":
                self._session = _Session(is_open=True)
            elif tag == "82":
                self._session = _Session()
            elif tag == "83":
                self._session.has_field = False
                if self._air is not None:
                    self._air.switch_off()
            elif tag == "84":
                self._session.has_field = True
            elif tag not in ("80", "5F46"):
                return _status(number, _UNKNOWN_OBJECT)
        return _status()

    def _switch(self, _field: Field, objects: Objects) -> bytes:
        """ISO 14443-A can be switched to, with the block protocol or without: the card is selected anew."""
        layer = _LAYERS.get(objects[0][1]) if len(objects) == 1 and objects[0][0] == "8F" else None
        if layer is None:
            return _status(1, _UNKNOWN_OBJECT)
        if not self._session.is_open or not self._session.has_field:
            return _status(1, _NO_SESSION)
        self._session.layer = layer
        self._select()
        return _status()

    def _exchange(self, _field: Field, objects: Objects) -> bytes:
        unknown = next((n for n, (tag, _) in enumerate(objects, 1) if tag not in ("90", "5F46", "95")), None)
        if unknown is not None:
            return _status(unknown, _UNKNOWN_OBJECT)
        if not self._session.is_open:
            return _status(1, _NO_SESSION)
        frames = [value for tag, value in objects if tag == "95"]
        answer = self._send(frames[0]) if frames and self._session.has_field else b""
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

    def _send(self, content: bytes) -> bytes:
        """A frame, or in layer 4 an APDU: then the reader makes blocks of it."""
        if self._air is None or not self._air.is_selected:
            return b""
        return self._air.field.apdu(content) if self._session.layer == 4 else self._air.frame(content)


class _Fixed(Antenna):
    """The antenna of a reader that is built for one card: it lies there until it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: Field | None = None

    @property
    def field(self) -> Field | None:
        """The card."""
        return None if self.placed is None or self.placed.is_empty else self.placed


def _is_classic(field: Field) -> bool:
    """Whether the card keeps its sectors behind Crypto1."""
    return field.card.standard == "A" and bool(field.card.sak & _CLASSIC_BIT)


def _not_supported(_field: Field, _apdu: bytes) -> bytes:
    return _NOT_SUPPORTED


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
