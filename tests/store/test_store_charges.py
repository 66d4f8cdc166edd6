"""Charges are kept once, matched to their cards, and judged by what their partner knew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_world import ANN, START, SUE, Clock, issue, tell

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Driver, Reason
from rfid_station.domain.charge import Charge, ChargeKind, Cost, Place, Posted, ToldToken
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.opening import Store
from rfid_station.store.usage.charges import Charges

CPO = Party("NL", "CPO")
OURS = Party("NL", "EXM")
THERE = Connection("2.2.1", "http://127.0.0.1:9/", (), (CPO,))


@pytest.fixture
def partnered(store: Store) -> Iterator[Store]:
    for name, cache in (("cpo", 30.0), ("other", 0.0)):
        profile = PartnerProfile(name="cached", cache_minutes=cache)
        store.partners.add(name, "http://127.0.0.1:9/ocpi/versions", "", Agreement(), ANN, profile)
        store.partners.connect_at_once(name, THERE, ANN)
    yield store
    assert store.audit.check().is_sound


def told_of(card: Card | None, began: datetime = START, **changed: object) -> Charge:
    uid = card.uid.hex if card else "04FFFFFFFFFFFF"
    contract = f"{card.contract_id}" if card else "FR-XYZ-C00000001"
    given: dict[str, object] = {
        "kind": ChargeKind.CDR,
        "party": CPO,
        "id": "C1",
        "began": began,
        "ended": began + timedelta(hours=1),
        "energy_kwh": Decimal("11.5"),
        "cost": Cost(Decimal("4.60"), None, "EUR"),
        "place": Place("Gent", "BE*1", "BEL"),
        "token": ToldToken(uid, "RFID", contract, OURS, (uid,)),
        "auth_method": "WHITELIST",
        "authorization_reference": None,
        "last_updated": began,
        "told": '{"id":"C1"}',
        "version": "2.2.1",
    }
    return Charge(**(given | changed))  # type: ignore[arg-type]


def session_of(card: Card | None, number: int, **changed: object) -> Charge:
    given: dict[str, object] = {
        "kind": ChargeKind.SESSION,
        "id": "S1",
        "status": "ACTIVE",
        "last_updated": START + timedelta(seconds=number),
        "energy_kwh": Decimal(number),
        "told": f'{{"kwh":{number}}}',
    }
    return told_of(card, **(given | changed))


def block(store: Store, card: Card, state: CardState = CardState.BLOCKED, why: Reason = Reason.LOST) -> Card:
    return store.cards.move(card.id, state, why, SUE, tell)


def prove(store: Store, card: Card, partner: str = "cpo") -> None:
    token_id = store.feed.token_id_of(card.id)
    assert token_id is not None
    change = store.feed.newest(partner, token_id)
    assert change is not None
    store.feed.record_proof(partner, token_id, change.revision, True, "")


def acknowledge(store: Store, partner: str = "cpo") -> None:
    store.feed.advance(partner, Lane.BULK, store.feed.standing(partner).head)


# Kept once


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_in_any_order_the_newest_session_stays(partnered: Store, numbers: list[int]) -> None:
    with partnered.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM charge")
    for number in numbers:
        partnered.charges.put_session("cpo", session_of(None, number))

    assert partnered.charges.session("cpo", CPO, "s1", "2.2.1") == f'{{"kwh":{max(numbers)}}}'
    assert partnered.charges.session("cpo", CPO, "S1", "2.1.1") is None
    assert partnered.charges.session("other", CPO, "S1", "2.2.1") is None
    assert len(partnered.usage.unknown(10)) == 1


def test_a_cdr_never_changes(partnered: Store) -> None:
    first = told_of(None, told='{"id":"C1","last_updated":"a","total":1}')
    posts = [
        first,
        replace(first, told='{"id":"C1","last_updated":"b","total":1}'),
        replace(first, told='{"id":"C1","total":2,"more":1}', energy_kwh=Decimal(9)),
        replace(first, id="c1"),
    ]

    said = [partnered.charges.post_cdr("cpo", one) for one in posts]

    assert said == [Posted.NEW, Posted.SAME, Posted.DIFFERS, Posted.SAME]
    (kept,) = partnered.usage.refused(10)
    assert (kept.charge.energy_kwh, kept.refused, kept.refused_fields) == (Decimal("11.5"), 1, "more, total")
    assert partnered.charges.post_cdr("other", first) is Posted.NEW


def test_a_partner_tells_of_so_many_strange_tokens_and_no_more(partnered: Store) -> None:
    charges, card = Charges(partnered.database, most_unknown=2), issue(partnered, 1)
    for number in (1, 2):
        charges.post_cdr("cpo", told_of(None, id=f"C{number}"))

    with pytest.raises(Conflict, match="cpo tells of more than 2 charges"):
        charges.post_cdr("cpo", told_of(None, id="C3"))
    with pytest.raises(Conflict):
        charges.put_session("cpo", session_of(None, 1))
    assert charges.post_cdr("cpo", told_of(card, id="C3")) is Posted.NEW
    assert charges.post_cdr("other", told_of(None, id="C3")) is Posted.NEW


def test_nobody_is_no_partner(partnered: Store) -> None:
    with pytest.raises(WrongCall):
        partnered.charges.post_cdr("nobody", told_of(None))
    assert partnered.charges.parties_of("cpo") == (CPO,)


def test_a_charge_comes_back_as_it_was_told(partnered: Store) -> None:
    card = issue(partnered, 1, driver=Driver("Dora", "17", "Acme", "de"))
    cdr = told_of(card, cost=Cost(Decimal("4.6"), Decimal("5.57"), "EUR"), session_id="S1")
    partnered.charges.post_cdr("cpo", cdr)

    (kept,) = partnered.usage.of_card(card.id)
    assert kept.charge == replace(cdr, token=ToldToken(cdr.token.uid, "RFID", cdr.token.contract))
    assert (kept.number, kept.fleet, kept.reference) == (card.visual_number, "Acme", "17")


# Matched


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(1, 4),
    strange=st.lists(st.sampled_from(["04FF", "", "00112233", "04FFFFFFFFFFFF"]), max_size=3),
    party=st.sampled_from([OURS, None, Party("DE", "EXM"), Party("NL", "XXX")]),
    kind=st.sampled_from(["RFID", "OTHER", "APP_USER"]),
)
def test_a_token_is_ours_by_uid_type_and_party(
    partnered: Store, number: int, strange: list[str], party: Party | None, kind: str
) -> None:
    if not partnered.cards.listing():
        for one in (1, 2, 3):
            issue(partnered, one)
    with partnered.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM charge")
    by_uid = {card.uid.hex: card.id for card in partnered.cards.listing()}
    uid = f"04{number:012X}"
    token = ToldToken(uid.lower(), kind, "anything", party, (*strange, uid))

    partnered.charges.post_cdr("cpo", told_of(None, token=token))

    is_ours = number <= 3 and party in (OURS, None) and kind == "RFID"
    strangers = partnered.usage.unknown(10)
    assert len(strangers) == (0 if is_ours else 1)
    if is_ours:
        assert len(partnered.usage.of_card(by_uid[uid])) == 1


@pytest.mark.parametrize("written", ["{0}", "{0.compact}", "{0.compact}{0.check}"])
def test_2_1_1_names_the_contract(partnered: Store, written: str) -> None:
    card = issue(partnered, 1)
    token = ToldToken(None, "RFID", written.format(card.contract_id).lower())
    partnered.charges.post_cdr("cpo", told_of(None, token=token))
    partnered.charges.post_cdr("cpo", told_of(None, id="C2", token=replace(token, contract="NLEXMC99999999")))

    assert len(partnered.usage.of_card(card.id)) == 1
    assert len(partnered.usage.unknown(10)) == 1


def test_a_contract_alone_is_no_match_where_the_uid_is_told(partnered: Store) -> None:
    card = issue(partnered, 1)
    token = ToldToken("04FFFFFFFFFFFF", "RFID", f"{card.contract_id}", OURS, ("04FFFFFFFFFFFF",))
    partnered.charges.post_cdr("cpo", told_of(None, token=token))

    assert partnered.usage.of_card(card.id) == []


# Counted once


def test_a_session_counts_until_its_cdr_is_there(partnered: Store) -> None:
    card = issue(partnered, 1)
    partnered.charges.put_session("cpo", session_of(card, 1))
    partnered.charges.put_session("cpo", session_of(card, 1, id="S2", began=START + timedelta(days=1)))
    month = (START - timedelta(days=1), START + timedelta(days=9))
    assert [one.charge.id for one in partnered.usage.of_card(card.id)] == ["S1", "S2"]
    assert partnered.usage.unsettled(*month) == 2

    partnered.charges.post_cdr("cpo", told_of(card, session_id="s1", began=START + timedelta(seconds=9)))
    partnered.charges.post_cdr("cpo", told_of(card, id="C2", began=START + timedelta(days=1)))

    assert [one.charge.id for one in partnered.usage.of_card(card.id)] == ["C1", "C2"]
    assert partnered.usage.unsettled(*month) == 0
    assert [one.charge.id for one in partnered.usage.of_fleet(*month)] == ["C1", "C2"]


def test_a_card_was_used_last_where_somebody_was_let_in(partnered: Store) -> None:
    card = issue(partnered, 1)
    assert partnered.usage.last_of(card.id) is None
    partnered.charges.post_cdr("cpo", told_of(card))
    later = {"began": START + timedelta(days=1)}
    partnered.charges.put_session("cpo", session_of(card, 1, status="INVALID", **later))
    partnered.charges.post_cdr("cpo", told_of(card, id="C9", is_credit=True, **later))

    used = partnered.usage.last_of(card.id)
    assert used is not None
    assert used.charge.id == "C1"


# Judged


@pytest.mark.parametrize(
    ("known", "after_s", "basis", "is_within"),
    [
        ("nothing", 7200, "not known to it", None),
        ("proven", 7200, "proven", False),
        ("proven", 600, "proven", True),
        ("proven elsewhere", 7200, "not known to it", None),
        ("acknowledged", 7200, "acknowledged", False),
        ("acknowledged", 60, "not known to it", None),
    ],
)
def test_what_the_partner_knew_makes_an_alarm(
    partnered: Store, clock: Clock, known: str, after_s: float, basis: str, is_within: bool | None
) -> None:
    card = issue(partnered, 1)
    prove(partnered, card)
    clock.pass_by(60)
    block(partnered, card)
    clock.pass_by(1)
    if known.startswith("proven"):
        prove(partnered, card, "other" if "elsewhere" in known else "cpo")
    if known == "acknowledged":
        acknowledge(partnered)

    partnered.charges.post_cdr("cpo", told_of(card, clock.now + timedelta(seconds=after_s)))

    (kept,) = partnered.usage.after_stop(START)
    assert kept.after_stop is not None
    assert (kept.after_stop.basis, kept.after_stop.is_within_cache) == (basis, is_within)
    is_alarm = basis != "not known to it"
    assert kept.is_alarm is is_alarm
    assert partnered.usage.alarm_count("cpo") == len(partnered.usage.alarms("cpo")) == int(is_alarm)
    events = [one for one in partnered.audit.events() if one.action == "card.accepted_after_block"]
    assert len(events) == int(is_alarm)


def test_a_proof_of_the_state_before_is_none_of_the_block(partnered: Store, clock: Clock) -> None:
    """A read-back that was under way when the card was blocked shows what was before."""
    card = issue(partnered, 1)
    prove(partnered, card)
    token_id = partnered.feed.token_id_of(card.id) or 0
    before = partnered.feed.newest("cpo", token_id)
    assert before is not None
    clock.pass_by(60)
    block(partnered, card)
    partnered.feed.record_proof("cpo", token_id, before.revision, True, "")

    partnered.charges.post_cdr("cpo", told_of(card, clock.now + timedelta(hours=2)))

    assert partnered.usage.alarms() == []


@pytest.mark.parametrize("moment", ["before", "after it was found"])
def test_a_card_that_may_charge_is_no_alarm(partnered: Store, clock: Clock, moment: str) -> None:
    card = issue(partnered, 1)
    clock.pass_by(60)
    began = clock.now
    clock.pass_by(60)
    block(partnered, card)
    prove(partnered, card)
    if moment != "before":
        clock.pass_by(60)
        block(partnered, card, CardState.ACTIVE, Reason.FOUND)
        began = clock.now + timedelta(seconds=1)

    partnered.charges.post_cdr("cpo", told_of(card, began))

    assert partnered.usage.after_stop(START) == []


def test_a_block_that_is_over_is_judged_by_its_own_time(partnered: Store, clock: Clock) -> None:
    """A CDR comes late: meanwhile the card was found again."""
    card = issue(partnered, 1)
    clock.pass_by(60)
    block(partnered, card)
    prove(partnered, card)
    clock.pass_by(3600)
    began = clock.now
    clock.pass_by(3600)
    block(partnered, card, CardState.ACTIVE, Reason.FOUND)

    partnered.charges.post_cdr("cpo", told_of(card, began))

    assert [one.is_alarm for one in partnered.usage.after_stop(START)] == [True]


@pytest.mark.parametrize("changed", [{"status": "PENDING"}, {"status": "INVALID"}])
def test_who_was_not_let_in_is_no_alarm_until_they_are(
    partnered: Store, clock: Clock, changed: dict[str, object]
) -> None:
    card = issue(partnered, 1)
    clock.pass_by(60)
    block(partnered, card)
    prove(partnered, card)
    began = clock.now + timedelta(hours=1)
    partnered.charges.put_session("cpo", session_of(card, 1, began=began, **changed))
    assert partnered.usage.alarms() == []

    for number in (2, 3):
        partnered.charges.put_session("cpo", session_of(card, number, began=began))

    (alarm,) = partnered.usage.alarms()
    assert alarm.after_stop is not None
    events = [one for one in partnered.audit.events() if one.action == "card.accepted_after_block"]
    assert len(events) == 1


# Unusual


def test_cards_that_nobody_uses(partnered: Store, clock: Clock) -> None:
    never, used, dormant, stopped = (issue(partnered, number) for number in (1, 2, 3, 4))
    partnered.charges.post_cdr("cpo", told_of(dormant))
    clock.pass_by(86_400 * 100)
    partnered.charges.post_cdr("cpo", told_of(used, clock.now, id="C2"))
    block(partnered, stopped)
    issue(partnered, 5)

    found = {one.card.id: one.last_used for one in partnered.usage.idle(clock.now - timedelta(days=90))}

    assert found == {never.id: None, dormant.id: START}


def test_two_countries(partnered: Store) -> None:
    card, other = issue(partnered, 1), issue(partnered, 2)
    away = {"place": Place("Utrecht", "", "NLD"), "began": START + timedelta(hours=1, minutes=30)}
    partnered.charges.post_cdr("cpo", told_of(card))
    partnered.charges.post_cdr("other", told_of(other, id="C2", **away))
    assert partnered.usage.in_two_countries(START) == []
    partnered.charges.post_cdr("other", told_of(card, id="C3", **away))

    ((earlier, later),) = partnered.usage.in_two_countries(START)
    assert [(one.partner, one.charge.place.country) for one in (earlier, later)] == [
        ("cpo", "BEL"),
        ("other", "NLD"),
    ]
    assert partnered.usage.in_two_countries(START + timedelta(days=1)) == []
