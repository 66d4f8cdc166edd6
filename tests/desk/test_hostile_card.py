"""Cards that answer to do harm: every way to one ends, after a bounded number of exchanges, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count, repeat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stations import CLERK, new_station

from rfid_station.chip.exchange import ACK, Apdu, CardLink, Exchange
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.desk.inspection import recycle, tell_all, verify
from rfid_station.desk.issue import issue_card
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.profile import Profile
from rfid_station.encode import key_ring
from rfid_station.errors import StationError

MOST_EXCHANGES = 3000
"""A whole DESFire with its files, or a Classic 4K sector by sector, takes some hundreds."""
PROFILES = ("plain", "link", "link-password", "sun", "desfire", "classic-keys")
SIGHTINGS = (
    Sighting(Standard.TYPE_A, sak=0x00, atqa=b"\x00\x44"),
    Sighting(Standard.TYPE_A, sak=0x08, atqa=b"\x00\x04"),
    Sighting(Standard.TYPE_A, sak=0x18, atqa=b"\x00\x02"),
    Sighting(
        Standard.TYPE_A, sak=0x20, atqa=b"\x03\x44", ats=bytes.fromhex("0675778102 80".replace(" ", ""))
    ),
    Sighting(Standard.TYPE_A, sak=0x28, atqa=b"\x00\x44"),
    Sighting(atr=bytes.fromhex("3B8180018080")),
    Sighting(atr=bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")),
)
ENDLESS = {
    "91AF": b"\x91\xaf",
    "91AF with data": bytes(59) + b"\x91\xaf",
    "AF": b"\xaf",
    "AF with data": b"\xaf" + bytes(59),
    "9000": b"\x90\x00",
    "9000 with data": bytes(32) + b"\x90\x00",
    "9100": b"\x91\x00",
    "61FF": b"\x61\xff",
    "6CFF": b"\x6c\xff",
    "silence": b"",
    "ACK": ACK,
    "NAK": b"\x00",
    "zeros": bytes(16),
    "ones": b"\xff" * 16,
    "long": bytes(4096) + b"\x91\xaf",
}


class HostileCard:
    """Answers what it is told to, and counts."""

    def __init__(self, seen: Sighting, answer: Callable[[], bytes], uid: bytes) -> None:
        self.seen = seen
        self.exchanges = 0
        self._answer = answer
        self._uid = uid

    def uid(self) -> bytes:
        self._count()
        return self._uid

    def restart_field(self) -> bytes:
        self._count()
        return self._uid

    def transceive(self, command: Exchange) -> bytes:
        self._count()
        answer = self._answer()
        return answer + b"\x91\x00" if isinstance(command, Apdu) and len(answer) == 1 else answer

    def _count(self) -> None:
        self.exchanges += 1
        assert self.exchanges <= MOST_EXCHANGES, "it never ends"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
        patch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
        patch.setenv("DESK_PHRASE", "four words by chance")
        with open_station(new_station(tmp_path_factory.mktemp("desk") / "station"), CLERK) as station:
            station.cupboard.add("cards")
            yield station


def flows(station: Station) -> list[Callable[[CardLink], object]]:
    """Everything at the desk that speaks with a card."""
    issuing = [partial(_issue, station, station.profile(name)) for name in PROFILES]
    return [partial(tell_all, station), partial(verify, station), partial(recycle, station), *issuing]


def _issue(station: Station, profile: Profile, link: CardLink) -> None:
    issue_card(station, link, profile)


_numbers = count(1)


def meet(station: Station, seen: Sighting, answers: Callable[[], Iterator[bytes]]) -> None:
    """Lay such a card on the reader for everything at the desk; each time it is one that nobody knows."""
    for flow in flows(station):
        card = HostileCard(seen, answers().__next__, b"\x04" + next(_numbers).to_bytes(6))
        said = ""
        try:
            flow(card)
        except StationError as error:
            said = error.message
        assert len(said) < 600


@pytest.mark.parametrize("seen", SIGHTINGS, ids=lambda seen: f"{seen.sak}-{seen.atr.hex()[:12]}")
@pytest.mark.parametrize("answer", ENDLESS)
def test_a_card_that_always_says_the_same_comes_to_an_end(desk: Station, seen: Sighting, answer: str) -> None:
    meet(desk, seen, lambda: repeat(ENDLESS[answer]))


ANSWER = st.binary(max_size=64) | st.sampled_from(sorted(ENDLESS.values()))


@given(st.sampled_from(SIGHTINGS), st.lists(ANSWER, max_size=40), ANSWER)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_card_that_says_anything_comes_to_an_end(
    desk: Station, seen: Sighting, answers: list[bytes], last: bytes
) -> None:
    meet(desk, seen, lambda: chain(answers, repeat(last)))
