"""A central system for charging stations by OCPP 1.6J and 2.0.1, on a port and in a thread of its own.

It decides by what its operator decides, keeps the local lists of its stations in step with the operator's
tokens, and says how long a station may keep an answer. Made for loopback, not for the open network: whoever
comes is a station.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from ocpp.exceptions import OCPPError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from rfid_station.simulator.ocpp.judge import Session
from rfid_station.simulator.ocpp.local_list import Tokens, difference, local_list, may_be_kept
from rfid_station.simulator.ocpp.session_1_6 import Session16
from rfid_station.simulator.ocpp.session_2_0_1 import Session201
from rfid_station.simulator.ocpp.values import SUBPROTOCOLS, Entry, IdInfo, now

_SESSIONS: dict[str, Callable[..., Session]] = {
    SUBPROTOCOLS["1.6"]: Session16,
    SUBPROTOCOLS["2.0.1"]: Session201,
}
_STARTED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Decided:
    """What a station was told of a card."""

    station: str
    action: str
    id_tag: str
    status: str
    why: str


class CentralSystem:
    """One central system. `start` and `stop` it from any thread.

    :param decide: status, in the words of OCPP 2.0.1, and reason for a card; may take its time
    :param tokens: what the operator was told by issuers, as it is now
    :param port: 0 takes a free one
    """

    def __init__(
        self,
        decide: Callable[[str], tuple[str, str]],
        tokens: Callable[[], Tokens],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_decided: Callable[[Decided], None] = lambda _: None,
    ) -> None:
        self._decide = decide
        self._tokens = tokens
        self._host = host
        self._port = port
        self._on_decided = on_decided
        self._is_up = threading.Event()
        self._trouble: OSError | OverflowError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = asyncio.Event()
        self._changed: dict[str, asyncio.Event] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="central-system")
        # The library logs whole messages, UIDs and all.
        logging.getLogger("ocpp").setLevel(logging.CRITICAL)
        logging.getLogger("websockets").setLevel(logging.CRITICAL)

    @property
    def url(self) -> str:
        """Where stations connect; each puts its name behind it."""
        return f"ws://{self._host}:{self._port}"

    def start(self) -> None:
        """Begin to take stations.

        :raises OSError: the port cannot be taken
        :raises OverflowError: it is no port
        """
        self._thread.start()
        self._is_up.wait(_STARTED_WITHIN_S)
        if self._trouble:
            self._thread.join()
            raise self._trouble

    def stop(self) -> None:
        """Hang up on every station, and give the port back."""
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()

    def tokens_changed(self) -> None:
        """Bring the stations' lists in step. May be called from any thread."""
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._wake_all)

    # On the loop

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, OverflowError) as trouble:
            self._trouble = trouble
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        spoken = [Subprotocol(name) for name in reversed(_SESSIONS)]
        async with serve(
            self._talk,
            self._host,
            self._port,
            subprotocols=spoken,
            process_request=_only_stations,
            compression=None,
        ) as server:
            self._port = next(iter(server.sockets)).getsockname()[1]
            self._loop = asyncio.get_running_loop()
            self._is_up.set()
            await self._is_over.wait()
            for task in self._keeping:
                task.cancel()

    async def _talk(self, connection: ServerConnection) -> None:
        name = connection.request.path.rstrip("/").rpartition("/")[2] if connection.request else ""
        session: Session = _SESSIONS[connection.subprotocol or ""](name, connection, self)
        try:
            await session.start()
        except WebSocketException:
            return

    async def decide(self, station: str, action: str, id_tag: str) -> IdInfo:
        """Say whether a card may charge; the issuer may have to be asked, so it is done in a thread."""
        status, why = await asyncio.to_thread(self._decide, id_tag)
        self._on_decided(Decided(station, action, id_tag, status, why))
        until = None if may_be_kept(self._tokens(), id_tag) else now()
        return IdInfo(status, until, why)

    def meet(self, session: Session) -> None:
        """Keep the list of a station that has booted in step, for as long as it is there."""
        task = asyncio.get_running_loop().create_task(self._keep_list(session))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep_list(self, session: Session) -> None:
        changed = self._changed[session.id] = asyncio.Event()
        try:
            version = await session.list_version()
            if version is None:
                return
            held: dict[str, IdInfo] = {}
            is_first = True
            while True:
                changed.clear()
                wanted = local_list(self._tokens())
                if is_first or wanted != held:
                    version += 1
                    entries = _all_of(wanted) if is_first else difference(held, wanted)
                    if not await session.send_list(version, entries, is_full=is_first):
                        return
                held, is_first = wanted, False
                await changed.wait()
        except (WebSocketException, OCPPError, TimeoutError):
            return
        finally:
            if self._changed.get(session.id) is changed:
                del self._changed[session.id]

    def _wake_all(self) -> None:
        for changed in self._changed.values():
            changed.set()


def _all_of(listed: dict[str, IdInfo]) -> list[Entry]:
    return [Entry(uid, info) for uid, info in listed.items()]


def _only_stations(connection: ServerConnection, request: Request) -> Response | None:
    """Refuse whoever speaks no version of OCPP that is spoken here (OCPP-J 1.6, 3.1.2)."""
    offered = {name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
    if offered & set(_SESSIONS):
        return None
    return connection.respond(HTTPStatus.BAD_REQUEST, f"speak one of {', '.join(_SESSIONS)}\n")
