"""Who stands behind hubs: what a hub confirms says nothing about them, and what it tells of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rfid_station.desk.partners.own_server import partner_reach
from rfid_station.desk.station import Station
from rfid_station.domain.hub_client import BehindHub, HubClient, behind_hub
from rfid_station.domain.partner import Partner
from rfid_station.domain.token import Party
from rfid_station.ocpi.client import check_url, open_client
from rfid_station.ocpi.hub_list import hub_pages
from rfid_station.store.partners.hub_clients import HubClients
from rfid_station.sync.confirmation import Confirmation

Seen = Callable[[Sequence[Confirmation]], None]


def clients_of(station: Station, partner: Partner) -> list[HubClient]:
    """What a hub told of the parties behind it; nothing of a partner that is none."""
    return HubClients(station.store.database).all(partner.name)


@dataclass(frozen=True, slots=True)
class ClientList:
    """What came of reading a hub's own list."""

    parties: int
    unreadable: tuple[str, ...]
    """What was wrong with those that were left out."""


def list_url(partner: Partner) -> str | None:
    """Where a partner offers a list of the parties behind it, if it is connected and offers one."""
    return partner.connection.url_of("hubclientinfo", "SENDER") if partner.connection else None


def read_clients(station: Station, partner: Partner) -> ClientList | None:
    """Read a hub's own list of the parties behind it, and keep it; None of a partner that offers none.

    :raises PartnerError: it cannot be read; the pages before are kept
    :raises Conflict: it tells of more parties than there can be
    """
    connection, url = partner.connection, list_url(partner)
    if connection is None or url is None:
        return None
    book, count, unreadable = HubClients(station.store.database), 0, list[str]()
    with open_client(
        connection,
        station.vault.read(partner.client_token_ref),
        station.settings.ocpi.party,
        profile=partner.profile,
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    ) as client:
        for page in hub_pages(client, check_url(url, "hubclientinfo URL")):
            for told in page.clients:
                book.put(partner.name, told)
            count += len(page.clients)
            unreadable += page.complaints
    return ClientList(count, tuple(unreadable))


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
