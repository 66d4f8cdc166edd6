"""What PC/SC and nfcpy say of a reader that goes away, and how it is understood: on the real services."""

from __future__ import annotations

import errno
import os
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nfc
import nfc.clf.transport
import pytest
from pcsc_fixtures import FOLDER
from reader_faults import (
    GONE,
    ReaderFault,
    ReaderUnplugged,
    ServiceRestarted,
    a_reader_that_can_be_pulled_out,
)
from smartcard import scard as real

from rfid_station.chip.exchange import CardLink
from rfid_station.errors import CardLost
from rfid_station.reader import pcsc
from rfid_station.reader.absence import attended
from rfid_station.reader.nfc import open_nfc
from rfid_station.reader.pcsc import PcscReader
from rfid_station.reader.port import Reader
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
libusb = nfc.clf.transport.libusb
GET_VERSION = b"\x60"
PATIENCE_S = 20.0
A_MOMENT_S = 0.5
BACK = "the reader is back"


@dataclass
class Watched:
    """A reader, and what is said of it to whoever waits for cards."""

    reader: Reader
    heard: list[str] = field(default_factory=list)

    def comes(self, within_s: float = PATIENCE_S) -> CardLink | None:
        """The next card, if one comes."""
        end = time.monotonic() + within_s
        return self._next(lambda: time.monotonic() > end)

    def stays_empty(self, until: Callable[[], bool]) -> bool:
        """Whether it comes to this before a card comes."""
        end = time.monotonic() + PATIENCE_S
        return self._next(lambda: until() or time.monotonic() > end) is None and until()

    def hears(self, words: str) -> bool:
        """Whether this is said of it while cards are waited for, and before one comes."""
        return self.stays_empty(lambda: self._last.startswith(words))

    @property
    def _last(self) -> str:
        return self.heard[-1] if self.heard else ""

    def _next(self, stop: Callable[[], bool]) -> CardLink | None:
        return next(attended(self.reader, stop, self._say), None)

    def _say(self, words: str, _hint: str | None) -> None:
        if words != self._last:
            self.heard.append(words)


def blank() -> Any:
    return new_card("ntag213", UID)


# PC/SC

FAILURES = {
    code: name
    for name, code in vars(real).items()
    if name.startswith(("SCARD_E_", "SCARD_W_", "SCARD_F_")) and name != "SCARD_E_TIMEOUT"
}
FUNCTIONS = (
    "SCardEstablishContext",
    "SCardGetStatusChange",
    "SCardConnect",
    "SCardStatus",
    "SCardTransmit",
    "SCardReconnect",
)
NO_HANDLE = 0x7FFFFFF0


