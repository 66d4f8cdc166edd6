"""Who stands behind a hub, as the hub tells it (OCPI 2.2.1 mod_hub_client_info; unchanged in 2.3.0)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rfid_station.domain.token import Party


class ConnectionStatus(StrEnum):
    """What a party behind a hub is good for (mod_hub_client_info, ConnectionStatus)."""

    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    """For a while. What it misses it reads when it is back."""
    PLANNED = "PLANNED"
    """Not there yet, so it holds nothing."""
    SUSPENDED = "SUSPENDED"
    """Not to be asked any more."""


AWAY = (ConnectionStatus.OFFLINE, ConnectionStatus.SUSPENDED)
"""Who is there, and is not reached."""

MOST_NAMES = 10
"""In one sentence."""


@dataclass(frozen=True, slots=True)
class HubClient:
    """One party behind a hub, in one role. `last_updated` is the hub's, in UTC and to the millisecond."""

    party: Party
    role: str
    status: ConnectionStatus
    last_updated: datetime

    def __str__(self) -> str:
        return f"{self.party} {self.role} {self.status}"


@dataclass(frozen=True, slots=True)
class BehindHub:
    """The operators behind one hub."""

    operators: int
    """How many of them the hub named; 0 if it named none."""
    away: tuple[HubClient, ...]
    """Those of them that the hub does not reach, as it last told."""

    @property
    def named(self) -> str:
        """The names of those that are away, of many the first few."""
        more = len(self.away) - MOST_NAMES
        names = ", ".join(f"{one.party} {one.status}" for one in self.away[:MOST_NAMES])
        return f"{names}, +{more}" if more > 0 else names

    def __str__(self) -> str:
        if not self.operators:
            return "it has not told who they are"
        count = f"{self.operators} CPO{'s' if self.operators != 1 else ''} behind it"
        if not self.away:
            return f"{count}, none of them away as it last told"
        return f"{count}, away as it last told: {self.named}; these hear of it later, if at all"


def behind_hub(clients: Iterable[HubClient], parties: Iterable[Party] = ()) -> BehindHub:
    """Count the operators behind a hub.

    :param clients: what it told in HubClientInfo
    :param parties: the operators that its credentials name; a hub of 2.3.0 lists them there
    """
    operators = [one for one in clients if one.role == "CPO" and one.status is not ConnectionStatus.PLANNED]
    named = {*parties, *(one.party for one in operators)}
    return BehindHub(len(named), tuple(one for one in operators if one.status in AWAY))
