"""nfcpy drives the virtual chips over both of its links: a PN532 on a serial line, and UDP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import ndef
import nfc
import nfc.clf
import nfc.clf.pn532
import nfc.clf.transport
import nfc.tag
import pytest
from nfcpy_link import udp_device

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/c/7Q2M9XK4"
LONG_LINK = "https://charge.example.com/" + "/".join(f"{number:04}" for number in range(17))

Reader = VirtualPn532 | VirtualUdpReader


class Desk:
    """A virtual reader, and nfcpy's view of what lies on it."""

    def __init__(self, reader: Reader, device: Any) -> None:
        self.reader = reader
        self.clf = nfc.ContactlessFrontend()
        self.clf.device = device

    def lay(self, chip: str, **more: Any) -> VirtualCard:
        card = new_card(chip, UID[: uid_size(chip)])
        self.reader.insert(card, **more)
        return card

    def sense(self) -> Any:
        """Look until the reader finds something: a card comes half a second after the one before has left."""
        target = self.clf.sense(nfc.clf.RemoteTarget("106A"), iterations=40, interval=0.05)
        assert target is not None
        return target

    def tap(self) -> Any:
        return nfc.tag.activate(self.clf, self.sense())


def pn532() -> tuple[Reader, Callable[[Reader], Any]]:
    def drive(reader: Reader) -> Any:
        assert isinstance(reader, VirtualPn532)
        return nfc.clf.pn532.init(nfc.clf.transport.TTY(reader.path))

    return VirtualPn532(), drive


def udp() -> tuple[Reader, Callable[[Reader], Any]]:
    def drive(reader: Reader) -> Any:
        assert isinstance(reader, VirtualUdpReader)
        return udp_device(reader.port)

    return VirtualUdpReader(0), drive


@pytest.fixture(params=[pn532, udp], ids=["pn532", "udp"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    reader, drive = request.param()
    with ExitStack() as stack:
        stack.enter_context(reader)
        yield Desk(reader, stack.enter_context(closing(drive(reader))))


def test_it_tells_which_chip_lies_there(desk: Desk) -> None:
    desk.lay("ntag213")

    tag = desk.tap()

    assert (tag.product, tag.identifier) == ("NXP NTAG213", UID)
    assert tag.signature.hex().upper().startswith("8B76052EE42F5567")


@pytest.mark.parametrize("chip", ["ntag213", "ntag216"])
def test_it_reads_back_over_the_link_what_it_wrote(desk: Desk, chip: str) -> None:
    desk.lay(chip)

    desk.tap().ndef.records = [ndef.UriRecord(LINK)]

    assert [record.uri for record in desk.tap().ndef.records] == [LINK]


def test_a_password_set_over_the_link_holds(desk: Desk) -> None:
    desk.lay("ntag213")
    assert desk.tap().protect(b"secret", read_protect=False, protect_from=4)

    with pytest.raises(nfc.tag.TagCommandError):
        desk.tap().write(4, bytes(4))
    assert not desk.tap().authenticate(b"guesses")
    tag = desk.tap()
    assert tag.authenticate(b"secret")
    assert tag.write(4, b"\x03\x00\xfe\x00")


def test_the_card_is_seen_to_leave_and_another_to_come(desk: Desk) -> None:
    desk.lay("ntag213")
    assert desk.tap().is_present

    desk.reader.remove()
    assert desk.clf.sense(nfc.clf.RemoteTarget("106A")) is None

    desk.lay("ntag216")
    assert desk.tap().product == "NXP NTAG216"


def test_a_card_that_is_torn_away_in_a_write_leaves_half_a_page(desk: Desk) -> None:
    card = desk.lay("ntag213", mishap=Mishap(3, Tear(TornMode.PARTIAL, 0xF0F0F0F0), leaves=True))
    target = desk.sense()

    assert len(desk.clf.exchange(b"\x30\x00", 0.1)) == len(desk.clf.exchange(b"\x30\x04", 0.1)) == 16
    with pytest.raises(nfc.clf.CommunicationError):
        desk.clf.exchange(bytes.fromhex("A208FFFFFFFF"), 0.1)

    assert target is not None
    assert card.state()["memory"][64:72] == "f0f0f0f0"
    assert desk.clf.sense(nfc.clf.RemoteTarget("106A")) is None


def test_a_random_uid_is_new_each_time_the_field_comes_on(desk: Desk) -> None:
    desk.lay("random")

    first, second = bytes(desk.sense().sdd_res), bytes(desk.sense().sdd_res)

    assert first != second
    assert first[0] == second[0] == 0x08


def test_a_card_of_iso_14443_4_is_led_block_by_block(desk: Desk) -> None:
    desk.lay("desfire")

    tag = desk.tap()

    assert tag.type == "Type4Tag"
    version = tag.transceive(bytes.fromhex("9060000000"))
    assert version.startswith(b"\x04\x01\x01")
    assert version.endswith(b"\x91\xaf")


@pytest.mark.parametrize("link", [LINK, LONG_LINK])
def test_it_writes_and_reads_a_type_4_tag(desk: Desk, link: str) -> None:
    card = desk.lay("ntag424")

    desk.tap().ndef.records = [ndef.UriRecord(link)]

    assert [record.uri for record in desk.tap().ndef.records] == [link]
    assert card.changes > 0


@pytest.mark.parametrize(
    ("chip", "product"),
    [("ultralight", "Mifare Ultralight (MF01CU1)"), ("mf0ul21", "Mifare Ultralight EV1 (MF0UL21)")],
)
def test_it_tells_other_type_2_tags_apart(desk: Desk, chip: str, product: str) -> None:
    desk.lay(chip)

    assert desk.tap().product == product


def test_it_finds_cards_of_other_standards_by_their_own_polling(desk: Desk) -> None:
    desk.reader.insert(new_card("felica", UID + b"\x01"))
    target = desk.clf.sense(nfc.clf.RemoteTarget("212F"), iterations=20, interval=0.05)
    assert target.sensf_res[1:9] == UID + b"\x01"

    desk.reader.insert(new_card("typeb", UID[:4]))
    target = desk.clf.sense(nfc.clf.RemoteTarget("106B"), iterations=20, interval=0.05)
    assert target.sensb_res[1:5] == UID[:4]
    assert desk.clf.sense(nfc.clf.RemoteTarget("106A")) is None
