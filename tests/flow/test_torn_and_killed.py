"""Pull the card, or kill the process, at every exchange of issuing an NTAG213; then tap again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from stations import CLERK, LINES, Diary, issue_from, new_station
from warm_processes import PROCESSES

from rfid_station.desk.inspection import verify
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.feed import Lane
from rfid_station.domain.key import KeyRef
from rfid_station.encode.key_ring import KeyRing, seal
from rfid_station.reader.opening import open_reader
from rfid_station.reader.sim import SimReader
from rfid_station.simulator.card import TornMode
from rfid_station.simulator.memory.type2 import VirtualType2

EXCHANGES = 15
"""GET_VERSION, FAST_READ, 11 writes, a field restart, FAST_READ."""
STEPS = range(1, EXCHANGES + 1)

OPEN_RING = {"RFID_STATION_KEYS__PASSPHRASE": "env:DESK_PHRASE", "DESK_PHRASE": "four words by chance"}
QUICK = {"n": 2, "r": 1, "p": 1}


def check_one_card_is_whole(station: Station, memory: VirtualType2) -> Card:
    """The end that every story must have: one living card, one number, one token, on one chip."""
    (card,) = station.store.cards.listing()
    assert card.state is CardState.ACTIVE
    assert card.contract_id.compact == "NLEXMC00000001"
    assert f"04cards.example.com/c/{card.alias}".encode()[2:] in bytes(memory.memory)
    (change,) = station.store.feed.own_after(0, Lane.BULK, 10)
    assert change.token.uid == card.uid
    assert station.store.audit.check().is_sound
    return card


def chip_of(deck: Path) -> VirtualType2:
    reader = open_reader(f"sim:ntag213?deck={deck}")
    assert isinstance(reader, SimReader)
    card = reader.deck.cards[0].card
    assert isinstance(card, VirtualType2)
    return card


def test_the_number_of_exchanges_is_known(station: Station) -> None:
    reader = open_reader("sim:ntag213")
    assert isinstance(reader, SimReader)
    issue_cards(Run(station, station.profile(), None, 1, Diary()), reader, lambda: False)
    assert reader.exchanges == EXCHANGES


@pytest.mark.parametrize("mode", TornMode)
@pytest.mark.parametrize("step", STEPS)
def test_a_card_pulled_at_any_step_is_finished_when_it_is_tapped_again(
    folder: Path, step: int, mode: TornMode
) -> None:
    deck = folder / "deck.json"
    with open_station(folder, CLERK) as station:
        tally = issue_from(station, f"sim:ntag213?deck={deck}&tear={step}:{mode}", LINES[:1])
        assert len(tally.issued) == 1
        assert [type(error).__name__ for error in tally.failures] == ["CardLost"]
        check_one_card_is_whole(station, chip_of(deck))


def issue_and_die(folder: Path, uri: str, profile: str = "link") -> None:
    os.environ.update(OPEN_RING)
    with open_station(folder, CLERK) as station:
        issue_from(station, uri, LINES[:1], profile=profile)


def test_a_chip_that_was_torn_to_death_is_spoiled_and_the_next_blank_takes_the_line(folder: Path) -> None:
    with open_station(folder, CLERK) as station:
        diary = Diary()
        tally = issue_from(station, "sim:ntag213?count=2&tear=7:partial&fault=stuck", LINES[:1], view=diary)
        assert len(tally.issued) == 1
        spoiled, issued = station.store.cards.listing()
        assert (spoiled.state, spoiled.reason) == (CardState.SPOILED, Reason.ENCODE_FAILED)
        assert issued.state is CardState.ACTIVE
        assert spoiled.order_line == issued.order_line
        assert spoiled.visual_number != issued.visual_number
        assert [entry.split(":")[0] for entry in diary.entries if "Card" in entry] == [
            "CardLost",
            "CardDefective",
        ]
        assert station.store.audit.check().is_sound


@pytest.mark.parametrize("mode", ["before", "after", "partial"])
@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_step_leaves_a_card_that_the_next_one_finishes(
    tmp_path: Path, step: int, mode: str
) -> None:
    folder = new_station(tmp_path / "station")
    deck = folder / "deck.json"
    victim = PROCESSES.Process(
        target=issue_and_die, args=(folder, f"sim:ntag213?deck={deck}&kill={step}:{mode}")
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    assert json.loads(deck.read_text())["cards"][0]["mark"] == "in_hand"
    with open_station(folder, CLERK) as station:
        tally = issue_from(station, f"sim:ntag213?deck={deck}", LINES[:1])
        assert len(tally.issued) == 1
        check_one_card_is_whole(station, chip_of(deck))


KILLS = [
    ("link-password", "ntag213", (4, 13, 14, 16, 18)),
    ("sun", "ntag424", (12, 15, 17, 20, 22)),
    ("desfire", "desfire-ev2", (12, 20, 27, 33, 36)),
    ("classic-keys", "classic1k", (40, 60)),
]
"""Exchanges that write: content, keys, and the key that guards the others."""


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize(
    ("profile", "chip", "step"), [(profile, chip, step) for profile, chip, steps in KILLS for step in steps]
)
def test_a_process_killed_while_keys_are_written_loses_no_key(
    tmp_path: Path,
    profile: str,
    chip: str,
    step: int,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next process finishes the card with the key that the store says it was begun with."""
    for name, value in OPEN_RING.items():
        monkeypatch.setenv(name, value)
    folder = new_station(tmp_path / "station")
    (folder / "keys.ring").write_bytes(seal(KeyRing().with_new("cards"), "four words by chance", QUICK))
    deck = folder / "deck.json"
    uri = f"sim:{chip}?deck={deck}"
    victim = PROCESSES.Process(target=issue_and_die, args=(folder, f"{uri}&kill={step}:{mode}", profile))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    with open_station(folder, CLERK) as station:
        assert len(issue_from(station, uri, LINES[:1], profile=profile).issued) == 1
        (card,) = station.store.cards.listing()
        assert (card.state, card.key) == (CardState.ACTIVE, KeyRef("cards", 1))
        link = next(iter(open_reader(f"{uri}&start=0").cards(lambda: False)))
        assert verify(station, link).with_keys
        assert station.store.audit.check().is_sound
