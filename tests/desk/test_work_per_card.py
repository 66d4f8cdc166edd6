"""What a card costs in the station loop, counted so that a busy machine changes nothing.

A number that rises has to be explained; one that falls is to be written down here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from stations import CLERK, ENGINES, LINES, Diary, on_engine

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.loop import Loop, Run
from rfid_station.desk.station import Station, open_station
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.field import Field
from rfid_station.store.engines.place import PURPOSE, Purpose


@dataclass
class Work:
    statements: list[str] = field(default_factory=list)
    unprepared: list[str] = field(default_factory=list)
    """Those of the statements that SQLAlchemy looked up, bound and wrapped anew."""
    begun: list[Purpose] = field(default_factory=list)
    commits: int = 0


@contextmanager
def counted(station: Station) -> Iterator[Work]:
    work, engine = Work(), station.store.database._engine

    def asked(
        _c: object, _cursor: object, statement: str, _values: object, context: object, _many: bool
    ) -> None:
        work.statements.append(statement)
        if context is not None:
            work.unprepared.append(statement)

    def begun(connection: Any) -> None:
        work.begun.append(connection.info.get(PURPOSE, Purpose.READ))

    def committed(_: object) -> None:
        work.commits += 1

    hears = {"before_cursor_execute": asked, "begin": begun, "commit": committed}
    for name, hear in hears.items():
        event.listen(engine, name, hear)
    try:
        yield work
    finally:
        for name, hear in hears.items():
            event.remove(engine, name, hear)


def lay(number: int) -> CardLink:
    return SimLink(Field(new_card("ntag213", blank_uid("ntag213", 7, number))), "sim:test")


@pytest.fixture(params=ENGINES)
def either(request: pytest.FixtureRequest, folder: Path) -> Iterator[Station]:
    with open_station(on_engine(request, folder), CLERK) as station:
        yield station


def test_statements_and_transactions_of_a_card(either: Station) -> None:
    loop = Loop(Run(either, either.profile(), LINES, None, Diary()), lambda: False)
    loop.begin()
    assert loop.take(lay(1))
    with counted(either) as work:
        assert loop.take(lay(2))
    # Is it known; then the three changes of the journal.
    assert work.begun == [Purpose.READ, *[Purpose.WRITE] * 3]
    is_file = either.store.path is not None
    # On a server reading is ended by a commit too, numbers are drawn from a lease, and workers are told.
    assert work.commits == (3 if is_file else 4)
    assert len(work.statements) == (22 if is_file else 25), work.statements
    assert [text for text in work.unprepared if not text.startswith("NOTIFY")] == []
    assert loop.tally.issued[-1].visual_number
