"""The control port of a virtual CPO: for whoever drives a test or a demo, without authorization.

| request under /control | body | what it does |
|---|---|---|
| GET log, tokens, parties, profile | | show |
| POST faults, DELETE faults | a fault | set one, clear all |
| POST first-token | token | admit one registration |
| POST restart | loses: nothing, tokens or everything | end every connection, and forget |
| POST register | versions_url, token, version? | register with somebody |
| POST rotate, unregister | party? | exchange tokens, end a registration |
| POST pull | date_from?, date_to?, limit?, delta?, party? | read a token list |
| POST authorize | uid, type?, location?, party? | ask about a token in real time |
| POST client | country_code, party_id, role, status, party? | tell about a party behind a hub |
| POST session, cdr | uid, and what `cpo.charges` lists; party? | tell about a charge |

What is done of the CPO's own accord is answered with its report, and HTTP 200 also where it failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from rfid_station.simulator.cpo.faults import LOSSES, Fault, Faults
from rfid_station.simulator.cpo.http import Reply, Request, json_reply
from rfid_station.simulator.cpo.initiative import Report
from rfid_station.simulator.cpo.profile import CpoProfile
from rfid_station.simulator.cpo.rules import JsonObject
from rfid_station.simulator.cpo.state import Key


@dataclass(frozen=True, slots=True)
class Logged:
    """One OCPI request: the HTTP status it was answered with (0 for none), and the fault that hit it."""

    method: str
    path: str
    http_status: int
    fault: str = ""


class Driven(Protocol):
    """What the control port needs of a virtual CPO."""

    profile: CpoProfile
    faults: Faults

    @property
    def log(self) -> list[Logged]:
        """Every OCPI request so far."""

    @property
    def tokens(self) -> dict[Key, JsonObject]:
        """The tokens held."""

    @property
    def parties(self) -> list[tuple[str, str]]:
        """Everybody who is registered."""

    def admit(self, first_token: str) -> None:
        """Open one more registration."""

    def restart(self, loses: str = "everything") -> None:
        """End every connection, and forget."""

    def register(self, versions_url: str, first_token: str, version: str = "") -> Report:
        """Register with somebody."""

    def rotate(self, party: str = "") -> Report:
        """Exchange tokens."""

    def unregister(self, party: str = "") -> Report:
        """End a registration."""

    def pull(
        self,
        date_from: str = "",
        date_to: str = "",
        limit: int | None = None,
        party: str = "",
        *,
        is_delta: bool = False,
    ) -> Report:
        """Read a token list."""

    def ask(
        self, uid: str, kind: str = "RFID", location: JsonObject | None = None, party: str = ""
    ) -> Report:
        """Ask about a token in real time."""

    def tell_client(
        self, country_code: str, party_id: str, role: str, status: str, party: str = ""
    ) -> Report:
        """Tell about a party behind a hub."""

    def tell_session(self, given: JsonObject, party: str = "") -> Report:
        """Tell about a charging session."""

    def tell_cdr(self, given: JsonObject, party: str = "") -> Report:
        """Tell about a charge that is over."""


class Control:
    """Answers what is asked under /control."""

    def __init__(self, cpo: Driven) -> None:
        self._cpo = cpo
        self._shown: Mapping[str, Callable[[], object]] = {
            "log": lambda: [asdict(entry) for entry in cpo.log],
            "tokens": lambda: list(cpo.tokens.values()),
            "parties": lambda: ["-".join(party) for party in cpo.parties],
            "profile": lambda: asdict(cpo.profile),
        }
        self._done: Mapping[str, Callable[[Mapping[str, object]], object]] = {
            "faults": self._set_fault,
            "first-token": self._admit,
            "restart": self._restart,
            "register": lambda given: cpo.register(
                str(given["versions_url"]), str(given["token"]), _text(given, "version")
            ),
            "rotate": lambda given: cpo.rotate(_text(given, "party")),
            "unregister": lambda given: cpo.unregister(_text(given, "party")),
            "pull": self._pull,
            "authorize": self._ask,
            "client": self._tell_client,
            "session": lambda given: cpo.tell_session(_charge(given), _text(given, "party")),
            "cdr": lambda given: cpo.tell_cdr(_charge(given), _text(given, "party")),
        }

    def answer(self, request: Request, what: str) -> Reply:
        """Answer one request."""
        if request.method == "GET" and what in self._shown:
            return json_reply(200, self._shown[what]())
        if (request.method, what) == ("DELETE", "faults"):
            self._cpo.faults.clear()
            return json_reply(200, {})
        if request.method != "POST" or what not in self._done:
            return json_reply(404, {"error": f"there is no {request.method} /control/{what}"})
        try:
            done = self._done[what](_object_in(request.body))
        except (ValueError, KeyError, TypeError, re.error) as wrong:
            return json_reply(400, {"error": str(wrong)})
        return json_reply(200, asdict(done) if isinstance(done, Report) else {})

    def _set_fault(self, given: Mapping[str, object]) -> None:
        self._cpo.faults.add(Fault.from_json(given))

    def _admit(self, given: Mapping[str, object]) -> None:
        self._cpo.admit(str(given["token"]))

    def _restart(self, given: Mapping[str, object]) -> None:
        loses = _text(given, "loses") or "everything"
        if loses not in LOSSES:
            raise ValueError(f"loses is one of {', '.join(LOSSES)}")
        self._cpo.restart(loses)

    def _tell_client(self, given: Mapping[str, object]) -> Report:
        country_code, party_id, role, status = (
            str(given[name]) for name in ("country_code", "party_id", "role", "status")
        )
        return self._cpo.tell_client(country_code, party_id, role, status, _text(given, "party"))

    def _pull(self, given: Mapping[str, object]) -> Report:
        limit = given.get("limit")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ValueError("limit is a number from 1 on")
        return self._cpo.pull(
            _text(given, "date_from"),
            _text(given, "date_to"),
            limit,
            _text(given, "party"),
            is_delta=given.get("delta") is True,
        )

    def _ask(self, given: Mapping[str, object]) -> Report:
        location = given.get("location")
        if location is not None and not (isinstance(location, dict) and "location_id" in location):
            raise ValueError("location is an object with location_id")
        return self._cpo.ask(
            str(given["uid"]), _text(given, "type") or "RFID", location, _text(given, "party")
        )


def _object_in(body: bytes) -> Mapping[str, object]:
    """What a request carries; nothing is an empty object.

    :raises TypeError: it is something else
    :raises ValueError: it is not JSON
    """
    given = json.loads(body or b"{}")
    if not isinstance(given, dict):
        raise TypeError("the body is no JSON object")
    return given


def _charge(given: Mapping[str, object]) -> JsonObject:
    """What is to be told of a charge.

    :raises TypeError: it does not say whose
    """
    if not isinstance(given.get("uid"), str):
        raise TypeError("uid is the text of a UID")
    return dict(given)


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    return "" if value is None else str(value)
