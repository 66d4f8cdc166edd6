"""Whole cards made through every kind of reader: identified, encoded, verified, closed with keys, recorded.

The chips and the readers' firmware are virtual; the encoders, the links and, over nfcpy, its drivers are the
ones that are used at a desk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import nfc.clf.transport
import pytest
from taps import OpenKeys, tap

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.station import load_profile
from rfid_station.encode.plan import Target
from rfid_station.reader.nfc import open_nfc
from rfid_station.reader.pcsc_link import ConnectionBroken, PcscLink, ReaderHabits
from rfid_station.reader.port import Reader
from rfid_station.reader.trace import traced
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import CardGone, Field
from rfid_station.simulator.readers.contactless_reader import ContactlessReader
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532
from rfid_station.simulator.readers.reader_models import MODELS

UID = bytes.fromhex("04E10CDA993C80")
MASTER_KEY = b"cards:1".ljust(16, b"*")

JOBS = [
    ("ntag213", "link-password"),
    ("ultralightc", "link-password"),
    ("classic1k", "classic-keys"),
    ("ntag424", "sun"),
    ("desfire-ev3", "desfire"),
]

Lay = Callable[[VirtualCard], CardLink]


class Direct:
    """A connection to the firmware of a PC/SC reader without PC/SC in between."""

    is_t0 = False

    def __init__(self, firmware: ContactlessReader) -> None:
        self._firmware = firmware
        firmware.power_on()

    def atr(self) -> bytes:
        return self._firmware.atr()

    def transmit(self, apdu: bytes) -> bytes:
        try:
            return self._firmware.transmit(apdu)
        except CardGone:
            raise ConnectionBroken("card was removed") from None

    def restart(self) -> None:
        self._firmware.power_off()
        self._firmware.power_on()

    def end(self) -> None:
        self._firmware.power_off()


@contextmanager
def pcsc(model: str) -> Iterator[Lay]:
    firmware = ContactlessReader(MODELS[model])
    habits = ReaderHabits()

    def lay(card: VirtualCard) -> CardLink:
        firmware.place(Field(card))
        return PcscLink(Direct(firmware), model, habits)

    yield lay


def first_card(reader: Reader) -> CardLink:
    deadline = time.monotonic() + 60
    link = next(iter(reader.cards(lambda: time.monotonic() > deadline)), None)
    assert link is not None, "no card came"
    return link


@contextmanager
def pn532() -> Iterator[Lay]:
    name = f"rfidways{os.getpid()}"
    with ExitStack() as at_the_end:
        place = Path("/dev") / name if os.access("/dev", os.W_OK) else None
        virtual = at_the_end.enter_context(VirtualPn532(place))
        patch = at_the_end.enter_context(pytest.MonkeyPatch.context())
        if place is None:
            found = ([virtual.terminal], "pn532", False)
            patch.setattr(nfc.clf.transport.TTY, "find", classmethod(lambda *_: found))

        def lay(card: VirtualCard) -> CardLink:
            virtual.insert(card)
            return first_card(at_the_end.enter_context(closing(open_nfc(f"tty:{name}:pn532"))))

        yield lay


@contextmanager
def udp() -> Iterator[Lay]:
    with VirtualUdpReader(0) as virtual, ExitStack() as at_the_end:

        def lay(card: VirtualCard) -> CardLink:
            virtual.insert(card)
            return first_card(at_the_end.enter_context(closing(open_nfc(f"udp:127.0.0.1:{virtual.port}"))))

        yield lay


WAYS = {
    "acr122u": lambda: pcsc("acr122u"),
    "acr1552u": lambda: pcsc("acr1552u"),
    "omnikey5022": lambda: pcsc("omnikey5022"),
    "identiv3700": lambda: pcsc("identiv3700"),
    "nfc:tty": pn532,
    "nfc:udp": udp,
}


@pytest.mark.parametrize(
    ("way", "chip", "profile"),
    [
        pytest.param(way, chip, profile, id=f"{way}-{chip}-{profile}")
        for way in WAYS
        for chip, profile in JOBS
        if way != "nfc:udp" or chip in ("ntag213", "desfire-ev3")
    ],
)
def test_a_card_is_made_and_found_right_again(way: str, chip: str, profile: str) -> None:
    keys = OpenKeys()
    target = Target(load_profile(profile, Path()), "https://example.com/k", keys.newest("cards"))
    card = new_card(chip, UID[: uid_size(chip)])
    with WAYS[way]() as lay:
        made = tap(lay(card), target, keys)

        begun = Target(target.profile, target.link, target.key, is_begun=True)
        again = tap(lay(_aside(card)), begun, keys)

    assert made.steps
    assert not again.steps, "a card that is done needs nothing more"


def _aside(card: VirtualCard) -> VirtualCard:
    """The same plastic after it was lifted: a new life with the state it had."""
    twin = new_card(card.chip, card.uid)
    twin.restore(card.state())
    return twin


@pytest.mark.parametrize(("chip", "profile"), JOBS)
def test_no_key_is_in_the_trace_of_a_card_that_is_closed(chip: str, profile: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    keys = OpenKeys()
    seen: list[bytes] = []
    target = Target(load_profile(profile, Path()), "https://example.com/k", keys.newest("cards"))
    card = new_card(chip, UID[: uid_size(chip)])
    with pcsc("acr1552u") as lay:
        reader = traced(_OneCard(lay(card)), path)
        tap(next(iter(reader.cards(bool))), target, _Watched(keys, seen))  # type: ignore[arg-type]
        reader.close()

    text = path.read_text().upper()
    assert seen, "keys were derived"
    for key in [MASTER_KEY, *seen]:
        for at in range(len(key) - 3):
            assert key[at : at + 4].hex().upper() not in text


class _OneCard:
    uri = "pcsc:one"

    def __init__(self, link: CardLink) -> None:
        self._link = link

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        yield self._link

    def close(self) -> None:
        """Nothing is open."""


class _Watched:
    """Keys, and what was derived from them."""

    def __init__(self, keys: OpenKeys, seen: list[bytes]) -> None:
        self._keys = keys
        self._seen = seen

    def newest(self, key_id: str) -> object:
        return self._keys.newest(key_id)

    def diversify(self, ref: object, diversification_input: bytes) -> object:
        key = self._keys.diversify(ref, diversification_input)  # type: ignore[arg-type]
        self._seen.append(key.raw)  # type: ignore[attr-defined]
        return key
