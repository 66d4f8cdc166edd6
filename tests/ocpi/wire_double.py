"""A transport without a network: it notes what it is given, and answers as a test says."""

from __future__ import annotations

from collections.abc import Callable

from rfid_station.ocpi.http import HttpAnswer, HttpRequest


class WireDouble:
    def __init__(self, answer: Callable[[HttpRequest], HttpAnswer] | None = None) -> None:
        self.requests: list[HttpRequest] = []
        self.is_closed = False
        self.answer = answer or (lambda _request: HttpAnswer(200, {}, b'{"status_code": 1000}'))

    def exchange(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        kept = HttpRequest(request.method, request.url, dict(request.headers), request.body)
        self.requests.append(kept)
        return self.answer(kept)

    async def exchange_soon(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        return self.exchange(request, timeout_s)

    def close(self) -> None:
        self.is_closed = True
