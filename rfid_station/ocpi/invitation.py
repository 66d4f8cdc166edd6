"""First tokens of ours, which end by themselves: the last day stands in the token, and its hash covers it."""

from __future__ import annotations

import secrets
from datetime import date, timedelta

LASTS = timedelta(days=14)
_RANDOM_BYTES = 32


def draw_invitation(today: date) -> str:
    """A first token for a partner that will come to us: good for `LASTS`, until that day in UTC."""
    return f"{today + LASTS:%Y%m%d}.{secrets.token_urlsafe(_RANDOM_BYTES)}"


def last_day_of(token: str) -> date | None:
    """The last day of a first token; None for one that was drawn before they had any."""
    written, dot, _ = token.partition(".")
    if not dot or len(written) != 8 or not (written.isascii() and written.isdecimal()):
        return None
    try:
        return date(int(written[:4]), int(written[4:6]), int(written[6:]))
    except ValueError:
        return None


def is_over(token: str, today: date) -> bool:
    """Whether a first token has ended."""
    last = last_day_of(token)
    return last is not None and today > last
