"""The OCPI 2.2.1 side of a virtual CPO: versions, details, credentials, and the tokens it receives.

Where the specification leaves a choice, it was made so:

- a token with an older `last_updated` than the one held is refused (2001), and so is a changed
  one with the same `last_updated`; the same object again is taken (200);
- a token of a party that did not register is answered with HTTP 404;
- whoever sends no message ids or no routing headers is refused (2001).

Source: OCPI 2.2.1 credentials, version_information_endpoint, mod_tokens, transport_and_format.
"""

from __future__ import annotations

import http.client
import json
import secrets
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

from rfid_station.simulator.cpo_http import Reply, Request, json_reply
from rfid_station.simulator.cpo_rules import (
    TOKEN,
    JsonObject,
    complaint,
    credentials_complaint,
    instant,
)
from rfid_station.simulator.cpo_state import CpoState, Key, Registrant, digest, key_of

VERSION = "2.2.1"
CALL_BACK_WITHIN_S = 5.0

Module = tuple[str, str]
"""Identifier and role; an empty role stands for any."""
Said = tuple[int, JsonObject]
"""The HTTP status of a success, and `{"data": ...}` or nothing."""


@dataclass(frozen=True, slots=True)
class CpoProfile:
    """Who the virtual CPO is, and how it differs from its brothers."""

    country_code: str = "NL"
    party_id: str = "CPX"
    name: str = "Virtual CPO"
    versions: tuple[str, ...] = (VERSION,)
    modules: tuple[Module, ...] = (("credentials", "RECEIVER"), ("tokens", "RECEIVER"))
    needs: tuple[Module, ...] = (("credentials", ""),)
    """What a party must offer to be registered; otherwise 3003."""
    wants_base64: bool = True
    """How credentials tokens stand in the Authorization header; the other way is not understood."""


