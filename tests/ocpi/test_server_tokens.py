"""The Tokens sender over real HTTP, held against the field tables of the specification."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import ODD, START, VERSIONS, Client, MemoryShelf, served, token

from rfid_station.domain.token import Whitelist
from rfid_station.ocpi.port import Allowed
from rfid_station.ocpi.server import Limits
from rfid_station.simulator.cpo import rules as cpo_rules

MINE = [token(number) for number in range(1, 31)]
BLOCKED, EXPIRED, NO_CREDIT, ELSEWHERE = MINE[1], MINE[2], MINE[3], MINE[4]
GERMAN = token(40, language="de", whitelist=Whitelist.NEVER, group_id="FLEET-1", valid=False)
ODD_ONES = [token(number) for number in range(101, 121)]

TOKEN_FIELDS = {
    "2.1.1": {
        "uid": 36,
        "type": ("RFID", "OTHER"),
        "auth_id": 36,
        "visual_number?": 64,
        "issuer": 64,
        "valid": bool,
        "whitelist": ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"),
        "language?": 2,
        "last_updated": "DateTime",
    },
    "2.2.1": {
        "country_code": 2,
        "party_id": 3,
        "uid": 36,
        "type": ("AD_HOC_USER", "APP_USER", "OTHER", "RFID"),
        "contract_id": 36,
        "visual_number?": 64,
        "issuer": 64,
        "group_id?": 36,
        "valid": bool,
        "whitelist": ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"),
        "language?": 2,
        "default_profile_type?": ("CHEAP", "FAST", "GREEN", "REGULAR"),
        "energy_contract?": dict,
        "last_updated": "DateTime",
    },
}
TOKEN_FIELDS["2.3.0"] = TOKEN_FIELDS["2.2.1"]
"""Section 2 of the reference: a name with ? may be absent; a number is a text's longest length."""

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")


def complaint(value: Any, kind: Any) -> bool:
    if kind == "DateTime":
        return not (isinstance(value, str) and len(value) <= 25 and DATE_TIME.fullmatch(value))
    if isinstance(kind, int):
        return not (isinstance(value, str) and 1 <= len(value) <= kind and value.isprintable())
    if isinstance(kind, tuple):
        return value not in kind
    return not isinstance(value, kind)


def check_fields(found: dict[str, Any], table: dict[str, Any], nulls: bool = False) -> None:
    known = {name.rstrip("?"): (kind, name.endswith("?")) for name, kind in table.items()}
    assert set(found) <= set(known)
    for name, (kind, is_optional) in known.items():
        if is_optional and (name not in found or (nulls and found[name] is None)):
            continue
        assert not complaint(found[name], kind), (name, found.get(name))


@pytest.fixture(scope="module")
def shelf() -> MemoryShelf:
    said = {
        BLOCKED.uid.hex: Allowed.BLOCKED,
        EXPIRED.uid.hex: Allowed.EXPIRED,
        NO_CREDIT.uid.hex: Allowed.NO_CREDIT,
        ELSEWHERE.uid.hex: Allowed.NOT_ALLOWED,
        GERMAN.uid.hex: Allowed.BLOCKED,
    }
    return MemoryShelf({"alpha": [*MINE, GERMAN], "odd": ODD_ONES}, said)


LOG: list[dict[str, object]] = []


@pytest.fixture(scope="module")
def client(shelf: MemoryShelf) -> Iterator[Client]:
    with served(Limits(page=10), shelf=shelf, log=LOG.append) as (client, _):
        yield client


@pytest.mark.parametrize("version", VERSIONS)
def test_details_list_the_module_where_it_is(client: Client, version: str) -> None:
    listed = client.get(f"/ocpi/{version}").data["endpoints"]

    tokens = [entry for entry in listed if entry["identifier"] == "tokens"]
    assert tokens[0].get("role") == (None if version == "2.1.1" else "SENDER")
    assert client.get(tokens[0]["url"]).code == 1000


@pytest.mark.parametrize("version", VERSIONS)
def test_every_token_keeps_the_field_table(client: Client, version: str) -> None:
    tokens = client.crawl(f"/ocpi/{version}/tokens")

    assert [one["uid"] for one in tokens] == [one.uid.hex for one in [*MINE, GERMAN]]
    for one in tokens:
        check_fields(one, TOKEN_FIELDS[version])
    told = tokens[-1]
    assert told["valid"] is False
    assert told["last_updated"] == "2026-01-15T09:30:40Z"
    assert told["auth_id" if version == "2.1.1" else "contract_id"] == str(GERMAN.contract_id)
    if version != "2.1.1":
        assert (told["country_code"], told["party_id"], told["group_id"]) == ("DE", "EXM", "FLEET-1")


