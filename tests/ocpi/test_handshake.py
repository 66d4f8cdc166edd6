"""Registering with a partner: the whole way, and every step at which it can break."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire_double import WireDouble

from rfid_station.domain.partner import Endpoint
from rfid_station.domain.partner_profile import HeaderEncoding, PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.errors import PartnerError, PartnerRefused, PartnerUnreachable, StationError, WrongCall
from rfid_station.ocpi.handshake import (
    Handshake,
    credentials_url_of,
    needed_endpoints,
    our_credentials,
    register,
    unregister,
)
from rfid_station.ocpi.http import HttpAnswer, HttpRequest
from rfid_station.ocpi.port import Registration, Us
from rfid_station.ocpi.wire.dialect import DIALECTS, highest_common
from rfid_station.simulator.cpo.virtual_cpo import CpoProfile, Encoding, Fault, FaultKind, VirtualCpo

FIRST_TOKEN = "first-token-of-the-partner-9Qx"
SERVER_TOKEN = "server-token-for-the-partner-7Zk"
K = FaultKind

Connect = Callable[..., Registration]


def posts(cpo: VirtualCpo) -> int:
    return sum(entry.method == "POST" for entry in cpo.log)


def test_a_registration_gives_endpoints_parties_and_a_client_token(
    connect: Connect, cpo: VirtualCpo, us: Us
) -> None:
    found = connect()

    base = cpo.versions_url.removesuffix("/versions") + "/2.2.1"
    assert found.connection.version == "2.2.1"
    assert found.connection.versions_url == cpo.versions_url
    assert found.connection.endpoints == (
        Endpoint("credentials", "RECEIVER", f"{base}/credentials"),
        Endpoint("tokens", "RECEIVER", f"{base}/tokens"),
    )
    assert found.connection.parties == (Party("NL", "CPX"),)
    assert found.client_token not in (FIRST_TOKEN, SERVER_TOKEN, "")
    assert cpo.parties == [("DE", "EXM")]


def test_a_first_token_is_used_up(connect: Connect, cpo: VirtualCpo) -> None:
    connect()

    with pytest.raises(PartnerRefused, match="versions cannot be read: HTTP 401") as refused:
        connect()

    assert refused.value.hint == "ask the partner for a new first token: it is used up by one registration"


def test_who_is_registered_already_is_told_so(connect: Connect) -> None:
    found = connect()

    with pytest.raises(PartnerRefused, match=r"has us registered already \(HTTP 405") as refused:
        connect(first_token=found.client_token)

    assert "delete our registration" in str(refused.value.hint)


def test_the_highest_common_version_is_chosen(connect: Connect) -> None:
    with VirtualCpo("first-token", CpoProfile(versions=("2.1.1", "2.2.1", "3.0"))) as cpo:
        found = connect(versions_url=cpo.versions_url, first_token="first-token")

    assert found.connection.version == "2.2.1"
    assert highest_common(["2.0", "2.2.1"]).VERSION == "2.2.1"
    assert [dialect.VERSION for dialect in DIALECTS] == ["2.3.0", "2.2.1", "2.1.1"]
    assert highest_common(["2.3.0", "2.1.1"], ours=["2.1.1", "2.3.0"]).VERSION == "2.1.1"


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        (CpoProfile(versions=("2.0", "2.2")), "speaks OCPI 2.0, 2.2, and we speak 2.3.0, 2.2.1, 2.1.1"),
        (CpoProfile(versions=()), "the partner speaks OCPI in no version, and we speak 2.3.0, 2.2.1, 2.1.1"),
        (
            CpoProfile(modules=(("credentials", "RECEIVER"), ("tokens", "SENDER"), ("cdrs", "SENDER"))),
            "does not offer tokens RECEIVER, but credentials RECEIVER, tokens SENDER, cdrs SENDER;",
        ),
        (CpoProfile(modules=(("tokens", "RECEIVER"),)), "does not offer credentials, but tokens RECEIVER"),
        (CpoProfile(modules=()), "does not offer credentials and tokens RECEIVER, but nothing"),
    ],
)
def test_a_partner_without_what_we_need_gets_no_post(
    connect: Connect, profile: CpoProfile, told: str
) -> None:
    with VirtualCpo("first-token", profile) as cpo:
        with pytest.raises(PartnerRefused) as refused:
            connect(versions_url=cpo.versions_url, first_token="first-token")
        assert posts(cpo) == 0

    assert told in refused.value.message


STEPS = [
    ("versions", "GET", "the partner's versions cannot be read"),
    ("details", "GET", "the partner's details of version 2.2.1 cannot be read"),
    ("credentials", "POST", ""),
]
FAULTS: list[tuple[Fault, type[PartnerError], str]] = [
    (Fault(K.ERROR), PartnerUnreachable, "HTTP 500, OCPI 3000: on demand"),
    (Fault(K.BUSY), PartnerUnreachable, "HTTP 503, without a body"),
    (Fault(K.REFUSE), PartnerRefused, "HTTP 200, OCPI 2001: on demand"),
    (Fault(K.UNAUTHORIZED), PartnerRefused, "HTTP 401"),
    (Fault(K.GARBAGE), PartnerRefused, "HTTP 200, not JSON: <!doctype html>"),
    (Fault(K.CUT), PartnerRefused, "HTTP 200, not JSON: {"),
    (Fault(K.HUGE), PartnerRefused, "more than 1048576 bytes"),
    (Fault(K.ABORT), PartnerUnreachable, "connection closed before message completed"),
    (Fault(K.HANG), PartnerUnreachable, "no answer within 1 s"),
    (Fault(K.REDIRECT, location="https://elsewhere.example/"), PartnerRefused, "which is not followed"),
    (Fault(K.GARBAGE, status=404), PartnerRefused, "HTTP 404"),
]


@pytest.mark.parametrize(("module", "method", "what"), STEPS, ids=[step[0] for step in STEPS])
@pytest.mark.parametrize(
    ("fault", "error", "told"), FAULTS, ids=[f"{fault.kind}-{fault.status}" for fault, *_ in FAULTS]
)
def test_a_fault_at_each_step_is_told_and_another_try_succeeds(
    connect: Connect,
    cpo: VirtualCpo,
    module: str,
    method: str,
    what: str,
    fault: Fault,
    error: type[PartnerError],
    told: str,
) -> None:
    cpo.faults.add(replace(fault, module=module, method=method))

    with pytest.raises(PartnerError) as refused:
        connect(timeout_s=1.0 if fault.kind is K.HANG else 20.0)

    assert type(refused.value) is error
    assert refused.value.message.startswith(what)
    assert told in refused.value.message
    assert refused.value.hint
    assert cpo.parties == []
    cpo.faults.clear()
    assert connect().client_token


def test_after_a_post_without_an_answer_nobody_claims_to_know(connect: Connect, cpo: VirtualCpo) -> None:
    cpo.faults.add(Fault(K.APPLY_HANG, module="credentials"))

    with pytest.raises(PartnerUnreachable, match="whether they were taken is not known") as lost:
        connect(timeout_s=1.5)

    assert "delete our registration" in str(lost.value.hint)
    assert cpo.parties == [("DE", "EXM")]


NOT_ANSWERS = [
    ("versions", '{"status_code": 1000}', "versions are no list, but NoneType"),
    ("versions", '{"status_code": 1000, "data": {"versions": []}}', "versions are no list, but dict"),
    ("versions", '{"status_code": 1000, "data": [7, {"version": "2.2.1"}]}', "in no version"),
    (
        "versions",
        '{"status_code": 1000, "data": [{"version": "2.2.1", "url": "nowhere"}]}',
        "details URL 'nowhere'",
    ),
    (
        "versions",
        '{"status_code": 1000, "data": [{"version": "2.2.1", "url": "http://u:p@127.0.0.1/"}]}',
        "is not a plain http or https URL",
    ),
    (
        "versions",
        '{"status_code": 1000, "data": [{"version": "\\u001b[2J", "url": "x"}]}',
        "speaks OCPI [2J, and",
    ),
    ("details", '{"status_code": 1000, "data": []}', "details cannot be read"),
    ("details", '{"status_code": 1000, "data": {"version": "2.2.1"}}', "endpoints: Field required"),
    ("details", '{"status_code": 1000, "data": {"version": "2.2", "endpoints": []}}', "are of '2.2'"),
    ("details", '{"status_code": 1000, "data": {"version": "2.2.1", "endpoints": [[]]}}', "but nothing"),
    ("credentials", '{"status_code": 1000}', "credentials cannot be used"),
    (
        "credentials",
        '{"status_code": 1000, "data": {"token": "a b", "roles": []}}',
        "credentials cannot be used: token",
    ),
    (
        "credentials",
        '{"status_code": 1000, "data": {"token": 7, "roles": []}}',
        "credentials cannot be used: token",
    ),
]


@pytest.mark.parametrize(("module", "body", "told"), NOT_ANSWERS, ids=[entry[1] for entry in NOT_ANSWERS])
def test_an_answer_of_the_wrong_shape_is_refused(
    connect: Connect, cpo: VirtualCpo, module: str, body: str, told: str
) -> None:
    cpo.faults.add(Fault(K.GARBAGE, module=module, body=body))

    with pytest.raises(PartnerRefused) as refused:
        connect()

    assert told in refused.value.message
    assert refused.value.message.isprintable()


# The call-back


def test_a_server_that_does_not_run_is_named(
    connect: Connect, cpo: VirtualCpo, us: Us, closed_url: str
) -> None:
    with pytest.raises(PartnerRefused, match="3001") as refused:
        connect(us=replace(us, versions_url=closed_url))

    assert f"the partner could not use our server at {closed_url}" in refused.value.message
    assert "[ocpi]" in str(refused.value.hint)
    assert connect().client_token


def test_a_server_token_that_is_not_in_force_is_found_out(connect: Connect, cpo: VirtualCpo, us: Us) -> None:
    with pytest.raises(PartnerRefused, match=f"could not use our server at {us.versions_url}.*HTTP 401"):
        connect(server_token="a-token-that-our-book-does-not-know")

    assert cpo.parties == []


def test_a_partner_that_misses_a_module_of_ours_is_understood(connect: Connect) -> None:
    with (
        VirtualCpo("first-token", CpoProfile(needs=(("tokens", "SENDER"),))) as cpo,
        pytest.raises(PartnerRefused, match=r"misses modules at .*3003: you do not offer tokens SENDER"),
    ):
        connect(versions_url=cpo.versions_url, first_token="first-token")


def test_a_partner_that_finds_no_common_version_is_understood(connect: Connect, cpo: VirtualCpo) -> None:
    cpo.faults.add(Fault(K.REFUSE, module="credentials", code=3002))

    with pytest.raises(PartnerRefused, match=r"no version in common at .*3002"):
        connect()


def test_a_partner_that_broke_while_it_called_us_hints_at_our_server(
    connect: Connect, cpo: VirtualCpo, us: Us
) -> None:
    """Seen with extrawest-ocpi, which answers 3000 when nobody listens at our URL."""
    cpo.faults.add(Fault(K.REFUSE, module="credentials", code=3000))

    with pytest.raises(
        PartnerUnreachable, match="did not take our credentials: HTTP 200, OCPI 3000"
    ) as refused:
        connect()

    assert us.versions_url in str(refused.value.hint)


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (Fault(K.UNAUTHORIZED, module="versions"), "new first token"),
        (Fault(K.ERROR, module="versions"), "try again later"),
        (Fault(K.REFUSE, module="versions", code=3000), "try again later"),
        (Fault(K.ABORT, module="versions"), "and the network"),
        (Fault(K.GARBAGE, module="versions"), "check the versions URL"),
        (Fault(K.REDIRECT, module="versions", location="//x.example"), "check the versions URL"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_each_failure_has_its_remedy(connect: Connect, cpo: VirtualCpo, fault: Fault, hint: str) -> None:
    cpo.faults.add(fault)

    with pytest.raises(PartnerError) as refused:
        connect()

    assert hint in str(refused.value.hint)


# With a partner of answers that nobody gives by accident

Answer = tuple[int, Any]


class Scripted:
    """A partner on https whose three answers are given; it notes what it was asked."""

    def __init__(self, **changed: Any) -> None:
        base = "https://cpo.example"
        self.wire = WireDouble(self.answer)
        self.requests = self.wire.requests
        self.answers: dict[tuple[str, str], Any] = {
            ("GET", "/versions"): [{"version": "2.2.1", "url": f"{base}/details"}],
            ("GET", "/details"): {
                "version": "2.2.1",
                "endpoints": [
                    {"identifier": "credentials", "role": "SENDER", "url": f"{base}/credentials"},
                    {"identifier": "tokens", "role": "RECEIVER", "url": f"{base}/tokens"},
                ],
            },
            ("POST", "/credentials"): {
                "token": "client-token-of-the-partner",
                "url": f"{base}/versions",
                "roles": [{"role": "CPO", "country_code": "NL", "party_id": "CPX"}],
            },
            ("DELETE", "/credentials"): None,
        }
        self.answers[("GET", "/versions")][0] |= changed.pop("version", {})
        for endpoint, url in changed.pop("endpoints", {}).items():
            self.answers[("GET", "/details")]["endpoints"][endpoint]["url"] = url
        self.answers[("POST", "/credentials")] |= changed

    def answer(self, request: HttpRequest) -> HttpAnswer:
        data = self.answers[(request.method, urlsplit(request.url).path)]
        return HttpAnswer(200, {}, json.dumps({"status_code": 1000, "data": data}).encode())


def connect_to(partner: Scripted, us: Us) -> Registration:
    return register(us, "https://cpo.example/versions", FIRST_TOKEN, SERVER_TOKEN, http=partner.wire)


def test_what_is_posted_is_our_credentials_under_the_first_token(us: Us) -> None:
    partner = Scripted()

    assert connect_to(partner, us).client_token == "client-token-of-the-partner"

    post = partner.requests[-1]
    assert json.loads(post.body or b"") == {
        "token": SERVER_TOKEN,
        "url": us.versions_url,
        "roles": [
            {
                "role": "EMSP",
                "party_id": "EXM",
                "country_code": "DE",
                "business_details": {"name": "Example Mobility"},
            }
        ],
    }
    assert post.headers["Authorization"] == f"Token {b64encode(FIRST_TOKEN.encode()).decode()}"
    assert not any(
        name.lower().startswith("ocpi-") for request in partner.requests for name in request.headers
    )


@pytest.mark.parametrize(
    "change",
    [
        {"version": {"url": "http://cpo.example/details"}},
        {"endpoints": {0: "http://cpo.example/credentials"}},
        {"endpoints": {1: "http://cpo.example/tokens"}},
    ],
)
def test_no_token_leaves_an_encrypted_connection_for_a_clear_one(us: Us, change: dict[str, Any]) -> None:
    partner = Scripted(**change)

    with pytest.raises(PartnerRefused, match="is not encrypted"):
        connect_to(partner, us)

    assert all(request.url.startswith("https:") and request.method == "GET" for request in partner.requests)


def test_a_partner_that_is_no_cpo_is_left_again(us: Us) -> None:
    partner = Scripted(roles=[{"role": "HUB", "country_code": "NL", "party_id": "HUB"}])

    with pytest.raises(PartnerRefused, match="names no role CPO"):
        connect_to(partner, us)

    last = partner.requests[-1]
    assert (last.method, last.url) == ("DELETE", "https://cpo.example/credentials")
    assert last.headers["Authorization"] == f"Token {b64encode(b'client-token-of-the-partner').decode()}"


# What is handed in


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"versions_url": "cpo.example"}, "versions URL 'cpo.example'"),
        ({"first_token": "two words"}, "the client token of 9 characters"),
        ({"server_token": ""}, "the server token of 0 characters"),
        ({"server_token": "s" * 65}, "the server token of 65 characters"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(
    connect: Connect, cpo: VirtualCpo, named: dict[str, str], told: str
) -> None:
    with pytest.raises(WrongCall, match=told):
        connect(**named)

    assert cpo.log == []


def test_our_own_url_is_checked_too(connect: Connect, cpo: VirtualCpo, us: Us) -> None:
    with pytest.raises(WrongCall, match="our versions URL"):
        connect(us=replace(us, versions_url="station.example/ocpi/versions"))

    assert cpo.log == []


def test_our_own_name_is_checked_too(connect: Connect, cpo: VirtualCpo, us: Us) -> None:
    with pytest.raises(WrongCall, match="name: String should have at most 100 characters"):
        connect(us=replace(us, name="n" * 101))

    assert posts(cpo) == 0


# Secrets

LEAKS = [
    None,
    Fault(K.REFUSE, module="credentials", message="%"),
    Fault(K.GARBAGE, module="credentials", body="%"),
    Fault(K.GARBAGE, module="credentials", body='{"data": {"token": "client-token-never-shown", "url": "'),
    Fault(
        K.GARBAGE,
        module="credentials",
        body='{"status_code": 1000, "data": {"token": "client-token-never-shown", "roles": 7}}',
    ),
    Fault(K.REFUSE, module="credentials", status=405, message="%"),
    Fault(K.REFUSE, module="credentials", code=3001, message="%"),
]


@pytest.mark.parametrize(
    "fault", LEAKS, ids=lambda fault: fault and f"{fault.kind}-{fault.code}-{fault.body[:30]}"
)
def test_no_token_shows_in_errors_logs_and_reprs(
    connect: Connect, cpo: VirtualCpo, fault: Fault | None, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = [FIRST_TOKEN, SERVER_TOKEN, "client-token-never-shown"]
    echo = " ".join(secrets[:2] + [b64encode(secret.encode()).decode() for secret in secrets[:2]])
    if fault:
        cpo.faults.add(
            replace(fault, message=fault.message.replace("%", echo), body=fault.body.replace("%", echo))
        )
    caplog.set_level(logging.DEBUG)

    shown = ""
    try:
        found = connect()
        secrets.append(found.client_token)
        shown = repr(found)
    except StationError as error:
        shown = repr(error) + str(error.hint) + repr(error.__cause__) + repr(error.__context__)

    assert shown
    for secret in secrets:
        assert secret not in shown + caplog.text + repr(cpo.log)
        assert b64encode(secret.encode()).decode().rstrip("=") not in shown + caplog.text


# What a profile changes


def test_a_partner_that_reads_tokens_in_clear_is_found_out(connect: Connect) -> None:
    """The versions are asked for before the version is known, and with it how a token is written."""
    with VirtualCpo("first-token", CpoProfile(versions=("2.1.1",))) as cpo:
        found = connect(versions_url=cpo.versions_url, first_token="first-token")
        assert found.connection.version == "2.1.1"
        assert [entry.http_status for entry in cpo.log[:3]] == [401, 200, 200]
        cpo.admit("another")
        only = PartnerProfile(versions=("2.1.1",))
        asked = len(cpo.log)
        connect(versions_url=cpo.versions_url, first_token="another", profile=only)
        assert cpo.log[asked].http_status == 200


def test_the_header_is_written_as_the_profile_says(connect: Connect) -> None:
    with VirtualCpo("first-token", CpoProfile(encoding=Encoding.CLEAR)) as cpo:
        named = {"versions_url": cpo.versions_url, "first_token": "first-token"}
        with pytest.raises(PartnerRefused, match="versions cannot be read: HTTP 401") as refused:
            connect(**named, profile=PartnerProfile("odd", header=HeaderEncoding.BASE64))
        assert "wants it written otherwise than in Base64, as profile odd does" in str(refused.value.hint)
        assert connect(**named, profile=PartnerProfile(header=HeaderEncoding.CLEAR)).client_token


def test_the_version_is_the_first_of_the_profile(connect: Connect) -> None:
    with VirtualCpo("first-token", CpoProfile(versions=("2.1.1", "2.2.1", "2.3.0"))) as cpo:
        chosen = PartnerProfile(versions=("2.2.1", "2.3.0"))
        found = connect(versions_url=cpo.versions_url, first_token="first-token", profile=chosen)
    assert found.connection.version == "2.2.1"


def test_a_profile_overrides_what_the_partner_tells(us: Us) -> None:
    partner = Scripted(endpoints={1: "http://wrong.example/tokens"})
    profile = PartnerProfile(endpoints={"tokens": "https://right.example/tokens"})
    url = "https://cpo.example/versions"
    found = register(us, url, FIRST_TOKEN, SERVER_TOKEN, profile=profile, http=partner.wire)
    assert needed_endpoints(found.connection.endpoints, "https://cpo.example/versions", profile)


def test_credentials_are_posted_where_the_profile_says(us: Us) -> None:
    partner = Scripted()
    partner.answers[("POST", "/other")] = partner.answers[("POST", "/credentials")]
    profile = PartnerProfile(endpoints={"credentials": "https://cpo.example/other"})
    url = "https://cpo.example/versions"
    register(us, url, FIRST_TOKEN, SERVER_TOKEN, profile=profile, http=partner.wire)
    assert partner.requests[-1].url == "https://cpo.example/other"


def test_a_partner_that_only_reads_needs_no_receiver(connect: Connect) -> None:
    with VirtualCpo("first-token", CpoProfile(modules=(("credentials", "RECEIVER"),))) as cpo:
        named = {"versions_url": cpo.versions_url, "first_token": "first-token"}
        assert connect(**named, profile=PartnerProfile(push=False)).client_token


@pytest.mark.parametrize(
    ("version", "place"), [("2.1.1", "business_details"), ("2.2.1", "roles"), ("2.3.0", "roles")]
)
def test_optional_fields_are_told_as_null_where_that_is_wanted(us: Us, version: str, place: str) -> None:
    dialect = highest_common([version])
    plain = our_credentials(dialect, us, SERVER_TOKEN, PartnerProfile())
    told = our_credentials(dialect, us, SERVER_TOKEN, PartnerProfile(nulls=True))
    details: Any = told[place] if version == "2.1.1" else told[place][0]["business_details"]  # type: ignore[index]
    assert details == {"name": us.name, "website": None, "logo": None}
    assert ("hub_party_id" in told) is (version == "2.3.0")
    assert "website" not in json.dumps(plain)


# Rotating


def test_a_rotation_gives_new_tokens_for_old(connect: Connect, cpo: VirtualCpo, us: Us) -> None:
    before = connect()
    handshake = Handshake(cpo.versions_url, before.client_token, timeout_s=5.0)
    after = handshake.exchange("PUT", handshake.look(), us, SERVER_TOKEN)
    assert after.connection == before.connection
    assert after.client_token not in (before.client_token, "")
    assert cpo.parties == [("DE", "EXM")]
    with pytest.raises(PartnerRefused, match="HTTP 401"):
        Handshake(cpo.versions_url, before.client_token, timeout_s=5.0).look()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault(K.REFUSE, status=405), PartnerRefused, "credentials_put = false"),
        (Fault(K.UNAUTHORIZED), PartnerRefused, "HTTP 401"),
        (Fault(K.REFUSE, code=3001), PartnerRefused, "could not use our server"),
        (Fault(K.APPLY_HANG), PartnerUnreachable, "partner test"),
        (Fault(K.APPLY_ERROR), PartnerUnreachable, "HTTP 500"),
        (Fault(K.CUT), PartnerUnreachable, "partner test"),
        (
            Fault(K.GARBAGE, body='{"status_code": 1000, "data": {"token": "a b", "roles": []}}'),
            PartnerUnreachable,
            "were taken, but the partner's credentials cannot be used",
        ),
    ],
    ids=lambda value: str(getattr(value, "kind", "")),
)
def test_a_rotation_without_a_clear_no_is_never_called_refused(
    connect: Connect, cpo: VirtualCpo, us: Us, fault: Fault, error: type[PartnerError], words: str
) -> None:
    """Whoever keeps the old server token and drops the new one after these might lock the partner out."""
    before = connect()
    handshake = Handshake(cpo.versions_url, before.client_token, timeout_s=1.0)
    offer = handshake.look()
    cpo.faults.add(replace(fault, module="credentials", method="PUT"))
    with pytest.raises(PartnerError) as failed:
        handshake.exchange("PUT", offer, us, SERVER_TOKEN)
    assert type(failed.value) is error
    assert words in failed.value.message + str(failed.value.hint)
    assert before.client_token not in failed.value.message
    assert SERVER_TOKEN not in failed.value.message


def test_unregistering_ends_the_registration(connect: Connect, cpo: VirtualCpo) -> None:
    found = connect()
    url = credentials_url_of(found.connection, PartnerProfile())
    assert unregister(found, url, timeout_s=5.0).is_acknowledged
    assert cpo.parties == []
    assert unregister(found, url, timeout_s=5.0).http_status == 401
