"""What only the virtual Ultralight EV1, C and AES can do: counters, and proving that a key is known."""

from __future__ import annotations

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import card_from, new_card
from rfid_station.simulator.memory.three_pass import VirtualThreePassTag
from rfid_station.simulator.memory.ultralight_aes import VirtualUltralightAes
from rfid_station.simulator.memory.ultralight_c import VirtualUltralightC

UID = bytes.fromhex("04C1285A373080")
OTHER_UID = bytes.fromhex("04112233445580")
ACK, NAK, NAK_COUNTER, SILENCE = b"\x0a", b"\x00", b"\x04", b""
DELIVERED_3DES = b"IEMKAERB!NACUOYF"
KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")


def selected(chip: str, uid: bytes = UID) -> VirtualCard:
    card = new_card(chip, uid)
    card.select()
    return card


def send(card: VirtualCard, frame: str) -> str:
    return card.answer(bytes.fromhex(frame)).hex().upper()


def write(card: VirtualCard, page: int, content: str) -> bytes:
    return card.answer(bytes([0xA2, page]) + bytes.fromhex(content))


def restart(card: VirtualCard) -> None:
    card.power_off()
    card.select()


# Ultralight EV1


def test_the_published_sample_has_its_signature_and_no_other_ev1_has_one() -> None:
    published = "CEA2EB0B3C95D0844A95B824A7553703B3702378033BF0987899DB70151A19E7"

    assert send(selected("mf0ul11"), "3C00") == published
    assert send(selected("mf0ul21", OTHER_UID), "3C00") == 64 * "0"


def test_three_counters_go_up_by_any_step() -> None:
    card = selected("mf0ul11")

    assert send(card, "A500010000FF") == "0A"
    assert send(card, "A50203020100") == "0A"
    assert send(card, "A50203020100") == "0A"
    assert [send(card, f"390{n}") for n in range(3)] == ["010000", "000000", "060402"]
    restart(card)
    assert send(card_again(card), "3902") == "060402"


def card_again(card: VirtualCard) -> VirtualCard:
    card.power_off()
    twin = card_from(card.state())
    twin.select()
    return twin


@pytest.mark.parametrize(
    ("frame", "nak"),
    [
        ("A50301000000", NAK),
        ("3903", NAK),
        ("3E03", NAK),
        ("A500FFFFFF00", NAK_COUNTER),
        ("A5000000", SILENCE),
    ],
)
def test_a_counter_that_does_not_exist_or_would_overflow_is_refused(frame: str, nak: bytes) -> None:
    card = selected("mf0ul21")
    assert send(card, "A50001000000") == "0A"

    assert card.answer(bytes.fromhex(frame)) == nak
    assert card.answer(bytes.fromhex("3900")) == SILENCE
    card.select()
    assert send(card, "3900") == "010000"


@pytest.mark.parametrize(
    ("mode", "flag", "value"),
    [
        (TornMode.BEFORE, "BD", "010000"),
        (TornMode.ERASED, "00", "010000"),
        (TornMode.PARTIAL, "00", "010000"),
        (TornMode.AFTER, "BD", "060000"),
    ],
)
def test_a_torn_increment_leaves_a_mark_and_never_a_half_value(mode: TornMode, flag: str, value: str) -> None:
    card = selected("mf0ul11")
    send(card, "A50101000000")

    card.tear(bytes.fromhex("A50105000000"), Tear(mode))

    again = card_again(card)
    assert (send(again, "3E01"), send(again, "3901")) == (flag, value)
    assert send(again, "3E00") == "BD"
    assert send(again, "A50101000000") == "0A"
    assert send(again, "3E01") == "BD"


def test_an_increment_that_would_be_refused_leaves_no_mark_when_it_is_torn() -> None:
    card = selected("mf0ul11")
    send(card, "A501FFFFFF00")

    card.tear(bytes.fromhex("A50101000000"), Tear(TornMode.ERASED))
    card.select()
    card.tear(bytes.fromhex("A50301000000"), Tear(TornMode.ERASED))

    again = card_again(card)
    assert [send(again, f"3E0{number}") for number in range(3)] == ["BD"] * 3


def test_vcsl_tells_the_card_type_and_is_no_refusal() -> None:
    card = selected("mf0ul11")

    assert send(card, "4B" + 40 * "0") == "05"
    assert send(card, "3000") != ""
    assert send(card, "4B00") == ""


