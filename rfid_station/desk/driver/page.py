"""What drivers see and do by themselves, on the page that the link on their card leads to.

Knowing the link shows the card's last digits and whether it works. To change anything takes the code from the
letter, or a fresh tap of a card that can prove one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rfid_station.desk.driver.seal import Seal, open_seal
from rfid_station.desk.driver.tap_proof import TapReader, values_in
from rfid_station.desk.people.person import DRIVER
from rfid_station.desk.station import Station
from rfid_station.desk.support import claiming
from rfid_station.desk.support.lookup import partners_holding
from rfid_station.desk.support.stopping import move_card, push
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.driver_wish import DriverWish, wishes
from rfid_station.encode.keys import KeySource
from rfid_station.errors import MoveNotAllowed, StationError, WrongCall
from rfid_station.store.card_pages import Seen, TapFault

NEWS = timedelta(hours=24)
"""How long after a change it is shown which networks know of it."""

_LAST_DIGITS = 4
_PUSHES = 2
"""How many cards are brought to partners at the same time."""
_SHOWN = frozenset(CardState) - {CardState.RESERVED, CardState.ENCODING, CardState.SPOILED}

Trouble = Callable[[str], None]
"""Told what went wrong behind a driver's back, in words that name nobody."""


class Outcome(StrEnum):
    """What became of a wish."""

    DONE = "done"
    WRONG_CODE = "wrong_code"
    LOCKED = "locked"
    PERMIT_OVER = "permit_over"
    NOT_POSSIBLE = "not_possible"


@dataclass(frozen=True, slots=True)
class Network:
    """A partner, and whether it knows what the card is now."""

    name: str
    knows: bool


