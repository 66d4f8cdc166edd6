"""Where registrations of partners are kept: client tokens in the vault, all else in the store."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.desk.station import Station
from rfid_station.domain.partner import Connection
from rfid_station.store.partners.registry import HANDSHAKE, server_token_hash


@dataclass(frozen=True, slots=True)
class StationRegistry:
    """An `ocpi.registrar.Registry` over a station."""

    station: Station

    def grant(
        self,
        partner: str,
        connection: Connection,
        client_token: str,
        server_token: str,
        *,
        is_registered: bool,
    ) -> None:
        """Keep a registration: the secret first, then everything that refers to it, in one transaction.

        :raises Conflict: it is registered by now (or not any more, where it was)
        """
        vault, partners = self.station.vault, self.station.store.partners
        before = partners.get(partner).client_token_ref
        reference = vault.keep(partner, client_token)
        try:
            partners.grant(
                partner, connection, reference, server_token_hash(server_token), is_registered=is_registered
            )
        except BaseException:
            vault.forget(reference)
            raise
        vault.forget(before)

    def release(self, partner: str) -> None:
        """End a registration.

        :raises Conflict: there is none
        """
        before = self.station.store.partners.get(partner).client_token_ref
        self.station.store.partners.disconnect(partner, HANDSHAKE)
        self.station.store.contacts.forget(partner)
        self.station.vault.forget(before)

    def note_repeat(self, partner: str) -> None:
        """Witness that a registered partner registered once more."""
        self.station.store.partners.note_repeat(partner)
