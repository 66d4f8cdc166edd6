"""The virtual MIFARE DESFire under a reader side of its own: D40, EV1 and EV2, and NDEF as phones read it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from nxp_host import D40Host, Ev1Host, Ev2Host, Refused, crc_a, des_cbc, given, transmit, wrapped

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import card_from, is_blank, new_card
from rfid_station.simulator.native.desfire import VirtualDesfire

UID = bytes.fromhex("04E10CDA993C80")
ZERO = bytes(16)
KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
OTHER = bytes.fromhex("F3F9377698707B688EAF84ABE39E3791")
AID = bytes.fromhex("4556F0")
CREATE = AID + b"\x0b\x83"
GENERATIONS = ["desfire-ev1", "desfire-ev2", "desfire-ev3"]


def a_card(chip: str = "desfire-ev3", uid: bytes = UID) -> VirtualDesfire:
    card = new_card(chip, uid)
    assert isinstance(card, VirtualDesfire)
    card.select()
    return card


def with_application(chip: str = "desfire-ev3") -> VirtualDesfire:
    """A card with one application of three AES keys, all zero, and that selected."""
    card = a_card(chip)
    transmit(card.apdu, 0xCA, CREATE)
    transmit(card.apdu, 0x5A, AID)
    return card


def ev1(card: VirtualDesfire, number: int = 0, key: bytes = ZERO, command: int = 0xAA) -> Ev1Host:
    host = Ev1Host(card.apdu)
    host.authenticate(command, number, key)
    return host


def ev2(card: VirtualDesfire, number: int = 0, key: bytes = ZERO) -> Ev2Host:
    host = Ev2Host(card.apdu)
    host.authenticate(number, key)
    return host


def d40(card: VirtualDesfire, number: int = 0, key: bytes = ZERO) -> D40Host:
    host = D40Host(card.apdu)
    host.authenticate(number, key)
    return host


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        action()
    return str(refused.value)


def number3(value: int) -> bytes:
    return value.to_bytes(3, "little")


# What it says of itself


@pytest.mark.parametrize(
    ("chip", "hardware"),
    [
        ("desfire-ev1", "04010101001805"),
        ("desfire-ev2", "04010112001805"),
        ("desfire-ev3", "04010133001605"),
        ("desfire-light", "04080130001305"),
        ("duox", "040101A0001A05"),
    ],
)
def test_each_generation_tells_its_version_in_three_frames(chip: str, hardware: str) -> None:
    card = new_card(chip, UID)
    card.select()

    parts = [card.apdu(wrapped(command)) for command in (0x60, 0xAF, 0xAF)]

    assert [part[-2:].hex() for part in parts] == ["91af", "91af", "9100"]
    assert parts[0][:-2].hex().upper() == hardware
    assert parts[2][:7] == UID
    assert card.apdu(wrapped(0xAF)).hex() == "911c"


def test_native_frames_get_native_answers() -> None:
    card = a_card()

    assert card.apdu(b"\x60").hex() == "af04010133001605"
    assert card.apdu(b"\xaf")[:1] == b"\xaf"
    assert card.apdu(b"\xaf")[:8] == b"\x00" + UID
    assert card.apdu(b"\x6a") == b"\x00"
    assert card.apdu(b"\x99") == b"\x1c"
    assert card.apdu(b"\x0a\x00")[0] == 0xAF


def test_a_first_generation_card_knows_neither_ev2_nor_a_signature() -> None:
    card = with_application("desfire-ev1")

    assert card.apdu(wrapped(0x3C, b"\x00")).hex() == "911c"
    assert card.apdu(wrapped(0x71, b"\x00\x00")).hex() == "911c"
    assert card.apdu(wrapped(0xAD, bytes(7))).hex() == "911c"


@pytest.mark.parametrize(
    ("chip", "uid"), [("desfire-ev2", "042A41CAE45380"), ("desfire-ev3", "04448BD2DB6B80")]
)
def test_the_signature_of_the_samples_is_there_and_that_of_others_is_empty(chip: str, uid: str) -> None:
    sample = a_card(chip, bytes.fromhex(uid)).apdu(wrapped(0x3C, b"\x00"))
    other = a_card(chip).apdu(wrapped(0x3C, b"\x00"))

    assert (len(sample), sample[-2:].hex()) == (58, "9190")
    assert any(sample[:56])
    assert not any(other[:56])


# Authentication


@pytest.mark.parametrize("chip", GENERATIONS)
def test_the_master_key_as_delivered_is_of_des(chip: str) -> None:
    card = a_card(chip)

    d40(card)
    ev1(card, command=0x1A)
    assert refusal(lambda: ev1(card)) == "91AE"
    assert refusal(lambda: d40(card, key=KEY)) == "91AE"
    assert refusal(lambda: d40(card, number=1)) == "9140"


def test_the_published_exchange_of_an_aes_authentication() -> None:
    """NXP's example of AES authentication with a key of zeros, by its random numbers only.

    What is checked is that both sides come to the same session key by different code; the next test uses it.
    """
    card = with_application()
    card.draw = given("91517975190DCEA6104948EFA3085C1B")

    host = Ev1Host(card.apdu)
    host.authenticate(0xAA, 0, ZERO, bytes.fromhex("B98F4C50CF1C2E084FD150E33992B048"))

    assert host.key.hex().upper() == "B98F4C50915179753992B048A3085C1B"


def test_a_command_between_the_passes_of_an_authentication_aborts_it() -> None:
    card = with_application()

    card.apdu(wrapped(0xAA, b"\x00"))
    assert card.apdu(wrapped(0x64, b"\x00")).hex() == "91ca"
    assert card.apdu(wrapped(0xAF, bytes(32))).hex() == "911c"
    card.apdu(wrapped(0xAA, b"\x00"))
    assert card.apdu(bytes.fromhex("00A4000C023F00")).hex() == "6985"


# A charging application, in every way there is


@pytest.mark.parametrize("chip", GENERATIONS)
def test_a_charging_application_with_ev1_messages(chip: str) -> None:
    card = with_application(chip)
    host = ev1(card)
    host.command(0xCD, b"\x01\x03\x00\x21" + number3(32))
    assert host.command(0x6F) == b"\x01"
    assert host.command(0xF5, b"\x01").hex() == "000300212000" + "00"
    assert host.command(0x45) == b"\x0b\x83"
    assert host.command(0x51, back="full") == UID
    assert len(host.command(0x60)) == 28
    host.change_key(1, ZERO, KEY, 7, own=False)
    host.change_key(2, ZERO, OTHER, 8, own=False)
    assert host.command(0x64, b"\x02") == b"\x08"
    host.change_key(0, ZERO, OTHER, 9, own=True)

    content = bytes(range(32))
    writer = ev1(card, 1, KEY)
    writer.command(0x3D, b"\x01" + number3(0) + number3(32), content, "full")
    assert writer.command(0x64, b"\x00") == b"\x09"
    reader = ev1(card, 2, OTHER)
    assert reader.command(0xBD, b"\x01" + number3(0) + number3(32), back="full") == content
    assert reader.command(0xBD, b"\x01" + number3(4) + number3(0), back="full") == content[4:]
    assert refusal(lambda: ev1(card)) == "91AE"


@pytest.mark.parametrize("chip", GENERATIONS[1:])
def test_a_charging_application_with_ev2_messages(chip: str) -> None:
    card = with_application(chip)
    host = ev2(card)
    host.command(0xCD, b"\x01\x03\x00\x21" + number3(32))
    assert host.command(0xF5, b"\x01").hex() == "00030021200000"
    assert host.command(0x51, back="full") == UID
    assert len(host.command(0x60)) == 28
    host.change_key(1, ZERO, KEY, 7)
    host.change_key(2, ZERO, OTHER, 8)
    host.change_key(0, ZERO, OTHER, 9)

    content = bytes(range(32))
    ev2(card, 1, KEY).command(0x8D, b"\x01" + number3(0) + number3(32), content, "full")
    ev2(card, 1, KEY).command(0x3D, b"\x01" + number3(0) + number3(32), content, "full")
    reader = ev2(card, 2, OTHER)
    assert reader.command(0xAD, b"\x01" + number3(0) + number3(0), back="full") == content
    assert reader.command(0xBD, b"\x01" + number3(1) + number3(5), back="full") == content[1:6]
    reader.authenticate(0, OTHER, first=False)
    assert reader.command(0x64, b"\x00") == b"\x09"
    assert refusal(lambda: ev2(card)) == "91AE"


@pytest.mark.parametrize("algorithm", ["DES", "AES"])
def test_the_master_key_changes_to_aes_and_back(algorithm: str) -> None:
    card = a_card("desfire-ev1")
    d40(card).change_key(0x80, KEY, 0x42)
    assert transmit(card.apdu, 0x64, b"\x00") == b"\x42"
    assert transmit(card.apdu, 0x45) == b"\x0f\x81"
    host = ev1(card, key=KEY)
    if algorithm == "AES":
        host.change_key(0x80, KEY, OTHER, 0x43, own=True)
        ev1(card, key=OTHER)
    else:
        host.change_key(0x00, KEY, ZERO, None, own=True)
        d40(card)
        assert transmit(card.apdu, 0x64, b"\x00") == b"\x00"


def test_an_iso_session_changes_the_master_key_to_aes() -> None:
    card = a_card("desfire-ev2")
    host = ev1(card, command=0x1A)

    host.change_key(0x80, ZERO, KEY, 1, own=True)

    assert ev2(card, key=KEY).command(0x6E)[:2] == b"\x00\x14"


def test_a_card_of_single_des_keys_in_the_oldest_way() -> None:
    card = a_card("desfire-ev1")
    transmit(card.apdu, 0xCA, AID + b"\x0f\x03")
    transmit(card.apdu, 0x5A, AID)
    host = d40(card)
    for mode in (0, 1, 3):
        transmit(card.apdu, 0xCD, bytes([mode, mode]) + b"\x00\x00" + number3(20))
    host.change_key(1, KEY, None, old=ZERO)
    assert transmit(card.apdu, 0x64, b"\x01") == b"\x55"
    content, head = bytes(range(20)), number3(0) + number3(20)

    transmit(card.apdu, 0x3D, b"\x00" + head + content)
    transmit(card.apdu, 0x3D, b"\x01" + head + content + host.mac(content))
    transmit(card.apdu, 0x3D, b"\x03" + head + host.sealed(content))

    assert [bytes(card.applications[AID].files[n].data) for n in (0, 1, 3)] == [content] * 3
    assert transmit(card.apdu, 0xBD, b"\x01" + head) == content + host.mac(content)
    sealed = transmit(card.apdu, 0xBD, b"\x03" + head)
    assert des_cbc(host.key, sealed, decrypt=True) == content + crc_a(content) + bytes(2)
    assert refusal(lambda: transmit(card.apdu, 0x3D, b"\x01" + head + content + bytes(4))) == "911E"
    d40(card, 1, KEY)


def test_three_key_triple_des_answers_to_the_iso_authentication() -> None:
    card = a_card("desfire-ev1")
    transmit(card.apdu, 0xCA, AID + b"\x0f\x42")
    transmit(card.apdu, 0x5A, AID)

    host = ev1(card, key=bytes(24), command=0x1A)
    host.change_key(0, bytes(24), bytes(range(24)), None, own=True)

    ev1(card, key=bytes(range(24)), command=0x1A)
    assert refusal(lambda: d40(card)) == "91AE"


# Secure messaging is checked, not trusted


def test_a_command_with_a_wrong_mac_loses_the_session() -> None:
    card = with_application()
    host = ev2(card)
    sealed = host.sealed(0xCD, b"\x01\x03\x00\x21" + number3(32))

    assert card.apdu(wrapped(0xCD, sealed[:-1] + b"\x00")).hex() == "911e"
    assert card.apdu(wrapped(0xCD, sealed[:-8])).hex() == "91ae"
    assert card.applications[AID].files == {}


def test_a_refusal_ends_the_session() -> None:
    card = with_application()
    host = ev1(card)
    assert refusal(lambda: host.command(0xF5, b"\x09")) == "91F0"

    assert card.apdu(wrapped(0x51)).hex() == "91ae"


def test_another_key_with_a_wrong_check_sum_is_not_taken() -> None:
    card = with_application()
    host = ev1(card)

    with pytest.raises(Refused, match="911E"):
        host.change_key(1, KEY, OTHER, 1, own=False)

    assert card.applications[AID].keys[1].raw == ZERO


def test_selecting_an_application_ends_the_session() -> None:
    card = with_application()
    ev1(card)

    assert card.apdu(wrapped(0x5A, AID)).hex() == "9100"
    assert card.apdu(wrapped(0x51)).hex() == "91ae"


# Rights


def test_rights_are_obeyed() -> None:
    card = with_application("desfire-ev1")
    host = ev1(card)
    host.command(0xCD, b"\x01\x00\x10\x2f" + number3(8))
    host.command(0xCD, b"\x02\x00\xff\xff" + number3(8))
    read = number3(0) + number3(8)

    assert refusal(lambda: transmit(card.apdu, 0x5F, b"\x02\x00\xee\xee")) == "919D"
    assert card.apdu(wrapped(0xBD, b"\x01" + read)).hex() == "91ae"
    assert card.apdu(wrapped(0xBD, b"\x02" + read)).hex() == "919d"
    assert card.apdu(wrapped(0x3D, b"\x01" + read + bytes(8))).hex() == "91ae"
    assert card.apdu(wrapped(0xBD, b"\x07" + read)).hex() == "91f0"
    assert card.apdu(wrapped(0xCD, b"\x03\x00\xee\xee" + number3(8))).hex() == "91ae"
    host = ev1(card, 1)
    assert refusal(lambda: host.command(0xBD, b"\x01" + number3(4) + number3(8))) == "91BE"
    host = ev1(card, 1)
    assert host.command(0xBD, b"\x01" + read) == bytes(8)
    assert refusal(lambda: host.change_key(2, ZERO, KEY, 1, own=False)) == "91AE"


def test_settings_of_a_file_and_of_keys_change_enciphered() -> None:
    card = with_application()
    host = ev1(card)
    host.command(0xCD, b"\x01\x00\xe0\xee" + number3(8))
    host.command(0x5F, b"\x01", b"\x03\x10\x2f", "full")
    assert host.command(0xF5, b"\x01").hex() == "0003102f080000"
    host.command(0x54, b"", b"\x09", "full")
    assert host.command(0x45) == b"\x09\x83"
    assert card.apdu(wrapped(0x5A, AID)).hex() == "9100"
    assert card.apdu(wrapped(0x45)).hex() == "91ae"
    ev2(card).command(0x54, b"", b"\x01", "full")
    assert refusal(lambda: ev2(card).command(0x54, b"", b"\x0f", "full")) == "919D"


def test_applications_are_listed_named_deleted_and_counted() -> None:
    card = a_card("desfire-ev1")
    free = int.from_bytes(transmit(card.apdu, 0x6E), "little")
    for number in range(28):
        transmit(card.apdu, 0xCA, bytes([number, 1, 1]) + b"\x0f\x81")
    assert refusal(lambda: transmit(card.apdu, 0xCA, b"\xff\xff\xff\x0f\x81")) == "91CE"
    assert refusal(lambda: transmit(card.apdu, 0xCA, b"\x01\x01\x01\x0f\x81")) == "91DE"
    listed = card.apdu(wrapped(0x6A))
    assert (len(listed), listed[-2:].hex()) == (61, "91af")
    assert len(card.apdu(wrapped(0xAF))) == 28 * 3 - 59 + 2
    assert card.apdu(wrapped(0xDA, bytes(3))).hex() == "919e"
    assert card.apdu(wrapped(0xDA, b"\x00\x01\x01")).hex() == "91ae"
    host = ev1(card, command=0x1A)
    host.command(0xDA, b"\x00\x01\x01")
    assert len(host.command(0x6A)) == 27 * 3
    assert int.from_bytes(host.command(0x6E), "little") < free
    host.command(0xFC)
    assert host.command(0x6A) == b""
    assert int.from_bytes(host.command(0x6E), "little") == free


def test_the_memory_ends() -> None:
    card = with_application()
    host = ev1(card)

    assert refusal(lambda: host.command(0xCD, b"\x01\x00\xee\xee" + number3(4000))) == "910E"


def test_a_backup_file_changes_with_the_transaction() -> None:
    card = with_application()
    host = ev1(card)
    host.command(0xCB, b"\x01\x00\xe0\xee" + number3(4))
    read = b"\x01" + number3(0) + number3(4)
    host.command(0x3D, read, b"abcd")
    assert host.command(0xBD, read) == bytes(4)
    host.command(0xC7)
    assert host.command(0xBD, read) == b"abcd"
    host.command(0x3D, read, b"efgh")
    host.command(0xA7)
    assert host.command(0xBD, read) == b"abcd"
    host.command(0x3D, read, b"efgh")
    card.power_off()
    card.select()
    transmit(card.apdu, 0x5A, AID)
    assert transmit(card.apdu, 0xBD, read) == b"abcd"
    assert ev1(card).send(wrapped(0xC7))[-2:].hex() == "910c"


def test_file_data_with_a_mac_is_checked() -> None:
    card = with_application()
    host = ev1(card)
    host.command(0xCD, b"\x01\x01\x00\x00" + number3(4))
    head = b"\x01" + number3(0) + number3(4)
    host.command(0x3D, head, b"abcd", "mac")
    assert host.command(0xBD, head) == b"abcd"

    assert card.apdu(wrapped(0x3D, head + b"efgh" + bytes(8))).hex() == "911e"

    assert card.applications[AID].files[1].data == b"abcd"


def test_a_card_is_told_to_hide_its_uid_for_good() -> None:
    card = a_card()
    host = ev1(card, command=0x1A)
    host.command(0x5C, b"\x00", b"\x03", "full")
    assert card.uid == UID
    assert refusal(lambda: host.command(0xFC)) == "919D"
    card.power_off()

    assert card.select()[:1] == b"\x08"
    assert (len(card.uid), card.atqa.hex()) == (4, "0304")
    assert transmit(card.apdu, 0x60)[14:21] == bytes(7)
    assert ev1(card, command=0x1A).command(0x51, back="full") == UID
    assert card_from(card.state()).uid[:1] == b"\x08"


# NDEF


def formatted_for_ndef(chip: str = "desfire-ev1") -> VirtualDesfire:
    """As libfreefare's mifare-desfire-create-ndef does it."""
    card = a_card(chip)
    d40(card)
    transmit(card.apdu, 0xCA, bytes.fromhex("0100000F2110E1D2760000850101"))
    transmit(card.apdu, 0x5A, b"\x01\x00\x00")
    d40(card)
    transmit(card.apdu, 0xCD, bytes.fromhex("0103E10000E00F0000"))
    transmit(card.apdu, 0xCD, bytes.fromhex("0204E100E0EE") + number3(128))
    container = bytes.fromhex("000F20003B00340406E10400800000")
    transmit(card.apdu, 0x3D, b"\x01" + number3(0) + number3(15) + container)
    card.power_off()
    card.select()
    return card


