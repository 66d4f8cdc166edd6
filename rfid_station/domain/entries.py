"""A table from a TOML file, taken apart entry by entry; what is left in the end is unknown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar

from rfid_station.errors import WrongCall

_Choice = TypeVar("_Choice", bound=StrEnum)


class Entries:
    """The entries of one table. `what` and `name` say whose they are, as `profile`, `link`.

    :raises WrongCall: by every method, when the entry is of another kind; it names value and remedy
    """

    def __init__(self, what: str, name: str, table: Mapping[str, object]) -> None:
        self._whose = f"{what} {name}"
        self._what = what
        self._table = dict(table)
        self._known: list[str] = []

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, value, f'{name} = "…"')
        return value

    def texts(self, name: str, default: Collection[str] = ()) -> list[str]:
        """A list of texts; not empty, unless there is a default."""
        value = self._take(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, value, f'a list like {name} = ["…"]')
        if not value and not default:
            raise self.wrong(name, None, f'a list like {name} = ["…"]')
        return [str(item) for item in value]

    def choice(self, name: str, choices: type[_Choice], default: _Choice | None = None) -> _Choice:
        """One of several words; it must be there, unless there is a default."""
        value = self._take(name, default)
        if value not in list(choices):
            raise self.wrong(name, value, f"one of: {', '.join(choices)}")
        return choices(str(value))

    def choices(self, name: str, choices: type[_Choice], default: Collection[_Choice]) -> frozenset[_Choice]:
        """Some of several words."""
        values = self.texts(name, sorted(default))
        unknown = next((value for value in values if value not in list(choices)), None)
        if unknown is not None:
            raise self.wrong(name, unknown, f"some of: {', '.join(choices)}")
        return frozenset(map(choices, values))

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A number within bounds."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(name, value, f"a number from {least:g} to {most:g}")
        return float(value)

    def table(self, name: str) -> dict[str, object]:
        """A table within the table; empty if there is none."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, value, f"a table [{name}]")
        return {str(key): item for key, item in value.items()}

    def check_all_known(self) -> None:
        """Let it pass that every entry was asked for.

        :raises WrongCall: one was not
        """
        if self._table:
            raise WrongCall(
                f"{self._whose} has an unknown entry: {min(self._table)}",
                hint=f"a {self._what} has {', '.join(self._known)}",
            )

    def wrong(self, name: str, value: object, wanted: str) -> WrongCall:
        """Say that an entry cannot be used, and what could."""
        shown = "nothing" if value is None else repr(value)
        return WrongCall(f"{self._whose} has {shown} as {name}", hint=f"write {wanted}")

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        return self._table.pop(name, default)
