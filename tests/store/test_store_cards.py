from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from store_world import ANN, PATTERN, START, SUE, Clock, contract, drawn, issue, reserve, tell, uid

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, Reason, Role
from rfid_station.domain.contract_id import ContractForm, ContractId, parse_contract_id
from rfid_station.domain.feed import Lane
from rfid_station.domain.token import Token
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.numbering import MOST_DRAWS
from rfid_station.store.opening import Store

JAN = Driver("Jan de Vries", "P-17", "North", "nl")
DIRECTOR = Actor("system", Role.SYSTEM)


def told(store: Store, card: Card) -> Token:
    token_id = store.feed.token_id_of(card.id)
    assert token_id is not None
    change = store.feed.own(token_id)
    assert change is not None
    return change.token


def test_reserved_card_reads_back_as_it_was_given(store: Store) -> None:
    card = reserve(store, 7, order_line="fleet.csv:3", driver=JAN)
    assert card == Card(
        id=card.id,
        uid=uid(7),
        chip="NTAG213",
        profile="link",
        state=CardState.RESERVED,
        reason=None,
        contract_id=contract(1),
        visual_number=PATTERN.render(7),
        alias="alias-7",
        order_line="fleet.csv:3",
        driver=JAN,
        changed_at=START,
        group=JAN.fleet,
    )
    assert store.cards.by_id(card.id) == card
    assert store.cards.by_order_line("fleet.csv:3") == card
    assert store.cards.living(uid(7)) == card


def test_card_without_driver_and_order_line(store: Store) -> None:
    card = reserve(store, 7)
    assert (card.driver, card.order_line) == (None, None)
    assert store.cards.by_id(card.id) == card
    assert store.cards.by_order_line("fleet.csv:3") is None


def test_a_din_contract_keeps_its_form(store: Store) -> None:
    card = store.cards.reserve(
        uid=uid(1),
        chip="NTAG213",
        profile="link",
        order_line=None,
        driver=None,
        draw_visual=drawn("EXM-1"),
        contract_of=lambda _: parse_contract_id("NL-EXM-012345-6"),
        draw_alias=drawn("a"),
        actor=ANN,
    )
    assert store.cards.by_id(card.id).contract_id == card.contract_id
    assert store.cards.by_id(card.id).contract_id.form is ContractForm.DIN_91286


def test_contract_numbers_count_up_without_gaps(store: Store) -> None:
    assert [reserve(store, n).contract_id for n in range(5)] == [contract(n) for n in range(1, 6)]


def test_second_card_with_a_living_uid_is_refused_and_uses_no_number(store: Store) -> None:
    first = issue(store, 1)
    with pytest.raises(Conflict, match="UID 04…0001 belongs to card EXM-0000-0001-") as refused:
        reserve(store, 2, of=uid(1))
    assert "which is active" in refused.value.message
    assert refused.value.hint == f"rfid-station card show {first.visual_number}"
    assert reserve(store, 3).contract_id == contract(2)


def test_second_card_for_an_order_line_is_refused(store: Store) -> None:
    first = reserve(store, 1, order_line="fleet.csv:3")
    with pytest.raises(
        Conflict, match=r"order line fleet.csv:3 belongs to card .* which is reserved"
    ) as refused:
        reserve(store, 2, order_line="fleet.csv:3")
    assert refused.value.hint == f"rfid-station card show {first.visual_number}"


def test_many_cards_without_an_order_line(store: Store) -> None:
    assert {reserve(store, n).order_line for n in range(3)} == {None}


@pytest.mark.parametrize("state", [state for state in CardState if state is not CardState.SPOILED])
def test_every_state_but_spoiled_holds_uid_and_order_line(store: Store, state: CardState) -> None:
    card = bring_to(store, state)
    for values in ({"of": card.uid}, {"order_line": card.order_line}):
        with pytest.raises(Conflict, match=f"which is {state}"):
            reserve(store, 2, **values)


def bring_to(store: Store, state: CardState) -> Card:
    card = reserve(store, 1, order_line="fleet.csv:1")
    if state is CardState.RESERVED:
        return card
    card = store.cards.begin_encoding(card.id, "digest", ANN)
    if state is CardState.ENCODING:
        return card
    card = store.cards.register(card.id, token_of=tell, activate=state is not CardState.ISSUED, actor=ANN)
    reasons = {
        CardState.BLOCKED: Reason.LOST,
        CardState.SUSPENDED: Reason.FRAUD,
        CardState.REPLACED: Reason.DAMAGED,
        CardState.EXPIRED: Reason.DATE_PASSED,
        CardState.RETIRED: Reason.RETURNED,
    }
    return store.cards.move(card.id, state, reasons[state], SUE, tell) if state in reasons else card


