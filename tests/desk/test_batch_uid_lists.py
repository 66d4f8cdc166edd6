"""The form of a whole UID list is told by evidence, and never turned by itself."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import reduce
from operator import xor

import pytest
from batch_files import nxp_uids
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.desk.batch.uid_lists import Tally, UidForm, Verdict, read_uid, turned
from rfid_station.domain.uid import CardUid


def verdict_of(texts: list[str]) -> Verdict:
    tally = Tally()
    for text in texts:
        tally.add(text)
    return tally.verdict()


def with_cascade(raw: bytes) -> str:
    first, second = b"\x88" + raw[:3], raw[3:]
    return (first + bytes([reduce(xor, first)]) + second + bytes([reduce(xor, second)])).hex()


def with_bcc(raw: bytes) -> str:
    bcc0 = 0x88 ^ reduce(xor, raw[:3])
    return (raw[:3] + bytes([bcc0]) + raw[3:] + bytes([reduce(xor, raw[3:])])).hex()


WRITTEN: dict[UidForm, Callable[[bytes], str]] = {
    UidForm.AS_IS: lambda raw: raw.hex(":"),
    UidForm.REVERSED: lambda raw: raw[::-1].hex().upper(),
    UidForm.DECIMAL: lambda raw: str(int.from_bytes(raw, "big")),
    UidForm.DECIMAL_REVERSED: lambda raw: str(int.from_bytes(raw, "little")),
    UidForm.ZEROS_BEFORE: lambda raw: raw.hex().zfill(20),
    UidForm.ZEROS_BEHIND: lambda raw: raw.hex() + "0000",
    UidForm.WITH_CASCADE: with_cascade,
    UidForm.WITH_BCC: with_bcc,
    UidForm.ZEROS_LOST: lambda raw: raw.hex().lstrip("0"),
}


@pytest.mark.parametrize("form", UidForm)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), count=st.integers(8, 60))
def test_a_list_in_any_form_is_recognised_and_read_back_by_its_option(
    form: UidForm, seed: int, count: int
) -> None:
    raws = nxp_uids(count, seed)
    texts = [WRITTEN[form](raw) for raw in raws]
    found = verdict_of(texts)
    assert found.form is form
    assert found.is_certain
    assert [turned(text, form) for text in texts] == raws


def test_one_wrong_row_in_ten_does_not_hide_the_form() -> None:
    texts = [raw[::-1].hex() for raw in nxp_uids(20)]
    assert verdict_of([*texts[:18], "banana", texts[0][:8]]).form is UidForm.REVERSED


def test_both_byte_orders_in_one_list_are_seen() -> None:
    raws = nxp_uids(20)
    found = verdict_of([raw.hex() for raw in raws[:10]] + [raw[::-1].hex() for raw in raws[10:]])
    assert found.form is None
    assert "mixed" in found.words


@pytest.mark.parametrize(
    "cut", [lambda raw: raw[:6], lambda raw: raw[:4], lambda raw: b"\x88" + raw[:3], lambda raw: raw[3:]]
)
def test_truncated_lists_have_no_option_or_are_not_certain(cut: Callable[[bytes], bytes]) -> None:
    found = verdict_of([cut(raw).hex() for raw in nxp_uids(20)])
    assert not found.options
    assert "truncated" in found.words or not found.is_certain


def test_four_byte_uids_do_not_show_their_order() -> None:
    chance = random.Random(3)
    raws = [chance.randbytes(4) for _ in range(30)]
    as_hex = verdict_of([raw.hex() for raw in raws])
    assert (as_hex.form, as_hex.is_certain) == (UidForm.AS_IS, False)
    as_decimal = verdict_of([str(int.from_bytes(raw, "little")) for raw in raws])
    assert as_decimal.options == (UidForm.DECIMAL, UidForm.DECIMAL_REVERSED)
    assert not as_decimal.is_certain


def test_a_spreadsheet_that_cut_long_numbers_off_is_seen() -> None:
    texts = [f"{float(int.from_bytes(raw)):.0f}"[:15] + "00" for raw in nxp_uids(20)]
    found = verdict_of(texts)
    assert found.form is None
    assert "spreadsheet" in found.words


def test_too_few_uids_tell_nothing_by_their_bytes() -> None:
    assert verdict_of([raw[::-1].hex() for raw in nxp_uids(4)]).form is UidForm.AS_IS
    assert verdict_of([]).form is UidForm.AS_IS


@given(st.text(max_size=40), st.sampled_from(UidForm))
@settings(max_examples=80, deadline=None)
def test_no_text_breaks_the_reading_of_uids(text: str, form: UidForm) -> None:
    tally = Tally()
    tally.add(text)
    tally.verdict()
    assert isinstance(read_uid(text, form), CardUid | str)
