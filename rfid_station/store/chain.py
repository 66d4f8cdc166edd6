"""The audit chain: what an event is, and the hash that ties it to the one before. Pure.

The hash of an event is the SHA-256, in lower-case hexadecimal, over the ASCII bytes of the JSON array

    [seq, at, actor, role, action, subject, data, previous_hash]

written without spaces and with every character beyond ASCII escaped. `seq` is a number from 1 without
gaps, everything else a string exactly as it is stored: `at` as `2026-11-22T06:44:00.000000Z`, `data` as
its own JSON text with sorted keys and without spaces. The first event's `previous_hash` is 64 zeros.

The chain shows every change that is not followed by a new computation of all later hashes *and* of the
end that the row `meta` keeps. Against somebody who does all that, note the last hash somewhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as _sha256

from rfid_station.domain.actor import Actor

START = "0" * 64

_quoted = json.encoder.encode_basestring_ascii
"""A string as canonical JSON: what the encoder below does with each."""

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit log."""

    seq: int
    at: datetime
    actor: Actor
    action: str
    """What happened, as `card.issued` or `token.proven`."""
    subject: str
    """What it happened to, as `card:17` or `partner:gireve`."""
    data: Mapping[str, object]
    hash: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """Whether the audit log is whole; if not, the first event that shows it and how."""

    events: int
    """How many events hang together, counted from the first."""
    head: str
    """The hash of the last one of them."""
    broken_at: int | None = None
    why: str | None = None

    @property
    def is_whole(self) -> bool:
        """No event is missing, moved or changed."""
        return self.broken_at is None


def canonical_json(value: object) -> str:
    """JSON in the one way that hashes are computed over."""
    return _CANONICAL.encode(value)


def canonical_texts(names: Sequence[str]) -> Callable[[Sequence[str | None]], str]:
    """`canonical_json` for many objects with the same names, whose values are texts or None.

    The values come in the order of the names, which is that of the alphabet.
    """
    if list(names) != sorted(names):
        raise ValueError(f"{names} are not in the order of the alphabet")
    frame = "{" + ",".join(f"{_quoted(name)}:%s" for name in names) + "}"
    return lambda values: frame % tuple("null" if one is None else _quoted(one) for one in values)


def sealing(*, at: str, actor: str, role: str, action: str) -> Callable[[int, str, str, str], str]:
    """`event_hash` for many events that differ in number, subject, data and the hash before only."""
    same = ",".join(map(_quoted, (at, actor, role, action)))

    def seal(seq: int, subject: str, data: str, previous_hash: str) -> str:
        texts = f'[{seq},{same},{_quoted(subject)},{_quoted(data)},"{previous_hash}"]'
        return _sha256(texts.encode("ascii")).hexdigest()

    return seal


def event_hash(
    *, seq: int, at: str, actor: str, role: str, action: str, subject: str, data: str, previous_hash: str
) -> str:
    """The hash of an event, from its stored texts."""
    texts = ",".join(map(_quoted, (at, actor, role, action, subject, data, previous_hash)))
    return _sha256(f"[{seq},{texts}]".encode("ascii")).hexdigest()
