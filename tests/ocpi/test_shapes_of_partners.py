"""Every shape of an object that the specification or a known partner writes is read, or answered as it says.

One table for each object: what comes, and what it has to mean. Values are invented.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import pytest
from served import VERSIONS, Client, MemoryHubClients, MemoryShelf, served, token
from wire_double import WireDouble

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.ocpi.answer import read_answer
from rfid_station.ocpi.client import open_receiver
from rfid_station.ocpi.handshake import read_their_credentials
from rfid_station.ocpi.http import HttpAnswer
from rfid_station.ocpi.port import Allowed
from rfid_station.ocpi.wire.dialect import dialect_of, highest_common
from rfid_station.ocpi.wire.told import tell
from rfid_station.ocpi.wire.transport import read_versions

NEWER = ("2.2.1", "2.3.0")
CPO, HUB, EMSP = Party("NL", "CPO"), Party("NL", "HUB"), Party("NL", "EMS")
NAMED = {"name": "Example CPO"}
LOGO = {
    "url": "https://cpo.example/logo.png",
    "thumbnail": "https://cpo.example/small.png",
    "category": "OPERATOR",
    "type": "png",
    "width": 512,
    "height": 512,
}
FULL = {"name": "Größe Laden GmbH", "website": "https://cpo.example", "logo": LOGO}
EMPTY = {"name": "Example CPO", "website": None, "logo": None}
FLAT = {
    "token": "their-token",
    "url": "https://cpo.example/ocpi/versions",
    "party_id": "CPO",
    "country_code": "NL",
    "business_details": NAMED,
}


def role(name: str, party: Party = CPO, details: object = NAMED, **more: object) -> dict[str, object]:
    return {
        "role": name,
        "party_id": party.party_id,
        "country_code": party.country_code,
        "business_details": details,
        **more,
    }


def credentials(*roles: object, **more: object) -> dict[str, object]:
    return {"token": "their-token", "url": FLAT["url"], "roles": list(roles), **more}


# Credentials (reference 5.4, 6; ocpi-peers 6.1)

HUB_PROFILE = PartnerProfile(is_hub=True)
CREDENTIALS: dict[str, tuple[tuple[str, ...], PartnerProfile, object, tuple[Party, ...]]] = {
    "flat": (("2.1.1",), STANDARD, FLAT, (CPO,)),
    "flat, all details": (("2.1.1",), STANDARD, FLAT | {"business_details": FULL}, (CPO,)),
    "flat, nulls": (("2.1.1",), STANDARD, FLAT | {"business_details": EMPTY}, (CPO,)),
    "flat, no details": (("2.1.1",), STANDARD, {k: FLAT[k] for k in list(FLAT)[:4]}, (CPO,)),
    "flat, in a list": (("2.1.1",), STANDARD, [FLAT], (CPO,)),
    "flat, of a hub": (("2.1.1",), HUB_PROFILE, FLAT | {"party_id": "HUB"}, (HUB,)),
    "one role": (NEWER, STANDARD, credentials(role("CPO")), (CPO,)),
    "one role, all details": (NEWER, STANDARD, credentials(role("CPO", details=FULL)), (CPO,)),
    "one role, nulls": (NEWER, STANDARD, credentials(role("CPO", details=EMPTY)), (CPO,)),
    "in a list": (NEWER, STANDARD, [credentials(role("CPO"))], (CPO,)),
    "small letters": (NEWER, STANDARD, credentials(role("cpo")), (CPO,)),
    "every role": (
        NEWER,
        STANDARD,
        credentials(*(role(name, EMSP) for name in ("EMSP", "NAP", "NSP", "OTHER", "SCSP")), role("CPO")),
        (CPO,),
    ),
    "two operators": (
        NEWER,
        STANDARD,
        credentials(role("CPO"), role("CPO", Party("DE", "TWO"))),
        (CPO, Party("DE", "TWO")),
    ),
    "a role nobody knows": (NEWER, STANDARD, credentials(role("PTP", EMSP), role("CPO")), (CPO,)),
    "fields nobody knows": (
        NEWER,
        STANDARD,
        credentials(role("CPO", x_id=7), nlmsp={"a": [1]}, last_updated="x"),
        (CPO,),
    ),
    "longest token": (NEWER, STANDARD, credentials(role("CPO")) | {"token": "!" * 32 + "~" * 32}, (CPO,)),
    "no hub": (("2.3.0",), STANDARD, credentials(role("CPO"), hub_party_id=None), (CPO,)),
    "behind a hub, alone": (("2.3.0",), STANDARD, credentials(role("CPO"), hub_party_id="NLHUB"), (CPO,)),
    "hub": (("2.2.1",), HUB_PROFILE, credentials(role("HUB", HUB)), (HUB,)),
    "hub, in small letters": (("2.2.1",), HUB_PROFILE, credentials(role("hub", HUB)), (HUB,)),
    "hub with its operators": (
        ("2.3.0",),
        HUB_PROFILE,
        credentials(role("CPO"), role("EMSP", EMSP), hub_party_id="NLHUB"),
        (HUB, CPO),
    ),
}


@pytest.mark.parametrize(
    ("name", "version"), [(name, version) for name, entry in CREDENTIALS.items() for version in entry[0]]
)
def test_credentials(name: str, version: str) -> None:
    _, profile, data, parties = CREDENTIALS[name]

    client_token, read = read_their_credentials(dialect_of(version), data, profile)

    assert (len(client_token) in (11, 64), read) == (True, parties)


# Versions and details (reference 5.1; ocpi-peers 6.1)


def test_every_version_number_may_be_listed() -> None:
    numbers = ("2.0", "2.1", "2.1.1", "2.2", "2.2.1", "2.3.0", "3.0-draft")
    listed = [{"version": number, "url": f"https://cpo.example/{number}"} for number in numbers]

    offered = [one.version for one in read_versions([*listed, {"version": 2.2}, {"url": "x"}, None])]

    assert offered == list(numbers)
    assert highest_common(offered).VERSION == "2.3.0"


MODULES = (
    "cdrs",
    "chargingprofiles",
    "commands",
    "credentials",
    "hubclientinfo",
    "locations",
    "sessions",
    "tariffs",
    "tokens",
    "bookings",
    "payments",
    "nlmsp-tokens",
)


def module(name: str, version: str, role: str = "RECEIVER", **more: object) -> dict[str, object]:
    told = {"identifier": name, "url": f"http://cpo.example/ocpi/{version}/{name}", **more}
    return told if version == "2.1.1" else told | {"role": role}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["object", "list of one"])
def test_details_name_every_module(version: str, wrapped: bool) -> None:
    listed = [module(name, version, note=None) for name in MODULES]
    data: object = {"version": version, "endpoints": listed, "extra": 1}

    read = dialect_of(version).read_endpoints([data] if wrapped else data)

    assert [one.identifier for one in read] == list(MODULES)
    assert Endpoint("tokens", "RECEIVER", f"http://cpo.example/ocpi/{version}/tokens") in read


@pytest.mark.parametrize("version", NEWER)
def test_modules_have_a_role_in_any_case_and_may_be_there_twice(version: str) -> None:
    listed = [module("Tokens", version, "sender"), module("tokens", version, "Receiver")]

    read = dialect_of(version).read_endpoints({"version": version, "endpoints": listed})

    assert [(one.identifier, one.role) for one in read] == [("tokens", "SENDER"), ("tokens", "RECEIVER")]


# Answers of a Tokens receiver (reference 3.1, 4.3; ocpi-peers 5 and 6.1)

AT = "2026-01-15T09:30:00Z"
ACK, NO, DOWN, KEY = Verdict.ACKNOWLEDGED, Verdict.REFUSED, Verdict.UNREACHABLE, Verdict.UNAUTHORIZED
PUT_ANSWERS: dict[str, tuple[int, object, Verdict]] = {
    "created, no data": (201, {"status_code": 1000, "timestamp": AT}, ACK),
    "replaced": (200, {"status_code": 1000, "status_message": "Success", "timestamp": AT}, ACK),
    "null": (200, {"status_code": 1000, "data": None, "status_message": None, "timestamp": AT}, ACK),
    "empty object (Gireve)": (200, {"status_code": 1000, "data": {}, "timestamp": AT}, ACK),
    "object (python-ocpi)": (200, {"status_code": 1000, "data": {"uid": "x"}, "timestamp": AT}, ACK),
    "list of one (extrawest)": (200, {"status_code": 1000, "data": [{"uid": "x"}], "timestamp": AT}, ACK),
    "text": (200, {"status_code": 1000, "data": "", "timestamp": AT}, ACK),
    "own code": (200, {"status_code": 1900, "timestamp": AT}, ACK),
    "no time": (200, {"status_code": 1000}, ACK),
    "time of py-ocpi": (200, {"status_code": 1000, "timestamp": "2026-11-22 05:00:00+00:00"}, ACK),
    "fields nobody knows": (200, {"status_code": 1000, "timestamp": AT, "trace": [1]}, ACK),
    "refused in a 200": (200, {"status_code": 2001, "timestamp": AT}, NO),
    "refused in a 400 (CitrineOS)": (400, {"status_code": 2001, "timestamp": AT}, NO),
    "422 (py-ocpi)": (422, {"detail": [{"loc": ["body"], "msg": "x"}]}, NO),
    "400 (python-ocpi)": (400, {"errors": {"uid": "x"}}, NO),
    "404, nothing (CitrineOS)": (404, None, NO),
    "405": (405, {"status_code": 2000, "timestamp": AT}, NO),
    "its fault in a 200": (200, {"status_code": 3000, "timestamp": AT}, DOWN),
    "401": (401, {"status_code": 2002, "timestamp": AT}, KEY),
    "403 (extrawest)": (403, {"detail": "x"}, KEY),
    "500": (500, "Internal Server Error", DOWN),
    "hub: unknown receiver": (200, {"status_code": 4001, "timestamp": AT}, DOWN),
    "hub: timeout": (200, {"status_code": 4002, "timestamp": AT}, Verdict.AMBIGUOUS),
    "hub: not connected": (200, {"status_code": 4003, "timestamp": AT}, DOWN),
}


@pytest.mark.parametrize("name", PUT_ANSWERS)
def test_answers_to_a_put(name: str) -> None:
    http_status, body, verdict = PUT_ANSWERS[name]
    raw = b"" if body is None else json.dumps(body).encode()

    assert read_answer(http_status, raw).outcome.verdict is verdict


OURS = token(1, language="de")
HELD: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "as told": (VERSIONS, {}),
    "nulls": (VERSIONS, {"group_id": None, "default_profile_type": None, "energy_contract": None}),
    "fields nobody knows": (VERSIONS, {"id": 7, "created": AT, "expiry_date": None}),
    "no Z (python-ocpi)": (VERSIONS, {"last_updated": "2026-01-15T09:30:01"}),
    "offset (py-ocpi)": (VERSIONS, {"last_updated": "2026-01-15 09:30:01+00:00"}),
    "fraction": (VERSIONS, {"last_updated": "2026-01-15T09:30:01.123Z"}),
    "small letters (py-ocpi)": (
        NEWER,
        {
            "uid": OURS.uid.hex.lower(),
            "party_id": "exm",
            "country_code": "de",
            "contract_id": "de-exm-c00000001-x",
        },
    ),
    "small letters in 2.1.1": (("2.1.1",), {"uid": OURS.uid.hex.lower()}),
    "enumerations in small letters": (VERSIONS, {"type": "rfid", "whitelist": "allowed"}),
    "profile and contract of energy": (
        NEWER,
        {"default_profile_type": "GREEN", "energy_contract": {"supplier_name": "Sun", "contract_id": "7"}},
    ),
}


def prove(version: str, http_status: int, body: object) -> tuple[Verdict, list[str] | None]:
    """What becomes of one answer to reading a token back."""
    raw = json.dumps(body).encode()
    http = WireDouble(lambda _: HttpAnswer(http_status, {}, raw))
    receiver = Endpoint("tokens", "RECEIVER", "http://cpo.example/tokens")
    connection = Connection(version, "http://cpo.example/versions", (receiver,), (CPO,))
    opened = open_receiver(connection, "their-token", OURS.party, http=http)
    try:
        outcome, differences = opened.prove(OURS)
    finally:
        opened.close()
    return outcome.verdict, differences


@pytest.mark.parametrize("wrapped", [False, True], ids=["object", "list of one"])
@pytest.mark.parametrize(
    ("name", "version"), [(name, version) for name, entry in HELD.items() for version in entry[0]]
)
def test_tokens_read_back(name: str, version: str, wrapped: bool) -> None:
    change = dict(HELD[name][1])
    told = dialect_of(version).token_to_wire(tell(OURS))
    if "contract_id" in change:
        change["contract_id"] = str(told["contract_id"]).lower()
    held = told | change

    answered = prove(
        version, 200, {"status_code": 1000, "data": [held] if wrapped else held, "timestamp": AT}
    )

    assert answered == (ACK, [])


UNKNOWN: dict[str, tuple[int, object]] = {
    "404 with 2004 (CitrineOS, mock hub)": (404, {"status_code": 2004, "timestamp": AT}),
    "404, no OCPI (extrawest)": (404, {"detail": "Object not found"}),
    "200 with 2004 (python-ocpi)": (200, {"status_code": 2004, "timestamp": AT}),
    "200, empty list": (200, {"status_code": 1000, "data": [], "timestamp": AT}),
    "200, no data": (200, {"status_code": 1000, "timestamp": AT}),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", UNKNOWN)
def test_tokens_that_are_unknown_there(name: str, version: str) -> None:
    assert prove(version, *UNKNOWN[name]) == (ACK, ["unknown there"])


def test_a_500_for_an_unknown_token_says_nothing() -> None:
    """py-ocpi answers so: it is not proven, and not lost either."""
    assert prove("2.2.1", 500, "Internal Server Error") == (DOWN, None)


# What partners ask of us (reference 2.3, 3.2, 4.2, 6)


@pytest.fixture(scope="module")
def partner() -> Iterator[Client]:
    shelf = MemoryShelf({"alpha": [OURS, token(2)]}, {token(2).uid.hex: Allowed.BLOCKED})
    with served(shelf=shelf, hubs=MemoryHubClients()) as (client, _):
        yield client


LOCATIONS: dict[str, tuple[tuple[str, ...], bytes, object]] = {
    "no body": (VERSIONS, b"", None),
    "blanks": (VERSIONS, b" \r\n", None),
    "null": (VERSIONS, b"null", None),
    "empty object": (VERSIONS, b"{}", None),
    "location": (VERSIONS, b'{"location_id": "LOC1"}', {"location_id": "LOC1"}),
    "one EVSE (Gireve)": (
        VERSIONS,
        b'{"location_id": "LOC1", "evse_uids": ["E1"]}',
        {"location_id": "LOC1", "evse_uids": ["E1"]},
    ),
    "several EVSEs": (
        VERSIONS,
        b'{"location_id": "LOC1", "evse_uids": ["E1", "E2"]}',
        {"location_id": "LOC1", "evse_uids": ["E1", "E2"]},
    ),
    "empty list": (
        VERSIONS,
        b'{"location_id": "LOC1", "evse_uids": []}',
        {"location_id": "LOC1", "evse_uids": []},
    ),
    "null lists": (
        VERSIONS,
        b'{"location_id": "LOC1", "evse_uids": null, "connector_ids": null}',
        {"location_id": "LOC1"},
    ),
    "connectors": (
        ("2.1.1",),
        b'{"location_id": "LOC1", "evse_uids": ["E1"], "connector_ids": ["1", "2"]}',
        {"location_id": "LOC1", "evse_uids": ["E1"], "connector_ids": ["1", "2"]},
    ),
    "connectors, removed since": (
        NEWER,
        b'{"location_id": "LOC1", "connector_ids": ["1"]}',
        {"location_id": "LOC1"},
    ),
    "longest id of 2.1.1": (
        ("2.1.1",),
        b'{"location_id": "%b"}' % (b"L" * 39),
        {"location_id": "L" * 39},
    ),
    "longest id": (NEWER, b'{"location_id": "%b"}' % (b"L" * 36), {"location_id": "L" * 36}),
    "fields nobody knows": (VERSIONS, b'{"location_id": "LOC1", "x": {"y": 1}}', {"location_id": "LOC1"}),
}


@pytest.mark.parametrize(
    ("name", "version"), [(name, version) for name, entry in LOCATIONS.items() for version in entry[0]]
)
def test_locations_of_an_authorization(partner: Client, name: str, version: str) -> None:
    _, body, location = LOCATIONS[name]

    answer = partner.call("POST", f"/ocpi/{version}/tokens/{OURS.uid.hex}/authorize", body)

    assert (answer.status, answer.code, answer.data["allowed"]) == (200, 1000, "ALLOWED")
    assert answer.data.get("location") == location
    fields = {"allowed", "token", "authorization_reference"} if version in NEWER else {"allowed"}
    assert set(answer.data) - {"location", "info"} == fields


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("suffix", ["", "/", "?type=RFID", "?type=rfid", "/?type=RFID"])
def test_ways_to_ask_for_an_authorization(partner: Client, version: str, suffix: str) -> None:
    for uid in (OURS.uid.hex, OURS.uid.hex.lower()):
        answer = partner.call("POST", f"/ocpi/{version}/tokens/{uid}/authorize{suffix}")
        assert (answer.status, answer.code) == (200, 1000)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_card_that_may_not_charge_is_answered_with_200(partner: Client, version: str) -> None:
    answer = partner.call("POST", f"/ocpi/{version}/tokens/{token(2).uid.hex}/authorize")

    assert (answer.status, answer.code, answer.data["allowed"]) == (200, 1000, "BLOCKED")
    assert set(answer.data["info"]) == {"language", "text"}


@pytest.mark.parametrize(("version", "code"), [("2.1.1", 2001), ("2.2.1", 2004), ("2.3.0", 2004)])
@pytest.mark.parametrize(
    "asked",
    ["04AAAAAAAAAAAA/authorize", "NOHEX/authorize", "%2F/authorize", "04000000000001/authorize?type=OTHER"],
)
def test_an_unknown_token_is_404_without_data(partner: Client, version: str, code: int, asked: str) -> None:
    answer = partner.call("POST", f"/ocpi/{version}/tokens/{asked}")

    assert (answer.status, answer.code) == (404, code)
    assert "data" not in answer.json


FIELDS = {
    "2.1.1": {
        "uid",
        "type",
        "auth_id",
        "visual_number",
        "issuer",
        "valid",
        "whitelist",
        "language",
        "last_updated",
    },
    "2.2.1": {
        *("country_code", "party_id", "uid", "type", "contract_id", "visual_number", "issuer"),
        *("valid", "whitelist", "language", "last_updated"),
    },
}


@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_as_we_tell_them(partner: Client, version: str) -> None:
    (first, _) = partner.crawl(f"/ocpi/{version}/tokens")
    one = partner.get(f"/ocpi/{version}/tokens/{OURS.uid.hex}?type=RFID")

    assert set(first) == FIELDS["2.1.1" if version == "2.1.1" else "2.2.1"]
    assert one.data == first


TOKEN = "token-of-alpha"
HEADERS = {
    "Base64": b64encode(TOKEN.encode()).decode(),
    "Base64 with a line feed, as printed in the specification": b64encode(f"{TOKEN}\n".encode()).decode(),
    "in clear": TOKEN,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", HEADERS)
def test_tokens_in_the_header(partner: Client, name: str, version: str) -> None:
    assert partner.get(f"/ocpi/{version}", Authorization=f"Token {HEADERS[name]}").status == 200


CLIENTS: dict[str, dict[str, object]] = {
    **{status: {"status": status} for status in ("CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED")},
    **{name: {"role": name} for name in ("CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP")},
    "a role nobody knows": {"role": "PTP"},
    "small letters": {"party_id": "cpo", "country_code": "nl", "role": "cpo", "status": "connected"},
    "no Z": {"last_updated": "2026-01-15T09:30:00"},
    "fraction": {"last_updated": "2026-01-15T09:30:00.123Z"},
    "fields nobody knows": {"name": "Example CPO", "endpoints": []},
}


@pytest.mark.parametrize("version", NEWER)
@pytest.mark.parametrize("name", CLIENTS)
def test_parties_behind_a_hub(partner: Client, name: str, version: str) -> None:
    base = {"party_id": "CPO", "country_code": "NL", "role": "CPO", "status": "CONNECTED", "last_updated": AT}
    told = base | CLIENTS[name]
    url = f"/ocpi/{version}/hubclientinfo/NL/CPO"

    put = partner.call("PUT", url, json.dumps(told).encode())
    read = partner.get(url).data

    assert (put.status, put.code) == (200, 1000)
    assert set(read) == set(base)
    assert (read["status"], read["role"]) == (str(told["status"]).upper(), str(told["role"]).upper())
