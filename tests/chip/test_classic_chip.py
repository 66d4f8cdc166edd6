"""Sectors, rights and the directory of a MIFARE Classic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.chip import classic, mad
from rfid_station.chip.classic import (
    CLASSIC_1K,
    CLASSIC_2K,
    CLASSIC_4K,
    MINI,
    SecretFrame,
    decode_access,
    encode_access,
    trailer_block,
)

GROUPS = st.tuples(*[st.integers(0, 7)] * 4)


@pytest.mark.parametrize(("raw", "groups"), classic.VECTORS)
def test_published_access_bytes(raw: str, groups: tuple[int, int, int, int]) -> None:
    assert decode_access(bytes.fromhex(raw)) == groups
    assert encode_access(groups).hex().upper() == raw


@given(GROUPS)
def test_rights_come_back_as_they_were(groups: tuple[int, int, int, int]) -> None:
    assert decode_access(encode_access(groups)) == groups


@given(GROUPS, st.integers(0, 23))
def test_one_wrong_bit_is_never_written(groups: tuple[int, int, int, int], bit: int) -> None:
    raw = (int.from_bytes(encode_access(groups)) ^ 1 << bit).to_bytes(3)
    assert decode_access(raw) is None
    with pytest.raises(ValueError, match="do not fit their complements"):
        trailer_block(bytes(6), raw + b"\x69", bytes(6))


@given(st.binary(min_size=3, max_size=3))
def test_any_access_bytes_are_right_or_dead(raw: bytes) -> None:
    groups = decode_access(raw)
    assert groups is None or encode_access(groups) == raw


def test_a_trailer_is_a_secret_of_16_bytes() -> None:
    block = trailer_block(b"\x01" * 6, classic.TRANSPORT_ACCESS, b"\x02" * 6)
    assert isinstance(block, SecretFrame)
    assert bytes(block) == b"\x01" * 6 + bytes.fromhex("FF078069") + b"\x02" * 6
    assert "01" not in repr(block)
    for key_a, key_b in ((b"", b"\x02" * 6), (b"\x01" * 6, b"\x02" * 7)):
        with pytest.raises(ValueError, match="six bytes"):
            trailer_block(key_a, classic.TRANSPORT_ACCESS, key_b)


@pytest.mark.parametrize(
    ("layout", "size", "last"),
    [(MINI, 320, 19), (CLASSIC_1K, 1024, 63), (CLASSIC_2K, 2048, 127), (CLASSIC_4K, 4096, 255)],
)
def test_sectors_cover_the_memory(layout: classic.Layout, size: int, last: int) -> None:
    assert layout.size == size
    assert layout.trailer(layout.sectors - 1) == last
    covered = [0]
    for sector in range(layout.sectors):
        blocks = [*layout.data_blocks(sector), layout.trailer(sector)]
        assert {layout.sector_of(block) for block in blocks} == {sector}
        covered += blocks
    assert covered == list(range(last + 1))


def test_the_large_sectors_of_a_4k() -> None:
    assert list(CLASSIC_4K.data_blocks(32)) == list(range(128, 143))
    assert CLASSIC_4K.trailer(39) == 255


@pytest.mark.parametrize(("body", "crc"), mad.VECTORS)
def test_published_directories(body: str, crc: int) -> None:
    assert mad.crc(bytes.fromhex(body)) == crc


@given(st.sampled_from([0, 16]), st.sets(st.integers(1, 39)))
def test_a_directory_comes_back_as_it_was(sector: int, chosen: set[int]) -> None:
    known = set(range(1, 16) if sector == 0 else range(17, 40))
    directory = mad.build_directory(sector, chosen)
    assert len(directory) == (32 if sector == 0 else 48)
    assert mad.ndef_sectors(sector, directory) == sorted(chosen & known)


@given(st.sampled_from([0, 16]), st.binary(max_size=49))
def test_any_bytes_are_a_directory_or_none(sector: int, raw: bytes) -> None:
    found = mad.ndef_sectors(sector, raw)
    assert found is None or mad.crc(raw[1:]) == raw[0]


@given(st.integers(0, 255))
def test_a_directory_with_one_wrong_bit_is_none(bit: int) -> None:
    directory = mad.build_directory(0, [1, 2])
    wrong = (int.from_bytes(directory) ^ 1 << bit).to_bytes(32)
    assert mad.ndef_sectors(0, wrong) is None
