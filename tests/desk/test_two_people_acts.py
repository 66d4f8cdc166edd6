"""What takes two people where people sign in: many cards stopped at once, whitelist ALWAYS, and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_files import nxp_uids
from people import Typist, signed_in, station_with_people

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import FEW, run
from rfid_station.desk.keys.making import make_key
from rfid_station.desk.partners.agreeing import Terms, agree, rehearse
from rfid_station.desk.partners.connecting import add_partner
from rfid_station.desk.partners.invitation import invite_partner
from rfid_station.desk.people import slow_hash
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState
from rfid_station.domain.token import Whitelist
from rfid_station.encode import key_ring
from rfid_station.errors import Conflict, MoveNotAllowed

NOWHERE = "http://127.0.0.1:9/ocpi/versions"
ALWAYS = Agreement(whitelist=Whitelist.ALWAYS)


@pytest.fixture(autouse=True)
def light_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_hash, "_COST", 2)
    monkeypatch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", "four words by chance")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return station_with_people(tmp_path / "station")


def witnesses(station: Station, action: str) -> list[tuple[str, Any]]:
    found = station.store.audit.events()
    return [(one.actor.name, one.data.get("witness")) for one in found if one.action == action]


def carry_out(station: Station, path: Path, witness: str | None = None) -> int:
    with open_table(path) as table:
        check = Check(table, Wish(path.stem), station.number_pattern)
        return run(station, check, partial=False, witness=witness).done


def cards_and_file(station: Station, tmp_path: Path, count: int) -> Path:
    lot = tmp_path / "lot.csv"
    lot.write_text("uid,reference\n" + "".join(f"{uid.hex()},E-{n}\n" for n, uid in enumerate(nxp_uids(20))))
    carry_out(station, lot)
    stop = tmp_path / "stop.csv"
    cards = station.store.cards.listing()[:count]
    stop.write_text("number;action;reason\n" + "".join(f"{one.visual_number};block;lost\n" for one in cards))
    return stop


def blocked(station: Station) -> int:
    return sum(card.state is CardState.BLOCKED for card in station.store.cards.listing())


def test_one_person_stops_a_few_cards_by_file(folder: Path, tmp_path: Path) -> None:
    with signed_in(folder, "Tess") as station:
        assert carry_out(station, cards_and_file(station, tmp_path, FEW)) == FEW
        assert set(witnesses(station, "card.blocked")) == {("Tess", None)}


def test_two_people_stop_many(folder: Path, tmp_path: Path) -> None:
    typist = Typist()
    with signed_in(folder, "Tess", typist) as station:
        stop = cards_and_file(station, tmp_path, FEW + 1)
        for witness in (None, "Tess", "Sam"):
            with pytest.raises(MoveNotAllowed):
                carry_out(station, stop, witness)
        assert blocked(station) == 0
        assert carry_out(station, stop, "Sue") == FEW + 1
        assert typist.asked[-1] == "PIN of Sue, to stop 11 cards by stop.csv"
        assert set(witnesses(station, "card.blocked")) == {("Tess", "Sue")}
        assert station.store.audit.check().is_sound


@pytest.mark.parametrize(
    "act",
    [
        lambda station, witness: add_partner(station, "cpo", NOWHERE, "a-token", ALWAYS, witness=witness),
        lambda station, witness: invite_partner(station, "cpo", ALWAYS, witness=witness),
    ],
)
def test_nobody_agrees_on_always_alone(folder: Path, act: Callable[[Station, str | None], object]) -> None:
    with signed_in(folder, "Sue") as station:
        with pytest.raises(MoveNotAllowed, match="it takes two people to agree on whitelist ALWAYS with cpo"):
            act(station, None)
        assert station.store.partners.all() == []
        act(station, "Tess")
        (event,) = [*witnesses(station, "partner.added"), *witnesses(station, "partner.invited")]
        assert event == ("Sue", "Tess")


def test_an_agreement_becomes_always_by_two(folder: Path) -> None:
    terms = Terms(whitelist=Whitelist.ALWAYS)
    with signed_in(folder, "Tess") as station:
        add_partner(station, "cpo", NOWHERE, "a-token", Agreement())
        assert rehearse(station, "cpo", terms)[0].whitelist is Whitelist.ALWAYS
        for witness in (None, "Sam"):
            with pytest.raises(MoveNotAllowed):
                agree(station, "cpo", terms, witness=witness)
        assert station.store.partners.get("cpo").agreement.whitelist is None
        agree(station, "cpo", terms, witness="Sue")
        agree(station, "cpo", Terms(block_within="10m"))
        assert witnesses(station, "partner.agreed") == [("Tess", "Sue"), ("Tess", None)]


def test_keys_are_made_and_rotated_by_two(folder: Path) -> None:
    with signed_in(folder, "Sue") as station:
        with pytest.raises(MoveNotAllowed, match="it takes two people to make key cards"):
            make_key(station, "cards")
        assert not station.cupboard.ring_file.exists()
        make_key(station, "cards", witness="Tess")
        with pytest.raises(MoveNotAllowed, match="it takes two people to rotate key cards"):
            make_key(station, "cards", next_version=True)
        make_key(station, "cards", next_version=True, witness="Sam")
        with pytest.raises(Conflict):
            make_key(station, "cards", witness="Tess")
        assert witnesses(station, "key.made") == [("Sue", "Tess"), ("Sue", "Sam")]
