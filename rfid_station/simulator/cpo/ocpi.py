"""The OCPI side of a virtual CPO, in every version that its profile lists: versions, details, credentials.

Tokens are taken by `cpo_tokens`. A platform may look at every version with its token, and uses the one
that it registered with.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, credentials, version_information_endpoint, transport_and_format,
mod_hub_client_info.
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from rfid_station.simulator.cpo.answer import Refusal, Said, body_of, envelope
from rfid_station.simulator.cpo.calls import MESSAGE_IDS, Failed
from rfid_station.simulator.cpo.edition import EDITIONS, Edition, Encoding
from rfid_station.simulator.cpo.http import Reply, Request, json_reply
from rfid_station.simulator.cpo.initiative import Initiative, client_info
from rfid_station.simulator.cpo.profile import CpoProfile
from rfid_station.simulator.cpo.rules import JsonObject
from rfid_station.simulator.cpo.state import CpoState, Registrant, digest
from rfid_station.simulator.cpo.tokens import TokensReceiver

Endpoint = Callable[[Request], Said]


class OcpiEndpoints:
    """Answers OCPI requests out of a state that it shares with its owner."""

    def __init__(self, base_url: str, profile: CpoProfile, state: CpoState, initiative: Initiative) -> None:
        self._base_url = base_url
        self._profile = profile
        self._state = state
        self._initiative = initiative
        served = [EDITIONS[version] for version in profile.versions if version in EDITIONS]
        self._editions = {edition.version: edition for edition in served}
        self._receivers = {
            edition.version: TokensReceiver(edition, profile, state) for edition in self._editions.values()
        }
        self._began = datetime.now(UTC)

    def answer(self, request: Request) -> Reply:
        """Answer one request, with its message ids."""
        ids = {}
        if self._profile.echoes_message_ids:
            ids = {name: given for name in MESSAGE_IDS if (given := request.headers.get(name))}
        try:
            http_status, data, headers = self._dispatch(request)
            return json_reply(http_status, envelope(1000, "Success", **data), {**ids, **headers})
        except Refusal as no:
            said = envelope(no.code, no.message)
            if no.code == 0 or (self._profile.has_plain_errors and no.http_status >= 400):
                said = {"detail": no.message}
            return json_reply(no.http_status, said, {**ids, **no.headers})

    def forget(self, request: Request) -> None:
        """Lose the token that a request addresses."""
        self._receivers[request.steps[1]].forget(request)

    def _dispatch(self, request: Request) -> Said:
        """Find what answers, and have it answer."""
        methods = self._served_at(request)
        if methods is None:
            raise Refusal(404, 2000, f"there is nothing at {request.path}")
        if request.method not in methods:
            raise Refusal(405, 2000, f"{request.method} is not served", {"Allow": ", ".join(methods)})
        return methods[request.method](request)

    def _served_at(self, request: Request) -> Mapping[str, Endpoint] | None:
        steps = request.steps
        if steps == ("ocpi", "versions"):
            return {"GET": self._versions}
        edition = self._editions.get(steps[1]) if len(steps) > 1 and steps[0] == "ocpi" else None
        if edition is None:
            return None
        if len(steps) == 2:
            return {"GET": lambda asked: self._details(asked, edition)}
        self._redirect_if_wanted(request)
        if steps[2:] == ("credentials",):
            return self._credentials_methods(edition)
        if steps[2] == "tokens" and len(steps) == 6:
            return self._token_methods(edition)
        if steps[2:] == ("hubclientinfo",) and self._profile.clients and edition.has_interface_roles:
            return {"GET": lambda asked: self._list_clients(asked, edition)}
        return None

    def _redirect_if_wanted(self, request: Request) -> None:
        """Send somebody to the same with a slash, if the profile has such a module."""
        parts = urlsplit(request.path)
        if request.steps[2] in self._profile.redirects and not parts.path.endswith("/"):
            query = f"?{parts.query}" if parts.query else ""
            raise Refusal(307, 0, "elsewhere", {"Location": f"{parts.path}/{query}"})

    # Versions and details

    def _versions(self, request: Request) -> Said:
        if self._profile.versions_encoding is not Encoding.NONE:
            self._known(request, self._versions_encodings())
        listed = [
            {"version": version, "url": f"{self._base_url}/{version}"} for version in self._profile.versions
        ]
        return 200, {"data": listed}, {}

    def _details(self, request: Request, edition: Edition) -> Said:
        self._known(request, self._encodings(edition))
        base = f"{self._base_url}/{edition.version}"
        modules = [
            {"identifier": identifier, "role": role, "url": f"{base}/{identifier}"}
            if edition.has_interface_roles
            else {"identifier": identifier, "url": f"{base}/{identifier}"}
            for identifier, role in self._profile.modules
        ]
        return 200, {"data": {"version": edition.version, "endpoints": modules}}, {}

    # Credentials

    def _credentials_methods(self, edition: Edition) -> dict[str, Endpoint]:
        methods: dict[str, Endpoint] = {
            "GET": lambda asked: self._show_credentials(asked, edition),
            "POST": lambda asked: self._register(asked, edition),
            "PUT": lambda asked: self._register_anew(asked, edition),
            "DELETE": lambda asked: self._unregister(asked, edition),
        }
        if not self._profile.takes_put_credentials:
            del methods["PUT"]
        return methods

    def _show_credentials(self, request: Request, edition: Edition) -> Said:
        encodings = self._encodings(edition)
        self._known(request, encodings)
        shown = self._presented(request, encodings)
        return 200, {"data": self._initiative.credentials(shown, edition)}, {}

    def _register(self, request: Request, edition: Edition) -> Said:
        if self._known(request, self._encodings(edition)) is not None:
            raise Refusal(405, 2000, "you are registered already")
        return 200, {"data": self._exchange_credentials(request, edition)}, {}

    def _register_anew(self, request: Request, edition: Edition) -> Said:
        if self._known(request, self._encodings(edition)) is None:
            raise Refusal(405, 2000, "you are not registered")
        return 200, {"data": self._exchange_credentials(request, edition)}, {}

    def _unregister(self, request: Request, edition: Edition) -> Said:
        encodings = self._encodings(edition)
        if self._known(request, encodings) is None:
            raise Refusal(405, 2000, "you are not registered")
        with self._state.lock:
            self._state.registrants.pop(digest(self._presented(request, encodings)), None)
            self._state.save()
        return 200, {}, {}

    def _exchange_credentials(self, request: Request, edition: Edition) -> JsonObject:
        """Take somebody's credentials, look at their side, and give ours with a fresh token."""
        theirs = body_of(request, self._profile.invalid_http_status)
        trouble = edition.credentials_complaint(theirs)
        if trouble:
            raise Refusal(self._profile.invalid_http_status, 2001, trouble)
        url, client_token = str(theirs["url"]), str(theirs["token"])
        try:
            _, endpoints = self._initiative.look_at(url, client_token, [edition.version])
        except Failed as no:
            raise Refusal(200, no.code, no.words) from None
        registrant = Registrant(url, edition.parties_of(theirs), edition.version, client_token, endpoints)
        presented = digest(self._presented(request, self._encodings(edition)))
        fresh = secrets.token_urlsafe(32)
        with self._state.lock:
            if presented not in self._state.first_tokens and presented not in self._state.registrants:
                raise self._unauthorized("your token was used up meanwhile")
            self._state.first_tokens.discard(presented)
            before = self._state.registrants.pop(presented, None)
            pulled_at = before.pulled_at if before else ""
            self._state.registrants[digest(fresh)] = replace(registrant, pulled_at=pulled_at)
            self._state.save()
        return self._initiative.credentials(fresh, edition)

    # Functional modules

    def _token_methods(self, edition: Edition) -> dict[str, Endpoint]:
        def admitted(method: Callable[[Request, Registrant], Said]) -> Endpoint:
            return lambda request: method(request, self._registered(request, edition))

        return {name: admitted(method) for name, method in self._receivers[edition.version].methods.items()}

    def _list_clients(self, request: Request, edition: Edition) -> Said:
        """Who stands behind this hub, page by page (transport_and_format, Pagination)."""
        self._registered(request, edition)
        asked = {name: request.query.get(name, "") for name in ("offset", "limit")}
        if any(value and not (value.isascii() and value.isdecimal()) for value in asked.values()):
            raise Refusal(200, 2001, "offset and limit are numbers")
        cap = self._profile.page_size
        first, most = int(asked["offset"] or 0), min(int(asked["limit"] or cap), cap)
        clients = [client_info(client, self._began) for client in self._profile.clients]
        headers = {"X-Total-Count": str(len(clients)), "X-Limit": str(cap)}
        if most and first + most < len(clients):
            query = urlencode({"offset": first + most, "limit": most})
            url = f"{self._base_url}/{edition.version}/hubclientinfo?{query}"
            headers["Link"] = f'<{url}>; rel="next"'
        return 200, {"data": clients[first : first + most]}, headers

    # Who calls

    def _registered(self, request: Request, edition: Edition) -> Registrant:
        """The registered platform that calls."""
        encodings = self._encodings(edition)
        registrant = self._known(request, encodings) or self._state.registrant_of(
            digest(self._presented(request, encodings))
        )
        if registrant is None:
            raise self._unauthorized("a first token admits to versions and credentials alone")
        if registrant.version != edition.version:
            raise self._unauthorized(f"you registered with version {registrant.version}")
        return registrant

    def _known(self, request: Request, encodings: tuple[Encoding, ...]) -> Registrant | None:
        """The registered platform that calls, or None for the holder of a first token."""
        shown = digest(self._presented(request, encodings))
        with self._state.lock:
            registrant = self._state.registrants.get(shown)
            is_new = shown in self._state.first_tokens or shown in self._state.pending
        if registrant is None and not is_new:
            raise self._unauthorized("this token is not known here")
        return registrant

    def _presented(self, request: Request, encodings: tuple[Encoding, ...]) -> str:
        """What is shown, read in the first of these ways in which it is known, or can be read."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not value:
            raise self._unauthorized("there is no Authorization header with Token")
        readings = list(_readings(value, encodings))
        if not readings:
            words = "the token in the Authorization header is not Base64"
            raise (
                Refusal(*self._profile.unreadable, words)
                if self._profile.unreadable
                else self._unauthorized(words)
            )
        with self._state.lock:
            known = self._state.registrants.keys() | self._state.first_tokens | self._state.pending
        return next((reading for reading in readings if digest(reading) in known), readings[0])

    def _encodings(self, edition: Edition) -> tuple[Encoding, ...]:
        chosen = self._profile.encoding
        return (edition.encoding if chosen is Encoding.BY_VERSION else chosen,)

    def _versions_encodings(self) -> tuple[Encoding, ...]:
        """How tokens are read before a version is chosen: as in every version that is served."""
        if self._profile.versions_encoding is not None:
            return (self._profile.versions_encoding,)
        served = self._editions.values() or EDITIONS.values()
        return tuple(dict.fromkeys(way for edition in served for way in self._encodings(edition)))

    def _unauthorized(self, words: str) -> Refusal:
        return Refusal(self._profile.unauthorized_http_status, 2000, words)


def _readings(value: str, encodings: tuple[Encoding, ...]) -> Iterator[str]:
    """What a token in a header may mean."""
    if not {Encoding.BASE64, Encoding.EITHER}.isdisjoint(encodings):
        with suppress(ValueError):
            yield b64decode(value, validate=True).decode().rstrip("\n")
    if not {Encoding.CLEAR, Encoding.EITHER, Encoding.NONE}.isdisjoint(encodings):
        yield value
