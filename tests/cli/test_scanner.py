"""A scanner's lines come whole, however they arrive, and waiting for one ends when it is to stop."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from rfid_station.cli.scanner import Scanner


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of standard input at which the scanner types."""
    out, into = os.pipe()
    with os.fdopen(out, "rb", buffering=0) as source:
        monkeypatch.setattr(sys, "stdin", source)
        yield into


def test_lines_come_whole_in_pieces_or_many_at_once(typing: int) -> None:
    scanner = Scanner(lambda: False)
    os.write(typing, b"\r\n EXM-1\r\nEXM-2\nEX")
    assert [scanner.line(), scanner.line()] == ["EXM-1", "EXM-2"]
    threading.Timer(0.05, lambda: (os.write(typing, b"M-3"), os.close(typing))).start()
    assert [scanner.line(), scanner.line(), scanner.line()] == ["EXM-3", None, None]


def test_waiting_ends_when_it_is_to_stop(typing: int) -> None:
    stopped = threading.Event()
    threading.Timer(0.05, stopped.set).start()
    assert Scanner(stopped.is_set).line() is None
    os.close(typing)


def test_input_without_a_file_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\n\nb"))
    scanner = Scanner(lambda: False)
    assert [scanner.line(), scanner.line(), scanner.line()] == ["a", "b", None]
