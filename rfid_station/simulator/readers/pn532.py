"""The firmware of an NXP PN532: a command in, its answer out. No line and no frames here.

From the user manual UM0701-02. What is there is what a host needs that works with cards: nfcpy, libnfc, and
the readers that have this chip inside (ACS ACR122U). Emulation of cards and peer-to-peer are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rfid_station.simulator.field import CardGone
from rfid_station.simulator.readers.air import Air
from rfid_station.simulator.readers.antenna import Antenna

FIRMWARE = bytes.fromhex("32010607")
"""IC, version, revision, and that it speaks ISO 18092, ISO 14443-A and ISO 14443-B."""

_OK, _TIMEOUT, _CRC_ERROR, _BAD_PARAMETER = 0x00, 0x01, 0x02, 0x10
_BAD_FORMAT, _AUTHENTICATION, _WRONG_CONTEXT = 0x13, 0x14, 0x27
_MORE = 0x40
_LARGEST_ANSWER = 262

_TX_MODE, _RX_MODE, _TX_CONTROL = 0x6302, 0x6303, 0x6304
_FIFO, _CONTROL, _BIT_FRAMING = 0x6339, 0x633C, 0x633D
_CRC_IS_ON = 0x80
_FRAMINGS = {0x00: "A", 0x02: "F", 0x03: "B"}
_RF_IS_ON = 0x03
_ACK_BITS, _FOUR_BITS = 4, 0x0F

_AUTOMATIC_RATS = 0x10
_ISO_DEP_BIT, _CLASSIC_BIT = 0x20, 0x08
_ACK = b"\x0a"
_LOGIN = (0x60, 0x61)

_MODES = {0: ("A", 0x80), 1: ("F", 0x92), 2: ("F", 0xA2), 3: ("B", 0x83)}
"""Baud rate and modulation of InListPassiveTarget: what is polled for, and how the registers stand then."""
_AUTOMATIC_POLL = {0x00: 0, 0x10: 0, 0x20: 0, 0x01: 1, 0x11: 1, 0x02: 2, 0x12: 2, 0x03: 3, 0x23: 3}
_FOR_EVER = 0xFF

Handler = Callable[[bytes], "bytes | None"]


class UnknownCommand(Exception):
    """The chip answers with an error frame: it does not know the command, or not with these parameters."""


class Pn532:
    """One chip and its antenna."""

    def __init__(self, antenna: Antenna) -> None:
        self.antenna = antenna
        self._registers: dict[int, int] = {}
        self._parameters = _AUTOMATIC_RATS | 0x04
        self._tries = _FOR_EVER
        self._air: Air | None = None
        self._rest = b""
        self._begun = b""

    def execute(self, command: bytes) -> bytes | None:
        """Carry out a command (code and parameters); its answer (code + 1 and data).

        None if the chip was told to look for a card until one comes, and there is none yet.

        :raises UnknownCommand: there is none of this code, or it makes no sense
        """
        handler = self._commands().get(command[0] if command else -1)
        if handler is None:
            raise UnknownCommand(command.hex())
        with self.antenna.lock:
            try:
                data = handler(command[1:])
            except IndexError:
                raise UnknownCommand(command.hex()) from None
        return None if data is None else bytes([command[0] + 1]) + data

    def activate(self) -> None:
        """Select the card as target 1, as a reader around this chip does by itself."""
        with self.antenna.lock:
            self._list_targets(bytes([1, 0]))

    def switch_off(self) -> None:
        """Take the field away, and forget the target."""
        with self.antenna.lock:
            self._set(_TX_CONTROL, 0x80)
            self._air, self._rest, self._begun = None, b"", b""
            if self.antenna.field is not None:
                self.antenna.field.switch_off()
            self.antenna.note_switched_off()

    def _commands(self) -> dict[int, Handler]:
        return {
            0x00: self._diagnose,
            0x02: lambda _: FIRMWARE,
            0x04: self._general_status,
            0x06: self._read_registers,
            0x08: self._write_registers,
            0x0C: lambda _: bytes(3),
            0x0E: lambda _: b"",
            0x10: lambda _: b"",
            0x12: self._set_parameters,
            0x14: lambda _: b"",
            0x16: self._power_down,
            0x32: self._configure,
            0x40: self._exchange_data,
            0x42: self._communicate_thru,
            0x44: self._deselect,
            0x46: lambda _: bytes([_TIMEOUT]),
            0x4A: self._list_targets,
            0x4E: lambda _: bytes([_OK]),
            0x52: self._release,
            0x54: lambda _: bytes([_OK if self._target() else _WRONG_CONTEXT]),
            0x56: lambda _: bytes([_TIMEOUT]),
            0x60: self._poll,
        }

    def _get(self, register: int) -> int:
        return self._registers.get(register, 0)

    def _set(self, register: int, value: int) -> None:
        self._registers[register] = value

    def _target(self) -> Air | None:
        """The card that was listed, if it still is the one that lies there."""
        is_there = self._air is not None and self._air.field is self.antenna.field
        return self._air if is_there else None

    def _diagnose(self, parameters: bytes) -> bytes:
        """Line test: all comes back. Card presence: is a target there. The others: passed."""
        if parameters[0] == 0x00:
            return parameters
        if parameters[0] == 0x06:
            return bytes([_OK if self._target() else _TIMEOUT])
        return bytes([_OK])

    def _general_status(self, _parameters: bytes) -> bytes:
        is_on = int(self._get(_TX_CONTROL) & _RF_IS_ON > 0)
        target = bytes([1, 1, 0, 0, 0]) if self._target() else bytes([0])
        return bytes([_OK, is_on]) + target + bytes([0x80])

    def _read_registers(self, parameters: bytes) -> bytes:
        return bytes(self._get(int.from_bytes(address)) for address in _cut(parameters, 2))

    def _write_registers(self, parameters: bytes) -> bytes:
        for entry in _cut(parameters, 3):
            self._set(int.from_bytes(entry[:2]), entry[2])
        return b""

    def _set_parameters(self, parameters: bytes) -> bytes:
        self._parameters = parameters[0]
        return b""

    def _power_down(self, _parameters: bytes) -> bytes:
        self.switch_off()
        return bytes([_OK])

    def _configure(self, parameters: bytes) -> bytes:
        item, values = parameters[0], parameters[1:]
        if item == 0x01 and not values[0] & 0x01:
            self.switch_off()
        elif item == 0x01:
            self._set(_TX_CONTROL, 0x80 | _RF_IS_ON)
        elif item == 0x05:
            self._tries = values[2]
        return b""

    def _list_targets(self, parameters: bytes) -> bytes | None:
        """InListPassiveTarget (7.3.5), of one card."""
        wanted = _MODES.get(parameters[1])
        self._air, self._rest, self._begun = None, b"", b""
        self._set(_TX_CONTROL, 0x80 | _RF_IS_ON)
        target = self._find(*wanted, parameters[2:]) if wanted else b""
        self.antenna.note_poll()
        if target:
            return b"\x01\x01" + target
        self._set(_FIFO, 0x26)
        return None if wanted and self._tries == _FOR_EVER else b"\x00"

    def _find(self, standard: str, mode: int, initiator_data: bytes) -> bytes:
        """Poll for a card and activate it; what is told about it, empty if there is none."""
        field = self.antenna.field
        if field is None or field.card.standard != standard:
            return b""
        for register in (_TX_MODE, _RX_MODE):
            self._set(register, mode)
        air = Air(field)
        try:
            target = {"A": self._find_a, "B": self._find_b, "F": self._find_f}[standard](air, initiator_data)
        except CardGone:
            return b""
        if target:
            self._air = air
            self._set(_FIFO, 0x00)
        return target

    def _find_a(self, air: Air, wanted: bytes) -> bytes:
        if wanted and wanted != _with_cascade_tags(air.card.uid):
            return b""
        uid = air.select()
        ats = b""
        if self._parameters & _AUTOMATIC_RATS and air.card.sak & _ISO_DEP_BIT:
            ats = air.activate()
        return air.card.atqa + bytes([air.card.sak, len(uid)]) + uid + ats

    def _find_b(self, air: Air, wanted: bytes) -> bytes:
        """The chip sends ATTRIB by itself, with channel 1 (7.3.5)."""
        answered = air.frame(b"\x05" + (wanted[:1] or b"\x00") + b"\x08")
        attribute = air.frame(b"\x1d" + answered[1:5] + bytes.fromhex("00080101")) if answered else b""
        return answered + bytes([len(attribute)]) + attribute if answered else b""

    def _find_f(self, air: Air, polling: bytes) -> bytes:
        return air.frame(bytes([len(polling) + 1]) + polling)

    def _poll(self, parameters: bytes) -> bytes | None:
        """InAutoPoll (7.3.13): the first kind of card that is there."""
        times, kinds = parameters[0], parameters[2:]
        for kind in kinds:
            rate = _AUTOMATIC_POLL.get(kind)
            if rate is None or (kind == 0x20 and not self._lies_iso_dep()):
                continue
            polling = bytes.fromhex("00FFFF0100") if _MODES[rate][0] == "F" else b""
            listed = self._list_targets(bytes([1, rate]) + polling)
            if listed and listed[0]:
                return bytes([1, kind, len(listed) - 1]) + listed[1:]
        return None if times == _FOR_EVER else b"\x00"

    def _lies_iso_dep(self) -> bool:
        field = self.antenna.field
        return field is not None and bool(field.card.sak & _ISO_DEP_BIT)

    def _deselect(self, _parameters: bytes) -> bytes:
        if self._air is not None:
            self._air.deselect()
        return bytes([_OK])

    def _release(self, parameters: bytes) -> bytes:
        self._deselect(parameters)
        self._air = None
        return bytes([_OK])

    def _exchange_data(self, parameters: bytes) -> bytes:
        """InDataExchange (7.3.8): APDUs to a card of ISO 14443-4, combined frames to MIFARE Classic."""
        if not parameters[0] & 0x0F:
            return bytes([_BAD_PARAMETER])
        air = self._target()
        if air is None or not air.is_selected:
            return bytes([_WRONG_CONTEXT])
        if self._rest and len(parameters) == 1:
            return self._part_of(self._rest)
        if parameters[0] & _MORE:
            self._begun += parameters[1:]
            return bytes([_OK])
        data, self._begun = self._begun + parameters[1:], b""
        try:
            return self._exchange_with(air, data)
        except CardGone:
            return bytes([_TIMEOUT])

    def _exchange_with(self, air: Air, data: bytes) -> bytes:
        if air.is_iso_dep:
            answer = air.field.apdu(data)
            return self._part_of(answer) if answer else bytes([_TIMEOUT])
        answer = _in_two_halves(air, data) if _is_long_write(air, data) else air.frame(data)
        if answer == _ACK:
            return bytes([_OK])
        if data[:1] and data[0] in _LOGIN and len(data) == 12:
            return bytes([_AUTHENTICATION])
        if len(answer) == 1:
            return bytes([_BAD_FORMAT])
        return bytes([_OK]) + answer if answer else bytes([_TIMEOUT])

    def _part_of(self, answer: bytes) -> bytes:
        """As much as goes into one frame to the host. It asks for the rest with an empty command."""
        part, self._rest = answer[:_LARGEST_ANSWER], answer[_LARGEST_ANSWER:]
        return bytes([_OK | (_MORE if self._rest else 0)]) + part

    def _communicate_thru(self, parameters: bytes) -> bytes:
        """InCommunicateThru (7.3.9): a frame as it is. The registers say who cares for CRC and framing."""
        air = self._air_for_frames()
        frame = self._without_crc(parameters)
        if air is None or frame is None or air.card.standard != _FRAMINGS.get(self._get(_TX_MODE) & 0x03):
            return bytes([_TIMEOUT])
        try:
            answer = air.frame(frame)
        except CardGone:
            return bytes([_TIMEOUT])
        return self._received(frame, answer)

    def _air_for_frames(self) -> Air | None:
        """The target, or a card that no one has listed yet: frames reach it as well."""
        field = self.antenna.field
        if field is None or not self._get(_TX_CONTROL) & _RF_IS_ON:
            return None
        if self._target() is None:
            self._air = Air(field)
        return self._air

    def _without_crc(self, frame: bytes) -> bytes | None:
        """What the card takes for the frame; None if it is no whole one, so that it does not answer."""
        if self._get(_TX_MODE) & _CRC_IS_ON or self._is_short or _is_anticollision(frame):
            return frame or None
        return frame[:-2] if len(frame) > 2 and crc_a(frame[:-2]) == frame[-2:] else None

    @property
    def _is_short(self) -> bool:
        """Whether frames of seven bits are sent: requests, and the back door of copied cards."""
        return self._get(_BIT_FRAMING) & 0x07 == 7

    def _received(self, frame: bytes, answer: bytes) -> bytes:
        """Status and answer, as the chip shows them. Answers of four bits never have check bytes."""
        if not answer:
            return bytes([_TIMEOUT])
        is_four_bits = len(answer) == 1 and answer[0] <= _FOUR_BITS and not _is_select(frame)
        self._set(_CONTROL, self._get(_CONTROL) & ~0x07 | (_ACK_BITS if is_four_bits else 0))
        has_check_bytes = not (is_four_bits or self._is_short or _is_anticollision(frame))
        if not self._get(_RX_MODE) & _CRC_IS_ON:
            return bytes([_OK]) + answer + (crc_a(answer) if has_check_bytes else b"")
        return bytes([_OK]) + answer if has_check_bytes else bytes([_CRC_ERROR])


def _is_long_write(air: Air, data: bytes) -> bool:
    """Whether the chip makes two frames of one command: of the write of 16 bytes that a Type 2 tag knows too.

    What is inside Crypto1 goes to a virtual MIFARE Classic as one (see `simulator.card`).
    """
    return data[:1] == b"\xa0" and len(data) == 18 and not air.card.sak & _CLASSIC_BIT


def _in_two_halves(air: Air, data: bytes) -> bytes:
    answer = air.frame(data[:2])
    return air.frame(data[2:]) if answer == _ACK else answer


def crc_a(frame: bytes) -> bytes:
    """The check bytes of a type A frame (ISO/IEC 14443-3, annex B: CRC-16 with start value 6363)."""
    crc = 0x6363
    for value in frame:
        value ^= crc & 0xFF
        value ^= value << 4 & 0xFF
        crc = crc >> 8 ^ value << 8 ^ value << 3 ^ value >> 4
    return crc.to_bytes(2, "little")


def _is_anticollision(frame: bytes) -> bool:
    """Anticollision frames have no CRC, nor have their answers (ISO/IEC 14443-3, 6.5.3)."""
    return len(frame) == 2 and frame[0] in (0x93, 0x95, 0x97) and frame[1] == 0x20


def _is_select(frame: bytes) -> bool:
    """A select is answered by the SAK, which is a whole byte."""
    return len(frame) == 7 and frame[0] in (0x93, 0x95, 0x97) and frame[1] == 0x70


def _with_cascade_tags(uid: bytes) -> bytes:
    """The UID as a host names it to InListPassiveTarget."""
    tag = b"\x88"
    return {4: uid, 7: tag + uid[:3] + uid[3:], 10: tag + uid[:3] + tag + uid[3:6] + uid[6:]}[len(uid)]


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    if len(data) % size:
        raise IndexError(data.hex())
    return (data[start : start + size] for start in range(0, len(data), size))
