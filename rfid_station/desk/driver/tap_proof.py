"""Whether a link that a phone opened proves that its card was tapped just now (`chip/sun.py`)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs

from rfid_station.chip.sun import Tap, read_sun
from rfid_station.desk.station import Station, all_profiles
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card
from rfid_station.domain.profile import Content
from rfid_station.encode.keys import KeySource
from rfid_station.encode.ntag424_keys import sun_keys
from rfid_station.errors import KeyUnavailable, WrongCall
from rfid_station.store.card_pages import TapFault

_WHOLE = {"e": re.compile(r"[0-9A-Fa-f]{32}"), "c": re.compile(r"[0-9A-Fa-f]{16}")}

_MOST_FIELDS = 50


@dataclass(frozen=True, slots=True)
class TapSeen:
    """What became of the proof in a link."""

    counter: int | None = None
    """Of a tap that is proven and new."""
    fault: TapFault | None = None
    """Why it proves nothing; with neither of the two, there is no key to check it with."""


@dataclass
class TapReader:
    """Reads the proofs in links. May be used from several threads."""

    station: Station
    keys: KeySource | None
    actor: Actor
    _turn: threading.Lock = field(default_factory=threading.Lock)
    """A hardware module answers one at a time."""

    @property
    def is_ready(self) -> bool:
        """Whether there are keys to check proofs with."""
        return self.keys is not None

    def is_tappable(self, card: Card) -> bool:
        """Whether this card adds proofs to its link."""
        return card.key is not None and card.profile in self._with_proof

    def read(self, card: Card, query: str, *, is_noted: bool = True) -> TapSeen | None:
        """Check the proof in the query of a card's link; None if there is none.

        :param is_noted: whether a proof that fails becomes an event of the audit log
        """
        given = values_in(query)
        if not given:
            return None
        tap: Tap | None = None
        fault = TapFault.FOREIGN if _is_whole(given) else TapFault.TRUNCATED
        if fault is TapFault.FOREIGN and self.is_tappable(card):
            if self.keys is None:
                return TapSeen()
            tap = self._checked(card, query)
        if tap is None or tap.uid != card.uid:
            if is_noted:
                self.station.store.pages.note_refused(card.id, fault, self.actor)
            return TapSeen(fault=fault)
        seen = self.station.store.pages.note_tap(card.id, tap.counter, self.actor)
        return TapSeen(fault=seen) if seen else TapSeen(tap.counter)

    def _checked(self, card: Card, query: str) -> Tap | None:
        if self.keys is None or card.key is None:
            return None
        with self._turn:
            try:
                return read_sun(f"?{query}", [sun_keys(self.keys, card.key)])
            except KeyUnavailable:
                return None

    @cached_property
    def _with_proof(self) -> frozenset[str]:
        """The profiles whose cards add a proof to their links."""
        try:
            profiles = all_profiles(self.station.folder)
        except WrongCall:
            profiles = [self.station.profile()]
        return frozenset(one.name for one in profiles if one.content is Content.SUN)


def values_in(query: str) -> dict[str, list[str]]:
    """What in the query of a link is, or was, a proof; nothing in that of a link without one."""
    given = parse_qs(query) if query.count("&") < _MOST_FIELDS else {}
    return {name: values for name, values in given.items() if name in _WHOLE}


def _is_whole(given: dict[str, list[str]]) -> bool:
    """Whether both values are there, once, in all their digits."""
    return all(
        len(given.get(name, [])) == 1 and form.fullmatch(given[name][0]) for name, form in _WHOLE.items()
    )
