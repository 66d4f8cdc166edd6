"""Blanks at the desk: goods-in on the virtual reader, cards made of them, counted, destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stations import LINES, Diary, issue_from

from rfid_station.desk.fulfilment import goods_in, stock
from rfid_station.desk.fulfilment.goods_in import Looked, MakersList, Sampling
from rfid_station.desk.inspection import recycle
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Reason, Role
from rfid_station.domain.stock import Lot, LotState, What
from rfid_station.errors import CardLost, CardRefused, Conflict, MoveNotAllowed, NoCard, WrongCall
from rfid_station.reader.opening import open_reader
from rfid_station.simulator.memory import ntag21x

GENUINE = "04E10CDA993C80"
"""The one NTAG213 whose maker's signature a virtual card can have."""


@pytest.fixture
def supervisor(station: Station) -> Iterator[Station]:
    with open_station(station.folder, Actor("Sue", Role.SUPERVISOR)) as opened:
        yield opened


@pytest.fixture
def lot(station: Station, supervisor: Station) -> Lot:
    """Ten released NTAG213 at this desk."""
    got = goods_in.receive(station, "L1", "Maker", "NTAG213", 10)
    return station.store.stock.release(got.id, "virtual", supervisor.actor)


def look(station: Station, lot: Lot, uri: str, wanted: int, told: list[Looked] | None = None) -> Lot:
    reader = open_reader(uri)
    try:
        tell = (lambda _: None) if told is None else told.append
        return Sampling(station, lot, wanted, tell).run(reader, lambda: False)
    finally:
        reader.close()


def stands(station: Station, name: str = "L1") -> dict[str, int]:
    check = station.store.audit.check()
    assert check.is_sound, check
    return {f"{spot}": count for spot, count in station.store.stock.standing(name).balances.items()}


def makers_file(folder: Path, *uids: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(["uid", *uids]) + "\n")
    return path


def test_a_good_sample_releases_the_lot(station: Station) -> None:
    lot = goods_in.receive(station, "L1", "Maker", "ntag 203", 100)
    assert (lot.chip, lot.state) == ("NTAG203", LotState.HELD)
    told: list[Looked] = []
    assert look(station, lot, "sim:ntag203?count=9", 3, told).state is LotState.RELEASED
    assert [(one.taken, one.wanted, one.is_good) for one in told] == [(n, 3, True) for n in (1, 2, 3)]
    (event,) = [one for one in station.store.audit.events() if one.action == "stock.sampled"]
    assert (event.data["taken"], event.data["bad"]) == (3, 0)


def test_a_signed_blank_is_genuine(station: Station) -> None:
    lot = goods_in.receive(station, "L1", "Maker", "NTAG213", 1)
    assert look(station, lot, f"sim:ntag213?uid={GENUINE}", 1).state is LotState.RELEASED


@pytest.mark.parametrize(
    ("chip", "uri", "words"),
    [
        ("NTAG203", "sim:ntag213?count=1", "is a NTAG213, and not a NTAG203"),
        ("NTAG213", "sim:ntag213?fault=clone", "is a NTAG213 clone by Feiju, and not a NTAG213"),
        ("NTAG213", "sim:ntag213?count=1", "is not genuine: a genuine NTAG213 has its maker's signature"),
        ("NTAG203", "sim:ntag203?fault=foreign", "is no blank: it carries"),
        ("NTAG203", "sim:ntag203?fault=random-uid", "cannot become a charging card"),
    ],
)
def test_a_bad_sample_holds_the_lot(station: Station, chip: str, uri: str, words: str) -> None:
    lot = goods_in.receive(station, "L1", "Maker", chip, 10)
    with pytest.raises(CardRefused, match=f"lot L1 is held: 1 of 1 in the sample are bad; one .*{words}"):
        look(station, lot, uri, 1)
    held = station.store.stock.lot("L1")
    assert held.state is LotState.HELD
    assert words in (held.state_reason or "")
    assert "UID" not in f"{[e.data for e in station.store.audit.events()]}".replace("random UID", "")


