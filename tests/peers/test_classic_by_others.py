"""libfreefare reads the MIFARE Classic cards that we wrote, and we read and take over those that it wrote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import ndef
import pytest
from taps import OpenKeys, link_to

from rfid_station.chip.classic_state import identify_classic
from rfid_station.chip.exchange import run
from rfid_station.chip.identity import Identity
from rfid_station.chip.sighting import Family, Kind
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode import classic
from rfid_station.encode.plan import Target
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.memory.classic import VirtualClassic
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

LINK = "https://charge.example.com/c/7Q2M9XK4"
LONG_LINK = "https://charge.example.com/" + "9" * 100
NAMES = frozenset({"MIFARE Classic 1K", "MIFARE Classic 4K"})
ANY = frozenset({Freshness.BLANK, Freshness.LINK})
OPEN = Profile("open", "open", NAMES, Content.LINK, accepts=ANY)
KEYED = Profile("keyed", "keyed", NAMES, Content.LINK, Protection.KEYS, key="cards", accepts=ANY)
PATIENCE_S = 60.0

Tool = Callable[..., str]


@pytest.fixture
def reader() -> Iterator[VirtualPn532]:
    with VirtualPn532() as virtual:
        yield virtual


@pytest.fixture
def tool(reader: VirtualPn532) -> Tool:
    def use(name: str, *arguments: object) -> str:
        done = subprocess.run(
            [name, *map(str, arguments)],
            env=os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{reader.path}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return use


def new_classic(word: str) -> VirtualClassic:
    card = new_card(word, bytes.fromhex("5A1B2C3D"))
    assert isinstance(card, VirtualClassic)
    return card


def identified(link: SimLink) -> Identity:
    return run(link, identify_classic(CardUid(link.uid()), Kind(link.card.name, Family.CLASSIC)))


def make(card: VirtualClassic, profile: Profile, text: str) -> None:
    link, keys = link_to(card), OpenKeys()
    target = Target(profile, text, KeyRef("cards", 1) if profile.key else None)
    identity = identified(link)
    state = run(link, classic.examine(identity, target, keys))
    plan = classic.plan(Identity(identity.uid, identity.name, state), target)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))


@pytest.mark.parametrize("word", ["classic1k", "classic4k"])
@pytest.mark.parametrize("profile", [OPEN, KEYED], ids=lambda profile: profile.name)
@pytest.mark.parametrize("text", [LINK, LONG_LINK], ids=["short", "long"])
def test_libfreefare_reads_our_link(
    reader: VirtualPn532, tool: Tool, tmp_path: Path, word: str, profile: Profile, text: str
) -> None:
    card = new_classic(word)
    make(card, profile, text)
    reader.insert(card)
    found = tmp_path / "found.ndef"

    tool("mifare-classic-read-ndef", "-y", "-o", found)

    assert [record.iri for record in ndef.message_decoder(found.read_bytes())] == [text]


@pytest.mark.parametrize("word", ["classic1k", "classic4k"])
def test_we_read_and_take_over_what_libfreefare_wrote(
    reader: VirtualPn532, tool: Tool, tmp_path: Path, word: str
) -> None:
    card = new_classic(word)
    reader.insert(card)
    message = tmp_path / "message.ndef"
    message.write_bytes(b"".join(ndef.message_encoder([ndef.UriRecord(LONG_LINK)])))
    tool("mifare-classic-write-ndef", "-y", "-i", message)
    reader.remove()

    state = identified(link_to(card)).state
    assert state is not None
    assert (state.link, state.freshness) == (LONG_LINK, Freshness.LINK)
    make(card, KEYED, LINK)
    state = identified(link_to(card)).state
    assert state is not None
    assert state.link == LINK
