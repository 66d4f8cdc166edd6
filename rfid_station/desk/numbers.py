"""The numbers of a new card, drawn. Whether one is taken is known to the store, which then draws again."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.desk.station import Station
from rfid_station.domain import typed_code
from rfid_station.domain.contract_id import ContractId, own_contract_id
from rfid_station.domain.token import Party
from rfid_station.domain.visual_number import NumberPattern, draw_index
from rfid_station.settings import VisualOrder

ALIAS_LENGTH = 12
"""60 bits: nobody finds another card's page by trying."""


@dataclass(slots=True)
class Numbers:
    """Draws the numbers of one card after the other. The store asks for the contract first."""

    party: Party
    pattern: NumberPattern
    order: VisualOrder
    contract_number: int = 0

    @classmethod
    def of(cls, station: Station) -> Numbers:
        """As the settings say."""
        settings = station.settings
        return cls(settings.ocpi.party, station.number_pattern, settings.desk.visual_order)

    def contract_of(self, number: int) -> ContractId:
        """Our contract with this number."""
        self.contract_number = number
        return own_contract_id(self.party.country_code, self.party.party_id, number)

    def draw_visual(self) -> str:
        """The contract's number as a visual number, or one that tells nothing about its neighbours."""
        rising = self.order is VisualOrder.RISING
        return self.pattern.render(self.contract_number if rising else draw_index(self.pattern))

    def draw_alias(self) -> str:
        """An alias that nobody can guess."""
        return typed_code.draw(ALIAS_LENGTH)


def next_number(station: Station) -> str | None:
    """The visual number that the next card gets, where that is known.

    Where desks lease numbers, this one takes a lease if it has none: nobody else is quicker then.
    """
    if station.settings.desk.visual_order is not VisualOrder.RISING:
        return None
    leases = station.store.leases
    held = leases.hold(station.actor)
    return station.number_pattern.render(held.next if held else leases.next_contract())
