"""How answers of a hub are judged: HTTP status, Result and code, all three."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.domain.delivery import Verdict
from rfid_station.oicp.answer import read_answer, retry_after_s

ACK, NO, AWAY, UNSURE, LOCKED = (
    Verdict.ACKNOWLEDGED,
    Verdict.REFUSED,
    Verdict.UNREACHABLE,
    Verdict.AMBIGUOUS,
    Verdict.UNAUTHORIZED,
)


def told(code: object, result: object, **more: str) -> bytes:
    return json.dumps({"Result": result, "StatusCode": {"Code": code, **more}}).encode()


@pytest.mark.parametrize(
    ("http_status", "body", "verdict"),
    [
        (200, told("000", True), ACK),
        (201, told("000", True), ACK),
        (200, told("000", False), NO),
        (200, told("009", True), NO),
        (200, told(0, True), NO),
        (200, told("000", "true"), NO),
        (200, told("000", 1), NO),
        (200, b'{"Result": true}', NO),
        (202, told("000", True), NO),
        (200, told("009", False), NO),
        (200, told("019", False), NO),
        (200, told("022", False), NO),
        (200, told("102", False), NO),
        (200, told("999", False), NO),
        (200, told("017", False), LOCKED),
        (200, told("210", False), LOCKED),
        (200, told("300", False), LOCKED),
        (401, b'{"message": "no", "StatusCode": {"Code": "017"}}', LOCKED),
        (403, b"", LOCKED),
        (200, told("001", False), AWAY),
        (200, told("002", False), AWAY),
        (200, told("021", False), AWAY),
        (200, told("320", False), AWAY),
        (429, b"", AWAY),
        (500, b'{"message": "Processing error"}', AWAY),
        (503, b"", AWAY),
        (302, b"", AWAY),
        (504, b"", UNSURE),
        (400, b'{"message": "Validation error"}', NO),
        (404, b"", NO),
        (200, b"<html>", NO),
        (200, b"", NO),
        (200, b"[]", NO),
        (200, b"\xff\xfe", NO),
        (200, b"[" * 100_000, NO),
    ],
)
def test_verdicts(http_status: int, body: bytes, verdict: Verdict) -> None:
    assert read_answer(http_status, body).outcome.verdict is verdict


def test_the_hubs_own_words_are_shown() -> None:
    body = told("009", False, Description="Data transaction error.", AdditionalInfo="UID 75 exists\nalready")
    assert read_answer(200, body).outcome.detail == (
        "HTTP 200, OICP 009, Result false: Data transaction error.: UID 75 exists already"
    )
    assert read_answer(200, told("017", False)).outcome.detail == (
        "HTTP 200, OICP 017, Result false: unauthorized access"
    )


def test_a_fault_body_names_its_fields() -> None:
    body = {
        "message": "Invalid",
        "validationErrors": [{"fieldReference": "UID", "errorMessage": "too short"}],
    }
    assert read_answer(400, json.dumps(body).encode()).outcome.detail == (
        "HTTP 400, not an OICP answer: Invalid; UID: too short"
    )


@pytest.mark.parametrize(
    ("http_status", "body", "may_be"),
    [
        (200, told("009", False), True),
        (200, told("022", False), True),
        (200, told("002", False), True),
        (200, told("777", False), True),
        (200, told("019", False), False),
        (200, told("017", False), False),
        (200, told("021", False), False),
        (200, told("000", True), False),
        (400, b'{"message": "Validation error"}', False),
        (200, b"<html>", False),
        (429, b"", False),
    ],
)
def test_which_refusals_may_mean_that_a_record_is_there_or_is_not(
    http_status: int, body: bytes, may_be: bool
) -> None:
    assert read_answer(http_status, body).may_be_about_presence is may_be


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (None, None),
        ("7", 7.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("999999999999", 86400.0),
        ("soon", None),
    ],
)
def test_how_long_to_wait(value: str | None, wait_s: float | None) -> None:
    assert retry_after_s(value, datetime(2026, 1, 1, tzinfo=UTC)) == wait_s


def test_a_limit_of_calls_says_how_long_to_wait() -> None:
    assert read_answer(429, b"", "30").outcome.retry_after_s == 30.0
    assert read_answer(200, told("000", True), "30").outcome.retry_after_s is None


@settings(max_examples=80)
@given(
    st.integers(100, 599),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.text(max_size=4) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Result", "StatusCode", "Code", "message", "validationErrors"]), inner
            )
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_nothing_but_success_is_taken_for_one(http_status: int, body: bytes) -> None:
    outcome = read_answer(http_status, body).outcome
    assert outcome.detail.isprintable()
    assert len(outcome.detail) <= 160
    if outcome.verdict is Verdict.ACKNOWLEDGED:
        answer = json.loads(body)
        assert http_status in (200, 201)
        assert answer["Result"] is True
        assert answer["StatusCode"]["Code"] == "000"
