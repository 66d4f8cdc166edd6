"""Whether a connection works, step by step, without changing anything at the partner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rfid_station.desk.partners.behind_hubs import read_clients
from rfid_station.desk.partners.hub import client_certificate, is_hub
from rfid_station.desk.partners.own_server import partner_reach
from rfid_station.desk.partners.upkeep import connected
from rfid_station.desk.station import Station
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Connection, Partner
from rfid_station.errors import PartnerRefused, PartnerUnreachable, StationError
from rfid_station.ocpi.answer import error_of
from rfid_station.ocpi.client import OcpiClient, open_receiver
from rfid_station.ocpi.handshake import Handshake, Offer, credentials_url_of
from rfid_station.ocpi.seen import seen


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trial. `may_retry` says that a failure may pass by itself."""

    name: str
    is_good: bool
    detail: str
    may_retry: bool = False


def try_partner(station: Station, name: str) -> Iterator[Step]:
    """Read versions and details, our credentials there, and one card back. Each step as it ends.

    A step that needs one which failed is not taken.

    :raises Conflict: the partner is not connected
    :raises WrongCall: there is no such partner, or its client token is missing
    """
    partner, connection = connected(station, name)
    if is_hub(partner):
        yield _try_certificate(station)
        return
    client_token = station.vault.read(partner.client_token_ref)
    yield from _try_endpoints(station, partner, connection, client_token)
    yield _try_credentials(station, partner, connection, client_token)
    yield _try_read_back(station, partner, connection, client_token)
    yield from _try_hub_clients(station, partner)


def _try_certificate(station: Station) -> Step:
    """All that can be tried of OICP: it has no request that changes nothing."""
    try:
        certificate = client_certificate(station)
        until = certificate.valid_until() if certificate else None
    except StationError as error:
        return Step("certificate", is_good=False, detail=error.message)
    found = f"valid until {until:%Y-%m-%d}" if until else "none, and none is needed"
    return Step("certificate", is_good=True, detail=f"{found}; OICP has nothing more to ask")


def check_trial(name: str, steps: Sequence[Step]) -> None:
    """Let it pass that every step was good.

    :raises PartnerUnreachable: one failed that may pass by itself
    :raises PartnerRefused: one failed otherwise
    """
    failed = [step for step in steps if not step.is_good]
    if not failed:
        return
    words = f"{name}: {'; '.join(f'{step.name}: {step.detail}' for step in failed)}"
    if all(step.may_retry for step in failed):
        raise PartnerUnreachable(words, hint=f"rfid-station partner test {name}, once the partner is back")
    raise PartnerRefused(words, hint=f"rfid-station partner show {name}")


def _try_endpoints(
    station: Station, partner: Partner, connection: Connection, client_token: str
) -> Iterator[Step]:
    handshake = Handshake(
        connection.versions_url,
        client_token,
        profile=partner.profile,
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    )
    step = "versions"
    try:
        chosen = handshake.choose_version()
        yield Step(step, is_good=True, detail=f"OCPI {chosen[0].VERSION} is the best common one")
        step = "details"
        yield _moved(partner, connection, handshake.look(chosen))
    except StationError as error:
        yield Step(step, is_good=False, detail=error.message, may_retry=error.may_retry)


def _moved(partner: Partner, connection: Connection, offer: Offer) -> Step:
    """Whether the endpoints are those that were told when we connected."""
    if connection.version != offer.dialect.VERSION:
        detail = (
            f"connected by OCPI {connection.version}; rfid-station partner rotate {partner.name} changes it"
        )
        return Step("details", is_good=True, detail=detail)
    before, now = set(connection.endpoints), set(offer.endpoints)
    if before != now:
        changed = ", ".join(sorted(f"{e.identifier} {e.role}" for e in before ^ now))
        return Step("details", is_good=False, detail=seen(f"changed since we connected: {changed}"))
    return Step("details", is_good=True, detail=f"{len(now)} modules, as when we connected")


def _try_credentials(station: Station, partner: Partner, connection: Connection, client_token: str) -> Step:
    with OcpiClient(
        client_token,
        encoding=partner.profile.header_of(connection.version),
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station).with_host_of(connection.versions_url),
    ) as client:
        answer = client.call("GET", credentials_url_of(connection, partner.profile))
    if answer.is_acknowledged:
        return Step("credentials", is_good=True, detail="the partner knows us")
    error = error_of(answer, "cannot be read")
    return Step("credentials", is_good=False, detail=error.message, may_retry=error.may_retry)


def _try_read_back(station: Station, partner: Partner, connection: Connection, client_token: str) -> Step:
    change = _newest_held(station, partner)
    if change is None:
        return Step("read-back", is_good=True, detail="the partner is to have no card yet")
    receiver = open_receiver(
        connection,
        client_token,
        station.settings.ocpi.party,
        profile=partner.profile,
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    )
    try:
        outcome, differences = receiver.prove(change.token)
    finally:
        receiver.close()
    number = change.token.visual_number
    if differences is None:
        return Step("read-back", is_good=False, detail=f"{number}: {outcome.detail}", may_retry=False)
    if differences:
        return Step("read-back", is_good=False, detail=f"{number}: {'; '.join(differences)}")
    return Step("read-back", is_good=True, detail=f"{number} is there as it should be")


def _try_hub_clients(station: Station, partner: Partner) -> Iterator[Step]:
    """Of a hub that lists who stands behind it; what it lists is kept."""
    step = "hub clients"
    try:
        read = read_clients(station, partner)
    except StationError as error:
        yield Step(step, is_good=False, detail=error.message, may_retry=error.may_retry)
        return
    if read and read.unreadable:
        detail = f"{read.parties} can be read, {len(read.unreadable)} cannot: {seen(read.unreadable[0])}"
        yield Step(step, is_good=False, detail=detail)
    elif read:
        yield Step(step, is_good=True, detail=f"{read.parties}, as the hub lists them")


def _newest_held(station: Station, partner: Partner) -> Change | None:
    """The newest card among those that sync says the partner holds."""
    feed = station.store.feed
    standing = feed.standing(partner.name)
    cursor = standing.cursors[Lane.BULK]
    parked = {row.token_id for row in standing.parked}
    for reach in (1, 100, 10_000_000):
        held = [
            change
            for change in feed.changes_after(partner.name, max(cursor - reach, 0), Lane.BULK, reach)
            if change.revision <= cursor and change.token_id not in parked
        ]
        if held:
            return held[-1]
    return None
