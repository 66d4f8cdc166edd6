"""A partner's Tokens receiver for the bench: it keeps the token and acknowledges, and nothing else.

usage: python push_receiver.py PORT [hang]
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvicorn

ANSWER = json.dumps({"status_code": 1000, "status_message": "Success", "timestamp": "2026-01-15T09:30:00Z"})
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
HELD: dict[str, bytes] = {}
COUNT = {"put": 0}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = await _body(receive)
    if scope["method"] == "PUT":
        COUNT["put"] += 1
        if "hang" in sys.argv:
            await asyncio.sleep(600)
        HELD[scope["path"]] = json.dumps({"status_code": 1000, "data": json.loads(body)}).encode()
        await _answer(send, ANSWER.encode())
    elif scope["path"] == "/details":
        await _answer(send, details(scope["server"][1]))
    elif scope["path"] == "/count":
        await _answer(send, json.dumps(COUNT).encode())
    else:
        await _answer(send, HELD.get(scope["path"], b'{"status_code": 2004}'))


def details(port: int) -> bytes:
    url = f"http://127.0.0.1:{port}/tokens/"
    endpoints = [{"identifier": "tokens", "role": "RECEIVER", "url": url}]
    return json.dumps({"status_code": 1000, "data": {"version": "2.2.1", "endpoints": endpoints}}).encode()


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Any, body: bytes) -> None:
    headers = [HEADERS[0], (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
