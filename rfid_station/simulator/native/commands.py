"""The command interface of MIFARE DESFire and NTAG 4xx DNA: framing, chaining, authentication, refusals.

Native commands come in APDUs of class 90 and are answered with 91xx, or come as they are and are answered
with the status first (DESFire only). Class 00 is ISO/IEC 7816-4. NT4H2421Gx rev. 3.0, 8.3 to 8.5 and 10.2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from rfid_station.simulator.native.cipher import Cipher
from rfid_station.simulator.native.handshake import (
    AES,
    D40,
    EV2_FIRST,
    EV2_NEXT,
    ISO,
    Handshake,
    begin,
)
from rfid_station.simulator.native.iso_dep import VirtualIsoDep
from rfid_station.simulator.native.secure_messaging import Ev2Session, Mode, Refusal, Session, Status

MORE_FRAMES = 0xAF
_ALL = 0xFF
WRAPPED, INTERINDUSTRY = 0x90, 0x00
SELECT, READ_BINARY, UPDATE_BINARY = 0xA4, 0xB0, 0xD6

ISO_OK = bytes.fromhex("9000")
WRONG_LENGTH = bytes.fromhex("6700")
NOT_SATISFIED = bytes.fromhex("6982")
NOT_NOW = bytes.fromhex("6985")
NOT_FOUND = bytes.fromhex("6A82")
WRONG_P1_P2 = bytes.fromhex("6A86")
NO_NAME = bytes.fromhex("6A87")
UNKNOWN_INSTRUCTION = bytes.fromhex("6D00")
UNKNOWN_CLASS = bytes.fromhex("6E00")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command gives back: data, and where a frame ends before the last one."""

    data: bytes = b""
    status: Status = Status.OK
    frames: tuple[int, ...] = ()
    """Sizes of all frames but the last, where the command itself parts its answer."""
    is_open_ended: bool = False
    """Whether nobody asked for just so much data."""


@dataclass(frozen=True, slots=True)
class Command:
    """A native command: who carries it out, and how it is protected."""

    obey: Callable[[bytes], Reply]
    sizes: tuple[int, ...] | None = None
    """How long its data may be when it is plain; any length if None."""
    mode: Mode = Mode.COMMAND
    answer: Mode | None = None
    """How the answer is protected, if not as the command."""
    header: int = _ALL
    """How many bytes of the data are never enciphered."""
    choose: Callable[[bytes], tuple[Mode, Mode]] | None = None
    """Modes of command and answer by file, where they depend on it."""
    sealed_size: Callable[[bytes, Mode], int] | None = None
    """How much data comes in all frames together, where it may come in several."""
    is_long: bool = False
    """Whether layer 4 chains its frames, so that no frame of its own has a limit."""


def data_field(apdu: bytes) -> bytes | None:
    """Command data with or without an Le behind it; None if the length is wrong."""
    if len(apdu) <= 5:
        return b"" if len(apdu) == 4 or apdu[4] == 0 else None
    return apdu[5 : 5 + apdu[4]] if len(apdu) in (5 + apdu[4], 6 + apdu[4]) else None


@dataclass(frozen=True, slots=True)
class _Incoming:
    command: int
    data: bytes


