"""What a hub is told: byte for byte what the documents of OICP 2.3 say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import CardUid, parse_uid, why_unusable
from rfid_station.errors import WrongCall
from rfid_station.oicp.wire import Action, expired, is_to_be_held, push_url, removal, upload

TOKEN = Token(
    party=Party("DE", "8EO"),
    uid=parse_uid("7568290fff765f"),
    contract_id=parse_contract_id("DE-8EO-CAET5E4XY-T"),
    visual_number="EXM-1234-5678-2",
    issuer="Example Mobility",
    valid=True,
    whitelist=Whitelist.ALLOWED,
    last_updated=datetime(2026, 1, 1, tzinfo=UTC),
)

# OICP 2.3 for EMPs, Data Types: the patterns as printed there.
UID = re.compile(r"^([0-9A-F]{8,8}|[0-9A-F]{14,14}|[0-9A-F]{20,20})$")
EVCO_ID = re.compile(
    r"^(([A-Za-z]{2}\-?[A-Za-z0-9]{3}\-?C[A-Za-z0-9]{8}\-?[\d|A-Za-z])"
    r"|([A-Za-z]{2}[\*|\-]?[A-Za-z0-9]{3}[\*|\-]?[A-Za-z0-9]{6}[\*|\-]?[\d|X]))$"
)


def test_an_insert_byte_for_byte() -> None:
    assert json.dumps(upload(Action.INSERT, TOKEN), separators=(",", ":")) == (
        '{"ActionType":"insert","ProviderAuthenticationData":{"ProviderID":"DE-8EO",'
        '"AuthenticationDataRecord":[{"Identification":{"RFIDIdentification":'
        '{"UID":"7568290FFF765F","RFID":"mifareFamily","EvcoID":"DE-8EO-CAET5E4XY-T",'
        '"PrintedNumber":"EXM-1234-5678-2"}}}]}}'
    )


def test_an_update_is_the_same_record() -> None:
    insert, update = upload(Action.INSERT, TOKEN), upload(Action.UPDATE, TOKEN)
    assert (insert.pop("ActionType"), update.pop("ActionType")) == ("insert", "update")
    assert insert == update


def test_a_delete_names_the_card_and_nothing_that_may_have_changed() -> None:
    assert json.dumps(removal(TOKEN), separators=(",", ":")) == (
        '{"ActionType":"delete","ProviderAuthenticationData":{"ProviderID":"DE-8EO",'
        '"AuthenticationDataRecord":[{"Identification":{"RFIDIdentification":'
        '{"UID":"7568290FFF765F","RFID":"mifareFamily"}}}]}}'
    )


def test_a_record_that_admits_nobody_has_long_ended() -> None:
    assert json.dumps(expired(TOKEN), separators=(",", ":")) == (
        '{"ActionType":"insert","ProviderAuthenticationData":{"ProviderID":"DE-8EO",'
        '"AuthenticationDataRecord":[{"Identification":{"RFIDIdentification":'
        '{"UID":"7568290FFF765F","RFID":"mifareFamily","ExpiryDate":"2000-01-01T00:00:00+00:00"}}}]}}'
    )


def test_what_may_never_be_sent_cannot_be_written() -> None:
    assert {action.value for action in Action} == {"insert", "update", "delete"}


def test_the_address_is_below_where_the_hub_begins() -> None:
    wanted = "https://service.hubject.com/api/oicp/authdata/v21/providers/DE-8EO/push-request"
    for base in ("https://service.hubject.com/api/oicp", "https://service.hubject.com/api/oicp/"):
        assert push_url(base, TOKEN.party) == wanted


@pytest.mark.parametrize(
    ("valid", "whitelist", "held"),
    [
        (True, Whitelist.ALWAYS, True),
        (True, Whitelist.ALLOWED, True),
        (True, Whitelist.ALLOWED_OFFLINE, True),
        (True, Whitelist.NEVER, False),
        (False, Whitelist.ALWAYS, False),
    ],
)
def test_only_a_card_that_may_charge_without_asking_us_is_held(
    valid: bool, whitelist: Whitelist, held: bool
) -> None:
    assert is_to_be_held(replace(TOKEN, valid=valid, whitelist=whitelist)) is held


@pytest.mark.parametrize("contract", ["DE8EOAET5E4", "DE-8EO-AET5E4-3", "DE-8EO-C00000001"])
def test_contracts_of_both_standards_fit(contract: str) -> None:
    told = _identification(upload(Action.INSERT, replace(TOKEN, contract_id=parse_contract_id(contract))))
    assert EVCO_ID.match(told["EvcoID"])


def test_a_contract_that_oicp_has_no_form_for_is_said_and_can_still_be_withdrawn() -> None:
    token = replace(TOKEN, contract_id=parse_contract_id("DE-8EO-A12E46L89"))
    with pytest.raises(WrongCall, match="an EvcoID has C before its last eight"):
        upload(Action.INSERT, token)
    assert removal(token) == removal(TOKEN)


def test_a_uid_that_the_chargers_cannot_read_is_said() -> None:
    profile = PartnerProfile(uid_sizes=(4,))
    with pytest.raises(WrongCall, match="has a UID of 7 bytes; partners of profile standard read 4"):
        upload(Action.INSERT, TOKEN, profile)


def test_a_long_printed_number_is_said() -> None:
    with pytest.raises(WrongCall, match="has 151 characters"):
        upload(Action.INSERT, replace(TOKEN, visual_number="9" * 151))


@settings(max_examples=60)
@given(st.sampled_from([4, 7, 10]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_every_uid_of_ours_has_the_form_of_oicp_and_keeps_its_order(raw: bytes) -> None:
    if why_unusable(raw):
        return
    told = _identification(upload(Action.INSERT, replace(TOKEN, uid=CardUid(raw))))
    assert UID.match(told["UID"])
    assert bytes.fromhex(told["UID"]) == raw


def _identification(message: dict[str, object]) -> dict[str, str]:
    data = json.loads(json.dumps(message))["ProviderAuthenticationData"]
    (record,) = data["AuthenticationDataRecord"]
    told: dict[str, str] = record["Identification"]["RFIDIdentification"]
    return told