def test_a_spoiled_card_frees_uid_and_order_line_but_no_number(store: Store) -> None:
    first = reserve(store, 1, order_line="fleet.csv:3")
    store.cards.move(first.id, CardState.SPOILED, Reason.ENCODE_FAILED, ANN, tell)
    assert store.cards.living(first.uid) is None
    assert store.cards.by_order_line("fleet.csv:3") is None
    second = reserve(store, 2, of=first.uid, order_line="fleet.csv:3")
    assert second.contract_id == contract(2)
    assert store.cards.living(first.uid) == second
    with pytest.raises(Conflict, match="no free number"):
        reserve(store, 1, of=uid(99))


def test_taken_numbers_are_drawn_again(store: Store) -> None:
    reserve(store, 1)
    card = store.cards.reserve(
        uid=uid(2),
        chip="NTAG213",
        profile="link",
        order_line=None,
        driver=None,
        draw_visual=drawn(PATTERN.render(1).replace("-", " ").lower(), "EXM-FREE-1"),
        contract_of=lambda n: contract(max(1, n - 2)),
        draw_alias=drawn("alias-1", "alias-free"),
        actor=ANN,
    )
    assert (card.visual_number, card.alias) == ("EXM-FREE-1", "alias-free")
    assert card.contract_id == contract(2)
    assert store.audit.check().is_sound


def test_a_full_pattern_ends_in_a_conflict_and_changes_nothing(store: Store) -> None:
    first = reserve(store, 1)
    draws: list[int] = []

    def draw() -> str:
        draws.append(1)
        return first.visual_number

    with pytest.raises(Conflict, match="no free number was found in 100 draws") as refused:
        store.cards.reserve(
            uid=uid(2),
            chip="NTAG213",
            profile="link",
            order_line=None,
            driver=None,
            draw_visual=draw,
            contract_of=contract,
            draw_alias=drawn("a"),
            actor=ANN,
        )
    assert len(draws) == MOST_DRAWS + 1
    assert "desk.visual_number" in str(refused.value.hint)
    assert len(store.cards.listing(state=CardState.RESERVED)) == 1
    assert reserve(store, 3).contract_id == contract(2)


def test_contract_is_asked_for_before_the_other_numbers(store: Store) -> None:
    asked: list[str] = []

    def contract_of(number: int) -> ContractId:
        asked.append("contract")
        return contract(number)

    store.cards.reserve(
        uid=uid(2),
        chip="NTAG213",
        profile="link",
        order_line=None,
        driver=None,
        draw_visual=lambda: asked.append("visual") or "EXM-1",
        contract_of=contract_of,
        draw_alias=lambda: asked.append("alias") or "a",
        actor=ANN,
    )
    assert asked[0] == "contract"


def test_begin_encoding_keeps_the_plan_and_says_it_once(store: Store) -> None:
    card = reserve(store, 1)
    assert store.cards.plan_digest(card.id) is None
    encoding = store.cards.begin_encoding(card.id, "plan-a", ANN)
    assert encoding.state is CardState.ENCODING
    assert store.cards.begin_encoding(card.id, "plan-a", ANN) == encoding
    assert store.cards.plan_digest(card.id) == "plan-a"
    assert [event.action for event in store.cards.history(card.id)] == ["card.reserved", "card.encoding"]


def test_another_plan_for_a_card_that_is_being_encoded_is_witnessed(store: Store) -> None:
    card = reserve(store, 1)
    store.cards.begin_encoding(card.id, "plan-a", ANN)
    store.cards.begin_encoding(card.id, "plan-b", ANN)
    assert store.cards.plan_digest(card.id) == "plan-b"
    assert [event.data.get("plan") for event in store.cards.history(card.id)] == [None, "plan-a", "plan-b"]


def test_begin_encoding_of_an_issued_card_is_refused(store: Store) -> None:
    card = issue(store, 1)
    with pytest.raises(MoveNotAllowed, match="is active and cannot become encoding"):
        store.cards.begin_encoding(card.id, "plan", ANN)


