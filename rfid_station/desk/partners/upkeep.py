"""Connected partners: their tokens renewed, their cards taken back, their connection ended."""

from __future__ import annotations

from rfid_station.desk.partners.connecting import (
    begin_handshake,
    connect_partner,
    handshake_timeout_s,
    keep_registration,
    readmit_partner,
)
from rfid_station.desk.partners.hub import check_no_hub, is_hub
from rfid_station.desk.partners.own_server import listening, partner_reach, us_of
from rfid_station.desk.partners.withdrawing import withdraw_all
from rfid_station.desk.station import Station
from rfid_station.domain.partner import Connection, Partner
from rfid_station.errors import Conflict, PartnerUnreachable, WrongCall
from rfid_station.ocpi.answer import error_of
from rfid_station.ocpi.handshake import Handshake, Offer, credentials_url_of, unregister
from rfid_station.ocpi.port import Registration

WITHDRAW_S = 60.0
"""How long a partner that is let go has to take its cards back."""


def rotate_partner(station: Station, name: str, first_token: str | None = None) -> Partner:
    """Change both tokens of a connected partner, and read its versions and endpoints anew.

    While it lasts the partner gets in by the old and by the new server token. Without an answer it
    does so from then on: nobody knows which one it holds.

    :param first_token: a new one of the partner, where its profile says that it takes no PUT
    :raises Conflict: the partner is not connected
    :raises WrongCall: a new first token is needed, or given where none is
    :raises PartnerError: it refuses, answers nonsense, or cannot be reached
    """
    partner, connection = connected(station, name)
    check_no_hub(partner, "tokens", "put a new certificate where tls_certificate in [oicp] says")
    if not partner.profile.credentials_put:
        return _rotate_by_leaving(station, partner, connection, first_token)
    if first_token is not None:
        raise WrongCall(
            f"{name} rotates by PUT, which takes no first token",
            hint=f"rfid-station partner rotate {name}, without --token-file",
        )
    handshake = _handshake(station, partner, connection, station.vault.read(partner.client_token_ref))
    offer = handshake.look()
    server_token = begin_handshake(station, name)
    try:
        registration = _put(station, handshake, offer, server_token)
    except PartnerUnreachable:
        station.store.partners.keep_both(name)
        raise
    except BaseException:
        station.store.partners.abort_connecting(name)
        raise
    return _keep(station, partner, connection, registration)


def _put(station: Station, handshake: Handshake, offer: Offer, server_token: str) -> Registration:
    with listening(station, server_token):
        return handshake.exchange("PUT", offer, us_of(station), server_token)


def _keep(station: Station, partner: Partner, before: Connection, registration: Registration) -> Partner:
    """The partner has changed its tokens: from here on there is no way back but forward."""
    found = registration.connection
    parties = found.parties or before.parties
    complete = Connection(found.version, found.versions_url, found.endpoints, parties)
    try:
        return keep_registration(station, partner, Registration(complete, registration.client_token))
    except BaseException:
        station.store.partners.keep_both(partner.name)
        raise


def _rotate_by_leaving(
    station: Station, partner: Partner, connection: Connection, first_token: str | None
) -> Partner:
    """DELETE, then POST. The new first token is tried before the old connection is given up."""
    if first_token is None:
        raise WrongCall(
            f"{partner.name} takes no PUT: it is unregistered and registered anew, by a new first token",
            hint=f"rfid-station partner rotate {partner.name} --token-file FILE",
        )
    _handshake(station, partner, connection, first_token).look()
    disconnect_partner(station, partner.name, keep_cards=True)
    readmit_partner(station, partner.name, connection.versions_url, first_token)
    return connect_partner(station, partner.name)


def disconnect_partner(
    station: Station,
    name: str,
    *,
    only_here: bool = False,
    keep_cards: bool = False,
    wait_s: float = WITHDRAW_S,
) -> Partner:
    """End a connection: withdraw every card, then unregister at the partner, and forget its tokens.

    :param only_here: do not ask the partner, who may keep us registered; the cards stay as they are there
    :param keep_cards: leave the cards as they are there
    :param wait_s: how long to bring the withdrawals to the partner
    :raises Conflict: the partner is not connected
    :raises StillPending: it has not taken all cards back by then; the connection stays, for the next call
    :raises PartnerError: it does not unregister us; nothing else was changed here
    """
    partner, connection = connected(station, name)
    if not only_here and not keep_cards:
        withdraw_all(station, name, wait_s)
    if not only_here and not is_hub(partner):
        _leave(station, partner, connection)
    disconnected = station.store.partners.disconnect(name, station.actor)
    station.store.contacts.forget(name)
    station.vault.forget(partner.client_token_ref)
    return disconnected


def _leave(station: Station, partner: Partner, connection: Connection) -> None:
    registration = Registration(connection, station.vault.read(partner.client_token_ref))
    answer = unregister(
        registration,
        credentials_url_of(connection, partner.profile),
        profile=partner.profile,
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    )
    is_gone = answer.http_status == 405  # not registered (credentials, DELETE)
    if not (answer.is_acknowledged or is_gone):
        raise error_of(
            answer,
            f"{partner.name} did not unregister us",
            f"try again, or rfid-station partner disconnect {partner.name} --only-here ends our side alone",
        )


def connected(station: Station, name: str) -> tuple[Partner, Connection]:
    """A partner and its connection.

    :raises WrongCall: there is no such partner
    :raises Conflict: it is not connected
    """
    partner = station.store.partners.get(name)
    if partner.connection is None:
        raise Conflict(f"{name} is {partner.state}, not connected", hint=f"rfid-station partner show {name}")
    return partner, partner.connection


def _handshake(station: Station, partner: Partner, connection: Connection, token: str) -> Handshake:
    return Handshake(
        connection.versions_url,
        token,
        profile=partner.profile,
        timeout_s=handshake_timeout_s(station),
        reach=partner_reach(station),
    )
