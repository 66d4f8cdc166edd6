"""Commands to MIFARE DESFire EV1, EV2 and EV3: applications, files, keys.

Each command works as a stranger and in a session of either kind of secure messaging. Numbers go through the
air lowest byte first; an AID is kept in that order (MIFARE DESFire EV1 data sheet MF3ICDX21_41_81, 8.4 and
9; NXP AN11004 for the NDEF mapping).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from rfid_station.chip.ev1 import FRAME, Ev1Session
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.messaging import CommMode, Session, check, exchange_native
from rfid_station.errors import CardLost

PICC = bytes(3)
"""The AID of the card itself."""
NDEF_AID = bytes.fromhex("010000")
"""The AID that everybody gives the NDEF application (000001)."""
NDEF_DF_NAME = bytes.fromhex("D2760000850101")
NDEF_DF_FILE = bytes.fromhex("E110")

AID_SIZE = 3
FREE, NEVER = 0xE, 0xF
"""Access rights that are no key number."""

_SELECT, _LIST_APPLICATIONS, _CREATE_APPLICATION, _DELETE_APPLICATION = 0x5A, 0x6A, 0xCA, 0xDA
_FREE_MEMORY, _FORMAT, _KEY_SETTINGS, _CHANGE_KEY_SETTINGS, _KEY_VERSION = 0x6E, 0xFC, 0x45, 0x54, 0x64
_LIST_FILES, _FILE_SETTINGS, _STANDARD_FILE, _BACKUP_FILE = 0x6F, 0xF5, 0xCD, 0xCB
_WRITE, _READ, _COMMIT = 0x3D, 0xBD, 0xC7
_ISO_FILE_IDS = 0x20
_DATA_FILE_SETTINGS = 7


class KeyType(IntEnum):
    """Which cipher the keys of an application are for: bits 7 and 6 of its number of keys."""

    DES = 0x00
    THREE_KEY_3DES = 0x40
    AES = 0x80


class KeySettings(IntFlag):
    """What may be done without a master key, and what can still be changed (EV1 data sheet, 9.3.4)."""

    MASTER_KEY_CHANGEABLE = 0x01
    FREE_LISTING = 0x02
    FREE_CREATING = 0x04
    CHANGEABLE = 0x08


DELIVERED = KeySettings(0x0F)
CLOSED = KeySettings(0x0B)
"""Anybody may list; who creates or deletes needs the master key; all can still be changed with it."""


@dataclass(frozen=True, slots=True)
class KeySlots:
    """The keys of the selected application, or of the card at PICC level."""

    settings: KeySettings
    change_right: int
    """The number of the key that changes the others; E: each itself, F: none."""
    count: int
    type: KeyType


@dataclass(frozen=True, slots=True)
class FileSettings:
    """How a data file is protected, and its size in bytes. Rights are key numbers, `FREE` or `NEVER`."""

    mode: CommMode
    read: int
    write: int
    read_write: int
    change: int
    size: int

    def to_bytes(self) -> bytes:
        """Six bytes: mode, access rights, size."""
        rights = self.read << 12 | self.write << 8 | self.read_write << 4 | self.change
        return bytes([self.mode]) + rights.to_bytes(2, "little") + self.size.to_bytes(3, "little")


@dataclass(frozen=True, slots=True)
class Stranger:
    """Whoever talks to a card without any key. Mode MAC or FULL means nothing then."""

    def command(
        self,
        ins: int,
        header: bytes = b"",
        data: bytes = b"",
        *,
        mode: CommMode,  # noqa: ARG002
        is_secret: bool = False,
    ) -> Dialogue[bytes]:
        """Send a command in clear; see `messaging.Session`."""
        answer = yield from exchange_native(ins, header + data, part=FRAME, is_secret=is_secret)
        return check(answer, f"command {ins:02X}")


STRANGER = Stranger()


def select_application(aid: bytes) -> Dialogue[None]:
    """Select an application, or the card itself (`PICC`). Any session ends.

    :raises CommandRefused: there is no such application
    """
    check((yield from exchange_native(_SELECT, aid)), f"selecting application {aid.hex().upper()}")


def application_ids(session: Session = STRANGER) -> Dialogue[tuple[bytes, ...]]:
    """The AIDs on the card, at PICC level.

    :raises WrongKey: only the holder of the PICC master key may know
    """
    listed = yield from session.command(_LIST_APPLICATIONS, mode=_managing(session))
    if len(listed) % AID_SIZE:
        raise _odd_answer("the list of applications", listed)
    return tuple(listed[at : at + AID_SIZE] for at in range(0, len(listed), AID_SIZE))


def create_application(
    session: Session,
    aid: bytes,
    settings: KeySettings,
    keys: int,
    key_type: KeyType,
    df_file: bytes = b"",
    df_name: bytes = b"",
) -> Dialogue[None]:
    """Create an application with keys that are all zero. With `df_name`, it is found by ISO 7816-4 as well.

    :param df_file: two bytes as in ISO 7816-4, the high one first
    """
    data = application_bytes(aid, settings, keys, key_type, df_file, df_name)
    yield from session.command(_CREATE_APPLICATION, data=data, mode=_managing(session))


def application_bytes(
    aid: bytes, settings: KeySettings, keys: int, key_type: KeyType, df_file: bytes, df_name: bytes
) -> bytes:
    """What CreateApplication sends."""
    has_iso = _ISO_FILE_IDS if df_name else 0
    return aid + bytes([settings, keys | key_type | has_iso]) + df_file[::-1] + df_name


def delete_application(session: Session, aid: bytes) -> Dialogue[None]:
    """Delete an application with all that it holds."""
    yield from session.command(_DELETE_APPLICATION, data=aid, mode=_managing(session))


def format_picc(session: Session) -> Dialogue[None]:
    """Delete all applications and give their memory back. The PICC master key and its settings stay.

    Whether the session lasts differs from card to card: authenticate anew.
    """
    yield from session.command(_FORMAT, mode=_managing(session))


def free_memory(session: Session = STRANGER) -> Dialogue[int]:
    """Bytes that are left, at PICC level."""
    answer = yield from session.command(_FREE_MEMORY, mode=_managing(session))
    return int.from_bytes(answer, "little")


def key_slots(session: Session = STRANGER) -> Dialogue[KeySlots]:
    """How many keys there are, and what they are needed for.

    :raises WrongKey: only the holder of the master key may know
    """
    answer = yield from session.command(_KEY_SETTINGS, mode=_managing(session))
    if len(answer) != 2 or answer[1] & 0xC0 == 0xC0:
        raise _odd_answer("the key settings", answer)
    settings, keys = answer
    return KeySlots(KeySettings(settings & 0x0F), settings >> 4, keys & 0x0F, KeyType(keys & 0xC0))


def change_key_settings(session: Session, settings: KeySettings) -> Dialogue[None]:
    """Change what the master key of this level is needed for. Takes a session with that key."""
    yield from session.command(_CHANGE_KEY_SETTINGS, data=bytes([settings]), mode=CommMode.FULL)


def key_version(number: int, session: Session = STRANGER) -> Dialogue[int]:
    """The version that was given with a key. Nobody needs a key to ask."""
    answer = yield from session.command(_KEY_VERSION, bytes([number]), mode=_managing(session))
    if len(answer) != 1:
        raise _odd_answer(f"the version of key {number}", answer)
    return answer[0]


def file_ids(session: Session = STRANGER) -> Dialogue[frozenset[int]]:
    """The numbers of the files in the selected application.

    :raises WrongKey: only the holder of the application's master key may know
    """
    return frozenset((yield from session.command(_LIST_FILES, mode=_managing(session))))


def file_settings(number: int, session: Session = STRANGER) -> Dialogue[FileSettings | None]:
    """The settings of a data file; None where it is another kind of file.

    :raises CommandRefused: there is no such file
    """
    answer = yield from session.command(_FILE_SETTINGS, bytes([number]), mode=_managing(session))
    return parse_file_settings(answer)


def parse_file_settings(answer: bytes) -> FileSettings | None:
    """Read what GetFileSettings says of a standard or backup data file; None for any other."""
    if len(answer) != _DATA_FILE_SETTINGS or answer[0] not in (0, 1) or answer[1] not in list(CommMode):
        return None
    rights = int.from_bytes(answer[2:4], "little")
    nibbles = (rights >> 12, rights >> 8 & 0xF, rights >> 4 & 0xF, rights & 0xF)
    return FileSettings(CommMode(answer[1]), *nibbles, int.from_bytes(answer[4:], "little"))


def create_data_file(
    session: Session, number: int, settings: FileSettings, iso_id: bytes = b"", *, has_backup: bool = False
) -> Dialogue[None]:
    """Create a data file that is all zero. What is written to one with a backup counts from `commit` on.

    :param iso_id: two bytes as in ISO 7816-4, the high one first; for applications with a DF name
    """
    data = file_bytes(number, settings, iso_id)
    ins = _BACKUP_FILE if has_backup else _STANDARD_FILE
    yield from session.command(ins, data=data, mode=_managing(session))


def file_bytes(number: int, settings: FileSettings, iso_id: bytes) -> bytes:
    """What CreateStdDataFile and CreateBackupDataFile send."""
    return bytes([number]) + iso_id[::-1] + settings.to_bytes()


def write_data(session: Session, number: int, offset: int, data: bytes, mode: CommMode) -> Dialogue[None]:
    """Write to a data file; what is too long for one frame is sent in parts.

    :param mode: what the file's settings say
    """
    yield from session.command(_WRITE, _extent(number, offset, len(data)), data, mode=mode)


def read_data(session: Session, number: int, offset: int, length: int, mode: CommMode) -> Dialogue[bytes]:
    """Read from a data file, `length` bytes.

    :param mode: what the file's settings say
    :raises WrongKey: this session may not read it
    """
    data = yield from session.command(_READ, _extent(number, offset, length), mode=mode)
    if len(data) != length:
        raise _odd_answer(f"file {number:02X}", data)
    return data


def commit(session: Session) -> Dialogue[None]:
    """Let count what was written to files with a backup."""
    yield from session.command(_COMMIT, mode=_managing(session))


def _extent(number: int, offset: int, length: int) -> bytes:
    return bytes([number]) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")


def _managing(session: Session) -> CommMode:
    """How commands travel that are not about a file's data: EV1 proves answers anyway, EV2 wants a MAC."""
    return CommMode.PLAIN if isinstance(session, (Ev1Session, Stranger)) else CommMode.MAC


def _odd_answer(what: str, answer: Sequence[int]) -> CardLost:
    return CardLost(
        f"the card told {what} in {len(answer)} bytes, which cannot be",
        hint="lay the card flat on the reader, and tap it again",
    )
