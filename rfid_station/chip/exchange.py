"""How chip code talks without doing any input or output.

A dialogue with a card is a generator: it yields a command, is sent the answer, and returns
a value. Whoever has a card in the field runs it with `run`; tests feed it bytes.

A frame has no CRC. The four-bit ACK and NAK of a Type 2 tag are one byte (`0A` is ACK, NFC
Forum Type 2 Tag, 9.6). No answer at all is the empty frame.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Restart:
    """Switch the field off and on and select the card again. The answer is its UID."""


@dataclass(frozen=True, slots=True)
class AskUid:
    """Ask the reader for the UID of the card that is selected now. The answer is the UID."""


Command = bytes | Restart | AskUid
Dialogue = Generator[Command, bytes, Result]


class CardLink(Protocol):
    """What a dialogue needs from the one who holds the card. Readers provide it.

    :raises CardLost: by every method, when the card is gone or another one is there
    """

    @property
    def atr(self) -> bytes:
        """What the reader made up about the card (PC/SC part 3), empty without PC/SC."""

    def uid(self) -> bytes:
        """The UID in air order, asked anew."""

    def transceive(self, frame: bytes) -> bytes:
        """One frame to the card, its answer back; empty when it stayed silent."""

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""


def run(link: CardLink, dialogue: Dialogue[Result]) -> Result:
    """Lead a dialogue with the card in the field and return what it found."""
    return converse(dialogue, lambda command: _ask(link, command))


def converse(dialogue: Dialogue[Result], answer: Callable[[Command], bytes]) -> Result:
    """Lead a dialogue with whatever answers commands: a link, a script, a counter around one."""
    try:
        command = next(dialogue)
        while True:
            command = dialogue.send(answer(command))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _ask(link: CardLink, command: Command) -> bytes:
    if isinstance(command, Restart):
        return link.restart_field()
    if isinstance(command, AskUid):
        return link.uid()
    return link.transceive(command)
