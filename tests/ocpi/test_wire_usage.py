"""Sessions and CDRs are read in every version, and what we have no use for is not kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rfid_station.domain.charge import Charge
from rfid_station.domain.partner_profile import STANDARD, LetterCase, PartnerProfile, UidOrder
from rfid_station.domain.token import Party
from rfid_station.domain.uid import SIZES, CardUid, why_unusable
from rfid_station.ocpi.wire.told import uid_text
from rfid_station.ocpi.wire.usage import merged, read_cdr, read_session

CPO = Party("NL", "CPO")
TOKEN = {"country_code": "de", "party_id": "exm", "uid": "04e10cda993c80", "type": "rfid"}
PLACE = {
    "id": "LOC1",
    "name": "Gent Zuid",
    "city": "Gent",
    "country": "bel",
    "evse_uid": "3256",
    "evse_id": "BE*BEC*E1",
    "coordinates": {"latitude": "3.729944", "longitude": "51.047599"},
}
SESSION = {
    "country_code": "nl",
    "party_id": "cpo",
    "id": "S1",
    "start_date_time": "2026-03-01T12:00:00Z",
    "kwh": 1.5,
    "cdr_token": TOKEN | {"contract_id": "DE-EXM-C00000001"},
    "currency": "eur",
    "location_id": "LOC1",
    "evse_uid": "3256",
    "status": "active",
    "last_updated": "2026-03-01T12:30:00.1239Z",
    "meter_id": "M1",
    "charging_periods": [{"start_date_time": "2026-03-01T12:00:00Z"}],
}
CDR = {
    **{name: SESSION[name] for name in ("country_code", "party_id", "cdr_token", "currency", "last_updated")},
    "id": "C1",
    "start_date_time": "2026-03-01T12:00:00Z",
    "end_date_time": "2026-03-01T14:00:00+01:00",
    "session_id": "S1",
    "cdr_location": PLACE,
    "total_cost": {"excl_vat": 4.6, "incl_vat": 5.57},
    "total_energy": 11,
    "remark": "Ms. Driver said hello",
    "signed_data": {"encoding_method": "OCMF"},
}
CDR_211 = {
    "id": "C1",
    "start_date_time": "2026-03-01T12:00:00Z",
    "stop_date_time": "2026-03-01T13:00:00Z",
    "auth_id": "DE-EXM-C00000001-8",
    "location": PLACE | {"evses": [{"uid": "3256", "evse_id": "BE*BEC*E1"}]},
    "currency": "EUR",
    "total_cost": 4.6,
    "total_energy": 11,
    "last_updated": "2026-03-01T14:00:00Z",
}


def session(**changed: object) -> Charge:
    return read_session("2.2.1", SESSION | changed, CPO, STANDARD)


def cdr(**changed: object) -> Charge:
    return read_cdr("2.2.1", CDR | changed, CPO, STANDARD)


def test_a_session_is_read() -> None:
    read = session(total_cost={"excl_vat": 1})

    assert (read.party, read.id, read.status) == (CPO, "S1", "ACTIVE")
    assert read.began == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert read.last_updated == datetime(2026, 3, 1, 12, 30, 0, 123_000, tzinfo=UTC)
    assert read.ended is None
    assert (read.token.uid, read.token.type, read.token.party) == (
        "04e10cda993c80",
        "RFID",
        Party("DE", "EXM"),
    )
    assert read.token.readings[0] == "04E10CDA993C80"
    assert f"{read.place}" == "LOC1, 3256"
    assert f"{read.cost}" == "1 EUR"


def test_a_cdr_is_read_and_what_is_of_no_use_is_not_kept() -> None:
    read = cdr()

    assert read.ended == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert (read.session_id, read.is_credit, read.energy_kwh) == ("S1", False, 11)
    assert f"{read.place}" == "Gent Zuid, Gent, BE*BEC*E1, BEL"
    assert f"{read.cost}" == "4.6 EUR (5.57 with taxes)"
    kept = json.loads(read.told)
    assert kept["total_cost"] == CDR["total_cost"]
    assert not {"remark", "signed_data", "charging_periods", "tariffs", "meter_id"} & kept.keys()


def test_a_cdr_of_2_1_1_names_the_contract_alone() -> None:
    read = read_cdr("2.1.1", CDR_211, CPO, STANDARD)

    assert (read.party, read.token.uid, read.token.contract) == (CPO, None, "DE-EXM-C00000001-8")
    assert f"{read.cost}" == "4.6 EUR"
    assert f"{read.place}" == "Gent Zuid, Gent, BE*BEC*E1, BEL"


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (
            {"before_taxes": 10, "taxes": [{"name": "QST", "amount": 0.9}, {"amount": 0.5}]},
            "10 EUR (11.4 with",
        ),
        ({"before_taxes": 10, "taxes": []}, "10 EUR (10 with"),
        ({"before_taxes": 10}, "10 EUR"),
        ({"excl_vat": 10}, "10 EUR"),
    ],
)
@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_a_price_is_read_as_either_version_writes_it(version: str, price: object, words: str) -> None:
    read = read_cdr(version, CDR | {"total_cost": price}, CPO, STANDARD)

    assert f"{read.cost}".startswith(words)


def test_a_credit_is_one() -> None:
    read = cdr(credit=True, credit_reference_id="C0", total_cost={"excl_vat": -4.6})

    assert read.is_credit
    assert not read.let_in
    assert read.cost is not None
    assert read.cost.excl == Decimal("-4.6")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "x" * 40},
        {"id": "line\nend"},
        {"start_date_time": "yesterday"},
        {"start_date_time": "0001-01-01T00:00:00+23:59"},
        {"total_energy": "11"},
        {"total_energy": True},
        {"total_energy": float("inf")},
        {"total_energy": 1e13},
        {"total_cost": 4.6},
        {"total_cost": {}},
        {"currency": "EURO"},
        {"currency": "E\u0301U"},
        {"cdr_token": None},
        {"cdr_token": TOKEN},
        {"country_code": "NLD"},
        {"last_updated": None},
        {"cdr_location": {"city": "\ud800"}},
    ],
)
def test_what_is_no_cdr_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cdr(**wrong)


def test_long_and_odd_texts_are_cut_and_not_refused() -> None:
    read = cdr(cdr_location={"name": "N" * 500, "city": "a\x00\nb"})

    assert len(read.place.location) <= 100
    assert "\x00" not in read.told.encode().decode("unicode_escape")


def test_a_patch_changes_what_it_names() -> None:
    whole = merged(session().told, {"kwh": 3, "status": "COMPLETED", "last_updated": "2026-03-01T13:00:00Z"})
    read = read_session("2.2.1", whole, CPO, STANDARD)

    assert (read.energy_kwh, read.status, read.began) == (3, "COMPLETED", session().began)


@settings(max_examples=50, deadline=None)
@given(st.decimals(min_value=-1_000_000, max_value=1_000_000, places=4))
def test_numbers_are_kept_as_they_were_stated(number: Decimal) -> None:
    read = read_cdr("2.2.1", json.loads(json.dumps(CDR | {"total_energy": float(number)})), CPO, STANDARD)

    assert read.energy_kwh == number


UIDS = st.sampled_from(SIZES).flatmap(lambda size: st.binary(min_size=size, max_size=size))
PROFILES = st.builds(
    PartnerProfile,
    uid_order=st.sampled_from(UidOrder),
    uid_case=st.sampled_from(LetterCase),
    uid_digits=st.sampled_from([0, 14, 20, 36]),
)


@settings(max_examples=50, deadline=None)
@given(UIDS.filter(lambda raw: why_unusable(raw) is None), PROFILES)
def test_a_uid_is_known_again_however_its_partner_was_told_it(raw: bytes, profile: PartnerProfile) -> None:
    uid = CardUid(raw)
    written = uid_text(uid, profile)
    read = read_cdr("2.2.1", CDR | {"cdr_token": TOKEN | {"uid": written, "contract_id": "x"}}, CPO, profile)

    assert uid.hex in read.token.readings
