"""Links with a proof: the published ones, the places in a link, and what is no proof."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip.aes import FACTORY_KEY, LocalAesKey
from rfid_station.chip.sun import (
    MAC_VECTORS,
    SETTINGS_VECTORS,
    VECTORS,
    SunKeys,
    Tap,
    read_sun,
    sdm_settings,
    sun_file,
    sun_link,
    sun_mac,
)
from rfid_station.domain.uid import CardUid

ZERO = LocalAesKey(FACTORY_KEY)
ZEROS = SunKeys(ZERO, lambda _uid: ZERO)
OTHERS = SunKeys(LocalAesKey(bytes(range(16))), lambda _uid: ZERO)
LINK, UID, COUNTER = VECTORS[0]


def encoded(plain: str, mac: str | None = None) -> str:
    """A link with 16 bytes in clear as a card would encipher them, and the MAC that belongs to them."""
    raw = bytes.fromhex(plain)
    right = sun_mac(ZERO, raw[1:8], int.from_bytes(raw[8:11], "little"))
    return f"https://a.example/?e={ZERO.encrypt(raw).hex()}&c={mac or right.hex()}"


@pytest.mark.parametrize(("link", "uid", "counter"), VECTORS)
def test_the_published_link_is_proven(link: str, uid: str, counter: int) -> None:
    assert read_sun(link, [ZEROS]) == Tap(CardUid(bytes.fromhex(uid)), counter)


@pytest.mark.parametrize(("uid", "counter", "mac"), MAC_VECTORS)
def test_the_published_macs_are_made(uid: str, counter: int, mac: str) -> None:
    assert sun_mac(ZERO, bytes.fromhex(uid), counter).hex().upper() == mac


@pytest.mark.parametrize(("places", "data"), SETTINGS_VECTORS)
def test_the_published_settings_are_made(places: tuple[int, int, int, int, int], data: str) -> None:
    assert sdm_settings(*places).hex().upper() == data


def test_the_published_link_has_its_places_where_the_application_note_has_them() -> None:
    made = sun_file("https://choose.url.com/ntag424")
    assert (made.e_at, made.c_at) == (0x20, 0x43)
    assert made.content[:2] == (0x51).to_bytes(2)
    assert made.content[2:9] == bytes.fromhex("D1014D55046368")


@given(st.text("abcdefghij/äß€.-_~%", max_size=60), st.sampled_from(["", "?a=b", "#top", "?a=b#top", "?"]))
def test_the_places_are_where_the_zeros_are_in_any_link(path: str, end: str) -> None:
    made = sun_file(f"https://a.example/{path}{end}")
    values = made.content[made.e_at - 2 :][: 2 + 32 + 3 + 16]
    assert values == b"e=" + b"0" * 32 + b"&c=" + b"0" * 16
    assert made.c_at - made.e_at == 35
    live = made.content[: made.e_at] + b"F" * 32 + b"&c=" + b"A" * 16 + made.content[made.c_at + 16 :]
    assert made.without_proof(live) == made.content


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("https://a.example/x", "https://a.example/x?e={e}&c={c}"),
        ("https://a.example/x?y=1", "https://a.example/x?y=1&e={e}&c={c}"),
        ("https://a.example/x#y", "https://a.example/x?e={e}&c={c}#y"),
    ],
)
def test_the_values_go_behind_what_the_link_has(link: str, wanted: str) -> None:
    assert sun_link(link) == wanted.format(e="0" * 32, c="0" * 16)


def test_a_link_is_tried_with_each_version_of_the_keys() -> None:
    assert read_sun(LINK, [OTHERS, ZEROS]) == read_sun(LINK, [ZEROS, OTHERS]) == read_sun(LINK, [ZEROS])
    assert read_sun(LINK, [OTHERS]) is None
    assert read_sun(LINK, []) is None


def test_case_and_other_values_do_not_matter() -> None:
    assert read_sun(LINK.replace("EF963FF", "ef963ff") + "&utm=x#y", [ZEROS]) is not None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 47), st.integers(1, 15))
def test_no_digit_can_be_changed(place: int, change: int) -> None:
    at = [i for i, letter in enumerate(LINK) if i > LINK.index("?e=") + 2 and letter in "0123456789ABCDEF"][
        place
    ]
    digit = f"{int(LINK[at], 16) ^ change:X}"
    assert read_sun(LINK[:at] + digit + LINK[at + 1 :], [ZEROS]) is None


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://a.example/",
        LINK.replace("&c=", "&d="),
        LINK[:-1],
        LINK + "0",
        LINK + "&c=94EED9EE65337086",
        LINK.replace("EF963F", "XX963F"),
        LINK.replace("EF963F", "+F963F"),
        "https://[broken?e=0&c=0",
        sun_link("https://a.example/"),
        encoded("87" + UID + "3D0000" + "00" * 5),
        encoded("C4" + UID + "3D0000" + "00" * 5),
        encoded("C7" + "00" * 7 + "3D0000" + "00" * 5),
        encoded("C7" + "88" * 7 + "3D0000" + "00" * 5),
        encoded("C7" + UID + "3D0000" + "00" * 5, "00" * 8),
    ],
)
def test_anything_else_proves_nothing(link: str) -> None:
    assert read_sun(link, [ZEROS]) is None


def test_the_counter_is_all_of_its_three_bytes() -> None:
    tap = read_sun(encoded("C7" + UID + "FEFFFF" + "00" * 5), [ZEROS])
    assert tap == Tap(CardUid(bytes.fromhex(UID)), 0xFFFFFE)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=80)
    | st.binary(max_size=60).map(lambda raw: "https://a.example/?" + raw.decode("latin-1"))
)
def test_no_link_breaks_the_reading(link: str) -> None:
    assert read_sun(link, [ZEROS]) is None


def test_keys_are_not_shown() -> None:
    secret = LocalAesKey(bytes.fromhex("6B6579732061726520736563726574"[:30] + "21"))
    assert "secret" not in repr(SunKeys(secret, lambda _uid: secret))
