import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.domain.uid import SIZES, CardUid, parse_uid, readings, why_unusable
from rfid_station.errors import CardRefused, WrongCall

UIDS = (
    st.sampled_from(SIZES)
    .flatmap(lambda size: st.binary(min_size=size, max_size=size))
    .filter(lambda raw: why_unusable(raw) is None)
)
SEVEN = bytes.fromhex("04E10CDA993C80")
FOUR = bytes.fromhex("04A2B3C4")


@pytest.mark.parametrize(
    "text", ["04E10CDA993C80", "04:e1:0c:da:99:3c:80", "04-E1-0C-DA-99-3C-80", " 04 E1 0CDA993C80 "]
)
def test_any_way_of_writing_hexadecimal_is_the_same_uid(text: str) -> None:
    assert parse_uid(text).raw == SEVEN


@pytest.mark.parametrize(
    "text", ["", "04E10CDA993C8", "04E10CDA993C80AA", "XYZ10CDA993C80", "٠٤E10CDA993C80"]
)
def test_what_is_no_uid_is_a_wrong_call_that_shows_the_value(text: str) -> None:
    with pytest.raises(WrongCall, match="is not a UID") as caught:
        parse_uid(text)
    assert repr(text) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("08A1B2C3", "makes up a new one"),
        ("88041234", "cascade tag"),
        ("88041234567890", "cascade tag"),
        ("041234", "3 bytes"),
        ("00000000000000", "random UID"),
    ],
)
def test_unusable_uids_are_refused_with_the_reason(raw: str, reason: str) -> None:
    with pytest.raises(CardRefused, match=reason):
        CardUid(bytes.fromhex(raw))


def test_only_a_four_byte_uid_starting_08_is_random() -> None:
    assert CardUid(bytes.fromhex("08123456789012")).hex == "08123456789012"


def test_masked_shows_too_little_to_copy() -> None:
    assert CardUid(SEVEN).masked == "04…3C80"
    assert CardUid(SEVEN).hex not in CardUid(SEVEN).masked


def test_four_bytes_may_repeat_and_seven_may_not() -> None:
    assert CardUid(FOUR).may_repeat
    assert not CardUid(SEVEN).may_repeat


@given(UIDS)
def test_hex_round_trips(raw: bytes) -> None:
    assert parse_uid(CardUid(raw).hex.lower()).raw == raw


@given(UIDS)
def test_every_form_seen_in_the_field_finds_the_uid(raw: bytes) -> None:
    forms = {
        "plain": raw.hex(),
        "reversed": raw[::-1].hex(),
        "colons": ":".join(f"{byte:02X}" for byte in raw),
        "decimal, first byte high": str(int.from_bytes(raw, "big")),
        "decimal, last byte high": str(int.from_bytes(raw, "little")),
        "ten digits": str(int.from_bytes(raw, "big")).zfill(10),
    }
    missed = [name for name, text in forms.items() if raw not in readings(text)]
    assert not missed


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("77771716", FOUR),
        ("3300106756", FOUR),
        ("8804E10C61DA993C80FF", SEVEN),
        ("8804E10CDA993C80", SEVEN),
        ("04A2B3C4D1", FOUR),
        ("0004A2B3C4", FOUR),
        ("04A2B3C4000000", FOUR),
        ("000000" + "04A2B3C4", FOUR),
    ],
)
def test_damaged_forms(text: str, uid: bytes) -> None:
    assert uid in readings(text)


def test_literal_reading_comes_first() -> None:
    assert readings("04E10CDA993C80")[0] == SEVEN


@given(st.text(max_size=40))
def test_searching_never_fails_and_never_proposes_an_unusable_uid(text: str) -> None:
    assert all(why_unusable(raw) is None for raw in readings(text))


def test_a_text_of_any_length_can_be_searched_for() -> None:
    assert readings("1" * 10_000) == []
