"""A charge point operator on an OCPI library that we did not write: extrawest-ocpi, with a dict as storage.

Runs in an environment of its own (`make setup` makes it). It takes a free port on loopback, reads the
token that admits one registration from the first line of its input, prints its versions URL as one line
of JSON, and serves OCPI 2.1.1 and 2.2.1 until it is told to stop. Argument `lower` or `upper`: the case in
which the library writes case-insensitive strings.

The library has no client of its own but for pushes. So that somebody else's reading of the
specification judges our server too, `POST /deed/...` calls it with httpx, and reads every answer with the
library's schemas.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
from base64 import b64decode, b64encode
from typing import Any

listener = socket.create_server(("127.0.0.1", 0))
HOST = "{}:{}".format(*listener.getsockname())
os.environ["OCPI_HOST"] = HOST
os.environ["PROTOCOL"] = "http"
os.environ["TRAILING_SLASH"] = "false"
os.environ["CI_STRING_LOWERCASE_PREFERENCE"] = str(sys.argv[1] == "lower").lower()

# The library reads its settings from the environment when it is imported.
import httpx  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import Body, FastAPI  # noqa: E402
from py_ocpi import get_application  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.enums import ModuleID, RoleEnum  # noqa: E402
from py_ocpi.core.schemas import OCPIResponse  # noqa: E402
from py_ocpi.modules.credentials.v_2_1_1.schemas import Credentials as Credentials211  # noqa: E402
from py_ocpi.modules.credentials.v_2_2_1.schemas import Credentials as Credentials221  # noqa: E402
from py_ocpi.modules.tokens.v_2_1_1 import schemas as tokens_2_1_1  # noqa: E402
from py_ocpi.modules.tokens.v_2_2_1 import schemas as tokens_2_2_1  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402
from py_ocpi.modules.versions.schemas import Version  # noqa: E402
from py_ocpi.modules.versions.v_2_1_1.schemas import VersionDetail as VersionDetail211  # noqa: E402
from py_ocpi.modules.versions.v_2_2_1.schemas import VersionDetail as VersionDetail221  # noqa: E402

VERSIONS_URL = f"http://{HOST}/ocpi/versions"
first_tokens: set[str] = set()
client_tokens: dict[str, Any] = {}
tokens: dict[tuple[str, ...], Any] = {}


def credentials(token: str, version: str) -> dict[str, Any]:
    party = {
        "country_code": "NL",
        "party_id": "EWX",
        "business_details": {"name": "Operator on another library"},
    }
    platform = {"token": token, "url": VERSIONS_URL}
    return platform | (party if version == "2.1.1" else {"roles": [{"role": "CPO", **party}]})


def drawn() -> str:
    """A token that this library's versions endpoint takes as it is, as 2.1.1 wants it.

    It reads every token as Base64 there, and takes it as it is only where that gives bytes that are no text.
    """
    while True:
        fresh = secrets.token_hex(24)
        try:
            b64decode(fresh).decode()
        except UnicodeDecodeError:
            return fresh


def key(uid: str, place: dict[str, Any]) -> tuple[str, ...]:
    kind = place.get("token_type")
    parts = (place["country_code"], place["party_id"], uid, kind.value if kind else "RFID")
    return tuple(part.lower() for part in parts)


class Storage:
    """What the library asks for, by module."""

    @classmethod
    async def get(cls, module: ModuleID, _role: object, uid: str, *_: object, **place: Any) -> Any:
        if module is ModuleID.credentials_and_registration:
            return credentials(uid, place["version"].value) if uid in client_tokens else None
        return tokens.get(key(uid, place))

    @classmethod
    async def create(cls, module: ModuleID, _role: object, data: Any, *_: object, **place: Any) -> Any:
        if module is ModuleID.credentials_and_registration:
            first_tokens.discard(place["auth_token"])
            return cls.hand_out(data, place["version"].value)
        tokens[key(data["uid"], place)] = data
        return data

    @classmethod
    def hand_out(cls, data: Any, version: str) -> dict[str, Any]:
        fresh = drawn()
        client_tokens[fresh] = data
        return credentials(fresh, version)

    @classmethod
    async def update(
        cls, module: ModuleID, _role: object, data: Any, uid: str = "", *_: object, **place: Any
    ) -> Any:
        if module is ModuleID.credentials_and_registration:
            client_tokens.pop(place["auth_token"])
            return cls.hand_out(data, place["version"].value)
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


class Partner:
    """Whoever we registered with of our own accord."""

    def __init__(self) -> None:
        self.version = ""
        self.token = ""
        self.endpoints: dict[str, str] = {}

    async def call(self, method: str, url: str, body: Any = None) -> httpx.Response:
        shown = self.token if self.version == "2.1.1" else b64encode(self.token.encode()).decode()
        async with httpx.AsyncClient() as client:
            return await client.request(method, url, headers={"Authorization": f"Token {shown}"}, json=body)

    async def data(self, method: str, url: str, body: Any = None) -> Any:
        """The data of an answer that the library can read; anything else is an error."""
        response = await self.call(method, url, body)
        envelope = OCPIResponse(**response.json())
        if response.status_code != 200 or envelope.status_code != 1000:
            raise RuntimeError(f"{method} {url}: HTTP {response.status_code}, {response.text}")
        return response.json().get("data")

    async def exchange(self, method: str, versions_url: str) -> dict[str, Any]:
        """Look at versions and details, and give our credentials for theirs."""
        old = self.version == "2.1.1"
        versions = [
            Version(**entry) for entry in await self.data("GET", versions_url) if entry["version"] != "2.3.0"
        ]
        url = next(entry.url for entry in versions if entry.version.value == self.version)
        told = await self.data("GET", url)
        details = (VersionDetail211 if old else VersionDetail221)(**told)
        self.endpoints = {entry.identifier.value: entry.url for entry in details.endpoints}
        ours = drawn()
        client_tokens[ours] = "of our own accord"
        answered = await self.data(method, self.endpoints["credentials"], credentials(ours, self.version))
        theirs = (Credentials211 if old else Credentials221)(**answered)
        self.token = theirs.token
        return {
            "parties": [theirs.party_id] if old else [role.party_id for role in theirs.roles],
            "ours": ours,
        }


def add_deeds(app: FastAPI) -> None:
    """What this operator does of its own accord."""
    partner = Partner()
    schemas = {"2.1.1": tokens_2_1_1, "2.2.1": tokens_2_2_1}

    @app.post("/deed/register")
    async def register(given: dict[str, str] = Body(...)) -> Any:  # noqa: B008
        partner.version, partner.token = given["version"], given["token"]
        return await partner.exchange("POST", given["versions_url"])

    @app.post("/deed/rotate")
    async def rotate(given: dict[str, str] = Body(...)) -> Any:  # noqa: B008
        return await partner.exchange("PUT", given["versions_url"])

    @app.post("/deed/pull")
    async def pull(given: dict[str, Any] = Body(...)) -> Any:  # noqa: B008
        url: str | None = f"{partner.endpoints['tokens']}?{given['query']}"
        read, pages = [], []
        while url:
            response = await partner.call("GET", url)
            read += [schemas[partner.version].Token(**entry) for entry in response.json()["data"]]
            pages.append(len(response.json()["data"]))
            link = re.fullmatch('<(.*)>; rel="next"', response.headers.get("link", ""))
            url = link[1] if link else None
        total, limit = (int(response.headers[name]) for name in ("x-total-count", "x-limit"))
        return {
            "tokens": [json.loads(entry.json()) for entry in read],
            "pages": pages,
            "total": total,
            "limit": limit,
        }

    @app.post("/deed/authorize")
    async def authorize(given: dict[str, Any] = Body(...)) -> Any:  # noqa: B008
        url = f"{partner.endpoints['tokens']}/{given['uid']}/authorize"
        response = await partner.call("POST", url, given.get("location"))
        answered = response.json()
        info = None
        if answered.get("data"):
            info = json.loads(schemas[partner.version].AuthorizationInfo(**answered["data"]).json())
        return {"http_status": response.status_code, "status_code": answered["status_code"], "info": info}


def main() -> None:
    first_tokens.add(sys.stdin.readline().strip())
    app = get_application(
        version_numbers=[VersionNumber.v_2_1_1, VersionNumber.v_2_2_1],
        roles=[RoleEnum.cpo],
        crud=Storage,
        modules=[ModuleID.credentials_and_registration, ModuleID.tokens],
        authenticator=Doorkeeper,
    )
    add_deeds(app)
    sys.stdout.write(json.dumps({"versions_url": VERSIONS_URL}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off")).run(sockets=[listener])


main()
