"""What the shell proposes at TAB: from the store, never from a reader, and never an error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from rfid_station.errors import StationError


def card_numbers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Visual numbers that begin with what was typed."""
    wanted = incomplete.upper()
    return [number for number in _names(ctx, of_cards=True) if number.startswith(wanted)]


def partner_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of partners that begin with what was typed."""
    return [name for name in _names(ctx, of_cards=False) if name.startswith(incomplete)]


def _names(ctx: typer.Context, *, of_cards: bool) -> list[str]:
    from rfid_station.settings import load_settings, station_folder, store_url
    from rfid_station.store.opening import open_store

    chosen = ctx.find_root().params.get("station")
    with suppress(StationError):
        folder = station_folder(Path(chosen) if chosen else None)
        with open_store(store_url(load_settings(folder), folder)) as store:
            if of_cards:
                return [card.visual_number for card in store.cards.listing()]
            return [partner.name for partner in store.partners.all()]
    return []
