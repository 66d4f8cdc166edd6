"""The floor: uvicorn with an application that does nothing but answer.

python empty_endpoint.py PORT
"""

from __future__ import annotations

import json
import sys
from typing import Any

import uvicorn

TOKEN = {"uid": "04000000000001", "type": "RFID", "contract_id": "NL-EXM-C00000001-X", "valid": True}
BODY = json.dumps({"data": {"allowed": "ALLOWED", "token": TOKEN}, "status_code": 1000}).encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
