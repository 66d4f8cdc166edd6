"""The virtual NTAG21x against facts of the data sheet, written out as bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import card_from
from rfid_station.simulator.memory.ntag21x import MODELS, VirtualNtag21x

UID = bytes.fromhex("04E10CDA993C80")
ACK, NAK, NAK_COUNTER, NAK_EEPROM, SILENCE = b"\x0a", b"\x00", b"\x04", b"\x05", b""

# model, pages, GET_VERSION, page 3, pages 4-5, dynamic lock page
MAPS = [
    ("ntag213", 0x2D, "0004040201000F03", "E1101200", "0103A00C340300FE", 0x28),
    ("ntag215", 0x87, "0004040201001103", "E1103E00", "0300FE0000000000", 0x82),
    ("ntag216", 0xE7, "0004040201001303", "E1106D00", "0300FE0000000000", 0xE2),
]
models = pytest.mark.parametrize("model", MODELS)
pages_of_four = st.binary(min_size=4, max_size=4)


def selected(model: str = "ntag213") -> VirtualNtag21x:
    card = VirtualNtag21x(model, UID)
    card.select()
    return card


def send(card: VirtualNtag21x, frame: str) -> str:
    return card.answer(bytes.fromhex(frame)).hex().upper()


def write(card: VirtualNtag21x, page: int, content: str) -> bytes:
    """Write a page of a card that is selected anew, so that a NAK of before does not matter."""
    card.select()
    return card.answer(bytes([0xA2, page]) + bytes.fromhex(content))


def restart(card: VirtualNtag21x) -> None:
    card.power_off()
    card.select()


@pytest.mark.parametrize(("model", "pages", "version", "capability", "user", "lock_page"), MAPS)
def test_it_is_delivered_as_the_data_sheet_says(
    model: str, pages: int, version: str, capability: str, user: str, lock_page: int
) -> None:
    card = selected(model)

    assert send(card, "60") == version
    assert send(card, "3000") == "04E10C61" + "DA993C80" + "FF480000" + capability
    assert send(card, "3004")[:16] == user
    assert send(card, f"30{lock_page:02X}") == "000000BD" + "040000FF" + "00050000" + "00000000"
    assert send(card, f"3A00{pages - 1:02X}")[:8] == "04E10C61"
    assert len(card.answer(bytes([0x3A, 0, pages - 1]))) == 4 * pages
    assert not any(card.answer(bytes([0x3A, 6, lock_page - 1])))


@pytest.mark.parametrize(("model", "pages"), [(row[0], row[1]) for row in MAPS])
def test_reading_rolls_over_behind_the_last_page(model: str, pages: int) -> None:
    card = selected(model)

    assert send(card, f"30{pages - 1:02X}") == "00000000" + "04E10C61" + "DA993C80" + "FF480000"
    assert card.answer(bytes([0x30, pages])) == NAK


@pytest.mark.parametrize(
    "frame", ["3A050400", "3A0504", "3A002D", "39FF", "3C01", "1BFFFFFFFE", "A200FFFFFFFF"]
)
def test_after_a_nak_it_is_silent_until_it_is_selected_again(frame: str) -> None:
    card = selected()

    assert card.answer(bytes.fromhex(frame)) in (NAK, SILENCE)
    assert card.answer(bytes.fromhex("3000")) == SILENCE
    card.select()
    assert send(card, "3000") != ""


@pytest.mark.parametrize("frame", ["", "30", "300000", "5000", "1A00", "6000", "A20401", "C2FF", "93"])
def test_what_it_does_not_know_sends_it_to_sleep_without_a_word(frame: str) -> None:
    card = selected()

    assert card.answer(bytes.fromhex(frame)) == SILENCE
    assert card.answer(bytes.fromhex("3000")) == SILENCE


def test_it_says_nothing_before_it_is_selected_and_nothing_without_power() -> None:
    card = VirtualNtag21x("ntag213", UID)
    assert card.answer(bytes.fromhex("3000")) == SILENCE

    card.select()
    card.power_off()
    assert card.answer(bytes.fromhex("3000")) == SILENCE


@models
def test_a_page_is_replaced_by_what_is_written(model: str) -> None:
    card = selected(model)

    assert write(card, 7, "DEADBEEF") == ACK
    assert write(card, 7, "00112233") == ACK
    assert send(card, "3007")[:8] == "00112233"


def test_compatibility_write_takes_four_bytes_of_sixteen() -> None:
    card = selected()

    assert send(card, "A005") == "0A"
    assert send(card, "01020304" + 12 * "FF") == "0A"
    assert send(card, "3005")[:16] == "01020304" + "00000000"


def test_a_frame_of_another_length_ends_compatibility_write() -> None:
    card = selected()

    assert send(card, "A005") == "0A"
    assert send(card, "3000") == ""
    assert write(card, 5, "01020304") == ACK


@pytest.mark.parametrize("page", [0, 1, 0x2D, 0xFF])
def test_pages_that_cannot_be_written(page: int) -> None:
    card = selected()
    before = bytes(card.memory)

    assert write(card, page, "FFFFFFFF") == NAK
    assert card.select() == UID
    assert card.answer(bytes([0xA0, page])) == NAK
    assert bytes(card.memory) == before


def test_page_2_keeps_its_first_two_bytes() -> None:
    card = selected()

    assert write(card, 2, "00000000") == ACK
    assert write(card, 2, "12340100") == ACK
    assert send(card, "3002")[:8] == "FF480100"


def test_capability_container_is_bitwise_one_way() -> None:
    card = selected()

    assert write(card, 3, "00000000") == ACK
    assert send(card, "3003")[:8] == "E1101200"
    assert write(card, 3, "0000000F") == ACK
    assert write(card, 3, "00002D00") == ACK
    assert send(card, "3003")[:8] == "E1103F0F"


@models
@given(writes=st.lists(st.tuples(st.sampled_from(["static", "cc", "dynamic"]), pages_of_four), max_size=8))
def test_no_bit_of_a_one_way_page_ever_goes_back(model: str, writes: list[tuple[str, bytes]]) -> None:
    card = selected(model)
    places = {"static": 2, "cc": 3, "dynamic": card.model.dynamic_lock_page}

    for name, content in writes:
        before = {page: int.from_bytes(card.page(page)) for page in places.values()}
        write(card, places[name], content.hex())
        for page, bits in before.items():
            assert int.from_bytes(card.page(page)) & bits == bits


@pytest.mark.parametrize("page", range(3, 16))
def test_each_static_lock_bit_locks_its_page_alone(page: int) -> None:
    card = selected()
    bits = (1 << page).to_bytes(2, "little").hex()

    assert write(card, 2, "0000" + bits) == ACK

    refused = [candidate for candidate in range(3, 16) if write(card, candidate, "00000000") != ACK]
    assert refused == [page]


@pytest.mark.parametrize(
    ("block", "frozen"), [("0100", {3}), ("0200", set(range(4, 10))), ("0400", set(range(10, 16)))]
)
def test_a_block_locking_bit_freezes_the_lock_bits_of_its_pages(block: str, frozen: set[int]) -> None:
    card = selected()

    assert write(card, 2, "0000" + block) == ACK
    assert write(card, 2, "0000FFFF") == ACK

    writable = {page for page in range(3, 16) if write(card, page, "00000000") == ACK}
    assert writable == frozen


# model, dynamic lock bytes, first and last page that become read-only
DYNAMIC = [
    ("ntag213", "010000", 16, 17),
    ("ntag213", "030000", 16, 19),
    ("ntag213", "000800", 38, 39),
    ("ntag215", "010000", 16, 31),
    ("ntag215", "400000", 112, 127),
    ("ntag215", "800000", 128, 129),
    ("ntag216", "800000", 128, 143),
    ("ntag216", "000100", 144, 159),
    ("ntag216", "002000", 224, 225),
]


@pytest.mark.parametrize(("model", "bits", "first", "last"), DYNAMIC)
def test_each_dynamic_lock_bit_locks_its_pages(model: str, bits: str, first: int, last: int) -> None:
    card = selected(model)
    lock_page = card.model.dynamic_lock_page

    assert write(card, lock_page, bits + "00") == ACK

    refused = [page for page in range(4, lock_page) if write(card, page, "00000000") != ACK]
    assert refused == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("model", "shown"), [("ntag213", "FF0F3F"), ("ntag215", "FF000F"), ("ntag216", "FF3F7F")]
)
def test_reserved_lock_bits_stay_0_and_the_last_byte_reads_bd(model: str, shown: str) -> None:
    card = selected(model)
    lock_page = card.model.dynamic_lock_page

    assert write(card, lock_page, "FFFFFFFF") == ACK
    card.select()
    assert send(card, f"30{lock_page:02X}")[:8] == shown + "BD"


def test_dynamic_block_locking_bits_make_locks_unusable() -> None:
    """The poster of NXP's forum thread 399134 wrote 00 00 3F and could never lock a page after that."""
    card = selected()

    assert write(card, 0x28, "00003F00") == ACK
    assert write(card, 0x28, "FFFFFF00") == ACK

    assert card.page(0x28).hex().upper() == "00003FBD"
    assert write(card, 16, "01020304") == ACK


