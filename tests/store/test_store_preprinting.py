"""Numbers on plastic: unique against cards and each other, matched once, spoiled with their plastic."""

from __future__ import annotations

import random
from pathlib import Path

import order_world
import pytest
from order_world import Drawer, finish, item, order, print_plastic, reserve_for, spoil
from postgresql_base import Base
from store_world import ANN, PATTERN, contract, reserve, sql, tell, url_of
from store_world import drawn as drawn_of
from warm_processes import PROCESSES

from rfid_station.domain.card import CardState
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.order import Way
from rfid_station.domain.uid import CardUid
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.numbering import Draws
from rfid_station.store.opening import Store, open_store
from rfid_station.store.prints import PrintItem

DESKS = 3


def test_numbers_are_drawn_once_for_each_line_that_wants_some(store: Store) -> None:
    fleet = order(store, way=Way.PRINT_FIRST)
    drawer = Drawer()
    first = store.preprints.draw(fleet, drawer.draws, ANN)
    assert [one.line for one in first] == ["fleet:R1", "fleet:R2", "fleet:R3"]
    assert [one.driver.reference for one in first] == ["R1", "R2", "R3"]
    assert store.preprints.draw(fleet, drawer.draws, ANN) == first == store.preprints.unprinted(fleet)
    assert store.preprints.wanting(fleet) == 0
    assert print_plastic(store, fleet, drawer) == [one.id for one in first]
    assert store.preprints.unprinted(fleet) == []
    assert item(store, fleet).printed_number == first[0].visual_number


def test_plastic_takes_no_number_of_a_card_and_a_card_none_of_plastic(store: Store) -> None:
    fleet = order(store, count=2, way=Way.PRINT_FIRST)
    reserve(store, 7)
    numbers = iter([PATTERN.render(7), PATTERN.render(8), PATTERN.render(8), PATTERN.render(9)])
    aliases = iter(["alias-7", "A", "A", "B"])
    contracts = iter([contract(1), contract(50), contract(50), contract(51)])
    draws = Draws(lambda _: next(contracts), lambda: next(numbers), lambda: next(aliases))
    drawn = store.preprints.draw(fleet, draws, ANN)
    assert [(one.visual_number, one.alias) for one in drawn] == [
        (PATTERN.render(8), "A"),
        (PATTERN.render(9), "B"),
    ]
    assert [one.contract_id for one in drawn] == [contract(50), contract(51)]
    visuals, own = iter([PATTERN.render(8), PATTERN.render(10)]), iter([contract(50)])
    card = store.cards.reserve(
        uid=CardUid(bytes.fromhex("04AABBCCDDEE01")),
        chip="NTAG213",
        profile="link",
        order_line=None,
        driver=None,
        draw_visual=lambda: next(visuals),
        contract_of=lambda number: next(own, contract(number + 100)),
        draw_alias=drawn_of("B", "C"),
        actor=ANN,
    )
    assert (card.visual_number, card.alias) == (PATTERN.render(10), "C")
    assert card.contract_id not in (contract(50), contract(51))


class _Bulk:
    """Numbers of a maker's list that begin where plastic has them already."""

    def __init__(self, first: int) -> None:
        self.visual, self.alias = first, 0

    def contract_of(self, number: int) -> ContractId:
        return contract(number)

    def draw_visual(self) -> str:
        self.visual += 1
        return PATTERN.render(self.visual - 1)

    def draw_alias(self) -> str:
        self.alias += 1
        return f"BULK{self.alias}"


def test_a_makers_list_takes_no_number_of_plastic_either(store: Store, place: Path | Base) -> None:
    fleet = order(store, count=2, way=Way.PRINT_FIRST)
    taken = store.preprints.draw(fleet, Drawer(500).draws, ANN)
    sql(place, "UPDATE meta SET contract_count = 0")
    new = [
        NewCard(CardUid(bytes.fromhex("04AABBCCDDEE01")), "lot", "1", "NTAG213", "plain"),
        NewCard(
            CardUid(bytes.fromhex("04AABBCCDDEE02")),
            "lot",
            "2",
            "NTAG213",
            "plain",
            visual_number=taken[1].visual_number,
        ),
    ]
    with store.bulk.registering(numbers=_Bulk(501), token_of=tell, activate=False, actor=ANN) as registrar:
        good, bad = registrar.add(new)
    assert good.visual_number == PATTERN.render(503)
    assert bad.refusal == f"number {taken[1].visual_number} is printed on plastic that waits for its chip"
    assert store.cards.listing()[0].contract_id not in {one.contract_id for one in taken}


