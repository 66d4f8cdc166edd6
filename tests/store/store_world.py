"""A small world around a store: who acts, what partners are told, and cards by number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from postgresql_base import Base
from sqlalchemy import event

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Driver, Role
from rfid_station.domain.contract_id import ContractId, own_contract_id
from rfid_station.domain.stock import Delivery, Lot, Supply
from rfid_station.domain.token import Party, Token, Whitelist, token_of
from rfid_station.domain.uid import CardUid
from rfid_station.domain.visual_number import NumberPattern
from rfid_station.store import migrations
from rfid_station.store.engines import sqlite
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.sqlite_file import SqliteFile
from rfid_station.store.opening import Store

ANN = Actor("ann", Role.CLERK)
SUE = Actor("sue", Role.SUPERVISOR)
PATTERN = NumberPattern("EXM-####-####-@")
DESK = Supply("desk-1")
START = datetime(2026, 11, 22, 8, 0, 0, 250_000, tzinfo=UTC)


class Clock:
    """Stands still until it is moved, forwards or back."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def uid(number: int) -> CardUid:
    return CardUid(b"\x04" + number.to_bytes(6, "big"))


def contract(number: int) -> ContractId:
    return own_contract_id("NL", "EXM", number)


def tell(card: Card, at: datetime) -> Token:
    return token_of(card, Party("NL", "EXM"), "Example Mobility", Whitelist.ALLOWED, at)


def url_of(place: Path | Base) -> str:
    return place.url if isinstance(place, Base) else f"sqlite:///{place}"


def drawn(*values: str) -> Callable[[], str]:
    """Draws these values one after the other."""
    return iter(values).__next__


def reserve(
    store: Store,
    number: int,
    *,
    of: CardUid | None = None,
    order_line: str | None = None,
    driver: Driver | None = None,
    actor: Actor = ANN,
    group: str | None = None,
    replaces: int | None = None,
    supply: Supply | None = None,
) -> Card:
    return store.cards.reserve(
        uid=of or uid(number),
        chip="NTAG213",
        profile="link",
        order_line=order_line,
        driver=driver,
        draw_visual=lambda: PATTERN.render(number),
        contract_of=contract,
        draw_alias=lambda: f"alias-{number}",
        actor=actor,
        group=group,
        replaces=replaces,
        supply=supply or DESK,
    )


def received(
    store: Store,
    name: str,
    quantity: int,
    *,
    place: str = DESK.place,
    chip: str = "NTAG213",
    uids: tuple[str, ...] = (),
    is_released: bool = True,
) -> Lot:
    lot = store.stock.receive(Delivery(name, "Maker", chip, quantity, place, uids), ANN)
    return store.stock.release(lot.id, "by hand", SUE) if is_released else lot


def issue(
    store: Store,
    number: int,
    *,
    activate: bool = True,
    driver: Driver | None = None,
    group: str | None = None,
) -> Card:
    card = reserve(store, number, order_line=f"fleet.csv:{number}", driver=driver, group=group)
    store.cards.begin_encoding(card.id, "digest", ANN)
    return store.cards.register(card.id, token_of=tell, activate=activate, actor=ANN)


def do_not_wait(store: Store) -> None:
    """Spare the tests the disk: what they kill is a program, not the power. Our server waits for none."""
    if store.path is None:
        return
    engine = store._database._engine
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))


def sql(path: Path | Base, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Go past the store, as an attacker or an accident would."""
    if isinstance(path, Base):
        return path.sql(statement, *values)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        return connection.execute(statement, values).fetchall()


def make_older_store(path: Path, version: str) -> None:
    """A store as an earlier version of this program made it."""
    sqlite.create_file(path)
    database = Database(SqliteFile(path))
    with database.rebuild() as connection:
        migrations.upgrade(connection, to=version)
    database.close()


_ADDED = {
    "0009": ["DROP TABLE charge"],
    "0010": ["DROP TABLE lease"],
    "0011": ["ALTER TABLE partner DROP COLUMN resync_no"],
    "0012": [
        "ALTER TABLE partner DROP COLUMN last_proof_at",
        *(f"DROP INDEX ix_card_{name}_backwards" for name in ("uid", "contract", "visual")),
        *(f"ALTER TABLE card DROP COLUMN {name}_backwards" for name in ("uid", "contract", "visual")),
    ],
}
"""What takes away again what a version added."""


def as_in(place: Path | Base, version: str) -> None:
    """Take away from a store, with all that is in it, what came after this version, 0008 at least."""
    for later in sorted(_ADDED, reverse=True):
        for statement in _ADDED[later] if later > version else ():
            sql(place, statement)
    sql(place, "UPDATE alembic_version SET version_num = ?", version)


def contents(path: Path | Base) -> list[str]:
    """Everything that is in the store, as text, in an order of its own."""
    if isinstance(path, Base):
        return path.contents()
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())
