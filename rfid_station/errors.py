"""Every error a user of the station is meant to see, and the exit code each one ends with.

The tree is the whole list: whoever catches `StationError` has caught all that was
expected. An error carries what went wrong *with the value*, and a hint that runs.

    StationError                     1
    ├── WrongCall                    2   a file, a setting or an argument cannot be used
    ├── NoReader                     3
    │   └── ReaderBusy               3   transient
    ├── NoCard                       3
    │   └── CardLost                 3   transient: the card left in the middle
    ├── CardRefused                  4
    │   ├── CardDefective            4   the chip itself does not take what it should
    │   └── ReaderLimit              4   the reader cannot do what this card needs
    ├── ReadBackDiffers              5
    ├── Conflict                     6
    │   ├── MoveNotAllowed           6
    │   └── NotSignedIn              6   nobody is proven to be who they say
    ├── PartnerError                 7
    │   ├── PartnerRefused           7
    │   └── PartnerUnreachable       7   transient
    ├── StillPending                 8   done here, something else is still to come
    ├── KeyUnavailable               1   a key is missing, or its ring is locked
    ├── StoreError                   1
    │   ├── StoreTooNew              1
    │   ├── StoreUnreachable         1   transient
    │   └── DiskFull                 1   transient
    └── PrintError                   1
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells the script that started it."""

    DONE = 0
    FAILED = 1
    WRONG_CALL = 2
    NO_CARD = 3
    CARD_REFUSED = 4
    READ_BACK_DIFFERS = 5
    CONFLICT = 6
    PARTNER = 7
    PENDING = 8
    INTERRUPTED = 130


class StationError(Exception):
    """An expected failure: one line with the value, and a hint that runs.

    `may_retry` says whether the same call can succeed later without anybody changing anything.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    may_retry: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class WrongCall(StationError):
    """What was handed in (argument, file, setting) cannot be used as it is."""

    exit_code = ExitCode.WRONG_CALL


class NoReader(StationError):
    """There is no such reader, or nothing that could drive one."""

    exit_code = ExitCode.NO_CARD


class ReaderBusy(NoReader):
    """Another program holds the reader."""

    may_retry = True


class NoCard(StationError):
    """No card came."""

    exit_code = ExitCode.NO_CARD


class CardLost(NoCard):
    """The card left the field, or stopped answering, in the middle of the work."""

    may_retry = True


class CardRefused(StationError):
    """This card cannot become (or is not) the card that was asked for."""

    exit_code = ExitCode.CARD_REFUSED


class CardDefective(CardRefused):
    """The chip refuses what a good one of its kind takes."""


class ReaderLimit(CardRefused):
    """This reader cannot pass on what this card needs; another reader may."""


class ReadBackDiffers(StationError):
    """What the card answers is not what was written."""

    exit_code = ExitCode.READ_BACK_DIFFERS


class Conflict(StationError):
    """The store holds something that contradicts the wish."""

    exit_code = ExitCode.CONFLICT


class MoveNotAllowed(Conflict):
    """A card in its present state cannot make this move, or not by this person."""


class NotSignedIn(Conflict):
    """The station has operators, and whoever is at the keyboard is not proven to be one of them."""


class PartnerError(StationError):
    """A partner did not do what was asked."""

    exit_code = ExitCode.PARTNER


class PartnerRefused(PartnerError):
    """A partner answered, and the answer was no, or nonsense."""


class PartnerUnreachable(PartnerError):
    """A partner did not answer in time."""

    may_retry = True


class StillPending(StationError):
    """All that could be done here is done; somebody else still has to."""

    exit_code = ExitCode.PENDING


class KeyUnavailable(StationError):
    """A key that this work needs is not in the ring, or the ring cannot be opened."""


class StoreError(StationError):
    """The store cannot be used."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of this program."""


class StoreUnreachable(StoreError):
    """The server of the store does not answer, or only it can do what was asked."""

    may_retry = True


class DiskFull(StoreError):
    """There was no room to write; nothing was changed."""

    may_retry = True


class PrintError(StationError):
    """Something cannot be printed as asked."""
