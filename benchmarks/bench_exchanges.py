"""How many exchanges a card takes from blank to verified, beside the least number and beside other software.

Ours are counted through the whole desk: identify, examine, write, field restart, read back, and where a
profile protects cards the proofs as a stranger and with keys. The least number is what no program could do
without for the same end; beside the row stands how it is reckoned. Others write the same link to the same
virtual chip.
"""

from __future__ import annotations

import os
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench_peers import Count, peers

from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station
from rfid_station.reader.sim import open_sim

CARDS = 12
LINK = "https://cards.example.com/c/XXXXXXXXXXXX"


@dataclass(frozen=True, slots=True)
class Job:
    """A profile on a chip, the least number of exchanges for it, and how that is reckoned."""

    profile: str
    chip: str
    least: int | None
    """None where we have no reckoning that we would stand up for."""
    reckoning: str = ""
    peer_job: str = ""


JOBS = (
    Job("link", "ntag213", 15, "version, read, 11 pages, restart, read back", "link"),
    Job("link", "ntag215", 14, "version, read, 10 pages, restart, read back"),
    Job("link", "ultralight", 25, "ours without the second try of GET_VERSION and its restart"),
    Job("link-password", "ntag213", 21, "link, 4 pages, stranger's write, restart", "link-password"),
    Job("link-locked", "ntag213", 21, "link, 4 pages, read before locking, stranger's write"),
    Job("link-password", "ultralightc", 37, "ours without reading AUTH0 and AUTH1 back"),
    Job("classic-link", "classic1k", None, "", "link"),
    Job("classic-keys", "classic1k", None),
    Job("desfire-link", "desfire-ev1", 21, "ours without selecting the PICC again", "link"),
    Job("desfire", "desfire-ev2", 59, "ours without selecting the PICC again"),
    Job("ntag424-link", "ntag424", 32, "ours without a second select and login"),
    Job("sun", "ntag424", 31, "ours without a second select and login"),
)


class Quiet:
    """A view of the loop that shows nothing."""

    def turned(self, tally: object) -> None: ...

    def stage(self, stage: object, words: str) -> None: ...

    def issued(self, issued: object, took_s: float, tally: object) -> None: ...

    def failed(self, error: object, tally: object) -> None:
        raise SystemExit(f"a card failed: {error}")

    def said(self, words: str, hint: str | None = None) -> None: ...


def ours(station: Station, job: Job) -> tuple[float, float]:
    """Exchanges a card, field restarts included, and milliseconds of CPU a card, through the whole desk."""
    reader = open_sim(f"sim:{job.chip}?count={CARDS}")
    before = _cpu_s()
    tally = issue_cards(
        Run(station, station.profile(job.profile), None, None, Quiet()), reader, lambda: False
    )
    if len(tally.issued) != CARDS:
        raise SystemExit(f"only {len(tally.issued)} of {CARDS} cards were made")
    return reader.exchanges / CARDS, (_cpu_s() - before) / CARDS * 1000


def beside(job: Job, counts: list[Count]) -> str:
    """What somebody else needs for it, writing and reading back."""
    fitting = [count for count in counts if (count.chip, count.job) == (job.chip, job.peer_job)]
    return ", ".join(f"{count.peer} {count.write}+{count.read}" for count in fitting)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a line for each job."""
    os.environ.update(RFID_STATION_KEYS__PASSPHRASE="env:DESK_PHRASE", DESK_PHRASE="four words by chance")
    counts = peers(LINK)
    print(f"exchanges with the card for a link of {len(LINK)} characters, {CARDS} cards each")
    print("others: exchanges to write + to read back; without proof or protection unless the job says so")
    heads = f"{'ours':>6}{'least':>6}{'ratio':>7}{'CPU ms':>8}  {'others':18}"
    print(f"{'profile':15}{'chip':13}{heads}the least is")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "station"
        clerk = actor_at_keyboard("bench")
        create_station(path, clerk, profile="link", reader="sim:ntag213")
        with open_station(path, clerk) as station:
            station.cupboard.add("cards")
            for job in JOBS:
                exchanges, cpu_ms = ours(station, job)
                least, ratio = (job.least, f"{exchanges / job.least:.2f}") if job.least else ("", "")
                row = f"{exchanges:6.4g}{least:>6}{ratio:>7}{cpu_ms:8.3g}  {beside(job, counts):18}"
                print(f"{job.profile:15}{job.chip:13}{row}{job.reckoning}")


if __name__ == "__main__":
    main()
