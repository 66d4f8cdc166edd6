"""Who guesses gets nothing: ten thousand codes, ten thousand links, and whatever a fuzzer thinks of."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_world import Call, Served, StandingClock, attack, path_of, with_code
from sqlalchemy import event

from rfid_station.desk.driver.page import DriverDesk, Outcome
from rfid_station.desk.driver.seal import open_seal
from rfid_station.desk.people import slow_hash
from rfid_station.desk.station import Station
from rfid_station.desk.support import claiming
from rfid_station.domain.card import MOST_CLAIMS, CardState
from rfid_station.domain.driver_wish import DriverWish
from rfid_station.store.moving import CHANGE
from rfid_station.web import limits
from rfid_station.web.limits import Allowance, Delays

GUESSES = 10_000


def test_ten_thousand_codes_from_as_many_addresses_are_ten_tries(
    inactive: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has the link, a forest of machines, and a second between two guesses."""
    card, code = with_code(inactive)
    tried: list[str] = []
    real = claiming.is_code

    def is_code(typed: str, kept: str) -> bool:
        tried.append(typed)
        return real(typed, kept)

    monkeypatch.setattr(claiming, "is_code", is_code)
    form = open_seal(inactive.vault).form(card.alias)
    said: Counter[int] = Counter()

    async def guess(call: Call, clock: StandingClock) -> None:
        for number in range(GUESSES):
            fields = {"form": form, "wish": "activate", "code": f"{number:010}"}
            status, _ = await call("POST", path_of(card), fields, f"10.0.{number >> 8}.{number & 255}")
            said[status] += 1
            clock.pass_by(1)

    attack(inactive, guess)
    assert len(tried) == MOST_CLAIMS
    assert set(said) == {403, 429}
    assert said[429] > GUESSES - 40
    locked = inactive.store.cards.by_id(card.id)
    assert (locked.state, locked.claim and locked.claim.is_locked) == (CardState.ISSUED, True)
    assert code not in tried


def test_one_address_tries_few_codes_whatever_the_card(inactive: Station) -> None:
    cards = [with_code(inactive, line)[0] for line in range(3)]
    seal = open_seal(inactive.vault)
    said: Counter[int] = Counter()

    async def guess(call: Call, clock: StandingClock) -> None:
        for number in range(300):
            card = cards[number % 3]
            fields = {"form": seal.form(card.alias), "wish": "lost", "code": "WRONG"}
            said[(await call("POST", path_of(card), fields))[0]] += 1
            clock.pass_by(1)

    attack(inactive, guess)
    assert said[403] <= 10 + 300 // 60
    assert said[429] == 300 - said[403]


def test_ten_thousand_links_meet_the_limit_and_find_nothing(inactive: Station) -> None:
    card, _ = with_code(inactive)
    said: Counter[int] = Counter()
    found: set[bool] = set()

    async def guess(call: Call, clock: StandingClock) -> None:
        for number in range(GUESSES):
            status, body = await call("GET", f"/c/{number:012}")
            said[status] += 1
            found.add(b"We do not know" in body if status == 404 else b"Please wait" in body)
            clock.pass_by(1)
        assert (await call("GET", path_of(card)))[0] == 429
        assert (await call("GET", path_of(card), address="203.0.113.9"))[0] == 200

    attack(inactive, guess)
    assert said[404] <= 20 + GUESSES // 30 + 1
    assert said[429] == GUESSES - said[404]
    assert found == {True}


def test_a_card_that_is_there_is_looked_up_as_one_that_is_not(inactive: Station) -> None:
    card, _ = with_code(inactive)
    desk = DriverDesk(inactive)
    statements: list[str] = []
    engine = inactive.store.database._engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, sql, *_: statements.append(sql))
    try:
        seen = []
        for alias in (card.alias, "NOBODYSALIAS"):
            statements.clear()
            desk.view(alias)
            seen.append(list(statements))
    finally:
        desk.close()
    assert seen[0] == seen[1]
    assert sum(sql.startswith("SELECT") for sql in seen[0]) == 2


