"""The Tokens receiver of a virtual CPO: GET, PUT and PATCH of one token.

Where the specification leaves a choice, it was made so, unless the profile says otherwise:

- a token with an older `last_updated` than the one held is refused (2001), and so is a changed
  one with the same `last_updated`; the same object again is taken (200);
- a token of a party that did not register is answered with HTTP 404;
- whoever sends no message ids or no routing headers where the version has them is refused (2001);
- in 2.1.1, whose URLs have no type, a UID stands for one token whatever its type, and case counts.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tokens (Receiver Interface), transport_and_format.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rfid_station.simulator.cpo.answer import Refusal, Said, body_of
from rfid_station.simulator.cpo.calls import MESSAGE_IDS
from rfid_station.simulator.cpo.edition import Edition
from rfid_station.simulator.cpo.http import Request
from rfid_station.simulator.cpo.profile import CpoProfile, NotFound
from rfid_station.simulator.cpo.rules import CI_STRINGS, JsonObject, complaint, instant
from rfid_station.simulator.cpo.state import CpoState, Key, Registrant

_TYPES_WITHOUT_URL = ("RFID", "OTHER")
"""TokenType of 2.1.1, whose URLs have no type."""

_ROUTING = tuple(f"OCPI-{way}-{part}" for way in ("from", "to") for part in ("country-code", "party-id"))


@dataclass(frozen=True, slots=True)
class _Address:
    """Which token a URL names. Without a type (2.1.1) the type is empty."""

    country_code: str
    party_id: str
    uid: str
    kind: str

    def names(self, key: Key) -> bool:
        """Whether a key is meant."""
        return key[:3] == (self.country_code, self.party_id, self.uid) and self.kind in ("", key[3])


class TokensReceiver:
    """Takes tokens of one version into a state that it shares with others."""

    def __init__(self, edition: Edition, profile: CpoProfile, state: CpoState) -> None:
        self._edition = edition
        self._profile = profile
        self._state = state
        self._rate = Rate(profile.max_rps)

    @property
    def methods(self) -> dict[str, Callable[[Request, Registrant], Said]]:
        """What answers which method."""
        return {"GET": self._show, "PUT": self._put, "PATCH": self._patch}

    def forget(self, request: Request) -> None:
        """Lose the token that a request addresses."""
        address = self._address_in(request)
        with self._state.lock:
            for key in self._keys(address):
                self._state.tokens.pop(key, None)
            self._state.save()

    def _show(self, request: Request, registrant: Registrant) -> Said:
        address = self._admitted(request, registrant)
        with self._state.lock:
            held = self._held(address)
        if held is None:
            raise self._unknown(request.steps[5])
        return 200, {"data": self._as_data(held)}, {}

    def _put(self, request: Request, registrant: Registrant) -> Said:
        address = self._admitted(request, registrant)
        token = self._checked(body_of(request, self._profile.invalid_http_status), address)
        with self._state.lock:
            held = self._held(address)
            self._check_order(self._made_of(token, address), held)
            self._keep(address, token)
        return (self._profile.created_http_status if held is None else 200), self._after(token), {}

    def _patch(self, request: Request, registrant: Registrant) -> Said:
        address = self._admitted(request, registrant)
        changes = body_of(request, self._profile.invalid_http_status)
        stamped = self._edition.wants_stamp_in_patch and self._profile.wants_stamp_in_patch
        if stamped and "last_updated" not in changes:
            raise self._invalid("last_updated is missing")
        if self._profile.wants_whole_patch:
            self._checked(changes, address)
        with self._state.lock:
            held = self._held(address)
            if held is None:
                raise self._unknown(request.steps[5])
            token = self._checked({**held, **self._changes(changes)}, address)
            self._check_order(self._made_of(token, address), held)
            self._keep(address, token)
        return 200, self._after(token), {}

    def _changes(self, changes: JsonObject) -> JsonObject:
        """What a PATCH changes here."""
        kept = {name: value for name, value in changes.items() if name not in self._profile.patch_ignores}
        return {"valid": False, **kept} if self._profile.patch_invalidates else kept

    # Who calls, and for what

    def _admitted(self, request: Request, registrant: Registrant) -> _Address:
        """Check whether somebody may, and return which token the URL names."""
        wait_s = self._rate.wait_s()
        if wait_s:
            raise Refusal(429, 2000, "too many requests", {"Retry-After": str(int(wait_s) + 1)})
        self._check_headers(request, registrant)
        country_code, party_id = request.steps[3:5]
        if self._profile.checks_party and not self._is_own(registrant, country_code, party_id):
            raise Refusal(404, 2001, f"{country_code}-{party_id} is no party of yours")
        return self._address_in(request)

    def _is_own(self, registrant: Registrant, country_code: str, party_id: str) -> bool:
        if self._edition.is_case_sensitive:
            return (country_code, party_id) in registrant.parties
        return registrant.has(country_code, party_id)

    def _address_in(self, request: Request) -> _Address:
        kind = ""
        if self._edition.has_type_in_url:
            kind = request.query.get("type", "RFID") if self._profile.reads_type else "RFID"
        return _Address(*map(self._edition.fold, (*request.steps[3:6], kind)))

    def _check_headers(self, request: Request, registrant: Registrant) -> None:
        """Message ids and routing headers (transport_and_format)."""
        if self._edition.has_message_ids and self._profile.wants_message_ids:
            missing = next((name for name in MESSAGE_IDS if not request.headers.get(name)), None)
            if missing:
                raise Refusal(200, 2001, f"header {missing} is missing")
        if self._edition.has_routing and self._profile.wants_routing:
            trouble = self._routing_complaint(request, registrant)
            if trouble:
                raise Refusal(*self._profile.routing_refusal, trouble)
            if self._profile.is_routing_exact:
                self._check_url_is_of_sender(request)

    def _routing_complaint(self, request: Request, registrant: Registrant) -> str | None:
        given = {name: request.headers.get(name) or "" for name in _ROUTING}
        missing = next((name for name, value in given.items() if not value), None)
        if missing:
            return f"header {missing} is missing"
        us, them = self._profile.us, (given["OCPI-to-country-code"], given["OCPI-to-party-id"])
        fold = str if self._profile.is_routing_exact else str.lower
        if list(map(fold, them)) != list(map(fold, us)):
            return f"this is not {'-'.join(them)}"
        sender = (given["OCPI-from-country-code"], given["OCPI-from-party-id"])
        is_known = sender in registrant.parties if fold is str else registrant.has(*sender)
        return None if is_known else "OCPI-from names no party of yours"

    def _check_url_is_of_sender(self, request: Request) -> None:
        sender = (request.headers["OCPI-from-country-code"], request.headers["OCPI-from-party-id"])
        if request.steps[3:5] != sender:
            raise Refusal(404, 0, "Not Found")

    # What is told

    def _checked(self, token: JsonObject, address: _Address) -> JsonObject:
        """The token, if it keeps the specification and is the one that the URL names."""
        members = self._edition.token
        trouble = complaint(token, members) or self._null_complaint(token)
        if trouble:
            raise self._invalid(trouble)
        key = self._key(address, token)
        if self._profile.checks_key and not address.names(key):
            named = "/".join((address.country_code, address.party_id, address.uid, address.kind))
            raise self._invalid(f"the URL names {named}, the body {'/'.join(key)}")
        return {name: token[name] for name in members if token.get(name) is not None}

    def _null_complaint(self, token: JsonObject) -> str | None:
        absent = [name for name in self._edition.token if name not in token]
        return f"{absent[0]} is missing" if self._profile.wants_nulls and absent else None

    def _key(self, address: _Address, token: JsonObject) -> Key:
        return self._edition.key_of(address.country_code, address.party_id, token)

    def _check_order(self, token: JsonObject, held: JsonObject | None) -> None:
        """Refuse what is older than what is held, and a change that does not show in `last_updated`."""
        if held is None or not self._profile.checks_order:
            return
        before, now = instant(held["last_updated"]), instant(token["last_updated"])
        if before and now and now < before:
            raise self._invalid(
                f"last_updated {token['last_updated']} is older than {held['last_updated']} held"
            )
        if now == before and token | {"last_updated": now} != held | {"last_updated": now}:
            raise self._invalid(f"changed, with the same last_updated {token['last_updated']}")

    def _held(self, address: _Address) -> JsonObject | None:
        return next(
            (self._state.tokens[key] for key in self._keys(address) if key in self._state.tokens), None
        )

    def _keys(self, address: _Address) -> Iterator[Key]:
        """Under which keys it may be held."""
        for kind in [address.kind] if address.kind else _TYPES_WITHOUT_URL:
            yield address.country_code, address.party_id, address.uid, kind

    def _keep(self, address: _Address, token: JsonObject) -> None:
        for key in self._keys(address):
            self._state.tokens.pop(key, None)
        kind = address.kind or str(token["type"])
        place = (address.country_code, address.party_id, address.uid, kind)
        self._state.tokens[place] = self._made_of(token, address)
        self._state.save()

    def _made_of(self, token: JsonObject, address: _Address) -> JsonObject:
        """What this CPO makes of a token that it was told."""
        changed: JsonObject = {}
        if self._profile.forced_whitelist:
            changed["whitelist"] = self._profile.forced_whitelist
        if self._profile.replaces_issuer:
            changed["issuer"] = address.party_id.upper()
        return {**token, **changed}

    # What is answered

    def _as_data(self, token: JsonObject) -> object:
        case = {"lower": str.lower, "upper": str.upper}.get(self._profile.id_case, str)
        told = {name: case(str(value)) if name in CI_STRINGS else value for name, value in token.items()}
        return [told] if self._profile.wraps_in_list else told

    def _after(self, token: JsonObject) -> JsonObject:
        if self._profile.wraps_in_list:
            return {"data": self._as_data(token)}
        return {"data": {}} if self._profile.has_data_after_put else {}

    def _invalid(self, trouble: str) -> Refusal:
        return Refusal(self._profile.invalid_http_status, 2001, trouble)

    def _unknown(self, uid: str) -> Refusal:
        words = f"there is no token {uid}"
        if self._profile.not_found is NotFound.IN_200:
            return Refusal(200, 2004, words)
        code = 0 if self._profile.not_found is NotFound.BARE else self._edition.unknown_token_code
        return Refusal(404, code, words)


class Rate:
    """So many requests in a second. Safe between threads.

    :param most: 0 is no limit
    """

    def __init__(self, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._left = max(most, 1.0)
        self._at = clock()

    def wait_s(self) -> float:
        """Let one request pass (0.0), or say in how many seconds one may come."""
        if not self._most:
            return 0.0
        with self._lock:
            now = self._clock()
            self._left = min(max(self._most, 1.0), self._left + (now - self._at) * self._most)
            self._at = now
            if self._left >= 1.0:
                self._left -= 1.0
                return 0.0
            return (1.0 - self._left) / self._most
