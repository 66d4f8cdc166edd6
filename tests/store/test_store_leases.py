"""Ranges of contract numbers: each desk draws from its own, and no number is drawn twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import lease_desks
import pytest
from lease_desks import Drawn, Told, number_of, open_desk
from order_world import Drawer, order
from postgresql_base import Base
from station_invariants import check_invariants
from store_world import ANN, PATTERN, SUE, as_in, contract, issue, reserve, sql, tell, uid, url_of
from warm_processes import PROCESSES

from rfid_station.domain.card import Card
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.order import Way
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store import migrations
from rfid_station.store.backups.backing_up import back_up
from rfid_station.store.backups.restoring import restore_over
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import Store, open_store

PATIENCE_S = 60


def ranges(store: Store) -> dict[str, list[range]]:
    """Every range that a desk leased, by the audit log."""
    found: dict[str, list[range]] = {}
    for event in store.audit.newest(10_000):
        if event.action == "numbers.leased":
            leased = range(event.data["first"], event.data["last"] + 1)
            found.setdefault(event.data["place"], []).append(leased)
    return found


def register(store: Store, first: int, count: int) -> list[Card]:
    """Many cards at once."""
    new = [NewCard(uid(n), "bulk", f"{n}", "NTAG213", "link") for n in range(first, first + count)]
    drawn = Drawn(50_000 + first)
    with store.bulk.registering(numbers=drawn, token_of=tell, activate=True, actor=ANN) as registrar:
        assert all(one.is_new for one in registrar.add(new))
    return store.cards.listing()[-count:]


def test_each_desk_goes_on_with_its_own_numbers(place: Path | Base) -> None:
    with open_desk(place, "one", 3) as one, open_desk(place, "two", 3) as two:
        assert number_of(reserve(one, 1)) == 1
        assert one.leases.next_contract() == 2
        assert [number_of(reserve(two, n)) for n in (11, 12, 13, 14)] == [4, 5, 6, 7]
        assert one.leases.next_contract() == 2
        assert [number_of(reserve(one, n)) for n in (2, 3, 4)] == [2, 3, 10]
        check_invariants(one)
        # Whoever opens the store without being a desk counts off.
        with open_store(url_of(place)) as script:
            assert script.leases.next_contract() == 13
            assert number_of(reserve(script, 20)) == 13
        count = one.leases.count()
        assert (count.counted, count.on_cards, count.leased, count.left_out) == (13, 9, 4, 0)


def test_a_desk_is_told_what_it_holds_before_its_number_is_on_a_card(place: Path | Base) -> None:
    told = Told()
    with open_desk(place, "one", 2, told) as one:
        held = one.leases.hold(ANN)
        assert held == one.leases.hold(ANN) == one.leases.own()
        assert (held.next, held.last, held.leased_by) == (1, 2, "ann")
        for number in (1, 2, 3):
            reserve(one, number)
        # With its last number a desk leases anew: it always knows the next one.
        assert [(lease.next, lease.left) for lease in told.leases] == [(1, 2), (2, 1), (3, 2), (4, 1)]
        with pytest.raises(Conflict):
            reserve(one, 4, of=uid(1))
        assert one.leases.next_contract() == 4
        told.leases = None  # whoever cannot write down what it holds draws nothing
        with pytest.raises(AttributeError):
            reserve(one, 5)
        assert one.leases.next_contract() == 4
        assert len(one.cards.listing()) == 3


def test_many_cards_at_once_take_the_rest_and_then_as_many_as_they_need(place: Path | Base) -> None:
    with open_desk(place, "one", 5) as one, open_desk(place, "two", 5) as two:
        reserve(one, 1)
        reserve(two, 2)
        assert [number_of(card) for card in register(one, 100, 20)] == [2, 3, 4, 5, *range(11, 27)]
        assert one.leases.next_contract() == 27
        assert [number_of(card) for card in register(one, 200, 3)] == [27, 28, 29]
        # With the last number of the large lease the desk took one of the usual size.
        assert ranges(one)["one"] == [range(1, 6), range(11, 27), range(27, 32)]
        assert number_of(reserve(two, 3)) == 7
        check_invariants(one)


def test_plastic_takes_its_numbers_from_the_lease(place: Path | Base) -> None:
    with open_desk(place, "one", 5) as one, open_desk(place, "two", 5) as two:
        reserve(two, 1)
        fleet = order(one, way=Way.PRINT_FIRST)
        drawn = one.preprints.draw(fleet, Drawer().draws, ANN)
        assert [one.contract_id for one in drawn] == [contract(6), contract(7), contract(8)]
        assert one.leases.next_contract() == 9
        assert one.leases.count().on_plastic == 3


def test_a_visual_number_that_is_taken_takes_its_contract_along(place: Path | Base) -> None:
    """In rising order a number follows its contract: the same one is not drawn again for ever."""
    asked: list[int] = []

    def contract_of(number: int) -> ContractId:
        asked.append(number)
        return contract(number)

    with open_desk(place, "one", 5) as one:
        reserve(one, 2)  # a card from elsewhere, on whose plastic a maker printed the number 2
        card = one.cards.reserve(
            uid=uid(1), chip="NTAG213", profile="link", order_line=None, driver=None,
            draw_visual=lambda: PATTERN.render(asked[-1]),
            contract_of=contract_of, draw_alias=lambda: "alias", actor=ANN,
        )  # fmt: skip
        assert (asked, number_of(card), card.visual_number) == ([2, 3], 3, PATTERN.render(3))


# Given back


def test_what_is_given_back_is_taken_by_the_next_desk(place: Path | Base) -> None:
    with open_desk(place, "one", 5) as one, open_desk(place, "two", 2) as two:
        reserve(one, 1)
        reserve(two, 2)
        with pytest.raises(MoveNotAllowed):
            two.leases.give_back("one", ANN)
        given = two.leases.give_back("one", SUE)
        assert (given.place, given.next, given.last) == ("one", 2, 5)
        with pytest.raises(WrongCall, match="one holds no numbers"):
            one.leases.give_back("one", ANN)
        assert [lease.place for lease in one.leases.all()] == [None, "two"]
        # Its own first, then what was given back, then new ones.
        assert [number_of(reserve(two, n)) for n in range(3, 9)] == [7, 2, 3, 4, 5, 8]
        assert number_of(reserve(one, 20)) == 10
        assert one.leases.give_back("one", ANN).left == 4
        assert one.leases.next_contract() == 11
        check_invariants(one)
        assert one.leases.count().left_out == 0


# At once


def test_desks_that_draw_at_once_draw_no_number_twice(place: Path | Base) -> None:
    """Two of the four are one desk: they share its lease."""
    names, cards = ("one", "two", "three", "three"), 12
    barrier, (receiver, sender) = PROCESSES.Barrier(len(names)), PROCESSES.Pipe(duplex=False)
    desks = [
        PROCESSES.Process(
            target=lease_desks.draw_at_once, args=(place, barrier, sender, name, 100 * (n + 1), cards)
        )
        for n, name in enumerate(names)
    ]
    for desk in desks:
        desk.start()
    answers = []
    while len(answers) < len(desks):
        assert receiver.poll(PATIENCE_S)
        answers.append(receiver.recv())
    for desk in desks:
        desk.join(PATIENCE_S)
    drawn = [number for _, pairs in answers for _, number in pairs]
    assert [number for number, count in Counter(drawn).items() if count > 1] == []
    with open_store(url_of(place)) as store:
        leased = ranges(store)
        check_invariants(store)
    for name, pairs in answers:
        assert all(any(number in one for one in leased[name]) for _, number in pairs)
        if name != "three":
            # What was foretold came true, whatever the other desks did.
            assert all(foretold == number for foretold, number in pairs[1:])
    every = [number for some in leased.values() for one in some for number in one]
    assert len(every) == len(set(every))


def test_a_desk_that_is_killed_finds_the_rest_of_its_lease(place: Path | Base) -> None:
    receiver, sender = PROCESSES.Pipe(duplex=False)
    victim = PROCESSES.Process(target=lease_desks.draw_until_killed, args=(place, "one", sender), daemon=True)
    victim.start()
    for _ in range(3):
        assert receiver.poll(PATIENCE_S)
        last, told_next = receiver.recv()
        assert told_next == last + 1
    victim.kill()
    victim.join(PATIENCE_S)
    while receiver.poll(0):
        last, _ = receiver.recv()
    with open_desk(place, "two") as two, open_desk(place, "one") as one:
        held = one.leases.own()
        assert held.next - last in (1, 2), "what was drawn and not said is drawn"
        others = [number_of(reserve(two, n)) for n in range(1, 8)]
        assert not set(others) & set(range(held.first, held.last + 1))
        assert number_of(reserve(one, 50)) == held.next
        check_invariants(one)


# Older stores, restored stores, stores that somebody changed


def test_a_store_of_version_0009_goes_on_behind_its_numbers(place: Path | Base) -> None:
    with open_store(url_of(place)) as store:
        cards = [issue(store, number) for number in range(1, 8)]
    as_in(place, "0010")
    sql(place, "DROP TABLE lease")
    sql(place, "UPDATE alembic_version SET version_num = '0009'")
    with open_desk(place, "one") as one:
        assert (one.migration.before, one.migration.after) == ("0009", migrations.REVISIONS[-1])
        assert one.cards.listing() == cards
        assert one.leases.all() == []
        assert number_of(reserve(one, 8)) == 8
        check_invariants(one)


def test_after_a_restore_no_number_of_a_lease_comes_again(path: Path, tmp_path: Path) -> None:
    """The backup says that the desk holds numbers which it gave out since."""
    file = tmp_path / "backup.db"
    with open_desk(path, "one", 50) as one:
        reserve(one, 1)
        back_up(one.database, file, SUE)
        given_out = {number_of(reserve(one, n)) for n in range(2, 6)}
    path.unlink()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    restore_over(file, path, lambda _: SUE, numbers_left_out=7)
    with open_desk(path, "one", 50) as one:
        assert one.leases.all() == []
        again = {number_of(reserve(one, n)) for n in range(20, 40)}
        assert min(again) == 50 + 7 + 1
        assert not again & given_out
        assert one.leases.count().left_out == 50 + 7 - 1
        check_invariants(one)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE lease SET last_number = 8 WHERE place = 'one'", "numbers 6 to 8 are leased twice"),
        ("UPDATE lease SET last_number = 99 WHERE place = 'two'", "10 were counted off"),
        ("UPDATE lease SET next_number = 0 WHERE place = 'one'", "the lease of numbers 1 to 5 cannot be"),
    ],
)
def test_leases_that_cannot_be_are_found(path: Path, damage: str, words: str) -> None:
    with open_desk(path, "one") as one, open_desk(path, "two") as two:
        reserve(one, 1)
        reserve(two, 2)
        assert one.audit.check().is_sound
        sql(path, damage)
        assert any(words in finding for finding in one.audit.check().findings)
