"""The virtual CPO as a Tokens receiver of OCPI 2.1.1 and 2.3.0, and of all three at once, seen over HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from emsp_by_hand import Emsp, call, credentials, emsp_running, in_header, token

from rfid_station.simulator.cpo.virtual_cpo import CpoProfile, Encoding, VirtualCpo

FIRST = "first-token-9Qx"
UID = "04E10CDA993C80"


def cpo_of(*versions: str, **more: Any) -> VirtualCpo:
    return VirtualCpo(FIRST, CpoProfile(versions=versions, **more))


class Registered:
    """A party that registered with a CPO by hand."""

    def __init__(self, cpo: VirtualCpo, emsp: Emsp) -> None:
        self.version = emsp.version
        self.base = cpo.versions_url.removesuffix("/versions")
        emsp.lets_in.add("ours")
        slash = "/" if "credentials" in cpo.profile.redirects else ""
        status, _, answered = call(
            "POST",
            f"{self.base}/{self.version}/credentials{slash}",
            credentials(self.version, "ours", emsp.versions_url),
            {"Authorization": in_header(self.version, FIRST)},
        )
        assert (status, answered["status_code"]) == (200, 1000), answered
        self.credentials = answered["data"]
        self.headers = {"Authorization": in_header(self.version, self.credentials["token"])}
        if self.version != "2.1.1":
            self.headers |= {
                "X-Request-ID": "r-1",
                "X-Correlation-ID": "c-1",
                "OCPI-from-country-code": "DE",
                "OCPI-from-party-id": "EXM",
                "OCPI-to-country-code": "NL",
                "OCPI-to-party-id": "CPX",
            }

    def __call__(
        self, method: str, uid: str = UID, body: object = None, party: str = "DE/EXM", query: str = ""
    ) -> tuple[int, int]:
        status, answered = self.whole(method, uid, body, party, query)
        return status, answered["status_code"]

    def whole(
        self, method: str, uid: str = UID, body: object = None, party: str = "DE/EXM", query: str = ""
    ) -> tuple[int, Any]:
        url = f"{self.base}/{self.version}/tokens/{party}/{uid}{query}"
        status, _, answered = call(method, url, body, self.headers)
        return status, answered


@pytest.fixture
def old() -> Iterator[Registered]:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1") as cpo:
        yield Registered(cpo, emsp)


@pytest.fixture
def new() -> Iterator[Registered]:
    with emsp_running("2.3.0") as emsp, cpo_of("2.3.0") as cpo:
        yield Registered(cpo, emsp)


# 2.1.1


def test_in_2_1_1_credentials_are_flat_and_endpoints_have_no_role(old: Registered) -> None:
    assert old.credentials == {
        "token": old.credentials["token"],
        "url": f"{old.base}/versions",
        "country_code": "NL",
        "party_id": "CPX",
        "business_details": {"name": "Virtual CPO"},
    }
    details = call("GET", f"{old.base}/2.1.1", headers=old.headers)[2]["data"]
    assert details["endpoints"] == [
        {"identifier": "credentials", "url": f"{old.base}/2.1.1/credentials"},
        {"identifier": "tokens", "url": f"{old.base}/2.1.1/tokens"},
    ]


def test_in_2_1_1_the_token_stands_in_clear_in_the_header(old: Registered) -> None:
    encoded = b64encode(old.credentials["token"].encode()).decode()

    for path in ("versions", "2.1.1", "2.1.1/credentials", f"2.1.1/tokens/DE/EXM/{UID}"):
        assert call("GET", f"{old.base}/{path}", headers={"Authorization": f"Token {encoded}"})[0] == 401
    assert call("GET", f"{old.base}/versions", headers=old.headers)[0] == 200


def test_in_2_1_1_the_party_is_called_back_in_clear() -> None:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1") as cpo:
        Registered(cpo, emsp)
        called = [(path, headers["Authorization"]) for _, path, headers, _ in emsp.asked]

    assert called == [("/versions", "Token ours"), ("/ocpi", "Token ours")]


@pytest.mark.parametrize("change", ["roles", "party_id", "business_details"])
def test_in_2_1_1_credentials_with_roles_are_no_credentials(change: str) -> None:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1") as cpo:
        sent = credentials("2.1.1", "ours", emsp.versions_url)
        sent.pop(change, None)
        if change == "roles":
            sent = credentials("2.2.1", "ours", emsp.versions_url)
        url = cpo.versions_url.replace("versions", "2.1.1/credentials")
        answered = call("POST", url, sent, {"Authorization": in_header("2.1.1", FIRST)})

        assert (answered[0], answered[2]["status_code"]) == (200, 2001)
        assert emsp.asked == []


def test_in_2_1_1_a_token_is_created_read_changed_and_replaced(old: Registered) -> None:
    sent = token(UID, "2.1.1", visual_number="EXM-1", language="de")

    assert old("GET") == (404, 2001)
    assert old("PUT", body=sent) == (201, 1000)
    assert old.whole("GET")[1]["data"] == sent
    newer = sent | {"last_updated": "2026-01-15T09:30:01Z"}
    assert old("PUT", body=newer) == (200, 1000)
    assert old("PATCH", body={"valid": False}) == (200, 2001)  # changed, and last_updated says not
    assert old("PATCH", body={"valid": False, "last_updated": "2026-01-15T09:30:02Z"}) == (200, 1000)
    assert old.whole("GET")[1]["data"]["valid"] is False


def test_in_2_1_1_a_patch_needs_no_last_updated() -> None:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1", checks_order=False) as cpo:
        caller = Registered(cpo, emsp)
        caller("PUT", body=token(UID, "2.1.1"))
        assert caller("PATCH", body={"valid": False}) == (200, 1000)
        assert cpo.authorize(UID).status == "Blocked"


def test_in_2_1_1_what_later_versions_know_is_not_kept(old: Registered) -> None:
    sent = token(UID, "2.1.1")

    assert old("PUT", body=sent | {"group_id": "g", "country_code": "DE"}) == (201, 1000)
    assert old.whole("GET")[1]["data"] == sent


@pytest.mark.parametrize(
    "change",
    [
        {"auth_id": None},
        {"auth_id": "x" * 37},
        {"type": "APP_USER"},
        {"type": "AD_HOC_USER"},
        {"issuer": "Größe"},
        {"visual_number": "Größe"},
        {"uid": "04E10CDA993C81"},
        {"uid": UID.lower()},
    ],
)
def test_in_2_1_1_what_breaks_a_rule_is_refused(old: Registered, change: dict[str, Any]) -> None:
    assert old("PUT", body=token(UID, "2.1.1") | change) == (200, 2001)


def test_in_2_1_1_case_counts_and_the_type_does_not(old: Registered) -> None:
    old("PUT", body=token(UID, "2.1.1"))

    assert old("GET", UID.lower()) == (404, 2001)
    assert old("GET", party="de/exm") == (404, 2001)
    assert old("PUT", party="de/exm", body=token(UID, "2.1.1")) == (404, 2001)
    assert old("GET", query="?type=OTHER") == (200, 1000)
    other = token(UID, "2.1.1", type="OTHER", last_updated="2026-01-15T09:30:01Z")
    assert old("PUT", body=other) == (200, 1000)
    assert old.whole("GET")[1]["data"] == other


def test_in_2_1_1_a_station_reads_the_card_in_any_case() -> None:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1") as cpo:
        Registered(cpo, emsp)("PUT", body=token(UID, "2.1.1"))

        assert cpo.authorize(UID.lower()).status == "Accepted"
        assert list(cpo.tokens) == [("DE", "EXM", UID, "RFID")]


# 2.3.0


@pytest.mark.parametrize("kind", ["EMAID", "SOMETHING_NEW"])
def test_in_2_3_0_token_types_are_open(new: Registered, kind: str) -> None:
    sent = token(UID, "2.3.0", type=kind)

    assert new("PUT", body=sent, query=f"?type={kind}") == (201, 1000)
    assert new.whole("GET", query=f"?type={kind}")[1]["data"] == sent
    assert new("GET") == (404, 2004)


def test_in_2_3_0_members_that_nobody_knows_are_taken(new: Registered) -> None:
    assert new("PUT", body=token(UID, "2.3.0", colour="blue")) == (201, 1000)
    assert new.whole("GET")[1]["data"] == token(UID, "2.3.0")


def test_in_2_3_0_whitelists_are_not_open(new: Registered) -> None:
    assert new("PUT", body=token(UID, "2.3.0", whitelist="SOMETIMES")) == (200, 2001)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hub_party_id": "NLHUB"}, 1000),
        ({"hub_party_id": "NL-HUB"}, 2001),
        ({"anything": {"else": 1}}, 1000),
        ({"roles": [{"role": "HUB"}]}, 2001),
    ],
)
def test_in_2_3_0_credentials_name_a_hub_apart(change: dict[str, Any], code: int) -> None:
    with emsp_running("2.3.0") as emsp, cpo_of("2.3.0", hub_party_id="DEHUB") as cpo:
        emsp.lets_in.add("ours")
        sent = credentials("2.3.0", "ours", emsp.versions_url)
        if "roles" in change:
            change = {"roles": [{**sent["roles"][0], "role": "HUB"}]}
        url = cpo.versions_url.replace("versions", "2.3.0/credentials")
        answered = call("POST", url, sent | change, {"Authorization": in_header("2.3.0", FIRST)})[2]

        assert answered["status_code"] == code
        if code == 1000:
            assert answered["data"]["hub_party_id"] == "DEHUB"


# All at once


def test_every_version_is_listed_and_its_own_alone_is_used() -> None:
    with emsp_running("2.1.1") as emsp, cpo_of("2.1.1", "2.2.1", "2.3.0") as cpo:
        caller = Registered(cpo, emsp)
        shown = caller.credentials["token"]

        for version in ("2.1.1", "2.2.1"):
            listed = call(
                "GET", f"{caller.base}/versions", headers={"Authorization": in_header(version, shown)}
            )
            assert [entry["version"] for entry in listed[2]["data"]] == ["2.1.1", "2.2.1", "2.3.0"]
        headers = {"Authorization": in_header("2.2.1", shown)}
        assert call("GET", f"{caller.base}/2.2.1", headers=headers)[0] == 200
        assert call("GET", f"{caller.base}/2.2.1/tokens/DE/EXM/{UID}", headers=headers)[0] == 401
        assert caller("PUT", body=token(UID, "2.1.1")) == (201, 1000)


@pytest.mark.parametrize(
    ("encoding", "works"),
    [
        (Encoding.BASE64, {"base64"}),
        (Encoding.CLEAR, {"clear"}),
        (Encoding.EITHER, {"base64", "clear"}),
        (Encoding.BY_VERSION, {"base64"}),
    ],
)
def test_a_token_is_read_as_the_profile_says(encoding: Encoding, works: set[str]) -> None:
    ways = {"clear": f"Token {FIRST}", "base64": in_header("2.2.1", FIRST)}
    with VirtualCpo(FIRST, CpoProfile(encoding=encoding)) as cpo:
        for name, header in ways.items():
            url = cpo.versions_url.replace("versions", "2.2.1")
            status = call("GET", url, headers={"Authorization": header})[0]
            assert (status == 200) is (name in works)
            assert (call("GET", cpo.versions_url, headers={"Authorization": header})[0] == 200) is (
                name in works
            )


def test_nobody_is_asked_for_a_token_at_the_versions_of_some() -> None:
    with cpo_of("2.2.1", versions_encoding=Encoding.NONE) as cpo:
        assert call("GET", cpo.versions_url)[0] == 200
        assert call("GET", cpo.versions_url.replace("versions", "2.2.1"))[0] == 401