class Scard:
    """The real scard, which writes down what fails. One function can be made to fail, as it does by itself:
    with what it gives beside the code when it is called with a handle that is none."""

    def __init__(self) -> None:
        self.failed: set[tuple[str, str]] = set()
        self.struck: tuple[str, int] | None = None
        self.strikes = 0

    def strike(self, function: str, code: int) -> None:
        self.struck, self.strikes = (function, code), 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(real, name)
        return (lambda *arguments: self._call(name, found, arguments)) if name in FUNCTIONS else found

    def _call(self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if self.struck and self.struck[0] == name:
            self.strikes += 1
            return [self.struck[1], *function(NO_HANDLE, *arguments[1:])[1:]]
        answer = function(*arguments)
        if answer[0] in FAILURES:
            self.failed.add((name, FAILURES[answer[0]]))
        return answer


@pytest.fixture
def scard(monkeypatch: pytest.MonkeyPatch) -> Scard:
    spy = Scard()
    monkeypatch.setattr(pcsc, "scard", spy)
    return spy


@pytest.fixture
def on_pcsc(scard: Scard, pcscd: PrivatePcscd, picc: VirtualPcscReader) -> Iterator[Watched]:
    """Closed before `picc` looks whether anybody still holds a card."""
    assert picc
    with closing(PcscReader(pcscd.reader)) as reader:
        yield Watched(reader)
        scard.struck = None


PULLED_OUT = "reader Virtual PICC 00 00 is not plugged in"
NO_SERVICE = "the PC/SC service pcscd does not answer"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SCARD_E_UNKNOWN_READER", PULLED_OUT),
        ("SCARD_E_READER_UNAVAILABLE", PULLED_OUT),
        ("SCARD_E_NO_SERVICE", f"{NO_SERVICE} (service not available)"),
        ("SCARD_E_SERVICE_STOPPED", f"{NO_SERVICE} (service was stopped)"),
        ("SCARD_F_COMM_ERROR", f"{NO_SERVICE} (rpc transport error)"),
        ("SCARD_E_INVALID_HANDLE", f"{NO_SERVICE} (invalid handle)"),
        ("SCARD_E_NOT_READY", f"{NO_SERVICE} (subsystem not ready)"),
    ],
)
def test_what_waiting_ends_with_is_said_and_waited_through(
    on_pcsc: Watched, scard: Scard, picc: VirtualPcscReader, code: str, words: str
) -> None:
    assert on_pcsc.stays_empty(lambda: True)
    scard.strike("SCardGetStatusChange", getattr(real, code))
    assert on_pcsc.hears(words), on_pcsc.heard
    scard.struck = None
    assert on_pcsc.hears(BACK)
    picc.insert(blank())
    assert on_pcsc.comes()
    assert on_pcsc.heard == [words, BACK]


@pytest.mark.parametrize("function", ["SCardConnect", "SCardStatus", "SCardTransmit"])
def test_a_card_that_cannot_be_taken_is_tried_until_it_can_and_comes_once(
    on_pcsc: Watched, scard: Scard, picc: VirtualPcscReader, function: str
) -> None:
    picc.insert(blank())
    for code in (
        real.SCARD_E_UNKNOWN_READER,
        real.SCARD_E_READER_UNAVAILABLE,
        real.SCARD_E_NO_SERVICE,
        real.SCARD_E_NO_SMARTCARD,
        real.SCARD_E_NOT_READY,
        real.SCARD_E_PROTO_MISMATCH,
        real.SCARD_W_REMOVED_CARD,
        real.SCARD_W_UNPOWERED_CARD,
        real.SCARD_W_UNRESPONSIVE_CARD,
    ):
        scard.strike(function, code)
        assert on_pcsc.stays_empty(lambda: scard.strikes > 0), FAILURES[code]
    scard.struck = None
    assert on_pcsc.comes()
    assert on_pcsc.comes(A_MOMENT_S) is None
    assert on_pcsc.heard == []


LOST = {
    real.SCARD_E_UNKNOWN_READER: "unknown reader specified",
    real.SCARD_E_READER_UNAVAILABLE: "reader is unavailable",
    real.SCARD_E_NO_SERVICE: "service not available",
    real.SCARD_E_NOT_READY: "subsystem not ready",
    real.SCARD_E_NOT_TRANSACTED: "transaction failed",
    real.SCARD_E_NO_SMARTCARD: "no smart card inserted",
    real.SCARD_W_REMOVED_CARD: "card was removed",
    real.SCARD_W_RESET_CARD: "card was reset",
    real.SCARD_W_UNPOWERED_CARD: "card is unpowered",
    real.SCARD_W_UNRESPONSIVE_CARD: "card is unresponsive",
}


@pytest.mark.parametrize("function", ["SCardTransmit", "SCardReconnect"])
def test_whatever_an_exchange_ends_with_the_card_is_lost_and_comes_again(
    on_pcsc: Watched, scard: Scard, picc: VirtualPcscReader, function: str
) -> None:
    picc.insert(blank())
    for code, words in LOST.items():
        link = on_pcsc.comes()
        assert link, f"it does not come again before {FAILURES[code]}"
        assert link.transceive(GET_VERSION).hex() == "0004040201000f03"
        scard.strike(function, code)
        with pytest.raises(CardLost, match=rf"^card 04…3C80 left reader Virtual PICC 00 00 \({words}\)$"):
            link.restart_field() if function == "SCardReconnect" else link.transceive(GET_VERSION)
        scard.struck = None
    assert on_pcsc.comes()
    assert on_pcsc.heard == []


