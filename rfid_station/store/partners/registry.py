"""Partners: added or invited, connected, and let in by the hash of their server token."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Role
from rfid_station.domain.partner import Connection, Partner, PartnerState, TokenUse
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.errors import Conflict
from rfid_station.ocpi.port import Caller
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.partners.covers import enforce
from rfid_station.store.partners.partner_rows import (
    agreement_columns,
    connection_text,
    owed_anew,
    partner_from,
    partner_row,
    profile_columns,
    profile_from,
)
from rfid_station.store.tables import hub_client, parked, partner, server_token

HANDSHAKE = Actor("handshake", Role.SYSTEM)


def server_token_hash(server_token: str) -> str:
    """What is stored in a server token's place: SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(server_token.encode("utf-8", "surrogatepass")).hexdigest()


class Partners:
    """The partners of the store. Also an `ocpi.port.PartnerBook`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Taken in

    def add(
        self,
        name: str,
        versions_url: str,
        client_token_ref: str,
        agreement: Agreement,
        actor: Actor,
        profile: PartnerProfile = STANDARD,
    ) -> Partner:
        """Take a partner in. Its cursors start at zero, so it will be sent every token there is.

        :raises Conflict: there is one of this name
        """
        with booking(self._database, actor) as ledger:
            _refuse_known(ledger, name)
            _insert(ledger, name, PartnerState.ADDED, versions_url, client_token_ref, agreement, profile)
            enforce(ledger, name)
            _note(ledger, name, "partner.added", versions_url=versions_url, profile=profile.name)
            return partner_from(partner_row(ledger.connection, name))

    def invite(
        self, name: str, guest_token_hash: str, agreement: Agreement, actor: Actor, profile: PartnerProfile
    ) -> Partner:
        """Take a partner in who will come to us with a guest token.

        :raises Conflict: there is one of this name
        """
        with booking(self._database, actor) as ledger:
            _refuse_known(ledger, name)
            _insert(ledger, name, PartnerState.INVITED, "", "", agreement, profile)
            enforce(ledger, name)
            row = partner_row(ledger.connection, name)
            _let_in(ledger, row, guest_token_hash, TokenUse.GUEST)
            _note(ledger, name, "partner.invited", profile=profile.name)
            return partner_from(row)

    def invite_again(self, name: str, guest_token_hash: str, actor: Actor) -> Partner:
        """Give a partner that is not connected a new guest token. The one before lets nobody in any more.

        :raises Conflict: it is connected
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            _refuse_connected(row)
            _drop_tokens(ledger, row)
            _let_in(ledger, row, guest_token_hash, TokenUse.GUEST)
            return _set(ledger, name, "partner.invited", state=PartnerState.INVITED.value)

    def readmit(self, name: str, versions_url: str, client_token_ref: str, actor: Actor) -> Partner:
        """Note the first token that a partner gave us anew. An invitation of ours ends.

        :raises Conflict: it is connected
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            _refuse_connected(row)
            _drop_tokens(ledger, row)
            return _set(
                ledger,
                name,
                "partner.added",
                state=PartnerState.ADDED.value,
                versions_url=versions_url,
                client_token_ref=client_token_ref,
            )

    def get(self, name: str) -> Partner:
        """One partner.

        :raises WrongCall: there is none of this name
        """
        with self._database.read() as connection:
            return partner_from(partner_row(connection, name))

    def all(self) -> list[Partner]:
        """Every partner, by name."""
        with self._database.read() as connection:
            return [partner_from(row) for row in connection.execute(select(partner).order_by(partner.c.name))]

    def set_profile(self, name: str, profile: PartnerProfile, actor: Actor) -> Partner:
        """Give a partner another profile. It counts for the next request.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            partner_row(ledger.connection, name)
            return _set(ledger, name, "partner.profile", **profile_columns(profile))

    def agree(self, name: str, agreement: Agreement, actor: Actor) -> Partner:
        """Put another agreement into force: what the partner gains is owed to it, what it loses is withdrawn.

        A partner that was to lose everything is kept by it.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            before = partner_row(ledger.connection, name)
            columns = agreement_columns(agreement)
            kept = update(partner).where(partner.c.id == before.id).values(**columns, is_ending=False)
            ledger.connection.execute(kept)
            enforce(ledger, name, restate=before.whitelist != columns["whitelist"])
            told = {entry: str(value) for entry, value in columns.items() if value is not None}
            _note(ledger, name, "partner.agreed", **told)
            return partner_from(partner_row(ledger.connection, name))

    def begin_ending(self, name: str, actor: Actor) -> Partner:
        """Withdraw every card from a connected partner, whatever its agreement says, until it connects anew.

        :raises Conflict: it is not connected
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            if not row.connection:
                raise Conflict(f"partner {name} is {row.state}, not connected")
            ending = _set(ledger, name, "partner.ending", is_ending=True)
            enforce(ledger, name)
            return ending

    # Our handshakes

    def begin_connecting(self, name: str, server_token_hash: str) -> Partner:
        """Let a partner in by a new server token while the handshake lasts, beside the one it may have.

        A connected partner stays connected meanwhile.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            _drop_tokens(ledger, row, server_token.c.use == TokenUse.OFFERED)
            _let_in(ledger, row, server_token_hash, TokenUse.OFFERED)
            state = PartnerState.CONNECTED if row.connection else PartnerState.CONNECTING
            return _set(ledger, name, "partner.connecting", state=state.value)

    def finish_connecting(
        self, name: str, connection: Connection, client_token_ref: str, actor: Actor
    ) -> Partner:
        """Keep what the handshake gave. From now on only the new server token lets the partner in.

        :raises Conflict: no handshake is going on
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            if not _count(ledger, row, TokenUse.OFFERED):
                raise Conflict(
                    f"partner {name} is {row.state}: no handshake is going on",
                    hint=f"rfid-station partner connect {name}",
                )
            _drop_tokens(ledger, row, server_token.c.use != TokenUse.OFFERED)
            _reuse(ledger, row, TokenUse.OFFERED, TokenUse.VALID)
            return _connect(ledger, name, "partner.connected", connection, client_token_ref)

    def connect_at_once(self, name: str, connection: Connection, actor: Actor) -> Partner:
        """Keep a connection that takes no handshake. Nobody is let in by it.

        :raises Conflict: it is connected already
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            _refuse_connected(row)
            _drop_tokens(ledger, row)
            return _connect(ledger, name, "partner.connected", connection, "")

    def abort_connecting(self, name: str) -> Partner:
        """Put everything back to how it was before the handshake. Without one nothing changes.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            if not _count(ledger, row, TokenUse.OFFERED):
                return partner_from(row)
            _drop_tokens(ledger, row, server_token.c.use == TokenUse.OFFERED)
            before = PartnerState.INVITED if _count(ledger, row, TokenUse.GUEST) else PartnerState.ADDED
            state = PartnerState.CONNECTED if row.connection else before
            return _set(ledger, name, "partner.not_connected", state=state.value)

    def keep_both(self, name: str) -> Partner:
        """Let a partner in by its old and by its new server token: nobody knows which one it holds.

        The next handshake that succeeds ends that.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            _reuse(ledger, row, TokenUse.OFFERED, TokenUse.VALID)
            _note(ledger, name, "partner.rotation_uncertain")
            return partner_from(row)

    # Handshakes of partners

    def grant(
        self,
        name: str,
        connection: Connection,
        client_token_ref: str,
        server_token_hash: str,
        *,
        is_registered: bool,
    ) -> Partner:
        """Keep what a partner's own handshake gave, and the server token that goes into our answer.

        What let it in before still does, until it shows the new one: our answer may be lost.

        :param is_registered: whether it was when it called; another handshake may have come between
        :raises Conflict: it is registered by now, or not any more
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            if bool(row.connection) is not is_registered:
                raise Conflict(
                    f"partner {name} is {row.state} by now", hint=f"rfid-station partner show {name}"
                )
            _drop_tokens(ledger, row, server_token.c.use.in_([TokenUse.GRANTED, TokenUse.OFFERED]))
            _let_in(ledger, row, server_token_hash, TokenUse.GRANTED)
            action = "partner.rotated" if is_registered else "partner.registered"
            return _connect(ledger, name, action, connection, client_token_ref)

    def note_repeat(self, name: str) -> None:
        """Witness that a partner registered once more: our answer to the first time may not have arrived."""
        with booking(self._database, HANDSHAKE) as ledger:
            _note(ledger, name, "partner.registered_again_refused")

    def disconnect(self, name: str, actor: Actor) -> Partner:
        """End a connection: no server token lets the partner in, and after a new handshake it gets all anew.

        :raises Conflict: there is no connection
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            if not row.connection:
                raise Conflict(f"partner {name} is {row.state}, not connected")
            _drop_tokens(ledger, row)
            ledger.connection.execute(delete(parked).where(parked.c.partner_id == row.id))
            ledger.connection.execute(delete(hub_client).where(hub_client.c.partner_id == row.id))
            return _set(
                ledger,
                name,
                "partner.disconnected",
                state=PartnerState.DISCONNECTED.value,
                connection=None,
                client_token_ref="",
                **owed_anew(),
            )

    # Who calls

    def server_tokens(self, name: str) -> dict[TokenUse, int]:
        """How many server tokens a partner has of each kind.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            row = partner_row(connection, name)
            uses = select(server_token.c.use).where(server_token.c.partner_id == row.id)
            return dict(Counter(map(TokenUse, connection.execute(uses).scalars())))

    def caller_of(self, server_token: str) -> Caller | None:
        """Who may use this server token, or None.

        Takes the same time whichever hash it is compared with. A granted token that is shown for the
        first time ends every other one of its partner.
        """
        shown = server_token_hash(server_token)
        found: Row[Any] | None = None
        with self._database.read() as connection:
            for row in connection.execute(_KEPT):
                if hmac.compare_digest(row.hash, shown):
                    found = row
        if found is None:
            return None
        if found.use == TokenUse.GRANTED:
            self._confirm(shown)
        return _caller_from(found)

    def _confirm(self, shown: str) -> None:
        with booking(self._database, HANDSHAKE) as ledger:
            row = ledger.connection.execute(_GRANTED.where(server_token.c.hash == shown)).one_or_none()
            if row is None:
                return  # another request came first, or the partner was let go
            others = and_(server_token.c.partner_id == row.id, server_token.c.hash != shown)
            ledger.connection.execute(delete(server_token).where(others))
            ledger.connection.execute(
                update(server_token).where(server_token.c.hash == shown).values(use=TokenUse.VALID.value)
            )
            _note(ledger, row.name, "partner.token_confirmed")


