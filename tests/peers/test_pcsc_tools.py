"""opensc-tool and pcsc_scan, which know nothing of us, name virtual cards behind a real pcscd."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd
from rfid_station.simulator.readers.reader_models import MODELS

UID = bytes.fromhex("04E10CDA993C80")
PATIENCE_S = 60.0


@pytest.fixture
def reader(picc: VirtualPcscReader) -> Iterator[VirtualPcscReader]:
    yield picc
    picc.transparent = True


def said_by(command: list[str], wanted: str, **variables: str) -> str:
    """Run a tool until it says what is wanted: pcscd takes up to a second to see a card."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(
            command,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if wanted in done.stdout or time.monotonic() > deadline:
            return done.stdout
        time.sleep(0.05)


# model, chip, ATR
ATRS = [
    ("acr1552u", "ntag213", "3b:8f:80:01:80:4f:0c:a0:00:00:03:06:03:00:03:00:00:00:00:68"),
    ("acr1552u", "classic1k", "3b:8f:80:01:80:4f:0c:a0:00:00:03:06:03:00:01:00:00:00:00:6a"),
    ("acr1552u", "ntag424", "3b:81:80:01:80:80"),
    ("acr122u", "desfire", "3b:86:80:01:06:75:77:81:02:80:00"),
]


@pytest.mark.parametrize(("model", "chip", "atr"), ATRS)
def test_opensc_tool_shows_the_atr(
    pcscd: PrivatePcscd, reader: VirtualPcscReader, model: str, chip: str, atr: str
) -> None:
    reader.model = MODELS[model]
    reader.insert(new_card(chip, UID[: uid_size(chip)]))

    assert said_by(["opensc-tool", "--reader", pcscd.reader, "--atr"], atr).strip() == atr


def test_opensc_tool_asks_for_the_uid_and_for_a_version(
    pcscd: PrivatePcscd, reader: VirtualPcscReader
) -> None:
    reader.insert(new_card("ntag424", UID))

    said = said_by(
        ["opensc-tool", "--reader", pcscd.reader, "--send-apdu", "FFCA000000", "--send-apdu", "9060000000"],
        "SW1=0x91",
    )

    assert "04 E1 0C DA 99 3C 80" in said
    assert "SW1=0x91, SW2=0xAF" in said


NAMES = [
    ("classic1k", "MIFARE Classic 1K (as per PCSC std part3)"),
    ("ntag213", "MIFARE Ultralight (as per PCSC std part3)"),
]


@pytest.mark.parametrize(("chip", "name"), NAMES)
def test_pcsc_scan_finds_the_card_in_its_list(
    pcscd: PrivatePcscd, reader: VirtualPcscReader, tmp_path: Path, chip: str, name: str
) -> None:
    # It would look for a newer list in the network if it found a card in none of its own.
    shutil.copyfile("/usr/share/pcsc/smartcard_list.txt", tmp_path / "smartcard_list.txt")
    reader.insert(new_card(chip, UID[: uid_size(chip)]))
    said_by(["opensc-tool", "--reader", pcscd.reader, "--atr"], "3b:8f")

    assert name in said_by(["pcsc_scan", "-t", "1"], name, XDG_CACHE_HOME=str(tmp_path))
