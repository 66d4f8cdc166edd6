"""A virtual partner CPO for OCPI 2.1.1, 2.2.1 and 2.3.0, as a process of its own or inside a test.

    python -m rfid_station.simulator.cpo.virtual_cpo --first-token-file FILE [--port N] [--state FILE]

prints one JSON line with its URLs once it answers, and runs until SIGTERM or Ctrl-C. It is
strict where the specification is (`cpo_tokens` says where it leaves a choice), unless its
profile says otherwise; it calls back in the registration, and has one charging station behind it:

    POST /station/authorize  {"uid": "04E10CDA993C80"}  →  {"status": "Accepted", "reason": …}

Whoever drives a test or a demo also finds, without authorization, what `cpo_control` lists under
`/control`. Made for loopback, not for the open network.
"""

from __future__ import annotations

import argparse
import http
import json
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rfid_station.simulator.cpo.answer import envelope
from rfid_station.simulator.cpo.certificate import Certificate, self_signed
from rfid_station.simulator.cpo.control import Control, Logged
from rfid_station.simulator.cpo.edition import EDITIONS, Encoding
from rfid_station.simulator.cpo.faults import Fault, FaultKind, Faults
from rfid_station.simulator.cpo.http import HttpServer, Reply, Request, json_reply
from rfid_station.simulator.cpo.initiative import Initiative, Report
from rfid_station.simulator.cpo.ocpi import OcpiEndpoints
from rfid_station.simulator.cpo.profile import PROFILES, CpoProfile, Decides
from rfid_station.simulator.cpo.rules import CI_STRINGS, Decision, JsonObject
from rfid_station.simulator.cpo.state import Key, digest, open_state
from rfid_station.simulator.cpo.station import Station

if TYPE_CHECKING:
    from rfid_station.simulator.ocpp.central import CentralSystem, Decided

__all__ = [
    "PROFILES",
    "CpoProfile",
    "Decides",
    "Encoding",
    "Fault",
    "FaultKind",
    "Logged",
    "Report",
    "VirtualCpo",
    "main",
]


