"""The charging station behind a virtual CPO: by what it decides whether a card may charge.

| whitelist | by the cache (offline) | by whitelist | in real time |
|---|---|---|---|
| ALWAYS | cache | cache | cache |
| ALLOWED | cache | cache | ask, else cache |
| ALLOWED_OFFLINE | cache | ask, else cache | ask, else cache |
| NEVER | denied | ask, else denied | ask, else denied |
| a card nobody told of | unknown | unknown | ask everybody, else unknown |

Source: OCPI mod_tokens, WhitelistType and Real-time authorization; the words are those of OCPP 2.0.1.
"""

from __future__ import annotations

from rfid_station.simulator.cpo.initiative import Initiative, Report
from rfid_station.simulator.cpo.profile import Decides
from rfid_station.simulator.cpo.rules import Decision, JsonObject, decide
from rfid_station.simulator.cpo.state import CpoState

_SAYS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "NoCredit",
    "NOT_ALLOWED": "NotAtThisLocation",
}
_IS_ASKED = {
    Decides.OFFLINE: frozenset[str](),
    Decides.WHITELIST: frozenset({"ALLOWED_OFFLINE", "NEVER"}),
    Decides.REAL_TIME: frozenset({"ALLOWED", "ALLOWED_OFFLINE", "NEVER"}),
}


class Station:
    """One charging station."""

    def __init__(self, state: CpoState, initiative: Initiative, decides: Decides) -> None:
        self._state = state
        self._initiative = initiative
        self._decides = decides

    def authorize(self, uid: str, by: Decides | None = None, location: JsonObject | None = None) -> Decision:
        """Hold a card to it. Of several issuers with one UID, the one that accepts counts."""
        way = by or self._decides
        with self._state.lock:
            held = [(key, token) for key, token in self._state.tokens.items() if _is_card(key, uid)]
        decisions = [
            self._ask(uid, f"{key[0]}-{key[1]}".upper(), location, decide(token))
            if token["whitelist"] in _IS_ASKED[way]
            else decide(token)
            for key, token in held
        ]
        if not held and way is Decides.REAL_TIME:
            decisions = [self._ask(uid, party, location, decide(None)) for party in self._issuers()]
        return min(decisions or [decide(None)], key=lambda decision: decision.status != "Accepted")

    def _issuers(self) -> list[str]:
        with self._state.lock:
            return ["-".join(who.parties[0]) for who in self._state.registrants.values() if who.parties]

    def _ask(self, uid: str, party: str, location: JsonObject | None, otherwise: Decision) -> Decision:
        """Ask the issuer, and decide as `otherwise` if it gives no answer that decides."""
        report = self._initiative.authorize(uid, location=location, party=party)
        allowed = report.facts.get("allowed")
        if allowed in _SAYS:
            return Decision(
                _SAYS[str(allowed)],
                _words(party, report),
                str(report.facts.get("authorization_reference") or ""),
            )
        if report.http_status == 404 or report.status_code == 2004:
            return Decision("Unknown", f"{party} does not know this card")
        if report.status_code == 2002:
            return Decision("Blocked", f"{party} wants to know where, and was not told")
        return otherwise


def _words(party: str, report: Report) -> str:
    info = report.facts.get("info")
    text = f", {info['text']}" if isinstance(info, dict) and "text" in info else ""
    return f"{party} says {report.facts['allowed']}{text}"


def _is_card(key: tuple[str, str, str, str], uid: str) -> bool:
    return key[2].lower() == uid.lower() and key[3].lower() == "rfid"
