from __future__ import annotations

import hashlib
import hmac
import inspect
from datetime import date
from pathlib import Path

import pytest
from store_world import ANN, contents, issue, make_older_store, sql, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import (
    Connection,
    Endpoint,
    Partner,
    PartnerState,
    TokenUse,
    profile_table,
)
from rfid_station.domain.partner_profile import (
    STANDARD,
    AfterOutage,
    ContractStyle,
    HeaderEncoding,
    LetterCase,
    Method,
    PartnerProfile,
    Protocol,
    UidOrder,
)
from rfid_station.domain.token import Party, Whitelist
from rfid_station.errors import Conflict, WrongCall
from rfid_station.ocpi.port import Caller, PartnerBook
from rfid_station.store.opening import Store, open_store
from rfid_station.store.partners.registry import Partners, server_token_hash

URL = "https://cpo.example/ocpi/versions"
AGREEMENT = Agreement(date(2026, 1, 1), date(2027, 12, 31), Whitelist.NEVER)
CONNECTION = Connection(
    version="2.2.1",
    versions_url=URL,
    endpoints=(
        Endpoint("tokens", "RECEIVER", "https://cpo.example/tokens"),
        Endpoint("credentials", "RECEIVER", "x"),
    ),
    parties=(Party("DE", "CPO"), Party("NL", "CPO")),
)


def add(store: Store, name: str = "cpo") -> Partner:
    return store.partners.add(name, URL, f"vault:{name}", AGREEMENT, ANN)


def connect(store: Store, name: str, server_token: str) -> Partner:
    store.partners.begin_connecting(name, server_token_hash(server_token))
    return store.partners.finish_connecting(name, CONNECTION, f"vault:{name}:2", ANN)


def caller(store: Store, server_token: str) -> str | None:
    found = store.partners.caller_of(server_token)
    return found.partner if found else None


def test_added_partner_reads_back(store: Store) -> None:
    added = add(store)
    assert added == Partner("cpo", PartnerState.ADDED, URL, "vault:cpo", AGREEMENT)
    assert store.partners.get("cpo") == added


def test_an_open_agreement_reads_back(store: Store) -> None:
    added = store.partners.add("cpo", URL, "ref", Agreement(), ANN)
    assert store.partners.get("cpo").agreement == added.agreement == Agreement()


def test_partners_are_listed_by_name(store: Store) -> None:
    assert store.partners.all() == []
    expected = [add(store, name) for name in ("a", "b", "c")][::1]
    assert store.partners.all() == expected


def test_a_second_partner_of_the_same_name_is_a_conflict(store: Store) -> None:
    add(store)
    with pytest.raises(Conflict, match="there is a partner cpo already, added") as refused:
        add(store)
    assert refused.value.hint == "rfid-station partner list"


def test_an_unknown_partner_is_a_wrong_call_that_lists_the_known_ones(store: Store) -> None:
    with pytest.raises(WrongCall, match="there is no partner 'cpx'") as refused:
        store.partners.get("cpx")
    assert refused.value.hint == "rfid-station partner add --help"
    add(store, "cpo")
    add(store, "another")
    for call in (
        lambda: store.partners.get("cpx"),
        lambda: store.partners.begin_connecting("cpx", "0"),
        lambda: store.partners.abort_connecting("cpx"),
        lambda: store.feed.standing("cpx"),
        lambda: store.feed.advance("cpx", Lane.BULK, 1),
        lambda: store.feed.record_proof("cpx", 1, 1, True, ""),
    ):
        with pytest.raises(WrongCall, match="there is no partner 'cpx'") as refused:
            call()
        assert refused.value.hint == "known partners: another, cpo"


def test_a_new_partner_is_owed_every_token(store: Store) -> None:
    issue(store, 1)
    issue(store, 2)
    add(store)
    standing = store.feed.standing("cpo")
    assert standing.cursors == {Lane.URGENT: 0, Lane.BULK: 0}
    assert (standing.head, standing.behind, standing.parked) == (2, 2, ())


def test_a_handshake_that_succeeds(store: Store) -> None:
    add(store)
    connecting = store.partners.begin_connecting("cpo", server_token_hash("new"))
    assert connecting.state is PartnerState.CONNECTING
    assert caller(store, "new") == "cpo"
    connected = store.partners.finish_connecting("cpo", CONNECTION, "vault:c", ANN)
    assert connected == Partner("cpo", PartnerState.CONNECTED, URL, "vault:c", AGREEMENT, CONNECTION)
    assert store.partners.get("cpo") == connected
    assert caller(store, "new") == "cpo"


