"""NTAG 424 DNA: three files and five AES keys (data sheet NT4H2421Gx).

| file | ISO name | holds | as delivered |
|---|---|---|---|
| 1 | E103 | capability container, 32 bytes | read by everybody, the rest with key 0 |
| 2 | E104 | NDEF, 256 bytes | read and written by everybody, settings with key 0 |
| 3 | E105 | 128 bytes of its owner's | read with key 2, written with key 3, settings with key 0 |
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import Fact, Identity
from rfid_station.chip.iso_dep import SELECT_NDEF, Answer, ChipVersion, transmit
from rfid_station.chip.messaging import (
    CardStatus,
    CommandRefused,
    CommMode,
    Session,
    check,
    exchange_native,
    name_of,
    twice,
)
from rfid_station.chip.ndef import uri_of_message
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardDefective

CONTAINER, NDEF, OWN = 1, 2, 3
"""Numbers of the three files."""
KEY_COUNT = 5
MASTER = 0
"""The key that changes all others, and the settings of files."""

FREE, NEVER = 0xE, 0xF
"""Access rights that are no key's number."""

NDEF_SIZE = 256
LONGEST_READ = 240
"""Bytes in one answer that every reader takes."""
ATOMIC_WRITE = 111
"""Bytes of WriteData in one frame of 128 bytes: written whole, or not at all (NT4H2421Gx, 8.6)."""
LONGEST_WRITE = 224
"""Bytes in one command that every reader takes. Beyond `ATOMIC_WRITE` a tear can leave a part of them."""

CONTAINER_CONTENT = bytes.fromhex("001720010000FF0406E10401000000" + "0506E10500808283")
"""As delivered: the NDEF file may be written by everybody."""
CLOSED_CONTAINER = CONTAINER_CONTENT[:14] + b"\xff" + CONTAINER_CONTENT[15:]
"""The NDEF file cannot be written: phones do not offer it (NFC Forum Type 4 Tag 2.0, table 6)."""

_READ, _WRITE, _GET_SETTINGS, _CHANGE_SETTINGS, _KEY_VERSION = 0xAD, 0x8D, 0xF5, 0x5F, 0x64
_SELECT_NDEF_FILE = bytes.fromhex("00A4000C02E104")
_TAG_TAMPER = 0x08
_SDM = 0x40


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Who may do what with a file, and how its data travel. An access right is a key's number, or E, or F."""

    option: int
    """FileOption: SDM in bit 6, communication mode in bits 1 and 0."""
    rights: int
    """Read, write, both, change: one digit each."""
    sdm: bytes = b""
    """What is told of SDM, where it is on."""
    size: int = field(default=NDEF_SIZE, compare=False)

    @property
    def data(self) -> bytes:
        """As ChangeFileSettings takes it."""
        return bytes([self.option]) + self.rights.to_bytes(2, "little") + self.sdm

    @property
    def has_sdm(self) -> bool:
        """Whether reading it without a key fills values in."""
        return bool(self.option & _SDM)

    @property
    def writers(self) -> set[int]:
        """Keys (or everybody) that may write."""
        return {self.rights >> 8 & 0xF, self.rights >> 4 & 0xF}

    @property
    def changer(self) -> int:
        """The key that may change these settings."""
        return self.rights & 0xF

    def write_mode(self) -> CommMode:
        """How key 0 writes: in plain where only everybody's right lets it (NT4H2421Gx, 8.2.3.3)."""
        if MASTER not in self.writers or self.option & 1 == 0:
            return CommMode.PLAIN
        return CommMode(self.option & 3)

    def __str__(self) -> str:
        names = ("read", "write", "read and write", "settings")
        digits = (self.rights >> 12, self.rights >> 8 & 0xF, self.rights >> 4 & 0xF, self.changer)
        words = [f"{name}: {_who(digit)}" for name, digit in zip(names, digits, strict=True)]
        return ", ".join(words + ["a proof at every tap"] * self.has_sdm)


FACTORY_SETTINGS = {
    CONTAINER: FileSettings(0x00, 0xE000, size=32),
    NDEF: FileSettings(0x00, 0xEEE0),
    OWN: FileSettings(0x03, 0x2330, size=128),
}
"""NT4H2421Gx, tables 8 and 13."""

VECTORS = [
    (
        "0040EEEE000100D1FE001F00004400004400002000006A0000",
        FileSettings(0x40, 0xEEEE, bytes.fromhex("D1FE001F00004400004400002000006A0000")),
    ),
]
"""(answer to GetFileSettings, what it says): AN12196 2.0, table 7."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What it takes more than a phone's look to find out."""

    container: FileSettings
    container_content: bytes | None = field(repr=False)
    """None where strangers cannot read it."""
    own: FileSettings
    """Settings of file 3."""
    our_keys: frozenset[int]
    """Numbers of the keys that are ours already; the others are as delivered."""


@dataclass(frozen=True, slots=True)
class Ntag424State:
    """An NTAG 424 DNA as a stranger sees it, and as it is inside where that was looked at."""

    settings: FileSettings
    """Of the NDEF file."""
    content: bytes | None = field(repr=False)
    """The NDEF file from its start, values of SUN filled in; None where strangers cannot read it."""
    inside: Inside | None = None

    @property
    def message(self) -> bytes | None:
        """The NDEF message; None if there is none that can be."""
        if self.content is None or len(self.content) < 2:
            return None
        length = int.from_bytes(self.content[:2])
        message = self.content[2 : 2 + length]
        return message if len(message) == length else None

    @property
    def link(self) -> str | None:
        """The link that a phone would open."""
        return uri_of_message(self.message) if self.message else None

    @property
    def freshness(self) -> Freshness:
        """Whether the NDEF file is empty, holds a link, or something else."""
        if self.link:
            return Freshness.LINK
        return Freshness.BLANK if self.message == b"" and not self.settings.has_sdm else Freshness.OTHER_DATA

    def facts(self) -> dict[str, Fact]:
        """Who may do what, and whether the link changes from tap to tap."""
        facts: dict[str, Fact] = {"NDEF file": str(self.settings), "link with proof": self.settings.has_sdm}
        if self.inside:
            ours = ", ".join(map(str, sorted(self.inside.our_keys)))
            facts["capability container"] = str(self.inside.container)
            facts["file 3"] = str(self.inside.own)
            facts["keys of ours"] = ours or "none"
        return facts


