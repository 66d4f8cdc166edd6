"""`rfid-station serve` puts up the page, in one process with the OCPI server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_world import path_of, sun_cards, tapped_link
from served_process import ServedProcess
from stations import CLERK, LINES, issue_from, listening_anywhere

from rfid_station.desk.station import Station, open_station

Start = Callable[..., ServedProcess]


@pytest.fixture
def station(folder: Path) -> Iterator[Station]:
    settings = listening_anywhere(folder, timeout_s=2.0) / "station.toml"
    settings.write_text(settings.read_text().replace('passphrase = "prompt"', 'passphrase = "file:phrase"'))
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "phrase").write_text("four words by chance")
    with open_station(folder, CLERK) as opened:
        yield opened


@pytest.fixture
def start(station: Station) -> Iterator[Start]:
    started: list[ServedProcess] = []

    def start(ready: str = "answering the links on cards") -> ServedProcess:
        started.append(ServedProcess(station.folder, "--no-sync"))
        until_s = time.monotonic() + 60
        while not started[-1].said(ready) and time.monotonic() < until_s:
            time.sleep(0.02)
        return started[-1]

    yield start
    for one in started:
        one.kill()


def get(station: Station, target: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(station.settings.ocpi.listen, timeout=60)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_one_process_answers_drivers_and_partners(station: Station, start: Start) -> None:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    process = start()
    assert process.said("answering the links on cards: https://cards.example.com/c/{alias}")

    status, page = get(station, path_of(card))
    assert (status, "You can charge with this card" in page) == (200, True)
    assert get(station, "/ocpi/versions")[0] == 401
    assert get(station, "/healthz")[0] == 200
    assert "page" in {line["endpoint"] for line in process.requests()}
    assert card.alias not in process.log.read_text()
    assert process.end() == 0


def test_taps_are_checked_with_the_keys_of_the_station(station: Station, start: Start) -> None:
    deck, _ = sun_cards(station)
    process = start()
    link = tapped_link(deck)
    assert [("permit" in get(station, link)[1]) for _ in range(2)] == [True, False]
    assert process.end() == 0


def test_keys_that_do_not_open_stop_taps_and_nothing_else(station: Station, start: Start) -> None:
    deck, _ = sun_cards(station)
    path = station.folder / "keys.ring"
    path.write_bytes(path.read_bytes().replace(b"sealed", b"saeled"))
    process = start()
    assert process.said("taps of cards are not checked: the file is no key ring")
    status, page = get(station, tapped_link(deck))
    assert (status, "cannot be checked" in page) == (200, True)


def test_no_page_where_none_is_wanted(station: Station, start: Start) -> None:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    path = station.folder / "station.toml"
    text = path.read_text()
    at = text.index("[page]")
    path.write_text(text[:at] + text[at:].replace("serve = true", "serve = false", 1))
    process = start("answering partners")
    assert get(station, path_of(card))[0] == 401
    assert process.end() == 0
    assert "answering the links" not in process.log.read_text()