class VirtualCpo:
    """One virtual CPO. Use it as a context manager, or `start` and `stop` it.

    :param first_token: admits one registration, empty for none; without effect where the state file exists
    :param port: 0 takes a free one
    :param tls: serve https with a certificate that nobody has signed; True makes one for `host`
    :param on_logged: is told of each OCPI request once it is answered, from the thread that did
    :param ocpp_port: where charging stations connect by OCPP, 0 for a free port; None: nowhere
    :param on_decided: is told of each decision for such a station, from a thread of its own
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
        tls: Certificate | bool = False,
        on_logged: Callable[[Logged], None] = lambda _: None,
        ocpp_port: int | None = None,
        on_decided: Callable[[Decided], None] = lambda _: None,
    ) -> None:
        self.profile = profile or CpoProfile()
        self.faults = Faults()
        self.log: list[Logged] = []
        self._on_logged = on_logged
        self._state = open_state(state_file, first_token)
        self._released = threading.Event()
        self.certificate = self_signed(host) if tls is True else tls or None
        self._http = HttpServer(host, port, self._answer, self._tls())
        base_url = f"{self._http.url}/ocpi"
        self.versions_url = f"{base_url}/versions"
        """What is handed to a partner together with the first token."""
        self._initiative = Initiative(self.versions_url, self.profile, self._state)
        self._ocpi = OcpiEndpoints(base_url, self.profile, self._state, self._initiative)
        self._station = Station(self._state, self._initiative, self.profile.decides)
        self._control = Control(self)
        self._central = None if ocpp_port is None else self._central_system(host, ocpp_port, on_decided)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer.

        :raises OSError: the port for charging stations cannot be taken
        """
        if self._central:
            self._central.start()
        self._http.start()

    def stop(self) -> None:
        """End every connection, also those that hang, and give the port back."""
        self._released.set()
        if self._central:
            self._central.stop()
        self._http.stop()

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self._http.server_address[1])

    @property
    def station_url(self) -> str:
        """Where cards are held to the charging station."""
        return f"{self._http.url}/station/authorize"

    @property
    def ocpp_url(self) -> str:
        """Where charging stations connect by OCPP; empty where they cannot."""
        return self._central.url if self._central else ""

    @property
    def control_url(self) -> str:
        """Under it lies what `cpo_control` lists."""
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

    def authorize(self, uid: str, by: Decides | None = None, location: JsonObject | None = None) -> Decision:
        """Hold a card to the charging station, which decides as its profile says, or by something else."""
        return self._station.authorize(uid, by, location)

    def restart(self, loses: str = "everything") -> None:
        """End every connection, and come back without `tokens`, without `everything`, or as before."""
        self._state.lose(loses)
        self._http.hang_up()

    # Of its own accord

    def register(self, versions_url: str, first_token: str, version: str = "") -> Report:
        """Register with somebody who gave us a token, in a version or in the newest that both speak."""
        return self._initiative.register(versions_url, first_token, version)

    def rotate(self, party: str = "") -> Report:
        """Exchange both tokens; `party` is like `DE-EXM`, empty for who came last."""
        return self._initiative.rotate(party)

    def unregister(self, party: str = "") -> Report:
        """End a registration."""
        return self._initiative.unregister(party)

    def pull(
        self,
        date_from: str = "",
        date_to: str = "",
        limit: int | None = None,
        party: str = "",
        *,
        is_delta: bool = False,
    ) -> Report:
        """Read somebody's token list to its last page; `is_delta` since the last one that succeeded."""
        return self._initiative.pull(date_from, date_to, limit, party, is_delta=is_delta)

    def ask(
        self, uid: str, kind: str = "RFID", location: JsonObject | None = None, party: str = ""
    ) -> Report:
        """Ask the issuer in real time whether a token may charge (POST authorize)."""
        return self._initiative.authorize(uid, kind, location, party)

    def tell_client(
        self, country_code: str, party_id: str, role: str, status: str, party: str = ""
    ) -> Report:
        """Tell somebody about a party behind this hub."""
        return self._initiative.tell_client(country_code, party_id, role, status, party)

    def tell_session(self, given: JsonObject, party: str = "") -> Report:
        """Tell somebody about a charging session; `cpo.charges` says what may be given."""
        return self._initiative.tell_session(given, party)

    def tell_cdr(self, given: JsonObject, party: str = "") -> Report:
        """Tell somebody about a charge that is over; `cpo.charges` says what may be given."""
        return self._initiative.tell_cdr(given, party)

    # What is asked of it

    def _central_system(self, host: str, port: int, on_decided: Callable[[Decided], None]) -> CentralSystem:
        from rfid_station.simulator.ocpp.central import CentralSystem

        def decide(uid: str) -> tuple[str, str]:
            decision = self.authorize(uid)
            return decision.status, decision.reason

        central = CentralSystem(
            decide, lambda: self.tokens.values(), host=host, port=port, on_decided=on_decided
        )
        self._state.on_changed = central.tokens_changed
        return central

    def _tls(self) -> ssl.SSLContext | None:
        return self.certificate.server_context() if self.certificate else None

    def _answer(self, request: Request) -> Reply | None:
        place, *rest = request.steps or ("",)
        if place == "station":
            return self._at_station(request)
        if place == "control":
            return self._control.answer(request, "/".join(rest))
        return self._ocpi_with_faults(request)

    def _ocpi_with_faults(self, request: Request) -> Reply | None:
        fault = self.faults.take(
            request.method, _module_of(request), request.steps[-1] if request.steps else ""
        )
        reply = self._ocpi.answer(request) if fault is None else self._gone_wrong(fault, request)
        status = reply.http_status if reply else 0
        logged = Logged(request.method, request.path, status, fault.kind if fault else "")
        self.log.append(logged)
        self._on_logged(logged)
        if fault and fault.kind in (FaultKind.HANG, FaultKind.APPLY_HANG):
            self._released.wait(fault.lasts_s)
        return reply

    def _gone_wrong(self, fault: Fault, request: Request) -> Reply | None:
        """Answer as a fault demands."""
        if fault.kind in _APPLYING:
            return self._applied(fault, request)
        if fault.kind is FaultKind.RESTART:
            self.restart(fault.loses)
        if fault.kind in (FaultKind.ABORT, FaultKind.HANG, FaultKind.RESTART):
            return None
        return _CANNED[fault.kind](fault)

    def _applied(self, fault: Fault, request: Request) -> Reply | None:
        """Carry out what is asked, and let the answer go wrong."""
        if fault.kind is FaultKind.SLOW:
            self._released.wait(fault.lasts_s)
        reply = self._ocpi.answer(request)
        if fault.kind is FaultKind.FORGET and reply.http_status in (200, 201):
            self._ocpi.forget(request)
        return _SPOILT.get(fault.kind, _as_it_is)(fault, request, reply)

    def _at_station(self, request: Request) -> Reply:
        if request.steps != ("station", "authorize") or request.method != "POST":
            return json_reply(404, {"error": "POST /station/authorize is all there is"})
        try:
            asked = json.loads(request.body)
            by = Decides(asked["by"]) if asked.get("by") else None
            decision = self.authorize(str(asked["uid"]), by, asked.get("location"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return json_reply(400, {"error": 'the body is {"uid": "...", "by"?: "...", "location"?: {...}}'})
        return json_reply(200, asdict(decision))


_APPLYING = frozenset(
    {
        FaultKind.APPLY_HANG,
        FaultKind.APPLY_ABORT,
        FaultKind.APPLY_ERROR,
        FaultKind.FORGET,
        FaultKind.LOWER_CASE,
        FaultKind.SLOW,
        FaultKind.WRONG_LINK,
    }
)


def _as_it_is(_fault: Fault, _request: Request, reply: Reply) -> Reply:
    return reply


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
    FaultKind.RATE_LIMIT: lambda fault: Reply(fault.status or 429, b"", {"Retry-After": fault.retry_after}),
    FaultKind.REDIRECT: lambda fault: Reply(fault.status or 307, b"", {"Location": fault.location}),
    FaultKind.GARBAGE: _page,
    FaultKind.CUT: lambda fault: Reply(fault.status or 200, b'{"status_code": 1000, "da'),
    FaultKind.HUGE: lambda fault: Reply(fault.status or 200, b"[" * (4 << 20)),
}


def _module_of(request: Request) -> str:
    if request.steps == ("ocpi", "versions"):
        return "versions"
    return request.steps[2] if len(request.steps) > 2 else "details"


def _lower_case(_fault: Fault, _request: Request, reply: Reply) -> Reply:
    answered = json.loads(reply.body)
    data = answered.get("data")
    if isinstance(data, dict):
        answered["data"] = {
            name: value.lower() if name in CI_STRINGS and isinstance(value, str) else value
            for name, value in data.items()
        }
    return Reply(reply.http_status, json.dumps(answered).encode(), reply.headers)


def _wrong_link(fault: Fault, request: Request, reply: Reply) -> Reply:
    host = request.headers.get("Host", "")
    url = fault.location or f"http://{host}{request.path}"
    return replace(reply, headers={**reply.headers, "Link": f'<{url}>; rel="next"'})


_SPOILT: dict[FaultKind, Callable[[Fault, Request, Reply], Reply | None]] = {
    FaultKind.APPLY_HANG: lambda _fault, _request, _reply: None,
    FaultKind.APPLY_ABORT: lambda _fault, _request, reply: replace(reply, is_cut=True),
    FaultKind.APPLY_ERROR: lambda fault, _request, _reply: _CANNED[FaultKind.ERROR](fault),
    FaultKind.LOWER_CASE: _lower_case,
    FaultKind.WRONG_LINK: _wrong_link,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a virtual CPO until it is told to stop. 0: stopped, 2: it could not begin."""
    options = _parser().parse_args(arguments)
    try:
        first_token = options.first_token_file.read_text().strip()
        faults = [Fault.from_text(text) for text in options.fault]
        cpo = VirtualCpo(
            first_token,
            _profile(options),
            host=options.host,
            port=options.port,
            state_file=options.state,
            tls=options.tls,
        )
    except (OSError, ValueError) as trouble:
        sys.stderr.write(f"error: {trouble}\n")
        return 2
    for fault in faults:
        cpo.faults.add(fault)
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


def _profile(options: argparse.Namespace) -> CpoProfile:
    """The profile that the options name, with what they say otherwise."""
    profile = PROFILES[options.profile] if options.profile else CpoProfile()
    said = {
        "country_code": options.country_code,
        "party_id": options.party_id,
        "name": options.name,
        "versions": tuple(options.version) or None,
    }
    return replace(profile, **{name: value for name, value in said.items() if value})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rfid_station.simulator.cpo.virtual_cpo", description="A virtual CPO."
    )
    parser.add_argument(
        "--first-token-file", type=Path, required=True, help="file with the token that admits one"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="JSON file that outlives the process")
    parser.add_argument("--profile", choices=PROFILES, help="as whom it behaves")
    parser.add_argument(
        "--version", action="append", default=[], choices=EDITIONS, help="OCPI version; may be repeated"
    )
    parser.add_argument(
        "--fault", action="append", default=[], help="KIND or KIND:MEMBER=VALUE,...; may be repeated"
    )
    parser.add_argument("--tls", action="store_true", help="serve https with a certificate nobody signed")
    parser.add_argument("--country-code")
    parser.add_argument("--party-id")
    parser.add_argument("--name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
