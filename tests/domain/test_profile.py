import tomllib
from pathlib import Path

import pytest

from rfid_station.chip.catalogue import type2_chips
from rfid_station.domain.profile import Content, Profile
from rfid_station.errors import WrongCall
from rfid_station.shipped import shipped

GOOD = {"title": "x", "chips": ["NTAG213"], "content": "link"}


@pytest.mark.parametrize(
    "path", sorted(shipped("templates", "profiles").glob("*.toml")), ids=lambda path: path.stem
)
def test_shipped_profiles_are_right_and_name_chips_that_exist(path: Path) -> None:
    profile = Profile.from_table(path.stem, tomllib.loads(path.read_text()))
    assert profile.chips <= {chip.name for chip in type2_chips()}


def test_the_plain_profile_writes_nothing() -> None:
    table = tomllib.loads(shipped("templates", "profiles", "plain.toml").read_text())
    assert Profile.from_table("plain", table).content is Content.NOTHING


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lokc": True}, "lokc"),
        ({"chips": []}, "chips"),
        ({"chips": "NTAG213"}, "chips"),
        ({"content": "links"}, "links"),
    ],
)
def test_wrong_entries_are_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(WrongCall, match=named):
        Profile.from_table("mine", GOOD | change)
