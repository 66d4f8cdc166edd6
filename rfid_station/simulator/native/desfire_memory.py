"""What a MIFARE DESFire keeps: applications with their keys and files, and how much room they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from rfid_station.simulator.native.cipher import Algorithm, Cipher
from rfid_station.simulator.native.secure_messaging import Mode

PICC = bytes(3)
"""The application identifier of the card itself."""
MASTER_CHANGEABLE, FREE_LISTING, FREE_CREATION, SETTINGS_CHANGEABLE = 0x01, 0x02, 0x04, 0x08
"""Bits of the key settings (M134034, 9.3.4)."""

_MODES = {0: Mode.PLAIN, 1: Mode.MAC, 2: Mode.PLAIN, 3: Mode.FULL}
_ISO_IDENTIFIERS = 0x20
_GRAIN = 32
_APPLICATION_ROOM = 32

Json = dict[str, Any]


class FileKind(IntEnum):
    """The first byte of a file's settings. Value and record files are not modelled."""

    STANDARD = 0
    BACKUP = 1


@dataclass(slots=True)
class StoredKey:
    """A key and its version."""

    raw: bytes
    version: int = 0


@dataclass(slots=True)
class StoredFile:
    """A data file."""

    kind: FileKind
    communication: int
    rights: int
    data: bytes
    identifier: bytes = b""
    """ISO file identifier, low byte first; empty if the application uses none."""
    pending: bytes | None = None
    """What a backup file will hold after CommitTransaction. Lost with the power."""

    @property
    def mode(self) -> Mode:
        """The communication mode of the settings."""
        return _MODES[self.communication & 0x03]

    @property
    def room(self) -> int:
        """How much memory it takes."""
        return _grains(len(self.data)) * (2 if self.kind is FileKind.BACKUP else 1)

    def right(self, place: int) -> int:
        """Read 3, write 2, both 1, change 0: a key number, `FREE` or `NEVER`."""
        return self.rights >> 4 * place & 0xF

    def settings(self) -> bytes:
        """As GetFileSettings tells them."""
        head = bytes([self.kind, self.communication]) + self.rights.to_bytes(2, "little")
        return head + len(self.data).to_bytes(3, "little")


@dataclass(slots=True)
class Application:
    """An application, or the card as a whole (`PICC`)."""

    settings: int
    layout: int
    """Number of keys, whether files have ISO identifiers (20), and the algorithm (40, 80)."""
    keys: list[StoredKey]
    identifier: bytes = b""
    """ISO file identifier, low byte first."""
    name: bytes = b""
    """ISO DF name."""
    files: dict[int, StoredFile] = field(default_factory=dict)

    @property
    def algorithm(self) -> Algorithm:
        """What all its keys are for."""
        return Algorithm(self.layout & 0xC0)

    @property
    def uses_identifiers(self) -> bool:
        """Whether each file has an ISO identifier."""
        return bool(self.layout & _ISO_IDENTIFIERS)

    @property
    def room(self) -> int:
        """How much memory it takes, its files left out."""
        return _grains(_APPLICATION_ROOM + sum(len(key.raw) for key in self.keys))

    @property
    def change_key(self) -> int:
        """Which key changes the others: a number, E (each itself) or F (none)."""
        return self.settings >> 4

    def allows(self, bit: int) -> bool:
        """Whether a bit of the settings is set."""
        return bool(self.settings & bit)

    def cipher(self, number: int) -> Cipher:
        """A key that is ready for use."""
        return Cipher(self.algorithm, self.keys[number].raw)


def new_application(settings: int, layout: int, identifier: bytes, name: bytes) -> Application:
    """An application with all keys zero."""
    size = Algorithm(layout & 0xC0).key_size
    keys = [StoredKey(bytes(size)) for _ in range(layout & 0x0F)]
    return Application(settings, layout, keys, identifier, name)


def new_picc() -> Application:
    """The card as delivered: a DES master key of zeros, everything allowed."""
    return Application(0x0F, 0x01, [StoredKey(bytes(16))])


def application_state(application: Application) -> Json:
    """An application as JSON can hold it."""
    return {
        "settings": application.settings,
        "layout": application.layout,
        "keys": [[key.raw.hex(), key.version] for key in application.keys],
        "identifier": application.identifier.hex(),
        "name": application.name.hex(),
        "files": {str(number): _file_state(file) for number, file in sorted(application.files.items())},
    }


def application_from(state: Json) -> Application:
    """The application that gave this state."""
    return Application(
        state["settings"],
        state["layout"],
        [StoredKey(bytes.fromhex(raw), version) for raw, version in state["keys"]],
        bytes.fromhex(state["identifier"]),
        bytes.fromhex(state["name"]),
        {int(number): _file_from(file) for number, file in state["files"].items()},
    )


def _file_state(file: StoredFile) -> Json:
    return {
        "kind": int(file.kind),
        "communication": file.communication,
        "rights": file.rights,
        "data": file.data.hex(),
        "identifier": file.identifier.hex(),
    }


def _file_from(state: Json) -> StoredFile:
    return StoredFile(
        FileKind(state["kind"]),
        state["communication"],
        state["rights"],
        bytes.fromhex(state["data"]),
        bytes.fromhex(state["identifier"]),
    )


def _grains(size: int) -> int:
    return -(-size // _GRAIN) * _GRAIN
