"""Short secrets that people type, kept as a hash that is slow to try: salted scrypt, its costs beside it."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_COST, _BLOCK, _LANES = 1 << 14, 8, 1
"""Of scrypt: 16 MB and some 50 ms a try, for whoever got hold of the store."""
_MOST_MEMORY = 1 << 26
_SALT_BYTES = 16


def slow_hash(secret: str) -> str:
    """What is kept of a secret, with a salt of its own: `scrypt:cost:block:lanes:salt:hash`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    found = _scrypt(secret, salt, _COST, _BLOCK, _LANES)
    return f"scrypt:{_COST}:{_BLOCK}:{_LANES}:{salt.hex()}:{found.hex()}"


def is_secret(typed: str, kept: str | None) -> bool:
    """Whether this is the secret of that hash. Without a hash it takes as long, and is never right."""
    _, cost, block, lanes, salt, wanted = (kept or _NOBODYS).split(":")
    found = _scrypt(typed, bytes.fromhex(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(found, bytes.fromhex(wanted)) and kept is not None


def _scrypt(secret: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=_MOST_MEMORY, dklen=32)


_NOBODYS = f"scrypt:{_COST}:{_BLOCK}:{_LANES}:{'00' * _SALT_BYTES}:{'00' * 32}"
