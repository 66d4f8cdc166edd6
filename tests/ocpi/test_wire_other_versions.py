"""OCPI 2.1.1 and 2.3.0, and what a partner's profile does to a token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.partner import Endpoint
from rfid_station.domain.partner_profile import (
    STANDARD,
    ContractStyle,
    HeaderEncoding,
    LetterCase,
    PartnerProfile,
    UidOrder,
)
from rfid_station.domain.token import Party, Token
from rfid_station.domain.uid import parse_uid
from rfid_station.errors import PartnerRefused, WrongCall
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.wire import v2_1_1, v2_2_1, v2_3_0
from rfid_station.ocpi.wire.told import tell

US = Us(Party("DE", "EXM"), "Example Mobility", "https://exm.example/ocpi/versions")


def test_a_token_of_2_1_1_has_auth_id_and_no_party(token: Token) -> None:
    written = v2_1_1.token_to_wire(tell(replace(token, group_id="FLEET7")))
    assert written == {
        "uid": "04E10CDA993C80",
        "type": "RFID",
        "auth_id": "DE-EXM-C00000042-5",
        "visual_number": "EXM-0000-0042-3",
        "issuer": "Example Mobility",
        "valid": True,
        "whitelist": "ALWAYS",
        "language": "de",
        "last_updated": "2026-01-15T09:30:00Z",
    }


def test_the_party_stands_in_the_url_of_2_1_1_and_the_type_does_not(token: Token) -> None:
    url = v2_1_1.url_of_token("https://cpo.example/ocpi/cpo/2.1.1/tokens/", tell(token))
    assert url == "https://cpo.example/ocpi/cpo/2.1.1/tokens/DE/EXM/04E10CDA993C80"


def test_2_1_1_knows_ascii_only(token: Token) -> None:
    with pytest.raises(WrongCall, match=r"OCPI 2\.1\.1: 'Größe Mobil'"):
        v2_1_1.token_to_wire(tell(replace(token, issuer="Größe Mobil")))


def test_2_3_0_writes_tokens_as_2_2_1_does(token: Token) -> None:
    assert v2_3_0.token_to_wire(tell(token)) == v2_2_1.token_to_wire(tell(token))
    with pytest.raises(WrongCall, match=r"OCPI 2\.3\.0"):
        v2_3_0.token_to_wire(tell(replace(token, issuer="x" * 65)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, []),
        ({"auth_id": "DEEXMC00000042"}, []),
        ({"uid": "04e10cda993c80", "visual_number": "EXM-0000-0042-3"}, []),
        ({"country_code": "XX", "group_id": "whatever"}, []),
        ({"last_updated": "2026-01-15T09:30:00.123Z"}, []),
        ({"valid": False}, ["valid: false there, true here"]),
        ({"auth_id": "DE-EXM-C00000043-3"}, ["auth_id: DE-EXM-C00000043-3 there, DE-EXM-C00000042-5 here"]),
        ({"whitelist": "NEVER"}, ["whitelist: NEVER there, ALWAYS here"]),
    ],
)
def test_differences_are_named_in_2_1_1(token: Token, change: dict[str, Any], named: list[str]) -> None:
    held = v2_1_1.token_to_wire(tell(token)) | change
    assert v2_1_1.differences(tell(token), held) == named


def test_credentials_of_2_1_1_are_flat() -> None:
    assert v2_1_1.credentials_to_wire(US, "server-token") == {
        "token": "server-token",
        "url": "https://exm.example/ocpi/versions",
        "business_details": {"name": "Example Mobility"},
        "party_id": "EXM",
        "country_code": "DE",
    }
    theirs = {"token": "their-token", "url": "https://x", "party_id": "CPX", "country_code": "NL"}
    assert v2_1_1.read_credentials(theirs) == ("their-token", (Party("NL", "CPX"),))
    assert v2_1_1.read_credentials([theirs])[0] == "their-token"


@pytest.mark.parametrize("broken", [{}, None, [], {"token": "a b", "party_id": "CPX", "country_code": "NL"}])
def test_credentials_that_are_none_are_refused_without_being_shown(broken: object) -> None:
    with pytest.raises(PartnerRefused) as refused:
        v2_1_1.read_credentials(broken)
    assert "a b" not in refused.value.message


def test_endpoints_of_2_1_1_get_the_role_that_a_cpo_has_in_them() -> None:
    listed = [{"identifier": name, "url": f"https://cpo.example/{name}"} for name in ("tokens", "Locations")]
    read = v2_1_1.read_endpoints({"version": "2.1.1", "endpoints": [*listed, {"identifier": "odd"}, 7]})
    assert read == (
        Endpoint("tokens", "RECEIVER", "https://cpo.example/tokens"),
        Endpoint("locations", "SENDER", "https://cpo.example/Locations"),
    )
    with pytest.raises(PartnerRefused, match=r"are of '2\.2\.1'"):
        v2_1_1.read_endpoints({"version": "2.2.1", "endpoints": []})


def test_our_endpoints_of_2_1_1_have_no_role() -> None:
    ours = (Endpoint("tokens", "SENDER", "https://e/t"), Endpoint("hubclientinfo", "RECEIVER", "https://e/h"))
    assert v2_1_1.endpoints_to_wire(ours) == {
        "version": "2.1.1",
        "endpoints": [{"identifier": "tokens", "url": "https://e/t"}],
    }


@pytest.mark.parametrize(
    ("profile", "uid"),
    [
        (STANDARD, "04E10CDA993C80"),
        (PartnerProfile(uid_case=LetterCase.LOWER), "04e10cda993c80"),
        (PartnerProfile(uid_order=UidOrder.REVERSED), "803C99DA0CE104"),
        (PartnerProfile(uid_digits=20), "00000004E10CDA993C80"),
        (PartnerProfile(uid_digits=8), "04E10CDA993C80"),
    ],
)
def test_a_partner_gets_the_uid_in_its_own_form(token: Token, profile: PartnerProfile, uid: str) -> None:
    told = tell(token, profile)
    assert told.uid == uid
    assert v2_2_1.url_of_token("https://c.example/t", told).endswith(f"/{uid}?type=RFID")


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (ContractStyle.DASHES, "DE-EXM-C00000042-5"),
        (ContractStyle.COMPACT, "DEEXMC000000425"),
        (ContractStyle.WITHOUT_CHECK, "DEEXMC00000042"),
    ],
)
def test_a_partner_gets_the_contract_in_its_own_form(token: Token, style: ContractStyle, text: str) -> None:
    told = tell(token, PartnerProfile(contract=style))
    assert told.contract_id == text
    assert parse_contract_id(text) == token.contract_id
    assert v2_2_1.differences(told, v2_2_1.token_to_wire(tell(token))) == []


def test_nulls_are_told_where_a_partner_wants_them(token: Token) -> None:
    bare = tell(replace(token, language=None, visual_number=""))
    assert "language" not in v2_2_1.token_to_wire(bare)
    with_nulls = v2_2_1.token_to_wire(bare, nulls=True)
    assert (with_nulls["language"], with_nulls["visual_number"], with_nulls["group_id"]) == (None,) * 3


def test_a_slash_at_the_end_where_a_partner_wants_one(token: Token) -> None:
    url = v2_2_1.url_of_token("https://c.example/t", tell(token), slash=True)
    assert url == "https://c.example/t/DE/EXM/04E10CDA993C80/?type=RFID"


def test_a_uid_that_chargers_cannot_read_is_not_told(token: Token) -> None:
    with pytest.raises(WrongCall, match="UID of 4 bytes; partners of profile standard read 7") as refused:
        tell(replace(token, uid=parse_uid("01020304")), PartnerProfile(uid_sizes=(7,)))
    assert refused.value.hint


def test_the_header_is_as_the_version_says_unless_the_partner_says_otherwise() -> None:
    assert STANDARD.header_of("2.1.1") is HeaderEncoding.CLEAR
    assert STANDARD.header_of("2.2.1") is HeaderEncoding.BASE64
    assert PartnerProfile(header=HeaderEncoding.CLEAR).header_of("2.3.0") is HeaderEncoding.CLEAR


def test_a_profile_file_is_checked_entry_by_entry() -> None:
    read = PartnerProfile.from_table("gireve", {"versions": ["2.1.1"], "credentials_put": False})
    assert (read.versions, read.credentials_put, read.push) == (("2.1.1",), False, True)
    for table, told in [
        ({"versions": ["2.0"]}, "has '2.0' as versions"),
        ({"uid_case": "camel"}, "has 'camel' as uid_case"),
        ({"uid_sizes": ["5"]}, "as uid_sizes"),
        ({"max_rps": -1}, "has -1 as max_rps"),
        ({"page_size": True}, "has True as page_size"),
        ({"push": "yes"}, "has 'yes' as push"),
        ({"endpoints": {"tokens": "ftp://x"}}, "as endpoints.tokens"),
        ({"colour": "red"}, "unknown entry: colour"),
    ]:
        with pytest.raises(WrongCall, match=told) as refused:
            PartnerProfile.from_table("odd", table)
        assert refused.value.hint
