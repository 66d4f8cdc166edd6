"""One small day at a desk, by the command line alone, and everything that it said and wrote."""

from __future__ import annotations

import io
import json
import logging
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from command_line import run
from stations import listening_anywhere

from rfid_station.cli import key as key_commands
from rfid_station.cli import output
from rfid_station.desk.people import slow_hash
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode import key_ring
from rfid_station.encode.keys import card_key
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

PINS = {"Sue": "7391048", "Tess": "4829153", "Sam": "6620471"}
WRONG_PIN = "9051736"
PHRASE = "four words by chance"
NEW_PHRASE = "five other words by chance"
MASTER_KEY = bytes.fromhex("8d1f0c5ab3e24796a0d4c17f53be6e29")
FIRST_TOKEN = "first-token-that-came-out-of-band"
SLOTS = {"sun": ("ntag424", ["424.0", "424.2", "424.3", "424.4"]), "link-password": ("ntag213", ["t2.pwd"])}
DRIVERS = (
    "reference,name,fleet,language,group\nD-1,Anna van Dijk,Delta,nl,fleet\nD-2,Bram de Wit,Delta,nl,fleet\n"
)


@dataclass
class Said:
    """What one command answered."""

    arguments: tuple[str, ...]
    exit_code: int
    text: str


@dataclass
class Day:
    """What was used, what was said, and where it was written."""

    folder: Path
    desk: Path
    """What lies outside of the station: what the clerk brought, the virtual cards, chosen files."""
    said: list[Said] = field(default_factory=list)
    logged: io.StringIO = field(default_factory=io.StringIO)
    secrets: dict[str, bytes] = field(default_factory=dict)
    shown_once: dict[str, str] = field(default_factory=dict)
    """Secrets that one command says by intent, and no other."""
    uids: list[str] = field(default_factory=list)

    def call(self, *arguments: str | Path, exit_code: int | None = 0) -> str:
        """Type a command; what it said."""
        words = tuple(map(str, arguments))
        result = run(self.folder, *words)
        self.said.append(Said(words, result.exit_code, result.output))
        self._note_vault()
        assert exit_code is None or result.exit_code == exit_code, (words, result.output)
        return result.stdout

    def _note_vault(self) -> None:
        """Client tokens and tickets come and go."""
        for kept in self.folder.glob("secrets/*"):
            self.secrets[f"vault {kept.name}"] = kept.read_bytes()

    def once(self, name: str, *arguments: str | Path, field_: str) -> str:
        """A command that shows a secret this once, as JSON."""
        said = json.loads(self.call(*arguments, "--json"))
        self.said.pop()
        self.secrets[name] = said[field_].encode()
        self.shown_once[name] = said[field_]
        return str(said[field_])

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the station and every one that was asked for, as it lies there and unpacked."""
        mine = [path for path in self.desk.rglob("*") if path.is_file() and path.suffix != ".brought"]
        for path in [*(one for one in self.folder.rglob("*") if one.is_file()), *mine]:
            yield str(path), path.read_bytes()
            yield from unpacked(path.name, path.read_bytes())


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """What lies inside an archive, and the streams, the metadata and the text of a PDF."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for inner in archive.namelist():
                yield f"{name}!{inner}", archive.read(inner)
                yield from unpacked(f"{name}!{inner}", archive.read(inner))
    if content.startswith(b"%PDF"):
        with pikepdf.open(io.BytesIO(content)) as pdf:
            for thing in pdf.objects:
                is_stream = isinstance(thing, pikepdf.Stream)
                yield f"{name}!object", thing.read_bytes() if is_stream else bytes(thing.unparse())
        document = pypdfium2.PdfDocument(content)
        for page in document:
            yield f"{name}!text", page.get_textpage().get_text_bounded().encode()
        document.close()


class _Typist:
    """Answers what a terminal would be asked."""

    def __init__(self) -> None:
        self.wrong: set[str] = set()

    def __call__(self, question: str) -> str:
        if "component" in question:
            return MASTER_KEY.hex()
        if "new passphrase" in question:
            return NEW_PHRASE
        for name, pin in PINS.items():
            if name in question:
                return WRONG_PIN if name in self.wrong else pin
        raise AssertionError(question)


def lived_day(place: Path, patch: pytest.MonkeyPatch) -> Day:
    """Live the day from the new station to the report of the shift."""
    typist = _Typist()
    patch.setattr(slow_hash, "_COST", 2)
    patch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    patch.setattr(output, "ask_secret", typist)
    patch.setattr(key_commands, "ask_secret", typist)
    patch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    patch.setenv("DESK_PHRASE", PHRASE)
    patch.delenv("RFID_STATION_OPERATOR", raising=False)
    for name, pin in PINS.items():
        patch.setenv(f"PIN_OF_{name.upper()}", pin)
    day = Day(place / "station", place / "desk")
    day.desk.mkdir()
    day.secrets |= {f"PIN of {name}": pin.encode() for name, pin in PINS.items()}
    day.secrets |= {"wrong PIN": WRONG_PIN.encode(), "master key": MASTER_KEY}
    day.secrets |= {"passphrase": PHRASE.encode(), "new passphrase": NEW_PHRASE.encode()}
    day.secrets["first token"] = FIRST_TOKEN.encode()
    everything = logging.StreamHandler(day.logged)
    logging.getLogger().addHandler(everything)
    logging.getLogger().setLevel(logging.DEBUG)
    umask = os.umask(0o022)
    try:
        _morning(day, typist)
        with VirtualCpo(FIRST_TOKEN) as cpo:
            _noon(day, cpo)
        _evening(day, patch)
    finally:
        os.umask(umask)
        logging.getLogger().removeHandler(everything)
        logging.getLogger().setLevel(logging.WARNING)
    return day


