"""An event loop for as long as one piece of work lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import closing
from typing import Any, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:  # there is none for Windows
    from asyncio import new_event_loop  # type: ignore[assignment]

Result = TypeVar("Result")


def run_in_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Do it in a loop of its own, in this thread. What it began and did not end is given up."""
    with closing(new_event_loop()) as loop:
        try:
            return loop.run_until_complete(work)
        finally:
            if left := asyncio.all_tasks(loop):
                loop.run_until_complete(_given_up(left))


async def _given_up(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
