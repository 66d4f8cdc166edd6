"""How many exchanges other software has with a card for the jobs of our profiles, from blank to read back.

nfcpy works over its UDP link, libfreefare's tools (Debian: libfreefare-bin) over a PN532 on a
pseudo-terminal, both with the virtual chips that our own exchanges are counted on. Selecting a card is
counted for nobody, nor is a field restart. `peers()` gives the counts to whoever sets them beside others.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ndef
import nfc
import nfc.clf
import nfc.clf.udp
import nfc.tag

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

LINK = "https://cards.example.com/c/XXXXXXXXXXXX"
UIDS = {4: bytes.fromhex("04A1B2C3"), 7: bytes.fromhex("04A1B2C3D4E580")}
PASSWORD = b"secret"
PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Count:
    """What a job took somebody: exchanges to write, and again to read back as a stranger."""

    chip: str
    job: str
    peer: str
    write: int
    read: int

    @property
    def total(self) -> int:
        return self.write + self.read


def peers(link: str = LINK) -> list[Count]:
    """Every job with every peer that can do it."""
    return [
        nfcpy_link("ntag213", link),
        nfcpy_password("ntag213", link),
        freefare_classic("classic1k", link),
        freefare_desfire("desfire-ev1", link),
        nfcpy_desfire("desfire-ev1", link),
        nfcpy_link("ntag424", link),
    ]


def nfcpy_link(chip: str, link: str) -> Count:
    """Write a link with nfcpy, and read it back with a new tag object."""
    with nfcpy(new_card(chip, UIDS[7])) as (tap, field):
        tap().ndef.records = [ndef.UriRecord(link)]
        written = field.exchanges
        check(tap(), link)
        return Count(chip, "link", "nfcpy", written, field.exchanges - written)


def nfcpy_password(chip: str, link: str) -> Count:
    """The same, with a password that keeps strangers from writing. nfcpy tries it out at once."""
    with nfcpy(new_card(chip, UIDS[7])) as (tap, field):
        tag = tap()
        tag.ndef.records = [ndef.UriRecord(link)]
        if not tag.protect(PASSWORD, read_protect=False, protect_from=4):
            raise SystemExit("nfcpy could not set the password")
        written = field.exchanges
        check(tap(), link)
        return Count(chip, "link-password", "nfcpy", written, field.exchanges - written)


def nfcpy_desfire(chip: str, link: str) -> Count:
    """Write and read a link in an NDEF application that libfreefare has made before."""
    card = new_card(chip, UIDS[7])
    with pn532(card) as (run, _):
        run("mifare-desfire-create-ndef", "-y")
    with nfcpy(card) as (tap, field):
        tap().ndef.records = [ndef.UriRecord(link)]
        written = field.exchanges
        check(tap(), link)
        return Count(chip, "link, application there", "nfcpy", written, field.exchanges - written)


def freefare_classic(chip: str, link: str) -> Count:
    """Make a MAD and write a link with libfreefare, and read it back."""
    return _freefare(chip, link, "classic", [["mifare-classic-write-ndef", "-y", "-i"]])


def freefare_desfire(chip: str, link: str) -> Count:
    """Make an NDEF application and write a link with libfreefare, and read it back."""
    steps = [["mifare-desfire-create-ndef", "-y"], ["mifare-desfire-write-ndef", "-y", "-i"]]
    return _freefare(chip, link, "desfire", steps)


def _freefare(chip: str, link: str, family: str, steps: list[list[str]]) -> Count:
    message = b"".join(ndef.message_encoder([ndef.UriRecord(link)]))
    uid = UIDS[4 if family == "classic" else 7]
    with pn532(new_card(chip, uid)) as (run, field), tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "in.ndef", Path(folder) / "out.ndef"
        given.write_bytes(message)
        for step in steps:
            run(*step, *([str(given)] if step[-1] == "-i" else []))
        written = field.exchanges
        run(f"mifare-{family}-read-ndef", "-y", "-o", str(taken))
        if taken.read_bytes() != message:
            raise SystemExit("libfreefare did not read what it wrote")
        return Count(chip, "link", "libfreefare", written, field.exchanges - written)


@contextmanager
def nfcpy(card: VirtualCard) -> Iterator[tuple[Callable[[], Any], Field]]:
    """A card on nfcpy's UDP link: how to tap it, and where its exchanges are counted."""
    with VirtualUdpReader(0) as reader:
        field = reader.insert(card)
        clf = nfc.ContactlessFrontend()
        clf.device = nfc.clf.udp.init("localhost", reader.port)
        yield lambda: nfc.tag.activate(clf, clf.sense(nfc.clf.RemoteTarget("106A"))), field
        clf.close()


@contextmanager
def pn532(card: VirtualCard) -> Iterator[tuple[Callable[..., None], Field]]:
    """A card on a PN532: how to run a tool with it, and where its exchanges are counted."""
    with VirtualPn532() as reader:
        field = reader.insert(card)
        environment = os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{reader.path}"}

        def run(*command: str) -> None:
            subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S, capture_output=True)

        yield run, field


def check(tag: nfc.tag.Tag, link: str) -> None:
    """Read it back as nfcpy does."""
    if [record.iri for record in tag.ndef.records] != [link]:
        raise SystemExit("nfcpy did not read what it wrote")


def main() -> None:
    """Print a line for each job and peer."""
    print(f"exchanges with the card for a link of {len(LINK)} characters; selecting is not counted")
    print(f"{'chip':13}{'job':26}{'peer':13}{'write':>7}{'read':>7}{'total':>7}")
    for one in peers():
        print(f"{one.chip:13}{one.job:26}{one.peer:13}{one.write:7}{one.read:7}{one.total:7}")


if __name__ == "__main__":
    main()