def test_a_page_says_where_it_stands(client: Client) -> None:
    first = client.get("/ocpi/2.2.1/tokens?limit=4&date_from=2026-01-15T09:30:03Z")

    assert first.headers["X-Total-Count"] == "29"
    assert first.headers["X-Limit"] == "10"
    assert [one["uid"] for one in first.data] == [one.uid.hex for one in MINE[2:6]]
    assert first.next_url is not None
    assert first.next_url.startswith(f"http://127.0.0.1:{client.port}/ocpi/2.2.1/tokens?")
    assert "date_from=2026-01-15T09:30:03Z" in first.next_url
    assert "limit=4" in first.next_url
    assert "offset=4" in first.next_url
    second = client.get(first.next_url)
    assert [one["uid"] for one in second.data] == [one.uid.hex for one in MINE[6:10]]
    assert len(client.get("/ocpi/2.2.1/tokens?limit=1000").data) == 10
    last = client.get("/ocpi/2.2.1/tokens?offset=30")
    assert (len(last.data), last.next_url) == (1, None)
    assert client.get("/ocpi/2.2.1/tokens?offset=31").data == []
    assert client.get(f"/ocpi/2.2.1/tokens?offset={10**18 - 1}").data == []


def test_an_offset_of_ones_own_wins_over_the_place_in_a_link(client: Client) -> None:
    link = client.get("/ocpi/2.2.1/tokens?limit=5").next_url
    assert link is not None

    back = client.get(link.replace("offset=5", "offset=4"))

    assert back.data[0]["uid"] == MINE[4].uid.hex
    assert client.get(link.replace("after=5.", "after=9.")).data[0]["uid"] == MINE[5].uid.hex
    assert client.get(link + "&after=nonsense").data[0]["uid"] == MINE[5].uid.hex


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("date_from=2026-01-15T09:30:28Z", [28, 29, 30, 40]),
        ("date_from=2026-01-15T09:30:28", [28, 29, 30, 40]),
        ("date_from=2026-01-15T09:30:28.900Z", [28, 29, 30, 40]),
        ("date_from=2026-01-15T10:30:28%2B01:00", [28, 29, 30, 40]),
        ("date_from=2026-01-15T10:30:28+01:00", [28, 29, 30, 40]),
        ("date_to=2026-01-15T09:30:03Z", [1, 2]),
        ("date_from=2026-01-15T09:30:03Z&date_to=2026-01-15T09:30:05Z", [3, 4]),
        ("date_from=2026-01-15T09:30:03Z&date_to=2026-01-15T09:30:03Z", []),
        ("date_from=&date_to=2026-01-15T09:30:02Z&limit=&unheard=of", [1]),
    ],
)
def test_the_window_includes_its_start_and_not_its_end(
    client: Client, query: str, numbers: list[int]
) -> None:
    answer = client.get(f"/ocpi/2.2.1/tokens?{query}")

    assert [int(one["uid"][2:], 16) for one in answer.data] == numbers
    assert answer.headers["X-Total-Count"] == str(len(numbers))


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "offset=-1",
        "offset=1e3",
        "offset=٣",
        "limit=" + "9" * 5000,
        "date_from=yesterday",
        "date_to=2026-13-01T00:00:00Z",
        "date_from=0001-01-01T00:00:00%2B23:00",
        "&".join(["limit=1"] * 40),
    ],
)
def test_a_parameter_that_means_nothing_is_2001(client: Client, query: str) -> None:
    from urllib.parse import quote

    answer = client.get(f"/ocpi/2.2.1/tokens?{quote(query, safe='=&%')}")

    assert (answer.status, answer.code) == (200, 2001)
    assert "data" not in answer.json


