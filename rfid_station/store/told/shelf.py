"""What partners may see of our tokens, and what we say when they ask: `ocpi.port.TokenShelf`.

The order is that of creation, which no change alters and nothing leaves: a crawl that goes on behind the last
token it saw misses none and repeats none, whatever is written meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, overload

from rfid_station.domain.card import CardState
from rfid_station.domain.token import Token
from rfid_station.errors import WrongCall
from rfid_station.ocpi.fresh_id import fresh_id
from rfid_station.ocpi.port import Allowed, Caller, Decision, PartnerBook, TokenPage
from rfid_station.ocpi.words import words_for
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.glance import Glance
from rfid_station.store.engines.snapshot import Ages, Remembered, Snapshots
from rfid_station.store.partners.covers import bring_up_to_date
from rfid_station.store.partners.partner_rows import partner_row
from rfid_station.store.partners.registry import Partners
from rfid_station.store.tables import moment_text
from rfid_station.store.told.authorizations import Authorizations
from rfid_station.store.told.shelf_view import View
from rfid_station.store.told.token_rows import token_from

_SAID: Mapping[CardState, Allowed] = {
    CardState.ACTIVE: Allowed.ALLOWED,
    CardState.BLOCKED: Allowed.BLOCKED,
    CardState.SUSPENDED: Allowed.BLOCKED,
    CardState.EXPIRED: Allowed.EXPIRED,
}
"""What a partner is told of a card that asks to charge; of every other state it is NOT_ALLOWED."""

_LONGEST_COUNT = (1 << 63) - 1
_MOST_TOKENS = 4096
"""How many tokens are kept as they were read; authorizations ask for the same ones again and again."""


class _Fields(NamedTuple):
    """What makes a token, as columns of the table in this order."""

    revision: int
    uid: str
    type: str
    country_code: str
    party_id: str
    contract_id: str
    visual_number: str
    issuer: str
    group_id: str | None
    whitelist: str
    language: str | None
    valid: bool
    last_updated: datetime


_COLUMNS = ", ".join(f"token.{name}" for name in _Fields._fields)


@dataclass(frozen=True, slots=True)
class _Window:
    """The filters of a list, as SQL."""

    condition: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, date_from: datetime | None, date_to: datetime | None) -> _Window:
        """Stamps are whole seconds: one of the second in which `date_from` lies may be later than it."""
        parts, values = [], []
        if date_from is not None:
            parts.append(" AND token.last_updated >= ?")
            values.append(moment_text(date_from.replace(microsecond=0)))
        if date_to is not None:
            parts.append(" AND token.last_updated < ?")
            values.append(moment_text(date_to))
        return cls("".join(parts), tuple(values))


class Shelf:
    """The tokens of the store, as partners may see them. May be used from several threads."""

    def __init__(self, database: Database, partners: Partners, record: Path) -> None:
        """Take the store's file.

        :param record: the folder in which decisions are kept
        """
        self._database = database
        self._partners = partners
        self.glance = Glance(database.snapshots)
        """How the store is now, for whoever answers in the same event loop."""
        self._pages = database.snapshots()
        self._views: Remembered[tuple[str, date], View | None] = Remembered(self.glance)
        self._totals: Remembered[tuple[str, str, _Window], int] = Remembered(self._pages)
        self._authorizations = Authorizations(record)
        self._read: dict[tuple[str, int], Token] = {}

    def close(self) -> None:
        """Let go of the files."""
        self.glance.close()
        self._pages.close()
        self._authorizations.close()

    def style(self, partner: str) -> str:
        """How tokens are presented to a partner at present."""
        view = self._view(partner)
        return view.style if view else ""

    def page(
        self,
        partner: str,
        *,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int,
        known: Container[int] = (),
    ) -> TokenPage:
        """Tokens with `date_from` <= last_updated < `date_to`, from `after` (`offset` counts from there).

        The first page of a filtered list waits for the writer, if there is one.

        :raises StoreError: the store cannot be used
        """
        view = self._view(partner)
        if view is None:
            return TokenPage((), 0, None)
        window = _Window.of(date_from, date_to)
        if window.condition and after is None:
            self._let_writers_finish()
        listing = _Listing(self._pages, view, window)
        with self._pages.view():
            total = self._totals.get(listing.key, listing.total)
            found = listing.revisions(after or 0, min(offset, total), limit + 1)
            shown = found[:limit]
            goes_on = listing.place_of(shown[-1]) if len(found) > limit else None
            rows = listing.rows([revision for revision in shown if revision not in known])
        return TokenPage(_Tokens(shown, rows, view), total, goes_on, shown, view.style)

    def one(self, partner: str, uid: str, type_: str) -> Token | None:
        """One token by its UID in any case, or None.

        :raises StoreError: the store cannot be used
        """
        view = self._view(partner)
        row = self._row(view, uid, type_) if view else None
        return self._token(view, row) if view and row else None

    def decide(self, partner: str, uid: str, type_: str) -> Decision | None:
        """Decide a real-time authorization and keep it for the record; None for an unknown token.

        :raises StoreError: the store cannot be used
        """
        now = self._database.clock()
        view = self._view_on(partner, now.date())
        row = self._row(view, uid, type_) if view else None
        if view is None or row is None:
            return None
        token = self._token(view, row)
        allowed = _SAID.get(row["card_state"], Allowed.NOT_ALLOWED)
        if allowed is Allowed.ALLOWED and not token.valid:
            allowed = Allowed.NOT_ALLOWED
        last_day = row["valid_until"]
        if allowed is Allowed.ALLOWED and last_day and str(last_day) < now.date().isoformat():
            # Nobody may have noted it yet: it is past midnight, and sync comes by in a while.
            allowed, token = Allowed.EXPIRED, replace(token, valid=False)
        reference = fresh_id()
        self._authorizations.keep(now, partner, reference, row["card_id"], allowed)
        return Decision(allowed, token, reference, words_for(token, allowed))

    def _view(self, partner: str) -> View | None:
        """What a partner may see today; None for who is no partner."""
        return self._view_on(partner, self._database.clock().date())

    def _view_on(self, partner: str, day: date) -> View | None:
        return self._views.get((partner, day), lambda: self._load_view(partner))

    def _load_view(self, partner: str) -> View | None:
        try:
            bring_up_to_date(self._database, partner)
            with self._database.read() as connection:
                return View.of_partner(connection, partner_row(connection, partner))
        except WrongCall:
            return None

    def _let_writers_finish(self) -> None:
        """Wait until what is stamped is committed; whatever is stamped from now on is newer."""
        with self._database.write():
            pass

    def _row(self, view: View, uid: str, type_: str) -> Any:  # noqa: ANN401 - a row of the driver
        query = _by_uid(view.source, view.condition, view.card_state)
        rows = self.glance.rows(query, uid.upper(), type_.upper())
        return rows[0] if rows else None

    def _token(self, view: View, row: Any) -> Token:  # noqa: ANN401 - a row of the driver
        key = (view.style, row["revision"])
        token = self._read.get(key)
        if token is None:
            if len(self._read) >= _MOST_TOKENS:
                self._read = {}
            token = self._read[key] = view.present(_token_of(row))
        return token


@lru_cache(maxsize=256)
def _by_uid(source: str, condition: str, card_state: str) -> str:
    return (
        f"SELECT {_COLUMNS}, token.card_id, card.valid_until, {card_state} AS card_state"  # noqa: S608 - no input in it
        f" FROM {source} AS token JOIN card ON card.id = token.card_id"
        f" WHERE token.uid = ? AND token.type = ?{condition}"
    )


class _Listing:
    """The list of one partner, in order of creation, within one view of the store."""

    def __init__(self, snapshots: Snapshots, view: View, window: _Window) -> None:
        self.key = (view.source, view.condition, window)
        """What tells it from other lists."""
        self._snapshots = snapshots
        self._is_everything = view.is_everything and not window.condition
        self._source = f"{view.source} AS token"
        self._condition = view.condition + window.condition
        self._values = window.values

    def total(self) -> int:
        """How many tokens there are on all pages."""
        if self._is_everything:
            return int(self._snapshots.rows("SELECT token_count FROM meta")[0][0])
        counted = f"SELECT count(*) FROM {self._source} WHERE 1 = 1{self._condition}"  # noqa: S608 - no input
        return int(self._snapshots.rows(counted, *self._values)[0][0])

    def revisions(self, place: int, offset: int, most: int) -> list[int]:
        """The revisions of a page behind a place.

        An offset into everything is a place: none is ever free.
        """
        if self._is_everything:
            place, offset = min(place + offset, _LONGEST_COUNT), 0
        query = (
            f"token.revision AS number FROM {self._source}"
            f" WHERE token.created_seq > ?{self._condition} ORDER BY token.created_seq LIMIT ? OFFSET ?"
        )
        return self._snapshots.numbers(query, place, *self._values, most, offset)

    def place_of(self, revision: int) -> int:
        """Where a token stands in the order of creation."""
        query = f"SELECT token.created_seq FROM {self._source} WHERE token.revision = ?"  # noqa: S608 - no input
        return int(self._snapshots.rows(query, revision)[0][0])

    def rows(self, revisions: Sequence[int]) -> dict[int, Any]:
        """The tokens of some revisions, by revision."""
        if not revisions:
            return {}
        query = f"SELECT {_COLUMNS} FROM {self._source} WHERE token.revision"  # noqa: S608 - no input in it
        return {row["revision"]: row for row in self._snapshots.rows_among(query, revisions)}


class _Tokens(Sequence["Token | None"]):
    """A page's tokens, each made when it is looked at."""

    def __init__(self, revisions: Sequence[int], rows: Mapping[int, Any], view: View) -> None:
        self._revisions = revisions
        self._rows = rows
        self._view = view

    def __len__(self) -> int:
        return len(self._revisions)

    @overload
    def __getitem__(self, place: int) -> Token | None: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Token | None]: ...
    def __getitem__(self, place: int | slice) -> Token | Sequence[Token | None] | None:
        if isinstance(place, slice):
            return _Tokens(self._revisions[place], self._rows, self._view)
        row = self._rows.get(self._revisions[place])
        return None if row is None else self._view.present(_token_of(row))


