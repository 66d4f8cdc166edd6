"""Partners: added, connected, and let in by the hash of their server token."""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy import Delete, delete, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Role
from rfid_station.domain.partner import Connection, Partner, PartnerState
from rfid_station.errors import Conflict
from rfid_station.store.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.partner_rows import connection_text, partner_from, partner_row
from rfid_station.store.tables import partner, server_token

HANDSHAKE = Actor("handshake", Role.SYSTEM)


def server_token_hash(server_token: str) -> str:
    """What is stored in a server token's place: SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(server_token.encode("utf-8", "surrogatepass")).hexdigest()


class Partners:
    """The partners of the store. Also an `ocpi.port.PartnerBook`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, versions_url: str, client_token_ref: str, agreement: Agreement, actor: Actor
    ) -> Partner:
        """Take a partner in. Its cursors start at zero, so it will be sent every token there is.

        :raises Conflict: there is one of this name
        """
        with booking(self._database, actor) as ledger:
            known = select(partner.c.state).where(partner.c.name == name)
            state = ledger.connection.execute(known).scalar_one_or_none()
            if state is not None:
                raise Conflict(
                    f"there is a partner {name} already, {state}", hint="rfid-station partner list"
                )
            values = {
                "name": name,
                "state": PartnerState.ADDED.value,
                "versions_url": versions_url,
                "client_token_ref": client_token_ref,
                "since": agreement.since,
                "until": agreement.until,
                "whitelist": agreement.whitelist,
                "bulk_cursor": 0,
                "urgent_cursor": 0,
            }
            ledger.connection.execute(insert(partner).values(values))
            _note(ledger, name, "partner.added", versions_url=versions_url)
            return partner_from(partner_row(ledger.connection, name))

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

    def begin_connecting(self, name: str, server_token_hash: str) -> Partner:
        """Let a partner in by a new server token while the handshake lasts, beside the one it may have.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            ledger.connection.execute(_new_tokens(row.id))
            ledger.connection.execute(
                insert(server_token).values(hash=server_token_hash, partner_id=row.id, is_new=True)
            )
            return _set(ledger, name, "partner.connecting", state=PartnerState.CONNECTING.value)

    def finish_connecting(
        self, name: str, connection: Connection, client_token_ref: str, actor: Actor
    ) -> Partner:
        """Keep what the handshake gave. From now on only the new server token lets the partner in.

        :raises Conflict: no handshake is going on
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            if row.state != PartnerState.CONNECTING:
                raise Conflict(
                    f"partner {name} is {row.state}: no handshake is going on",
                    hint=f"rfid-station partner connect {name}",
                )
            of_partner = server_token.c.partner_id == row.id
            ledger.connection.execute(
                delete(server_token).where(of_partner, server_token.c.is_new.is_(False))
            )
            ledger.connection.execute(update(server_token).where(of_partner).values(is_new=False))
            return _set(
                ledger,
                name,
                "partner.connected",
                state=PartnerState.CONNECTED.value,
                connection=connection_text(connection),
                client_token_ref=client_token_ref,
            )

    def abort_connecting(self, name: str) -> Partner:
        """Put everything back to how it was before the handshake. Without one nothing changes.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, HANDSHAKE) as ledger:
            row = partner_row(ledger.connection, name)
            if row.state != PartnerState.CONNECTING:
                return partner_from(row)
            ledger.connection.execute(_new_tokens(row.id))
            before = PartnerState.CONNECTED if row.connection else PartnerState.ADDED
            return _set(ledger, name, "partner.not_connected", state=before.value)

    def partner_of(self, server_token: str) -> str | None:
        """The name of the partner that may use this server token, or None.

        Takes the same time whichever hash it is compared with.
        """
        shown = server_token_hash(server_token)
        name: str | None = None
        with self._database.read() as connection:
            for kept, owner in connection.execute(_HASHES):
                if hmac.compare_digest(kept, shown):
                    name = owner
        return name


_HASHES = select(server_token.c.hash, partner.c.name).join_from(server_token, partner)


def _new_tokens(partner_id: int) -> Delete:
    return delete(server_token).where(
        server_token.c.partner_id == partner_id, server_token.c.is_new.is_(True)
    )


def _set(ledger: Ledger, name: str, action: str, **columns: str) -> Partner:
    ledger.connection.execute(update(partner).where(partner.c.name == name).values(columns))
    _note(ledger, name, action)
    return partner_from(partner_row(ledger.connection, name))


def _note(ledger: Ledger, name: str, action: str, **data: object) -> None:
    ledger.note(action, f"partner:{name}", **data)