NO_CARD = {
    ("SCardConnect", "SCARD_E_NO_SMARTCARD"),
    ("SCardConnect", "SCARD_W_REMOVED_CARD"),
    ("SCardConnect", "SCARD_W_UNPOWERED_CARD"),
}
REALLY_GIVEN = {
    "pcscd killed": (
        {("SCardTransmit", "SCARD_E_NO_SERVICE"), ("SCardGetStatusChange", "SCARD_E_NO_SERVICE")},
        {("SCardEstablishContext", "SCARD_E_NO_SERVICE")},
    ),
    "reader unplugged": (
        {("SCardTransmit", "SCARD_E_NOT_TRANSACTED")},
        NO_CARD | {("SCardConnect", "SCARD_E_READER_UNAVAILABLE")},
    ),
    "card taken away": ({("SCardTransmit", "SCARD_E_NOT_TRANSACTED")}, NO_CARD),
}
"""By each fault: what is given surely, and what else the moment may bring."""


@pytest.mark.parametrize("what", REALLY_GIVEN)
def test_what_pcscd_really_gives_is_among_what_was_tried(
    on_pcsc: Watched,
    scard: Scard,
    pcscd: PrivatePcscd,
    picc: VirtualPcscReader,
    pytestconfig: pytest.Config,
    what: str,
) -> None:
    with a_reader_that_can_be_pulled_out(pcscd, pytestconfig.stash[FOLDER], GONE) as mark:
        faults: dict[str, ReaderFault] = {
            "pcscd killed": ServiceRestarted(pcscd),
            "reader unplugged": ReaderUnplugged(pcscd, mark),
        }
        fault = faults.get(what)
        picc.insert(blank())
        link = on_pcsc.comes()
        assert link
        scard.failed.clear()
        (fault.strike if fault else picc.remove)()
        with pytest.raises(CardLost):
            link.transceive(GET_VERSION)
        if fault:
            assert on_pcsc.hears(NO_SERVICE if what == "pcscd killed" else PULLED_OUT)
        else:
            assert on_pcsc.comes(A_MOMENT_S) is None
        given = set(scard.failed)
        (fault.mend if fault else lambda: picc.insert(blank()))()
        assert on_pcsc.comes()
    surely, perhaps = REALLY_GIVEN[what]
    assert surely <= given <= surely | perhaps


def test_a_name_that_pcscd_does_not_know_is_a_reader_that_is_not_plugged_in(
    scard: Scard, pcscd: PrivatePcscd
) -> None:
    with closing(PcscReader("Nobody's Reader")) as reader:
        assert Watched(reader).hears("reader Nobody's Reader is not plugged in")
    assert scard.failed == {("SCardGetStatusChange", "SCARD_E_UNKNOWN_READER")}


# nfcpy


class SerialLine:
    """A socket for a PN532, and how nfcpy calls what is in it. It is a pseudo-terminal: who pulls it out
    leaves a line that hung up."""

    def __init__(self) -> None:
        self._name = f"rfidgone{os.getpid()}"
        self.link = Path("/dev") / self._name if os.access("/dev", os.W_OK) else None
        self.plugged: VirtualPn532 | None = None

    @property
    def path(self) -> str:
        return f"tty:{self._name}:pn532"

    def plug_in(self) -> VirtualPn532:
        self.plugged = VirtualPn532(self.link).__enter__()
        return self.plugged

    def pull_out(self) -> None:
        plugged, self.plugged = self.plugged, None
        if plugged:
            plugged.__exit__(None, None, None)

    def find(self, _: str) -> tuple[list[str], str, bool]:
        """What nfcpy finds by that name, where nobody may write in /dev."""
        return [self.plugged.terminal] if self.plugged else [], "pn532", False