def test_each_partner_sees_its_own_as_it_wants_it(client: Client) -> None:
    odd = client.as_("token-of-odd")

    seen = odd.crawl("/ocpi/2.2.1/tokens")

    assert client.as_("token-of-empty").crawl("/ocpi/2.2.1/tokens") == []
    assert [one["uid"] for one in seen] == [one.uid.raw[::-1].hex().rjust(20, "0") for one in ODD_ONES]
    assert seen[0]["contract_id"] == str(ODD_ONES[0].contract_id).replace("-", "")
    assert odd.get("/ocpi/2.2.1/tokens").headers["X-Limit"] == str(ODD.page_size)
    for one in seen:
        check_fields(one, TOKEN_FIELDS["2.2.1"], nulls=True)
        assert one["group_id"] is None
    for written in (seen[0]["uid"], seen[0]["uid"].upper(), seen[0]["uid"].lstrip("0")):
        assert odd.get(f"/ocpi/2.2.1/tokens/{written}").data == seen[0]
    assert odd.get(f"/ocpi/2.2.1/tokens/{MINE[0].uid.raw[::-1].hex()}").code == 2004
    assert client.as_("token-of-nopull").get("/ocpi/2.2.1/tokens").status == 403


def test_a_token_that_cannot_be_told_in_a_version_hides_no_other(shelf: MemoryShelf) -> None:
    strange = token(50, visual_number="K\u00f6ln 50")
    log: list[dict[str, object]] = []
    mine = MemoryShelf({"alpha": [MINE[0], strange, MINE[1]]})
    with served(shelf=mine, log=log.append) as (client, _):
        old, new = client.get("/ocpi/2.1.1/tokens"), client.get("/ocpi/2.2.1/tokens")

    assert [one["uid"] for one in old.data] == [MINE[0].uid.hex, MINE[1].uid.hex]
    assert [one["visual_number"] for one in new.data][1] == "K\u00f6ln 50"
    assert "1 tokens cannot be told" in str(log[0]["trouble"])


@pytest.mark.parametrize("version", VERSIONS)
def test_one_token(client: Client, version: str) -> None:
    uid = GERMAN.uid.hex
    whole = client.crawl(f"/ocpi/{version}/tokens")[-1]

    for target in (uid, uid.lower(), f"{uid}/", f"{uid}?type=RFID", f"{uid}?type=rfid"):
        assert client.get(f"/ocpi/{version}/tokens/{target}").data == whole
    for target in ("04FFFFFFFFFFFF", "not-hex", f"{uid}00", f"{uid}?type=APP_USER", ODD_ONES[0].uid.hex):
        answer = client.get(f"/ocpi/{version}/tokens/{target}")
        assert (answer.status, answer.code) == (404, 2001 if version == "2.1.1" else 2004)
        assert "data" not in answer.json


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (MINE[0], "ALLOWED"),
        (BLOCKED, "BLOCKED"),
        (EXPIRED, "EXPIRED"),
        (NO_CREDIT, "NO_CREDIT"),
        (ELSEWHERE, "NOT_ALLOWED"),
    ],
)
def test_authorize_says_it_in_every_version(client: Client, version: str, asked: Any, allowed: str) -> None:
    answer = client.call("POST", f"/ocpi/{version}/tokens/{asked.uid.hex.lower()}/authorize?type=RFID")

    assert (answer.status, answer.code) == (200, 1000)
    told = answer.data
    assert told.pop("allowed") == allowed
    info = told.pop("info", None)
    if allowed == "ALLOWED":
        assert info is None
    else:
        assert info["language"] == "en"
        assert 1 <= len(info["text"]) <= 512
    if version == "2.1.1":
        assert told == {}
        return
    assert 1 <= len(told.pop("authorization_reference", "r")) <= 36
    check_fields(told.pop("token"), TOKEN_FIELDS[version])
    assert told == {}


