"""How one request to a partner ended: what the OCPI client tells and what a lane decides by."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How one request to a partner ended."""

    ACKNOWLEDGED = "acknowledged"
    """HTTP 200 or 201 and an OCPI status code 1xxx."""
    REFUSED = "refused"
    """The partner said no to this token."""
    UNREACHABLE = "unreachable"
    """Nothing was sent, or the partner is out of order as a whole."""
    AMBIGUOUS = "ambiguous"
    """It was sent and no answer came: it may have landed."""
    UNAUTHORIZED = "unauthorized"
    """The partner does not accept our client token any more."""


class Outcome(NamedTuple):
    """The verdict on one request, the reason in words, and how long the partner asks to wait."""

    verdict: Verdict
    detail: str = ""
    retry_after_s: float | None = None
    is_partial: bool = False
    """Only what had changed was sent: that it arrived says nothing yet about the rest of the token."""
