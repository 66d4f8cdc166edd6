"""The reader's firmware, APDU by APDU."""

from __future__ import annotations

import pytest

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import CardGone, Field, Mishap
from rfid_station.simulator.readers.contactless_reader import ContactlessReader

UID = bytes.fromhex("04E10CDA993C80")
START, END = "FFC20000028100", "FFC20000028200"
RF_OFF, RF_ON = "FFC20000028300", "FFC20000028400"
LAYER_3 = "FFC20002048F020003"
ACCEPTED = "C003009000" + "9000"
NO_ANSWER = "6401" + "9000"


def reader_with(
    chip: str = "ntag213", *, transparent: bool = True, mishap: Mishap | None = None
) -> ContactlessReader:
    reader = ContactlessReader(transparent=transparent)
    uid = UID[:4] if chip == "classic1k" else UID
    reader.place(Field(new_card(chip, uid), mishap=mishap))
    reader.power_on()
    return reader


def send(reader: ContactlessReader, apdu: str) -> str:
    return reader.transmit(bytes.fromhex(apdu)).hex().upper()


def exchange(reader: ContactlessReader, frame: str) -> str:
    objects = "5F460400010100" + f"95{len(frame) // 2:02X}" + frame
    return send(reader, f"FFC20001{len(objects) // 2:02X}{objects}00")


def in_session(chip: str = "ntag213") -> ContactlessReader:
    reader = reader_with(chip)
    assert send(reader, START) == send(reader, LAYER_3) == ACCEPTED
    return reader


PSEUDO_APDUS = [
    ("ntag213", "FFCA000000", "04E10CDA993C809000"),
    ("ntag213", "FFCA010000", "6A81"),
    ("desfire", "FFCA010000", "809000"),
    ("ntag213", "FFB0000010", "04E10C61DA993C80FF480000E11012009000"),
    ("ntag213", "FFB0000304", "E11012009000"),
    ("ntag213", "FFB0002D10", "6300"),
    ("ntag213", "FFB0000008", "6700"),
    ("ntag213", "FFD600040401020304", "9000"),
    ("ntag213", "FFD600000401020304", "6300"),
    ("ntag213", "FFD6000408" + 16 * "0", "6700"),
    ("classic1k", "FFB0000410", "6982"),
    ("classic1k", "FF82000006FFFFFFFFFFFF", "6988"),
    ("classic1k", "FF860000050100046000", "6300"),
    ("ntag213", "FF00000003D44260", "6A81"),
    ("ntag213", "FF00480000", "6A81"),
    ("ntag213", "9060000000", "6A81"),
    ("desfire", "9060000000", "0401013300160591AF"),
    ("ntag213", "FF", "6700"),
]


@pytest.mark.parametrize(("chip", "apdu", "answer"), PSEUDO_APDUS)
def test_pseudo_apdus(chip: str, apdu: str, answer: str) -> None:
    assert send(reader_with(chip), apdu) == answer


def test_after_a_refused_write_the_firmware_selects_the_card_again() -> None:
    reader = reader_with()

    assert send(reader, "FFD600000401020304") == "6300"
    assert send(reader, "FFB0000304") == "E11012009000"


def test_a_session_passes_frames_on() -> None:
    reader = in_session()

    assert exchange(reader, "60") == "C003009000" + "920100" + "96020000" + "97080004040201000F03" + "9000"
    assert exchange(reader, "A20401020304") == "C003009000" + "920104" + "96020000" + "97010A" + "9000"
    assert exchange(reader, "A20001020304") == "C003009000" + "920104" + "96020000" + "970100" + "9000"
    assert exchange(reader, "3000").endswith(NO_ANSWER)
    assert send(reader, LAYER_3) == ACCEPTED
    assert "0497" not in exchange(reader, "3000")


def test_a_long_answer_has_a_length_of_two_bytes() -> None:
    answer = exchange(in_session(), "3A002C")

    assert answer.startswith("C003009000" + "920100" + "96020000" + "978200B4" + "04E10C61")
    assert len(answer) == 2 * (5 + 3 + 4 + 4 + 180 + 2)


@pytest.mark.parametrize("length", ["02", "8102", "820002"])
def test_a_length_may_be_written_in_three_ways(length: str) -> None:
    objects = f"95{length}3003"

    assert "9710E1101200" in send(in_session(), f"FFC20001{len(objects) // 2:02X}{objects}00")


def test_a_card_without_field_does_not_answer_and_forgets() -> None:
    reader = in_session()
    assert "97020000" in exchange(reader, "1BFFFFFFFF")

    assert send(reader, RF_OFF) == ACCEPTED
    assert exchange(reader, "3000").endswith(NO_ANSWER)
    assert send(reader, RF_ON) == ACCEPTED
    assert exchange(reader, "3000").endswith(NO_ANSWER)
    assert send(reader, LAYER_3) == ACCEPTED
    assert "9710" in exchange(reader, "3000")


SESSION_ERRORS = [
    ([], "FFC200010495023000", "C003016985" + "9000"),
    ([], LAYER_3, "C003016985" + "9000"),
    ([START], "FFC20002048F020203", "C003016A81" + "9000"),
    ([START], "FFC20000028F00", "C003016A81" + "9000"),
    ([START], "FFC20001028F00", "C003016A81" + "9000"),
    ([START], "FFC20000018F", "C003016A80" + "9000"),
    ([START], "FFC200000281", "6700"),
    ([START], "FFC2000900", "6A81"),
    ([START, END], "FFC200010495023000", "C003016985" + "9000"),
]


@pytest.mark.parametrize(("before", "apdu", "answer"), SESSION_ERRORS)
def test_what_a_session_refuses(before: list[str], apdu: str, answer: str) -> None:
    reader = reader_with()
    for earlier in before:
        assert send(reader, earlier) == ACCEPTED

    assert send(reader, apdu) == answer


def test_power_off_ends_a_session() -> None:
    reader = in_session()

    reader.power_off()
    reader.power_on()

    assert exchange(reader, "60") == "C003016985" + "9000"


def test_a_plain_reader_knows_no_session() -> None:
    reader = reader_with(transparent=False)

    assert send(reader, START) == "6A81"
    assert send(reader, "FFB0000304") == "E11012009000"


def test_a_card_that_leaves_in_the_middle_answers_nothing_any_more() -> None:
    reader = reader_with(mishap=Mishap(2, Tear(TornMode.ERASED), leaves=True))
    assert send(reader, "FFB0000304") == "E11012009000"
    field = reader.field

    with pytest.raises(CardGone):
        send(reader, "FFD600040401020304")

    assert reader.atr() == b""
    assert field is not None
    assert field.exchanges == 2
    assert field.card.state()["memory"][32:40] == "00000000"


def test_without_a_card_there_is_no_atr() -> None:
    assert ContactlessReader().atr() == b""