def test_a_signature_of_another_chip_is_none(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = property(lambda _: ntag21x._SAMPLE_SIGNATURE)
    monkeypatch.setattr(ntag21x.VirtualNtag21x, "signature", copied)
    lot = goods_in.receive(station, "L1", "Maker", "NTAG213", 10)
    with pytest.raises(
        CardRefused, match="is not genuine: its signature was made with none of the maker's keys"
    ):
        look(station, lot, "sim:ntag213", 1)


def test_after_a_bad_sample_a_supervisor_decides(station: Station, supervisor: Station) -> None:
    lot = goods_in.receive(station, "L1", "Maker", "NTAG203", 10)
    with pytest.raises(CardRefused):
        look(station, lot, "sim:ntag213", 1)
    with pytest.raises(MoveNotAllowed, match="the sample is good, and lot L1 stays held"):
        look(station, lot, "sim:ntag203?count=2", 2)
    assert look(supervisor, lot, "sim:ntag203?count=2&seed=9", 2).state is LotState.RELEASED


def test_too_few_blanks_decide_nothing(station: Station) -> None:
    lot = goods_in.receive(station, "L1", "Maker", "NTAG203", 10)
    with pytest.raises(NoCard, match="1 of 2 blanks were looked at"):
        look(station, lot, "sim:ntag203?count=1", 2)
    assert station.store.stock.lot("L1").state is LotState.HELD


def test_the_same_blank_is_one_sample_and_one_that_left_is_none(station: Station) -> None:
    lot = goods_in.receive(station, "L1", "Maker", "NTAG203", 10)
    told: list[Looked] = []
    with pytest.raises(NoCard, match="1 of 2 blanks"):
        look(station, lot, "sim:ntag203?fault=duplicate", 2, told)
    assert [(one.taken, one.counts) for one in told] == [(1, True), (1, False)]
    told.clear()
    with pytest.raises(NoCard, match="0 of 1 blanks"):
        look(station, lot, "sim:ntag203?fault=vanish", 1, told)
    assert [one.counts for one in told] == [False]


def test_a_card_of_ours_is_no_sample(station: Station, tmp_path: Path) -> None:
    uri = f"sim:ntag203?deck={tmp_path / 'deck.json'}&count=1"
    made = issue_from(station, uri).issued[0]
    lot = goods_in.receive(station, "L1", "Maker", "NTAG203", 10)
    with pytest.raises(CardRefused, match=f"is card {made.visual_number} already"):
        look(station, lot, uri + "&start=0", 1)


def test_a_blank_must_be_in_the_makers_list(station: Station, tmp_path: Path) -> None:
    path = makers_file(tmp_path, "04112233445566", "04112233445577")
    lot = goods_in.receive(station, "L1", "Maker", "NTAG203", 2, makers_list=MakersList(path))
    with pytest.raises(CardRefused, match="is not in the maker's list"):
        look(station, lot, "sim:ntag203?uid=04112233445588", 1)
    other = goods_in.receive(station, "L2", "Maker", "NTAG203", 2)
    with pytest.raises(CardRefused, match="is a blank of lot L1, by the maker's list"):
        look(station, other, "sim:ntag203?uid=04112233445566", 1)
    third = goods_in.receive(
        station, "L3", "Maker", "NTAG203", 1, makers_list=MakersList(makers_file(tmp_path, "04AABBCCDDEE80"))
    )
    assert look(station, third, "sim:ntag203?uid=04AABBCCDDEE80", 1).state is LotState.RELEASED


def test_a_reversed_list_is_never_turned_by_itself(station: Station, tmp_path: Path) -> None:
    right = [f"04{n:010X}7F" for n in range(20, 30)]
    path = makers_file(tmp_path, *(bytes.fromhex(uid)[::-1].hex() for uid in right))
    told = []
    with pytest.raises(WrongCall, match="nothing was received"):
        goods_in.receive(station, "L1", "M", "NTAG213", 10, makers_list=MakersList(path, tell=told.append))
    assert told[0].remedy == "nothing is turned by itself: add --uid-form reversed"
    assert station.store.stock.standings() == []
    form = goods_in.UidForm.REVERSED
    lot = goods_in.receive(station, "L1", "M", "NTAG213", 10, makers_list=MakersList(path, form))
    assert station.store.stock.lot_of_uids(right) == dict.fromkeys(right, lot.name)


def test_a_list_of_something_else_is_refused(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("uid,chip\n04112233445566,NTAG215\n")
    with pytest.raises(WrongCall, match="row 2 says NTAG215, and the lot is of NTAG213"):
        goods_in.receive(station, "L1", "M", "NTAG213", 1, makers_list=MakersList(path))
    path.write_text("reference,name\n1,Jan\n")
    with pytest.raises(WrongCall, match="lists no UIDs"):
        goods_in.receive(station, "L1", "M", "NTAG213", 1, makers_list=MakersList(path))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ntag213", "NTAG213"),
        ("NTAG 424 DNA", "NTAG 424 DNA"),
        ("mifare desfire ev3", "MIFARE DESFire EV3"),
        ("MIFARE Classic 1K", "MIFARE Classic 1K"),
    ],
)
def test_chips_are_named_as_they_are_read(station: Station, written: str, name: str) -> None:
    assert goods_in.chip_name(station, written) == name


def test_an_unknown_chip_offers_the_nearest(station: Station) -> None:
    with pytest.raises(WrongCall, match="no chip is called 'NTAG2013'") as unknown:
        goods_in.chip_name(station, "NTAG2013")
    assert "did you mean 'NTAG213'?" in (unknown.value.hint or "")


def test_the_loop_takes_blanks_and_stops_where_there_are_none(station: Station, lot: Lot) -> None:
    stock.transfer(station, "L1", 8, to="cellar")
    diary = Diary()
    tally = issue_from(station, "sim:ntag213?count=3", LINES, view=diary)
    assert len(tally.issued) == 2
    assert diary.entries[-2].startswith("Conflict: no blank NTAG213 is on hand at desk-1")
    assert tally.failures[0].hint == "rfid-station stock transfer L1 1 --from cellar --to desk-1"
    assert list(tally.open_lines) == ["fleet:3"]
    assert stands(station) == {"issued": 2, "on hand at cellar": 8}


