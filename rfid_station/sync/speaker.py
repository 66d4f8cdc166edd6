"""Speaks to one partner: one request about one token, no faster than its profile allows, and noted.

What is said about a token is a dialogue (ADR 3): it yields what to ask and is sent what the partner told. So
it is the same whether one request is waited for, or many are under way in an event loop.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Generator
from functools import partial
from typing import NamedTuple, TypeVar

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change
from rfid_station.domain.token import Token
from rfid_station.sync.aside import in_thread
from rfid_station.sync.clock import Clock
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.port import FeedStore, Peer, SwiftReceiver
from rfid_station.sync.report import Traffic
from rfid_station.sync.step import Call, Deliver


class Ask(NamedTuple):
    """One request to be made."""

    call: Call
    token: Token


Told = tuple[Outcome, list[str] | None]
"""How a request ended; after a GET, what differs there."""

Said = TypeVar("Said")
Dialogue = Generator[Ask, Told, Said]


class Result(NamedTuple):
    """What came of one request: the state it was about, the outcome, and what a GET showed."""

    change: Change
    outcome: Outcome
    differences: list[str] | None = None


class Speaker:
    """Carries dialogues with one partner. Used by one thread at a time.

    :param stopped: set when nobody waits for the partner any more
    """

    def __init__(self, store: FeedStore, peer: Peer, clock: Clock, stopped: threading.Event) -> None:
        self.traffic = Traffic()
        self._store = store
        self._name = peer.name
        self._receiver = peer.receiver
        self._swift = peer.receiver if isinstance(peer.receiver, SwiftReceiver) else None
        self._clock = clock
        self._stopped = stopped
        self._apart_s = 1.0 / peer.profile.max_rps if peer.profile.max_rps else 0.0
        self._next_request_s = -math.inf
        self._is_one_about_to_begin = False

    # What is said

    def request(
        self, lane: PartnerLane, deliver: Deliver, change: Change | None, call: Call | None = None
    ) -> Dialogue[Result | None]:
        """One request about a token as it is now, judged by the lane; None when there is nothing to say."""
        attempt = lane.begin(deliver, change, self._clock.now(), call)
        if attempt is None or change is None:
            return None
        if attempt.call is Call.PUT:
            outcome = yield from self._bring(change, attempt.token)
            lane.finish_put(attempt, outcome, self._clock.now())
            return Result(change, outcome)
        outcome, differences = yield from self._prove(change, attempt.token)
        lane.finish_proof(attempt, outcome, differences, self._clock.now())
        return Result(change, outcome, differences)

    def read_back(self, change: Change) -> Dialogue[Result]:
        """Ask what the partner holds."""
        outcome, differences = yield from self._prove(change, change.token)
        return Result(change, outcome, differences)

    def _bring(self, change: Change, token: Token) -> Dialogue[Outcome]:
        """Send a token. What was sent in part is believed after a read-back alone, or is sent as a whole."""
        outcome, _ = yield Ask(Call.PUT, token)
        if not outcome.is_partial or outcome.verdict not in (Verdict.ACKNOWLEDGED, Verdict.REFUSED):
            return outcome
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            _, differences = yield from self._prove(change, token)
            if differences == []:
                return outcome
        outcome, _ = yield Ask(Call.PUT, token)
        return outcome

    def _prove(self, change: Change, token: Token) -> Dialogue[Told]:
        outcome, differences = yield Ask(Call.PROVE, token)
        if differences is not None:
            self._store.record_proof(
                self._name, change.token_id, change.revision, not differences, "; ".join(differences)
            )
        return outcome, differences

    # How it is carried

    def converse(self, dialogue: Dialogue[Said]) -> Said:
        """Make the requests of a dialogue, and wait for the answer to each."""
        try:
            ask = next(dialogue)
            while True:
                self.begin_request()
                ask = dialogue.send(self._noted(ask, self._tell(ask)))
        except StopIteration as end:
            said: Said = end.value
            return said

    async def converse_soon(self, dialogue: Dialogue[Said]) -> Said:
        """The same from within an event loop; the first request is begun already, as far as the rate goes."""
        try:
            ask = self._first(dialogue)
            while True:
                ask = dialogue.send(self._noted(ask, await self._tell_soon(ask)))
                self.begin_request()
        except StopIteration as end:
            said: Said = end.value
            return said

    def _first(self, dialogue: Dialogue[object]) -> Ask:
        try:
            return next(dialogue)
        except StopIteration:
            self._is_one_about_to_begin = False
            raise

    def _tell(self, ask: Ask) -> Told:
        self._goes_out()
        if ask.call is Call.PUT:
            return self._receiver.put(ask.token), None
        return self._receiver.prove(ask.token)

    async def _tell_soon(self, ask: Ask) -> Told:
        if self._swift is None:
            return await asyncio.wrap_future(in_thread(f"sync {self._name}", partial(self._tell, ask)))
        self._goes_out()
        if ask.call is Call.PUT:
            return await self._swift.put_soon(ask.token), None
        return await self._swift.prove_soon(ask.token)

    def _noted(self, ask: Ask, told: Told) -> Told:
        outcome, _ = told
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            self.traffic.last_success = self._clock.now()
        else:
            self.traffic.last_error = f"{outcome.verdict}: {outcome.detail}"
        if ask.call is Call.PUT:
            self.traffic.puts += 1
        else:
            self.traffic.proofs += 1
        return told

    # The rate

    @property
    def rate_left_s(self) -> float:
        """In how many seconds the next request may begin."""
        if not self._apart_s:
            return 0.0
        if self._is_one_about_to_begin:
            return self._apart_s
        return self._next_request_s - self._clock.elapsed_s()

    def begin_request(self) -> None:
        """Wait until the next request may begin, and begin it."""
        if not self._apart_s:
            return
        self._is_one_about_to_begin = False
        self.await_rate()
        self._is_one_about_to_begin = True

    def _goes_out(self) -> None:
        """Take note that a request is sent now: the next one keeps its distance from this moment."""
        self._next_request_s = self._clock.elapsed_s() + self._apart_s
        self._is_one_about_to_begin = False

    def await_rate(self) -> None:
        """Wait until the next request may begin, whoever makes it."""
        left_s = self.rate_left_s
        if left_s > 0:
            self._clock.wait(self._stopped, left_s)
