"""`rfid-station serve`: partners are answered and kept in step, in one process, until somebody ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from rfid_station.desk.partners.agreeing import today
from rfid_station.desk.partners.contact_book import NotingShelf, PullNotes
from rfid_station.desk.partners.delivery import background_delivery
from rfid_station.desk.partners.hub_lists import HubLists
from rfid_station.desk.partners.own_server import AUTHORIZATIONS, credentials_desk, us_of
from rfid_station.desk.station import Station
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import StationError, WrongCall
from rfid_station.ocpi.server import Limits, Metrics, Tls, create_app, listen, serve_in_thread
from rfid_station.ocpi.server.openapi import describe
from rfid_station.store.partners.hub_clients import HubClients
from rfid_station.store.told.shelf import Doorman, Shelf
from rfid_station.sync.worker import Worker

Log = Callable[[Mapping[str, object]], None]
Front = Callable[[Any], Any]
"""Puts an ASGI application before ours, in the same process."""

LOOK_S = 1.0
"""How often it is looked whether a partner came, went or changed."""

AGAIN_S = 5.0
"""How long sync rests after the store or a secret could not be read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run."""

    serve: bool = True
    sync: bool = True
    tls: Tls | None = None


@dataclass(slots=True)
class Running:
    """What runs, for whoever has to tell of it."""

    address: str = ""
    """Where partners are answered, as `127.0.0.1:8090`; empty if they are not."""
    keeper: Keeper | None = None


def plan_for(
    station: Station, *, serve: bool = True, sync: bool = True, certificate: str = "", key: str = ""
) -> Plan:
    """A plan from the command line and the settings, where the command line wins.

    :raises WrongCall: nothing is left to run, or a certificate has no key, or a key no certificate
    """
    if not serve and not sync:
        raise WrongCall("there is nothing to do without server and sync", hint="leave out one --no-…")
    certificate = certificate or station.settings.serve.tls_certificate
    key = key or station.settings.serve.tls_key
    if bool(certificate) != bool(key):
        raise WrongCall("TLS takes a certificate and its key", hint="give both --tls-cert and --tls-key")
    tls = Tls(station.folder / certificate, station.folder / key) if certificate else None
    return Plan(serve, sync, tls)


def openapi(station: Station) -> dict[str, Any]:
    """An OpenAPI document of what partners reach at this station."""
    return describe(us_of(station))


@contextmanager
def running(
    station: Station,
    plan: Plan,
    log: Log,
    *,
    access_log: bool = True,
    front: Front = lambda app: app,
) -> Iterator[Running]:
    """Serve and sync while the block runs. In the end, requests that are under way are answered first.

    :param front: what is to stand before our OCPI server
    :raises WrongCall: the address cannot be listened on, or the certificate not be used
    """
    with ExitStack() as stack:
        keeper = stack.enter_context(keeping(station, log)) if plan.sync else None
        address = (
            stack.enter_context(_serving(station, plan, keeper, log if access_log else None, front))
            if plan.serve
            else ""
        )
        yield Running(address, keeper)


@contextmanager
def _serving(
    station: Station, plan: Plan, keeper: Keeper | None, log: Log | None, front: Front
) -> Iterator[str]:
    host, port = _address(station)
    limits = Limits(page=station.settings.serve.page, connections=station.settings.serve.connections)
    database, partners = station.store.database, station.store.partners
    with ExitStack() as stack:
        shelf = Shelf(database, partners, station.folder / AUTHORIZATIONS)
        stack.callback(shelf.close)
        pulls = PullNotes(station.store.contacts)
        stack.callback(pulls.close)
        doorman = Doorman(shelf.glance, partners)
        app = create_app(
            us_of(station),
            doorman,
            desk=credentials_desk(station),
            shelf=NotingShelf(shelf, pulls.note),
            hubs=HubClients(database),
            charges=station.store.charges,
            limits=limits,
            metrics=Metrics(lambda: owed_gauges(station)),
            log=log,
            health=lambda: health(station, keeper),
        )
        listener = listen(host, port)
        where = serve_in_thread(front(app), host, listener=listener, limits=limits, tls=plan.tls)
        taken = stack.enter_context(where)
        yield f"{taken[0]}:{taken[1]}"


def _address(station: Station) -> tuple[str, int]:
    host, _, port = station.settings.ocpi.listen.rpartition(":")
    if not port.isdecimal():
        raise WrongCall(
            f"ocpi.listen = {station.settings.ocpi.listen!r} has no port",
            hint='write it as listen = "127.0.0.1:8090" in station.toml',
        )
    return host.strip("[]"), int(port)


class Keeper:
    """Keeps sync going: partners come, go and change while it runs, and a store may be away for a while."""

    def __init__(self, station: Station, log: Log, lists: HubLists) -> None:
        self._station = station
        self._log = log
        self._lists = lists
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync-keeper", daemon=True)
        self._looked_s = 0.0
        self._worker: Worker | None = None
        self._enforced_on = date.min
        self.trouble = ""
        """Why sync does not run; empty while it does."""

    @property
    def is_alive(self) -> bool:
        """Whether every partner that is connected has its thread, by a look that is not old."""
        is_fresh = time.monotonic() - self._looked_s < AGAIN_S + 10 * LOOK_S
        each_has_one = self._worker is None or self._worker.is_alive
        return self._thread.is_alive() and is_fresh and not self.trouble and each_has_one

    def start(self) -> None:
        """Begin."""
        self._looked_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End after the requests that are under way."""
        self._stop.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._keep()
                self.trouble = ""
            except Exception as trouble:  # noqa: BLE001 - sync goes on when its cause is gone
                self.trouble = f"{type(trouble).__name__}: {trouble}"
                self._log({"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "sync": self.trouble})
                self._stop.wait(AGAIN_S)
            self._worker = None

    def _enforce_unsent(self, partners: Iterable[Partner]) -> None:
        """Put agreements into force that no lane looks after, since nothing is sent to their partners."""
        self._enforced_on = today(self._station)
        for partner in partners:
            if not partner.profile.push:
                self._station.store.feed.enforce(partner.name)

    def _keep(self) -> None:
        """Sync with the partners that there are, until that changes."""
        partners = _connected(self._station)
        self._lists.look_at(partners)
        self._enforce_unsent(partners)
        with background_delivery(self._station) as self._worker:
            self.trouble = ""
            while not self._stop.wait(LOOK_S):
                self._looked_s = time.monotonic()
                if _connected(self._station) != partners or today(self._station) != self._enforced_on:
                    return


@contextmanager
def keeping(station: Station, log: Log) -> Iterator[Keeper]:
    """Keep every partner in step while the block runs."""
    lists = HubLists(station, log)
    keeper = Keeper(station, log, lists)
    with lists.reading():
        keeper.start()
        try:
            yield keeper
        finally:
            keeper.stop()


def _connected(station: Station) -> list[Partner]:
    return [one for one in station.store.partners.all() if one.state is PartnerState.CONNECTED]


def health(station: Station, keeper: Keeper | None) -> dict[str, bool]:
    """What has to work, and whether it does. Tells nothing about partners."""
    checks = {"store": _can_read(station)}
    if keeper:
        checks["sync"] = keeper.is_alive
    return checks


def _can_read(station: Station) -> bool:
    try:
        station.store.partners.all()
    except StationError:
        return False
    return True


def owed_gauges(station: Station) -> Iterable[Metrics.Gauge]:
    """How many tokens each partner is owed, and how many of them it refused or may not have got."""
    standings = [station.store.feed.standing(one.name) for one in station.store.partners.all()]
    owed = [({"partner": one.partner}, float(one.behind)) for one in standings]
    parked = [({"partner": one.partner}, float(len(one.parked))) for one in standings]
    yield "rfid_station_owed_tokens", "Tokens whose newest state a partner was not sent yet.", owed
    yield "rfid_station_parked_tokens", "Tokens that a partner refused, or that have to be verified.", parked
