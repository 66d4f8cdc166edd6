"""Four operators, one for each whitelist, with charging stations by OCPP: what these say to five cards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from page_world import path_of, served
from stations import issue_from, listening_anywhere, new_station

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.serving import plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.desk.support.trying import Question, try_card
from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.domain.charge_point import StationMode
from rfid_station.domain.order import OrderLine
from rfid_station.domain.token import Whitelist
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.simulator.ocpp.driven import DrivenStation
from rfid_station.simulator.ocpp.memory import Memory
from rfid_station.simulator.ocpp.station import Habits
from rfid_station.simulator.ocpp.values import SUBPROTOCOLS

SUPERVISOR = Actor("Sue", Role.SUPERVISOR)
FIRST_TOKEN = "first-token-out-of-band"

ACTIVE, BLOCKED, EXPIRED = "active", "blocked", "expired"
OWED, NEW = "blocked, the partner not told yet", "new, the partner not told yet"
CARDS = (ACTIVE, BLOCKED, EXPIRED, OWED, NEW)
FOR = [OrderLine(f"fleet:{number}", None) for number in range(len(CARDS))]


@dataclass(frozen=True)
class Place:
    """One cell of the table."""

    protocol: str
    card: str
    whitelist: Whitelist
    is_reached: bool
    mode: StationMode


@dataclass(frozen=True)
class Outcome:
    """What a station said, and what `card try` had said before."""

    said: str
    predicted: str
    why: tuple[str, ...]


@dataclass
class Operator:
    """One partner, and its stations: one of each kind for each version of OCPP."""

    cpo: VirtualCpo
    stations: dict[tuple[str, StationMode], DrivenStation]


def outcomes(folder: Path) -> dict[Place, Outcome]:
    """Everything that stations say: four whitelists, five cards, three stations, we within reach or not."""
    listening_anywhere(new_station(folder), timeout_s=1.0)
    with ExitStack() as stack:
        station = stack.enter_context(open_station(folder, SUPERVISOR))
        operators = {one: _operator(stack, station, one) for one in Whitelist}
        cards = dict(zip((ACTIVE, BLOCKED, EXPIRED, OWED), _make(station, FOR[:-1]), strict=True))
        with answering(station):
            _use_everywhere(operators, cards)
        _stop(station, operators, cards)
        found: dict[Place, Outcome] = {}
        with answering(station):
            found |= _tap_everywhere(station, operators, cards, is_reached=True)
        return found | _tap_everywhere(station, operators, cards, is_reached=False)


@contextmanager
def answering(station: Station) -> Iterator[None]:
    """Be within reach of partners that ask."""
    with running(station, plan_for(station, sync=False), lambda _: None, access_log=False):
        yield


def _operator(stack: ExitStack, station: Station, whitelist: Whitelist) -> Operator:
    cpo = stack.enter_context(VirtualCpo(FIRST_TOKEN, ocpp_port=0))
    name = whitelist.lower()
    add_partner(station, name, cpo.versions_url, FIRST_TOKEN, Agreement(whitelist=whitelist))
    connect_partner(station, name)
    stations = {
        (protocol, mode): stack.enter_context(_station(cpo, protocol, mode))
        for protocol in SUBPROTOCOLS
        for mode in StationMode
    }
    return Operator(cpo, stations)


def _station(cpo: VirtualCpo, protocol: str, mode: StationMode) -> DrivenStation:
    is_cached = mode is StationMode.CACHED
    habits = Habits(protocol, pre_authorizes=is_cached)
    return DrivenStation(cpo.ocpp_url, f"{mode}-{protocol}", habits, Memory(has_list=not is_cached))


def _make(station: Station, lines: list[OrderLine]) -> list[Card]:
    made = issue_from(station, f"sim:ntag213?count={len(lines)}", lines).issued
    deliver(station, 20)
    return made


def _use_everywhere(operators: dict[Whitelist, Operator], cards: dict[str, Card]) -> None:
    """Every card charges once at every station; then those that lose their line lose it."""
    for operator in operators.values():
        for charger in operator.stations.values():
            charger.connect()
            for card in cards.values():
                assert charger.tap(card.uid.hex).outcome == "Accepted"
        for (_, mode), charger in operator.stations.items():
            if mode is StationMode.OFFLINE:
                charger.disconnect()


def _stop(station: Station, operators: dict[Whitelist, Operator], cards: dict[str, Card]) -> None:
    """Stop two cards, one by its driver; and then a third that no partner hears of, nor of a new one."""
    cards[BLOCKED] = _report_lost(station, cards[BLOCKED])
    expired = move_and_push(station, cards[EXPIRED], CardState.EXPIRED, Reason.DATE_PASSED)
    expired.check_confirmed()
    cards[EXPIRED] = expired.card
    for operator in operators.values():
        operator.cpo.faults.add(Fault(FaultKind.ABORT))
    untold = move_and_push(station, cards[OWED], CardState.BLOCKED, Reason.LOST)
    assert not any(one.is_confirmed for one in untold.confirmations)
    cards[OWED] = untold.card
    cards[NEW] = issue_from(station, "sim:ntag213?seed=7", FOR[-1:]).issued[0]


def _report_lost(station: Station, card: Card) -> Card:
    """Be the driver: open the page of the card on a phone, and report it lost by the code of the letter."""
    code = draw_code(station, card).code
    with served(station) as pages:
        assert pages.phone.by_code(card, "lost", code).status == 303
        deliver(station, 20)
        assert pages.phone.get(path_of(card)).text.count("knows it") == len(Whitelist)
    return station.store.cards.by_id(card.id)


def _tap_everywhere(
    station: Station, operators: dict[Whitelist, Operator], cards: dict[str, Card], *, is_reached: bool
) -> dict[Place, Outcome]:
    found = {}
    for whitelist, operator in operators.items():
        partner = station.store.partners.get(whitelist.lower())
        for (protocol, mode), charger in operator.stations.items():
            for name, card in cards.items():
                predicted = try_card(station, card, partner, Question(mode, is_reached=is_reached))
                with _as_before(charger.memory):
                    tapped = charger.tap(card.uid.hex)
                # 2.0.1 has a word of its own for a card that nobody knows.
                said = tapped.outcome.replace("Unknown", "Invalid")
                place = Place(protocol, name, whitelist, is_reached, mode)
                found[place] = Outcome(said, predicted.verdict.outcome, tapped.steps)
    return found


@contextmanager
def _as_before(memory: Memory) -> Iterator[None]:
    """Let no tap be remembered: the next one is to find the station as this one did."""
    cache = dict(memory.cache)
    yield
    memory.cache = cache


# As a table


def table(found: dict[Place, Outcome], protocol: str) -> str:
    """The outcomes by one version of OCPP, as the document has them."""
    return "\n".join(
        f"**{words}**\n\n{_half(found, protocol, is_reached=is_reached)}"
        for words, is_reached in (("The partner reaches us", True), ("It does not reach us", False))
    )


def _half(found: dict[Place, Outcome], protocol: str, *, is_reached: bool) -> str:
    lines = [
        f"| the card | whitelist | {' | '.join(StationMode)} |",
        "|" + "---|" * (2 + len(StationMode)),
    ]
    for name in CARDS:
        for whitelist in Whitelist:
            cells = [found[Place(protocol, name, whitelist, is_reached, mode)].said for mode in StationMode]
            lines.append(f"| {name} | {whitelist} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
