"""Backups of the station's store, and a store made of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rfid_station.desk.keys.ring import Ask, ask_nobody
from rfid_station.desk.people.person import Claim, Person, claim_of
from rfid_station.desk.record.own_store import open_own_store
from rfid_station.desk.station import Station
from rfid_station.domain.actor import Actor
from rfid_station.errors import StationError, StoreError, WrongCall
from rfid_station.settings import PROMPT, Settings, load_settings, store_url
from rfid_station.store.backups.aftermath import NUMBERS_LEFT_OUT
from rfid_station.store.backups.backing_up import Backup, back_up
from rfid_station.store.backups.restoring import Prove, Restored, restore_elsewhere, restore_over
from rfid_station.store.engines.address import is_on_server, path_of
from rfid_station.store.opening import Store
from rfid_station.vault import Vault

FOLDER = "backups"
"""In the station's folder: where backups go that are given no name."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored, and how."""

    file: Path
    discard_newer: bool = False
    numbers_left_out: int = NUMBERS_LEFT_OUT
    to: str | None = None
    """The URL of a place where nothing is; without it, the station's own file."""
    to_password: str | None = None
    """Where the password of a server's account lies."""


def back_up_own_store(station: Station, file: Path | None = None) -> Backup:
    """Write the store into a new file while others work on.

    :raises MoveNotAllowed: not this role
    :raises Conflict: there is such a file already
    :raises StoreError: the store cannot be read, or the file not be written; no half backup has the name
    """
    now = station.store.database.clock()
    named = file or station.folder / FOLDER / f"station-{now:%Y%m%dT%H%M%SZ}.db"
    return back_up(station.store.database, named.absolute(), station.actor)


def restore_own_store(folder: Path, actor: Actor | Claim, wish: Wish, ask: Ask = ask_nobody) -> Restored:
    """Make the station's store of a backup. What was there before is kept.

    Whoever does that is proven by the store that is replaced, or by the backup where that cannot be read.

    :raises MoveNotAllowed: not this role
    :raises NotSignedIn: this is nobody that the store knows of
    :raises Conflict: the store is in use, is newer than the backup, or there is something at `wish.to`
    :raises StoreError: the backup is not sound, or something cannot be read or written
    :raises WrongCall: the store is on a server, and no other place is named
    """
    settings = load_settings(folder)
    url = store_url(settings, folder)
    if wish.to is None and is_on_server(url):
        raise WrongCall(
            "a store on a server is not written over",
            hint="make a new database with createdb, and name it: rfid-station store restore FILE --to URL",
        )
    known = _known_actor(folder, settings, claim_of(actor), ask)

    def prove(backup: Store) -> Actor:
        return known or _person(folder, settings, backup, claim_of(actor), ask).actor

    if wish.to is None:
        return restore_over(
            wish.file.absolute(),
            path_of(url),
            prove,
            discard_newer=wish.discard_newer,
            numbers_left_out=wish.numbers_left_out,
        )
    return _restore_elsewhere(folder, settings, wish, wish.to, prove)


def missing_secrets(station: Station) -> Iterator[str]:
    """What the store refers to and this station's folder has not, each in a line.

    Keys are looked up in the ring if it opens without anybody being asked.
    """
    for partner in station.store.partners.all():
        if partner.client_token_ref:
            try:
                station.vault.read(partner.client_token_ref)
            except StationError as error:
                yield f"partner {partner.name}: {error.message}"
    used = station.store.cards.counted_by_key()
    if not used:
        return
    silent = replace(station.cupboard, ask=ask_nobody)
    if not silent.is_there:
        yield f"{sum(used.values())} cards have keys, and {silent.ring_file} is missing"
        return
    if silent.is_hardware or silent.settings.passphrase == PROMPT:
        return
    try:
        there = {ref for ref, _ in silent.listing()}
    except StationError as error:
        yield f"the keys of {sum(used.values())} cards: {error.message}"
        return
    finally:
        silent.close()
    for ref, count in sorted(used.items()):
        if ref not in there:
            yield f"{count} cards have keys of {ref}, which is not in {silent.ring_file}"


def _restore_elsewhere(folder: Path, settings: Settings, wish: Wish, to: str, prove: Prove) -> Restored:
    password = Vault(folder / "secrets").read(wish.to_password) if wish.to_password else None
    present = _open_if_readable(folder, settings)
    try:
        return restore_elsewhere(
            wish.file.absolute(),
            to,
            password,
            present.database if present else None,
            folder,
            prove,
            numbers_left_out=wish.numbers_left_out,
        )
    finally:
        if present:
            present.close()


def _known_actor(folder: Path, settings: Settings, claim: Claim, ask: Ask) -> Actor | None:
    """Who this is by the store that is there; None if that cannot be read."""
    store = _open_if_readable(folder, settings)
    if store is None:
        return None
    with store:
        return _person(folder, settings, store, claim, ask).actor


def _open_if_readable(folder: Path, settings: Settings) -> Store | None:
    try:
        return open_own_store(settings, folder)
    except StoreError:
        return None


def _person(folder: Path, settings: Settings, store: Store, claim: Claim, ask: Ask) -> Person:
    return Person(store, Vault(folder / "secrets"), settings.desk, claim, ask)
