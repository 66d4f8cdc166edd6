"""A PC/SC service of the tests' own, and virtual cards on it. Nothing else on the machine is touched.

libpcsclite looks up once in a process where the service is. So that is settled before any
test runs, and a service that the machine may have is never spoken to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rfid_station.reader.pcsc import readers_in_use
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd, environment_for

FOLDER = pytest.StashKey[Path]()
PATIENCE_S = 60.0


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="pcscd-"))
    os.environ.update(environment_for(config.stash[FOLDER]))


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def pcscd(pytestconfig: pytest.Config) -> Iterator[PrivatePcscd]:
    """A real pcscd with the vpcd driver. Each worker of xdist has its own."""
    with PrivatePcscd(folder=pytestconfig.stash[FOLDER]) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def the_picc(pcscd: PrivatePcscd) -> Iterator[VirtualPcscReader]:
    with VirtualPcscReader(pcscd.port) as reader:
        yield reader


@pytest.fixture
def picc(the_picc: VirtualPcscReader) -> Iterator[VirtualPcscReader]:
    """The virtual reader in this process: `picc.insert(card)`, `picc.remove()`. Empty before and after."""
    yield the_picc
    try:
        nobody_holds_a_card()
    finally:
        the_picc.remove()
    the_picc.transparent = True


def nobody_holds_a_card() -> None:
    """Wait until whoever was killed has let go: a card that is held is kept from all later tests."""
    deadline = time.monotonic() + PATIENCE_S
    while held := readers_in_use():
        assert time.monotonic() < deadline, f"a test has not closed {', '.join(held)}"
        time.sleep(0.02)


class HandProcess:
    """`rfid_station.simulator.hand` in a process of its own: it outlives a station that is killed."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rfid_station.simulator.hand", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, line: str) -> str:
        """Tell the hand something, and hear what it did."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().strip()

    def end(self) -> int:
        """Tell it that there is nothing more to do, and wait until it has gone."""
        try:
            self._process.communicate(timeout=PATIENCE_S)
        finally:
            self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """End it whatever it does: without hands it waits for a station that may never come."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start_hand(pcscd: PrivatePcscd) -> Iterator[Callable[..., HandProcess]]:
    """Start a hand for this pcscd: `start_hand("--deck", str(path))`."""
    with ExitStack() as at_the_end:

        def start(*options: str) -> HandProcess:
            hand = HandProcess("--port", str(pcscd.port), *options)
            at_the_end.callback(hand.kill)
            return hand

        yield start
