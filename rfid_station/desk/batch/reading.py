"""A file as a table: opened once, read as often as it takes, a row at a time."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, count, islice, repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rfid_station.desk.batch.columns import Columns, columns_of, known_titles
from rfid_station.desk.batch.dialects import Dialect, dialect_of
from rfid_station.desk.batch.workbook import is_workbook, sheet_rows
from rfid_station.errors import WrongCall

STDIN = Path("-")
_IN_MEMORY = 8 << 20
"""Bytes of standard input that are kept without a file."""
_PORTION = 1000
"""Rows that are read together."""


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
        header = next(chain.from_iterable(self._records(1)), None)
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
        return chain.from_iterable(self.portions(_PORTION))

    def portions(self, size: int) -> Iterator[list[Row]]:
        """The same rows, at most `size` of them at a time.

        :raises WrongCall: a workbook is damaged
        """
        for records in self._records(size):
            below_header = records[1:] if records[0].number == 1 else records
            rows = [row for row in below_header if row.broken or any(row.cells)]
            if rows:
                yield rows

    def _records(self, size: int) -> Iterator[list[Row]]:
        """Every record of the file in lists that are not empty."""
        if self.dialect is not None:
            yield from _text_records(self._file, self.dialect, size)
            return
        rows, numbers = sheet_rows(self._file, self.name), count(1)
        for wanted in _sizes(size):
            some = list(islice(rows, wanted))
            if not some:
                return
            yield _numbered(numbers, some)


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


def _text_records(file: BinaryIO, dialect: Dialect, size: int) -> Iterator[list[Row]]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=dialect.encoding, newline="")
    try:
        for _ in range(dialect.first_line):
            text.readline()
        reader, numbers = csv.reader(text, delimiter=dialect.delimiter, strict=True), count(1)
        for wanted in _sizes(size):
            some = _some_records(reader, numbers, wanted)
            if not some:
                return
            yield some
    finally:
        text.detach()


def _sizes(size: int) -> Iterator[int]:
    """The header by itself, and then so many rows at a time."""
    return chain((1,), repeat(size))


def _some_records(reader: Iterator[list[str]], numbers: Iterator[int], size: int) -> list[Row]:
    """The next records: as many as are wanted, or up to one that cannot be taken apart."""
    taken: list[list[str]] = []
    try:
        for cells in islice(reader, size):
            taken.append(cells)
    except csv.Error as error:
        return [*_numbered(numbers, taken), Row(next(numbers), [], broken=f"{error}")]
    return _numbered(numbers, taken)


def _numbered(numbers: Iterator[int], records: Iterable[Iterable[str]]) -> list[Row]:
    return [Row(number, list(map(str.strip, cells))) for cells, number in zip(records, numbers, strict=False)]
