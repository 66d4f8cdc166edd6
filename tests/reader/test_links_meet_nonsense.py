"""Readers and cards that answer anything: a link ends in an answer or an expected error, never in a crash."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip.exchange import Apdu, Exchange, ReadBlock, SecretFrame, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import StationError
from rfid_station.reader import nfc_link
from rfid_station.reader.nfc_link import NfcLink, Selection
from rfid_station.reader.pcsc_link import ConnectionBroken, PcscLink, ReaderHabits

ATRS = [
    "3B8F8001804F0CA0000003060300030000000068",
    "3B8F8001804F0CA000000306030001000000006A",
    "3B8180018080",
    "",
    "804F0CA000000306",
]
COMMANDS: list[Exchange | str] = [
    b"",
    b"\x60",
    b"\x30\x04",
    bytes.fromhex("A20401020304"),
    bytes.fromhex("1B00000000"),
    Apdu(bytes.fromhex("9060000000")),
    Apdu(b""),
    SectorLogin(4, SecretFrame(bytes(6))),
    ReadBlock(4),
    WriteBlock(4, bytes(16)),
    "uid",
    "restart",
]
ANSWERS = st.lists(
    st.binary(max_size=24)
    | st.sampled_from(["9000", "C0030090009000", "6101", "6A81", "ACR122U215", "D507009000", "D5430000"]).map(
        lambda text: text.encode() if text.startswith("ACR") else bytes.fromhex(text)
    )
    | st.none(),
    max_size=30,
)


class Odd:
    """A reader or a card that answers what it was given, then the same for ever; None breaks the line."""

    frame_room = (3, 3)
    has_crypto1 = True

    def __init__(self, answers: list[bytes | None], atr: bytes = b"", *, is_t0: bool = False) -> None:
        self._answers = _then_forever(answers)
        self._atr = atr
        self.is_t0 = is_t0

    def atr(self) -> bytes:
        return self._atr

    def transmit(self, _apdu: bytes) -> bytes:
        answer = next(self._answers)
        if answer is None:
            raise ConnectionBroken("broken")
        return answer

    def restart(self) -> None:
        self.transmit(b"")

    def end(self) -> None:
        """Nothing is open."""

    def exchange(self, _frame: bytes, _wait_s: float) -> bytes:
        return next(self._answers) or b""

    def classic(self, _command: bytes) -> bytes | None:
        return next(self._answers)

    def select(self) -> Selection | None:
        answer = next(self._answers)
        return Selection(answer, Sighting(Standard.TYPE_A, sak=0x20)) if answer else None


def _then_forever(answers: list[bytes | None]) -> Iterator[bytes | None]:
    yield from answers
    last = answers[-1] if answers else b"\x90\x00"
    while True:
        yield last


def ask_everything(link: PcscLink | NfcLink, commands: list[Exchange | str]) -> None:
    for command in commands:
        try:
            if command == "uid":
                answer = link.uid()
            elif command == "restart":
                answer = link.restart_field()
            else:
                assert not isinstance(command, str)
                answer = link.transceive(command)
        except StationError:
            continue
        assert isinstance(answer, bytes)
    link.release()


@given(ANSWERS, st.sampled_from(ATRS), st.booleans(), st.lists(st.sampled_from(COMMANDS), max_size=6))
@settings(max_examples=200, deadline=None)
def test_over_pcsc(
    answers: list[bytes | None], atr: str, is_t0: bool, commands: list[Exchange | str]
) -> None:
    try:
        link = PcscLink(Odd(answers, bytes.fromhex(atr), is_t0=is_t0), "Odd", ReaderHabits())
    except StationError:
        return
    ask_everything(link, commands)


@given(ANSWERS, st.sampled_from([0x00, 0x08, 0x20]), st.lists(st.sampled_from(COMMANDS), max_size=6))
@settings(max_examples=100, deadline=None)
def test_over_nfc(answers: list[bytes | None], sak: int, commands: list[Exchange | str]) -> None:
    selection = Selection(bytes.fromhex("04E10CDA993C80"), Sighting(Standard.TYPE_A, sak=sak))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nfc_link.time, "sleep", lambda _seconds: None)
        ask_everything(NfcLink(Odd(answers), selection, "Odd", 0.0), commands)
