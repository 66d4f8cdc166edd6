"""The steps that a DESFire is made with: each one command or one login, and its exact bytes as text.

Keys appear by name. Of what is enciphered on the air, the text shows what is enciphered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Protocol

from rfid_station.chip import desfire, ev1, ev2
from rfid_station.chip.aes import FACTORY_KEY, AesKey, LocalAesKey
from rfid_station.chip.desfire import CLOSED, DELIVERED, STRANGER, KeySettings
from rfid_station.chip.ev1 import FACTORY_DES_KEY, FRAME, Ev1Session
from rfid_station.chip.ev2 import Ev2Session
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.messaging import CommandRefused, Session
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.desfire_layout import Application, File
from rfid_station.encode.keys import KeySource, card_key
from rfid_station.encode.plan import Step
from rfid_station.errors import CardDefective, KeyUnavailable

_SETTINGS_WORDS = {
    CLOSED: "only the card's key creates and deletes applications",
    DELIVERED: "anybody creates and deletes applications, as delivered",
}


class Messaging(Enum):
    """How a session is begun."""

    DES = "DES"
    EV1 = "AES, EV1 messaging"
    EV2 = "AES, EV2 messaging"


@dataclass
class Work:
    """What steps need while they run: the keys, and the session of the moment."""

    uid: CardUid
    keys: KeySource | None
    session: Session = STRANGER

    def key(self, slot: str, ref: KeyRef | None) -> AesKey:
        """A key of ours, or without `ref` the one of the factory."""
        if ref is None:
            return LocalAesKey(FACTORY_KEY)
        if self.keys is None:
            raise KeyUnavailable(
                f"card {self.uid.masked} needs the key {ref}, and no key ring is open",
                hint="`rfid-station key list` shows the keys that there are",
            )
        return card_key(self.keys, ref, self.uid, slot)


@dataclass(frozen=True, slots=True)
class Login:
    """Prove that we have a key of the selected application. `ref` None: the key of the factory."""

    slot: str
    number: int
    ref: KeyRef | None
    messaging: Messaging
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"log in with {key_name(self.slot, self.ref)}  {self.messaging.value}"

    def run(self, work: Work) -> Dialogue[None]:
        """Begin a session."""
        work.session = STRANGER
        if self.messaging is Messaging.DES:
            work.session = yield from ev1.authenticate_des(self.number, FACTORY_DES_KEY)
        elif self.messaging is Messaging.EV1:
            key = work.key(self.slot, self.ref)
            work.session = yield from ev1.authenticate_aes(self.number, key)
        else:
            key = work.key(self.slot, self.ref)
            session = yield from ev2.authenticate_first(key, self.number)
            session.part = FRAME
            work.session = session


@dataclass(frozen=True, slots=True)
class Select:
    """Go to an application, or to the card itself."""

    aid: bytes
    purpose: str
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"5A {hex_of(self.aid)}  {self.purpose}"

    def run(self, work: Work) -> Dialogue[None]:
        """Select; any session is over."""
        work.session = STRANGER
        yield from desfire.select_application(self.aid)


@dataclass(frozen=True, slots=True)
class CreateApplication:
    """Make room for files behind keys that are all zero at first."""

    application: Application
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        made = self.application
        data = desfire.application_bytes(
            made.aid, made.settings, made.keys, made.key_type, made.df_file, made.df_name
        )
        return f"CA {hex_of(data)}  {made.purpose}"

    def run(self, work: Work) -> Dialogue[None]:
        """Create it."""
        made = self.application
        yield from desfire.create_application(
            work.session, made.aid, made.settings, made.keys, made.key_type, made.df_file, made.df_name
        )


@dataclass(frozen=True, slots=True)
class CreateFile:
    """Make a file, all zero, in the selected application."""

    file: File
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        made = self.file
        data = desfire.file_bytes(made.number, made.settings, made.iso_id)
        return f"CD {hex_of(data)}  {made.purpose}"

    def run(self, work: Work) -> Dialogue[None]:
        """Create it."""
        made = self.file
        yield from desfire.create_data_file(work.session, made.number, made.settings, made.iso_id)


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a part of a file."""

    file: File
    offset: int
    data: bytes = field(repr=False)
    purpose: str
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        header = bytes([self.file.number]) + b"".join(
            number.to_bytes(3, "little") for number in (self.offset, len(self.data))
        )
        return f"3D {hex_of(header)} ← {hex_of(self.data)}  {self.purpose}"

    def run(self, work: Work) -> Dialogue[None]:
        """Write it, in as many commands as needed."""
        made = self.file
        yield from desfire.write_data(work.session, made.number, self.offset, self.data, made.settings.mode)


