"""Two processes to be killed: one changes cards as fast as it can, one brings what changed to partners.

usage: python killed_processes.py writer|worker STATION_FOLDER SEED
says "ready", and begins with the next line on stdin
"""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path
from typing import NoReturn

from rfid_station.desk.delivery import replicator
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Reason, Role
from rfid_station.sync.drive import Replicator
from rfid_station.sync.pace import Timing
from rfid_station.sync.turn import FileTurns
from rfid_station.sync.worker import Worker

SUPPORT = Actor("Sam", Role.SUPPORT)
HURRIED = Timing(
    backoff_least_s=0.02,
    backoff_most_s=0.3,
    park_first_s=0.5,
    park_most_s=2.0,
    verify_first_s=1.0,
    unauthorized_s=0.5,
    poll_s=0.05,
    commit_every=4,
    commit_after_s=0.05,
)
"""Patience of seconds, so that a test sees what takes hours otherwise."""


def hurried(station: Station, plain: Replicator) -> Replicator:
    turns = FileTurns(station.folder / "locks")
    return Replicator(station.store.feed, plain.peers, turns=turns, timing=HURRIED)


def write(station: Station, dice: random.Random) -> NoReturn:
    pause = threading.Event()
    while not pause.wait(dice.uniform(0.0, 0.03)):
        card = dice.choice(station.store.cards.listing())
        if card.state is CardState.ACTIVE:
            station.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUPPORT, station.token)
        else:
            station.store.cards.move(card.id, CardState.ACTIVE, Reason.FOUND, SUPPORT, station.token)
    raise AssertionError("nobody sets it")


def work(station: Station) -> None:
    with replicator(station) as plain:
        worker = Worker(hurried(station, plain))
        worker.start()
        threading.Event().wait()


def main() -> None:
    what, folder, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with open_station(folder, SUPPORT) as station:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        if what == "writer":
            write(station, random.Random(seed))
        work(station)


if __name__ == "__main__":
    main()
