"""Keys over a card's life: rotated, torn, kept in hardware, and found nowhere that they should not be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import run
from stations import CLERK, Diary, new_station
from warm_program import WarmProgram

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.inspection import verify
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.tally import Tally
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.key import KeyRef
from rfid_station.encode import key_ring
from rfid_station.encode.key_ring import seal
from rfid_station.encode.keys import card_key
from rfid_station.errors import CardRefused, KeyUnavailable, ReadBackDiffers
from rfid_station.reader.opening import open_reader

PHRASE = "four words by chance"
SLOTS = {
    "link-password": ("ntag213", ["t2.pwd"]),
    "sun": ("ntag424", ["424.0", "424.2", "424.3", "424.4"]),
    "desfire": ("desfire-ev2", ["desfire.picc", *(f"desfire.F51CC1.{number}" for number in range(3))]),
    "classic-keys": ("classic1k", [f"classic.{sector}.{key}" for sector in range(16) for key in "ab"]),
}


@pytest.fixture(autouse=True)
def ring_that_opens_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", PHRASE)


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Station]:
    with open_station(new_station(tmp_path / "station"), CLERK) as station:
        station.cupboard.add("cards")
        yield station


def make(station: Station, profile: str, uri: str) -> Tally:
    """Make cards until none comes any more, or one was torn away."""
    reader = open_reader(uri)
    diary = Diary()

    def was_torn() -> bool:
        return any(entry.startswith("CardLost") for entry in diary.entries)

    try:
        return issue_cards(Run(station, station.profile(profile), None, None, diary), reader, was_torn)
    finally:
        reader.close()


def on_reader(uri: str) -> CardLink:
    return next(iter(open_reader(uri).cards(lambda: False)))


@pytest.mark.parametrize("profile", SLOTS)
def test_old_cards_stay_verifiable_after_a_rotation(keyed: Station, profile: str) -> None:
    chip, _ = SLOTS[profile]
    deck = keyed.folder / "deck.json"
    (old,) = make(keyed, profile, f"sim:{chip}?deck={deck}").issued
    keyed.cupboard.add("cards", next_version=True)
    (new,) = make(keyed, profile, f"sim:{chip}?deck={deck}").issued
    assert (old.key, new.key) == (KeyRef("cards", 1), KeyRef("cards", 2))
    for number in (0, 1):
        assert verify(keyed, on_reader(f"sim:{chip}?deck={deck}&start={number}")).with_keys


@pytest.mark.parametrize("profile", SLOTS)
def test_a_card_begun_before_a_rotation_is_finished_with_the_key_it_was_begun_with(
    keyed: Station, profile: str
) -> None:
    chip, _ = SLOTS[profile]
    deck = keyed.folder / "deck.json"
    exchanges = {"ntag213": 8, "classic1k": 70}.get(chip, 20)
    lost = make(keyed, profile, f"sim:{chip}?deck={deck}&tear={exchanges}:after")
    assert [type(error).__name__ for error in lost.failures] == ["CardLost"]
    (begun,) = keyed.store.cards.listing(state=None)
    keyed.cupboard.add("cards", next_version=True)
    (made,) = make(keyed, profile, f"sim:{chip}?deck={deck}&start=0").issued
    assert made.id == begun.id
    assert made.key == (begun.key or KeyRef("cards", 2))
    assert verify(keyed, on_reader(f"sim:{chip}?deck={deck}&start=0")).with_keys


@pytest.mark.parametrize("profile", SLOTS)
def test_another_ring_does_not_open_the_card_and_says_so(keyed: Station, profile: str) -> None:
    chip, _ = SLOTS[profile]
    deck = keyed.folder / "deck.json"
    assert len(make(keyed, profile, f"sim:{chip}?deck={deck}").issued) == 1
    keyed.cupboard.ring_file.write_bytes(seal(key_ring.KeyRing().with_new("cards"), PHRASE))
    keyed.cupboard.close()
    with pytest.raises((CardRefused, ReadBackDiffers)) as refused:
        verify(keyed, on_reader(f"sim:{chip}?deck={deck}&start=0"))
    assert refused.value.hint
    assert [one.state for one in keyed.store.cards.listing()] == [CardState.ACTIVE]


def test_without_a_ring_nothing_is_reserved(tmp_path: Path) -> None:
    with open_station(new_station(tmp_path / "station"), CLERK) as station:
        with pytest.raises(KeyUnavailable, match="no key ring"):
            make(station, "sun", "sim:ntag424")
        assert station.store.cards.listing() == []


def places(folder: Path, *more: Path) -> bytes:
    """Everything that the station left behind, but the virtual cards and the sealed ring."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("deck.json", "keys.ring")
    ]
    return b"".join(path.read_bytes() for path in [*files, *more])