def test_a_driver_is_spoken_to_in_the_cards_language(client: Client) -> None:
    info = client.call("POST", f"/ocpi/2.2.1/tokens/{GERMAN.uid.hex}/authorize").data["info"]

    assert info["language"] == "de"
    assert "gesperrt" in info["text"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_location_comes_back(client: Client, version: str) -> None:
    place: dict[str, Any] = {"location_id": "LOC1", "evse_uids": ["3256", "3257"]}
    if version == "2.1.1":
        place |= {"location_id": "L" * 39, "connector_ids": ["1"]}
    url = f"/ocpi/{version}/tokens/{MINE[0].uid.hex}/authorize"

    with_place = client.call("POST", url, json.dumps(place | {"unheard": "of"}).encode())

    assert with_place.data["location"] == place
    for empty in (b"", b" \r\n", b"null", b"{}"):
        answer = client.call("POST", url, empty)
        assert answer.code == 1000
        assert "location" not in answer.data


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 60_000, 400),
        (b"nope", 400),
        (b"[]", 200),
        (b'"LOC1"', 200),
        (b"7", 200),
        (b'{"location_id": ""}', 200),
        (b'{"location_id": "%b"}' % (b"x" * 40), 200),
        (b'{"location_id": 7}', 200),
        (b'{"location_id": "\\ud800"}', 200),
        (b'{"location_id": "L", "evse_uids": "E"}', 200),
        (b'{"location_id": "L", "evse_uids": [null]}', 200),
        (b'{"evse_uids": ["E"]}', 200),
    ],
)
def test_a_body_that_is_no_location_is_2001(client: Client, body: bytes, status: int) -> None:
    answer = client.call("POST", f"/ocpi/2.2.1/tokens/{MINE[0].uid.hex}/authorize", body)

    assert (answer.status, answer.code) == (status, 2001)
    assert "data" not in answer.json


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unknown_token_is_404(client: Client, version: str) -> None:
    for uid in ("04FFFFFFFFFFFF", ODD_ONES[0].uid.hex, "not-hex", "0", "%2F"):
        answer = client.call("POST", f"/ocpi/{version}/tokens/{uid}/authorize")
        assert (answer.status, answer.code) == (404, 2001 if version == "2.1.1" else 2004)
        assert "data" not in answer.json


def test_a_template_that_lacks_its_slash_is_understood(client: Client) -> None:
    assert client.call("POST", f"/ocpi/2.2.1/tokens{MINE[0].uid.hex}/authorize").code == 1000
    assert client.call("POST", f"/ocpi/2.2.1/tokens//{MINE[0].uid.hex}/authorize/").code == 1000


@pytest.mark.parametrize(
    ("method", "rest", "allow"),
    [(method, rest, "GET") for rest in ("", "/04AA") for method in ("POST", "PUT", "PATCH", "DELETE")]
    + [(method, "/04AA/authorize", "POST") for method in ("GET", "PUT", "PATCH", "DELETE")],
)
def test_what_the_module_does_not_do_is_405(client: Client, method: str, rest: str, allow: str) -> None:
    answer = client.call(method, f"/ocpi/2.2.1/tokens{rest}", b"{}")

    assert (answer.status, answer.headers["Allow"]) == (405, allow)


@pytest.mark.parametrize("server_token", [None, "nobody", "token-of-guest"])
@pytest.mark.parametrize("target", ["", "/04AA", "/04AA/authorize", "/a/b/c"])
def test_neither_strangers_nor_guests_get_in(client: Client, server_token: str | None, target: str) -> None:
    answer = client.as_(server_token).get(f"/ocpi/2.2.1/tokens{target}")

    assert (answer.status, answer.code) == (401, 2000)
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_routing_headers_come_back_the_other_way_round(client: Client) -> None:
    asked = {
        "OCPI-from-country-code": "NL",
        "OCPI-from-party-id": "CPO",
        "OCPI-to-country-code": "DE",
        "OCPI-to-party-id": "EXM",
        "X-Request-ID": "r-1",
        "X-Correlation-ID": "c-1",
    }
    names = ("OCPI-from-country-code", "OCPI-from-party-id", "OCPI-to-country-code", "OCPI-to-party-id")

    for target in ("", "/04AA", "?limit=nonsense"):
        headers = client.call("GET", f"/ocpi/2.2.1/tokens{target}", headers=asked).headers
        assert [headers[name] for name in names] == ["DE", "EXM", "NL", "CPO"]
        assert (headers["X-Request-ID"], headers["X-Correlation-ID"]) == ("r-1", "c-1")
    for target in ("/ocpi/versions", "/ocpi/2.2.1/credentials", "/ocpi/2.1.1/tokens"):
        headers = client.call("GET", target, headers=asked).headers
        assert [headers[name] for name in names] == [None] * 4
    plain = client.get("/ocpi/2.3.0/tokens").headers
    assert [plain[name] for name in names] == ["DE", "EXM", None, None]
    odd = client.as_("token-of-odd").get("/ocpi/2.3.0/tokens").headers
    assert [odd[name] for name in names] == [None] * 4


def test_the_envelope_is_whole_everywhere(client: Client) -> None:
    uid = MINE[0].uid.hex
    for method, target in (
        ("GET", "/ocpi/2.2.1/tokens"),
        ("GET", f"/ocpi/2.2.1/tokens/{uid}"),
        ("POST", f"/ocpi/2.2.1/tokens/{uid}/authorize"),
        ("POST", "/ocpi/2.2.1/tokens/04AA/authorize"),
        ("DELETE", "/ocpi/2.2.1/tokens"),
        ("GET", "/ocpi/2.2.1/nothing"),
    ):
        answer = client.call(method, target)
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json) <= {"data", "status_code", "status_message", "timestamp"}
        assert cpo_rules.instant(answer.json["timestamp"])


