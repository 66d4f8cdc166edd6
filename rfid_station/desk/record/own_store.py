"""The store that a station's settings name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rfid_station.desk.record.lease_note import note_lease
from rfid_station.domain.actor import Actor
from rfid_station.domain.lease import Lease, Leasing
from rfid_station.errors import WrongCall
from rfid_station.settings import COPY_MINUTES, LEASE, PROMPT, Settings, store_url
from rfid_station.store.engines.address import is_on_server, without_password
from rfid_station.store.engines.engine import utc_now
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.vault import Vault


def open_own_store(settings: Settings, folder: Path) -> Store:
    """Open the store of a station.

    :raises WrongCall: its address is wrong, or its password is not where it should be
    :raises StoreError: it cannot be used
    """
    return open_store(
        store_url(settings, folder),
        password=store_password(settings, folder),
        leasing=leasing_of(settings, folder),
    )


def create_own_store(settings: Settings, folder: Path, actor: Actor) -> None:
    """Make the store of a new station.

    :raises Conflict: there is something at this place already
    :raises WrongCall: its address is wrong, or its password is not where it should be
    :raises StoreError: it cannot be made
    """
    url, password = store_url(settings, folder), store_password(settings, folder)
    create_store(url, password=password, actor=actor).close()


def leasing_of(settings: Settings, folder: Path) -> Leasing | None:
    """How this desk leases numbers, and where it writes down what it holds; None if it leases none."""
    size = settings.store.lease
    if size is None:
        size = LEASE if is_on_server(settings.store.url) else 0
    store = store_name(settings, folder)

    def keep(held: Lease) -> None:
        note_lease(folder, store, held, utc_now())

    return Leasing(settings.desk.place, size, keep) if size else None


def store_name(settings: Settings, folder: Path) -> str:
    """The store as messages name it, and by what the desk's own papers about it are known."""
    return without_password(store_url(settings, folder))


def copy_age_allowed(settings: Settings) -> timedelta | None:
    """How old the desk's own copy of the store may get while it works; None: no copy is kept."""
    minutes = settings.store.copy_minutes
    if not is_on_server(settings.store.url):
        return None
    return timedelta(minutes=COPY_MINUTES if minutes is None else minutes) or None


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
