"""Pseudo-APDUs and what readers answer, against bytes from manuals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.reader.pseudo_apdu import (
    END_SESSION,
    GET_UID,
    START_SESSION,
    TO_ISO_14443_A_3,
    Response,
    answer_of_card,
    exchange,
    is_accepted,
    parse_objects,
    parse_response,
    read_pages,
    write_page,
)


def response(objects: str, status: int = 0x9000) -> Response:
    return Response(bytes.fromhex(objects), status)


def test_commands_are_what_the_manuals_say() -> None:
    assert GET_UID.hex() == "ffca000000"
    assert START_SESSION.hex() == "ffc20000028100"
    assert END_SESSION.hex() == "ffc20000028200"
    assert TO_ISO_14443_A_3.hex() == "ffc20002048f020003"
    assert read_pages(0x0A).hex() == "ffb0000a10"
    assert write_page(4, b"\x01\x02\x03\x04").hex() == "ffd600040401020304"


def test_an_exchange_carries_a_timer_that_reads_the_same_from_both_ends() -> None:
    apdu = exchange(bytes.fromhex("3000"))

    assert apdu.hex() == "ffc20001" + "0b" + "5f4604" + "00010100" + "9502" + "3000" + "00"
    timer = bytes.fromhex("00010100")
    assert int.from_bytes(timer, "little") == int.from_bytes(timer, "big") == 65_792


def test_a_long_frame_has_a_length_of_two_bytes() -> None:
    apdu = exchange(bytes(200))

    assert apdu[4] == len(apdu) - 6
    assert apdu[12:16].hex() == "958200c8"


# objects, status word, the card's answer
ANSWERS = [
    ("C003009000 920100 96020000 9704DEADBEEF", 0x9000, "DEADBEEF"),
    ("C003009000 96020000 9704DEADBEEF", 0x9000, "DEADBEEF"),
    ("C003009000 9704DEADBEEF", 0x9000, "DEADBEEF"),
    ("9704DEADBEEF", 0x9000, "DEADBEEF"),
    ("C003009000 978104DEADBEEF", 0x9000, "DEADBEEF"),
    ("C003009000 97820004DEADBEEF", 0x9000, "DEADBEEF"),
    ("C003009000 920104 96020000 97010A", 0x9000, "0A"),
    ("C003009000 920104 96020000 970100", 0x9000, "00"),
    ("C003009000 920104 96020000 970104", 0x9000, "04"),
    ("C003009000 920104 96020005 970105", 0x9000, "05"),
    ("C003009000 97010A", 0x9000, "0A"),
    ("C003009000 920104 9701FA", 0x9000, "0A"),
    ("C003009000 920100 96020200 9704DEADBEEF", 0x9000, ""),
    ("C003009000 920100 96020001 9704DEADBEEF", 0x9000, ""),
    ("C003016401", 0x9000, ""),
    ("C003016401 9704DEADBEEF", 0x9000, ""),
    ("C003016301 96020000", 0x9000, ""),
    ("C003009000", 0x9000, ""),
    ("C0029000 9704DEADBEEF", 0x9000, ""),
    ("C003009000 9704DEADBEEF", 0x6300, ""),
    ("C003009000 9705DEADBEEF", 0x9000, ""),
    ("C003009000 9783DEADBEEF", 0x9000, ""),
    ("", 0x6A81, ""),
    ("", 0x9000, ""),
]


@pytest.mark.parametrize(("objects", "status", "answer"), ANSWERS)
def test_the_answer_of_the_card(objects: str, status: int, answer: str) -> None:
    assert answer_of_card(response(objects, status)).hex().upper() == answer


@pytest.mark.parametrize(
    ("objects", "status", "accepted"),
    [
        ("C003009000", 0x9000, True),
        ("", 0x9000, True),
        ("C003016A81", 0x9000, False),
        ("C003009000", 0x6A81, False),
        ("", 0x6D00, False),
        ("C0", 0x9000, False),
    ],
)
def test_a_session_is_accepted_only_if_both_status_words_say_so(
    objects: str, status: int, accepted: bool
) -> None:
    assert is_accepted(response(objects, status)) is accepted


@given(st.binary(max_size=40))
def test_any_bytes_can_be_taken_apart_or_are_broken(raw: bytes) -> None:
    objects = parse_objects(raw)

    assert objects is None or sum(map(len, objects.values())) <= len(raw)
    assert isinstance(answer_of_card(Response(raw, 0x9000)), bytes)


@given(st.dictionaries(st.sampled_from(["C0", "92", "96", "97", "5F46"]), st.binary(max_size=300)))
def test_objects_come_back_as_they_were(objects: dict[str, bytes]) -> None:
    raw = b"".join(
        bytes.fromhex(tag) + b"\x82" + len(value).to_bytes(2) + value for tag, value in objects.items()
    )

    assert parse_objects(raw) == objects


@given(st.binary(max_size=20))
def test_a_response_ends_with_a_status_word(raw: bytes) -> None:
    parsed = parse_response(raw)

    if len(raw) < 2:
        assert parsed is None
    else:
        assert parsed is not None
        assert parsed.data + parsed.status.to_bytes(2) == raw


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x6300, "6300: the card refused, or moved"),
        (0x6A81, "6A81: the reader cannot do that"),
        (0x6C10, "6C10: the reader wants another length"),
        (0x1234, "1234: no known meaning"),
    ],
)
def test_status_words_become_words_for_an_operator(status: int, words: str) -> None:
    assert Response(b"", status).words == words
