"""A hub that takes uploads by OICP: added without a handshake, and looked after."""

from __future__ import annotations

from rfid_station.desk.partners.agreeing import who_agrees
from rfid_station.desk.partners.own_server import partner_reach
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Connection, Endpoint, Partner, PartnerState
from rfid_station.domain.partner_profile import PartnerProfile, Protocol, check_partner_name
from rfid_station.domain.token import Token
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.oicp.certificate import ClientCertificate
from rfid_station.oicp.client import HubClient, Request, check_url
from rfid_station.oicp.receiver import HubReceiver, UnreadyHub
from rfid_station.oicp.wire import VERSION, push_url

MODULE = "authdata"


def is_hub(partner: Partner) -> bool:
    """Whether a partner takes uploads by OICP."""
    return partner.profile.protocol is Protocol.OICP


def add_hub(
    station: Station,
    name: str,
    url: str,
    agreement: Agreement,
    profile: PartnerProfile,
    *,
    witness: str | None = None,
) -> Partner:
    """Add a hub and connect it: it knows us by our certificate, which is all it takes. Nothing is sent.

    :param witness: who agrees, where whitelist ALWAYS takes two people
    :raises WrongCall: the address is none, or our certificate cannot be used
    :raises Conflict: there is a partner of that name
    :raises MoveNotAllowed: the agreement takes a supervisor, or two people
    """
    check_partner_name(name)
    _check_ready(station, url)
    actor = who_agrees(station, name, Agreement(), agreement, witness)
    station.store.partners.add(
        name=name,
        versions_url=url,
        client_token_ref="",
        agreement=agreement,
        actor=actor,
        profile=profile,
    )
    return connect_hub(station, name)


def connect_hub(station: Station, name: str) -> Partner:
    """Connect a hub (again). Every card is owed to it from then on.

    :raises Conflict: it is connected already
    :raises WrongCall: our certificate cannot be used
    """
    partner = station.store.partners.get(name)
    if partner.state is PartnerState.CONNECTED:
        raise Conflict(f"{name} is connected already", hint="rfid-station sync status")
    _check_ready(station, partner.versions_url)
    party = station.settings.ocpi.party
    upload = Endpoint(MODULE, "RECEIVER", push_url(partner.versions_url, party))
    connection = Connection(VERSION, partner.versions_url, (upload,), ())
    return station.store.partners.connect_at_once(name, connection, station.actor)


def open_hub(station: Station, partner: Partner) -> HubReceiver:
    """Open a hub for uploads. Sends nothing yet.

    :raises WrongCall: our certificate cannot be used
    """
    settings = station.settings.ocpi
    client = HubClient(
        push_url(partner.versions_url, settings.party),
        client_certificate(station),
        timeout_s=settings.timeout_s,
        reach=partner_reach(station),
    )
    return HubReceiver(client, settings.party, partner.profile)


def receiver_of(station: Station, partner: Partner) -> HubReceiver | UnreadyHub:
    """The same for sync, which goes on with other partners when our certificate cannot be used."""
    try:
        return open_hub(station, partner)
    except StationError as trouble:
        return UnreadyHub(trouble.message)


def rehearse_upload(station: Station, partner: Partner, token: Token) -> Request:
    """The first request that brings a hub to a token's state. Nothing is sent.

    :raises WrongCall: the token cannot be told in OICP, or our certificate cannot be used
    """
    receiver = open_hub(station, partner)
    try:
        return receiver.request(token)
    finally:
        receiver.close()


def client_certificate(station: Station) -> ClientCertificate | None:
    """Our client certificate, if the settings name one.

    :raises WrongCall: they name a certificate without its key, or a key alone
    """
    chosen = station.settings.oicp
    if bool(chosen.tls_certificate) != bool(chosen.tls_key):
        raise WrongCall(
            "a certificate needs its key, and a key its certificate",
            hint="set both tls_certificate and tls_key in [oicp] of station.toml",
        )
    if not chosen.tls_certificate:
        return None
    return ClientCertificate(station.folder / chosen.tls_certificate, station.folder / chosen.tls_key)


def check_no_hub(partner: Partner, what: str, hint: str) -> None:
    """Let a partner pass that speaks OCPI.

    :raises WrongCall: it speaks OICP, which has no such thing
    """
    if is_hub(partner):
        raise WrongCall(f"{partner.name} speaks OICP, which has no {what}", hint=hint)


def _check_ready(station: Station, url: str) -> None:
    """Let it pass that uploads could begin.

    :raises WrongCall: the address is none, or our certificate is missing, has ended or cannot be used
    """
    check_url(url)
    certificate = client_certificate(station)
    if certificate:
        certificate.valid_until()
    HubClient(url, certificate).close()