@dataclass(frozen=True, slots=True)
class NewKey:
    """Put a key into a slot, in place of the factory's."""

    slot: str
    number: int
    """As ChangeKey sends it: with 80 added where the card's own key becomes an AES key."""
    ref: KeyRef
    is_own: bool
    """Whether the session was begun with this slot's key; it is over then."""
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"C4 {self.number:02X} ← {key_name(self.slot, self.ref)}  version {self.ref.version:02X}"

    def run(self, work: Work) -> Dialogue[None]:
        """Change it."""
        new = work.key(self.slot, self.ref).reveal()
        old = None if self.is_own else FACTORY_KEY
        yield from _keyed(work.session).change_key(self.number, new, self.ref.version, old)
        if self.is_own:
            work.session = STRANGER


@dataclass(frozen=True, slots=True)
class FactoryPiccKey:
    """Give the card's own slot the DES key back that it came with: all zero, so that its version is 0 too."""

    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return "C4 00 ← factory key desfire.picc  DES"

    def run(self, work: Work) -> Dialogue[None]:
        """Change it in EV1 messaging, whatever the chip; the session is over."""
        if isinstance(work.session, Ev1Session):
            yield from work.session.change_key(0, FACTORY_KEY, None)
        work.session = STRANGER


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Say what the master key of the selected level is needed for."""

    settings: KeySettings
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"54 ← {self.settings:02X}  {_SETTINGS_WORDS[self.settings]}"

    def run(self, work: Work) -> Dialogue[None]:
        """Change it."""
        yield from desfire.change_key_settings(work.session, self.settings)


@dataclass(frozen=True, slots=True)
class Format:
    """Delete all applications."""

    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return "FC  all applications are deleted"

    def run(self, work: Work) -> Dialogue[None]:
        """Delete them."""
        yield from desfire.format_picc(work.session)


@dataclass(frozen=True, slots=True)
class DeleteApplication:
    """Delete one application."""

    aid: bytes
    is_irreversible: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"DA {hex_of(self.aid)}  deleted"

    def run(self, work: Work) -> Dialogue[None]:
        """Delete it."""
        yield from desfire.delete_application(work.session, self.aid)


class RunningStep(Step, Protocol):
    """A step of this family."""

    def run(self, work: Work) -> Dialogue[None]:
        """Do it with the card."""


def run_steps(steps: Sequence[RunningStep], work: Work) -> Dialogue[None]:
    """Run steps in order.

    :raises CardDefective: the card refuses what a good one takes
    """
    for step in steps:
        try:
            yield from step.run(work)
        except CommandRefused as refused:
            raise CardDefective(
                f"card {work.uid.masked} does not take a step that a good one takes ({step}): {refused}",
                hint="put it aside and take another blank",
            ) from refused


def _keyed(session: Session) -> Ev1Session | Ev2Session:
    if not isinstance(session, (Ev1Session, Ev2Session)):
        raise TypeError("no session: a key is changed after a login")
    return session


def key_name(slot: str, ref: KeyRef | None) -> str:
    """A key in words, never its value."""
    return f"key {ref}/{slot}" if ref else f"factory key {slot}"


def hex_of(data: bytes) -> str:
    """Bytes as steps show them."""
    return data.hex(" ").upper()
