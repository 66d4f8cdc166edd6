"""A link in the pages of a Type 2 tag: what they hold, and in which order they are written.

The order survives a tear at every step: as long as anything else is unfinished, the NDEF length is
zero, so a phone finds an empty card; the page with the real length comes last. Pages that are right already
are not written, so that a torn card is finished by planning anew.
"""

from __future__ import annotations

from rfid_station.chip.catalogue import NDEF_MAGIC, PAGE_SIZE, Type2Chip
from rfid_station.chip.ndef import NDEF, TERMINATOR, find_ndef, uri_message
from rfid_station.chip.type2 import split_pages
from rfid_station.chip.type2_state import CAPABILITY, READ_ONLY, Type2State
from rfid_station.encode.type2_steps import Step, WritePage, joined
from rfid_station.errors import CardRefused

_VERSION_1 = 0x1
_LONGEST = 255
"""Bytes in the payload of a short record."""


def link_pages(chip: Type2Chip, link: str) -> dict[int, bytes]:
    """The user pages that a link needs, filled up with zeros.

    :raises CardRefused: the chip is too small for it
    """
    message = uri_message(link) if len(link.encode()) < _LONGEST else bytes(_LONGEST)
    if len(message) > chip.ndef_room:
        raise CardRefused(
            f"a link of {len(link)} characters does not fit into the {chip.user_size} bytes of a {chip.name}",
            hint="shorten desk.link in station.toml, or take a larger chip",
        )
    memory = chip.prefix + bytes([NDEF, len(message)]) + message + bytes([TERMINATOR])
    padded = memory + bytes(-len(memory) % PAGE_SIZE)
    return split_pages(chip.user_first, padded[: chip.capability[2] * 8])


def link_steps(state: Type2State, wanted: dict[int, bytes], capability: bytes) -> list[Step]:
    """Write the pages of a link, and the capability container where it is missing.

    Without a capability container no phone looks at the pages, so that it is what comes last then.
    """
    header = state.chip.length_page
    found = state.pages[CAPABILITY]
    missing = {page: data for page, data in sorted(wanted.items()) if state.pages.get(page) != data}
    body: list[Step] = [WritePage(page, data, "link") for page, data in missing.items() if page != header]
    format_it: list[Step] = []
    if found[:3] != capability[:3]:
        format_it = [WritePage(CAPABILITY, capability, "formatted for NDEF (one-time programmable)")]
    length: list[Step] = [WritePage(header, wanted[header], "length: the link is there")]
    if not _is_ndef(found):
        return body + (length if header in missing else []) + format_it
    body += format_it
    if not body and header not in missing:
        return []
    return (closing_steps(state) if body else []) + body + length


def closing_steps(state: Type2State) -> list[Step]:
    """Make a phone find nothing: first in what is there now, then where the new length will stand."""
    chip, header, steps = state.chip, state.chip.length_page, list[Step]()
    area = find_ndef(state.user_memory)
    if area is not None and area.message:
        page, at = chip.user_first + area.length_at // PAGE_SIZE, area.length_at % PAGE_SIZE
        if page != header:
            old = state.pages[page]
            closed = old[:at] + b"\x00" + old[at + 1 :]
            steps.append(WritePage(page, closed, "length 0: phones find nothing"))
    closed = split_pages(chip.user_first, chip.empty)[header]
    if state.pages[header] != closed:
        steps.append(WritePage(header, closed, "length 0: phones find nothing"))
    return steps


def capability_for(state: Type2State, access: int) -> bytes | None:
    """What the capability container becomes: what it is, or what its bits can still be programmed to.

    :param access: the last byte, `00` or `READ_ONLY`
    :returns: None if it can never be that of a tag that phones read
    """
    found, chip = state.pages[CAPABILITY], state.chip
    usable = next((form for form in (found, joined(found, chip.capability)) if _is_usable(form, chip)), None)
    if usable is None or found[3] & ~access:
        return None
    return usable[:3] + bytes([access & READ_ONLY])


def _is_usable(capability: bytes, chip: Type2Chip) -> bool:
    """Whether a phone reads a tag with it (Type 2 Tag 1.2, 6.1), and reaches all that we write."""
    return _is_ndef(capability) and chip.capability[2] <= capability[2] <= chip.user_size // 8


def _is_ndef(capability: bytes) -> bool:
    return capability[0] == NDEF_MAGIC and capability[1] >> 4 == _VERSION_1
