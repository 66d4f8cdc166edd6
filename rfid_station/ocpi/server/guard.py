"""What a connection may do to us before anybody knows who is behind it, and how its answers leave.

uvicorn's parser takes a head of any length, however slowly it comes, and after it a body that nobody reads
any more. Here that ends.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rfid_station.ocpi.server.request import CLIENT_ERROR, Limits, refusal

HEAD_FACTOR = 2
"""How much longer than allowed a head may be for an answer that says so (HTTP 431)."""

BODY_FACTOR = 8
"""How many bytes may arrive for each that a body may have: a chunk of one byte is framed by five."""


def guarded_by(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol for uvicorn that keeps these limits."""
    return type("LimitedConnection", (Connection,), {"limits": limits})


class InOnePiece:
    """A transport that sends all that is written within one turn of the loop at once.

    Head and body of an answer would else take two calls of the system, and wake whoever waits twice.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ANN401
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport can do
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this, in a moment."""
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)

    def close(self) -> None:
        """Hang up when everything was sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))


class Connection(HttpToolsProtocol):
    """Hangs up on who does not get to the end of a request: of its head in time, of all of it in bytes."""

    limits: ClassVar[Limits]

    _patience: asyncio.TimerHandle | None = None
    _is_in_head = True
    _taken_bytes = 0
    """Of the head that is arriving, or of what comes after it."""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own signature
        """Begin to wait for a head."""
        super().connection_made(InOnePiece(transport, self.loop))  # type: ignore[arg-type]
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, if it is not too much."""
        if self._patience is None and not self._is_answering():
            self._wait_for_head()
        self._taken_bytes += len(data)
        super().data_received(data)
        if self._is_answering():
            self._head_is_here()
        if self._is_in_head and self._taken_bytes > HEAD_FACTOR * self.limits.head_bytes:
            self.send_400_response("the head of the request is too long")
        elif self._taken_bytes > BODY_FACTOR * self.limits.body_bytes:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked for whole, though its sender says no more; then hang up.

        Not over TLS: there asyncio ends both directions together.
        """
        if self.scheme == "https" or not self._is_answering() or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What comes after the body is none, whatever it says (RFC 9110, 6.5.1)."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to count the body, and whatever frames it or follows it."""
        super().on_headers_complete()
        self._is_in_head, self._taken_bytes = False, 0

    def on_message_complete(self) -> None:
        """Begin to count the next head."""
        super().on_message_complete()
        self._is_in_head, self._taken_bytes = True, 0

    def send_400_response(self, msg: str) -> None:
        """Say in an envelope, as everywhere, that this is no request."""
        reply = refusal(400, CLIENT_ERROR, msg)
        head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(f"{head}content-length: {len(reply.body)}\r\n\r\n".encode() + reply.body)
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._patience = self.loop.call_later(self.limits.head_s, self.transport.close)

    def _head_is_here(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