@pytest.mark.parametrize(("block", "still_lockable"), [("000001", "FC0F"), ("000020", "FF03")])
def test_a_dynamic_block_locking_bit_freezes_four_pages(block: str, still_lockable: str) -> None:
    card = selected()

    write(card, 0x28, block + "00")
    write(card, 0x28, "FFFF0000")

    assert card.page(0x28)[:2].hex().upper() == still_lockable


@models
def test_password_and_acknowledge_are_never_shown(model: str) -> None:
    card = selected(model)
    last = card.model.pages - 1

    assert write(card, last - 1, "0B0B1E55") == ACK
    assert write(card, last, "ACE50000") == ACK

    assert send(card, f"3A{last - 1:02X}{last:02X}") == 16 * "0"
    assert send(card, "1B0B0B1E55") == "ACE5"
    assert send(card, f"30{last - 1:02X}")[:16] == 16 * "0"


def test_the_password_is_ff_as_delivered() -> None:
    assert send(selected(), "1BFFFFFFFF") == "0000"


def test_a_wrong_password_gets_a_nak() -> None:
    card = selected()

    assert card.answer(bytes.fromhex("1B00000000")) == NAK
    assert card.answer(bytes.fromhex("3000")) == SILENCE


def protect(card: VirtualNtag21x, auth0: int, access: int) -> None:
    write(card, 0x2B, "0B0B1E55")
    write(card, 0x2A, f"{access:02X}050000")
    write(card, 0x29, f"040000{auth0:02X}")
    restart(card)


