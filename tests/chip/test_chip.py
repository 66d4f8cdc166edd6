"""Vectors beside the code, walked here; and the TLV walk against someone else's codec."""

from itertools import pairwise

import ndef
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.chip import ndef as our_ndef
from rfid_station.chip import sighting
from rfid_station.chip.catalogue import Type2Chip, chip_of_version, type2_chip, type2_chips
from rfid_station.chip.exchange import AskUid, Command, converse
from rfid_station.chip.identify import identify
from rfid_station.chip.ndef import find_ndef, uri_message, uri_of_message
from rfid_station.chip.sighting import Family, Sighting, kind_of
from rfid_station.chip.type2 import fast_read, read, read_pages, spans, split_pages, write
from rfid_station.chip.type2_state import Type2State
from rfid_station.domain.profile import Freshness
from rfid_station.errors import CardDefective, CardLost

URIS = st.sampled_from(["https://", "http://", "https://www.", "urn:", "tel:", "mailto:"]).flatmap(
    lambda start: st.text("abcXYZ0129/?&=.-_", min_size=1, max_size=200).map(lambda rest: start + rest)
)
NTAG213 = type2_chip("NTAG213")
LOCK_CONTROL = [
    ("NTAG203", "0103A01044"),
    ("NTAG212", "0103900A34"),
    ("NTAG213", "0103A00C34"),
    ("MIFARE Ultralight C", "0103A01044"),
]


@pytest.mark.parametrize(("text", "name", "family"), sighting.VECTORS)
def test_atr_vectors(text: str, name: str, family: str) -> None:
    kind = kind_of(Sighting(atr=bytes.fromhex(text)))
    assert (kind.name, kind.family) == (name, family)


def test_what_nothing_is_known_about_may_be_a_type_2_tag() -> None:
    assert kind_of(Sighting()).family is Family.TYPE2


@pytest.mark.parametrize(("uri", "message"), our_ndef.VECTORS)
def test_ndef_vectors(uri: str, message: str) -> None:
    assert uri_message(uri).hex().upper() == message
    assert uri_of_message(bytes.fromhex(message)) == uri


@given(URIS)
def test_someone_elses_codec_reads_what_we_write(uri: str) -> None:
    (record,) = ndef.message_decoder(uri_message(uri))
    assert record.iri == uri


@given(URIS)
def test_we_read_what_someone_elses_codec_writes(uri: str) -> None:
    assert uri_of_message(b"".join(ndef.message_encoder([ndef.UriRecord(uri)]))) == uri


@given(st.binary(max_size=200))
def test_no_memory_breaks_the_tlv_walk(memory: bytes) -> None:
    area = find_ndef(memory)
    if area:
        assert len(area.message) <= len(memory)
        uri_of_message(area.message)


def test_a_message_that_is_cut_off_is_none() -> None:
    assert find_ndef(b"\x03\x10\xd1\x01") is None
    assert uri_of_message(uri_message("https://example.com")[:-1]) is None


def test_long_length_form_is_read() -> None:
    message = bytes(300)
    assert find_ndef(b"\x03\xff\x01\x2c" + message).message == message  # type: ignore[union-attr]


@pytest.mark.parametrize("chip", type2_chips(), ids=lambda chip: chip.name)
def test_memory_maps_hang_together(chip: Type2Chip) -> None:
    assert all(chip_of_version(version) is chip for version in chip.versions)
    assert chip.capability[2] * 8 in (chip.user_size, chip.user_size - 8, chip.user_size - 16)
    assert chip.lock_page in (None, chip.user_last + 1)
    assert (chip.lock_page is None) == (chip.user_last == 0x0F)
    locked = [page for area in chip.lock_areas().values() for page in area]
    assert locked == list(range(16, chip.user_last + 1))
    assert len(chip.lock_areas()) == chip.lock_bits.bit_count()
    assert not chip.lock_bits & chip.block_bits
    if chip.guard:
        own = {chip.guard.first_page.page, chip.guard.access.page}
        own |= {part.page for part in chip.guard.secrets}
        assert max(own) < chip.pages
        assert min(own) > max(chip.user_last, chip.lock_page or 0)
        if chip.guard.kind == "password":
            assert own == set(range(chip.pages - 4, chip.pages))


@pytest.mark.parametrize(("name", "delivered"), LOCK_CONTROL)
def test_locks_are_where_the_chip_itself_says(name: str, delivered: str) -> None:
    """The lock control TLV that a chip is delivered with (Type 2 Tag 1.2, 6.5.1) tells position and size."""
    chip = type2_chip(name)
    assert chip.prefix.hex().upper() == delivered
    _, _, position, bits, sizes = chip.prefix
    bytes_per_page, bytes_per_bit = 1 << (sizes & 0x0F), 1 << (sizes >> 4)
    assert ((position >> 4) * bytes_per_page + (position & 0x0F)) // 4 == chip.lock_page
    assert bytes_per_bit // 4 == chip.lock_area
    assert bits >= len(chip.lock_areas())


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"", CardLost, "does not answer"),
        (b"\x00", CardDefective, "NAK 0.*locked"),
        (b"\x05", CardDefective, "NAK 5"),
        (b"\x01", CardLost, "damaged"),
        (b"\x0a\x0a", CardLost, "2 bytes"),
    ],
)
def test_a_write_that_is_not_acknowledged_says_which_page(
    answer: bytes, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"page 07.*{words}"):
        converse(write(7, b"abcd"), lambda command: answer)


