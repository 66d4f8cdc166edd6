"""OCPI 2.3.0. For tokens, credentials and version details it is 2.2.1 but for what stands here.

Types are open there: a value that we do not know is no fault, and neither is an unknown field, which 2.2.1's
models pass over already. A hub tells the parties behind it as roles, and itself as `hub_party_id`.

Sources: OCPI 2.3.0 mod_tokens, credentials (Credentials object), changelog.
"""

from __future__ import annotations

from collections.abc import Mapping

from rfid_station.domain.partner import Endpoint
from rfid_station.domain.token import Party
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire import v2_2_1
from rfid_station.ocpi.wire.told import ToldToken

VERSION = "2.3.0"


def token_to_wire(token: ToldToken, *, nulls: bool = False) -> dict[str, object]:
    """Write a Token object (mod_tokens, 3.2).

    :raises WrongCall: a field does not keep the limits of the specification
    """
    return v2_2_1.token_to_wire(token, nulls=nulls, version=VERSION)


def differences(told: ToldToken, held: Mapping[str, object]) -> list[str]:
    """Name every field in which a partner holds something else than it was told; empty is a proof."""
    return v2_2_1.differences(told, held)


def url_of_token(receiver_url: str, token: ToldToken, *, slash: bool = False) -> str:
    """The URL of one token at a Tokens receiver (mod_tokens, Receiver Interface)."""
    return v2_2_1.url_of_token(receiver_url, token, slash=slash)


def credentials_to_wire(us: Us, server_token: str) -> dict[str, object]:
    """Write our Credentials object. We are no hub, so `hub_party_id` is left out.

    :raises WrongCall: a field does not keep the limits of the specification; the token is not shown
    """
    return v2_2_1.credentials_to_wire(us, server_token, version=VERSION)


def read_credentials(data: object) -> tuple[str, tuple[Party, ...]]:
    """Read a partner's Credentials object: its token, and the parties it names as CPO.

    :raises PartnerRefused: it is not such an object, or its token cannot be used
    """
    return v2_2_1.read_credentials(data)


def read_endpoints(data: object) -> tuple[Endpoint, ...]:
    """Read version details.

    :raises PartnerRefused: these are not the details of this version
    """
    return v2_2_1.read_endpoints(data, version=VERSION)


def endpoints_to_wire(endpoints: tuple[Endpoint, ...]) -> dict[str, object]:
    """Write our version details."""
    return v2_2_1.endpoints_to_wire(endpoints, version=VERSION)
