"""Fleet files to test with: in any dialect, as CSV or as a workbook."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from openpyxl import Workbook

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station


def nxp_uids(count: int, seed: int = 1) -> list[bytes]:
    """UIDs of NXP's chips as a maker draws them: none ends with 04 too."""
    chance = random.Random(seed)
    return [b"\x04" + chance.randbytes(5) + bytes([chance.choice((0x80, 0x90, 0x91))]) for _ in range(count)]


def table_bytes(
    rows: Iterable[Sequence[str]], *, encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n"
) -> bytes:
    """A table as a spreadsheet writes it; Python's own writer forgets to quote a lone CR."""
    told = list(rows)
    quoting = csv.QUOTE_ALL if any("\r" in cell for row in told for cell in row) else csv.QUOTE_MINIMAL
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(told)
    return text.getvalue().encode(encoding)


def workbook_bytes(rows: Iterable[Sequence[object]], styles: dict[str, str] | None = None) -> bytes:
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cell, style in (styles or {}).items():
        sheet[cell].number_format = style
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def bomb(size: int) -> bytes:
    """A workbook whose sheet unpacks to so many bytes of blanks."""
    file = io.BytesIO(workbook_bytes([["uid"]]))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet2.xml", b" " * size)
    return file.getvalue()


def findings_of(
    path: Path, station: Station | None = None, uids: UidForm = UidForm.AS_IS, order: str | None = None
) -> list[Finding]:
    with open_table(path) as table:
        pattern = station.number_pattern if station else None
        return list(Check(table, Wish(order or path.stem, uids), pattern).findings(station))
