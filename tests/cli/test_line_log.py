"""Lines on stderr: in order, and nobody waits for whoever reads them."""

from __future__ import annotations

import json
import os
import threading
import time

from rfid_station.cli.line_log import LineLog


def test_lines_come_whole_and_in_order() -> None:
    there, here = os.pipe()
    log = LineLog(here)
    for number in range(500):
        log.write({"number": number, "word": "é"})
    log.close()
    os.close(here)
    with os.fdopen(there) as read:
        assert [json.loads(line)["number"] for line in read] == list(range(500))


def test_a_reader_that_stalls_holds_nobody_up_and_is_told_what_it_missed() -> None:
    there, here = os.pipe()
    log = LineLog(here, most=50)
    begun_s = time.monotonic()
    for number in range(20_000):
        log.write({"number": number})
    assert time.monotonic() - begun_s < 5.0
    found: list[dict[str, int | str]] = []

    def read() -> None:
        with os.fdopen(there) as lines:
            found.extend(map(json.loads, lines))

    reader = threading.Thread(target=read)
    reader.start()
    log.close()
    os.close(here)
    reader.join(60)
    numbers = [line["number"] for line in found if "number" in line]
    missed = [line["log"] for line in found if "log" in line]
    assert numbers == sorted(numbers)
    assert missed
    assert sum(int(str(words).split()[0]) for words in missed) == 20_000 - len(numbers)


def test_the_end_does_not_wait_for_a_reader_that_never_reads() -> None:
    there, here = os.pipe()
    log = LineLog(here, most=50)
    for number in range(20_000):
        log.write({"number": number})
    begun_s = time.monotonic()
    log.close()
    assert time.monotonic() - begun_s < 5.0
    os.close(there)  # the writer's call ends, and its thread with it
    log._writer.join(60)
    os.close(here)


def test_a_reader_that_has_gone_is_no_trouble() -> None:
    there, here = os.pipe()
    os.close(there)
    log = LineLog(here)
    log.write({"number": 1})
    log.close()
    os.close(here)
