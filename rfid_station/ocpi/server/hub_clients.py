"""What hubs tell us about the parties behind them: the HubClientInfo receiver.

Source: OCPI 2.2.1 mod_hub_client_info (Receiver Interface, ClientInfo); unchanged in 2.3.0.
"""

from __future__ import annotations

import threading
from enum import StrEnum

from pydantic import field_validator

from rfid_station.ocpi.wire.fields import CountryCode, PartyId
from rfid_station.ocpi.wire.transport import WireModel, instant

MOST_CLIENTS = 10_000
"""Of one hub."""

Key = tuple[str, str]


class ConnectionStatus(StrEnum):
    """What a party behind a hub is good for (mod_hub_client_info, ConnectionStatus)."""

    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    PLANNED = "PLANNED"
    SUSPENDED = "SUSPENDED"


class ClientInfo(WireModel):
    """ClientInfo class. The role is open: a hub may tell of parties that are not our business."""

    party_id: PartyId
    country_code: CountryCode
    role: str
    status: str
    last_updated: str

    @field_validator("status")
    @classmethod
    def _known_status(cls, status: str) -> str:
        return ConnectionStatus(status.upper()).value

    @field_validator("last_updated")
    @classmethod
    def _date_time(cls, last_updated: str) -> str:
        if instant(last_updated) is None:
            raise ValueError("is not a DateTime")
        return last_updated


class TooManyClientsError(Exception):
    """A hub tells of more parties than there can be."""


class HubClients:
    """What each hub told, kept while the process lives: a hub tells it again when it is asked."""

    def __init__(self) -> None:
        self._told: dict[str, dict[Key, ClientInfo]] = {}
        self._turn = threading.Lock()

    def get(self, hub: str, country_code: str, party_id: str) -> ClientInfo | None:
        """What a hub told about one party."""
        with self._turn:
            return self._told.get(hub, {}).get(_key(country_code, party_id))

    def put(self, hub: str, info: ClientInfo) -> bool:
        """Keep what a hub tells. Whether the party is new.

        :raises TooManyClientsError: there is no more room
        """
        with self._turn:
            told = self._told.setdefault(hub, {})
            key = _key(info.country_code, info.party_id)
            is_new = key not in told
            if is_new and len(told) >= MOST_CLIENTS:
                raise TooManyClientsError
            told[key] = info
            return is_new

    def all(self, hub: str) -> list[ClientInfo]:
        """Everything that a hub told, in order of its parties."""
        with self._turn:
            return [info for _, info in sorted(self._told.get(hub, {}).items())]


def read_client_info(data: object) -> ClientInfo:
    """Read a ClientInfo object.

    :raises ValidationError: it is none
    """
    return ClientInfo.model_validate(data)


def _key(country_code: str, party_id: str) -> Key:
    return country_code.upper(), party_id.upper()
