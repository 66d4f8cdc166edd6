"""The door of the store: making one, opening one, and what is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, inspect, text

from rfid_station.domain.actor import Actor
from rfid_station.domain.lease import Leasing
from rfid_station.errors import Conflict, StoreError, StoreTooNew, WrongCall
from rfid_station.store import migrations
from rfid_station.store.audit import Audit
from rfid_station.store.bulk.lookups import Bulk
from rfid_station.store.card_pages import CardPages
from rfid_station.store.cards import Cards
from rfid_station.store.engines.address import check_server, is_on_server, path_of
from rfid_station.store.engines.engine import Clock, Database, utc_now
from rfid_station.store.engines.place import Place
from rfid_station.store.engines.sqlite_file import SqliteFile
from rfid_station.store.expiring import Dates
from rfid_station.store.joining import Joined
from rfid_station.store.leases.holding import Leases
from rfid_station.store.ledger import Ledger
from rfid_station.store.orders.packing import Packing
from rfid_station.store.orders.preprinting import Preprints
from rfid_station.store.orders.work_orders import Orders
from rfid_station.store.partners.contacts import Contacts
from rfid_station.store.partners.registry import Partners
from rfid_station.store.people.claims import Claims
from rfid_station.store.people.drivers import Drivers
from rfid_station.store.people.operators import Operators
from rfid_station.store.people.shifts import Shifts
from rfid_station.store.prints import Prints
from rfid_station.store.replacing import Replacements
from rfid_station.store.stock.lots import Stock
from rfid_station.store.told.feed import Feed
from rfid_station.store.told.token_list import TokenList
from rfid_station.store.usage.charges import Charges
from rfid_station.store.usage.history import Usage


@dataclass(frozen=True, slots=True)
class Migration:
    """An older store that was brought to this version when it was opened."""

    before: str
    after: str
    backup: Path | None
    """The store as it was, where it is a file."""


class Store:
    """An open store. May be used from several threads; ends with `close()` or a `with` block."""

    def __init__(self, database: Database, migration: Migration | None = None) -> None:
        self._database = database
        self.migration = migration
        """What opening changed, if it did."""
        self.cards = Cards(database)
        self.replacements = Replacements(database)
        self.dates = Dates(database)
        self.drivers = Drivers(database)
        self.joined = Joined(database)
        self.claims = Claims(database, self.cards)
        self.pages = CardPages(database)
        self.bulk = Bulk(database)
        self.partners = Partners(database)
        self.feed = Feed(database)
        self.contacts = Contacts(database)
        self.token_list = TokenList(database)
        self.audit = Audit(database)
        self.prints = Prints(database)
        self.operators = Operators(database)
        self.shifts = Shifts(database)
        self.stock = Stock(database)
        self.orders = Orders(database)
        self.preprints = Preprints(database)
        self.packing = Packing(database)
        self.charges = Charges(database)
        self.usage = Usage(database)
        self.leases = Leases(database)

    @property
    def path(self) -> Path | None:
        """The store's file, if it is one."""
        return self._database.path

    def backups(self) -> list[str]:
        """The names of the copies that were made beside the store's file, oldest version first."""
        return sorted(one.name for one in self.path.parent.glob("*.backup")) if self.path else []

    @property
    def place(self) -> str:
        """Where the store is, in words."""
        return str(self._database.place)

    @property
    def database(self) -> Database:
        """The database, for what reads it beside the store: `shelf.Shelf`, `shelf.Doorman`."""
        return self._database

    def close(self) -> None:
        """Let go of the file."""
        self.feed.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def create_store(url: str, *, actor: Actor, password: str | None = None, clock: Clock = utc_now) -> Store:
    """Make a store: wholly, or not at all.

    :param password: of a server's account
    :raises Conflict: there is something at this place already
    :raises DiskFull: there was no room; what is left behind is an empty file, which may be used again
    :raises StoreError: it cannot be made
    :raises WrongCall: the URL is neither one of a SQLite file nor of a PostgreSQL database
    """
    place = place_of(url, password)
    place.prepare()
    refuse_taken(place, place.table_names())
    database = Database(place, clock)
    try:
        with database.rebuild() as connection:
            refuse_taken(place, set(inspect(connection).get_table_names()))
            migrations.create(connection)
            ledger = Ledger(connection, actor, clock())
            ledger.note("store.created", "store")
            ledger.settle()
    except BaseException:
        database.close()
        raise
    return Store(database)


