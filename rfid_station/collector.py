"""Python's collector of garbage, in programs that others wait for.

It looks for cycles among all objects there are, and nothing else goes on meanwhile: with the modules of a
station loaded, each of its full rounds takes up to 100 ms.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 100_000
"""More objects than a portion of a batch keeps at a time; so many left over are looked through."""


def spare_what_is_there() -> None:
    """Take what stays until the end of the program out of the rounds: they are short from now on."""
    gc.collect()
    gc.freeze()


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles seldom: for work with many objects that live shortly, and are in none."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
