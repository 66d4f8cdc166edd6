"""Any number in any form finds its card: whole numbers first, then beginnings, then parts.

Whole numbers, beginnings and endings are looked up by index, so they cost the same among ten cards and a
million. Other parts are looked for by reading through the newest cards, where nothing was found whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from rfid_station.domain.card import Card, CardState, Driver
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.uid import cut_readings, readings
from rfid_station.domain.visual_number import bare
from rfid_station.errors import WrongCall
from rfid_station.store.card_rows import CARDS, card_of
from rfid_station.store.engines.spelling import contains
from rfid_station.store.tables import (
    IS_LIVING,
    card,
    driver,
    order_item,
    packed,
    parcel,
    print_item,
    work_order,
)

MOST_HITS = 50
"""How many cards a search shows where nobody says."""

_LONGEST_UID = 64
"""Characters a UID may take in any writing; longer text is not read as one."""

_SHORTEST_PART = 3
"""Characters that a part of a number must have: fewer are in every number."""

_TELLING = 8
"""Characters of a beginning or an ending that say which card is meant: parts are not looked for as well."""

NEWEST = 10_000
"""Of so many cards at most each is read for a part, unless all are asked for."""

_BEHIND = "\U0010ffff"
"""Sorts behind every character, so that what begins with a text is a range."""

_PRINT_JOB = re.compile(r"(?:print\s*)?job[\s:#]*(\d{1,9})", re.IGNORECASE)
_MASKED_UID = re.compile(r"([0-9A-Fa-f]{2})(?:…|\.{2,3})([0-9A-Fa-f]{4})")


class Exactness(IntEnum):
    """How much of what was looked for was given; the best first."""

    WHOLE = 0
    BEGINNING = 1
    PART = 2


class Clue(IntEnum):
    """By what a card was found; the most literal reading of a text first."""

    NUMBER = 0
    CONTRACT = 1
    UID = 2
    ALIAS = 3
    ORDER = 4
    REFERENCE = 5
    NAME = 6
    PRINT_JOB = 7
    TRACKING = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """A card, and why it was found."""

    card: Card
    exactness: Exactness
    clue: Clue

    @property
    def may_be_meant(self) -> bool:
        """Whether it may be acted on: a part of a number is no way to name a card, of a driver it is."""
        return self.exactness is Exactness.WHOLE or self.clue in (Clue.REFERENCE, Clue.NAME)


class Hits(list[Hit]):
    """What was found, the best first."""

    left_out = 0
    """Older cards, in which parts were not looked for."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A card's number, and why."""

    card_id: int
    exactness: Exactness
    clue: Clue
    place: int
    """Among several readings of the text, the most literal first."""


def find_hits(connection: Connection, text: str, limit: int = MOST_HITS, *, everywhere: bool = False) -> Hits:
    """Every card a text may mean, the best first, at most `limit`.

    Among cards found in the same way a living one comes before one whose life is over, a newer before
    an older.

    :param everywhere: whether all cards may be read through for a part, and not the newest only
    """
    wanted = _storable(text).strip()
    if not wanted:
        return Hits()
    everything = _by_index(connection, wanted, limit)
    left_out = 0
    if not _is_enough(wanted, everything, limit):
        left_out = 0 if everywhere else _left_out(connection)
        everything += _read_through(connection, wanted, left_out, limit)
    found: dict[int, _Found] = {}
    for one in everything:
        found.setdefault(one.card_id, one)
    rows = {row.id: row for row in connection.execute(_WITH_IDS, {"ids": list(found)})} if found else {}
    ordered = sorted(found.values(), key=lambda one: _rank(one, rows[one.card_id]))
    hits = Hits(Hit(card_of(rows[one.card_id]), one.exactness, one.clue) for one in ordered[:limit])
    hits.left_out = left_out
    return hits


def tracking_of(text: str) -> str:
    """A tracking number as it is kept: in capitals, without blanks."""
    return "".join(text.split()).upper()


def search_text(whom: Driver) -> str:
    """What a driver is found by."""
    return _folded(f"{whom.name}\n{whom.reference}")


def _by_index(connection: Connection, text: str, limit: int) -> list[_Found]:
    whole = list(_whole(connection, text, limit))
    return whole or [*_beginnings(connection, text, limit), *_endings(connection, text, limit)]


def _is_enough(text: str, found: Sequence[_Found], limit: int) -> bool:
    """Whether what an index found is what is meant, so that nothing is to be read through."""
    if len(found) >= limit or _MASKED_UID.fullmatch(text):
        return True
    return bool(found) and (found[0].exactness is Exactness.WHOLE or len(bare(text)) >= _TELLING)


