"""Partners come in: added with what was agreed on paper, then connected by the OCPI handshake."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import Conflict, WrongCall
from rfid_station.ocpi.handshake import register
from rfid_station.ocpi.port import Registration, Us
from rfid_station.ocpi.server import create_app, serve_in_thread
from rfid_station.store.partners import server_token_hash

SERVER_TOKEN_BYTES = 32


def add_partner(
    station: Station, name: str, versions_url: str, first_token: str, agreement: Agreement
) -> Partner:
    """Note a partner down, with the token that came out of band. Nothing is sent.

    :raises WrongCall: the URL is none, or the token is empty
    :raises Conflict: there is a partner of that name
    """
    if urlsplit(versions_url).scheme not in ("http", "https") or not urlsplit(versions_url).netloc:
        raise WrongCall(
            f"{versions_url!r} is not an address", hint="it looks like https://cpo.example/ocpi/versions"
        )
    if not first_token:
        raise WrongCall(
            f"the token for {name} is empty",
            hint="put the one line that the partner sent into a file and name it with --token-file",
        )
    reference = station.vault.keep(name, first_token)
    try:
        return station.store.partners.add(
            name=name,
            versions_url=versions_url,
            client_token_ref=reference,
            agreement=agreement,
            actor=station.actor,
        )
    except BaseException:
        station.vault.forget(reference)
        raise


def connect_partner(station: Station, name: str) -> Partner:
    """Register with a partner: versions, details, our credentials, theirs.

    The partner calls us back while our own request is open, so we listen meanwhile. Whatever
    fails, the partner stands as it stood before.

    :raises Conflict: it is connected already
    :raises PartnerError: it refuses, answers nonsense, or cannot be reached
    """
    partner = station.store.partners.get(name)
    if partner.state is PartnerState.CONNECTED:
        raise Conflict(f"{name} is connected already", hint="rfid-station sync status")
    server_token = secrets.token_urlsafe(SERVER_TOKEN_BYTES)
    station.store.partners.begin_connecting(name, server_token_hash(server_token))
    try:
        registration = _handshake(station, partner, server_token)
    except BaseException:
        station.store.partners.abort_connecting(name)
        raise
    return _keep(station, partner, registration)


def _handshake(station: Station, partner: Partner, server_token: str) -> Registration:
    us = us_of(station)
    first_token = station.vault.read(partner.client_token_ref)
    with listening(station):
        return register(
            us,
            partner.versions_url,
            first_token,
            server_token,
            # Our POST lasts as long as the partner's two calls to us.
            timeout_s=3 * station.settings.ocpi.timeout_s,
        )


def _keep(station: Station, partner: Partner, registration: Registration) -> Partner:
    """Keep the new client token first, then the connection that refers to it."""
    reference = station.vault.keep(partner.name, registration.client_token)
    connected = station.store.partners.finish_connecting(
        partner.name, registration.connection, reference, station.actor
    )
    station.vault.forget(partner.client_token_ref)
    return connected


def us_of(station: Station) -> Us:
    """Who we are towards partners."""
    ocpi = station.settings.ocpi
    return Us(ocpi.party, ocpi.name, f"{ocpi.public_url.rstrip('/')}/ocpi/versions")


@contextmanager
def listening(station: Station) -> Iterator[None]:
    """Answer partners for as long as the block runs.

    :raises WrongCall: the address cannot be listened on
    """
    host, _, port = station.settings.ocpi.listen.rpartition(":")
    if not port.isdecimal():
        raise WrongCall(
            f"ocpi.listen = {station.settings.ocpi.listen!r} has no port",
            hint='write it as listen = "127.0.0.1:8090" in station.toml',
        )
    with serve_in_thread(create_app(us_of(station), station.store.partners), host, int(port)):
        yield
