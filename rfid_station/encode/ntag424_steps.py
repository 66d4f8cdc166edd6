"""What is done to an NTAG 424 DNA, step by step; each may be done again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rfid_station.chip import ntag424 as chip
from rfid_station.chip.aes import AesKey
from rfid_station.chip.ev2 import Ev2Session
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.messaging import CommMode
from rfid_station.chip.ntag424 import MASTER, NEVER, FileSettings
from rfid_station.encode.ntag424_keys import SlotKey
from rfid_station.encode.plan import Step


@dataclass(slots=True)
class Talk:
    """What a step needs to talk to the card."""

    keys: dict[SlotKey, AesKey] = field(repr=False)
    """All keys that the plan names."""
    session: Ev2Session | None = None
    """With key 0, or none where strangers may do it."""


class Ntag424Step(Step, Protocol):
    """A step that runs by itself, and may be run again."""

    def run(self, talk: Talk) -> Dialogue[None]:
        """Do it.

        :raises CommandRefused: the chip does not take it
        """


@dataclass(frozen=True, slots=True)
class WriteFile:
    """One write to a file."""

    file: int
    offset: int
    data: bytes
    purpose: str
    mode: CommMode = CommMode.PLAIN
    is_irreversible: bool = False

    def __str__(self) -> str:
        return f"file {self.file} at {self.offset:02X} ← {self.data.hex(' ').upper()}  {self.purpose}"

    def run(self, talk: Talk) -> Dialogue[None]:
        """Write it."""
        yield from chip.write_data(self.file, self.offset, self.data, talk.session, self.mode)


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """One change of a file's settings."""

    file: int
    now: FileSettings
    new: FileSettings

    @property
    def is_irreversible(self) -> bool:
        """Whether nobody can change them any more."""
        return self.new.changer == NEVER

    def __str__(self) -> str:
        return f"settings of file {self.file} ← {self.new.data.hex(' ').upper()}  {self.new}"

    def run(self, talk: Talk) -> Dialogue[None]:
        """Change them."""
        yield from chip.change_file_settings(_session(talk), self.file, self.now, self.new)


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """One change of a key. After the change of key 0 the session is over."""

    now: SlotKey
    new: SlotKey
    is_irreversible: bool = False

    def __str__(self) -> str:
        return f"key {self.new.number} ← {self.new}, version {self.new.version:02X}, instead of {self.now}"

    def run(self, talk: Talk) -> Dialogue[None]:
        """Change it."""
        number = self.new.number
        old = None if number == MASTER else talk.keys[self.now].reveal()
        yield from _session(talk).change_key(number, talk.keys[self.new].reveal(), self.new.version, old)


def _session(talk: Talk) -> Ev2Session:
    if talk.session is None:
        raise TypeError("this step needs a session")
    return talk.session
