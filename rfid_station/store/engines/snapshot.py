"""Reading without ceremony: a connection that is kept open, for what a server asks a thousand times a second.

A transaction of `Database.read` costs ten times the lookup in it. Here each statement sees the newest commit,
and what was read before is known to hold as long as no other connection has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Snapshots(Protocol):
    """A read-only connection. May be used from several threads, which take turns.

    Statements are SQL that every engine understands, with `?` for each value; rows are read by name or place.
    Every method raises `StoreError` when the store cannot be used.
    """

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What a statement finds in the newest state."""

    def numbers(self, query: str, *values: object) -> list[int]:
        """The whole numbers of the one column of a query, written without its SELECT and named `number`."""

    def rows_among(self, statement: str, numbers: Sequence[int]) -> list[Any]:
        """What a statement finds that ends with a column which is to be among some whole numbers."""

    def view(self) -> AbstractContextManager[None]:
        """Let the statements of a block see one and the same state."""

    def hold(self) -> None:
        """Let what follows see one state until `let_go`, where that saves time."""

    def let_go(self) -> None:
        """See the newest state again. Does nothing where nothing is held."""

    def age(self) -> Hashable:
        """What is another one whenever somebody else has committed."""

    def close(self) -> None:
        """Let go of the store."""


class Ages(Protocol):
    """Tells whether the store has changed."""

    def age(self) -> Hashable:
        """What is another one whenever somebody else has committed."""


class Remembered(Generic[Key, Value]):
    """Answers that are kept until the store changes, up to a number."""

    def __init__(self, ages: Ages, most: int = 1024) -> None:
        self._ages = ages
        self._most = most
        self._age: Hashable = None
        self._kept: dict[Key, Value] = {}

    def get(self, key: Key, load: Callable[[], Value]) -> Value:
        """The answer that is kept, or the one that `load` gives.

        :raises StoreError: the store cannot be used
        """
        kept = self._current()
        if key not in kept:
            kept[key] = load()
        return kept[key]

    def kept(self, key: Key) -> Value | None:
        """The answer that is kept, if there is one.

        :raises StoreError: the store cannot be used
        """
        return self._current().get(key)

    def _current(self) -> dict[Key, Value]:
        """What is kept and holds still.

        The age is read before an answer is: a change in between makes the answer forgotten, and never kept
        too long.
        """
        age = self._ages.age()
        if age != self._age or len(self._kept) >= self._most:
            self._kept, self._age = {}, age
        return self._kept
