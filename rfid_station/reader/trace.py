"""Everything that passes between the program and its cards, written down as it happens; secrets are not.

The form of the lines is in `recording`. A UID is no secret there: a trace is for whoever runs the desk, so
its file is readable by its owner only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from rfid_station.chip.exchange import CardLink, Exchange
from rfid_station.chip.sighting import Sighting
from rfid_station.errors import NoReader, StationError, WrongCall
from rfid_station.reader.absence import why_away
from rfid_station.reader.port import Reader
from rfid_station.reader.recording import FORM, Line, Shown, show_answer, show_command, show_sighting
from rfid_station.reader.signal import signal

_OWNER_ONLY = 0o600


class TraceFile:
    """The lines of one trace. Each is in the hands of the system before the next command goes out."""

    def __init__(self, path: Path) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(path, flags, _OWNER_ONLY)
            os.fchmod(self._file, _OWNER_ONLY)
        except OSError as error:
            raise WrongCall(
                f"trace {path} cannot be written: {error.strerror}",
                hint="name a file in a folder that exists",
            ) from None
        self._path = path
        self._began = time.monotonic()

    def write(self, line: Line) -> None:
        """Write one line.

        :raises WrongCall: the disk does not take it
        """
        stamped = {"at": round(time.monotonic() - self._began, 6), **line}
        try:
            os.write(self._file, json.dumps(stamped, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise WrongCall(f"trace {self._path} cannot be written: {error.strerror}", hint="df -h") from None

    def close(self) -> None:
        """Nothing more comes."""
        os.close(self._file)


class TracedLink:
    """A card, and everything it is asked written down."""

    def __init__(self, link: CardLink, trace: TraceFile) -> None:
        self._link = link
        self._trace = trace

    @property
    def seen(self) -> Sighting:
        """What the reader learned about the card."""
        return self._link.seen

    def uid(self) -> bytes:
        """The UID in air order, asked anew."""
        with _Entry(self._trace, {"event": "uid"}) as entry:
            uid = self._link.uid()
            entry.answered(uid.hex().upper())
        return uid

    def transceive(self, command: Exchange) -> bytes:
        """One command to the card, its answer back."""
        with _Entry(self._trace, show_command(command)) as entry:
            answer = self._link.transceive(command)
            entry.answered(show_answer(command, answer))
        return answer

    def restart_field(self) -> bytes:
        """Take power from the card and give it back."""
        with _Entry(self._trace, {"event": "restart"}) as entry:
            uid = self._link.restart_field()
            entry.answered(uid.hex().upper())
        return uid


class TracedReader:
    """A reader, and everything that happens on it written down."""

    def __init__(self, reader: Reader, trace: TraceFile) -> None:
        self._reader = reader
        self._trace = trace
        trace.write({"event": "reader", "reader": reader.uri, "form": FORM})

    @property
    def uri(self) -> str:
        """The string it was opened with."""
        return self._reader.uri

    @property
    def absence(self) -> NoReader | None:
        """Why no card can come; None while the reader is there, or does not know."""
        return why_away(self._reader)

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield each card that comes, traced."""
        for link in self._reader.cards(stop):
            self._trace.write(show_sighting(link.seen))
            yield TracedLink(link, self._trace)
            self._trace.write({"event": "gone"})

    def signal(self, *, ok: bool) -> None:
        """Pass it on. Never raises."""
        signal(self._reader, ok=ok)

    def close(self) -> None:
        """Give the reader back, and end the trace."""
        self._reader.close()
        self._trace.close()


class _Entry:
    """One line that is written when its answer, or its error, is there."""

    def __init__(self, trace: TraceFile, line: Line) -> None:
        self._trace = trace
        self._line = line
        self._began = time.monotonic()

    def answered(self, answer: Shown) -> None:
        self._line["answer"] = answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StationError):
            self._line |= {"error": type(error).__name__, "message": error.message}
        elif error is not None:
            return
        self._line["took"] = round(time.monotonic() - self._began, 6)
        self._trace.write(self._line)


def traced(reader: Reader, path: Path) -> TracedReader:
    """Write everything that happens on a reader to a file, behind what is there already.

    Closing the traced reader closes both.

    :raises WrongCall: the file cannot be written
    """
    return TracedReader(reader, TraceFile(path))
