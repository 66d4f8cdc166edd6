"""What the fields of OCPI objects may hold, and when two values of one mean the same.

Sources: types (CiString, string, URL) of OCPI 2.1.1, 2.2.1 and 2.3.0, which agree but for the characters of
`string`: printable ASCII in 2.1.1, printable UTF-8 since 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import StringConstraints, ValidationError

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.errors import PartnerRefused, WrongCall
from rfid_station.ocpi.wire.transport import WireModel, complaints, instant

Entry = TypeVar("Entry", bound=WireModel)

ASCII = r"^[\x20-\x7e]*$"
"""CiString, and every string of 2.1.1: printable ASCII only."""
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""string since 2.2: printable UTF-8, so no line break and no tab."""

CountryCode = Annotated[str, StringConstraints(min_length=2, max_length=2, pattern=ASCII)]
PartyId = Annotated[str, StringConstraints(min_length=3, max_length=3, pattern=ASCII)]
CiString36 = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=ASCII)]
String64 = Annotated[str, StringConstraints(max_length=64, pattern=PRINTABLE)]
String100 = Annotated[str, StringConstraints(max_length=100, pattern=PRINTABLE)]
Language = Annotated[str, StringConstraints(min_length=2, max_length=2, pattern=ASCII)]
CredentialsToken = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]

_CASE_INSENSITIVE = ("country_code", "party_id", "uid", "type", "group_id", "whitelist")
"""CiString fields, and enumerations, whose case carries no meaning."""
_CONTRACT = ("contract_id", "auth_id")


def written(model: type[WireModel], fields: Mapping[str, object], *, nulls: bool) -> dict[str, object]:
    """Check an object of ours against its specification and write it; what is null only with `nulls`.

    :raises ValidationError: a field does not keep its limits
    """
    return model.model_validate(dict(fields)).model_dump(exclude_none=not nulls)


def without_null(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    """What is written of an object of ours whose fields are known to keep their limits."""
    return {name: value for name, value in fields if value is not None}


def cannot_be_told(
    masked_uid: str, version: str, fields: Mapping[str, object], invalid: ValidationError
) -> WrongCall:
    """Say which value of a token does not keep the limits of a version."""
    names = dict.fromkeys(str(error["loc"][0]) for error in invalid.errors() if error["loc"])
    values = ", ".join(repr(fields[name]) for name in names)
    return WrongCall(
        f"token {masked_uid} cannot be told in OCPI {version}: {values} ({complaints(invalid)})",
        hint="shorten the value where it is kept: in station.toml, or with the driver",
    )


def differing(names: Iterable[str], told: Mapping[str, object], held: Mapping[str, object]) -> list[str]:
    """Name every field in which a partner holds something else than it was told; empty is a proof.

    Ids are compared without regard to case, timestamps as instants of a second, null equals
    absent. Fields that we do not tell are not looked at.
    """
    return [
        f"{name}: {_show(held.get(name), told.get(name))} there, {_show(told.get(name))} here"
        for name in names
        if not _same(name, told.get(name), held.get(name))
    ]


def token_url(receiver_url: str, steps: Sequence[str], query: str = "", *, slash: bool = False) -> str:
    """The URL of an object below a module's URL, each step percent-encoded."""
    *folders, name = steps
    before, after = _around(receiver_url, tuple(folders), query, slash)
    is_plain = name.isascii() and name.isalnum()
    return f"{before}/{name if is_plain else quote(name, safe='')}{after}"


@lru_cache(maxsize=64)
def _around(receiver_url: str, folders: tuple[str, ...], query: str, slash: bool) -> tuple[str, str]:
    """What stands before and behind the last step of such a URL: alike for all tokens of a party."""
    parts = urlsplit(receiver_url)
    path = "/".join([parts.path.rstrip("/"), *(quote(folder, safe="") for folder in folders)])
    asked = "&".join(filter(None, [parts.query, query]))
    behind = ("/" if slash else "") + (f"?{asked}" if asked else "")
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), behind


def only_object(data: object) -> object:
    """What `data` holds: some partners wrap the one object of an answer in a list."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def read_partner(model: type[Entry], data: object) -> Entry:
    """A partner's Credentials object.

    :raises PartnerRefused: it is not such an object, or its token cannot be used
    """
    try:
        return model.model_validate(only_object(data))
    except ValidationError as invalid:
        raise PartnerRefused(f"the partner's credentials cannot be used: {complaints(invalid)}") from None


def read_entry(model: type[Entry], entry: object) -> Entry | None:
    """One entry of a list, or None if it cannot be read: a strange one spoils no other."""
    try:
        return model.model_validate(entry)
    except ValidationError:
        return None


class _VersionDetails(WireModel):
    """Version details (version_information_endpoint). Entries are read one by one."""

    version: str
    endpoints: list[object]


def listed_endpoints(data: object, version: str) -> list[object]:
    """The entries of a partner's version details, not yet read.

    :raises PartnerRefused: these are not the details of this version
    """
    try:
        details = _VersionDetails.model_validate(only_object(data))
    except ValidationError as invalid:
        raise PartnerRefused(f"the partner's version details cannot be read: {complaints(invalid)}") from None
    if details.version != version:
        raise PartnerRefused(f"the partner's details of version {version} are of {details.version!r}")
    return details.endpoints


def _same(name: str, told: object, held: object) -> bool:
    if told is None or held is None:
        return told is held
    if name == "last_updated":
        return instant(held) == instant(told)
    if name in _CONTRACT:
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
