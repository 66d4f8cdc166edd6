"""What a finished DESFire carries, as data: applications, their keys and files.

The charging application is read by charge points that have its key 1, the NDEF application by every phone
(NXP AN11004, 4; NFC Forum Type 4 Tag 2.0, 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rfid_station.chip.desfire import (
    CLOSED,
    DELIVERED,
    FREE,
    NDEF_AID,
    NDEF_DF_FILE,
    NDEF_DF_NAME,
    FileSettings,
    KeySettings,
    KeyType,
)
from rfid_station.chip.messaging import CommMode
from rfid_station.chip.ndef import uri_message
from rfid_station.chip.type4 import CC_FILE, LENGTH_SIZE, NDEF_FILE, Capabilities
from rfid_station.errors import CardRefused

REFERENCE_FILE, CC_NUMBER, NDEF_NUMBER = 1, 1, 2
MASTER, READING, WRITING = 0, 1, 2
"""The keys of the charging application."""

PICC_SLOT = "desfire.picc"
"""The slot of the card's own key."""

_REFERENCE_FORMAT = 0x01
BLOCK = 32
"""Bytes in which these chips give memory away."""
_NDEF_SIZE = 256
_MOST_READ, _MOST_WRITTEN = 0x3A, 0x34
"""MLe and MLc for frames of 64 bytes (AN11004, 4.3)."""
_LONGEST_LINK = 250


@dataclass(frozen=True, slots=True)
class File:
    """A standard data file as it is to be."""

    number: int
    settings: FileSettings
    content: bytes = field(repr=False)
    purpose: str
    iso_id: bytes = b""
    late: int = 0
    """So many bytes of the front are written last, and are zero until then."""

    @property
    def extent(self) -> bytes:
        """The content filled up to the file's size."""
        return self.content.ljust(self.settings.size, b"\x00")


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it is to be."""

    aid: bytes
    purpose: str
    settings: KeySettings
    keys: int
    key_type: KeyType
    files: tuple[File, ...]
    df_file: bytes = b""
    df_name: bytes = b""
    gets_keys: bool = True
    """Whether its keys become ours."""

    @property
    def name(self) -> str:
        """The AID in hexadecimal."""
        return self.aid.hex().upper()

    def slot(self, number: int) -> str:
        """The name of a key's slot, for deriving it."""
        return f"desfire.{self.name}.{number}"


def charging_application(aid: bytes, link: str) -> Application:
    """The application that charge points with its key can read.

    :raises CardRefused: the link is too long
    """
    settings = FileSettings(CommMode.FULL, READING, WRITING, MASTER, MASTER, 0)
    text = link.encode()
    if len(text) > _LONGEST_LINK:
        raise _too_long(link)
    content = bytes([_REFERENCE_FORMAT, len(text)]) + text
    reference = File(
        REFERENCE_FILE, replace(settings, size=in_blocks(len(content))), content, "card reference"
    )
    return Application(aid, "charging application", CLOSED, 3, KeyType.AES, (reference,))


def ndef_application(link: str, *, is_open: bool) -> Application:
    """The application that phones read. Left open, it is as the usual tools make it, and they can change it.

    :raises CardRefused: the link is too long
    """
    message = uri_message(link) if len(link) < _LONGEST_LINK else bytes(256)
    if len(message) > 255:
        raise _too_long(link)
    size = max(_NDEF_SIZE, in_blocks(LENGTH_SIZE + len(message)))
    write = FREE if is_open else MASTER
    settings = FileSettings(CommMode.PLAIN, FREE, write, write, MASTER, size)
    capabilities = Capabilities(NDEF_FILE, size, _MOST_READ, _MOST_WRITTEN, is_writable=is_open)
    container = capabilities.to_bytes()
    files = (
        File(CC_NUMBER, replace(settings, size=len(container)), container, "capability container", CC_FILE),
        File(
            NDEF_NUMBER,
            settings,
            len(message).to_bytes(LENGTH_SIZE) + message,
            "link",
            NDEF_FILE,
            late=LENGTH_SIZE,
        ),
    )
    return Application(
        NDEF_AID,
        "NDEF application",
        DELIVERED if is_open else CLOSED,
        1,
        KeyType.DES if is_open else KeyType.AES,
        files,
        NDEF_DF_FILE,
        NDEF_DF_NAME,
        gets_keys=not is_open,
    )


def in_blocks(size: int) -> int:
    """A size as the chip takes it off its memory."""
    return -(-size // BLOCK) * BLOCK


def _too_long(link: str) -> CardRefused:
    return CardRefused(
        f"a link of {len(link)} characters is longer than the {_LONGEST_LINK} that a card takes",
        hint="shorten desk.link in station.toml",
    )
