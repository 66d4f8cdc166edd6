import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.domain.visual_number import NumberPattern, check_digit, draw_index
from rfid_station.errors import WrongCall

DIGITS = st.text("0123456789", min_size=4, max_size=12)
PATTERN = NumberPattern("EXM-####-####-@")


def test_damm_vector() -> None:
    assert check_digit("572") == "4"
    assert check_digit("43881234567") == "9"


@given(DIGITS, st.integers(0, 11), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_noticed(digits: str, at: int, other: str) -> None:
    at %= len(digits)
    wrong = digits[:at] + other + digits[at + 1 :]
    assert (check_digit(wrong) == check_digit(digits)) == (wrong == digits)


@given(DIGITS, st.integers(0, 10))
def test_swapped_neighbours_are_noticed(digits: str, at: int) -> None:
    at %= len(digits) - 1
    wrong = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    assert (check_digit(wrong) == check_digit(digits)) == (wrong == digits)


@given(st.integers(0, PATTERN.capacity - 1))
def test_every_index_comes_back_from_its_number(index: int) -> None:
    number = PATTERN.render(index)
    assert PATTERN.index(number) == index
    assert PATTERN.index(number.lower().replace("-", " ")) == index


def test_foreign_and_mistyped_numbers_are_none() -> None:
    good = PATTERN.render(12345678)
    last = (int(good[-1]) + 1) % 10
    assert PATTERN.index(good[:-1] + str(last)) is None
    assert PATTERN.index("ABC" + good[3:]) is None
    assert PATTERN.index("") is None


@pytest.mark.parametrize("text", ["", "EXM-@", "EXM-####", "####@@", "#" * 64 + "@", "####\n@"])
def test_bad_patterns_are_refused_with_the_value(text: str) -> None:
    with pytest.raises(WrongCall) as caught:
        NumberPattern(text)
    assert repr(text) in caught.value.message


def test_a_full_pattern_says_what_to_do() -> None:
    with pytest.raises(WrongCall, match="100000000") as caught:
        PATTERN.render(PATTERN.capacity)
    assert "station.toml" in (caught.value.hint or "")


def test_a_drawn_number_tells_nothing_about_its_neighbour() -> None:
    drawn = [draw_index(PATTERN) for _ in range(200)]
    assert len(set(drawn)) > 190
    assert sum(abs(left - right) < 1000 for left, right in itertools.pairwise(drawn)) < 5
