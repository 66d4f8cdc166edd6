"""Sync in the background of the desk: a thread per partner, so that the desk never waits for one."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from rfid_station.errors import StationError
from rfid_station.sync.aside import in_thread
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.report import LaneReport


@dataclass(slots=True)
class _Post:
    """One partner's thread. Counters are guarded by the worker's condition."""

    courier: Courier
    asked: int = 0
    """How often somebody said that something changed."""
    rested: int = -1
    """Up to which of these the lane has gone as far as it goes."""
    thread: Future[None] | None = None


class Worker:
    """Keeps every partner in step from `start` to `stop`."""

    def __init__(self, replicator: Replicator) -> None:
        self._clock = replicator.clock
        self._poll_s = replicator.timing.poll_s
        self._posts = [_Post(courier) for courier in replicator.couriers()]
        self._changed = threading.Condition()
        self.is_stopped = False
        """Whether `stop` was called."""

    def start(self) -> None:
        """Begin. Each partner is looked after by a thread of its own, which ends with the process."""
        for post in self._posts:
            post.thread = in_thread(f"sync {post.courier.name}", partial(self._serve, post))

    @property
    def is_alive(self) -> bool:
        """Whether every partner has its thread."""
        return all(post.thread is not None and not post.thread.done() for post in self._posts)

    def wake(self) -> None:
        """Say that something changed. Returns at once."""
        with self._changed:
            for post in self._posts:
                post.asked += 1
        for post in self._posts:
            post.courier.nudge()

    def settle(self, deadline_s: float) -> list[LaneReport]:
        """Wait until every partner is as far as it goes, and say how far that is.

        A pause that ends before the deadline is waited for; a partner that is down is not.

        :raises StationError: the store failed while reporting
        """
        self.wake()
        until_s = self._clock.elapsed_s() + deadline_s
        with self._changed:
            asked = {id(post): post.asked for post in self._posts}
            self._changed.wait_for(
                lambda: all(
                    self._is_as_far_as_it_goes(post, asked[id(post)], until_s) for post in self._posts
                ),
                timeout=deadline_s,
            )
        self._raise_what_ended_a_thread()
        return [post.courier.report() for post in self._posts]

    def reports(self) -> list[LaneReport]:
        """How every partner stands by now.

        :raises StationError: the store failed
        """
        return [post.courier.report() for post in self._posts]

    def stop(self, deadline_s: float = 2.0) -> None:
        """End after the requests that are under way; one that lasts longer than the deadline is left.

        What it was about is owed still, and sent again by whoever syncs next.
        """
        self.is_stopped = True
        for post in self._posts:
            post.courier.stop()
        wait([post.thread for post in self._posts if post.thread], timeout=deadline_s)

    def _serve(self, post: _Post) -> None:
        try:
            while not self.is_stopped:
                with self._changed:
                    asked = post.asked
                self._go_as_far_as_it_goes(post.courier)
                with self._changed:
                    post.rested = asked
                    is_asked_again = post.asked != asked
                    self._changed.notify_all()
                if not is_asked_again:
                    post.courier.rest(self._poll_s)
        finally:
            with self._changed:
                self._changed.notify_all()

    def _go_as_far_as_it_goes(self, courier: Courier) -> None:
        try:
            courier.drain(math.inf, is_patient=False)
        except StationError:
            return  # The courier keeps the error for its report, and the next round begins from the store.

    def _is_as_far_as_it_goes(self, post: _Post, asked: int, until_s: float) -> bool:
        if post.thread is None or post.thread.done():
            return True
        if post.rested < asked:
            return False
        waits_s = post.courier.resumes_in_s()
        will_go_on = waits_s is not None and self._clock.elapsed_s() + waits_s <= until_s
        return post.courier.has_given_up or not will_go_on

    def _raise_what_ended_a_thread(self) -> None:
        for post in self._posts:
            if post.thread and post.thread.done():
                post.thread.result()
