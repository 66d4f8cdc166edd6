"""A virtual partner CPO for OCPI 2.2.1, as a process of its own or inside a test.

    python -m rfid_station.simulator.cpo --first-token-file FILE [--port N] [--state FILE]

prints one JSON line with its URLs once it answers, and runs until SIGTERM or Ctrl-C. It is
strict where the specification is (`cpo_ocpi` says where it leaves a choice), calls back in
the registration, and has one charging station behind it:

    POST /station/authorize  {"uid": "04E10CDA993C80"}  →  {"status": "Accepted", "reason": …}

Whoever drives a test or a demo also finds, without authorization, `GET /control/log`,
`GET /control/tokens`, `POST` and `DELETE /control/faults`, and `POST /control/first-token`
`{"token": …}`. Made for loopback, not for the open network.
"""

from __future__ import annotations

import argparse
import http
import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rfid_station.simulator.cpo_faults import Fault, FaultKind, Faults
from rfid_station.simulator.cpo_http import HttpServer, Reply, Request, json_reply
from rfid_station.simulator.cpo_ocpi import CpoProfile, OcpiEndpoints, envelope
from rfid_station.simulator.cpo_rules import CI_STRINGS, Decision, JsonObject, decide
from rfid_station.simulator.cpo_state import Key, digest, open_state

__all__ = ["CpoProfile", "Fault", "FaultKind", "Logged", "VirtualCpo", "main"]


@dataclass(frozen=True, slots=True)
class Logged:
    """One OCPI request: the HTTP status it was answered with (0 for none), and the fault that hit it."""

    method: str
    path: str
    http_status: int
    fault: str = ""