_KEPT = select(
    server_token.c.hash,
    server_token.c.use,
    partner.c.name,
    partner.c.connection.is_not(None).label("is_connected"),
    partner.c.profile,
    partner.c.profile_table,
).join_from(server_token, partner)

_GRANTED = (
    select(partner.c.id, partner.c.name)
    .join_from(server_token, partner)
    .where(server_token.c.use == TokenUse.GRANTED)
)


def _caller_from(row: Row[Any]) -> Caller:
    """Whom a first handshake of ours lets in may look, and is not to register by itself meanwhile."""
    is_called_back = row.use == TokenUse.OFFERED and not row.is_connected
    return Caller(
        partner=row.name,
        is_guest=row.use == TokenUse.GUEST or is_called_back,
        is_registered=bool(row.is_connected or is_called_back),
        profile=profile_from(row.profile, row.profile_table),
    )


def _refuse_known(ledger: Ledger, name: str) -> None:
    known = select(partner.c.state).where(partner.c.name == name)
    state = ledger.connection.execute(known).scalar_one_or_none()
    if state is not None:
        raise Conflict(f"there is a partner {name} already, {state}", hint="rfid-station partner list")


def _refuse_connected(row: Row[Any]) -> None:
    if row.connection:
        raise Conflict(
            f"{row.name} is connected already", hint=f"rfid-station partner disconnect {row.name}, first"
        )


