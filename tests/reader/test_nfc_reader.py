"""The nfcpy driver: over a PN532 on a pseudo-terminal, over nfcpy's UDP link, and with devices that fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nfc
import nfc.clf
import nfc.clf.transport
import pytest

from rfid_station.chip.exchange import ACK, Apdu, ReadBlock, SecretFrame, SectorLogin, WriteBlock, run
from rfid_station.chip.iso_dep import get_version
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import CardLost, CardRefused, NoReader, ReaderBusy, WrongCall
from rfid_station.reader import nfc as driver
from rfid_station.reader.nfc import NfcReader, open_nfc
from rfid_station.reader.nfc_link import NfcLink, RadioGone, Selection
from rfid_station.reader.opening import open_reader
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

FIRST, SECOND = bytes.fromhex("04E10CDA993C80"), bytes.fromhex("04112233445580")
FACTORY_KEY, NEW_KEY = b"\xff" * 6, bytes.fromhex("C0FFEEC0FFEE")
PATIENCE_S = 60.0


def tap(reader: NfcReader, seconds: float = PATIENCE_S) -> NfcLink:
    link = comes_within(reader, seconds)
    assert link is not None, "no card came"
    return link


def comes_within(reader: NfcReader, seconds: float) -> NfcLink | None:
    deadline = time.monotonic() + seconds
    link = next(iter(reader.cards(lambda: time.monotonic() > deadline)), None)
    assert link is None or isinstance(link, NfcLink)
    return link


def card(chip: str, uid: bytes = FIRST) -> Any:
    return new_card(chip, uid[: uid_size(chip)])


def login(block: int = 4, key: bytes = FACTORY_KEY, *, is_key_b: bool = False) -> SectorLogin:
    return SectorLogin(block, SecretFrame(key), is_key_b)


def protect_and_prove(link: NfcLink) -> None:
    assert link.transceive(b"\x60").hex() == "0004040201000f03"
    for frame in ("A22B 70617373", "A22C 50430000", "A22A 00050000", "A229 04000004"):
        assert link.transceive(SecretFrame(bytes.fromhex(frame))) == ACK
    assert link.restart_field() == FIRST
    assert link.transceive(bytes.fromhex("A204 11223344")) not in (ACK, b"")
    assert link.transceive(b"\x30\x04") == b"", "after a NAK the tag is silent"
    assert link.restart_field() == FIRST
    assert link.transceive(SecretFrame(bytes.fromhex("1B 70617373"))) == b"PC"
    assert link.uid() == FIRST
    assert link.transceive(bytes.fromhex("A204 11223344")) == ACK, "asking for the UID costs no password"
    assert link.transceive(b"\x30\x04")[:4].hex() == "11223344"


# ------------------------------------------------------------------- a PN532 on a pseudo-terminal


@pytest.fixture(scope="module")
def pn532() -> Iterator[tuple[VirtualPn532, NfcReader]]:
    """A virtual PN532 and the reader on it. Who may not write in /dev shows nfcpy the terminal itself."""
    name = f"rfidstation{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        link = Path("/dev") / name if os.access("/dev", os.W_OK) else None
        with VirtualPn532(link) as virtual:
            if link is None:
                found = ([virtual.terminal], "pn532", False)
                patch.setattr(nfc.clf.transport.TTY, "find", classmethod(lambda *_: found))
            reader = open_reader(f"nfc:tty:{name}:pn532")
            assert isinstance(reader, NfcReader)
            assert reader.uri == f"nfc:tty:{name}:pn532"
            yield virtual, reader
            reader.close()


Pn532 = tuple[VirtualPn532, NfcReader]


def test_a_tag_is_protected_through_a_pn532(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("ntag213"))

    link = tap(reader)

    assert link.seen == Sighting(Standard.TYPE_A, sak=0x00, atqa=bytes.fromhex("0044"))
    protect_and_prove(link)
    assert (link.exchanges, link.field_restarts) == (10, 2)


def test_a_classic_sector_is_used_through_a_pn532(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("classic1k"))
    link = tap(reader)

    assert link.seen.sak == 0x08
    assert link.transceive(login()) == ACK
    assert link.transceive(WriteBlock(4, bytes(range(16)))) == ACK
    assert link.transceive(WriteBlock(7, NEW_KEY + bytes.fromhex("78778869") + NEW_KEY)) == ACK
    link.restart_field()
    assert link.transceive(login()) == b""
    assert link.transceive(ReadBlock(4)) == b""
    assert link.uid() == FIRST[:4], "a card that was silent is selected anew"
    assert link.transceive(login(key=NEW_KEY, is_key_b=True)) == ACK
    assert link.transceive(ReadBlock(4)) == bytes(range(16))


def test_apdus_go_to_a_desfire_in_blocks(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("desfire"))
    link = tap(reader)

    version = run(link, get_version())

    assert link.seen.sak == 0x20
    assert link.seen.ats.hex() == "067577810280"
    assert version is not None
    assert version.hardware[:2].hex() == "0401"
    assert link.restart_field() == FIRST
    assert link.transceive(Apdu(bytes.fromhex("90 FE 00 00 00"))).hex() == "911c"


def test_a_card_left_lying_is_not_a_new_card_and_another_one_is(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("ntag213"))
    tap(reader)
    assert comes_within(reader, 0.7) is None

    virtual.insert(card("ntag213", SECOND))
    assert tap(reader).uid() == SECOND

    virtual.remove()
    assert comes_within(reader, 1.0) is None
    virtual.insert(card("ntag213", SECOND))
    assert tap(reader).uid() == SECOND, "one that was away is a new card"


def test_a_card_with_random_uids_left_lying_is_not_a_new_card(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("random"))
    assert tap(reader).uid()[0] == 0x08

    assert comes_within(reader, 0.7) is None


def test_a_card_taken_away_in_the_middle_is_lost_when_it_is_asked_for(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("ntag213"))
    link = tap(reader)
    virtual.remove()

    assert link.transceive(b"\x60") == b""
    with pytest.raises(CardLost, match="card 04…3C80 left reader tty:"):
        link.uid()
    with pytest.raises(CardLost):
        link.transceive(b"\x60")


def test_a_desfire_taken_away_in_the_middle_is_lost_at_once(pn532: Pn532) -> None:
    virtual, reader = pn532
    virtual.insert(card("desfire"))
    link = tap(reader)
    virtual.remove()

    with pytest.raises(CardLost, match=r"left reader tty:\w+:pn532 \(the card is silent\)"):
        link.transceive(Apdu(bytes.fromhex("9060000000")))


@pytest.mark.parametrize(
    ("chip", "standard", "uid"),
    [("typeb", Standard.TYPE_B, FIRST[:4]), ("felica", Standard.FELICA, bytes(range(1, 9)))],
)
def test_cards_of_other_standards_are_seen(pn532: Pn532, chip: str, standard: Standard, uid: bytes) -> None:
    virtual, reader = pn532
    virtual.insert(new_card(chip, uid))

    link = tap(reader)

    assert link.seen.standard is standard
    assert link.uid() == uid


@pytest.mark.parametrize("standard", [Standard.FELICA, Standard.TYPE_B])
def test_cards_of_other_standards_take_no_frames(standard: Standard) -> None:
    link = NfcLink(Silence(), Selection(b"\x01\x02\x03\x04", Sighting(standard)), "radio", 0.01)

    with pytest.raises(CardRefused, match=f"this {standard} card takes no commands"):
        link.transceive(b"\x60")


# ------------------------------------------------------------------- nfcpy's UDP link


def test_a_tag_and_a_desfire_through_the_udp_link() -> None:
    with VirtualUdpReader(0) as virtual:
        virtual.insert(card("ntag213"))
        reader = open_nfc(f"udp:127.0.0.1:{virtual.port}")
        link = tap(reader)
        assert link.transceive(b"\x60").hex() == "0004040201000f03"
        assert link.transceive(bytes.fromhex("A204 11223344")) == ACK
        assert link.restart_field() == FIRST
        assert link.transceive(b"\x30\x04")[:4].hex() == "11223344"

        virtual.insert(card("desfire", SECOND))
        link = tap(reader)
        assert link.uid() == SECOND
        assert run(link, get_version()) is not None
        reader.close()


def test_classic_wants_a_chip_that_speaks_crypto1() -> None:
    with VirtualUdpReader(0) as virtual:
        virtual.insert(card("classic1k"))
        reader = open_nfc(f"udp:127.0.0.1:{virtual.port}")
        link = tap(reader)

        with pytest.raises(
            CardRefused, match="cannot log in to MIFARE Classic: nothing in it speaks Crypto1"
        ):
            link.transceive(login())
        reader.close()


# ------------------------------------------------------------------- devices that fail


class Silence:
    """A radio that nobody answers."""

    frame_room = (64, 64)
    has_crypto1 = True

    def select(self) -> Selection | None:
        return None

    def exchange(self, frame: bytes, wait_s: float) -> bytes:
        return b""

    def classic(self, command: bytes) -> bytes | None:
        return None


ISO_DEP = Selection(FIRST, Sighting(Standard.TYPE_A, sak=0x20))


def test_a_card_without_ats_answers_no_apdu() -> None:
    link = NfcLink(Silence(), ISO_DEP, "radio", 0.01)

    assert link.seen.ats == b""
    assert link.transceive(Apdu(b"\x90\x60\x00\x00\x00")) == b""


@pytest.mark.parametrize("ats", ["01", "0120", "027500", "0278"])
def test_a_short_ats_is_enough(ats: str) -> None:
    class Short(Silence):
        def exchange(self, frame: bytes, wait_s: float) -> bytes:
            return bytes.fromhex(ats) if frame[0] == 0xE0 else b"\x02\x91\x00"

    link = NfcLink(Short(), ISO_DEP, "radio", 0.01)

    assert link.transceive(Apdu(b"\x90\x60\x00\x00\x00")) == b"\x91\x00"
    assert link.seen.ats == bytes.fromhex(ats)[: bytes.fromhex(ats)[0]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda link: link.transceive(b"\x60"),
        lambda link: link.transceive(login()),
        lambda link: link.restart_field(),
    ],
)
def test_a_reader_that_is_pulled_out_loses_the_card(ask: Callable[[NfcLink], object]) -> None:
    class Gone(Silence):
        def select(self) -> Selection | None:
            raise RadioGone("no such device")

        def exchange(self, frame: bytes, wait_s: float) -> bytes:
            raise RadioGone("no such device")

        def classic(self, command: bytes) -> bytes | None:
            raise RadioGone("no such device")

    link = NfcLink(Gone(), Selection(FIRST, Sighting(Standard.TYPE_A, sak=0x08)), "radio", 0.01)

    with pytest.raises(CardLost, match=r"04…3C80 left reader radio \(no such device\)"):
        ask(link)
    assert link.is_lost


@dataclass
class FakeFrontend:
    """nfcpy's front end, with a list of what lies there at each look; an error is raised."""

    looks: list[Any]
    device: Any = None
    max_send_data_size: int = 262
    max_recv_data_size: int = 262
    sensed: list[str] = field(default_factory=list)
    closed: int = 0

    def sense(self, *targets: Any) -> Any:
        if not targets:
            return None
        self.sensed.append(targets[0].brty)
        if targets[0].brty != "106A":
            return None
        now = self.looks.pop(0) if self.looks else None
        if isinstance(now, Exception):
            raise now
        return now

    def exchange(self, data: bytearray, timeout: float) -> bytearray:
        raise nfc.clf.TimeoutError

    def close(self) -> None:
        self.closed += 1