@pytest.mark.parametrize("profile", SLOTS)
def test_no_key_is_left_anywhere(keyed: Station, profile: str, tmp_path: Path) -> None:
    """Not in the store, a trace, what was said, or an error; in no case of its hexadecimal digits."""
    chip, slots = SLOTS[profile]
    deck, trace = keyed.folder / "deck.json", tmp_path / "trace.jsonl"
    said = b""
    for arguments in (
        ["card", "issue", "--dry-run", "--profile", profile, "--reader", f"sim:{chip}?seed=1"],
        [
            "card",
            "issue",
            "--profile",
            profile,
            "--reader",
            f"sim:{chip}?deck={deck}&seed=1",
            "--trace",
            trace,
        ],
        ["card", "verify", "--reader", f"sim:{chip}?deck={deck}&start=0", "--trace", trace],
        ["card", "read", "--reader", f"sim:{chip}?deck={deck}&start=0", "--trace", trace],
        ["key", "list"],
    ):
        said += run(keyed.folder, *map(str, arguments)).output.encode()
    (card,) = keyed.store.cards.listing()
    assert card.state is CardState.ACTIVE
    left = (places(keyed.folder, trace) + said).lower()
    assert trace.stat().st_size > 1000
    for key in keys_of(keyed, card, slots):
        assert key not in left
        assert key.hex().encode() not in left


def keys_of(station: Station, card: Card, slots: list[str]) -> list[bytes]:
    """The card's keys, and what of them goes to the card."""
    assert card.key is not None
    whole = [card_key(station.keys(), card.key, card.uid, slot).reveal() for slot in slots]
    parts = [key[:4] for key in whole if slots == ["t2.pwd"]] + [key[:6] for key in whole]
    return whole + parts


def test_a_card_made_by_a_hardware_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SoftHSM2: the derivation happens inside it, and the card is verified by it."""
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(config))
    subprocess.run(
        [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "rfid-station",
            "--so-pin",
            "so-4711",
            "--pin",
            "4711",
        ],
        check=True,
        capture_output=True,
    )
    library = next(path for path in Path("/usr/lib").rglob("libsofthsm2.so"))
    monkeypatch.setenv("RFID_STATION_KEYS__MODULE", str(library))
    monkeypatch.setenv("RFID_STATION_KEYS__PIN", "env:DESK_PIN")
    monkeypatch.setenv("DESK_PIN", "4711")
    folder = new_station(tmp_path / "station")
    deck = folder / "deck.json"

    def said(*arguments: str) -> str:
        """In a process of its own: a module is configured once a process."""
        with WarmProgram("--station", str(folder), *arguments) as program:
            out, err = program.communicate()
        assert program.returncode == 0, err
        return out

    assert said("key", "new", "cards") == "cards:1 is in the hardware module\n"
    said("card", "issue", "--profile", "sun", "--reader", f"sim:ntag424?deck={deck}")
    assert "cards:1, as it should be" in said(
        "card", "verify", "--reader", f"sim:ntag424?deck={deck}&start=0"
    )
    assert not (folder / "keys.ring").exists()


def test_doctor_misses_a_ring_that_cards_need(keyed: Station) -> None:
    def keys() -> tuple[int, list[str]]:
        said = run(keyed.folder, "doctor", "--json")
        found = [json.loads(line) for line in said.stdout.splitlines()]
        return said.exit_code, [row["level"] for row in found if row["what"] == "keys"]

    assert keys()[1] == ["ok"]
    make(keyed, "sun", "sim:ntag424")
    keyed.cupboard.ring_file.unlink()
    assert keys() == (1, ["failure"])
