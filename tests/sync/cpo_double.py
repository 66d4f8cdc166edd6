"""A partner in memory that can fail in every way, and a clock that passes time without waiting."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from memory_feed import START

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.token import Token

FAILSAFE_S = 20.0
"""Nothing in the tests waits this long, unless the code under test is broken."""

OK = Outcome(Verdict.ACKNOWLEDGED)
LOST = Outcome(Verdict.AMBIGUOUS, "no answer within 10 s")
REFUSED = Outcome(Verdict.REFUSED, "OCPI 2001 invalid parameters")
DOWN = Outcome(Verdict.UNREACHABLE, "HTTP 503")
UNAUTHORIZED = Outcome(Verdict.UNAUTHORIZED, "HTTP 401")
GARBAGE = Outcome(Verdict.AMBIGUOUS, "HTTP 200, but the answer is not OCPI")

Fault = str | Outcome


class Killed(BaseException):
    """The process ends here; whatever was in memory is lost."""


class CpoDouble:
    """Holds tokens. `fault` says how the n-th PUT ends, counted from 0; None means well.

    A fault is an outcome without effect, "applied" (it lands and no answer comes), "ignored" (it is
    acknowledged and does not land) or "hang".
    """

    def __init__(self, fault: Callable[[int, Token], Fault | None] | None = None) -> None:
        self.holds: dict[str, Token] = {}
        self.puts: list[Token] = []
        self.proofs = 0
        self.fault = fault or (lambda _number, _token: None)
        self.proof_fault: Outcome | None = None
        self.reads_back: list[str] = []
        self.release = threading.Event()
        self.is_hanging = threading.Event()
        self.at_once = Counter[str]()
        self.most_at_once = 0
        self.overtaken: list[Token] = []
        self._lock = threading.Lock()

    def put(self, token: Token) -> Outcome:
        self._enter(token)
        try:
            with self._lock:
                number = len(self.puts)
                self.puts.append(token)
            fault = self.fault(number, token)
            if fault == "hang":
                self.is_hanging.set()
                self.release.wait(FAILSAFE_S)
                return LOST
            if isinstance(fault, Outcome):
                return fault
            if fault != "ignored":
                self._apply(token)
            return LOST if fault == "applied" else OK
        finally:
            self._leave(token)

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:
        self.proofs += 1
        if self.proof_fault:
            return self.proof_fault, None
        held = self.holds.get(token.uid.hex)
        if self.reads_back or held == token:
            return OK, list(self.reads_back)
        return OK, ["the partner does not know it" if held is None else "last_updated differs"]

    def _apply(self, token: Token) -> None:
        with self._lock:
            held = self.holds.get(token.uid.hex)
            if held and held.last_updated > token.last_updated:
                self.overtaken.append(token)
            self.holds[token.uid.hex] = token

    def _enter(self, token: Token) -> None:
        with self._lock:
            self.at_once[token.uid.hex] += 1
            self.most_at_once = max(self.most_at_once, self.at_once.total())

    def _leave(self, token: Token) -> None:
        with self._lock:
            self.at_once[token.uid.hex] -= 1


def first(*faults: Fault | None) -> Callable[[int, Token], Fault | None]:
    """The first requests end like this, and all later ones well."""
    return lambda number, _token: faults[number] if number < len(faults) else None


def always(fault: Fault) -> Callable[[int, Token], Fault | None]:
    return lambda _number, _token: fault


class FakeClock:
    """Time passes when somebody waits for it, and not otherwise."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def elapsed_s(self) -> float:
        return self.passed_s

    def wait(self, event: threading.Event, seconds: float) -> None:
        if not event.is_set():
            self.waits.append(seconds)
            self.passed_s += max(seconds, 0.001)


def numbers(tokens: Iterable[Token]) -> list[int]:
    """Which tokens these are, by the number they were made with."""
    return [int(token.uid.hex[2:], 16) for token in tokens]
