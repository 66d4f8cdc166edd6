"""Finding template files, and reading them strictly.

A template is a TOML file. Whatever stands in it and nobody asks for is an error, so that a
misspelt entry is never silently without effect. Standard library only: listing templates
must not load a PDF library.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rfid_station.domain.nearest import nearest
from rfid_station.errors import WrongCall
from rfid_station.printing.template_places import EntryPath, Places
from rfid_station.shipped import shipped
from rfid_station.small_file import small_text, table_of

Value = TypeVar("Value")
Choice = TypeVar("Choice", bound=StrEnum)

_NAME = re.compile(r"[\w][\w.-]*")


class TemplateKind(StrEnum):
    """What a template describes. The value is the name of its folder."""

    BRAND = "brands"
    CARD = "cards"
    SHEET = "sheets"
    LETTER = "letters"
    LABEL = "labels"
    BUREAU = "bureaus"
    PRINTER = "printers"

    @property
    def noun(self) -> str:
        """How an error names it."""
        return "card design" if self is TemplateKind.CARD else self.value.removesuffix("s")


def template_names(kind: TemplateKind, folders: Sequence[Path] = ()) -> list[str]:
    """The names of all templates of a kind, sorted, the user's and the shipped ones."""
    return sorted({path.stem for folder in _searched(kind, folders) for path in folder.glob("*.toml")})


def template_path(kind: TemplateKind, name: str, folders: Sequence[Path] = ()) -> Path:
    """The file of a template. The user's folders come before the shipped one.

    Each of `folders` is laid out as `templates/` is: `brands/`, `cards/`, `sheets/`.

    :raises WrongCall: there is no template of this name
    """
    if _NAME.fullmatch(name):
        for folder in _searched(kind, folders):
            path = folder / f"{name}.toml"
            if path.is_file():
                return path
    known = template_names(kind, folders)
    own = folders[0] / kind if folders else None
    raise WrongCall(
        f"there is no {kind.noun} {name!r}",
        hint=f"{nearest(name, known)}there are: {', '.join(known) or 'none'}"
        + (f"; your own go into {own}" if own else ""),
    )


def load_template(
    path: Path, read: Callable[[Table], Value], problems: list[WrongCall] | None = None
) -> Value:
    """Read a template file with a function that takes every entry it knows.

    With a list of `problems`, tables of a list that are wrong are put there and left out, as are entries
    that nobody asked for: so that one reading finds many.

    :raises WrongCall: the file cannot be read or is not TOML, or an entry is wrong, missing or too much
    """
    try:
        text = small_text(path)
        entries = table_of(text)
    except OSError as error:
        raise WrongCall(
            f"{path} cannot be read: {error.strerror}", hint=f"check it with: ls -l {path}"
        ) from error
    except UnicodeDecodeError as error:
        raise WrongCall(f"{path} is not UTF-8 text", hint="save it again with encoding UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise WrongCall(
            f"{path} is not TOML: {error}", hint="put texts in quotes, and each entry on a line"
        ) from error
    return Table(entries, path, context=_Context(text, problems)).read(read)


class _Context:
    """The text that a template was read from, and where what is wrong with it is collected."""

    def __init__(self, text: str, problems: list[WrongCall] | None) -> None:
        self._text = text
        self.problems = problems

    @cached_property
    def places(self) -> Places:
        return Places(self._text)


