"""A charge point operator on an OCPI library that we did not write: extrawest-ocpi, with a dict as storage.

Runs in an environment of its own (`make setup` makes it). It takes a free port on loopback, reads the
token that admits one registration from the first line of its input, prints its versions URL as one line
of JSON, and serves until it is told to stop. Argument `lower` or `upper`: the case in which the library
writes case-insensitive strings.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from typing import Any

listener = socket.create_server(("127.0.0.1", 0))
HOST = "{}:{}".format(*listener.getsockname())
os.environ["OCPI_HOST"] = HOST
os.environ["PROTOCOL"] = "http"
os.environ["TRAILING_SLASH"] = "false"
os.environ["CI_STRING_LOWERCASE_PREFERENCE"] = str(sys.argv[1] == "lower").lower()

# The library reads its settings from the environment when it is imported.
import uvicorn  # noqa: E402
from py_ocpi import get_application  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.enums import ModuleID, RoleEnum  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402

VERSIONS_URL = f"http://{HOST}/ocpi/versions"
first_tokens: set[str] = set()
client_tokens: dict[str, Any] = {}
tokens: dict[tuple[str, ...], Any] = {}


def credentials(token: str) -> dict[str, Any]:
    role = {
        "role": "CPO",
        "country_code": "NL",
        "party_id": "EWX",
        "business_details": {"name": "Operator on another library"},
    }
    return {"token": token, "url": VERSIONS_URL, "roles": [role]}


def key(uid: str, place: dict[str, Any]) -> tuple[str, ...]:
    parts = (place["country_code"], place["party_id"], uid, place["token_type"].value)
    return tuple(part.lower() for part in parts)


class Storage:
    """What the library asks for, by module."""

    @classmethod
    async def get(cls, module: ModuleID, _role: object, uid: str, *_: object, **place: Any) -> Any:
        if module is ModuleID.credentials_and_registration:
            return credentials(uid) if uid in client_tokens else None
        return tokens.get(key(uid, place))

    @classmethod
    async def create(cls, module: ModuleID, _role: object, data: Any, *_: object, **place: Any) -> Any:
        if module is ModuleID.credentials_and_registration:
            first_tokens.discard(place["auth_token"])
            fresh = secrets.token_urlsafe(24)
            client_tokens[fresh] = data
            return credentials(fresh)
        tokens[key(data["uid"], place)] = data
        return data

    @classmethod
    async def update(
        cls, _module: object, _role: object, data: Any, uid: str, *_: object, **place: Any
    ) -> Any:
        tokens[key(uid, place)] = data
        return data

    @classmethod
    async def delete(cls, _module: object, _role: object, uid: str, *_: object, **__: Any) -> None:
        client_tokens.pop(uid, None)


class Doorkeeper(Authenticator):
    """Who gets in."""

    @classmethod
    async def get_valid_token_a(cls) -> list[str]:
        return list(first_tokens)

    @classmethod
    async def get_valid_token_c(cls) -> list[str]:
        return list(client_tokens)


def main() -> None:
    first_tokens.add(sys.stdin.readline().strip())
    app = get_application(
        version_numbers=[VersionNumber.v_2_1_1, VersionNumber.v_2_2_1],
        roles=[RoleEnum.cpo],
        crud=Storage,
        modules=[ModuleID.credentials_and_registration, ModuleID.tokens],
        authenticator=Doorkeeper,
    )
    sys.stdout.write(json.dumps({"versions_url": VERSIONS_URL}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")).run(sockets=[listener])


main()