def type_a(uid: bytes = FIRST, sak: int = 0) -> Any:
    return nfc.clf.RemoteTarget(
        "106A", sens_res=bytearray(b"\x44\x00"), sel_res=bytearray([sak]), sdd_res=bytearray(uid)
    )


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], FakeFrontend]:
    def install(looks: list[Any]) -> FakeFrontend:
        frontend = FakeFrontend(looks)
        monkeypatch.setattr(driver, "_open_frontend", lambda _path: frontend)
        monkeypatch.setattr(driver, "_LOOK_EVERY_S", 0.0)
        return frontend

    return install


Use = Callable[[list[Any]], FakeFrontend]


def all_cards(reader: NfcReader, looks: int = 40) -> list[str]:
    """UIDs of the cards that come while there are looks left."""
    left = looks

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    return [link.uid().hex().upper() for link in reader.cards(stop)]


def test_a_card_that_misses_one_call_has_not_left_and_one_that_misses_two_has(use: Use) -> None:
    use([type_a(), None, type_a(), type_a(), None, None, type_a()])

    assert len(all_cards(open_nfc("usb"))) == 2


def test_a_device_that_goes_away_is_opened_again(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    frontend = use([type_a(), OSError(errno.ENODEV, "No such device"), type_a(), type_a(SECOND)])
    monkeypatch.setattr(driver.time, "sleep", lambda _seconds: None)
    opened: list[str] = []

    def open_sometimes(path: str) -> FakeFrontend:
        opened.append(path)
        if len(opened) == 2:
            raise NoReader("it is not back yet")
        return frontend

    monkeypatch.setattr(driver, "_open_frontend", open_sometimes)

    came = [link.uid() for link in open_nfc("usb").cards(lambda: not frontend.looks)]

    assert came == [FIRST, SECOND]
    assert len(opened) == 3
    assert frontend.closed == 1


class Chipset(nfc.clf.pn53x.Chipset):  # type: ignore[misc]
    """A chip of the PN53x family that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def read_register(self, *names: str) -> int:
        return 0x1C

    def write_register(self, *values: object) -> None:
        self.told.append(values)

    def in_data_exchange(self, data: bytearray, timeout: float, more: bool = False) -> Any:
        self.told.append(bytes(data).hex().upper())
        return bytearray(), False

    def ccid_xfr_block(self, data: bytearray, timeout: float) -> bytearray:
        self.told.append(bytes(data).hex().upper())
        return bytearray(b"\x90\x00")


def test_the_chip_checks_the_crc_of_a_classic_itself(use: Use) -> None:
    frontend = use([type_a(FIRST, sak=0x08), None, None, type_a(SECOND)])
    chipset = Chipset()
    frontend.device = SimpleNamespace(chipset=chipset)
    cards = open_nfc("usb").cards(lambda: not frontend.looks)

    assert next(cards).transceive(login(5, is_key_b=True)) == ACK
    assert next(cards).uid() == SECOND
    assert chipset.told == [("CIU_RxMode", 0x9C), "6105FFFFFFFFFFFFDA993C80"], "and only of a Classic"


def test_a_card_lost_in_the_middle_comes_again_as_soon_as_it_answers(use: Use) -> None:
    frontend = use([type_a(), None, None, None, type_a(), type_a(), type_a()])
    cards = open_nfc("usb").cards(lambda: not frontend.looks)
    link = next(cards)
    with pytest.raises(CardLost):
        link.restart_field()
    frontend.looks[:] = [type_a(), type_a()]

    assert next(cards).uid() == FIRST
    assert next(cards, None) is None, "it was not lost this time"


def test_another_card_after_a_field_restart_is_named(use: Use) -> None:
    use([type_a(), type_a(SECOND)])
    link = next(open_nfc("usb").cards(bool))

    with pytest.raises(CardLost, match="reader usb now holds card 04…5580 instead of 04…3C80"):
        link.restart_field()
    with pytest.raises(CardLost):
        link.uid()


def test_damaged_answers_are_nobody(use: Use) -> None:
    use([IndexError(), nfc.clf.ProtocolError("odd"), TypeError(), type_a()])

    assert all_cards(open_nfc("usb")) == [FIRST.hex().upper()]


def test_standards_are_told_apart_and_named(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    type_b = nfc.clf.RemoteTarget("106B", sensb_res=bytearray.fromhex("50 11223344 00000000 008081"))
    felica = nfc.clf.RemoteTarget("212F", sensf_res=bytearray.fromhex("01 0102030405060708 FFFFFFFFFFFFFFFF"))
    topaz = nfc.clf.RemoteTarget(
        "106A", sens_res=bytearray(b"\x00\x0c"), rid_res=bytearray.fromhex("1148 11223344")
    )
    frontend = use([type_b, None, None, felica, None, None, topaz])
    cards = open_nfc("usb").cards(lambda: not frontend.looks)
    seen = [(link.uid().hex(), link.seen) for link in cards]

    assert seen == [
        ("11223344", Sighting(Standard.TYPE_B)),
        ("0102030405060708", Sighting(Standard.FELICA)),
        ("11223344", Sighting(Standard.TYPE_A, atqa=b"\x0c\x00")),
    ]


def test_other_standards_are_looked_for_in_turn(use: Use) -> None:
    frontend = use([])
    all_cards(open_nfc("usb"), looks=12)

    assert {"106A", "106B", "212F"} == set(frontend.sensed)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.EBUSY, "Device or resource busy"), ReaderBusy, "another program holds nfc:usb"),
        (OSError(errno.EACCES, "Permission denied"), NoReader, "this user may not open nfc:usb"),
        (OSError(errno.EIO, "Input/output error"), NoReader, "cannot be opened: input/output error"),
        (IndexError(), NoReader, "is no NFC reader"),
        (ModuleNotFoundError(), WrongCall, "nfcpy has no driver"),
        (None, NoReader, "no NFC reader can be opened as nfc:usb"),
    ],
)
def test_a_device_that_cannot_be_opened_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, kind: type[NoReader], words: str
) -> None:
    def refuse(_self: object, _path: str) -> bool:
        if error is not None:
            raise error
        return False

    monkeypatch.setattr(nfc.ContactlessFrontend, "open", refuse)

    with pytest.raises(kind, match=words) as refused:
        open_nfc("usb")
    assert refused.value.hint


@pytest.mark.parametrize("device", ["", "bluetooth", "pcsc:ACR", "/dev/ttyUSB0"])
def test_a_string_of_another_form_is_a_wrong_call(device: str) -> None:
    with pytest.raises(WrongCall, match="names no NFC reader") as refused:
        open_reader(f"nfc:{device}")
    assert refused.value.hint is not None
    assert "nfc:tty:USB0:pn532" in refused.value.hint


def test_a_serial_line_that_is_not_there_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoReader, match="no NFC reader can be opened as nfc:tty:USB77:pn532"):
        open_reader("nfc:tty:USB77:pn532")

    assert capfd.readouterr() == ("", ""), "nfcpy logs what it raises, and nobody wants it twice"


def test_without_nfcpy_the_hint_installs_it(tmp_path: Path) -> None:
    (tmp_path / "nfc").mkdir()
    (tmp_path / "nfc" / "__init__.py").write_text("raise ImportError('not here')\n")
    code = (
        "from rfid_station.errors import StationError\n"
        "from rfid_station.reader.opening import open_reader\n"
        "try:\n    open_reader('nfc:usb')\n"
        "except StationError as error:\n    print(error.message, '|', error.hint)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])

    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert told.startswith("NFC readers need nfcpy, which is not installed | ")
    assert "pip install 'rfid-station[nfc]'" in told


def test_an_acr122u_driven_by_nfcpy_shows_green_and_others_nothing(use: Use) -> None:
    chipset = Chipset()
    frontend = use([])
    reader = open_nfc("usb")
    reader.signal(ok=True)
    frontend.device = SimpleNamespace(chipset=chipset)
    reader.signal(ok=True)
    reader.close()
    reader.signal(ok=True)

    assert chipset.told == ["FF00400E0401000101"]
