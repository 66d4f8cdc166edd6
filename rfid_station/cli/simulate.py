"""`rfid-station simulate`: cards on a virtual reader with three links; a virtual CPO, station and hub."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli import charging
from rfid_station.cli.output import show_rows, talk
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.simulator.cpo.profile import CpoProfile
    from rfid_station.simulator.cpo.virtual_cpo import Fault, Logged, VirtualCpo
    from rfid_station.simulator.hand import Hand, Pile, VirtualReader
    from rfid_station.simulator.hub.virtual_hub import Pushed, VirtualHub

    Opening = Callable[[ExitStack, Callable[[], None]], tuple[VirtualReader, dict[str, Any]]]

app = typer.Typer(
    help="Virtual cards, readers, charging stations and partners, for training, demos and other programs.",
    no_args_is_help=True,
)

_LINES = "next, again, away or count; next and again take tear=K:MODE; Ctrl-D ends"

Chip = Annotated[str, typer.Option(help="What new blanks are; `simulate chips` lists them.")]
UidHex = Annotated[str | None, typer.Option("--uid", metavar="HEX", help="The UID of the first new blank.")]
DeckFile = Annotated[
    Path | None, typer.Option("--deck", metavar="FILE", help="Keeps the cards for the next time.")
]
Seed = Annotated[int | None, typer.Option(help="Makes UIDs and torn bits repeatable.")]
FaultName = Annotated[
    str | None, typer.Option("--fault", metavar="NAME", help="What is wrong with the first card.")
]
HandsFree = Annotated[
    bool,
    typer.Option("--hands-free", help="Lay cards by itself: the next when a program is through with one."),
]
Count = Annotated[int, typer.Option(min=1, help="Hands-free: how many cards come.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which cards come, and who lays them."""

    chip: str
    uid: str | None
    deck: Path | None
    seed: int | None
    fault: str | None
    hands_free: bool
    count: int
    as_json: bool


app.command()(charging.station)


@app.callback()
def simulate() -> None:
    """Virtual cards, readers, charging stations and partners."""


@app.command()
def chips(as_json: AsJson = False) -> None:
    """List the virtual chips: the word to give to --chip and to sim:, and the name on the data sheet."""
    from rfid_station.simulator.chips import CHIPS, new_card, uid_size
    from rfid_station.simulator.deck import blank_uid

    cards = {word: new_card(word, blank_uid(word, 0, 0)) for word in CHIPS}
    rows = [{"chip": word, "name": card.name, "uid_bytes": uid_size(word)} for word, card in cards.items()]
    show_rows(rows, as_json=as_json, empty="there are no virtual chips")


@app.command()
def pcsc(
    port: Annotated[int | None, typer.Option(help="Where vpcd listens. [default: 35963]")] = None,
    model: Annotated[str, typer.Option(help="Which reader it behaves as.")] = "acr1552u",
    private: Annotated[
        bool, typer.Option("--private", help="Start a pcscd of its own, apart from the machine's.")
    ] = False,
    chip: Chip = "ntag213",
    uid: UidHex = None,
    deck: DeckFile = None,
    seed: Seed = None,
    fault: FaultName = None,
    hands_free: HandsFree = False,
    count: Count = 1,
    as_json: AsJson = False,
) -> None:
    """Be a PC/SC reader: behind pcscd, through the driver vpcd (Debian: vsmartcard-vpcd)."""
    from rfid_station.simulator.readers.pcsc_reader import DEFAULT_PORT, VirtualPcscReader
    from rfid_station.simulator.readers.pcscd import PrivatePcscd
    from rfid_station.simulator.readers.reader_models import MODELS

    wish = Wish(chip, uid, deck, seed, fault, hands_free, count, as_json)
    if model not in MODELS:
        raise WrongCall(
            f"there is no reader model {model!r}", hint=f"give --model one of {', '.join(MODELS)}"
        )

    def open_it(stack: ExitStack, on_released: Callable[[], None]) -> tuple[VirtualReader, dict[str, Any]]:
        name, setting, where = "Virtual PCD", "", port or DEFAULT_PORT
        if private:
            daemon = stack.enter_context(PrivatePcscd(MODELS[model].name))
            name, where = daemon.reader, daemon.port
            setting = " ".join(f"{key}={shlex.quote(value)}" for key, value in daemon.environment.items())
        if not private and not _somebody_listens(where):
            talk(
                f"nobody listens on port {where} yet: install vsmartcard-vpcd, start pcscd, or add --private"
            )
        reader = stack.enter_context(VirtualPcscReader(where, model=MODELS[model], on_released=on_released))
        commands = ["opensc-tool -a", f"rfid-station card read --reader {shlex.quote(f'pcsc:{name}')}"]
        tries = [f"{setting} {command}".strip() for command in commands]
        return reader, {"port": where, "model": model, "reader": f"pcsc:{name}", "try": tries}

    _run(wish, open_it)


