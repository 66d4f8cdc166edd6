import tomllib
from pathlib import Path

import pytest

from rfid_station.chip.catalogue import type2_chips
from rfid_station.chip.classic import LAYOUTS
from rfid_station.chip.desfire_state import Generation
from rfid_station.domain.profile import Content, Freshness, Profile
from rfid_station.errors import WrongCall
from rfid_station.shipped import shipped

GOOD = {"title": "x", "chips": ["NTAG213"], "content": "link"}


@pytest.mark.parametrize(
    "path", sorted(shipped("templates", "profiles").glob("*.toml")), ids=lambda path: path.stem
)
def test_shipped_profiles_are_right_and_name_chips_that_exist(path: Path) -> None:
    profile = Profile.from_table(path.stem, tomllib.loads(path.read_text()))
    named = {chip.name for chip in type2_chips()} | set(LAYOUTS) | set(Generation)
    assert profile.chips <= named | {"any", "MIFARE DUOX", "NTAG 424 DNA", "NTAG 424 DNA TagTamper"}


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
        ({"content": None}, "has nothing as content"),
        ({"title": 7}, "has 7 as title"),
        ({"accepts": ["dirty"]}, "'dirty' as accepts"),
        ({"accepts": "blank"}, "'blank' as accepts"),
        ({"genuine": "yes"}, "'yes' as genuine"),
        ({"application": "F51CC"}, "as application"),
        ({"application": "000000"}, "as application"),
        ({"key": "My Key"}, "cannot be the name of a key"),
        ({"protection": "keys"}, "names none"),
        ({"content": "sun"}, "names none"),
        ({"key": "cards"}, "does not use it"),
        ({"protection": "locked"}, "does not say irreversible"),
        ({"activation": "later"}, "'later' as activation"),
        ({"claim_code": "yes"}, "'yes' as claim_code"),
        ({"claim_code": True, "activation": "at_issue"}, "charge at once, and a code"),
        ({"protection": "locked", "irreversible": True, "content": "nothing"}, "writes nothing"),
    ],
)
def test_wrong_entries_are_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(WrongCall, match=named) as refused:
        Profile.from_table("mine", GOOD | change)
    assert refused.value.hint


def test_a_profile_says_which_chips_it_takes_and_whether_it_needs_keys() -> None:
    some = Profile.from_table("mine", GOOD)
    every = Profile.from_table("all", GOOD | {"chips": ["any"]})
    assert (some.takes("NTAG213"), some.takes("NTAG215"), every.takes("NTAG215")) == (True, False, True)
    keyed = Profile.from_table("keyed", GOOD | {"protection": "keys", "key": "cards"})
    assert (some.needs_keys, keyed.needs_keys) == (False, True)
    assert keyed.accepts == {Freshness.BLANK}
