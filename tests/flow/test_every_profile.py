"""Every profile on every chip it takes: made, verified, torn, finished, made blank again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest
from lying_chips import Liar, blank
from stations import CLERK, Diary, new_station
from taps import OpenKeys, tap

from rfid_station.chip.exchange import Apdu, CardLink, Exchange
from rfid_station.desk.inspection import recycle, verify
from rfid_station.desk.issue import Stage, issue_card
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, all_profiles, open_station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.encode import key_ring
from rfid_station.encode.plan import Target
from rfid_station.errors import CardDefective, CardRefused, ReadBackDiffers
from rfid_station.reader.opening import open_reader
from rfid_station.reader.sim import SimLink, SimReader
from rfid_station.simulator.card import TornMode, VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.field import Field
from rfid_station.simulator.native.duox import virtual_duox_root

PASSWORD_TAGS = ["ntag210", "ntag212", "ntag213", "ntag215", "ntag216", "mf0ul11", "mf0ul21"]
KEYED_TAGS = ["ultralightc", "ultralightaes"]
LOCKABLE_TAGS = [*PASSWORD_TAGS, "ntag203", "ultralight", "ultralightaes"]
LINK_TAGS = [*PASSWORD_TAGS, *KEYED_TAGS, "ntag203", "ultralight"]
DESFIRES = ["desfire-ev1", "desfire-ev2", "desfire-ev3"]
CLASSICS = ["classic1k", "classic1k7", "classic4k", "mini"]

MADE = {
    "plain": [*LINK_TAGS, *CLASSICS, *DESFIRES, "ntag424"],
    "link": LINK_TAGS,
    "link-password": [*PASSWORD_TAGS, *KEYED_TAGS],
    "link-locked": LOCKABLE_TAGS,
    "classic-link": CLASSICS,
    "classic-keys": CLASSICS,
    "ntag424-link": ["ntag424"],
    "sun": ["ntag424"],
    "desfire-link": DESFIRES,
    "desfire": DESFIRES,
    "duox": ["duox"],
}
PAIRS = [(profile, chip) for profile, chips in MADE.items() for chip in chips]


@pytest.fixture
def activated_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards that can still be given up: they never charged."""
    monkeypatch.setenv("RFID_STATION_DESK__ACTIVATION", "by_hand")


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    """A station with a key ring that opens quickly."""
    monkeypatch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", "four words by chance")
    with open_station(new_station(tmp_path / "station"), CLERK) as station:
        (station.folder / "duox_roots.toml").write_text(
            f'[[root]]\nname = "virtual"\npoint = "{virtual_duox_root().public_key.hex()}"\n'
        )
        station.cupboard.add("cards")
        yield station


def on_reader(uri: str) -> CardLink:
    reader = open_reader(uri)
    return next(iter(reader.cards(lambda: False)))


def exchanges_of(station: Station, profile: str, chip: str) -> int:
    """How many exchanges a whole undisturbed tap takes."""
    reader = open_reader(f"sim:{chip}")
    assert isinstance(reader, SimReader)
    issue_cards(Run(station, station.profile(profile), None, None, Diary()), reader, lambda: False)
    return reader.exchanges