def test_the_ndef_application_is_read_and_written_like_any_type_4_tag() -> None:
    card = formatted_for_ndef()
    steps = [
        ("00A4040007D2760000850101", "9000"),
        ("00A4000C02E103", "9000"),
        ("00B000000F", "000F20003B00340406E104008000009000"),
        ("00D6000001FF", "6982"),
        ("00A4000C02E104", "9000"),
        ("00B0000002", "00009000"),
        ("00D6000005000361626300"[:20], "9000"),
        ("00B0000005", "00036162639000"),
        ("00B0008001", "6A86"),
        ("00D6007F020102", "6700"),
        ("00A4000C02E1FF", "6A82"),
        ("00A4040007D2760000850102", "6A82"),
        ("00CA000000", "6D00"),
        ("90C4000000", "917E"),
        ("00A4000C02E104", "9000"),
    ]
    for command, answer in steps:
        assert card.apdu(bytes.fromhex(command)).hex().upper() == answer, command
    assert card.apdu(wrapped(0x6D)).hex() == "919d"
    assert card.apdu(bytes.fromhex("00A4000C023F00")).hex() == "9000"
    assert card.apdu(wrapped(0x6D)).hex() == "01000010e1d27600008501019100"


def test_a_file_that_is_gone_cannot_be_read_on() -> None:
    card = formatted_for_ndef()
    card.apdu(bytes.fromhex("00A4040007D276000085010100"))
    card.apdu(bytes.fromhex("00A4000C02E104"))

    transmit(card.apdu, 0xDF, b"\x02")

    assert card.apdu(bytes.fromhex("00B0000002")).hex() == "6985"
    assert transmit(card.apdu, 0x6F) == b"\x01"


