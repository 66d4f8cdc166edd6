"""What tells the reader models apart, APDU by APDU."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import CardGone, Field
from rfid_station.simulator.readers.contactless_reader import ContactlessReader
from rfid_station.simulator.readers.reader_models import MODELS

UID = bytes.fromhex("04E10CDA993C80")
FACTORY_KEY = "FFFFFFFFFFFF"
DIRECT = "FF000000"


def reader_with(model: str, chip: str) -> ContactlessReader:
    reader = ContactlessReader(MODELS[model])
    reader.place(Field(new_card(chip, (UID + b"\x01")[: uid_size(chip)])))
    reader.power_on()
    return reader


def send(reader: ContactlessReader, apdu: str) -> str:
    return reader.transmit(bytes.fromhex(apdu)).hex().upper()


def direct(reader: ContactlessReader, command: str) -> str:
    return send(reader, f"{DIRECT}{len(command) // 2:02X}{command}")


# reader model, chip, card name and standard in the ATR
STORAGE_CARDS = [
    ("acr122u", "ntag213", "030003"),
    ("acr122u", "ultralightc", "030003"),
    ("acr1552u", "mf0ul21", "030003"),
    ("acr1552u", "classic1k", "030001"),
    ("acr1552u", "classic4k", "030002"),
    ("acr1552u", "mini", "030026"),
    ("acr122u", "felica", "03F011"),
    ("acr1552u", "felica", "11003B"),
    ("acr1552u", "iso15693", "0B0014"),
]


@pytest.mark.parametrize(("model", "chip", "name"), STORAGE_CARDS)
def test_a_storage_card_is_named_in_its_atr(model: str, chip: str, name: str) -> None:
    atr = reader_with(model, chip).atr().hex().upper()

    assert atr.startswith(f"3B8F8001804F0CA000000306{name}00000000")


# reader model, chip, ATR: the two of a DESFire are published ones
ISO_DEP_CARDS = [
    ("acr1552u", "desfire", "3B8180018080"),
    ("acr122u", "desfire", "3B8680010675778102800" + "0"),
    ("acr1552u", "bankcard", "3B858001" + "2063CBA3A0" + "8F"),
    ("acr1552u", "typeb", "3B888001" + "00000000" + "008171" + "00" + "F9"),
]


@pytest.mark.parametrize(("model", "chip", "atr"), ISO_DEP_CARDS)
def test_a_card_of_iso_14443_4_tells_its_own(model: str, chip: str, atr: str) -> None:
    assert reader_with(model, chip).atr().hex().upper() == atr


def test_the_acr122u_says_who_it_is_and_no_other_does() -> None:
    assert bytes.fromhex(send(reader_with("acr122u", "ntag213"), "FF00480000")).startswith(b"ACR122U")
    for model in set(MODELS) - {"acr122u"}:
        assert send(reader_with(model, "ntag213"), "FF00480000") == "6A81"


def test_what_is_meant_for_an_acr122u_costs_other_readers_a_key() -> None:
    for model in ("omnikey5022", "identiv3700", "plain"):
        reader = reader_with(model, "ntag213")
        assert direct(reader, "D44260") == "9000"
        assert reader.overwritten_keys == [bytes.fromhex("D44260")]
    harmless = reader_with("acr1552u", "ntag213")
    assert direct(harmless, "D44260") == "6A81"
    assert harmless.overwritten_keys == []
    assert direct(reader_with("acr122u", "ntag213"), "D44260") == "D54300" + "0004040201000F03" + "9000"


DIRECT_TRANSMITS = [
    ("ntag213", "D402", "D50332010607"),
    ("ntag213", "D44260", "D543000004040201000F03"),
    ("ntag213", "D4421BFFFFFFFF", "D543000000"),
    ("ntag213", "D44A0100", "D54B0101" + "0044" + "00" + "07" + "04E10CDA993C80"),
    ("desfire", "D44A0100", "D54B0101" + "0344" + "20" + "07" + "04E10CDA993C80" + "067577810280"),
    ("ntag213", "D44001A20401020304", "D54100"),
    ("ntag213", "D44001A20001020304", "D54113"),
    ("ntag213", "D440013003", "D54100E1101200"),
    ("ntag213", "D44299", "D54301"),
    ("classic1k", "D440016003FFFFFFFFFFFF04E10CDA", "D54100"),
    ("classic1k", "D440016003A0A1A2A3A4A504E10CDA", "D54114"),
    ("desfire", "D440019060000000", "D5410004010133"),
    ("felica", "D44A010100FFFF0000", "D54B01011201" + "04E10CDA993C8001"),
    ("felica", "D44A0100", "6300"),
    ("ntag213", "D4F0", "6300"),
]


@pytest.mark.parametrize(("chip", "command", "answer"), DIRECT_TRANSMITS)
def test_direct_transmit_reaches_the_pn532_in_the_acr122u(chip: str, command: str, answer: str) -> None:
    assert direct(reader_with("acr122u", chip), command).startswith(answer)


def test_whether_a_write_was_taken_is_seen_only_without_crc_check() -> None:
    reader = reader_with("acr122u", "ntag213")
    write, refused = "D442A20401020304", "D442A20001020304"

    assert direct(reader, write) == direct(reader, refused) == "D543029000"
    assert direct(reader, "D44A0100").startswith("D54B01")
    assert direct(reader, "D408630300") == "D5099000"
    assert direct(reader, write) == "D543000A9000"
    assert direct(reader, "D4423003")[6:14] == "E1101200"
    assert direct(reader, refused) == "D54300009000"


def test_the_acr122u_knows_no_session() -> None:
    assert send(reader_with("acr122u", "ntag213"), "FFC20000028100") == "6A81"


def test_the_firmware_selects_the_card_again_after_frames_past_it() -> None:
    reader = reader_with("acr122u", "ntag213")
    card = reader.field.card if reader.field else None
    assert card is not None
    card.restore(card.state() | {"memory": protected(card.state()["memory"])})
    card.power_off()
    reader.power_on()
    write = "A20401020304"

    assert direct(reader, "D4421BFFFFFFFF") == "D5430000009000"
    assert direct(reader, f"D44001{write}") == "D541009000"
    assert direct(reader, "D4421BFFFFFFFF") == "D5430000009000"
    assert send(reader, "FFD600040401020304") == "6300"


def protected(memory: str) -> str:
    """The memory of an NTAG213 with AUTH0 at page 4: writing takes the password."""
    raw = bytearray.fromhex(memory)
    raw[0x29 * 4 + 3] = 4
    return raw.hex()


def test_the_acr122u_keeps_each_light_and_sound() -> None:
    reader = reader_with("acr122u", "ntag213")

    assert send(reader, "FF00400E0401000101") == "9002"
    assert send(reader, "FF00400D0402020201") == "9001"

    assert [signal.hex().upper() for signal in reader.signals] == ["0E01000101", "0D02020201"]
    assert send(reader, "FF00500000") == "90FF"
    assert send(reader, "FF00517F00") == send(reader, "FF00500000") == "907F"
    assert send(reader, "FF00520000") == send(reader, "FF00410500") == "9000"


# model, load key (structure and slot), answer
SLOTS = [
    ("acr122u", "0000", "9000"),
    ("acr122u", "0001", "9000"),
    ("acr122u", "0002", "6300"),
    ("acr122u", "2000", "6300"),
    ("acr1552u", "0020", "9000"),
    ("acr1552u", "0000", "6988"),
    ("acr1552u", "201F", "9000"),
    ("acr1552u", "2020", "6988"),
    ("omnikey5022", "0000", "6986"),
    ("omnikey5022", "2000", "9000"),
    ("identiv3700", "0060", "9000"),
    ("identiv3700", "0000", "6988"),
    ("identiv3700", "2000", "6987"),
    ("plain", "0000", "9000"),
]


@pytest.mark.parametrize(("model", "slot", "answer"), SLOTS)
def test_where_a_key_can_be_loaded_to(model: str, slot: str, answer: str) -> None:
    assert send(reader_with(model, "classic1k"), f"FF82{slot}06{FACTORY_KEY}") == answer


@pytest.mark.parametrize(
    ("model", "place"),
    [("acr122u", "0000"), ("acr1552u", "0020"), ("omnikey5022", "2005"), ("identiv3700", "0061")],
)
@pytest.mark.parametrize("form", ["FF860000050100{block}{kind}{slot}", "FF8800{block}{kind}{slot}"])
def test_a_classic_is_opened_read_and_written(model: str, place: str, form: str) -> None:
    reader = reader_with(model, "classic1k")
    content = bytes(range(16)).hex().upper()
    assert send(reader, f"FF82{place}06{FACTORY_KEY}") == "9000"

    assert send(reader, form.format(block="04", kind="60", slot=place[2:])) == "9000"
    assert send(reader, f"FFD6000410{content}") == "9000"
    assert send(reader, "FFB0000410") == content + "9000"
    assert send(reader, "FFB0000404") == "6700"
    assert send(reader, "FFB0000810") == ("6300" if model == "acr122u" else "6982")


def test_a_wrong_key_and_an_empty_slot_open_nothing() -> None:
    reader = reader_with("acr122u", "classic1k")
    send(reader, "FF82000006A0A1A2A3A4A5")

    assert send(reader, "FF860000050100046000") == "6300"
    assert send(reader, "FF860000050100046001") == "6300"
    assert send(reader, "FFB0000410") == "6300"


@pytest.mark.parametrize("model", MODELS)
def test_every_model_passes_apdus_to_a_card_of_iso_14443_4(model: str) -> None:
    reader = reader_with(model, "desfire")

    assert send(reader, "9060000000").endswith("91AF")
    assert send(reader, "FFB0000010") == send(reader, "FFD600040401020304") == "6A81"
    assert reader.field is not None
    assert reader.field.exchanges == 1


@pytest.mark.parametrize(
    ("model", "answer"), [("acr122u", "809000"), ("omnikey5022", "809000"), ("identiv3700", "6A81")]
)
def test_not_every_reader_tells_the_historical_bytes(model: str, answer: str) -> None:
    assert send(reader_with(model, "desfire"), "FFCA010000") == answer


def test_a_session_can_lead_the_block_protocol_or_leave_it_to_the_host() -> None:
    reader = reader_with("acr1552u", "desfire")

    def exchange(frame: str) -> str:
        return send(reader, f"FFC20001{len(frame) // 2 + 2:02X}95{len(frame) // 2:02X}{frame}00")

    assert send(reader, "FFC20000028100") == send(reader, "FFC20002048F020004") == "C0030090009000"
    assert "970904010133" in exchange("9060000000")
    for power in ("FFC20000028300", "FFC20000028400", "FFC20002048F020003"):
        assert send(reader, power) == "C0030090009000"
    assert "9706067577810280" in exchange("E080")
    assert "970A0204010133" in exchange("029060000000")


@settings(max_examples=150, deadline=None)
@given(
    model=st.sampled_from(list(MODELS)),
    chip=st.sampled_from(["ntag213", "classic1k", "desfire", "typeb", "felica"]),
    apdus=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda ins, rest: b"\xff" + bytes([ins]) + rest,
                st.sampled_from([0x00, 0x82, 0x86, 0x88, 0xB0, 0xC2, 0xCA, 0xD6]),
                st.binary(max_size=24),
            ),
            st.builds(
                lambda code, rest: b"\xff\x00\x00\x00" + bytes([2 + len(rest), 0xD4, code]) + rest,
                st.sampled_from([0x00, 0x06, 0x08, 0x32, 0x40, 0x42, 0x44, 0x4A, 0x52, 0x60]),
                st.binary(max_size=24),
            ),
        ),
        max_size=6,
    ),
)
def test_no_apdu_upsets_a_reader(model: str, chip: str, apdus: list[bytes]) -> None:
    reader = reader_with(model, chip)

    for apdu in apdus:
        try:
            assert reader.transmit(apdu)
        except CardGone as gone:
            raise AssertionError("nobody took the card away") from gone
