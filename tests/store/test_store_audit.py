"""The attacker here owns the file: triggers are dropped first, and then history is rewritten."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgresql_base import Base
from store_world import ANN, Clock, issue, reserve, sql, tell, url_of

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason, Role
from rfid_station.errors import Conflict, StoreError
from rfid_station.store.chain import START, canonical_json, canonical_texts, event_hash, sealing
from rfid_station.store.engines.sqlite import EVENT_TRIGGERS
from rfid_station.store.opening import Store, open_store

LAST = 8
"""Events after `filled`: the new store, four of the first card and one of the second, a block, a look."""


@pytest.fixture(scope="module")
def filled_store(blank_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(blank_store, tmp_path_factory.mktemp("filled") / "station.db"))
    fill(path)
    return path


def fill(place: Path | Base) -> None:
    with open_store(url_of(place), clock=Clock()) as store:
        first = issue(store, 1)
        reserve(store, 2)
        store.cards.move(first.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        store.audit.append(ANN, "sheet.previewed", "store", pages=1, note="ä")
        assert len(store.audit.events()) == LAST


@pytest.fixture
def path(filled_store: Path, tmp_path: Path) -> Path:
    """In this module every store is filled."""
    return Path(shutil.copy(filled_store, tmp_path / "station.db"))


@pytest.fixture
def base(blank_base: Base) -> Base:
    blank_base.reset()
    fill(blank_base)
    return blank_base


@pytest.fixture
def filled(store: Store) -> Store:
    return store


def break_in(path: Path | Base, *statements: str) -> None:
    for trigger in EVENT_TRIGGERS if isinstance(path, Path) else ():
        sql(path, f"DROP TRIGGER {trigger}")
    for statement in statements:
        sql(path, statement)


def test_a_whole_chain(filled: Store) -> None:
    report = filled.audit.verify()
    assert report.is_whole
    assert (report.events, report.head) == (LAST, filled.audit.events()[-1].hash)
    check = filled.audit.check()
    assert check.is_sound
    assert check.chain == report


def test_the_hash_is_the_documented_one(filled: Store, place: Path | Base) -> None:
    """Computed from the description alone."""
    previous = "0" * 64
    for row in sql(
        place,
        "SELECT seq, at, actor, role, action, subject, data, previous_hash, hash FROM event ORDER BY seq",
    ):
        *fields, kept = row
        text = json.dumps(fields, separators=(",", ":"))
        assert fields[-1] == previous
        assert hashlib.sha256(text.encode("ascii")).hexdigest() == kept
        previous = str(kept)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'bob'",
        "DELETE FROM event",
        "DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)",
    ],
)
def test_the_store_itself_refuses_to_change_history(filled: Store, statement: str) -> None:
    before = filled.audit.events()
    with pytest.raises(Conflict, match="an event is never"), filled._database.write() as connection:
        connection.exec_driver_sql(statement)
    assert filled.audit.events() == before


EDITS = [
    ("UPDATE event SET actor = 'bob' WHERE seq = 3", 3, "event 3 is not what was written"),
    ("UPDATE event SET role = 'supervisor' WHERE seq = 3", 3, "event 3 is not what was written"),
    (
        "UPDATE event SET at = '2026-11-22T08:00:00.250001Z' WHERE seq = 1",
        1,
        "event 1 is not what was written",
    ),
    (
        "UPDATE event SET data = replace(data, 'lost', 'found') WHERE seq = 7",
        7,
        "event 7 is not what was written",
    ),
    ("UPDATE event SET action = 'card.blocked' WHERE seq = 4", 4, "event 4 is not what was written"),
    ("UPDATE event SET subject = 'card:2' WHERE seq = 4", 4, "event 4 is not what was written"),
    ("UPDATE event SET hash = previous_hash WHERE seq = 2", 2, "event 2 is not what was written"),
    ("DELETE FROM event WHERE seq = 5", 5, "event 5 is missing: event 6 follows event 4"),
    ("DELETE FROM event WHERE seq = 1", 1, "event 1 is missing: event 2 follows event 0"),
    ("DELETE FROM event WHERE seq > 6", 7, "the store remembers 8 events, and the log ends after 6"),
    ("DELETE FROM event", 1, "the store remembers 8 events, and the log ends after 0"),
    ("DELETE FROM meta", 9, "the row that remembers the end is gone"),
    ("UPDATE meta SET event_hash = substr(event_hash, 2) || 'f'", 9, "the store remembers another event 8"),
    ("UPDATE event SET seq = -seq WHERE seq = 4", 1, "event 1 is missing: event -4 follows event 0"),
]


@pytest.mark.parametrize(("statement", "broken_at", "why"), EDITS)
def test_tampering_is_found_where_it_was_done(
    filled: Store, place: Path | Base, statement: str, broken_at: int, why: str
) -> None:
    break_in(place, statement)
    report = filled.audit.verify()
    assert (report.broken_at, report.why) == (broken_at, why)
    assert not report.is_whole
    assert not filled.audit.check().is_sound


def test_an_event_that_is_not_text(filled: Store, path: Path) -> None:
    """No server takes it into such a column."""
    break_in(path, "UPDATE event SET data = x'00ff' WHERE seq = 4")
    report = filled.audit.verify()
    assert (report.broken_at, report.why) == (4, "event 4 is not text")


def test_two_events_in_each_others_place(filled: Store, place: Path | Base) -> None:
    break_in(
        place,
        "UPDATE event SET seq = 0 WHERE seq = 3",
        "UPDATE event SET seq = 3 WHERE seq = 4",
        "UPDATE event SET seq = 4 WHERE seq = 0",
    )
    report = filled.audit.verify()
    assert (report.broken_at, report.why) == (3, "event 3 does not follow the one before it")


def test_swapped_contents(filled: Store, place: Path | Base) -> None:
    columns = "at, actor, role, action, subject, data"
    swap = f"UPDATE event SET ({columns}) = (SELECT {columns} FROM event AS o WHERE o.seq = 7 - event.seq)"
    break_in(
        place,
        "CREATE TABLE o AS SELECT * FROM event",
        f"{swap.replace('event AS o', 'o')} WHERE seq IN (3, 4)",
    )
    assert filled.audit.verify().broken_at == 3


def test_a_forged_event_behind_the_end(filled: Store, place: Path | Base) -> None:
    """The triggers allow inserting; without the end in `meta` a forged event stands out."""
    last = filled.audit.events()[-1]
    row = [LAST + 1, "2026-11-22T09:00:00.000000Z", "ann", "clerk", "card.active", "card:1", "{}", last.hash]
    forged = hashlib.sha256(json.dumps(row, separators=(",", ":")).encode()).hexdigest()
    sql(place, "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *row, forged)
    assert filled.audit.verify().why == "the store remembers 8 events, and the log ends after 9"


def test_missing_triggers_are_found(filled: Store, path: Path) -> None:
    break_in(path)
    assert filled.audit.verify().is_whole
    assert filled.audit.check().findings == tuple(
        f"the audit log is not protected: trigger {name} is missing" for name in sorted(EVENT_TRIGGERS)
    )


@pytest.mark.parametrize("edit", ["role = 'king'", "at = 'noon'", "data = '{'", "data = 5", "data = x'00ff'"])
def test_reading_a_damaged_event_is_one_line(filled: Store, place: Path | Base, edit: str) -> None:
    break_in(place, f"UPDATE event SET {edit} WHERE seq = 3")
    with pytest.raises(StoreError, match="event 3 of the audit log is damaged") as refused:
        filled.audit.events()
    assert refused.value.hint == "rfid-station store check"


def test_events_after_and_limit(filled: Store) -> None:
    everything = filled.audit.events()
    assert [event.seq for event in everything] == list(range(1, LAST + 1))
    assert filled.audit.events(after=3, limit=2) == everything[3:5]
    assert filled.audit.newest(3) == everything[-3:]
    assert filled.audit.events(after=LAST) == []


def test_an_appended_event_reads_back(filled: Store, clock: Clock) -> None:
    bob = Actor("bob «ß»", Role.SUPPORT)
    filled.audit.append(bob, "card.looked_up", "card:1", why="asked for", pages=[1, 2])
    (event,) = filled.audit.newest(1)
    assert (event.actor, event.action, event.subject, event.at) == (
        bob,
        "card.looked_up",
        "card:1",
        clock.now,
    )
    assert event.data == {"why": "asked for", "pages": [1, 2]}


# What else `store check` finds

DAMAGE = [
    ("DELETE FROM token", "card EXM-0000-0001-{} is blocked and has no token"),
    (
        "UPDATE card SET state = 'active' WHERE id = 1",
        "the token of card EXM-0000-0001-{} says the wrong thing: the card is active",
    ),
    (
        "UPDATE token SET valid = 1",
        "the token of card EXM-0000-0001-{} says the wrong thing: the card is blocked",
    ),
    (
        "UPDATE card SET state = 'reserved' WHERE id = 1",
        "card EXM-0000-0001-{} is reserved and has a token already",
    ),
    ("UPDATE token SET uid = '04AABBCCDDEEFF'", "card EXM-0000-0001-{} and its token differ in uid"),
    (
        "UPDATE token SET contract_id = 'NLEXMC00000099'",
        "card EXM-0000-0001-{} and its token differ in contract_id",
    ),
    ("UPDATE token SET visual_number = 'X'", "card EXM-0000-0001-{} and its token differ in visual_number"),
    ("UPDATE token SET revision = 9", "a token has revision 9, and only 2 were given out"),
    ("UPDATE meta SET token_count = 2", "there are 1 tokens, and 2 were created"),
    ("UPDATE meta SET contract_count = 1", "there are 2 cards, and only 1 contract numbers were given out"),
    ("UPDATE partner SET bulk_cursor = 3", "partner cpo is at revision 3, which does not exist yet"),
    ("UPDATE partner SET urgent_cursor = 3", "partner cpo is at revision 3, which does not exist yet"),
    (
        "UPDATE card SET driver_id = 77 WHERE id = 1",
        "row 1 of table card points to a driver that does not exist",
    ),
    (
        "UPDATE token SET card_group = 'elsewhere'",
        "card EXM-0000-0001-{} and its token differ in card_group",
    ),
    (
        "INSERT INTO withdrawn VALUES (1, 1, 1, 'NLEXMC1', 'X', 'NEVER', '2026-11-22T08:00:00.000000Z')",
        "partner cpo gets card EXM-0000-0001-{}, which is noted as taken from it",
    ),
    (
        "DELETE FROM cover",
        "partner cpo has no cover: what it gets is not known",
    ),
    (
        "INSERT INTO parked VALUES (1, 1, 3, 1, '2026-11-22T08:00:00.000000Z', 0, '')",
        "a token is parked for partner cpo at revision 3, which does not exist yet",
    ),
]


@pytest.fixture
def damaged_path(path: Path) -> Path:
    with open_store(url_of(path)) as store:
        store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    return path


@pytest.mark.parametrize(("statement", "finding"), DAMAGE)
def test_check_finds_what_cannot_be(damaged_path: Path, statement: str, finding: str) -> None:
    sql(damaged_path, statement)
    with open_store(url_of(damaged_path)) as store:
        check = store.audit.check()
        number = store.cards.by_id(1).visual_number
    assert finding.format(number[-1]) in check.findings
    assert not check.is_sound


REPEATS = [
    ("alias", "'a'", "alias a is in table card more than once"),
    ("visual_bare", "'X'", "visual_bare X is in table card more than once"),
    ("contract_id", "'NLEXMC00000099'", "contract_id NLEXMC00000099 is in table card more than once"),
    ("uid", "'04AABBCCDDEEFF'", "two cards that are not spoiled have the same uid"),
    ("order_line", "'x'", "two cards that are not spoiled have the same order_line"),
]


@pytest.mark.parametrize(("column", "value", "finding"), REPEATS)
def test_check_finds_numbers_used_twice(damaged_path: Path, column: str, value: str, finding: str) -> None:
    """Somebody took the unique index away first."""
    drop_uniqueness(damaged_path)
    sql(damaged_path, f"UPDATE card SET {column} = {value}")
    with open_store(url_of(damaged_path)) as store:
        assert finding in store.audit.check().findings


def drop_uniqueness(path: Path) -> None:
    for index in ("uq_card_living_uid", "uq_card_living_order_line"):
        sql(path, f"DROP INDEX {index}")
    sql(path, "PRAGMA writable_schema = ON")
    columns = [str(row[1]) for row in sql(path, "PRAGMA table_info(card)")]
    sql(path, "ALTER TABLE card RENAME TO old_card")
    sql(path, f"CREATE TABLE card (id INTEGER PRIMARY KEY, {', '.join(columns[1:])})")
    sql(path, "INSERT INTO card SELECT * FROM old_card")


def test_check_finds_a_damaged_page(path: Path) -> None:
    with open_store(url_of(path)) as store:
        for number in range(10, 60):
            issue(store, number)
    (root,) = sql(path, "SELECT rootpage FROM sqlite_master WHERE name = 'ix_event_subject_seq'")[0]
    with path.open("rb+") as file:
        file.seek((int(str(root)) - 1) * 4096 + 2048)
        file.write(b"\xee" * 512)
    with open_store(url_of(path)) as store:
        findings = store.audit.check().findings
    assert any(finding.startswith("the file is damaged: ") for finding in findings)


@given(
    told=st.lists(
        st.tuples(st.text(max_size=9), st.lists(st.none() | st.text(max_size=9), min_size=3, max_size=3))
    )
)
@settings(max_examples=40)
def test_events_noted_together_have_the_bytes_of_those_noted_one_by_one(
    told: list[tuple[str, list[str | None]]],
) -> None:
    same = {"at": "2026-11-22T06:44:00.000000Z", "actor": 'Zoë "Z"', "role": "clerk", "action": "card.issued"}
    seal, data_of = sealing(**same), canonical_texts(("a", "b", "c"))
    before = START
    for seq, (subject, values) in enumerate(told, 1):
        data = canonical_json(dict(zip("abc", values, strict=True)))
        assert data_of(values) == data
        after = event_hash(seq=seq, subject=subject, data=data, previous_hash=before, **same)
        assert seal(seq, subject, data, before) == after
        before = after


def test_names_must_stand_as_hashes_want_them() -> None:
    with pytest.raises(ValueError, match="order of the alphabet"):
        canonical_texts(("b", "a"))
