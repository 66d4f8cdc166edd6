"""Brands on a screen, settings of the page, and for whom limits are."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import pytest
from PIL import Image

from rfid_station.errors import WrongCall
from rfid_station.printing.brand import Brand, Color, Logo, PictureLogo, contrast, load_brand, parse_rgb
from rfid_station.printing.screen_logo import MOST_BYTES, logo_uri
from rfid_station.settings import FILE_NAME, load_settings
from rfid_station.web.front import pages_path
from rfid_station.web.look import look_of
from rfid_station.web.rendering import phone
from rfid_station.web.request import request_of
from rfid_station.web.words import WORDS


def brand_with(colors: Mapping[str, str], logos: Mapping[str, Logo | PictureLogo]) -> Brand:
    shown = {name: Color(parse_rgb(rgb) or (0, 0, 0), (0, 0, 0, 0)) for name, rgb in colors.items()}
    return Brand(Path("a.toml"), {"issuer": "A <b>"}, shown, {}, logos)


def test_the_policy_allows_the_style_sheet_that_is_there_and_no_other() -> None:
    look = look_of(load_brand("example"))
    digest = b64encode(hashlib.sha256(look.style.encode()).digest())
    assert b"style-src 'sha256-" + digest + b"'" in look.policy
    assert "</" not in look.style
    assert look.logo.startswith("data:image/svg+xml;base64,")


def test_the_logo_is_drawn_as_on_the_card() -> None:
    uri = logo_uri(load_brand("example"), "on_primary")
    drawn = b64decode(uri.partition(",")[2]).decode()
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 198.1 24"')
    assert drawn.count("<path") == 4
    assert 'stroke="#2FD08A"' in drawn
    assert "style" not in drawn


@pytest.mark.parametrize("primary", ["#FFFFFF", "#FFE000", "#777777", "#000000", "#2FD08A"])
def test_any_brand_can_be_read(primary: str) -> None:
    style = look_of(brand_with({"primary": primary, "on_primary": primary, "accent": primary}, {})).style
    shown = {
        name: Color(parse_rgb(rgb) or (0, 0, 0), (0, 0, 0, 0))
        for name, rgb in re.findall(r"--([a-z-]+):(#[0-9A-F]{6});", style.splitlines()[0])
    }
    white, night = Color((1, 1, 1), (0, 0, 0, 0)), Color(parse_rgb("#181D22") or (0, 0, 0), (0, 0, 0, 0))
    assert contrast(shown["head"], shown["on-head"]) >= 4.5
    assert contrast(white, shown["link"]) >= 4.5
    assert contrast(night, shown["link-by-night"]) >= 4.5


def test_a_large_picture_is_made_small_and_a_logo_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    Image.effect_noise((1600, 400), 80).save(tmp_path / "logo.png")
    look = look_of(brand_with({}, {"on_primary": PictureLogo(tmp_path / "logo.png")}))
    assert look.logo == "" or len(look.logo) <= 2 * MOST_BYTES
    Image.new("RGB", (1600, 400), "#0B2A3B").save(tmp_path / "logo.png")
    assert look_of(brand_with({}, {"on_primary": PictureLogo(tmp_path / "logo.png")})).logo
    assert look_of(brand_with({}, {})).logo == ""


def test_both_languages_say_everything() -> None:
    english, german = WORDS["en"], WORDS["de"]
    assert english.keys() == german.keys()
    for name, said in english.items():
        assert isinstance(said, tuple) == isinstance(german[name], tuple)
        assert str(said).count("{") == str(german[name]).count("{")


@pytest.mark.parametrize(
    ("link", "path"),
    [("https://a.example/c/{alias}", "/c/"), ("https://a.example/de/cards/{alias}", "/de/cards/")],
)
def test_pages_are_where_links_lead(link: str, path: str) -> None:
    assert pages_path(link) == path


@pytest.mark.parametrize(
    "link", ["https://a.example/{alias}", "https://a.example/c?a={alias}", "https://a.example/c/{alias}/x"]
)
def test_links_to_nowhere_of_ours_are_refused_with_a_remedy(link: str) -> None:
    with pytest.raises(WrongCall, match="no page can be served") as refused:
        pages_path(link)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "20010db800010002"),
        ("::ffff:198.51.100.7", "", "198.51.100.7"),
        ("testclient", "", ""),
    ],
)
def test_limits_are_for_an_address_or_the_network_behind_it(peer: str, forwarded: str, who: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"method": "GET", "path": "/c/A", "query_string": b"", "headers": headers, "client": (peer, 1)}
    assert request_of(scope, "/c/", {ip_address("127.0.0.1")}).who == who


@pytest.mark.parametrize(("written", "dialled"), [("+49 30 23125 100", "+493023125100"), ("0800/1", "08001")])
def test_a_hotline_can_be_dialled(written: str, dialled: str) -> None:
    assert phone(written) == dialled


@pytest.mark.parametrize("entry", ['by_tap = ["fly"]', 'proxies = ["here"]', "serve = 7", "colour = 1"])
def test_settings_of_the_page_are_checked(folder: Path, entry: str) -> None:
    file = folder / FILE_NAME
    text = file.read_text()
    file.write_text(re.sub(r"\[page\][^[]*", f"[page]\n{entry}\n\n", text, flags=re.DOTALL))
    with pytest.raises(WrongCall, match="page"):
        load_settings(folder)
