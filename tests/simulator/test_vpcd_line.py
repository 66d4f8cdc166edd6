"""The card's side of vpcd, message by message, with a driver made of one socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.reader_models import MODELS

UID = bytes.fromhex("04E10CDA993C80")
POWER_ON, GET_ATR = "01", "04"
TORN = Mishap(2, Tear(TornMode.ERASED), leaves=True)


class Vpcd:
    """Where the card connects to."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.line: socket.socket | None = None

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def wait_for_card(self) -> None:
        if self.line is not None:
            self.line.close()
        self.line, _ = self.listener.accept()
        self.line.settimeout(10)

    def tell(self, message: str) -> None:
        assert self.line is not None
        self.line.sendall(bytes([0, len(message) // 2]) + bytes.fromhex(message))

    def hear(self) -> str | None:
        assert self.line is not None
        head = self.line.recv(2)
        return self.line.recv(int.from_bytes(head)).hex().upper() if head else None

    def ask(self, message: str) -> str | None:
        self.tell(message)
        return self.hear()

    def close(self) -> None:
        self.listener.close()
        if self.line is not None:
            self.line.close()


@pytest.fixture
def vpcd() -> Iterator[Vpcd]:
    with closing(Vpcd()) as driver:
        yield driver


@pytest.mark.parametrize(
    ("model", "write", "answer"),
    [("acr122u", "FF00000009D44001A20401020304", "D541019000"), ("acr1552u", "FFD600040401020304", None)],
)
def test_a_torn_card_leaves_the_reader(vpcd: Vpcd, model: str, write: str, answer: str | None) -> None:
    with VirtualPcscReader(vpcd.port, model=MODELS[model]) as reader:
        field = reader.insert(new_card("ntag213", UID), mishap=TORN)
        vpcd.wait_for_card()
        vpcd.tell(POWER_ON)
        assert str(vpcd.ask(GET_ATR)).startswith("3B8F80")
        assert vpcd.ask("FFB0000304") == "E11012009000"

        assert vpcd.ask(write) == answer

        if answer is not None:
            assert vpcd.hear() is None
        assert field.is_empty


def test_keys_and_signals_are_the_readers_and_outlast_a_card(vpcd: Vpcd) -> None:
    with VirtualPcscReader(vpcd.port, model=MODELS["acr122u"]) as reader:
        for _ in range(2):
            reader.insert(new_card("classic1k", UID[:4]))
            vpcd.wait_for_card()
            vpcd.tell(POWER_ON)
            if not reader.signals:
                assert vpcd.ask("FF82000106FFFFFFFFFFFF") == "9000"
                assert vpcd.ask("FF00400E0401000101") == "9002"
        assert vpcd.ask("FF860000050100046001") == "9000"
        assert reader.signals == [bytes.fromhex("0E01000101")]
        assert reader.overwritten_keys == []
