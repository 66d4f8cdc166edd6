from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_world import ANN, SUE, Clock, contract, do_not_wait, issue, reserve, tell, url_of

from rfid_station.domain.card import Card, CardState, Driver, Reason
from rfid_station.domain.uid import CardUid
from rfid_station.store import search
from rfid_station.store.opening import Store, open_store
from rfid_station.store.search import Exactness

DRIVERS = [
    Driver("Jan de Vries", "P-17", "North"),
    Driver("Zoë Ångström", "P-18", "North"),
    Driver("Straße 100%", "A_B", "South"),
    Driver("Ayşe Öztürk", "", ""),
]
UIDS = [
    bytes.fromhex(text)
    for text in ("04E10CDA993C80", "0412345678", "DEADBEEF", "01020304050607", "040A0B0C0D0E0F101112")
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, blank_store: Path) -> Store:
    path = tmp_path_factory.mktemp("shelf") / "station.db"
    path.write_bytes(blank_store.read_bytes())
    store = open_store(url_of(path), clock=Clock())
    do_not_wait(store)
    for number, raw in enumerate(raw for raw in UIDS if len(raw) in (4, 7, 10)):
        reserve(store, number + 1, of=CardUid(raw), driver=DRIVERS[number % len(DRIVERS)])
    for number in range(5, 40):
        issue(store, number * 211)
    yield store
    store.close()


def only(store: Store, text: str) -> Card:
    (card,) = store.cards.search(text)
    return card


SEPARATORS = ["", " ", "-", ":", "."]
UID_WRITINGS: list[Callable[[CardUid], str]] = [
    lambda uid: uid.hex,
    lambda uid: uid.hex.lower(),
    lambda uid: ":".join(uid.hex[n : n + 2] for n in range(0, len(uid.hex), 2)),
    lambda uid: " ".join(uid.hex[n : n + 2].lower() for n in range(0, len(uid.hex), 2)),
    lambda uid: uid.raw[::-1].hex().upper(),
    lambda uid: str(int.from_bytes(uid.raw)),
    lambda uid: str(int.from_bytes(uid.raw, "little")),
    lambda uid: "000000" + uid.hex,
    lambda uid: f"  {uid.hex}  ",
]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_writing_of_any_number_finds_the_card_first(shelf: Store, data: st.DataObject) -> None:
    card = data.draw(st.sampled_from(shelf.cards.listing()))
    apart = data.draw(st.sampled_from(SEPARATORS))
    change_case = data.draw(st.sampled_from([str.upper, str.lower, str]))
    parts = str(card.contract_id).split("-")
    writings = [
        change_case(card.visual_number.replace("-", apart)),
        change_case(apart.join(parts)),
        change_case(apart.join(parts[:-1])),
        change_case("*".join(parts)),
        card.alias,
        f"https://cards.example.com/c/{card.alias}",
        f"https://cards.example.com/c/{card.alias}/?tap=1#x",
        data.draw(st.sampled_from(UID_WRITINGS))(card.uid),
    ]
    assert shelf.cards.search(data.draw(st.sampled_from(writings)))[0] == card


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=300) | st.from_regex(r"[0-9A-F:. \-*%_/#@?]{0,80}", fullmatch=True))
def test_any_text_at_all_is_answered(shelf: Store, text: str) -> None:
    first = shelf.cards.search(text)
    assert shelf.cards.search(text) == first
    assert len({card.id for card in first}) == len(first)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "--",
        "nobody",
        "EXM-9999-9999-9",
        "NL-EXM-C99999999",
        "%_",
        "\\",
        "\udcff",
        "http://[",
        "1" * 5000,
    ],
)
def test_what_finds_nothing(shelf: Store, text: str) -> None:
    found = shelf.cards.search(text)
    assert found == []


def test_uid_as_readers_log_it(shelf: Store) -> None:
    card = only(shelf, "04E10CDA993C80")
    assert only(shelf, "8804E10CDA993C80") == card
    assert only(shelf, "04E10C DA993C80".replace(" ", "")) == card
    assert only(shelf, "DEADBEEF22").uid.hex == "DEADBEEF"


def test_driver_by_part_of_name_and_reference_in_any_case(shelf: Store) -> None:
    for text in ("vries", "JAN DE", "p-17"):
        assert only(shelf, text).driver == DRIVERS[0]
    for text in ("ÅNGSTRÖM", "zoë", "A\u030angstro\u0308m"):
        assert only(shelf, text).driver == DRIVERS[1]
    for text in ("STRASSE", "100%", "a_b", "%", "_"):
        assert only(shelf, text).driver == DRIVERS[2]
    assert only(shelf, "öztürk").driver == DRIVERS[3]


