"""Days in fleet files: read where they mean one day, refused with the damage named where they do not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.desk.batch.days import NoDay, read_day
from rfid_station.desk.batch.findings import Cause

MEANT = date(2027, 12, 31)


@pytest.mark.parametrize(
    "text",
    [
        "2027-12-31",
        "2027-12-31 00:00:00",
        "2027-12-31T00:00:00Z",
        "31.12.2027",
        "31. 12. 2027",
        "31.12.2027 00:00",
        "31/12/2027",
        "12/31/2027",
        "31-12-2027",
        "31 December 2027",
        "31. Dezember 2027",
        "31-Dez-2027",
        "31st Dec 2027",
        "December 31, 2027",
        "Dec 31 2027",
    ],
)
def test_a_day_with_one_meaning(text: str) -> None:
    assert read_day(text) == MEANT


def test_german_months_and_days_that_read_alike_both_ways() -> None:
    assert read_day("1. März 2027") == date(2027, 3, 1)
    assert read_day("3.4.2027") == date(2027, 4, 3)
    assert read_day("04/04/2027") == date(2027, 4, 4)


@pytest.mark.parametrize(
    ("text", "cause", "words"),
    [
        ("03/04/2027", Cause.DATE, "may be 2027-04-03 or 2027-03-04"),
        ("46752", Cause.DATE, "is how a spreadsheet counts days"),
        ("4.6752E+04", Cause.SCIENTIFIC, "was made a number"),
        ("########", Cause.DATE, "column was too narrow"),
        ("31.12.27", Cause.DATE, "year of two digits"),
        ("31-Dec-27", Cause.DATE, "year of two digits"),
        ("31. Dez", Cause.DATE, "lacks the day or the year"),
        ("Dez 27", Cause.DATE, "lacks the day or the year"),
        ("31.02.2027", Cause.VALUE, "no calendar has"),
        ("13/13/2027", Cause.VALUE, "no calendar has"),
        ("2027-12-31 13:45", Cause.VALUE, "is no day"),
        ("soon", Cause.VALUE, "is no day"),
        ("31 Foo 2027", Cause.VALUE, "is no day"),
    ],
)
def test_what_is_no_day_says_what_became_of_it(text: str, cause: Cause, words: str) -> None:
    found = read_day(text)
    assert isinstance(found, NoDay)
    assert found.cause is cause
    assert words in found.words
    assert found.remedy


def test_a_counted_day_is_told_as_the_day_it_may_be() -> None:
    found = read_day("46752")
    assert isinstance(found, NoDay)
    assert "2027-12-31" in found.remedy


@given(days=st.integers(0, 36_000))
@settings(max_examples=60)
def test_every_day_is_read_back_from_every_writing_without_doubt(days: int) -> None:
    day = date(2000, 1, 1) + timedelta(days)
    for text in (f"{day}", f"{day:%d.%m.%Y}", f"{day:%d %B %Y}", f"{day:%B %d, %Y}", f"{day:%d-%b-%Y}"):
        assert read_day(text) == day


@given(text=st.text(alphabet="0123456789./- DezMarch,ä#E+", max_size=14))
@settings(max_examples=200)
def test_any_text_is_a_day_or_has_a_remedy(text: str) -> None:
    found = read_day(text)
    assert isinstance(found, date) or (found.words and found.remedy)