class Refusal(Exception):
    """An OCPI answer that is not a success."""

    def __init__(
        self, http_status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.headers = headers or {}


class OcpiEndpoints:
    """Answers OCPI requests out of a state that it shares with its owner."""

    def __init__(self, base_url: str, profile: CpoProfile, state: CpoState) -> None:
        self._base_url = base_url
        self._profile = profile
        self._state = state

    @property
    def versions_url(self) -> str:
        """What is handed to a partner together with the first token."""
        return f"{self._base_url}/versions"

    def answer(self, request: Request) -> Reply:
        """Answer one request, with its message ids."""
        ids = {name: given for name in _IDS if (given := request.headers.get(name))}
        try:
            http_status, data = self._dispatch(request)
            return json_reply(http_status, envelope(1000, "Success", **data), ids)
        except Refusal as no:
            return json_reply(no.http_status, envelope(no.code, no.message), {**ids, **no.headers})

    def forget(self, request: Request) -> None:
        """Lose the token that a request addresses."""
        with self._state.lock:
            self._state.tokens.pop(self._addressed(request), None)
            self._state.save()

    def _dispatch(self, request: Request) -> Said:
        """Find what answers, and return the HTTP status and, under `data`, what it says."""
        served: dict[tuple[str, ...], dict[str, Callable[[Request], Said]]] = {
            ("ocpi", "versions"): {"GET": self._versions},
            ("ocpi", VERSION): {"GET": self._details},
            ("ocpi", VERSION, "credentials"): {
                "GET": self._show_credentials,
                "POST": self._register,
                "PUT": self._register_anew,
                "DELETE": self._unregister,
            },
        }
        methods = served.get(request.steps)
        if request.steps[:3] == ("ocpi", VERSION, "tokens") and len(request.steps) == 6:
            methods = {"GET": self._show_token, "PUT": self._put_token, "PATCH": self._patch_token}
        if methods is None:
            raise Refusal(404, 2000, f"there is nothing at {request.path}")
        if request.method not in methods:
            raise Refusal(405, 2000, f"{request.method} is not served", {"Allow": ", ".join(methods)})
        return methods[request.method](request)

    # Versions and credentials

    def _versions(self, request: Request) -> Said:
        self._known(request)
        listed = [
            {"version": version, "url": f"{self._base_url}/{version}"} for version in self._profile.versions
        ]
        return 200, {"data": listed}

    def _details(self, request: Request) -> Said:
        self._known(request)
        base = f"{self._base_url}/{VERSION}"
        modules = [
            {"identifier": identifier, "role": role, "url": f"{base}/{identifier}"}
            for identifier, role in self._profile.modules
        ]
        return 200, {"data": {"version": VERSION, "endpoints": modules}}

    def _show_credentials(self, request: Request) -> Said:
        self._known(request)
        return 200, {"data": self._credentials(self._presented(request))}

    def _register(self, request: Request) -> Said:
        if self._known(request) is not None:
            raise Refusal(405, 2000, "you are registered already")
        return 200, {"data": self._exchange_credentials(request)}

    def _register_anew(self, request: Request) -> Said:
        if self._known(request) is None:
            raise Refusal(405, 2000, "you are not registered")
        return 200, {"data": self._exchange_credentials(request)}

    def _unregister(self, request: Request) -> Said:
        if self._known(request) is None:
            raise Refusal(405, 2000, "you are not registered")
        with self._state.lock:
            self._state.registrants.pop(digest(self._presented(request)), None)
            self._state.save()
        return 200, {}

    def _exchange_credentials(self, request: Request) -> JsonObject:
        """Take somebody's credentials, look at their side, and give ours with a fresh token."""
        theirs = _body(request)
        trouble = credentials_complaint(theirs)
        if trouble:
            raise Refusal(200, 2001, trouble)
        url, roles = str(theirs["url"]), theirs["roles"]
        self._look_at(url, str(theirs["token"]))
        parties = tuple((str(role["country_code"]), str(role["party_id"])) for role in roles)  # type: ignore[attr-defined]
        presented = digest(self._presented(request))
        fresh = secrets.token_urlsafe(32)
        with self._state.lock:
            if presented not in self._state.first_tokens and presented not in self._state.registrants:
                raise Refusal(401, 2000, "your token was used up meanwhile")
            self._state.first_tokens.discard(presented)
            self._state.registrants.pop(presented, None)
            self._state.registrants[digest(fresh)] = Registrant(url, parties)
            self._state.save()
        return self._credentials(fresh)

    def _look_at(self, versions_url: str, token: str) -> None:
        """Call the registering party's versions and details, as a registration demands."""
        listed = _call_back(versions_url, token)
        if not isinstance(listed, list):
            raise Refusal(200, 3001, "your versions are no list")
        urls = [
            entry.get("url")
            for entry in listed
            if isinstance(entry, dict) and entry.get("version") == VERSION
        ]
        if not urls:
            raise Refusal(200, 3002, f"you do not offer version {VERSION}")
        details = _call_back(str(urls[0]), token)
        endpoints = details.get("endpoints") if isinstance(details, dict) else None
        if not isinstance(endpoints, list):
            raise Refusal(200, 3001, "your version details list no endpoints")
        offered = [(e.get("identifier"), e.get("role")) for e in endpoints if isinstance(e, dict)]
        for identifier, role in self._profile.needs:
            if not any(have == identifier and (not role or as_role == role) for have, as_role in offered):
                raise Refusal(200, 3003, f"you do not offer {f'{identifier} {role}'.strip()}")

    def _credentials(self, token: str) -> JsonObject:
        role = {
            "role": "CPO",
            "country_code": self._profile.country_code,
            "party_id": self._profile.party_id,
            "business_details": {"name": self._profile.name},
        }
        return {"token": token, "url": self.versions_url, "roles": [role]}

    # Tokens receiver

    def _show_token(self, request: Request) -> Said:
        key = self._addressed(request)
        with self._state.lock:
            held = self._state.tokens.get(key)
        if held is None:
            raise Refusal(404, 2004, f"there is no token {request.steps[5]}")
        return 200, {"data": held}

    def _put_token(self, request: Request) -> Said:
        key = self._addressed(request)
        token = self._checked(_body(request), key)
        with self._state.lock:
            held = self._state.tokens.get(key)
            _check_order(token, held)
            self._keep(key, token)
        return (201 if held is None else 200), {}

    def _patch_token(self, request: Request) -> Said:
        key = self._addressed(request)
        changes = _body(request)
        if "last_updated" not in changes:
            raise Refusal(200, 2001, "last_updated is missing")
        with self._state.lock:
            held = self._state.tokens.get(key)
            if held is None:
                raise Refusal(404, 2004, f"there is no token {request.steps[5]}")
            token = self._checked({**held, **changes}, key)
            _check_order(token, held)
            self._keep(key, token)
        return 200, {}

    def _addressed(self, request: Request) -> Key:
        """Check who asks and whether they may, and return the key that the URL names."""
        registrant = self._registered(request)
        self._check_headers(request, registrant)
        country_code, party_id, uid = request.steps[3:]
        if not registrant.has(country_code, party_id):
            raise Refusal(404, 2001, f"{country_code}-{party_id} is no party of yours")
        kind = request.query.get("type", "RFID")
        return country_code.lower(), party_id.lower(), uid.lower(), kind.lower()

    def _check_headers(self, request: Request, registrant: Registrant) -> None:
        """Message ids and routing headers (transport_and_format)."""
        given = {name: request.headers.get(name, "") for name in (*_IDS, *_ROUTING)}
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise Refusal(200, 2001, f"header {missing[0]} is missing")
        us = (self._profile.country_code, self._profile.party_id)
        them = (given["OCPI-to-country-code"], given["OCPI-to-party-id"])
        if [part.lower() for part in them] != [part.lower() for part in us]:
            raise Refusal(200, 2001, f"this is not {'-'.join(them)}")
        if not registrant.has(given["OCPI-from-country-code"], given["OCPI-from-party-id"]):
            raise Refusal(200, 2001, "OCPI-from names no party of yours")

    def _checked(self, token: JsonObject, key: Key) -> JsonObject:
        """The token, if it keeps the specification and is the one that the URL names."""
        trouble = complaint(token, TOKEN)
        if trouble:
            raise Refusal(200, 2001, trouble)
        if key_of(token) != key:
            raise Refusal(200, 2001, f"the URL names {'/'.join(key)}, the body {'/'.join(key_of(token))}")
        return {name: token[name] for name in TOKEN if token.get(name) is not None}

    def _keep(self, key: Key, token: JsonObject) -> None:
        self._state.tokens[key] = token
        self._state.save()

    # Who calls

    def _registered(self, request: Request) -> Registrant:
        """The registered platform that calls."""
        registrant = self._known(request)
        if registrant is None:
            raise Refusal(401, 2000, "a first token admits to versions and credentials alone")
        return registrant

    def _known(self, request: Request) -> Registrant | None:
        """The registered platform that calls, or None for the holder of a first token."""
        shown = digest(self._presented(request))
        with self._state.lock:
            registrant = self._state.registrants.get(shown)
            is_new = shown in self._state.first_tokens
        if registrant is None and not is_new:
            raise Refusal(401, 2000, "this token is not known here")
        return registrant

    def _presented(self, request: Request) -> str:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not value:
            raise Refusal(401, 2000, "there is no Authorization header with Token")
        if not self._profile.wants_base64:
            return value
        try:
            return b64decode(value, validate=True).decode().rstrip("\n")
        except ValueError:
            raise Refusal(401, 2000, "the token in the Authorization header is not Base64") from None


_IDS = ("X-Request-ID", "X-Correlation-ID")
_ROUTING = tuple(f"OCPI-{way}-{part}" for way in ("from", "to") for part in ("country-code", "party-id"))


def _body(request: Request) -> JsonObject:
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        raise Refusal(200, 2001, "Content-Type is not application/json")
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Refusal(400, 2001, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refusal(200, 2001, "the body is no JSON object")
    return content


def _check_order(token: JsonObject, held: JsonObject | None) -> None:
    """Refuse what is older than what is held, and a change that does not show in `last_updated`."""
    if held is None:
        return
    before, now = instant(held["last_updated"]), instant(token["last_updated"])
    if before and now and now < before:
        raise Refusal(
            200, 2001, f"last_updated {token['last_updated']} is older than {held['last_updated']} held"
        )
    if now == before and token | {"last_updated": now} != held | {"last_updated": now}:
        raise Refusal(200, 2001, f"changed, with the same last_updated {token['last_updated']}")


def envelope(code: int, message: str, **data: object) -> JsonObject:
    """Wrap an answer (transport_and_format, Response format)."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"status_code": code, "status_message": message, "timestamp": stamp, **data}


def _call_back(url: str, token: str) -> object:
    """GET from a registering party with its own token, and return the `data` of its answer."""
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    headers = {
        "Authorization": f"Token {b64encode(token.encode()).decode()}",
        "X-Request-ID": str(uuid.uuid4()),
        "X-Correlation-ID": str(uuid.uuid4()),
    }
    try:
        connection = kinds[parts.scheme](parts.netloc, timeout=CALL_BACK_WITHIN_S)
        try:
            connection.request(
                "GET", urlunsplit(("", "", parts.path or "/", parts.query, "")), headers=headers
            )
            response = connection.getresponse()
            answered = json.loads(response.read())
        finally:
            connection.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as trouble:
        raise Refusal(200, 3001, f"GET {url}: {trouble!r}") from None
    if response.status != 200 or not isinstance(answered, dict) or answered.get("status_code") != 1000:
        raise Refusal(200, 3001, f"GET {url}: HTTP {response.status}")
    return answered.get("data")