class VirtualCpo:
    """One virtual CPO. Use it as a context manager, or `start` and `stop` it.

    :param first_token: admits one registration; without effect where the state file exists already
    :param port: 0 takes a free one
    :raises ValueError: the state file is not one
    :raises OSError: the port cannot be taken
    """

    def __init__(
        self,
        first_token: str,
        profile: CpoProfile | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state_file: Path | None = None,
    ) -> None:
        self.profile = profile or CpoProfile()
        self.faults = Faults()
        self.log: list[Logged] = []
        self._state = open_state(state_file, first_token)
        self._released = threading.Event()
        self._http = HttpServer(host, port, self._answer)
        self._ocpi = OcpiEndpoints(f"{self._http.url}/ocpi", self.profile, self._state)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer."""
        self._http.start()

    def stop(self) -> None:
        """End every connection, also those that hang, and give the port back."""
        self._released.set()
        self._http.stop()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self._http.server_address[1])

    @property
    def versions_url(self) -> str:
        """What is handed to a partner together with the first token."""
        return self._ocpi.versions_url

    @property
    def station_url(self) -> str:
        """Where cards are held to the charging station."""
        return f"{self._http.url}/station/authorize"

    @property
    def control_url(self) -> str:
        """Under it lie log, tokens, faults and first-token."""
        return f"{self._http.url}/control"

    @property
    def tokens(self) -> dict[Key, JsonObject]:
        """A copy of the tokens held."""
        with self._state.lock:
            return {key: dict(token) for key, token in self._state.tokens.items()}

    @property
    def parties(self) -> list[tuple[str, str]]:
        """Country code and party id of everybody who is registered."""
        with self._state.lock:
            return [party for who in self._state.registrants.values() for party in who.parties]

    def admit(self, first_token: str) -> None:
        """Open one more registration."""
        with self._state.lock:
            self._state.first_tokens.add(digest(first_token))
            self._state.save()

    def authorize(self, uid: str) -> Decision:
        """Hold a card to the charging station."""
        with self._state.lock:
            held = [token for key, token in self._state.tokens.items() if key[2:] == (uid.lower(), "rfid")]
        decisions = [decide(token) for token in held] or [decide(None)]
        return min(decisions, key=lambda decision: decision.status != "Accepted")

    def _answer(self, request: Request) -> Reply | None:
        place, *rest = request.steps or ("",)
        if place == "station":
            return self._at_station(request)
        if place == "control":
            return self._controlled(request, "/".join(rest))
        return self._ocpi_with_faults(request)

    def _ocpi_with_faults(self, request: Request) -> Reply | None:
        fault = self.faults.take(
            request.method, _module_of(request), request.steps[-1] if request.steps else ""
        )
        reply = self._ocpi.answer(request) if fault is None else self._gone_wrong(fault, request)
        status = reply.http_status if reply else 0
        self.log.append(Logged(request.method, request.path, status, fault.kind if fault else ""))
        if fault and fault.kind in (FaultKind.HANG, FaultKind.APPLY_HANG):
            self._released.wait(fault.seconds)
        return reply

    def _gone_wrong(self, fault: Fault, request: Request) -> Reply | None:
        """Answer as a fault demands."""
        if fault.kind in _APPLYING:
            return self._applied(fault, request)
        if fault.kind in (FaultKind.ABORT, FaultKind.HANG):
            return None
        return _CANNED[fault.kind](fault)

    def _applied(self, fault: Fault, request: Request) -> Reply | None:
        reply = self._ocpi.answer(request)
        if fault.kind is FaultKind.APPLY_ABORT:
            return Reply(reply.http_status, reply.body, reply.headers, is_cut=True)
        if fault.kind is FaultKind.APPLY_ERROR:
            return _CANNED[FaultKind.ERROR](fault)
        if fault.kind is FaultKind.FORGET and reply.http_status in (200, 201):
            self._ocpi.forget(request)
        if fault.kind is FaultKind.LOWER_CASE:
            return _lower_case(reply)
        return None if fault.kind is FaultKind.APPLY_HANG else reply

    def _at_station(self, request: Request) -> Reply:
        if request.steps != ("station", "authorize") or request.method != "POST":
            return json_reply(404, {"error": "POST /station/authorize is all there is"})
        try:
            uid = json.loads(request.body)["uid"]
        except (ValueError, KeyError, TypeError):
            return json_reply(400, {"error": 'the body is {"uid": "..."}'})
        return json_reply(200, asdict(self.authorize(str(uid))))

    def _controlled(self, request: Request, what: str) -> Reply:
        asked = (request.method, what)
        if asked == ("GET", "log"):
            return json_reply(200, [asdict(entry) for entry in self.log])
        if asked == ("GET", "tokens"):
            return json_reply(200, list(self.tokens.values()))
        if asked == ("DELETE", "faults"):
            self.faults.clear()
            return json_reply(200, {})
        try:
            given = json.loads(request.body or b"null")
            if asked == ("POST", "faults"):
                self.faults.add(Fault.from_json(given))
                return json_reply(200, {})
            if asked == ("POST", "first-token"):
                self.admit(str(given["token"]))
                return json_reply(200, {})
        except (ValueError, KeyError, TypeError, re.error) as wrong:
            return json_reply(400, {"error": str(wrong)})
        return json_reply(404, {"error": f"there is no {request.method} /control/{what}"})


_APPLYING = frozenset(
    {
        FaultKind.APPLY_HANG,
        FaultKind.APPLY_ABORT,
        FaultKind.APPLY_ERROR,
        FaultKind.FORGET,
        FaultKind.LOWER_CASE,
    }
)


def _said(status: int, code: int) -> Callable[[Fault], Reply]:
    return lambda fault: json_reply(fault.status or status, envelope(fault.code or code, fault.message))


def _page(fault: Fault) -> Reply:
    body = b"" if fault.status == http.HTTPStatus.NO_CONTENT else fault.body.encode()
    return Reply(fault.status or 200, body, {"Content-Type": "text/html"})


_CANNED: dict[FaultKind, Callable[[Fault], Reply]] = {
    FaultKind.ERROR: _said(500, 3000),
    FaultKind.REFUSE: _said(200, 2001),
    FaultKind.UNAUTHORIZED: _said(401, 2000),
    FaultKind.BUSY: lambda fault: Reply(fault.status or 503, b"", {"Retry-After": fault.retry_after}),
    FaultKind.REDIRECT: lambda fault: Reply(fault.status or 307, b"", {"Location": fault.location}),
    FaultKind.GARBAGE: _page,
    FaultKind.CUT: lambda fault: Reply(fault.status or 200, b'{"status_code": 1000, "da'),
    FaultKind.HUGE: lambda fault: Reply(fault.status or 200, b"[" * (4 << 20)),
}


def _module_of(request: Request) -> str:
    if request.steps == ("ocpi", "versions"):
        return "versions"
    return request.steps[2] if len(request.steps) > 2 else "details"


def _lower_case(reply: Reply) -> Reply:
    answered = json.loads(reply.body)
    data = answered.get("data")
    if isinstance(data, dict):
        answered["data"] = {
            name: value.lower() if name in CI_STRINGS and isinstance(value, str) else value
            for name, value in data.items()
        }
    return Reply(reply.http_status, json.dumps(answered).encode(), reply.headers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a virtual CPO until it is told to stop. 0: stopped, 2: it could not begin."""
    options = _parser().parse_args(arguments)
    profile = CpoProfile(options.country_code, options.party_id, options.name)
    try:
        first_token = options.first_token_file.read_text().strip()
        cpo = VirtualCpo(first_token, profile, host=options.host, port=options.port, state_file=options.state)
    except (OSError, ValueError) as trouble:
        sys.stderr.write(f"error: {trouble}\n")
        return 2
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with cpo:
        urls = {
            "versions_url": cpo.versions_url,
            "station_url": cpo.station_url,
            "control_url": cpo.control_url,
        }
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        signal.sigwait(ends)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rfid_station.simulator.cpo", description="A virtual CPO."
    )
    parser.add_argument(
        "--first-token-file", type=Path, required=True, help="file with the token that admits one"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="JSON file that outlives the process")
    parser.add_argument("--country-code", default="NL")
    parser.add_argument("--party-id", default="CPX")
    parser.add_argument("--name", default="Virtual CPO")
    return parser


if __name__ == "__main__":
    sys.exit(main())
