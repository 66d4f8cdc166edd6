"""The number a card answers with when a reader selects it (ISO/IEC 14443-3, 6.5.4).

Kept as bytes in the order they come through the air; hexadecimal exists only at the edge.
That text (upper case, no separators, leading zeros kept) is what OCPI, OICP and OCPP expect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rfid_station.errors import CardRefused, WrongCall

SIZES = (4, 7, 10)
"""Single, double and triple size, in bytes."""

LONGEST_FORM = 32
"""Characters of the longest text that is taken for a UID: 10 bytes in decimal are 25."""

CASCADE_TAG = 0x88
RANDOM_ID = 0x08

_SEPARATORS = re.compile(r"[\s:\-.,]+")
_HEX = re.compile(r"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class CardUid:
    """A fixed UID of 4, 7 or 10 bytes, in air order.

    :raises CardRefused: the UID is random, is a raw cascade frame, or has an impossible length
    """

    raw: bytes

    def __post_init__(self) -> None:
        reason = why_unusable(self.raw)
        if reason:
            raise CardRefused(
                f"UID {self.raw.hex().upper() or '(empty)'} cannot be used: {reason}",
                hint="take another card; `rfid-station card read` shows what a card says of itself",
            )

    def __str__(self) -> str:
        return self.hex

    @property
    def hex(self) -> str:
        """Upper-case hexadecimal without separators: 8, 14 or 20 characters."""
        return self.raw.hex().upper()

    @property
    def masked(self) -> str:
        """Enough to tell two cards apart, too little to copy one: `04…3C80`."""
        return masked(self.hex)

    @property
    def may_repeat(self) -> bool:
        """Whether another card may carry the same number: 4-byte NUIDs are not unique (AN10927)."""
        return len(self.raw) == 4


def masked(uid: str) -> str:
    """Enough of what may be the text of a UID to tell two apart, too little to copy one."""
    return f"{uid[:2]}…{uid[-4:]}" if len(uid) >= 8 else "…"


def why_unusable(raw: bytes) -> str | None:
    """Say in words why these bytes cannot identify a card for years, or None if they can."""
    if len(raw) not in SIZES:
        return f"it has {len(raw)} bytes, and a UID has 4, 7 or 10"
    if raw[0] == CASCADE_TAG:
        return "it starts with the cascade tag 88, so it is a raw selection frame and not a UID"
    if len(raw) == 4 and raw[0] == RANDOM_ID:
        return "it starts with 08, so the card makes up a new one at every tap"
    if not any(raw):
        return "it is all zero, which cards with a random UID show in its place"
    return None


def parse_uid(text: str) -> CardUid:
    """Read a UID written in hexadecimal, with or without separators, in either case.

    :raises WrongCall: the text is not hexadecimal of a UID's length
    :raises CardRefused: the UID is one that no card can be issued with
    """
    digits = _SEPARATORS.sub("", text)
    if not _HEX.fullmatch(digits) or len(digits) not in [2 * size for size in SIZES]:
        raise WrongCall(
            f"{text!r} is not a UID",
            hint="write 8, 14 or 20 hexadecimal digits, as in 04E10CDA993C80",
        )
    return CardUid(bytes.fromhex(digits))


def readings(text: str) -> list[bytes]:
    """List every UID that a scrap of text may stand for, the most literal first.

    For searching only: other systems reverse the bytes, print the number in decimal (either
    end first, padded or not), leave the check byte or cascade tag in, or pad with zeros.
    Nothing here is ever stored.
    """
    digits = _SEPARATORS.sub("", text)
    if len(digits) > LONGEST_FORM:
        return []
    found: list[bytes] = []
    if _HEX.fullmatch(digits):
        padded = digits if len(digits) % 2 == 0 else "0" + digits
        raw = bytes.fromhex(padded)
        found += [raw, raw[::-1]]
        found += _without_cascade_bytes(raw)
        found += _without_padding(raw)
        found += [reading[::-1] for reading in _without_padding(raw)]
        found += [bytes(size - len(raw)) + raw for size in SIZES if 3 <= len(raw) < size]
        found += [raw[::-1] + bytes(size - len(raw)) for size in SIZES if 3 <= len(raw) < size]
    if digits.isdecimal() and digits.isascii():
        number = int(digits)
        for size in SIZES:
            if number < 1 << (8 * size):
                raw = number.to_bytes(size)
                found += [raw, raw[::-1]]
    usable = [raw for raw in found if why_unusable(raw) is None]
    return list(dict.fromkeys(usable))


def cut_readings(text: str) -> list[str]:
    """What a UID may begin with that a charge point cut off, in upper-case hexadecimal, literally first.

    Some pass on the first four bytes as a decimal number, or the first selection frame with the cascade
    tag in it (and its check byte, where that was kept).
    """
    digits = _SEPARATORS.sub("", text).upper()
    if not _HEX.fullmatch(digits) or not 2 <= len(digits) <= LONGEST_FORM:
        return []
    found = [digits]
    if len(digits) in (8, 10) and digits.startswith(f"{CASCADE_TAG:02X}"):
        found.append(digits[2:8])
    if digits.isdecimal() and 1 << 24 <= int(digits) < 1 << 32:
        raw = int(digits).to_bytes(4)
        found += [raw.hex().upper(), raw[::-1].hex().upper()]
    return found


def _without_cascade_bytes(raw: bytes) -> list[bytes]:
    """Undo what a log of raw selection frames leaves in: `88 u0 u1 u2 [BCC0] u3 …`, or a BCC behind."""
    found = []
    if len(raw) == 8 and raw[0] == CASCADE_TAG:
        found.append(raw[1:])
    if len(raw) == 10 and raw[0] == CASCADE_TAG:
        found.append(raw[1:4] + raw[5:9])
    if len(raw) == 9:
        found.append(raw[:3] + raw[4:8])
    if len(raw) == 5 and raw[4] == raw[0] ^ raw[1] ^ raw[2] ^ raw[3]:
        found.append(raw[:4])
    return found


def _without_padding(raw: bytes) -> list[bytes]:
    """Take zeros off the front or the back until a UID's length is left."""
    found = []
    for size in SIZES:
        surplus = len(raw) - size
        if surplus > 0 and not any(raw[:surplus]):
            found.append(raw[surplus:])
        if surplus > 0 and not any(raw[-surplus:]):
            found.append(raw[:-surplus])
    return found
