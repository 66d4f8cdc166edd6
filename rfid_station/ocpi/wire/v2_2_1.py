"""OCPI 2.2.1: its objects, and how our values are written in them and read back.

Sources: OCPI 2.2.1 mod_tokens, credentials, version_information_endpoint and types.
Knows no HTTP. Another version is another module with the same functions (`wire.dialect`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from rfid_station.domain.partner import Endpoint
from rfid_station.domain.token import Party
from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire.fields import (
    CiString36,
    CountryCode,
    CredentialsToken,
    Language,
    PartyId,
    String64,
    String100,
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

VERSION = "2.2.1"


class Token(WireModel):
    """Token object (mod_tokens, 3.2). The last two are not ours to set; here they can be told as null."""

    country_code: CountryCode
    party_id: PartyId
    uid: CiString36
    type: str
    contract_id: CiString36
    visual_number: String64 | None = None
    issuer: String64
    group_id: CiString36 | None = None
    valid: bool
    whitelist: str
    language: Language | None = None
    last_updated: str
    default_profile_type: object = None
    energy_contract: object = None


class EndpointObject(WireModel):
    """Endpoint class (version_information_endpoint, Version details endpoint)."""

    identifier: str
    role: str
    url: Url


class BusinessDetails(WireModel):
    """BusinessDetails class (mod_locations). Website and logo are not told."""

    name: String100


class PartnerRole(WireModel):
    """What we read of a CredentialsRole (credentials, Data types)."""

    role: str
    party_id: PartyId
    country_code: CountryCode


class CredentialsRole(PartnerRole):
    """CredentialsRole class (credentials, Data types), as we write it."""

    business_details: BusinessDetails


class PartnerCredentials(WireModel):
    """What we read of a Credentials object. Roles are read one by one: a strange one spoils no other."""

    token: CredentialsToken
    roles: list[object]


class Credentials(WireModel):
    """Credentials object (credentials, Object description), as we write it."""

    token: CredentialsToken
    url: Url
    roles: list[CredentialsRole]


_NOT_OURS = ("default_profile_type", "energy_contract")
_FIELDS = ToldToken._fields
_TOLD = [name for name in Token.model_fields if name not in _NOT_OURS]


def token_to_wire(token: ToldToken, *, nulls: bool = False, version: str = VERSION) -> dict[str, object]:
    """Write a Token object (mod_tokens, 3.2), without what is null unless `nulls` says so.

    :raises WrongCall: a field does not keep the limits of the specification
    """
    if token.is_plain and not nulls:
        return without_null(zip(_FIELDS, token, strict=True))
    fields = token._asdict()
    try:
        return written(Token, fields, nulls=nulls)
    except ValidationError as invalid:
        raise cannot_be_told(token.masked_uid, version, fields, invalid) from None


def differences(told: ToldToken, held: Mapping[str, object]) -> list[str]:
    """Name every field in which a partner holds something else than it was told; empty is a proof.

    :raises WrongCall: what it was told cannot be written
    """
    return differing(_TOLD, token_to_wire(told), held)


def url_of_token(receiver_url: str, token: ToldToken, *, slash: bool = False) -> str:
    """The URL of one token at a Tokens receiver (mod_tokens, 2.2.1: Receiver Interface)."""
    steps = (token.country_code, token.party_id, token.uid)
    return token_url(receiver_url, steps, f"type={token.type}", slash=slash)


def credentials_to_wire(us: Us, server_token: str, *, version: str = VERSION) -> dict[str, object]:
    """Write our Credentials object (credentials, Object description).

    :raises WrongCall: a field does not keep the limits of the specification; the token is not shown
    """
    try:
        role = CredentialsRole(
            role="EMSP",
            party_id=us.party.party_id,
            country_code=us.party.country_code,
            business_details=BusinessDetails(name=us.name),
        )
        return Credentials(token=server_token, url=us.versions_url, roles=[role]).model_dump()
    except ValidationError as invalid:
        raise WrongCall(
            f"our credentials for {us.party} {us.name!r} at {us.versions_url} cannot be told in "
            f"OCPI {version}: {complaints(invalid)}",
            hint="correct table [ocpi] in station.toml",
        ) from None


def read_credentials(data: object) -> tuple[str, tuple[Party, ...]]:
    """Read a partner's Credentials object: its token, and the parties it names as CPO.

    :raises PartnerRefused: it is not such an object, or its token cannot be used
    """
    credentials = read_partner(PartnerCredentials, data)
    roles = [read for entry in credentials.roles if (read := read_entry(PartnerRole, entry))]
    operators = [role for role in roles if role.role.upper() == "CPO"]
    return credentials.token, tuple(Party(role.country_code, role.party_id) for role in operators)


def read_endpoints(data: object, *, version: str = VERSION) -> tuple[Endpoint, ...]:
    """Read version details; endpoints that are not readable are passed over.

    :raises PartnerRefused: these are not the details of this version
    """
    read = [
        found for entry in listed_endpoints(data, version) if (found := read_entry(EndpointObject, entry))
    ]
    return tuple(Endpoint(found.identifier.lower(), found.role.upper(), found.url) for found in read)


def endpoints_to_wire(endpoints: tuple[Endpoint, ...], *, version: str = VERSION) -> dict[str, object]:
    """Write our version details (version_information_endpoint, Version details endpoint)."""
    listed = [EndpointObject(identifier=e.identifier, role=e.role, url=e.url).model_dump() for e in endpoints]
    return {"version": version, "endpoints": listed}
