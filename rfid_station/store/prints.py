"""What was printed: which side of which card stood where on which sheet of which file, and why again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Table, case, func, insert, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card
from rfid_station.domain.order import Preprinted
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.store.card_rows import CARDS, card_of, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import among, next_id
from rfid_station.store.ledger import booking
from rfid_station.store.orders.preprinted_rows import PREPRINTED, preprinted_of, preprinted_subject
from rfid_station.store.tables import card, preprinted, print_item, print_job

FRONT = "front"

MAKE_CARDS = ("sheet", "card", "press")
"""The kinds of jobs that end as cards: on sheets, by a card printer, by a bureau. A card printed in one
of them is printed again in another."""


@dataclass(frozen=True, slots=True)
class PrintItem:
    """A card's place in a job, or that of numbers without a chip; sheets and positions count from 1."""

    card_id: int | None
    sheet_number: int
    position: int
    side: str = FRONT
    preprinted_id: int | None = None
    """The numbers, where no card has them yet."""


@dataclass(frozen=True, slots=True)
class PrintJob:
    """One file that went to a printer or a bureau."""

    job_id: int
    at: datetime
    actor: str
    kind: str
    """`sheet`, `card`, `press`, `letter`, `label` …"""
    design: str
    sheet: str
    """The sheet's layout, as `a4-10up`, the model of the card printer, or the bureau."""
    file_sha256: str
    reason: str | None
    """Why cards were printed again."""


@dataclass(frozen=True, slots=True)
class Printed(PrintJob):
    """One time a side of a card was printed."""

    sheet_number: int
    position: int
    side: str


@dataclass(frozen=True, slots=True)
class PlacedCard:
    """A card on a sheet, as it is now; or the numbers that were printed and wait for their chip."""

    sheet_number: int
    position: int
    side: str
    card: Card | Preprinted


_PORTION = 10_000
_INSERT_JOB = insert(print_job).values(id=next_id(print_job)).returning(print_job.c.id)
_PLACES = (print_item.c.sheet_number, print_item.c.position, print_item.c.side)
_IN_ORDER = (
    print_item.c.job_id,
    print_item.c.sheet_number,
    print_item.c.side.desc(),
    print_item.c.position,
)
"""Fronts before backs."""


