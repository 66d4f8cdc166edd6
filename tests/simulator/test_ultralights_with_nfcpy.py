"""nfcpy's own tag classes on the virtual Ultralights and the older NTAGs, as on real ones."""

from __future__ import annotations

from typing import Any

import ndef
import nfc.tag
import pytest
from phone import AirLink

from rfid_station.simulator.chips import new_card
from rfid_station.simulator.faults import Fault, prepare
from rfid_station.simulator.memory.type2 import VirtualType2

UID = bytes.fromhex("04C1285A373080")
LINK = "https://charge.example.com/c/7Q2M9XK4"

PRODUCTS = [
    ("ultralight", "Mifare Ultralight (MF01CU1)"),
    ("mf0ul11", "Mifare Ultralight EV1 (MF0UL11)"),
    ("mf0ul21", "Mifare Ultralight EV1 (MF0UL21)"),
    ("ultralightc", "Mifare Ultralight C (MF01CU2)"),
    ("ntag203", "NXP NTAG203"),
    ("ntag210", "NXP NTAG210"),
    ("ntag212", "NXP NTAG212"),
]
FORMATTED = {
    "ultralight": "E1100600",
    "mf0ul11": "E1100600",
    "mf0ul21": "E1101000",
    "ultralightc": "E1101200",
}


def blank(chip: str) -> VirtualType2:
    card = new_card(chip, UID)
    assert isinstance(card, VirtualType2)
    return card


class Frontend(AirLink):
    """nfcpy's tag classes write into what they read."""

    def exchange(self, data: bytes, timeout: float) -> bytearray:
        return bytearray(super().exchange(data, timeout))


def tap(card: VirtualType2) -> Any:
    air = Frontend(card)
    air.sense()
    return nfc.tag.activate(air, air.target)


def formatted(chip: str) -> VirtualType2:
    """A blank that nfcpy wrote the capability container and an empty message on, where it has none."""
    card = blank(chip)
    if chip in FORMATTED:
        tag = tap(card)
        assert tag.write(3, bytes.fromhex(FORMATTED[chip]))
        assert tag.write(4, bytes.fromhex("0300FE00"))
    return card


@pytest.mark.parametrize(("chip", "product"), PRODUCTS)
def test_nfcpy_knows_the_chip(chip: str, product: str) -> None:
    assert tap(blank(chip)).product == product


@pytest.mark.parametrize("chip", [row[0] for row in PRODUCTS])
def test_nfcpy_reads_back_what_nfcpy_wrote(chip: str) -> None:
    card = formatted(chip)

    tap(card).ndef.records = [ndef.UriRecord(LINK)]

    (record,) = tap(card).ndef.records
    assert record.uri == LINK


@pytest.mark.parametrize("chip", [row[0] for row in PRODUCTS])
def test_nfcpy_dumps_every_page_it_may_read(chip: str) -> None:
    assert len(tap(formatted(chip)).dump()) > 5


@pytest.mark.parametrize("chip", ["mf0ul11", "mf0ul21"])
def test_nfcpy_reads_the_signature_of_an_ev1_and_authenticates(chip: str) -> None:
    tag = tap(blank(chip))

    assert tag.signature.hex().upper().startswith("CEA2EB0B3C95D084")
    assert tag.authenticate(b"")
    assert not tap(blank(chip)).authenticate(b"secret")


@pytest.mark.parametrize("read_protect", [False, True])
def test_nfcpy_changes_the_key_of_an_ultralight_c_and_protects_it(read_protect: bool) -> None:
    card = formatted("ultralightc")
    tap(card).ndef.records = [ndef.UriRecord(LINK)]
    assert tap(card).authenticate(b"")

    assert tap(card).protect(b"sixteen byte key", read_protect=read_protect, protect_from=4)

    stranger = tap(card)
    assert (stranger.ndef is None) == read_protect
    with pytest.raises(nfc.tag.TagCommandError):
        tap(card).write(4, bytes(4))
    assert not tap(card).authenticate(b"IEMKAERB!NACUOYF")
    tag = tap(card)
    assert tag.authenticate(b"sixteen byte key")
    (record,) = tag.ndef.records
    assert record.uri == LINK
    assert tag.write(10, b"mine")


@pytest.mark.parametrize("chip", ["ntag210", "ntag212"])
def test_nfcpy_protects_the_small_ntags_with_a_password(chip: str) -> None:
    card = blank(chip)
    assert tap(card).protect(b"secret", read_protect=False, protect_from=4)

    with pytest.raises(nfc.tag.TagCommandError):
        tap(card).write(4, bytes(4))
    tag = tap(card)
    assert tag.authenticate(b"secret")
    assert tag.write(8, b"mine")


@pytest.mark.parametrize(("chip", "last"), [("ultralightc", 0x27), ("ntag203", 0x27), ("ntag210", 0x0F)])
def test_what_nfcpy_locks_is_read_only_for_ever(chip: str, last: int) -> None:
    card = formatted(chip)
    tap(card).ndef.records = [ndef.UriRecord(LINK)]

    assert tap(card).protect()

    tag = tap(card)
    assert not tag.ndef.is_writeable
    assert tag.ndef.records[0].uri == LINK
    for page in range(3, last + 1):
        with pytest.raises(nfc.tag.TagCommandError):
            tap(card).write(page, bytes(4))


@pytest.mark.parametrize("chip", [row[0] for row in PRODUCTS])
@pytest.mark.parametrize(
    ("fault", "links"), [(Fault.FOREIGN, ["https://charge.other-msp.example/c/7Q2M9X"]), (Fault.USED, [])]
)
def test_nfcpy_sees_what_a_fault_left_on_a_card(chip: str, fault: Fault, links: list[str]) -> None:
    card = blank(chip)

    prepare(card, fault)

    assert [record.uri for record in tap(card).ndef.records] == links
