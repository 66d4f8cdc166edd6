"""Each way in which a virtual CPO may differ, seen over HTTP by a party written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from emsp_by_hand import call, emsp_running, in_header, token
from test_cpo_versions import FIRST, UID, Registered

from rfid_station.simulator.cpo.tokens import Rate
from rfid_station.simulator.cpo.virtual_cpo import PROFILES, CpoProfile, VirtualCpo

NEWER = "2026-01-15T09:31:00Z"
Register = Callable[..., Registered]


@pytest.fixture
def register() -> Iterator[Register]:
    """Start a CPO with a profile, and register with it."""
    with ExitStack() as stack:

        def registered(profile: CpoProfile | None = None, version: str = "2.2.1", **more: Any) -> Registered:
            emsp = stack.enter_context(emsp_running(version))
            cpo = stack.enter_context(VirtualCpo(FIRST, profile or CpoProfile(versions=(version,), **more)))
            return Registered(cpo, emsp)

        yield registered


@pytest.mark.parametrize(("name", "profile"), [*PROFILES.items()])
def test_every_profile_lists_what_it_serves(name: str, profile: CpoProfile) -> None:
    with VirtualCpo(FIRST, profile) as cpo:
        headers = {"Authorization": in_header("2.1.1" if name == "gireve" else "2.2.1", FIRST)}
        listed = call("GET", cpo.versions_url, headers=headers)[2]["data"]

        assert [entry["version"] for entry in listed] == list(profile.versions)
        for entry in listed:
            headers = {"Authorization": in_header(entry["version"], FIRST)}
            assert call("GET", entry["url"], headers=headers)[2]["data"]["version"] == entry["version"]


def test_lists_of_one(register: Register) -> None:
    caller = register(wraps_in_list=True)

    assert caller.whole("PUT", body=token(UID))[1]["data"] == [token(UID)]
    assert caller.whole("GET")[1]["data"] == [token(UID)]


@pytest.mark.parametrize(("case", "written"), [("lower", str.lower), ("upper", str.upper)])
def test_ids_in_one_case(register: Register, case: str, written: Callable[[str], str]) -> None:
    caller = register(id_case=case)
    caller("PUT", body=token(UID))

    held = caller.whole("GET")[1]["data"]
    assert held == token(UID) | {
        name: written(token(UID)[name]) for name in ("country_code", "party_id", "uid", "contract_id")
    }


def test_endpoints_that_redirect(register: Register) -> None:
    profile = CpoProfile(redirects=("tokens", "credentials"))
    with emsp_running() as emsp, VirtualCpo(FIRST, profile) as cpo:
        base = cpo.versions_url.removesuffix("versions")
        headers = {"Authorization": in_header("2.2.1", FIRST)}
        status, answered, _ = call("GET", f"{base}2.2.1/credentials", headers=headers)
        assert (status, answered["Location"]) == (307, "/ocpi/2.2.1/credentials/")
        assert call("GET", f"{base}2.2.1/credentials/", headers=headers)[0] == 200
        status, answered, _ = call("PUT", f"{base}2.2.1/tokens/DE/EXM/{UID}?type=RFID", token(UID), headers)
        assert (status, answered["Location"]) == (307, f"/ocpi/2.2.1/tokens/DE/EXM/{UID}/?type=RFID")
        assert emsp.asked == []


def test_patches_that_lose_members(register: Register) -> None:
    caller = register(PROFILES["citrineos"])
    caller("PUT", body=token(UID))

    changes = {"visual_number": "EXM-1", "language": "de", "last_updated": NEWER}
    assert caller("PATCH", body=changes) == (200, 1000)
    held = caller.whole("GET")[1]["data"]
    assert ("visual_number" in held, held["language"], held["valid"]) == (False, "de", False)
    assert caller("PATCH", body={"valid": True, "last_updated": NEWER}) == (200, 1000)
    assert caller.whole("GET")[1]["data"]["valid"] is True
    assert caller("PATCH", body={"valid": True}) == (400, 2001)


def test_routing_headers_that_have_to_be_exact(register: Register) -> None:
    caller = register(PROFILES["citrineos"])
    assert caller("PUT", body=token(UID)) == (200, 1000)

    good = dict(caller.headers)
    for name, value in (("OCPI-to-party-id", "cpx"), ("OCPI-from-party-id", "exm"), ("OCPI-to-party-id", "")):
        caller.headers = good | {name: value}
        assert caller("GET") == (401, 2002)
    caller.headers = good
    assert caller.whole("GET", party="de/exm") == (404, {"detail": "Not Found"})


def test_routing_headers_that_nobody_wants(register: Register) -> None:
    caller = register(wants_routing=False, wants_message_ids=False, echoes_message_ids=False)
    caller.headers = {"Authorization": caller.headers["Authorization"], "X-Request-ID": "r-1"}

    url = f"{caller.base}/2.2.1/tokens/DE/EXM/{UID}"
    status, headers, _ = call("PUT", url, token(UID), caller.headers)
    assert status == 201
    assert "X-Request-ID" not in headers


def test_plain_errors_and_no_checks(register: Register) -> None:
    caller = register(PROFILES["extrawest"])

    assert caller.whole("GET") == (404, {"detail": f"there is no token {UID}"})
    assert caller.whole("PUT", body=token(UID, valid=1)) == (
        422,
        {"detail": "valid is neither true nor false"},
    )
    assert caller("PUT", "another", token(UID)) == (200, 1000)
    assert caller("PUT", party="DE/ABC", body=token(UID)) == (200, 1000)
    assert caller("PUT", body=token(UID, last_updated=NEWER)) == (200, 1000)
    assert caller("PUT", body=token(UID)) == (200, 1000)
    assert caller("PATCH", body={"valid": False}) == (200, 1000)
    assert caller.whole("GET", query="?type=OTHER")[1]["data"][0]["valid"] is False
    caller.headers["Authorization"] = in_header("2.2.1", "nobody")
    assert caller.whole("GET")[0] == 403
    caller.headers["Authorization"] = "Token in-clear"
    assert caller("GET") == (200, 3000)


def test_a_patch_that_has_to_be_whole_and_2004_in_200(register: Register) -> None:
    caller = register(PROFILES["python-ocpi"])

    assert caller("GET") == (200, 2004)
    caller("PUT", body=token(UID))
    assert caller.whole("PATCH", body={"valid": False, "last_updated": NEWER})[0] == 400
    assert caller("PATCH", body=token(UID, valid=False, last_updated=NEWER)) == (200, 1000)


def test_nulls_that_have_to_be_there(register: Register) -> None:
    caller = register(PROFILES["elumobility"], "2.1.1")
    sent = token(UID, "2.1.1")

    assert caller.whole("PUT", body=sent) == (422, {"detail": "visual_number is missing"})
    assert caller("PUT", body=sent | {"visual_number": None, "language": None}) == (200, 1000)


def test_what_platforms_make_of_a_token(register: Register) -> None:
    caller = register(PROFILES["gireve"], "2.1.1")
    assert caller.whole("PUT", body=token(UID, "2.1.1"))[1]["data"] == {}
    assert caller.whole("GET")[1]["data"] == token(UID, "2.1.1", issuer="EXM")
    url = f"{caller.base}/2.1.1/credentials"
    status, headers, _ = call("PUT", url, {}, caller.headers)
    assert (status, headers["Allow"]) == (405, "GET, POST, DELETE")


def test_whitelists_that_are_overruled() -> None:
    with emsp_running() as emsp, VirtualCpo(FIRST, PROFILES["plugsurfing"]) as cpo:
        caller = Registered(cpo, emsp)
        caller.headers |= {"OCPI-to-country-code": "DE", "OCPI-to-party-id": "PSG"}
        assert caller("PUT", body=token(UID, whitelist="NEVER")) == (201, 1000)
        assert caller.whole("GET")[1]["data"]["whitelist"] == "ALLOWED_OFFLINE"
        emsp.asked.clear()
        assert cpo.authorize(UID).status == "Accepted"
        assert emsp.asked == []
        again = token(UID, whitelist="NEVER")
        assert caller("PUT", body=again) == (200, 1000)


def test_requests_beyond_the_rate_are_put_off(register: Register) -> None:
    caller = register(max_rps=2.0)

    answers = [
        call("PUT", f"{caller.base}/2.2.1/tokens/DE/EXM/{UID}", token(UID), caller.headers) for _ in "123456"
    ]

    refused = [
        (headers["Retry-After"], body["status_code"]) for status, headers, body in answers if status == 429
    ]
    assert refused
    assert set(refused) == {("1", 2000)}
    assert answers[0][0] == 201
    deadline = time.monotonic() + 60
    while caller("PUT", body=token(UID))[0] == 429:
        assert time.monotonic() < deadline


def test_a_rate_counts_by_the_clock() -> None:
    now = [0.0]
    rate = Rate(2.0, lambda: now[0])

    assert [rate.wait_s(), rate.wait_s(), rate.wait_s()] == [0.0, 0.0, 0.5]
    now[0] = 0.5
    assert [rate.wait_s(), rate.wait_s()] == [0.0, 0.5]
    now[0] = 100.0
    assert [rate.wait_s(), rate.wait_s(), rate.wait_s()] == [0.0, 0.0, 0.5]
    assert Rate(0.0).wait_s() == 0.0


def test_a_hub_lists_who_stands_behind_it_page_by_page(register: Register) -> None:
    clients = (
        ("NL", "CPX", "CPO", "CONNECTED"),
        ("DE", "CPY", "CPO", "OFFLINE"),
        ("FR", "CPZ", "CPO", "PLANNED"),
    )
    modules = (("credentials", "RECEIVER"), ("hubclientinfo", "SENDER"))
    caller = register(CpoProfile(clients=clients, modules=modules, page_size=2))
    assert caller.credentials["roles"][0]["role"] == "HUB"

    url = f"{caller.base}/2.2.1/hubclientinfo"
    _, headers, first = call("GET", url, headers=caller.headers)
    assert (headers["X-Total-Count"], headers["X-Limit"]) == ("3", "2")
    assert [entry["party_id"] for entry in first["data"]] == ["CPX", "CPY"]
    following = headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
    _, headers, second = call("GET", following, headers=caller.headers)
    assert [entry["status"] for entry in second["data"]] == ["PLANNED"]
    assert "Link" not in headers
    assert call("GET", f"{url}?limit=x", headers=caller.headers)[2]["status_code"] == 2001
