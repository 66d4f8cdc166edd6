"""How answers are judged: both statuses count, and nothing that came may break us or betray a token."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.domain.delivery import Verdict
from rfid_station.errors import PartnerRefused, PartnerUnreachable
from rfid_station.ocpi.answer import Answer, error_of, read_answer, retry_after_s
from rfid_station.ocpi.http import HttpAnswer, HttpRequest
from rfid_station.ocpi.seen import LENGTH, seen

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
ACK, NO, DOWN, UNSURE, KEY = (
    Verdict.ACKNOWLEDGED,
    Verdict.REFUSED,
    Verdict.UNREACHABLE,
    Verdict.AMBIGUOUS,
    Verdict.UNAUTHORIZED,
)


def body(status_code: object, **more: object) -> bytes:
    return json.dumps({"status_code": status_code, "timestamp": "2026-01-15T09:30:00Z"} | more).encode()


@pytest.mark.parametrize(
    ("http_status", "status_code", "verdict"),
    [
        (200, 1000, ACK),
        (201, 1000, ACK),
        (200, 1999, ACK),
        (202, 1000, NO),
        (204, 1000, NO),
        (200, 2000, NO),
        (200, 2001, NO),
        (200, 2004, NO),
        (200, 2999, NO),
        (200, 3000, DOWN),
        (200, 3001, DOWN),
        (200, 4001, DOWN),
        (200, 4002, UNSURE),
        (200, 4003, DOWN),
        (200, 999, NO),
        (200, 0, NO),
        (200, -1000, NO),
        (200, 5000, NO),
        (200, 10000, NO),
        (301, 1000, DOWN),
        (307, 1000, DOWN),
        (400, 1000, NO),
        (401, 1000, KEY),
        (401, 2002, KEY),
        (403, 1000, KEY),
        (404, 2004, NO),
        (405, 2000, NO),
        (408, 1000, DOWN),
        (413, 1000, NO),
        (422, 2001, NO),
        (429, 1000, DOWN),
        (500, 1000, DOWN),
        (502, 1000, DOWN),
        (503, 3000, DOWN),
        (504, 1000, UNSURE),
    ],
)
def test_http_status_and_ocpi_code_judge_together(
    http_status: int, status_code: int, verdict: Verdict
) -> None:
    answer = read_answer(http_status, body(status_code))

    assert answer.outcome.verdict is verdict
    assert (answer.http_status, answer.status_code) == (http_status, status_code)
    assert f"HTTP {http_status}, OCPI {status_code}" in answer.outcome.detail


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "HTTP 200, without a body"),
        (b"  \r\n", "HTTP 200, without a body"),
        (b"<html><b>Bad\r\n gateway", "HTTP 200, not JSON: <html><b>Bad gateway"),
        (b'{"status_code": 1000, "da', 'HTTP 200, not JSON: {"status_code": 1000, "da'),
        (b"\xff\xfe\x00", "HTTP 200, not JSON: ��"),
        (b"[1000]", "HTTP 200, not an OCPI answer (the whole: Input should be a valid dictionary"),
        (b"null", "HTTP 200, not an OCPI answer"),
        (b'{"data": []}', "HTTP 200, not an OCPI answer (status_code: Field required)"),
        (body("1000"), "HTTP 200, not an OCPI answer (status_code: Input should be a valid integer)"),
        (body(True), "HTTP 200, not an OCPI answer (status_code: Input should be a valid integer)"),
        (body(1000.5), "HTTP 200, not an OCPI answer (status_code: "),
        (body(1000, status_message=7), "HTTP 200, not an OCPI answer (status_message: "),
        (b"[" * 100_000, "HTTP 200, not JSON: [[["),
        (b'{"status_code": ' + b"9" * 5000 + b"}", "HTTP 200, not JSON: "),
    ],
)
def test_garbage_is_refused_and_shown(content: bytes, told: str) -> None:
    answer = read_answer(200, content)

    assert answer.outcome.verdict is NO
    assert answer.outcome.detail.startswith(told)
    assert (answer.status_code, answer.data) == (None, None)


@settings(deadline=None)
@given(st.integers(100, 599), st.binary(max_size=300) | st.text().map(str.encode), st.none() | st.text())
def test_no_answer_breaks_the_judging(http_status: int, content: bytes, retry_after: str | None) -> None:
    answer = read_answer(http_status, content, retry_after)

    assert answer.outcome.detail.isprintable()
    assert len(answer.outcome.detail) <= LENGTH
    assert answer.outcome.verdict is not ACK or (http_status in (200, 201) and answer.status_code)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("999999999999999999999999", 86400.0),
        ("Thu, 15 Jan 2026 09:31:30 GMT", 90.0),
        ("Thu, 15 Jan 2026 09:31:30 -0000", 90.0),
        ("Thu, 15 Jan 2026 09:00:00 GMT", 0.0),
        ("Fri, 15 Jan 2027 09:00:00 GMT", 86400.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize(("http_status", "expected"), [(503, 7.0), (429, 7.0), (200, None), (401, None)])
def test_only_a_partner_out_of_order_is_waited_for(http_status: int, expected: float | None) -> None:
    assert read_answer(http_status, body(1000), "7").outcome.retry_after_s == expected


SECRET = "client-token-5fQ"


@pytest.mark.parametrize(
    "content",
    [
        body(2001, status_message=f"token {SECRET} is wrong"),
        f"<html>you sent Token {b64encode(SECRET.encode()).decode()}".encode(),
        f"<html>you sent {b64encode(SECRET.encode()).decode().rstrip('=')}".encode(),
        f"<html>{'x' * 140}{SECRET}".encode(),
        b'{"data": {"token": "another-token-4R", "url"',
        b'{"data": {"TOKEN" : "another-token-4R',
        b'"{\\"token\\":\\"another-token-4R\\"}"',
    ],
)
def test_no_token_shows_in_a_detail(content: bytes) -> None:
    answer = read_answer(200, content, secrets=[SECRET])

    for part in (SECRET, SECRET[:8], b64encode(SECRET.encode()).decode()[:12], "another-token"):
        assert part not in answer.outcome.detail


def test_what_is_shown_is_one_short_printable_line() -> None:
    assert seen("\x1b[31mred\x07\r\nand\u202e\tback\ud800", ()) == "[31mred and back"
    assert seen("ä" * 500).endswith("ä…")
    assert len(seen("ä" * 500)) == LENGTH


@pytest.mark.parametrize(
    "content",
    [
        '{"status_code": 1000}'.encode("utf-16"),
        '{"status_code": 1000}'.encode("utf-8-sig"),
        b'{"status_code": 1000, "status_message": "\\ud800"}',
        b'{"status_code": 2001, "status_code": 1000, "data": NaN}',
        b' {"status_code": 1000}\n',
    ],
)
def test_an_odd_writing_of_json_is_read_all_the_same(content: bytes) -> None:
    assert read_answer(200, content).is_acknowledged


@pytest.mark.parametrize(
    "content",
    [
        b'{"status_code": "1000"}',
        b'{"status_code": 1000.0}',
        b'{"status_code": true}',
        b'{"status_code": 1000}}',
        b'{"status_code": 1000',
        b'[{"status_code": 1000}]',
        b'"1000"',
        b'{"status_code": 1000, "status_message": 5}',
    ],
)
def test_what_only_looks_like_an_acknowledgement_is_none(content: bytes) -> None:
    assert not read_answer(200, content).is_acknowledged


def test_headers_and_bodies_never_show_in_a_repr() -> None:
    headers = {"authorization": "Token of-the-client"}
    shown = repr(HttpRequest("PUT", "http://cpo/tokens", headers, b"of-the-body"))
    shown += repr(HttpAnswer(200, headers, b"of-the-answer"))
    assert "PUT" in shown
    assert "200" in shown
    assert "of-the" not in shown


def test_data_never_shows_in_a_repr() -> None:
    answer = read_answer(200, body(1000, data={"token": "another-token-4R"}))

    assert answer.data == {"token": "another-token-4R"}
    assert "another-token" not in repr(answer)


@pytest.mark.parametrize(
    ("http_status", "kind"),
    [(503, PartnerUnreachable), (504, PartnerUnreachable), (404, PartnerRefused), (307, PartnerRefused)],
)
def test_an_error_is_transient_where_trying_again_can_help(http_status: int, kind: type[Exception]) -> None:
    error = error_of(read_answer(http_status, b""), "this went wrong", "do that")

    assert type(error) is kind
    assert error.message == f"this went wrong: HTTP {http_status}, without a body"
    assert error.hint == "do that"


def test_no_answer_is_transient() -> None:
    lost = Answer(read_answer(500, b"").outcome)

    assert error_of(lost, "x").may_retry
