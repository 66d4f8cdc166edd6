"""nfcpy's own Type 4 code as the judge of the virtual NTAG 424 DNA and DESFire: blocks, container, NDEF."""

from __future__ import annotations

from typing import Any

import ndef
import nfc.clf
import nfc.tag
import nfc.tag.tt4
import pytest

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example/c/7Q2M9X4T"


class Frontend:
    """A reader in this process that keeps the block protocol of ISO/IEC 14443-4 for a virtual card."""

    max_send_data_size = 290
    max_recv_data_size = 290

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self._received = b""
        self._last = b""

    def tag(self) -> nfc.tag.Tag:
        self.card.power_off()
        self.card.select()
        target = nfc.clf.RemoteTarget("106A", sens_res=bytearray(self.card.atqa[::-1]))
        target.sdd_res = bytearray(self.card.uid)
        target.sel_res = bytearray([self.card.sak])
        return nfc.tag.activate(self, target)

    def exchange(self, data: bytes, timeout: float) -> bytearray:
        frame = bytes(data)
        if frame[0] == 0xE0:
            return bytearray(self.card.answer(frame))
        if frame[0] & 0xE2 != 0x02:
            raise nfc.clf.TimeoutError
        self._received += frame[1:]
        if frame[0] & 0x10:
            return bytearray([0xA2 | frame[0] & 1])
        command, self._received = self._received, b""
        return bytearray([0x02 | frame[0] & 1]) + self.card.apdu(command)

    def sense(self, *_: Any, **__: Any) -> None:
        """No other card."""


def ndef_desfire() -> VirtualCard:
    card = new_card("desfire-ev1", UID)
    card.select()
    commands = [
        "90CA00000E0100000F2110E1D276000085010100",
        "905A00000301000000",
        "90CD0000090103E100EEEE0F000000",
        "90CD0000090204E100EEEE00010000",
        "903D00001601000000 0F0000 000F20003B00340406E10401000000 00",
    ]
    for command in commands:
        raw = bytes.fromhex(command)
        assert len(raw) == raw[4] + 6
        assert card.apdu(raw) == b"\x91\x00", command
    return card


@pytest.mark.parametrize("make", [lambda: new_card("ntag424", UID), ndef_desfire], ids=["ntag424", "desfire"])
def test_nfcpy_reads_back_what_nfcpy_wrote(make: Any) -> None:
    card = make()
    tag = Frontend(card).tag()
    assert isinstance(tag, nfc.tag.tt4.Type4Tag)
    assert tag.ndef is not None
    assert (tag.ndef.is_readable, tag.ndef.is_writeable, tag.ndef.length) == (True, True, 0)
    assert tag.ndef.capacity == 254

    tag.ndef.records = [ndef.UriRecord(LINK), ndef.TextRecord("x" * 150)]

    again = Frontend(card).tag()
    assert [record.type for record in again.ndef.records] == ["urn:nfc:wkt:U", "urn:nfc:wkt:T"]
    assert again.ndef.records[0].uri == LINK


@pytest.mark.parametrize("chip", ["desfire", "phone", "bankcard", "jcop", "duox", "desfire-light"])
def test_nfcpy_finds_no_ndef_where_there_is_none(chip: str) -> None:
    tag = Frontend(new_card(chip, UID)).tag()

    assert isinstance(tag, nfc.tag.tt4.Type4Tag)
    assert tag.ndef is None