def test_numbers_come_before_names(store: Store) -> None:
    named = reserve(store, 1, driver=Driver("EXM-0000-0002-4"))
    numbered = reserve(store, 2)
    assert numbered.visual_number == "EXM-0000-0002-" + numbered.visual_number[-1]
    looked_for = Driver(numbered.visual_number)
    other = reserve(store, 3, driver=looked_for)
    assert store.cards.search(numbered.visual_number)[0] == numbered
    assert store.cards.search(numbered.visual_number)[-1] in (named, other)


def test_literal_uid_comes_before_the_reversed_one(store: Store) -> None:
    one, other = CardUid(bytes.fromhex("01020304")), CardUid(bytes.fromhex("04030201"))
    first, second = reserve(store, 1, of=one), reserve(store, 2, of=other)
    assert store.cards.search("01020304") == [first, second]
    assert store.cards.search("04030201") == [second, first]


def test_living_card_comes_before_the_spoiled_ones_with_its_uid(store: Store) -> None:
    spoiled = []
    for number in (1, 2):
        card = reserve(store, number, of=CardUid(UIDS[0]))
        spoiled.append(store.cards.move(card.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell))
    living = reserve(store, 3, of=CardUid(UIDS[0]))
    assert store.cards.search(UIDS[0].hex()) == [living, spoiled[1], spoiled[0]]


def test_a_din_id_finds_its_emi3_form(store: Store) -> None:
    from store_world import drawn, uid

    from rfid_station.domain.contract_id import parse_contract_id

    din = parse_contract_id("NL-EXM-012345")
    card = store.cards.reserve(
        uid=uid(1),
        chip="NTAG213",
        profile="link",
        order_line=None,
        driver=None,
        draw_visual=drawn("EXM-1"),
        contract_of=lambda _: din.to_emi3(),
        draw_alias=drawn("a"),
        actor=ANN,
    )
    assert store.cards.search(str(din)) == store.cards.search("nl*exm*012345") == [card]
    assert store.cards.search(str(contract(1))) == []


def plans(store: Store, *calls: Callable[[], object]) -> list[str]:
    """How the database goes about the lookups of some calls, a line a step."""
    from sqlalchemy import event

    statements: list[str] = []

    def keep(*args: object) -> None:
        statements.append(str(args[2]))

    event.listen(store._database._engine, "before_cursor_execute", keep)
    for call in calls:
        call()
    event.remove(store._database._engine, "before_cursor_execute", keep)
    lookups = [text for text in statements if text.startswith(("SELECT", "WITH"))]
    assert lookups
    with store._database.read() as connection:
        return [
            line[3]
            for text in lookups
            for line in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {text}", ("1",) * text.count("?")
            ).all()
        ]


@pytest.mark.of_sqlite
def test_whole_numbers_are_looked_up_by_index(store: Store) -> None:
    card = issue(store, 1, driver=DRIVERS[0])
    texts = [
        card.visual_number,
        f"{card.contract_id}",
        card.uid.hex,
        card.alias,
        "fleet.csv:1",
        "P-17",
        "job 1",
    ]
    calls = [lambda text=text: store.cards.find(text) for text in [*texts, DRIVERS[0].name]]
    ends = [lambda text=text: store.cards.find(text) for text in (card.visual_number[4:], card.uid.masked)]
    steps = plans(
        store,
        *calls[:-2],
        *ends,
        lambda: store.cards.living(card.uid),
        lambda: store.cards.by_order_line("x"),
    )
    assert not [step for step in steps if re.match("SCAN (card|driver|print)", step)], steps


@pytest.mark.of_sqlite
def test_beginnings_are_looked_up_by_index(store: Store) -> None:
    from sqlalchemy.dialects import sqlite

    from rfid_station.store import search

    text = str(search._BEGINNINGS.compile(dialect=sqlite.dialect()))
    with store._database.read() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("1",) * text.count("?")).all()
    assert not [step[3] for step in steps if re.match("SCAN (card|driver)", step[3])], steps
    assert len([step for step in steps if "USING" in step[3] and "INDEX" in step[3]]) >= 7


def found(store: Store, text: str) -> list[tuple[str, str, str]]:
    return [(hit.card.visual_number, hit.exactness.name, hit.clue.name) for hit in store.cards.find(text)]


def test_a_part_of_a_number_finds_its_cards_beginnings_first(store: Store) -> None:
    first, second = issue(store, 1234), issue(store, 12340)
    third = issue(store, 99001234)
    assert [first.visual_number[:13], second.visual_number[:13], third.visual_number[:13]] == [
        "EXM-0000-1234",
        "EXM-0001-2340",
        "EXM-9900-1234",
    ]
    assert found(store, "exm 0000") == [(first.visual_number, "BEGINNING", "NUMBER")]
    assert found(store, "EXM-99001") == [(third.visual_number, "BEGINNING", "NUMBER")]
    assert {number for number, *_ in found(store, "1234")} == {
        card.visual_number for card in (first, second, third)
    }
    assert {kind for _, *kind in found(store, "0-1234") for kind in kind} >= {"PART", "NUMBER"}


