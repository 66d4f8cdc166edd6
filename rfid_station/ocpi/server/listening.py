"""Listening: a port, clients that are slow or endless, TLS, and an end that answers who is still waiting."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from rfid_station.errors import StationError, WrongCall
from rfid_station.ocpi.server.guard import guarded_by
from rfid_station.ocpi.server.request import Limits

START_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its private key, as PEM files."""

    certificate: Path
    key: Path


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one, which `getsockname()` names.

    :raises WrongCall: the port is in use, or the host is not one of this machine
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as refused:
        listener.close()
        raise WrongCall(
            f"cannot listen on {host} port {port}: {refused}",
            hint="stop the program that uses this port, or set another one in table [ocpi] of station.toml",
        ) from None
    return listener


@contextmanager
def serve_in_thread(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    listener: socket.socket | None = None,
    limits: Limits | None = None,
    tls: Tls | None = None,
) -> Iterator[tuple[str, int]]:
    """Serve while the block runs: it begins once requests are answered, and ends when all were.

    :param listener: a socket from `listen`, for whoever has to know the port before the app is built
    :return: the address that is listened on
    :raises WrongCall: the port cannot be taken, or the certificate or its key not be read
    :raises StationError: it does not start
    """
    config = _config(app, limits or Limits(), tls)
    with listener or listen(host, port) as taken:
        server = _Server(config)
        address = taken.getsockname()[:2]
        thread = threading.Thread(target=server.run, args=([taken],), name="ocpi-server", daemon=True)
        thread.start()
        try:
            if not server.is_up.wait(START_WITHIN_S):
                raise StationError(
                    f"our OCPI server on {host} did not start within {START_WITHIN_S:g} s",
                    hint="try again when this machine is less busy",
                )
            yield address
        finally:
            server.should_exit = True
            thread.join(2 * STOP_WITHIN_S)


def _config(app: ASGIApp, limits: Limits, tls: Tls | None) -> uvicorn.Config:
    # uvicorn would warn of every line of nonsense that a port scanner sends.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=guarded_by(limits),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=limits.connections,
        timeout_keep_alive=int(limits.idle_s),
        timeout_graceful_shutdown=int(STOP_WITHIN_S),
        ssl_certfile=str(tls.certificate) if tls else None,
        ssl_keyfile=str(tls.key) if tls else None,
    )
    try:
        config.load()
    except OSError as unreadable:
        where = f"{tls.certificate} and {tls.key}" if tls else "the certificate"
        raise WrongCall(
            f"{where} cannot be used for TLS: {unreadable}",
            hint="give --tls-cert the certificate chain and --tls-key its private key, both as PEM",
        ) from None
    return config


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