def test_the_log_has_neither_secrets_nor_whole_uids(client: Client) -> None:
    uid = MINE[6].uid.hex
    LOG.clear()
    client.call("POST", f"/ocpi/2.2.1/tokens/{uid}/authorize", b'{"location_id": "SECRET-PLACE"}')
    client.get(f"/ocpi/2.2.1/tokens/{uid}?type=RFID&odd=SECRET-QUERY", X_Request_ID="r-\xff1")
    client.get(f"/ocpi/2.2.1/tokens/{uid}/SECRET-PATH")
    client.as_("SECRET-TOKEN").get("/ocpi/2.2.1/tokens")
    client.get("/SECRET-PATH")

    # A line is written when its answer was sent.
    until_s = time.monotonic() + 60
    while len(LOG) < 5 and time.monotonic() < until_s:
        time.sleep(0.005)
    written = json.dumps(LOG)
    assert len(LOG) == 5
    assert uid not in written
    assert "SECRET" not in written
    assert "token-of" not in written
    assert [line["endpoint"] for line in LOG] == [
        "tokens.authorize",
        "tokens.one",
        "tokens",
        "tokens",
        "other",
    ]
    assert (LOG[0]["partner"], LOG[0]["status"], LOG[0]["ocpi"]) == ("alpha", 200, 1000)
    assert LOG[0]["uid"] == f"04…{uid[-4:]}"
    assert LOG[1]["request_id"] == "r-?1"


LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
HEADER_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = st.fixed_dictionaries({}, optional={"location_id": JSON_VALUES, "evse_uids": JSON_VALUES})


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    version=st.sampled_from([*VERSIONS, "2.0"]),
    rest=st.text(LETTERS, max_size=30).map(lambda text: text.replace("#", "")),
    query=st.text(LETTERS, max_size=30)
    | st.sampled_from(["limit=1&after=1.1", "offset=1&after=1.-1", "type=%00"]),
    body=st.binary(max_size=40)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | PLACES.map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["X-Request-ID", "OCPI-from-party-id", "OCPI-from-country-code", "OCPI-to-party-id"])
        | st.from_regex(r"[A-Za-z-]{1,12}", fullmatch=True).map(lambda name: f"X-{name}"),
        HEADER_TEXT,
        max_size=4,
    ),
    authorization=st.none() | HEADER_TEXT | HEADER_TEXT.map(lambda text: f"Token {text}"),
    kind=st.sampled_from(["", "/", f"/{MINE[0].uid.hex}", f"/{MINE[0].uid.hex}/authorize"]),
)
def test_nothing_that_is_sent_breaks_us(
    client: Client,
    method: str,
    version: str,
    rest: str,
    query: str,
    body: bytes,
    headers: dict[str, str],
    authorization: str | None,
    kind: str,
) -> None:
    given = dict(headers) | ({"Authorization": authorization} if authorization else {})
    tail = kind or f"/{rest}"
    answer = client.call(method, f"/ocpi/{version}/tokens{tail}?{query}".replace("#", ""), body, given)

    assert answer.status < 500
    if method != "HEAD":
        assert isinstance(answer.code, int)


@settings(max_examples=40, deadline=None)
@given(
    pages=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    start=st.integers(0, 34),
    seconds=st.tuples(st.integers(0, 45), st.integers(0, 45)),
)
def test_a_crawl_in_pages_of_any_size_is_the_list(
    client: Client, pages: list[int], start: int, seconds: tuple[int, int]
) -> None:
    first, last = (f"{START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}" for number in seconds)
    url: str | None = f"/ocpi/2.2.1/tokens?offset={start}&limit={pages[0]}&date_from={first}&date_to={last}"
    found: list[int] = []
    while url:
        answer = client.get(url)
        found += [int(one["uid"][2:], 16) for one in answer.data]
        url = answer.next_url
        if url:
            url = re.sub(r"limit=\d+", f"limit={pages[len(found) % len(pages)]}", url)

    fitting = [n for n in [*range(1, 31), 40] if seconds[0] <= n < seconds[1]]
    assert found == fitting[start:]
