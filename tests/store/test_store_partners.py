from __future__ import annotations

import hashlib
import hmac
import inspect
from datetime import date
from pathlib import Path

import pytest
from store_world import ANN, contents, issue

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Connection, Endpoint, Partner, PartnerState
from rfid_station.domain.token import Party, Whitelist
from rfid_station.errors import Conflict, WrongCall
from rfid_station.ocpi.port import PartnerBook
from rfid_station.store.opening import Store
from rfid_station.store.partners import Partners, server_token_hash

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
    assert store.partners.partner_of("new") == "cpo"
    connected = store.partners.finish_connecting("cpo", CONNECTION, "vault:c", ANN)
    assert connected == Partner("cpo", PartnerState.CONNECTED, URL, "vault:c", AGREEMENT, CONNECTION)
    assert store.partners.get("cpo") == connected
    assert store.partners.partner_of("new") == "cpo"


def test_a_handshake_that_fails_leaves_nothing(store: Store) -> None:
    added = add(store)
    store.partners.begin_connecting("cpo", server_token_hash("new"))
    assert store.partners.abort_connecting("cpo") == added
    assert store.partners.get("cpo") == added
    assert store.partners.partner_of("new") is None


def test_a_failed_second_handshake_keeps_the_first_connection(store: Store) -> None:
    add(store)
    connected = connect(store, "cpo", "first")
    store.partners.begin_connecting("cpo", server_token_hash("second"))
    assert store.partners.partner_of("first") == store.partners.partner_of("second") == "cpo"
    assert store.partners.abort_connecting("cpo") == connected
    assert store.partners.partner_of("first") == "cpo"
    assert store.partners.partner_of("second") is None


def test_after_rotation_only_the_new_token_lets_in(store: Store) -> None:
    add(store)
    connect(store, "cpo", "first")
    connect(store, "cpo", "second")
    assert store.partners.partner_of("first") is None
    assert store.partners.partner_of("second") == "cpo"


def test_a_handshake_that_was_killed_can_be_begun_again(store: Store) -> None:
    add(store)
    store.partners.begin_connecting("cpo", server_token_hash("lost"))
    connect(store, "cpo", "kept")
    assert store.partners.partner_of("lost") is None
    assert store.partners.partner_of("kept") == "cpo"


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
    assert [store.partners.partner_of(f"token-{name}") for name in ("a", "b", "c", "d")] == [
        "a",
        "b",
        "c",
        None,
    ]
    assert store.partners.partner_of("") is None
    assert store.partners.partner_of("\udcff") is None


def test_every_hash_is_compared_in_constant_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        add(store, name)
        connect(store, name, f"token-{name}")
    compared: list[str] = []
    real = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda kept, shown: (compared.append(kept), real(kept, shown))[1]
    )
    store.partners.partner_of("token-a")
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
    wanted, given = inspect.signature(PartnerBook.partner_of), inspect.signature(Partners.partner_of)
    assert given == wanted
