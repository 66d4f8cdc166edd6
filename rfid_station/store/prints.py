"""What was printed: which card stood where on which sheet of which file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from rfid_station.domain.actor import Actor
from rfid_station.errors import WrongCall
from rfid_station.store.card_rows import subject_of
from rfid_station.store.engine import Database
from rfid_station.store.ledger import booking
from rfid_station.store.tables import card, print_item, print_job


@dataclass(frozen=True, slots=True)
class PrintItem:
    """A card's place in a job; sheets and positions count from 1."""

    card_id: int
    sheet_number: int
    position: int


@dataclass(frozen=True, slots=True)
class Printed:
    """One time a card was printed."""

    job_id: int
    at: datetime
    actor: str
    design: str
    sheet: str
    """The sheet's layout, as `a4-10up`."""
    file_sha256: str
    sheet_number: int
    position: int


_INSERT_JOB = insert(print_job).returning(print_job.c.id)


class Prints:
    """The print jobs of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, *, design: str, sheet: str, file_sha256: str, items: Sequence[PrintItem], actor: Actor
    ) -> int:
        """Keep that a file with these cards was made, and return the job's number.

        :raises WrongCall: the job has no cards, or one that the store does not know
        :raises Conflict: two cards have the same place
        """
        if not items:
            raise WrongCall("a print job without cards", hint="rfid-station card list --state active")
        made = {"design": design, "sheet": sheet, "file_sha256": file_sha256}
        with booking(self._database, actor) as ledger:
            numbers = _visual_numbers(ledger.connection, {item.card_id for item in items})
            values = {"at": ledger.at, "actor": actor.name, **made}
            job = int(ledger.connection.execute(_INSERT_JOB, values).scalar_one())
            ledger.connection.execute(insert(print_item), [{"job_id": job, **asdict(item)} for item in items])
            for item in items:
                place = {"visual_number": numbers[item.card_id], "place": [item.sheet_number, item.position]}
                ledger.note("card.printed", subject_of(item.card_id), job=job, **made, **place)
            return job

    def of_card(self, card_id: int) -> list[Printed]:
        """Every time a card was printed, oldest first."""
        query = (
            select(print_job, print_item.c.sheet_number, print_item.c.position)
            .join_from(print_item, print_job)
            .where(print_item.c.card_id == card_id)
            .order_by(print_job.c.id, print_item.c.sheet_number, print_item.c.position)
        )
        with self._database.read() as connection:
            return [
                Printed(
                    job_id=row.id,
                    at=row.at,
                    actor=row.actor,
                    design=row.design,
                    sheet=row.sheet,
                    file_sha256=row.file_sha256,
                    sheet_number=row.sheet_number,
                    position=row.position,
                )
                for row in connection.execute(query)
            ]

    def card_ids(self) -> set[int]:
        """The cards that were printed at least once."""
        with self._database.read() as connection:
            return set(connection.execute(select(print_item.c.card_id).distinct()).scalars())

    def next_job(self) -> int:
        """The number that the next job will have, if nobody prints meanwhile."""
        with self._database.read() as connection:
            newest = select(func.coalesce(func.max(print_job.c.id), 0))
            return 1 + int(connection.execute(newest).scalar_one())


def _visual_numbers(connection: Connection, card_ids: set[int]) -> dict[int, str]:
    """The visual numbers of some cards, by card.

    :raises WrongCall: there is no such card
    """
    query = select(card.c.id, card.c.visual_number).where(card.c.id.in_(card_ids))
    numbers = {row.id: row.visual_number for row in connection.execute(query)}
    unknown = sorted(card_ids - set(numbers))
    if unknown:
        raise WrongCall(f"there is no card with id {unknown[0]}", hint="rfid-station card list")
    return numbers
