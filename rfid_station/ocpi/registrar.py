"""Registering partners who come to us: their credentials against ours, with our call-back in between.

Everything is looked at before anything is kept, our answer is written before anything is kept, and
what is kept is kept in one step (`Registry.grant`). So whatever fails, the partner stands as it stood.
While we call back, nothing is locked but this partner's own registration.

Source: OCPI 2.2.1 credentials (Registration, GET, POST, PUT, DELETE), status_codes 3xxx; 2.1.1 and 2.3.0
say the same.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import HeaderEncoding, PartnerProfile
from rfid_station.errors import Conflict, PartnerRefused, StationError, WrongCall
from rfid_station.ocpi.answer import Answer
from rfid_station.ocpi.client import OcpiClient, check_url
from rfid_station.ocpi.handshake import (
    needed_endpoints,
    our_credentials,
    partner_url,
    read_their_credentials,
)
from rfid_station.ocpi.port import Caller, CredentialsReply, Us
from rfid_station.ocpi.reach import PUBLIC, Reach
from rfid_station.ocpi.wire.dialect import Dialect, dialect_of
from rfid_station.ocpi.wire.fields import only_object
from rfid_station.ocpi.wire.transport import SUCCESS, read_versions

CALL_BACK_S = 10.0
"""Per call: the partner's POST waits for two of them."""
SERVER_TOKEN_BYTES = 32

CLIENT_ERROR, INVALID = 2000, 2001
CANNOT_USE_API, UNSUPPORTED_VERSION, MISSING_ENDPOINTS = 3001, 3002, 3003
"""OCPI 2.2.1 status_codes."""


class Registry(Protocol):
    """Where registrations are kept. Each call is whole, or did not happen."""

    def grant(
        self,
        partner: str,
        connection: Connection,
        client_token: str,
        server_token: str,
        *,
        is_registered: bool,
    ) -> None:
        """Keep a registration, with the server token that goes into our answer.

        The tokens that let the partner in before do so until it shows the new one.

        :raises Conflict: it is registered by now (or not any more, where it was)
        """

    def release(self, partner: str) -> None:
        """End a registration: no token lets the partner in any more.

        :raises Conflict: there is none
        """

    def note_repeat(self, partner: str) -> None:
        """Witness that a registered partner registered once more."""


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What a partner's credentials and its own endpoints say."""

    connection: Connection
    client_token: str


class _No(Exception):
    """What is answered instead of our credentials."""

    def __init__(self, http_status: int, status_code: int, message: str) -> None:
        super().__init__(message)
        self.reply = CredentialsReply(http_status, status_code, message)


