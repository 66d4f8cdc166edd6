"""What a virtual CPO does of its own accord: register, rotate, unregister, pull tokens, ask about one.

Every deed ends in a `Report`; what the other side did that the specification does not allow stands in its
complaints, also where all went well.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, credentials (use cases), mod_tokens (Sender Interface),
transport_and_format (Pagination), mod_hub_client_info.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import quote

from rfid_station.simulator.cpo.calls import Failed, Heard, Line
from rfid_station.simulator.cpo.charges import cdr_object, session_object
from rfid_station.simulator.cpo.crawl import Crawl
from rfid_station.simulator.cpo.edition import EDITIONS, Edition, Encoding
from rfid_station.simulator.cpo.profile import CpoProfile
from rfid_station.simulator.cpo.rules import JsonObject, complaint, instant
from rfid_station.simulator.cpo.state import CpoState, Key, Place, Registrant, digest


@dataclass(frozen=True, slots=True)
class Report:
    """How a deed ended. `http_status` and `status_code` are those of the last call, 0 for no answer."""

    is_done: bool
    words: str
    http_status: int = 0
    status_code: int | None = None
    complaints: tuple[str, ...] = ()
    facts: JsonObject = field(default_factory=dict)


class Initiative:
    """Calls others out of a state that is shared with whoever answers them."""

    def __init__(self, versions_url: str, profile: CpoProfile, state: CpoState) -> None:
        self._versions_url = versions_url
        self._profile = profile
        self._state = state

    # Registration

    def register(self, versions_url: str, first_token: str, version: str = "") -> Report:
        """Register with somebody who gave us a token: versions, details, and our credentials for theirs.

        :param version: the one to take; otherwise the newest that both speak
        """
        wanted = (
            [version] if version else [own for own in reversed(EDITIONS) if own in self._profile.versions]
        )
        if not set(wanted) <= EDITIONS.keys():
            return Report(False, f"{version} is not spoken here")
        try:
            chosen, endpoints = self.look_at(versions_url, first_token, wanted)
            return self._hand_over("POST", first_token, versions_url, chosen, endpoints)
        except Failed as no:
            return _failure(no)

    def rotate(self, party: str = "") -> Report:
        """Exchange both tokens with somebody we are registered with (PUT)."""
        try:
            shown, known = self._somebody(party)
            chosen, endpoints = self.look_at(known.url, known.client_token, [known.version])
            return self._hand_over("PUT", known.client_token, known.url, chosen, endpoints, instead_of=shown)
        except Failed as no:
            return _failure(no)

    def unregister(self, party: str = "") -> Report:
        """End a registration (DELETE). It is over here too unless nobody answered."""
        try:
            shown, known = self._somebody(party)
            heard = self._line(known).call("DELETE", _needed(known, "credentials", ""))
        except Failed as no:
            return _failure(no)
        if heard.is_success or heard.http_status in (401, 404, 405):
            with self._state.lock:
                self._state.registrants.pop(shown, None)
                self._state.save()
        return _ended(heard, "unregistered")

    def look_at(
        self, versions_url: str, token: str, wanted: Iterable[str]
    ) -> tuple[Edition, tuple[Place, ...]]:
        """Read somebody's versions and details, and choose the first version of those wanted.

        :raises Failed: it cannot be used
        """
        versions = list(wanted)
        heard = self._versions_of(versions_url, token, versions)
        listed = heard.data
        if not heard.is_success or not isinstance(listed, list):
            raise Failed(f"{heard}; your versions are no list", heard)
        urls = {
            str(entry.get("version")): str(entry.get("url")) for entry in listed if isinstance(entry, dict)
        }
        version = next((version for version in versions if version in urls), None)
        if version is None:
            raise Failed(f"you do not offer version {' or '.join(versions)}", heard, 3002)
        edition = EDITIONS[version]
        heard = self._line_in(edition, token).call("GET", urls[version])
        endpoints = heard.data.get("endpoints") if isinstance(heard.data, dict) else None
        if not heard.is_success or not isinstance(endpoints, list):
            raise Failed(f"{heard}; your version details list no endpoints", heard)
        places = tuple(
            (str(entry.get("identifier")), str(entry.get("role") or ""), str(entry.get("url")))
            for entry in endpoints
            if isinstance(entry, dict)
        )
        self._check_offer(places, edition, heard)
        return edition, places

    def _versions_of(self, versions_url: str, token: str, wanted: Iterable[str]) -> Heard:
        """Read a versions list, with the token written as in one version and then as in the others."""
        lines = {line.encoding: line for line in (self._line_in(EDITIONS[one], token) for one in wanted)}
        for line in lines.values():
            heard = line.call("GET", versions_url)
            if heard.http_status not in (401, 403):
                break
        return heard

    def _check_offer(self, places: tuple[Place, ...], edition: Edition, heard: Heard) -> None:
        """Refuse somebody without a module that is needed here."""
        for identifier, role in self._profile.needs:
            wanted = role if edition.has_interface_roles else ""
            if not any(name == identifier and wanted in ("", as_role) for name, as_role, _ in places):
                raise Failed(f"you do not offer {f'{identifier} {role}'.strip()}", heard, 3003)

    def _hand_over(
        self,
        method: str,
        token: str,
        versions_url: str,
        edition: Edition,
        endpoints: tuple[Place, ...],
        instead_of: str | None = None,
    ) -> Report:
        """Give our credentials for theirs. What we hand out works before, and no more if this fails."""
        url = next((url for name, _, url in endpoints if name == "credentials"), None)
        if url is None:
            raise Failed("you do not offer credentials", code=3003)
        fresh = secrets.token_urlsafe(32)
        registrant = None
        self._state.begin(digest(fresh))
        try:
            heard = self._line_in(edition, token).call(method, url, self.credentials(fresh, edition))
            if not heard.is_success:
                raise Failed(str(heard), heard)
            trouble = edition.credentials_complaint(heard.data)
            if trouble or not isinstance(heard.data, dict):
                raise Failed(f"{method} {url}: {trouble}", heard)
            theirs = heard.data
            registrant = Registrant(
                str(theirs["url"]),
                edition.parties_of(theirs),
                edition.version,
                str(theirs["token"]),
                endpoints,
            )
        finally:
            self._state.settle(digest(fresh), registrant, instead_of)
        complaints = heard.complaints
        if str(theirs["token"]) == token:
            complaints += ("the token is the one that was used for this call",)
        if str(theirs["url"]) != versions_url:
            complaints += (f"url is {theirs['url']}, and was {versions_url}",)
        facts: JsonObject = {
            "version": edition.version,
            "parties": ["-".join(party) for party in edition.parties_of(theirs)],
        }
        return replace(_ended(heard, "registered"), facts=facts, complaints=complaints)

    def credentials(self, token: str, edition: Edition) -> JsonObject:
        """Our Credentials object."""
        profile = self._profile
        party: JsonObject = {
            "country_code": profile.country_code,
            "party_id": profile.party_id,
            "business_details": {"name": profile.name},
        }
        platform: JsonObject = {"token": token, "url": self._versions_url}
        if edition.role is None:
            return platform | party
        is_hub = bool(profile.clients) and edition.version == "2.2.1"
        platform["roles"] = [{"role": "HUB" if is_hub else "CPO", **party}]
        if profile.hub_party_id and "hub_party_id" in edition.credentials:
            platform["hub_party_id"] = profile.hub_party_id
        return platform

    # Tokens

    def pull(
        self,
        date_from: str = "",
        date_to: str = "",
        limit: int | None = None,
        party: str = "",
        *,
        is_delta: bool = False,
    ) -> Report:
        """Read somebody's token list, page by page, and keep it.

        A list without filters is the whole: what was held before and is not in it is held no more.

        :param is_delta: what changed since the last pull that succeeded began
        """
        began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            shown, known = self._somebody(party)
            date_from = date_from or (known.pulled_at if is_delta else "")
            filters = {"date_from": date_from, "date_to": date_to}
            asked = {name: value for name, value in filters.items() if value}
            with self._state.lock:
                held_before = {key for key in self._state.tokens if known.has(key[0], key[1])}
            crawl = Crawl(self._line(known), known, self._profile, limit or self._profile.pull_limit or None)
            heard = crawl.follow(_needed(known, "tokens", "SENDER"), asked)
        except Failed as no:
            return _failure(no)
        gone = held_before - crawl.tokens.keys() if not asked else set()
        self._keep(crawl, gone, shown, replace(known, pulled_at=began))
        facts: JsonObject = {
            "entries": crawl.entries,
            "tokens": len(crawl.tokens),
            "pages": len(crawl.urls),
            "total": crawl.total,
            "limit": crawl.cap,
            "gone": len(gone),
            "urls": crawl.urls,
        }
        return replace(_ended(heard, "pulled"), complaints=tuple(crawl.complaints), facts=facts)

    def _keep(self, crawl: Crawl, gone: Iterable[Key], shown: str, registrant: Registrant) -> None:
        with self._state.lock:
            for key, token in crawl.tokens.items():
                if not _is_older(token, self._state.tokens.get(key)):
                    self._state.tokens[key] = token
            for key in gone:
                self._state.tokens.pop(key, None)
            if shown in self._state.registrants:
                self._state.registrants[shown] = registrant
            self._state.save()

    def authorize(
        self, uid: str, kind: str = "RFID", location: JsonObject | None = None, party: str = ""
    ) -> Report:
        """Ask the issuer whether a token may charge, with or without LocationReferences."""
        try:
            _, known = self._somebody(party)
            url = _needed(known, "tokens", "SENDER").rstrip("/")
        except Failed as no:
            return _failure(no)
        edition = EDITIONS[known.version]
        query = f"?type={quote(kind, safe='')}" if edition.has_type_in_url else ""
        heard = self._line(known).call(
            "POST", f"{url}/{quote(uid, safe='')}/authorize{query}", location, is_routed=True
        )
        report = _ended(heard, "answered")
        if not heard.is_success:
            return replace(report, complaints=(*report.complaints, *_odd_refusal(heard, edition)))
        info = heard.data if isinstance(heard.data, dict) else {}
        odd = complaint(heard.data, edition.authorization_info) or _odd_answer(info, edition, uid, location)
        return replace(report, facts=info, complaints=(*report.complaints, *([odd] if odd else [])))

    def tell_client(
        self, country_code: str, party_id: str, role: str, status: str, party: str = ""
    ) -> Report:
        """Tell somebody about a party behind us (ClientInfo object, as a hub)."""
        try:
            _, known = self._somebody(party)
            url = _needed(known, "hubclientinfo", "RECEIVER").rstrip("/")
        except Failed as no:
            return _failure(no)
        info = client_info((country_code, party_id, role, status), datetime.now(UTC))
        return _ended(self._line(known).call("PUT", f"{url}/{country_code}/{party_id}", info), "told")

    # Charges

    def tell_session(self, given: JsonObject, party: str = "") -> Report:
        """Tell somebody about a charging session (PUT Session)."""
        try:
            _, known = self._somebody(party)
            url = _needed(known, "sessions", "RECEIVER").rstrip("/")
            session = session_object(known.version, self._profile.us, self._held(given), given)
        except Failed as no:
            return _failure(no)
        steps = (*self._profile.us, str(session["id"]))
        one = "/".join([url, *(quote(step, safe="") for step in steps)])
        heard = self._line(known).call("PUT", one, session, is_routed=True)
        return replace(_ended(heard, "told"), facts={"id": session["id"], "url": one})

    def tell_cdr(self, given: JsonObject, party: str = "") -> Report:
        """Tell somebody about a charge that is over (POST CDR), and read it back where the answer says."""
        try:
            _, known = self._somebody(party)
            url = _needed(known, "cdrs", "RECEIVER")
            cdr = cdr_object(known.version, self._profile.us, self._held(given), given)
        except Failed as no:
            return _failure(no)
        line = self._line(known)
        heard = line.call("POST", url, cdr, is_routed=True)
        report, location = _ended(heard, "told"), heard.header("Location")
        if not heard.is_success:
            return report
        back = line.call("GET", location, is_routed=True)
        is_there = isinstance(back.data, dict) and back.data.get("id") == cdr["id"]
        odd = () if is_there else (f"Location {location!r} does not lead to it: {back}",)
        complaints = (*report.complaints, *back.complaints, *odd)
        return replace(report, complaints=complaints, facts={"id": cdr["id"], "url": location})

    def _held(self, given: JsonObject) -> JsonObject:
        """The token that a charge is told of, as it was told to us; a strange one is made up."""
        uid = str(given["uid"])
        with self._state.lock:
            held = [token for key, token in self._state.tokens.items() if key[2].lower() == uid.lower()]
            parties = [key[:2] for key in self._state.tokens if key[2].lower() == uid.lower()]
        if held:
            country_code, party_id = (part.upper() for part in parties[0])
            return {"country_code": country_code, "party_id": party_id} | held[0]
        strange: JsonObject = {"country_code": "XX", "party_id": "XXX", "type": "RFID"}
        return strange | {"uid": uid, "contract_id": uid, "auth_id": uid}

    # Whom we call

    def whom(self, party: str = "") -> Registrant:
        """A registered platform: the one that speaks for a party like `DE-EXM`, or the one that came last.

        :raises Failed: there is none
        """
        return self._somebody(party)[1]

    def _somebody(self, party: str) -> tuple[str, Registrant]:
        with self._state.lock:
            registrants = list(self._state.registrants.items())
        country_code, _, party_id = party.partition("-")
        fitting = [found for found in registrants if not party or found[1].has(country_code, party_id)]
        if not fitting:
            raise Failed(f"nobody is registered{f' as {party}' if party else ''}")
        return fitting[-1]

    def _line(self, registrant: Registrant) -> Line:
        them = registrant.parties[0] if registrant.parties else None
        return replace(self._line_in(EDITIONS[registrant.version], registrant.client_token), them=them)

    def _line_in(self, edition: Edition, token: str) -> Line:
        chosen = self._profile.encoding
        by_version = chosen in (Encoding.BY_VERSION, Encoding.EITHER)
        return Line(edition, token, edition.encoding if by_version else chosen, self._profile.us)


def client_info(client: tuple[str, str, str, str], now: datetime) -> JsonObject:
    """Write a ClientInfo object (mod_hub_client_info)."""
    country_code, party_id, role, status = client
    return {
        "party_id": party_id,
        "country_code": country_code,
        "role": role,
        "status": status,
        "last_updated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _failure(no: Failed) -> Report:
    if no.heard is None:
        return Report(False, no.words)
    return Report(False, no.words, no.heard.http_status, no.heard.status_code, no.heard.complaints)


def _ended(heard: Heard, done: str) -> Report:
    words = done if heard.is_success else str(heard)
    return Report(heard.is_success, words, heard.http_status, heard.status_code, heard.complaints)


def _needed(registrant: Registrant, identifier: str, role: str) -> str:
    """Where a module is.

    :raises Failed: it is not offered
    """
    if role:
        url = registrant.url_of(identifier, role)
    else:
        url = next((url for name, _, url in registrant.endpoints if name == identifier), None)
    if url is None:
        raise Failed(f"{registrant.url} does not offer {f'{identifier} {role}'.strip()}")
    return url


def _is_older(token: JsonObject, held: JsonObject | None) -> bool:
    """Whether what was pulled is older than what was pushed meanwhile."""
    if held is None:
        return False
    read, kept = instant(token["last_updated"]), instant(held["last_updated"])
    return read is not None and kept is not None and read < kept


def _odd_refusal(heard: Heard, edition: Edition) -> list[str]:
    """What is wrong with an answer that says no (mod_tokens, Real-time authorization)."""
    found = []
    if edition.unknown_token_code == 2004 and (heard.http_status == 404) != (heard.status_code == 2004):
        found.append(
            f"HTTP {heard.http_status} with OCPI {heard.status_code}: an unknown token is 404 with 2004"
        )
    if heard.status_code == 2002 and heard.http_status != 200:
        found.append(f"2002 with HTTP {heard.http_status}, not 200")
    if heard.data not in (None, [], {}):
        found.append("data with an error")
    return found


def _odd_answer(info: JsonObject, edition: Edition, uid: str, location: JsonObject | None) -> str | None:
    """What in an AuthorizationInfo does not fit what was asked."""
    token = info.get("token")
    if isinstance(token, dict) and edition.fold(str(token["uid"])) != edition.fold(uid):
        return f"token is {token['uid']}, and {uid} was asked for"
    told = info.get("location")
    if not isinstance(told, dict):
        return None
    if location is None:
        return "location, and none was asked for"
    more = set(told.get("evse_uids") or ()) - set(location.get("evse_uids") or ())  # type: ignore[call-overload]
    if told["location_id"] != location["location_id"] or more:
        return f"location {told['location_id']} {sorted(more)}: not what was asked for"
    return None
