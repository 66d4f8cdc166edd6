"""OCPI 2.2.1: its objects, and how domain values are written in them and read back.

Sources: OCPI 2.2.1 mod_tokens, credentials, version_information_endpoint and types.
Knows no HTTP. Another version is another module with the same functions (`wire.dialect`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import StringConstraints, ValidationError

from rfid_station.domain import token as domain
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.partner import Endpoint
from rfid_station.domain.token import Party, TokenType, Whitelist
from rfid_station.domain.uid import parse_uid
from rfid_station.errors import PartnerRefused, StationError, WrongCall
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire.transport import Url, WireModel, complaints, date_time, instant

VERSION = "2.2.1"

Entry = TypeVar("Entry", bound=WireModel)

_ASCII = r"^[\x20-\x7e]*$"
"""CiString: printable ASCII only (types, CiString type)."""
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""string: printable UTF-8, so no line break and no tab (types, string type)."""

CountryCode = Annotated[str, StringConstraints(min_length=2, max_length=2, pattern=_ASCII)]
PartyId = Annotated[str, StringConstraints(min_length=3, max_length=3, pattern=_ASCII)]
CiString36 = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=_ASCII)]
String64 = Annotated[str, StringConstraints(max_length=64, pattern=_PRINTABLE)]
String100 = Annotated[str, StringConstraints(max_length=100, pattern=_PRINTABLE)]
Language = Annotated[str, StringConstraints(min_length=2, max_length=2, pattern=_ASCII)]
CredentialsToken = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class Token(WireModel):
    """Token object (mod_tokens, 3.2). `default_profile_type` and `energy_contract` are not ours to set."""

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


class EndpointObject(WireModel):
    """Endpoint class (version_information_endpoint, Version details endpoint)."""

    identifier: str
    role: str
    url: Url


class VersionDetails(WireModel):
    """Version details (version_information_endpoint). Entries are read one by one by `read_endpoints`."""

    version: str
    endpoints: list[object]


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


_CASE_INSENSITIVE = ("country_code", "party_id", "uid", "type", "group_id", "whitelist")
"""CiString fields (types, CiString type), and enumerations, whose case carries no meaning."""


def token_to_wire(token: domain.Token) -> dict[str, object]:
    """Write a Token object (mod_tokens, 3.2), without what is null.

    :raises WrongCall: a field does not keep the limits of the specification
    """
    fields: dict[str, object] = {
        "country_code": token.party.country_code,
        "party_id": token.party.party_id,
        "uid": token.uid.hex,
        "type": token.type.value,
        "contract_id": str(token.contract_id),
        "visual_number": token.visual_number or None,
        "issuer": token.issuer,
        "group_id": token.group_id,
        "valid": token.valid,
        "whitelist": token.whitelist.value,
        "language": token.language,
        "last_updated": date_time(token.last_updated),
    }
    try:
        return Token.model_validate(fields).model_dump(exclude_none=True)
    except ValidationError as invalid:
        values = ", ".join(repr(fields[name]) for name in _fields_of(invalid))
        raise WrongCall(
            f"token {token.uid.masked} cannot be told in OCPI {VERSION}: {values} ({complaints(invalid)})",
            hint="shorten the value where it is kept: in station.toml, or with the driver",
        ) from None


def token_from_wire(held: Mapping[str, object]) -> domain.Token:
    """Read a Token object of a partner (mod_tokens, 3.2).

    Ids may come in either case, `last_updated` with or without `Z` and fraction, unknown
    fields are passed over.

    :raises PartnerRefused: it cannot be read as one of our tokens
    """
    stamp = instant(held.get("last_updated"))
    try:
        wire = Token.model_validate(dict(held))
        if stamp is None:
            raise PartnerRefused(f"last_updated {wire.last_updated!r} is not a DateTime")
        return domain.Token(
            party=Party(wire.country_code.upper(), wire.party_id.upper()),
            uid=parse_uid(wire.uid),
            type=TokenType(wire.type.upper()),
            contract_id=parse_contract_id(wire.contract_id),
            visual_number=wire.visual_number or "",
            issuer=wire.issuer,
            group_id=wire.group_id,
            valid=wire.valid,
            whitelist=Whitelist(wire.whitelist.upper()),
            language=wire.language,
            last_updated=stamp,
        )
    except ValidationError as invalid:
        raise PartnerRefused(f"the partner's token cannot be read: {complaints(invalid)}") from None
    except (StationError, ValueError) as unreadable:
        raise PartnerRefused(f"the partner's token cannot be read: {unreadable}") from None


