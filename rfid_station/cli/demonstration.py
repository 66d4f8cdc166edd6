"""`rfid-station demo`: the main job from end to end, on a virtual reader and with a virtual partner.

Nothing is faked in between: the same flows run that the single commands run, each shown as the
command it stands for. The partner is a process of its own, reached over HTTP on loopback; the
reader is a virtual one behind a real pcscd where that can be had, else one in this process.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from rfid_station.cli import issuing
from rfid_station.cli.output import talk
from rfid_station.cli.tapping import stoppable
from rfid_station.desk.paper import sheets
from rfid_station.desk.partners import connecting
from rfid_station.desk.partners.delivery import check_proven, check_settled, deliver, prove, tokens_of
from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station
from rfid_station.desk.support import stopping
from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.errors import NoReader, PartnerRefused, StationError, WrongCall
from rfid_station.shipped import shipped

PARTNER = "voltpoint"
_MARK = ".rfid-station-demo"
_PATIENCE_S = 20.0


IsOver = Callable[[], bool]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulator's process: the first line it said, and whether it has ended."""

    first_line: str
    has_ended: IsOver


@dataclass(frozen=True, slots=True)
class Cpo:
    """The virtual partner's process: where it answers."""

    versions_url: str
    station_url: str
    token_file: Path
    state_file: Path

    @property
    def options(self) -> str:
        """How to start it again where it was."""
        port = urlsplit(self.versions_url).port
        return f"--port {port} --first-token-file {self.token_file} --state {self.state_file}"

    def authorize(self, card: Card) -> str:
        """Hold a card to one of its charge points, and hear what it says."""
        body = json.dumps({"uid": card.uid.hex}).encode()
        request = Request(self.station_url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own process on loopback
            said: dict[str, Any] = json.load(answer)
        return f"{said['status']} ({said['reason']})"


def run(folder: Path, reader: str) -> None:
    """Run the whole story in a folder of its own, which is emptied first if it is a demo's.

    :raises WrongCall: the folder holds something else
    """
    _prepare(folder)
    fleet = shipped("data", "fleet-sample.csv")
    count = len(fleet.read_text("utf-8").splitlines()) - 1
    with ExitStack() as stack:
        uri, is_over = stack.enter_context(_virtual_reader(reader, folder, count))
        cpo = stack.enter_context(_virtual_cpo(folder))
        with stoppable() as stop:
            clerk = actor_at_keyboard("demo clerk")
            _make_station(folder, clerk, uri)
            with open_station(folder, clerk) as station:
                _connect(station, cpo)
                cards = _issue(station, issuing.Wish(fleet, uri, None, None, False, is_over=is_over))
                made = _print(station, cards)
            if stop():
                return
            support = actor_at_keyboard("demo support", Role.SUPPORT)
            with open_station(folder, support) as station:
                _lose_one(station, cpo, cards[3])
    _tell_the_end(folder, made, cpo)


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise WrongCall(
                f"{folder} is not empty and was not made by a demo",
                hint="rfid-station demo --folder ANOTHER-FOLDER",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


def _make_station(folder: Path, clerk: Actor, uri: str) -> None:
    _step("a new station", f'init --profile link --reader "{uri}"')
    path = create_station(folder, clerk, profile="link", reader=uri)
    # Two demos may run side by side, and a real station too.
    address = f"127.0.0.1:{_free_port()}"
    path.write_text(re.sub(r"127\.0\.0\.1:\d+", address, path.read_text("utf-8")), "utf-8")


def _connect(station: Station, cpo: Cpo) -> None:
    _step(
        "a partner, a virtual CPO in its own process",
        f"partner add {PARTNER} {cpo.versions_url} --token-file {cpo.token_file}",
    )
    token = cpo.token_file.read_text("utf-8").strip()
    connecting.add_partner(station, PARTNER, cpo.versions_url, token, Agreement())
    _step("the OCPI 2.2.1 handshake; it calls us back", f"partner connect {PARTNER}")
    connected = connecting.connect_partner(station, PARTNER)
    if connected.connection:
        talk(f"{PARTNER} is connected as {', '.join(map(str, connected.connection.parties))}")


def _issue(station: Station, wish: issuing.Wish) -> list[Card]:
    _step("a card for each driver of a fleet", f"card issue {wish.file.name if wish.file else ''}")
    tally = issuing.issue(station, wish)
    _step("every card is at the partner", "sync run")
    check_settled(deliver(station, 30.0))
    _step("and reads back as it should", "sync prove")
    check_proven(prove(station, list(tokens_of(station, tally.issued)), 30.0))
    talk(f"{PARTNER} holds all {len(tally.issued)} cards")
    return tally.issued


def _print(station: Station, cards: list[Card]) -> sheets.SheetFiles:
    _step("ten cards to a sheet", "sheet print")
    made = sheets.print_sheets(station, cards, sheets.Wish())
    talk(f"{made.cards} cards on {made.sheets} sheets")
    return made


def _lose_one(station: Station, cpo: Cpo, card: Card) -> None:
    talk(f"\n{card.driver.name if card.driver else 'a driver'} charges: {cpo.authorize(card)}")
    _step("and loses the card", f"--role support card block {card.visual_number} --reason lost")
    result = stopping.move_and_push(station, card, CardState.BLOCKED, Reason.LOST)
    for one in result.confirmations:
        talk(f"{one.partner}: {one.answer}, {one.may_accept}")
    result.check_confirmed()
    answer = cpo.authorize(card)
    talk(f"somebody else tries it: {answer}")
    if answer.startswith("Accepted"):
        raise PartnerRefused(
            f"{PARTNER} still accepts card {card.visual_number}", hint="rfid-station sync run"
        )


def _tell_the_end(folder: Path, made: sheets.SheetFiles, cpo: Cpo) -> None:
    program = "rfid-station" if shutil.which("rfid-station") else sys.argv[0]
    command = f"{program} --station {folder}"
    talk(
        f"""
what was made
  sheet    {made.pdf}
  picture  {made.preview}
  store    {folder / "station.db"}

what to try next
  {command} card list
  {command} card show Müller
  {command} store check
  {command} card issue --reader "sim:ntag213?tear=7:partial"
  {command} sync run

{PARTNER} ended with the demo, so new cards are owed to it. It comes back, and remembers, by
  {sys.executable} -m rfid_station.simulator.cpo.virtual_cpo {cpo.options}
"""
    )


def _step(words: str, command: str) -> None:
    talk(f"\n{words}\n$ rfid-station {command}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _virtual_cpo(folder: Path) -> Iterator[Cpo]:
    """Run the virtual partner while the block runs.

    :raises StationError: it does not come up
    """
    token_file = folder / "token-from-voltpoint.txt"
    token_file.write_text(secrets.token_urlsafe(24) + "\n", "utf-8")
    state_file = folder / f"{PARTNER}.json"
    options = ["--first-token-file", token_file, "--state", state_file]
    with _process("rfid_station.simulator.cpo.virtual_cpo", options) as process:
        urls = json.loads(process.first_line)
        yield Cpo(urls["versions_url"], urls["station_url"], token_file, state_file)


@contextmanager
def _virtual_reader(wish: str, folder: Path, count: int) -> Iterator[tuple[str, IsOver]]:
    """A virtual reader with so many blanks: the URI to open it with, and whether its pile is gone."""
    if wish not in ("auto", "vpcd"):
        yield (wish if "?" in wish else f"{wish}?count={count}"), _never
        return
    with ExitStack() as stack:
        try:
            reader = stack.enter_context(_reader_behind_pcscd(folder, count))
        except NoReader as error:
            if wish == "vpcd":
                raise
            talk(f"no virtual reader behind pcscd ({error.message}), so the one in this process is used")
            reader = (f"sim:ntag213?count={count}", _never)
        yield reader


@contextmanager
def _reader_behind_pcscd(folder: Path, count: int) -> Iterator[tuple[str, IsOver]]:
    """A pcscd of our own with a virtual reader, and a process that lays cards on it.

    :raises NoReader: something that it takes is not installed
    """
    from rfid_station.reader.opening import list_readers
    from rfid_station.simulator.readers.pcscd import PrivatePcscd

    with PrivatePcscd() as pcscd:
        # libpcsclite reads this once: it must stand here before the first call.
        os.environ |= pcscd.environment
        found = list_readers()
        trouble = next((reader.trouble for reader in found if reader.trouble), None)
        if trouble or not found:
            raise NoReader(trouble or "pcscd shows no reader", hint="rfid-station doctor")
        options = ["--port", pcscd.port, "--deck", folder / "blanks.json", "--count", count, "--hands-free"]
        with _process("rfid_station.simulator.hand", options) as hand:
            yield f"pcsc:{pcscd.reader}", hand.has_ended


@contextmanager
def _process(module: str, options: Sequence[object]) -> Iterator[Simulation]:
    """Run a simulator's process while the block runs.

    :raises StationError: it ended without a word
    """
    command = [sys.executable, "-m", module, *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise StationError(f"{module} did not come up", hint="rfid-station doctor")
        yield Simulation(line, lambda: process.poll() is not None)
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)
        if process.stdout:
            process.stdout.close()