def test_a_masked_uid_as_a_list_shows_it_finds_its_card(store: Store) -> None:
    card = issue(store, 77)
    issue(store, 78)
    for text in (card.uid.masked, card.uid.masked.replace("…", "...").lower()):
        assert found(store, text) == [(card.visual_number, "PART", "UID")]


def test_what_a_card_was_made_for_finds_it(store: Store) -> None:
    made = [issue(store, number, driver=Driver(f"Name {number}", f"AB-{number}")) for number in (1, 2, 30)]
    assert found(store, "fleet.csv:2") == [(made[1].visual_number, "WHOLE", "ORDER")]
    assert {clue for *_, clue in found(store, "fleet.csv")} == {"ORDER"}
    assert len(found(store, "fleet.csv")) == 3
    assert found(store, "ab-30") == [(made[2].visual_number, "WHOLE", "REFERENCE")]
    assert [exact for _, exact, _ in found(store, "AB-")] == ["BEGINNING"] * 3
    assert found(store, "NAME 2") == [(made[1].visual_number, "WHOLE", "NAME")]


def test_cards_of_a_print_job(store: Store) -> None:
    from rfid_station.store.prints import FRONT

    made = [issue(store, number) for number in (1, 2, 3)]
    with store._database.write() as connection:
        from rfid_station.store.tables import print_item, print_job

        job = {
            "at": Clock()(),
            "actor": "a",
            "design": "d",
            "sheet": "s",
            "file_sha256": "0",
            "kind": "sheet",
        }
        connection.execute(print_job.insert(), {**job, "id": 7})
        places = [
            {"job_id": 7, "sheet_number": 1, "position": place, "side": side, "card_id": card.id}
            for place, card in enumerate(made[:2])
            for side in (FRONT, "back")
        ]
        connection.execute(print_item.insert(), places)
    for text in ("job 7", "Job #7", "print job:7"):
        assert sorted(found(store, text)) == sorted(
            (card.visual_number, "WHOLE", "PRINT_JOB") for card in made[:2]
        )
    assert found(store, "job 8") == []


def test_a_card_whose_life_is_over_comes_behind(store: Store) -> None:
    first, second = issue(store, 1, driver=DRIVERS[0]), issue(store, 2, driver=DRIVERS[0])
    over = store.cards.move(second.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    assert [card.id for card in store.cards.search(DRIVERS[0].name)] == [first.id, over.id]


def test_a_limit_is_kept_and_the_best_are_within_it(store: Store) -> None:
    made = [issue(store, number) for number in range(1, 9)]
    assert len(store.cards.find("EXM", limit=3)) == 3
    assert store.cards.find(made[5].visual_number, limit=1)[0].card == made[5]


def test_who_saw_whole_numbers_is_in_the_audit_log(store: Store) -> None:
    card = issue(store, 1)
    store.cards.note_revealed([card], ANN)
    last = store.cards.history(card.id)[-1]
    assert (last.action, last.actor) == ("card.revealed", ANN)
    assert store.audit.check().is_sound


# Endings and parts


def test_the_end_of_any_number_finds_the_card_however_old(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 1)
    old = reserve(store, 1234, of=CardUid(bytes.fromhex("04E10CDA993C80")))
    reserve(store, 5678)
    end = old.visual_number[-6:]
    for text in (end, end.replace("-", ""), "c00000001", "3C80", "da:99:3c:80", "04…3C80", "04..3c80"):
        hits = store.cards.find(text)
        assert [(hit.card, hit.exactness) for hit in hits] == [(old, Exactness.PART)], text
        assert not any(hit.may_be_meant for hit in hits)
    for text in ("05…3C80", "04…3C81", f"{end}0", end[:-1], "80"):
        assert store.cards.find(text) == [], text


def test_a_part_in_the_middle_is_looked_for_in_the_newest_cards_unless_all_are_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 2)
    cards = [
        reserve(store, number, driver=Driver(f"Jan de Vries {number}", f"P-{number}"))
        for number in (11234, 21234, 31234)
    ]
    for text in ("1234", "vries"):
        found = store.cards.find(text)
        assert [hit.card for hit in found] == cards[:0:-1], text
        assert found.left_out == 1
        everything = store.cards.find(text, everywhere=True)
        assert [hit.card for hit in everything] == cards[::-1], text
        assert everything.left_out == 0


def test_what_an_index_finds_says_of_no_card_that_it_was_left_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 0)
    card = issue(store, 1, driver=Driver("Jan", "P-17"))
    for text in (
        card.visual_number,
        card.uid.masked,
        "P-17",
        card.visual_number[:-2],
        card.visual_number[3:],
    ):
        found = store.cards.find(text)
        assert [hit.card for hit in found] == [card]
        assert found.left_out == 0
