"""What came of parked tokens that somebody wanted to be tried again at once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rfid_station.domain.feed import Parked
from rfid_station.sync.report import LaneReport


class RetryResult(StrEnum):
    """How far a parked token came."""

    SETTLED = "settled"
    """The partner holds its newest state."""
    REFUSED = "refused"
    TO_VERIFY = "to be verified"
    """A push ended ambiguously, and it may still land: a read-back has to wait."""
    NOT_TRIED = "not tried"
    """The partner could not be reached, or there was no time."""


@dataclass(frozen=True, slots=True)
class Retried:
    """One token at one partner that was parked."""

    partner: str
    token_id: int
    result: RetryResult
    detail: str
    """The reason, in words. Empty when settled."""
    next_try: datetime | None


def retried(
    report: LaneReport, before: Sequence[Parked] | None, token_ids: Container[int] | None
) -> list[Retried]:
    """Compare what was parked with what is by now.

    :param before: the rows that were made due; None if the partner's turn was not free
    """
    after = {row.token_id: row for row in report.parked}
    if before is None:
        busy = "another process was speaking to the partner all the time"
        chosen = (row for row in report.parked if token_ids is None or row.token_id in token_ids)
        return [_still(report, row, RetryResult.NOT_TRIED, busy) for row in chosen]
    return [_judged(report, row, after.get(row.token_id)) for row in before]


def _judged(report: LaneReport, before: Parked, now: Parked | None) -> Retried:
    if now is None:
        return Retried(report.partner, before.token_id, RetryResult.SETTLED, "", None)
    if now.must_verify:
        return _still(report, now, RetryResult.TO_VERIFY, now.error)
    if (now.revision, now.attempts) == (before.revision, before.attempts):
        return _still(report, now, RetryResult.NOT_TRIED, report.last_error or report.detail)
    return _still(report, now, RetryResult.REFUSED, now.error)


def _still(report: LaneReport, row: Parked, result: RetryResult, detail: str) -> Retried:
    return Retried(report.partner, row.token_id, result, detail, row.due_at)
