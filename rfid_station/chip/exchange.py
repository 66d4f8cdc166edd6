"""How chip code talks without doing any input or output.

A dialogue with a card is a generator: it yields a command, is sent the answer, and returns
a value. Whoever has a card in the field runs it with `run`; tests feed it bytes.

A frame has no CRC. The four-bit ACK and NAK of a Type 2 tag are one byte (`0A` is ACK, NFC
Forum Type 2 Tag, 9.6). No answer at all is the empty frame.

Three kinds of cards are spoken to in three ways, and a dialogue says which by the kind of its
commands: plain frames of ISO 14443-3, APDUs over ISO 14443-4, and, since Crypto1 is inside the reader's
chip, what a MIFARE Classic is asked by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from rfid_station.chip.sighting import Sighting
from rfid_station.errors import ReaderLimit

Result = TypeVar("Result")

ACK = b"\x0a"
"""What a card answers to a command it carried out and has nothing to say about."""


class SecretFrame(bytes):
    """Bytes that hold a key or a password. Nobody may show more of them than the length."""

    def __repr__(self) -> str:
        return f"<{len(self)} secret bytes>"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Apdu:
    """A command of ISO 7816-4 to a card of ISO 14443-4. The answer ends in its status word."""

    command: bytes


@dataclass(frozen=True, slots=True)
class SectorLogin:
    """Let the reader authenticate to the MIFARE Classic sector that `block` lies in.

    The answer is `ACK`, or empty: then the card wants a `Restart` before it listens again.
    """

    block: int
    key: SecretFrame
    """Six bytes."""
    is_key_b: bool = False


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """Read a MIFARE Classic block after a login. The answer is 16 bytes, or empty."""

    block: int


@dataclass(frozen=True, slots=True)
class WriteBlock:
    """Write the 16 bytes of a MIFARE Classic block after a login. The answer is `ACK`, or empty."""

    block: int
    data: bytes = field(repr=False)


Exchange = bytes | Apdu | SectorLogin | ReadBlock | WriteBlock
"""What costs one exchange with the card. Plain bytes are a frame of ISO 14443-3."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Switch the field off and on and select the card again. The answer is its UID."""


@dataclass(frozen=True, slots=True)
class AskUid:
    """Ask the reader for the UID of the card that is selected now. The answer is the UID."""


Command = Exchange | Restart | AskUid
Dialogue = Generator[Command, bytes, Result]


class CardLink(Protocol):
    """What a dialogue needs from the one who holds the card. Readers provide it.

    :raises CardLost: by every method, when the card is gone or another one is there
    """

    @property
    def seen(self) -> Sighting:
        """What the reader learned about the card when it selected it."""

    def uid(self) -> bytes:
        """The UID in air order, asked anew."""

    def transceive(self, command: Exchange) -> bytes:
        """One command to the card, its answer back; empty when it stayed silent."""

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""


def run(link: CardLink, dialogue: Dialogue[Result]) -> Result:
    """Lead a dialogue with the card in the field and return what it found."""
    return converse(dialogue, lambda command: _ask(link, command))


def converse(dialogue: Dialogue[Result], answer: Callable[[Command], bytes]) -> Result:
    """Lead a dialogue with whatever answers commands: a link, a script, a counter around one.

    What a reader cannot do is told to the dialogue, which may know another way. Everything else that goes
    wrong ends it: nothing can be asked of a card that is gone.
    """
    try:
        command = next(dialogue)
        while True:
            try:
                reply = answer(command)
            except ReaderLimit as limit:
                command = dialogue.throw(limit)
            else:
                command = dialogue.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def _ask(link: CardLink, command: Command) -> bytes:
    if isinstance(command, Restart):
        return link.restart_field()
    if isinstance(command, AskUid):
        return link.uid()
    return link.transceive(command)
