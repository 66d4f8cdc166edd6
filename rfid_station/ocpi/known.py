"""What a partner is known to hold of each token, but for what changes every day: so that PATCH can be used.

Kept in memory alone. After a restart nothing is known, and everything is PUT once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

_OFTEN_CHANGED = ("valid", "whitelist", "last_updated")


class Known:
    """By the URL of a token: a digest of all that a PATCH leaves as it is. Used by several threads."""

    def __init__(self) -> None:
        self._rest: dict[str, bytes] = {}

    def part_of(self, url: str, body: Mapping[str, object]) -> dict[str, object] | None:
        """What a PATCH carries if nothing else has changed; None if that is not so, or not known.

        `valid` and `whitelist` go together, whichever of them changed: so it does not matter which PATCH
        landed last. `last_updated` is in each PATCH (OCPI 2.2.1 transport_and_format, PATCH).
        """
        if self._rest.get(url) != _digest(body):
            return None
        return {name: body[name] for name in _OFTEN_CHANGED}

    def note(self, url: str, body: Mapping[str, object]) -> None:
        """Take note that the partner acknowledged this token, or read it back."""
        self._rest[url] = _digest(body)

    def forget(self, url: str) -> None:
        """Take note that nobody knows what it holds."""
        self._rest.pop(url, None)


def _digest(body: Mapping[str, object]) -> bytes:
    rest = {name: value for name, value in body.items() if name not in _OFTEN_CHANGED}
    return blake2b(json.dumps(rest, sort_keys=True).encode(), digest_size=16).digest()
