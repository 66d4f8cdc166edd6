"""How many exchanges an NTAG takes from blank to verified, beside the least number and beside nfcpy.

The floor is what identifying, writing and verifying cannot do without: GET_VERSION, one read
of the memory, one write for each page that changes, a field restart, one read back. nfcpy writes the same
link to the same virtual chip and does not verify; reading it back with a new tag object is added for it.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import ndef
import nfc.clf
import nfc.tag.tt2

from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station
from rfid_station.reader.sim import open_sim
from rfid_station.simulator.ntag21x import MODELS, VirtualNtag21x

CARDS = 40
LINK = "https://cards.example.com/c/XXXXXXXXXXXX"


class Quiet:
    """A view of the loop that shows nothing."""

    def waiting(self, tally: object) -> None: ...

    def stage(self, stage: object, words: str) -> None: ...

    def issued(self, issued: object, took_s: float, tally: object) -> None: ...

    def failed(self, error: object, tally: object) -> None:
        raise SystemExit(f"a card failed: {error}")


class CountingAir:
    """As much of nfcpy's frontend as a tag needs, counting frames."""

    def __init__(self, card: VirtualNtag21x) -> None:
        self.card = card
        self.frames = 0
        self.target = nfc.clf.RemoteTarget("106A")
        self.target.sens_res = bytes.fromhex("4400")
        self.target.sel_res = bytes.fromhex("00")
        self.target.sdd_res = card.uid

    def sense(self, *targets: object, **options: object) -> nfc.clf.RemoteTarget:
        self.card.power_off()
        self.card.select()
        return self.target

    def exchange(self, data: bytes, timeout: float) -> bytes:
        self.frames += 1
        answer = self.card.answer(bytes(data))
        if not answer:
            raise nfc.clf.TimeoutError
        return answer


def ours(station: Station, model: str) -> tuple[float, float]:
    """Exchanges a card, field restarts included, and milliseconds of CPU a card, through the whole desk."""
    reader = open_sim(f"sim:{model}?count={CARDS}")
    before = _cpu_s()
    tally = issue_cards(Run(station, station.profile(), None, None, Quiet()), reader, lambda: False)
    if len(tally.issued) != CARDS:
        raise SystemExit(f"only {len(tally.issued)} of {CARDS} cards were made")
    return reader.exchanges / CARDS, (_cpu_s() - before) / CARDS * 1000


def nfcpy(model: str) -> tuple[int, int]:
    """Frames that nfcpy needs to write the link, and then to read it back."""
    air = CountingAir(VirtualNtag21x(model, bytes.fromhex("04A1B2C3D4E580")))
    air.sense()
    tag = nfc.tag.tt2.activate(air, air.target)
    tag.ndef.records = [ndef.UriRecord(LINK)]
    written = air.frames
    air.sense()
    again = nfc.tag.tt2.activate(air, air.target)
    if [record.iri for record in again.ndef.records] != [LINK]:
        raise SystemExit("nfcpy did not write what it should")
    return written, air.frames - written


def floor(model: str) -> int:
    """GET_VERSION, a read, a write for each page that changes, a field restart, a read back."""
    prefix, first_page_stays = (5, 1) if model == "ntag213" else (0, 0)
    message = len(LINK.removeprefix("https://")) + 5
    pages = -(-(prefix + 2 + message + 1) // 4) - first_page_stays
    return 1 + 1 + pages + 1 + 1


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a line for each chip."""
    print(f"exchanges with the card for a link of {len(LINK)} characters, {CARDS} cards each")
    columns = ("floor", "ours", "ratio", "nfcpy write", "+ read back", "our CPU ms")
    print(f"{'chip':8}" + "".join(f"{name:>13}" for name in columns))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "station"
        clerk = actor_at_keyboard("bench")
        create_station(path, clerk, profile="link", reader="sim:ntag213")
        with open_station(path, clerk) as station:
            for model in MODELS:
                exchanges, cpu_ms = ours(station, model)
                least = floor(model)
                row = (least, exchanges, exchanges / least, *nfcpy(model), cpu_ms)
                print(f"{MODELS[model].name:8}" + "".join(f"{value:13.4g}" for value in row))


if __name__ == "__main__":
    main()
