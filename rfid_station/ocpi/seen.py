"""Partner text made fit to be shown: one short printable line, and no credentials token in it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection
from functools import lru_cache

LENGTH = 160
"""Characters of partner text in one message of ours."""

_TOKEN_MEMBER = re.compile(r'("\\?token\\?"\s*:\s*\\?")[^"\\]*', re.IGNORECASE)


def seen(text: str, secrets: Collection[str] = (), length: int = LENGTH) -> str:
    """Show what came: secrets and every JSON member `token` masked, control characters dropped, cut short."""
    return _seen(text[: 100 * length], tuple(secrets), length)


@lru_cache(maxsize=64)
def _seen(text: str, secrets: tuple[str, ...], length: int) -> str:
    # A bulk brings the same sentence a hundred thousand times.
    masked = _TOKEN_MEMBER.sub(r"\1…", text)
    for secret in secrets:
        for written in (secret, b64encode(secret.encode()).decode().rstrip("=")):
            masked = masked.replace(written, "…") if written else masked
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in masked).split())
    return line if len(line) <= length else line[: length - 1] + "…"
