"""What the hand understands, and what happens at an exchange."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import Mark, open_deck
from rfid_station.simulator.faults import Fault
from rfid_station.simulator.field import CardGone, Field, Mishap
from rfid_station.simulator.hand import Hand, Pile, main, parse_mishap
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader

UID = bytes.fromhex("04E10CDA993C80")
NOBODY_LISTENS = 1
WRITE = bytes.fromhex("A204FFFFFFFF")


@pytest.fixture
def reader() -> Iterator[VirtualPcscReader]:
    with VirtualPcscReader(NOBODY_LISTENS) as virtual:
        yield virtual


@pytest.fixture
def hand(reader: VirtualPcscReader, tmp_path: Path) -> Hand:
    return Hand(Pile(open_deck(tmp_path / "deck.json", seed=1), "ntag213"), reader)


def test_mishaps_as_they_are_written() -> None:
    pulled = parse_mishap("tear=7:after:0F0F0F0F", seed=1)

    assert pulled == Mishap(7, Tear(TornMode.AFTER, 0x0F0F0F0F), leaves=True)
    assert parse_mishap("tear=7", seed=1).tear.mode is TornMode.ERASED
    assert parse_mishap("kill=5:after:123", seed=1).kill == 123
    assert parse_mishap("kill=5:123", seed=1).tear.mode is TornMode.BEFORE


def test_torn_bits_are_drawn_from_the_seed() -> None:
    masks = [parse_mishap("tear=7:partial", seed).tear.mask for seed in (1, 1, 2)]

    assert masks[0] == masks[1] != masks[2]


NOT_UNDERSTOOD = [
    "jump",
    "next next",
    "next tear=0",
    "next tear=1:gone",
    "next kill=5",
    "next kill=5:0",
    "next pull=1",
    "away now",
]


@pytest.mark.parametrize("line", NOT_UNDERSTOOD)
def test_what_it_does_not_understand_lays_no_card(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(line))

    main(["--port", str(NOBODY_LISTENS), "--deck", str(tmp_path / "deck.json")])

    assert capsys.readouterr().out == f"unknown: {line}\n"
    assert open_deck(tmp_path / "deck.json").cards == []


def test_it_lays_lifts_and_lays_again(hand: Hand, reader: VirtualPcscReader, tmp_path: Path) -> None:
    first = hand.obey("again")
    assert first.startswith("laid 04")
    assert reader.field is not None
    assert hand.obey("count") == "exchanges 0"
    assert hand.obey("away") == "lifted"
    assert reader.field is None
    assert hand.obey("count") == "exchanges 0"
    assert hand.obey("again") == first
    assert hand.obey("next") != first

    marks = [place.mark for place in open_deck(tmp_path / "deck.json").cards]
    assert marks == [Mark.DONE, Mark.IN_HAND]


def test_the_process_obeys_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("next\n\nfly\ncount\n"))

    assert main(["--port", str(NOBODY_LISTENS), "--deck", str(tmp_path / "deck.json")]) == 0

    laid, unknown, count = capsys.readouterr().out.splitlines()
    assert laid.startswith("laid 04")
    assert (unknown, count) == ("unknown: fly", "exchanges 0")


def test_a_deck_that_cannot_be_used_is_one_line_and_a_hint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "deck.json"
    path.write_text("no deck")

    assert main(["--deck", str(path)]) == 2

    assert capsys.readouterr().err.startswith(
        f"error: {path} is no deck of virtual cards\n\nhint: name another file"
    )


def field_with(mishap: Mishap) -> Field:
    field = Field(new_card("ntag213", UID), mishap=mishap)
    field.select()
    return field


@pytest.mark.parametrize("mode", TornMode)
def test_a_card_that_leaves_is_gone_for_every_exchange(mode: TornMode) -> None:
    field = field_with(Mishap(2, Tear(mode), leaves=True))
    assert field.restart() == UID

    for ask in (lambda: field.exchange(WRITE), lambda: field.exchange(WRITE), field.restart, field.select):
        with pytest.raises(CardGone):
            ask()
    assert (field.exchanges, field.restarts, field.is_empty) == (1, 1, True)


# mode, what the card holds then, whether it still has power
KILLED = [
    (TornMode.BEFORE, "0103a00c", True),
    (TornMode.AFTER, "ffffffff", True),
    (TornMode.ERASED, "00000000", False),
    (TornMode.PARTIAL, "f0f0f0f0", False),
]


@pytest.mark.parametrize(("mode", "left", "has_power"), KILLED)
def test_a_process_is_killed_and_the_card_stays(mode: TornMode, left: str, has_power: bool) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        field = field_with(Mishap(1, Tear(mode, 0xF0F0F0F0), kill=victim.pid))

        field.exchange(WRITE)

        assert victim.wait(60) == -signal.SIGKILL
    assert not field.is_empty
    assert (field.exchange(b"\x60") != b"") is has_power
    assert field.card.state()["memory"][32:40] == left


def test_whoever_keeps_the_state_is_told_of_each_change_and_of_nothing_else() -> None:
    told: list[str] = []
    card = new_card("ntag213", UID)
    field = Field(card, changed=lambda: told.append(card.state()["memory"][32:40]))
    field.select()

    field.exchange(b"\x60")
    field.restart()
    assert told == []
    field.exchange(WRITE)
    field.exchange(b"\x30\x00")
    assert told == ["ffffffff"]


def laid_with(fault: Fault, reader: VirtualPcscReader) -> Field:
    hand = Hand(Pile(open_deck(seed=1), "ntag213", UID, fault), reader)
    assert hand.lay_next() == f"laid {UID.hex().upper()}"
    assert reader.field is not None
    reader.field.select()
    return reader.field


def test_a_card_that_vanishes_is_gone_at_the_third_exchange(reader: VirtualPcscReader) -> None:
    field = laid_with(Fault.VANISH, reader)

    assert field.exchange(b"\x60")
    assert field.exchange(b"\x60")
    with pytest.raises(CardGone):
        field.exchange(b"\x60")


def test_a_card_that_is_swapped_leaves_another_one_that_nobody_has_selected(
    reader: VirtualPcscReader,
) -> None:
    field = laid_with(Fault.SWAP, reader)

    assert field.exchange(b"\x60")
    assert field.exchange(b"\x60")
    assert field.exchange(b"\x60") == b""
    assert field.select() != UID
    assert field.exchange(b"\x60")


def test_a_slow_card_takes_its_time(reader: VirtualPcscReader, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    field = laid_with(Fault.SLOW, reader)
    monkeypatch.setattr("rfid_station.simulator.readers.troubled_field.time.sleep", pauses.append)

    assert field.exchange(b"\x60")
    field.apdu(b"\x60")

    assert pauses == [0.2, 0.2]


def test_only_the_first_card_has_the_fault(reader: VirtualPcscReader) -> None:
    hand = Hand(Pile(open_deck(seed=1), "ntag213", None, Fault.LOCKED), reader)

    for locks in ("ffff", "0000"):
        hand.lay_next()
        assert reader.field is not None
        assert reader.field.card.state()["memory"][20:24] == locks


def test_hands_free_a_duplicate_comes_twice(reader: VirtualPcscReader) -> None:
    said: list[str] = []
    hand = Hand(Pile(open_deck(seed=1), "ntag213", None, Fault.DUPLICATE), reader)

    class AtOnce(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return True

    hand.lay_by_itself(2, AtOnce(), said.append)

    assert said[0] == said[1] != said[2]
    assert len(said) == 3