@pytest.fixture
def serial_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[SerialLine]:
    line = SerialLine()
    if line.link is None:
        monkeypatch.setattr(nfc.clf.transport.TTY, "find", line.find)
    yield line
    line.pull_out()


def test_a_serial_reader_pulled_out_with_a_card_in_hand_is_said_and_the_card_comes_again(
    serial_line: SerialLine,
) -> None:
    away = f"no NFC reader can be opened as nfc:{serial_line.path}"
    virtual = serial_line.plug_in()
    with closing(open_nfc(serial_line.path)) as reader:
        watched = Watched(reader)
        virtual.insert(blank())
        link = watched.comes()
        assert link
        serial_line.pull_out()
        with pytest.raises(CardLost, match=r"04…3C80 left reader tty:\w+:pn532 \(input/output error\)"):
            link.transceive(GET_VERSION)
        assert watched.hears(away)
        serial_line.plug_in().insert(blank())
        back = watched.comes()
        assert back
        assert back.transceive(GET_VERSION).hex() == "0004040201000f03"
        serial_line.pull_out()
        assert watched.hears(away), "while the card that was made lies there"
    assert watched.heard == [away, BACK, away]


def test_a_udp_reader_that_is_gone_loses_the_card_and_is_found_again() -> None:
    """Its protocol knows no reader without a card: it is silent either way, so nothing is said of it."""
    with VirtualUdpReader(0) as virtual:
        port = virtual.port
        reader = open_nfc(f"udp:127.0.0.1:{port}")
        virtual.insert(blank())
        watched = Watched(reader)
        link = watched.comes()
        assert link
    with pytest.raises(CardLost):
        link.restart_field()
    with VirtualUdpReader(port) as again:
        again.insert(blank())
        back = watched.comes()
        assert back
        assert back.transceive(GET_VERSION).hex() == "0004040201000f03"
        reader.close()
    assert watched.heard == []


class Gone:
    """What is left of an open device of nfcpy when its USB reader is pulled out."""

    device = SimpleNamespace(chipset=None)
    max_send_data_size = max_recv_data_size = 262

    def __init__(self, error: Exception) -> None:
        self._error = error

    def sense(self, *_: object) -> None:
        raise self._error

    exchange = close = sense


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENODEV, "No such device"), "nfc:usb cannot be opened: no such device"),
        (OSError(errno.EIO, "Input/output error"), "nfc:usb cannot be opened: input/output error"),
        (OSError(errno.EBUSY, "Device or resource busy"), "another program holds nfc:usb"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "nfc:usb cannot be opened: connection timed out"),
        (termios.error(errno.EIO, "Input/output error"), "nfc:usb cannot be opened: input/output error"),
        (libusb.USBErrorIO(), "nfc:usb cannot be opened: "),
        (libusb.USBErrorNotFound(), "nfc:usb cannot be opened: "),
    ],
)
def test_whatever_nfcpy_ends_with_is_said_and_the_device_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """It fails as it looks for a card, as it is closed, and as it is opened."""

    def open_it(frontend: nfc.ContactlessFrontend, path: str) -> bool:
        if is_out:
            raise error
        frontend.device = Gone.device
        return True

    is_out = False
    monkeypatch.setattr(nfc.ContactlessFrontend, "open", open_it)
    for name in ("sense", "close"):
        monkeypatch.setattr(nfc.ContactlessFrontend, name, lambda *_: Gone(error).sense() if is_out else None)
    with closing(open_nfc("usb")) as reader:
        watched = Watched(reader)
        assert watched.comes(A_MOMENT_S / 4) is None
        is_out = True
        assert watched.hears(words)
        is_out = False
        assert watched.hears(BACK)
    assert len(watched.heard) == 2
