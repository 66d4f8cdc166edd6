"""The first sheet of an Excel workbook (.xlsx) as rows of text. Bounded before anything is unpacked."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, BinaryIO

from rfid_station.errors import WrongCall

MOST_UNPACKED = 512 << 20
"""Bytes of all parts of a workbook together."""
MOST_SHARED = 64 << 20
"""Bytes of the parts that are read into memory as a whole: texts, styles."""
MOST_RATIO = 200
"""How many times larger a workbook may be unpacked; sheets of numbers and names reach 20."""
_ALWAYS_FINE = 8 << 20
MOST_PARTS = 2000
MOST_ROWS = 1_048_576
"""Excel's own limit."""
MOST_COLUMNS = 256

_SIGNATURE = b"PK\x03\x04"
_ONLY_ZEROS = re.compile(r"0{2,32}")
_EXACT_DIGITS = 15
"""A spreadsheet keeps no more digits of a number."""
_SAVE_AS_CSV = "save the sheet as CSV UTF-8 and check that"


def is_workbook(file: BinaryIO) -> bool:
    """Whether a file is a ZIP archive, as every .xlsx is."""
    file.seek(0)
    return file.read(4) == _SIGNATURE


def sheet_rows(file: BinaryIO, name: str) -> Iterator[list[str]]:
    """Every row of the first sheet, as text.

    :raises WrongCall: it is no workbook, or too large a one
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    check_bounds(file, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for number, cells in enumerate(sheet.iter_rows(), 1):
            if number > MOST_ROWS or any(cell.value is not None for cell in cells[MOST_COLUMNS:]):
                raise _too_large(name, f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns")
            yield [_text(cell) for cell in cells[:MOST_COLUMNS]]
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, OSError, SyntaxError) as error:
        raise _unreadable(name, f"{error}") from None
    except (InvalidFileException, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise _unreadable(name, f"{error}") from None


def check_bounds(file: BinaryIO, name: str) -> None:
    """Let a workbook pass that unpacks to a size that can be worked with.

    The sizes in an archive's directory bind: no more than them is ever unpacked.

    :raises WrongCall: it does not
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise _unreadable(name, f"{error}") from None
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED:
        raise _too_large(name, f"more than {MOST_UNPACKED >> 20} MB unpacked")
    if unpacked > max(_ALWAYS_FINE, MOST_RATIO * sum(part.compress_size for part in parts)):
        raise _too_large(name, f"{unpacked >> 20} MB packed more than {MOST_RATIO} times smaller")
    whole = [part for part in parts if not part.filename.startswith("xl/worksheets/")]
    if sum(part.file_size for part in whole) > MOST_SHARED:
        raise _too_large(name, f"more than {MOST_SHARED >> 20} MB of texts and styles")


def _text(cell: Any) -> str:  # noqa: ANN401 - openpyxl has no types
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _number(value: float, style: str) -> str:
    """A number as its cell shows it, where that is sure; what has lost digits shows that it has."""
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    whole = int(value)
    if len(str(abs(whole))) > _EXACT_DIGITS:
        return f"{whole:.14E}"
    return str(whole).zfill(len(style)) if _ONLY_ZEROS.fullmatch(style or "") else str(whole)


def _unreadable(name: str, why: str) -> WrongCall:
    return WrongCall(f"{name} cannot be read as an .xlsx workbook: {why}", hint=_SAVE_AS_CSV)


def _too_large(name: str, what: str) -> WrongCall:
    return WrongCall(f"{name} has {what}: that is no fleet file", hint=_SAVE_AS_CSV)