@pytest.mark.parametrize("encode_first", [True, False])
def test_register_activates_and_tells(store: Store, encode_first: bool) -> None:
    card = reserve(store, 1, driver=JAN)
    if encode_first:
        store.cards.begin_encoding(card.id, "digest", ANN)
    active = store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)
    assert active.state is CardState.ACTIVE
    assert store.cards.by_id(card.id) == active
    assert told(store, card) == tell(active, datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC))
    assert told(store, card).valid
    assert [event.action for event in store.cards.history(card.id)][-2:] == ["card.issued", "card.active"]


def test_register_without_activation_tells_an_invalid_token(store: Store) -> None:
    card = issue(store, 1, activate=False)
    assert card.state is CardState.ISSUED
    assert not told(store, card).valid
    assert store.audit.check().is_sound


def test_registering_twice_changes_nothing(store: Store) -> None:
    card = issue(store, 1)
    before = store.feed.own_after(0, Lane.BULK, 10), store.audit.events()
    again = store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)
    assert again == card
    assert (store.feed.own_after(0, Lane.BULK, 10), store.audit.events()) == before


def test_registering_a_blocked_card_does_not_revive_it(store: Store) -> None:
    card = issue(store, 1)
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    assert store.cards.register(card.id, token_of=tell, activate=True, actor=ANN).state is CardState.BLOCKED
    assert not told(store, card).valid


def test_registering_a_spoiled_card_is_refused(store: Store) -> None:
    card = reserve(store, 1)
    store.cards.move(card.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)
    with pytest.raises(MoveNotAllowed, match="is spoiled and cannot become issued"):
        store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)


def test_a_driver_may_not_register(store: Store) -> None:
    card = reserve(store, 1)
    with pytest.raises(MoveNotAllowed, match="a driver may not make"):
        store.cards.register(card.id, token_of=tell, activate=True, actor=Actor("jan", Role.DRIVER))
    assert store.feed.token_id_of(card.id) is None


def test_block_is_told_and_urgent(store: Store, clock: Clock) -> None:
    card = issue(store, 1)
    clock.pass_by(60)
    blocked = store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    assert (blocked.state, blocked.reason, blocked.changed_at) == (CardState.BLOCKED, Reason.LOST, clock.now)
    assert store.cards.by_id(card.id) == blocked
    (change,) = store.feed.own_after(0, Lane.URGENT, 10)
    assert (change.revision, change.is_urgent, change.token.valid) == (2, True, False)
    assert store.feed.own_after(0, Lane.BULK, 10) == [change]


def test_a_later_change_keeps_the_urgency_of_a_block(store: Store) -> None:
    """The feed shows only the newest state: it must not hide a block in the slow lane."""
    card = issue(store, 1)
    store.cards.move(card.id, CardState.BLOCKED, Reason.STOLEN, ANN, tell)
    store.cards.move(card.id, CardState.SUSPENDED, Reason.FRAUD, SUE, tell)
    assert [change.revision for change in store.feed.own_after(0, Lane.URGENT, 10)] == [3]


def test_giving_rights_back_ends_the_urgency(store: Store) -> None:
    card = issue(store, 1)
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    store.cards.move(card.id, CardState.ACTIVE, Reason.FOUND, SUE, tell)
    assert store.feed.own_after(0, Lane.URGENT, 10) == []
    (change,) = store.feed.own_after(0, Lane.BULK, 10)
    assert (change.revision, change.token.valid) == (3, True)


def test_a_new_token_is_not_urgent(store: Store) -> None:
    issue(store, 1, activate=False)
    assert store.feed.own_after(0, Lane.URGENT, 10) == []


@pytest.mark.parametrize("step_s", [0.0, 0.3, -3600.0, 7.0])
def test_last_updated_rises_by_whole_seconds_whatever_the_clock_does(
    store: Store, clock: Clock, step_s: float
) -> None:
    card = issue(store, 1)
    stamps = [told(store, card).last_updated]
    for to, reason in [(CardState.BLOCKED, Reason.LOST), (CardState.ACTIVE, Reason.FOUND)] * 3:
        clock.pass_by(step_s)
        store.cards.move(card.id, to, reason, SUE, tell)
        stamps.append(told(store, card).last_updated)
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(stamps))
    assert {stamp.microsecond for stamp in stamps} == {0}
    if step_s >= 1:
        assert stamps[-1] == clock.now.replace(microsecond=0)


