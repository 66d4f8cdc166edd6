"""Which key a card has: never the key itself, only its name and version in the key ring.

All keys on a card are diversified from one master key, by the card's UID and the slot they lie in, so that
a card needs no more than this, and no two keys are equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rfid_station.errors import WrongCall

_KEY_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, order=True)
class KeyRef:
    """A master key in one of its versions, written `cards:3`."""

    id: str
    version: int
    """From 1 to 255: it is told to chips that keep a version with a key, and 0 is what they come with."""

    def __str__(self) -> str:
        return f"{self.id}:{self.version}"


def parse_key_ref(text: str) -> KeyRef:
    """Read `cards:3`.

    :raises WrongCall: it has another form
    """
    name, _, version = text.partition(":")
    if not version.isdecimal() or not 1 <= int(version) <= 255:
        raise WrongCall(f"{text!r} names no version of a key", hint="write it like cards:3, from 1 to 255")
    return KeyRef(check_key_id(name), int(version))


def check_key_id(name: str) -> str:
    """Let a name pass that a master key may have.

    :raises WrongCall: it has other characters, or too many
    """
    if not _KEY_ID.fullmatch(name):
        raise WrongCall(
            f"{name!r} cannot be the name of a key",
            hint="take small letters, digits and hyphens, beginning with a letter, 32 at most",
        )
    return name
