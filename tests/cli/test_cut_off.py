"""A desk whose server is away: it reads its last copy, says how old that is, and changes nothing."""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from command_line import run
from people import Typist, signed_in, station_with_people
from postgresql_cluster import Cluster, private_cluster
from served_process import run_program
from station_invariants import check_invariants
from stations import CLERK, LINES, issue_from, new_station
from warm_processes import PROCESSES

from rfid_station.desk.people.person import Claim
from rfid_station.desk.record import own_copy
from rfid_station.desk.record.cut_off import FROM_COPY, cut_off
from rfid_station.desk.record.lease_note import noted_lease
from rfid_station.desk.record.own_copy import FILE, CopyKeeper, keep_own_copy, open_station_from_copy
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support import lookup, stopping
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.errors import ExitCode, NotSignedIn, StationError, StoreUnreachable
from rfid_station.settings import load_settings
from rfid_station.store.backups import last_copy
from rfid_station.store.backups.copying import copy_store
from rfid_station.store.opening import create_store

PATIENCE_S = 60


@dataclass
class Server:
    """A server of PostgreSQL that can be taken away."""

    cluster: Cluster
    is_there: bool = True
    blank: str = ""

    def stop(self) -> None:
        if self.is_there:
            self.cluster.stop("fast")
        self.is_there = False

    def start(self) -> None:
        if not self.is_there:
            self.cluster.start()
        self.is_there = True

    def url(self) -> str:
        self.start()
        return self.cluster.url(self.cluster.make())

    def new_store(self) -> str:
        """The address of an empty store: a copy of the first one, which took the migrations."""
        self.start()
        if not self.blank:
            self.blank = self.cluster.make()
            create_store(self.cluster.url(self.blank), actor=CLERK).close()
        return self.cluster.url(self.cluster.make(self.blank))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with private_cluster() as cluster:
        server = Server(cluster)
        try:
            yield server
        finally:
            server.start()


