"""A request made ready to the last byte, and not sent: what `partner preview` shows.

It is the client itself that runs, over a wire that ends here; so nothing can differ from what is sent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import httpx2

from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party, Token
from rfid_station.errors import WrongCall
from rfid_station.ocpi.client import open_receiver

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
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(200, content=iter([json.dumps({"status_code": 1000}).encode()]))

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        receiver = open_receiver(connection, client_token, party, profile=profile, http=http)
        outcome = receiver.put(token)
    if not requests:
        raise WrongCall(outcome.detail, hint="rfid-station partner check NAME")
    return _shown(requests[0])


def _shown(request: httpx2.Request) -> Rehearsed:
    headers = {name.decode(): value.decode() for name, value in request.headers.raw}
    masked = {
        name: _TOKEN.sub(r"\1…", value) if name.lower() == "authorization" else value
        for name, value in headers.items()
    }
    return Rehearsed(request.method, str(request.url), masked, request.content.decode())