@pytest.mark.parametrize("what", ["wrong", "no code", "locked", "no card"])
def test_every_refused_code_takes_one_stretching(
    inactive: Station, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    card, _ = with_code(inactive)
    if what == "no code":
        with inactive.store.database.write() as connection:
            CHANGE.run(connection, {"card_id": card.id, "claim_hash": None})
    if what == "locked":
        for _ in range(MOST_CLAIMS):
            with pytest.raises(claiming.WrongCall):
                claiming.prove(inactive, card, "X")
    stretched: list[str] = []
    real = slow_hash._scrypt
    monkeypatch.setattr(slow_hash, "_scrypt", lambda *given: stretched.append("") or real(*given))
    desk = DriverDesk(inactive)
    try:
        alias = "NOBODYSALIAS" if what == "no card" else card.alias
        outcome = desk.act(alias, DriverWish.ACTIVATE, code="ABCDE-FGHJK")
    finally:
        desk.close()
    assert outcome is (Outcome.LOCKED if what == "locked" else Outcome.WRONG_CODE)
    assert len(stretched) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "BREW"]),
    st.text(max_size=20),
    st.one_of(st.text(max_size=40), st.sampled_from(["e=0&c=0", "news", "e=" + "0" * 32 + "&c=" + "0" * 16])),
    st.binary(max_size=60),
    st.sampled_from(["application/x-www-form-urlencoded", "text/plain", ""]),
    st.booleans(),
)
def test_nothing_that_is_sent_breaks_a_page(
    pages: Served, method: str, path: str, query: str, body: bytes, kind: str, is_card: bool
) -> None:
    card = pages.station.store.cards.listing()
    alias = (card[0] if card else with_code(pages.station)[0]).alias
    target = f"/c/{alias if is_card else quote(path)}?{quote(query, safe='=&')}"
    pages.clock.pass_by(120)
    answer = pages.phone.call(method, target, body, Content_Type=kind, Accept_Language=repr(body))
    assert answer.status < 500
    assert not any("trouble" in line for line in pages.log)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["form", "wish", "code", "permit", "x"]),
        st.one_of(
            st.text(max_size=30), st.sampled_from(["@form", "activate", "lost", "found", "1.1.1." + "A" * 43])
        ),
    )
)
def test_no_form_breaks_a_page_or_changes_a_card(pages: Served, fields: dict[str, str]) -> None:
    listed = pages.station.store.cards.listing()
    card = listed[0] if listed else with_code(pages.station)[0]
    sealed = open_seal(pages.station.vault).form(card.alias)
    given = {name: sealed if value == "@form" else value for name, value in fields.items()}
    pages.clock.pass_by(1000)
    answer = pages.phone.send(
        path_of(card), {n: v.encode("utf-8", "ignore").decode() for n, v in given.items()}
    )
    assert answer.status in (400, 403, 409, 413, 429)
    assert pages.card(card).state is CardState.ISSUED


def test_an_allowance_comes_back_bit_by_bit() -> None:
    now = [0.0]
    allowance = Allowance(lambda: now[0], most=3, each_s=10)
    assert [allowance.take("a") for _ in range(4)] == [0, 0, 0, 10]
    assert allowance.take("b") == 0
    now[0] = 4.5
    assert allowance.wait_s("a") == 6
    now[0] = 10
    assert [allowance.take("a") for _ in range(2)] == [0, 10]
    now[0] = 1e9
    assert [allowance.take("a") for _ in range(4)] == [0, 0, 0, 10]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    allowance, delays = Allowance(lambda: 0.0, most=1, each_s=10), Delays(lambda: 0.0)
    for number in range(50):
        allowance.take(f"{number}")
        delays.failed(f"{number}")
    assert len(allowance._used) == len(delays._failed) == 10
    assert allowance.take("49") == 10
    assert delays.wait_s("49") == 2
    delays.succeeded("49")
    assert delays.wait_s("49") == 0