def test_from_auth0_on_writing_takes_the_password() -> None:
    card = selected()
    protect(card, auth0=0x10, access=0x00)

    assert write(card, 0x0F, "01020304") == ACK
    assert write(card, 0x10, "01020304") == NAK
    assert write(card, 0x2A, "00050000") == NAK
    card.select()
    assert send(card, "3010") == 32 * "0"
    assert send(card, "1B0B0B1E55") == "0000"
    assert send(card, "A21001020304") == "0A"
    assert send(card, "A2290400" + "00FF") == "0A"


@pytest.mark.parametrize("forget", ["select", "power"])
def test_authentication_does_not_survive_a_new_selection(forget: str) -> None:
    card = selected()
    protect(card, auth0=0x04, access=0x00)
    assert send(card, "1B0B0B1E55") == "0000"

    restart(card) if forget == "power" else card.select()

    assert send(card, "A20401020304") == "00"


def test_with_prot_reading_rolls_over_before_auth0() -> None:
    card = selected()
    protect(card, auth0=0x05, access=0x80)

    assert send(card, "3004") == "0103A00C" + "04E10C61" + "DA993C80" + "FF480000"
    assert send(card, "3A0004")[-8:] == "0103A00C"
    assert card.answer(bytes.fromhex("3A0005")) == NAK
    card.select()
    assert card.answer(bytes.fromhex("3005")) == NAK
    card.select()
    assert send(card, "1B0B0B1E55") == "0000"
    assert send(card, "3005")[:8] == "340300FE"


def test_auth0_behind_the_last_page_protects_nothing() -> None:
    card = selected()
    protect(card, auth0=0x2D, access=0x80)

    assert write(card, 0x2C, "00000000") == ACK
    assert len(card.answer(bytes.fromhex("302C"))) == 16