@dataclass(frozen=True, slots=True)
class CardView:
    """All that a page tells of a card: nothing about its driver, and not its whole number."""

    last_digits: str
    state: CardState
    """As of today: a card whose last day is over has expired, whether or not that was noted yet."""
    since: datetime
    by_code: tuple[DriverWish, ...]
    """What the code from the letter permits now."""
    by_tap: tuple[DriverWish, ...]
    """What a tap permits now."""
    is_locked: bool
    """Whether no code is taken any more."""
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a tap came to: a permit, or a fault; neither where it cannot be checked."""

    permit: str = ""
    fault: TapFault | None = None


class DriverDesk:
    """Serves drivers. May be used from several threads; ends with `close()`."""

    def __init__(
        self,
        station: Station,
        keys: KeySource | None = None,
        *,
        seal: Seal | None = None,
        trouble: Trouble = lambda _words: None,
    ) -> None:
        """Serve the drivers of a station.

        :param keys: what taps are checked with; without them only codes are taken
        :raises WrongCall: the key that forms are sealed with is not there any more
        """
        self._station = replace(station, person=station.person.as_driver())
        self._taps = TapReader(self._station, keys, DRIVER)
        self._trouble = trouble
        self._pushes = ThreadPoolExecutor(_PUSHES, "page-push")
        self.seal = seal or open_seal(station.vault)

    def close(self) -> None:
        """End after what is being brought to partners; the rest stays owed."""
        self._pushes.shutdown(cancel_futures=True)

    def view(self, alias: str) -> CardView | None:
        """What the page of a card shows; None if there is no such card, or it never got out."""
        seen = self._seen(alias)
        return self._viewed(seen) if seen else None

    def tapped(self, alias: str, query: str, *, is_noted: bool = True) -> Tapped | None:
        """Check the proof in the link that a phone opened; None if there is none.

        :param is_noted: whether a proof that fails becomes an event of the audit log
        """
        seen = self._seen(alias) if values_in(query) else None
        tap = self._taps.read(seen.card, query, is_noted=is_noted) if seen else None
        if seen is None or tap is None:
            return None
        return Tapped(self.seal.permit(seen.card.id, tap.counter) if tap.counter else "", tap.fault)

    def act(self, alias: str, wish: DriverWish, *, code: str = "", permit: str = "") -> Outcome:
        """Do what a driver wants, who shows either a code or a permit; partners hear of it at once.

        A code takes its time whether or not there is a card, and whether or not it has one.
        """
        seen = self._seen(alias)
        if seen is None:
            claiming.try_in_vain(code)
            return Outcome.WRONG_CODE
        refused = self._by_permit(seen.card, permit) if permit else self._by_code(seen.card, code)
        return refused or self._done(seen, wish, by_tap=bool(permit))

    def _seen(self, alias: str) -> Seen | None:
        seen = self._station.store.pages.look_up(alias)
        return seen if seen and seen.card.state in _SHOWN else None

    def _by_permit(self, card: Card, permit: str) -> Outcome | None:
        counter = self.seal.counter_in(permit, card.id)
        if counter is None or not self._station.store.pages.spend(card.id, counter, DRIVER):
            return Outcome.PERMIT_OVER
        return None

    def _by_code(self, card: Card, code: str) -> Outcome | None:
        if card.claim is None or card.claim.is_locked:
            claiming.try_in_vain(code)
            return Outcome.LOCKED if card.claim else Outcome.WRONG_CODE
        try:
            claiming.prove(self._station, card, code)
        except WrongCall:
            return Outcome.WRONG_CODE
        except MoveNotAllowed:
            return Outcome.LOCKED
        return None

    def _done(self, seen: Seen, wish: DriverWish, *, by_tap: bool) -> Outcome:
        if by_tap and wish not in self._station.settings.page.by_tap:
            return Outcome.NOT_POSSIBLE
        to, reason = wish.move
        if wish not in self._wishes(seen):
            return Outcome.NOT_POSSIBLE
        try:
            moved = move_card(self._station, seen.card, to, reason)
        except MoveNotAllowed:
            return Outcome.NOT_POSSIBLE
        self._pushes.submit(self._push, moved)
        return Outcome.DONE

    def _push(self, card: Card) -> None:
        """Bring the news to partners; what does not get there stays owed, and sync goes on with it."""
        try:
            push(self._station, card)
        except StationError as error:
            self._trouble(f"partners were not told at once: {type(error).__name__}")

    def _wishes(self, seen: Seen) -> tuple[DriverWish, ...]:
        return () if seen.card.is_over(self._now().date()) else wishes(seen.card, seen.blocked_by)

    def _viewed(self, seen: Seen) -> CardView:
        card, wanted = seen.card, self._wishes(seen)
        is_locked = card.claim is not None and card.claim.is_locked
        is_tappable = self._taps.is_ready and self._taps.is_tappable(card)
        by_tap = self._station.settings.page.by_tap
        is_over = card.state is CardState.ACTIVE and card.is_over(self._now().date())
        return CardView(
            last_digits=last_digits(card.visual_number),
            state=CardState.EXPIRED if is_over else card.state,
            since=card.changed_at,
            by_code=wanted if card.claim and not is_locked else (),
            by_tap=tuple(wish for wish in wanted if wish in by_tap) if is_tappable else (),
            is_locked=is_locked,
            networks=self._networks(card),
        )

    def _networks(self, card: Card) -> tuple[Network, ...]:
        """Who knows of a change that is not old, of those that have the card or had it."""
        is_news = self._now() - card.changed_at < NEWS
        if not is_news or card.state not in (CardState.ACTIVE, CardState.BLOCKED):
            return ()
        rows = partners_holding(self._station, card)
        return tuple(
            Network(row["partner"], row["is_newest"])
            for row in rows
            if row["is_newest"] is not None and (row["gets_it"] or card.state is CardState.BLOCKED)
        )

    def _now(self) -> datetime:
        return self._station.store.database.clock()


def last_digits(number: str) -> str:
    """The end of a visual number as it is printed: enough to tell one's own cards apart."""
    at = len(number)
    while at and sum(letter.isalnum() for letter in number[at:]) < _LAST_DIGITS:
        at -= 1
    return number[at:]
