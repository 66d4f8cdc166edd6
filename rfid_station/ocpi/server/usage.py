"""What partners tell us of charges: the Sessions receiver and the CDRs receiver.

The same told twice changes nothing, and a CDR that was told once is never changed. Whoever tells speaks for
a party of its own, or is a hub.

Sources: OCPI 2.1.1 mod_sessions and mod_cdrs (2.2 eMSP Interface); 2.2.1 and 2.3.0 mod_sessions and mod_cdrs
(Receiver Interface); transport_and_format (Client Owned Object Push).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

from fastapi import Request
from pydantic import ValidationError

from rfid_station.domain.charge import Charge, Posted
from rfid_station.domain.token import Party
from rfid_station.domain.uid import masked
from rfid_station.errors import Conflict
from rfid_station.ocpi.port import ChargeBook
from rfid_station.ocpi.server.request import (
    CLIENT_ERROR,
    INVALID_PARAMETERS,
    Asked,
    Reply,
    done,
    refusal,
    success,
)
from rfid_station.ocpi.wire.transport import complaints
from rfid_station.ocpi.wire.usage import merged, read_cdr, read_session

LONGEST_ID = 64
"""Characters in a URL; none that we took is longer."""

NOBODY = Party("", "")


class Refusal(Exception):
    """A request that is refused, with its answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class _Receiver:
    """What both have in common: who may speak of whom, and what cannot be read."""

    def __init__(self, version: str, book: ChargeBook) -> None:
        self._version = version
        self._book = book

    async def serve(self, asked: Asked, request: Request) -> Reply:
        """Answer one request. The book is waited for in a thread, and by nobody else."""
        if asked.who.is_guest:
            reply = refusal(401, CLIENT_ERROR, "register first")
            return reply.having((b"www-authenticate", b"Token"))
        asked.routed = self._version
        try:
            return await asyncio.to_thread(self._answer, asked, request.path_params)
        except Refusal as refused:
            return refused.reply

    def _answer(self, asked: Asked, named: dict[str, str]) -> Reply:
        raise NotImplementedError

    def _speaks_for(self, asked: Asked, party: Party) -> bool:
        return asked.who.profile.is_hub or party in self._parties(asked)

    def _parties(self, asked: Asked) -> tuple[Party, ...]:
        return tuple(
            Party(one.country_code.upper(), one.party_id.upper())
            for one in self._book.parties_of(asked.who.partner)
        )


class SessionsReceiver(_Receiver):
    """The Sessions module of one version."""

    def _answer(self, asked: Asked, named: dict[str, str]) -> Reply:
        party, id_ = _named(named)
        if not self._speaks_for(asked, party):
            return refusal(404, CLIENT_ERROR, f"you are not {party}"[:100])
        if asked.method == "GET":
            return self._found(asked, party, id_)
        told = _read(asked.body)
        if asked.method == "PATCH":
            told = self._patched(asked, party, id_, told)
        try:
            session = read_session(self._version, told, party, asked.who.profile)
        except ValidationError as invalid:
            return refusal(200, INVALID_PARAMETERS, f"Session: {complaints(invalid)}")
        if (session.party, session.id.upper()) != (party, id_.upper()):
            return refusal(200, INVALID_PARAMETERS, "the URL is one of another session")
        asked.uid = _whose(session)
        try:
            self._book.put_session(asked.who.partner, session)
        except Conflict:
            return _too_many()
        return done()

    def _found(self, asked: Asked, party: Party, id_: str) -> Reply:
        kept = self._book.session(asked.who.partner, party, id_, self._version)
        return success(kept.encode()) if kept else _never_told()

    def _patched(self, asked: Asked, party: Party, id_: str, part: object) -> object:
        """The session as it is with what a PATCH changes.

        :raises Refusal: it was never told, or the PATCH is no object, or lacks what it needs
        """
        if not isinstance(part, dict):
            raise Refusal(refusal(200, INVALID_PARAMETERS, "Session: the whole: is no object"))
        if self._version != "2.1.1" and "last_updated" not in part:
            raise Refusal(refusal(200, INVALID_PARAMETERS, "Session: last_updated: a PATCH has to have it"))
        kept = self._book.session(asked.who.partner, party, id_, self._version)
        if kept is None:
            raise Refusal(_never_told())
        return merged(kept, part)


class CdrsReceiver(_Receiver):
    """The CDRs module of one version."""

    def __init__(self, version: str, url: str, book: ChargeBook) -> None:
        super().__init__(version, book)
        self._url = url

    def _answer(self, asked: Asked, named: dict[str, str]) -> Reply:
        if asked.method == "GET":
            party, id_ = _named(named)
            kept = self._book.cdr(asked.who.partner, party, id_, self._version)
            return success(kept.encode()) if kept else _never_told()
        try:
            cdr = read_cdr(self._version, _read(asked.body), self._teller(asked), asked.who.profile)
        except ValidationError as invalid:
            return refusal(200, INVALID_PARAMETERS, f"CDR: {complaints(invalid)}")
        if not self._speaks_for(asked, cdr.party):
            return refusal(200, INVALID_PARAMETERS, f"CDR: you are not {cdr.party}"[:100])
        asked.uid = _whose(cdr)
        try:
            posted = self._book.post_cdr(asked.who.partner, cdr)
        except Conflict:
            return _too_many()
        where = (cdr.party.country_code, cdr.party.party_id, cdr.id)
        url = "/".join([self._url, *(quote(step, safe="") for step in where)])
        return self._said(posted).having((b"location", url.encode("ascii")))

    def _teller(self, asked: Asked) -> Party:
        """Whose CDR it is where it does not say so: a platform of 2.1.1 is one party.

        :raises Refusal: it would have to, and we know of none
        """
        parties = self._parties(asked)
        if not parties and self._version == "2.1.1":
            raise Refusal(refusal(200, CLIENT_ERROR, "your credentials name no CPO"))
        return parties[0] if parties else NOBODY

    def _said(self, posted: Posted) -> Reply:
        if posted is Posted.DIFFERS:
            return refusal(200, CLIENT_ERROR, "another CDR of this id was told before, and stays")
        return done()


def _named(named: dict[str, str]) -> tuple[Party, str]:
    """Whose object a URL names, and which.

    :raises Refusal: it can be none
    """
    id_ = named["id"].rstrip("/")
    party = Party(named["country_code"].upper(), named["party_id"].upper())
    is_readable = all(step.isascii() and step.isprintable() for step in (id_, *named.values()))
    if not is_readable or not 0 < len(id_) <= LONGEST_ID:
        raise Refusal(_never_told())
    return party, id_


def _read(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON is
    """What a request carries.

    :raises Refusal: it is not JSON
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(refusal(400, INVALID_PARAMETERS, "the body is not JSON")) from None


def _whose(charge: Charge) -> str:
    """The UID for the access log."""
    return masked(charge.token.uid) if charge.token.uid else ""


def _never_told() -> Reply:
    return refusal(404, CLIENT_ERROR, "never told")


def _too_many() -> Reply:
    return refusal(200, CLIENT_ERROR, "you have told of too many charges with tokens that are not ours")
