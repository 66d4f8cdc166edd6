"""A request made ready to the last byte, and not sent: what `partner preview` shows.

It is the client itself that runs, over a wire that ends here; so nothing can differ from what is sent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party, Token
from rfid_station.errors import WrongCall
from rfid_station.ocpi.client import open_receiver
from rfid_station.ocpi.http import HttpAnswer, HttpRequest

_TOKEN = re.compile(r"^(Token\s+).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One request; the credentials token in its headers is masked."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


def rehearse_put(
    connection: Connection,
    client_token: str,
    party: Party,
    token: Token,
    *,
    profile: PartnerProfile = STANDARD,
) -> Rehearsed:
    """Make ready the request that brings a token to a partner. Nothing is sent.

    :raises PartnerRefused: the partner has no such endpoint, or speaks a version that we do not
    :raises WrongCall: the token cannot be told to this partner; or client token or URL cannot be used
    """
    wire = _DeadEnd()
    receiver = open_receiver(connection, client_token, party, profile=profile, http=wire)
    outcome = receiver.put(token)
    if not wire.requests:
        raise WrongCall(outcome.detail, hint="rfid-station partner check NAME")
    return _shown(wire.requests[0])


class _DeadEnd:
    """A transport that keeps what it is given, and answers that all is well."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def exchange(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:  # noqa: ARG002 - no time passes
        self.requests.append(request)
        return HttpAnswer(200, {}, json.dumps({"status_code": 1000}).encode())

    async def exchange_soon(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        return self.exchange(request, timeout_s)

    def close(self) -> None:
        """Nothing is open."""


def _shown(request: HttpRequest) -> Rehearsed:
    masked = {
        name: _TOKEN.sub(r"\1…", value) if name.lower() == "authorization" else value
        for name, value in request.headers.items()
    }
    return Rehearsed(request.method, request.url, masked, (request.body or b"").decode())
