"""A DESFire that we encode, read by libfreefare and nfcpy; one that libfreefare makes, read by us."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import ndef
import nfc
import nfc.clf
import nfc.tag
import pytest
import taps
from nfcpy_link import udp_device

from rfid_station.chip.desfire_state import DesfireState
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.encode.plan import Target
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/c/7Q2M9XK4"
MESSAGE = b"".join(ndef.message_encoder([ndef.UriRecord(LINK)]))
NAMES = frozenset({"MIFARE DESFire EV1", "MIFARE DESFire EV2", "MIFARE DESFire EV3"})
LINKED = Profile("desfire-link", "", NAMES, Content.LINK)
CHARGING = Profile(
    "desfire", "", NAMES, Content.LINK, Protection.KEYS, "cards", application=bytes.fromhex("F51CC1")
)
PATIENCE_S = 60.0


def made(chip: str, profile: Profile) -> VirtualCard:
    card = new_card(chip, UID)
    key = KeyRef("cards", 1) if profile.key else None
    taps.tap(taps.link_to(card), Target(profile, LINK, key), taps.OpenKeys())
    return card


def tool(module: VirtualPn532, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of libfreefare with the virtual reader as its only one."""
    return subprocess.run(
        [name, "-y", *map(str, arguments)],
        env=os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{module.path}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_S,
        text=True,
        check=False,
    )


def exchanges(module: VirtualPn532) -> int:
    assert module.field is not None
    return module.field.exchanges


def test_libfreefare_reads_our_open_link_and_formats_the_card(tmp_path: Path) -> None:
    card, read = made("desfire-ev1", LINKED), tmp_path / "out.ndef"
    with VirtualPn532() as module:
        module.insert(card)
        done = tool(module, "mifare-desfire-read-ndef", "-o", read)
        assert done.returncode == 0, done.stdout
        assert read.read_bytes() == MESSAGE
        formatted = tool(module, "mifare-desfire-format")
        assert formatted.returncode == 0, formatted.stdout
    state = taps.identified(card).state
    assert state is not None
    assert state.freshness is Freshness.BLANK


def test_libfreefare_cannot_undo_what_our_keys_guard() -> None:
    card = made("desfire-ev1", CHARGING)
    before = card.state()
    with VirtualPn532() as module:
        module.insert(card)
        for name in ("mifare-desfire-format", "mifare-desfire-create-ndef"):
            tool(module, name)
    assert card.state() == before


@pytest.mark.parametrize("profile", [LINKED, CHARGING], ids=lambda profile: profile.name)
@pytest.mark.parametrize("chip", ["desfire-ev1", "desfire-ev2", "desfire-ev3"])
def test_nfcpy_opens_our_link(chip: str, profile: Profile) -> None:
    card = made(chip, profile)
    with VirtualUdpReader(0) as air:
        air.insert(card)
        clf = nfc.ContactlessFrontend()
        clf.device = udp_device(air.port)
        tag = nfc.tag.activate(clf, clf.sense(nfc.clf.RemoteTarget("106A"), iterations=20, interval=0.05))
        links = [record.uri for record in tag.ndef.records]
        is_writeable = tag.ndef.is_writeable
        clf.close()
    assert links == [LINK]
    assert is_writeable is (profile is LINKED)


def test_we_read_what_libfreefare_made_and_need_fewer_exchanges_for_it(tmp_path: Path) -> None:
    card, message = new_card("desfire-ev1", UID), tmp_path / "in.ndef"
    message.write_bytes(MESSAGE)
    with VirtualPn532() as module:
        module.insert(card)
        for name, arguments in (
            ("mifare-desfire-create-ndef", ()),
            ("mifare-desfire-write-ndef", ("-i", message)),
        ):
            done = tool(module, name, *arguments)
            assert done.returncode == 0, done.stdout
        theirs = exchanges(module)
    state = taps.identified(card).state
    assert isinstance(state, DesfireState)
    assert (state.link, state.freshness) == (LINK, Freshness.LINK)
    ours = taps.exchanges_of_a_tap(new_card("desfire-ev1", UID), Target(LINKED, LINK, None))
    assert ours == 22
    assert theirs == 25