def _left_out(connection: Connection) -> int:
    """How many cards are too old to be read through; they are numbered without gaps."""
    return max(0, (connection.execute(_LAST).scalar_one() or 0) - NEWEST)


def _rank(one: _Found, row: Any) -> tuple[int, ...]:  # noqa: ANN401 - a row of the driver
    state = CardState(row.state)
    return (one.exactness, one.clue, one.place, state is CardState.SPOILED, state.is_final, -one.card_id)


_WITH_IDS = CARDS.where(card.c.id.in_(bindparam("ids", expanding=True)))
_OF_DRIVERS = select(card.c.id).select_from(driver.join(card, card.c.driver_id == driver.c.id))


def _hit(clue: Clue, value: ColumnElement[Any], query: Select[Any]) -> Select[Any]:
    return query.add_columns(literal_column(f"{int(clue)}").label("clue"), value.label("value"))


def _one_of(clue: Clue, column: ColumnElement[str], query: Select[Any], name: str) -> Select[Any]:
    return _hit(clue, column, query.where(column.in_(bindparam(name, expanding=True))))


def _within(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    return column.between(bindparam(name), bindparam(f"{name}_end"))


def _beginning(clue: Clue, column: ColumnElement[str], query: Select[Any], name: str) -> Select[Any]:
    within = query.where(_within(column, name)).order_by(column).limit(bindparam("most"))
    return select(_hit(clue, column, within).subquery())


_CARD = select(card.c.id)
_LIVING = _CARD.where(IS_LIVING)
_OF_ORDER = (
    select(card.c.id)
    .select_from(
        work_order.join(order_item, order_item.c.order_id == work_order.c.id).join(
            card, card.c.order_line == order_item.c.line
        )
    )
    .where(IS_LIVING)
)
_OF_PARCEL = select(packed.c.card_id.label("id")).select_from(parcel.join(packed))
_WHOLE: CompoundSelect[Any] = union_all(
    _one_of(Clue.NUMBER, card.c.visual_bare, _CARD, "numbers"),
    _one_of(Clue.CONTRACT, card.c.contract_id, _CARD, "contracts"),
    _one_of(Clue.UID, card.c.uid, _CARD, "uids"),
    _one_of(Clue.ALIAS, card.c.alias, _CARD, "aliases"),
    _one_of(Clue.ORDER, card.c.order_line, _LIVING, "texts"),
    select(_one_of(Clue.ORDER, work_order.c.name, _OF_ORDER, "texts").limit(bindparam("most")).subquery()),
    _one_of(Clue.TRACKING, parcel.c.tracking, _OF_PARCEL, "trackings"),
    _one_of(Clue.REFERENCE, driver.c.reference, _OF_DRIVERS, "texts"),
    _beginning(Clue.NAME, driver.c.search_text, _OF_DRIVERS, "name"),
)
_OF_JOB = _hit(
    Clue.PRINT_JOB,
    card.c.visual_bare,
    select(card.c.id)
    .distinct()
    .select_from(print_item.join(card))
    .where(print_item.c.job_id == bindparam("job"))
    .limit(bindparam("most")),
)
_BEGINNINGS: CompoundSelect[Any] = union_all(
    _beginning(Clue.NUMBER, card.c.visual_bare, _CARD, "number"),
    _beginning(Clue.CONTRACT, card.c.contract_id, _CARD, "contract"),
    _beginning(Clue.UID, card.c.uid, _CARD, "uid"),
    _beginning(Clue.UID, card.c.uid, _CARD, "uid_2"),
    _beginning(Clue.UID, card.c.uid, _CARD, "uid_3"),
    _beginning(Clue.ALIAS, card.c.alias, _CARD, "alias"),
    _beginning(Clue.ORDER, card.c.order_line, _LIVING, "order"),
    _beginning(Clue.TRACKING, parcel.c.tracking, _OF_PARCEL, "tracking"),
    _beginning(Clue.REFERENCE, driver.c.reference, _OF_DRIVERS, "reference"),
    _beginning(Clue.NAME, driver.c.search_text, _OF_DRIVERS, "name"),
)
_ENDINGS: CompoundSelect[Any] = union_all(
    _beginning(Clue.NUMBER, card.c.visual_backwards, _CARD, "number"),
    _beginning(Clue.CONTRACT, card.c.contract_backwards, _CARD, "contract"),
    _beginning(
        Clue.UID,
        card.c.uid_backwards,
        _CARD.where(card.c.uid.startswith(bindparam("uid_begins"))),
        "uid",
    ),
)
_LAST = select(func.max(card.c.id))


def _whole(connection: Connection, text: str, limit: int) -> Iterator[_Found]:
    texts = list(dict.fromkeys([text, text.upper(), text.lower()]))
    readings_of = {
        "numbers": [bare(text)],
        "contracts": _contracts(text),
        "uids": _uids(text),
        "aliases": _aliases(text),
        "texts": texts,
        "trackings": [tracking_of(text)],
    }
    name = f"{_folded(text)}\n"
    values = {**readings_of, "name": name, "name_end": name + _BEHIND, "most": limit}
    for row in connection.execute(_WHOLE, values):
        clue = Clue(row.clue)
        given = readings_of.get(_READ_AS.get(clue, ""), [])
        yield _Found(row.id, Exactness.WHOLE, clue, given.index(row.value) if row.value in given else 0)
    job = _PRINT_JOB.fullmatch(text)
    if job:
        for row in connection.execute(_OF_JOB, {"job": int(job[1]), "most": limit}):
            yield _Found(row.id, Exactness.WHOLE, Clue.PRINT_JOB, 0)


_READ_AS = {Clue.CONTRACT: "contracts", Clue.UID: "uids", Clue.ALIAS: "aliases"}


def _beginnings(connection: Connection, text: str, limit: int) -> Iterator[_Found]:
    number = bare(text)
    # A text that leaves nothing to compare begins no number, and would begin every one.
    bare_or_nothing = number or _BEHIND
    uids = [*cut_readings(text), _BEHIND, _BEHIND, _BEHIND]
    begins = {
        "number": bare_or_nothing,
        "contract": bare_or_nothing,
        "uid": uids[0],
        "uid_2": uids[1],
        "uid_3": uids[2],
        "alias": bare_or_nothing if len(number) >= _SHORTEST_PART else _BEHIND,
        "order": text,
        "tracking": tracking_of(text) if len(number) >= _SHORTEST_PART else _BEHIND,
        "reference": text,
        "name": _folded(text),
    }
    ends = {f"{name}_end": value + _BEHIND for name, value in begins.items()}
    for row in connection.execute(_BEGINNINGS, {**begins, **ends, "most": limit}):
        yield _Found(row.id, Exactness.BEGINNING, Clue(row.clue), 0)


def _endings(connection: Connection, text: str, limit: int) -> Iterator[_Found]:
    number, masked = bare(text), _MASKED_UID.fullmatch(text)
    if masked:
        ends = {"number": _BEHIND, "contract": _BEHIND, "uid": masked[2].upper()[::-1]}
    elif len(number) >= _SHORTEST_PART:
        ends = dict.fromkeys(("number", "contract", "uid"), number[::-1])
    else:
        return
    up_to = {f"{name}_end": value + _BEHIND for name, value in ends.items()}
    first = masked[1].upper() if masked else ""
    for row in connection.execute(_ENDINGS, {**ends, **up_to, "uid_begins": first, "most": limit}):
        yield _Found(row.id, Exactness.PART, Clue(row.clue), 0)


def _read_through(connection: Connection, text: str, after: int, limit: int) -> Iterator[_Found]:
    """Cards behind a number that have the text somewhere, the newest of them."""
    number = bare(text)
    wanted = [(clue, _CARD.where(contains(column, number))) for clue, column in _NUMBERS]
    wanted = wanted if len(number) >= _SHORTEST_PART else []
    of_name = _OF_DRIVERS.where(contains(driver.c.search_text, _folded(text)))
    for clue, query in (*wanted, (Clue.NAME, of_name)):
        some = query.where(card.c.id > after).order_by(card.c.id.desc()).limit(limit)
        for card_id in connection.execute(some).scalars():
            yield _Found(card_id, Exactness.PART, clue, 0)


_NUMBERS = ((Clue.NUMBER, card.c.visual_bare), (Clue.CONTRACT, card.c.contract_id), (Clue.UID, card.c.uid))


def _contracts(text: str) -> list[str]:
    """The contract as written, and a DIN contract also in its eMI3 form."""
    try:
        contract = parse_contract_id(bare(text))
    except WrongCall:
        return []
    return list(dict.fromkeys([contract.compact, contract.to_emi3().compact]))


def _uids(text: str) -> list[str]:
    return [raw.hex().upper() for raw in readings(text)] if len(text) <= _LONGEST_UID else []


def _aliases(text: str) -> list[str]:
    """An alias as it stands, or as the end of a card's link; typed in small letters, too."""
    try:
        path = urlsplit(text).path
    except ValueError:
        path = text
    end = path.rstrip("/").rsplit("/", 1)[-1]
    return list(dict.fromkeys([text, end, end.upper()]))


def _storable(text: str) -> str:
    """The text without half characters and NULs, which a terminal may pass on and no database takes."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