def test_cfglck_holds_from_the_next_power_up_and_spares_password_and_acknowledge() -> None:
    card = selected()

    assert write(card, 0x2A, "40050000") == ACK
    assert write(card, 0x29, "04000010") == ACK
    assert write(card, 0x29, "040000FF") == ACK
    restart(card)

    assert write(card, 0x29, "040000FF") == NAK
    assert write(card, 0x2A, "00050000") == NAK
    card.select()
    assert send(card, "1BFFFFFFFF") == "0000"
    assert send(card, "A22B0B0B1E55") == "0A"
    assert send(card, "A22CACE50000") == "0A"
    assert send(card, "A229040000FF") == "00"


def test_configuration_holds_from_the_next_power_up_and_the_password_at_once() -> None:
    card = selected()

    assert write(card, 0x29, "04000004") == ACK
    assert write(card, 0x2A, "80050000") == ACK
    assert write(card, 0x2B, "0B0B1E55") == ACK
    assert write(card, 4, "01020304") == ACK
    assert send(card, "3004")[:8] == "01020304"
    assert send(card, "1B0B0B1E55") == "0000"
    restart(card)

    assert write(card, 4, "00000000") == NAK
    card.select()
    assert card.answer(bytes.fromhex("3004")) == NAK


def test_authlim_closes_the_chip_for_good() -> None:
    card = selected()
    write(card, 0x2A, "02050000")
    restart(card)

    for _ in range(2):
        card.select()
        assert card.answer(bytes.fromhex("1B00000000")) == NAK
    restart(card)

    assert card.answer(bytes.fromhex("1BFFFFFFFF")) == NAK_COUNTER
    assert card_from(card.state()).select() == UID
    again = card_from(json.loads(json.dumps(card.state())))
    again.select()
    assert again.answer(bytes.fromhex("1BFFFFFFFF")) == NAK_COUNTER


def test_the_right_password_in_time_forgives_the_wrong_ones() -> None:
    card = selected()
    write(card, 0x2A, "02050000")
    restart(card)

    for _ in range(3):
        card.select()
        assert card.answer(bytes.fromhex("1B00000000")) == NAK
        card.select()
        assert send(card, "1BFFFFFFFF") == "0000"


def test_without_authlim_wrong_passwords_are_not_counted() -> None:
    card = selected()

    for _ in range(20):
        card.select()
        card.answer(bytes.fromhex("1B00000000"))

    write(card, 0x2A, "01050000")
    restart(card)
    assert send(card, "1BFFFFFFFF") == "0000"


def test_the_counter_counts_the_first_read_after_power_up() -> None:
    card = selected()
    assert send(card, "3902") == "00"
    write(card, 0x2A, "10050000")

    for count in (1, 2):
        restart(card)
        assert send(card, "3902") == f"{count - 1:02X}0000"
        send(card, "3000")
        send(card, "3A0004")
        card.select()
        send(card, "3000")
        assert send(card, "3902") == f"{count:02X}0000"


def test_the_counter_stops_at_its_end() -> None:
    card = selected()
    write(card, 0x2A, "10050000")
    card.counter = 0xFFFFFF

    restart(card)
    send(card, "3000")

    assert send(card, "3902") == "FFFFFF"


def test_the_counter_can_ask_for_the_password() -> None:
    card = selected()
    write(card, 0x2A, "18050000")
    restart(card)

    assert send(card, "3902") == "00"
    card.select()
    assert send(card, "1BFFFFFFFF") == "0000"
    assert send(card, "3902") == "000000"


def test_the_published_sample_has_its_signature_and_no_other_chip_has_one() -> None:
    published = "8B76052EE42F5567BEB53238B3E3F9950707C0DCC956B5C5EFCFDB709B2D82B3"
    other = VirtualNtag21x("ntag213", bytes.fromhex("04112233445580"))
    other.select()

    assert send(selected(), "3C00") == published
    assert other.answer(bytes.fromhex("3C00")) == bytes(32)


# CFG0 byte 0, what a reader sees over 28 bytes ".", from byte 1 of page 5
MIRRORS = [
    ("14", ""),
    ("54", "04E10CDA993C80"),
    ("94", "000002"),
    ("D4", "04E10CDA993C80x000002"),
]


