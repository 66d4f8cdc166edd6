"""Our own OCPI server, as partners need it while they are being connected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rfid_station.desk.partners.registry import StationRegistry
from rfid_station.desk.station import Station
from rfid_station.errors import WrongCall
from rfid_station.ocpi.client import OcpiClient
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.reach import Reach
from rfid_station.ocpi.registrar import Registrar
from rfid_station.store.partners.hub_clients import HubClients
from rfid_station.store.told.shelf import Shelf

SERVER_TOKEN_BYTES = 32

AUTHORIZATIONS = "authorizations"
"""The folder, within the station's, with a line for each real-time authorization."""


def credentials_desk(station: Station) -> Registrar:
    """What our server's credentials endpoint asks."""
    return Registrar(
        us_of(station),
        StationRegistry(station),
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    )


def partner_reach(station: Station) -> Reach:
    """Where partners may make us call, beside public addresses: what the settings name.

    And this machine, if partners reach us only there: a demo, or a test.
    """
    ocpi = station.settings.ocpi
    return Reach(frozenset(host.lower() for host in ocpi.private_hosts)).beside(ocpi.public_url)


def us_of(station: Station) -> Us:
    """Who we are towards partners."""
    ocpi = station.settings.ocpi
    return Us(ocpi.party, ocpi.name, f"{ocpi.public_url.rstrip('/')}/ocpi/versions")


@contextmanager
def listening(station: Station, server_token: str) -> Iterator[None]:
    """Answer partners for as long as the block runs, unless `rfid-station serve` does so already.

    :param server_token: one that is in force; by it our own server is told from another program
    :raises WrongCall: the address cannot be listened on
    """
    from rfid_station.ocpi.server import create_app, serve_in_thread

    host, _, port = station.settings.ocpi.listen.rpartition(":")
    if not port.isdecimal():
        raise WrongCall(
            f"ocpi.listen = {station.settings.ocpi.listen!r} has no port",
            hint='write it as listen = "127.0.0.1:8090" in station.toml',
        )
    store = station.store
    with ExitStack() as server:
        shelf = Shelf(store.database, store.partners, station.folder / AUTHORIZATIONS)
        server.callback(shelf.close)
        app = create_app(
            us_of(station),
            store.partners,
            shelf=shelf,
            hubs=HubClients(store.database),
            charges=store.charges,
        )
        try:
            server.enter_context(serve_in_thread(app, host.strip("[]"), int(port)))
        except WrongCall:
            if not _is_served(station, server_token):
                raise
        yield


def _is_served(station: Station, server_token: str) -> bool:
    """Whether a server of this very store answers at our address."""
    us = us_of(station)
    reach = partner_reach(station).with_host_of(us.versions_url)
    with OcpiClient(server_token, timeout_s=station.settings.ocpi.timeout_s, reach=reach) as client:
        return client.call("GET", us.versions_url).is_acknowledged