class Prints:
    """The print jobs of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        *,
        design: str,
        sheet: str,
        file_sha256: str,
        items: Sequence[PrintItem],
        actor: Actor,
        kind: str = "sheet",
        reason: str | None = None,
    ) -> int:
        """Keep that a file with these cards was made, and return the job's number.

        :raises WrongCall: the job has no cards, or one that the store does not know
        :raises Conflict: two cards have the same place, or a card was printed before and there is no reason
        """
        if not items:
            raise WrongCall("a print job without cards", hint="rfid-station card list --state active")
        made = {"design": design, "sheet": sheet, "file_sha256": file_sha256, "kind": kind, "reason": reason}
        card_ids = {item.card_id for item in items if item.card_id is not None}
        plastic_ids = {item.preprinted_id for item in items if item.preprinted_id is not None}
        with booking(self._database, actor) as ledger:
            numbers = _visual_numbers(ledger.connection, card, card_ids)
            plastic = _visual_numbers(ledger.connection, preprinted, plastic_ids)
            _refuse_without_reason(ledger.connection, card_ids, kind, reason, plastic_ids)
            values = {"at": ledger.at, "actor": actor.name, **made}
            job = int(ledger.connection.execute(_INSERT_JOB, values).scalar_one())
            ledger.connection.execute(insert(print_item), [{"job_id": job, **asdict(item)} for item in items])
            for item in items:
                told = {"job": job, **made, "place": [item.sheet_number, item.position], "side": item.side}
                if item.card_id is not None:
                    told["visual_number"] = numbers[item.card_id]
                    ledger.note("card.printed", subject_of(item.card_id), **told)
                elif item.preprinted_id is not None:
                    told["visual_number"] = plastic[item.preprinted_id]
                    ledger.note("preprinted.printed", preprinted_subject(item.preprinted_id), **told)
            return job

    def check_again(
        self,
        card_ids: Collection[int],
        kind: str,
        reason: str | None,
        preprinted_ids: Collection[int] = (),
    ) -> None:
        """See that a job may be recorded, before it is drawn.

        :raises Conflict: a card was printed before, and there is no reason to do it again
        """
        with self._database.read() as connection:
            _refuse_without_reason(connection, card_ids, kind, reason, preprinted_ids)

    def of_card(self, card_id: int) -> list[Printed]:
        """Every time a side of a card was printed, oldest first."""
        query = (
            select(print_job, *_PLACES)
            .join_from(print_item, print_job)
            .where(print_item.c.card_id == card_id)
            .order_by(*_IN_ORDER)
        )
        with self._database.read() as connection:
            return [
                Printed(
                    **_job_values(row), sheet_number=row.sheet_number, position=row.position, side=row.side
                )
                for row in connection.execute(query)
            ]

    def job(self, job_id: int) -> PrintJob:
        """One job.

        :raises StationError: there is none of that number
        """
        query = select(print_job).where(print_job.c.id == job_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise StationError(f"there is no print job {job_id}", hint="rfid-station sheet jobs")
        return PrintJob(**_job_values(row))

    def jobs(self, limit: int | None = None) -> list[tuple[PrintJob, int]]:
        """The jobs and how many cards each has, the newest first."""
        cards = func.count(print_item.c.card_id.distinct()) + func.count(
            case((print_item.c.card_id.is_(None), print_item.c.preprinted_id)).distinct()
        )
        query = (
            select(print_job, cards.label("cards"))
            .join_from(print_job, print_item)
            .group_by(*print_job.c)
            .order_by(print_job.c.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(PrintJob(**_job_values(row)), int(row.cards)) for row in connection.execute(query)]

    def on_sheet(self, job_id: int, sheet_number: int | None = None) -> list[PlacedCard]:
        """The cards on one sheet of a job, or on all of them: by sheet, fronts first, then by position."""
        here = [print_item.c.job_id == job_id]
        if sheet_number is not None:
            here.append(print_item.c.sheet_number == sheet_number)
        cards = CARDS.add_columns(*_PLACES).join(print_item, print_item.c.card_id == card.c.id)
        plastic = PREPRINTED.add_columns(*_PLACES).join(
            print_item, print_item.c.preprinted_id == preprinted.c.id
        )
        with self._database.read() as connection:
            placed = [
                PlacedCard(row.sheet_number, row.position, row.side, card_of(row))
                for row in connection.execute(cards.where(*here).order_by(*_IN_ORDER))
            ]
            waiting = [
                PlacedCard(row.sheet_number, row.position, row.side, preprinted_of(row))
                for row in connection.execute(
                    plastic.where(print_item.c.card_id.is_(None), *here).order_by(*_IN_ORDER)
                )
            ]
        return sorted(placed + waiting, key=_place) if waiting else placed

    def card_ids(self, kinds: Sequence[str] = MAKE_CARDS) -> set[int]:
        """The cards that were printed at least once in jobs of these kinds."""
        query = select(print_item.c.card_id).join_from(print_item, print_job)
        query = query.where(print_job.c.kind.in_(kinds), print_item.c.card_id.is_not(None))
        with self._database.read() as connection:
            return set(connection.execute(query.distinct()).scalars())

    def next_job(self) -> int:
        """The number that the next job will have, if nobody prints meanwhile."""
        with self._database.read() as connection:
            newest = select(func.coalesce(func.max(print_job.c.id), 0))
            return 1 + int(connection.execute(newest).scalar_one())


def _place(placed: PlacedCard) -> tuple[int, bool, str, int]:
    """By sheet, fronts first, then by position."""
    return placed.sheet_number, placed.side != FRONT, placed.side, placed.position


def _job_values(row: Row[Any]) -> dict[str, Any]:
    return {
        "job_id": row.id,
        "at": row.at,
        "actor": row.actor,
        "kind": row.kind,
        "design": row.design,
        "sheet": row.sheet,
        "file_sha256": row.file_sha256,
        "reason": row.reason,
    }


def _refuse_without_reason(
    connection: Connection,
    card_ids: Collection[int],
    kind: str,
    reason: str | None,
    preprinted_ids: Collection[int] = (),
) -> None:
    """Let a card be printed a second time only by somebody who says why.

    :raises Conflict: a card was printed before, and there is no reason
    """
    if reason and reason.strip():
        return
    kinds = MAKE_CARDS if kind in MAKE_CARDS else (kind,)
    for table, column, ids in (
        (card, print_item.c.card_id, card_ids),
        (preprinted, print_item.c.preprinted_id, preprinted_ids),
    ):
        query = (
            select(table.c.visual_number, print_job.c.id, print_job.c.actor)
            .select_from(print_item)
            .join(print_job)
            .join(table, table.c.id == column)
            .where(print_job.c.kind.in_(kinds))
            .order_by(print_job.c.id)
            .limit(1)
        )
        for some in _portions(ids):
            row = connection.execute(query.where(among(column, some))).first()
            if row:
                raise Conflict(
                    f"card {row.visual_number} was printed before, in job {row.id} by {row.actor}",
                    hint='say why it is printed again: --reason "the first one was misprinted"',
                )


def _visual_numbers(connection: Connection, table: Table, ids: set[int]) -> dict[int, str]:
    """The visual numbers of some cards, or of some plastic, by their ids.

    :raises WrongCall: there is no such card
    """
    query = select(table.c.id, table.c.visual_number)
    numbers = {
        row.id: row.visual_number
        for some in _portions(ids)
        for row in connection.execute(query.where(among(table.c.id, some)))
    }
    unknown = sorted(ids - set(numbers))
    if unknown:
        raise WrongCall(f"there is no card with id {unknown[0]}", hint="rfid-station card list")
    return numbers


def _portions(card_ids: Collection[int]) -> Iterator[list[int]]:
    """The cards in parts that a database takes in one statement."""
    everything = iter(sorted(set(card_ids)))
    while some := list(islice(everything, _PORTION)):
        yield some
