"""The desk's own copy of a store on a server: kept young, and looked into while the server is away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rfid_station.desk.keys.ring import Ask, ask_nobody
from rfid_station.desk.people.person import Claim
from rfid_station.desk.record.own_store import copy_age_allowed, open_own_store, store_name
from rfid_station.desk.station import Station, station_on
from rfid_station.domain.actor import Actor
from rfid_station.errors import StoreUnreachable, WrongCall
from rfid_station.settings import Settings, load_settings
from rfid_station.store.backups.last_copy import LastCopy, forget_copy, keep_copy, last_copy, open_copy
from rfid_station.store.engines.engine import utc_now

FILE = "last-copy.db"
"""In the station's folder."""

LOOK_S = 20.0
"""How often it is looked whether the copy is old."""


@dataclass(frozen=True, slots=True)
class CopyAge:
    """Which moment a copy shows, and how long ago that was."""

    at: datetime
    now: datetime

    @property
    def age(self) -> timedelta | None:
        """None where the clock of this desk was set back behind the copy: nobody knows then."""
        return self.now - self.at if self.now >= self.at else None

    def __str__(self) -> str:
        if self.age is None:
            return f"the copy of {self.moment} (how old it is nobody knows: the clock was set back)"
        return f"the copy of {self.moment}, {_in_words(self.age)} old"

    @property
    def moment(self) -> str:
        """The moment in words: of today by its time alone."""
        is_of_today = self.at.date() == self.now.date()
        return f"{self.at:%H:%M} UTC" if is_of_today else f"{self.at:%Y-%m-%d %H:%M} UTC"


def _in_words(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    for size, noun in ((24 * 60, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes // size} {noun}s"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def keep_own_copy(folder: Path) -> LastCopy:
    """Make the desk's copy anew.

    :raises WrongCall: this desk keeps none
    :raises Conflict: another program is making it
    :raises StoreError: the store cannot be read, or the copy not be written; the one before is there still
    """
    settings = load_settings(folder)
    if copy_age_allowed(settings) is None:
        raise WrongCall(
            "this desk keeps no copy: its store is a file here, or store.copy_minutes is 0",
            hint="rfid-station store backup makes a backup of any store",
        )
    with open_own_store(settings, folder) as store:
        return keep_copy(store.database, folder / FILE)


def own_copy(folder: Path, settings: Settings) -> LastCopy | None:
    """The copy that may be looked into, if there is one of this store."""
    if copy_age_allowed(settings) is None:
        return None
    return last_copy(folder / FILE, store_name(settings, folder))


def forget_own_copy(folder: Path) -> bool:
    """Take the copy away; whether there was one."""
    return forget_copy(folder / FILE)


def age_of(copy: LastCopy) -> CopyAge:
    """How old a copy is now."""
    return CopyAge(copy.at, utc_now())


@contextmanager
def open_station_from_copy(
    folder: Path, actor: Actor | Claim, ask: Ask = ask_nobody, *, to_look: bool = False
) -> Iterator[tuple[Station, CopyAge]]:
    """Open the station on the desk's copy. Nothing can be changed there; who is signed in is as it was then.

    :raises StoreUnreachable: there is no copy, or somebody has to be proven by a PIN
    :raises NotSignedIn: nobody is signed in by what the copy says
    """
    settings = load_settings(folder)
    copy = own_copy(folder, settings)
    if copy is None:
        raise StoreUnreachable(
            "there is no copy to look into", hint="rfid-station store copy --keep, in time"
        )
    with (
        open_copy(copy) as store,
        station_on(store, folder, settings, actor, ask, to_look=to_look) as station,
    ):
        yield station, age_of(copy)


class CopyKeeper:
    """Has the copy made anew by a program of its own whenever it is old, so that nobody waits for it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._allowed = copy_age_allowed(settings)
        self._settings = settings
        self._look_at_s = 0.0
        self._maker: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """See to it that the copy is young. Costs nothing most of the time."""
        if self._allowed is None or time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + LOOK_S
        is_at_work = self._maker is not None and self._maker.poll() is None
        if not is_at_work and self._is_old():
            self._maker = _start_maker(self._folder)

    def _is_old(self) -> bool:
        copy = own_copy(self._folder, self._settings)
        age = age_of(copy).age if copy else None
        return age is None or self._allowed is None or age >= self._allowed


@contextmanager
def keeping_copy(folder: Path, settings: Settings) -> Iterator[None]:
    """Keep the copy young while the block runs."""
    keeper, is_over = CopyKeeper(folder, settings), threading.Event()

    def keep() -> None:
        while not is_over.is_set():
            keeper.look()
            is_over.wait(LOOK_S)

    if copy_age_allowed(settings) is None:
        yield
        return
    thread = threading.Thread(target=keep, name="copy-keeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(LOOK_S)


def _start_maker(folder: Path) -> subprocess.Popen[bytes]:
    """It may outlive us, and gives way to whatever else the machine has to do."""
    maker = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-m", "rfid_station", "--station", str(folder), "store", "copy", "--keep"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, maker.pid, 10)
    return maker
