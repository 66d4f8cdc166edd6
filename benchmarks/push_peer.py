"""Push tokens by extrawest-ocpi, in its own environment, for a few seconds; prints how many a second.

It goes on from py-ocpi and pushes exactly as that does: for every token it asks for the partner's endpoints
and makes two clients with their TLS contexts.

usage: python push_peer.py PORT
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

os.environ |= {"COUNTRY_CODE": "NL", "PARTY_ID": "EXM", "OCPI_HOST": "127.0.0.1"}

from py_ocpi.core.enums import ModuleID
from py_ocpi.core.push import push_object
from py_ocpi.core.schemas import Push, Receiver
from py_ocpi.modules.versions.enums import VersionNumber

SECONDS = 3.0
TOKEN = {
    "country_code": "NL",
    "party_id": "EXM",
    "uid": "04000000000001",
    "type": "RFID",
    "contract_id": "NL-EXM-C00000001-X",
    "issuer": "Example Mobility",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": "2026-01-15T09:30:00Z",
}


class Tokens:
    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        return TOKEN


class Plain:
    @classmethod
    def token_adapter(cls, data: dict[str, Any], *_: Any, **__: Any) -> Any:
        return type("Told", (), {"dict": lambda _self: data})()


async def main() -> None:
    url = f"http://127.0.0.1:{sys.argv[1]}/details"
    receiver = Receiver(endpoints_url=url, auth_token="server-token-of-the-bench")
    count, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < SECONDS:
        push = Push(module_id=ModuleID.tokens, object_id=f"04{count:012X}", receivers=[receiver])
        answer = await push_object(VersionNumber.v_2_2_1, push, Tokens(), Plain())
        if answer.receiver_responses[0].response["status_code"] != 1000:
            raise SystemExit("the receiver did not acknowledge")
        count += 1
    print(count / (time.perf_counter() - began_s))


if __name__ == "__main__":
    asyncio.run(main())
