import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.domain.contract_id import (
    ContractForm,
    contract_of_compact,
    din_check_digit,
    iso_check_digit,
    own_contract_id,
    parse_contract_id,
)
from rfid_station.errors import WrongCall

ISO_VECTORS = {
    "NLTNM000122045": "U",
    "NN123ABCDEFGHI": "T",
    "FRXYZ123456789": "2",
    "ITA1B2C3E4F5G6": "4",
    "ESZU8WOX834H1D": "R",
    "PT73902837ABCZ": "Z",
    "DE83DUIEN83QGZ": "D",
    "DE83DUIEN83ZGQ": "M",
    "DE8AA001234567": "0",
    "NLMSPC12345678": "5",
}
DIN_VECTORS = {
    "NLTNM012204": "5",
    "INTNM000071": "9",
    "INTNM000110": "X",
    "INTNM000124": "0",
    "INTNM000114": "6",
    "INTNM000191": "5",
}
COMPACT = st.builds(
    lambda country, rest: country + rest,
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(string.ascii_uppercase + string.digits, min_size=12, max_size=12),
)


@pytest.mark.parametrize(("compact", "digit"), ISO_VECTORS.items())
def test_iso_vectors(compact: str, digit: str) -> None:
    assert iso_check_digit(compact) == digit


@pytest.mark.parametrize(("compact", "digit"), DIN_VECTORS.items())
def test_din_vectors(compact: str, digit: str) -> None:
    assert din_check_digit(compact) == digit


@given(COMPACT, st.integers(0, 13), st.sampled_from(string.ascii_uppercase + string.digits))
def test_one_wrong_character_changes_the_iso_digit(compact: str, at: int, other: str) -> None:
    wrong = compact[:at] + other + compact[at + 1 :]
    assert (iso_check_digit(wrong) == iso_check_digit(compact)) == (wrong == compact)


@given(COMPACT, st.integers(0, 12))
def test_swapped_neighbours_change_the_iso_digit(compact: str, at: int) -> None:
    wrong = compact[:at] + compact[at + 1] + compact[at] + compact[at + 2 :]
    assert (iso_check_digit(wrong) == iso_check_digit(compact)) == (wrong == compact)


@pytest.mark.parametrize("compact", [*ISO_VECTORS, *DIN_VECTORS])
def test_what_was_kept_compact_is_the_same_contract_again(compact: str) -> None:
    parsed = parse_contract_id(compact)
    kept = contract_of_compact(parsed.compact)
    assert kept == parsed
    assert (kept.form, kept.written_check, str(kept)) == (parsed.form, None, str(parsed))


@pytest.mark.parametrize("text", ["", "NLMSPC1234567", "NLMSPC1234567890"])
def test_what_was_never_kept_is_no_contract(text: str) -> None:
    with pytest.raises(WrongCall):
        contract_of_compact(text)


@pytest.mark.parametrize(
    "text",
    ["NL-MSP-C12345678-5", "NLMSPC123456785", "nl-msp-c12345678", "NL*MSP*C12345678*5", " NL-MSP-C12345678 "],
)
def test_all_ways_of_writing_are_one_contract(text: str) -> None:
    parsed = parse_contract_id(text)
    assert str(parsed) == "NL-MSP-C12345678-5"
    assert parsed.warning is None
    assert parsed == parse_contract_id("NL-MSP-C12345678-5")


def test_din_form_and_its_emi3_form() -> None:
    din = parse_contract_id("NL*TNM*012204*5")
    assert din.form is ContractForm.DIN_91286
    assert str(din) == "NL-TNM-012204-5"
    assert din.to_emi3().compact == "NLTNMC00122045"


@pytest.mark.parametrize(
    ("published", "right"),
    [("DE8AACA2B3C4D5N", "L"), ("DE8AA00123A563N", "M"), ("DE9FSC045DS363E", "C"), ("DE8EOCAet5e43X1", "9")],
)
def test_wrong_foreign_check_digit_is_a_warning_that_names_the_right_one(published: str, right: str) -> None:
    warning = parse_contract_id(published).warning
    assert warning is not None
    assert f"{right} is computed" in warning


@pytest.mark.parametrize(
    "text",
    ["", "NL", "NL-MSP-1234567", "N1-MSP-C12345678", "NL-MSP*C12345678", "NL-MSP-C1234567-89", "AFFH1768"],
)
def test_what_is_no_contract_id_is_refused_with_the_value(text: str) -> None:
    with pytest.raises(WrongCall) as caught:
        parse_contract_id(text)
    assert repr(text) in caught.value.message


def test_our_own_ids_always_carry_the_right_digit() -> None:
    assert str(own_contract_id("NL", "MSP", 12345678)) == "NL-MSP-C12345678-5"
    with pytest.raises(WrongCall, match="100000000"):
        own_contract_id("NL", "MSP", 100_000_000)


@given(COMPACT)
def test_round_trip(compact: str) -> None:
    parsed = parse_contract_id(compact)
    assert parse_contract_id(str(parsed)) == parsed
    assert parsed.compact == compact
