"""What partners may see of our tokens, and what we say when they ask: `ocpi.port.TokenShelf`.

The order is that of creation, which no change alters and nothing leaves: a crawl that goes on behind the last
token it saw misses none and repeats none, whatever is written meanwhile.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState
from rfid_station.domain.token import Token
from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import Allowed, Caller, Decision, PartnerBook, TokenPage
from rfid_station.ocpi.words import words_for
from rfid_station.store.authorizations import Authorizations
from rfid_station.store.engine import Database
from rfid_station.store.partners import Partners
from rfid_station.store.snapshot import Remembered, Snapshots
from rfid_station.store.tables import moment_text
from rfid_station.store.token_rows import token_from

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

_ONE = """
    SELECT token.*, card.state AS card_state FROM token JOIN card ON card.id = token.card_id
    WHERE token.uid = ? AND token.type = ?
"""
_TOTAL = "SELECT token_count FROM meta"


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
            parts.append(" AND last_updated >= ?")
            values.append(moment_text(date_from.replace(microsecond=0)))
        if date_to is not None:
            parts.append(" AND last_updated < ?")
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
        self._lookups = Snapshots(database.path)
        self._pages = Snapshots(database.path)
        self._agreements: Remembered[str, Agreement] = Remembered(self._lookups)
        self._authorizations = Authorizations(record)
        self._read: dict[int, Token] = {}

    def close(self) -> None:
        """Let go of the files."""
        self._lookups.close()
        self._pages.close()
        self._authorizations.close()

    def style(self, partner: str) -> str:
        """How tokens are presented to a partner at present."""
        agreement = self._agreement(partner)
        return f"whitelist={agreement.whitelist or ''}" if agreement else ""

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
        agreement = self._agreement(partner)
        if agreement is None:
            return TokenPage((), 0, None)
        window = _Window.of(date_from, date_to)
        if window.condition and after is None:
            self._let_writers_finish()
        with self._pages.view():
            total = self._total(window)
            found = self._found(window, after, min(offset, total), limit + 1)
            shown = found[:limit]
            rows = self._rows([place for place, revision in shown if revision not in known])
        tokens = _Tokens([rows.get(place) for place, _ in shown], agreement)
        goes_on = shown[-1][0] if len(found) > limit else None
        return TokenPage(tokens, total, goes_on, [revision for _, revision in shown], self.style(partner))

    def one(self, partner: str, uid: str, type_: str) -> Token | None:
        """One token by its UID in any case, or None.

        :raises StoreError: the store cannot be used
        """
        agreement = self._agreement(partner)
        row = self._row(uid, type_) if agreement else None
        return agreement.present(self._token(row)) if agreement and row else None

    def decide(self, partner: str, uid: str, type_: str) -> Decision | None:
        """Decide a real-time authorization and keep it for the record; None for an unknown token.

        :raises StoreError: the store cannot be used
        """
        agreement = self._agreement(partner)
        row = self._row(uid, type_) if agreement else None
        if agreement is None or row is None:
            return None
        token = agreement.present(self._token(row))
        allowed = _SAID.get(CardState(row["card_state"]), Allowed.NOT_ALLOWED)
        if allowed is Allowed.ALLOWED and not token.valid:
            allowed = Allowed.NOT_ALLOWED
        reference = str(uuid.uuid4())
        self._authorizations.keep(self._database.clock(), partner, reference, row["card_id"], allowed)
        return Decision(allowed, token, reference, words_for(token, allowed))

    def _agreement(self, partner: str) -> Agreement | None:
        """What a partner and we agreed on, if it is in force."""
        try:
            agreement = self._agreements.get(partner, lambda: self._partners.get(partner).agreement)
        except WrongCall:
            return None
        return agreement if agreement.covers(self._database.clock().date()) else None

    def _let_writers_finish(self) -> None:
        """Wait until what is stamped is committed; whatever is stamped from now on is newer."""
        with self._database.write():
            pass

    def _total(self, window: _Window) -> int:
        if not window.condition:
            return int(self._pages.rows(_TOTAL)[0][0])
        counted = f"SELECT count(*) FROM token WHERE 1 = 1{window.condition}"  # noqa: S608 - no input in it
        return int(self._pages.rows(counted, *window.values)[0][0])

    def _found(self, window: _Window, after: int | None, offset: int, most: int) -> list[Any]:
        """The places and revisions of a page. Without filters an offset is a place: none is ever free."""
        place = after or 0
        if not window.condition:
            place, offset = min(place + offset, _LONGEST_COUNT), 0
        query = (
            "SELECT created_seq, revision FROM token WHERE created_seq > ?"  # noqa: S608 - no input in it
            f"{window.condition} ORDER BY created_seq LIMIT ? OFFSET ?"
        )
        return self._pages.rows(query, place, *window.values, most, offset)

    def _rows(self, places: Sequence[int]) -> dict[int, Any]:
        if not places:
            return {}
        # One range and not a list of places: those that are missing lie side by side.
        query = "SELECT * FROM token WHERE created_seq BETWEEN ? AND ? ORDER BY created_seq"
        wanted = set(places)
        rows = self._pages.rows(query, min(places), max(places))
        return {row["created_seq"]: row for row in rows if row["created_seq"] in wanted}

    def _row(self, uid: str, type_: str) -> Any:  # noqa: ANN401 - a row of the driver
        rows = self._lookups.rows(_ONE, uid.upper(), type_.upper())
        return rows[0] if rows else None

    def _token(self, row: Any) -> Token:  # noqa: ANN401 - a row of the driver
        revision = row["revision"]
        token = self._read.get(revision)
        if token is None:
            if len(self._read) >= _MOST_TOKENS:
                self._read = {}
            token = self._read[revision] = _token_of(row)
        return token


class _Tokens(Sequence["Token | None"]):
    """A page's tokens, each made when it is looked at."""

    def __init__(self, rows: Sequence[Any], agreement: Agreement) -> None:
        self._rows = rows
        self._agreement = agreement

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Token | None: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Token | None]: ...
    def __getitem__(self, place: int | slice) -> Token | Sequence[Token | None] | None:
        if isinstance(place, slice):
            return _Tokens(self._rows[place], self._agreement)
        row = self._rows[place]
        return None if row is None else self._agreement.present(_token_of(row))


class _Fields:
    """A row of the driver with the names and types that `token_from` expects."""

    def __init__(self, row: Any) -> None:  # noqa: ANN401 - a row of the driver
        self._row = row

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the column holds
        value = self._row[name]
        if name == "last_updated":
            return datetime.fromisoformat(value)
        return bool(value) if name == "valid" else value


def _token_of(row: Any) -> Token:  # noqa: ANN401 - a row of the driver
    return token_from(_Fields(row))  # type: ignore[arg-type]


class Doorman:
    """A `PartnerBook` that asks the store again only after the store has changed."""

    def __init__(self, database: Database, book: PartnerBook) -> None:
        self._snapshots = Snapshots(database.path)
        self._book = book
        self._callers: Remembered[bytes, Caller | None] = Remembered(self._snapshots)

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

    def close(self) -> None:
        """Let go of the file."""
        self._snapshots.close()


def _digest(server_token: str) -> bytes:
    """What stands for a token in memory. Digests give nothing away by how long comparing them takes."""
    return hashlib.sha256(server_token.encode("utf-8", "surrogatepass")).digest()
