"""Parties behind hubs are kept: the newest state of each, whatever the order in which it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Role
from rfid_station.domain.hub_client import BehindHub, ConnectionStatus, HubClient, behind_hub
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.partners.hub_clients import HubClients

TESS = Actor("Tess", Role.CLERK)
AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
CPO, OTHER = Party("NL", "CPO"), Party("DE", "ABC")
ON, OFF, GONE, SOON = (
    ConnectionStatus.CONNECTED,
    ConnectionStatus.OFFLINE,
    ConnectionStatus.SUSPENDED,
    ConnectionStatus.PLANNED,
)


def client(party: Party = CPO, status: ConnectionStatus = ON, ms: int = 0, role: str = "CPO") -> HubClient:
    return HubClient(party, role, status, AT + timedelta(milliseconds=ms))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with create_store(f"sqlite:///{tmp_path / 'station.db'}", actor=TESS) as store:
        for name in ("hub", "other hub"):
            store.partners.add(name, "http://127.0.0.1:9/ocpi/versions", "", Agreement(), TESS)
        yield store


def test_what_a_hub_told_is_there_after_a_restart(store: Store, tmp_path: Path) -> None:
    clients = HubClients(store.database)
    clients.put("hub", client())
    clients.put("hub", client(OTHER, OFF, 7))
    store.close()

    with open_store(f"sqlite:///{tmp_path / 'station.db'}") as opened:
        clients = HubClients(opened.database)
        assert clients.all("hub") == [client(OTHER, OFF, 7), client()]
        assert clients.get("hub", CPO) == client()
        assert clients.get("hub", Party("NL", "XXX")) is None
        assert clients.all("other hub") == []


@pytest.mark.parametrize(
    ("ms", "status"), [(-1, ON), (0, OFF), (1, OFF)], ids=["older", "at the same time", "newer"]
)
def test_older_never_replaces_newer(store: Store, ms: int, status: ConnectionStatus) -> None:
    clients = HubClients(store.database)
    clients.put("hub", client())

    clients.put("hub", client(status=OFF, ms=ms))

    assert [one.status for one in clients.all("hub")] == [status]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(st.sampled_from([CPO, OTHER]), st.integers(0, 5)), max_size=12))
def test_in_any_order_the_newest_state_stays(store: Store, told: list[tuple[Party, int]]) -> None:
    clients = HubClients(store.database)
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM hub_client")

    for party, ms in told:
        clients.put("hub", client(party, OFF if ms % 2 else ON, ms))

    newest = {party: max(ms for p, ms in told if p == party) for party, _ in told}
    assert {one.party: one for one in clients.all("hub")} == {
        party: client(party, OFF if ms % 2 else ON, ms) for party, ms in newest.items()
    }


def test_what_is_known_already_is_not_written(store: Store, tmp_path: Path) -> None:
    clients = HubClients(store.database)
    clients.put("hub", client())
    with store.database.write():  # whoever writes now would wait, and then give up
        clients.put("hub", client())
        clients.put("hub", client(status=OFF, ms=-1))


def test_a_party_with_two_roles_is_two(store: Store) -> None:
    clients = HubClients(store.database)
    clients.put("hub", client(role="EMSP", ms=5))
    clients.put("hub", client())

    assert [one.role for one in clients.all("hub")] == ["CPO", "EMSP"]
    assert clients.get("hub", CPO) == client(role="EMSP", ms=5)


def test_a_hub_has_no_end_of_parties(store: Store) -> None:
    clients = HubClients(store.database, most=2)
    clients.put("hub", client(Party("NL", "AAA")))
    clients.put("hub", client(Party("NL", "BBB")))

    with pytest.raises(Conflict, match="more than 2 parties"):
        clients.put("hub", client(Party("NL", "CCC")))

    clients.put("hub", client(Party("NL", "BBB"), OFF, 1))
    clients.put("other hub", client())
    assert [f"{one}" for one in clients.all("hub")] == ["NL-AAA CPO CONNECTED", "NL-BBB CPO OFFLINE"]


def test_what_a_hub_told_is_forgotten_with_its_connection(store: Store) -> None:
    clients = HubClients(store.database)
    for name in ("hub", "other hub"):
        clients.put(name, client())
    store.partners.connect_at_once("hub", Connection("2.2.1", "http://127.0.0.1:9/", (), ()), TESS)

    store.partners.disconnect("hub", TESS)

    assert (clients.all("hub"), clients.all("other hub")) == ([], [client()])


def test_an_unknown_partner_is_named(store: Store) -> None:
    with pytest.raises(WrongCall, match="there is no partner 'nobody'"):
        HubClients(store.database).put("nobody", client())


def test_operators_behind_a_hub_are_counted() -> None:
    told = [client(OTHER, OFF), client(), client(CPO, GONE, role="EMSP"), client(Party("FR", "SOO"), SOON)]

    assert behind_hub(told) == BehindHub(2, (client(OTHER, OFF),))
    assert behind_hub([], [CPO, OTHER]) == BehindHub(2, ())
    assert behind_hub(told, [CPO, Party("BE", "NEW")]).operators == 3
    assert f"{behind_hub([client()])}" == "1 CPO behind it, none of them away as it last told"
    assert f"{behind_hub([])}" == "it has not told who they are"
    many = [client(Party("NL", f"{n:03}"), GONE) for n in range(25)]
    words = f"{behind_hub(many)}"
    assert words.startswith("25 CPOs behind it, away as it last told: NL-000 SUSPENDED, NL-001 SUSPENDED")
    assert "NL-009 SUSPENDED, +15; these hear of it later" in words
