"""nfcpy, which knows nothing of us, uses the virtual chips as it uses real ones."""

from __future__ import annotations

from typing import Any

import ndef
import nfc.clf
import nfc.tag
import pytest

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.faults import Fault, prepare

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/c/7Q2M9XK4"


class Frontend:
    """What nfcpy needs of a contactless frontend, with one card in front of it."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self.target = nfc.clf.RemoteTarget(
            "106A", sens_res=b"\x44\x00", sel_res=bytes([card.sak]), sdd_res=bytearray(card.uid)
        )

    def sense(self, *_: Any, **__: Any) -> nfc.clf.RemoteTarget:
        self.card.power_off()
        self.card.select()
        return self.target

    def exchange(self, frame: bytes, timeout: float) -> bytearray:
        answer = self.card.answer(bytes(frame))
        if not answer:
            raise nfc.clf.TimeoutError
        return bytearray(answer)


def tap(card: VirtualCard) -> Any:
    frontend = Frontend(card)
    frontend.sense()
    return nfc.tag.activate(frontend, frontend.target)


@pytest.mark.parametrize(
    ("chip", "product", "capacity"),
    [("ntag213", "NXP NTAG213", 137), ("ntag215", "NXP NTAG215", 492), ("ntag216", "NXP NTAG216", 868)],
)
def test_nfcpy_knows_the_chip_and_what_fits_into_it(chip: str, product: str, capacity: int) -> None:
    tag = tap(new_card(chip, UID))

    assert (tag.product, tag.identifier) == (product, UID)
    assert tag.ndef is not None
    assert (tag.ndef.length, tag.ndef.is_writeable, tag.ndef.is_readable) == (0, True, True)
    assert tag.ndef.capacity == capacity


@pytest.mark.parametrize("chip", ["ntag213", "ntag215", "ntag216"])
def test_nfcpy_reads_back_what_nfcpy_wrote(chip: str) -> None:
    card = new_card(chip, UID)

    tap(card).ndef.records = [ndef.UriRecord(LINK)]

    (record,) = tap(card).ndef.records
    assert record.uri == LINK


@pytest.mark.parametrize("chip", ["ntag213", "ntag216"])
def test_nfcpy_fills_the_chip(chip: str) -> None:
    card = new_card(chip, UID)
    tag = tap(card)
    content = (bytes(range(250)) * 4)[: tag.ndef.capacity - 6]

    tag.ndef.records = [ndef.Record("unknown", "", content)]

    assert tap(card).ndef.records[0].data == content
    assert len(tap(card).ndef.octets) in (tag.ndef.capacity, tag.ndef.capacity - 3)


def test_nfcpy_reads_the_signature() -> None:
    tag = tap(new_card("ntag213", UID))

    assert tag.signature.hex().upper().startswith("8B76052EE42F5567BEB53238B3E3F995")


def test_a_password_set_by_nfcpy_keeps_strangers_from_writing() -> None:
    card = new_card("ntag213", UID)
    assert tap(card).protect(b"secret", read_protect=False, protect_from=4)

    assert tap(card).ndef.is_readable
    with pytest.raises(nfc.tag.TagCommandError):
        tap(card).write(4, bytes(4))
    assert not tap(card).authenticate(b"guesses")
    tag = tap(card)
    assert tag.authenticate(b"secret")
    assert tag.write(4, b"\x03\x00\xfe\x00")


def test_a_password_set_by_nfcpy_can_hide_the_content() -> None:
    card = new_card("ntag215", UID)
    tap(card).ndef.records = [ndef.UriRecord(LINK)]
    assert tap(card).protect(b"secret", read_protect=True, protect_from=4)

    assert tap(card).ndef is None
    tag = tap(card)
    assert tag.authenticate(b"secret")
    (record,) = tag.ndef.records
    assert record.uri == LINK


def test_a_chip_locked_by_nfcpy_is_read_only_for_ever() -> None:
    card = new_card("ntag213", UID)
    tap(card).ndef.records = [ndef.UriRecord(LINK)]

    assert tap(card).protect()

    tag = tap(card)
    assert not tag.ndef.is_writeable
    assert tag.ndef.records[0].uri == LINK
    for page in range(3, 40):
        with pytest.raises(nfc.tag.TagCommandError):
            tap(card).write(page, bytes(4))


def test_nfcpy_takes_the_virtual_ultralight_for_one() -> None:
    tag = tap(new_card("ultralight", UID))

    assert tag.product == "Mifare Ultralight (MF01CU1)"
    assert tag.ndef is None


@pytest.mark.parametrize(
    ("fault", "links"), [(Fault.FOREIGN, ["https://charge.other-msp.example/c/7Q2M9X"]), (Fault.USED, [])]
)
def test_nfcpy_sees_what_a_fault_left_on_a_card(fault: Fault, links: list[str]) -> None:
    card = new_card("ntag213", UID)

    prepare(card, fault)

    assert [record.uri for record in tap(card).ndef.records] == links


def test_nfcpy_finds_a_locked_card_read_only() -> None:
    card = new_card("ntag215", UID)

    prepare(card, Fault.LOCKED)

    assert not tap(card).ndef.is_writeable
    with pytest.raises(nfc.tag.TagCommandError):
        tap(card).write(4, bytes(4))
