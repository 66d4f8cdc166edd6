"""The store that a station's settings name."""

from __future__ import annotations

from pathlib import Path

from rfid_station.domain.actor import Actor
from rfid_station.errors import WrongCall
from rfid_station.settings import PROMPT, Settings, store_url
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.vault import Vault


def open_own_store(settings: Settings, folder: Path) -> Store:
    """Open the store of a station.

    :raises WrongCall: its address is wrong, or its password is not where it should be
    :raises StoreError: it cannot be used
    """
    return open_store(store_url(settings, folder), password=store_password(settings, folder))


def create_own_store(settings: Settings, folder: Path, actor: Actor) -> None:
    """Make the store of a new station.

    :raises Conflict: there is something at this place already
    :raises WrongCall: its address is wrong, or its password is not where it should be
    :raises StoreError: it cannot be made
    """
    url, password = store_url(settings, folder), store_password(settings, folder)
    create_store(url, password=password, actor=actor).close()


def store_password(settings: Settings, folder: Path) -> str | None:
    """The password of the account on the store's server, if it takes one.

    :raises WrongCall: it is not where the settings say
    """
    reference = settings.store.password
    if reference is None:
        return None
    if reference == PROMPT:
        raise WrongCall(
            "the password of the store cannot be asked for: desks open the store many times a day",
            hint='say where it lies: password = "file:database" in [store]',
        )
    return Vault(folder / "secrets").read(reference)
