"""Calls to a partner, each judged.

A partner's misbehaviour never raises here; it becomes an `Answer` or an `Outcome`. Neither
token nor header shows in any of them. Sources: OCPI 2.2.1 transport_and_format
(authorization header, message routing, unique message IDs) and mod_tokens (Receiver Interface).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Self, TypeVar

from rfid_station import __version__
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import STANDARD, HeaderEncoding, Method, PartnerProfile
from rfid_station.domain.token import Party, Token
from rfid_station.errors import PartnerRefused, StationError, WrongCall
from rfid_station.ocpi.answer import UNKNOWN_TOKEN, Answer, read_answer
from rfid_station.ocpi.fresh_id import fresh_id
from rfid_station.ocpi.http import (
    LARGEST_ANSWER,
    HttpAnswer,
    HttpRequest,
    NoAnswer,
    Origin,
    Transport,
    split_url,
)
from rfid_station.ocpi.http import followed as followed_to
from rfid_station.ocpi.known import Known
from rfid_station.ocpi.reach import PUBLIC, Reach
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire.dialect import Dialect, dialect_of
from rfid_station.ocpi.wire.fields import only_object
from rfid_station.ocpi.wire.told import tell
from rfid_station.ocpi.wire.transport import json_bytes

TIMEOUT_S = 10.0
MOST_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))

Result = TypeVar("Result")
Exchanges = Generator[HttpRequest, HttpAnswer, Result]
"""What is asked over HTTP, one request after the other, whoever carries it (ADR 3); `NoAnswer` is thrown."""


def check_url(url: str, what: str) -> str:
    """Let a URL pass that a credentials token may be sent to.

    :raises WrongCall: it is not http or https with a host, or carries a user name
    """
    try:
        parts = split_url(url)
    except (ValueError, TypeError, AttributeError) as broken:
        raise WrongCall(f"{what} {seen(str(url))!r} is not a URL ({broken})", hint=_URL_HINT) from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if not (is_plain and parts.hostname and parts.scheme in ("http", "https")):
        raise WrongCall(f"{what} {seen(url)!r} is not a plain http or https URL", hint=_URL_HINT)
    return url


_URL_HINT = "write it as https://cpo.example.com/ocpi/versions"


class OcpiClient:
    """Calls one partner with one client token. May be shared between threads.

    :param client_token: what the partner gave us, in clear
    :param from_party: who calls, for the routing headers of functional modules
    :param to_party: who is called; None for open routing
    :param secrets: what else must not show in any text, such as the server token of a handshake
    :param reach: what may be called
    :param http: an HTTP client to use; it is then the caller's to close
    :raises WrongCall: the token is not 1 to 64 printable ASCII characters
    """

    def __init__(
        self,
        client_token: str,
        from_party: Party | None = None,
        to_party: Party | None = None,
        *,
        encoding: HeaderEncoding = HeaderEncoding.BASE64,
        timeout_s: float = TIMEOUT_S,
        secrets: tuple[str, ...] = (),
        reach: Reach = PUBLIC,
        http: Transport | None = None,
    ) -> None:
        self._headers = {
            "Authorization": f"Token {_in_header(client_token, encoding)}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"rfid-station/{__version__}",
        }
        self._routed_headers = self._headers | _routing_headers(from_party, to_party)
        self._secrets = (client_token, *secrets)
        self._timeout_s = timeout_s
        self._own_http = http is None
        self._http = http or Origin(reach=reach)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless the HTTP client came from outside."""
        if self._own_http:
            self._http.close()

    def call(
        self,
        method: str,
        url: str,
        body: Mapping[str, object] | None = None,
        *,
        is_functional: bool = False,
    ) -> Answer:
        """Make one call and judge how it ended. Routing headers only go to functional modules.

        A redirect is followed on the same scheme, host and port alone, so that the token never
        leaves them; and only 307 and 308, which keep method and body.
        """
        return self.lead(self.calling(method, url, body, is_functional=is_functional))

    def lead(self, exchanges: Exchanges[Result]) -> Result:
        """Make the requests of a dialogue, and wait for the answer to each."""
        try:
            request = next(exchanges)
            while True:
                try:
                    answered = self._http.exchange(request, self._timeout_s)
                except NoAnswer as trouble:
                    request = exchanges.throw(trouble)
                else:
                    request = exchanges.send(answered)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def lead_soon(self, exchanges: Exchanges[Result]) -> Result:
        """The same from within an event loop."""
        try:
            request = next(exchanges)
            while True:
                try:
                    answered = await self._http.exchange_soon(request, self._timeout_s)
                except NoAnswer as trouble:
                    request = exchanges.throw(trouble)
                else:
                    request = exchanges.send(answered)
        except StopIteration as end:
            result: Result = end.value
            return result

    def calling(
        self,
        method: str,
        url: str,
        body: Mapping[str, object] | None = None,
        *,
        is_functional: bool = False,
    ) -> Exchanges[Answer]:
        """What `call` does, for whoever carries the requests."""
        known = self._routed_headers if is_functional else self._headers
        headers = {**known, "X-Correlation-ID": fresh_id()}
        written = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            written = json_bytes(body)
        start = url
        for _ in range(MOST_REDIRECTS + 1):
            headers["X-Request-ID"] = fresh_id()
            try:
                answered = yield HttpRequest(method, url, headers, written)
            except NoAnswer as trouble:
                return Answer(self._unanswered(method, url, trouble))
            status = answered.status
            target = answered.headers.get("location") if status in _REDIRECTS else None
            if target is None:
                return self._judge(answered)
            followed = followed_to(url, target) if status in (307, 308) else None
            if followed is None:
                return self._stopped(status, f"{start} redirects to {target}, which is not followed")
            url = followed
        return self._stopped(status, f"{start} redirects in a circle")

    def _judge(self, answered: HttpAnswer) -> Answer:
        status, wait = answered.status, answered.headers.get("retry-after")
        answer = read_answer(status, answered.content or b"", wait, secrets=self._secrets)
        if answered.content is None:
            detail = f"HTTP {status}, and more than {LARGEST_ANSWER} bytes, which is no OCPI answer"
            return Answer(Outcome(answer.outcome.verdict, detail, answer.outcome.retry_after_s), status)
        link = answered.headers.get("link")
        return answer._replace(link=link) if link else answer

    def _stopped(self, http_status: int, detail: str) -> Answer:
        words = seen(f"HTTP {http_status}: {detail}", self._secrets, length=300)
        return Answer(Outcome(Verdict.UNREACHABLE, words), http_status)

    def _unanswered(self, method: str, url: str, trouble: NoAnswer) -> Outcome:
        """Nothing sent, or a question without consequences: unreachable. Otherwise nobody knows."""
        harmless = not trouble.was_sent or method == "GET"
        verdict = Verdict.UNREACHABLE if harmless else Verdict.AMBIGUOUS
        parts = split_url(url)
        return Outcome(verdict, seen(f"{parts.scheme}://{parts.netloc}: {trouble.words}", self._secrets))


