"""The virtual NTAG 424 DNA against the vectors of NXP AN12196 and against a reader side of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from nxp_host import Ev2Host, Refused, aes_cbc, aes_cmac, given, transmit, wrapped

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import card_from, is_blank, new_card
from rfid_station.simulator.native.cipher import Algorithm, Cipher
from rfid_station.simulator.native.ntag424 import SAMPLE_UID, VirtualNtag424
from rfid_station.simulator.native.secure_messaging import Ev2Session

UID = bytes.fromhex("04E10CDA993C80")
ZERO = bytes(16)
KEY = bytes.fromhex("5004BF991F408672B1EF00F08F9E8647")
ENTER = "00A4040007D276000085010100"


def a_card(uid: bytes = UID) -> VirtualNtag424:
    card = new_card("ntag424", uid)
    assert isinstance(card, VirtualNtag424)
    card.select()
    return card


def entered(uid: bytes = UID) -> VirtualNtag424:
    card = a_card(uid)
    assert send(card, ENTER) == "9000"
    return card


def send(card: VirtualNtag424, apdu: str) -> str:
    return card.apdu(bytes.fromhex(apdu)).hex().upper()


def logged_in(card: VirtualNtag424, number: int = 0, key: bytes = ZERO) -> Ev2Host:
    host = Ev2Host(card.apdu)
    host.authenticate(number, key)
    return host


def in_session(enc: str, mac: str, identifier: str, count: int, key_number: int = 0) -> VirtualNtag424:
    """A card in the middle of a session of the application note."""
    card = entered(bytes.fromhex("04958CAA5C5E80"))
    keys = Cipher(Algorithm.AES, bytes.fromhex(enc)), Cipher(Algorithm.AES, bytes.fromhex(mac))
    card._session = Ev2Session(key_number, keys, bytes.fromhex(identifier), count)
    return card


# AN12196: the published exchanges, byte by byte


def test_the_authentication_of_the_application_note() -> None:
    card = entered()
    card.draw = given("B9E2FC789B64BF237CCCAA20EC7E6E48", "9D00C4DF")

    assert send(card, "9071000002000000") == "A04C124213C186F22399D33AC2A30215" + "91AF"
    token = "35C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D"
    answer = send(card, f"90AF000020{token}00")
    assert answer == "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663" + "9100"

    settings = "905F0000190261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A0400"
    assert isinstance(card._session, Ev2Session)
    card._session.count = 1
    assert send(card, settings) == "57BFF87B1241E93D" + "9100"
    assert card.files[2].option == 0x40
    assert card.files[2].rights == 0xE000


def test_the_key_changes_of_the_application_note() -> None:
    enc, mac = "4CF3CB41A22583A61E89B158D252FC53", "5529860B2FC5FB6154B7F28361D30BF9"
    card = in_session(enc, mac, "7614281A", 2)

    other = "022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E6"
    assert send(card, f"90C4000029{other}00") == "203BB55D1089D587" + "9100"
    assert card.keys[2].raw.hex().upper() == "F3847D627727ED3BC9C4CC050489B966"
    assert card.keys[2].version == 1

    own = "00C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED6432"
    assert send(card, f"90C4000029{own}00") == "9100"
    assert (card.keys[0].raw, card.keys[0].version) == (KEY, 1)
    assert send(card, f"90C4000029{own}00") == "91AE"


def test_the_card_uid_of_the_application_note() -> None:
    enc, mac = "2B4D963C014DC36F24F69A50A394F875", "379D32130CE61705DD5FD8C36B95D764"
    card = in_session(enc, mac, "DF055522", 0)

    answer = send(card, "90510000088E2C155ADDA99BE300")

    assert answer == "70756055688505B52A5E26E59E329CD6" + "595F672298EA41B7" + "9100"


SDM_ENCIPHERED_PICC = ("04DE5F1EACC040", 61, "EF963FF7828658A599F3041510671E88", "", "94EED9EE65337086")
SDM_WITH_FILE_DATA = (
    "04958CAA5C5E80",
    8,
    "FD91EC264309878BE6345CBE53BADF40",
    "CEE9A53E3E463EF1F459635736738962",
    "ECC1E7F6C6C73BF6",
)


@pytest.mark.parametrize("vector", [SDM_ENCIPHERED_PICC, SDM_WITH_FILE_DATA])
def test_the_dynamic_messages_of_the_application_note(vector: tuple[str, int, str, str, str]) -> None:
    uid, count, picc, enc, cmac = vector
    card = entered(bytes.fromhex(uid))
    padding = aes_cbc(ZERO, bytes.fromhex(picc), decrypt=True)[11:]
    text = b"p=" + b"*" * 32 + (b"&e=" + b"x" * 16 + b"*" * 16 if enc else b"") + b"&cmac=" + b"*" * 16
    picc_at, mac_at = 2, len(text) - 16
    enc_at = 2 + 32 + 3
    # The first vector MACs nothing; the second the enciphered data and "&cmac=".
    offsets = [picc_at, enc_at, enc_at, 32, mac_at] if enc else [picc_at, mac_at, mac_at]
    options = 0xD1 if enc else 0xC1
    body = bytes([0x40, 0x00, 0xE0, options, 0xFF, 0x00]) + b"".join(o.to_bytes(3, "little") for o in offsets)
    assert send(card, "00A4000C02E104") == "9000"
    assert card.apdu(b"\x00\xd6\x00\x00" + bytes([len(text)]) + text) == b"\x90\x00"
    logged_in(card).command(0x5F, b"\x02", body, "full")
    card.files[2].counter = count - 1
    assert send(card, "00A4040C07D276000085010100") == "9000"
    assert send(card, "00A4000C02E104") == "9000"

    card.draw = given((padding + bytes(11)).hex())
    read = card.apdu(b"\x00\xb0\x00\x00" + bytes([len(text)]))

    assert read[-2:] == b"\x90\x00"
    assert read[2:34].decode() == picc
    assert read[-18:-2].decode() == cmac
    assert not enc or read[enc_at : enc_at + 32].decode() == enc


def test_the_plain_mirror_of_the_application_note() -> None:
    card = entered(bytes.fromhex("041E3C8A2D6B80"))
    text = b"u=" + b"*" * 14 + b"x" + b"*" * 6 + b"x" + b"*" * 16
    write = b"\x00\xd6\x00\x00" + bytes([len(text)]) + text
    send(card, "00A4000C02E104")
    assert card.apdu(write) == b"\x90\x00"
    offsets = b"".join(o.to_bytes(3, "little") for o in (2, 17, 24, 24))
    logged_in(card).command(0x5F, b"\x02", bytes.fromhex("4000E0C1FFE0") + offsets, "full")
    card.files[2].counter = 5
    send(card, ENTER)
    send(card, "00A4000C02E104")

    assert card.apdu(b"\x00\xb0\x00\x00\x28") == b"u=041E3C8A2D6B80x000006x4B00064004B0B3D3\x90\x00"


# As delivered


def test_what_a_new_chip_says_of_itself() -> None:
    card = a_card()

    assert card.answer(bytes.fromhex("E080")).hex() == "067777710280"
    assert (card.atqa.hex(), card.sak, card.uid) == ("0344", 0x20, UID)
    assert transmit(
        card.apdu, 0x60
    ).hex().upper() == "04040230001105" + "04040201021105" + UID.hex().upper() + ("CF41F05A202424")
    assert card.apdu(b"\x60").hex() == "6e00"
    assert send(card, "90AA0000010000") == "911C"
    assert send(card, "9071000002000000") == "9140"
    assert send(card, "90F50000010200") == "919D"
    assert send(card, "9060000000") == "0404023000110591AF"
    assert send(card, "90640000010000") == "91CA"


def test_the_files_as_delivered() -> None:
    card = entered()

    settings = [transmit(card.apdu, 0xF5, bytes([number])).hex() for number in (1, 2, 3)]

    assert settings == ["000000e0200000", "0000e0ee000100", "00033023800000"]
    assert send(card, "00A4000C02E103") == "9000"
    assert send(card, "00B0000017") == "001720010000FF0406E104010000000506E105008082839000"
    assert send(card, "90F50000010400") == "91F0"
    assert transmit(card.apdu, 0x64, b"\x04") == b"\x00"
    assert send(card, "90640000010500") == "9140"


def test_files_are_written_and_read_as_iso_7816_4_has_it() -> None:
    card = entered()
    steps = [
        ("00B0000010", "6985"),
        ("00A4000C02E104", "9000"),
        ("00D6000003010203", "9000"),
        ("00B0000004", "010203009000"),
        ("00D6000002ABCD00", "6700"),
        ("00B0840102", "02039000"),
        ("00B0830002", "00179000"),
        ("00B09F0002", "6A82"),
        ("00A4000C02E105", "9000"),
        ("00B0000001", "6982"),
        ("00D600000101", "6982"),
        ("00A4000C02E104", "9000"),
        ("00D600FF020102", "6700"),
        ("00B0010001", "6A86"),
        ("00A4000C02E106", "6A82"),
        ("00A4040007D2760000850102", "6A82"),
        ("00A40400", "6A87"),
        ("00A4050002E104", "6A86"),
        ("00CA000000", "6D00"),
        ("80CA000000", "6E00"),
        ("00A4000C023F00", "9000"),
        ("00A4000C02E104", "6A82"),
    ]
    for command, answer in steps:
        assert send(card, command) == answer, command
    assert len(card.apdu(bytes.fromhex("00A4000C02E110"))) == 2
    send(card, "00A4000C02E104")
    assert len(card.apdu(bytes.fromhex("00B0000000"))) == 258


@pytest.mark.parametrize("uid", [SAMPLE_UID, UID])
def test_the_signature_of_the_sample_is_genuine_and_that_of_others_is_empty(uid: bytes) -> None:
    answer = a_card(uid).apdu(bytes.fromhex("903C0000010000"))

    assert (len(answer), answer[-2:].hex()) == (58, "9190")
    if uid != SAMPLE_UID:
        assert not any(answer[:-2])
        return
    point = (
        "048A9B380AF2EE1B98DC417FECC263F8449C7625CECE82D9B916C992DA209D6842"
        "2B81EC20B65A66B5102A61596AF3379200599316A00A1410"
    )
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP224R1(), bytes.fromhex(point))
    r, s = int.from_bytes(answer[:28]), int.from_bytes(answer[28:56])
    # The "hash" is the UID as a number; a digest is cut to the curve's 28 bytes, so zeros go before it.
    digest = uid.rjust(28, b"\x00")
    prehashed = ec.ECDSA(utils.Prehashed(hashes.SHA224()))
    public.verify(utils.encode_dss_signature(r, s), digest, prehashed)


# Messages


def test_all_keys_change_and_old_ones_stop_working() -> None:
    card = entered()
    host = logged_in(card)
    for number in (1, 2, 3, 4):
        host.change_key(number, ZERO, bytes([number]) * 16, 0x10 + number)
    host.change_key(0, ZERO, KEY, 0x20)

    for number in (1, 2, 3, 4):
        logged_in(card, number, bytes([number]) * 16)
        assert transmit_version(card, number) == 0x10 + number
    host = logged_in(card, 0, KEY)
    assert host.command(0x64, b"\x00") == b"\x20"
    with pytest.raises(Refused, match="91AE"):
        logged_in(card)
    with pytest.raises(Refused, match="911E"):
        logged_in(card, 0, KEY).change_key(1, ZERO, KEY, 1)
    with pytest.raises(Refused, match="91AE"):
        logged_in(card, 1, b"\x01" * 16).change_key(2, b"\x02" * 16, KEY, 1)


def transmit_version(card: VirtualNtag424, number: int) -> int:
    send(card, ENTER)
    return transmit(card.apdu, 0x64, bytes([number]))[0]


def test_the_enciphered_file_and_the_continued_transaction() -> None:
    card = entered()
    head = b"\x03" + bytes(3) + b"\x10\x00\x00"
    host = logged_in(card, 3)
    host.command(0x8D, head, KEY, "full")
    assert host.command(0xAD, head, back="full") == KEY
    before = host.identifier
    host.authenticate(2, ZERO, first=False)
    assert (host.identifier, host.count) == (before, 2)
    assert host.command(0xAD, head, back="full") == KEY
    assert host.command(0x51, back="full") == UID
    assert len(host.command(0x3C, b"\x00", back="full")) == 56
    assert len(host.command(0x60)) == 28
    assert host.command(0xAD, b"\x02" + bytes(3) + b"\x04\x00\x00", mode="plain") == bytes(4)
    with pytest.raises(Refused, match="91AE"):
        host.command(0x8D, head, KEY, "full")
    send(card, ENTER)
    assert card.apdu(wrapped(0x77, b"\x00")).hex() == "919d"
    assert card.apdu(wrapped(0xAD, head)).hex() == "91ae"


def test_iso_access_and_other_places_end_or_stop_at_a_session() -> None:
    card = entered()
    send(card, "00A4000C02E104")
    logged_in(card)
    assert send(card, "00B0000002") == "6982"
    assert send(card, "00D600000101") == "6982"
    assert send(card, ENTER) == "9000"
    assert send(card, "9051000000") == "91AE"


def test_a_closed_file_stays_closed() -> None:
    card = entered()
    logged_in(card).command(0x5F, b"\x02", bytes.fromhex("00FFEF"), "full")
    send(card, ENTER)
    send(card, "00A4000C02E104")
    assert send(card, "00D600000101") == "6982"
    assert card.apdu(wrapped(0x8D, b"\x02" + bytes(3) + b"\x01\x00\x00\x01")).hex() == "919d"
    with pytest.raises(Refused, match="919D"):
        logged_in(card).command(0x5F, b"\x02", bytes.fromhex("00EEEE"), "full")


WRONG_SETTINGS = [
    ("02", "4000E0C1FF00200000430000", "917E"),
    ("02", "4000E0C1FF00200000430000430000430000", "917E"),
    ("02", "4000E0C0FF00200000430000430000", "919E"),  # no ASCII
    ("02", "4000E0C1FFF0430000430000", "919E"),  # MetaRead F, UID mirrored
    ("02", "4000E001FF00200000430000430000", "919E"),  # nothing to mirror
    ("02", "4000E0C1FF00200000300000300000", "919E"),  # the MAC lies on the PICC data
    ("02", "4000E0C1FF00200000430000FF0000", "919E"),  # the MAC ends behind the file
    ("02", "4000E081FE00200000430000430000", "919E"),  # who may ask for a counter that is off
    ("02", "4000E0C1FF05200000430000430000", "919E"),  # no such key
    ("02", "4000E0D1FF00200000430000430000100000530000", "919E"),  # 16 characters to encipher
    ("02", "4000E0E1FF00200000430000430000000000", "919E"),  # a limit that is reached already
    ("02", "8000E0", "919E"),
    ("02", "4005E0C1FF00200000430000430000", "919E"),
    ("01", "4000E0C1FF00200000430000430000", "919D"),
    ("07", "0000E0", "91F0"),
]


@pytest.mark.parametrize(("number", "settings", "status"), WRONG_SETTINGS)
def test_settings_that_contradict_themselves_are_refused(number: str, settings: str, status: str) -> None:
    card = entered()

    with pytest.raises(Refused, match=status):
        logged_in(card).command(0x5F, bytes.fromhex(number), bytes.fromhex(settings), "full")

    assert card.files[2].sdm is None


# A message of its own for each read


def with_link(options: str = "C1FF00", count_limit: str = "") -> VirtualNtag424:
    """A card whose message is a link with placeholders: PICC data from 16, MAC from 51."""
    card = entered()
    link = b"\x00\x44\xd1\x01\x40U\x04x.example?e=" + b"0" * 32 + b"&c=" + b"0" * 16
    at = link.index(b"0" * 32)
    send(card, "00A4000C02E104")
    assert card.apdu(b"\x00\xd6\x00\x00" + bytes([len(link)]) + link) == b"\x90\x00"
    offsets = b"".join(offset.to_bytes(3, "little") for offset in (at, at + 35, at + 35))
    body = bytes.fromhex("4000E0" + options) + offsets + bytes.fromhex(count_limit)
    logged_in(card).command(0x5F, b"\x02", body, "full")
    send(card, ENTER)
    send(card, "00A4000C02E104")
    return card


def tapped(card: VirtualNtag424) -> tuple[int, bytes]:
    """What a backend sees: the counter of a message whose MAC is right, and the UID."""
    send(card, ENTER)
    send(card, "00A4000C02E104")
    length = int.from_bytes(card.apdu(bytes.fromhex("00B0000002"))[:2])
    first = card.apdu(bytes.fromhex("00B0000214"))[:-2]
    rest = card.apdu(bytes([0x00, 0xB0, 0x00, 0x16, length - 0x14]))[:-2]
    text = (first + rest).decode("latin-1")
    picc = aes_cbc(ZERO, bytes.fromhex(text[text.index("e=") + 2 :][:32]), decrypt=True)
    assert picc[0] == 0xC7
    uid, count = picc[1:8], picc[8:11]
    session = aes_cmac(ZERO, bytes.fromhex("3CC300010080") + uid + count)
    assert text.endswith("&c=" + aes_cmac(session, b"")[1::2].hex().upper())
    return int.from_bytes(count, "little"), uid


def test_each_tap_gives_another_link_and_each_link_is_genuine() -> None:
    card = with_link()

    assert [tapped(card) for _ in range(3)] == [(1, UID), (2, UID), (3, UID)]
    # Another command between two reads begins a new count; so does the other way of reading.
    read = b"\x02" + bytes(3) + b"\x02\x00\x00"
    transmit(card.apdu, 0xAD, read)
    transmit(card.apdu, 0xAD, read)
    assert card.files[2].counter == 4
    transmit(card.apdu, 0x64, b"\x00")
    transmit(card.apdu, 0xAD, read)
    assert card.files[2].counter == 5
    card = again(card)
    assert tapped(card)[0] == 6


def again(card: VirtualNtag424) -> VirtualNtag424:
    twin = card_from(json.loads(json.dumps(card.state())))
    assert twin.state() == card.state()
    assert isinstance(twin, VirtualNtag424)
    twin.select()
    return twin


def test_who_is_authenticated_reads_what_is_written() -> None:
    card = with_link()
    host = logged_in(card)

    assert b"e=" + b"0" * 32 in host.command(0xAD, b"\x02" + bytes(6), mode="plain")
    assert card.files[2].counter == 0


def test_the_counter_is_told_to_whom_it_may_concern() -> None:
    card = with_link("C1F100")
    tapped(card)
    assert card.apdu(wrapped(0xF6, b"\x02")).hex() == "91ae"
    send(card, ENTER)
    host = logged_in(card, 1)
    assert host.command(0xF6, b"\x02", back="full").hex() == "0100000000"
    assert transmit(entered_again(card).apdu, 0xF5, b"\x02").hex()[14:20] == "c1f100"
    closed = with_link()
    assert closed.apdu(wrapped(0xF6, b"\x02")).hex() == "919d"


def entered_again(card: VirtualNtag424) -> VirtualNtag424:
    send(card, ENTER)
    return card


def test_a_counter_at_its_limit_closes_the_file() -> None:
    card = with_link("E1FF00", "020000")

    assert [tapped(card)[0], tapped(card)[0]] == [1, 2]
    send(card, "00A4000C02E104")
    assert send(card, "00B0000002") == "6982"
    assert card.apdu(wrapped(0xAD, b"\x02" + bytes(6))).hex() == "919d"
    logged_in(card).command(0xAD, b"\x02" + bytes(6), mode="plain")


def test_switching_dynamic_messages_on_again_begins_at_zero_and_changing_them_does_not() -> None:
    card = with_link()
    tapped(card)
    at = b"".join(offset.to_bytes(3, "little") for offset in (19, 54, 54))
    logged_in(card).command(0x5F, b"\x02", bytes.fromhex("4000E0C1FF00") + at, "full")
    assert card.files[2].counter == 1
    logged_in(card).command(0x5F, b"\x02", bytes.fromhex("0000E0"), "full")
    logged_in(card).command(0x5F, b"\x02", bytes.fromhex("4000E0C1FF00") + at, "full")
    assert card.files[2].counter == 0


# How it defends itself


def test_failures_are_delayed_and_a_right_key_ends_that() -> None:
    card = entered()
    card.policy.free = 2

    def attempt(key: bytes) -> str:
        try:
            logged_in(card, 0, key)
        except Refused as refused:
            return str(refused)
        return "ok"

    assert [attempt(KEY) for _ in range(4)] == ["91AE", "91AE", "91AE", "91AD"]
    card = again(card)
    send(card, ENTER)
    assert [attempt(KEY), attempt(ZERO), attempt(ZERO)] == ["91AE", "91AD", "91AD"]
    assert attempt(ZERO) == "ok"
    assert [attempt(KEY), attempt(KEY)] == ["91AE", "91AE"]


def test_a_key_that_failed_too_often_is_blocked_until_it_is_changed() -> None:
    card = entered()
    logged_in(card).command(0x5C, b"\x0a", bytes.fromhex("0103000100"), "full")
    for _ in range(3):
        with pytest.raises(Refused, match="91AE"):
            logged_in(card, 1, KEY)
    with pytest.raises(Refused, match="919D"):
        logged_in(card, 1)

    logged_in(card).change_key(1, ZERO, KEY, 1)

    logged_in(card, 1, KEY)


def test_a_random_id_hides_the_uid_from_the_next_time_on() -> None:
    card = entered()
    host = logged_in(card)
    with pytest.raises(Refused, match="919E"):
        host.command(0x5C, b"\x00", b"\x03", "full")
    host = logged_in(card)
    host.command(0x5C, b"\x00", b"\x02", "full")
    host.command(0x5C, b"\x00", b"\x00", "full")
    assert card.uid == UID
    card.power_off()
    first = card.select()
    assert (first[:1], len(first), card.atqa.hex()) == (b"\x08", 4, "0304")
    card.power_off()
    assert card.select() != first
    assert transmit(card.apdu, 0x60)[14:21] == bytes(7)
    assert send(card, "903C0000010000") == "910B"
    send(card, ENTER)
    assert logged_in(card).command(0x51, back="full") == UID
    assert again(card).uid[:1] == b"\x08"


def test_lrp_is_for_good_and_shuts_the_aes_door() -> None:
    card = entered()
    logged_in(card).command(0x5C, b"\x05", bytes.fromhex("00000000020000000000"), "full")

    with pytest.raises(Refused, match="919D"):
        logged_in(card)


# Tears


@pytest.mark.parametrize("mode", TornMode)
def test_a_short_write_is_whole_and_a_long_one_ends_with_a_frame(mode: TornMode) -> None:
    card = entered()
    send(card, "00A4000C02E104")
    card.tear_apdu(b"\x00\xd6\x00\x00\x10" + b"\xff" * 16, Tear(mode))
    done = mode is TornMode.AFTER
    assert card.files[2].data[:16] == (b"\xff" * 16 if done else bytes(16))
    assert card.apdu(wrapped(0x60)) == b""

    card.select()
    send(card, ENTER)
    send(card, "00A4000C02E104")
    card.tear_apdu(b"\x00\xd6\x00\x10\xc8" + b"\xee" * 200, Tear(mode))
    written = {TornMode.BEFORE: 0, TornMode.AFTER: 200}.get(mode, 120)
    assert card.files[2].data[16:216] == b"\xee" * written + bytes(200 - written)


@pytest.mark.parametrize("mode", TornMode)
def test_keys_and_settings_change_wholly_or_not_at_all(mode: TornMode) -> None:
    card = entered()
    host = logged_in(card)
    card.tear_apdu(wrapped(0xC4, host.sealed(0xC4, b"\x00", KEY + b"\x07", "full")), Tear(mode))

    assert card.keys[0].raw == (KEY if mode is TornMode.AFTER else ZERO)
    card.select()
    send(card, ENTER)
    logged_in(card, 0, card.keys[0].raw)


def test_a_blank_is_told_from_a_card_that_was_used() -> None:
    card = entered()
    logged_in(card)
    assert is_blank(card)
    with pytest.raises(Refused):
        logged_in(card, 0, KEY)

    assert not is_blank(card)


def everything_wrong() -> list[Callable[[VirtualNtag424], bytes]]:
    return [
        lambda card: card.apdu(b"\x90"),
        lambda card: card.apdu(b"\x00\xa4"),
        lambda card: card.apdu(bytes.fromhex("9060010000")),
        lambda card: card.apdu(bytes.fromhex("9071000003000000")),
        lambda card: card.apdu(bytes.fromhex("90AD00000102")),
        lambda card: card.apdu(bytes.fromhex("00D6000005FF")),
    ]


@pytest.mark.parametrize("action", everything_wrong())
def test_a_malformed_command_is_refused_by_a_status(action: Callable[[VirtualNtag424], bytes]) -> None:
    answer = action(entered())

    assert len(answer) == 2
    assert answer[0] in (0x91, 0x67)
    assert answer != b"\x91\x00"
