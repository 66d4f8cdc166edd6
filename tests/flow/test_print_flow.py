"""From cards to paper and back: printed by a card printer or a bureau, recorded, found again."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pikepdf
import pypdfium2
import pytest
import zxingcpp
from command_line import rows, run
from PIL import Image
from private_cups import Cups, private_cups
from stations import LINES, issue_from
from typer.testing import Result

from rfid_station.desk.paper.press import PressWish, make_press_archive
from rfid_station.desk.paper.printers import CardWish, print_cards
from rfid_station.desk.paper.sheets import cards_to_print
from rfid_station.desk.station import Station
from rfid_station.desk.support.lookup import the_card
from rfid_station.errors import DiskFull, PrintError

WHY = "the first was misprinted"


@pytest.fixture
def issued(station: Station) -> Station:
    """Three cards that are made and not printed."""
    issue_from(station, "sim:ntag213?count=3", LINES)
    return station


@pytest.fixture(scope="module")
def cups() -> Iterator[Cups]:
    with private_cups() as running:
        yield running


@pytest.fixture
def queue(cups: Cups, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in cups.environment.items():
        monkeypatch.setenv(name, value)
    name = f"q{uuid4().hex[:8]}"
    cups.queue(name)
    with cups.alone():
        yield name


def picture(pdf: bytes, page: int) -> Image.Image:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page - 1].render(scale=300 / 72).to_pil()
    finally:
        document.close()


def codes(pdf: bytes, page: int) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture(pdf, page))]


class TestCardPrinter:
    def test_cups_prints_what_was_sent(self, issued: Station, cups: Cups, queue: str) -> None:
        out = issued.folder / "prints" / f"job-{queue}.pdf"
        cards = cards_to_print(issued)
        made = print_cards(issued, cards, CardWish(queue=queue, out=out))
        assert made.request == f"{queue}-{made.request.rpartition('-')[2]}"
        assert (made.cards, made.pages, made.model, made.queue) == (3, 3, "cr80", queue)
        came_out = cups.printed(f"cards-{made.job:04}", queue)
        with pikepdf.open(io.BytesIO(came_out)) as pdf:
            assert len(pdf.pages) == 3
            for page in pdf.pages:
                size = [float(edge) for edge in page.mediabox[2:]]
                assert size == pytest.approx([243.84, 155.52], abs=1), "CUPS knows whole points"
        for number, card in enumerate(cards, start=1):
            assert codes(came_out, number) == [issued.link(card.alias).upper()]
        assert sha256(out.read_bytes()).hexdigest() == issued.store.prints.job(made.job).file_sha256

    def test_the_queue_of_a_printers_own_file(self, issued: Station, cups: Cups, queue: str) -> None:
        own = issued.folder / "templates" / "printers" / "desk.toml"
        own.parent.mkdir(parents=True)
        own.write_text(
            'title = "The one at the desk"\ndots_across = 1035\ndots_down = 661\ndpi = 300\n'
            f'offset = [0.3, 0]\nqueue = "{queue}"\n[options]\nprint-quality = "5"\n'
        )
        made = print_cards(issued, cards_to_print(issued)[:1], CardWish(model="desk"))
        assert (made.queue, made.model) == (queue, "desk")
        came_out = cups.printed(f"cards-{made.job:04}", queue)
        with pikepdf.open(io.BytesIO(came_out)) as pdf:
            assert [float(edge) for edge in pdf.pages[0].mediabox[2:]] == pytest.approx(
                [248.4, 158.64], abs=1
            )
        for option in ("print-quality=5", "print-scaling=none", "sides=one-sided"):
            assert option in cups.log()

    def test_a_queue_that_is_not_there(self, folder: Path, issued: Station, queue: str) -> None:
        result = run(folder, "card", "print", "--printer", queue[:-1])
        assert result.exit_code == 1
        assert f"there is no print queue {queue[:-1]!r}" in result.stderr
        assert f"did you mean {queue!r}?" in result.stderr
        assert issued.store.prints.jobs() == []

    def test_a_machine_without_cups(self, issued: Station, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(issued.folder))
        with pytest.raises(PrintError, match="this machine has no CUPS: there is no lpstat"):
            print_cards(issued, cards_to_print(issued), CardWish(queue="desk"))
        made = print_cards(issued, cards_to_print(issued), CardWish())
        assert (made.queue, made.request, made.pdf.name) == (None, None, "cards-0001.pdf")

    def test_what_cups_refuses_is_recorded_with_its_file(
        self, issued: Station, queue: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bin_ = issued.folder / "bin"
        bin_.mkdir()
        (bin_ / "lpstat").write_text(f"#!/bin/sh\necho {queue}\n")
        (bin_ / "lp").write_text("#!/bin/sh\necho 'lp: out of paper' >&2\nexit 1\n")
        for program in bin_.iterdir():
            program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
        with pytest.raises(PrintError, match="out of paper; the file is written and recorded") as refused:
            print_cards(issued, cards_to_print(issued), CardWish(queue=queue))
        assert str(refused.value.hint).startswith(f"lp -d {queue} ")
        assert cards_to_print(issued) == []

    def test_a_full_disk_leaves_no_file_and_no_record(
        self, issued: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("rfid_station.desk.files.os.fsync", refuse)
        with pytest.raises(DiskFull):
            print_cards(issued, cards_to_print(issued), CardWish())
        with pytest.raises(DiskFull):
            make_press_archive(issued, cards_to_print(issued), PressWish())
        monkeypatch.undo()
        assert list((issued.folder / "prints").iterdir()) == []
        assert issued.store.prints.jobs() == []


class TestBureau:
    def test_an_archive_without_uids(self, folder: Path, issued: Station) -> None:
        for what in ("cards", "data"):
            out = folder / f"{what}.zip"
            result = run(folder, "sheet", "press", "--as", what, "--again", "--reason", WHY, "--out", out)
            assert result.exit_code == 0, result.output
            with zipfile.ZipFile(out) as archive:
                everything = {name: archive.read(name) for name in archive.namelist()}
            pdf = next(data for name, data in everything.items() if name.endswith(".pdf"))
            everything["text"] = text_of(pdf).encode()
            for card in cards_to_print(issued, again=True):
                for name, data in everything.items():
                    raw = card.uid.raw
                    for writing in (
                        raw.hex(),
                        raw.hex(":"),
                        raw.hex(" "),
                        raw[::-1].hex(),
                        str(int.from_bytes(raw)),
                    ):
                        assert writing.lower().encode() not in data.lower(), name
                    assert raw not in data, name

    def test_every_card_is_on_its_page(self, folder: Path, issued: Station) -> None:
        made = document(run(folder, "sheet", "press", "--json"))
        assert made["cards"] == 3
        assert made["intent"] == "Artifex CMYK SWOP Profile"
        assert sha256(Path(made["archive"]).read_bytes()).hexdigest() == made["sha256"]
        assert issued.store.prints.job(made["job"]).file_sha256 == made["sha256"]
        with zipfile.ZipFile(made["archive"]) as archive:
            pdf = archive.read("cards.pdf")
        for placed in issued.store.prints.on_sheet(made["job"]):
            assert codes(pdf, placed.sheet_number) == [issued.link(placed.card.alias).upper()]

    def test_bureaus_are_listed(self, folder: Path) -> None:
        listed = {row["bureau"]: row for row in rows(run(folder, "sheet", "bureaus", "--json"))}
        assert listed["perfect-cards"]["page"] == "89 × 57 mm"
        assert listed["perfect-cards"]["ink"] == "280 %"

    def test_a_profile_that_is_none(self, folder: Path, issued: Station) -> None:
        result = run(folder, "sheet", "press", "--intent", folder / "station.toml")
        assert result.exit_code == 2
        assert "station.toml is no ICC profile" in result.stderr
        assert not (folder / "prints").exists()
        assert issued.store.prints.jobs() == []


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join(document[page].get_textpage().get_text_range() for page in range(len(document)))
    finally:
        document.close()


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


class TestRecords:
    def test_a_second_time_needs_a_reason(self, folder: Path, issued: Station) -> None:
        assert run(folder, "card", "print").exit_code == 0
        number = issued.store.prints.on_sheet(1)[0].card.visual_number
        for command in (("card", "print"), ("sheet", "press"), ("sheet", "print")):
            result = run(folder, *command, number)
            assert result.exit_code == 6, result.output
            assert f"card {number} was printed before, in job 1 by" in result.stderr
            assert "--reason" in result.stderr
        assert run(folder, "card", "print", number, "--reason", WHY).exit_code == 0
        [newest, first] = rows(run(folder, "sheet", "jobs", "--json"))
        assert (newest["kind"], newest["cards"], newest["reason"]) == ("card", 1, WHY)
        assert (first["job"], first["cards"], first["reason"]) == (1, 3, None)
        result = run(folder, "card", "print")
        assert result.exit_code == 2
        assert "there is nothing to print" in result.stderr

    def test_a_tap_finds_the_sheet(self, folder: Path, station: Station) -> None:
        uids = ("04112233445566", "04AABBCCDDEEF0")
        for uid, line in zip(uids, LINES, strict=False):
            issue_from(station, f"sim:ntag213?uid={uid}", [line])
        assert run(folder, "sheet", "print").exit_code == 0
        first, second = cards_to_print(station, again=True)
        result = run(folder, "sheet", "show", "--tap", "--reader", f"sim:ntag213?uid={uids[1]}", "--json")
        shown = document(result)
        assert [(row["position"], row["number"]) for row in shown["cards"]] == [
            (1, first.visual_number),
            (2, second.visual_number),
        ]
        assert (shown["job"], shown["kind"], shown["sheet"]) == (1, "sheet", "a4-10up")
        assert shown == document(run(folder, "sheet", "show", "1", "--json"))
        assert shown == document(run(folder, "sheet", "show", "--card", first.visual_number, "--json"))
        stranger = run(folder, "sheet", "show", "--tap", "--reader", "sim:ntag213?uid=04010203040506")
        assert stranger.exit_code == 1
        assert "is not one of ours" in stranger.stderr

    @pytest.mark.parametrize("arguments", [(), ("1", "--tap"), ("--tap", "--card", "EXM-1")])
    def test_one_sheet_is_asked_for(self, folder: Path, arguments: tuple[str, ...]) -> None:
        result = run(folder, "sheet", "show", *arguments)
        assert result.exit_code == 2
        assert "which sheet?" in result.stderr

    def test_a_job_or_a_sheet_that_is_not_there(self, folder: Path, issued: Station) -> None:
        result = run(folder, "sheet", "show", "7")
        assert (result.exit_code, "there is no print job 7" in result.stderr) == (1, True)
        number = cards_to_print(issued)[0].visual_number
        result = run(folder, "sheet", "show", "--card", number)
        assert (result.exit_code, f"card {number} was never printed" in result.stderr) == (1, True)
        run(folder, "card", "print")
        result = run(folder, "sheet", "show", "1", "--sheet", "9")
        assert (result.exit_code, "job 1 has no sheet 9" in result.stderr) == (1, True)

    def test_the_scanned_code_of_a_printed_card_finds_it(self, folder: Path, issued: Station) -> None:
        """What a scanner reads off the printed card, not what we meant to print."""
        made = document(run(folder, "card", "print", "--json"))
        pdf = Path(made["pdf"]).read_bytes()
        for number, card in enumerate(cards_to_print(issued, again=True), start=1):
            [scanned] = codes(pdf, number)
            assert scanned == scanned.upper()
            [found] = rows(run(folder, "card", "find", scanned, "--json"))
            assert found["number"] == card.visual_number
            for text in (scanned.lower(), issued.link(card.alias), f"{scanned}\n", f"{scanned}?e=00&c=11"):
                assert the_card(issued, text) == card, text