def _token_of(row: Any) -> Token:  # noqa: ANN401 - a row of the driver
    """A token from `_COLUMNS`, of which the driver leaves the last two as they are stored."""
    *fields, valid, last_updated = row[: len(_Fields._fields)]
    read = _Fields._make((*fields, valid == 1, datetime.fromisoformat(last_updated)))
    return token_from(read)  # type: ignore[arg-type]


class Doorman:
    """A `PartnerBook` that asks the store again only after the store has changed."""

    def __init__(self, ages: Ages, book: PartnerBook) -> None:
        self._book = book
        self._callers: Remembered[bytes, Caller | None] = Remembered(ages)

    def caller_of(self, server_token: str) -> Caller | None:
        """Who may use this server token, or None.

        :raises StoreError: the store cannot be used
        """
        return self._callers.get(_digest(server_token), lambda: self._book.caller_of(server_token))

    def recall(self, server_token: str) -> Caller | None:
        """Who may use this server token, if the store said so and was not changed since.

        :raises StoreError: the store cannot be used
        """
        return self._callers.kept(_digest(server_token))


def _digest(server_token: str) -> bytes:
    """What stands for a token in memory. Digests give nothing away by how long comparing them takes."""
    return hashlib.sha256(server_token.encode("utf-8", "surrogatepass")).digest()
