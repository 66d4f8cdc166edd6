"""Who stands behind hubs: what a hub confirms says nothing about them, and what it tells of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from rfid_station.desk.station import Station
from rfid_station.domain.hub_client import BehindHub, HubClient, behind_hub
from rfid_station.domain.partner import Partner
from rfid_station.domain.token import Party
from rfid_station.store.partners.hub_clients import HubClients
from rfid_station.sync.confirmation import Confirmation

Seen = Callable[[Sequence[Confirmation]], None]


def clients_of(station: Station, partner: Partner) -> list[HubClient]:
    """What a hub told of the parties behind it; nothing of a partner that is none."""
    return HubClients(station.store.database).all(partner.name)


def behind_each_hub(station: Station) -> dict[str, BehindHub]:
    """The operators behind each partner that is a hub."""
    return {
        partner.name: behind_hub(clients_of(station, partner), _named_in_credentials(partner))
        for partner in station.store.partners.all()
        if partner.profile.is_hub
    }


def told_with(behind: Mapping[str, BehindHub], said: Iterable[Confirmation]) -> tuple[Confirmation, ...]:
    """What partners said, with who stands behind those that are hubs."""
    return tuple(
        replace(one, may_accept=f"{one.may_accept}; {behind[one.partner]}") if one.partner in behind else one
        for one in said
    )


def watching_with(behind: Mapping[str, BehindHub], watch: Seen | None) -> Seen | None:
    """The same for whoever watches."""
    return (lambda said: watch(told_with(behind, said))) if watch and behind else watch


def _named_in_credentials(partner: Partner) -> Sequence[Party]:
    """The parties that a hub's credentials name beside the hub itself, which comes first."""
    return partner.connection.parties[1:] if partner.connection else ()