def test_iso_access_stops_while_somebody_is_authenticated() -> None:
    card = formatted_for_ndef()
    card.apdu(bytes.fromhex("00A4040007D276000085010100"))
    card.apdu(bytes.fromhex("00A4000C02E104"))
    d40(card)

    assert card.apdu(bytes.fromhex("00B0000002")).hex() == "6982"


def test_a_long_file_is_read_in_frames_and_written_in_frames() -> None:
    card = formatted_for_ndef("desfire-ev3")
    transmit(card.apdu, 0x5A, b"\x01\x00\x00")
    content = bytes(range(128))
    frame = b"\x02" + number3(0) + number3(128)

    assert card.apdu(wrapped(0x3D, frame + content)).hex() == "917e"
    transmit(card.apdu, 0x3D, frame + content)
    first = card.apdu(wrapped(0xBD, frame))
    assert (first[:-2], first[-2:].hex()) == (content[:59], "91af")
    assert card.apdu(wrapped(0xAF))[:-2] == content[59:118]
    assert card.apdu(wrapped(0xAF)) == content[118:] + b"\x91\x00"
    assert card.apdu(wrapped(0xAD, frame)) == content + b"\x91\x00"
    card.apdu(wrapped(0xBD, frame))
    assert card.apdu(wrapped(0x6A)).hex() == "91ca"


