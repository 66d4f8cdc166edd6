"""What the shell proposes at TAB: from the store, never from a reader, and never an error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rfid_station.errors import StationError

if TYPE_CHECKING:
    from rfid_station.store.opening import Store


def group_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Groups that cards are in and that begin with what was typed."""
    return [
        name for name in _found(ctx, lambda store: store.token_list.groups()) if name.startswith(incomplete)
    ]


def card_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Visual numbers that begin with what was typed."""
    wanted = incomplete.upper()
    found = _found(ctx, lambda store: [card.visual_number for card in store.cards.listing()])
    return [number for number in found if number.startswith(wanted)]


def lot_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Lots of blanks that begin with what was typed."""
    found = _found(ctx, lambda store: [standing.lot.name for standing in store.stock.standings()])
    return [name for name in found if name.startswith(incomplete)]


def order_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of orders that begin with what was typed."""
    found = _found(ctx, lambda store: store.orders.names())
    return [name for name in found if name.startswith(incomplete)]


def partner_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of partners that begin with what was typed."""
    found = _found(ctx, lambda store: [partner.name for partner in store.partners.all()])
    return [name for name in found if name.startswith(incomplete)]


def _found(ctx: typer.Context, look: Callable[[Store], list[str]]) -> list[str]:
    from rfid_station.desk.record.own_store import open_own_store
    from rfid_station.settings import load_settings, station_folder

    chosen = ctx.find_root().params.get("station")
    with suppress(StationError):
        folder = station_folder(Path(chosen) if chosen else None)
        with open_own_store(load_settings(folder), folder) as store:
            return look(store)
    return []
