"""Objects of OCPI 2.2.1: what we write keeps the specification, and what partners write can be read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rfid_station.domain.contract_id import own_contract_id, parse_contract_id
from rfid_station.domain.partner import Endpoint
from rfid_station.domain.token import Party, Token, TokenType, Whitelist
from rfid_station.domain.uid import CardUid, parse_uid, why_unusable
from rfid_station.errors import PartnerRefused, WrongCall
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire import v2_2_1
from rfid_station.ocpi.wire.told import tell
from rfid_station.ocpi.wire.transport import date_time, instant, read_versions
from rfid_station.simulator.cpo import rules as cpo_rules

quick = settings(deadline=None, max_examples=40)

# Texts that no string(n) may hold: control characters; and lone surrogates, which are not UTF-8.
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"])
ASCII = st.characters(min_codepoint=0x21, max_codepoint=0x7E)

uids = (
    st.sampled_from([4, 7, 10])
    .flatmap(lambda size: st.binary(min_size=size, max_size=size))
    .filter(lambda raw: why_unusable(raw) is None)
    .map(CardUid)
)
parties = st.builds(
    Party, st.from_regex(r"[A-Z]{2}", fullmatch=True), st.from_regex(r"[A-Z0-9]{3}", fullmatch=True)
)
contracts = st.builds(
    lambda party, number: own_contract_id(party.country_code, party.party_id, number),
    parties,
    st.integers(0, 99_999_999),
)
tokens = st.builds(
    Token,
    party=parties,
    uid=uids,
    contract_id=contracts,
    visual_number=st.text(PRINTABLE, min_size=1, max_size=64),
    issuer=st.text(PRINTABLE, max_size=64),
    valid=st.booleans(),
    whitelist=st.sampled_from(Whitelist),
    last_updated=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
        lambda at: at.replace(tzinfo=UTC, microsecond=0)
    ),
    type=st.just(TokenType.RFID),
    group_id=st.none() | st.text(ASCII, min_size=1, max_size=36),
    language=st.none() | st.from_regex(r"[a-z]{2}", fullmatch=True),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def written(token: Token) -> dict[str, Any]:
    return v2_2_1.token_to_wire(tell(token))


def test_a_token_is_written_as_the_specification_shows_it(token: Token) -> None:
    assert v2_2_1.token_to_wire(tell(token)) == {
        "country_code": "DE",
        "party_id": "EXM",
        "uid": "04E10CDA993C80",
        "type": "RFID",
        "contract_id": "DE-EXM-C00000042-5",
        "visual_number": "EXM-0000-0042-3",
        "issuer": "Example Mobility",
        "valid": True,
        "whitelist": "ALWAYS",
        "language": "de",
        "last_updated": "2026-01-15T09:30:00Z",
    }


@quick
@given(tokens)
def test_a_token_as_it_went_differs_in_nothing(token: Token) -> None:
    held = json.loads(json.dumps(v2_2_1.token_to_wire(tell(token))))

    assert v2_2_1.differences(tell(token), held) == []


@quick
@given(tokens)
def test_what_we_write_passes_the_checks_of_a_strict_partner(token: Token) -> None:
    held = v2_2_1.token_to_wire(tell(token))

    assert cpo_rules.complaint(held, cpo_rules.TOKEN) is None
    assert None not in held.values()


@quick
@given(tokens)
def test_a_token_is_addressed_by_its_key(token: Token) -> None:
    url = urlsplit(v2_2_1.url_of_token("https://cpo.example/ocpi/2.2.1/tokens/", tell(token)))

    steps = [unquote(step) for step in url.path.split("/")]
    assert steps[:4] == ["", "ocpi", "2.2.1", "tokens"]
    assert steps[4:] == [token.party.country_code, token.party.party_id, str(token.uid)]
    assert parse_qs(url.query) == {"type": ["RFID"]}


def test_a_step_of_the_url_is_percent_encoded_and_a_query_is_kept(token: Token) -> None:
    odd = replace(token, party=Party("D/", "E?#"))

    url = v2_2_1.url_of_token("https://cpo.example/tokens?tenant=7", tell(odd))

    assert url == "https://cpo.example/tokens/D%2F/E%3F%23/04E10CDA993C80?tenant=7&type=RFID"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("issuer", "x" * 65, "x" * 65),
        ("issuer", "two\nlines", "'two\\nlines'"),
        ("visual_number", "y" * 65, "y" * 65),
        ("visual_number", "tab\there", "'tab\\there'"),
        ("group_id", "z" * 37, "z" * 37),
        ("group_id", "größe", "größe"),
        ("issuer", "half a \ud83d", "'half a \\ud83d'"),
        ("group_id", "", "''"),
        ("language", "deu", "deu"),
        ("party", Party("DEU", "EXM"), "DEU"),
        ("party", Party("DE", "EXMP"), "EXMP"),
    ],
)
def test_a_value_beyond_its_limit_is_not_sent_but_named(
    token: Token, field: str, value: object, told: str
) -> None:
    with pytest.raises(WrongCall) as refused:
        v2_2_1.token_to_wire(tell(replace(token, **{field: value})))

    assert told in refused.value.message
    assert refused.value.hint


def test_a_token_without_a_time_zone_is_not_sent(token: Token) -> None:
    with pytest.raises(WrongCall, match="no time zone"):
        tell(replace(token, last_updated=datetime(2026, 1, 1)))


@pytest.mark.parametrize(
    ("field", "there"),
    [
        ("country_code", "de"),
        ("party_id", "exm"),
        ("uid", "04e10cda993c80"),
        ("type", "rfid"),
        ("whitelist", "always"),
        ("contract_id", "de-exm-c00000042-5"),
        ("contract_id", "DEEXMC000000425"),
        ("contract_id", "deexmc00000042"),
        ("group_id", None),
        ("last_updated", "2026-01-15T09:30:00"),
        ("last_updated", "2026-01-15T09:30:00.999Z"),
        ("last_updated", "2026-01-15 09:30:00+00:00"),
        ("last_updated", "2026-01-15T10:30:00+01:00"),
        ("energy_contract", {"supplier_name": "x"}),
        ("default_profile_type", "GREEN"),
        ("their_own", 7),
    ],
)
def test_another_spelling_of_the_same_is_no_difference(
    token: Token, written: dict[str, Any], field: str, there: object
) -> None:
    assert v2_2_1.differences(tell(token), written | {field: there}) == []


@pytest.mark.parametrize(
    ("field", "there", "named"),
    [
        ("valid", False, "valid: false there, true here"),
        ("valid", "true", "valid: 'true' there, true here"),
        ("valid", 1, "valid: 1 there, true here"),
        ("valid", None, "valid: nothing there, true here"),
        ("whitelist", "ALLOWED", "whitelist: ALLOWED there, ALWAYS here"),
        ("uid", "04E10CDA993C81", "uid: 04E10CDA993C81 there, 04E10CDA993C80 here"),
        ("uid", 4, "uid: 4 there, 04E10CDA993C80 here"),
        ("country_code", "NL", "country_code: NL there, DE here"),
        (
            "contract_id",
            "DE-EXM-C00000043-8",
            "contract_id: DE-EXM-C00000043-8 there, DE-EXM-C00000042-5 here",
        ),
        (
            "contract_id",
            "DE-EXM-C00000042-D",
            "contract_id: DE-EXM-C00000042-D there, DE-EXM-C00000042-5 here",
        ),
        ("contract_id", "???", "contract_id: ??? there, DE-EXM-C00000042-5 here"),
        ("contract_id", ["x"], "contract_id: ['x'] there, DE-EXM-C00000042-5 here"),
        ("visual_number", None, "visual_number: nothing there, EXM-0000-0042-3 here"),
        ("issuer", "example mobility", "issuer: example mobility there, Example Mobility here"),
        ("group_id", "FLEET", "group_id: FLEET there, nothing here"),
        ("language", "en", "language: en there, de here"),
        (
            "last_updated",
            "2026-01-15T09:30:01Z",
            "last_updated: 2026-01-15T09:30:01Z there, 2026-01-15T09:30:00Z here",
        ),
        ("last_updated", "yesterday", "last_updated: yesterday there, 2026-01-15T09:30:00Z here"),
    ],
)
def test_a_difference_is_named_with_both_values(
    token: Token, written: dict[str, Any], field: str, there: object, named: str
) -> None:
    assert v2_2_1.differences(tell(token), written | {field: there}) == [named]


@quick
@given(tokens, st.dictionaries(st.sampled_from(list(v2_2_1.Token.model_fields)) | st.text(), anything))
def test_no_answer_of_a_partner_breaks_the_comparison(token: Token, held: dict[str, object]) -> None:
    assert all(isinstance(difference, str) for difference in v2_2_1.differences(tell(token), held))


def test_lower_case_differs_in_nothing_where_case_does_not_count(
    token: Token, written: dict[str, Any]
) -> None:
    held = {name: value.lower() if name in cpo_rules.CI_STRINGS else value for name, value in written.items()}

    assert v2_2_1.differences(tell(token), held) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-15T09:30:00Z", 0),
        ("2026-01-15T09:30:00", 0),
        ("2026-01-15t09:30:59.123456z", 59),
        ("2026-01-15T09:30:01.9Z", 1),
    ],
)
def test_a_date_time_is_read_at_the_precision_of_a_second(text: str, seconds: int) -> None:
    assert instant(text) == datetime(2026, 1, 15, 9, 30, seconds, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [None, 7, "", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", []]
)
def test_what_is_no_date_time_reads_as_none(value: object) -> None:
    assert instant(value) is None


@quick
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_written_in_utc_with_z_in_20_characters(at: datetime, offset_min: int) -> None:
    there = at.replace(tzinfo=timezone(timedelta(minutes=offset_min)))

    text = date_time(there)

    assert len(text) == 20
    assert cpo_rules.instant(text) == there.astimezone(UTC).replace(microsecond=0)


def test_our_credentials_pass_the_checks_of_a_strict_partner(us: Us) -> None:
    told = v2_2_1.credentials_to_wire(us, "s" * 64)

    assert cpo_rules.credentials_complaint(told) is None
    assert told["roles"] == [
        {
            "role": "EMSP",
            "country_code": "DE",
            "party_id": "EXM",
            "business_details": {"name": "Example Mobility"},
        }
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "n" * 101},
        {"party": Party("DE", "TOOLONG")},
        {"versions_url": "https://x.example/" + "u" * 250},
    ],
)
def test_credentials_beyond_a_limit_are_not_sent_and_hide_the_token(us: Us, change: dict[str, Any]) -> None:
    with pytest.raises(WrongCall) as refused:
        v2_2_1.credentials_to_wire(replace(us, **change), "very-secret")

    assert "very-secret" not in refused.value.message


THEIRS = {
    "token": "client-token",
    "url": "https://cpo.example/ocpi/versions",
    "roles": [
        {"role": "EMSP", "country_code": "NL", "party_id": "ABC", "business_details": {"name": "x"}},
        {"role": "CPO", "country_code": "NL", "party_id": "CPX", "business_details": None, "hub": 1},
        {"role": "CPO", "country_code": "NLD", "party_id": "CPX"},
        "nonsense",
        {"role": "cpo", "country_code": "be", "party_id": "cpy"},
    ],
}


@pytest.mark.parametrize("data", [THEIRS, [THEIRS]], ids=["object", "list of one"])
def test_credentials_of_a_partner_give_its_token_and_its_cpo_roles(data: object) -> None:
    assert v2_2_1.read_credentials(data) == ("client-token", (Party("NL", "CPX"), Party("be", "cpy")))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {},
        THEIRS | {"token": ""},
        THEIRS | {"token": "two words"},
        THEIRS | {"token": "t" * 65},
        THEIRS | {"token": "line\r\nX-Injected: 1"},
        THEIRS | {"token": 7},
        THEIRS | {"roles": None},
    ],
)
def test_credentials_that_cannot_be_used_are_refused_without_showing_the_token(data: object) -> None:
    with pytest.raises(PartnerRefused) as refused:
        v2_2_1.read_credentials(data)

    assert "X-Injected" not in refused.value.message
    assert "tttt" not in refused.value.message


def test_what_does_not_fit_a_model_never_shows_its_input() -> None:
    with pytest.raises(ValidationError) as refused:
        v2_2_1.PartnerCredentials.model_validate(THEIRS | {"token": "a secret"})

    assert "a secret" not in str(refused.value)


@quick
@given(anything)
def test_no_credentials_and_no_details_break_the_reading(data: object) -> None:
    for read in (v2_2_1.read_credentials, v2_2_1.read_endpoints):
        with pytest.raises(PartnerRefused):
            read(data)


def test_endpoints_are_read_one_by_one() -> None:
    tokens = {"identifier": "Tokens", "role": "receiver", "url": "https://cpo.example/t"}
    details = {"version": "2.2.1", "endpoints": [7, {"identifier": "cdrs"}, tokens]}

    assert v2_2_1.read_endpoints(details) == (Endpoint("tokens", "RECEIVER", "https://cpo.example/t"),)


def test_details_of_another_version_are_refused() -> None:
    with pytest.raises(PartnerRefused, match=r"2\.1\.1"):
        v2_2_1.read_endpoints({"version": "2.1.1", "endpoints": []})


def test_versions_are_read_one_by_one() -> None:
    listed = [7, {"version": "2.2.1"}, {"version": "2.2.1", "url": "https://cpo.example/2.2.1", "more": 1}]

    assert [version.url for version in read_versions(listed)] == ["https://cpo.example/2.2.1"]
    assert list(read_versions({"versions": []})) == []


def test_reading_a_contract_id_of_the_older_form_back(token: Token) -> None:
    din = replace(token, contract_id=parse_contract_id("NL-TNM-012204-5"), uid=parse_uid("0411223344"[:8]))

    assert (
        v2_2_1.differences(tell(din), v2_2_1.token_to_wire(tell(din)) | {"contract_id": "NL*TNM*012204*5"})
        == []
    )
