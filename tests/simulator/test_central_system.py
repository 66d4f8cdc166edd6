"""A central system and charging stations by OCPP: messages that are none, lists in step, memories."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from rfid_station.simulator.ocpp.central import CentralSystem, Decided
from rfid_station.simulator.ocpp.driven import DrivenStation
from rfid_station.simulator.ocpp.local_list import difference, local_list, may_be_kept
from rfid_station.simulator.ocpp.memory import Memory, remembered
from rfid_station.simulator.ocpp.station import Habits
from rfid_station.simulator.ocpp.uid_form import UidForm, seen
from rfid_station.simulator.ocpp.values import SUBPROTOCOLS, Entry, IdInfo, now

UID, OTHER = "04E10CDA993C80", "04AABBCCDDEE80"
SOON_S = 60.0


def token(uid: str = UID, *, whitelist: str = "ALLOWED", valid: bool = True) -> dict[str, object]:
    return {"uid": uid, "type": "RFID", "whitelist": whitelist, "valid": valid}


@dataclass
class Operator:
    """Decides by its tokens alone, and remembers what it said."""

    tokens: dict[str, dict[str, object]] = field(default_factory=lambda: {UID: token()})
    said: list[Decided] = field(default_factory=list)
    central: CentralSystem = field(init=False)

    def __post_init__(self) -> None:
        self.central = CentralSystem(
            self._decide, lambda: list(self.tokens.values()), on_decided=self.said.append
        )

    def _decide(self, id_tag: str) -> tuple[str, str]:
        held = self.tokens.get(id_tag.upper())
        if held is None:
            return "Unknown", "nobody told of it"
        return ("Accepted", "it is valid") if held["valid"] else ("Blocked", "it is not valid")

    def hold(self, *held: dict[str, object]) -> None:
        self.tokens |= {str(one["uid"]): one for one in held}
        self.central.tokens_changed()


@pytest.fixture
def operator() -> Iterator[Operator]:
    running = Operator()
    running.central.start()
    yield running
    running.central.stop()


@pytest.fixture(params=SUBPROTOCOLS)
def habits(request: pytest.FixtureRequest) -> Habits:
    return Habits(request.param)


def eventually(what: Callable[[], object]) -> None:
    until_s = time.monotonic() + SOON_S
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.005)


# In step


def test_a_list_follows_the_tokens(operator: Operator, habits: Habits) -> None:
    with DrivenStation(operator.central.url, habits=habits) as station:
        station.connect()
        assert station.memory.listed == {UID.lower(): IdInfo("Accepted")}
        operator.hold(token(valid=False), token(OTHER))
        eventually(lambda: len(station.memory.listed) == 2)
        assert station.memory.listed[UID.lower()].status == "Blocked"
        operator.hold(token(OTHER, whitelist="NEVER"))
        eventually(lambda: OTHER.lower() not in station.memory.listed)
        assert station.memory.list_version == 3


def test_a_station_without_a_list_is_sent_none(operator: Operator, habits: Habits) -> None:
    with DrivenStation(operator.central.url, habits=habits, memory=Memory(has_list=False)) as station:
        station.connect()
        assert station.tap(UID).outcome == "Accepted"
        assert not station.memory.listed
        assert UID.lower() in station.memory.cache


def test_what_has_to_be_asked_about_is_not_kept(operator: Operator, habits: Habits) -> None:
    operator.hold(token(whitelist="NEVER"))
    with DrivenStation(operator.central.url, habits=habits) as station:
        station.connect()
        assert station.tap(UID).outcome == "Accepted"
        station.disconnect()
        assert station.tap(UID).status in ("Invalid", "Unknown")


def test_each_transaction_is_decided_about_anew(operator: Operator, habits: Habits) -> None:
    with DrivenStation(operator.central.url, habits=Habits(habits.protocol, pre_authorizes=True)) as station:
        station.connect()
        station.memory.has_cache = True
        station.memory.update(9, [Entry(UID, IdInfo("Accepted"))], is_full=True)
        operator.tokens[UID] = token(valid=False)
        tapped = station.tap(UID)
    assert tapped.outcome == "Accepted, then stopped"
    (decided,) = operator.said
    assert decided.action in ("StartTransaction", "TransactionEvent")


def test_a_station_whose_central_system_dies_goes_by_its_memory(habits: Habits) -> None:
    operator = Operator()
    operator.central.start()
    with DrivenStation(operator.central.url, habits=habits) as station:
        station.connect()
        operator.central.stop()
        tapped = station.tap(UID)
        assert tapped.outcome == "Accepted"
        assert tapped.steps[0] == "no line to the central system"
        with pytest.raises(OSError, match=r"127\.0\.0\.1"):
            station.connect()


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        central = CentralSystem(lambda _: ("Accepted", ""), list, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            central.start()


# What is no OCPP


def test_whoever_speaks_another_protocol_is_not_let_in(operator: Operator) -> None:
    for offered in (None, [Subprotocol("ocpp1.5")]):
        with pytest.raises(InvalidStatus, match="400"):
            connect(f"{operator.central.url}/CP9", subprotocols=offered)


def ask(operator: Operator, *messages: str) -> Any:
    """Send messages as they are, and read the answer to the last one, whose id is `last`."""
    with connect(f"{operator.central.url}/CP9", subprotocols=[Subprotocol("ocpp1.6")]) as line:
        for message in messages:
            line.send(message)
        while True:
            answer = json.loads(line.recv(SOON_S))
            if answer[1] == "last":
                return answer


@pytest.mark.parametrize(
    "nonsense",
    ["", "{}", "[]", "[2]", "null", "[2, 1, 2, 3, 4, 5]", "\x00", '[9, "x", "Authorize", {}]', "[" * 900],
)
def test_nonsense_ends_no_connection(operator: Operator, nonsense: str) -> None:
    authorize = json.dumps([2, "last", "Authorize", {"idTag": UID}])
    assert ask(operator, nonsense, authorize)[2]["idTagInfo"]["status"] == "Accepted"


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Authorize", {}, "ProtocolError"),
        ("Authorize", {"idTag": "0" * 21}, "TypeConstraintViolation"),
        ("Authorize", {"idTag": 4}, "TypeConstraintViolation"),
        ("FirmwareStatusNotification", {"status": "Idle"}, "NotImplemented"),
        ("Dance", {}, "NotImplemented"),
    ],
)
def test_what_breaks_the_specification_is_an_error(
    operator: Operator, action: str, payload: object, code: str
) -> None:
    answer = ask(operator, json.dumps([2, "last", action, payload]))
    assert answer[0] == 4
    assert answer[2] in (code, "NotSupported")
    assert not operator.said


def test_1_6_has_fewer_words(operator: Operator) -> None:
    answer = ask(operator, json.dumps([2, "last", "Authorize", {"idTag": OTHER}]))
    assert (answer[0], answer[2]["idTagInfo"]["status"]) == (3, "Invalid")


# The memory


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["ALWAYS", "NEVER"]), st.booleans())))
@settings(max_examples=40)
def test_differences_lead_to_the_same_list(steps: list[tuple[str, str, bool]]) -> None:
    tokens: dict[str, dict[str, object]] = {}
    memory, sent = Memory(), local_list([])
    for version, (uid, whitelist, valid) in enumerate(steps, 1):
        tokens[uid] = token(uid, whitelist=whitelist, valid=valid)
        wanted = local_list(tokens.values())
        memory.update(version, difference(sent, wanted), is_full=False)
        sent = wanted
        assert memory.listed == {tag.lower(): info for tag, info in wanted.items()}


def test_the_list_wins_over_the_cache_whatever_the_case() -> None:
    memory = Memory()
    memory.note(UID, IdInfo("Accepted"))
    memory.update(1, [Entry(UID.lower(), IdInfo("Blocked"))], is_full=False)
    memory.note(UID, IdInfo("Accepted"))
    found = memory.find(UID, now())
    assert found
    assert (found.info.status, found.place) == ("Blocked", "local list")
    assert not memory.cache


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    path, memory = tmp_path / "memory.json", Memory()
    memory.note(OTHER, IdInfo("Expired", now() + timedelta(hours=1)))
    memory.update(3, [Entry(UID, IdInfo("Accepted"))], is_full=True)
    memory.save(path)
    again = remembered(path)
    assert again.list_version == 3
    assert again.listed == memory.listed
    assert [info.status for info in again.cache.values()] == ["Expired"]
    path.write_text('{"cache": 3}')
    with pytest.raises(ValueError, match="is not the memory of a station"):
        remembered(path)


def test_a_card_whose_issuer_has_to_be_asked_may_not_be_kept() -> None:
    assert may_be_kept([token()], UID.lower())
    assert not may_be_kept([token(), token(whitelist="NEVER")], UID.lower())
    assert may_be_kept([], UID)


def test_a_number_that_is_too_long_for_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match="25 characters"):
        seen(bytes([255] * 10), UidForm.DECIMAL)


def test_stations_leave_nothing_behind(operator: Operator) -> None:
    with DrivenStation(operator.central.url) as station:
        station.connect()
    assert not asyncio.all_tasks(station._loop)
    assert not station._thread.is_alive()
