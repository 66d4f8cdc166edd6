"""Type 2 tags: the link in pages of four bytes.

The order survives a tear at every step: as long as anything else is unfinished, the NDEF
length is zero, so a phone finds an empty card; the page with the real length comes last. Pages
that are right already are not written, so that a torn card is finished by planning anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.chip import type2
from rfid_station.chip.catalogue import PAGE_SIZE, Type2Chip
from rfid_station.chip.exchange import AskUid, Dialogue, Restart
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.chip.ndef import NDEF, TERMINATOR, uri_message
from rfid_station.chip.type2 import fast_read
from rfid_station.chip.type2_state import Type2State, split_pages
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Plan, Target, check_same_card, digest_of
from rfid_station.errors import CardRefused, ReadBackDiffers


@dataclass(frozen=True, slots=True)
class WritePage:
    """One write of one page, and what it is for."""

    page: int
    data: bytes
    purpose: str
    is_irreversible: bool = False

    def __str__(self) -> str:
        return f"page {self.page:02X} ← {self.data.hex(' ').upper()}  {self.purpose}"


@dataclass(frozen=True, slots=True)
class Type2Plan:
    """What will be done to one tag. `expected` is what every touched page must read in the end."""

    uid: CardUid
    steps: tuple[WritePage, ...]
    expected: dict[int, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        """Names the wanted end state."""
        return digest_of(
            self.uid, [f"{page:02X}={data.hex()}" for page, data in sorted(self.expected.items())]
        )

    def write(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """Write every page in order, after making sure that the planned card is still there."""
        if not self.steps:
            return
        check_same_card(self.uid, (yield AskUid()))
        for step in self.steps:
            yield from type2.write(step.page, step.data)

    def verify(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """Compare the card with its plan after a field reset; the first difference is named."""
        check_same_card(self.uid, (yield Restart()))
        if not self.expected:
            return
        first, last = min(self.expected), max(self.expected)
        found = split_pages(first, (yield from fast_read(first, last)))
        for page, wanted in sorted(self.expected.items()):
            if found[page] != wanted:
                raise ReadBackDiffers(
                    f"page {page:02X} of card {self.uid.masked} reads {found[page].hex(' ').upper()}, "
                    f"and {wanted.hex(' ').upper()} was written",
                    hint="tap the card again to write it once more, or take another blank",
                )


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:  # noqa: ARG001
    """There is nothing to find out that identifying did not."""
    yield from ()
    return _state(identity)


def plan(identity: Identity, target: Target) -> Plan:
    """Plan how the tag comes to carry the link.

    :raises CardRefused: it is too small, or locked
    """
    return _plan_link(identity.uid, _state(identity), target.link)


def recycle(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how the tag becomes blank again."""
    raise NotImplementedError


def _state(identity: Identity) -> Type2State:
    if not isinstance(identity.state, Type2State):
        raise TypeError(f"{identity.name} is no Type 2 tag")
    return identity.state


def _plan_link(uid: CardUid, state: Type2State, link: str) -> Type2Plan:
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
    return Type2Plan(uid, tuple(steps), expected)


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
