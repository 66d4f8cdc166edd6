"""A hub's own list of who stands behind it: read when we connect, when it came to us, at `partner test`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import rows, run
from stations import CLERK, listening_anywhere

from rfid_station.desk import serving
from rfid_station.desk.partners import hub_lists
from rfid_station.desk.partners.behind_hubs import clients_of
from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.hub_lists import HubLists
from rfid_station.desk.partners.invitation import invite_partner
from rfid_station.desk.partners.own_server import us_of
from rfid_station.desk.serving import plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.hub_client import HubClient
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import ExitCode, PartnerRefused
from rfid_station.ocpi.client import OcpiClient
from rfid_station.ocpi.http import HttpAnswer, HttpRequest
from rfid_station.ocpi.hub_list import MOST_PAGES, hub_pages
from rfid_station.simulator.cpo.virtual_cpo import CpoProfile, Fault, FaultKind, VirtualCpo

FIRST_TOKEN = "first-token-out-of-band"
MODULES = (("credentials", "RECEIVER"), ("tokens", "RECEIVER"), ("hubclientinfo", "SENDER"))
OPERATORS = [("NL", f"P{number:02}", "CPO", "CONNECTED") for number in range(7)]
CLIENTS = (*OPERATORS, ("DE", "CPY", "CPO", "OFFLINE"))


@pytest.fixture
def folder(folder: Path) -> Path:
    own = folder / "templates" / "partners"
    own.mkdir(parents=True)
    (own / "roaming.toml").write_text('title = "a hub"\nis_hub = true\n')
    return listening_anywhere(folder, timeout_s=3.0)


@pytest.fixture
def hub() -> Iterator[VirtualCpo]:
    profile = CpoProfile(versions=("2.2.1",), modules=MODULES, clients=CLIENTS, page_size=3)
    with VirtualCpo(FIRST_TOKEN, profile) as running:
        yield running


def known(station: Station) -> list[str]:
    return [str(one) for one in clients_of(station, station.store.partners.get("hub"))]


EVERYBODY = ["DE-CPY CPO OFFLINE", *(f"NL-P{number:02} CPO CONNECTED" for number in range(7))]


def add(station: Station, hub: VirtualCpo) -> None:
    add_partner(station, "hub", hub.versions_url, FIRST_TOKEN, Agreement(), "roaming")


def asked_for_pages(hub: VirtualCpo) -> list[str]:
    return [entry.path for entry in hub.log if "hubclientinfo" in entry.path]


def test_who_stands_behind_a_hub_is_known_as_soon_as_it_is_connected(
    station: Station, hub: VirtualCpo
) -> None:
    add(station, hub)
    connect_partner(station, "hub")
    assert known(station) == EVERYBODY
    assert len(asked_for_pages(hub)) == 3


def test_a_hub_whose_list_fails_is_connected_and_its_test_reads_the_list(
    station: Station, hub: VirtualCpo, folder: Path
) -> None:
    add(station, hub)
    hub.faults.add(Fault(FaultKind.ERROR, module="hubclientinfo"))
    connect_partner(station, "hub")
    assert known(station) == []
    failed = run(folder, "partner", "test", "hub", "--json")
    assert failed.exit_code == ExitCode.PARTNER
    assert json.loads(failed.stdout.splitlines()[-1])["step"] == "hub clients"
    hub.faults.clear()
    step = rows(run(folder, "partner", "test", "hub", "--json"))[-1]
    assert (step["step"], step["result"], step["detail"]) == (
        "hub clients",
        "good",
        "8, as the hub lists them",
    )
    assert known(station) == EVERYBODY


# Hubs that come to us


def come(station: Station, hub: VirtualCpo) -> None:
    """The hub registers by itself, at our server."""
    first_token = invite_partner(station, "hub", profile="roaming").first_token
    assert hub.register(us_of(station).versions_url, first_token, "2.2.1").is_done


@pytest.fixture(autouse=True)
def looked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_S", 0.02)


@contextmanager
def served(folder: Path, **plan: bool) -> Iterator[list[Mapping[str, object]]]:
    """`serve` in a process of its own, as good as: nothing is shared but the folder. What it logs."""
    log: list[Mapping[str, object]] = []
    with (
        open_station(folder, CLERK) as own,
        running(own, plan_for(own, **plan), log.append, access_log=False),
    ):
        yield log


def eventually(what: Callable[[], object]) -> None:
    until_s = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_a_hub_that_registers_is_asked_for_its_list_at_once_and_once(
    station: Station, hub: VirtualCpo, folder: Path
) -> None:
    with served(folder):
        come(station, hub)
        eventually(lambda: known(station) == EVERYBODY)
        assert len(asked_for_pages(hub)) == 3
        assert hub.rotate().is_done
        eventually(lambda: len(asked_for_pages(hub)) == 6)


def test_a_list_is_read_once_for_each_connection(
    station: Station, hub: VirtualCpo, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(station, hub)
    connected = connect_partner(station, "hub")
    plain = replace(connected, name="plain", connection=replace(connected.connection, endpoints=()))
    later = replace(connected, agreement=Agreement(groups=frozenset({"North"})))
    again = replace(connected, client_token_ref="another")
    read: list[Partner] = []
    monkeypatch.setattr(hub_lists, "read_clients", lambda _, partner: read.append(partner))
    lists = HubLists(station, print)
    with lists.reading():
        for number, seen in enumerate((connected, later, again)):
            last = replace(connected, name=f"{number}")
            lists.look_at([plain, seen, last])
            eventually(lambda last=last: last in read)
        lists.look_at([])
        lists.look_at([again])
        eventually(lambda: read.count(again) == 2)
    read = [one for one in read if one.name == "hub"]
    assert read == [connected, again, again]


def test_the_hub_does_not_wait_for_its_own_list(station: Station, hub: VirtualCpo, folder: Path) -> None:
    hub.faults.add(Fault(FaultKind.HANG, module="hubclientinfo", seconds=0.5))
    with served(folder):
        come(station, hub)
        assert station.store.partners.get("hub").state is PartnerState.CONNECTED
        eventually(lambda: asked_for_pages(hub))
        assert hub.rotate().is_done
    assert known(station) == []


def test_a_list_that_cannot_be_read_is_read_later(
    station: Station, hub: VirtualCpo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_lists, "AGAIN_S", 0.05)
    hub.faults.add(Fault(FaultKind.ERROR, module="hubclientinfo", times=2))
    with served(folder) as log:
        come(station, hub)
        eventually(lambda: known(station) == EVERYBODY)
    assert station.store.partners.get("hub").state is PartnerState.CONNECTED
    told = [line["trouble"] for line in log if line.get("hub_list") == "hub"]
    assert len(told) == 2
    assert "cannot be read" in str(told[0])


def test_a_list_that_was_not_read_before_the_end_is_read_by_the_next_process(
    station: Station, hub: VirtualCpo, folder: Path
) -> None:
    with served(folder, sync=False):
        come(station, hub)
    assert asked_for_pages(hub) == []
    with served(folder, serve=False):
        eventually(lambda: known(station) == EVERYBODY)


# What hubs may answer

URL = "https://hub.example.com/2.2.1/hubclientinfo"


def client_info(party: str, **more: object) -> dict[str, object]:
    told = {"party_id": party, "country_code": "NL", "role": "CPO", "status": "CONNECTED"}
    return told | {"last_updated": "2026-03-01T08:00:00Z"} | more


class Hub:
    """Answers each page by its number, with the link that it gives."""

    def __init__(self, page: Callable[[int], tuple[object, str | None]]) -> None:
        self._page = page
        self.asked: list[str] = []

    def exchange(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        self.asked.append(request.url)
        data, link = self._page(len(self.asked))
        body = json.dumps({"status_code": 1000, "data": data, "timestamp": "2026-03-01T08:00:00Z"})
        return HttpAnswer(200, {"link": link} if link else {}, body.encode())

    async def exchange_soon(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        return self.exchange(request, timeout_s)

    def close(self) -> None:
        pass


def read(hub: Hub) -> tuple[Sequence[HubClient], list[str]]:
    pages = list(hub_pages(OcpiClient("token", http=hub), URL))
    return [one for page in pages for one in page.clients], [
        words for page in pages for words in page.complaints
    ]


def test_what_is_no_client_info_is_left_out_and_told() -> None:
    bad = [client_info("CPX", status="ASLEEP"), "CPX", client_info("TOOLONG")]
    clients, complaints = read(Hub(lambda _: ([client_info("CPA"), *bad, client_info("CPB")], None)))
    assert [one.party.party_id for one in clients] == ["CPA", "CPB"]
    assert len(complaints) == 3


@pytest.mark.parametrize(
    "link",
    [
        f'<{URL}?offset=1&limit=1>; rel="next"',
        f"<{URL}?offset=1&limit=1>;rel=next",
        '<?offset=1&limit=1>; title="more"; rel="NEXT"',
        f'<{URL}?offset=9>; rel="last", <{URL}?offset=1&limit=1>; rel="next"',
    ],
)
def test_links_are_followed_in_every_form(link: str) -> None:
    hub = Hub(lambda number: ([client_info(f"P{number}0")], link if number == 1 else None))
    clients, _ = read(hub)
    assert [one.party.party_id for one in clients] == ["P10", "P20"]
    assert hub.asked == [f"{URL}?limit=100", f"{URL}?offset=1&limit=1"]


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example.com/", "http://hub.example.com/", "//evil.example.com/2.2.1"]
)
def test_a_link_to_another_host_is_not_followed(elsewhere: str) -> None:
    hub = Hub(lambda _: ([], f'<{elsewhere}>; rel="next"'))
    with pytest.raises(PartnerRefused, match="goes on at another host"):
        read(hub)
    assert len(hub.asked) == 1


@pytest.mark.parametrize("next_page", [lambda _: "0", str], ids=["a circle", "ever more pages"])
def test_a_list_without_an_end_is_left(next_page: Callable[[int], str]) -> None:
    hub = Hub(lambda number: ([], f'<{URL}?offset={next_page(number)}>; rel="next"'))
    with pytest.raises(PartnerRefused, match="has no end"):
        read(hub)
    assert len(hub.asked) <= MOST_PAGES


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(PartnerRefused, match="its data is no list"):
        read(Hub(lambda _: ({"not": "a list"}, None)))
