"""Work beside the thread that asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Work = TypeVar("Work")


def in_thread(name: str, work: Callable[[], Work]) -> Future[Work]:
    """Do some work in a thread that does not keep the process alive: a kill at any moment loses nothing."""
    future: Future[Work] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as trouble:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(trouble)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
