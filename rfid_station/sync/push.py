"""One token brought to one partner at once, ahead of everything, and proven there."""

from __future__ import annotations

import threading
from datetime import datetime

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.feed import Change
from rfid_station.sync.confirmation import Confirmation, PushAnswer, cached_until, risk_of, told
from rfid_station.sync.courier import Courier
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.speaker import Result
from rfid_station.sync.step import Call

_NEXT = {
    PushAnswer.CONFIRMED: "nothing is left to do",
    PushAnswer.ACKNOWLEDGED: "stays owed: the next sync reads it back, and sends it again if it differs",
    PushAnswer.REFUSED: "stays owed: tried again after a minute at first, and at once when the card changes",
    PushAnswer.UNREACHABLE: "stays owed: sent as soon as a sync reaches the partner",
    PushAnswer.AMBIGUOUS: "stays owed: the next sync reads it back, and sends it again if it differs",
}


_AGAIN_S = (2.0, 5.0, 15.0, 60.0)
"""How long to wait after each attempt that was not confirmed; the last one for all that follow."""


class Push:
    """The push of one token to one partner. `confirmation` always tells how far it came."""

    def __init__(self, courier: Courier, change: Change) -> None:
        self._courier = courier
        self._change = change
        self._put: Result | None = None
        self._confirmed_at: datetime | None = None
        self._proven_at: datetime | None = None
        self._enough = threading.Event()
        self.confirmation = self._confirm(
            PushAnswer.UNREACHABLE, "not sent: an earlier request to it has not ended yet"
        )

    def run(self, until_s: float) -> Confirmation:
        """Send the newest state and prove it. An ambiguous push is sent once more, if there is time.

        :param until_s: when to stop, as the courier's clock shows it; a request under way may last longer
        :raises StationError: the store failed
        """
        with self._courier.own_turn(until_s) as lane:
            if lane is not None:
                self._send_and_read_back(lane, until_s)
        return self.confirmation

    def insist(self, until_s: float) -> Confirmation:
        """The same until it is proven, with growing pauses, and never within one of the partner's.

        :raises StationError: the store failed
        """
        attempts = 0
        while not self.run(until_s).is_confirmed:
            wait_s = max(_AGAIN_S[min(attempts, len(_AGAIN_S) - 1)], self._courier.pause_left_s())
            if self._courier.clock.elapsed_s() + wait_s >= until_s:
                break
            attempts += 1
            self._courier.clock.wait(self._enough, wait_s)
        return self.confirmation

    def prove(self, until_s: float) -> Confirmation:
        """Only read it back, if the partner acknowledged this state before.

        :raises StationError: the store failed
        """
        with self._courier.own_turn(until_s) as lane:
            if lane is not None and lane.is_acknowledged(self._change):
                self._read_back(lane)
            elif lane is not None:
                self._send_and_read_back(lane, until_s)
        return self.confirmation

    def _send_and_read_back(self, lane: PartnerLane, until_s: float) -> None:
        if lane.is_held and not self._change.is_urgent:
            self.confirmation = self._confirm(
                PushAnswer.UNREACHABLE,
                f"not sent: {self._courier.pause}",
                next_step=f"stays owed: sent after rfid-station sync resume {self._courier.name}",
            )
            return
        self._send(lane, until_s)
        if self._put and self._put.outcome.verdict in (Verdict.ACKNOWLEDGED, Verdict.AMBIGUOUS):
            self._read_back(lane)

    def _send(self, lane: PartnerLane, until_s: float) -> None:
        self.confirmation = self._confirm(PushAnswer.AMBIGUOUS, "has not answered yet")
        self._put = self._courier.request_now(lane, self._change.token_id, Call.PUT)
        has_time = self._courier.clock.elapsed_s() < until_s
        if self._put and self._put.outcome.verdict is Verdict.AMBIGUOUS and has_time:
            self._put = self._courier.request_now(lane, self._change.token_id, Call.PUT) or self._put
        if self._put:
            self._change = self._put.change
            self._judge_put(self._put)

    def _judge_put(self, put: Result) -> None:
        outcome, profile = put.outcome, self._courier.peer.profile
        self._proven_at = None
        self._confirmed_at = self._now if outcome.verdict is Verdict.ACKNOWLEDGED else None
        match outcome.verdict:
            case Verdict.ACKNOWLEDGED:
                self.confirmation = self._confirm(PushAnswer.ACKNOWLEDGED, "not read back yet")
            case Verdict.REFUSED:
                self.confirmation = self._confirm(PushAnswer.REFUSED, outcome.detail)
            case Verdict.AMBIGUOUS:
                self.confirmation = self._confirm(PushAnswer.AMBIGUOUS, outcome.detail)
            case Verdict.UNREACHABLE:
                self.confirmation = self._confirm(PushAnswer.UNREACHABLE, outcome.detail)
            case Verdict.UNAUTHORIZED:
                self.confirmation = self._confirm(
                    PushAnswer.REFUSED,
                    f"does not accept our {profile.credential}: {outcome.detail}",
                    next_step=f"stays owed: {profile.way_back_in}, then sync",
                )

    def _read_back(self, lane: PartnerLane) -> None:
        if not self._courier.peer.profile.reads_back:
            self._take_its_word()
            return
        proof = self._courier.request_now(lane, self._change.token_id, Call.PROVE)
        if proof is None:
            return
        self._change = proof.change
        is_acknowledged = self._put is None or self._put.outcome.verdict is Verdict.ACKNOWLEDGED
        is_equal = proof.differences == []
        if is_equal:
            self._proven_at = self._now
        if is_acknowledged and is_equal:
            self.confirmation = self._confirm(PushAnswer.CONFIRMED, "", is_held=True)
            return
        answer = PushAnswer.ACKNOWLEDGED if is_acknowledged else PushAnswer.AMBIGUOUS
        first = self._put.outcome.detail if self._put and not is_acknowledged else ""
        detail = "; ".join(part for part in (first, _seen(proof)) if part)
        self.confirmation = self._confirm(answer, detail, is_held=is_equal)

    def _take_its_word(self) -> None:
        """Be content with an acknowledgement, where nothing can be read back; but nothing is proven by it."""
        if self._put and self._put.outcome.verdict is Verdict.ACKNOWLEDGED:
            self.confirmation = self._confirm(
                PushAnswer.CONFIRMED, "by its word: it cannot be read back", is_held=True
            )

    @property
    def _now(self) -> datetime:
        return self._courier.clock.now()

    def _confirm(
        self, answer: PushAnswer, detail: str, *, is_held: bool = False, next_step: str | None = None
    ) -> Confirmation:
        peer = self._courier.peer
        token = self._change.token
        risk = risk_of(token, peer.profile, is_held=is_held)
        until = cached_until(token, peer.profile, self._confirmed_at or self._proven_at)
        return Confirmation(
            partner=peer.name,
            token_id=self._change.token_id,
            revision=self._change.revision,
            answer=answer,
            detail=detail,
            at=self._now,
            may_accept=told(risk, peer.profile, is_held=is_held, cached_until=until),
            next_step=next_step or _NEXT[answer],
            risk=risk,
            is_valid=token.valid,
            is_hub=peer.profile.is_hub,
            confirmed_at=self._confirmed_at,
            proven_at=self._proven_at,
            cached_until=until,
        )


def _seen(proof: Result) -> str:
    if proof.differences is None:
        return f"cannot be read back: {proof.outcome.detail}"
    if proof.differences:
        return f"reads back differently: {'; '.join(proof.differences)}"
    return "reads back as sent"