def test_frames() -> None:
    sent: list[Command] = []

    def answer(command: Command) -> bytes:
        sent.append(command)
        return {0x30: bytes(16), 0x3A: bytes(8), 0xA2: b"\x0a"}[command[0]]  # type: ignore[index]

    converse(read(4), answer)
    converse(fast_read(4, 5), answer)
    converse(write(4, b"\x01\x02\x03\x04"), answer)
    assert sent == [b"\x30\x04", b"\x3a\x04\x05", b"\xa2\x04\x01\x02\x03\x04"]


@given(st.sets(st.integers(0, 0xE6)), st.integers(1, 60))
def test_stretches_cover_what_is_wanted(wanted: set[int], longest: int) -> None:
    stretches = list(spans(wanted, longest))
    assert all(last - first < longest for first, last in stretches)
    assert wanted <= {page for first, last in stretches for page in range(first, last + 1)}
    assert all(before[1] < after[0] for before, after in pairwise(stretches))


@given(st.sampled_from(type2_chips()), st.sets(st.integers(0, 15), min_size=1))
def test_pages_are_read_by_what_the_chip_knows(chip: Type2Chip, wanted: set[int]) -> None:
    def answer(command: Command) -> bytes:
        assert isinstance(command, bytes)
        first, last = command[1], command[2] if chip.fast_read else command[1] + 3
        return b"".join(bytes([page] * 4) for page in range(first, last + 1))

    pages = converse(read_pages(chip, wanted), answer)
    assert wanted <= set(pages)
    assert all(data == bytes([page] * 4) for page, data in pages.items())


def _state(chip: Type2Chip = NTAG213, **pages: bytes) -> Type2State:
    memory = {page: bytes(4) for page in range(chip.pages)}
    memory[3] = chip.capability
    if chip.guard:
        memory[chip.guard.first_page.page] = chip.guard.first_page_as_delivered
    memory |= split_pages(chip.user_first, (chip.prefix + b"\x03\x00\xfe").ljust(12, b"\0"))
    return Type2State(chip, memory | {int(name[1:], 16): data for name, data in pages.items()})


def test_a_fresh_chip_is_blank_and_writable() -> None:
    for chip in type2_chips():
        state = _state(chip)
        assert state.freshness is Freshness.BLANK
        assert not any(state.why_not_writable(page) for page in range(4, chip.user_last + 1))


@pytest.mark.parametrize(
    ("page", "data", "locked", "free"),
    [
        ("p02", "00001000", [4], [5, 16]),
        ("p02", "00000080", [15], [14, 16]),
        ("p28", "030000BD", [16, 17, 18, 19], [15, 20]),
        ("p28", "000800BD", [38, 39], [37]),
        ("p29", "04000010", [16, 39], [15]),
        ("p03", "E110120F", [4, 39], []),
    ],
)
def test_what_keeps_a_page_from_being_written(
    page: str, data: str, locked: list[int], free: list[int]
) -> None:
    state = _state(**{page: bytes.fromhex(data)})
    assert all(state.why_not_writable(number) for number in locked)
    assert not any(state.why_not_writable(number) for number in free)


def test_a_216_locks_sixteen_pages_with_a_bit() -> None:
    chip = type2_chip("NTAG216")
    state = _state(chip, pE2=bytes.fromhex("020000BD"))
    assert [page for page in range(4, chip.user_last + 1) if state.why_not_writable(page)] == list(
        range(32, 48)
    )


def test_another_card_answering_is_noticed() -> None:
    first, second = bytes.fromhex("04E10CDA993C80"), bytes.fromhex("04112233445566")

    def answer(command: Command) -> bytes:
        if isinstance(command, AskUid):
            return first
        if command == b"\x60":
            return NTAG213.versions[0]
        return (second[:3] + b"\0" + second[3:]).ljust(43 * 4, b"\0")

    with pytest.raises(CardLost, match="another one answers"):
        converse(identify(Sighting()), answer)


def test_a_card_that_is_no_type_2_is_named_and_not_touched() -> None:
    def answer(command: Command) -> bytes:
        assert isinstance(command, AskUid)
        return bytes.fromhex("01020304")

    identity = converse(identify(Sighting(atr=bytes.fromhex(sighting.VECTORS[-1][0]))), answer)
    assert identity.name == "FeliCa at 212 kbit/s"
    assert identity.state is None
