"""A DESFire as anybody sees it: which generation it is, which applications it lists, the link a phone finds.

Type and version in GetVersion tell the generations apart (MIFARE DESFire EV1 data sheet MF3ICDX21_41_81,
9.4.4; NXP AN10833): the type is 01 for DESFire chips, 08 for DESFire Light, and has bit 7 set for applets on
other chips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rfid_station.chip.desfire import (
    NDEF_AID,
    PICC,
    KeySettings,
    KeySlots,
    KeyType,
    application_ids,
    free_memory,
    key_slots,
    select_application,
)
from rfid_station.chip.exchange import Dialogue, Result
from rfid_station.chip.identity import Fact, Identity
from rfid_station.chip.iso_dep import ChipVersion
from rfid_station.chip.messaging import CommandRefused
from rfid_station.chip.ndef import uri_of_message
from rfid_station.chip.type4 import read_ndef
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid


class Generation(StrEnum):
    """The chips that have applications and files, by the names that profiles use."""

    EV1 = "MIFARE DESFire EV1"
    EV2 = "MIFARE DESFire EV2"
    EV3 = "MIFARE DESFire EV3"

    @property
    def speaks_ev2(self) -> bool:
        """Whether the chip knows AuthenticateEV2First."""
        return self is not Generation.EV1


_LIGHT = "MIFARE DESFire Light"
_TYPE, _LIGHT_TYPE, _APPLETS = 0x01, 0x08, 0x80
_GENERATIONS = {0x01: Generation.EV1, 0x12: Generation.EV2, 0x22: Generation.EV2, 0x33: Generation.EV3}
"""By the major version of the hardware."""
_D40 = 0x00

_KEY_TYPES = {KeyType.DES: "DES", KeyType.THREE_KEY_3DES: "3K3DES", KeyType.AES: "AES"}

VECTORS = [
    ("04010100021605", "MIFARE DESFire (MF3ICD40)"),
    ("04010101001805", "MIFARE DESFire EV1"),
    ("04010112001805", "MIFARE DESFire EV2"),
    ("04010122001C05", "MIFARE DESFire EV2"),
    ("04010133001A05", "MIFARE DESFire EV3"),
    ("04080130001305", "MIFARE DESFire Light"),
    ("04810143011A05", "DESFire applet"),
]
"""(hardware part of GetVersion, name)"""


@dataclass(frozen=True, slots=True)
class ApplicationFound:
    """What trying keys told about an application of ours."""

    has_our_key: tuple[bool, ...]
    """For each slot whether our key is in it; else it is as delivered."""
    files: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """What was read of the files; none is read once the application's master key is ours."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What trying keys told about the card."""

    has_our_picc_key: bool | None
    """None: nobody tried."""
    applications: Mapping[bytes, ApplicationFound]
    """Those of ours that are there, by AID."""


@dataclass(frozen=True, slots=True)
class DesfireState:
    """A DESFire chip of one generation, and what it tells without keys."""

    generation: Generation
    storage: int
    """Bytes that the chip was sold with."""
    ring: KeySlots | None
    """The card's own key; None where only its holder may know."""
    applications: tuple[bytes, ...] | None
    """AIDs in the order of the air; None where only the holder of the card's key may know."""
    free: int | None
    """Bytes left; None where the chip does not tell."""
    ndef: bytes | None = field(repr=False)
    """The NDEF message that a phone finds."""
    findings: Findings | None = None

    @property
    def link(self) -> str | None:
        """The URI a phone would open."""
        return uri_of_message(self.ndef) if self.ndef else None

    @property
    def freshness(self) -> Freshness:
        """Blank is a card without any application; one with more than the link's is not ours to write."""
        if self.applications == ():
            return Freshness.BLANK
        has_only_link = self.applications == (NDEF_AID,) and self.link is not None
        return Freshness.LINK if has_only_link else Freshness.OTHER_DATA

    @property
    def lets_anybody_create(self) -> bool:
        """Whether creating an application takes no key."""
        return self.ring is not None and KeySettings.FREE_CREATING in self.ring.settings

    def facts(self) -> dict[str, Fact]:
        """Applications, memory, and what the card's own key is needed for."""
        listed = "only told to the holder of its key"
        if self.applications is not None:
            listed = ", ".join(aid.hex().upper() for aid in self.applications) or "none"
        told: dict[str, Fact] = {
            "applications": listed,
            "free memory": "not told" if self.free is None else f"{self.free} bytes",
        }
        if self.ring is not None:
            told["card key"] = _KEY_TYPES[self.ring.type]
            told["anybody can create applications"] = self.lets_anybody_create
        return told


def name_of(version: ChipVersion) -> Generation | str:
    """Name a chip of the DESFire family by its hardware."""
    chip_type, major = version.hardware[1], version.hardware[3]
    if chip_type == _LIGHT_TYPE:
        return _LIGHT
    if chip_type & _APPLETS:
        return "DESFire applet"
    if major == _D40:
        return "MIFARE DESFire (MF3ICD40)"
    return _GENERATIONS.get(major, f"MIFARE DESFire of unknown version {version.hardware[3:5].hex().upper()}")


def identify_desfire(uid: CardUid, version: ChipVersion) -> Dialogue[Identity]:
    """Name the chip, and read what it tells without keys. Writes nothing.

    :raises CardLost: the card left
    """
    name = name_of(version)
    if version.hides_uid:
        return Identity(uid, str(name), refusal="it is set to make up a new UID at every tap, for good")
    if not isinstance(name, Generation):
        return _named(uid, name, version)
    return Identity(uid, str(name), (yield from _read_state(name, version.storage)))


def _named(uid: CardUid, name: str, version: ChipVersion) -> Identity:
    """A chip that gets no files from us."""
    if version.hardware[1] & _APPLETS:
        return Identity(uid, name, refusal="it is software on another chip, whose UID can be chosen at will")
    if version.hardware[1] == _TYPE and version.hardware[3] == _D40:
        return Identity(uid, name, refusal="its keys can be read out since 2011, so that anybody can copy it")
    note = "its applications cannot be chosen, so that only its UID is used"
    return Identity(uid, name, notes=(note,) if name == _LIGHT else ())


def _read_state(generation: Generation, storage: int) -> Dialogue[DesfireState]:
    """Ask at PICC level, and look for the NDEF application where it can be."""
    yield from select_application(PICC)
    ring = yield from _unless_refused(key_slots())
    applications = yield from _unless_refused(application_ids())
    free = yield from _unless_refused(free_memory())
    ndef = None
    if applications != ():
        ndef = yield from read_ndef()
    return DesfireState(generation, storage, ring, applications, free, ndef)


def _unless_refused(question: Dialogue[Result]) -> Dialogue[Result | None]:
    try:
        return (yield from question)
    except CommandRefused:
        return None
