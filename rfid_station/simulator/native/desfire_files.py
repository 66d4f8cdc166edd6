"""The file system of a MIFARE DESFire: access rights, reading, writing, backup, ISO/IEC 7816-4."""

from __future__ import annotations

from typing import ClassVar

from rfid_station.simulator.card import State
from rfid_station.simulator.native.access_rights import FREE, NEVER, mode_of_access
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
from rfid_station.simulator.native.desfire_memory import (
    FREE_CREATION,
    FREE_LISTING,
    PICC,
    Application,
    FileKind,
    StoredFile,
    application_from,
    application_state,
    new_picc,
)
from rfid_station.simulator.native.secure_messaging import D40Session, Mode, Refusal, Status

MASTER_FILE = bytes.fromhex("D2760000850100")
_MASTER_FILE_ID = bytes.fromhex("3F00")

_MOST_FILES = 32
_HEADER = 7
"""File number, offset and length."""
_SECRET_MODES = (Mode.MAC, Mode.FULL)


class VirtualDesfireFiles(VirtualNative):
    """Applications and the files in them. Frames are 60 bytes long: an FSC of 64 without header and CRC."""

    ats = bytes.fromhex("067577810280")
    takes_native_frames = True
    frame_size: ClassVar[int] = 60

    def __init__(self, chip: str, uid: bytes, capacity: int) -> None:
        super().__init__(chip, uid)
        self.capacity = capacity
        self.taken = 0
        """Memory that is spent, on deleted applications and files as well."""
        self.applications: dict[bytes, Application] = {PICC: new_picc()}
        self._application_id = PICC
        self._selected_file: int | None = None

    @property
    def _application(self) -> Application:
        return self.applications[self._application_id]

    @property
    def _uses_short_checksums(self) -> bool:
        return isinstance(self._session, D40Session)

    def state(self) -> State:
        """Applications with keys and files."""
        applications = self.applications.items()
        return super().state() | {
            "taken": self.taken,
            "applications": {number.hex(): application_state(entry) for number, entry in applications},
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.taken = state["taken"]
        applications = state["applications"].items()
        self.applications = {bytes.fromhex(number): application_from(entry) for number, entry in applications}
        if self._application_id not in self.applications:
            self._application_id = PICC

    def _lose_power(self) -> None:
        super()._lose_power()
        self._application_id = PICC
        self._selected_file = None

    def _forget(self) -> None:
        super()._forget()
        for application in self.applications.values():
            for file in application.files.values():
                file.pending = None

    def _enter(self, identifier: bytes) -> None:
        """Select an application. An authentication is not taken along."""
        self._forget()
        self._application_id = identifier
        self._selected_file = None

    def _file_commands(self, *, has_long: bool) -> dict[int, Command]:
        read, write = self._modes_of_read, self._modes_of_write
        commands = {
            0x6F: Command(self._list_files, (0,)),
            0x61: Command(self._list_identifiers, (0,)),
            0xF5: Command(self._get_file_settings, (1,)),
            0x5F: Command(self._change_file_settings, (4,), header=1, choose=self._modes_of_change),
            0xCD: Command(self._create_standard_file),
            0xCB: Command(self._create_backup_file),
            0xDF: Command(self._delete_file, (1,)),
            0xC7: Command(self._commit, (0, 1)),
            0xA7: Command(self._abort, (0,)),
            0xBD: Command(self._read_data, (7,), choose=read),
            0x3D: Command(self._write_data, header=_HEADER, choose=write, sealed_size=self._write_size),
        }
        if has_long:
            commands[0xAD] = Command(self._read_data, (7,), choose=read, is_long=True)
            commands[0x8D] = Command(
                self._write_data, header=_HEADER, choose=write, sealed_size=self._write_size, is_long=True
            )
        return commands

    # Permission

    def _check_master(self) -> None:
        if self._session is None or self._session.key_number != 0:
            raise Refusal(Status.AUTHENTICATION)

    def _take_room(self, room: int) -> None:
        if self.taken + room > self.capacity:
            raise Refusal(Status.OUT_OF_MEMORY)
        self.taken += room

    def _file(self, number: int) -> StoredFile:
        if self._application_id == PICC:
            raise Refusal(Status.PERMISSION_DENIED)
        if number not in self._application.files:
            raise Refusal(Status.FILE_NOT_FOUND)
        return self._application.files[number]

    def _access(self, file: StoredFile, places: tuple[int, ...]) -> Mode:
        """How a file may be reached now: in its own mode with a key that is named, else freely and in plain.

        :raises Refusal: it may not
        """
        return mode_of_access([file.right(place) for place in places], file.mode, self._session)

    def _modes_of_read(self, data: bytes) -> tuple[Mode, Mode]:
        if not data:
            raise Refusal(Status.LENGTH)
        mode = self._access(self._file(data[0]), (3, 1))
        return (Mode.COMMAND if mode in _SECRET_MODES else Mode.PLAIN), mode

    def _modes_of_write(self, data: bytes) -> tuple[Mode, Mode]:
        if len(data) < _HEADER:
            raise Refusal(Status.LENGTH)
        mode = self._access(self._file(data[0]), (2, 1))
        return mode, mode

    def _modes_of_change(self, data: bytes) -> tuple[Mode, Mode]:
        """Enciphered with the key that may change the settings; in plain if all may (M134034, 9.5.4)."""
        if not data:
            raise Refusal(Status.LENGTH)
        change = self._file(data[0]).right(0)
        if change == NEVER:
            raise Refusal(Status.PERMISSION_DENIED)
        if change == FREE:
            return Mode.PLAIN, Mode.PLAIN
        if self._session is None or self._session.key_number != change:
            raise Refusal(Status.AUTHENTICATION)
        return Mode.FULL, Mode.FULL

    def _write_size(self, data: bytes, mode: Mode) -> int:
        size = int.from_bytes(data[4:_HEADER], "little")
        return _HEADER + (size if self._session is None else self._session.sealed_size(size, mode))

    # Files

    def _list_files(self, _data: bytes) -> Reply:
        self._check_in_application()
        return Reply(bytes(self._application.files))

    def _list_identifiers(self, _data: bytes) -> Reply:
        self._check_in_application()
        identifiers = b"".join(file.identifier for file in self._application.files.values())
        if not identifiers:
            raise Refusal(Status.FILE_NOT_FOUND)
        return Reply(identifiers)

    def _check_in_application(self) -> None:
        if self._application_id == PICC:
            raise Refusal(Status.PERMISSION_DENIED)
        if not self._application.allows(FREE_LISTING):
            self._check_master()

    def _get_file_settings(self, data: bytes) -> Reply:
        file = self._file(data[0])
        if not self._application.allows(FREE_LISTING):
            self._check_master()
        return Reply(file.settings())

    def _change_file_settings(self, data: bytes) -> Reply:
        file = self._file(data[0])
        communication, rights = data[1], int.from_bytes(data[2:], "little")
        self._check_settings(communication, rights)
        file.communication, file.rights = communication, rights
        self.changes += 1
        return Reply()

    def _check_settings(self, communication: int, rights: int) -> None:
        named = [rights >> shift & 0xF for shift in (12, 8, 4, 0)]
        is_known = all(right in (FREE, NEVER) or right < len(self._application.keys) for right in named)
        if communication not in (0, 1, 3) or not is_known:
            raise Refusal(Status.PARAMETER)

    def _create_standard_file(self, data: bytes) -> Reply:
        return self._create_file(FileKind.STANDARD, data)

    def _create_backup_file(self, data: bytes) -> Reply:
        return self._create_file(FileKind.BACKUP, data)

    def _create_file(self, kind: FileKind, data: bytes) -> Reply:
        if self._application_id == PICC:
            raise Refusal(Status.PERMISSION_DENIED)
        application = self._application
        head = 3 if application.uses_identifiers else 1
        if len(data) != head + 6:
            raise Refusal(Status.LENGTH)
        if not application.allows(FREE_CREATION):
            self._check_master()
        number, identifier, rest = data[0], data[1:head], data[head:]
        size = int.from_bytes(rest[3:], "little")
        if number >= _MOST_FILES or size == 0:
            raise Refusal(Status.PARAMETER)
        rights = int.from_bytes(rest[1:3], "little")
        self._check_settings(rest[0], rights)
        others = application.files.values()
        if number in application.files or (
            identifier and any(identifier == file.identifier for file in others)
        ):
            raise Refusal(Status.DUPLICATE)
        file = StoredFile(kind, rest[0], rights, bytes(size), identifier)
        self._take_room(file.room)
        application.files[number] = file
        self.changes += 1
        return Reply()

    def _delete_file(self, data: bytes) -> Reply:
        self._file(data[0])
        if not self._application.allows(FREE_CREATION):
            self._check_master()
        del self._application.files[data[0]]
        self._selected_file = None
        self.changes += 1
        return Reply()

    def _read_data(self, data: bytes) -> Reply:
        file = self._file(data[0])
        offset, length = int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:], "little")
        end = offset + length if length else len(file.data)
        if offset >= len(file.data) or end > len(file.data):
            raise Refusal(Status.BOUNDARY)
        return Reply(file.data[offset:end], is_open_ended=length == 0)

    def _write_data(self, data: bytes) -> Reply:
        file = self._file(data[0])
        offset, length = int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:_HEADER], "little")
        new = data[_HEADER:]
        if length == 0 or len(new) != length:
            raise Refusal(Status.LENGTH)
        if offset + length > len(file.data):
            raise Refusal(Status.BOUNDARY)
        if file.kind is FileKind.BACKUP:
            now = file.data if file.pending is None else file.pending
            file.pending = now[:offset] + new + now[offset + length :]
        else:
            self._program(file, offset, new)
        return Reply()

    def _program(self, file: StoredFile, offset: int, new: bytes) -> None:
        end = offset + len(new)
        file.data = file.data[:offset] + self._programmed(file.data[offset:end], new) + file.data[end:]
        self.changes += 1

    def _commit(self, _data: bytes) -> Reply:
        if self._application_id == PICC:
            raise Refusal(Status.PERMISSION_DENIED)
        written = [file for file in self._application.files.values() if file.pending is not None]
        for file in written:
            file.data, file.pending = file.pending or b"", None
        self.changes += bool(written)
        return Reply(status=Status.OK if written else Status.NO_CHANGES)

    def _abort(self, _data: bytes) -> Reply:
        if self._application_id == PICC:
            raise Refusal(Status.PERMISSION_DENIED)
        written = [file for file in self._application.files.values() if file.pending is not None]
        for file in written:
            file.pending = None
        return Reply(status=Status.OK if written else Status.NO_CHANGES)

    # ISO/IEC 7816-4

    def _interindustry(self, apdu: bytes) -> bytes:
        handlers = {SELECT: self._select, READ_BINARY: self._read_binary, UPDATE_BINARY: self._update_binary}
        handler = handlers.get(apdu[1])
        return handler(apdu) if handler else UNKNOWN_INSTRUCTION

    def _select(self, apdu: bytes) -> bytes:
        reference = data_field(apdu)
        if reference is None:
            return WRONG_LENGTH
        if apdu[3] not in (0x00, 0x0C):
            return WRONG_P1_P2
        if apdu[2] == 0x04:
            return self._select_name(reference)
        return self._select_identifier(reference) if apdu[2] in (0, 1, 2) else WRONG_P1_P2

    def _select_name(self, name: bytes) -> bytes:
        if not name:
            return NO_NAME
        if name == MASTER_FILE:
            self._enter(PICC)
            return ISO_OK
        for identifier, application in self.applications.items():
            if application.name == name:
                self._enter(identifier)
                return ISO_OK
        return ISO_OK if self._is_name(name) else NOT_FOUND

    def _is_name(self, _name: bytes) -> bool:
        """Whether something else goes by this DF name."""
        return False

    def _select_identifier(self, reference: bytes) -> bytes:
        if reference in (_MASTER_FILE_ID, b""):
            self._enter(PICC)
            return ISO_OK
        for number, file in self._application.files.items():
            if file.identifier and file.identifier[::-1] == reference:
                self._selected_file = number
                return ISO_OK
        for identifier, application in self.applications.items():
            if application.identifier and application.identifier[::-1] == reference:
                self._enter(identifier)
                return ISO_OK
        return NOT_FOUND

    def _read_binary(self, apdu: bytes) -> bytes:
        if len(apdu) != 5:
            return WRONG_LENGTH
        file = self._target(apdu)
        if isinstance(file, bytes):
            return file
        offset = _offset(apdu)
        if self._session is not None or FREE not in (file.right(3), file.right(1)):
            return NOT_SATISFIED
        if offset >= len(file.data):
            return WRONG_P1_P2
        return file.data[offset : offset + (apdu[4] or 256)] + ISO_OK

    def _update_binary(self, apdu: bytes) -> bytes:
        new = data_field(apdu)
        if not new:
            return WRONG_LENGTH
        file = self._target(apdu)
        if isinstance(file, bytes):
            return file
        offset = _offset(apdu)
        if self._session is not None or FREE not in (file.right(2), file.right(1)):
            return NOT_SATISFIED
        if file.kind is not FileKind.STANDARD:
            return NOT_NOW
        if offset + len(new) > len(file.data):
            return WRONG_LENGTH
        self._program(file, offset, new)
        return ISO_OK

    def _target(self, apdu: bytes) -> StoredFile | bytes:
        """The file that P1 means, or why it means none."""
        if apdu[2] & 0x80:
            return self._short_target(apdu[2] & 0x1F)
        if self._selected_file is None:
            return NOT_NOW
        return self._application.files[self._selected_file]

    def _short_target(self, short: int) -> StoredFile | bytes:
        for number, file in self._application.files.items():
            if file.identifier and file.identifier[0] & 0x1F == short:
                self._selected_file = number
                return file
        return NOT_FOUND


def _offset(apdu: bytes) -> int:
    return apdu[3] if apdu[2] & 0x80 else apdu[2] << 8 | apdu[3]
