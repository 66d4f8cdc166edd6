"""A file as a table: opened once, read as often as it takes, a row at a time."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rfid_station.desk.batch.columns import Columns, columns_of, known_titles
from rfid_station.desk.batch.dialects import Dialect, dialect_of
from rfid_station.desk.batch.workbook import is_workbook, sheet_rows
from rfid_station.errors import WrongCall

STDIN = Path("-")
_IN_MEMORY = 8 << 20
"""Bytes of standard input that are kept without a file."""


class Row(NamedTuple):
    """One row that is not blank. Row 1 is the header, as a spreadsheet counts."""

    number: int
    cells: list[str]
    """Without blanks around them."""
    broken: str | None = None
    """Why it could not be taken apart."""


class Table:
    """An opened file: its columns, and its rows as often as they are asked for."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = name
        self.dialect: Dialect | None = None
        if not is_workbook(file):
            self.dialect = dialect_of(file, name, known_titles)
        header = next(self._records(), None)
        if header and header.broken:
            raise WrongCall(f"{name} row 1: {header.broken}", hint="close the quotes in that row")
        self.columns: Columns = columns_of(header.cells if header else ())

    @property
    def words(self) -> str:
        """How the file is written."""
        return self.dialect.words if self.dialect else "Excel workbook, first sheet"

    def rows(self) -> Iterator[Row]:
        """Every row below the header that is not blank.

        :raises WrongCall: a workbook is damaged
        """
        for row in islice(self._records(), 1, None):
            if row.broken or any(row.cells):
                yield row

    def _records(self) -> Iterator[Row]:
        if self.dialect is None:
            for number, cells in enumerate(sheet_rows(self._file, self.name), 1):
                yield Row(number, [cell.strip() for cell in cells])
        else:
            yield from _text_rows(self._file, self.dialect)


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a fleet file; `-` is standard input.

    :raises WrongCall: there is no such file, or it is no table in any form that is known
    """
    with ExitStack() as stack:
        if path == STDIN:
            spooled = stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            yield Table(spooled, "standard input")  # type: ignore[arg-type]
            return
        try:
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            raise WrongCall(f"there is no file {path}", hint=f"ls {path.parent}") from None
        except OSError as error:
            raise WrongCall(
                f"{path} cannot be read: {error.strerror}", hint=f"ls -ld {path}; it must be a file"
            ) from None
        yield Table(file, str(path))


def _text_rows(file: BinaryIO, dialect: Dialect) -> Iterator[Row]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=dialect.encoding, newline="")
    try:
        for _ in range(dialect.first_line):
            text.readline()
        reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        number = 0
        while True:
            number += 1
            try:
                yield Row(number, [cell.strip() for cell in next(reader)])
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, [], broken=f"{error}")
    finally:
        text.detach()
