"""Cards as rows of a list, masked unless asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfid_station.domain.card import Card

if TYPE_CHECKING:
    from rfid_station.desk.station import Station


def short_card_row(card: Card, full: bool = False) -> dict[str, Any]:
    """A card for people."""
    return {
        "number": card.visual_number,
        "state": f"{card.state}, {card.reason}" if card.reason else f"{card.state}",
        "contract": f"{card.contract_id}",
        "uid": card.uid.hex if full else card.uid.masked,
        "driver": _driver(card, full),
        "fleet": card.driver.fleet if card.driver else None,
        "group": card.group,
    }


def card_row(card: Card, full: bool = False) -> dict[str, Any]:
    """A card for programs; docs/json.md describes it."""
    return {
        "number": card.visual_number,
        "state": f"{card.state}",
        "reason": card.reason,
        "contract": f"{card.contract_id}",
        "uid": card.uid.hex if full else card.uid.masked,
        "chip": card.chip,
        "driver": _driver(card, full),
        "fleet": card.driver.fleet if card.driver else None,
        "group": card.group,
        "valid_until": f"{card.valid_until}" if card.valid_until else None,
        "changed": card.changed_at,
    }


def _driver(card: Card, full: bool) -> str | None:
    if card.driver is None:
        return None
    return card.driver.name if full else card.driver.masked


def reveal(station: Station, cards: list[Card], full: bool) -> None:
    """Write down whom was shown what is masked for others, before it is shown."""
    if full and cards:
        station.store.cards.note_revealed(cards, station.actor)
