"""The web server under a virtual CPO: requests as values in, replies as values out.

Standard library only, HTTP/1.1 with kept connections. A reply may also be that nothing, or
not all of it, is sent: that is how partners fail.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are compared without regard to case; steps are the decoded path."""

    method: str
    path: str
    steps: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back. `is_cut`: the connection is closed before the end of the body."""

    http_status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False


Answerer = Callable[[Request], Reply | None]
"""Answers a request; None closes the connection without a word."""


def json_reply(http_status: int, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of JSON."""
    typed = {"Content-Type": "application/json", **(headers or {})}
    return Reply(http_status, json.dumps(content).encode(), typed)


class HttpServer(ThreadingHTTPServer):
    """Serves one answerer, each connection in a thread of its own. Stopping ends all of them.

    :param tls: serves https with it
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, answer: Answerer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self._scheme = "https" if tls else "http"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._mine = threading.local()
        super().__init__((host, port), _Handler)
        if tls:
            # Hands are shaken in the connection's own thread: nobody keeps the others waiting.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="virtual-cpo")

    @property
    def url(self) -> str:
        """`http://host:port` of the bound address, or https."""
        host, port = self.server_address[:2]
        return f"{self._scheme}://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer; connections are accepted from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, wait for every thread, give the port back."""
        self.shutdown()
        self._thread.join()
        self.hang_up()
        self.server_close()

    def hang_up(self) -> None:
        """End every connection, also those that wait for an answer, but the one that is being answered."""
        mine = getattr(self._mine, "connection", None)
        with self._lock:
            for connection in self._open - {mine}:
                _hang_up(connection)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client: object) -> None:
        """Note the connection, so that `stop` can end it, and serve it in a thread."""
        if isinstance(request, socket.socket):
            with self._lock:
                self._open.add(request)
        super().process_request(request, client)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve one connection, and know it from this thread."""
        self._mine.connection = request
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection that has ended."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_bind(self) -> None:
        """Take the port, without asking the name service who we are."""
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Tell of what went wrong here; that callers go away is not that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is given
        """Be silent: the CPO keeps its own log."""

    def serve(self) -> None:
        """Read one request, have it answered, send the reply."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.send_error(413)
            return
        reply = self.server.answer(self._request(self.rfile.read(int(length))))
        if reply is None:
            self.close_connection = True
            return
        self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 -- the names are given

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=self.path,
            steps=tuple(unquote(step) for step in parts.path.split("/") if step),
            query={name: values[-1] for name, values in parse_qs(parts.query).items()},
            headers=self.headers,  # type: ignore[arg-type]
            body=body,
        )

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.http_status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.is_cut:
            self.close_connection = True
            self.wfile.write(reply.body[: len(reply.body) // 2])
        else:
            self.wfile.write(reply.body)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
