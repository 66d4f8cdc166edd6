"""How a virtual CPO answers: envelopes, and refusals as exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from rfid_station.simulator.cpo.http import Request
from rfid_station.simulator.cpo.rules import JsonObject

Said = tuple[int, JsonObject, Mapping[str, str]]
"""The HTTP status of a success, `{"data": ...}` or nothing, and headers."""


class Refusal(Exception):
    """An answer that is not a success. A code of 0 stands for one without an envelope."""

    def __init__(
        self, http_status: int, code: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.headers = headers or {}


def envelope(code: int, message: str, **data: object) -> JsonObject:
    """Wrap an answer (transport_and_format, Response format)."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"status_code": code, "status_message": message, "timestamp": stamp, **data}


def body_of(request: Request, invalid_http_status: int = 200) -> JsonObject:
    """The object that a request carries.

    :raises Refusal: it carries none
    """
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        raise Refusal(invalid_http_status, 2001, "Content-Type is not application/json")
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Refusal(400, 2001, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refusal(invalid_http_status, 2001, "the body is no JSON object")
    return content
