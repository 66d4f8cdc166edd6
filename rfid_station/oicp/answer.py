"""How an answer of a hub is judged: by its HTTP status, by `Result` and by the status code, all three.

Pure: bytes and header values in, a verdict out. Sources: OICP 2.3 for EMPs, eRoamingAcknowledgement and
CodeType; its Acceptable Use Policy 1.0 (rate limits, HTTP 429); RFC 9110, 10.2.3 (Retry-After).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rfid_station.domain.delivery import Outcome, Verdict

SUCCESS = "000"
DATABASE_ERROR = "002"
INCONSISTENT_EVCO_ID = "019"

LENGTH = 160
"""Characters of a hub's text in one message of ours."""
LONGEST_WAIT_S = 24 * 60 * 60.0

_OUT_OF_ORDER = frozenset({"001", DATABASE_ERROR, "021", "310", "320"})
"""The hub's own trouble: nothing is said about the record."""
_WE_ARE_REFUSED = frozenset({"017", "210", "300"})
"""Our certificate or our contract: no record would pass."""

_MEANINGS = {
    "001": "system error",
    "002": "database error",
    "009": "data transaction error",
    "017": "unauthorized access",
    "019": "inconsistent EvcoID",
    "021": "system error",
    "022": "data error",
    "102": "invalid UID",
    "210": "no valid contract",
    "300": "partner not found",
    "310": "partner did not respond",
    "320": "service not available",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """How one upload ended. The code is None when the answer was no eRoamingAcknowledgement."""

    outcome: Outcome
    code: str | None = None

    @property
    def is_acknowledged(self) -> bool:
        """The hub did what was asked."""
        return self.outcome.verdict is Verdict.ACKNOWLEDGED

    @property
    def may_be_about_presence(self) -> bool:
        """Whether the hub may have refused because the record is there, or is not.

        No code is laid down for that; the record of a contract of somebody else's has one of its own.
        """
        if self.code is None or self.code == INCONSISTENT_EVCO_ID:
            return False
        return self.outcome.verdict is Verdict.REFUSED or self.code == DATABASE_ERROR


def read_answer(http_status: int, body: bytes, retry_after: str | None = None) -> Answer:
    """Judge an answer that came whole."""
    told = _object(body)
    code = _code(told)
    verdict = _of_status(http_status) or _of_acknowledgement(told.get("Result") if told else None, code)
    wait_s = retry_after_s(retry_after, datetime.now(UTC)) if verdict is Verdict.UNREACHABLE else None
    words = _words(told, code, body)
    return Answer(Outcome(verdict, seen(f"HTTP {http_status}, {words}"), wait_s), code)


def seen(text: str, length: int = LENGTH) -> str:
    """Somebody else's text as one short printable line."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 100 * length]).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or HTTP date, as seconds from now; None if it cannot be read."""
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


def _object(body: bytes) -> dict[str, object] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _code(told: dict[str, object] | None) -> str | None:
    status = told.get("StatusCode") if told else None
    code = status.get("Code") if isinstance(status, dict) else None
    return code if isinstance(code, str) else None


def _of_status(http_status: int) -> Verdict | None:
    """What the HTTP status alone decides."""
    if http_status in (401, 403):
        return Verdict.UNAUTHORIZED
    if http_status == 504:
        return Verdict.AMBIGUOUS
    if 300 <= http_status < 400 or http_status >= 500 or http_status in (408, 429):
        return Verdict.UNREACHABLE
    return None if http_status in (200, 201) else Verdict.REFUSED


def _of_acknowledgement(result: object, code: str | None) -> Verdict:
    """What an eRoamingAcknowledgement says; one that contradicts itself acknowledges nothing."""
    if result is True and code == SUCCESS:
        return Verdict.ACKNOWLEDGED
    if code in _WE_ARE_REFUSED:
        return Verdict.UNAUTHORIZED
    return Verdict.UNREACHABLE if code in _OUT_OF_ORDER else Verdict.REFUSED


def _words(told: dict[str, object] | None, code: str | None, body: bytes) -> str:
    if told is None:
        text = body[:2000].decode(errors="replace")
        return f"not an OICP answer: {text}" if body.strip() else "without a body"
    if code is None:
        return f"not an OICP answer: {_fault_words(told)}"
    status = told["StatusCode"]
    given = status if isinstance(status, dict) else {}
    parts = [given.get("Description") or _MEANINGS.get(code, ""), given.get("AdditionalInfo") or ""]
    result = f"OICP {code}, Result {json.dumps(told.get('Result'))}"
    return ": ".join([result, *(str(part) for part in parts if part)])


def _fault_words(told: dict[str, object]) -> str:
    """A fault that is no acknowledgement: its message and the fields that it names."""
    faults = told.get("validationErrors")
    named = [one for one in faults if isinstance(one, dict)] if isinstance(faults, list) else []
    fields = [f"{one.get('fieldReference')}: {one.get('errorMessage')}" for one in named]
    return "; ".join([str(told["message"]), *fields]) if "message" in told else json.dumps(told)[:2000]
