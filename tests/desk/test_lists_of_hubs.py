"""A hub's own list of who stands behind it: read page by page when we connect and at `partner test`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from command_line import rows, run
from stations import listening_anywhere

from rfid_station.desk.partners.behind_hubs import clients_of
from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.hub_client import HubClient
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