@pytest.mark.parametrize(("first_byte", "text"), MIRRORS)
@pytest.mark.parametrize("fast", [False, True])
def test_uid_and_counter_are_mirrored_into_what_is_read(first_byte: str, text: str, fast: bool) -> None:
    card = selected()
    for page in range(4, 12):
        assert write(card, page, "2E2E2E2E") == ACK
    assert write(card, 0x2A, "10050000") == ACK
    assert write(card, 0x29, first_byte + "0005FF") == ACK
    assert card.answer(bytes.fromhex("3004")) == 16 * b"."
    card.counter = 1
    restart(card)
    send(card, "3000")

    shown = send(card, "3A040B") if fast else send(card, "3004") + send(card, "3008")

    assert bytes.fromhex(shown).decode() == "....." + text.ljust(27, ".")
    assert card.page(5) == b"...."


@pytest.mark.parametrize("page", ["00", "03", "2D"])
def test_there_is_no_mirror_outside_the_user_memory(page: str) -> None:
    card = selected()
    write(card, 0x29, f"4400{page}FF")
    restart(card)

    assert send(card, "3A002C")[: 2 * 4 * 0x29] == card.memory[: 4 * 0x29].hex().upper()


# mode, mask, what page 7 (11223344 before) holds after a write of F0F0FFFF was torn
TORN = [
    (TornMode.BEFORE, 0xFFFFFFFF, "11223344"),
    (TornMode.ERASED, 0xFFFFFFFF, "00000000"),
    (TornMode.PARTIAL, 0xFFFFFFFF, "F0F0FFFF"),
    (TornMode.PARTIAL, 0xCC00000F, "C000000F"),
    (TornMode.PARTIAL, 0x00000000, "00000000"),
    (TornMode.AFTER, 0x00000000, "F0F0FFFF"),
]


@pytest.mark.parametrize(("mode", "mask", "left"), TORN)
@pytest.mark.parametrize("frames", [["A207F0F0FFFF"], ["A007", "F0F0FFFF" + 24 * "0"]])
def test_a_torn_write_leaves_what_the_moment_says(
    mode: TornMode, mask: int, left: str, frames: list[str]
) -> None:
    card = selected()
    write(card, 7, "11223344")

    for frame in frames[:-1]:
        send(card, frame)
    card.tear(bytes.fromhex(frames[-1]), Tear(mode, mask))

    assert card.answer(bytes.fromhex("3000")) == SILENCE
    card.select()
    assert send(card, "3007")[:8] == left


@pytest.mark.parametrize("mode", TornMode)
@pytest.mark.parametrize("page", [2, 3, 0x28])
@given(content=pages_of_four, mask=st.integers(0, 0xFFFFFFFF))
def test_a_torn_one_way_page_has_all_old_bits_and_some_of_the_new(
    mode: TornMode, page: int, content: bytes, mask: int
) -> None:
    card, whole = selected(), selected()
    before = int.from_bytes(card.page(page))

    card.tear(bytes([0xA2, page]) + content, Tear(mode, mask))
    whole.answer(bytes([0xA2, page]) + content)

    after, complete = int.from_bytes(card.page(page)), int.from_bytes(whole.page(page))
    assert after & before == before
    assert after | complete == complete
    if mode in (TornMode.BEFORE, TornMode.ERASED):
        assert after == before


@pytest.mark.parametrize("frame", ["3000", "60", "A200FFFFFFFF", "A22DFFFFFFFF", "1BFFFFFFFF", ""])
@pytest.mark.parametrize("mode", TornMode)
def test_tearing_what_writes_nothing_leaves_no_trace(frame: str, mode: TornMode) -> None:
    card = selected()
    before = card.state()

    card.tear(bytes.fromhex(frame), Tear(mode))

    assert card.state() == before


def test_a_locked_page_is_not_torn() -> None:
    card = selected()
    write(card, 2, "00008000")

    card.tear(bytes.fromhex("A207FFFFFFFF"), Tear(TornMode.ERASED))

    assert card.page(7) == bytes(4)
    write(card, 0x29, "04000008")
    restart(card)
    write(card, 8, "00000000")
    card.select()
    card.tear(bytes.fromhex("A208FFFFFFFF"), Tear(TornMode.PARTIAL, 0xFFFFFFFF))
    assert card.page(8) == bytes(4)