class Table:
    """One table of a template. Each entry is asked for by name; `read` refuses those nobody asked for.

    :raises WrongCall: by every method that takes an entry, naming file and entry, with a remedy
    """

    def __init__(
        self,
        entries: Mapping[str, object],
        source: Path,
        place: str = "",
        *,
        path: EntryPath = (),
        context: _Context | None = None,
    ) -> None:
        self._entries = entries
        self._asked: list[str] = []
        self._path = path
        self._context = context
        self.source = source
        self.place = place

    def __str__(self) -> str:
        return f"{self.source}: {self.place}" if self.place else str(self.source)

    @property
    def keys(self) -> list[str]:
        """The entries that are there."""
        return list(self._entries)

    def read(self, take: Callable[[Table], Value]) -> Value:
        """Let `take` have this table, and see that it took all of it."""
        value = take(self)
        for key in self._entries:
            if key not in self._asked:
                self._report(
                    WrongCall(
                        f"{self.at(key)}{key!r} is not an entry here",
                        hint=f"{nearest(key, self._asked)}"
                        f"entries here: {', '.join(sorted(set(self._asked)))}",
                    )
                )
        return value

    def at(self, key: str | None = None, within: str = "") -> str:
        """How an error begins: file, line and column of an entry or a text within it, and this table."""
        path = self._path if key is None else (*self._path, key)
        position = self._context.places.of(path, within) if self._context else None
        file = f"{self.source}:{position}" if position else str(self.source)
        return f"{file}: {self.place}: " if self.place else f"{file}: "

    def has(self, key: str) -> bool:
        """Whether an optional entry is there."""
        self._asked.append(key)
        return key in self._entries

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        remedy = f'write {key} = "a text"'
        value = self._take(key, default, remedy)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, f"is {value!r}", remedy)
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A text, or a list of some; none of them is empty."""
        remedy = f'write {key} = "a text", or {key} = ["a text", "another"]'
        value = self._take(key, default, remedy)
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, Sequence) or not texts or not all(map(_is_text, texts)):
            raise self.wrong(key, f"is {value!r}", remedy)
        return tuple(texts)

    def is_table(self, key: str) -> bool:
        """Whether an entry is there and is a table."""
        return self.has(key) and isinstance(self._entries[key], dict)

    def text_entries(self, key: str) -> dict[str, str]:
        """A table of texts by their names; an empty text is one. None if there is no such table."""
        if not self.has(key):
            return {}
        inner = self.table(key)
        for name, value in inner._entries.items():
            if not isinstance(value, str):
                raise inner.wrong(name, f"is {value!r}", f'write {name} = "a text"')
        return {name: str(value) for name, value in inner._entries.items()}

    def number(
        self, key: str, default: float | None = None, *, least: float = -1000, most: float = 1000
    ) -> float:
        """A finite number between two limits, both included."""
        remedy = f"write {key} = a number from {least:g} to {most:g}"
        return self._checked_number(key, self._take(key, default, remedy), least, most)

    def whole(self, key: str, default: int | None = None, *, least: int, most: int) -> int:
        """A whole number between two limits, both included."""
        remedy = f"write {key} = a whole number from {least} to {most}"
        value = self._take(key, default, remedy)
        if not isinstance(value, int):
            raise self.wrong(key, f"is {value!r}", remedy)
        return int(self._checked_number(key, value, least, most))

    def numbers(self, key: str, names: str, *, least: float = -1000, most: float = 1000) -> tuple[float, ...]:
        """As many numbers as there are names, as in `numbers("at", "x, y")`."""
        remedy = f"write {key} = [{names}], numbers from {least:g} to {most:g}"
        value = self._take(key, None, remedy)
        if not isinstance(value, list) or len(value) != names.count(",") + 1:
            raise self.wrong(key, f"is {value!r}", remedy)
        return tuple(self._checked_number(key, number, least, most) for number in value)

    def shares(self, key: str, count: int) -> list[float]:
        """As many numbers from 0 to 1, rising."""
        remedy = f"write {key} = a list of {count} numbers that rise from 0 to 1"
        value = self._take(key, None, remedy)
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(key, f"is {value!r}", remedy)
        shares = [self._checked_number(key, number, 0, 1) for number in value]
        if shares != sorted(shares):
            raise self.wrong(key, f"is {value!r}", remedy)
        return shares

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._entries[key] if self.has(key) else default
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {value!r}", f"write {key} = true, or false")
        return value

    def choice(self, key: str, options: type[Choice], default: Choice | None = None) -> Choice:
        """One of a few words."""
        words = [option.value for option in options]
        remedy = f"write {key} = one of: {', '.join(words)}"
        value = self._take(key, default, remedy)
        if value not in words:
            raise self.wrong(key, f"is {value!r}", f"{nearest(str(value), words)}{remedy}")
        return options(value)

    def file(self, key: str) -> Path:
        """A file that exists, given relative to the folder of the template."""
        return self.file_named(key, self.text(key))

    def file_named(self, key: str, name: str) -> Path:
        """The file of a name that an entry has, relative to the folder of the template."""
        path = self.source.parent / name
        if not path.is_file():
            raise self.wrong(key, f"names {name!r}, which is not there", f"put the file at {path}")
        return path

    def table(self, key: str) -> Table:
        """A table that must be there."""
        value = self._take(key, None, f"add a table [{self._inner(key)}]")
        if not isinstance(value, dict):
            raise self.wrong(key, f"is {value!r}", f"write it as a table [{self._inner(key)}]")
        return Table(value, self.source, self._inner(key), path=(*self._path, key), context=self._context)

    def named_tables(self, key: str, read: Callable[[Table], Value]) -> dict[str, Value]:
        """The tables `[key.NAME]` by their names; none if there are none."""
        if not self.has(key):
            return {}
        outer = self.table(key)
        return {name: outer.table(name).read(read) for name in list(outer._entries)}

    def tables(self, key: str, read: Callable[[Table], Value], label: str = "") -> tuple[Value, ...]:
        """The tables `[[key]]` in their order. An error names the number and the entry `label`."""
        remedy = f"add at least one table [[{key}]]"
        value = self._take(key, None, remedy)
        if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
            raise self.wrong(key, "is no list of tables", remedy)
        places = [f"{self._inner(key)} {n}{_in_brackets(e.get(label))}" for n, e in enumerate(value, start=1)]
        tables = (
            Table(entry, self.source, place, path=(*self._path, key, number), context=self._context)
            for number, (place, entry) in enumerate(zip(places, value, strict=True))
        )
        return tuple(taken for table in tables for taken in table._collected(read))

    def _collected(self, read: Callable[[Table], Value]) -> Iterator[Value]:
        try:
            yield self.read(read)
        except WrongCall as error:
            self._report(error)

    def _report(self, error: WrongCall) -> None:
        """Put an error where errors are collected, or raise it."""
        if self._context is None or self._context.problems is None:
            raise error
        self._context.problems.append(error)

    def points(self, key: str) -> list[tuple[float, float]]:
        """A list of pairs of numbers."""
        remedy = f"write {key} = [[x, y], [x, y]]"
        value = self._take(key, None, remedy)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, f"is {value!r}", remedy)
        return [self._pair(key, pair, remedy) for pair in value]

    def wrong(self, key: str, why: str, remedy: str, within: str = "") -> WrongCall:
        """The error for an entry whose value cannot be used; `within` is the part of it to be pointed at."""
        return WrongCall(f"{self.at(key, within)}{key} {why}", hint=remedy)

    def _take(self, key: str, default: object, remedy: str) -> object:
        if self.has(key):
            return self._entries[key]
        if default is None:
            raise WrongCall(f"{self.at()}{key} is missing", hint=remedy)
        return default

    def _checked_number(self, key: str, value: object, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(key, f"has {value!r}", f"write a number from {least:g} to {most:g}")
        return float(value)

    def _pair(self, key: str, value: object, remedy: str) -> tuple[float, float]:
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(key, f"has {value!r}", remedy)
        x, y = (self._checked_number(key, number, -1000, 1000) for number in value)
        return (x, y)

    def _inner(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _searched(kind: TemplateKind, folders: Sequence[Path]) -> list[Path]:
    return [folder / kind for folder in folders] + [shipped("templates", kind)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _in_brackets(value: object) -> str:
    return f" ({value})" if isinstance(value, str) else ""
