"""What other desks do at the same time: run in processes of their own, which may be killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from postgresql_base import Base
from store_world import ANN, PATTERN, SUE, contract, issue, reserve, tell, uid, url_of

from rfid_station.domain.card import CardState, Reason
from rfid_station.errors import Conflict
from rfid_station.store.backups import restoring
from rfid_station.store.backups.copying import copy_store
from rfid_station.store.backups.restoring import restore_over
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import Store, create_store, open_store


def reserve_at_once(
    place: Path | Base, barrier: Barrier, answers: Connection, number: int, what: str
) -> None:
    """Meet the others, then want the same UID or the same order line as they do."""
    with open_store(url_of(place)) as store:
        barrier.wait(60)
        try:
            if what == "blank":
                reserve(store, number)
            elif what == "uid":
                reserve(store, number, of=uid(7))
            else:
                reserve(store, number, order_line="fleet.csv:7")
        except Conflict as conflict:
            answers.send(conflict.message)
        else:
            answers.send("won")


WANTED = PATTERN.render(7)


class Drawn:
    """Numbers for a card that brings its own visual number."""

    contract_of = staticmethod(contract)

    def __init__(self, number: int) -> None:
        self.draw_visual = lambda: PATTERN.render(number)
        self.draw_alias = lambda: f"alias-{number}"


def register_at_once(place: Path | Base, barrier: Barrier, answers: Connection, number: int) -> None:
    """Meet the others, then want the same visual number for another card."""
    new = NewCard(uid(number), "bulk", f"{number}", "NTAG213", "link", visual_number=WANTED)
    with open_store(url_of(place)) as store:
        barrier.wait(60)
        with store.bulk.registering(
            numbers=Drawn(number), token_of=tell, activate=True, actor=ANN
        ) as registrar:
            (done,) = registrar.add([new])
        answers.send("won" if done.is_new else done.refusal)


def create_at_once(place: Path | Base, barrier: Barrier, answers: Connection) -> None:
    barrier.wait(60)
    try:
        create_store(url_of(place), actor=ANN).close()
    except Conflict:
        answers.send("conflict")
    else:
        answers.send("won")


def copy_and_tell(place: Path | Base, elsewhere: Path | Base, ready: Connection) -> None:
    with open_store(url_of(place)) as store:
        ready.send(os.getpid())
        copy_store(store.database, url_of(elsewhere), None, SUE)


def create_one(place: Path | Base, ready: Connection) -> None:
    ready.send(os.getpid())
    create_store(url_of(place), actor=ANN).close()


def write_much(place: Path | Base, first: int, cards: int) -> None:
    """Two threads of one desk: one issues cards, one blocks and frees them again."""
    with open_store(url_of(place)) as store:
        issued = [issue(store, first)]
        other = threading.Thread(target=_move_to_and_fro, args=(store, issued, cards))
        other.start()
        for number in range(first + 1, first + cards):
            issued.append(issue(store, number))
        other.join()


def _move_to_and_fro(store: Store, issued: list[object], times: int) -> None:
    for turn in range(times):
        card = issued[turn % len(issued)]
        now = store.cards.by_id(card.id)
        if now.state is CardState.ACTIVE:
            store.cards.move(now.id, CardState.BLOCKED, Reason.LOST, SUE, tell)
        else:
            store.cards.move(now.id, CardState.ACTIVE, Reason.FOUND, SUE, tell)


def issue_until_killed(place: Path | Base, first: int, told: Connection) -> None:
    """Issue one card after the other, and say what was promised by then."""
    with open_store(url_of(place)) as store:
        number = first
        while True:
            card = reserve(store, number, order_line=f"fleet.csv:{number}")
            told.send((number, CardState.RESERVED))
            store.cards.begin_encoding(card.id, "digest", ANN)
            told.send((number, CardState.ENCODING))
            store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)
            told.send((number, CardState.ACTIVE))
            store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
            told.send((number, CardState.BLOCKED))
            number += 1


def restore_and_tell(file: Path, path: Path, ready: Connection) -> None:
    ready.send(os.getpid())
    restore_over(file, path, lambda _: SUE, discard_newer=True)


def restore_and_die_writing(file: Path, path: Path, ready: Connection) -> None:
    """Die when half of the pages are in the store's file already."""

    def die_half_way(work: Path, present: sqlite3.Connection, _: Path) -> None:
        def look(_: int, remaining: int, total: int) -> None:
            if remaining < total / 2:
                os.kill(os.getpid(), signal.SIGKILL)

        present.execute("PRAGMA cache_size = 5")
        with closing(sqlite3.connect(work)) as new:
            new.backup(present, pages=1, progress=look)

    restoring._write_into = die_half_way
    ready.send(os.getpid())
    restore_over(file, path, lambda _: SUE, discard_newer=True)