class TokensReceiver:
    """A partner's Tokens receiver: the calls that sync makes (OCPI 2.2.1 mod_tokens, Receiver Interface)."""

    def __init__(
        self,
        client: OcpiClient,
        receiver_url: str,
        dialect: Dialect,
        party: Party,
        profile: PartnerProfile = STANDARD,
    ) -> None:
        self._client = client
        self._receiver_url = receiver_url
        self._dialect = dialect
        self._party = party
        self._profile = profile
        self._known = Known() if profile.method is Method.PATCH else None

    def close(self) -> None:
        """Close the connections to the partner."""
        self._client.close()

    def put(self, token: Token) -> Outcome:
        """Create or replace the whole token there. A token that cannot be told is refused unsent."""
        return self._client.lead(self._putting(token))

    async def put_soon(self, token: Token) -> Outcome:
        """The same from within an event loop."""
        return await self._client.lead_soon(self._putting(token))

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:
        """Ask what the partner holds. An empty list: exactly this token. Otherwise the differences by name.

        None when the outcome is no acknowledgement. Not knowing the token is an answer, and a difference.
        """
        return self._client.lead(self._proving(token))

    async def prove_soon(self, token: Token) -> tuple[Outcome, list[str] | None]:
        """The same from within an event loop."""
        return await self._client.lead_soon(self._proving(token))

    def _putting(self, token: Token) -> Exchanges[Outcome]:
        if token.party != self._party:
            return Outcome(
                Verdict.REFUSED, f"not sent: the token is of {token.party}, and {self._party} is registered"
            )
        try:
            url, body = self.request(token)
        except StationError as impossible:
            return Outcome(Verdict.REFUSED, f"not sent: {impossible}")
        if self._known is not None:
            return (yield from self._putting_or_patching(self._known, url, body))
        answer = yield from self._client.calling("PUT", url, body, is_functional=True)
        return answer.outcome

    def _putting_or_patching(self, known: Known, url: str, body: dict[str, object]) -> Exchanges[Outcome]:
        part = known.part_of(url, body)
        # Whatever comes of it but an acknowledgement: the next request is a PUT.
        known.forget(url)
        method, told = ("PUT", body) if part is None else ("PATCH", part)
        answer = yield from self._client.calling(method, url, told, is_functional=True)
        if answer.is_acknowledged:
            known.note(url, body)
        return answer.outcome if part is None else answer.outcome._replace(is_partial=True)

    def request(self, token: Token) -> tuple[str, dict[str, object]]:
        """The URL and body with which a token is told, before anything is sent.

        :raises WrongCall: the token cannot be told to this partner
        """
        told = tell(token, self._profile)
        url = self._dialect.url_of_token(self._receiver_url, told, slash=self._profile.trailing_slash)
        return url, self._dialect.token_to_wire(told, nulls=self._profile.nulls)

    def _proving(self, token: Token) -> Exchanges[tuple[Outcome, list[str] | None]]:
        try:
            url, body = self.request(token)
        except StationError as impossible:
            return Outcome(Verdict.REFUSED, f"not asked: {impossible}"), None
        answer = yield from self._client.calling("GET", url, is_functional=True)
        outcome, found = self._read_back(token, answer)
        if self._known is not None and found is not None:
            self._known.note(url, body) if found == [] else self._known.forget(url)
        return outcome, found

    def _read_back(self, token: Token, answer: Answer) -> tuple[Outcome, list[str] | None]:
        if answer.http_status == 404 or (answer.http_status == 200 and answer.status_code == UNKNOWN_TOKEN):
            return Outcome(Verdict.ACKNOWLEDGED, answer.outcome.detail), ["unknown there"]
        if not answer.is_acknowledged:
            return answer.outcome, None
        return self._compare(token, answer)

    def _compare(self, token: Token, answer: Answer) -> tuple[Outcome, list[str] | None]:
        held = only_object(answer.data)
        if held is None or held == []:
            return answer.outcome, ["unknown there"]
        if not isinstance(held, dict):
            detail = seen(f"{answer.outcome.detail}, but data is not one token: {held!r}")
            return Outcome(Verdict.REFUSED, detail), None
        try:
            found = self._dialect.differences(tell(token, self._profile), held)
        except StationError as impossible:
            return Outcome(Verdict.REFUSED, f"not comparable: {impossible}"), None
        return answer.outcome, [seen(difference) for difference in found]


