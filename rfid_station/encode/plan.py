"""From what should be on a card and what is on it now to an ordered list of writes. Pure.

The order survives a tear at every step: as long as anything else is unfinished, the NDEF
length is zero, so a phone finds an empty card; the page with the real length comes last. Pages
that are right already are not written, so that a torn card is finished by planning anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rfid_station.chip.catalogue import PAGE_SIZE, Type2Chip
from rfid_station.chip.identify import Identity, Type2State, split_pages
from rfid_station.chip.ndef import NDEF, TERMINATOR, uri_message
from rfid_station.domain.profile import Content, Profile
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardRefused


@dataclass(frozen=True, slots=True)
class WritePage:
    """One write of one page, and what it is for."""

    page: int
    data: bytes
    purpose: str

    def __str__(self) -> str:
        return f"page {self.page:02X} ← {self.data.hex(' ').upper()}  {self.purpose}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to one card. `expected` is what every touched page must read in the end."""

    uid: CardUid
    chip: Type2Chip | None
    steps: tuple[WritePage, ...]
    expected: dict[int, bytes]

    @property
    def digest(self) -> str:
        """Names the wanted end state, whatever of it is there already: SHA-256, 16 digits."""
        whole = b"".join(bytes([page]) + data for page, data in sorted(self.expected.items()))
        return hashlib.sha256(self.uid.raw + whole).hexdigest()[:16]


def plan_encoding(profile: Profile, identity: Identity, link: str) -> Plan:
    """Plan how the card on the reader becomes what the profile wants, carrying `link`.

    :raises CardRefused: the chip is not one of the profile's, is too small, or is locked
    """
    if identity.name not in profile.chips:
        raise CardRefused(
            f"card {identity.uid.masked} is a {identity.name}; profile {profile.name} takes "
            + ", ".join(sorted(profile.chips)),
            hint="take a blank with one of these chips, or another profile with --profile",
        )
    if profile.content is Content.NOTHING or identity.type2 is None:
        return Plan(identity.uid, None, (), {})
    return _plan_link(identity.uid, identity.type2, link)


def _plan_link(uid: CardUid, state: Type2State, link: str) -> Plan:
    expected = _link_pages(state.chip, link)
    header = state.chip.user_first + (len(state.chip.prefix) + 1) // PAGE_SIZE
    closed = _closed_header(state.chip, header)
    body = [
        WritePage(page, data, "link")
        for page, data in sorted(expected.items())
        if page != header and state.pages.get(page) != data
    ]
    steps = list(body)
    if body and state.pages[header] != closed:
        steps.insert(0, WritePage(header, closed, "length 0: phones find nothing"))
    if body or state.pages[header] != expected[header]:
        steps.append(WritePage(header, expected[header], "length: the link is there"))
    _check_writable(uid, state, steps)
    return Plan(uid, state.chip, tuple(steps), expected)


def _link_pages(chip: Type2Chip, link: str) -> dict[int, bytes]:
    """The user pages that a link needs, filled up with zeros."""
    message = uri_message(link) if len(link) < 250 else bytes(255)
    if len(message) > chip.ndef_room:
        raise CardRefused(
            f"a link of {len(link)} characters does not fit into the {chip.user_size} bytes of a {chip.name}",
            hint="shorten desk.link in station.toml, or take a larger chip",
        )
    memory = chip.prefix + bytes([NDEF, len(message)]) + message + bytes([TERMINATOR])
    padded = memory + bytes(-len(memory) % PAGE_SIZE)
    return split_pages(chip.user_first, padded[: chip.user_size])


def _closed_header(chip: Type2Chip, header: int) -> bytes:
    """The page with the length byte, the length zero and nothing behind it."""
    memory = chip.prefix + bytes([NDEF, 0, TERMINATOR])
    at = (header - chip.user_first) * PAGE_SIZE
    return (memory + bytes(PAGE_SIZE))[at : at + PAGE_SIZE]


def _check_writable(uid: CardUid, state: Type2State, steps: list[WritePage]) -> None:
    for step in steps:
        reason = state.why_not_writable(step.page)
        if reason:
            raise CardRefused(
                f"card {uid.masked} cannot be written: {reason}",
                hint="put this card aside and take another blank",
            )
