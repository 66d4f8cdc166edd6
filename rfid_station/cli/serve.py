"""`rfid-station serve`: partners are answered and kept in step until the program is ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.line_log import line_log
from rfid_station.cli.output import show_document, talk
from rfid_station.errors import StationError

if TYPE_CHECKING:
    from rfid_station.desk.serving import Front, Log, Plan
    from rfid_station.desk.station import Station
    from rfid_station.encode.keys import KeySource


def serve(
    ctx: typer.Context,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="Only sync: bring cards to partners, answer nobody.")
    ] = False,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Only answer partners, send nothing.")] = False,
    tls_cert: Annotated[
        str, typer.Option("--tls-cert", metavar="FILE", help="The certificate chain, as PEM.")
    ] = "",
    tls_key: Annotated[str, typer.Option("--tls-key", metavar="FILE", help="Its private key, as PEM.")] = "",
    no_access_log: Annotated[
        bool, typer.Option("--no-access-log", help="Do not write a line for each request.")
    ] = False,
    describe: Annotated[
        bool, typer.Option("--openapi", help="Only describe what is answered, as an OpenAPI document.")
    ] = False,
) -> None:
    """Answer partners (OCPI 2.1.1, 2.2.1, 2.3.0) and drivers, and sync, until SIGTERM or Ctrl-C."""
    from rfid_station.collector import spare_what_is_there
    from rfid_station.desk.record.own_copy import keeping_copy
    from rfid_station.desk.serving import openapi, plan_for, running

    if describe:
        with the_station(ctx, to_look=True) as station:
            show_document(openapi(station))
        return
    with line_log() as log, the_station(ctx, to_look=True) as station, _until_ended() as ended:
        plan = plan_for(station, serve=not no_serve, sync=not no_sync, certificate=tls_cert, key=tls_key)
        access_log = not no_access_log
        with (
            _pages(station, plan, log.write if access_log else None) as front,
            running(station, plan, log.write, access_log=access_log, front=front) as now,
            keeping_copy(station.folder, station.settings),
        ):
            if now.address:
                talk(f"answering partners on {'https' if plan.tls else 'http'}://{now.address}/ocpi/versions")
            if now.address and station.settings.page.serve:
                talk(f"answering the links on cards: {station.settings.desk.link}")
            if now.keeper:
                talk("keeping partners in step")
            spare_what_is_there()
            ended.wait()
            talk("ending")


@contextmanager
def _pages(station: Station, plan: Plan, log: Log | None) -> Iterator[Front]:
    """Pages of cards, where they are wanted."""
    if not plan.serve or not station.settings.page.serve:
        yield lambda app: app
        return
    from rfid_station.web import card_pages

    with card_pages(station, _keys(station), log) as front:
        yield front


def _keys(station: Station) -> KeySource | None:
    """The keys that taps are checked with, where there are any; nobody is asked while it runs."""
    if not station.cupboard.is_there:
        return None
    try:
        return station.keys()
    except StationError as error:
        talk(f"taps of cards are not checked: {error.message}")
        return None


@contextmanager
def _until_ended() -> Iterator[threading.Event]:
    """An event that is set by SIGTERM and Ctrl-C; a second Ctrl-C ends the program at once."""
    ended = threading.Event()

    def end(number: int, _: object) -> None:
        if ended.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
