"""Native commands to NXP's chips, and what their status words mean.

Shared by every kind of secure messaging (EV1, EV2): the three communication modes, parts of long commands and
answers, and the one place where a status word becomes an error (MIFARE DESFire EV1 data sheet
MF3ICDX21_41_81, 8.4; NT4H2421Gx, 10.2; ISO 7816-4, 5.6).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from rfid_station.chip.exchange import Apdu, Dialogue, Result, SecretFrame
from rfid_station.chip.iso_dep import Answer, parse_answer, wrapped
from rfid_station.errors import CardDefective, CardLost, CardRefused

ADDITIONAL_FRAME = 0xAF
"""The command that brings the next part, or asks for it."""

LONGEST_DATA = 255
"""Bytes that fit into one wrapped command."""

_MOST_PARTS = 200
"""More than the largest file of these chips has in its shortest parts (8 kB in frames of 59)."""


class CommMode(IntEnum):
    """How a command's data travel, with the numbers that file settings use."""

    PLAIN = 0
    MAC = 1
    """Readable, with a MAC behind."""
    FULL = 3
    """Enciphered, with a MAC behind."""


class CardStatus(IntEnum):
    """Status words that somebody acts on; `words_of` knows more of them."""

    NONE = 0x0000
    """No answer at all."""
    ISO_OK = 0x9000
    OK = 0x9100
    NO_CHANGE = 0x910C
    """Done, and nothing had to be done."""
    NO_SUCH_COMMAND = 0x911C
    INTEGRITY = 0x911E
    NO_SUCH_KEY = 0x9140
    LENGTH = 0x917E
    PERMISSION = 0x919D
    PARAMETER = 0x919E
    NO_APPLICATION = 0x91A0
    DELAY = 0x91AD
    AUTHENTICATION = 0x91AE
    MORE = 0x91AF
    BOUNDARY = 0x91BE
    ABORTED = 0x91CA
    DUPLICATE = 0x91DE
    MEMORY = 0x91EE
    NO_FILE = 0x91F0
    ISO_SECURITY = 0x6982
    ISO_CONDITIONS = 0x6985
    ISO_NOT_FOUND = 0x6A82


_WORDS = {
    CardStatus.NO_CHANGE: "nothing to commit",
    0x910E: "out of memory",
    CardStatus.NO_SUCH_COMMAND: "illegal command",
    CardStatus.INTEGRITY: "integrity error: wrong MAC, CRC or padding",
    CardStatus.NO_SUCH_KEY: "no such key",
    0x916E: "ISO 7816-4 commands are off",
    CardStatus.LENGTH: "wrong length",
    CardStatus.PERMISSION: "permission denied",
    CardStatus.PARAMETER: "parameter error",
    CardStatus.NO_APPLICATION: "no such application",
    0x91A1: "application integrity error",
    CardStatus.DELAY: "authentication delayed",
    CardStatus.AUTHENTICATION: "authentication error",
    CardStatus.MORE: "more to come",
    CardStatus.BOUNDARY: "outside of the file",
    0x91C1: "chip integrity error",
    CardStatus.ABORTED: "the command before was not finished",
    0x91CD: "disabled for good",
    0x91CE: "too many applications",
    CardStatus.DUPLICATE: "exists already",
    CardStatus.MEMORY: "memory error",
    CardStatus.NO_FILE: "no such file",
    0x91F1: "file integrity error",
    0x6581: "memory failure",
    0x6700: "wrong length",
    CardStatus.ISO_SECURITY: "security status not satisfied",
    CardStatus.ISO_CONDITIONS: "conditions not satisfied",
    0x6A80: "wrong data",
    CardStatus.ISO_NOT_FOUND: "no such file or application",
    0x6A86: "wrong parameters",
    0x6A87: "wrong length",
    0x6B00: "outside of the file",
    0x6D00: "unknown command",
    0x6E00: "unknown class",
}

_COMMANDS = {
    0x3D: "WriteData",
    0x51: "GetCardUID",
    0x5F: "ChangeFileSettings",
    0x60: "GetVersion",
    0x64: "GetKeyVersion",
    0x8D: "WriteData",
    0xAD: "ReadData",
    0xBD: "ReadData",
    0xC4: "ChangeKey",
    0xF5: "GetFileSettings",
    0xF6: "GetFileCounters",
}

_BROKEN = {0x91A1, 0x91C1, 0x91CD, CardStatus.MEMORY, 0x91F1, 0x6581}
"""The chip itself says that it is damaged."""

