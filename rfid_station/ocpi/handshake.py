"""Registering with a partner CPO, from our side: from a first token to a client token, to the next, to none.

The partner calls our versions and details with the server token while our POST or PUT is open, so
whoever calls has the server running and the server token in force beforehand. Looking at the
partner (`look_at`) and telling it something (`exchange`) are two steps: when the first fails, the
partner was not told a thing.

Source: OCPI 2.2.1 credentials, use cases: registration, updating, ending; version_information_endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import STANDARD, HeaderEncoding, PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.errors import PartnerError, PartnerRefused, PartnerUnreachable, WrongCall
from rfid_station.ocpi.answer import Answer, error_of
from rfid_station.ocpi.client import OcpiClient, check_token, check_url
from rfid_station.ocpi.http import Transport
from rfid_station.ocpi.port import Registration, Us
from rfid_station.ocpi.reach import PUBLIC, Reach
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire.dialect import Dialect, highest_common
from rfid_station.ocpi.wire.fields import only_object, read_entry
from rfid_station.ocpi.wire.transport import read_versions
from rfid_station.ocpi.wire.v2_2_1 import PartnerRole

TIMEOUT_S = 30.0
"""Per call: the POST lasts as long as the partner's own two calls to us."""

_USED_UP_HINT = "ask the partner for a new first token: it is used up by one registration"
_URL_HINT = "check the versions URL with the partner"
_AGAIN_HINT = "ask the partner to delete our registration and to give a new first token, then connect again"
_TEST_HINT = "rfid-station partner test NAME says whether the old client token still works"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a partner offers: the best version, its endpoints, and where credentials are told."""

    dialect: Dialect
    versions_url: str
    endpoints: tuple[Endpoint, ...]
    credentials_url: str


class Handshake:
    """One partner, called with one token: what it offers, and our credentials against its own.

    :param token: the first token, or the client token that is in use
    :param profile: which versions, how the token stands in the header, which URLs instead of the told ones
    :param secrets: what else must not show in any text
    :param reach: what may be called, beside the address in the versions URL
    :raises WrongCall: the token or the versions URL cannot be used
    """

    def __init__(
        self,
        versions_url: str,
        token: str,
        *,
        profile: PartnerProfile = STANDARD,
        timeout_s: float = TIMEOUT_S,
        secrets: tuple[str, ...] = (),
        reach: Reach = PUBLIC,
        http: Transport | None = None,
    ) -> None:
        self._versions_url = check_url(versions_url, "versions URL")
        self._token = check_token(token, "client token")
        self._profile = profile
        self._timeout_s = timeout_s
        self._secrets = secrets
        self._reach = reach.with_host_of(versions_url)
        self._http = http

    def choose_version(self) -> tuple[Dialect, str]:
        """Read versions, and choose the best; it, and where its details are.

        :raises PartnerRefused: the partner said no, has no version of ours, or answered nonsense
        :raises PartnerUnreachable: no answer
        """
        answer = self._ask_for_versions()
        if not answer.is_acknowledged:
            raise error_of(answer, "the partner's versions cannot be read", self._hint_of_first(answer))
        if not isinstance(answer.data, list):
            kind = type(answer.data).__name__
            raise PartnerRefused(f"the partner's versions are no list, but {kind}", hint=_URL_HINT)
        offered = {version.version: version.url for version in read_versions(answer.data)}
        dialect = highest_common(offered, self._profile.versions)
        return dialect, partner_url(offered[dialect.VERSION], "details URL", self._versions_url)

    def look(self, chosen: tuple[Dialect, str] | None = None) -> Offer:
        """Read versions and details. The partner is told nothing.

        :param chosen: what `choose_version` said, to save asking again
        :raises PartnerRefused: the partner said no, lacks what we need, or answered nonsense
        :raises PartnerUnreachable: no answer
        """
        dialect, details_url = chosen or self.choose_version()
        endpoints = self._read_details(dialect, details_url)
        credentials_url = needed_endpoints(endpoints, self._versions_url, self._profile)
        return Offer(dialect, self._versions_url, endpoints, credentials_url)

    def exchange(
        self, method: Literal["POST", "PUT"], offer: Offer, us: Us, server_token: str
    ) -> Registration:
        """Tell our credentials, and read the partner's from the answer.

        :param server_token: what the partner is to show when it calls us; our server accepts it already
        :raises PartnerRefused: the partner said no; it holds nothing new
        :raises PartnerUnreachable: no answer that could be read; the partner may have taken them all the same
        :raises WrongCall: our own name or URL cannot be told; nothing was sent
        """
        body = our_credentials(offer.dialect, us, server_token, self._profile)
        with self._client(offer.dialect.VERSION, server_token) as client:
            answer = client.call(method, offer.credentials_url, body)
        if not answer.is_acknowledged:
            raise _refusal(answer, us, method)
        try:
            client_token, parties = read_their_credentials(offer.dialect, answer.data, self._profile)
        except PartnerRefused as unreadable:
            if method == "POST":
                raise
            what = f"our credentials were taken, but {unreadable}"
            raise PartnerUnreachable(what, hint=_TEST_HINT) from None
        connection = Connection(offer.dialect.VERSION, offer.versions_url, offer.endpoints, parties)
        return Registration(connection, client_token)

    def leave(self, version: str, credentials_url: str) -> Answer:
        """Unregister (credentials, DELETE)."""
        with self._client(version) as client:
            return client.call("DELETE", credentials_url)

    def _client(self, version: str, *secrets: str, encoding: HeaderEncoding | None = None) -> OcpiClient:
        return OcpiClient(
            self._token,
            encoding=encoding or self._profile.header_of(version),
            timeout_s=self._timeout_s,
            secrets=(*self._secrets, *secrets),
            reach=self._reach,
            http=self._http,
        )

    def _ask_for_versions(self) -> Answer:
        """Ask in every way in which the token may have to be written: the version is not known yet."""
        answers = []
        for encoding in self._encodings:
            with self._client("", encoding=encoding) as client:
                answers.append(client.call("GET", self._versions_url))
            if answers[-1].is_acknowledged or answers[-1].http_status is None:
                return answers[-1]
        # Some say 3000 in place of 401 to a token that they cannot read.
        return answers[0]

    @property
    def _encodings(self) -> list[HeaderEncoding]:
        written = (self._profile.header_of(version) for version in self._profile.versions)
        return list(dict.fromkeys(written))

    def _hint_of_first(self, answer: Answer) -> str:
        """What to do about an answer to the very first request, which may not have been understood."""
        hint, (first, *others) = _hint_of(answer), self._encodings
        if answer.outcome.verdict is not Verdict.UNAUTHORIZED or others:
            return hint
        way = "in clear" if first is HeaderEncoding.CLEAR else "in Base64"
        return f"{hint}; or it wants it written otherwise than {way}, as profile {self._profile.name} does"

    def _read_details(self, dialect: Dialect, details_url: str) -> tuple[Endpoint, ...]:
        with self._client(dialect.VERSION) as client:
            answer = client.call("GET", details_url)
        if not answer.is_acknowledged:
            what = f"the partner's details of version {dialect.VERSION} cannot be read"
            raise error_of(answer, what, _hint_of(answer))
        return dialect.read_endpoints(answer.data)


def register(
    us: Us,
    versions_url: str,
    first_token: str,
    server_token: str,
    *,
    profile: PartnerProfile = STANDARD,
    timeout_s: float = TIMEOUT_S,
    reach: Reach = PUBLIC,
    http: Transport | None = None,
) -> Registration:
    """Register with a partner: versions, details, and our credentials against the partner's.

    :param versions_url: the partner's, as given together with the first token
    :param first_token: what the partner gave us for this registration alone
    :param server_token: what the partner is to show when it calls us; our server accepts it already
    :raises PartnerRefused: the partner said no, lacks what we need, or answered nonsense
    :raises PartnerUnreachable: no answer; after the POST the partner may have registered us all the same
    :raises WrongCall: a token or URL cannot be used as it is
    """
    check_token(server_token, "server token")
    check_url(us.versions_url, "our versions URL")
    handshake = Handshake(
        versions_url,
        first_token,
        profile=profile,
        timeout_s=timeout_s,
        secrets=(server_token,),
        reach=reach,
        http=http,
    )
    offer = handshake.look()
    registration = handshake.exchange("POST", offer, us, server_token)
    if not registration.connection.parties:
        unregister(
            registration,
            offer.credentials_url,
            profile=profile,
            timeout_s=timeout_s,
            reach=reach,
            http=http,
        )
        raise PartnerRefused(
            "the partner names no role CPO in its credentials, so nobody there takes tokens; we unregistered",
            hint="ask for the versions URL of its CPO platform; a hub takes a profile with is_hub = true",
        )
    return registration


def unregister(
    registration: Registration,
    credentials_url: str,
    *,
    profile: PartnerProfile = STANDARD,
    timeout_s: float = TIMEOUT_S,
    reach: Reach = PUBLIC,
    http: Transport | None = None,
) -> Answer:
    """Take our registration back (credentials, DELETE), however that ends.

    :raises WrongCall: the client token or the URL cannot be used
    """
    connection = registration.connection
    handshake = Handshake(
        connection.versions_url,
        registration.client_token,
        profile=profile,
        timeout_s=timeout_s,
        reach=reach,
        http=http,
    )
    return handshake.leave(connection.version, check_url(credentials_url, "credentials URL"))


def credentials_url_of(connection: Connection, profile: PartnerProfile) -> str:
    """Where a connected partner takes credentials.

    :raises PartnerRefused: it told no such endpoint
    """
    told = next((e.url for e in connection.endpoints if e.identifier == "credentials"), None)
    url = profile.endpoints.get("credentials", told)
    if url is None:
        raise PartnerRefused("the partner told no credentials endpoint", hint=_URL_HINT)
    return url


def read_their_credentials(
    dialect: Dialect, data: object, profile: PartnerProfile
) -> tuple[str, tuple[Party, ...]]:
    """Read a partner's token and parties; of a hub, the hub itself comes first: it is who is called.

    A hub names itself in a role HUB in 2.2.1 and in `hub_party_id` in 2.3.0 (credentials, Hubs).

    :raises PartnerRefused: these are no credentials
    """
    client_token, operators = dialect.read_credentials(data)
    told = only_object(data)
    if not profile.is_hub or not isinstance(told, dict):
        return client_token, operators
    listed = told.get("roles") if isinstance(told.get("roles"), list) else []
    roles = [role for entry in listed or [] if (role := read_entry(PartnerRole, entry))]
    hubs = [Party(role.country_code, role.party_id) for role in roles if role.role.upper() == "HUB"]
    hub_party_id = told.get("hub_party_id")
    if isinstance(hub_party_id, str) and len(hub_party_id) == 5:
        hubs.append(Party(hub_party_id[:2], hub_party_id[2:]))
    return client_token, tuple(dict.fromkeys((*hubs, *operators)))


def our_credentials(
    dialect: Dialect, us: Us, server_token: str, profile: PartnerProfile
) -> dict[str, object]:
    """Write our Credentials object as a partner wants it: with every optional field, or without.

    :raises WrongCall: our own name or URL cannot be told
    """
    body = dialect.credentials_to_wire(us, server_token)
    if not profile.nulls:
        return body
    empty = {"website": None, "logo": None}
    if "business_details" in body:
        return {**body, "business_details": _more(body["business_details"], empty)}
    roles = body["roles"] if isinstance(body["roles"], list) else []
    with_empty = [{**role, "business_details": _more(role["business_details"], empty)} for role in roles]
    hub = {"hub_party_id": None} if dialect.VERSION == "2.3.0" else {}
    return {**body, "roles": with_empty, **hub}


def _more(found: object, empty: dict[str, None]) -> dict[str, object]:
    return {**found, **empty} if isinstance(found, dict) else {**empty}


def needed_endpoints(endpoints: Iterable[Endpoint], versions_url: str, profile: PartnerProfile) -> str:
    """Check what we need before anything is told, and return the credentials URL.

    The role of credentials carries no meaning (OCPI 2.2.1 version_information_endpoint, Endpoint class).

    :raises PartnerRefused: a module is missing, or its URL cannot be used
    """
    endpoints = tuple(endpoints)
    told = {e.identifier: e.url for e in reversed(endpoints) if e.identifier == "credentials"}
    told |= {e.identifier: e.url for e in reversed(endpoints) if (e.identifier, e.role) == _RECEIVER}
    urls = {**told, **profile.endpoints}
    needed = {"credentials": "credentials"} | ({"tokens": "tokens RECEIVER"} if profile.push else {})
    missing = [words for module, words in needed.items() if module not in urls]
    if missing:
        listed = ", ".join(f"{e.identifier} {e.role}" for e in endpoints) or "nothing"
        raise PartnerRefused(
            f"the partner does not offer {' and '.join(missing)}, but {seen(listed)}; nothing was posted",
            hint="ask the partner to open these modules for us",
        )
    for module in needed:
        partner_url(urls[module], f"{module} URL", versions_url)
    return urls["credentials"]


_RECEIVER = ("tokens", "RECEIVER")


def partner_url(url: str, what: str, versions_url: str) -> str:
    """Let a URL pass that the partner advertises; never one that takes a token out of TLS.

    :raises PartnerRefused: it is no URL, or not encrypted while the versions URL is
    """
    try:
        check_url(url, what)
    except WrongCall as unusable:
        raise PartnerRefused(f"the partner's {unusable}", hint=_URL_HINT) from None
    if versions_url.lower().startswith("https:") and not url.lower().startswith("https:"):
        raise PartnerRefused(
            f"the partner's {what} {seen(url)} is not encrypted, while its versions URL is",
            hint="ask the partner to advertise https URLs",
        )
    return url


def _refusal(answer: Answer, us: Us, method: str) -> PartnerError:
    """Say what a failed POST or PUT of our credentials means (OCPI 2.2.1 credentials; status_codes 3xxx)."""
    detail = answer.outcome.detail
    if answer.http_status == 405 and method == "PUT":
        return PartnerRefused(
            f"the partner does not have us registered, or takes no PUT ({detail})",
            hint="set credentials_put = false in its profile, or connect anew with a new first token",
        )
    if answer.http_status == 405:
        return PartnerRefused(f"the partner has us registered already ({detail})", hint=_AGAIN_HINT)
    is_unread = method == "PUT" and answer.http_status in (200, 201) and answer.status_code is None
    if answer.outcome.verdict is Verdict.AMBIGUOUS or is_unread:
        return PartnerUnreachable(
            f"our credentials were posted, and whether they were taken is not known: {detail}",
            hint=_AGAIN_HINT if method == "POST" else _TEST_HINT,
        )
    if answer.status_code in _SERVER_CODES:
        meaning, hint = _SERVER_CODES[answer.status_code]
        return PartnerRefused(f"{meaning} {us.versions_url} ({detail})", hint=hint)
    what = "the partner did not take our credentials"
    if _is_out_of_order(answer):
        # Some say 3000 instead of 3001 when they cannot reach us.
        return error_of(answer, what, f"see that the partner can reach {us.versions_url}, then try again")
    return error_of(answer, what, _hint_of(answer))


_SERVER_CODES = {
    3001: (
        "the partner could not use our server at",
        "see that the partner can reach this URL, and that table [ocpi] in station.toml names the right one",
    ),
    3002: ("the partner found no version in common at", "ask the partner which versions of OCPI it speaks"),
    3003: ("the partner misses modules at", "ask the partner which modules it needs; ours is credentials"),
}
"""OCPI status code to what it means for a registration, and the remedy."""


def _hint_of(answer: Answer) -> str:
    if answer.outcome.verdict is Verdict.UNAUTHORIZED:
        return _USED_UP_HINT
    if answer.http_status is None:
        return "check the versions URL and the network, then try again"
    return "try again later" if _is_out_of_order(answer) else _URL_HINT


def _is_out_of_order(answer: Answer) -> bool:
    """HTTP 5xx and OCPI 3xxx, in words: something broke there."""
    return error_of(answer, "").may_retry
