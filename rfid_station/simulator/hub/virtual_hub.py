"""A virtual roaming hub that takes uploads of authentication data by OICP 2.3, for EMPs that are offline.

Written from Hubject's documents (OICP 2.3 for EMPs: Services and Operations, Data Types, Communication
Paradigms; the REST descriptions of 2.2 for HTTP 400). Where they are silent it chooses, and says so:

- an aborted insert or update is answered with `abort_code`: the documents name no code for it;
- a delete of what is not there succeeds, unless the hub is strict: a check is named for insert and update;
- RFID records are one if their UIDs are the same, in whichever of the two forms they came;
- an empty fullLoad deletes everything, as documented.

It has one charging station behind it. For whoever drives a test or a demo, without authorization:

    POST   /station/authorize  {"uid": "04E10CDA993C80"}  →  {"status": "Authorized" or "NotAuthorized"}
    GET    /control/records, /control/log
    POST   /control/faults     a fault (`cpo_faults`; its method is the ActionType)
    DELETE /control/faults
"""

from __future__ import annotations

import json
import re
import ssl
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rfid_station.simulator.cpo.certificate import Certificate, self_signed
from rfid_station.simulator.cpo.faults import Fault, FaultKind, Faults
from rfid_station.simulator.cpo.http import HttpServer, Reply, Request, json_reply
from rfid_station.simulator.hub.message import JsonObject, Key, NotValidError, read_message, wanted

_MEANINGS = {
    "000": "Success.",
    "009": "Data transaction error.",
    "017": "Unauthorized Access.",
    "019": "Inconsistent EvcoID.",
    "021": "System error.",
    "022": "Data error.",
}


@dataclass(frozen=True, slots=True)
class Pushed:
    """One upload: what it wanted, which UIDs or EvcoIDs, how it was answered (0: not at all), the fault."""

    action: str
    about: tuple[str, ...]
    http_status: int
    code: str
    fault: str = ""


