"""Registering with a partner CPO, from our side: from a first token to a client token.

The partner calls our versions and details with the server token while our POST is open, so
whoever calls `register` has the server running and the server token in force beforehand,
and takes it back if this fails. Nothing else is left behind on our side.

Source: OCPI 2.2.1 credentials, use cases: registration; version_information_endpoint.
"""

from __future__ import annotations

import httpx2

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import HeaderEncoding
from rfid_station.errors import PartnerError, PartnerRefused, PartnerUnreachable, WrongCall
from rfid_station.ocpi.answer import Answer, error_of
from rfid_station.ocpi.client import OcpiClient, check_token, check_url
from rfid_station.ocpi.port import Registration, Us
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire.dialect import Dialect, highest_common
from rfid_station.ocpi.wire.transport import read_versions

TIMEOUT_S = 30.0
"""Per call: the POST lasts as long as the partner's own two calls to us."""

_USED_UP_HINT = "ask the partner for a new first token: it is used up by one registration"
_URL_HINT = "check the versions URL with the partner"
_AGAIN_HINT = "ask the partner to delete our registration and to give a new first token, then connect again"


def register(
    us: Us,
    versions_url: str,
    first_token: str,
    server_token: str,
    *,
    timeout_s: float = TIMEOUT_S,
    encoding: HeaderEncoding = HeaderEncoding.BASE64,
    http: httpx2.Client | None = None,
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
    check_url(versions_url, "versions URL")
    with OcpiClient(
        first_token, encoding=encoding, timeout_s=timeout_s, secrets=(server_token,), http=http
    ) as client:
        dialect, details_url = _choose_version(client, versions_url)
        endpoints = _read_details(client, dialect, details_url)
        credentials_url = _needed_endpoints(endpoints, versions_url)
        answer = client.call("POST", credentials_url, dialect.credentials_to_wire(us, server_token))
    if not answer.is_acknowledged:
        raise _refusal(answer, us)
    client_token, parties = dialect.read_credentials(answer.data)
    if not parties:
        with OcpiClient(client_token, encoding=encoding, timeout_s=timeout_s, http=http) as client:
            client.call("DELETE", credentials_url)
        raise PartnerRefused(
            "the partner names no role CPO in its credentials, so nobody there takes tokens; we unregistered",
            hint="ask the partner for the versions URL of its CPO platform",
        )
    return Registration(Connection(dialect.VERSION, versions_url, endpoints, parties), client_token)


def _choose_version(client: OcpiClient, versions_url: str) -> tuple[Dialect, str]:
    answer = client.call("GET", versions_url)
    if not answer.is_acknowledged:
        raise error_of(answer, "the partner's versions cannot be read", _hint_of(answer))
    if not isinstance(answer.data, list):
        kind = type(answer.data).__name__
        raise PartnerRefused(f"the partner's versions are no list, but {kind}", hint=_URL_HINT)
    offered = {version.version: version.url for version in read_versions(answer.data)}
    dialect = highest_common(offered)
    return dialect, _partner_url(offered[dialect.VERSION], "details URL", versions_url)


def _read_details(client: OcpiClient, dialect: Dialect, details_url: str) -> tuple[Endpoint, ...]:
    answer = client.call("GET", details_url)
    if not answer.is_acknowledged:
        what = f"the partner's details of version {dialect.VERSION} cannot be read"
        raise error_of(answer, what, _hint_of(answer))
    return dialect.read_endpoints(answer.data)


def _needed_endpoints(endpoints: tuple[Endpoint, ...], versions_url: str) -> str:
    """Check what we need before anything is posted, and return the credentials URL.

    The role of credentials carries no meaning (OCPI 2.2.1 version_information_endpoint, Endpoint class).
    """
    credentials = [e.url for e in endpoints if e.identifier == "credentials"]
    receivers = [e.url for e in endpoints if (e.identifier, e.role) == ("tokens", "RECEIVER")]
    missing = [
        name for name, found in (("credentials", credentials), ("tokens RECEIVER", receivers)) if not found
    ]
    if missing:
        listed = ", ".join(f"{e.identifier} {e.role}" for e in endpoints) or "nothing"
        raise PartnerRefused(
            f"the partner does not offer {' and '.join(missing)}, but {seen(listed)}; nothing was posted",
            hint="ask the partner to open these modules for us",
        )
    _partner_url(receivers[0], "tokens URL", versions_url)
    return _partner_url(credentials[0], "credentials URL", versions_url)


def _partner_url(url: str, what: str, versions_url: str) -> str:
    """Let a URL pass that the partner advertises; never one that takes a token out of TLS."""
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


def _refusal(answer: Answer, us: Us) -> PartnerError:
    """Say what a failed POST of our credentials means (OCPI 2.2.1 credentials, POST; status_codes 3xxx)."""
    detail = answer.outcome.detail
    if answer.http_status == 405:
        return PartnerRefused(f"the partner has us registered already ({detail})", hint=_AGAIN_HINT)
    if answer.outcome.verdict is Verdict.AMBIGUOUS:
        return PartnerUnreachable(
            f"our credentials were posted, and whether they were taken is not known: {detail}",
            hint=_AGAIN_HINT,
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