def open_client(
    connection: Connection,
    client_token: str,
    party: Party,
    *,
    profile: PartnerProfile = STANDARD,
    timeout_s: float = TIMEOUT_S,
    reach: Reach = PUBLIC,
    http: Transport | None = None,
) -> OcpiClient:
    """A client for the functional modules of a connected partner. Sends nothing yet.

    :raises WrongCall: the client token cannot be used
    """
    routed = profile.routing and connection.version != "2.1.1"
    to_party = connection.parties[0] if connection.parties else None
    return OcpiClient(
        client_token,
        party if routed else None,
        to_party if routed else None,
        encoding=profile.header_of(connection.version),
        timeout_s=timeout_s,
        reach=reach.with_host_of(connection.versions_url),
        http=http,
    )


def open_receiver(
    connection: Connection,
    client_token: str,
    party: Party,
    *,
    profile: PartnerProfile = STANDARD,
    timeout_s: float = TIMEOUT_S,
    reach: Reach = PUBLIC,
    http: Transport | None = None,
) -> TokensReceiver:
    """Open the Tokens receiver of a connected partner. Sends nothing yet.

    :param reach: what may be called, beside the address in its versions URL, which was allowed when we met
    :param party: who we are towards this partner; tokens of other parties are not sent
    :raises PartnerRefused: the partner has no such endpoint, or speaks a version that we do not
    :raises WrongCall: the client token or the URL cannot be used
    """
    url = profile.endpoints.get("tokens") or connection.url_of("tokens", "RECEIVER")
    if url is None:
        listed = ", ".join(f"{e.identifier} {e.role}" for e in connection.endpoints) or "nothing"
        raise PartnerRefused(
            f"the partner offers no tokens RECEIVER, but {seen(listed)}",
            hint="ask the partner to receive tokens, then connect again",
        )
    client = open_client(
        connection, client_token, party, profile=profile, timeout_s=timeout_s, reach=reach, http=http
    )
    dialect = dialect_of(connection.version)
    return TokensReceiver(client, check_url(url, "tokens URL"), dialect, party, profile)


def check_token(token: str, what: str) -> str:
    """Let a credentials token pass that fits a header; it is not shown.

    :raises WrongCall: it is not 1 to 64 printable ASCII characters (OCPI 2.2.1 credentials)
    """
    if not (0 < len(token) <= 64 and all("!" <= sign <= "~" for sign in token)):
        raise WrongCall(
            f"the {what} of {len(token)} characters is not 1 to 64 printable ones without blanks",
            hint="store it anew, without quotes and line breaks, as the partner gave it",
        )
    return token


def _in_header(token: str, encoding: HeaderEncoding) -> str:
    check_token(token, "client token")
    return b64encode(token.encode()).decode() if encoding is HeaderEncoding.BASE64 else token


def _routing_headers(from_party: Party | None, to_party: Party | None) -> dict[str, str]:
    """OCPI 2.2.1 transport_and_format, OCPI message routing headers."""
    headers = {}
    for word, party in (("from", from_party), ("to", to_party)):
        if party:
            headers[f"OCPI-{word}-country-code"] = party.country_code
            headers[f"OCPI-{word}-party-id"] = party.party_id
    return headers
