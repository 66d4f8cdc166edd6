"""Partners come in: added with what was agreed on paper, then connected by the OCPI handshake."""

from __future__ import annotations

import secrets
from contextlib import suppress
from urllib.parse import urlsplit

from rfid_station.desk.partners.agreeing import who_agrees
from rfid_station.desk.partners.behind_hubs import read_clients
from rfid_station.desk.partners.hub import add_hub, check_no_hub, connect_hub, is_hub
from rfid_station.desk.partners.own_server import SERVER_TOKEN_BYTES, listening, partner_reach, us_of
from rfid_station.desk.partners.profiles import DEFAULT, load_partner_profile
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.domain.partner_profile import Protocol, check_partner_name
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.ocpi.client import check_token
from rfid_station.ocpi.handshake import credentials_url_of, register, unregister
from rfid_station.ocpi.port import Registration
from rfid_station.store.partners.registry import server_token_hash


def add_partner(
    station: Station,
    name: str,
    versions_url: str,
    first_token: str | None,
    agreement: Agreement,
    profile: str = DEFAULT,
    *,
    witness: str | None = None,
) -> Partner:
    """Note a partner down, with the token that came out of band. Nothing is sent.

    A hub by OICP is connected with that: it takes no token, but the certificate of the settings.

    :param witness: who agrees, where whitelist ALWAYS takes two people
    :raises WrongCall: the URL is none, the token cannot be used, or there is no such profile
    :raises Conflict: there is a partner of that name
    :raises MoveNotAllowed: the agreement takes a supervisor, or two people
    """
    given = load_partner_profile(profile, station.folder)
    if given.protocol is Protocol.OICP:
        if first_token is not None:
            raise WrongCall("OICP has no first tokens", hint="leave out --token-file")
        return add_hub(station, name, versions_url, agreement, given, witness=witness)
    if first_token is None:
        raise WrongCall(
            f"{name} is connected by a token that it gave you", hint="give its file with --token-file"
        )
    check_partner_name(name)
    _check_given(name, versions_url, first_token)
    actor = who_agrees(station, name, Agreement(), agreement, witness)
    reference = station.vault.keep(name, first_token)
    try:
        return station.store.partners.add(
            name=name,
            versions_url=versions_url,
            client_token_ref=reference,
            agreement=agreement,
            actor=actor,
            profile=given,
        )
    except BaseException:
        station.vault.forget(reference)
        raise


def readmit_partner(station: Station, name: str, versions_url: str | None, first_token: str) -> Partner:
    """Note a new first token of a partner that is not connected. Nothing is sent.

    :raises WrongCall: there is no such partner, or URL or token cannot be used
    :raises Conflict: it is connected
    """
    partner = station.store.partners.get(name)
    check_no_hub(partner, "first tokens", f"rfid-station partner connect {name}, without --token-file")
    url = versions_url or partner.versions_url
    _check_given(name, url, first_token)
    reference = station.vault.keep(name, first_token)
    try:
        readmitted = station.store.partners.readmit(name, url, reference, station.actor)
    except BaseException:
        station.vault.forget(reference)
        raise
    station.vault.forget(partner.client_token_ref)
    return readmitted


def _check_given(name: str, versions_url: str, first_token: str) -> None:
    if urlsplit(versions_url).scheme not in ("http", "https") or not urlsplit(versions_url).netloc:
        raise WrongCall(
            f"{versions_url!r} is not an address", hint="it looks like https://cpo.example/ocpi/versions"
        )
    if not first_token:
        raise WrongCall(
            f"the token for {name} is empty",
            hint="put the one line that the partner sent into a file and name it with --token-file",
        )
    check_token(first_token, f"token for {name}")


def connect_partner(station: Station, name: str) -> Partner:
    """Register with a partner: versions, details, our credentials, theirs.

    The partner calls us back while our own request is open, so we listen meanwhile. Whatever
    fails, the partner stands as it stood before.

    :raises Conflict: it is connected already, or it is the partner's turn
    :raises PartnerError: it refuses, answers nonsense, or cannot be reached
    """
    partner = station.store.partners.get(name)
    if is_hub(partner):
        return connect_hub(station, name)
    if partner.state is PartnerState.CONNECTED:
        raise Conflict(f"{name} is connected already", hint="rfid-station sync status")
    if not partner.client_token_ref:
        raise Conflict(
            f"{name} is {partner.state}, and we have no first token of it",
            hint=f"rfid-station partner connect {name} --token-file FILE, or … partner invite {name}",
        )
    server_token = begin_handshake(station, name)
    try:
        registration = _handshake(station, partner, server_token)
        connected = keep_registration(station, partner, registration)
    except BaseException:
        station.store.partners.abort_connecting(name)
        raise
    # Who stands behind a hub is good to know at once; where that fails, `partner test` says why.
    with suppress(StationError):
        read_clients(station, connected)
    return connected


def begin_handshake(station: Station, name: str) -> str:
    """Put a new server token in force for the length of a handshake; the token."""
    server_token = secrets.token_urlsafe(SERVER_TOKEN_BYTES)
    station.store.partners.begin_connecting(name, server_token_hash(server_token))
    return server_token


def _handshake(station: Station, partner: Partner, server_token: str) -> Registration:
    first_token = station.vault.read(partner.client_token_ref)
    with listening(station, server_token):
        return register(
            us_of(station),
            partner.versions_url,
            first_token,
            server_token,
            profile=partner.profile,
            timeout_s=handshake_timeout_s(station),
            reach=partner_reach(station),
        )


def handshake_timeout_s(station: Station) -> float:
    """Our POST lasts as long as the partner's two calls to us."""
    return 3 * station.settings.ocpi.timeout_s


def keep_registration(station: Station, partner: Partner, registration: Registration) -> Partner:
    """Keep the new client token first, then the connection that refers to it.

    What the partner registered and we cannot keep is taken back from it, as far as it lets us.
    """
    reference = None
    try:
        reference = station.vault.keep(partner.name, registration.client_token)
        connected = station.store.partners.finish_connecting(
            partner.name, registration.connection, reference, station.actor
        )
    except BaseException:
        if reference:
            station.vault.forget(reference)
        if partner.state is not PartnerState.CONNECTED:
            _take_back(station, partner, registration)
        raise
    station.vault.forget(partner.client_token_ref)
    return connected


def _take_back(station: Station, partner: Partner, registration: Registration) -> None:
    with suppress(StationError):
        url = credentials_url_of(registration.connection, partner.profile)
        unregister(
            registration,
            url,
            profile=partner.profile,
            timeout_s=station.settings.ocpi.timeout_s,
            reach=partner_reach(station),
        )
