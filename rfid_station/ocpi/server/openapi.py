"""An OpenAPI description of our own endpoints, drawn from the objects that they read and write.

For whoever connects to us, and for tools that try our server against it. What is said of a request is what
we need of it: we take more. A 200 with `status_code` 2xxx or 3xxx is a refusal, as OCPI has it.

Sources: OpenAPI 3.1; the endpoints' sources are named where they are served.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from rfid_station import __version__
from rfid_station.domain.hub_client import ConnectionStatus
from rfid_station.domain.token import TokenType, Whitelist
from rfid_station.ocpi.port import Allowed, Us
from rfid_station.ocpi.wire import usage, v2_1_1, v2_2_1
from rfid_station.ocpi.wire.authorize import LONGEST_REFERENCE, LocationReferences, LocationReferences211
from rfid_station.ocpi.wire.client_info import ClientInfo
from rfid_station.ocpi.wire.dialect import DIALECTS
from rfid_station.ocpi.wire.fields import Language
from rfid_station.ocpi.wire.transport import Url, Version, WireModel

Document = dict[str, Any]

DateTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$", max_length=25)]
"""As we write one."""
AnyDateTime = Annotated[str, Field(max_length=64, description="ISO 8601; without a zone it is UTC.")]
"""As we read one."""


class VersionDetails(WireModel):
    """Version details (version_information_endpoint)."""

    version: Literal["2.2.1", "2.3.0"]
    endpoints: list[v2_2_1.EndpointObject]


class VersionDetails211(WireModel):
    """Version details of 2.1.1."""

    version: Literal["2.1.1"]
    endpoints: list[v2_1_1.EndpointObject]


class Token(v2_2_1.Token):
    """Token object, of a card of ours."""

    type: TokenType
    whitelist: Whitelist
    last_updated: DateTime
    default_profile_type: None = None
    energy_contract: None = None


class Token211(v2_1_1.Token):
    """Token object of 2.1.1, of a card of ours."""

    type: Literal["RFID", "OTHER"]
    whitelist: Whitelist
    last_updated: DateTime


class DisplayText(WireModel):
    """DisplayText class."""

    language: Language
    text: Annotated[str, Field(max_length=512)]


class AuthorizationInfo211(WireModel):
    """AuthorizationInfo object of 2.1.1."""

    allowed: Allowed
    location: LocationReferences211 | None = None
    info: DisplayText | None = None


class AuthorizationInfo(WireModel):
    """AuthorizationInfo object."""

    allowed: Allowed
    token: Token
    location: LocationReferences | None = None
    authorization_reference: Annotated[str, Field(max_length=LONGEST_REFERENCE)] | None = None
    info: DisplayText | None = None


class TheirCredentials(v2_2_1.PartnerCredentials):
    """Credentials object of a partner, with a CPO among its roles."""

    url: Url
    roles: Annotated[list[v2_2_1.PartnerRole], Field(min_length=1)]  # type: ignore[assignment]


class TheirCredentials211(v2_1_1.PartnerCredentials):
    """Credentials object of a partner in 2.1.1."""

    url: Url


class ToldClientInfo(ClientInfo):
    """ClientInfo object of a hub."""

    status: ConnectionStatus
    last_updated: AnyDateTime


class SessionPart(WireModel):
    """Members of a Session object that changed, as a PATCH has them; any others may be among them."""

    last_updated: AnyDateTime
    kwh: usage.Number | None = None
    status: usage.Word | None = None
    end_date_time: AnyDateTime | None = None
    total_cost: usage.Price | usage.PriceBeforeTaxes | None = None


class SessionPart211(WireModel):
    """Members of a Session object of 2.1.1 that changed."""

    last_updated: AnyDateTime | None = None
    kwh: usage.Number | None = None
    status: usage.Word | None = None
    end_datetime: AnyDateTime | None = None
    total_cost: usage.Number | None = None


_LONG_NAME = re.compile(r"rfid_station__ocpi__wire__v(\d_\d_\d)__([A-Za-z]+)")

_OBJECTS: tuple[type[WireModel], ...] = (
    AuthorizationInfo,
    AuthorizationInfo211,
    ClientInfo,
    LocationReferences,
    LocationReferences211,
    SessionPart,
    SessionPart211,
    TheirCredentials,
    TheirCredentials211,
    ToldClientInfo,
    Token,
    Token211,
    Version,
    VersionDetails,
    VersionDetails211,
    usage.Cdr,
    usage.Cdr211,
    usage.Session,
    usage.Session211,
    v2_1_1.Credentials,
    v2_2_1.Credentials,
)


def describe(us: Us) -> Document:
    """Describe all that we serve, in the three versions, as an OpenAPI 3.1 document.

    :param us: where we are reached; the party and its name stand in the title
    """
    base, _, versions = us.versions_url.rstrip("/").rpartition("/")
    names, schemas = _schemas()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"OCPI of {us.name} ({us.party}), an eMSP",
            "version": __version__,
            "description": "Versions, credentials; sends Tokens; receives Sessions, CDRs, HubClientInfo. "
            "A 200 whose status_code is not 1000 is a refusal.",
        },
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": dict(_paths(versions, names)),
        "components": {
            "schemas": schemas | _ENVELOPES,
            "responses": {
                str(status): _answer(words, _ref("Refusal")) for status, words in _STATUSES.items()
            },
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Token`, a blank and the credentials token, in Base64 (2.2.1 and later) "
                    "or in clear (2.1.1); we read both in every version.",
                }
            },
        },
    }


def _schemas() -> tuple[Mapping[type[WireModel], str], Document]:
    """Every object by its name in the document, and the objects."""
    asked = [(model, "validation", TypeAdapter(model)) for model in _OBJECTS]
    references, document = TypeAdapter.json_schemas(
        asked,  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )
    names = {model: _short(str(references[model, "validation"]["$ref"])) for model in _OBJECTS}
    return names, json.loads(_short(json.dumps(document["$defs"])))


def _short(text: str) -> str:
    """A text in which objects that two versions have are called `Credentials` and `Credentials211`."""
    return _LONG_NAME.sub(
        lambda name: name[2] + ("" if name[1] == "2_2_1" else name[1].replace("_", "")), text
    )


def _paths(versions: str, names: Mapping[type[WireModel], str]) -> Iterator[tuple[str, Document]]:
    yield f"/{versions}", {"get": _operation("Versions", "versions", _many(names[Version]))}
    for dialect in DIALECTS:
        yield from _paths_of(_Edition(dialect.VERSION, names))


class _Edition:
    """One version: where its paths begin, and what its objects are called in the document."""

    def __init__(self, version: str, names: Mapping[type[WireModel], str]) -> None:
        is_old = version == "2.1.1"
        self.version = version
        self.token = names[Token211 if is_old else Token]
        self.details = names[VersionDetails211 if is_old else VersionDetails]
        self.credentials = names[v2_1_1.Credentials if is_old else v2_2_1.Credentials]
        self.their_credentials = names[TheirCredentials211 if is_old else TheirCredentials]
        self.location = names[LocationReferences211 if is_old else LocationReferences]
        self.authorization = names[AuthorizationInfo211 if is_old else AuthorizationInfo]
        self.told_client, self.client = names[ToldClientInfo], names[ClientInfo]
        self.session = names[usage.Session211 if is_old else usage.Session]
        self.session_part = names[SessionPart211 if is_old else SessionPart]
        self.cdr = names[usage.Cdr211 if is_old else usage.Cdr]
        self.types = [] if is_old else ["type"]
        self.has_hubs = not is_old

    def operation(self, title: str, name: str, data: Document | None = None, **more: Any) -> Document:  # noqa: ANN401 - as below
        """One operation of this version."""
        return _operation(f"{title} ({self.version})", f"{name}-{self.version}", data, **more)


def _paths_of(edition: _Edition) -> Iterator[tuple[str, Document]]:
    base = f"/{edition.version}"
    yield base, {"get": edition.operation("Version details", "details", _one(edition.details))}
    yield f"{base}/credentials", _credentials(edition)
    yield f"{base}/tokens", {"get": _token_list(edition)}
    find = edition.operation(
        "One token", "token", _one(edition.token), parameters=["uid", *edition.types], refused=[404]
    )
    yield f"{base}/tokens/{{uid}}", {"get": find}
    authorize = edition.operation(
        "May this token charge?",
        "authorize",
        _one(edition.authorization),
        parameters=["uid", *edition.types],
        body=edition.location,
        needs_body=False,
        refused=[400, 404],
    )
    yield f"{base}/tokens/{{uid}}/authorize", {"post": authorize}
    if edition.has_hubs:
        yield f"{base}/hubclientinfo/{{country_code}}/{{party_id}}", _hub_client_info(edition)
    yield f"{base}/sessions/{{country_code}}/{{party_id}}/{{id}}", _sessions(edition)
    yield f"{base}/cdrs", {"post": _new_cdr(edition)}
    find = edition.operation(
        "A CDR that you told",
        "cdr-get",
        _one(edition.cdr),
        parameters=["country_code", "party_id", "id"],
        refused=[404],
    )
    yield f"{base}/cdrs/{{country_code}}/{{party_id}}/{{id}}", {"get": find}


def _credentials(edition: _Edition) -> Document:
    ours = _one(edition.credentials)
    taken = {"body": edition.their_credentials, "refused": [400, 405]}
    return {
        "get": edition.operation("The credentials you use", "credentials-get", ours),
        "post": edition.operation("Register", "credentials-post", ours, **taken),
        "put": edition.operation("Renew", "credentials-put", ours, **taken),
        "delete": edition.operation("Unregister", "credentials-delete", refused=[405]),
    }


def _token_list(edition: _Edition) -> Document:
    parameters = ["date_from", "date_to", "offset", "limit", "after"]
    told = edition.operation(
        "Tokens, a page", "tokens", _many(edition.token), parameters=parameters, refused=[403]
    )
    told["responses"]["200"]["headers"] |= {
        name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Total-Count", "X-Limit", "Link")
    }
    return told


def _hub_client_info(edition: _Edition) -> Document:
    party = ["country_code", "party_id"]
    return {
        "get": edition.operation(
            "What you told of a party", "client-get", _one(edition.client), parameters=party, refused=[404]
        ),
        "put": edition.operation(
            "Tell of a party", "client-put", parameters=party, body=edition.told_client, refused=[400]
        ),
    }


def _sessions(edition: _Edition) -> Document:
    one: dict[str, Any] = {"parameters": ["country_code", "party_id", "id"]}
    return {
        "get": edition.operation(
            "A session as you told it", "session-get", _one(edition.session), **one, refused=[404]
        ),
        "put": edition.operation(
            "Tell of a session", "session-put", **one, body=edition.session, refused=[400, 404]
        ),
        "patch": edition.operation(
            "Tell what changed of it", "session-patch", **one, body=edition.session_part, refused=[400, 404]
        ),
    }


def _new_cdr(edition: _Edition) -> Document:
    told = edition.operation("Tell of a CDR", "cdr-post", body=edition.cdr, refused=[400])
    told["responses"]["200"]["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
    return told


def _operation(
    title: str,
    name: str,
    data: Document | None = None,
    *,
    parameters: list[str] | None = None,
    body: str = "",
    needs_body: bool = True,
    refused: list[int] | None = None,
) -> Document:
    """One operation: what it takes, what it answers, and which HTTP errors it has beside those of all.

    :param data: what is in `data` if all goes well
    """
    refusals = sorted({401, 408, 413, 431, 500, *(refused or [])})
    operation: Document = {
        "summary": title,
        "operationId": name,
        "responses": {"200": _answer("Success, or a refusal", _or_refusal(data))}
        | {str(status): {"$ref": f"#/components/responses/{status}"} for status in refusals},
    }
    if parameters:
        operation["parameters"] = [{"$ref": f"#/components/parameters/{one}"} for one in parameters]
    if body:
        content = {"application/json": {"schema": {"$ref": body}}}
        operation["requestBody"] = {"required": needs_body, "content": content}
    return operation


def _or_refusal(data: Document | None) -> Document:
    success = _ref("Done") if data is None else {"allOf": [_ref("Success"), {"properties": {"data": data}}]}
    return {"oneOf": [success, _ref("Refusal")]}


def _answer(words: str, schema: Document) -> Document:
    headers = {
        name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "X-Correlation-ID")
    }
    return {
        "description": words,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _one(reference: str) -> Document:
    return {"$ref": reference}


def _many(reference: str) -> Document:
    return {"type": "array", "items": {"$ref": reference}}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _envelope(status_code: Document, required: list[str], **more: object) -> Document:
    stamp = TypeAdapter(DateTime).json_schema()
    told = {"status_code": status_code, "status_message": {"type": "string"}, "timestamp": stamp}
    return {
        "type": "object",
        "properties": told | more,
        "required": ["status_code", "timestamp", *required],
        "additionalProperties": False,
    }


def _parameter(name: str, where: str, words: str, **schema: object) -> Document:
    told = {"name": name, "in": where, "required": where == "path", "description": words}
    return told | {"schema": {"type": "string"} | schema}


_ENVELOPES = {
    "Success": _envelope({"const": 1000}, ["data"], data={}),
    "Done": _envelope({"const": 1000}, []),
    "Refusal": _envelope({"type": "integer", "minimum": 2000, "maximum": 3999}, ["status_message"]),
}

_STATUSES = {
    400: "The body is not JSON",
    401: "No credentials token of ours, or one that only lets you register",
    403: "The agreement does not let you read this",
    404: "Unknown; an unknown token has status_code 2004 (2.1.1: 2001)",
    405: "Registered already, or not registered",
    408: "The body did not come in time",
    413: "The body is too long",
    431: "The headers are too long",
    500: "Our fault",
}

_PARAMETERS = {
    "uid": _parameter("uid", "path", "The UID of a card in hexadecimal, as its token has it", minLength=1),
    "type": _parameter("type", "query", "TokenType; RFID if it is left out"),
    "date_from": _parameter("date_from", "query", "Changed at this time or later", format="date-time"),
    "date_to": _parameter("date_to", "query", "Changed before this time", format="date-time"),
    "offset": _parameter("offset", "query", "So many are passed over", type="integer", minimum=0),
    "limit": _parameter("limit", "query", "At most so many on the page", type="integer", minimum=1),
    "after": _parameter("after", "query", "Of our own links to the next page; not for you to make up"),
    "country_code": _parameter("country_code", "path", "Of a party", minLength=2, maxLength=2),
    "party_id": _parameter("party_id", "path", "Of a party", minLength=3, maxLength=3),
    "id": _parameter("id", "path", "Yours, of a session or CDR", minLength=1, maxLength=39),
}

_HEADERS = {
    "X-Request-ID": {"description": "Yours, or a new one", "required": True, "schema": {"type": "string"}},
    "X-Correlation-ID": {
        "description": "Yours, or a new one",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Total-Count": {"description": "How many there are in all", "schema": {"type": "integer"}},
    "X-Limit": {"description": "The most on a page", "schema": {"type": "integer"}},
    "Location": {"description": "Where the CDR is read back", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, as `<URL>; rel="next"`', "schema": {"type": "string"}},
}
