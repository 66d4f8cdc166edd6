"""What a receipt says of a card that was stopped: who did it and when, whoever asks again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.desk.station import open_station
from rfid_station.desk.support.receipt import Known, receipt_of
from rfid_station.desk.support.stopping import Stopped, move_and_push
from rfid_station.domain.card import CardState, Reason
from rfid_station.sync.confirmation import Confirmation, PushAnswer, Risk


def stopped_by_clerk(folder: Path) -> Stopped:
    with open_station(folder, CLERK) as station:
        (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
        return move_and_push(station, card, CardState.BLOCKED, Reason.STOLEN)


def answer(stopped: Stopped, partner: str, answer: PushAnswer, minutes: int) -> Confirmation:
    at = stopped.card.changed_at + timedelta(minutes=minutes)
    is_there = answer in (PushAnswer.CONFIRMED, PushAnswer.ACKNOWLEDGED)
    return Confirmation(
        partner,
        1,
        2,
        answer,
        "",
        at,
        "…",
        "…",
        Risk.REFUSES,
        is_valid=False,
        confirmed_at=at if is_there else None,
        proven_at=at if answer is PushAnswer.CONFIRMED else None,
    )


def test_who_blocked_it_stays_on_the_receipt_when_somebody_else_asks_again(folder: Path) -> None:
    stopped = stopped_by_clerk(folder)
    with open_station(folder, SUPPORT) as station:
        first = receipt_of(station, stopped)
        again = move_and_push(station, stopped.card, CardState.BLOCKED, Reason.STOLEN)
        second = receipt_of(station, again)
    assert (first.who, first.reason, first.at) == ("Tess", "stolen", stopped.card.changed_at)
    assert first == second, "the same state of things gives the same receipt"
    assert (first.language, first.uid) == ("de", stopped.card.uid.masked)


def test_the_worst_answers_come_first_and_the_last_one_dates_the_receipt(folder: Path) -> None:
    stopped = stopped_by_clerk(folder)
    answers = (
        answer(stopped, "a", PushAnswer.CONFIRMED, 1),
        answer(stopped, "b", PushAnswer.ACKNOWLEDGED, 3),
        answer(stopped, "d", PushAnswer.UNREACHABLE, 2),
        answer(stopped, "c", PushAnswer.REFUSED, 2),
    )
    with open_station(folder, CLERK) as station:
        receipt = receipt_of(station, replace(stopped, confirmations=answers))
    assert [(one.partner, one.known) for one in receipt.partners] == [
        ("c", Known.UNKNOWN),
        ("d", Known.UNKNOWN),
        ("b", Known.CONFIRMED),
        ("a", Known.PROVEN),
    ]
    assert receipt.as_of == stopped.card.changed_at + timedelta(minutes=3)