@pytest.mark.parametrize(("chip", "configuration"), [("mf0ul11", 0x10), ("mf0ul21", 0x25)])
def test_an_ev1_closes_behind_its_password(chip: str, configuration: int) -> None:
    card = selected(chip)
    write(card, configuration + 2, "0B0B1E55")
    write(card, configuration + 3, "ACE50000")
    write(card, configuration + 1, "82050000")
    write(card, configuration, "00000006")
    restart(card)

    assert write(card, 6, "01020304") == NAK
    card.select()
    assert card.answer(bytes([0x30, 6])) == NAK
    for _ in range(2):
        card.select()
        assert send(card, "1B00000000") == "00"
    card.select()
    assert card.answer(bytes.fromhex("1B0B0B1E55")) == NAK_COUNTER


# Ultralight C


def three_pass_c(card: VirtualCard, key: bytes, a: bytes = bytes(range(8))) -> bytes:
    """A reader of Ultralight C, written here once more."""

    def cbc(iv: bytes) -> Cipher[CBC]:
        return Cipher(TripleDES(key + key[:8]), CBC(iv))

    first = card.answer(bytes.fromhex("1A00"))
    if len(first) != 9:
        return first
    b = cbc(bytes(8)).decryptor().update(first[1:])
    proof = cbc(first[1:]).encryptor().update(a + b[1:] + b[:1])
    last = card.answer(b"\xaf" + proof)
    if len(last) != 9:
        return last
    assert cbc(proof[8:]).decryptor().update(last[1:]) == a[1:] + a[:1]
    return ACK


def test_the_published_vector_of_the_three_passes() -> None:
    card = selected("ultralightc")
    assert isinstance(card, VirtualUltralightC)
    card.random = lambda size: bytes.fromhex("51E764602678DF2B")[:size]

    assert send(card, "1A00") == "AF577293FD2F34CA51"
    assert send(card, "AF0A638559FC7737F9F15D7862EBBE967A") == "003B884FA07C137CE1"


def test_key_pages_are_never_shown() -> None:
    card = selected("ultralightc")

    assert send(card, "302B")[8:] == "04C12865" + "5A373080" + send(card, "3002")[:8]
    assert send(card, "302C") == "00"
    card.select()
    assert three_pass_c(card, DELIVERED_3DES) == ACK
    assert send(card, "302C") == "00"


@pytest.mark.parametrize("between", ["3000", "A20401020304", "A004"])
def test_the_second_pass_must_come_right_after_the_first(between: str) -> None:
    card = selected("ultralightc")
    assert isinstance(card, VirtualUltralightC)
    card.random = lambda size: bytes.fromhex("51E764602678DF2B")[:size]
    assert send(card, "1A00") == "AF577293FD2F34CA51"
    assert send(card, between) != ""

    assert len(send(card, "AF0A638559FC7737F9F15D7862EBBE967A")) < 18
    card.select()
    assert send(card, "AF0A638559FC7737F9F15D7862EBBE967A") == "00"
    assert send(card, "3000") == ""


def change_key(card: VirtualCard, key: bytes) -> None:
    stored = key[:8][::-1] + key[8:][::-1]
    for number in range(4):
        assert write(card, 0x2C + number, stored[4 * number : 4 * number + 4].hex()) == ACK


def test_a_new_key_counts_from_the_next_selection_on() -> None:
    card = selected("ultralightc")
    change_key(card, KEY)

    assert three_pass_c(card, DELIVERED_3DES) == ACK
    card.select()
    assert three_pass_c(card, DELIVERED_3DES) == NAK
    card.select()
    assert three_pass_c(card, KEY) == ACK
    assert three_pass_c(card_again(card), KEY) == ACK


def test_a_torn_key_page_leaves_a_key_that_can_be_told() -> None:
    card = selected("ultralightc")

    card.tear(bytes.fromhex("A22C07060504"), Tear(TornMode.ERASED))

    card.select()
    assert three_pass_c(card, DELIVERED_3DES[:4] + bytes(4) + DELIVERED_3DES[8:]) == ACK