def differences(sent: domain.Token, held: Mapping[str, object]) -> list[str]:
    """Name every field in which a partner holds something else than `sent`; empty is a proof.

    Ids are compared without regard to case, timestamps as instants of a second, null equals
    absent. Fields that we do not tell are not looked at.

    :raises WrongCall: `sent` cannot be written
    """
    told = token_to_wire(sent)
    return [
        f"{name}: {_show(held.get(name), told.get(name))} there, {_show(told.get(name))} here"
        for name in Token.model_fields
        if not _same(name, told.get(name), held.get(name))
    ]


def url_of_token(receiver_url: str, token: domain.Token) -> str:
    """The URL of one token at a Tokens receiver (mod_tokens, 2.2.1: Receiver Interface)."""
    parts = urlsplit(receiver_url)
    place = (token.party.country_code, token.party.party_id, token.uid.hex)
    path = "/".join([parts.path.rstrip("/"), *(quote(step, safe="") for step in place)])
    query = "&".join(filter(None, [parts.query, f"type={quote(token.type.value, safe='')}"]))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def credentials_to_wire(us: Us, server_token: str) -> dict[str, object]:
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
            f"OCPI {VERSION}: {complaints(invalid)}",
            hint="correct table [ocpi] in station.toml",
        ) from None


def read_credentials(data: object) -> tuple[str, tuple[Party, ...]]:
    """Read a partner's Credentials object: its token, and the parties it names as CPO.

    :raises PartnerRefused: it is not such an object, or its token cannot be used
    """
    try:
        credentials = PartnerCredentials.model_validate(only_object(data))
    except ValidationError as invalid:
        raise PartnerRefused(f"the partner's credentials cannot be used: {complaints(invalid)}") from None
    roles = [read for entry in credentials.roles if (read := _read_entry(PartnerRole, entry))]
    operators = [role for role in roles if role.role.upper() == "CPO"]
    return credentials.token, tuple(Party(role.country_code, role.party_id) for role in operators)


def read_endpoints(data: object) -> tuple[Endpoint, ...]:
    """Read version details; endpoints that are not readable are passed over.

    :raises PartnerRefused: these are not the details of this version
    """
    try:
        details = VersionDetails.model_validate(only_object(data))
    except ValidationError as invalid:
        raise PartnerRefused(f"the partner's version details cannot be read: {complaints(invalid)}") from None
    if details.version != VERSION:
        raise PartnerRefused(f"the partner's details of version {VERSION} are of {details.version!r}")
    read = [found for entry in details.endpoints if (found := _read_entry(EndpointObject, entry))]
    return tuple(Endpoint(found.identifier.lower(), found.role.upper(), found.url) for found in read)


def endpoints_to_wire(endpoints: tuple[Endpoint, ...]) -> dict[str, object]:
    """Write our version details (version_information_endpoint, Version details endpoint)."""
    listed = [EndpointObject(identifier=e.identifier, role=e.role, url=e.url).model_dump() for e in endpoints]
    return {"version": VERSION, "endpoints": listed}


def only_object(data: object) -> object:
    """What `data` holds: some partners wrap the one object of an answer in a list."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def _read_entry(model: type[Entry], entry: object) -> Entry | None:
    try:
        return model.model_validate(entry)
    except ValidationError:
        return None


def _fields_of(invalid: ValidationError) -> list[str]:
    return list(dict.fromkeys(str(error["loc"][0]) for error in invalid.errors() if error["loc"]))


def _same(name: str, told: object, held: object) -> bool:
    if told is None or held is None:
        return told is held
    if name == "last_updated":
        return instant(held) == instant(told)
    if name == "contract_id":
        return _same_contract(str(told), held)
    if name in _CASE_INSENSITIVE:
        return isinstance(held, str) and held.casefold() == str(told).casefold()
    return type(held) is type(told) and held == told


def _same_contract(told: str, held: object) -> bool:
    """Partners strip dashes and check digits; a wrong check digit is a difference."""
    try:
        there = parse_contract_id(str(held))
    except WrongCall:
        return False
    return there.warning is None and there == parse_contract_id(told)


def _show(value: object, beside: object = "") -> str:
    """A value in words; a text beside something that is none stands in quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    is_plain = isinstance(value, str) and (beside is None or isinstance(beside, str))
    return str(value) if is_plain else repr(value)