def test_a_blank_is_refused_before_it_is_touched(station: Station, lot: Lot, tmp_path: Path) -> None:
    stock.transfer(station, "L1", 10, to="cellar")
    deck = tmp_path / "deck.json"
    assert issue_from(station, f"sim:ntag213?count=1&deck={deck}").issued == []
    stock.transfer(station, "L1", 1, to="desk-1", source="cellar")
    (made,) = issue_from(station, f"sim:ntag213?count=1&deck={deck}&start=0").issued
    assert made.contract_id.compact.endswith("C00000001")
    assert stands(station) == {"issued": 1, "on hand at cellar": 9}


def test_a_torn_card_takes_one_blank(station: Station, lot: Lot) -> None:
    tally = issue_from(station, "sim:ntag213?count=1&tear=9", LINES[:1])
    assert [type(error) for error in tally.failures] == [CardLost]
    assert len(tally.issued) == 1
    assert stands(station) == {"issued": 1, "on hand at desk-1": 9}


def test_a_defective_chip_is_spoiled_stock(station: Station, lot: Lot) -> None:
    tally = issue_from(station, "sim:ntag213?count=2&fault=stuck", LINES[:1])
    assert len(tally.issued) == 1
    assert stands(station) == {"issued": 1, "on hand at desk-1": 8, "spoiled": 1}
    (spoiled,) = station.store.cards.listing(state=CardState.SPOILED)
    assert stock.destroy_card(station, spoiled, "stuck", "Sue") == "Sue"
    assert stands(station) == {"issued": 1, "on hand at desk-1": 8, "destroyed": 1}


def test_a_recycled_card_is_on_hand_again(station: Station, lot: Lot, tmp_path: Path) -> None:
    deck = f"&deck={tmp_path / 'deck.json'}"
    (made,) = issue_from(station, "sim:ntag213?count=1" + deck, profile="link").issued
    assert made.state is CardState.ACTIVE
    station.store.cards.move(made.id, CardState.RETIRED, Reason.RETURNED, _support(station), station.token)
    reader = open_reader("sim:ntag213?count=1&start=0" + deck)
    try:
        recycle(station, next(iter(reader.cards(lambda: False))))
    finally:
        reader.close()
    assert stands(station) == {"on hand at desk-1": 9, "samples": 1}


def _support(station: Station) -> object:
    return replace(station.actor, role=Role.SUPPORT)


def asking(*answers: int) -> tuple[list[tuple[str, bool]], object]:
    """Somebody who counts, and what they were asked."""
    asked: list[tuple[str, bool]] = []
    numbers: Iterator[int] = iter(answers)

    def ask(lot: Lot, again: bool) -> int:
        asked.append((lot.name, again))
        return next(numbers)

    return asked, ask


def test_a_count_asks_once_more_and_then_for_a_second_person(station: Station, lot: Lot) -> None:
    lots = stock.lots_to_count(station, {}, "desk-1")
    asked, ask = asking(9, 10)
    (right,) = stock.count(station, "desk-1", lots, ask, None)
    assert (asked, right.variance) == ([("L1", False), ("L1", True)], 0)
    _, ask = asking(9, 9)
    with pytest.raises(MoveNotAllowed, match="nothing was booked: lot L1 is not what should be") as refused:
        stock.count(station, "desk-1", lots, ask, None)
    assert "10" not in f"{refused.value.message}{refused.value.hint}"
    _, ask = asking(9, 9)
    with pytest.raises(MoveNotAllowed, match="tess is at the keyboard"):
        stock.count(station, "desk-1", lots, ask, "tess")
    assert stands(station) == {"on hand at desk-1": 10}
    _, ask = asking(9, 9)
    (found,) = stock.count(station, "desk-1", lots, ask, "Sue")
    assert (found.variance, found.witness) == (-1, "Sue")
    assert stands(station) == {"on hand at desk-1": 9, "missing": 1}


def test_destroying_takes_two_people(station: Station, lot: Lot) -> None:
    with pytest.raises(MoveNotAllowed, match="it takes two people to destroy 2 blanks of lot L1"):
        stock.destroy(station, "L1", 2, What.BLANKS, "bent", None)
    stock.destroy(station, "L1", 2, What.BLANKS, "bent", "Sue")
    stock.keep(station, "L1", 3, "wall of samples")
    stock.destroy(station, "L1", 1, What.SAMPLES, "scratched", "Sue")
    with pytest.raises(Conflict, match="lot L1 has 0 spoiled, and 1 are to be taken"):
        stock.destroy(station, "L1", 1, What.SPOILED, "bent", "Sue")
    assert stands(station) == {"on hand at desk-1": 5, "samples": 2, "destroyed": 3}