_DISTURBED = {CardStatus.INTEGRITY, CardStatus.ABORTED}
"""What came was not what we sent, or not all of it: the next tap is another chance."""


class CommandRefused(CardRefused):
    """A card answered a command with a status word that is not success."""

    def __init__(self, what: str, status: int, *, hint: str | None = None) -> None:
        super().__init__(
            f"the card refused {what}: {words_of(status)} ({status:04X})",
            hint=hint or "tap the card again; if it says so again, put it aside",
        )
        self.status = status


class Disturbed(CardLost):
    """The card says that our command was damaged, or that another one came in between."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(
            f"the card did not get {what} whole: {words_of(status)} ({status:04X})",
            hint="tap the card again and leave it there; close other card software",
        )
        self.status = status


class WrongKey(CommandRefused):
    """The card does not have the key that we tried (91AE)."""

    def __init__(self, what: str, status: int = CardStatus.AUTHENTICATION) -> None:
        super().__init__(
            what,
            status,
            hint="its keys are others than ours; take a new blank, or the key ring that made it",
        )


class Session(Protocol):
    """Whoever is authenticated to a card, and talks to it in that secure messaging."""

    def command(
        self, ins: int, header: bytes = b"", data: bytes = b"", *, mode: CommMode, is_secret: bool = False
    ) -> Dialogue[bytes]:
        """Send a command whose `header` always travels in clear and whose `data` do as `mode` says.

        Returns the answer's data, deciphered. `is_secret` keeps the frames out of traces.

        :raises CommandRefused: the card's status word is not success
        :raises CardLost: silence, or an answer that this card did not make
        """


def words_of(status: int) -> str:
    """A status word in words."""
    return _WORDS.get(status, "unknown status")


def name_of(ins: int) -> str:
    """A command's name in the data sheets, or its number."""
    return _COMMANDS.get(ins, f"command {ins:02X}")


def check(answer: Answer, what: str) -> bytes:
    """Take the data from an answer that says success (9100, 9000).

    :param what: the command in words, as `GetFileSettings of file 02`

    :raises CardLost: there is no answer
    :raises Disturbed: a `CardLost` too: the card says that the command was damaged on its way
    :raises CardDefective: the chip says that it is damaged
    :raises WrongKey: authentication error
    :raises CommandRefused: any other status
    """
    status = answer.status
    if status in (CardStatus.OK, CardStatus.ISO_OK):
        return answer.data
    if status == CardStatus.NONE:
        raise CardLost(
            f"the card was silent after {what}", hint="lay it flat on the reader and leave it there"
        )
    if status in _DISTURBED:
        raise Disturbed(what, status)
    if status in _BROKEN:
        raise CardDefective(
            f"the card failed at {what}: {words_of(status)} ({status:04X})",
            hint="put it aside and take another blank",
        )
    if status == CardStatus.AUTHENTICATION:
        raise WrongKey(what)
    raise CommandRefused(what, status)


def exchange_native(
    ins: int, data: bytes = b"", *, part: int = LONGEST_DATA, is_secret: bool = False
) -> Dialogue[Answer]:
    """Send a native command in parts of `part` bytes and collect all parts of its answer.

    The status is that of the last part; a card that ends the command early is not sent the rest. A card that
    never stops sending more is taken as lost.

    :raises CardLost: the answer does not end
    """
    parts = [data[at : at + part] for at in range(0, len(data), part)] or [b""]
    command = ins
    for chunk in parts[:-1]:
        answer = yield from _once(command, chunk, is_secret)
        if answer.status != CardStatus.MORE:
            return answer
        command = ADDITIONAL_FRAME
    answer = yield from _once(command, parts[-1], is_secret)
    collected = answer.data
    for _ in range(_MOST_PARTS):
        if answer.status != CardStatus.MORE:
            return Answer(collected, answer.status)
        answer = yield from _once(ADDITIONAL_FRAME, b"", is_secret)
        collected += answer.data
    raise CardLost("the card sends parts of an answer without end", hint="tap it again, or take another one")


def twice(attempt: Callable[[], Dialogue[Result]]) -> Dialogue[Result]:
    """Do it once more if it is refused: another program that uses the reader may have ended our session.

    That looks like a defective card, and must not cost one. A wrong key is not tried again.
    """
    try:
        return (yield from attempt())
    except WrongKey:
        raise
    except (CommandRefused, Disturbed):
        return (yield from attempt())


def _once(ins: int, data: bytes, is_secret: bool) -> Dialogue[Answer]:
    apdu = wrapped(ins, data)
    return parse_answer((yield Apdu(SecretFrame(apdu) if is_secret else apdu)))
