"""The reader `replay:FILE`: the cards of a trace, answering what they answered then.

The dialogue must be the one that was recorded, command by command. What the trace does not show matches
anything of its length, and is answered with zeros.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rfid_station import errors
from rfid_station.chip.exchange import CardLink, Exchange
from rfid_station.chip.sighting import Sighting
from rfid_station.errors import CardLost, StationError, WrongCall
from rfid_station.reader.recording import (
    FORM,
    Line,
    could_be,
    pieces,
    read_sighting,
    show_command,
    stand_in,
)
from rfid_station.small_file import small_text

SCHEME = "replay"

_BYTES_OF = {"apdu": "command", "frame": "command", "login": "key", "write-block": "data"}
"""The field of a line whose bytes may be hidden in part."""
_OTHERS = ("block", "is_key_b")
_ANSWERED = {*_BYTES_OF, "read-block", "restart", "uid"}
_LONGEST = 80
_LARGEST_TRACE = 256 << 20
"""Bytes: a card has some 20,000."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a trace, and where it stands in the file."""

    number: int
    line: Line

    @property
    def event(self) -> str:
        """What happened."""
        return str(self.line["event"])


@dataclass(slots=True)
class RecordedCard:
    """One card of a trace: how it was seen, and what it answered to what."""

    seen: Sighting
    number: int
    entries: list[Entry] = field(default_factory=list)


class ReplayLink:
    """A card that answers by heart."""

    def __init__(self, card: RecordedCard, path: Path) -> None:
        self._card = card
        self._path = path
        self._at = 0
        self._is_given_back = False

    @property
    def seen(self) -> Sighting:
        """How the card was seen then."""
        return self._card.seen

    def uid(self) -> bytes:
        """The UID that was told then."""
        return self._answer({"event": "uid"}, None)

    def transceive(self, command: Exchange) -> bytes:
        """The answer of then.

        :raises StationError: another command was recorded here, or none
        """
        return self._answer(show_command(command), _bytes_of(command))

    def restart_field(self) -> bytes:
        """The UID that the card was selected with then."""
        return self._answer({"event": "restart"}, None)

    def release(self) -> None:
        """From now on the card is lost."""
        self._is_given_back = True

    def _answer(self, asked: Line, content: bytes | None) -> bytes:
        if self._is_given_back:
            raise CardLost(f"this card of {self._path} was given back", hint="ask for the next card")
        if self._at == len(self._card.entries):
            raise self._differs(self._last_line(), "nothing more", _words(asked))
        entry = self._card.entries[self._at]
        if not _is_the_same(entry, asked, content):
            raise self._differs(entry.number, _words(entry.line), _words(asked))
        self._at += 1
        if "error" in entry.line:
            raise _error(entry)
        return stand_in(entry.line["answer"])

    def _last_line(self) -> int:
        return self._card.entries[-1].number if self._card.entries else self._card.number

    def _differs(self, number: int, recorded: str, got: str) -> StationError:
        return StationError(
            f"{self._path}, line {number}: {recorded} was recorded, and now {got} was asked",
            hint="replay the command that was traced, with the same profile and settings",
        )


class ReplayReader:
    """The cards of a trace, one after the other."""

    def __init__(self, path: Path, cards: list[RecordedCard]) -> None:
        self._path = path
        self._cards = iter(cards)
        self._link: ReplayLink | None = None

    @property
    def uri(self) -> str:
        """The string it was opened with."""
        return f"{SCHEME}:{self._path}"

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield one recorded card after the other, then end."""
        self.close()
        while not stop():
            card = next(self._cards, None)
            if card is None:
                return
            self._link = ReplayLink(card, self._path)
            yield self._link
            self.close()

    def close(self) -> None:
        """Lift the card."""
        if self._link is not None:
            self._link.release()
            self._link = None


def open_replay(name: str) -> ReplayReader:
    """Open `replay:FILE`.

    :raises WrongCall: the file cannot be read, or is no trace
    """
    path = Path(name)
    return ReplayReader(path, read_trace(path))


def read_trace(path: Path) -> list[RecordedCard]:
    """All cards of a trace, in order.

    :raises WrongCall: the file cannot be read, or a line is not one of a trace
    """
    try:
        text = small_text(path, _LARGEST_TRACE)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise WrongCall(
            f"trace {path} cannot be read: {reason}", hint="write replay: and the file that --trace wrote"
        ) from None
    cards: list[RecordedCard] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        try:
            _take(cards, number, json.loads(raw))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WrongCall(
                f"{path}, line {number}: this is no line of a trace",
                hint="write replay: and what --trace wrote",
            ) from None
    return cards


def _take(cards: list[RecordedCard], number: int, line: Line) -> None:
    """Put one line where it belongs.

    :raises ValueError, KeyError, TypeError: it belongs nowhere
    """
    event = line["event"]
    if event == "reader":
        if line["form"] != FORM:
            raise ValueError(line)
    elif event == "card":
        cards.append(RecordedCard(read_sighting(line), number))
    elif event in _ANSWERED and cards:
        pieces(line[_BYTES_OF[event]] if event in _BYTES_OF else "")
        if "error" not in line:
            pieces(line["answer"])
        cards[-1].entries.append(Entry(number, line))
    elif event != "gone":
        raise ValueError(event)


def _is_the_same(entry: Entry, asked: Line, content: bytes | None) -> bool:
    line = entry.line
    if entry.event != asked["event"] or any(line.get(name) != asked.get(name) for name in _OTHERS):
        return False
    return content is None or could_be(line[_BYTES_OF[entry.event]], content)


def _bytes_of(command: Exchange) -> bytes | None:
    """The bytes that a line shows of a command, or hides."""
    if isinstance(command, bytes):
        return bytes(command)
    for name in ("command", "key", "data"):
        content: Any = getattr(command, name, None)
        if content is not None:
            return bytes(content)
    return None


def _words(line: Line) -> str:
    """What a line asks, short enough to be read."""
    event = str(line["event"])
    content = line.get(_BYTES_OF.get(event, ""))
    block = f" {line['block']}" if "block" in line else ""
    shown = "" if content is None else f" {content if isinstance(content, str) else json.dumps(content)}"
    words = event + block + shown
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def _error(entry: Entry) -> StationError:
    """The error of then. Of a class that this program does not know, it is a lost card."""
    kind = getattr(errors, str(entry.line["error"]), CardLost)
    is_ours = isinstance(kind, type) and issubclass(kind, StationError)
    return (kind if is_ours else CardLost)(
        str(entry.line.get("message", "")), hint=f"this was recorded, in line {entry.number}"
    )
