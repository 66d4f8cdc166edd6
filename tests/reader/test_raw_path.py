"""Ways to the card that virtual readers do not have, or do not damage: told byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip.exchange import ACK
from rfid_station.errors import CardRefused
from rfid_station.reader import crc_a as crc_a_module
from rfid_station.reader import pseudo_apdu
from rfid_station.reader.crc_a import crc_a, without_crc
from rfid_station.reader.raw_path import DirectTransmit, PagesOnly, RawKind, find_raw_kind, is_acr122u
from rfid_station.reader.t0 import exchange_t0

PAGES = bytes.fromhex("04E10C6199") + bytes(11)
DONE = "9000"


class Script:
    """A reader that is asked exactly this, in this order."""

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self.left = [(bytes.fromhex(asked), bytes.fromhex(answer)) for asked, answer in exchanges]

    def __call__(self, apdu: bytes) -> bytes:
        assert self.left, f"nothing more was to be asked, and then {apdu.hex()}"
        asked, answer = self.left.pop(0)
        assert apdu.hex() == asked.hex()
        return answer


def with_crc(answer: str) -> str:
    return answer + crc_a(bytes.fromhex(answer)).hex()


PREPARE = (("FF00000004 D406 6303", f"D507 9C {DONE}"), ("FF00000005 D408 6303 1C", f"D509 {DONE}"))
NO_REGISTERS = (("FF00000004 D406 6303", "6300"),)


@pytest.mark.parametrize(("data", "check"), crc_a_module.VECTORS)
def test_the_crc_is_that_of_the_standard(data: str, check: str) -> None:
    assert crc_a(bytes.fromhex(data)).hex().upper() == check
    assert without_crc(bytes.fromhex(data + check)).hex() == data


@given(st.binary(min_size=1, max_size=40), st.integers(0, 8 * 42 - 1))
@settings(max_examples=200)
def test_a_flipped_bit_is_noticed(content: bytes, bit: int) -> None:
    whole = bytearray(content + crc_a(content))
    place = bit % (8 * len(whole))
    whole[place // 8] ^= 1 << place % 8

    assert without_crc(bytes(whole)) == b""


def test_the_pn532_is_told_once_to_leave_the_crc_to_us() -> None:
    script = Script(
        *PREPARE,
        ("FF00000004 D442 3004", f"D543 00 {with_crc('00' * 16)} {DONE}"),
        ("FF00000008 D442 A20411223344", f"D543 00 0A {DONE}"),
        ("FF00000008 D442 A20211223344", f"D543 00 00 {DONE}"),
        ("FF00000004 D442 3004", f"D543 01 {DONE}"),
    )
    path = DirectTransmit(script)

    assert path.exchange(b"\x30\x04") == bytes(16)
    assert path.exchange(bytes.fromhex("A20411223344")) == ACK
    assert path.exchange(bytes.fromhex("A20211223344")) == b"\x00"
    assert path.exchange(b"\x30\x04") == b""
    assert not script.left


def test_it_is_told_again_after_the_reader_did_something_itself() -> None:
    path = DirectTransmit(Script(*PREPARE, ("FF00000003 D442 60", f"D543 01 {DONE}"), *PREPARE))
    path.exchange(b"\x60")
    path.forget()

    with pytest.raises(AssertionError, match="nothing more was to be asked"):
        path.exchange(b"\x60")


def test_an_answer_with_a_wrong_crc_is_no_answer() -> None:
    path = DirectTransmit(Script(*PREPARE, ("FF00000003 D442 60", f"D543 00 0004040201000F03 0000 {DONE}")))

    assert path.exchange(b"\x60") == b""


def test_a_firmware_that_keeps_the_crc_writes_by_the_pn532_itself() -> None:
    """With the CRC on, InCommunicateThru answers error 02 to each ACK: seen on readers of this kind."""
    script = Script(
        *NO_REGISTERS,
        ("FF00000003 D442 60", f"D543 00 0004040201000F03 {DONE}"),
        ("FF00000007 D442 1B70617373", f"D543 00 5043 {DONE}"),
        ("FF00000009 D440 01 A20411223344", f"D541 00 {DONE}"),
        ("FF00000009 D440 01 A20211223344", f"D541 01 {DONE}"),
    )
    path = DirectTransmit(script)

    assert path.exchange(b"\x60").hex() == "0004040201000f03"
    assert path.exchange(bytes.fromhex("1B70617373")) == b"PC"
    assert path.exchange(bytes.fromhex("A20411223344")) == ACK
    assert path.exchange(bytes.fromhex("A20211223344")) == b""


@pytest.mark.parametrize("answer", ["6300", "9000", "D543", "D54300", "D541009000", "00"])
def test_what_is_no_answer_of_the_pn532_is_silence(answer: str) -> None:
    assert DirectTransmit(Script(*PREPARE, ("FF00000003 D442 60", answer))).exchange(b"\x60") == b""


@pytest.mark.parametrize(
    ("version", "is_one"),
    [
        (b"ACR122U215", True),
        (b"ACR122U207", True),
        (b"ACR122U102", False),
        (b"ACR122U", False),
        (b"ACR1252U_V", False),
        (b"\x90\x00", False),
        (b"\x6a\x81", False),
        (b"ACR122", False),
    ],
)
def test_only_an_acr122u_of_the_second_firmware_is_one(version: bytes, is_one: bool) -> None:
    assert is_acr122u(lambda _apdu: version) is is_one


def test_a_reader_that_only_claims_to_be_an_acr122u_has_no_raw_path() -> None:
    def transmit(apdu: bytes) -> bytes:
        if apdu == pseudo_apdu.ASK_ACR122U:
            return b"ACR122U215"
        if apdu.startswith(b"\xff\xb0"):
            return PAGES + b"\x90\x00"
        return b"\x90\x00" if apdu.startswith(bytes(1)) else b"\x6a\x81"

    assert find_raw_kind(transmit) is RawKind.NONE


def test_without_a_raw_path_a_frame_is_refused_by_name_and_never_sent() -> None:
    path = PagesOnly(Script(), "Plain Reader")

    for frame in (b"\x60", bytes.fromhex("1B00000000"), bytes.fromhex("3C00"), b""):
        with pytest.raises(CardRefused, match="Plain Reader does not pass on command") as refused:
            path.exchange(frame)
        assert refused.value.hint


# ------------------------------------------------------------------- T=0


def test_over_t0_the_expected_length_stays_behind_and_the_answer_is_fetched() -> None:
    script = Script(("00A4040002E103", "6105"), ("00C0000005", "0102030405 9000"))

    assert exchange_t0(script, bytes.fromhex("00A4040002E10300")).hex() == "01020304059000"


def test_over_t0_a_wrong_length_is_asked_again_with_the_right_one() -> None:
    script = Script(("00B0000000", "6C02"), ("00B0000002", "AABB 9000"))

    assert exchange_t0(script, bytes.fromhex("00B0000000")).hex() == "aabb9000"


def test_over_t0_an_answer_of_many_parts_is_put_together() -> None:
    script = Script(("9060000000", "04010101 6103"), ("00C0000003", "001605 6101"), ("00C0000001", "FF 91AF"))

    assert exchange_t0(script, bytes.fromhex("9060000000")).hex() == "04010101001605ff91af"


@given(st.binary(max_size=12), st.binary(max_size=30))
@settings(max_examples=200)
def test_over_t0_no_answer_makes_it_go_on_forever(apdu: bytes, answer: bytes) -> None:
    asked = 0

    def transmit(_apdu: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return answer + b"\x61\x01"

    assert exchange_t0(transmit, apdu)[-2:] == b"\x61\x01"
    assert asked < 400
