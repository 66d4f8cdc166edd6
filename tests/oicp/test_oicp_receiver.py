"""A hub brought to the wanted state: whatever it answers, an acknowledgement means that it is right there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.delivery import Verdict
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import parse_uid
from rfid_station.errors import WrongCall
from rfid_station.oicp.answer import Answer, read_answer
from rfid_station.oicp.client import HubClient, check_url
from rfid_station.oicp.receiver import HubReceiver
from rfid_station.oicp.wire import Message, push_url
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.hub.virtual_hub import VirtualHub

US = Party("NL", "EXM")
UID = "04E10CDA993C80"
TOKEN = Token(
    party=US,
    uid=parse_uid(UID),
    contract_id=parse_contract_id("NL-EXM-C00000001"),
    visual_number="EXM-1234-5678-2",
    issuer="Example Mobility",
    valid=True,
    whitelist=Whitelist.ALLOWED,
    last_updated=datetime(2026, 1, 1, tzinfo=UTC),
)
BLOCKED = replace(TOKEN, valid=False)
RECORD = {
    "form": "RFIDIdentification",
    "UID": UID,
    "RFID": "mifareFamily",
    "EvcoID": str(TOKEN.contract_id),
    "PrintedNumber": "EXM-1234-5678-2",
}

Open = Callable[..., tuple[VirtualHub, HubReceiver]]


def receiver_of(hub: VirtualHub, timeout_s: float = 5.0) -> HubReceiver:
    return HubReceiver(HubClient(push_url(hub.url, US), None, timeout_s=timeout_s), US)


@pytest.fixture
def open_hub() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_it(timeout_s: float = 5.0, **how: object) -> tuple[VirtualHub, HubReceiver]:
            hub = stack.enter_context(VirtualHub(**how))
            receiver = receiver_of(hub, timeout_s)
            stack.callback(receiver.close)
            return hub, receiver

        yield open_it


def said(hub: VirtualHub) -> list[str]:
    return [f"{pushed.action} {pushed.code}" for pushed in hub.log]


def test_a_new_card_is_inserted_whole(open_hub: Open) -> None:
    hub, receiver = open_hub()
    assert receiver.put(TOKEN).verdict is Verdict.ACKNOWLEDGED
    assert hub.records == {UID: RECORD}
    assert hub.authorize(UID) == "Authorized"
    assert said(hub) == ["insert 000"]


@pytest.mark.parametrize("code", ["009", "022", "002"])
def test_a_card_that_is_there_is_updated_whichever_code_says_so(open_hub: Open, code: str) -> None:
    hub, receiver = open_hub(abort_code=code)
    receiver.put(TOKEN)
    assert receiver.put(replace(TOKEN, visual_number="EXM-9")).verdict is Verdict.ACKNOWLEDGED
    assert hub.records[UID]["PrintedNumber"] == "EXM-9"
    assert said(hub) == ["insert 000", f"insert {code}", "update 000"]


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_block_takes_the_card_away_and_may_be_told_again(open_hub: Open, is_strict: bool) -> None:
    hub, receiver = open_hub(is_strict=is_strict)
    receiver.put(TOKEN)
    for _ in range(2):
        assert receiver.put(BLOCKED).verdict is Verdict.ACKNOWLEDGED
        assert hub.records == {}
    assert receiver.put(TOKEN).verdict is Verdict.ACKNOWLEDGED
    assert hub.authorize(UID) == "Authorized"


def test_a_card_that_must_be_asked_for_is_not_left_to_the_hub(open_hub: Open) -> None:
    hub, receiver = open_hub()
    receiver.put(TOKEN)
    assert receiver.put(replace(TOKEN, whitelist=Whitelist.NEVER)).verdict is Verdict.ACKNOWLEDGED
    assert hub.records == {}


@pytest.mark.parametrize("code", ["009", "022", "002"])
def test_a_hub_that_refuses_to_delete_what_it_has_not_got_shows_that_it_has_not(
    open_hub: Open, code: str
) -> None:
    hub, receiver = open_hub(is_strict=True, abort_code=code)
    assert receiver.put(BLOCKED).verdict is Verdict.ACKNOWLEDGED
    assert hub.records == {}
    assert said(hub) == [f"delete {code}", "insert 000", "delete 000"]


def test_at_no_moment_is_a_blocked_card_admitted(open_hub: Open) -> None:
    admitted = []
    hub, receiver = open_hub(is_strict=True, on_pushed=lambda _: admitted.append(hub.authorize(UID)))
    assert receiver.put(BLOCKED).verdict is Verdict.ACKNOWLEDGED
    assert admitted == ["NotAuthorized"] * 3


def test_a_hub_that_refuses_a_card_for_good_is_not_believed_to_have_lost_it(open_hub: Open) -> None:
    hub, receiver = open_hub()
    receiver.put(TOKEN)
    hub.faults.add(Fault(FaultKind.REFUSE, uid=UID, message="never"))
    outcome = receiver.put(BLOCKED)
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.detail == (
        "delete: HTTP 200, OICP 022, Result false: Data error.: never; "
        "insert of an expired one: HTTP 200, OICP 022, Result false: Data error.: never"
    )
    assert hub.authorize(UID) == "Authorized"


def test_a_new_card_that_is_refused_for_good_is_said_in_the_words_of_both(open_hub: Open) -> None:
    hub, receiver = open_hub()
    hub.faults.add(Fault(FaultKind.REFUSE, uid=UID, code=9, message="never"))
    outcome = receiver.put(TOKEN)
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.detail.startswith("insert: HTTP 200, OICP 009")
    assert "; update: HTTP 200, OICP 009" in outcome.detail


def test_a_contract_of_somebody_else_is_refused_at_once(open_hub: Open) -> None:
    hub, receiver = open_hub()
    outcome = receiver.put(replace(TOKEN, contract_id=parse_contract_id("DE-ABC-C00000001")))
    assert outcome.verdict is Verdict.REFUSED
    assert "OICP 019" in outcome.detail
    assert said(hub) == ["insert 019"]


def test_a_hub_that_does_not_know_us_is_not_asked_twice(open_hub: Open) -> None:
    hub, receiver = open_hub(provider_id="DE-ABC")
    assert receiver.put(TOKEN).verdict is Verdict.UNAUTHORIZED
    assert receiver.put(BLOCKED).verdict is Verdict.UNAUTHORIZED
    assert said(hub) == ["insert 017", "delete 017"]


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (Fault(FaultKind.HANG), Verdict.AMBIGUOUS),
        (Fault(FaultKind.APPLY_HANG), Verdict.AMBIGUOUS),
        (Fault(FaultKind.APPLY_ABORT), Verdict.AMBIGUOUS),
        (Fault(FaultKind.ABORT), Verdict.AMBIGUOUS),
        (Fault(FaultKind.ERROR), Verdict.UNREACHABLE),
        (Fault(FaultKind.APPLY_ERROR), Verdict.UNREACHABLE),
        (Fault(FaultKind.ERROR, status=504), Verdict.AMBIGUOUS),
        (Fault(FaultKind.BUSY, retry_after="3"), Verdict.UNREACHABLE),
        (Fault(FaultKind.RATE_LIMIT, retry_after="3"), Verdict.UNREACHABLE),
        (Fault(FaultKind.REDIRECT, location="https://elsewhere.example/"), Verdict.UNREACHABLE),
        (Fault(FaultKind.GARBAGE), Verdict.REFUSED),
        (Fault(FaultKind.CUT), Verdict.REFUSED),
        (Fault(FaultKind.HUGE), Verdict.REFUSED),
        (Fault(FaultKind.UNAUTHORIZED), Verdict.UNAUTHORIZED),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_whatever_goes_wrong_is_an_outcome_and_the_next_call_mends_it(
    open_hub: Open, fault: Fault, verdict: Verdict
) -> None:
    hub, receiver = open_hub(timeout_s=0.4)
    hub.faults.add(replace(fault, times=1))
    outcome = receiver.put(TOKEN)
    assert outcome.verdict is verdict
    assert outcome.detail.startswith("insert: ")
    assert outcome.retry_after_s == (3.0 if fault.retry_after == "3" else None)
    assert receiver.put(TOKEN).verdict is Verdict.ACKNOWLEDGED
    assert hub.records == {UID: RECORD}


def test_a_second_message_without_an_answer_is_no_refusal(open_hub: Open) -> None:
    hub, receiver = open_hub(timeout_s=0.4)
    receiver.put(TOKEN)
    hub.faults.add(Fault(FaultKind.APPLY_HANG, method="update"))
    outcome = receiver.put(TOKEN)
    assert outcome.verdict is Verdict.AMBIGUOUS
    assert "; update: http://127.0.0.1" in outcome.detail


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/api/oicp"
        receiver = HubReceiver(HubClient(push_url(url, US), None, timeout_s=2.0), US)
        assert receiver.put(TOKEN).verdict is Verdict.UNREACHABLE
        receiver.close()


def test_a_token_of_another_party_or_without_a_form_in_oicp_is_refused_unsent(open_hub: Open) -> None:
    hub, receiver = open_hub()
    for token in (
        replace(TOKEN, party=Party("DE", "ABC")),
        replace(TOKEN, contract_id=parse_contract_id("NL-EXM-A12345678")),
    ):
        outcome = receiver.put(token)
        assert outcome.verdict is Verdict.REFUSED
        assert outcome.detail.startswith("not sent: ")
    assert hub.log == []


def test_nothing_can_be_read_back(open_hub: Open) -> None:
    hub, receiver = open_hub()
    receiver.put(TOKEN)
    outcome, differences = receiver.prove(TOKEN)
    assert (outcome.verdict, differences) == (Verdict.REFUSED, None)
    assert len(hub.log) == 1


def test_messages_go_one_after_the_other() -> None:
    class Counting:
        def __init__(self) -> None:
            self.inside = 0
            self.most = 0
            self.entered = threading.Event()
            self.leave = threading.Event()

        def push(self, _message: Message) -> Answer:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.entered.set()
            self.leave.wait(60)
            self.inside -= 1
            return read_answer(200, b'{"Result": true, "StatusCode": {"Code": "000"}}')

    counting = Counting()
    receiver = HubReceiver(counting, US)
    threads = [threading.Thread(target=receiver.put, args=(TOKEN,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert counting.entered.wait(60)
    for thread in threads:
        thread.join(0.05)  # they would come in meanwhile, if nothing kept them out
    counting.leave.set()
    for thread in threads:
        thread.join(60)
    assert counting.most == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hub.example/api/oicp", "is not https"),
        ("hub.example", "is not the address of a hub"),
        ("ftp://hub.example/", "is not the address of a hub"),
        ("https://me:word@hub.example/", "is not the address of a hub"),
        ("https://hub.example/?a=b", "is not the address of a hub"),
        ("https://hub example/", "is not"),
    ],
)
def test_addresses_that_are_none_are_said(url: str, said: str) -> None:
    with pytest.raises(WrongCall, match=said):
        check_url(url)


_FAULTS = [
    None,
    FaultKind.REFUSE,
    FaultKind.ABORT,
    FaultKind.APPLY_ABORT,
    FaultKind.ERROR,
    FaultKind.APPLY_ERROR,
    FaultKind.GARBAGE,
    FaultKind.CUT,
    FaultKind.RESTART,
]
_TOLD = st.tuples(st.booleans(), st.integers(1, 3), st.lists(st.sampled_from(_FAULTS), max_size=3))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.booleans(), st.sampled_from(["009", "022", "002"]), st.lists(_TOLD, min_size=1, max_size=6))
def test_acknowledged_means_right_there_and_without_faults_it_always_comes_to_that(
    is_strict: bool, code: str, states: list[tuple[bool, int, list[FaultKind | None]]]
) -> None:
    with VirtualHub(is_strict=is_strict, abort_code=code) as hub:
        receiver = receiver_of(hub)
        for valid, number, kinds in states:
            token = replace(TOKEN, valid=valid, visual_number=f"EXM-{number}")
            for kind in filter(None, kinds):
                hub.faults.add(Fault(kind, times=1, loses="everything"))
            if receiver.put(token).verdict is Verdict.ACKNOWLEDGED:
                assert_right(hub, token)
            hub.faults.clear()
            if kinds:
                assert receiver.put(token).verdict is Verdict.ACKNOWLEDGED
            assert_right(hub, token)
        receiver.close()
        assert {pushed.action for pushed in hub.log} <= {"insert", "update", "delete"}


def assert_right(hub: VirtualHub, token: Token) -> None:
    assert hub.records == ({UID: RECORD | {"PrintedNumber": token.visual_number}} if token.valid else {})
