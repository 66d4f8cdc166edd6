"""One row of a file of changes: compared with its card first, so that the same file again changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rfid_station.desk.batch.actions import MOVES_TO, Action
from rfid_station.desk.batch.rows import Entry
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Driver, Reason, Replacement, ReplaceWhen, check_move
from rfid_station.domain.card_group import check_group
from rfid_station.errors import MoveNotAllowed, WrongCall


@dataclass(frozen=True, slots=True)
class Change:
    """How one kind of change is compared, checked and made."""

    is_made: Callable[[Station, Entry, Card], bool]
    check: Callable[[Station, Entry, Card], None]
    """Raises what `make` would raise."""
    make: Callable[[Station, Entry, Card], object]


def change_for(entry: Entry) -> Change:
    """What a row asks for."""
    return _OTHERS.get(entry.action or Action.UPDATE, _MOVE)


def _is_moved(_station: Station, entry: Entry, card: Card) -> bool:
    return card.state is _state(entry)


def _check_move(station: Station, entry: Entry, card: Card) -> None:
    check_move(card, _state(entry), station.actor.role, _reason(entry))
    _refuse_unfinished(card)


def _move(station: Station, entry: Entry, card: Card) -> Card:
    return station.store.cards.move(
        card.id, to=_state(entry), reason=_reason(entry), actor=station.actor, token_of=station.token
    )


def _state(entry: Entry) -> CardState:
    return MOVES_TO[entry.action or Action.UPDATE]


def _reason(entry: Entry) -> Reason | None:
    return Reason.DATE_PASSED if entry.action is Action.EXPIRE else entry.reason


def _is_replaced(station: Station, _entry: Entry, card: Card) -> bool:
    return card.replacement is not None or station.store.replacements.successor(card) is not None


def _check_replacement(station: Station, entry: Entry, card: Card) -> None:
    station.store.replacements.state_when_asked(card, _replacement(station, entry), station.actor)


def _ask_replacement(station: Station, entry: Entry, card: Card) -> Card:
    return station.store.replacements.ask(card.id, _replacement(station, entry), station.actor, station.token)


def _replacement(station: Station, entry: Entry) -> Replacement:
    if entry.reason is None:
        raise WrongCall("is replaced for a reason", hint="fill in lost, stolen, damaged or date_passed")
    return Replacement(ReplaceWhen(station.settings.desk.replace_when), entry.reason)


def _is_updated(_station: Station, entry: Entry, card: Card) -> bool:
    return updated(entry, card) == card


def updated(entry: Entry, card: Card) -> Card:
    """A card as a row wants it: what it names is changed, what it leaves empty stays."""
    group = check_group(entry.group) if entry.group else card.group
    until = None if "valid_until" in entry.clears else entry.valid_until or card.valid_until
    return replace(card, group=group, valid_until=until, driver=_driver(entry, card.driver))


def _driver(entry: Entry, now: Driver | None) -> Driver | None:
    was = now or Driver("")
    wanted = Driver(
        name=entry.name or was.name,
        reference=entry.reference or was.reference,
        fleet="" if "fleet" in entry.clears else entry.fleet or was.fleet,
        language=None if "language" in entry.clears else entry.language or was.language,
    )
    return now if wanted == was else wanted


def _check_update(station: Station, entry: Entry, card: Card) -> None:
    wanted = updated(entry, card)
    if card.state.is_final:
        raise MoveNotAllowed(
            f"card {card.visual_number} is {card.state}, which is final",
            hint=f"rfid-station card show {card.visual_number}",
        )
    _refuse_unfinished(card)
    if wanted.valid_until != card.valid_until and wanted.is_over(station.store.database.clock().date()):
        raise WrongCall(
            f"{wanted.valid_until} is over already", hint="to end a card now, write the action expire"
        )
    if wanted.driver and wanted.driver != card.driver:
        station.store.drivers.check_change(card.id, wanted.driver)


def _update(station: Station, entry: Entry, card: Card) -> None:
    """Each change by its own way, with its own event; a run that is killed in between goes on from there."""
    store, wanted = station.store, updated(entry, card)
    if wanted.driver and wanted.driver != card.driver:
        store.drivers.change(card.id, wanted.driver, actor=station.actor, token_of=station.token)
    if wanted.group != card.group:
        store.cards.regroup(card.id, wanted.group, token_of=station.token, actor=station.actor)
    if wanted.valid_until != card.valid_until:
        store.dates.set(card.id, wanted.valid_until, station.actor)


def _refuse_unfinished(card: Card) -> None:
    """Let a card pass that was made to its end.

    :raises MoveNotAllowed: it was not
    """
    if card.state.is_unfinished:
        raise MoveNotAllowed(
            f"card {card.visual_number} was never finished", hint="tap it again in `rfid-station card issue`"
        )


_MOVE = Change(_is_moved, _check_move, _move)
_OTHERS = {
    Action.REPLACE: Change(_is_replaced, _check_replacement, _ask_replacement),
    Action.UPDATE: Change(_is_updated, _check_update, _update),
}