def identify_ntag424(uid: CardUid, version: ChipVersion) -> Dialogue[Identity]:
    """Name the chip and look at it as a stranger: three or four exchanges.

    A chip that does not do what its data sheet says is named only.

    :raises CardLost: the card left
    """
    name = "NTAG 424 DNA TagTamper" if version.hardware[2] == _TAG_TAMPER else "NTAG 424 DNA"
    try:
        return Identity(uid, name, (yield from twice(_look)))
    except (CommandRefused, CardDefective) as refused:
        return Identity(uid, name, notes=(refused.message,))


def select_application() -> Dialogue[None]:
    """Select the one application, which ends a session."""
    check((yield from transmit(SELECT_NDEF)), "the selection of its application")


def get_file_settings(number: int, session: Session | None = None) -> Dialogue[FileSettings]:
    """Ask for a file's settings; everybody may.

    :raises CardDefective: the answer is none
    """
    return parse_settings((yield from _command(session, _GET_SETTINGS, bytes([number]), mode=CommMode.MAC)))


def parse_settings(answer: bytes) -> FileSettings:
    """Take the answer to GetFileSettings apart (NT4H2421Gx, table 73).

    :raises CardDefective: it is too short, or of no standard data file
    """
    if len(answer) < 7 or answer[0] != 0:
        raise CardDefective(
            f"the card tells file settings that cannot be: {answer.hex().upper() or 'nothing'}",
            hint="put it aside and take another blank",
        )
    size = int.from_bytes(answer[4:7], "little")
    return FileSettings(answer[1], int.from_bytes(answer[2:4], "little"), answer[7:], size)


def change_file_settings(
    session: Session, number: int, now: FileSettings, new: FileSettings
) -> Dialogue[None]:
    """Change a file's settings, which the session's key must be allowed to by the settings of `now`."""
    mode = CommMode.PLAIN if now.changer == FREE else CommMode.FULL
    yield from session.command(_CHANGE_SETTINGS, bytes([number]), new.data, mode=mode)


def get_key_version(number: int, session: Session | None = None) -> Dialogue[int]:
    """Ask for a key's version; everybody may. It is 0 as delivered.

    :raises CardDefective: the answer is none
    """
    answer = yield from _command(session, _KEY_VERSION, bytes([number]), mode=CommMode.MAC)
    if len(answer) != 1:
        raise CardDefective(
            f"the card tells a key version of {len(answer)} bytes", hint="put it aside and take another blank"
        )
    return answer[0]


def read_data(number: int, offset: int, length: int) -> Dialogue[Answer]:
    """Read from a file as a stranger, at most `LONGEST_READ` bytes."""
    return (yield from exchange_native(_READ, _place(number, offset, length)))


def write_data(
    number: int, offset: int, data: bytes, session: Session | None, mode: CommMode
) -> Dialogue[None]:
    """Write to a file, at most `LONGEST_WRITE` bytes."""
    yield from _command(session, _WRITE, _place(number, offset, len(data)), data, mode=mode)


def select_ndef_file() -> Dialogue[None]:
    """Select the NDEF file for the two commands below, as a phone does."""
    check((yield from transmit(_SELECT_NDEF_FILE)), "the selection of its NDEF file")


def read_binary(offset: int, length: int) -> Dialogue[bytes]:
    """Read from the selected file as phones do, at most `LONGEST_READ` bytes."""
    answer = yield from transmit(bytes([0x00, 0xB0]) + offset.to_bytes(2) + bytes([length]))
    return check(answer, "ISOReadBinary")


def update_binary(offset: int, data: bytes) -> Dialogue[Answer]:
    """Write to the selected file as phones do."""
    return (yield from transmit(bytes([0x00, 0xD6]) + offset.to_bytes(2) + bytes([len(data)]) + data))


def _look() -> Dialogue[Ntag424State]:
    yield from select_application()
    settings = yield from get_file_settings(NDEF)
    return Ntag424State(settings, (yield from _read_ndef()))


def _read_ndef() -> Dialogue[bytes | None]:
    """Read the NDEF file as far as it is in use."""
    answer = yield from read_data(NDEF, 0, LONGEST_READ)
    if answer.status in (CardStatus.AUTHENTICATION, CardStatus.PERMISSION):
        return None
    content = check(answer, "ReadData")
    end = min(2 + int.from_bytes(content[:2]), NDEF_SIZE)
    if end > len(content) == LONGEST_READ:
        rest = yield from read_data(NDEF, LONGEST_READ, end - LONGEST_READ)
        content += check(rest, "ReadData")
    return content


def _command(
    session: Session | None, ins: int, header: bytes, data: bytes = b"", *, mode: CommMode
) -> Dialogue[bytes]:
    if session is None:
        return check((yield from exchange_native(ins, header + data)), name_of(ins))
    return (yield from session.command(ins, header, data, mode=mode))


def _place(number: int, offset: int, length: int) -> bytes:
    return bytes([number]) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")


def _who(right: int) -> str:
    return {FREE: "everybody", NEVER: "nobody"}.get(right, f"key {right}")