class VirtualHub:
    """One virtual hub. Use it as a context manager, or `start` and `stop` it.

    :param provider_id: the one EMP that has a contract with it
    :param is_strict: a delete of what is not there is aborted
    :param abort_code: what aborted inserts, updates and deletes are answered with
    :param port: 0 takes a free one
    :param tls: serve https, and know the EMP by this client certificate (PEM)
    :param on_pushed: is told of each upload once it is answered, from the thread that did
    :raises OSError: the port cannot be taken
    """

    def __init__(
        self,
        provider_id: str = "NL-EXM",
        *,
        is_strict: bool = False,
        abort_code: str = "009",
        port: int = 0,
        tls: str = "",
        on_pushed: Callable[[Pushed], None] = lambda _: None,
    ) -> None:
        self.faults = Faults()
        self.log: list[Pushed] = []
        self.provider_id = provider_id
        self._is_strict = is_strict
        self._abort_code = abort_code
        self._on_pushed = on_pushed
        self._records: dict[Key, JsonObject] = {}
        self._lock = threading.Lock()
        self._released = threading.Event()
        host = "127.0.0.1"
        self.certificate: Certificate | None = self_signed(host) if tls else None
        self._http = HttpServer(host, port, self._answer, self._context(tls))
        self.url = f"{self._http.url}/api/oicp"
        """Where its OICP begins."""
        self.station_url = f"{self._http.url}/station/authorize"
        self.control_url = f"{self._http.url}/control"

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

    def _context(self, client: str) -> ssl.SSLContext | None:
        """TLS that asks for a client certificate, and takes only the one."""
        if self.certificate is None:
            return None
        context = self.certificate.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "client.pem")
            file.write_text(client)
            context.load_verify_locations(file)
        # Who is trusted as it is need not be an authority.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    @property
    def records(self) -> dict[str, JsonObject]:
        """A copy of what is valid now, by UID or EvcoID."""
        with self._lock:
            return {name: dict(record) for (_, name), record in self._records.items()}

    def authorize(self, uid: str) -> str:
        """Hold a card to a charging station: Authorized while it has a record that has not expired."""
        with self._lock:
            record = self._records.get(("RFID", uid.upper()))
        if record is None:
            return "NotAuthorized"
        until = record.get("ExpiryDate")
        is_over = until is not None and datetime.fromisoformat(until) < datetime.now(UTC)
        return "NotAuthorized" if is_over else "Authorized"

    # What is asked of it

    def _answer(self, request: Request) -> Reply | None:
        place = request.steps[0] if request.steps else ""
        if place == "station":
            return self._at_station(request)
        if place == "control":
            return self._control(request)
        return self._upload(request)

    def _at_station(self, request: Request) -> Reply:
        try:
            return json_reply(200, {"status": self.authorize(str(json.loads(request.body)["uid"]))})
        except (ValueError, KeyError, TypeError):
            return json_reply(400, {"error": 'the body is {"uid": "..."}'})

    def _control(self, request: Request) -> Reply:
        match request.method, request.steps[1:]:
            case "GET", ("records",):
                return json_reply(200, list(self.records.values()))
            case "GET", ("log",):
                return json_reply(200, [asdict(pushed) for pushed in self.log])
            case "DELETE", ("faults",):
                self.faults.clear()
                return json_reply(200, {})
            case "POST", ("faults",):
                return self._set_fault(request)
        return json_reply(404, {"error": "there are records, log and faults"})

    def _set_fault(self, request: Request) -> Reply:
        try:
            self.faults.add(usable(Fault.from_json(json.loads(request.body))))
        except (ValueError, TypeError, re.error) as trouble:
            return json_reply(400, {"error": str(trouble)})
        return json_reply(200, {})

    def _upload(self, request: Request) -> Reply | None:
        action, about = wanted(request.body)
        fault = self._fault_of(action, about)
        reply = self._carried_out(request) if fault is None else self._gone_wrong(fault, request)
        pushed = Pushed(
            action, about, reply.http_status if reply else 0, _code_of(reply), fault.kind if fault else ""
        )
        self.log.append(pushed)
        self._on_pushed(pushed)
        if fault and fault.kind in (FaultKind.HANG, FaultKind.APPLY_HANG):
            self._released.wait(fault.lasts_s)
        return reply

    def _fault_of(self, action: str, about: tuple[str, ...]) -> Fault | None:
        """The first fault that hits one of the records, or the upload as a whole if it has none."""
        found = (self.faults.take(action, "tokens", name) for name in about or ("",))
        return next((fault for fault in found if fault), None)

    def _gone_wrong(self, fault: Fault, request: Request) -> Reply | None:
        """Answer as a fault demands."""
        if fault.kind in _SPOILT:
            if fault.kind is FaultKind.SLOW:
                self._released.wait(fault.lasts_s)
            if fault.kind is FaultKind.FORGET:
                with self._lock:
                    kept = dict(self._records)
                reply = self._carried_out(request)
                with self._lock:
                    self._records = kept
                return reply
            return _SPOILT[fault.kind](self._carried_out(request))
        if fault.kind is FaultKind.RESTART:
            if fault.loses != "nothing":
                with self._lock:
                    self._records.clear()
            self._http.hang_up()
        return _CANNED[fault.kind](fault)

    # What it does

    def _carried_out(self, request: Request) -> Reply:
        provider = _provider_in(request)
        if provider is None:
            return json_reply(404, {"message": f"there is nothing at {request.method} {request.path}"})
        try:
            action, told, records = read_message(request.body)
        except NotValidError as wrong:
            return _not_valid(wrong)
        if _plain(provider) != _plain(self.provider_id) or _plain(told) != _plain(self.provider_id):
            return acknowledgement("017", f"{told} is not who the certificate names")
        with self._lock:
            return self._transact(action, records)

    def _transact(self, action: str, records: Mapping[Key, JsonObject]) -> Reply:
        """Do all of it, or nothing."""
        strange = [record["EvcoID"] for record in records.values() if not self._is_of_provider(record)]
        if strange:
            return acknowledgement("019", f"of another provider: {', '.join(strange)}")
        there = [name for kind, name in records if (kind, name) in self._records]
        missing = [name for kind, name in records if (kind, name) not in self._records]
        if action == "insert" and there:
            return acknowledgement(self._abort_code, f"exists already: {', '.join(there)}")
        if missing and (action == "update" or (action == "delete" and self._is_strict)):
            return acknowledgement(self._abort_code, f"does not exist: {', '.join(missing)}")
        if action == "delete":
            self._records = {key: kept for key, kept in self._records.items() if key not in records}
        else:
            self._records = dict(records) if action == "fullLoad" else {**self._records, **records}
        return acknowledgement("000", "Success")

    def _is_of_provider(self, record: JsonObject) -> bool:
        return "EvcoID" not in record or _plain(record["EvcoID"]).startswith(_plain(self.provider_id))