def some_of(exchanges: int) -> list[int]:
    """The first, the last and some between; all of them in `make soak`. Families have sweeps of their own."""
    if os.environ.get("SOAK"):
        return list(range(1, exchanges + 1))
    return sorted({1, exchanges, *range(2, exchanges, max(1, exchanges // 5))})


def tears_of(profile: str, chip: str, exchanges: int) -> list[tuple[int, TornMode]]:
    """When a chip is torn, and how: each time in each way, but that equal chips share these among them."""
    alike = partial(what_a_tap_does, profile)
    sharing = [one for one in MADE[profile] if one == chip or alike(one) == alike(chip)]
    mine, of = sharing.index(chip), 1 if os.environ.get("SOAK") else min(len(sharing), len(TornMode))
    return [
        (step, mode)
        for number, step in enumerate(some_of(exchanges))
        for how, mode in enumerate(TornMode)
        if (number + how) % of == mine % of
    ]


@cache
def what_a_tap_does(profile: str, chip: str) -> tuple[object, ...]:
    """What makes chips equal: the kinds of exchanges that make a card of one, and what tears it."""
    wanted = next(one for one in all_profiles(Path()) if one.name == profile)
    card, keys = new_card(chip, blank_uid(chip, 7, 0)), OpenKeys()
    link = Recorded(card)
    key = keys.newest(wanted.key) if wanted.key else None
    tap(link, Target(wanted, "https://cards.example.com/c/ABCDEFGHJKMN", key), keys)
    return (*link.kinds, type(card).tear, type(card).tear_apdu)


class Recorded(SimLink):
    """A link that remembers what kinds of exchanges there were, each named once."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(Field(card), "sim:test")
        self.kinds: dict[str, None] = {}

    def transceive(self, command: Exchange) -> bytes:
        self.kinds[kind_of(command, self.card)] = None
        return super().transceive(command)

    def restart_field(self) -> bytes:
        self.kinds["field off and on"] = None
        return super().restart_field()


def kind_of(command: Exchange, card: VirtualCard) -> str:
    """What an exchange does: its command, and where it writes as seen from the ends of the memory."""
    if isinstance(command, Apdu):
        return f"{bytes(command.command)[:5].hex()} and {len(command.command) - 5} bytes more"
    if isinstance(command, bytes):
        page, last = command[1] if len(command) > 1 else 0, len(card.memory) // 4
        where = f"page {page}" if page < 4 else "content" if page < last - 6 else f"page {page - last}"
        return f"{command[:1].hex()} {where}" if command[:1] == b"\xa2" else command[:1].hex()
    block = command.block
    is_trailer = block % 4 == 3 if block < 128 else block % 16 == 15
    return f"{type(command).__name__} {'trailer' if is_trailer else 'block'}, sector 0: {block < 4}"


def make(station: Station, profile: str, uri: str) -> list[Card]:
    reader = open_reader(uri)
    diary = Diary()
    try:
        run = Run(station, station.profile(profile), None, None, diary)
        tally = issue_cards(run, reader, lambda: False)
    finally:
        reader.close()
    if not tally.issued and tally.failures:
        raise tally.failures[-1]
    return tally.issued


def test_every_shipped_profile_is_tried(keyed: Station) -> None:
    assert sorted(MADE) == [profile.name for profile in all_profiles(keyed.folder)]


def test_chips_share_their_tears_only_where_they_are_equal() -> None:
    """One kind of write more, or a memory that tears in its own way, and they do not."""
    assert shared("link") == [["ntag210", "ntag212", "ntag213", "ntag215", "ntag216"], ["mf0ul11", "mf0ul21"]]
    assert shared("link-locked") == [["ntag212", "ntag213", "ntag215", "ntag216"]]
    assert shared("desfire") == [["desfire-ev2", "desfire-ev3"]]


def shared(profile: str) -> list[list[str]]:
    equal: dict[tuple[object, ...], list[str]] = {}
    for chip in MADE[profile]:
        equal.setdefault(what_a_tap_does(profile, chip), []).append(chip)
    return [chips for chips in equal.values() if len(chips) > 1]


@pytest.mark.parametrize(("profile", "chip"), PAIRS)
def test_a_card_is_made_and_stays_as_it_was_made(keyed: Station, profile: str, chip: str) -> None:
    deck = keyed.folder / "deck.json"
    (card,) = make(keyed, profile, f"sim:{chip}?deck={deck}")
    assert card.state is CardState.ACTIVE
    assert (card.key is not None) == keyed.profile(profile).needs_keys
    assert verify(keyed, on_reader(f"sim:{chip}?deck={deck}&start=0")).card.id == card.id
    stranger = verify(keyed, on_reader(f"sim:{chip}?deck={deck}&start=0"), as_stranger=True)
    assert not stranger.with_keys


@pytest.mark.parametrize(("profile", "chip"), [pair for pair in PAIRS if pair[0] != "plain"])
def test_a_card_torn_at_any_exchange_is_finished_or_spoiled_with_the_reason(
    keyed: Station, profile: str, chip: str
) -> None:
    for step, mode in tears_of(profile, chip, exchanges_of(keyed, profile, chip)):
        before = {card.id for card in keyed.store.cards.listing()}
        uri = f"sim:{chip}?seed={step * 10 + list(TornMode).index(mode)}&tear={step}:{mode}"
        try:
            made = make(keyed, profile, uri)
        except (CardRefused, ReadBackDiffers):
            made = []
        (card,) = [card for card in keyed.store.cards.listing() if card.id not in before]
        if made:
            assert card.state is CardState.ACTIVE, (step, mode)
        else:
            assert (card.state, card.reason) == (CardState.SPOILED, Reason.ENCODE_FAILED), (step, mode)


@pytest.mark.parametrize(
    ("profile", "chip"),
    [("link", "ntag213"), ("classic-link", "mini"), ("sun", "ntag424"), ("desfire", "desfire-ev1")],
)
def test_a_card_that_acknowledges_a_write_and_forgets_it_is_spoiled(
    keyed: Station, profile: str, chip: str
) -> None:
    forgotten = 0
    while True:
        forgotten += 1
        liar = Liar(blank(chip, forgotten), forgotten)

        def tell(stage: Stage, _: str, liar: Liar = liar) -> None:
            liar.is_being_written = stage is Stage.WRITE

        try:
            made = issue_card(keyed, SimLink(liar, "sim:test"), keyed.profile(profile), tell=tell)
        except (CardDefective, ReadBackDiffers):
            card = keyed.store.cards.listing()[-1]
            assert (card.uid.raw, card.state) == (liar.card.uid, CardState.SPOILED)
            assert card.reason is Reason.ENCODE_FAILED
        else:
            assert len(liar.lies) == forgotten - 1 > 1, made
            return


@pytest.mark.parametrize(
    ("profile", "chip"), [pair for pair in PAIRS if pair[0] not in ("plain", "link-locked", "duox")]
)
def test_a_spoiled_card_becomes_blank_and_then_another_card(
    activated_by_hand: None, keyed: Station, profile: str, chip: str
) -> None:
    deck = keyed.folder / "deck.json"
    (first,) = make(keyed, profile, f"sim:{chip}?deck={deck}")
    keyed.store.cards.move(first.id, CardState.SPOILED, Reason.MISPRINT, CLERK, keyed.token)
    recycle(keyed, on_reader(f"sim:{chip}?deck={deck}&start=0"))
    (second,) = make(keyed, profile, f"sim:{chip}?deck={deck}&start=0")
    assert (second.uid, second.state) == (first.uid, CardState.ISSUED)
    assert second.visual_number != first.visual_number
