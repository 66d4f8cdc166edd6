"""The link and reader models of several makers: all of them in this process, two on a real pcscd."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from rfid_station.chip.exchange import ACK, Apdu, ReadBlock, SecretFrame, SectorLogin, WriteBlock, run
from rfid_station.chip.iso_dep import get_version
from rfid_station.errors import CardLost, CardRefused
from rfid_station.reader.opening import open_reader
from rfid_station.reader.pcsc import PcscReader
from rfid_station.reader.pcsc_link import ConnectionBroken, PcscLink, ReaderHabits
from rfid_station.reader.raw_path import RawKind
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import CardGone, Field
from rfid_station.simulator.readers.contactless_reader import ContactlessReader
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd
from rfid_station.simulator.readers.reader_models import MODELS

UID = bytes.fromhex("04E10CDA993C80")
NEW_KEY = bytes.fromhex("C0FFEEC0FFEE")
FACTORY_KEY = b"\xff" * 6
PUBLIC_TRAILER = FACTORY_KEY + bytes.fromhex("FF078069") + FACTORY_KEY
RAW_MODELS = [word for word in MODELS if word != "plain"]


class Direct:
    """A connection to a virtual reader without PC/SC in between."""

    is_t0 = False

    def __init__(self, firmware: ContactlessReader) -> None:
        self.firmware = firmware
        self.sent: list[bytes] = []
        firmware.power_on()

    def atr(self) -> bytes:
        return self.firmware.atr()

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        try:
            return self.firmware.transmit(apdu)
        except CardGone:
            raise ConnectionBroken("card was removed") from None

    def restart(self) -> None:
        self.firmware.power_off()
        self.firmware.power_on()

    def end(self) -> None:
        self.firmware.power_off()


class Desk:
    """One reader of a model, and cards laid on it one after the other."""

    def __init__(self, model: str) -> None:
        self.firmware = ContactlessReader(MODELS[model])
        self.habits = ReaderHabits()
        self.connection = Direct(self.firmware)

    def lay(self, chip: str) -> PcscLink:
        self.firmware.place(Field(new_card(chip, UID[: uid_size(chip)])))
        self.connection = Direct(self.firmware)
        return PcscLink(self.connection, "Desk", self.habits)

    def asked_since(self, mark: int) -> list[str]:
        return [apdu[:2].hex().upper() for apdu in self.connection.sent[mark:]]


def login(block: int = 4, key: bytes = FACTORY_KEY, *, is_key_b: bool = False) -> SectorLogin:
    return SectorLogin(block, SecretFrame(key), is_key_b)


def protect_and_prove(link: PcscLink) -> None:
    """A password is set, holds after a field restart, and opens what it shuts: all through raw frames."""
    assert link.transceive(b"\x60").hex() == "0004040201000f03"
    for frame in ("A22B 70617373", "A22C 50430000", "A22A 00050000", "A229 04000004"):
        assert link.transceive(SecretFrame(bytes.fromhex(frame))) == ACK
    assert link.restart_field() == UID
    assert link.transceive(bytes.fromhex("A204 11223344")) not in (ACK, b"")
    assert link.transceive(b"\x30\x04") == b"", "after a NAK the tag is silent"
    assert link.restart_field() == UID
    assert link.transceive(SecretFrame(bytes.fromhex("1B 70617373"))) == b"PC"
    assert link.uid() == UID
    assert link.transceive(bytes.fromhex("A204 11223344")) == ACK, "asking for the UID costs no password"
    assert link.transceive(b"\x30\x04")[:4].hex() == "11223344"


def use_a_sector(link: PcscLink) -> None:
    """Log in, write, change the keys, and get in with the new one only."""
    assert link.transceive(login()) == ACK
    assert link.transceive(WriteBlock(4, bytes(range(16)))) == ACK
    assert link.transceive(ReadBlock(4)) == bytes(range(16))
    trailer = NEW_KEY + bytes.fromhex("78778869") + NEW_KEY
    assert link.transceive(WriteBlock(7, trailer)) == ACK
    link.restart_field()
    assert link.transceive(login()) == b""
    link.restart_field()
    assert link.transceive(login(key=NEW_KEY, is_key_b=True)) == ACK
    assert link.transceive(ReadBlock(4)) == bytes(range(16))


@pytest.mark.parametrize("model", RAW_MODELS)
def test_a_tag_is_protected_through_every_reader_that_passes_frames_on(model: str) -> None:
    link = Desk(model).lay("ntag213")

    assert link.raw
    protect_and_prove(link)


@pytest.mark.parametrize("model", MODELS)
def test_a_classic_sector_is_used_through_every_reader(model: str) -> None:
    use_a_sector(Desk(model).lay("classic1k"))


@pytest.mark.parametrize("model", MODELS)
def test_apdus_go_to_a_desfire_as_they_are(model: str) -> None:
    desk = Desk(model)
    link = desk.lay("desfire")

    version = run(link, get_version())

    assert version is not None
    assert version.hardware[:2].hex() == "0401"
    assert link.transceive(Apdu(bytes.fromhex("90 FE 00 00 00"))).hex() == "911c"
    assert bytes.fromhex("9060000000") in desk.connection.sent


@pytest.mark.parametrize("model", MODELS)
def test_bare_commands_go_to_a_reader_that_says_it_is_an_acr122u_and_to_no_other(model: str) -> None:
    desk = Desk(model)
    for chip in ("ntag213", "classic1k", "desfire", "ultralight"):
        link = desk.lay(chip)
        if chip == "ntag213" and link.raw:
            protect_and_prove(link)
        if chip == "classic1k":
            use_a_sector(link)
        link.release()
        bare = [apdu for apdu in desk.connection.sent if apdu.startswith(bytes.fromhex("FF000000"))]
        assert bool(bare) <= (model == "acr122u")

    assert desk.firmware.overwritten_keys == []
    assert desk.habits.raw is (
        RawKind.DIRECT if model == "acr122u" else RawKind.NONE if model == "plain" else RawKind.SESSION
    )


def test_an_acr122u_whose_firmware_is_of_the_first_kind_gets_no_bare_command() -> None:
    desk = Desk("acr122u")
    desk.firmware.model = MODELS["plain"].__class__(
        **{name: getattr(MODELS["acr122u"], name) for name in MODELS["acr122u"].__slots__}
        | {"firmware": "ACR122U102"}
    )

    assert not desk.lay("ntag213").raw
    assert not any(apdu.startswith(bytes.fromhex("FF000000")) for apdu in desk.connection.sent)


@pytest.mark.parametrize("model", MODELS)
def test_a_login_costs_one_load_and_one_authentication_once_the_reader_is_known(model: str) -> None:
    desk = Desk(model)
    link = desk.lay("classic1k")
    assert link.transceive(login()) == ACK
    mark = len(desk.connection.sent)

    assert link.transceive(login(8)) == ACK

    assert desk.asked_since(mark) == ["FF82", "FF86"]


def test_a_key_is_left_in_no_slot_that_keeps_it() -> None:
    desk = Desk("omnikey5022")
    link = desk.lay("classic1k")
    assert link.transceive(login()) == ACK
    assert link.transceive(WriteBlock(7, NEW_KEY + bytes.fromhex("FF078069") + NEW_KEY)) == ACK
    assert link.transceive(login(key=NEW_KEY)) == ACK

    link.release()

    kept = [apdu for apdu in desk.connection.sent if apdu.startswith(bytes.fromhex("FF8220"))]
    assert kept[-1] == bytes.fromhex("FF82200006") + FACTORY_KEY
    assert NEW_KEY not in desk.firmware._keys.values()


def test_a_slot_that_forgets_is_tried_before_one_that_keeps() -> None:
    desk = Desk("acr1552u")
    desk.lay("classic1k").transceive(login())

    assert not any(apdu.startswith(bytes.fromhex("FF8220")) for apdu in desk.connection.sent)


def test_a_reader_that_takes_no_keys_is_named_and_the_card_not_touched() -> None:
    desk = Desk("plain")
    desk.firmware.model = MODELS["acr122u"].__class__(word="bare", name="bare")
    link = desk.lay("classic1k")

    with pytest.raises(CardRefused, match="Desk takes no keys for MIFARE Classic") as refused:
        link.transceive(login())
    assert refused.value.hint
    assert "FFFFFF" not in refused.value.message


def test_a_reader_that_knows_the_old_form_only_is_spoken_to_in_it_from_then_on() -> None:
    desk = Desk("plain")
    link = desk.lay("classic1k")
    new_form = bytes.fromhex("FF86")
    connection = desk.connection
    through = connection.transmit

    def transmit(apdu: bytes) -> bytes:
        if not apdu.startswith(new_form):
            return through(apdu)
        connection.sent.append(apdu)
        return b"\x6d\x00"

    connection.transmit = transmit  # type: ignore[method-assign]
    assert link.transceive(login()) == ACK
    mark = len(connection.sent)

    assert link.transceive(login(8)) == ACK
    assert desk.asked_since(mark) == ["FF82", "FF88"]


def test_a_card_that_leaves_in_the_middle_of_a_login_is_lost() -> None:
    desk = Desk("acr122u")
    link = desk.lay("classic1k")
    field = desk.firmware.field
    assert field is not None
    field.take_away()

    with pytest.raises(CardLost, match=r"04…0CDA left reader Desk"):
        link.transceive(login())


# ------------------------------------------------------------------- over PC/SC


@pytest.fixture
def reader(pcscd: PrivatePcscd) -> Iterator[PcscReader]:
    opened = open_reader(f"pcsc:{pcscd.reader}")
    assert isinstance(opened, PcscReader)
    yield opened
    opened.close()


@pytest.fixture(params=["acr122u", "acr1552u"])
def model_picc(picc: VirtualPcscReader, request: pytest.FixtureRequest) -> VirtualPcscReader:
    picc.model = MODELS[request.param]
    return picc


def test_all_kinds_of_cards_through_pcscd(model_picc: VirtualPcscReader, reader: PcscReader) -> None:
    for chip, work in (("ntag213", protect_and_prove), ("classic1k", use_a_sector), ("desfire", None)):
        model_picc.insert(new_card(chip, UID[: uid_size(chip)]))
        deadline = time.monotonic() + 60
        link = next(iter(reader.cards(lambda until=deadline: time.monotonic() > until)), None)  # type: ignore[misc]
        assert isinstance(link, PcscLink)
        if work is not None:
            work(link)
        else:
            assert run(link, get_version()) is not None

    assert model_picc.overwritten_keys == []


def test_an_acr122u_shows_green_and_red_and_others_nothing(
    picc: VirtualPcscReader, reader: PcscReader
) -> None:
    picc.model = MODELS["acr122u"]
    shown = len(picc.signals)
    picc.insert(new_card("ntag213", UID))
    deadline = time.monotonic() + 60
    link = next(iter(reader.cards(lambda: time.monotonic() > deadline)))
    assert link.transceive(b"\x60")

    reader.signal(ok=True)
    reader.signal(ok=False)

    assert [told.hex().upper() for told in picc.signals[shown:]] == ["0E01000101", "0D02020201"]
    assert link.transceive(b"\x60"), "the card is where it was"
    picc.remove()
    reader.signal(ok=True)
    reader.close()
    reader.signal(ok=True)
