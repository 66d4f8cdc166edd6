"""A plain token is written without asking a model: it has to be what the model would have written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rfid_station.domain.token import Token
from rfid_station.errors import WrongCall
from rfid_station.ocpi.wire import v2_1_1, v2_2_1
from rfid_station.ocpi.wire.dialect import DIALECTS
from rfid_station.ocpi.wire.told import ToldToken, tell
from rfid_station.ocpi.wire.transport import json_bytes

SIGNS = st.characters(max_codepoint=0x17F) | st.sampled_from("\x1f\x7f\x9f\n\u2028\ud83d\U0001f697")
NEARLY_PLAIN = st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.sampled_from("\t\x7fß")


def texts(*sizes: int) -> st.SearchStrategy[str]:
    """Texts about as long as the limits, and a few others."""
    return st.sampled_from(sizes).flatmap(lambda size: st.text(NEARLY_PLAIN, min_size=size, max_size=size))


IDS = texts(0, 1, 14, 36, 37) | st.text(SIGNS, max_size=40)
STRINGS = texts(0, 1, 20, 64, 65) | st.text(SIGNS, max_size=70)
told_tokens = st.builds(
    ToldToken,
    country_code=texts(1, 2, 2, 2, 3),
    party_id=texts(2, 3, 3, 3, 4),
    uid=IDS,
    type=st.just("RFID"),
    contract_id=IDS,
    visual_number=st.none() | STRINGS,
    issuer=STRINGS,
    group_id=st.none() | IDS,
    valid=st.booleans(),
    whitelist=st.just("ALLOWED"),
    language=st.none() | texts(1, 2, 2, 3),
    last_updated=st.just("2026-01-15T09:30:00Z"),
)
PLAIN = ToldToken(
    "DE", "EXM", "04E1", "RFID", "c", None, "us", None, True, "NEVER", None, "2026-01-15T09:30:00Z"
)

TEXTS = (
    "country_code",
    "party_id",
    "uid",
    "contract_id",
    "visual_number",
    "issuer",
    "group_id",
    "language",
)


def judged(version: str, told: ToldToken) -> dict[str, Any] | None:
    """What the model of a version makes of it: the judge, whether it was asked or not."""
    fields: dict[str, Any] = told._asdict()
    model: Any = v2_2_1.Token
    if version == "2.1.1":
        model, fields["auth_id"] = v2_1_1.Token, told.contract_id
    try:
        written: dict[str, Any] = model.model_validate(fields).model_dump(exclude_none=True)
    except ValidationError:
        return None
    return written


def check_against_the_models(told: ToldToken) -> None:
    for dialect in DIALECTS:
        expected = judged(dialect.VERSION, told)
        if expected is None:
            with pytest.raises(WrongCall):
                dialect.token_to_wire(told)
        else:
            written = dialect.token_to_wire(told)
            assert written == expected
            assert list(written) == list(expected)


@settings(deadline=None, max_examples=100)
@given(told_tokens)
@example(PLAIN._replace(uid="x" * 36, contract_id="y" * 36, issuer="z" * 64, visual_number="v" * 64))
def test_what_is_written_is_what_the_model_writes(told: ToldToken) -> None:
    check_against_the_models(told)


@pytest.mark.parametrize("field", TEXTS)
def test_each_field_has_its_limits(field: str) -> None:
    for size in (0, 1, 2, 3, 4, 35, 36, 37, 63, 64, 65):
        for last in ("x", "~", " ", "\n", "\x7f", "\x9f", "\xa0", "ß", "\ud83d"):
            check_against_the_models(PLAIN._replace(**{field: ("x" * size + last)[-size:] if size else ""}))


def test_our_tokens_are_plain(token: Token) -> None:
    assert tell(token).is_plain
    assert not tell(replace(token, issuer="Größe Mobil")).is_plain


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()))
def test_json_is_written_without_blanks_and_says_the_same(body: dict[str, object]) -> None:
    sent = json_bytes(body)
    assert json.loads(sent) == body
    assert sent == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
