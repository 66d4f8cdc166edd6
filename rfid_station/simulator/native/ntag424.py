"""NTAG 424 DNA, from the NXP data sheet NT4H2421Gx (rev. 3.0): AES secure messaging and dynamic messages.

Not modelled: LRP mode (it can be switched on, and then no AES authentication is accepted), the timing of the
authentication delay (each refused attempt works off a part of it), and the originality keys of LRP.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.simulator.card import State
from rfid_station.simulator.native.access_rights import FREE, NEVER, mode_of_access
from rfid_station.simulator.native.cipher import Algorithm, Cipher, crc32
from rfid_station.simulator.native.commands import (
    ISO_OK,
    NO_NAME,
    NOT_FOUND,
    NOT_NOW,
    NOT_SATISFIED,
    READ_BINARY,
    SELECT,
    UNKNOWN_INSTRUCTION,
    UPDATE_BINARY,
    WRONG_LENGTH,
    WRONG_P1_P2,
    Command,
    Reply,
    VirtualNative,
    data_field,
)
from rfid_station.simulator.native.sdm import KEYS, SdmReading, SdmSettings, parse_sdm
from rfid_station.simulator.native.secure_messaging import Mode, Refusal, Status

SAMPLE_UID = bytes.fromhex("0463474AA26A80")
_SAMPLE_SIGNATURE = bytes.fromhex(
    "27E9A50E6CA4BA9037C02F7D20A80D0284D0C1D83C67F5A5AC1D8A4EF86C9508"
    "417E4E9C6F85AA7920F0ABDED984CAF20467D66EA54BBF08"
)
"""A published pair: the only UID whose originality signature is genuine here."""

_NAMES = bytes.fromhex("D2760000850100"), bytes.fromhex("D2760000850101")
_IDENTIFIERS = bytes.fromhex("3F00"), bytes.fromhex("E110")
"""DF names and file identifiers of the master file and of the application (8.2.1, 8.2.2)."""

_READ_DATA, _WRITE_DATA = 0xAD, 0x8D
_LONGEST_ANSWER = 256
_PADDING_SIZE = 16
_COUNTER_END = 0xFFFFFF
_SDM_ENABLED = 0x40
_MODES = {0: Mode.PLAIN, 1: Mode.MAC, 2: Mode.PLAIN, 3: Mode.FULL}
_FRAME = 120
"""Bytes of file data that fit the first frame of 128: each frame is written whole or not at all (8.6)."""


@dataclass(slots=True)
class _File:
    """One of the three standard data files (table 5)."""

    identifier: bytes
    option: int
    rights: int
    data: bytes
    sdm: SdmSettings | None = None
    counter: int = 0

    @property
    def mode(self) -> Mode:
        return _MODES[self.option & 0x03]

    def right(self, place: int) -> int:
        """Read 3, write 2, both 1, change 0."""
        return self.rights >> 4 * place & 0xF


@dataclass(slots=True)
class _Key:
    raw: bytes = bytes(16)
    version: int = 0
    failures: int = 0
    """TotFailCtr: wrong attempts, less what right ones paid back."""


@dataclass(slots=True)
class FailurePolicy:
    """How the chip defends its keys (SetConfiguration 0A). All counts are attempts."""

    limit: int = 1000
    """After so many failures the key is blocked; 0 if that is switched off."""
    decrement: int = 10
    """What a right attempt pays back."""
    free: int = 50
    """So many failures in a row are not delayed. The data sheet names no figure."""


class VirtualNtag424(VirtualNative):
    """An NTAG 424 DNA. Only a chip with `SAMPLE_UID` has a genuine signature; others show 56 bytes 00."""

    full_name = "NTAG 424 DNA"
    ats = bytes.fromhex("067777710280")
    hardware = "04040230001105"
    software = "04040201021105"

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self.keys = [_Key() for _ in KEYS]
        self.files = _delivered_files()
        self.policy = FailurePolicy()
        self.is_lrp = False
        self._failures_in_a_row = 0
        self._delay = 0
        self._is_application_selected = False
        self._selected: int | None = None
        self._padding = b""

    @property
    def signature(self) -> bytes:
        """What Read_Sig answers."""
        return _SAMPLE_SIGNATURE if self._uid == SAMPLE_UID else bytes(len(_SAMPLE_SIGNATURE))

    def state(self) -> State:
        """Keys, files, counters and configuration."""
        return super().state() | {
            "keys": [[key.raw.hex(), key.version, key.failures] for key in self.keys],
            "files": {str(number): _file_state(file) for number, file in self.files.items()},
            "policy": [self.policy.limit, self.policy.decrement, self.policy.free],
            "lrp": self.is_lrp,
            "failures_in_a_row": self._failures_in_a_row,
            "delay": self._delay,
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.keys = [_Key(bytes.fromhex(raw), version, failures) for raw, version, failures in state["keys"]]
        for number, file in self.files.items():
            _restore_file(file, state["files"][str(number)])
        self.policy = FailurePolicy(*state["policy"])
        self.is_lrp = state["lrp"]
        self._failures_in_a_row = state["failures_in_a_row"]
        self._delay = state["delay"]

    def _lose_power(self) -> None:
        super()._lose_power()
        self._is_application_selected = False
        self._selected = None

    def _commands(self) -> dict[int, Command]:
        full = Mode.FULL
        return {
            0x60: Command(self._get_version, (0,)),
            0x51: Command(self._get_card_uid, (0,), answer=full),
            0x3C: Command(self._read_signature, (1,), answer=full),
            0x5C: Command(self._set_configuration, mode=full, header=1),
            0xC4: Command(self._change_key, mode=Mode.CRYPTOGRAM, header=1),
            0x64: Command(self._get_key_version, (1,)),
            0x5F: Command(self._change_file_settings, header=1, choose=self._modes_of_change),
            0xF5: Command(self._get_file_settings, (1,)),
            0xF6: Command(self._get_file_counters, (1,), answer=full),
            _READ_DATA: Command(self._read_data, (7,), choose=self._modes_of_read, is_long=True),
            _WRITE_DATA: Command(self._write_data, header=7, choose=self._modes_of_write, is_long=True),
        }

    # Keys

    def _key(self, number: int) -> Cipher:
        if not self._is_application_selected or number not in KEYS:
            raise Refusal(Status.NO_SUCH_KEY)
        if self.is_lrp or (self.policy.limit and self.keys[number].failures >= self.policy.limit):
            raise Refusal(Status.PERMISSION_DENIED)
        if self._delay:
            self._delay -= 1
            self.changes += 1
            raise Refusal(Status.AUTHENTICATION_DELAY)
        return self._cipher(number)

    def _cipher(self, number: int) -> Cipher:
        return Cipher(Algorithm.AES, self.keys[number].raw)

    def _note_attempt(self, key_number: int, *, is_right: bool) -> None:
        """Count failures over the life of the key, and in a row (9, AES Secure Messaging)."""
        key = self.keys[key_number]
        before = key.failures, self._failures_in_a_row
        if is_right:
            key.failures = max(0, key.failures - self.policy.decrement)
            self._failures_in_a_row = 0
        else:
            key.failures += 1
            self._failures_in_a_row += 1
            self._delay = max(0, self._failures_in_a_row - self.policy.free)
        self.changes += before != (key.failures, self._failures_in_a_row)

    def _check_master(self) -> None:
        if self._session is None or self._session.key_number != 0:
            raise Refusal(Status.AUTHENTICATION)

    def _change_key(self, data: bytes) -> Reply:
        number, body = data[0], data[1:]
        if number not in KEYS:
            raise Refusal(Status.NO_SUCH_KEY)
        self._check_master()
        key = self.keys[number]
        if len(body) != (17 if number == 0 else 21):
            raise Refusal(Status.LENGTH)
        new, version = body[:16], body[16]
        if number != 0:
            new = bytes(a ^ b for a, b in zip(new, key.raw, strict=True))
            if crc32(new) != body[17:]:
                raise Refusal(Status.INTEGRITY)
        self.keys[number] = _Key(new, version)
        self.changes += 1
        if number == 0:
            self._forget()
        return Reply()

    def _get_key_version(self, data: bytes) -> Reply:
        if not self._is_application_selected or data[0] not in KEYS:
            raise Refusal(Status.NO_SUCH_KEY)
        return Reply(bytes([self.keys[data[0]].version]))

    # The chip as a whole

    def _read_signature(self, data: bytes) -> Reply:
        if data != b"\x00":
            raise Refusal(Status.PARAMETER)
        if self.has_random_id and self._session is None:
            raise Refusal(Status.COMMAND_NOT_FOUND)
        return Reply(self.signature, Status.SIGNATURE)

    def _set_configuration(self, data: bytes) -> Reply:
        self._check_master()
        option, value = data[0], data[1:]
        sizes = {0x00: 1, 0x04: 2, 0x05: 10, 0x0A: 5, 0x0B: 1}
        if option not in sizes:
            raise Refusal(Status.PARAMETER)
        if len(value) != sizes[option]:
            raise Refusal(Status.LENGTH)
        if option == 0x00:
            self._set_random_id(value[0])
        elif option == 0x05:
            self.is_lrp = self.is_lrp or bool(value[4] & 0x02)
        elif option == 0x0A:
            self._set_failure_policy(value)
        self.changes += 1
        return Reply()

    def _set_random_id(self, value: int) -> None:
        """A card that hides its UID hides it for good."""
        if value & ~0x02:
            raise Refusal(Status.PARAMETER)
        self.has_random_id = self.has_random_id or bool(value & 0x02)

    def _set_failure_policy(self, value: bytes) -> None:
        limit, decrement = int.from_bytes(value[1:3], "little"), int.from_bytes(value[3:], "little")
        if value[0] & 0x01 and limit == 0:
            raise Refusal(Status.PARAMETER)
        self.policy = FailurePolicy(limit if value[0] & 0x01 else 0, decrement, self.policy.free)

    # Files

    def _file(self, number: int) -> _File:
        if not self._is_application_selected:
            raise Refusal(Status.PERMISSION_DENIED)
        if number not in self.files:
            raise Refusal(Status.FILE_NOT_FOUND)
        return self.files[number]

    def _access(self, file: _File, places: tuple[int, ...]) -> Mode:
        """How a file may be reached now (8.2.3.3): by the key that is authenticated, or freely and in plain.

        :raises Refusal: it may not
        """
        return mode_of_access([file.right(place) for place in places], file.mode, self._session)

    def _modes_of_read(self, data: bytes) -> tuple[Mode, Mode]:
        if not data:
            raise Refusal(Status.LENGTH)
        file = self._file(data[0])
        if self._session is None and file.sdm is not None and file.sdm.file_read != NEVER:
            return Mode.PLAIN, Mode.PLAIN
        mode = self._access(file, (3, 1))
        return (Mode.PLAIN if mode is Mode.PLAIN else Mode.COMMAND), mode

    def _modes_of_write(self, data: bytes) -> tuple[Mode, Mode]:
        if len(data) < 7:
            raise Refusal(Status.LENGTH)
        mode = self._access(self._file(data[0]), (2, 1))
        return mode, mode

    def _modes_of_change(self, data: bytes) -> tuple[Mode, Mode]:
        if not data:
            raise Refusal(Status.LENGTH)
        file = self._file(data[0])
        change = file.right(0)
        if change == NEVER:
            raise Refusal(Status.PERMISSION_DENIED)
        if self._session is not None and self._session.key_number == change:
            return Mode.FULL, Mode.FULL
        if change == FREE:
            return Mode.PLAIN, Mode.PLAIN
        raise Refusal(Status.AUTHENTICATION)

    def _get_file_settings(self, data: bytes) -> Reply:
        file = self._file(data[0])
        head = bytes([0x00, file.option]) + file.rights.to_bytes(2, "little")
        size = len(file.data).to_bytes(3, "little")
        return Reply(head + size + (file.sdm.to_bytes() if file.sdm else b""))

    def _change_file_settings(self, data: bytes) -> Reply:
        number, body = data[0], data[1:]
        file = self._file(number)
        if len(body) < 3:
            raise Refusal(Status.LENGTH)
        option, rights = body[0], int.from_bytes(body[1:3], "little")
        self._check_settings(option, rights)
        sdm = self._new_sdm(number, option, body[3:])
        if sdm is not None:
            counter = file.counter if file.sdm is not None else 0
            sdm.check(len(file.data), counter)
            file.counter = counter
        file.option, file.rights, file.sdm = option, rights, sdm
        self.changes += 1
        return Reply()

    def _check_settings(self, option: int, rights: int) -> None:
        conditions = [rights >> shift & 0xF for shift in (12, 8, 4, 0)]
        if option & 0xBC or any(right not in (*KEYS, FREE, NEVER) for right in conditions):
            raise Refusal(Status.PARAMETER)

    def _new_sdm(self, number: int, option: int, rest: bytes) -> SdmSettings | None:
        if not option & _SDM_ENABLED:
            if rest:
                raise Refusal(Status.LENGTH)
            return None
        if number != 2:
            raise Refusal(Status.PERMISSION_DENIED)
        return parse_sdm(rest)

    def _get_file_counters(self, data: bytes) -> Reply:
        file = self._file(data[0])
        right = file.sdm.counter_retrieval if file.sdm is not None else NEVER
        if right == NEVER:
            raise Refusal(Status.PERMISSION_DENIED)
        if right != FREE and (self._session is None or self._session.key_number != right):
            raise Refusal(Status.AUTHENTICATION)
        return Reply(file.counter.to_bytes(3, "little") + bytes(2))

    def _read_data(self, data: bytes) -> Reply:
        number = data[0]
        file = self._file(number)
        offset, length = int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:], "little")
        if offset >= len(file.data) or offset + length > len(file.data):
            raise Refusal(Status.BOUNDARY)
        content = self._shown(_READ_DATA, number)
        if content is None:
            raise Refusal(Status.PERMISSION_DENIED)
        part = content[offset : offset + length if length else len(content)]
        mode = self._modes_of_read(data)[1]
        if self._session is not None and self._session.sealed_size(len(part), mode) > _LONGEST_ANSWER:
            raise Refusal(Status.LENGTH)
        return Reply(part)

    def _write_data(self, data: bytes) -> Reply:
        file = self._file(data[0])
        offset, length = int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:7], "little")
        if length == 0 or len(data) != 7 + length:
            raise Refusal(Status.LENGTH)
        if offset + length > len(file.data):
            raise Refusal(Status.BOUNDARY)
        self._write(file, offset, data[7:])
        return Reply()

    def _write(self, file: _File, offset: int, new: bytes) -> None:
        now = file.data[offset : offset + len(new)]
        file.data = file.data[:offset] + self._programmed(now, new) + file.data[offset + len(new) :]
        self.changes += 1

    def _programmed(self, now: bytes, new: bytes) -> bytes:
        """Frames are written whole: of a long write the first ones, of a short one nothing."""
        if self._tear is None or len(new) <= _FRAME:
            return new
        self._was_torn = True
        return new[:_FRAME] + now[_FRAME:]

    def _shown(self, command: int, number: int) -> bytes | None:
        """The file as this reader gets it; None when its counter is at the end (9.3.1 to 9.3.3)."""
        file = self.files[number]
        if self._session is not None or file.sdm is None:
            return file.data
        self._read_run = command, number
        if self._read_run != self._run_before:
            if file.sdm.has_counter:
                end = _COUNTER_END if file.sdm.limit is None else file.sdm.limit
                if file.counter >= end:
                    return None
                file.counter += 1
                self.changes += 1
            self._padding = self.draw(_PADDING_SIZE)
        reading = SdmReading(file.sdm, self._uid, file.counter, self._padding, self._cipher)
        return reading.dynamic(file.data)

    # ISO/IEC 7816-4

    def _interindustry(self, apdu: bytes) -> bytes:
        handlers = {SELECT: self._select, READ_BINARY: self._read_binary, UPDATE_BINARY: self._update_binary}
        handler = handlers.get(apdu[1])
        return handler(apdu) if handler else UNKNOWN_INSTRUCTION

    def _select(self, apdu: bytes) -> bytes:
        name = data_field(apdu)
        if name is None:
            return WRONG_LENGTH
        if apdu[2] not in (0, 1, 2, 3, 4) or apdu[3] not in (0x00, 0x0C):
            return WRONG_P1_P2
        if apdu[2] == 4 and not name:
            return NO_NAME
        master_file, application = _NAMES if apdu[2] == 4 else _IDENTIFIERS
        if name in (master_file, b""):
            return self._enter(is_application=False)
        if name == application:
            return self._enter(is_application=True)
        by_identifier = {file.identifier: number for number, file in self.files.items()}
        if apdu[2] in (0, 2) and self._is_application_selected and name in by_identifier:
            self._selected = by_identifier[name]
            return ISO_OK
        return NOT_FOUND

    def _enter(self, *, is_application: bool) -> bytes:
        """Change the place in the file system; an authentication is not taken along."""
        self._forget()
        self._is_application_selected = is_application
        self._selected = None
        return ISO_OK

    def _read_binary(self, apdu: bytes) -> bytes:
        if len(apdu) != 5:
            return WRONG_LENGTH
        target = self._target(apdu)
        if isinstance(target, bytes):
            return target
        number, offset = target
        file = self.files[number]
        is_open = FREE in (file.right(3), file.right(1)) or (
            file.sdm is not None and file.sdm.file_read != NEVER
        )
        if self._session is not None or not is_open:
            return NOT_SATISFIED
        if offset >= len(file.data):
            return WRONG_P1_P2
        content = self._shown(READ_BINARY, number)
        return NOT_SATISFIED if content is None else content[offset : offset + (apdu[4] or 256)] + ISO_OK

    def _update_binary(self, apdu: bytes) -> bytes:
        """Write in plain. An Le behind the data is a wrong length (seen on real chips: NXP forum 1729047)."""
        data = apdu[5:]
        if not data or len(data) != apdu[4]:
            return WRONG_LENGTH
        target = self._target(apdu)
        if isinstance(target, bytes):
            return target
        number, offset = target
        file = self.files[number]
        if self._session is not None or FREE not in (file.right(2), file.right(1)):
            return NOT_SATISFIED
        if offset + len(data) > len(file.data):
            return WRONG_LENGTH
        self._write(file, offset, data)
        return ISO_OK

    def _target(self, apdu: bytes) -> tuple[int, int] | bytes:
        """The file and the offset that P1 and P2 mean, or why they mean none."""
        if apdu[2] & 0x80:
            number = next(
                (n for n, f in self.files.items() if f.identifier[1] & 0x1F == apdu[2] & 0x1F), None
            )
            if number is None or not self._is_application_selected:
                return NOT_FOUND
            self._selected = number
            return number, apdu[3]
        return NOT_NOW if self._selected is None else (self._selected, apdu[2] << 8 | apdu[3])


def _delivered_files() -> dict[int, _File]:
    """As the chip is delivered (8.2.3.2, tables 8 and 13)."""
    container = bytes.fromhex("001720010000FF0406E104010000000506E10500808283")
    return {
        1: _File(bytes.fromhex("E103"), 0x00, 0xE000, container.ljust(32, b"\x00")),
        2: _File(bytes.fromhex("E104"), 0x00, 0xEEE0, bytes(256)),
        3: _File(bytes.fromhex("E105"), 0x03, 0x2330, bytes.fromhex("007E").ljust(128, b"\x00")),
    }


def _file_state(file: _File) -> State:
    return {
        "option": file.option,
        "rights": file.rights,
        "data": file.data.hex(),
        "sdm": file.sdm.to_bytes().hex() if file.sdm else None,
        "counter": file.counter,
    }


def _restore_file(file: _File, state: State) -> None:
    file.option, file.rights, file.counter = state["option"], state["rights"], state["counter"]
    file.data = bytes.fromhex(state["data"])
    file.sdm = parse_sdm(bytes.fromhex(state["sdm"])) if state["sdm"] is not None else None
