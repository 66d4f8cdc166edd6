"""Two processes to be killed: one changes cards as fast as it can, one brings what changed to partners."""

from __future__ import annotations

import random
import threading
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NoReturn

from rfid_station.desk.partners.delivery import replicator
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


def write(folder: Path, seed: int, start_line: Barrier) -> NoReturn:
    dice, pause = random.Random(seed), threading.Event()
    with open_station(folder, SUPPORT) as station:
        start_line.wait(60)
        while not pause.wait(dice.uniform(0.0, 0.03)):
            card = dice.choice(station.store.cards.listing())
            if card.state is CardState.ACTIVE:
                station.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUPPORT, station.token)
            else:
                station.store.cards.move(card.id, CardState.ACTIVE, Reason.FOUND, SUPPORT, station.token)
    raise AssertionError("nobody sets it")


def work(folder: Path, _: int, start_line: Barrier) -> None:
    with open_station(folder, SUPPORT) as station, replicator(station) as plain:
        worker = Worker(hurried(station, plain))
        start_line.wait(60)
        worker.start()
        threading.Event().wait()
