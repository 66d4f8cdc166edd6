"""The station loop by itself: what each tap and each word of the clerk does; nothing is made twice."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stations import CLERK, LINES, Diary, new_station

from rfid_station.chip.exchange import CardLink
from rfid_station.desk import loop as loop_module
from rfid_station.desk.clerk import Command, Scanned
from rfid_station.desk.loop import Loop, Run, issue_cards
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.tally import Phase
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Reason, Role
from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.order import OrderLine, Preprinted
from rfid_station.errors import Conflict, WrongCall
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.field import Field, Mishap


class Silence(Exception):
    """The loop waits for a word, and none will come."""


@dataclass
class Script:
    """A clerk whose words are known beforehand."""

    words: deque[Command | Scanned] = field(default_factory=deque)
    is_there: bool = True

    def hear(self, wait_s: float, *, scan: bool) -> Command | Scanned | None:
        if self.words:
            return self.words.popleft()
        if wait_s:
            raise Silence
        return None

    def forget(self) -> None:
        self.words.clear()


def blank(number: int = 0) -> VirtualCard:
    return new_card("ntag213", blank_uid("ntag213", 7, number))


def lay(card: VirtualCard, torn_at: int | None = None) -> SimLink:
    mishap = Mishap(torn_at, Tear(TornMode.AFTER), leaves=True) if torn_at else None
    return SimLink(Field(card, mishap=mishap), "sim:test")


@dataclass
class Desk:
    """A loop with its clerk and its diary."""

    station: Station
    lines: list[OrderLine] | None = None
    scan: Callable[[str], Preprinted] | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        self.clerk, self.diary = Script(), Diary()
        self.run = Run(
            self.station,
            self.station.profile(),
            self.lines,
            self.count,
            self.diary,
            clerk=self.clerk,
            scan=self.scan,
        )
        self.loop = Loop(self.run, lambda: False)
        self.tally = self.loop.tally
        self.loop.begin()

    def say(self, *words: Command | Scanned) -> None:
        """Say one word after the other, each once the one before was heard."""
        for word in words:
            self.clerk.words.append(word)
            self.listen()

    def listen(self) -> bool:
        try:
            return self.loop.is_over()
        except Silence:
            return False

    def tap(self, link: CardLink) -> bool:
        assert not self.listen()
        return self.loop.take(link)


@pytest.fixture
def by_hand(folder: Path) -> Iterator[Station]:
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, CLERK) as station:
        yield station


def test_a_line_that_is_skipped_comes_at_the_end(station: Station) -> None:
    desk = Desk(station, LINES)
    desk.say(Command.SKIP)
    assert list(desk.tally.open_lines) == ["fleet:2", "fleet:3", "fleet:1"]
    assert desk.tap(lay(blank()))
    assert [card.order_line for card in station.store.cards.listing()] == ["fleet:2"]


def test_with_one_line_there_is_nothing_to_skip_to(station: Station) -> None:
    desk = Desk(station, LINES[:1])
    desk.say(Command.SKIP)
    assert "there is no other line to go on with" in desk.diary.entries


def test_a_card_that_is_taken_back_is_spoiled_and_its_line_open_again(by_hand: Station) -> None:
    desk = Desk(by_hand, LINES)
    desk.tap(lay(blank()))
    desk.say(Command.UNDO, Command.UNDO)
    (card,) = by_hand.store.cards.listing()
    assert (card.state, card.reason) == (CardState.SPOILED, Reason.MISPRINT)
    assert list(desk.tally.open_lines) == ["fleet:1", "fleet:2", "fleet:3"]
    assert (desk.tally.issued, desk.tally.remaining) == ([], 3)


@pytest.mark.parametrize("other", [Command.OTHER, Command.GO_ON, Command.SKIP, Scanned("u")])
def test_another_word_takes_nothing_back(by_hand: Station, other: Command | Scanned) -> None:
    desk = Desk(by_hand, LINES)
    desk.tap(lay(blank()))
    desk.say(Command.UNDO, other)
    assert [card.state for card in by_hand.store.cards.listing()] == [CardState.ISSUED]
    assert desk.tally.phase is Phase.WAITING


def test_what_was_said_before_the_question_is_no_answer_to_it(by_hand: Station) -> None:
    desk = Desk(by_hand, LINES)
    desk.tap(lay(blank()))
    desk.clerk.words.extend([Command.UNDO, Command.UNDO])
    desk.listen()
    assert desk.tally.phase is Phase.UNDOING
    assert [card.state for card in by_hand.store.cards.listing()] == [CardState.ISSUED]


def test_taking_back_what_may_charge_puts_its_successor_first(station: Station) -> None:
    desk = Desk(station, LINES)
    desk.tap(lay(blank()))
    desk.say(Command.UNDO, Command.UNDO)
    (old,) = station.store.cards.listing()
    assert (old.state, old.reason) == (CardState.REPLACED, Reason.DAMAGED)
    assert desk.tap(lay(blank(1)))
    new = station.store.cards.listing()[1]
    assert (new.replaces, new.contract_id, new.state) == (old.id, old.contract_id, CardState.ACTIVE)
    assert list(desk.tally.open_lines) == ["fleet:2", "fleet:3"]


def test_who_may_not_take_a_card_back_is_told_so(folder: Path, by_hand: Station) -> None:
    desk = Desk(by_hand, LINES)
    desk.tap(lay(blank()))
    with open_station(folder, Actor("Sam", Role.SUPPORT)) as other:
        card = desk.tally.issued[0]
        other.store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, other.actor, other.token)
    desk.say(Command.UNDO, Command.UNDO)
    assert any("is retired and cannot become spoiled" in entry for entry in desk.diary.entries)
    assert len(desk.tally.issued) == 1


def test_a_begun_card_is_given_up_with_a_reason_and_its_line_is_open_again(station: Station) -> None:
    desk = Desk(station, LINES[:1])
    assert not desk.tap(lay(blank(), torn_at=9))
    assert list(desk.tally.begun_lines) == ["fleet:1"]
    desk.say(Command.SPOIL, Command.MISPRINT)
    assert station.store.cards.listing()[0].state is CardState.ENCODING, "no reason for a begun card"
    desk.say(Command.SPOIL, Command.ENCODE_FAILED)
    (card,) = station.store.cards.listing()
    assert (card.state, card.reason) == (CardState.SPOILED, Reason.ENCODE_FAILED)
    assert (list(desk.tally.open_lines), desk.tally.begun_lines) == (["fleet:1"], {})
    assert desk.tap(lay(blank(1)))


def test_without_a_begun_card_there_is_nothing_to_give_up(station: Station) -> None:
    desk = Desk(station)
    desk.say(Command.SPOIL)
    assert "no card is begun: a blank that was not tapped has no number to spoil" in desk.diary.entries


def test_a_pause_is_left_by_the_same_word(station: Station) -> None:
    desk = Desk(station, LINES)
    desk.say(Command.PAUSE)
    with pytest.raises(Silence):
        desk.loop.is_over()
    desk.say(Command.PAUSE)
    assert not desk.loop.is_over()


def test_after_three_failures_only_a_word_goes_on(station: Station) -> None:
    desk = Desk(station, LINES)
    for number in range(3):
        assert not desk.tap(lay(new_card("classic1k", blank_uid("classic1k", 7, number))))
    with pytest.raises(Silence):
        desk.loop.is_over()
    desk.say(Command.GO_ON)
    assert desk.tap(lay(blank()))
    assert not desk.tally.must_brake


def test_the_card_that_was_just_made_is_no_failure(station: Station) -> None:
    desk, card = Desk(station, LINES), blank()
    desk.tap(lay(card))
    for _ in range(5):
        desk.tap(lay(card))
    assert (len(desk.tally.issued), desk.tally.failures, desk.tally.phase) == (1, [], Phase.WAITING)
    assert desk.diary.entries[-2].endswith("is made already: take it away")


def test_a_card_of_yesterday_is_said_with_its_day(station: Station) -> None:
    card = blank()
    Desk(station, LINES).tap(lay(card))
    other = Desk(station, LINES)
    assert not other.tap(lay(card))
    made = station.store.cards.listing()[0]
    (error,) = other.tally.failures
    assert (
        f"is card {made.visual_number} already, and active since {made.changed_at:%Y-%m-%d}" in error.message
    )
    assert error.hint
    assert "it is no blank: put it aside" in error.hint


def test_the_number_of_the_next_card_is_known_where_numbers_rise(folder: Path) -> None:
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('order = "random"', 'order = "rising"'))
    with open_station(folder, CLERK) as station:
        desk = Desk(station, LINES)
        for number in range(3):
            expected = desk.tally.next_number
            desk.tap(lay(blank(number)))
            assert station.store.cards.listing()[-1].visual_number == expected


def test_nobody_at_the_keys_ends_what_only_a_word_could_go_on_with(station: Station) -> None:
    desk = Desk(station, LINES)
    for number in range(3):
        desk.tap(lay(new_card("classic1k", blank_uid("classic1k", 7, number))))
    desk.clerk.is_there = False
    desk.clerk.hear = lambda _wait_s, *, scan: None  # type: ignore[method-assign]
    assert desk.loop.is_over()


def test_the_readers_question_is_answered_at_once_while_a_card_may_come(station: Station) -> None:
    waits = []

    class Listener(Script):
        def hear(self, wait_s: float, *, scan: bool) -> None:
            waits.append(wait_s)

    desk = Desk(station, LINES)
    desk.loop._run = Run(station, station.profile(), LINES, None, desk.diary, clerk=Listener())
    assert not desk.loop.is_over()
    assert waits == [0]


# ── printed first, then scanned and tapped ───────────────────────────────────────────────────────


def printed(number: int, line: str | None = None) -> Preprinted:
    return Preprinted(
        number, own_contract_id("NL", "EXM", 900 + number), f"P-{number}", f"ALIAS{number}", line
    )


PRINTED = {"P-1": printed(1, "fleet:2"), "P-2": printed(2, "fleet:1"), "P-9": printed(9, "other:1")}


def scan(text: str) -> Preprinted:
    if text not in PRINTED:
        raise WrongCall(f"nothing is printed with {text!r}")
    return PRINTED[text]


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str | None]]:
    """Which number was handed on with which line."""
    pairs: list[tuple[str | None, str | None]] = []
    issue_card = loop_module.issue_card

    def note(*arguments: Any, preprinted: Preprinted | None, **options: Any) -> Any:
        line = arguments[3]
        pairs.append((preprinted.visual_number if preprinted else None, line.key if line else None))
        return issue_card(*arguments, **options)

    monkeypatch.setattr(loop_module, "issue_card", note)
    return pairs


def test_no_card_is_taken_before_its_number_is_scanned(station: Station, matched: list[Any]) -> None:
    desk = Desk(station, LINES, scan)
    with pytest.raises(Silence):
        desk.loop.is_over()
    desk.say(Scanned("P-1"))
    assert (desk.tally.next_number, desk.tally.next_line) == ("P-1", LINES[1])
    assert desk.tap(lay(blank()))
    assert desk.tally.phase is Phase.SCANNING
    desk.say(Scanned("P-2"))
    desk.tap(lay(blank(1)))
    assert matched == [("P-1", "fleet:2"), ("P-2", "fleet:1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Q-1", "nothing is printed with 'Q-1'"),
        ("P-9", "P-9 is printed for other:1, which is not to be made here"),
    ],
)
def test_a_wrong_scan_is_said_and_asked_for_again(station: Station, text: str, words: str) -> None:
    desk = Desk(station, LINES, scan)
    desk.say(Scanned(text))
    assert words in desk.diary.entries
    assert desk.tally.phase is Phase.SCANNING


def test_another_scan_before_the_tap_takes_the_place_of_the_first(station: Station) -> None:
    desk = Desk(station, LINES, scan)
    desk.say(Scanned("P-1"), Scanned("P-2"))
    assert desk.tally.next_number == "P-2"
    desk.say(Command.SKIP)
    assert (desk.tally.phase, desk.tally.scanned) == (Phase.SCANNING, None)


def test_a_card_that_was_lost_goes_on_without_another_scan(station: Station, matched: list[Any]) -> None:
    desk, card = Desk(station, LINES, scan), blank()
    desk.say(Scanned("P-1"))
    assert not desk.tap(lay(card, torn_at=9))
    assert desk.tally.phase is Phase.WAITING
    assert desk.tap(lay(card))
    assert [pair[0] for pair in matched] == ["P-1", "P-1"]


def test_a_begun_card_goes_on_under_its_own_number_only(station: Station) -> None:
    card = blank()
    Desk(station, LINES).tap(lay(card, torn_at=9))
    begun = station.store.cards.listing()[0].visual_number
    desk = Desk(station, LINES, scan)
    desk.say(Scanned("P-1"))
    assert not desk.tap(lay(card))
    (error,) = desk.tally.failures
    assert isinstance(error, Conflict)
    assert f"was begun as {begun}, and P-1 was scanned" in error.message
    desk.say(Command.GO_ON)
    assert desk.tap(lay(card)), "Enter lets a begun card go on without a scan"


# ── anything, in any order ───────────────────────────────────────────────────────────────────────


class AnyDay(RuleBasedStateMachine):
    """Taps and words in any order: no line is made twice, and the counts are those of the store."""

    @initialize(at_once=st.booleans(), with_lines=st.booleans())
    def open_the_desk(self, at_once: bool, with_lines: bool) -> None:
        self.stack = ExitStack()
        place = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        folder = new_station(place / "station")
        path = folder / "station.toml"
        if not at_once:
            path.write_text(path.read_text().replace('"at_issue"', '"by_hand"'))
        self.station = self.stack.enter_context(open_station(folder, CLERK))
        self.desk = Desk(self.station, LINES if with_lines else None)
        self.with_lines, self.cards, self.used = with_lines, [], 0

    def tap(self, card: VirtualCard, torn_at: int | None) -> None:
        if not self.desk.listen() and self.desk.tally.phase is Phase.WAITING:
            self.desk.loop.take(lay(card, torn_at))

    @rule(torn_at=st.sampled_from([None, None, 2, 5, 9, 14]))
    def lay_a_blank(self, torn_at: int | None) -> None:
        self.used += 1
        self.cards.append(blank(self.used))
        self.tap(self.cards[-1], torn_at)

    @rule(which=st.integers(0, 20), torn_at=st.sampled_from([None, None, 9]))
    def lay_one_again(self, which: int, torn_at: int | None) -> None:
        if self.cards:
            self.tap(self.cards[which % len(self.cards)], torn_at)

    @rule()
    def lay_what_cannot_be_made(self) -> None:
        self.used += 1
        self.tap(new_card("classic1k", blank_uid("classic1k", 7, self.used)), None)

    @rule(word=st.sampled_from([word for word in Command if word is not Command.QUIT]))
    def say(self, word: Command) -> None:
        self.desk.say(word)

    @rule(reason=st.sampled_from([Command.DAMAGED, Command.ENCODE_FAILED]))
    def give_up(self, reason: Command) -> None:
        self.desk.say(Command.SPOIL, reason)

    @rule()
    def take_back(self) -> None:
        self.desk.say(Command.UNDO, Command.UNDO)

    @invariant()
    def counts_are_those_of_the_store(self) -> None:
        tally, cards = self.desk.tally, self.station.store.cards.listing()
        standing = [card.id for card in cards if card.state in (CardState.ACTIVE, CardState.ISSUED)]
        assert sorted(card.id for card in tally.issued) == standing
        over = {card.id for card in cards if card.state in (CardState.SPOILED, CardState.REPLACED)}
        assert {card.id for card in tally.taken_back} == over

    @invariant()
    def every_line_is_in_one_place_and_made_once(self) -> None:
        if not self.with_lines:
            return
        tally, cards = self.desk.tally, self.station.store.cards.listing()
        standing = [card for card in cards if card.state in (CardState.ACTIVE, CardState.ISSUED)]
        drivers = [card.driver.reference for card in standing if card.driver]
        assert len(drivers) == len(set(drivers)), "two cards for one driver"
        begun = [card for card in cards if card.state.is_unfinished]
        assert sorted(tally.begun_lines) == sorted(card.order_line or "" for card in begun)
        assert len(tally.open_lines) + len(tally.begun_lines) + len(tally.issued) == len(LINES)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            assert self.station.store.audit.check().is_sound
            self.stack.close()


AnyDay.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestAnyDay = AnyDay.TestCase


def test_a_reader_hears_the_end_between_two_cards(station: Station) -> None:
    desk = Desk(station, LINES)
    taken = []

    class Hand:
        uri = "sim:test"

        def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
            for number in range(9):
                if stop():
                    return
                taken.append(number)
                desk.clerk.words.append(Command.QUIT)
                yield lay(blank(number))

        def close(self) -> None: ...

    tally = issue_cards(desk.run, Hand(), lambda: False)
    assert (taken, len(tally.issued), tally.phase) == ([0], 1, Phase.ENDED)
