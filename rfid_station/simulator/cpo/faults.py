"""What can go wrong at a partner, on demand: one fault is matched and used up per request.

As JSON for the control endpoint, and on the command line: `{"kind": "busy", "method": "PUT",
"times": 2, "retry_after": "1"}`, or in a word, `busy:method=PUT,times=2,retry_after=1`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self


class FaultKind(StrEnum):
    """The first ones do nothing with the request; those from `APPLY_HANG` on carry it out beforehand."""

    ERROR = "error"
    """HTTP `status` (500), OCPI `code` (3000)."""
    REFUSE = "refuse"
    """HTTP `status` (200), OCPI `code` (2001)."""
    BUSY = "busy"
    """HTTP `status` (503) with Retry-After."""
    RATE_LIMIT = "rate_limit"
    """HTTP `status` (429) with Retry-After."""
    UNAUTHORIZED = "unauthorized"
    """HTTP `status` (401)."""
    REDIRECT = "redirect"
    """HTTP `status` (307) to `location`."""
    GARBAGE = "garbage"
    """HTTP `status` (200) with `body`, a page of HTML where none is given."""
    CUT = "cut"
    """HTTP 200 with half of an envelope."""
    HUGE = "huge"
    """HTTP 200 with a body of some megabytes."""
    ABORT = "abort"
    """The connection is closed without an answer."""
    HANG = "hang"
    """No answer for `seconds` (an hour), then the connection is closed."""
    RESTART = "restart"
    """Every connection is closed, and what `loses` names is lost: nothing, tokens or everything."""

    APPLY_HANG = "apply_hang"
    """Carried out, and no answer."""
    APPLY_ABORT = "apply_abort"
    """Carried out, and the connection closed in the middle of the answer."""
    APPLY_ERROR = "apply_error"
    """Carried out, and HTTP `status` (500)."""
    FORGET = "forget"
    """Acknowledged, and then lost."""
    LOWER_CASE = "lower_case"
    """Answers in which every case-insensitive string is in lower case."""
    SLOW = "slow"
    """Carried out and answered as it should be, after `seconds` (2)."""
    WRONG_LINK = "wrong_link"
    """Carried out, and answered with a link to a next page at `location`, or to the same page once more."""


LOSSES = ("nothing", "tokens", "everything")

_NUMBERS: Mapping[str, Callable[[str], float]] = {"times": int, "status": int, "code": int, "seconds": float}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and the requests it hits: an empty `method`, `module` or `uid` hits all.

    `module` is versions, details, credentials or tokens; `uid` is a regular expression that a
    whole token uid has to match; `times` is how often, None for as long as it is set.
    """

    kind: FaultKind
    method: str = ""
    module: str = "tokens"
    uid: str = ""
    times: int | None = None
    status: int | None = None
    code: int | None = None
    message: str = "on demand"
    retry_after: str = "1"
    seconds: float | None = None
    loses: str = "everything"
    location: str = ""
    body: str = "<!doctype html>\n<title>502</title><h1>Bad gateway</h1>"

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read a fault as the control endpoint takes it.

        :raises ValueError: it names no fault, or a member that faults do not have
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= known or "kind" not in given:
            raise ValueError(f"a fault is an object with kind, and of {', '.join(sorted(known))}")
        re.compile(str(given.get("uid", "")))
        if given.get("loses", "everything") not in LOSSES:
            raise ValueError(f"loses is one of {', '.join(LOSSES)}")
        return cls(**{**given, "kind": FaultKind(given["kind"])})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a fault as the command line takes it: `kind`, or `kind:member=value,member=value`.

        :raises ValueError: it names no fault, or a member that faults do not have
        """
        kind, _, rest = text.partition(":")
        given: dict[str, object] = {"kind": kind.replace("-", "_")}
        for part in filter(None, rest.split(",")):
            name, _, value = part.partition("=")
            given[name] = _NUMBERS[name](value) if name in _NUMBERS else value
        return cls.from_json(given)

    @property
    def lasts_s(self) -> float:
        """For how long nothing is heard, in seconds."""
        if self.seconds is not None:
            return self.seconds
        return 2.0 if self.kind is FaultKind.SLOW else 3600.0

    def hits(self, method: str, module: str, uid: str) -> bool:
        """Whether this request is to go wrong."""
        return (
            self.method in ("", method)
            and self.module in ("", module)
            and (not self.uid or re.fullmatch(self.uid, uid, re.IGNORECASE) is not None)
        )


class Faults:
    """The faults that are set. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Set one more fault; those that were set before are tried first."""
        with self._lock:
            self._set.append(fault)

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._set.clear()

    def take(self, method: str, module: str, uid: str) -> Fault | None:
        """The first fault that hits this request, used up by one."""
        with self._lock:
            for place, fault in enumerate(self._set):
                if fault.hits(method, module, uid):
                    self._use_up(place, fault)
                    return fault
        return None

    def _use_up(self, place: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times > 1:
            self._set[place] = replace(fault, times=fault.times - 1)
        else:
            del self._set[place]