class VirtualNative(VirtualIsoDep):
    """A chip of NXP that takes native commands."""

    takes_native_frames: ClassVar[bool] = False
    frame_size: ClassVar[int] = 0
    """The longest native frame, status or command included; 0 where layer 4 chains everything."""
    authentications: tuple[int, ...] = (EV2_FIRST, EV2_NEXT)
    hardware: str
    software: str
    """Vendor, type, subtype, major, minor, storage, protocol: of the hardware and of the software."""
    production: ClassVar[str] = "CF41F05A202424"
    """Batch number, calendar week and year."""

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self._session: Session | None = None
        self._handshake: Handshake | None = None
        self._outgoing: list[bytes] = []
        self._incoming: _Incoming | None = None
        self._read_run: tuple[int, int] | None = None
        """Which command just read which file."""
        self._run_before: tuple[int, int] | None = None
        """The same of the command before."""

    @abstractmethod
    def _commands(self) -> dict[int, Command]:
        """The native commands, authentication left out."""

    @abstractmethod
    def _key(self, number: int) -> Cipher:
        """The key to authenticate with.

        :raises Refusal: there is none, or it is not to be used
        """

    @abstractmethod
    def _interindustry(self, apdu: bytes) -> bytes:
        """Answer a command of ISO/IEC 7816-4."""

    def _lose_power(self) -> None:
        self._forget()
        self._read_run = None

    def _forget(self) -> None:
        """Lose the authentication and whatever was begun."""
        self._session = None
        self._handshake = None
        self._outgoing = []
        self._incoming = None

    @property
    def _is_busy(self) -> bool:
        return self._handshake is not None or self._incoming is not None or bool(self._outgoing)

    def _obey(self, command: bytes) -> bytes:
        self._run_before, self._read_run = self._read_run, None
        if command[0] == WRAPPED and (len(command) > 3 or not self.takes_native_frames):
            return self._wrapped(command)
        if command[0] == INTERINDUSTRY:
            return self._plain(command)
        return self._other_class(command)

    def _wrapped(self, apdu: bytes) -> bytes:
        if len(apdu) < 5 or apdu[2:4] != b"\x00\x00":
            return bytes([0x91, Status.LENGTH if len(apdu) < 5 else Status.PARAMETER])
        data = apdu[5:-1]
        if len(apdu) != 5 and (len(apdu) != 6 + apdu[4] or not data):
            self._forget()
            return bytes([0x91, Status.LENGTH])
        status, answer = self._native(apdu[1], data, len(apdu))
        return answer + bytes([0x91, status])

    def _plain(self, apdu: bytes) -> bytes:
        if len(apdu) < 4:
            return WRONG_LENGTH
        if self._is_busy:
            self._forget()
            return NOT_NOW
        return self._interindustry(apdu)

    def _other_class(self, command: bytes) -> bytes:
        if not self.takes_native_frames:
            return UNKNOWN_CLASS
        status, answer = self._native(command[0], command[1:], len(command))
        return bytes([status]) + answer

    def _native(self, command: int, data: bytes, frame: int) -> tuple[int, bytes]:
        try:
            return self._carry_out(command, data, frame)
        except Refusal as refusal:
            self._forget()
            return refusal.status, b""

    def _carry_out(self, command: int, data: bytes, frame: int) -> tuple[int, bytes]:
        if command == MORE_FRAMES:
            return self._continue(data, frame)
        if self._is_busy:
            raise Refusal(Status.ABORTED)
        if command in self.authentications:
            return self._authenticate(command, data)
        entry = self._commands().get(command)
        if entry is None:
            raise Refusal(Status.ILLEGAL_COMMAND)
        if not entry.is_long:
            self._check_frame(frame)
        return self._collect(command, entry, data)

    def _continue(self, data: bytes, frame: int) -> tuple[int, bytes]:
        self._check_frame(frame)
        if self._handshake is not None:
            handshake, self._handshake = self._handshake, None
            return self._finish(handshake, data)
        if self._incoming is not None:
            incoming, self._incoming = self._incoming, None
            entry = self._commands()[incoming.command]
            return self._collect(incoming.command, entry, incoming.data + data)
        if self._outgoing and not data:
            part = self._outgoing.pop(0)
            return (Status.MORE if self._outgoing else Status.OK), part
        raise Refusal(Status.ILLEGAL_COMMAND)

    def _check_frame(self, size: int) -> None:
        if self.frame_size and size > self.frame_size:
            raise Refusal(Status.LENGTH)

    def _collect(self, command: int, entry: Command, data: bytes) -> tuple[int, bytes]:
        modes = entry.choose(data) if entry.choose else (entry.mode, entry.answer or entry.mode)
        if entry.sealed_size is not None:
            total = entry.sealed_size(data, modes[0])
            if len(data) > total:
                raise Refusal(Status.LENGTH)
            if len(data) < total:
                if entry.is_long:
                    raise Refusal(Status.LENGTH)
                self._incoming = _Incoming(command, data)
                return Status.MORE, b""
        return self._complete(command, entry, data, modes)

    def _complete(
        self, command: int, entry: Command, data: bytes, modes: tuple[Mode, Mode]
    ) -> tuple[int, bytes]:
        session = self._session
        if session is not None:
            data = session.unseal(command, data, entry.header, modes[0])
        is_short = entry.header != _ALL and len(data) < entry.header
        if is_short or (entry.sizes is not None and len(data) not in entry.sizes):
            raise Refusal(Status.LENGTH)
        reply = entry.obey(data)
        if session is not None and session is self._session:
            sealed = session.seal(reply.status, reply.data, modes[1], is_open_ended=reply.is_open_ended)
            reply = replace(reply, data=sealed)
        return self._first_frame(reply, is_long=entry.is_long)

    def _first_frame(self, reply: Reply, *, is_long: bool) -> tuple[int, bytes]:
        parts: list[bytes] = []
        rest = reply.data
        for size in reply.frames:
            parts.append(rest[:size])
            rest = rest[size:]
        limit = self.frame_size - 1 if self.frame_size and not is_long and not reply.frames else 0
        while limit and len(rest) > limit:
            parts.append(rest[:limit])
            rest = rest[limit:]
        first, *self._outgoing = [*parts, rest]
        return (Status.MORE if self._outgoing else reply.status), first

    def _authenticate(self, command: int, data: bytes) -> tuple[int, bytes]:
        before, self._session = self._session, None
        self._forget()
        if not data or (command not in (EV2_FIRST,) and len(data) != 1):
            raise Refusal(Status.LENGTH)
        capabilities = self._capabilities(data) if command == EV2_FIRST else b""
        if command == EV2_NEXT and not isinstance(before, Ev2Session):
            raise Refusal(Status.PERMISSION_DENIED)
        number = data[0] & 0x3F
        handshake = begin(command, number, self._key(number), self.draw)
        handshake.reader_capabilities = capabilities
        handshake.before = before if command == EV2_NEXT else None
        self._handshake = handshake
        return Status.MORE, handshake.challenge

    def _capabilities(self, data: bytes) -> bytes:
        """What the reader says of itself: cut off or filled up to six bytes."""
        if len(data) < 2 or data[1] > 6 or len(data) != 2 + data[1]:
            raise Refusal(Status.LENGTH)
        return data[2:].ljust(6, b"\x00")

    def _finish(self, handshake: Handshake, data: bytes) -> tuple[int, bytes]:
        try:
            answer, session = handshake.finish(data, self.draw)
        except Refusal:
            self._note_attempt(handshake.key_number, is_right=False)
            raise
        self._note_attempt(handshake.key_number, is_right=True)
        self._session = session
        return Status.OK, answer

    def _note_attempt(self, key_number: int, *, is_right: bool) -> None:
        """Count authentications, where the chip does."""

    def _get_version(self, _data: bytes) -> Reply:
        uid = bytes(7) if self.has_random_id else self._uid
        parts = bytes.fromhex(self.hardware), bytes.fromhex(self.software)
        return Reply(b"".join(parts) + uid + bytes.fromhex(self.production), frames=(7, 7))

    def _get_card_uid(self, _data: bytes) -> Reply:
        if self._session is None:
            raise Refusal(Status.AUTHENTICATION)
        return Reply(self._uid)


ALL_AUTHENTICATIONS = (D40, ISO, AES, EV2_FIRST, EV2_NEXT)
EV1_AUTHENTICATIONS = (D40, ISO, AES)
