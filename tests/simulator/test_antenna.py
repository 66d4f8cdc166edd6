"""When a reader sees a card that a hand laid, and when the hand learns that the reader is through with it."""

from __future__ import annotations

import threading

import pytest

from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers import antenna
from rfid_station.simulator.readers.antenna import Antenna

UID = bytes.fromhex("04E10CDA993C80")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(antenna, "time", stopped)
    return stopped


def card() -> Field:
    return Field(new_card("ntag213", UID))


def test_the_first_card_is_there_at_once_and_the_next_not_before_the_first_can_be_missed(
    clock: Clock,
) -> None:
    place = Antenna()
    first = place.lay(card())
    assert place.field is first

    second = place.lay(card())
    assert first.is_empty
    assert place.laid is second
    assert place.field is None
    clock.now += 0.5
    assert place.field is second


def test_a_card_that_was_torn_away_is_not_seen_any_more(clock: Clock) -> None:
    place = Antenna()
    place.lay(card()).take_away()

    assert place.field is None


def test_a_field_that_stays_off_after_work_tells_the_hand_once(clock: Clock) -> None:
    told = threading.Event()
    place = Antenna(told.set)
    field = place.lay(card())
    field.select()
    field.exchange(b"\x60")

    place.note_switched_off()
    place.tick()
    assert not told.is_set()
    clock.now += 0.31
    place.tick()
    assert told.wait(60)
    told.clear()
    place.tick()
    assert not told.is_set()


def test_a_field_that_comes_on_again_tells_nothing(clock: Clock) -> None:
    told = threading.Event()
    place = Antenna(told.set)
    field = place.lay(card())
    field.select()
    field.exchange(b"\x60")

    place.note_switched_off()
    place.note_poll()
    clock.now += 1
    place.tick()

    assert not told.is_set()


def test_a_card_that_was_only_looked_at_is_not_through(clock: Clock) -> None:
    told = threading.Event()
    place = Antenna(told.set)
    place.lay(card())

    place.note_switched_off()
    clock.now += 1
    place.tick()

    assert not told.is_set()
