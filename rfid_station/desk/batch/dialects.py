"""In which encoding and with which delimiter a text table is written, by what its bytes show."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from rfid_station.errors import WrongCall

DELIMITERS = ",;\t|"
_CHUNK = 1 << 16
_HEAD = 1 << 16
"""Bytes in which the header must end."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\r?\n?', re.IGNORECASE)
"""A spreadsheet's own hint in front of the header."""

_NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little-endian, without BOM",
    "utf-16-be": "UTF-16, big-endian, without BOM",
    "cp1252": "Windows-1252",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    encoding: str
    delimiter: str
    first_line: int = 0
    """Lines in front of the header."""

    @property
    def words(self) -> str:
        """The dialect for a person."""
        delimiter = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}[self.delimiter]
        return f"{_NAMES[self.encoding]}, {delimiter}"


def dialect_of(file: BinaryIO, name: str, fit: Callable[[list[str]], int]) -> Dialect:
    """Say how a file is written, by its bytes and its header.

    :param fit: how many columns of a header are known
    :raises WrongCall: it is no text in any of the encodings
    """
    encoding = _encoding_of(file, name)
    file.seek(0)
    head = codecs.getincrementaldecoder(encoding)("strict").decode(file.read(_HEAD))
    told = _SEPARATOR_LINE.match(head)
    if told:
        return Dialect(encoding, told[1], 1)
    return Dialect(encoding, max(DELIMITERS, key=lambda sign: _rank(head, sign, fit)))


def _rank(head: str, delimiter: str, fit: Callable[[list[str]], int]) -> tuple[int, int]:
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        header = next(reader, [])
    except csv.Error:
        return (0, 0)
    return fit(header), len(header)


def _encoding_of(file: BinaryIO, name: str) -> str:
    """:raises WrongCall: no encoding fits all bytes"""
    file.seek(0)
    head = file.read(_HEAD)
    for encoding in _candidates(head):
        if _is_written_in(file, encoding):
            return encoding
    raise WrongCall(
        f"{name} cannot be read as text: it is not UTF-8, UTF-16 or Windows-1252",
        hint="save it as CSV UTF-8, or as .xlsx",
    )


def _candidates(head: bytes) -> list[str]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return [encoding]
    if b"\0" not in head:
        return ["utf-8", "cp1252"]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 2 > len(head) // 2 and not even:
        return ["utf-16-le"]
    if even * 2 > len(head) // 2 and not odd:
        return ["utf-16-be"]
    return []


def _is_written_in(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
