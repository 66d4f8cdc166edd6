"""Where in a TOML file an entry stands, for errors: the parser of the standard library does not say.

Reads text that is known to be valid TOML, and therefore only tells keys, strings and brackets apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EntryPath = tuple[str | int, ...]
"""The keys down to an entry; entries of a list, and tables of `[[key]]`, count from 0."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[\s]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_QUOTES = ('"""', "'''", '"', "'")


@dataclass(frozen=True, slots=True)
class Position:
    """A line and a column, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Places:
    """The places of all entries of one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offsets = _Scanner(text).offsets()

    def of(self, path: EntryPath, within: str = "") -> Position | None:
        """Where an entry begins, or the first place of a text within it; None if it is not there."""
        offset = self._offsets.get(path)
        if offset is None:
            return None
        found = self._text.find(within, offset) if within else -1
        return self._position(found if found >= 0 else offset)

    def _position(self, offset: int) -> Position:
        line_begin = self._text.rfind("\n", 0, offset) + 1
        return Position(self._text.count("\n", 0, offset) + 1, offset - line_begin + 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._table: EntryPath = ()
        self._lists: dict[EntryPath, int] = {}
        self._offsets: dict[EntryPath, int] = {(): 0}

    def offsets(self) -> dict[EntryPath, int]:
        while self._skip(_BLANK) < len(self._text):
            if self._next_is("["):
                self._header()
            else:
                self._entry(self._table)
        return self._offsets

    def _header(self) -> None:
        begin = self._at
        is_list = self._text.startswith("[[", begin)
        self._at += 2 if is_list else 1
        *outer, last = self._key()
        path = self._resolved(outer)
        path = (*path, last)
        if is_list:
            self._lists[path] = self._lists.get(path, -1) + 1
            path = (*path, self._lists[path])
        self._note(path, begin)
        self._table = path
        self._at += 2 if is_list else 1

    def _resolved(self, keys: list[str]) -> EntryPath:
        """Keys of a header with the number of the list's newest table behind each list."""
        path: EntryPath = ()
        for key in keys:
            path = (*path, key)
            if path in self._lists:
                path = (*path, self._lists[path])
        return path

    def _entry(self, table: EntryPath) -> None:
        begin = self._at
        path = (*table, *self._key())
        self._note(path, begin)
        self._skip(_SPACES)
        self._at += 1  # the sign =
        self._value(path)

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACES)
            if self._text[self._at] in "\"'":
                keys.append(self._string()[1:-1])
            else:
                begin = self._at
                self._skip(_BARE_KEY)
                keys.append(self._text[begin : self._at])
            self._skip(_SPACES)
            if not self._next_is("."):
                return keys
            self._at += 1

    def _value(self, path: EntryPath) -> None:
        self._skip(_SPACES)
        if self._next_is("["):
            self._inner(path, "]")
        elif self._next_is("{"):
            self._inner(path, "}")
        elif self._text[self._at] in "\"'":
            self._string()
        else:
            self._skip(_SCALAR)

    def _inner(self, path: EntryPath, end: str) -> None:
        self._at += 1
        number = 0
        while self._skip(_BLANK) < len(self._text) and not self._next_is(end):
            if self._next_is(","):
                self._at += 1
            elif end == "}":
                self._entry(path)
            else:
                self._note((*path, number), self._at)
                self._value((*path, number))
                number += 1
        self._at += 1

    def _string(self) -> str:
        begin = self._at
        quote = next(quote for quote in _QUOTES if self._text.startswith(quote, begin))
        self._at += len(quote)
        while not self._next_is(quote):
            self._at += 2 if quote[0] == '"' and self._next_is("\\") else 1
        self._at += len(quote)
        while len(quote) == 3 and self._next_is(quote[0]):  # up to two quotes may end such a text
            self._at += 1
        return self._text[begin : self._at]

    def _next_is(self, what: str) -> bool:
        return self._text.startswith(what, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _note(self, path: EntryPath, offset: int) -> None:
        for length in range(1, len(path) + 1):
            self._offsets.setdefault(path[:length], offset)
