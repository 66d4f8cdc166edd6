"""What a trace shows, what it hides, and how it is played back."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip.exchange import (
    ACK,
    Apdu,
    CardLink,
    Exchange,
    ReadBlock,
    SecretFrame,
    SectorLogin,
    WriteBlock,
    run,
)
from rfid_station.chip.identify import identify
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import CardLost, CardRefused, StationError, WrongCall
from rfid_station.reader.opening import open_reader
from rfid_station.reader.recording import could_be, show_answer, show_command, stand_in
from rfid_station.reader.replay import ReplayReader, open_replay, read_trace
from rfid_station.reader.signal import signal
from rfid_station.reader.trace import traced

SECRET = bytes.fromhex("5EC2E75EC2E75EC2E75EC2E75EC2E75E")
KEY = SecretFrame(SECRET[:6])
UID = bytes.fromhex("04E10CDA993C80")


class ByHeart:
    """A card that answers with what it was given, or raises it."""

    seen = Sighting(Standard.TYPE_A, sak=0x08, atqa=b"\x00\x04", ats=b"\x01")

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = iter(answers)

    def uid(self) -> bytes:
        return self._next()

    def transceive(self, command: Exchange) -> bytes:
        return self._next()

    def restart_field(self) -> bytes:
        return self._next()

    def _next(self) -> bytes:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


class OneCard:
    """A reader with one card, which shows whether it was closed."""

    uri = "sim:heart"

    def __init__(self, link: CardLink) -> None:
        self._link = link
        self.is_closed = False
        self.shown: list[bool] = []

    def cards(self, stop: Any) -> Iterator[CardLink]:
        yield self._link

    def signal(self, *, ok: bool) -> None:
        self.shown.append(ok)

    def close(self) -> None:
        self.is_closed = True


def never() -> bool:
    return False


def record(path: Path, link: CardLink, *commands: Exchange | str) -> list[dict[str, Any]]:
    """Ask a card and return the lines that were written."""
    reader = traced(OneCard(link), path)
    for card in reader.cards(never):
        for command in commands:
            try:
                ask(card, command)
            except StationError:
                continue
    reader.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def ask(card: CardLink, command: Exchange | str) -> bytes:
    if command == "uid":
        return card.uid()
    if command == "restart":
        return card.restart_field()
    assert not isinstance(command, str)
    return card.transceive(command)


COMMANDS: list[tuple[Exchange | str, bytes]] = [
    ("uid", UID),
    (b"\x30\x04", bytes(16)),
    (SecretFrame(b"\x1b" + SECRET[:4]), SECRET[:2]),
    (SecretFrame(b"\xa2\x2b" + SECRET[:4]), ACK),
    (Apdu(bytes.fromhex("9060000000")), bytes.fromhex("0401013300160591AF")),
    (Apdu(SecretFrame(b"\x90\xc4" + SECRET)), SECRET[:8] + b"\x91\x00"),
    (SectorLogin(4, KEY, is_key_b=True), ACK),
    (ReadBlock(5), bytes(range(16))),
    (WriteBlock(5, bytes(16)), ACK),
    (WriteBlock(7, bytes(KEY) + bytes.fromhex("78778869") + bytes(KEY)), ACK),
    (ReadBlock(7), bytes(6) + bytes.fromhex("78778869") + bytes(KEY)),
    ("restart", UID),
]


def test_each_command_is_one_line_with_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    lines = record(path, ByHeart(*(answer for _, answer in COMMANDS)), *(command for command, _ in COMMANDS))

    assert all(0 <= line.pop("at") < 5 for line in lines)
    assert all(0 <= line.pop("took", 0) < 5 for line in lines)
    zeros = "00" * 16
    assert lines == [
        {"event": "reader", "reader": "sim:heart", "form": 1},
        {"event": "card", "standard": "ISO 14443-A", "atr": "", "sak": 8, "atqa": "0004", "ats": "01"},
        {"event": "uid", "answer": UID.hex().upper()},
        {"event": "frame", "command": "3004", "answer": zeros},
        {"event": "frame", "command": {"secret": 5}, "answer": {"secret": 2}},
        {"event": "frame", "command": {"secret": 6}, "answer": "0A"},
        {"event": "apdu", "command": "9060000000", "answer": "0401013300160591AF"},
        {"event": "apdu", "command": {"secret": 18}, "answer": [{"secret": 8}, "9100"]},
        {"event": "login", "block": 4, "key": {"secret": 6}, "is_key_b": True, "answer": "0A"},
        {"event": "read-block", "block": 5, "answer": bytes(range(16)).hex().upper()},
        {"event": "write-block", "block": 5, "data": zeros, "answer": "0A"},
        {
            "event": "write-block",
            "block": 7,
            "data": [{"secret": 6}, "78778869", {"secret": 6}],
            "answer": "0A",
        },
        {"event": "read-block", "block": 7, "answer": ["000000000000", "78778869", {"secret": 6}]},
        {"event": "restart", "answer": UID.hex().upper()},
        {"event": "gone"},
    ]


def test_no_secret_is_in_the_file_in_any_form(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    commands = [command for command, _ in COMMANDS]
    record(path, ByHeart(*(answer for _, answer in COMMANDS), ACK), *commands, SectorLogin(4, KEY))

    text = path.read_text().upper()
    for piece in (SECRET[:4].hex(), SECRET[1:5].hex(), SECRET[:6].hex(), repr(SECRET[:6])):
        assert piece.upper() not in text


def test_a_password_is_hidden_whoever_sends_it(tmp_path: Path) -> None:
    lines = record(tmp_path / "trace.jsonl", ByHeart(b"\x50\x43"), b"\x1b" + SECRET[:4])

    assert lines[2]["command"] == {"secret": 5}
    assert lines[2]["answer"] == {"secret": 2}


@given(st.integers(0, 255), st.binary(min_size=16, max_size=16))
@settings(max_examples=100)
def test_keys_are_hidden_in_the_trailer_of_every_sector_and_only_there(block: int, data: bytes) -> None:
    is_last = block in (*range(3, 128, 4), *range(143, 256, 16))
    shown = show_command(WriteBlock(block, data))["data"]

    assert isinstance(shown, str) is not is_last
    assert could_be(shown, data)
    if is_last and data[:6] not in (bytes(6), b"\xff" * 6):
        assert data[:6].hex().upper() not in json.dumps(shown)


def test_the_file_is_for_its_owner_and_keeps_what_was_in_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("")
    path.chmod(0o644)
    record(path, ByHeart(UID), "uid")
    lines = record(path, ByHeart(UID), "uid")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line["event"] for line in lines] == ["reader", "card", "uid", "gone"] * 2


def test_each_line_is_there_before_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    reader = traced(OneCard(ByHeart(UID, CardLost("gone"))), path)
    card = next(iter(reader.cards(never)))
    card.uid()

    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["reader", "card", "uid"]
    with pytest.raises(CardLost, match="gone"):
        card.restart_field()
    assert json.loads(path.read_text().splitlines()[-1])["error"] == "CardLost"
    reader.close()


def test_a_file_that_cannot_be_written_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="cannot be written: No such file") as refused:
        traced(OneCard(ByHeart()), tmp_path / "nowhere" / "trace.jsonl")
    assert refused.value.hint


def test_signals_and_the_end_go_through(tmp_path: Path) -> None:
    inner = OneCard(ByHeart())
    reader = traced(inner, tmp_path / "trace.jsonl")

    signal(reader, ok=True)
    signal(open_reader("sim:ntag213"), ok=False)
    reader.close()

    assert inner.shown == [True]
    assert inner.is_closed


# ------------------------------------------------------------------- replay


def replayed(path: Path) -> CardLink:
    return next(iter(open_replay(str(path)).cards(never)))


def test_a_recorded_card_answers_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    record(path, ByHeart(*(answer for _, answer in COMMANDS)), *(command for command, _ in COMMANDS))
    card = replayed(path)

    assert card.seen == ByHeart.seen
    answers = [ask(card, command) for command, _ in COMMANDS]

    hidden = {2: bytes(2), 5: bytes(8) + b"\x91\x00", 10: bytes(6) + bytes.fromhex("78778869") + bytes(6)}
    assert answers == [hidden.get(number, answer) for number, (_, answer) in enumerate(COMMANDS)]


def test_what_is_hidden_matches_anything_of_its_length_only(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    record(path, ByHeart(ACK, ACK), SectorLogin(4, KEY), WriteBlock(7, SECRET))
    card = replayed(path)

    assert card.transceive(SectorLogin(4, SecretFrame(b"\xff" * 6))) == ACK
    with pytest.raises(StationError, match="write-block 7"):
        card.transceive(WriteBlock(7, bytes(6) + b"\xff" * 10))
    assert card.transceive(WriteBlock(7, bytes(6) + SECRET[6:10] + bytes(6))) == ACK


@pytest.mark.parametrize(
    ("command", "got"),
    [
        (b"\x30\x05", "frame 3005"),
        (b"\x30\x04\x00", "frame 300400"),
        (Apdu(b"\x30\x04"), "apdu 3004"),
        (ReadBlock(4), "read-block 4"),
        ("uid", "uid"),
        ("restart", "restart"),
        (SectorLogin(4, KEY), 'login 4 {"secret": 6}'),
        (SecretFrame(b"\x30\x05"), 'frame {"secret": 2}'),
    ],
)
def test_another_dialogue_fails_with_line_and_both_commands(
    tmp_path: Path, command: Exchange | str, got: str
) -> None:
    path = tmp_path / "trace.jsonl"
    record(path, ByHeart(UID, bytes(16)), "uid", b"\x30\x04")
    card = replayed(path)
    card.uid()

    with pytest.raises(StationError) as failed:
        ask(card, command)

    assert failed.value.message == f"{path}, line 4: frame 3004 was recorded, and now {got} was asked"
    assert failed.value.hint


def test_a_dialogue_that_goes_on_longer_fails_clearly(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    record(path, ByHeart(UID), "uid")
    card = replayed(path)
    card.uid()

    with pytest.raises(StationError, match="line 3: nothing more was recorded, and now uid was asked"):
        card.uid()


def test_errors_come_again_and_a_card_that_was_given_back_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    record(path, ByHeart(CardRefused("no UID"), CardLost("card left")), "uid", b"\x60")
    reader = open_reader(f"replay:{path}")
    assert isinstance(reader, ReplayReader)
    assert reader.uri == f"replay:{path}"
    cards = reader.cards(never)
    card = next(cards)

    with pytest.raises(CardRefused, match="no UID"):
        card.uid()
    with pytest.raises(CardLost, match="card left"):
        card.transceive(b"\x60")
    assert next(cards, None) is None
    with pytest.raises(CardLost, match="was given back"):
        card.uid()


def test_what_a_sim_reader_did_is_told_the_same_by_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    reader = traced(open_reader("sim:ntag213?seed=7&count=2"), path)
    first = [run(link, identify(link.seen)) for link in reader.cards(never)]
    reader.close()

    again = [run(link, identify(link.seen)) for link in open_reader(f"replay:{path}").cards(never)]

    assert len(again) == 2
    assert [f"{one.uid} {one.name}" for one in again] == [f"{one.uid} {one.name}" for one in first]


CARD_LINE = '{"event":"card","standard":"ISO 14443-A","atr":"","sak":0,"atqa":"0044","ats":""}'


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[" * 100_000,
        "[]",
        "null",
        "{}",
        '{"event":"dance"}',
        '{"event":"reader","form":2}',
        '{"event":"uid"}',
        '{"event":"frame","command":"30","answer":"zz"}',
        '{"event":"frame","command":{"secret":-1},"answer":""}',
        '{"event":"frame","command":{"secret":99999999999},"answer":""}',
        '{"event":"frame","command":7,"answer":""}',
        '{"event":"card","standard":"ISO 14443-A"}',
        '{"event":"card","standard":"none","atr":"","sak":0,"atqa":"","ats":""}',
    ],
    ids=lambda line: line[:40],
)
def test_a_line_that_is_none_of_a_trace_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(f"{CARD_LINE}\n{line}\n")

    with pytest.raises(WrongCall, match=f"{path}, line 2: this is no line of a trace"):
        read_trace(path)


def test_an_answer_before_any_card_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"event":"uid","answer":"04"}\n')

    with pytest.raises(WrongCall, match="line 1"):
        read_trace(path)


def test_a_file_that_cannot_be_read_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(WrongCall, match="cannot be read: No such file"):
        open_reader(f"replay:{tmp_path / 'nowhere'}")
    with pytest.raises(WrongCall, match="cannot be read: it is not text"):
        open_reader(f"replay:{tmp_path / 'binary'}")


@given(st.text(max_size=80))
@settings(max_examples=200)
def test_any_text_is_a_trace_or_refused(text: str) -> None:
    line = json.dumps({"event": "frame", "command": text, "answer": text})
    try:
        shown = stand_in(text)
    except ValueError:
        return
    assert could_be(text, shown)
    assert line


@given(st.recursive(st.integers() | st.text(max_size=8) | st.none(), st.lists, max_leaves=5))
@settings(max_examples=100)
def test_any_json_in_the_place_of_bytes_is_read_or_refused(shown: object) -> None:
    try:
        stand_in(shown)
    except (ValueError, KeyError, TypeError):
        return


@given(
    st.sampled_from([b"\x30\x04", SecretFrame(b"\x1b\x01\x02\x03\x04"), Apdu(b"\x90\x60\x00\x00\x00")]),
    st.binary(max_size=40),
)
@settings(max_examples=100)
def test_what_is_shown_always_stands_for_what_was_answered(command: Exchange, answer: bytes) -> None:
    shown = show_answer(command, answer)

    assert could_be(shown, answer)
    assert len(stand_in(shown)) == len(answer)