# Tears


@pytest.mark.parametrize("mode", TornMode)
def test_only_a_write_can_be_half_done(mode: TornMode) -> None:
    card = formatted_for_ndef("desfire-ev3")
    transmit(card.apdu, 0x5A, b"\x01\x00\x00")
    before = json.dumps(card.state())
    new = b"\xff" * 16

    card.tear_apdu(wrapped(0x8D, b"\x02" + number3(0) + number3(16) + new), Tear(mode))

    data = card.applications[b"\x01\x00\x00"].files[2].data[:16]
    expected = {"before": bytes(16), "erased": bytes(16), "partial": new[:8] + bytes(8), "after": new}
    assert data == expected[mode]
    assert card.apdu(wrapped(0x60)) == b""
    other = card_from(json.loads(before))
    other.select()
    other.tear_apdu(wrapped(0xCA, CREATE), Tear(mode))
    assert isinstance(other, VirtualDesfire)
    assert (AID in other.applications) is (mode is TornMode.AFTER)


@pytest.mark.parametrize("mode", TornMode)
def test_a_key_changes_wholly_or_not_at_all(mode: TornMode) -> None:
    card = with_application()
    host = ev2(card)
    body = KEY + b"\x05"

    card.tear_apdu(wrapped(0xC4, host.sealed(0xC4, b"\x00", body, "full")), Tear(mode))

    key = card.applications[AID].keys[0]
    assert (key.raw, key.version) == ((KEY, 5) if mode is TornMode.AFTER else (ZERO, 0))


# The deck


def test_a_card_comes_out_of_the_deck_as_it_went_in() -> None:
    card = formatted_for_ndef()
    transmit(card.apdu, 0xCA, CREATE)
    card.power_off()
    state = json.loads(json.dumps(card.state()))

    twin = card_from(state)

    assert twin.state() == card.state()
    assert not is_blank(card)
    assert is_blank(a_card())


def test_changes_are_counted_and_reads_are_not() -> None:
    card = with_application()
    before = card.changes
    host = ev1(card)
    host.command(0x60)
    assert card.changes == before
    host.command(0xCD, b"\x01\x03\x00\x21" + number3(32))
    assert card.changes == before + 1