def test_a_handshake_that_fails_leaves_nothing(store: Store) -> None:
    added = add(store)
    store.partners.begin_connecting("cpo", server_token_hash("new"))
    assert store.partners.abort_connecting("cpo") == added
    assert store.partners.get("cpo") == added
    assert caller(store, "new") is None


def test_a_failed_second_handshake_keeps_the_first_connection(store: Store) -> None:
    add(store)
    connected = connect(store, "cpo", "first")
    store.partners.begin_connecting("cpo", server_token_hash("second"))
    assert caller(store, "first") == caller(store, "second") == "cpo"
    assert store.partners.abort_connecting("cpo") == connected
    assert caller(store, "first") == "cpo"
    assert caller(store, "second") is None


def test_after_rotation_only_the_new_token_lets_in(store: Store) -> None:
    add(store)
    connect(store, "cpo", "first")
    connect(store, "cpo", "second")
    assert caller(store, "first") is None
    assert caller(store, "second") == "cpo"


def test_a_handshake_that_was_killed_can_be_begun_again(store: Store) -> None:
    add(store)
    store.partners.begin_connecting("cpo", server_token_hash("lost"))
    connect(store, "cpo", "kept")
    assert caller(store, "lost") is None
    assert caller(store, "kept") == "cpo"


def test_finishing_without_a_handshake_is_a_conflict(store: Store) -> None:
    add(store)
    with pytest.raises(Conflict, match="no handshake is going on") as refused:
        store.partners.finish_connecting("cpo", CONNECTION, "x", ANN)
    assert refused.value.hint == "rfid-station partner connect cpo"
    assert store.partners.abort_connecting("cpo").state is PartnerState.ADDED


def test_each_partner_has_its_own_door(store: Store) -> None:
    for name in ("a", "b", "c"):
        add(store, name)
        connect(store, name, f"token-{name}")
    assert [caller(store, f"token-{name}") for name in ("a", "b", "c", "d")] == [
        "a",
        "b",
        "c",
        None,
    ]
    assert caller(store, "") is None
    assert caller(store, "\udcff") is None


def test_every_hash_is_compared_in_constant_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        add(store, name)
        connect(store, name, f"token-{name}")
    compared: list[str] = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda kept, shown: (compared.append(kept), real(kept, shown))[1]
    )
    caller(store, "token-a")
    assert sorted(compared) == sorted(server_token_hash(f"token-{name}") for name in ("a", "b", "c"))


def test_the_store_holds_hashes_and_never_tokens(store: Store, path: Path) -> None:
    add(store)
    connect(store, "cpo", "very-secret")
    text = "\n".join(contents(path))
    assert hashlib.sha256(b"very-secret").hexdigest() in text
    assert "very-secret" not in text


def test_what_happened_to_a_partner_is_witnessed(store: Store) -> None:
    add(store)
    store.partners.begin_connecting("cpo", server_token_hash("x"))
    store.partners.abort_connecting("cpo")
    connect(store, "cpo", "y")
    seen = [
        (event.action, event.actor.name) for event in store.audit.events() if event.subject == "partner:cpo"
    ]
    assert seen == [
        ("partner.added", "ann"),
        ("partner.connecting", "handshake"),
        ("partner.not_connected", "handshake"),
        ("partner.connecting", "handshake"),
        ("partner.connected", "ann"),
    ]


def test_partners_are_the_book_the_server_asks_for() -> None:
    wanted, given = inspect.signature(PartnerBook.caller_of), inspect.signature(Partners.caller_of)
    assert given == wanted


# Profiles

ODD = PartnerProfile(
    name="odd",
    title='a "quoted" title, äöü',
    protocol=Protocol.OICP,
    versions=("2.1.1", "2.2.1"),
    header=HeaderEncoding.CLEAR,
    push=False,
    pull=False,
    authorize=False,
    method=Method.PATCH,
    nulls=True,
    routing=False,
    uid_order=UidOrder.REVERSED,
    uid_case=LetterCase.LOWER,
    uid_digits=20,
    uid_sizes=(4, 7),
    contract=ContractStyle.COMPACT,
    trailing_slash=True,
    page_size=25,
    max_rps=2.5,
    credentials_put=False,
    is_hub=True,
    after_outage=AfterOutage.WAIT_FOR_PULL,
    max_in_flight=3,
    endpoints={"tokens": "https://cpo.example/other"},
    cache_minutes=60.0,
)


