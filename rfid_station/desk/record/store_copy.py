"""The station's store taken to another engine, or back."""

from __future__ import annotations

from rfid_station.desk.station import Station
from rfid_station.store.backups.copying import Copied, copy_store


def copy_own_store(station: Station, url: str, password_reference: str | None) -> Copied:
    """Copy the store to a place where there is none. Which of the two is used, `station.toml` says.

    :param password_reference: where the password of a server's account lies
    :raises MoveNotAllowed: not this role
    :raises Conflict: there is something at that place
    :raises StoreError: one of the two cannot be used, or the copy is not what it should be; nothing is left
    :raises WrongCall: the URL names no place, or the password is not where it should be
    """
    password = station.vault.read(password_reference) if password_reference else None
    return copy_store(station.store.database, url, password, station.actor)