def test_a_matched_card_has_the_numbers_the_line_and_the_place_on_the_sheet(store: Store) -> None:
    fleet = order(store, way=Way.PRINT_FIRST)
    plastic = print_plastic(store, fleet)
    printed = store.preprints.find([item(store, fleet, 2).printed_number.replace("-", "")], [])
    assert printed.id == plastic[1]
    card = finish(store, reserve_for(store, 1, "fleet:R1", preprinted=printed.id))
    assert (card.visual_number, card.alias, card.contract_id, card.order_line, card.driver) == (
        printed.visual_number,
        printed.alias,
        printed.contract_id,
        "fleet:R2",
        printed.driver,
    )
    (place,) = store.prints.of_card(card.id)
    assert (place.job_id, place.position) == (1, 2)
    assert [one.card.visual_number for one in store.prints.on_sheet(1)] == [
        store.preprints.find([], [f"PLASTIC{number:05}"]).visual_number for number in (501, 502, 503)
    ]
    assert item(store, fleet, 2).is_printed
    assert [jobs[1] for jobs in store.prints.jobs()] == [3]


def test_a_number_of_plastic_on_another_card_is_no_sound_store(store: Store, path: Path) -> None:
    print_plastic(store, order(store, count=1, way=Way.PRINT_FIRST))
    card = reserve(store, 7)
    assert store.audit.check().is_sound
    sql(path, "UPDATE card SET alias = 'PLASTIC00501' WHERE id = ?", card.id)
    findings = store.audit.check().findings
    assert findings == (f"card {card.visual_number} has the alias that is printed on other plastic",)


def test_plastic_is_matched_once(store: Store) -> None:
    fleet = order(store, way=Way.PRINT_FIRST)
    plastic = print_plastic(store, fleet)
    reserve_for(store, 1, None, preprinted=plastic[0])
    with pytest.raises(Conflict, match="has its chip already"):
        reserve_for(store, 2, None, preprinted=plastic[0])
    with pytest.raises(WrongCall, match="there is no printed number 99"):
        reserve_for(store, 2, None, preprinted=99)
    assert len(store.cards.listing()) == 1


def test_a_card_of_a_print_first_order_needs_plastic(store: Store) -> None:
    fleet = order(store, way=Way.PRINT_FIRST)
    print_plastic(store, fleet)
    with pytest.raises(Conflict, match="the cards of order fleet are printed first: scan the number"):
        reserve_for(store, 1, "fleet:R1")


def test_a_bad_chip_spoils_the_number_and_the_next_print_draws_another(store: Store) -> None:
    fleet = order(store, count=1, way=Way.PRINT_FIRST)
    drawer = Drawer()
    (plastic,) = print_plastic(store, fleet, drawer)
    spoil(store, reserve_for(store, 1, None, preprinted=plastic))
    spoiled = store.preprints.find([], ["PLASTIC00501"])
    assert spoiled.spoil_reason == "encode_failed"
    assert item(store, fleet).printed_number is None
    assert store.orders.progress(fleet, store.orders.items(fleet)).spoiled == 1
    (fresh,) = print_plastic(store, fleet, drawer)
    assert fresh != plastic
    card = finish(store, reserve_for(store, 2, None, preprinted=fresh))
    assert card.visual_number != spoiled.visual_number
    spoil(store, card)
    assert store.preprints.find([], [card.alias]).spoil_reason == "misprint"


