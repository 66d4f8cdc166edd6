"""Uploads to a hub, each judged.

A hub's misbehaviour never raises here; it becomes an `Answer`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_address

from rfid_station import __version__
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.errors import WrongCall
from rfid_station.ocpi.http import (
    LARGEST_ANSWER,
    HttpRequest,
    NoAnswer,
    Origin,
    Transport,
    UnusableIdentity,
    split_url,
)
from rfid_station.ocpi.reach import PUBLIC, Reach
from rfid_station.oicp.answer import Answer, read_answer, seen
from rfid_station.oicp.certificate import HINT, ClientCertificate
from rfid_station.oicp.wire import Message

TIMEOUT_S = 10.0


def check_url(url: str) -> str:
    """Let the address of a hub pass: https, or a simulated one on this machine.

    :raises WrongCall: it is none
    """
    hint = "it looks like https://service.hubject.com/api/oicp"
    try:
        parts = split_url(url)
    except (ValueError, TypeError, AttributeError) as broken:
        raise WrongCall(f"{url!r} is not an address ({broken})", hint=hint) from None
    is_plain = url.isascii() and url.isprintable() and not set(" @?#") & set(url)
    if not (is_plain and parts.hostname and parts.scheme in ("http", "https")):
        raise WrongCall(f"{url!r} is not the address of a hub", hint=hint)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise WrongCall(f"{url!r} is not https, by which a hub knows who calls", hint=hint)
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Request:
    """One upload, ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


class HubClient:
    """Uploads to one hub.

    :param certificate: what we show; None only where the address is not https
    :param roots: certificates to be believed as well, as PEM
    :param reach: what may be called, beside the address in the URL
    :raises WrongCall: the address is none, or the certificate cannot be used
    """

    def __init__(
        self,
        url: str,
        certificate: ClientCertificate | None,
        *,
        timeout_s: float = TIMEOUT_S,
        roots: bytes = b"",
        reach: Reach = PUBLIC,
    ) -> None:
        self._url = check_url(url)
        self._timeout_s = timeout_s
        self._http = _transport(url, certificate, roots, reach.with_host_of(url))

    def close(self) -> None:
        """Close the connections to the hub."""
        self._http.close()

    def request(self, message: Message) -> Request:
        """Make an upload ready to the last byte. Nothing is sent."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"rfid-station/{__version__}",
        }
        return Request(
            "POST", self._url, headers, json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        )

    def push(self, message: Message) -> Answer:
        """Send one upload and judge how it ended. Redirects are not followed."""
        ready = self.request(message)
        sent = HttpRequest(ready.method, ready.url, ready.headers, ready.body.encode())
        try:
            answered = self._http.exchange(sent, self._timeout_s)
        except NoAnswer as trouble:
            return Answer(self._unanswered(trouble))
        if answered.content is None:
            detail = f"HTTP {answered.status}, and more than {LARGEST_ANSWER} bytes, which is no OICP answer"
            return Answer(Outcome(read_answer(answered.status, b"").outcome.verdict, detail))
        return read_answer(answered.status, answered.content, answered.headers.get("retry-after"))

    def _unanswered(self, trouble: NoAnswer) -> Outcome:
        """Our certificate refused, or nothing sent: so nothing was done. Otherwise nobody knows."""
        verdict = Verdict.AMBIGUOUS if trouble.was_sent else Verdict.UNREACHABLE
        if trouble.refuses_us:
            verdict = Verdict.UNAUTHORIZED
        parts = split_url(self._url)
        return Outcome(verdict, seen(f"{parts.scheme}://{parts.netloc}: {trouble.words}"))


def _transport(url: str, certificate: ClientCertificate | None, roots: bytes, reach: Reach) -> Transport:
    if certificate is None:
        if split_url(url).scheme == "https":
            raise WrongCall("a hub knows us by a certificate, and there is none", hint=HINT)
        return Origin(reach=reach)
    try:
        return Origin(certificate.identity(), roots, reach)
    except UnusableIdentity as trouble:
        raise certificate.refused(str(trouble)) from None
