"""Who is let in, as whom, and who is not: by the Python API, which the commands use."""

from __future__ import annotations

import dataclasses
import threading
import traceback
from collections.abc import Callable
from itertools import cycle, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import CODES, PINS, WRONG, Typist, Watch, signed_in, station_with_people
from sqlalchemy import insert, select
from stations import CLERK, issue_from, new_station

from rfid_station.desk.people import slow_hash
from rfid_station.desk.people.operators import (
    add_operator,
    change_pin,
    recover_operator,
    remove_operator,
    unlock_operator,
)
from rfid_station.desk.people.person import Claim, Person
from rfid_station.desk.people.sign_in import end_shift, is_of_another_day, start_shift
from rfid_station.desk.people.two_people import agreed, second_person
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.operator import check_operator_name, check_pin, pause_after
from rfid_station.errors import Conflict, MoveNotAllowed, NotSignedIn, StationError, WrongCall
from rfid_station.store.ledger import booking
from rfid_station.store.opening import Store
from rfid_station.store.tables import operator


@pytest.fixture(autouse=True)
def light_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_hash, "_COST", 2)
    monkeypatch.setattr(slow_hash, "_NOBODYS", f"scrypt:2:8:1:{'00' * 16}:{'00' * 32}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return station_with_people(tmp_path / "station")


def events(store: Store, beginning: str = "operator.") -> list[tuple[str, str, str]]:
    found = store.audit.events()
    return [(one.actor.name, one.action, one.subject) for one in found if one.action.startswith(beginning)]


class TestTrust:
    @pytest.mark.parametrize("actor", [CLERK, Actor("Mallory", Role.SUPERVISOR), Actor("cron", Role.SYSTEM)])
    def test_without_operators_names_are_taken_as_they_are_given(self, tmp_path: Path, actor: Actor) -> None:
        with open_station(new_station(tmp_path / "new"), actor) as station:
            assert station.actor == actor

    def test_the_first_has_to_be_a_supervisor(self, tmp_path: Path) -> None:
        with open_station(new_station(tmp_path / "new"), CLERK, Typist()) as station:
            with pytest.raises(WrongCall, match="cannot be the first operator as a clerk"):
                add_operator(station, "Tess", Role.CLERK)
            with pytest.raises(WrongCall, match="nobody signs in as system"):
                add_operator(station, "Sue", Role.SYSTEM)
            assert not station.store.operators.any()
            assert add_operator(station, "Sue", Role.SUPERVISOR).operator.role is Role.SUPERVISOR


class TestForging:
    @pytest.mark.parametrize(
        "actor",
        [
            Actor("Sue", Role.SUPERVISOR),
            Actor("Mallory", Role.SUPERVISOR),
            Actor("sync", Role.SYSTEM),
            Actor("Tess", Role.DRIVER),
            Claim(),
            Claim(None, Role.SUPERVISOR),
        ],
    )
    def test_a_name_alone_opens_nothing(self, folder: Path, actor: Actor | Claim) -> None:
        with pytest.raises((NotSignedIn, WrongCall)), open_station(folder, actor):
            raise AssertionError("it opened")

    def test_a_program_is_not_signed_in_by_its_role(self, folder: Path) -> None:
        with (
            signed_in(folder, "Tess"),
            pytest.raises(NotSignedIn, match="nobody signs in as system"),
            open_station(folder, Actor("Tess", Role.SYSTEM)),
        ):
            raise AssertionError("it opened")

    def test_looking_needs_nobody_and_changing_does(self, folder: Path) -> None:
        with open_station(folder, Actor("Sue", Role.SUPERVISOR), to_look=True) as station:
            assert [one.name for one in station.store.operators.all()] == ["Sam", "Sue", "Tess"]
            for act in (
                lambda: station.actor,
                lambda: unlock_operator(station, "Tess"),
                lambda: issue_from(station, "sim:ntag213", count=1),
            ):
                with pytest.raises((NotSignedIn, WrongCall)):
                    act()
            assert events(station.store, "card.") == []

    def test_the_actor_of_a_station_cannot_be_set(self, folder: Path) -> None:
        boss = Actor("Sue", Role.SUPERVISOR)
        with signed_in(folder, "Tess") as station:
            with pytest.raises(TypeError):
                dataclasses.replace(station, actor=boss)
            with pytest.raises((AttributeError, TypeError)):
                station.actor = boss  # type: ignore[misc]
            assert station.actor == Actor("Tess", Role.CLERK)

    def test_nobody_takes_a_role_that_is_not_theirs(self, folder: Path) -> None:
        with signed_in(folder, "Tess"):
            for role in (Role.SUPERVISOR, Role.SUPPORT):
                with (
                    pytest.raises(MoveNotAllowed, match="Tess is a clerk"),
                    open_station(folder, Claim(None, role)),
                ):
                    raise AssertionError("it opened")
        with open_station(folder, Claim("Sue", Role.CLERK), Typist()) as station:
            assert station.actor == Actor("Sue", Role.CLERK)


class TestShift:
    def test_who_signed_in_is_who_acts(self, folder: Path) -> None:
        with signed_in(folder, "tess") as station:
            assert station.actor == Actor("Tess", Role.CLERK)
            issue_from(station, "sim:ntag213", count=1)
            made = [one for one in station.store.audit.events() if one.action == "card.issued"]
            assert [one.actor.name for one in made] == ["Tess"]
            end_shift(station)
        with pytest.raises(NotSignedIn, match="nobody is signed in at desk-1"), open_station(folder, Claim()):
            raise AssertionError("it opened")
        with open_station(folder, Claim(), to_look=True) as station:
            assert events(station.store, "shift.") == [
                ("Tess", "shift.started", "shift:1"),
                ("Tess", "shift.ended", "shift:1"),
            ]
            assert station.store.audit.check().is_sound

    def test_the_ticket_is_for_its_owner_alone_and_goes_with_the_shift(self, folder: Path) -> None:
        with signed_in(folder, "Tess") as station:
            (ticket,) = (folder / "secrets").glob("shift-*")
            assert ticket.stat().st_mode & 0o077 == 0
            assert ticket.read_text() not in (folder / "station.db").read_bytes().decode("latin-1")
            end_shift(station)
        assert list((folder / "secrets").glob("shift-*")) == []

    @pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("0" * 64)])
    def test_without_its_ticket_a_shift_lets_nobody_act(
        self, folder: Path, spoil: Callable[[Path], object]
    ) -> None:
        with signed_in(folder, "Tess"):
            (ticket,) = (folder / "secrets").glob("shift-*")
            spoil(ticket)
        with pytest.raises(NotSignedIn), open_station(folder, Claim()):
            raise AssertionError("it opened")
        with (
            open_station(folder, Claim(), to_look=True) as station,
            pytest.raises(NotSignedIn, match="Tess signed in at desk-1"),
        ):
            end_shift(station)
        with signed_in(folder, "Tess") as station:
            assert station.actor.name == "Tess"
            assert station.store.shifts.open_at("desk-1").shift.id == 1  # type: ignore[union-attr]

    def test_an_old_ticket_is_worth_nothing(self, folder: Path) -> None:
        with signed_in(folder, "Tess") as station:
            (ticket,) = (folder / "secrets").glob("shift-*")
            kept = ticket.read_text()
            end_shift(station)
        with signed_in(folder, "Sam") as station:
            (now,) = (folder / "secrets").glob("shift-*")
            ticket.write_text(kept)
            now.write_text(kept)
        with pytest.raises(NotSignedIn), open_station(folder, Claim()):
            raise AssertionError("it opened")

    def test_a_second_person_hears_who_is_there(self, folder: Path) -> None:
        with (
            signed_in(folder, "Tess"),
            open_station(folder, Claim(), Typist(), to_look=True) as other,
            pytest.raises(Conflict, match="Tess is signed in at desk-1 since"),
        ):
            start_shift(other, "Sam")
        assert len(list((folder / "secrets").glob("shift-*"))) == 1

    def test_two_sign_in_at_once_and_one_gets_the_place(self, folder: Path) -> None:
        names, outcomes = ("Tess", "Sam", "Sue"), {}
        gate = threading.Barrier(len(names))

        def sign_in(name: str) -> None:
            with open_station(folder, Claim(), Typist(), to_look=True) as station:
                gate.wait(60)
                try:
                    outcomes[name] = start_shift(station, name).operator.name
                except Conflict as refused:
                    outcomes[name] = refused.message

        threads = [threading.Thread(target=sign_in, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        winners = [name for name, outcome in outcomes.items() if outcome == name]
        assert len(winners) == 1
        losers = [outcome for name, outcome in outcomes.items() if name not in winners]
        assert len(losers) == 2
        assert all("signed in at desk-1" in words for words in losers)
        with open_station(folder, Claim()) as station:
            assert station.actor.name == winners[0]

    def test_a_supervisor_ends_the_shift_of_somebody_who_left(self, folder: Path) -> None:
        with signed_in(folder, "Tess"):
            pass
        with (
            open_station(folder, Claim("Sam"), Typist()) as station,
            pytest.raises(MoveNotAllowed, match="Sam may not end the shift of Tess"),
        ):
            end_shift(station)
        with open_station(folder, Claim("Sue"), Typist()) as station:
            assert end_shift(station).operator.name == "Tess"
            assert events(station.store, "shift.ended") == [("Sue", "shift.ended", "shift:1")]

    def test_a_shift_of_yesterday_is_told(self, folder: Path) -> None:
        with signed_in(folder, "Tess") as station:
            shift = station.person.shift()
            assert shift is not None
            assert not is_of_another_day(station, shift)
            watch = Watch()
            watch.pass_(26 * 3600)
            station.store.database.clock = watch
            assert is_of_another_day(station, shift)


class TestPins:
    def test_an_unknown_name_a_wrong_pin_and_a_locked_operator_sound_the_same(self, folder: Path) -> None:
        watch = Watch()
        with open_station(folder, Claim(), to_look=True) as station:
            station.store.database.clock = watch

            def refusal(name: str, pin: str) -> str:
                person = Person(
                    station.store, station.vault, station.settings.desk, Claim(name), lambda _: pin
                )
                with pytest.raises(NotSignedIn) as refused:
                    _ = person.actor
                return f"{refused.value.message} {refused.value.hint}".replace(name, "NAME")

            unknown, wrong = refusal("Nobody", WRONG), refusal("Tess", WRONG)
            assert unknown == wrong
            assert refusal("Tess", PINS["Tess"]) == unknown, "too soon after a wrong one"
            for _ in range(4):
                watch.pass_(60)
                assert refusal("Tess", WRONG) == unknown
            watch.pass_(3600)
            assert refusal("Tess", PINS["Tess"]) == unknown, "locked"
            told = [action for _, action, subject in events(station.store) if subject == "operator:Tess"]
        assert told[2:] == [
            "operator.pin_refused",
            *["operator.pin_wrong"] * 4,
            "operator.locked",
            "operator.pin_refused",
        ]
        with open_station(folder, Claim("Sue"), Typist()) as station:
            assert station.store.operators.get("Tess").is_locked
            assert not unlock_operator(station, "Tess").is_locked
        with open_station(folder, Claim("Tess"), Typist()) as station:
            assert station.actor.name == "Tess"

    def test_each_wrong_pin_takes_longer(self, folder: Path) -> None:
        assert [pause_after(wrong).total_seconds() for wrong in range(1, 5)] == [1, 2, 4, 8]
        watch = Watch()
        with open_station(folder, Claim(), to_look=True) as station:
            operators, station.store.database.clock = station.store.operators, watch

            def tries(is_right: bool) -> bool:
                return operators.prove("Tess", lambda _: is_right, "operator.signed_in") is not None

            for wrong in range(1, 4):
                assert not tries(False)
                watch.pass_(pause_after(wrong).total_seconds() - 0.1)
                assert not tries(True)
                assert operators.get("Tess").wrong_pins == wrong, "what comes too soon is not counted"
                watch.pass_(0.1)
            assert tries(True)
            assert operators.get("Tess").wrong_pins == 0

    def test_guesses_at_the_same_time_are_counted_one_by_one(self, folder: Path) -> None:
        with open_station(folder, Claim(), to_look=True) as station:
            gate, seen = threading.Barrier(8), []

            def guess() -> None:
                gate.wait(60)
                seen.append(station.store.operators.prove("Tess", lambda _: False, "operator.signed_in"))

            threads = [threading.Thread(target=guess) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert seen == [None] * 8
            assert station.store.operators.get("Tess").wrong_pins == 1, "the others came too soon"

    @pytest.mark.parametrize(
        "pin",
        ["12345", "123456", "987654", "890123", "000000", "77777777", "48291a", "４８２９１５", "", "1" * 33],
    )
    def test_a_pin_that_is_guessed_first_is_refused_without_being_said(self, pin: str) -> None:
        with pytest.raises(WrongCall) as refused:
            check_pin(pin)
        assert not pin or pin not in f"{refused.value.message} {refused.value.hint}"

    @given(st.text("0123456789", min_size=6, max_size=12))
    def test_any_other_is_taken(self, pin: str) -> None:
        steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
        if steps in ({0}, {1}, {9}):
            with pytest.raises(WrongCall):
                check_pin(pin)
        else:
            assert check_pin(pin) == pin

    @pytest.mark.parametrize("name", ["", " Tess", "../Tess", "a/b", "T\nS", "=1+1", "x" * 61, "-Tess"])
    def test_a_name_that_would_do_harm_is_refused(self, name: str) -> None:
        with pytest.raises(WrongCall):
            check_operator_name(name)

    @pytest.mark.parametrize("name", ["Tess", "Łukasz Dąbrowski", "T. O'Neil-Süß", "night-batch 2", "李"])
    def test_a_name_of_a_person_or_a_script_is_taken(self, name: str) -> None:
        assert check_operator_name(name) == name

    def test_one_changes_the_own_pin_by_the_old_one(self, folder: Path) -> None:
        def ask(question: str) -> str:
            return "640291" if "new" in question else PINS["Tess"]

        with open_station(folder, Claim("Tess"), ask) as station:
            assert change_pin(station).name == "Tess"
            with pytest.raises(MoveNotAllowed, match="a clerk may not give Sam a new PIN"):
                change_pin(station, "Sam")
        with open_station(folder, Claim("Tess"), lambda _: "640291") as station, pytest.raises(NotSignedIn):
            change_pin(typing(station, PINS["Tess"]))
        with pytest.raises(NotSignedIn), open_station(folder, Claim("Tess"), Typist()):
            raise AssertionError("it opened")

    def test_the_two_have_to_be_the_same(self, folder: Path) -> None:
        answers = iter([PINS["Sue"], "640291", "640292"])
        with (
            open_station(folder, Claim("Sue"), lambda _: next(answers)) as station,
            pytest.raises(WrongCall, match="the two PINs differ"),
        ):
            change_pin(station, "Tess")

    def test_a_script_has_its_pin_by_reference(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RFID_STATION_DESK__PIN", "file:batch-pin")
        (folder / "secrets").mkdir(exist_ok=True)
        (folder / "secrets" / "batch-pin").write_text(PINS["Sam"] + "\n")
        with open_station(folder, Claim("Sam")) as station:
            assert station.actor == Actor("Sam", Role.SUPPORT)

    def test_without_a_terminal_the_hint_speaks_of_pins(self, folder: Path) -> None:
        with pytest.raises(WrongCall) as refused, open_station(folder, Claim("Tess")):
            raise AssertionError("it opened")
        assert "PIN of Tess" in refused.value.message
        assert "RFID_STATION_DESK__PIN" in (refused.value.hint or "")

    def test_no_hash_stands_in_what_a_failure_of_the_store_tells(self, folder: Path) -> None:
        with open_station(folder, Claim("Sue"), Typist()) as station:
            with station.store.database.read() as connection:
                row = dict(connection.execute(select(operator)).mappings().first() or {})
            del row["id"]
            with (
                pytest.raises(StationError) as failed,
                booking(station.store.database, station.actor) as ledger,
            ):
                ledger.connection.execute(insert(operator).values(**row))
        told = "".join(traceback.format_exception(failed.value))
        assert "INSERT INTO operator" in told
        assert row["pin_hash"] not in told


class TestPeople:
    def test_only_a_supervisor_adds_removes_and_unlocks(self, folder: Path) -> None:
        with signed_in(folder, "Tess") as station:
            for act in (
                lambda: add_operator(station, "Tom", Role.CLERK, "env:NO"),
                lambda: remove_operator(station, "Sam"),
                lambda: unlock_operator(station, "Sam"),
            ):
                with pytest.raises((MoveNotAllowed, WrongCall)):
                    act()
            assert [one.name for one in station.store.operators.all() if one.is_active] == [
                "Sam",
                "Sue",
                "Tess",
            ]

    def test_whoever_is_removed_acts_no_more(self, folder: Path) -> None:
        with signed_in(folder, "Tess"), open_station(folder, Claim("Sue"), Typist()) as station:
            assert not remove_operator(station, "tess").is_active
        for claim in (Claim(), Claim("Tess")):
            with pytest.raises(NotSignedIn), open_station(folder, claim, Typist()):
                raise AssertionError("it opened")
        with open_station(folder, Claim("Sue"), Typist()) as station:
            assert station.store.shifts.open_at("desk-1") is None
            with pytest.raises(Conflict, match="Tess was an operator"):
                add_operator(typing(station, "640291"), "TESS", Role.CLERK)

    def test_whoever_is_removed_while_signing_in_acts_no_more(self, folder: Path) -> None:
        with signed_in(folder, "Tess") as station:
            ticket, tess = station.store.shifts.open_at("desk-1"), station.store.operators.get("Tess")
            assert ticket is not None
        with open_station(folder, Claim("Sue"), Typist()) as station:
            remove_operator(station, "Tess")
            station.store.shifts.start(tess, "desk-1", ticket.ticket_hash, CLERK)
        with pytest.raises(NotSignedIn, match="nobody is signed in"), open_station(folder, Claim()):
            raise AssertionError("it opened")

    def test_the_last_supervisor_stays(self, folder: Path) -> None:
        with open_station(folder, Claim("Sue"), Typist()) as station:
            with pytest.raises(Conflict, match="Sue is the last supervisor"):
                remove_operator(station, "Sue")
            add_operator(typing(station, "640291"), "Sten", Role.SUPERVISOR)
            assert not remove_operator(station, "Sue").is_active
            with pytest.raises(Conflict, match="Sten is the last supervisor"):
                remove_operator(station, "Sten")

    def test_the_last_supervisor_comes_back_by_the_code_from_the_safe(self, folder: Path) -> None:
        with open_station(folder, Claim(), to_look=True) as station:
            watch = Watch()
            station.store.database.clock = watch
            for _ in range(5):
                station.store.operators.prove("Sue", lambda _: False, "operator.signed_in")
                watch.pass_(60)
            assert station.store.operators.get("Sue").is_locked

            def recover(code: str) -> Callable[[], str]:
                asking = typing(station, code, "640291", "640291")
                return lambda: recover_operator(asking, "Sue").recovery_code

            for wrong in (CODES["Tess"], "", "640291"):
                with pytest.raises(NotSignedIn, match="the recovery code is wrong"):
                    recover(wrong)()
            fresh = recover(CODES["Sue"].lower().replace("-", " "))()
            assert fresh != CODES["Sue"]
            assert not station.store.operators.get("Sue").is_locked
            with pytest.raises(NotSignedIn):
                recover(CODES["Sue"])()
        with open_station(folder, Claim("Sue"), lambda _: "640291") as station:
            assert station.actor.role is Role.SUPERVISOR
            assert ("sign-in", "operator.recovered", "operator:Sue") in events(station.store)


class TestTwoPeople:
    def test_the_second_types_a_pin_and_is_named(self, folder: Path) -> None:
        typist = Typist()
        with signed_in(folder, "Tess", typist) as station:
            assert second_person(station, "sue", "destroy 12 blanks of lot L1") == "Sue"
            assert typist.asked[-1] == "PIN of sue, to destroy 12 blanks of lot L1"
            assert agreed(station, "Sue", "make a key").witness == "Sue"
            assert ("sign-in", "operator.witnessed", "operator:Sue") in events(station.store)

    @pytest.mark.parametrize(
        ("name", "error", "words"),
        [
            (None, MoveNotAllowed, "nobody else is named"),
            ("tess", MoveNotAllowed, "is at the keyboard"),
            ("Sam", MoveNotAllowed, "it takes a supervisor"),
            ("Nobody", WrongCall, "nobody is here to be asked"),
        ],
    )
    def test_nobody_else_will_do(
        self, folder: Path, name: str | None, error: type[StationError], words: str
    ) -> None:
        with signed_in(folder, "Tess") as station, pytest.raises(error, match=words):
            second_person(station, name, "destroy 12 blanks")

    def test_a_wrong_pin_and_a_removed_person_agree_to_nothing(self, folder: Path) -> None:
        with signed_in(folder, "Sue") as station:
            remove_operator(station, "Sam")
            with pytest.raises(NotSignedIn):
                second_person(station, "Sam", "destroy 12 blanks")
            with pytest.raises(NotSignedIn):
                second_person(typing(station, WRONG), "Tess", "destroy 12 blanks")
            assert station.store.operators.get("Tess").wrong_pins == 1

    def test_in_a_station_of_trust_names_only_differ(self, tmp_path: Path) -> None:
        with open_station(new_station(tmp_path / "new"), CLERK) as station:
            assert second_person(station, "Anybody", "destroy 12 blanks") == "Anybody"
            assert agreed(station, None, "make a key") == CLERK
            assert agreed(station, "Anybody", "make a key").witness == "Anybody"
            with pytest.raises(MoveNotAllowed, match="TESS is at the keyboard"):
                second_person(station, "TESS", "destroy 12 blanks")


def typing(station: Station, *answers: str) -> Station:
    """The same station and the same person, who types this; one answer counts for every question."""
    given = cycle(answers)
    person = dataclasses.replace(station.person, ask=lambda _: next(given))
    return dataclasses.replace(station, person=person)