@app.command()
def pn532(
    link: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A name for it; nfcpy finds names directly in /dev only."),
    ] = None,
    chip: Chip = "ntag213",
    uid: UidHex = None,
    deck: DeckFile = None,
    seed: Seed = None,
    fault: FaultName = None,
    hands_free: HandsFree = False,
    count: Count = 1,
    as_json: AsJson = False,
) -> None:
    """Be a PN532 module on a serial line: a pseudo-terminal for libnfc and nfcpy."""
    from rfid_station.simulator.readers.pn532_pty import VirtualPn532

    def open_it(stack: ExitStack, on_released: Callable[[], None]) -> tuple[VirtualReader, dict[str, Any]]:
        reader = stack.enter_context(VirtualPn532(link, on_released=on_released))
        tries = [f"LIBNFC_DEVICE=pn532_uart:{shlex.quote(reader.path)} nfc-list"]
        if reader.nfcpy_name:
            tries.append(f"rfid-station card read --reader nfc:tty:{reader.nfcpy_name}:pn532")
        return reader, {"path": reader.path, "terminal": reader.terminal, "try": tries}

    _run(Wish(chip, uid, deck, seed, fault, hands_free, count, as_json), open_it)


@app.command()
def udp(
    port: Annotated[int, typer.Option(help="Where to listen, on loopback; 0 takes a free one.")] = 54321,
    chip: Chip = "ntag213",
    uid: UidHex = None,
    deck: DeckFile = None,
    seed: Seed = None,
    fault: FaultName = None,
    hands_free: HandsFree = False,
    count: Count = 1,
    as_json: AsJson = False,
) -> None:
    """Be the far end of nfcpy's UDP link, on loopback."""
    from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader

    def open_it(stack: ExitStack, on_released: Callable[[], None]) -> tuple[VirtualReader, dict[str, Any]]:
        reader = stack.enter_context(VirtualUdpReader(port, on_released=on_released))
        uri = f"nfc:udp:localhost:{reader.port}"
        return reader, {"port": reader.port, "reader": uri, "try": [f"rfid-station card read --reader {uri}"]}

    _run(Wish(chip, uid, deck, seed, fault, hands_free, count, as_json), open_it)


@app.command()
def cpo(
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="As whom it behaves; an unknown name lists them.")
    ] = "strict",
    version: Annotated[
        list[str] | None, typer.Option(metavar="VERSION", help="OCPI version; may be repeated.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:MEMBER=VALUE,...]", help="What goes wrong from the start; may be repeated."
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https with a certificate nobody signed.")] = False,
    port: Annotated[int, typer.Option(help="Where to listen, on loopback; 0 takes a free one.")] = 0,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Keeps all it knows for the next time.")
    ] = None,
    ocpp: charging.OcppPort = None,
    as_json: AsJson = False,
) -> None:
    """Be a charge point operator: register, take tokens, hold cards to a charging station, go wrong."""
    import secrets

    from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

    if ocpp is not None:
        charging.check_installed()
    first_token = secrets.token_urlsafe(24)
    chosen, faults = _cpo_profile(profile, version or []), [_cpo_fault(text) for text in fault or []]
    say = _say_request_json if as_json else _say_request
    ends = {signal.SIGTERM, signal.SIGINT}
    # Blocked before there are threads, so that none of them takes what ends the process.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with VirtualCpo(
            first_token,
            chosen,
            port=port,
            state_file=state,
            tls=tls,
            on_logged=say,
            ocpp_port=ocpp,
            on_decided=charging.say_decided_json if as_json else charging.say_decided,
        ) as running:
            for one in faults:
                running.faults.add(one)
            _introduce_cpo(running, first_token, as_json)
            signal.sigwait(ends)
    except (OSError, OverflowError) as trouble:
        raise WrongCall(f"port {port} cannot be had: {trouble}", hint="give another --port, or 0") from None
    except ValueError as trouble:
        raise WrongCall(str(trouble), hint="give another --state, or a file that is not there yet") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@app.command()