@pytest.mark.parametrize("profile", [STANDARD, ODD, PartnerProfile(name="x", title="x")])
def test_a_partner_keeps_its_profile(store: Store, profile: PartnerProfile) -> None:
    added = store.partners.add("cpo", URL, "ref", Agreement(), ANN, profile)
    assert store.partners.get("cpo").profile == added.profile == profile
    assert PartnerProfile.from_table(profile.name, profile_table(profile)) == profile
    assert store.partners.set_profile("cpo", STANDARD, ANN).profile == STANDARD
    assert store.partners.get("cpo").profile == STANDARD


def test_every_entry_of_the_odd_profile_is_odd() -> None:
    assert len(profile_table(ODD)) == len(PartnerProfile.__slots__) - 1


def test_an_unknown_partner_has_no_profile_to_change(store: Store) -> None:
    for call in (
        lambda: store.partners.set_profile("cpx", STANDARD, ANN),
        lambda: store.partners.invite_again("cpx", "0", ANN),
        lambda: store.partners.readmit("cpx", URL, "ref", ANN),
        lambda: store.partners.keep_both("cpx"),
        lambda: store.partners.disconnect("cpx", ANN),
        lambda: store.partners.server_tokens("cpx"),
        lambda: grant(store, "cpx", "t", is_registered=False),
    ):
        with pytest.raises(WrongCall, match="there is no partner 'cpx'"):
            call()


# Partners that come to us


def invite(store: Store, name: str = "cpo", token: str = "guest") -> Partner:
    return store.partners.invite(name, server_token_hash(token), AGREEMENT, ANN, ODD)


def grant(store: Store, name: str, server_token: str, *, is_registered: bool) -> Partner:
    return store.partners.grant(
        name,
        CONNECTION,
        f"vault:{server_token}",
        server_token_hash(server_token),
        is_registered=is_registered,
    )


def test_an_invited_partner_is_a_guest(store: Store) -> None:
    invited = invite(store)
    assert invited == Partner("cpo", PartnerState.INVITED, "", "", AGREEMENT, None, ODD)
    assert store.partners.caller_of("guest") == Caller("cpo", True, False, ODD)
    with pytest.raises(Conflict, match="there is a partner cpo already, invited"):
        invite(store)


def test_a_handshake_of_ours_that_fails_leaves_the_invitation(store: Store) -> None:
    """Both sides have a first token of the other, and whoever comes first ends the other way."""
    add(store)
    invited = store.partners.invite_again("cpo", server_token_hash("guest"), ANN)
    store.partners.begin_connecting("cpo", server_token_hash("offered"))
    assert store.partners.abort_connecting("cpo") == invited
    assert invited.state is PartnerState.INVITED
    assert caller(store, "guest") == "cpo"
    connect(store, "cpo", "first")
    assert caller(store, "guest") is None


def test_a_new_invitation_ends_the_one_before(store: Store) -> None:
    invite(store)
    store.partners.invite_again("cpo", server_token_hash("another"), ANN)
    assert store.partners.caller_of("guest") is None
    assert caller(store, "another") == "cpo"


def test_a_registration_is_confirmed_by_the_first_use_of_its_token(store: Store) -> None:
    invite(store)
    granted = grant(store, "cpo", "first", is_registered=False)
    assert granted == Partner("cpo", PartnerState.CONNECTED, URL, "vault:first", AGREEMENT, CONNECTION, ODD)
    assert store.partners.caller_of("guest") == Caller("cpo", True, True, ODD)
    assert store.partners.server_tokens("cpo") == {TokenUse.GUEST: 1, TokenUse.GRANTED: 1}
    assert store.partners.caller_of("first") == Caller("cpo", False, True, ODD)
    assert store.partners.server_tokens("cpo") == {TokenUse.VALID: 1}
    assert store.partners.caller_of("guest") is None
    assert store.partners.caller_of("first") == Caller("cpo", False, True, ODD)


def test_a_rotation_by_the_partner_overlaps_until_the_new_token_is_shown(store: Store) -> None:
    invite(store)
    grant(store, "cpo", "first", is_registered=False)
    store.partners.caller_of("first")
    grant(store, "cpo", "lost", is_registered=True)
    grant(store, "cpo", "second", is_registered=True)
    assert store.partners.caller_of("lost") is None
    assert caller(store, "first") == "cpo"
    assert caller(store, "second") == "cpo"
    assert store.partners.caller_of("first") is None


