"""Drivers, cards and tokens as the rows that go to the driver as they are: times and states are text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rfid_station.domain.card import Card, Driver
from rfid_station.domain.token import Token
from rfid_station.store.bulk.drawing import Drawn
from rfid_station.store.search import search_text
from rfid_station.store.tables import moment_text
from rfid_station.store.whole_rows import Values

DRIVER = ("id", "name", "reference", "fleet", "language", "search_text")
CARD = (
    "id",
    "uid",
    "chip",
    "profile",
    "state",
    "contract_id",
    "visual_number",
    "visual_bare",
    "alias",
    "order_line",
    "driver_id",
    "created_at",
    "changed_at",
    "card_group",
    "contract_card",
    "valid_until",
    "claim_attempts",
    "lot_id",
    "uid_backwards",
    "contract_backwards",
    "visual_backwards",
)
TOKEN = (
    "id",
    "card_id",
    "created_seq",
    "revision",
    "urgent",
    "type",
    "uid",
    "country_code",
    "party_id",
    "contract_id",
    "visual_number",
    "issuer",
    "group_id",
    "valid",
    "whitelist",
    "language",
    "last_updated",
    "card_group",
    "grouped_at",
)


def driver_rows(first_id: int, drivers: Sequence[Driver]) -> list[Values]:
    """Values of the columns `DRIVER`."""
    return [
        (driver_id, whom.name, whom.reference, whom.fleet, whom.language, search_text(whom))
        for driver_id, whom in enumerate(drivers, first_id)
    ]


def card_rows(
    cards: Sequence[Card], drawn: Sequence[Drawn], driver_ids: Sequence[int | None], at: datetime
) -> list[Values]:
    """Values of the columns `CARD`."""
    now = moment_text(at)
    return [
        (
            made.id,
            made.uid.hex,
            made.chip,
            made.profile,
            made.state.value,
            numbers.contract,
            made.visual_number,
            numbers.visual_bare,
            made.alias,
            made.order_line,
            driver_id,
            now,
            now,
            made.group,
            1,
            made.valid_until.isoformat() if made.valid_until else None,
            0,
            made.lot,
            made.uid.hex[::-1],
            numbers.contract[::-1],
            numbers.visual_bare[::-1],
        )
        for made, numbers, driver_id in zip(cards, drawn, driver_ids, strict=True)
    ]


def token_rows(
    first_id: int, cards: Sequence[Card], told: Sequence[Token], numbered: Iterator[tuple[int, int]]
) -> list[Values]:
    """Values of the columns `TOKEN`.

    :param numbered: the place and the revision of each
    """
    stamps = {stamp: moment_text(stamp) for stamp in {one.last_updated for one in told}}
    return [
        (
            token_id,
            made.id,
            place,
            revision,
            False,
            one.type.value,
            one.uid.hex,
            one.party.country_code,
            one.party.party_id,
            one.contract_id.compact,
            one.visual_number,
            one.issuer,
            one.group_id,
            one.valid,
            one.whitelist.value,
            one.language,
            stamps[one.last_updated],
            made.group,
            revision,
        )
        for token_id, (made, one, (place, revision)) in enumerate(
            zip(cards, told, numbered, strict=True), first_id
        )
    ]