def test_revisions_are_global_and_rise_by_one(store: Store) -> None:
    cards = [issue(store, n) for n in range(3)]
    store.cards.move(cards[0].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    feed = store.feed.own_after(0, Lane.BULK, 10)
    assert [change.revision for change in feed] == [2, 3, 4]
    assert [change.token.uid for change in feed] == [uid(1), uid(2), uid(0)]


def test_move_checks_role_and_reason(store: Store) -> None:
    card = issue(store, 1)
    with pytest.raises(MoveNotAllowed, match="a clerk may not make"):
        store.cards.move(card.id, CardState.SUSPENDED, Reason.FRAUD, ANN, tell)
    with pytest.raises(WrongCall, match="no reason does not make"):
        store.cards.move(card.id, CardState.BLOCKED, None, ANN, tell)
    assert store.cards.by_id(card.id) == card


@pytest.mark.parametrize("to", [CardState.ENCODING, CardState.ISSUED])
def test_an_unfinished_card_moves_nowhere_but_to_spoiled(store: Store, to: CardState) -> None:
    """A card must not become issued without a token, nor be encoded without a plan."""
    card = reserve(store, 1)
    with pytest.raises(MoveNotAllowed, match="is reserved: it was never finished"):
        store.cards.move(card.id, to, None, DIRECTOR, tell)


def test_giving_up_an_unfinished_card_tells_nobody(store: Store) -> None:
    card = reserve(store, 1)
    store.cards.move(card.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)
    assert store.feed.token_id_of(card.id) is None
    assert store.feed.own_after(0, Lane.BULK, 10) == []
    assert store.audit.check().is_sound


def test_a_misprint_leaves_its_token_to_the_next_card_with_its_uid(store: Store) -> None:
    """Partners know a token by its UID: the new card must reach them as a newer state of the same token."""
    first = issue(store, 1, activate=False)
    old_id, before = store.feed.token_id_of(first.id), told(store, first)
    store.cards.move(first.id, CardState.SPOILED, Reason.MISPRINT, ANN, tell)
    second = reserve(store, 2, of=first.uid)
    second = store.cards.register(second.id, token_of=tell, activate=True, actor=ANN)
    assert store.feed.token_id_of(second.id) == old_id
    assert store.feed.token_id_of(first.id) is None
    (change,) = store.feed.own_after(0, Lane.BULK, 10)
    assert (change.revision, change.is_urgent) == (3, False)
    assert change.token.contract_id == second.contract_id
    assert change.token.last_updated >= before.last_updated + timedelta(seconds=2)
    assert store.audit.check().is_sound


def test_listing_counts_and_limit(store: Store) -> None:
    north = [issue(store, n, driver=JAN) for n in range(2)]
    other = issue(store, 5)
    spare = reserve(store, 6)
    assert store.cards.listing() == [*north, other, spare]
    assert store.cards.listing(limit=2) == [other, spare]
    assert store.cards.listing(state=CardState.ACTIVE) == [*north, other]
    assert store.cards.listing(fleet="North", state=CardState.ACTIVE, limit=1) == [north[1]]
    assert store.cards.listing(fleet="South") == []
    assert store.cards.listing(state=CardState.RESERVED) == [spare]


def test_history_tells_who_what_and_why(store: Store, clock: Clock) -> None:
    card = issue(store, 1, driver=JAN)
    issue(store, 2)
    clock.pass_by(5)
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUE, tell)
    last = store.cards.history(card.id)[-1]
    assert (last.at, last.actor, last.action, last.subject) == (
        clock.now,
        SUE,
        "card.blocked",
        f"card:{card.id}",
    )
    assert last.data == {"visual_number": card.visual_number, "was": "active", "reason": "lost"}


def test_events_hold_no_uid_and_no_person(store: Store) -> None:
    card = issue(store, 0xABCDEF, driver=JAN)
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUE, tell)
    text = json.dumps([dict(event.data) for event in store.audit.events()], ensure_ascii=False)
    assert card.uid.masked in text
    for secret in (card.uid.hex, "ABCDEF", JAN.name, JAN.reference, card.alias):
        assert secret not in text


@pytest.mark.parametrize("call", ["by_id", "history", "plan_digest"])
def test_an_unknown_card_is_a_wrong_call(store: Store, call: str) -> None:
    with pytest.raises(WrongCall, match="there is no card with id 99") as refused:
        getattr(store.cards, call)(99)
    assert refused.value.hint == "rfid-station card list"