@pytest.mark.parametrize("is_registered", [False, True])
def test_a_registration_that_another_one_overtook_is_a_conflict(store: Store, is_registered: bool) -> None:
    if is_registered:
        invite(store)
    else:
        add(store)
        connect(store, "cpo", "ours")
    before = store.partners.get("cpo"), store.partners.server_tokens("cpo")
    with pytest.raises(Conflict, match="by now"):
        grant(store, "cpo", "late", is_registered=is_registered)
    assert (store.partners.get("cpo"), store.partners.server_tokens("cpo")) == before


def test_who_is_called_back_in_our_first_handshake_may_look_and_no_more(store: Store) -> None:
    add(store)
    store.partners.begin_connecting("cpo", server_token_hash("offered"))
    assert store.partners.caller_of("offered") == Caller("cpo", True, True)
    connect(store, "cpo", "first")
    store.partners.begin_connecting("cpo", server_token_hash("second"))
    assert store.partners.caller_of("second") == Caller("cpo", False, True)


# Connections that last, and that end


def test_a_connected_partner_stays_connected_while_its_tokens_rotate(store: Store) -> None:
    add(store)
    connected = connect(store, "cpo", "first")
    assert store.partners.begin_connecting("cpo", server_token_hash("second")) == connected


def test_after_a_rotation_without_an_answer_both_tokens_let_in_until_the_next(store: Store) -> None:
    add(store)
    connect(store, "cpo", "first")
    store.partners.begin_connecting("cpo", server_token_hash("second"))
    store.partners.keep_both("cpo")
    store.partners.begin_connecting("cpo", server_token_hash("third"))
    store.partners.abort_connecting("cpo")
    assert [caller(store, token) for token in ("first", "second", "third")] == ["cpo", "cpo", None]
    connect(store, "cpo", "fourth")
    assert [caller(store, token) for token in ("first", "second", "fourth")] == [None, None, "cpo"]


def test_a_disconnected_partner_gets_all_anew_when_it_comes_back(store: Store) -> None:
    issue(store, 1)
    add(store)
    connect(store, "cpo", "first")
    store.feed.advance("cpo", Lane.BULK, 1)
    gone = store.partners.disconnect("cpo", ANN)
    assert gone == Partner("cpo", PartnerState.DISCONNECTED, URL, "", AGREEMENT)
    assert caller(store, "first") is None
    assert store.feed.standing("cpo").behind == 1
    with pytest.raises(Conflict, match="not connected"):
        store.partners.disconnect("cpo", ANN)
    again = store.partners.readmit("cpo", URL, "vault:new", ANN)
    assert (again.state, again.client_token_ref) == (PartnerState.ADDED, "vault:new")
    assert connect(store, "cpo", "second").state is PartnerState.CONNECTED


def test_a_connected_partner_is_not_invited_and_not_added_again(store: Store) -> None:
    add(store)
    connected = connect(store, "cpo", "first")
    for call in (
        lambda: store.partners.invite_again("cpo", "0" * 64, ANN),
        lambda: store.partners.readmit("cpo", URL, "ref", ANN),
    ):
        with pytest.raises(Conflict, match="cpo is connected already"):
            call()
    assert (store.partners.get("cpo"), caller(store, "first")) == (connected, "cpo")


def test_an_older_store_brings_its_partners_along(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    make_older_store(path, "0002")
    for number, (state, is_new) in enumerate([("connected", 0), ("connecting", 1)], 1):
        sql(
            path,
            "INSERT INTO partner (id, name, state, versions_url, client_token_ref, bulk_cursor,"
            " urgent_cursor) VALUES (?, ?, ?, ?, 'ref', 0, 0)",
            *(number, f"cpo{number}", state, URL),
        )
        hashed = server_token_hash(f"token{number}")
        sql(path, "INSERT INTO server_token VALUES (?, ?, ?)", hashed, number, is_new)
    with open_store(url_of(path)) as store:
        assert [partner.profile for partner in store.partners.all()] == [STANDARD, STANDARD]
        assert [caller(store, f"token{number}") for number in (1, 2)] == ["cpo1", "cpo2"]
        assert store.partners.server_tokens("cpo1") == {TokenUse.VALID: 1}
        assert store.partners.server_tokens("cpo2") == {TokenUse.OFFERED: 1}
        assert store.audit.check().is_sound
