"""Brings a hub to the wanted state of a card, one at a time.

OICP knows messages, and sync knows states. So one state may take several messages, and only those of a hub
count that say what it holds from then on: an acknowledged insert, update or delete. That a refusal
*could* mean the same is never believed.
"""

from __future__ import annotations

import threading

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party, Token
from rfid_station.errors import StationError
from rfid_station.oicp.answer import Answer
from rfid_station.oicp.client import HubClient, Request
from rfid_station.oicp.wire import Action, Message, expired, is_to_be_held, removal, upload

CANNOT_BE_READ = "OICP has no way to read a card back"


class HubReceiver:
    """A hub as sync sees it: a `TokenReceiver`. Threads may share it; it sends one message at a time.

    That order is demanded (OICP 2.3 for EMPs, Communication Paradigms, Data push operations).
    """

    def __init__(self, client: HubClient, party: Party, profile: PartnerProfile = STANDARD) -> None:
        self._client = client
        self._party = party
        self._profile = profile
        self._in_turn = threading.Lock()

    def close(self) -> None:
        """Close the connections to the hub."""
        self._client.close()

    def put(self, token: Token) -> Outcome:
        """Bring the hub to the state of a token. One that cannot be told is refused unsent."""
        if token.party != self._party:
            return Outcome(
                Verdict.REFUSED,
                f"not sent: the token is of {token.party}, and the hub knows {self._party}",
            )
        with self._in_turn:
            return self._admit(token) if is_to_be_held(token) else self._remove(token)

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:  # noqa: ARG002 - it is what sync asks
        """Refuse: a hub shows nothing. What it acknowledged is all that is known of it."""
        return Outcome(Verdict.REFUSED, CANNOT_BE_READ), None

    def request(self, token: Token) -> Request:
        """The first message that brings the hub to a token's state, before anything is sent.

        :raises WrongCall: the token cannot be told in OICP
        """
        message = upload(Action.INSERT, token, self._profile) if is_to_be_held(token) else removal(token)
        return self._client.request(message)

    def _admit(self, token: Token) -> Outcome:
        """Insert; and update where that is refused, since the record may be there already."""
        try:
            insert = upload(Action.INSERT, token, self._profile)
            update = upload(Action.UPDATE, token, self._profile)
        except StationError as impossible:
            return Outcome(Verdict.REFUSED, f"not sent: {impossible}")
        first = self._client.push(insert)
        if first.is_acknowledged or not first.may_be_about_presence:
            return _told("insert", first)
        return _told("update", self._client.push(update), after=_told("insert", first))

    def _remove(self, token: Token) -> Outcome:
        """Delete. Where that is refused, the record may not be there; that is found out, and not supposed."""
        delete = removal(token)
        first = self._client.push(delete)
        if first.is_acknowledged or not first.may_be_about_presence:
            return _told("delete", first)
        return self._show_absent(token, delete, _told("delete", first))

    def _show_absent(self, token: Token, delete: Message, refused: Outcome) -> Outcome:
        """Insert a record that admits nobody: where the hub takes it, there was none, and now it is deleted.

        Where it does not, the record may be there, and nothing is proven.
        """
        inserted = self._client.push(expired(token))
        if not inserted.is_acknowledged:
            return _told("insert of an expired one", inserted, after=refused)
        return _told("delete", self._client.push(delete), after=refused)


class UnreadyHub:
    """A hub that we cannot call at present: it is owed everything, and keeps nobody else waiting."""

    def __init__(self, reason: str) -> None:
        self._outcome = Outcome(Verdict.UNREACHABLE, f"not sent: {reason}")

    def close(self) -> None:
        """Nothing was opened."""

    def put(self, token: Token) -> Outcome:  # noqa: ARG002 - it is what sync asks
        """Send nothing, and say why."""
        return self._outcome

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:  # noqa: ARG002
        """Ask nothing, and say why."""
        return self._outcome, None


def _told(what: str, answer: Answer, after: Outcome | None = None) -> Outcome:
    """An outcome in words that say which message it is about, and which one came before."""
    outcome = answer.outcome
    if answer.is_acknowledged:
        return outcome
    words = f"{what}: {outcome.detail}"
    if after and after.verdict is not Verdict.ACKNOWLEDGED:
        words = f"{after.detail}; {words}"
    return outcome._replace(detail=words)