def _morning(day: Day, typist: _Typist) -> None:
    """People and keys."""
    day.call("init", "--profile", "link", "--reader", "sim:ntag213")
    listening_anywhere(day.folder, timeout_s=2.0)
    sue = ("operator", "add", "Sue", "--role", "supervisor", "--pin", "env:PIN_OF_SUE")
    day.once("recovery code of Sue", *sue, field_="recovery_code")
    day.call("--operator", "Sue", "shift", "start")
    for name in ("Tess", "Sam"):
        add = ("operator", "add", name, "--pin", f"env:PIN_OF_{name.upper()}")
        day.once(f"recovery code of {name}", *add, field_="recovery_code")
    typist.wrong.add("Sam")
    day.call("--operator", "Sam", "card", "list", "--full", exit_code=None)
    day.call("--operator", "Sam", "key", "new", "cards", "--components", "1", exit_code=None)
    day.call("key", "new", "cards", "--components", "1", "--witness", "Tess")
    day.call("key", "new", "cards", "--components", "1", "--witness", "Tess", exit_code=None)
    day.call("key", "list")


def _noon(day: Day, cpo: VirtualCpo) -> None:
    """Partners and cards."""
    token, fleet = day.desk / "token.brought", day.desk / "fleet.csv"
    token.write_text(FIRST_TOKEN)
    fleet.write_text(DRIVERS)
    day.call("partner", "add", "voltpoint", cpo.versions_url, "--token-file", token, "--all-groups")
    day.call("partner", "connect", "voltpoint")
    day.once("invitation", "partner", "invite", "greenline", "--all-groups", field_="token")
    deck = day.desk / "deck.brought"
    trace = day.desk / "trace.jsonl"
    reader = f"sim:ntag213?deck={deck}&count=2"
    day.call("card", "issue", fleet, "--reader", reader, "--trace", trace, exit_code=None)
    for profile, (chip, _) in SLOTS.items():
        pile = f"sim:{chip}?deck={day.desk / f'{profile}.brought'}"
        made = ("card", "issue", "--profile", profile, "--reader", pile, "--trace", trace, "--count", "1")
        day.call(*made, "--json")
        again = f"{pile}&start=0"
        for command in ("read", "verify"):
            day.call("card", command, "--reader", again, "--trace", trace)
            day.call("card", command, "--reader", again, "--json")
    cards = [json.loads(line) for line in day.call("card", "list", "--json").splitlines()]
    number = cards[0]["number"]
    day.call("card", "list", "--full")
    day.call("sheet", "print")
    day.call("letter", "print")
    press = ("sheet", "press", "--bureau", "pps-print", "--again", "--reason", "a second pile", "--json")
    day.call(*press, exit_code=None)
    day.call("sync", "run")
    day.call("partner", "test", "voltpoint")
    day.call("partner", "preview", "voltpoint", number)
    day.call("partner", "show", "voltpoint")
    day.call("partner", "show", "voltpoint", "--json")
    receipt = day.desk / "block.pdf"
    day.call("card", "block", number, "--receipt", receipt, "--wait", "5", exit_code=None)
    day.call("partner", "rotate", "voltpoint")
    day.call("sync", "run", "--json")
    day.call("sync", "audit", "voltpoint", exit_code=None)
    _refused(day, cpo)


def _refused(day: Day, cpo: VirtualCpo) -> None:
    """What goes wrong says no secret either."""
    cpo.restart("everything")
    day.call("partner", "test", "voltpoint", exit_code=None)
    day.call("partner", "rotate", "voltpoint", exit_code=None)
    day.call("sync", "run", exit_code=None)
    day.call("partner", "connect", "greenline", exit_code=None)


def _evening(day: Day, patch: pytest.MonkeyPatch) -> None:
    """Look at everything, in both ways of saying it."""
    for looking in (
        ("card", "list"),
        ("card", "find", "Delta"),
        ("operator", "list"),
        ("partner", "list"),
        ("key", "list"),
        ("sync", "status"),
        ("sheet", "jobs"),
        ("shift", "list"),
        ("store", "check"),
        ("store", "log", "--limit", "999"),
        ("doctor",),
    ):
        day.call(*looking, exit_code=None)
        day.call(*looking, "--json", exit_code=None)
    with_cards = [json.loads(line) for line in day.call("card", "list", "--json").splitlines()]
    for card in with_cards:
        day.call("card", "show", card["number"])
    patch.setenv("DESK_PHRASE", "not these words")
    day.call("key", "list", exit_code=None)
    patch.setenv("DESK_PHRASE", PHRASE)
    day.call("key", "passphrase")
    day.call("shift", "end")
    _note_what_was_used(day)


def _note_what_was_used(day: Day) -> None:
    ring = key_ring.unseal((day.folder / "keys.ring").read_bytes(), NEW_PHRASE)
    for profile, (_, slots) in SLOTS.items():
        deck = json.loads((day.desk / f"{profile}.brought").read_text())
        for uid in _uids_in(deck):
            day.uids.append(uid)
            for slot in slots:
                key = card_key(ring, KeyRef("cards", 1), CardUid(bytes.fromhex(uid)), slot).reveal()
                day.secrets[f"{slot} of {uid}"] = key[:4] if slot == "t2.pwd" else key
    day.uids += _uids_in(json.loads((day.desk / "deck.brought").read_text()))


def _uids_in(deck: object) -> list[str]:
    """Every member `uid` in a pile of virtual cards."""
    if isinstance(deck, dict):
        own = [str(deck["uid"]).upper()] if "uid" in deck else []
        return own + [uid for value in deck.values() for uid in _uids_in(value)]
    return [uid for value in deck for uid in _uids_in(value)] if isinstance(deck, list) else []
