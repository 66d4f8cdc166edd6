"""OCPI 2.1.1: its objects, and how our values are written in them and read back.

One platform is one party here: credentials are flat, endpoints have no role, a token's party stands in
its URL alone, and strings are ASCII.

Sources: OCPI 2.1.1 mod_tokens, credentials, version_information_endpoint and types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from rfid_station.domain.partner import Endpoint
from rfid_station.domain.token import Party
from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire.fields import (
    ASCII,
    CiString36,
    CountryCode,
    CredentialsToken,
    Language,
    PartyId,
    cannot_be_told,
    differing,
    listed_endpoints,
    read_entry,
    read_partner,
    token_url,
    without_null,
    written,
)
from rfid_station.ocpi.wire.told import ToldToken
from rfid_station.ocpi.wire.transport import Url, WireModel, complaints

VERSION = "2.1.1"

Ascii64 = Annotated[str, StringConstraints(max_length=64, pattern=ASCII)]
Ascii100 = Annotated[str, StringConstraints(max_length=100, pattern=ASCII)]


class Token(WireModel):
    """Token object (mod_tokens, 3.2)."""

    uid: CiString36
    type: str
    auth_id: CiString36
    visual_number: Ascii64 | None = None
    issuer: Ascii64
    valid: bool
    whitelist: str
    language: Language | None = None
    last_updated: str


class EndpointObject(WireModel):
    """Endpoint class (version_information_endpoint): no role."""

    identifier: str
    url: Url


class BusinessDetails(WireModel):
    """BusinessDetails class (mod_locations). Website and logo are not told."""

    name: Ascii100


class PartnerCredentials(WireModel):
    """What we read of a Credentials object."""

    token: CredentialsToken
    party_id: PartyId
    country_code: CountryCode


class Credentials(PartnerCredentials):
    """Credentials object (credentials, 3.1), as we write it."""

    url: Url
    business_details: BusinessDetails


_TYPES = {"RFID": "RFID"}
"""2.1.1 knows RFID and OTHER only."""

_RECEIVERS = frozenset({"tokens", "commands"})
"""The modules in which a CPO receives. Of all others it is the sender (2.1.1, each module's Flow)."""


def token_to_wire(token: ToldToken, *, nulls: bool = False) -> dict[str, object]:
    """Write a Token object (mod_tokens, 3.2). Party and group have no place in it.

    :raises WrongCall: a field does not keep the limits of the specification
    """
    fields = {
        "uid": token.uid,
        "type": _TYPES.get(token.type, "OTHER"),
        "auth_id": token.contract_id,
        "visual_number": token.visual_number,
        "issuer": token.issuer,
        "valid": token.valid,
        "whitelist": token.whitelist,
        "language": token.language,
        "last_updated": token.last_updated,
    }
    if token.is_plain and not nulls:
        return without_null(fields.items())
    try:
        return written(Token, fields, nulls=nulls)
    except ValidationError as invalid:
        raise cannot_be_told(token.masked_uid, VERSION, fields, invalid) from None


def differences(told: ToldToken, held: Mapping[str, object]) -> list[str]:
    """Name every field in which a partner holds something else than it was told; empty is a proof.

    :raises WrongCall: what it was told cannot be written
    """
    return differing(Token.model_fields, token_to_wire(told), held)


def url_of_token(receiver_url: str, token: ToldToken, *, slash: bool = False) -> str:
    """The URL of one token at a CPO (mod_tokens, 2.1: CPO Interface). The type has no place in it."""
    return token_url(receiver_url, (token.country_code, token.party_id, token.uid), slash=slash)


def credentials_to_wire(us: Us, server_token: str) -> dict[str, object]:
    """Write our Credentials object (credentials, 3.1).

    :raises WrongCall: a field does not keep the limits of the specification; the token is not shown
    """
    try:
        return Credentials(
            token=server_token,
            url=us.versions_url,
            business_details=BusinessDetails(name=us.name),
            party_id=us.party.party_id,
            country_code=us.party.country_code,
        ).model_dump()
    except ValidationError as invalid:
        raise WrongCall(
            f"our credentials for {us.party} {us.name!r} at {us.versions_url} cannot be told in "
            f"OCPI {VERSION}: {complaints(invalid)}",
            hint="correct table [ocpi] in station.toml",
        ) from None


def read_credentials(data: object) -> tuple[str, tuple[Party, ...]]:
    """Read a partner's Credentials object: its token and its one party.

    :raises PartnerRefused: it is not such an object, or its token cannot be used
    """
    credentials = read_partner(PartnerCredentials, data)
    return credentials.token, (Party(credentials.country_code, credentials.party_id),)


def read_endpoints(data: object) -> tuple[Endpoint, ...]:
    """Read a CPO's version details; each module has the role that a CPO has in it.

    :raises PartnerRefused: these are not the details of this version
    """
    read = [
        found for entry in listed_endpoints(data, VERSION) if (found := read_entry(EndpointObject, entry))
    ]
    return tuple(_endpoint(found.identifier.lower(), found.url) for found in read)


def endpoints_to_wire(endpoints: tuple[Endpoint, ...]) -> dict[str, object]:
    """Write our version details; modules that 2.1.1 does not know are left out."""
    listed = [
        EndpointObject(identifier=e.identifier, url=e.url).model_dump()
        for e in endpoints
        if e.identifier != "hubclientinfo"
    ]
    return {"version": VERSION, "endpoints": listed}


def _endpoint(identifier: str, url: str) -> Endpoint:
    return Endpoint(identifier, "RECEIVER" if identifier in _RECEIVERS else "SENDER", url)