def at(folder: Path, url: str, more: str = "") -> Path:
    """A station whose store is on a server."""
    settings = folder / "station.toml"
    entries = f'"{url}"\n{more}'
    settings.write_text(settings.read_text().replace('"sqlite:///station.db"', entries))
    (folder / "station.db").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def desk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk that made three cards for an order, and a copy of its store."""
    folder = at(new_station(tmp_path_factory.mktemp("cut") / "station"), server.new_store())
    booked = ("stock", "receive", "L1", "--supplier", "M", "--chip", "NTAG213", "--quantity", "9")
    assert run(folder, "--role", "supervisor", *booked, "--no-sample", "--reason", "x").exit_code == 0
    assert run(folder, "order", "create", "--count", "2", "--name", "O1").exit_code == 0
    with open_station(folder, CLERK) as station:
        issue_from(station, "sim:ntag213?count=3", LINES)
    assert run(folder, "store", "copy", "--keep").exit_code == 0
    return folder


@pytest.fixture
def alone(server: Server, desk: Path) -> Path:
    """The desk, whose server is away."""
    server.stop()
    return desk


@pytest.fixture
def joined(server: Server, desk: Path) -> Path:
    """The desk, whose server is there."""
    server.start()
    return desk


def first_card(folder: Path) -> Card:
    with open_station_from_copy(folder, CLERK) as (station, _):
        return station.store.cards.listing()[0]


# What works


ASKED = {
    "card show": ["{number}"],
    "card find": ["{number}"],
    "card list": [],
    "card history": ["{number}"],
    "card read": ["--reader", "sim:ntag213"],
    "card verify": ["--reader", "sim:ntag213"],
    "order show": ["O1"],
    "order list": [],
    "stock show": [],
}


def asked(folder: Path, command: str, *more: str) -> tuple[str, ...]:
    number = first_card(folder).visual_number
    return (*command.split(), *(one.format(number=number) for one in ASKED[command]), *more)


@pytest.mark.parametrize("command", sorted(set(FROM_COPY) - {"card verify"}))
def test_what_is_said_to_work_works_and_says_how_old_it_is(alone: Path, command: str) -> None:
    result = run(alone, *asked(alone, command, "--json"))
    assert result.exit_code == 0, result.stderr
    assert "from the copy of " in result.stderr
    assert "old; the server cannot be reached" in result.stderr
    text = result.stdout if result.stdout.startswith("{\n") else result.stdout.splitlines()[0]
    copy = json.loads(text)["copy"]
    assert copy["at"].endswith("Z")
    assert 0 <= copy["age_s"] < 600
    shown = run(alone, *asked(alone, command))
    assert (shown.exit_code, bool(shown.stdout)) == (0, True)
    assert "from the copy of " in shown.stderr


def test_all_that_is_said_to_work_is_tried_here() -> None:
    assert set(ASKED) == set(FROM_COPY)


def test_a_card_is_compared_with_the_copy(server: Server, tmp_path: Path) -> None:
    folder = at(new_station(tmp_path / "station"), server.new_store())
    uri = f"sim:ntag213?count=1&deck={tmp_path / 'deck.json'}"
    with open_station(folder, CLERK) as station:
        (made,) = issue_from(station, uri, count=1).issued
    keep_own_copy(folder)
    server.stop()
    for reader, state in ((f"{uri}&start=0", "active"), ("sim:ntag213", "not one of ours")):
        read = json.loads(run(folder, "card", "read", "--reader", reader, "--json").stdout)
        assert read["state"].startswith(f"{state}, by the copy of ")
    verified = run(folder, "card", "verify", "--reader", f"{uri}&start=0", "--json")
    assert json.loads(verified.stdout)["number"] == made.visual_number
    assert "from the copy of " in verified.stderr
    assert "by the copy of " in run(folder, "card", "verify", "--reader", "sim:ntag213").stderr


def test_while_the_server_is_there_nothing_is_said_of_a_copy(joined: Path) -> None:
    result = run(joined, *asked(joined, "card show", "--json"))
    assert "copy" not in json.loads(result.stdout)
    assert "copy" not in result.stderr


def test_the_age_is_told_and_never_guessed(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = own_copy.utc_now()
    later = {35: "35 minutes old", 150: "2 hours old", 60 * 24 * 9: "9 days old", -60: "nobody knows"}
    for minutes, words in later.items():
        monkeypatch.setattr(own_copy, "utc_now", lambda m=minutes: now + timedelta(minutes=m, seconds=30))
        shown = run(alone, *asked(alone, "card show", "--json"))
        assert words in shown.stderr
        document = json.loads(shown.stdout)
        assert (document["copy"]["age_s"] is None) is (minutes < 0)
        assert document["say"].startswith("As of ")
    missed = run(alone, "card", "show", "EXM-0000-0000-0")
    assert missed.exit_code == ExitCode.FAILED
    assert "no card has 'EXM-0000-0000-0' in any form, by the copy of " in missed.stderr


# What waits


REFUSED = (
    ("card", "block", "{number}"),
    ("card", "activate", "{number}"),
    ("card", "issue", "--count", "1"),
    ("card", "replace", "{number}", "--reason", "lost"),
    ("card", "show", "{number}", "--full"),
    ("order", "create", "--count", "1"),
    ("stock", "transfer", "L1", "1", "--to", "desk-2"),
    ("driver", "erase", "1", "--yes"),
    ("sync", "run"),
    ("store", "check"),
    ("store", "give-back"),
    ("store", "copy", "--keep"),
    ("store", "status"),
)


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_whatever_would_change_anything_is_refused_and_says_what_is_left(
    alone: Path, command: tuple[str, ...]
) -> None:
    before = (alone / FILE).read_bytes(), (alone / "lease.json").read_bytes(), sorted(alone.iterdir())
    number = first_card(alone).visual_number
    result = run(alone, *(one.format(number=number) for one in command))
    assert result.exit_code == StoreUnreachable.exit_code == ExitCode.FAILED
    assert result.stdout == ""
    assert "cannot be reached" in result.stderr
    assert "contracts 4 to 100 (97 left) are desk-1's own, as of " in result.stderr
    assert f"works    {', '.join(FROM_COPY)}: from the copy of " in result.stderr
    assert "waits    " in result.stderr
    assert (
        (alone / FILE).read_bytes(),
        (alone / "lease.json").read_bytes(),
        sorted(alone.iterdir()),
    ) == before


def test_status_and_doctor_tell_what_is_left(alone: Path, server: Server) -> None:
    away = json.loads(run(alone, "store", "status", "--json").stdout)
    assert (away["reachable"], away["leases"]) == (False, None)
    assert (away["lease"]["next"], away["lease"]["left"]) == (4, 97)
    assert "holds contracts 4 to 100 (97 left)" in run(alone, "doctor").stdout
    server.start()
    there = json.loads(run(alone, "store", "status", "--json").stdout)
    assert (there["reachable"], there["leases"][0]["next"]) == (True, 4)
    counted = {"counted": 100, "on_cards": 3, "on_plastic": 0, "leased": 97, "left_out": 0}
    assert there["numbers"] == counted
    assert json.loads(run(alone, "store", "check", "--json").stdout)["numbers"] == counted


# In the middle


def stopping_first(server: Server, call: Callable[..., object]) -> Callable[..., object]:
    """The same call, right before which the server goes away."""

    def stop_and_call(*arguments: object, **options: object) -> object:
        server.stop()
        return call(*arguments, **options)

    return stop_and_call


def test_a_server_lost_in_the_middle_of_a_block_never_looks_done(
    joined: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = first_card(joined)
    monkeypatch.setattr(stopping, "move_card", stopping_first(server, stopping.move_card))
    result = run(joined, "card", "block", card.visual_number)
    assert not server.is_there
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "cannot be reached" in result.stderr
    assert "blocked" not in result.stderr.partition("without the server")[0]
    server.start()
    with open_station(joined, CLERK) as station:
        assert station.store.cards.by_id(card.id).state is CardState.ACTIVE


def test_a_server_lost_in_the_middle_of_looking_is_no_harm(
    joined: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = first_card(joined)
    monkeypatch.setattr(lookup, "describe", stopping_first(server, lookup.describe))
    result = run(joined, "card", "show", card.visual_number)
    assert not server.is_there
    assert (result.exit_code, "from the copy of " in result.stderr) == (0, True)
    assert result.stdout.count("number ") == 1


@pytest.mark.timeout(300)
def test_a_server_lost_while_cards_are_made(server: Server, tmp_path: Path) -> None:
    """The numbers that are told are those that the next cards get; the card in hand may have taken one."""
    folder = at(new_station(tmp_path / "station"), server.new_store(), "copy_minutes = 0")
    deck = tmp_path / "deck.json"
    arguments = ["--station", str(folder), "card", "issue", "--reader", f"sim:ntag213?count=400&deck={deck}"]
    log = tmp_path / "log"
    desk = PROCESSES.Process(target=run_program, args=(arguments, str(log)))
    desk.start()
    wait_for(lambda: log.exists() and log.read_text().count("\nok ") >= 3, desk)
    server.stop()
    desk.join(PATIENCE_S)
    assert desk.exitcode == ExitCode.FAILED
    assert "cannot be reached" in log.read_text()
    assert "nothing that is in the store: this desk has no copy" in log.read_text()
    held = cut_off(folder).lease.lease
    assert f"contracts {held.next} to 100 ({held.left} left) are desk-1's own" in log.read_text()
    server.start()
    with open_station(folder, CLERK) as station:
        there = station.store.leases.own()
        assert held.next - there.next in (0, 1), "what was asked for and not confirmed is not told as left"
        assert (there.first, there.last) == (1, 100)
        made = station.store.cards.listing()
        assert [one.contract_id.compact[6:14] for one in made] == [f"{n:08}" for n in range(1, there.next)]
        issue_from(station, f"sim:ntag213?count=400&deck={deck}", count=2)
        check_invariants(station)


def wait_for(is_so: Callable[[], bool], process: BaseProcess | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        assert process is None or process.is_alive()
        time.sleep(0.02)


# The copy


def test_a_copy_is_for_its_owner_and_has_no_hash_of_a_pin(server: Server, tmp_path: Path) -> None:
    folder = station_with_people(tmp_path / "station")
    with signed_in(folder, "Tess"):
        pass
    url = server.url()
    with open_station(folder, Claim(), Typist()) as station:
        hashes = [one.pin_hash for one in rows(station, "operator")]
        hashes += [one.recovery_hash for one in rows(station, "operator")]
        copy_store(station.store.database, url, None, Actor("Sue", Role.SUPERVISOR))
    at(folder, url)
    copy = keep_own_copy(folder)
    content = copy.file.read_bytes()
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600
    assert len(hashes) == 6
    assert not [one for one in hashes if one.encode() in content]
    server.stop()
    # Who is signed in, is; a PIN proves nobody now, and without either nobody is let in.
    with open_station_from_copy(folder, Claim()) as (station, _):
        assert station.actor == Actor("Tess", Role.CLERK)
    with pytest.raises(StoreUnreachable), open_station_from_copy(folder, Claim("Sue"), Typist()):
        raise AssertionError("it opened")
    for ticket in (folder / "secrets").glob("shift-*"):
        ticket.unlink()
    with pytest.raises(NotSignedIn), open_station_from_copy(folder, Claim()):
        raise AssertionError("it opened")


def rows(station: Station, table: str) -> list[object]:
    with station.store.database.read() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table}"))


def test_nothing_is_written_to_a_copy(alone: Path) -> None:
    before = (alone / FILE).read_bytes(), (alone / FILE).stat().st_mtime_ns
    with open_station_from_copy(alone, CLERK) as (station, _):
        (card, *_) = station.store.cards.listing()
        for change in (
            lambda: station.store.cards.move(card.id, CardState.RETIRED, None, CLERK, station.token),
            lambda: station.store.cards.note_revealed([card], CLERK),
            lambda: station.store.leases.give_back("desk-1", Actor("Sue", Role.SUPERVISOR)),
            lambda: rows_deleted(station),
        ):
            with pytest.raises(StationError):
                change()
    assert ((alone / FILE).read_bytes(), (alone / FILE).stat().st_mtime_ns) == before


def rows_deleted(station: Station) -> None:
    with station.store.database.read() as connection:
        connection.exec_driver_sql("DELETE FROM token")


@pytest.mark.parametrize("damage", ["version", "store", "garbage", "missing"])
def test_a_copy_of_something_else_is_not_looked_into(alone: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "station"
    folder.mkdir()
    for name in ("station.toml", "lease.json", FILE):
        (folder / name).write_bytes((alone / name).read_bytes())
    assert run(folder, "order", "list").exit_code == 0
    if damage == "garbage":
        (folder / FILE).write_bytes(b"no database" * 999)
    elif damage == "missing":
        (folder / FILE).unlink()
    else:
        with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as file:
            changes = {
                "version": "alembic_version SET version_num = '0009'",
                "store": "copied SET store = 'x'",
            }
            file.execute(f"UPDATE {changes[damage]}")
    result = run(folder, "order", "list")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "this desk has no copy to look into" in result.stderr


def test_no_copy_is_kept_where_none_is_wanted(joined: Path, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "station"
    folder.mkdir()
    settings = (joined / "station.toml").read_text()
    (folder / "station.toml").write_text(settings.replace("[store]\n", "[store]\ncopy_minutes = 0\n", 1))
    (folder / FILE).write_bytes((joined / FILE).read_bytes())
    refused = run(folder, "store", "copy", "--keep")
    assert (refused.exit_code, "this desk keeps no copy" in refused.stderr) == (ExitCode.WRONG_CALL, True)
    server.stop()
    assert "this desk has no copy" in run(folder, "order", "list").stderr


def test_a_driver_who_is_forgotten_is_in_no_copy_of_this_desk(server: Server, tmp_path: Path) -> None:
    folder = at(new_station(tmp_path / "station"), server.new_store())
    with open_station(folder, Actor("Sue", Role.SUPERVISOR)) as station:
        (card,) = issue_from(station, "sim:ntag213?count=1", LINES[:1]).issued
        station.store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, station.actor, station.token)
    keep_own_copy(folder)
    assert b"Driver 1" in (folder / FILE).read_bytes()
    erased = run(folder, "--role", "supervisor", "driver", "erase", "1", "--yes")
    assert erased.exit_code == 0, erased.stderr
    assert not (folder / FILE).exists()


def test_an_old_copy_is_made_anew_beside_the_work(
    joined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(joined)
    started: list[object] = []
    start = own_copy._start_maker
    monkeypatch.setattr(own_copy, "_start_maker", lambda folder: started.append(folder) or start(folder))
    CopyKeeper(joined, settings).look()
    assert started == [], "it is young"
    before = (joined / FILE).stat().st_ino
    now = own_copy.utc_now()
    monkeypatch.setattr(own_copy, "utc_now", lambda: now + timedelta(minutes=31))
    keeper = CopyKeeper(joined, settings)
    keeper.look()
    keeper.look()
    assert started == [joined]
    wait_for(lambda: (joined / FILE).stat().st_ino != before)
    assert keeper._maker.wait(PATIENCE_S) == 0
    assert not [one.name for one in joined.iterdir() if one.name.endswith(".part")]


def test_two_do_not_make_it_at_once_and_one_that_was_killed_is_not_in_the_way(joined: Path) -> None:
    (joined / f".{FILE}.part").write_bytes(b"half")
    kept = keep_own_copy(joined)
    assert kept.file.read_bytes() != b"half"
    assert not (joined / f".{FILE}.part").exists()
    with last_copy._alone(joined / FILE):
        assert run(joined, "store", "copy", "--keep").exit_code == ExitCode.CONFLICT


# The lease


def test_a_lease_of_another_store_is_not_told(alone: Path, tmp_path: Path) -> None:
    assert noted_lease(alone, "postgresql+psycopg://desk@elsewhere/station") is None
    (tmp_path / "lease.json").write_text("[]")
    assert noted_lease(tmp_path, "any") is None


def test_what_was_given_back_is_not_told_any_more(server: Server, tmp_path: Path) -> None:
    folder = at(new_station(tmp_path / "station"), server.new_store(), "lease = 10")
    with open_station(folder, CLERK) as station:
        issue_from(station, "sim:ntag213?count=1")
    assert "desk-1 gave back 2 to 10 (9)" in run(folder, "store", "give-back").stdout
    assert "given back: 2 to 10 (9 left)" in run(folder, "store", "status").stdout
    server.stop()
    assert "none that this desk knows to be its own" in run(folder, "card", "list").stderr