def _insert(
    ledger: Ledger,
    name: str,
    state: PartnerState,
    versions_url: str,
    client_token_ref: str,
    agreement: Agreement,
    profile: PartnerProfile,
) -> None:
    values = {
        "id": next_id(partner),
        "name": name,
        "state": state.value,
        "versions_url": versions_url,
        "client_token_ref": client_token_ref,
        "bulk_cursor": 0,
        "urgent_cursor": 0,
        "resync_no": 0,
        "is_ending": False,
        "cover_no": 0,
        **agreement_columns(agreement),
        **profile_columns(profile),
    }
    ledger.connection.execute(insert(partner).values(values))


def _let_in(ledger: Ledger, row: Row[Any], token_hash: str, use: TokenUse) -> None:
    values = {"hash": token_hash, "partner_id": row.id, "use": use.value}
    ledger.connection.execute(insert(server_token).values(values))


def _drop_tokens(ledger: Ledger, row: Row[Any], *which: ColumnElement[bool]) -> None:
    ledger.connection.execute(delete(server_token).where(server_token.c.partner_id == row.id, *which))


def _reuse(ledger: Ledger, row: Row[Any], before: TokenUse, after: TokenUse) -> None:
    of_partner = and_(server_token.c.partner_id == row.id, server_token.c.use == before)
    ledger.connection.execute(update(server_token).where(of_partner).values(use=after.value))


def _count(ledger: Ledger, row: Row[Any], use: TokenUse) -> int:
    of_partner = and_(server_token.c.partner_id == row.id, server_token.c.use == use)
    count = select(func.count()).select_from(server_token).where(of_partner)
    return ledger.connection.execute(count).scalar_one()


def _connect(
    ledger: Ledger, name: str, action: str, connection: Connection, client_token_ref: str
) -> Partner:
    before = partner_row(ledger.connection, name)
    connected = {
        "state": PartnerState.CONNECTED.value,
        "versions_url": connection.versions_url,
        "connection": connection_text(connection),
        "client_token_ref": client_token_ref,
        "is_ending": before.is_ending and before.connection is not None,
    }
    _set(ledger, name, action, **connected)
    enforce(ledger, name)
    ledger.connection.execute(
        update(partner).where(partner.c.name == name, partner.c.met_at.is_(None)).values(met_at=ledger.at)
    )
    return partner_from(partner_row(ledger.connection, name))


def _set(ledger: Ledger, name: str, action: str, **columns: str | int | ColumnElement[int] | None) -> Partner:
    ledger.connection.execute(update(partner).where(partner.c.name == name).values(columns))
    _note(ledger, name, action)
    return partner_from(partner_row(ledger.connection, name))


def _note(ledger: Ledger, name: str, action: str, **data: object) -> None:
    ledger.note(action, f"partner:{name}", **data)
