"""The configuration of a Type 2 tag: from which page on it asks for a password or key, and if it counts."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.catalogue import Guard, Type2Chip
from rfid_station.chip.type2_state import Type2State
from rfid_station.encode.type2_steps import Expected, Step, WritePage, byte_at, joined, masked

COUNTS = 0x10
"""NFC_CNT_EN: the chip counts how often it was read (NTAG21x data sheet, 8.5.7)."""
_MIRROR = 0xC0
"""MIRROR_CONF: UID or counter are shown in place of what stands in the memory."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A byte of the configuration, or some of its bits, and the page around it as delivered."""

    expected: Expected
    as_delivered: bytes
    purpose: str


def guard_from(guard: Guard, page: int) -> Setting:
    """From which page on the guard is asked. A mirror that is set in the same page is switched off."""
    place = guard.first_page
    mask = byte_at(place.at, 0xFF)
    if guard.kind == "password":
        mask = bytes([_MIRROR]) + mask[1:]
    purpose = (
        "guard off" if page == guard.off else f"from page {page:02X} on, writing takes the {words(guard)}"
    )
    return Setting(
        Expected(place.page, byte_at(place.at, page), mask), guard.first_page_as_delivered, purpose
    )


def access(guard: Guard, value: int) -> Setting:
    """What strangers may do behind the guard."""
    place = guard.access
    expected = Expected(place.page, byte_at(place.at, value), byte_at(place.at, 0xFF))
    return Setting(expected, guard.access_as_delivered, "everybody may read")


def counter(guard: Guard) -> Setting:
    """The counter on, and all else there as it is."""
    bit = byte_at(guard.access.at, COUNTS)
    return Setting(Expected(guard.access.page, bit, bit), guard.access_as_delivered, "counter on")


def no_mirror(guard: Guard) -> Setting:
    """The mirror off, and all else there as it is."""
    place = guard.first_page
    return Setting(
        Expected(place.page, bytes(4), byte_at(0, _MIRROR)), guard.first_page_as_delivered, "mirror off"
    )


def words(guard: Guard) -> str:
    """What the guard asks for."""
    return "password" if guard.kind == "password" else "key"


def words_of(chip: Type2Chip) -> str:
    """What the chip would ask for."""
    return words(chip.guard) if chip.guard else "key"


def missing(state: Type2State, settings: list[Setting], *, is_begun: bool = False) -> list[Step]:
    """Steps for the settings that differ.

    The other bytes of a page stay. In a card that was begun they may have been lost in a tear, so that they
    are written as every chip of the kind is delivered.
    """
    steps: list[Step] = []
    for setting in settings:
        page, found = setting.expected, state.pages[setting.expected.page]
        if page.holds(found):
            continue
        kept = masked(setting.as_delivered if is_begun else found, bytes(~bits & 0xFF for bits in page.mask))
        steps.append(WritePage(page.page, joined(kept, page.data), setting.purpose))
    return steps
