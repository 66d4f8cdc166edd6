"""What the virtual CPO checks and decides, against the tables of the specification."""

from __future__ import annotations

from typing import Any

import pytest

from rfid_station.simulator.cpo.rules import (
    ROLE,
    TOKEN,
    complaint,
    credentials_complaint,
    decide,
    instant,
)

GOOD: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "EXM",
    "uid": "04E10CDA993C80",
    "type": "RFID",
    "contract_id": "DE-EXM-C00000042-5",
    "issuer": "Example Mobility",
    "valid": True,
    "whitelist": "ALWAYS",
    "last_updated": "2026-01-15T09:30:00Z",
}


def test_a_token_with_what_is_required_is_good() -> None:
    assert complaint(GOOD, TOKEN) is None


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ...], ids=["null", "absent"])
def test_every_required_member_is_asked_for(name: str, value: object) -> None:
    token = GOOD | {name: None}
    if value is ...:
        del token[name]

    assert complaint(token, TOKEN) == f"{name} is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visual_number", "x" * 64),
        ("visual_number", ""),
        ("visual_number", "Größe Ω"),
        ("visual_number", None),
        ("group_id", "g" * 36),
        ("language", "de"),
        ("default_profile_type", "GREEN"),
        ("energy_contract", {"supplier_name": "x"}),
        ("type", "AD_HOC_USER"),
        ("whitelist", "NEVER"),
        ("valid", False),
        ("issuer", ""),
        ("uid", "u" * 36),
        ("last_updated", "2026-01-15T09:30:00"),
        ("last_updated", "2026-01-15T09:30:00.123Z"),
        ("something_else", object()),
    ],
)
def test_what_the_specification_allows_is_taken(name: str, value: object) -> None:
    assert complaint(GOOD | {name: value}, TOKEN) is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("country_code", "DEU", "country_code has 3 characters, not 2"),
        ("country_code", "D", "country_code has 1 characters, not 2"),
        ("party_id", "EXMP", "party_id has 4 characters, not 3"),
        ("uid", "", "uid has 0 characters, not 1 to 36"),
        ("uid", "u" * 37, "uid has 37 characters, not 1 to 36"),
        ("uid", "ü", "uid has characters outside printable ASCII"),
        ("uid", "a\tb", "uid has characters outside printable ASCII"),
        ("uid", 4, "uid is no string"),
        ("contract_id", "c" * 37, "contract_id has 37 characters, not 1 to 36"),
        ("visual_number", "x" * 65, "visual_number has 65 characters, not 0 to 64"),
        ("visual_number", "two\nlines", "visual_number has control characters"),
        ("issuer", "x" * 65, "issuer has 65 characters, not 0 to 64"),
        ("issuer", 7, "issuer is no string"),
        ("group_id", "g" * 37, "group_id has 37 characters, not 1 to 36"),
        ("language", "deu", "language has 3 characters, not 2"),
        ("type", "rfid", "type is none of AD_HOC_USER, APP_USER, OTHER, RFID"),
        ("type", "EMAID", "type is none of AD_HOC_USER, APP_USER, OTHER, RFID"),
        ("whitelist", "always", "whitelist is none of ALWAYS, ALLOWED, ALLOWED_OFFLINE, NEVER"),
        ("valid", "true", "valid is neither true nor false"),
        ("valid", 1, "valid is neither true nor false"),
        ("default_profile_type", "BLUE", "default_profile_type is none of CHEAP, FAST, GREEN, REGULAR"),
        ("energy_contract", "x", "energy_contract is no object"),
        ("last_updated", "2026-01-15T09:30:00+00:00", "last_updated is not a DateTime in UTC"),
        ("last_updated", "2026-01-15 09:30:00Z", "last_updated is not a DateTime in UTC"),
        ("last_updated", "2026-02-30T09:30:00Z", "last_updated is not a DateTime in UTC"),
        ("last_updated", "2026-01-15T09:30:00.1234567Z", "last_updated is not a DateTime in UTC"),
        ("last_updated", 1768469400, "last_updated is not a DateTime in UTC"),
    ],
)
def test_what_it_does_not_allow_is_named(name: str, value: object, told: str) -> None:
    assert str(complaint(GOOD | {name: value}, TOKEN)).startswith(told)


@pytest.mark.parametrize("body", [None, [], "x", 7, [GOOD]])
def test_what_is_no_object_is_no_token(body: object) -> None:
    assert complaint(body, TOKEN) == "the body is no JSON object"


def test_fractions_count_in_the_order_of_time() -> None:
    early, late = instant("2026-01-15T09:30:00.1Z"), instant("2026-01-15T09:30:00.2Z")

    assert early is not None
    assert late is not None
    assert early < late


PARTY = {"role": "EMSP", "country_code": "DE", "party_id": "EXM", "business_details": {"name": "x"}}
CREDENTIALS: dict[str, Any] = {"token": "t" * 64, "url": "https://x.example", "roles": [PARTY]}


def test_credentials_of_several_roles_are_good() -> None:
    assert credentials_complaint(CREDENTIALS | {"roles": [PARTY, PARTY | {"role": "NSP"}]}) is None
    assert complaint(PARTY, ROLE) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"token": "t" * 65}, "token is not 1 to 64 printable characters"),
        ({"token": "two words"}, "token is not 1 to 64 printable characters"),
        ({"token": ""}, "token is not 1 to 64 printable characters"),
        ({"token": None}, "token is missing"),
        ({"url": "u" * 256}, "url has 256 characters, not 1 to 255"),
        ({"roles": []}, "roles is no list of at least one role"),
        ({"roles": PARTY}, "roles is no list of at least one role"),
        ({"roles": [PARTY, {}]}, "roles: role is missing"),
        ({"roles": [PARTY | {"role": "DRIVER"}]}, "roles: role is none of CPO, EMSP"),
        ({"roles": [PARTY | {"party_id": "EX"}]}, "roles: party_id has 2 characters, not 3"),
        ({"roles": [PARTY | {"business_details": None}]}, "roles: business_details is missing"),
    ],
)
def test_credentials_that_break_a_rule_are_named(change: dict[str, Any], told: str) -> None:
    assert str(credentials_complaint(CREDENTIALS | change)).startswith(told)


@pytest.mark.parametrize(
    ("whitelist", "valid", "status"),
    [
        ("ALWAYS", True, "Accepted"),
        ("ALWAYS", False, "Blocked"),
        ("ALLOWED", True, "Accepted"),
        ("ALLOWED", False, "Blocked"),
        ("ALLOWED_OFFLINE", True, "Accepted"),
        ("ALLOWED_OFFLINE", False, "Blocked"),
        ("NEVER", True, "Blocked"),
        ("NEVER", False, "Blocked"),
    ],
)
def test_the_station_decides_by_whitelist_and_valid(whitelist: str, valid: bool, status: str) -> None:
    decision = decide({"whitelist": whitelist, "valid": valid})

    assert decision.status == status
    assert ("not valid" in decision.reason) is (not valid)
    assert (whitelist in decision.reason) is valid


def test_a_card_that_nobody_told_of_is_unknown() -> None:
    assert decide(None).status == "Unknown"
