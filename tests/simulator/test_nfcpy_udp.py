"""The far end of nfcpy's UDP link, datagram by datagram."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.errors import WrongCall
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.antenna import Antenna
from rfid_station.simulator.readers.nfcpy_udp import UdpCard, VirtualUdpReader, parse_datagram

UID = bytes.fromhex("04E10CDA993C80")


def card_with(chip: str, uid: bytes | None = None) -> tuple[UdpCard, Field]:
    antenna = Antenna()
    field = antenna.lay(Field(new_card(chip, uid or (UID + b"\x01")[: uid_size(chip)])))
    return UdpCard(antenna), field


def ask(card: UdpCard, datagram: str) -> str:
    return card.answer(datagram.encode()).decode()


def select(card: UdpCard) -> None:
    for request in ("26", "9320", "93708804e10c61", "9520", "9570da993c80ff"):
        assert ask(card, f"106A {request}")


def test_a_card_of_seven_bytes_is_selected_in_two_levels() -> None:
    card, field = card_with("ntag213")

    assert ask(card, "106A 26") == "106A 4400"
    assert ask(card, "106A 9320") == "106A 8804e10c61"
    assert ask(card, "106A 93708804e10c61") == "106A 04"
    assert ask(card, "106A 9520") == "106A da993c80ff"
    assert ask(card, "106A 9570da993c80ff") == "106A 00"
    assert field.exchanges == 0
    assert ask(card, "106A 60") == "106A 0004040201000f03"
    assert field.exchanges == 1


def test_a_card_of_four_bytes_is_selected_in_one() -> None:
    card, _ = card_with("classic1k")

    assert ask(card, "106A 26") == "106A 0400"
    assert ask(card, "106A 9320") == "106A 04e10cda33"
    assert ask(card, "106A 937004e10cda33") == "106A 08"
    assert ask(card, "106A 9520") == ""


@pytest.mark.parametrize(
    "request_", ["106A 93708804e10c62", "106A 3000", "106B 26", "212F 26", "106A", "", "x 26", "106A zz"]
)
def test_what_is_not_meant_for_the_card_is_not_answered(request_: str) -> None:
    card, field = card_with("ntag213")

    assert ask(card, "106A 26") == "106A 4400"
    assert ask(card, request_) == ""
    assert field.exchanges == 0


def test_a_refused_write_is_four_bits_and_then_silence() -> None:
    card, _ = card_with("ntag213")
    select(card)

    assert ask(card, "106A a20401020304") == "106A 0a"
    assert ask(card, "106A a20001020304") == "106A 00"
    assert ask(card, "106A 3000") == ""


def test_without_field_a_card_forgets() -> None:
    card, _ = card_with("ntag213")
    select(card)
    assert ask(card, "106A 3003").startswith("106A e1101200")

    assert ask(card, "RFOFF") == ""
    assert ask(card, "106A 3003") == ""
    select(card)
    assert ask(card, "106A 3003") != ""


def test_halt_sends_a_card_to_sleep() -> None:
    card, _ = card_with("ntag213")
    select(card)

    assert ask(card, "106A 5000") == ask(card, "106A 3003") == ""
    assert ask(card, "106A 52") == "106A 4400"


def test_type_b_is_polled_attributed_and_led_in_blocks() -> None:
    card, _ = card_with("typeb")

    assert ask(card, "106B 050010").startswith("106B 5004e10cda")
    assert ask(card, "106B 1dffffffff00080100") == ""
    assert ask(card, "106B 1d04e10cda00080100") == "106B 00"
    assert ask(card, "106B c2") == "106B c2"


def test_felica_is_polled() -> None:
    card, _ = card_with("felica")

    assert ask(card, "212F 0600ffff0100").startswith("212F 120104e10cda993c8001")
    assert ask(card, "212F 0500ffff0100") == ""


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.binary(max_size=12).map(lambda f: b"106A " + f.hex().encode()))
    )
)
def test_no_datagram_upsets_the_card(sent: list[bytes]) -> None:
    card, _ = card_with("desfire")

    for datagram in sent:
        reply = card.answer(datagram)
        assert reply == b"" or parse_datagram(reply) is not None


@pytest.fixture
def reader() -> Iterator[VirtualUdpReader]:
    with VirtualUdpReader(0) as virtual:
        yield virtual


def test_it_listens_on_loopback_only_and_answers_whoever_asks(reader: VirtualUdpReader) -> None:
    reader.insert(new_card("ntag213", UID))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.settimeout(5)
        host.sendto(b"106A 26", ("127.0.0.1", reader.port))
        assert host.recvfrom(100) == (b"106A 4400", ("127.0.0.1", reader.port))


def test_a_port_that_is_taken_is_named(reader: VirtualUdpReader) -> None:
    with pytest.raises(WrongCall, match=f"port {reader.port} cannot be used") as refused:
        VirtualUdpReader(reader.port)

    assert refused.value.hint
