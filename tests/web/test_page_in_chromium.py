"""The page in a real browser: phone and desktop, light and dark, keyboard only, slow network, no script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import (
    DESKTOP,
    DESKTOP_BY_NIGHT,
    PHONE,
    PHONE_BY_NIGHT,
    SMALL_PHONE,
    Device,
    chromium,
    looking,
    slow,
)
from page_world import Served, path_of, served, sun_cards, tapped_link, with_code
from playwright.sync_api import Browser, Page
from stations import CLERK, new_station

from rfid_station.desk.station import open_station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.domain.card import Card, CardState
from rfid_station.simulator.deck import Deck, open_deck

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Served]:
    folder = new_station(tmp_path / "cards")
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, CLERK) as station:
        sun_cards(station)
        with served(station, keys=True) as running:
            yield running


@pytest.fixture
def card(pages: Served) -> Card:
    return pages.station.store.cards.listing()[0]


@pytest.fixture
def deck(pages: Served) -> Deck:
    return open_deck(pages.station.folder / "deck.json")


def faults(page: Page) -> list[str]:
    """What axe-core finds."""
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"] + found["incomplete"]]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("device", [SMALL_PHONE, PHONE_BY_NIGHT, DESKTOP], ids=str)
def test_the_first_view_is_whole_and_axe_finds_nothing(
    pages: Served, card: Card, deck: Deck, browser: Browser, device: Device
) -> None:
    draw_code(pages.station, card)
    with looking(browser, device, pages.phone.port) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(tapped_link(deck))
        assert [urlsplit(one).path for one in asked] == [path_of(card)]
        assert page.evaluate("document.querySelector('header img').naturalWidth") > 0
        assert faults(page) == []
        assert not is_too_wide(page)
        assert complaints == []
        assert page.context.cookies() == []


@pytest.mark.parametrize("device", [PHONE, DESKTOP_BY_NIGHT], ids=str)
def test_axe_finds_nothing_on_all_the_way_to_a_lost_card(
    pages: Served, card: Card, deck: Deck, browser: Browser, device: Device
) -> None:
    code = draw_code(pages.station, card).code
    used = tapped_link(deck)
    pages.phone.get(used)
    with looking(browser, device, pages.phone.port) as page:
        seen = []
        for target in ("/c/NOBODY", used):
            page.goto(target)
            seen.append((page.title(), faults(page), is_too_wide(page)))
        for typed in ("WRONG", code):
            page.fill("#code", typed)
            page.click("button[value=lost]")
            seen.append((page.title(), faults(page), is_too_wide(page)))
            pages.clock.pass_by(60)
        assert page.url.endswith("?news")
        assert [one[1:] for one in seen] == [([], False)] * 4
        assert len({one[0] for one in seen}) == 3
    assert pages.card(card).state is CardState.BLOCKED


def test_a_driver_needs_neither_a_mouse_nor_script(pages: Served, browser: Browser) -> None:
    card, code = with_code(pages.station, 1)
    with looking(browser, Device(390, 844, has_script=False), pages.phone.port) as page:
        page.goto(path_of(card))
        page.keyboard.press("Tab")
        page.keyboard.type(code)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/c/*?news")
        assert page.locator(".state").inner_text() == "Active"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path_of(card)}")
        page.keyboard.press("Tab")
        page.keyboard.type(code.lower())
        page.keyboard.press("Enter")
        page.wait_for_url("**/c/*?news")
        assert page.locator(".state").inner_text() == "Blocked"


def test_who_moves_by_keyboard_sees_where(pages: Served, card: Card, deck: Deck, browser: Browser) -> None:
    draw_code(pages.station, card)
    for link in (path_of(card), tapped_link(deck)):
        with looking(browser, PHONE_BY_NIGHT, pages.phone.port) as page:
            page.goto(link)
            reached: list[str] = []
            while len(reached) < 20 and (tag := _after_tab(page)):
                reached.append(tag)
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            there = page.locator("a[href], button, input:not([type=hidden])").count()
            assert len(reached) == there
            assert there >= 3


def _after_tab(page: Page) -> str:
    """What has the focus then; nothing when it leaves the page."""
    page.keyboard.press("Tab")
    is_left = page.evaluate("document.activeElement === document.body")
    return "" if is_left else str(page.evaluate("document.activeElement.outerHTML"))


def test_the_page_comes_over_a_slow_network_in_one_answer(
    pages: Served, card: Card, deck: Deck, browser: Browser
) -> None:
    with looking(browser, PHONE, pages.phone.port) as page:
        slow(page, latency_ms=400, bytes_per_s=20_000)
        answers: list[int] = []
        page.on("response", lambda response: answers.append(response.status))
        began_s = time.monotonic()
        page.goto(tapped_link(deck), wait_until="load")
        took_s = time.monotonic() - began_s
        assert answers == [200]
        assert page.locator("button[value=activate]").is_visible()
        assert 0.4 <= took_s < 5


def test_the_pictures_in_the_documentation_are_there_and_small() -> None:
    shown = sorted(PICTURES.glob("page-*.png"))
    assert len(shown) >= 4
    assert all(picture.stat().st_size < 60_000 for picture in shown)
    words = (PICTURES.parent / "page.md").read_text()
    assert all(f"pictures/{picture.name}" in words for picture in shown)
