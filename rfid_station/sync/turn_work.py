"""What is done at a partner within one turn, step by step, as its lane says."""

from __future__ import annotations

from collections.abc import Callable

from rfid_station.sync.clerk import Clerk
from rfid_station.sync.clock import Clock
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.shift import Work
from rfid_station.sync.speaker import Speaker
from rfid_station.sync.step import Deliver, Scan, Wait


class TurnWork:
    """The foreman of one turn.

    :param look_up: lets the lane see what came meanwhile
    :param is_enough: whether there is no time left
    :param is_wanted: whether somebody else wants the turn
    """

    def __init__(
        self,
        lane: PartnerLane,
        speaker: Speaker,
        clerk: Clerk,
        clock: Clock,
        *,
        look_up: Callable[[PartnerLane], None],
        is_enough: Callable[[], bool],
        is_wanted: Callable[[], bool],
    ) -> None:
        self._lane = lane
        self._speaker = speaker
        self._clerk = clerk
        self._clock = clock
        self._look_up = look_up
        self.is_enough = is_enough
        self.is_wanted = is_wanted

    def next_work(self) -> Work | None:
        """The lane's next step, if it is one that can be done now."""
        if self._speaker.rate_left_s > 0:
            # What waits for the rate is to be read when it goes, and not before.
            return None
        self._look_up(self._lane)
        step = self._lane.next_step(self._clock.now())
        if isinstance(step, Deliver):
            self._speaker.begin_request()
        return None if isinstance(step, Wait) else step

    async def carry_out(self, work: Work) -> None:
        """Do it; several at once, and all in one thread."""
        if isinstance(work, Deliver):
            change = self._clerk.fresh(self._lane, work.token_id)
            await self._speaker.converse_soon(self._speaker.request(self._lane, work, change))
        elif isinstance(work, Scan):
            self._clerk.scan(self._lane, work)
        else:
            self._clerk.commit(self._lane, work)