def test_a_sleeping_card_is_not_torn() -> None:
    card = selected()
    card.answer(b"\x00")

    card.tear(bytes.fromhex("A207FFFFFFFF"), Tear(TornMode.AFTER))

    assert card.page(7) == bytes(4)


def test_worn_weak_and_fragile_pages() -> None:
    card = selected()
    card.worn, card.weak, card.is_fragile = {5}, {6: 0x0F000000}, True

    assert write(card, 5, "01020304") == NAK_EEPROM
    assert write(card, 6, "FFFFFFFF") == ACK
    assert card.page(6).hex().upper() == "F0FFFFFF"
    card.tear(bytes.fromhex("A20700000001"), Tear(TornMode.ERASED))
    assert write(card, 7, "00000001") == NAK_EEPROM


@models
@given(
    frames=st.lists(st.binary(max_size=8), max_size=6),
    writes=st.dictionaries(st.integers(2, 44), pages_of_four),
)
def test_a_card_from_its_state_is_the_same_card(
    model: str, frames: list[bytes], writes: dict[int, bytes]
) -> None:
    card = selected(model)
    for page, content in writes.items():
        write(card, page, content.hex())
    for frame in frames:
        card.answer(frame)
    card.power_off()

    twin = card_from(json.loads(json.dumps(card.state())))

    assert twin.state() == card.state()
    assert (twin.select(), twin.name) == (card.select(), card.name)
    for frame in [*frames, b"\x30\x04"]:
        assert twin.answer(frame) == card.answer(frame)


def test_changes_are_counted_when_something_lasting_changes() -> None:
    card = selected()
    before = card.changes

    card.answer(bytes.fromhex("3000"))
    card.answer(bytes.fromhex("60"))
    assert card.changes == before
    write(card, 4, "01020304")
    assert card.changes > before


class AnyLife(RuleBasedStateMachine):
    """Whatever is done to a chip: what is one-way stays one-way, what is locked stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.card = selected()
        self.one_way = dict.fromkeys((2, 3, 0x28), 0)
        self.locked: dict[int, bytes] = {}

    @rule(page=st.sampled_from([2, 3, 7, 9, 15, 16, 39, 0x28, 0x29, 0x2A, 0x2B]), content=pages_of_four)
    def write(self, page: int, content: bytes) -> None:
        self.card.answer(bytes([0xA2, page]) + content)

    @rule(page=st.integers(2, 0x2C), content=pages_of_four)
    def write_compatibly(self, page: int, content: bytes) -> None:
        self.card.answer(bytes([0xA0, page]))
        self.card.answer(content.ljust(16, b"\x00"))

    @rule(
        page=st.integers(2, 0x2C),
        content=pages_of_four,
        mode=st.sampled_from(TornMode),
        mask=st.integers(0, 2**32 - 1),
    )
    def tear(self, page: int, content: bytes, mode: TornMode, mask: int) -> None:
        self.card.tear(bytes([0xA2, page]) + content, Tear(mode, mask))
        self.card.select()

    @rule()
    def authenticate(self) -> None:
        self.card.answer(b"\x1b" + self.card.page(0x2B))

    @rule()
    def restart(self) -> None:
        restart(self.card)

    @invariant()
    def the_serial_number_never_changes(self) -> None:
        assert self.card.memory[:10].hex().upper() == "04E10C61DA993C80FF48"

    @invariant()
    def one_way_bits_never_go_back(self) -> None:
        for page, before in self.one_way.items():
            self.one_way[page] = int.from_bytes(self.card.page(page))
            assert self.one_way[page] & before == before

    @invariant()
    def locked_pages_never_change(self) -> None:
        static = int.from_bytes(self.card.page(2)[2:], "little")
        dynamic = int.from_bytes(self.card.page(0x28)[:2], "little")
        locked = [page for page in range(3, 16) if static >> page & 1]
        locked += [page for page in range(16, 40) if dynamic >> (page - 16) // 2 & 1]
        for page in locked:
            assert self.locked.setdefault(page, self.card.page(page)) == self.card.page(page)


AnyLife.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestAnyLife = AnyLife.TestCase