def open_store(
    url: str, *, password: str | None = None, clock: Clock = utc_now, leasing: Leasing | None = None
) -> Store:
    """Open a store that exists. One of an older version is brought to this version, a file copied before.

    :param password: of a server's account
    :param leasing: which desk this is, and how it leases numbers; without it each is counted off
    :raises StoreTooNew: a newer version of this program wrote it
    :raises StoreError: there is none, or it is damaged, or it cannot be read
    :raises WrongCall: the URL is neither one of a SQLite file nor of a PostgreSQL database
    """
    place = place_of(url, password)
    if place.path and not place.path.is_file():
        raise StoreError(f"there is no store at {place}", hint="rfid-station init")
    if not _is_ours(place.table_names()):
        raise StoreError(f"{place} is not a store of this program", hint="rfid-station init")
    database = Database(place, clock, leasing)
    try:
        return Store(database, _bring_up_to_date(database))
    except BaseException:
        database.close()
        raise


def place_of(url: str, password: str | None = None) -> Place:
    """The place that a URL names. Nothing is looked for there yet.

    :raises WrongCall: the URL is neither one of a SQLite file nor of a PostgreSQL database
    """
    if not is_on_server(url):
        return SqliteFile(path_of(url))
    check_server(url)
    try:
        from rfid_station.store.engines.postgresql_database import PostgresqlDatabase
    except ImportError:
        raise WrongCall(
            "the part that speaks to PostgreSQL is not installed",
            hint="pip install 'rfid-station[postgresql]'",
        ) from None
    return PostgresqlDatabase(url, password)


def _bring_up_to_date(database: Database) -> Migration | None:
    place = database.place
    with database.read() as connection:
        if _is_newest(_version(connection, place), place):
            return None
    with database.rebuild() as connection:
        place.keep_others_out(connection)
        before = _version(connection, place)
        if _is_newest(before, place):
            return None  # Another program came first.
        # Nobody else writes any more: what the copy does not have, the store did not have.
        backup = place.copy_aside(before, database.clock())
        migrations.upgrade(connection)
        _refuse_broken(place, connection, backup)
    return Migration(before, migrations.REVISIONS[-1], backup)


def _is_newest(version: str, place: Place) -> bool:
    """Whether there is nothing to migrate.

    :raises StoreTooNew: this program does not know the version
    """
    newest = migrations.REVISIONS[-1]
    if version not in migrations.REVISIONS:
        raise StoreTooNew(
            f"the store {place} has version {version}, and this program knows {newest} at most",
            hint="install the newest rfid-station: pip install --upgrade rfid-station",
        )
    return version == newest


def _version(connection: Connection, place: Place) -> str:
    """Say which version wrote the store.

    :raises StoreError: it does not say so itself
    """
    version = connection.execute(text(f"SELECT version_num FROM {migrations.VERSION_TABLE}")).scalar()  # noqa: S608
    if version is None:
        raise StoreError(
            f"{place} is not a store of this program: it has no version", hint="rfid-station init"
        )
    return str(version)


def _is_ours(tables: set[str]) -> bool:
    return {migrations.VERSION_TABLE, "meta", "event"} <= tables


def refuse_taken(place: Place, tables: set[str]) -> None:
    """Let a place pass that holds nothing.

    :raises Conflict: there is something in it
    """
    if _is_ours(tables):
        raise Conflict(f"there is a store at {place} already", hint="rfid-station doctor")
    if tables:
        raise Conflict(f"{place} is a database of another program", hint="set store.url to another place")


def _refuse_broken(place: Place, connection: Connection, backup: Path | None) -> None:
    """Let a migration pass that leaves no row pointing nowhere.

    :raises StoreError: it would
    """
    broken = place.broken_references(connection)
    if broken:
        raise StoreError(
            f"the store cannot be brought to this version: {broken[0]}",
            hint=f"nothing was changed; see {backup}" if backup else "nothing was changed",
        )
