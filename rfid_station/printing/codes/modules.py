"""A code for machines as modules: dark or light, the same way for every kind of code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Modules:
    """A code of `columns` × `rows` modules, without quiet zone.

    `bits` has the rows from the top, each padded to whole bytes; the highest bit is on the
    left, and a set bit is dark.
    """

    columns: int
    rows: int
    bits: bytes


def packed(rows: Sequence[Sequence[bool]]) -> Modules:
    """Modules from rows of equal length, true where dark."""
    columns = len(rows[0])
    padding = -columns % 8
    bits = b"".join(
        (int("".join("1" if dark else "0" for dark in row), 2) << padding).to_bytes((columns + padding) // 8)
        for row in rows
    )
    return Modules(columns, len(rows), bits)
