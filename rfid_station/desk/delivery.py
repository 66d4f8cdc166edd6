"""What partners are owed, brought to them: in the background of the desk, or on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rfid_station.desk.station import Station
from rfid_station.domain.partner import Connection, Partner, PartnerState
from rfid_station.ocpi.client import OcpiClient, TokensReceiver
from rfid_station.sync.port import Peer
