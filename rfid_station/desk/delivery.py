"""What partners are owed, brought to them: in the background of the desk, or on demand."""

from __future__ import annotations

from rfid_station.desk.station import Station
from rfid_station.domain.partner import Connection, Partner, PartnerState
from rfid_station.ocpi.client import OcpiClient, TokensReceiver
from rfid_station.sync.port import Peer


def peers_of(station: Station) -> list[Peer]:
    """Every connected partner, ready to be sent tokens."""
    return [
        Peer(partner.name, _receiver(station, partner, partner.connection), partner.agreement)
        for partner in station.store.partners.all()
        if partner.state is PartnerState.CONNECTED and partner.connection
    ]