def hub(
    provider: Annotated[str, typer.Option(metavar="ID", help="Whom it has a contract with.")] = "NL-EXM",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse to delete what is not there.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:MEMBER=VALUE,...]", help="What goes wrong from the start; may be repeated."
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Where to listen, on loopback; 0 takes a free one.")] = 0,
    tls: Annotated[
        Path | None,
        typer.Option(
            "--tls", metavar="FILE", help="Serve https, and know the caller by this certificate (PEM)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Be a roaming hub that takes uploads by OICP 2.3, as Hubject does for offline providers."""
    from rfid_station.simulator.hub.virtual_hub import VirtualHub, usable

    faults = [_fault_from(text, usable) for text in fault or []]
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        client = tls.read_text("utf-8") if tls else ""
        with VirtualHub(
            provider,
            is_strict=strict,
            port=port,
            tls=client,
            on_pushed=_say_pushed_json if as_json else _say_pushed,
        ) as running:
            for one in faults:
                running.faults.add(one)
            _introduce_hub(running, as_json)
            signal.sigwait(ends)
    except ssl.SSLError:
        raise WrongCall(f"{tls} holds no certificate in PEM", hint="give the caller's certificate") from None
    except (OSError, OverflowError, UnicodeDecodeError) as trouble:
        raise WrongCall(f"the hub cannot begin: {trouble}", hint="give another --port, or 0") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _introduce_hub(hub: VirtualHub, as_json: bool) -> None:
    tries = [f"rfid-station partner add hub {hub.url} --profile hubject-oicp", "rfid-station sync run"]
    if as_json:
        facts = {"url": hub.url, "station_url": hub.station_url, "control_url": hub.control_url, "try": tries}
        typer.echo(json.dumps({"event": "ready", **facts}))
        return
    talk("on the other side, type\n" + "\n".join(f"  {command}" for command in tries))
    card = shlex.quote(json.dumps({"uid": "04E10CDA993C80"}))
    talk(f"to hold a card to a charging station\n  curl -d {card} {hub.station_url}")
    talk("here, Ctrl-C ends")


def _say_pushed(pushed: Pushed) -> None:
    about = ",".join(pushed.about) or "-"
    answered = f"{pushed.http_status or '-'} {pushed.code or '-'}"
    typer.echo(f"{pushed.action or '-'} {about} {answered} {pushed.fault}".rstrip())


def _say_pushed_json(pushed: Pushed) -> None:
    from dataclasses import asdict

    typer.echo(json.dumps({"event": "pushed", **asdict(pushed)}))


def _cpo_profile(name: str, versions: list[str]) -> CpoProfile:
    """The profile of a name, in all its versions or in some.

    :raises WrongCall: there is no such profile or version
    """
    from dataclasses import replace

    from rfid_station.simulator.cpo.edition import EDITIONS
    from rfid_station.simulator.cpo.profile import PROFILES

    if name not in PROFILES:
        listed = "\n".join(f"  {known}: {profile.title}" for known, profile in PROFILES.items())
        raise WrongCall(f"there is no profile {name!r}", hint=f"give one of\n{listed}")
    unknown = next((version for version in versions if version not in EDITIONS), None)
    if unknown is not None:
        raise WrongCall(f"there is no version {unknown!r}", hint=f"give some of {', '.join(EDITIONS)}")
    return replace(PROFILES[name], versions=tuple(versions)) if versions else PROFILES[name]


def _cpo_fault(text: str) -> Fault:
    return _fault_from(text, lambda fault: fault)


def _fault_from(text: str, check: Callable[[Fault], Fault]) -> Fault:
    """A fault as it is typed.

    :raises WrongCall: it is none
    """
    from rfid_station.simulator.cpo.faults import Fault, FaultKind

    try:
        return check(Fault.from_text(text))
    except ValueError as trouble:
        kinds = ", ".join(kind.replace("_", "-") for kind in FaultKind)
        raise WrongCall(f"--fault {text}: {trouble}", hint=f"there are {kinds}") from None


def _introduce_cpo(cpo: VirtualCpo, first_token: str, as_json: bool) -> None:
    """Say where it is, and what to type on our side: to register, or, where that is done, to go on."""
    name = cpo.profile.party_id.lower()
    tries = ["rfid-station sync run"]
    is_new = not cpo.parties
    if is_new:
        cpo.admit(first_token)
        tries = [
            f"printf %s {first_token} | rfid-station partner add {name} {cpo.versions_url} --token-file -",
            f"rfid-station partner connect {name}",
            *tries,
        ]
    if as_json:
        facts = {
            "versions_url": cpo.versions_url,
            "station_url": cpo.station_url,
            "control_url": cpo.control_url,
            "ocpp_url": cpo.ocpp_url or None,
            "versions": list(cpo.profile.versions),
            "first_token": first_token if is_new else None,
            "try": tries,
        }
        typer.echo(json.dumps({"event": "ready", **facts}))
        return
    talk("on the other side, type\n" + "\n".join(f"  {command}" for command in tries))
    body = shlex.quote(json.dumps({"versions_url": "OURS", "token": "INVITATION"}))
    talk(f"to have it come to us\n  curl -d {body} {cpo.control_url}/register")
    card = shlex.quote(json.dumps({"uid": "04E10CDA993C80"}))
    talk(f"to hold a card to its charging station\n  curl -d {card} {cpo.station_url}")
    if cpo.ocpp_url:
        talk(f"to do so by OCPP\n  {charging.introduce(cpo)}")
    charge = shlex.quote(json.dumps({"uid": "04E10CDA993C80", "kwh": 11.5, "cost": 4.6}))
    talk(f"to have it tell of a charge\n  curl -d {charge} {cpo.control_url}/cdr")
    talk("here, Ctrl-C ends")


def _say_request(logged: Logged) -> None:
    typer.echo(f"{logged.method} {logged.path} {logged.http_status or '-'} {logged.fault}".rstrip())


def _say_request_json(logged: Logged) -> None:
    from dataclasses import asdict

    typer.echo(json.dumps({"event": "request", **asdict(logged)}))


def _run(wish: Wish, open_it: Opening) -> None:
    """Open the link, lay the first card, and do what is typed, or nothing, until the end."""
    import threading

    from rfid_station.simulator.hand import Hand

    pile = _pile(wish)
    released = threading.Event()
    with ExitStack() as stack:
        # Whoever ends the process by its id finds all put back as it was, as after Ctrl-C.
        stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        reader, facts = open_it(stack, released.set)
        _introduce(wish, facts)
        _serve(wish, Hand(pile, reader), released)


def _serve(wish: Wish, hand: Hand, released: Any) -> None:  # noqa: ANN401 - threading is imported when needed
    say = _say_json if wish.as_json else _say
    if wish.hands_free:
        hand.lay_by_itself(wish.count, released, say)
        return
    say(hand.lay_next())
    hand.obey_lines(sys.stdin, say)


def _pile(wish: Wish) -> Pile:
    """Where the cards come from.

    :raises WrongCall: a chip, a fault, a UID or a deck cannot be used
    """
    from rfid_station.simulator.chips import CHIPS, uid_size
    from rfid_station.simulator.deck import open_deck
    from rfid_station.simulator.hand import Pile

    if wish.chip not in CHIPS:
        raise WrongCall(f"there is no virtual chip {wish.chip!r}", hint="rfid-station simulate chips")
    uid = _uid(wish.uid, uid_size(wish.chip))
    fault = _fault(wish)
    return Pile(open_deck(wish.deck, wish.seed), wish.chip, uid, fault)


def _uid(text: str | None, size: int) -> bytes | None:
    if text is None:
        return None
    try:
        uid = bytes.fromhex(text)
    except ValueError:
        uid = b""
    if len(uid) != size:
        raise WrongCall(f"--uid {text} cannot be used", hint=f"give {2 * size} hexadecimal digits")
    return uid


def _fault(wish: Wish) -> Any:  # noqa: ANN401 - the simulator is imported when needed
    from rfid_station.simulator.faults import Fault, can_have

    if wish.fault is None:
        return None
    elsewhere = (_ONLY_IN_PROCESS,) if wish.hands_free else (_ONLY_IN_PROCESS, _ONLY_HANDS_FREE)
    usable = [fault for fault in Fault if can_have(wish.chip, fault) and fault not in elsewhere]
    if wish.fault not in usable:
        raise WrongCall(
            f"--fault {wish.fault} cannot be had of {wish.chip} here",
            hint=f"there are {', '.join(usable)}",
        )
    return Fault(wish.fault)


_ONLY_IN_PROCESS = "two-cards"
"""Readers differ in what they make of two cards; `sim:` shows what the desk makes of it."""
_ONLY_HANDS_FREE = "duplicate"
"""Else whoever types says `again`."""


def _somebody_listens(port: int) -> bool:
    """Whether a port of this machine is taken. Nobody is connected to: pcscd would take that for a card."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False


def _introduce(wish: Wish, facts: dict[str, Any]) -> None:
    if wish.as_json:
        typer.echo(json.dumps({"event": "ready", **facts}))
        return
    talk("on the other side, type\n" + "\n".join(f"  {command}" for command in facts["try"]))
    if not wish.hands_free:
        talk(f"here, type {_LINES}")


def _say(words: str) -> None:
    typer.echo(words)


def _say_json(words: str) -> None:
    event, _, value = words.replace("unknown:", "unknown").partition(" ")
    number = int(value) if event == "exchanges" else None
    typer.echo(json.dumps({"event": event, "value": (value or None) if number is None else number}))
