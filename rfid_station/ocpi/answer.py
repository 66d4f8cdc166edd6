"""How an answer of a partner is judged: by its HTTP status and its OCPI status code, both.

Pure: bytes and header values in, a verdict out. Sources: OCPI 2.2.1 transport_and_format
(Response format, OCPI layer) and status_codes; RFC 9110, 10.2.3 (Retry-After).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.errors import PartnerError, PartnerRefused, PartnerUnreachable
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire.transport import Envelope, complaints

LONGEST_WAIT_S = 24 * 60 * 60.0
"""What is believed of a Retry-After at most."""

UNKNOWN_TOKEN = 2004
"""OCPI 2.2.1 status_codes: unknown Token."""
FORWARD_TIMED_OUT = 4002
"""OCPI 2.2.1 status_codes: a hub passed the request on and had no answer to it."""


class Answer(NamedTuple):
    """How one request ended: the verdict, what it rests on, and the `data` of an OCPI answer.

    `http_status` is None when no answer came, `status_code` when the answer was not OCPI.
    """

    outcome: Outcome
    http_status: int | None = None
    status_code: int | None = None
    data: object = None
    link: str | None = None
    """Where the next page of a list is, as its header says it (transport_and_format, Pagination)."""

    def __repr__(self) -> str:
        """Without the data, which may hold a credentials token."""
        return f"Answer({self.outcome!r}, http_status={self.http_status}, status_code={self.status_code})"

    @property
    def is_acknowledged(self) -> bool:
        """HTTP 200 or 201 and an OCPI status code 1xxx."""
        return self.outcome.verdict is Verdict.ACKNOWLEDGED


def read_answer(
    http_status: int,
    body: bytes,
    retry_after: str | None = None,
    *,
    secrets: Collection[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """Judge an answer that came whole. `secrets` never show in the detail."""
    found, trouble = _open_envelope(body)
    status_code = found.status_code if found else None
    verdict = _verdict(http_status, status_code)
    words = _ocpi_words(found) if found else trouble
    wait_s = retry_after_s(retry_after, now()) if verdict is Verdict.UNREACHABLE else None
    outcome = Outcome(verdict, seen(f"HTTP {http_status}, {words}", secrets), wait_s)
    return Answer(outcome, http_status, status_code, found.data if found else None)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or HTTP date, as seconds from now: 0 up to a day.

    None if there is none, or nothing that can be read.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_WAIT_S)
    try:
        due = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = due if due.tzinfo else due.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), LONGEST_WAIT_S)


def error_of(answer: Answer, what: str, hint: str | None = None) -> PartnerError:
    """The error that tells a user of an answer which is not an acknowledgement.

    Transient where the same call can succeed later; a redirect that is not followed never will.
    """
    is_passing = answer.outcome.verdict in (Verdict.UNREACHABLE, Verdict.AMBIGUOUS)
    is_redirect = answer.http_status is not None and 300 <= answer.http_status < 400
    kind = PartnerUnreachable if is_passing and not is_redirect else PartnerRefused
    return kind(f"{what}: {answer.outcome.detail}", hint=hint)


def _ocpi_words(found: Envelope) -> str:
    words = f"OCPI {found.status_code}"
    return f"{words}: {found.status_message}" if found.status_message else words


_envelope = TypeAdapter(Envelope).validator.validate_json


def _open_envelope(body: bytes) -> tuple[Envelope | None, str]:
    """The envelope, or what came in its place, not yet fit to be shown."""
    try:
        return _envelope(body), ""
    except ValidationError:
        return _read_patiently(body)


def _read_patiently(body: bytes) -> tuple[Envelope | None, str]:
    """The same with a reader that takes more, UTF-16 and lone surrogates too, and says what is wrong."""
    if not body.strip():
        return None, "without a body"
    try:
        return Envelope.model_validate(json.loads(body)), ""
    except ValidationError as invalid:
        fault = f"not an OCPI answer ({complaints(invalid)})"
    except (ValueError, RecursionError):
        fault = "not JSON"
    return None, f"{fault}: {body[:2000].decode(errors='replace')}"


def _verdict(http_status: int, status_code: int | None) -> Verdict:
    if http_status in (200, 201):
        return _verdict_of_code(status_code)
    if http_status in (401, 403):
        return Verdict.UNAUTHORIZED
    if http_status == 504:
        return Verdict.AMBIGUOUS
    if 300 <= http_status < 400 or http_status >= 500 or http_status in (408, 429):
        return Verdict.UNREACHABLE
    return Verdict.REFUSED


_BY_CLASS = {1: Verdict.ACKNOWLEDGED, 3: Verdict.UNREACHABLE, 4: Verdict.UNREACHABLE}


def _verdict_of_code(status_code: int | None) -> Verdict:
    """What an OCPI status code means in an answer with HTTP 200 or 201 (status_codes)."""
    if status_code is None:
        return Verdict.REFUSED
    if status_code == FORWARD_TIMED_OUT:
        return Verdict.AMBIGUOUS
    return _BY_CLASS.get(status_code // 1000, Verdict.REFUSED)