def test_waste_plastic_is_not_matched_and_its_line_gets_another(store: Store) -> None:
    fleet = order(store, count=1, way=Way.PRINT_FIRST)
    drawer = Drawer()
    (plastic,) = print_plastic(store, fleet, drawer)
    store.preprints.spoil(plastic, "smeared", ANN)
    store.preprints.spoil(plastic, "smeared again", ANN)
    with pytest.raises(Conflict, match=r"is spoiled \(smeared\)"):
        reserve_for(store, 1, None, preprinted=plastic)
    assert store.orders.progress(fleet, store.orders.items(fleet)).spoiled == 1
    (fresh,) = print_plastic(store, fleet, drawer)
    reserve_for(store, 1, None, preprinted=fresh)
    with pytest.raises(Conflict, match="has its chip already"):
        store.preprints.spoil(fresh, "late", ANN)


def test_a_cancelled_line_spoils_its_plastic(store: Store) -> None:
    fleet = order(store, count=2, way=Way.PRINT_FIRST)
    plastic = print_plastic(store, fleet)
    store.orders.cancel(fleet, [1], "left", ANN)
    with pytest.raises(Conflict, match=r"is spoiled \(line cancelled: left\)"):
        reserve_for(store, 1, None, preprinted=plastic[0])
    assert reserve_for(store, 1, None, preprinted=plastic[1]).order_line == "fleet:R2"


def test_plastic_is_printed_again_only_with_a_reason(store: Store) -> None:
    fleet = order(store, count=1, way=Way.PRINT_FIRST)
    (plastic,) = print_plastic(store, fleet)
    again = [PrintItem(None, 1, 1, preprinted_id=plastic)]
    made = {"design": "classic", "sheet": "a4", "file_sha256": "00", "items": again, "actor": ANN}
    with pytest.raises(Conflict, match=r"was printed before, in job 1 by ann"):
        store.prints.record(**made)
    with pytest.raises(Conflict, match=r"was printed before, in job 1 by ann"):
        store.prints.check_again((), "sheet", None, [plastic])
    assert store.prints.record(**made, reason="smeared") == 2


def test_of_several_desks_that_scan_the_same_plastic_one_wins(path: Path) -> None:
    with open_store(url_of(path)) as store:
        plastic = print_plastic(store, order(store, way=Way.PRINT_FIRST))
    for attempt in range(2):
        barrier = PROCESSES.Barrier(DESKS)
        receiver, sender = PROCESSES.Pipe(duplex=False)
        desks = [
            PROCESSES.Process(
                target=order_world.match_at_once,
                args=(path, barrier, sender, 10 * attempt + desk, plastic[attempt]),
            )
            for desk in range(DESKS)
        ]
        for desk in desks:
            desk.start()
        for desk in desks:
            desk.join(60)
            assert desk.exitcode == 0
        answers = [receiver.recv() for _ in desks]
        assert answers.count("won") == 1
        assert sum("has its chip already" in answer for answer in answers) == DESKS - 1
    with open_store(url_of(path)) as store:
        assert len(store.cards.listing()) == 2
        assert store.audit.check().is_sound


def test_killed_between_scan_and_green_the_plastic_is_free_or_matched_and_never_both(path: Path) -> None:
    choose = random.Random(20261122)
    with open_store(url_of(path)) as store:
        fleet = order(store, count=60, way=Way.PRINT_FIRST)
        free = print_plastic(store, fleet)
    for kill in range(5):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        desk = PROCESSES.Process(
            target=order_world.match_until_killed, args=(path, 1000 * (kill + 1), free, sender), daemon=True
        )
        desk.start()
        sender.close()
        told = [receiver.recv() for _ in range(choose.randrange(2, 8))]
        desk.kill()
        desk.join(60)
        try:
            while True:
                told.append(receiver.recv())
        except (EOFError, OSError):
            pass
        with open_store(url_of(path)) as store:
            for preprinted, said in told:
                if said != "begins":
                    assert sql(path, "SELECT card_id FROM preprinted WHERE id = ?", preprinted) != [(None,)]
            matched = sql(
                path,
                "SELECT p.id, p.visual_number, p.alias, c.visual_number, c.alias"
                " FROM preprinted p JOIN card c ON c.id = p.card_id",
            )
            assert all(row[1:3] == row[3:5] for row in matched)
            assert store.audit.check().is_sound
            half = [card for card in store.cards.listing() if card.state.is_unfinished]
            for card in half:
                assert finish(store, card).state is CardState.ISSUED
            free = [one for one in free if one not in {row[0] for row in matched}]
    assert len(free) < 60