def acknowledgement(code: str, more: str) -> Reply:
    """An eRoamingAcknowledgement."""
    status = {"Code": code, "Description": _MEANINGS.get(code, ""), "AdditionalInfo": more}
    return json_reply(200, {"Result": code == "000", "StatusCode": status, "SessionID": str(uuid.uuid4())})


def usable(fault: Fault) -> Fault:
    """Let a fault pass that a hub can have.

    :raises ValueError: it is one of a CPO only
    """
    if fault.kind not in _SPOILT and fault.kind not in _CANNED:
        raise ValueError(f"a hub has no fault {fault.kind}; it has {', '.join([*_CANNED, *_SPOILT])}")
    return fault


# Reading a request


def _provider_in(request: Request) -> str | None:
    """The ProviderID in the path of an upload; None for any other request."""
    match request.method, request.steps:
        case "POST", ("api", "oicp", "authdata", "v21", "providers", provider, "push-request"):
            return provider
    return None


def _not_valid(wrong: NotValidError) -> Reply:
    errors = [{"fieldReference": wrong.field, "errorMessage": wrong.wrong}]
    return json_reply(400, {"message": "Error parsing/validating JSON.", "validationErrors": errors})


def _plain(provider: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", provider.upper())


def _code_of(reply: Reply | None) -> str:
    try:
        return str(json.loads(reply.body)["StatusCode"]["Code"]) if reply else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


# How it goes wrong


def _said(code: int, http_status: int = 200) -> Callable[[Fault], Reply]:
    def reply(fault: Fault) -> Reply:
        told = acknowledgement(f"{code if fault.code is None else fault.code:03}", fault.message)
        return replace(told, http_status=fault.status or http_status)

    return reply


def _busy(http_status: int) -> Callable[[Fault], Reply]:
    return lambda fault: Reply(fault.status or http_status, b"", {"Retry-After": fault.retry_after})


_CANNED: dict[FaultKind, Callable[[Fault], Reply | None]] = {
    FaultKind.REFUSE: _said(22),
    FaultKind.UNAUTHORIZED: _said(17),
    FaultKind.ERROR: _said(1, 500),
    FaultKind.BUSY: _busy(503),
    FaultKind.RATE_LIMIT: _busy(429),
    FaultKind.REDIRECT: lambda fault: Reply(fault.status or 307, b"", {"Location": fault.location}),
    FaultKind.GARBAGE: lambda fault: Reply(
        fault.status or 200, fault.body.encode(), {"Content-Type": "text/html"}
    ),
    FaultKind.CUT: lambda fault: Reply(fault.status or 200, b'{"Result": true, "StatusCode": {"Co'),
    FaultKind.HUGE: lambda fault: Reply(fault.status or 200, b"[" * (4 << 20)),
    FaultKind.ABORT: lambda _fault: None,
    FaultKind.HANG: lambda _fault: None,
    FaultKind.RESTART: lambda _fault: None,
}

_SPOILT: dict[FaultKind, Callable[[Reply], Reply | None]] = {
    FaultKind.APPLY_HANG: lambda _reply: None,
    FaultKind.APPLY_ABORT: lambda reply: replace(reply, is_cut=True),
    FaultKind.APPLY_ERROR: lambda _reply: json_reply(500, {"message": "on demand"}),
    FaultKind.FORGET: lambda reply: reply,
    FaultKind.SLOW: lambda reply: reply,
}
"""What becomes of the answer to an upload that was carried out."""
