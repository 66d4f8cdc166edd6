"""What holds for a store on PostgreSQL alone; everything else runs on both engines."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from postgresql_base import Base
from postgresql_cluster import PASSWORD, PATIENCE_S, Cluster, private_cluster
from sqlalchemy import event, select, update
from store_world import ANN, SUE, Clock, contents, contract, issue, reserve, tell, uid
from test_store_opening import ONE_MORE, next_version  # noqa: F401 - a fixture

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.domain.feed import Lane, Parked
from rfid_station.errors import Conflict, DiskFull, StationError, StoreError, StoreUnreachable, WrongCall
from rfid_station.store import expiring, migrations, search
from rfid_station.store.engines import postgresql
from rfid_station.store.engines.address import without_password
from rfid_station.store.engines.snapshot import Remembered
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.tables import partner

WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[Base]:
    """A database with nothing in it, in which tables may be altered."""
    base = Base(cluster, cluster.make())
    yield base
    base.drop()


@pytest.fixture
def store(base: Base, clock: Clock) -> Iterator[Store]:
    with open_store(base.url, clock=clock) as opened:
        yield opened


# The place


def test_making_a_store_twice_is_a_conflict(base: Base) -> None:
    before = contents(base)
    with pytest.raises(Conflict, match=r"there is a store at postgresql.*test_.* already"):
        create_store(base.url, actor=ANN)
    assert contents(base) == before


def test_a_database_of_another_program_is_left_alone(empty: Base) -> None:
    empty.sql("CREATE TABLE bookmark (url text)")
    with pytest.raises(Conflict, match="is a database of another program"):
        create_store(empty.url, actor=ANN)
    with pytest.raises(StoreError, match="is not a store of this program"):
        open_store(empty.url)
    assert empty.tables() == ["bookmark"]


def test_a_database_that_is_not_there_is_said(cluster: Cluster) -> None:
    for call in (lambda url: open_store(url), lambda url: create_store(url, actor=ANN)):
        with pytest.raises(StoreError, match="there is no database for") as refused:
            call(cluster.url("nowhere"))
        assert refused.value.hint == "createdb, on the server"


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as refused:
        open_store(f"postgresql+psycopg://desk@/station?host={tmp_path}")
    assert refused.value.hint


def test_a_database_in_another_encoding_is_refused(cluster: Cluster) -> None:
    base = Base(cluster, cluster.make(more="ENCODING 'LATIN1' LOCALE_PROVIDER libc"))
    with pytest.raises(StoreError, match="keeps text as LATIN1, and has to as UTF8"):
        create_store(base.url, actor=ANN)
    base.drop()


def test_an_init_torn_late_leaves_nothing(empty: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    create = migrations.create

    def create_and_tear(connection: object) -> None:
        create(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as torn:
        torn.setattr(migrations, "create", create_and_tear)
        with pytest.raises(KeyboardInterrupt):
            create_store(empty.url, actor=ANN)
    assert empty.tables() == []
    create_store(empty.url, actor=ANN).close()


def test_without_the_driver_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rfid_station.store.engines.postgresql_database", None)
    with pytest.raises(WrongCall, match="is not installed") as refused:
        open_store("postgresql+psycopg://desk@/station")
    assert refused.value.hint == "pip install 'rfid-station[postgresql]'"


# Its password


SHOWN_NEVER = "hush-hush"


def shown_of(call: Callable[[], object]) -> str:
    """Everything that an error may show, and all that it was raised from."""
    with pytest.raises(StationError) as refused:
        call()
    return "".join([*traceback.format_exception(refused.value), str(refused.value.hint)])


def test_the_password_lets_in_and_is_never_shown(base: Base, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    url = base.cluster.url(base.name, "locked")
    with open_store(url, password=PASSWORD) as store:
        reserve(store, 1)
        assert PASSWORD not in f"{store.place} {store.database.place!r} {store.database._engine!r}"
    assert "does not let us in" in shown_of(lambda: open_store(url))
    wrong = shown_of(lambda: open_store(url, password=f"{PASSWORD}x"))
    assert "does not let us in" in wrong
    assert PASSWORD not in wrong
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://desk:hush-hush@db.example/station",
        "postgresql+psycopg://desk:hush-hush@db.example:5432/station?sslmode=require",
        "postgresql+psycopg://desk:a@hush-hush@db.example/station",
        "postgresql+psycopg://db.example/station?user=desk&password=hush-hush",
        "postgresql+psycopg://desk@db.example/station?sslpassword=hush-hush",
        "postgresql://desk:hush-hush@db.example/station",
        "postgresql+psycopg2://desk:hush-hush@db.example/station",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_shown(url: str) -> None:
    assert SHOWN_NEVER not in shown_of(lambda: open_store(url))
    assert SHOWN_NEVER not in shown_of(lambda: create_store(url, actor=ANN))
    assert SHOWN_NEVER not in without_password(url)


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://", "postgresql+psycopg://desk@db.example/", "postgresql+psycopg://[x/y"]
)
def test_an_address_that_names_no_database_is_a_wrong_call(url: str) -> None:
    with pytest.raises(WrongCall):
        open_store(url)


# Transactions


def test_every_connection_is_durable_and_waits_as_long_as_a_desk(store: Store) -> None:
    for transaction in (store.database.read, store.database.write):
        with transaction() as connection:
            ask = connection.exec_driver_sql
            assert ask("SHOW synchronous_commit").scalar_one() == "on"
            assert ask("SHOW lock_timeout").scalar_one() == "10s"


def test_only_a_note_does_not_wait_for_the_disk(store: Store) -> None:
    waits = []
    for transaction in (store.database.note, store.database.write, store.database.note, store.database.read):
        with transaction() as connection:
            waits.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())
    assert waits == ["off", "on", "off", "on"]


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="may not be changed"), store.database.read() as connection:
        connection.exec_driver_sql("DELETE FROM token")


def test_a_reader_sees_one_moment(store: Store) -> None:
    with store.database.read() as connection:
        count = "SELECT count(*) FROM card"
        assert connection.exec_driver_sql(count).scalar_one() == 0
        reserve(store, 1)
        assert connection.exec_driver_sql(count).scalar_one() == 0
    assert len(store.cards.listing()) == 1


def test_a_store_that_another_program_keeps_locked(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "BUSY_TIMEOUT_S", 0.05)
    with open_store(base.url) as store, base.cluster.connect(base.name, autocommit=False) as other:
        other.execute("SELECT * FROM meta FOR UPDATE")
        with pytest.raises(StoreError, match="is locked") as refused:
            reserve(store, 1)
        assert "try again" in str(refused.value.hint)
        assert store.cards.listing() == []
        other.rollback()
        assert reserve(store, 1).state is CardState.RESERVED


def test_a_change_taken_back_leaves_no_gap(store: Store) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    event.listen(store.database._engine, "commit", interrupt)
    for number in range(3, 6):
        with pytest.raises(KeyboardInterrupt):
            reserve(store, number, driver=Driver("Jan"))
    event.remove(store.database._engine, "commit", interrupt)
    assert [reserve(store, number, driver=Driver("Jan")).id for number in (1, 2)] == [1, 2]


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("53100", DiskFull, "no room left"),
        ("23505", Conflict, "refuses this"),
        ("40P01", StoreError, "is locked"),
        ("57P01", StoreUnreachable, "cannot be reached"),
        ("08006", StoreUnreachable, "cannot be reached"),
        ("53300", StoreUnreachable, "cannot be reached"),
        ("XX001", StoreError, "is damaged"),
        ("42501", StoreError, "may not be changed"),
        ("42P01", StoreError, "cannot be used"),
    ],
)
def test_what_the_server_says_in_the_words_of_the_desk(
    code: str, kind: type[StationError], words: str
) -> None:
    error = psycopg.errors.lookup(code)("broken\nDETAIL: Key (uid)=(04E1) already exists.")
    told = postgresql.explain(error, "postgresql+psycopg://desk@db/station")
    assert type(told) is kind
    assert words in told.message
    assert "04E1" not in told.message
    assert told.hint


# Text


def test_text_compares_by_its_bytes_in_a_database_of_any_language(base: Base, store: Store) -> None:
    """The database sorts as English does: a before B."""
    assert base.sql("SELECT 'a' < 'B', 'a' COLLATE \"C\" < 'B'") == [(True, False)]
    for number, name in enumerate(["b", "B", "ä", "a", "Z"], 1):
        issue(store, number, group=name)
    assert store.token_list.groups() == ["B", "Z", "a", "b", "ä"]
    assert base.sql(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('character varying', 'text') AND table_name != 'alembic_version'"
    ) == [("C",)]


def test_check_finds_what_only_a_server_can_have(empty: Base) -> None:
    with create_store(empty.url, actor=ANN) as store:
        assert store.audit.check().findings == ()
        empty.sql('ALTER TABLE card ALTER COLUMN alias TYPE varchar COLLATE "en-x-icu"')
        empty.sql("DROP TRIGGER event_is_never_truncated ON event")
        empty.sql("ALTER TABLE event DISABLE TRIGGER event_is_never_updated")
        assert store.audit.check().findings == (
            "column alias of table card is not compared bytewise",
            "the audit log is not protected: trigger event_is_never_truncated is missing",
            "the audit log is not protected: trigger event_is_never_updated is missing",
        )


def test_history_cannot_be_emptied_either(store: Store) -> None:
    with pytest.raises(Conflict, match="an event is never truncated"), store.database.write() as connection:
        connection.exec_driver_sql("TRUNCATE event")


def test_an_odd_search_is_no_error(store: Store) -> None:
    issue(store, 1, driver=Driver("Straße 100%", "A_B"))
    for text in ("\0", "a\0b", "%", "100%", "_", "\\", "'", "?", "\ud800", "\U0010ffff", "$1"):
        store.cards.find(text)
    assert len(store.cards.find("100%")) == 1


def test_a_partner_that_sends_a_nul_stops_nothing(store: Store) -> None:
    issue(store, 1)
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    parked = Parked(1, 1, 1, store.database.clock(), True, "no\0pe")
    store.feed.advance("cpo", Lane.BULK, 1, park=[parked])
    store.feed.record_proof("cpo", 1, 1, False, "no\0pe")
    assert [one.error for one in store.feed.standing("cpo").parked] == ["no\N{REPLACEMENT CHARACTER}pe"]
    assert store.feed.proofs(1)[0].note == "no\0pe"
    assert store.feed.last_proof("cpo") is None
    assert store.audit.check().is_sound


def unread_by(name: str, store: Store) -> None:
    """What a partner has not read that was met, and read everything."""
    at = store.database.clock() + timedelta(seconds=2)
    with store.database.write() as connection:
        connection.execute(update(partner).where(partner.c.name == name).values(met_at=at, last_pull_at=at))
    store.contacts.unread(name)


def test_numbers_are_looked_up_by_index(store: Store) -> None:
    card = issue(store, 1, driver=Driver("Jan", "P-17"))
    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asked = psycopg.ClientCursor(cursor.connection)
            asked.execute("SET LOCAL enable_seqscan = off")
            plans.extend(line for (line,) in asked.execute(f"EXPLAIN {statement}", values).fetchall())

    event.listen(store.database._engine, "before_cursor_execute", explain)
    whole = (card.visual_number, f"{card.contract_id}", card.alias, "P-17", "fleet.csv:1", "Jan")
    for text in (*whole, card.visual_number[3:], card.uid.masked):
        assert store.cards.find(text)
    store.bulk.by_order_lines(["fleet.csv:1"])
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(groups=frozenset({"North"})), ANN)
    store.feed.last_proof("cpo")
    unread_by("cpo", store)
    store.cards.living(card.uid)
    with store.database.read() as connection:
        connection.execute(select(expiring.IS_ANY_DUE), {"today": store.database.clock().date()})
    wanted = dict.fromkeys(search._BEGINNINGS.compile().params, "1") | {"most": 1}
    with store.database.read() as connection:
        connection.execute(search._BEGINNINGS, wanted)
    event.remove(store.database._engine, "before_cursor_execute", explain)
    assert len(plans) > 20
    assert not [line for line in plans if re.search("Seq Scan on (card|driver|print|token|event)", line)], (
        plans
    )
    assert [line for line in plans if "ix_card_may_expire" in line]


def test_what_was_prepared_outlives_the_reads(store: Store) -> None:
    """At a rollback the driver would forget all of it, and have each statement planned anew."""
    issue(store, 1)
    for _ in range(12):
        store.cards.living(uid(1))
        store.cards.find("no such card")
    with store.database.read() as connection:
        prepared = connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements").scalars().all()
    assert [text for text in prepared if "card.uid" in text], prepared


# Versions


@pytest.mark.usefixtures("next_version")
def test_an_older_store_is_brought_up(empty: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_as_before(empty, monkeypatch)
    with open_store(empty.url, clock=Clock()) as store:
        assert store.migration is not None
        assert (store.migration.after, store.migration.backup) == ("0099", None)
        assert store.audit.check().is_sound
        assert issue(store, 3).state is CardState.ACTIVE
    assert empty.sql("SELECT DISTINCT colour FROM card") == [("white",)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    empty: Base,
    next_version: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill_as_before(empty, monkeypatch)
    before = contents(empty)
    next_version.write_text(ONE_MORE.format(newest=migrations.REVISIONS[-2], more="op.execute('nonsense')"))
    with pytest.raises(StoreError):
        open_store(empty.url)
    assert contents(empty) == before


def fill_as_before(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "REVISIONS", migrations.REVISIONS[:-1])
        with create_store(base.url, actor=ANN) as store:
            issue(store, 1)
            store.cards.move(issue(store, 2).id, CardState.BLOCKED, Reason.LOST, SUE, tell)


# The server goes


def test_a_server_that_comes_back_is_used_again() -> None:
    with private_cluster() as cluster:
        base = Base(cluster, cluster.make())
        create_store(base.url, actor=ANN).close()
        with open_store(base.url) as store:
            issue(store, 1)
            lookups = store.database.snapshots()
            assert lookups.rows("SELECT count(*) FROM card")[0][0] == 1
            for mode in ("immediate", "fast"):
                cluster.stop(mode)
                for call in (lambda: store.cards.listing(), lambda: lookups.rows("SELECT 1")):
                    with pytest.raises(StoreError, match="cannot be reached"):
                        call()
                cluster.start()
                assert lookups.rows("SELECT count(*) FROM card")[0][0] == len(store.cards.listing())
                issue(store, 10 + len(store.cards.listing()))
                assert store.audit.check().is_sound
            lookups.close()


def test_a_connection_that_is_cut_in_the_middle_changes_nothing(base: Base, store: Store) -> None:
    before = contents(base)

    def cut() -> str:
        base.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE state = 'idle in transaction' AND datname = current_database()"
        )
        return "EXM-1"

    with pytest.raises(StoreError, match="cannot be reached"):
        store.cards.reserve(
            uid=uid(1),
            chip="NTAG213",
            profile="link",
            order_line="fleet.csv:1",
            driver=None,
            draw_visual=cut,
            contract_of=contract,
            draw_alias=lambda: "alias",
            actor=ANN,
        )
    assert contents(base) == before
    assert reserve(store, 1, of=uid(1)).state is CardState.RESERVED


# News


def test_who_listens_hears_of_tokens_and_of_nothing_else(base: Base, store: Store) -> None:
    heard = threading.Semaphore(0)
    with store.database.place.listening(heard.release):
        assert heard.acquire(timeout=PATIENCE_S)  # once for what was there before
        with open_store(base.url) as other:
            card = issue(other, 1)
            assert heard.acquire(timeout=PATIENCE_S)
            reserve(other, 2)
            other.audit.append(ANN, "sheet.previewed", "store")
            other.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUE, tell)
            assert heard.acquire(timeout=PATIENCE_S)
            assert not heard.acquire(blocking=False)


def test_who_listens_goes_on_after_the_connection_was_cut(base: Base, store: Store) -> None:
    heard = threading.Semaphore(0)
    with store.database.place.listening(heard.release):
        assert heard.acquire(timeout=PATIENCE_S)
        base.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        assert heard.acquire(timeout=PATIENCE_S)
        issue(store, 1)
        assert heard.acquire(timeout=PATIENCE_S)


def test_what_a_server_remembers_holds_until_somebody_commits(base: Base, store: Store) -> None:
    """Another database of the server may change the age, too: then it is only asked once more."""
    lookups = store.database.snapshots()
    asked: list[int] = []
    remembered: Remembered[str, int] = Remembered(lookups)

    def answer() -> int:
        asked.append(lookups.rows("SELECT count(*) FROM card")[0][0])
        return asked[-1]

    is_kept = False
    for _ in range(100):
        before = remembered.get("cards", answer), len(asked)
        is_kept = is_kept or (remembered.get("cards", answer), len(asked)) == before
    assert is_kept
    assert remembered.get("cards", answer) == 0
    reserve(store, 1)
    assert remembered.get("cards", answer) == 1
    base.sql("DELETE FROM card")
    assert remembered.get("cards", answer) == 0
    lookups.close()


# Notes


def test_a_note_waits_for_no_writer_and_keeps_none_waiting(store: Store) -> None:
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    issue(store, 1)
    with store.database.write():
        store.feed.advance("cpo", Lane.BULK, 1)
        store.contacts.note_success("cpo", store.database.clock())
    with store.database.note() as connection:
        connection.execute(update(partner).where(partner.c.name == "cpo").values(down_since=None))
        issue(store, 2)
    standing = store.feed.standing("cpo")
    assert (standing.cursors[Lane.BULK], standing.head) == (1, 2)
    assert standing.met.last_success_at


def test_two_notes_about_one_partner_leave_the_furthest_cursor(store: Store, base: Base) -> None:
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    for number in range(3):
        issue(store, number)
    second = threading.Thread(target=store.feed.advance, args=("cpo", Lane.BULK, 2), daemon=True)
    with store.database.note() as connection:
        connection.execute(update(partner).where(partner.c.name == "cpo").values(bulk_cursor=3))
        second.start()
        until_s = time.monotonic() + PATIENCE_S
        while not base.sql(WAITING):
            assert time.monotonic() < until_s, "it does not wait for the row"
    second.join(PATIENCE_S)
    assert store.feed.standing("cpo").cursors[Lane.BULK] == 3
