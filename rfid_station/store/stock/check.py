"""What must hold between lots, balances, entries and cards; looked for by `store check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from rfid_station.domain.card import CardState
from rfid_station.domain.stock import CARD_ACCOUNTS, Account, Spot, account_of
from rfid_station.store.tables import card, lot, stock_balance, stock_entry

_COUNT = func.coalesce(func.sum(stock_entry.c.quantity), 0)
_FROM_CARDS = {account.value for account in CARD_ACCOUNTS}
_OFF_CARDS = {account.value for account in Account} - _FROM_CARDS


def unbalanced(connection: Connection) -> Iterator[str]:
    """What does not add up: each lot by itself, balances by the entries, cards by the balances."""
    for lot_id, name in connection.execute(select(lot.c.id, lot.c.name).order_by(lot.c.id)).all():
        balances = _balances(connection, lot_id)
        entries = _entries(connection, lot_id)
        yield from _equation(name, balances, entries)
        yield from _sums(name, balances, entries)
        yield from _cards(connection, lot_id, name, balances, entries)


_Entries = list[tuple[Spot | None, Spot, int]]


def _balances(connection: Connection, lot_id: int) -> Counter[Spot]:
    rows = connection.execute(select(stock_balance).where(stock_balance.c.lot_id == lot_id))
    return Counter({Spot(Account(row.account), row.place): row.quantity for row in rows})


def _entries(connection: Connection, lot_id: int) -> _Entries:
    ends = (
        stock_entry.c.from_account,
        stock_entry.c.from_place,
        stock_entry.c.to_account,
        stock_entry.c.to_place,
    )
    rows = connection.execute(
        select(*ends, _COUNT.label("quantity")).where(stock_entry.c.lot_id == lot_id).group_by(*ends)
    )
    return [
        (
            Spot(Account(row.from_account), row.from_place) if row.from_account else None,
            Spot(Account(row.to_account), row.to_place),
            int(row.quantity),
        )
        for row in rows
    ]


def _equation(name: str, balances: Counter[Spot], entries: _Entries) -> Iterator[str]:
    received = sum(count for source, _, count in entries if source is None)
    standing = sum(balances.values())
    if received != standing:
        yield f"{received} blanks of lot {name} were received, and its accounts add up to {standing}"


def _sums(name: str, balances: Counter[Spot], entries: _Entries) -> Iterator[str]:
    summed: Counter[Spot] = Counter()
    for source, target, count in entries:
        summed[Spot(target.account, target.kept_by)] += count
        if source is not None:
            summed[Spot(source.account, source.kept_by)] -= count
    for spot in sorted(balances.keys() | summed.keys(), key=str):
        if balances[spot] != summed[spot]:
            yield f"lot {name} has {balances[spot]} {spot}, and its entries add up to {summed[spot]}"


def _cards(
    connection: Connection, lot_id: int, name: str, balances: Counter[Spot], entries: _Entries
) -> Iterator[str]:
    """Cards stand where their state says, but for those whose plastic was destroyed, kept, or used again."""
    query = select(card.c.state, func.count()).where(card.c.lot_id == lot_id).group_by(card.c.state)
    cards: Counter[Account] = Counter()
    for state, count in connection.execute(query):
        cards[account_of(CardState(state))] += count
    for account in CARD_ACCOUNTS:
        standing = balances[Spot(account)] + sum(
            count for source, target, count in entries if source and _has_left(source, target, account)
        )
        if cards[account] != standing:
            words = account.replace("_", " ")
            yield f"{cards[account]} cards of lot {name} are {words}, and its account says {standing}"


def _has_left(source: Spot, target: Spot, account: Account) -> bool:
    """Whether an entry took the plastic from cards of an account, which stay in their state."""
    return source.account is account and (
        target.account.value in _OFF_CARDS or source.account is Account.SPOILED
    )