class Registrar:
    """An `ocpi.port.CredentialsDesk` over a registry. Used by many threads at once.

    :param timeout_s: how long each of the two calls back may take
    :param reach: what is called back
    :param draw_token: makes a server token of 1 to 64 printable ASCII characters
    """

    def __init__(
        self,
        us: Us,
        registry: Registry,
        *,
        timeout_s: float = CALL_BACK_S,
        reach: Reach = PUBLIC,
        draw_token: Callable[[], str] = lambda: secrets.token_urlsafe(SERVER_TOKEN_BYTES),
    ) -> None:
        self._us = us
        self._registry = registry
        self._timeout_s = timeout_s
        self._reach = reach.beside(us.versions_url)
        self._draw_token = draw_token
        self._lock = threading.Lock()
        self._at_work: set[str] = set()

    def get(self, caller: Caller, shown_token: str, version: str) -> CredentialsReply:
        """The credentials that this caller uses for us: we keep hashes, so it is the token it has shown."""
        data = our_credentials(dialect_of(version), self._us, shown_token, caller.profile)
        return CredentialsReply(200, SUCCESS, "Success", data)

    def post(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        """Register: their token, our answer. 405 for who is registered already."""
        if caller.is_registered:
            self._registry.note_repeat(caller.partner)
            return _registered_already().reply
        return self._exchange(caller, version, data)

    def put(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        """A new version, other endpoints, or other tokens. 405 for who is not registered."""
        if not _is_member(caller):
            return _not_registered().reply
        return self._exchange(caller, version, data)

    def delete(self, caller: Caller) -> CredentialsReply:
        """Unregister. 405 for who is not registered."""
        if not _is_member(caller):
            return _not_registered().reply
        try:
            with self._alone(caller.partner):
                self._registry.release(caller.partner)
        except Conflict:
            return _not_registered().reply
        except _No as no:
            return no.reply
        return CredentialsReply(200, SUCCESS, "Success")

    def _exchange(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        try:
            with self._alone(caller.partner):
                theirs = self._look_at(caller, version, data)
                server_token = self._draw_token()
                ours = our_credentials(dialect_of(version), self._us, server_token, caller.profile)
                self._registry.grant(
                    caller.partner,
                    theirs.connection,
                    theirs.client_token,
                    server_token,
                    is_registered=caller.is_registered,
                )
        except Conflict:
            return (_not_registered() if caller.is_registered else _registered_already()).reply
        except _No as no:
            return no.reply
        return CredentialsReply(200, SUCCESS, "Success", ours)

    @contextmanager
    def _alone(self, partner: str) -> Iterator[None]:
        """One registration of a partner at a time; others of it are told so, and do not wait."""
        with self._lock:
            if partner in self._at_work:
                raise _No(200, CLIENT_ERROR, "another registration of yours is going on: try again")
            self._at_work.add(partner)
        try:
            yield
        finally:
            with self._lock:
                self._at_work.discard(partner)

    def _look_at(self, caller: Caller, version: str, data: object) -> _Theirs:
        """Read what they told, then see for ourselves at their versions and details."""
        dialect = _dialect(caller, version)
        client_token, connection = _read(dialect, data, caller.profile)
        details_url = self._find_version(caller.profile, version, client_token, connection.versions_url)
        with self._client(client_token, caller.profile.header_of(version)) as client:
            endpoints = _read_details(client, dialect, details_url)
        try:
            needed_endpoints(endpoints, connection.versions_url, caller.profile)
        except PartnerRefused as missing:
            raise _No(200, MISSING_ENDPOINTS, _to_them(missing)) from None
        found = Connection(version, connection.versions_url, endpoints, connection.parties)
        return _Theirs(found, client_token)

    def _find_version(
        self, profile: PartnerProfile, version: str, client_token: str, versions_url: str
    ) -> str:
        """Ask for their versions in every way in which the token may have to be written.

        The list belongs to no version, and partners read the header there as one of theirs.
        """
        answers = []
        for encoding in dict.fromkeys(map(profile.header_of, (version, *profile.versions))):
            with self._client(client_token, encoding) as client:
                answers.append(client.call("GET", versions_url))
            if answers[-1].is_acknowledged or answers[-1].http_status is None:
                return _details_url(answers[-1], version, versions_url)
        return _details_url(answers[0], version, versions_url)

    def _client(self, client_token: str, encoding: HeaderEncoding) -> OcpiClient:
        return OcpiClient(client_token, encoding=encoding, timeout_s=self._timeout_s, reach=self._reach)


def _dialect(caller: Caller, version: str) -> Dialect:
    if version not in caller.profile.versions:
        listed = ", ".join(caller.profile.versions)
        raise _No(200, UNSUPPORTED_VERSION, f"OCPI {listed} was agreed on with you, not {version}")
    return dialect_of(version)


def _read(dialect: Dialect, data: object, profile: PartnerProfile) -> tuple[str, Connection]:
    """Their token, versions URL and parties, nothing else known yet."""
    try:
        client_token, parties = read_their_credentials(dialect, data, profile)
        told = only_object(data)
        versions_url = check_url(str(told.get("url")) if isinstance(told, dict) else "", "url")
    except (PartnerRefused, WrongCall) as unusable:
        raise _No(200, INVALID, _to_them(unusable)) from None
    if not parties:
        raise _No(200, INVALID, "your roles name no CPO, and cards are for CPOs")
    return client_token, Connection(dialect.VERSION, versions_url, (), parties)


def _details_url(answer: Answer, version: str, versions_url: str) -> str:
    if not answer.is_acknowledged or not isinstance(answer.data, list):
        raise _No(200, CANNOT_USE_API, f"your versions cannot be read with your token: {_words(answer)}")
    urls = [entry.url for entry in read_versions(answer.data) if entry.version == version]
    if not urls:
        raise _No(200, UNSUPPORTED_VERSION, f"your versions list no {version}")
    try:
        return partner_url(urls[0], "details URL", versions_url)
    except PartnerRefused as unusable:
        raise _No(200, CANNOT_USE_API, _to_them(unusable)) from None


def _read_details(client: OcpiClient, dialect: Dialect, details_url: str) -> tuple[Endpoint, ...]:
    answer = client.call("GET", details_url)
    if not answer.is_acknowledged:
        raise _No(200, CANNOT_USE_API, f"your version details cannot be read: {_words(answer)}")
    try:
        return dialect.read_endpoints(answer.data)
    except PartnerRefused as unreadable:
        raise _No(200, CANNOT_USE_API, _to_them(unreadable)) from None


def _words(answer: Answer) -> str:
    if answer.is_acknowledged:
        return f"{answer.outcome.detail}, and data is no list"
    return answer.outcome.detail


def _to_them(error: StationError) -> str:
    """An error of ours as the partner reads it."""
    return error.message.replace("the partner's ", "your ").replace("the partner does", "you do")


def _is_member(caller: Caller) -> bool:
    return caller.is_registered and not caller.is_guest


def _registered_already() -> _No:
    return _No(
        405,
        CLIENT_ERROR,
        "you are registered already; if our answer was lost, ask our operator for a new invitation",
    )


def _not_registered() -> _No:
    return _No(405, CLIENT_ERROR, "you are not registered: POST your credentials first")
