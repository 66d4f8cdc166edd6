"""Tags that we encode, read and opened by nfcpy and libfreefare over the links that real readers have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import ndef
import nfc
import nfc.clf
import nfc.clf.pn532
import nfc.clf.transport
import nfc.tag
import pytest
import taps
from nfcpy_link import udp_device

from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.encode.keys import card_key
from rfid_station.encode.plan import Target
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/c/7Q2M9XK4"
KEY = KeyRef("cards", 1)
Tap = Callable[[VirtualCard], Any]


def made(chip: str, content: Content, protection: Protection) -> tuple[VirtualCard, taps.OpenKeys]:
    """A card as our encoder leaves it."""
    card, keys = new_card(chip, UID), taps.OpenKeys()
    is_keyed = protection is Protection.KEYS
    profile = Profile(
        "judged",
        "",
        frozenset({taps.identified(card).name}),
        content,
        protection,
        KEY.id if is_keyed else None,
        irreversible=protection is Protection.LOCKED,
    )
    taps.tap(taps.link_to(card), Target(profile, LINK, KEY if is_keyed else None), keys)
    return card, keys


def pn532(stack: ExitStack) -> tuple[VirtualPn532, Any]:
    reader = stack.enter_context(VirtualPn532())
    return reader, nfc.clf.pn532.init(nfc.clf.transport.TTY(reader.path))


def udp(stack: ExitStack) -> tuple[VirtualUdpReader, Any]:
    reader = stack.enter_context(VirtualUdpReader(0))
    return reader, udp_device(reader.port)


@pytest.fixture(params=[pn532, udp], ids=["pn532", "udp"])
def tap(request: pytest.FixtureRequest) -> Iterator[Tap]:
    """Lay a card on a reader, and let nfcpy make a tag object of it."""
    with ExitStack() as stack:
        reader, device = request.param(stack)
        clf = nfc.ContactlessFrontend()
        clf.device = stack.enter_context(closing(device))

        def lay_and_activate(card: VirtualCard) -> Any:
            if reader.field is None:
                reader.insert(card)
            target = clf.sense(nfc.clf.RemoteTarget("106A"), iterations=40, interval=0.05)
            return nfc.tag.activate(clf, target)

        yield lay_and_activate


@pytest.mark.parametrize("protection", Protection)
@pytest.mark.parametrize("chip", ["ntag213", "mf0ul21", "ultralightc"])
def test_nfcpy_reads_the_link_of_a_type_2_tag(tap: Tap, chip: str, protection: Protection) -> None:
    card, _ = made(chip, Content.LINK, protection)

    tag = tap(card)

    assert [record.uri for record in tag.ndef.records] == [LINK]
    assert tag.ndef.is_writeable == (protection is not Protection.LOCKED)


@pytest.mark.parametrize("chip", ["ntag213", "mf0ul21", "ultralightc"])
def test_nfcpy_writes_only_with_the_key_of_the_card(tap: Tap, chip: str) -> None:
    card, keys = made(chip, Content.LINK, Protection.KEYS)
    slot = "t2.key.0" if chip == "ultralightc" else "t2.pwd"
    secret = card_key(keys, KEY, taps.identified(card).uid, slot).reveal()
    other = ndef.UriRecord("https://other.example")

    with pytest.raises(nfc.tag.TagCommandError):
        tap(card).write(8, b"evil")
    tag = tap(card)
    assert tag.authenticate(secret)
    tag.ndef.records = [other]

    assert [record.uri for record in tap(card).ndef.records] == [other.uri]


@pytest.mark.parametrize("content", [Content.LINK, Content.SUN])
def test_nfcpy_reads_an_ntag_424_and_cannot_write_it(tap: Tap, content: Content) -> None:
    card, _ = made("ntag424", content, Protection.KEYS)

    first, second = ([record.uri for record in tap(card).ndef.records] for _ in range(2))

    assert first[0].startswith(LINK)
    assert (first == second) == (content is Content.LINK)
    tag = tap(card)
    assert not tag.ndef.is_writeable
    with pytest.raises(nfc.tag.TagCommandError):
        tag.send_apdu(0x00, 0xD6, 0x00, 0x00, bytes(2))
    assert tap(card).ndef.records[0].uri.startswith(LINK)


@pytest.mark.parametrize(
    ("chip", "kind"), [("ultralightc", "Mifare UltraLightC"), ("mf0ul21", "Mifare UltraLight")]
)
def test_libfreefare_still_knows_a_chip_that_is_closed(chip: str, kind: str) -> None:
    card, _ = made(chip, Content.LINK, Protection.KEYS)
    with VirtualPn532() as reader:
        reader.insert(card)
        said = subprocess.run(
            ["mifare-ultralight-info"],
            env=os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{reader.path}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    assert f"Tag with UID {UID.hex()} is a {kind}\n" in said.stdout


@pytest.mark.parametrize("chip", ["ntag213", "ntag216", "ntag424"])
def test_we_read_what_nfcpy_wrote(tap: Tap, chip: str) -> None:
    card = new_card(chip, UID)

    tap(card).ndef.records = [ndef.UriRecord(LINK)]

    state = taps.identified(card).state
    assert state is not None
    assert (state.freshness, state.link) == (Freshness.LINK, LINK)
