"""Debian's tools of libnfc and libfreefare work with the virtual chips as with real ones on a PN532."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import ndef
import pytest

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/c/7Q2M9XK4"
MESSAGE = b"".join(ndef.message_encoder([ndef.UriRecord(LINK)]))
PATIENCE_S = 60.0

Tool = Callable[..., str]


@pytest.fixture
def reader() -> Iterator[VirtualPn532]:
    with VirtualPn532() as virtual:
        yield virtual


@pytest.fixture
def tool(reader: VirtualPn532) -> Tool:
    """Run a tool with the virtual reader as its only one; what it said on both of its outputs."""

    def run(name: str, *arguments: object, answers: str = "") -> str:
        done = subprocess.run(
            [name, *map(str, arguments)],
            env=os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{reader.path}"},
            input=answers,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def lay(reader: VirtualPn532, chip: str) -> VirtualCard:
    card = new_card(chip, UID[: uid_size(chip)])
    reader.insert(card)
    return card


def blocks_of(memory: bytes) -> list[bytes]:
    return [memory[start : start + 16] for start in range(0, len(memory), 16)]


# chip, ATQA, SAK, ATS, as nfc-list prints them
NAMED = [
    ("ntag213", "00  44", "00", None),
    ("classic1k", "00  04", "08", None),
    ("classic4k", "00  02", "18", None),
    ("ntag424", "03  44", "20", "77  77  71  02  80"),
]


@pytest.mark.parametrize(("chip", "atqa", "sak", "ats"), NAMED)
def test_nfc_list_names_a_card(
    reader: VirtualPn532, tool: Tool, chip: str, atqa: str, sak: str, ats: str
) -> None:
    card = lay(reader, chip)

    said = tool("nfc-list")

    assert "1 ISO14443A passive target(s) found" in said
    assert f"ATQA (SENS_RES): {atqa}" in said
    assert f"UID (NFCID1): {card.uid.hex('-').replace('-', '  ')}" in said
    assert f"SAK (SEL_RES): {sak}" in said
    assert (f"ATS: {ats}" if ats else "ATS") in said or ats is None


def test_nfc_list_finds_nothing_on_an_empty_reader(tool: Tool) -> None:
    assert "found" not in tool("nfc-list")


@pytest.mark.parametrize(
    ("chip", "pages"), [("ntag213", 45), ("ntag215", 135), ("mf0ul11", 20), ("mf0ul21", 41)]
)
def test_nfc_mfultralight_reads_a_whole_memory(
    reader: VirtualPn532, tool: Tool, tmp_path: Path, chip: str, pages: int
) -> None:
    card = lay(reader, chip)
    dump = tmp_path / "dump.mfd"

    said = tool("nfc-mfultralight", "r", dump)

    assert f"Done, {pages} of {pages} pages read (0 pages failed)." in said
    user_memory = bytes.fromhex(card.state()["memory"])[: 4 * 16]
    assert dump.read_bytes()[: 4 * 16] == user_memory


def test_nfc_mfultralight_writes_pages_that_read_back(
    reader: VirtualPn532, tool: Tool, tmp_path: Path
) -> None:
    card = lay(reader, "ntag213")
    dump = tmp_path / "dump.mfd"
    tool("nfc-mfultralight", "r", dump)
    content = bytearray(dump.read_bytes())
    content[4 * 4 : 4 * 8] = bytes(range(16))
    dump.write_bytes(content)

    said = tool("nfc-mfultralight", "w", dump, answers="n\n" * 4)

    assert bytes.fromhex(card.state()["memory"])[4 * 4 : 4 * 8] == bytes(range(16)), said


INFO = [("ultralight", "Mifare UltraLight\n"), ("ultralightc", "Mifare UltraLightC\n")]


@pytest.mark.parametrize(("chip", "kind"), INFO)
def test_mifare_ultralight_info_tells_the_two_kinds_apart(
    reader: VirtualPn532, tool: Tool, chip: str, kind: str
) -> None:
    lay(reader, chip)

    assert f"Tag with UID {UID.hex()} is a {kind}" in tool("mifare-ultralight-info")


@pytest.mark.parametrize("chip", ["classic1k", "classic1k7", "mini"])
def test_nfc_mfclassic_reads_every_block(reader: VirtualPn532, tool: Tool, tmp_path: Path, chip: str) -> None:
    card = lay(reader, chip)
    dump = tmp_path / "dump.mfd"

    said = tool("nfc-mfclassic", "r", "a", "u", dump)

    memory = bytes.fromhex(card.state()["memory"])
    assert f"Done, {len(memory) // 16} of {len(memory) // 16} blocks read." in said
    pairs = zip(blocks_of(dump.read_bytes()), blocks_of(memory), strict=True)
    assert [number for number, (read, there) in enumerate(pairs) if read[:10] != there[:10]] == []


@pytest.mark.parametrize("chip", ["classic1k", "classic4k"])
def test_libfreefare_writes_a_message_to_a_classic_and_reads_it_back(
    reader: VirtualPn532, tool: Tool, tmp_path: Path, chip: str
) -> None:
    lay(reader, chip)
    message, again = tmp_path / "in.ndef", tmp_path / "out.ndef"
    message.write_bytes(MESSAGE)

    tool("mifare-classic-write-ndef", "-y", "-i", message)
    tool("mifare-classic-read-ndef", "-y", "-o", again)

    assert again.read_bytes() == MESSAGE


def test_libfreefare_brings_a_classic_back_to_blank(reader: VirtualPn532, tool: Tool, tmp_path: Path) -> None:
    card = lay(reader, "classic1k")
    blank = card.state()
    message = tmp_path / "in.ndef"
    message.write_bytes(MESSAGE)
    tool("mifare-classic-write-ndef", "-y", "-i", message)
    assert card.state() != blank

    assert "done" in tool("mifare-classic-format", "-y")

    memory, before = (bytes.fromhex(state["memory"]) for state in (card.state(), blank))
    assert memory[63 * 16 :] == before[63 * 16 :]
    assert memory[3 * 16 : 4 * 16] == before[3 * 16 : 4 * 16]


def test_mifare_desfire_info_tells_the_version(reader: VirtualPn532, tool: Tool) -> None:
    lay(reader, "desfire-ev1")

    said = tool("mifare-desfire-info")

    assert f"UID:                      0x{UID.hex()}" in said
    assert "Storage size:         0x18 (=4096 bytes)" in said
    assert "Master Key version: 0 (0x00)" in said


def test_libfreefare_makes_an_ndef_application_on_a_desfire_and_uses_it(
    reader: VirtualPn532, tool: Tool, tmp_path: Path
) -> None:
    lay(reader, "desfire-ev1")
    message, again = tmp_path / "in.ndef", tmp_path / "out.ndef"
    message.write_bytes(MESSAGE)

    tool("mifare-desfire-create-ndef", "-y")
    tool("mifare-desfire-write-ndef", "-y", "-i", message)
    tool("mifare-desfire-read-ndef", "-y", "-o", again)

    assert again.read_bytes() == MESSAGE
