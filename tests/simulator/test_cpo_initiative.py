"""What the virtual CPO does of its own accord, against an eMSP written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emsp_by_hand import INVITATION, STAMP, Answer, Emsp, call, emsp_running, said, token

from rfid_station.simulator.cpo.virtual_cpo import PROFILES, CpoProfile, Decides, VirtualCpo

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
UIDS = [f"04E10CDA993C8{number}" for number in range(5)]


@pytest.fixture(params=VERSIONS)
def emsp(request: pytest.FixtureRequest) -> Iterator[Emsp]:
    with emsp_running(request.param) as emsp:
        yield emsp


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo("", CpoProfile(versions=VERSIONS)) as cpo:
        yield cpo


@pytest.fixture
def joined(cpo: VirtualCpo, emsp: Emsp) -> VirtualCpo:
    """A CPO that registered with the eMSP of its own accord."""
    report = cpo.register(emsp.versions_url, INVITATION)
    assert (report.is_done, report.complaints) == (True, ())
    emsp.tokens = [token(uid, emsp.version) for uid in UIDS]
    return cpo


def paths(emsp: Emsp) -> list[str]:
    return [f"{method} {path}" for method, path, _, _ in emsp.asked]


# Registration


def test_it_registers_with_an_invitation(cpo: VirtualCpo, emsp: Emsp) -> None:
    report = cpo.register(emsp.versions_url, INVITATION)

    assert (report.is_done, report.http_status, report.status_code) == (True, 200, 1000)
    assert report.facts == {"version": emsp.version, "parties": ["DE-EXM"]}
    tries = 2 if emsp.version == "2.1.1" else 1  # in Base64 first, then in clear
    assert paths(emsp) == [*["GET /versions"] * tries, "GET /ocpi", "POST /credentials"]
    assert cpo.parties == [("DE", "EXM")]
    sent = emsp.asked[-1][3]
    assert ("roles" in sent) is (emsp.version != "2.1.1")
    assert sent.get("party_id") == ("CPX" if emsp.version == "2.1.1" else None)


def test_its_versions_answer_while_its_own_post_is_open(joined: VirtualCpo, emsp: Emsp) -> None:
    versions, details = emsp.seen_by_call_back

    assert [entry["version"] for entry in versions] == list(VERSIONS)
    assert details["version"] == emsp.version
    roles = [entry.get("role") for entry in details["endpoints"]]
    assert roles == ([None, None] if emsp.version == "2.1.1" else ["RECEIVER", "RECEIVER"])


def test_what_it_handed_out_opens_its_tokens_once_it_is_registered(joined: VirtualCpo, emsp: Emsp) -> None:
    url = f"{emsp.seen_by_call_back[1]['endpoints'][1]['url']}/DE/EXM/{UIDS[0]}"

    assert emsp.call_cpo("PUT", url, token(UIDS[0], emsp.version))[0] == 201
    assert emsp.call_cpo("GET", url)[1]["data"] == token(UIDS[0], emsp.version)


@pytest.mark.parametrize("spoilt", ["/versions", "/ocpi", "/credentials"])
def test_nothing_is_left_of_a_registration_that_fails(cpo: VirtualCpo, emsp: Emsp, spoilt: str) -> None:
    emsp.spoil = lambda method, path, answer: (200, said(3000), {}) if path == spoilt else answer

    report = cpo.register(emsp.versions_url, INVITATION)

    assert (report.is_done, report.status_code) == (False, 3000)
    assert cpo.parties == []
    if emsp.client_token:
        assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 401


def test_a_first_invitation_that_is_wrong_is_said(cpo: VirtualCpo, emsp: Emsp) -> None:
    report = cpo.register(emsp.versions_url, "somebody-else's")

    assert (report.is_done, report.http_status) == (False, 401)


def test_a_version_that_is_not_offered_is_said(cpo: VirtualCpo, emsp: Emsp) -> None:
    other = next(version for version in VERSIONS if version[:3] != emsp.version[:3] and version > "2.2")
    if emsp.version != "2.1.1":
        assert "you do not offer version" in cpo.register(emsp.versions_url, INVITATION, other).words
    assert "9.9 is not spoken here" in cpo.register(emsp.versions_url, INVITATION, "9.9").words


def test_nobody_there_is_said(cpo: VirtualCpo) -> None:
    report = cpo.register("http://127.0.0.1:1/versions", INVITATION)

    assert (report.is_done, report.http_status) == (False, 0)
    assert "no answer" in report.words


def test_both_tokens_change_when_it_rotates(joined: VirtualCpo, emsp: Emsp) -> None:
    before, ours = emsp.client_token, set(emsp.lets_in)

    report = joined.rotate()

    assert (report.is_done, report.complaints) == (True, ())
    assert paths(emsp)[-3:] == ["GET /versions", "GET /ocpi", "PUT /credentials"]
    assert emsp.lets_in != ours
    assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 200
    emsp.client_token = before
    assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 401
    assert joined.pull().is_done


def test_the_old_tokens_work_on_when_rotating_fails(joined: VirtualCpo, emsp: Emsp) -> None:
    before = emsp.client_token
    emsp.spoil = lambda method, path, answer: (200, said(3000), {}) if method == "PUT" else answer

    assert not joined.rotate().is_done

    assert emsp.client_token != before
    assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 401
    emsp.client_token = before
    assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 200


def test_it_unregisters(joined: VirtualCpo, emsp: Emsp) -> None:
    assert joined.unregister().is_done
    assert (joined.parties, emsp.lets_in) == ([], set())
    assert emsp.call_cpo("GET", emsp.cpo_url)[0] == 401
    assert joined.unregister().words == "nobody is registered"


def test_somebody_without_what_is_needed_is_not_registered_with(emsp: Emsp) -> None:
    with VirtualCpo("", CpoProfile(versions=VERSIONS, needs=(("cdrs", "RECEIVER"),))) as cpo:
        assert cpo.register(emsp.versions_url, INVITATION).words == "you do not offer cdrs RECEIVER"


# Pull


def test_the_whole_list_is_read_page_by_page(joined: VirtualCpo, emsp: Emsp) -> None:
    emsp.asked.clear()

    report = joined.pull()

    assert (report.is_done, report.complaints) == (True, ())
    facts = report.facts
    assert {name: facts[name] for name in ("entries", "tokens", "pages", "total", "limit", "gone")} == {
        "entries": 5,
        "tokens": 5,
        "pages": 3,
        "total": 5,
        "limit": 2,
        "gone": 0,
    }
    assert paths(emsp) == [
        "GET /tokens",
        "GET /tokens?offset=2&limit=2",
        "GET /tokens?offset=4&limit=2",
    ]
    assert sorted(held["uid"] for held in joined.tokens.values()) == UIDS
    assert joined.authorize(UIDS[3].lower()).status == "Accepted"


def test_what_is_not_in_the_whole_list_is_held_no_more(joined: VirtualCpo, emsp: Emsp) -> None:
    joined.pull()
    del emsp.tokens[0]

    assert joined.pull().facts["gone"] == 1
    assert sorted(held["uid"] for held in joined.tokens.values()) == UIDS[1:]


def test_a_delta_asks_for_what_changed_and_drops_nothing(joined: VirtualCpo, emsp: Emsp) -> None:
    joined.pull()
    emsp.tokens = [token(UIDS[0], emsp.version, valid=False, last_updated="2999-01-01T00:00:00Z")]

    report = joined.pull(is_delta=True)

    assert "date_from=20" in emsp.asked[-1][1]
    assert (report.facts["entries"], report.facts["gone"], len(joined.tokens)) == (1, 0, 5)
    assert joined.authorize(UIDS[0]).status == "Blocked"


def test_a_delta_goes_on_where_it_was_after_rotating(joined: VirtualCpo, emsp: Emsp) -> None:
    joined.pull()
    joined.rotate()

    assert joined.pull(is_delta=True).facts["entries"] == 0


def test_what_was_pushed_meanwhile_stays(joined: VirtualCpo, emsp: Emsp) -> None:
    url = f"{emsp.seen_by_call_back[1]['endpoints'][1]['url']}/DE/EXM/{UIDS[0]}"
    newer = token(UIDS[0], emsp.version, valid=False, last_updated="2026-01-15T09:30:01Z")
    assert emsp.call_cpo("PUT", url, newer)[0] == 201

    joined.pull()

    assert joined.authorize(UIDS[0]).status == "Blocked"


def spoil_list(change: Any) -> Any:
    def spoil(method: str, path: str, answer: Answer) -> Answer:
        status, content, headers = answer
        if not path.startswith("/tokens") or method != "GET":
            return answer
        return change(status, content, dict(headers))

    return spoil


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s, c, h: (s, c, {n: v for n, v in h.items() if n != "X-Limit"}), "X-Limit is no number"),
        (lambda s, c, h: (s, c, h | {"X-Limit": "1"}), "2 entries, 1 at most"),
        (lambda s, c, h: (s, c | {"data": c["data"][:1] * 2}, h), "once more"),
        (lambda s, c, h: (s, c | {"data": [{**c["data"][0], "valid": 1}]}, h), "neither true nor false"),
        (lambda s, c, h: (s, c | {"data": [{**c["data"][0], "uid": ""}]}, h), "uid has 0 characters"),
        (lambda s, c, h: (s, c | {"timestamp": "now"}, h), "timestamp is not a DateTime"),
        (lambda s, c, h: (s, {n: v for n, v in c.items() if n != "timestamp"}, h), "timestamp"),
    ],
)
def test_pages_that_break_a_rule_are_named(
    joined: VirtualCpo, emsp: Emsp, change: Any, complaint: str
) -> None:
    emsp.spoil = spoil_list(change)

    report = joined.pull()

    assert report.is_done
    assert any(complaint in found for found in report.complaints), report.complaints


def test_a_link_that_drops_the_filter_is_named(joined: VirtualCpo, emsp: Emsp) -> None:
    emsp.spoil = spoil_list(
        lambda s, c, h: (s, c, {n: v.replace("&date_from=2026-01-01T00:00:00Z", "") for n, v in h.items()})
    )

    report = joined.pull(date_from="2026-01-01T00:00:00Z")

    assert any("Link does not repeat date_from" in found for found in report.complaints)


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("<{page}>; rel=next", "the pages do not end"),
        ('<http://elsewhere.example/>; rel="next"', "leads elsewhere"),
        ("{page}", "Link is"),
    ],
)
def test_links_that_lead_nowhere_end_the_pull(joined: VirtualCpo, emsp: Emsp, link: str, told: str) -> None:
    url = link.format(page=f"{emsp.base}/tokens")
    emsp.spoil = spoil_list(lambda s, c, h: (s, c, h | {"Link": url}))

    report = joined.pull()

    assert not report.is_done
    assert told in report.words
    assert joined.tokens == {}


def test_tokens_of_another_party_are_named(joined: VirtualCpo, emsp: Emsp) -> None:
    if emsp.version == "2.1.1":
        assert "party_id" not in emsp.tokens[0]
        return
    emsp.tokens = [token(UIDS[0], emsp.version, party_id="ABC")]

    assert any("of no party of yours" in found for found in joined.pull().complaints)


def test_a_platform_that_reads_pages_only_ignores_what_is_none() -> None:
    with emsp_running("2.1.1") as emsp, VirtualCpo("", PROFILES["gireve"]) as cpo:
        assert cpo.register(emsp.versions_url, INVITATION).is_done
        emsp.tokens, emsp.page_size = [token(uid, "2.1.1") for uid in UIDS], 1000
        emsp.spoil = spoil_list(lambda s, c, h: (s, c, {}))
        assert cpo.pull().facts["tokens"] == 0

        emsp.spoil = lambda method, path, answer: answer
        assert cpo.pull().facts["tokens"] == 5
        assert emsp.asked[-1][1] == "/tokens?limit=1000"


# Real time


def test_it_asks_about_a_card(joined: VirtualCpo, emsp: Emsp) -> None:
    report = joined.ask(UIDS[0])

    assert (report.is_done, report.complaints, report.facts["allowed"]) == (True, (), "ALLOWED")
    method, path, headers, body = emsp.asked[-1]
    assert (method, body) == ("POST", None)
    expected = f"/tokens/{UIDS[0]}/authorize"
    assert path == (expected if emsp.version == "2.1.1" else f"{expected}?type=RFID")
    assert ("X-Request-ID" in headers) is (emsp.version != "2.1.1")
    assert headers.get("OCPI-from-party-id") == (None if emsp.version == "2.1.1" else "CPX")


def test_it_asks_with_a_location(joined: VirtualCpo, emsp: Emsp) -> None:
    where = {"location_id": "LOC1", "evse_uids": ["3256"]}

    report = joined.ask(UIDS[0], location=where)

    assert (report.complaints, emsp.asked[-1][3], report.facts["location"]) == ((), where, where)


def test_a_card_that_nobody_knows_is_said(joined: VirtualCpo, emsp: Emsp) -> None:
    report = joined.ask("04000000000000")

    assert (report.is_done, report.http_status, report.complaints) == (False, 404, ())


@pytest.mark.parametrize(
    ("info", "complaint"),
    [
        ((200, said(1000, {"allowed": "SURE"}), {}), "allowed is none of"),
        ((200, said(1000, {}), {}), "allowed is missing"),
        ((200, said(1000), {}), "the body is no JSON object"),
        ((404, said(2002), {}), "2002 with HTTP 404"),
        ((200, said(2001, {"x": 1}), {}), "data with an error"),
    ],
)
def test_answers_that_break_a_rule_are_named(
    joined: VirtualCpo, emsp: Emsp, info: Answer, complaint: str
) -> None:
    emsp.info = info

    assert any(complaint in found for found in joined.ask(UIDS[0]).complaints)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"token": None}, "token is missing"),
        ({"token": {"uid": UIDS[0]}}, "token is not as it should be: country_code is missing"),
        ({"token": token(UIDS[1])}, f"token is {UIDS[1]}"),
        ({"location": {"location_id": "LOC1"}}, "location, and none was asked for"),
        ({"authorization_reference": "x" * 37}, "authorization_reference has 37 characters"),
        ({"info": {"text": "no"}}, "info is not as it should be: language is missing"),
    ],
)
def test_authorizations_of_2_2_that_break_a_rule_are_named(more: dict[str, Any], complaint: str) -> None:
    with emsp_running("2.2.1") as emsp, VirtualCpo("") as cpo:
        assert cpo.register(emsp.versions_url, INVITATION).is_done
        emsp.info = (200, said(1000, {"allowed": "ALLOWED", "token": token(UIDS[0]), **more}), {})

        assert any(complaint in found for found in cpo.ask(UIDS[0]).complaints)


@pytest.mark.parametrize("told", [{"location_id": "LOC2"}, {"location_id": "LOC1", "evse_uids": ["1", "2"]}])
def test_another_place_than_was_asked_for_is_named(
    joined: VirtualCpo, emsp: Emsp, told: dict[str, Any]
) -> None:
    card = {} if emsp.version == "2.1.1" else {"token": token(UIDS[0])}
    emsp.info = (200, said(1000, {"allowed": "ALLOWED", "location": told, **card}), {})

    complaints = joined.ask(UIDS[0], location={"location_id": "LOC1", "evse_uids": ["1"]}).complaints

    assert any("not what was asked for" in found for found in complaints)


def test_a_404_without_2004_is_named_where_2004_exists() -> None:
    with emsp_running("2.2.1") as emsp, VirtualCpo("") as cpo:
        cpo.register(emsp.versions_url, INVITATION)
        for info in ((404, said(2001), {}), (200, said(2004), {})):
            emsp.info = info
            assert any("an unknown token is 404 with 2004" in found for found in cpo.ask("x").complaints)


def test_headers_that_are_not_sent_back_are_named() -> None:
    with emsp_running("2.2.1") as emsp, VirtualCpo("") as cpo:
        cpo.register(emsp.versions_url, INVITATION)
        emsp.tokens, emsp.sends_back = [token(UIDS[0])], False

        assert set(cpo.ask(UIDS[0]).complaints) == {
            "X-Request-ID was not sent back",
            "X-Correlation-ID was not sent back",
            "OCPI-from-country-code is None, not 'DE'",
            "OCPI-from-party-id is None, not 'EXM'",
            "OCPI-to-country-code is None, not 'NL'",
            "OCPI-to-party-id is None, not 'CPX'",
        }


# The station


@pytest.mark.parametrize(
    ("by", "whitelist", "asked", "status"),
    [
        (Decides.OFFLINE, "ALLOWED", False, "Accepted"),
        (Decides.OFFLINE, "NEVER", False, "Blocked"),
        (Decides.WHITELIST, "ALLOWED", False, "Accepted"),
        (Decides.WHITELIST, "ALWAYS", False, "Accepted"),
        (Decides.WHITELIST, "ALLOWED_OFFLINE", True, "Expired"),
        (Decides.WHITELIST, "NEVER", True, "Expired"),
        (Decides.REAL_TIME, "ALLOWED", True, "Expired"),
        (Decides.REAL_TIME, "ALWAYS", False, "Accepted"),
        (None, "NEVER", True, "Expired"),
    ],
)
def test_the_station_asks_where_it_has_to(
    joined: VirtualCpo, emsp: Emsp, by: Decides | None, whitelist: str, asked: bool, status: str
) -> None:
    held = token(UIDS[0], emsp.version, whitelist=whitelist)
    emsp.tokens = [held]
    joined.pull()
    emsp.asked.clear()
    info = {"allowed": "EXPIRED"} | ({} if emsp.version == "2.1.1" else {"token": held})
    emsp.info = (200, said(1000, info), {})

    decision = joined.authorize(UIDS[0], by)

    assert (bool(emsp.asked), decision.status) == (asked, status)


def test_the_station_falls_back_on_what_it_knows(joined: VirtualCpo, emsp: Emsp) -> None:
    emsp.tokens = [
        token(UIDS[0], emsp.version, whitelist="ALLOWED_OFFLINE"),
        token(UIDS[1], emsp.version, whitelist="NEVER"),
    ]
    joined.pull()
    emsp.info = (500, said(3000), {})

    assert joined.authorize(UIDS[0]).status == "Accepted"
    assert joined.authorize(UIDS[1]).status == "Blocked"


def test_in_real_time_cards_are_let_in_that_nobody_told_of(joined: VirtualCpo, emsp: Emsp) -> None:
    assert joined.authorize(UIDS[0]).status == "Unknown"
    decision = joined.authorize(UIDS[0], Decides.REAL_TIME)

    assert decision.status == "Accepted"
    assert decision.reference == ("" if emsp.version == "2.1.1" else "ref-1")
    assert joined.authorize("04000000000000", Decides.REAL_TIME).status == "Unknown"


# By the control port


def test_all_of_it_is_done_by_the_control_port(cpo: VirtualCpo, emsp: Emsp) -> None:
    emsp.tokens = [token(uid, emsp.version) for uid in UIDS]

    def control(what: str, **given: Any) -> dict[str, Any]:
        status, _, answered = call("POST", f"{cpo.control_url}/{what}", given)
        assert status == 200
        assert answered["is_done"], answered
        assert answered["complaints"] == []
        return dict(answered["facts"])

    given = {"versions_url": emsp.versions_url, "token": INVITATION, "version": emsp.version}
    assert control("register", **given)["parties"] == ["DE-EXM"]
    control("rotate", party="DE-EXM")
    assert control("pull", limit=1)["pages"] == 5
    assert control("pull", delta=True)["entries"] == 0
    assert control("authorize", uid=UIDS[0])["allowed"] == "ALLOWED"
    where = {"location_id": "LOC1"}
    assert control("authorize", uid=UIDS[0], type="RFID", location=where)["location"] == where
    assert call("GET", f"{cpo.control_url}/parties")[2] == ["DE-EXM"]
    by = {"uid": UIDS[0], "by": "real-time", "location": where}
    assert call("POST", cpo.station_url, by)[2]["reason"].startswith("DE-EXM says ALLOWED")
    control("unregister")
    assert call("POST", f"{cpo.control_url}/pull")[2]["words"] == "nobody is registered"


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("register", {}),
        ("register", []),
        ("pull", {"limit": 0}),
        ("pull", {"limit": "x"}),
        ("authorize", {}),
        ("authorize", {"uid": "x", "location": {}}),
        ("restart", {"loses": "patience"}),
        ("client", {"party_id": "CPX"}),
        ("session", {}),
        ("cdr", {"kwh": 7}),
    ],
)
def test_the_control_port_says_what_it_cannot_take(cpo: VirtualCpo, what: str, body: object) -> None:
    assert call("POST", f"{cpo.control_url}/{what}", body)[0] == 400


def test_a_hub_tells_of_the_parties_behind_it() -> None:
    with emsp_running("2.2.1") as emsp, VirtualCpo("", PROFILES["hub"]) as hub:
        assert hub.register(emsp.versions_url, INVITATION).is_done
        emsp.spoil = lambda method, path, answer: (200, said(1000), {})

        assert hub.tell_client("DE", "CPY", "CPO", "SUSPENDED").is_done

        method, path, headers, body = emsp.asked[-1]
        assert (method, path) == ("PUT", "/hubclientinfo/DE/CPY")
        assert "OCPI-from-party-id" not in headers
        assert {name: body[name] for name in ("party_id", "country_code", "role", "status")} == {
            "party_id": "CPY",
            "country_code": "DE",
            "role": "CPO",
            "status": "SUSPENDED",
        }
        assert body["last_updated"] > STAMP
