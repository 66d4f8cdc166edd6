"""`rfid-station simulate station`: a virtual charging station that cards are held to."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.output import talk
from rfid_station.errors import ExitCode, PartnerUnreachable, WrongCall

if TYPE_CHECKING:
    from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
    from rfid_station.simulator.ocpp.central import Decided
    from rfid_station.simulator.ocpp.driven import DrivenStation
    from rfid_station.simulator.ocpp.station import Tapped

_LINES = "tap UID, offline or online; Ctrl-D ends"
_INSTALL = "pip install 'rfid-station[ocpp]'"

OcppPort = Annotated[
    int | None,
    typer.Option(
        "--ocpp", metavar="PORT", help="Also take charging stations by OCPP 1.6J and 2.0.1; 0: a free port."
    ),
]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which station, and what is done at it."""

    url: str
    name: str
    protocol: str
    uid_form: str
    is_offline: bool
    is_cached: bool
    has_list: bool
    memory: Path | None
    as_json: bool


def station(
    url: Annotated[
        str, typer.Option("--url", metavar="WS", help="The central system, as `simulate cpo --ocpp` says it.")
    ],
    tap: Annotated[
        list[str] | None, typer.Option("--tap", metavar="UID", help="Hold this card to it; may be repeated.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Begin without a line.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Do not ask first about what its memory accepts.")
    ] = False,
    no_list: Annotated[bool, typer.Option("--no-list", help="Take no local list.")] = False,
    protocol: Annotated[str, typer.Option(help="1.6 or 2.0.1.")] = "1.6",
    uid_form: Annotated[
        str, typer.Option("--uid-form", help="What its reader makes of a UID: 7, 4, reversed or decimal.")
    ] = "7",
    memory: Annotated[
        Path | None, typer.Option("--memory", metavar="FILE", help="Keeps cache and list for the next time.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it calls itself.")] = "CP1",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Be a charging station with a memory of its own: hold cards to it; exit 4 if one is refused."""
    wish = Wish(url, name, protocol, uid_form, offline, cached, not no_list, memory, as_json)
    opened = _open(wish)
    with opened:
        if not offline:
            _connect(opened, wish)
        refused = [_tap(opened, wish, uid) for uid in tap] if tap else _obey_lines(opened, wish)
        if memory:
            opened.memory.save(memory)
    if not all(refused):
        raise typer.Exit(ExitCode.CARD_REFUSED)


def _open(wish: Wish) -> DrivenStation:
    """The station, still without a line.

    :raises WrongCall: OCPP is not installed, or an option cannot be used
    """
    check_installed()
    from rfid_station.simulator.ocpp.driven import DrivenStation
    from rfid_station.simulator.ocpp.memory import remembered
    from rfid_station.simulator.ocpp.station import Habits
    from rfid_station.simulator.ocpp.uid_form import UidForm
    from rfid_station.simulator.ocpp.values import SUBPROTOCOLS

    if wish.protocol not in SUBPROTOCOLS:
        raise WrongCall(f"--protocol {wish.protocol} is none", hint=f"give {' or '.join(SUBPROTOCOLS)}")
    if wish.uid_form not in list(UidForm):
        raise WrongCall(f"--uid-form {wish.uid_form} is none", hint=f"give one of {', '.join(UidForm)}")
    try:
        memory = remembered(wish.memory, has_list=wish.has_list)
    except (OSError, ValueError) as trouble:
        raise WrongCall(str(trouble), hint="give another --memory, or a file that is not there yet") from None
    habits = Habits(wish.protocol, pre_authorizes=wish.is_cached)
    return DrivenStation(wish.url, wish.name, habits, memory)


def check_installed() -> None:
    """Let pass if OCPP can be spoken.

    :raises WrongCall: a package is missing
    """
    from importlib.util import find_spec

    missing = [package for package in ("ocpp", "websockets") if find_spec(package) is None]
    if missing:
        raise WrongCall(f"{missing[0]} is not installed: OCPP cannot be spoken", hint=_INSTALL)


def _connect(station: DrivenStation, wish: Wish) -> None:
    """Open the line, and say what became of transactions that began without one.

    :raises PartnerUnreachable: nobody is there who speaks the protocol
    """
    try:
        told = station.connect()
    except (OSError, ValueError) as trouble:
        raise PartnerUnreachable(
            f"no central system at {wish.url}: {trouble}", hint="rfid-station simulate cpo --ocpp 0"
        ) from None
    for tapped in told:
        _say(tapped, wish)


def _tap(station: DrivenStation, wish: Wish, text: str) -> bool:
    """Hold a card to the station; whether it may charge.

    :raises WrongCall: this is no UID, or none that fits into a message
    """
    from rfid_station.simulator.ocpp.uid_form import UidForm, seen

    try:
        id_tag = seen(bytes.fromhex(text.replace(":", "")), UidForm(wish.uid_form))
    except ValueError as trouble:
        raise WrongCall(f"--tap {text} cannot be used: {trouble}", hint="give 8, 14 or 20 digits") from None
    tapped = station.tap(id_tag)
    _say(tapped, wish)
    return tapped.status == "Accepted" and not tapped.is_stopped


def _say(tapped: Tapped, wish: Wish) -> None:
    if wish.as_json:
        event = {
            "event": "tapped",
            "id_tag": tapped.id_tag,
            "status": tapped.status,
            "is_stopped": tapped.is_stopped,
            "steps": list(tapped.steps),
        }
        typer.echo(json.dumps(event))
        return
    typer.echo(f"{tapped.outcome}: {'; '.join(tapped.steps)}")


def _obey_lines(station: DrivenStation, wish: Wish) -> list[bool]:
    """Do what is typed; nobody is told by the exit code what became of it."""
    if wish.as_json:
        typer.echo(json.dumps({"event": "ready", "name": wish.name}))
    else:
        talk(f"here, type {_LINES}")
    for line in sys.stdin:
        match line.split():
            case ["tap", uid]:
                _tap(station, wish, uid)
            case ["offline"]:
                station.disconnect()
            case ["online"]:
                _connect(station, wish)
            case []:
                continue
            case _:
                talk(f"unknown: {line.strip()}; type {_LINES}")
    return []


# The other side


def introduce(cpo: VirtualCpo) -> str:
    """What to type to hold a card to a station of a virtual CPO."""
    return f"rfid-station simulate station --url {cpo.ocpp_url} --tap 04E10CDA993C80"


def say_decided(decided: Decided) -> None:
    """Say what a station was told."""
    typer.echo(f"{decided.station} {decided.action} {decided.id_tag} {decided.status}: {decided.why}")


def say_decided_json(decided: Decided) -> None:
    """The same for programs."""
    from dataclasses import asdict

    typer.echo(json.dumps({"event": "decided", **asdict(decided)}))