@pytest.mark.parametrize(("auth1", "reads"), [("01", True), ("00", False)])
def test_from_auth0_on_the_key_is_needed(auth1: str, reads: bool) -> None:
    card = selected("ultralightc")
    assert write(card, 0x2A, "05000000") == ACK
    assert write(card, 0x2B, auth1 + "000000") == ACK
    card.select()

    assert write(card, 4, "01020304") == ACK
    assert send(card, "3004")[8:] == ("0" * 24 if reads else "04C12865" + "5A373080" + low(card))
    assert (send(card, "3005") != "00") == reads
    card.select()
    assert write(card, 5, "01020304") == NAK
    card.select()
    assert write(card, 0x2C, "01020304") == NAK
    card.select()
    assert three_pass_c(card, DELIVERED_3DES) == ACK
    assert write(card, 5, "01020304") == ACK
    assert send(card, "3005")[:8] == "01020304"
    assert send(card, "60") == "00"
    card.select()
    assert write(card, 5, "01020304") == NAK


def low(card: VirtualCard) -> str:
    assert isinstance(card, VirtualUltralightC)
    return card.page(2).hex().upper()


@pytest.mark.parametrize("chip", ["ultralightc", "ntag203"])
def test_the_counter_takes_one_value_and_then_steps_of_15(chip: str) -> None:
    card = selected(chip)

    assert write(card, 0x29, "F0FF0000") == ACK
    assert write(card, 0x29, "1F000000") == ACK
    assert send(card, "3029")[:8] == "FFFF0000"
    assert write(card, 0x29, "01000000") == NAK
    card.select()
    assert write(card, 0x29, "00000000") == ACK
    assert send(card, "3029")[:8] == "FFFF0000"


@pytest.mark.parametrize("mode", [TornMode.BEFORE, TornMode.ERASED, TornMode.PARTIAL])
def test_the_counter_survives_a_tear(mode: TornMode) -> None:
    card = selected("ntag203")
    write(card, 0x29, "07000000")

    card.tear(bytes.fromhex("A22905000000"), Tear(mode))

    card.select()
    assert send(card, "3029")[:8] == "07000000"


# Ultralight AES


def three_pass_aes(card: VirtualCard, number: int, key: bytes, a: bytes = bytes(range(16))) -> bytes:
    """A reader of Ultralight AES; B is returned when it worked."""

    def cbc() -> Cipher[CBC]:
        return Cipher(AES(key), CBC(bytes(16)))

    first = card.answer(bytes([0x1A, number]))
    if len(first) != 17:
        return first
    b = cbc().decryptor().update(first[1:])
    last = card.answer(b"\xaf" + cbc().encryptor().update(a + b[1:] + b[:1]))
    if len(last) != 17:
        return last
    assert cbc().decryptor().update(last[1:]) == a[1:] + a[:1]
    return b


def change_aes_key(card: VirtualCard, page: int, key: bytes) -> None:
    stored = key[::-1]
    for number in range(4):
        assert write(card, page + number, stored[4 * number : 4 * number + 4].hex()) == ACK


def test_both_keys_are_00_as_delivered_and_read_as_00_for_ever() -> None:
    card = selected("ultralightaes")
    assert len(three_pass_aes(card, 0, bytes(16))) == 16
    assert len(three_pass_aes(card, 1, bytes(16))) == 16

    change_aes_key(card, 0x30, KEY)

    assert send(card, "3A3037") == 64 * "0"
    card.select()
    assert three_pass_aes(card, 0, bytes(16)) == NAK
    card.select()
    assert len(three_pass_aes(card, 0, KEY)) == 16
    assert len(three_pass_aes(card_again(card), 0, KEY)) == 16


@pytest.mark.parametrize("number", [2, 3, 0xFF])
def test_the_originality_key_and_keys_that_do_not_exist_are_refused(number: int) -> None:
    assert three_pass_aes(selected("ultralightaes"), number, bytes(16)) == NAK


@pytest.mark.parametrize(("access", "reads"), [("00", True), ("80", False)])
def test_from_auth0_on_the_data_protection_key_is_needed(access: str, reads: bool) -> None:
    card = selected("ultralightaes")
    write(card, 0x29, "00000006")
    write(card, 0x2A, access + "050000")
    assert write(card, 6, "01020304") == ACK
    restart(card)

    assert write(card, 6, "01020304") == NAK
    card.select()
    assert (send(card, "3006") != "00") == reads
    card.select()
    assert len(three_pass_aes(card, 1, bytes(16))) == 16
    assert write(card, 6, "01020304") == NAK
    card.select()
    assert len(three_pass_aes(card, 0, bytes(16))) == 16
    assert write(card, 6, "0A0B0C0D") == ACK
    assert send(card, "3006")[:8] == "0A0B0C0D"


