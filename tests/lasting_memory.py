"""What is read in before the first test stays to the end: no collection of garbage looks through it.

A worker holds 800,000 objects by then, and each full collection in a test went through all of them.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