def test_auth_lim_closes_the_chip_for_good() -> None:
    card = selected("ultralightaes")
    write(card, 0x2A, "00050200")
    restart(card)
    for _ in range(2):
        card.select()
        assert three_pass_aes(card, 0, KEY) == NAK

    assert three_pass_aes(card_again(card), 0, bytes(16)) == NAK_COUNTER


def test_configuration_and_keys_can_be_locked() -> None:
    card = selected("ultralightaes")
    write(card, 0x2D, "40000000")
    write(card, 0x2A, "40050000")
    restart(card)

    for page in (0x29, 0x2A, 0x30):
        card.select()
        assert write(card, page, "00000000") == NAK
    card.select()
    assert write(card, 0x34, "00000000") == ACK


def test_counter_2_wants_the_key_unless_it_is_opened() -> None:
    card = selected("ultralightaes")
    assert send(card, "A50001000000") == "0A"
    assert send(card, "3900") == "010000"
    assert send(card, "A50201000000") == "00"
    card.select()
    assert send(card, "3902") == "00"

    card.select()
    write(card, 0x2A, "0C050000")
    restart(card)
    assert send(card, "A50201000000") == "0A"
    assert send(card, "3902") == "010000"


def test_a_random_id_hides_the_uid_until_a_key_is_known() -> None:
    card = selected("ultralightaes")
    write(card, 0x29, "0100003C")
    assert card.uid == UID
    seen = set()
    for _ in range(5):
        restart(card)
        seen.add(card.uid)
        assert (card.uid[0], len(card.uid), card.select()) == (0x08, 4, card.uid)

    assert len(seen) == 5
    assert send(card, "3000")[:16] == 16 * "0"
    assert len(three_pass_aes(card, 1, bytes(16))) == 16
    assert send(card, "3000")[:16] == "04C12865" + "5A373080"
    assert card_again(card).uid not in seen


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


class SecureReader:
    """The other side of secure messaging, by the formulas two programs agree on."""

    def __init__(self, card: VirtualCard, key: bytes, a: bytes) -> None:
        b = three_pass_aes(card, 0, key, a)
        assert len(b) == 16
        mixed = bytes(x ^ y for x, y in zip(a[2:8], b[:6], strict=True))
        self.key = cmac(key, bytes.fromhex("5AA500010080") + a[:2] + mixed + b[6:] + a[8:])
        self.card = card
        self.count = 0

    def mac(self, message: bytes) -> bytes:
        self.count += 1
        return cmac(self.key, (self.count - 1).to_bytes(2, "little") + message)[1::2]

    def send(self, command: bytes) -> bytes:
        answer = self.card.answer(command + self.mac(command))
        if len(answer) < 8:
            return answer
        assert answer[-8:] == self.mac(answer[:-8])
        return answer[:-8]


def test_secure_messaging_wants_a_mac_on_everything_after_authentication() -> None:
    card = selected("ultralightaes")
    write(card, 0x29, "0200003C")
    restart(card)
    assert len(send(card, "3004")) == 32
    reader = SecureReader(card, bytes(16), bytes(range(16, 32)))

    assert reader.send(bytes.fromhex("A20401020304")) == b""
    assert reader.send(bytes.fromhex("3004"))[:4].hex() == "01020304"
    assert send(card, "3004") == "00"
    assert send(card, "3004") == ""


def test_a_write_torn_under_secure_messaging_is_torn_like_any_other() -> None:
    for mode, left in ((TornMode.ERASED, "00000000"), (TornMode.AFTER, "01020304")):
        card = selected("ultralightaes")
        write(card, 4, "11223344")
        write(card, 0x29, "0200003C")
        restart(card)
        reader = SecureReader(card, bytes(16), bytes(16))
        command = bytes.fromhex("A20401020304")

        card.tear(command + reader.mac(command), Tear(mode))

        card.select()
        assert send(card, "3004")[:8] == left


@pytest.mark.parametrize("chip", ["ultralightc", "ultralightaes"])
def test_the_number_of_the_tag_is_new_each_time(chip: str) -> None:
    card = selected(chip)
    assert isinstance(card, VirtualThreePassTag | VirtualUltralightAes)

    assert len({card.answer(bytes.fromhex("1A00")) for _ in range(10)}) == 10
