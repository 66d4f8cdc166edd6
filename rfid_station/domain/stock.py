"""Blank cards as a ledger: every blank stands on one account, and moves by entries from one to another.

    received = on hand + in work + issued + spoiled + destroyed + samples + missing

holds at every moment, since an entry takes from one account what it gives to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rfid_station.domain.card import CardState
from rfid_station.errors import WrongCall


class Account(StrEnum):
    """Where blanks stand."""

    ON_HAND = "on_hand"
    IN_WORK = "in_work"
    """Taken for a card that is begun."""
    ISSUED = "issued"
    SPOILED = "spoiled"
    """Made useless at the desk, and not destroyed yet."""
    DESTROYED = "destroyed"
    SAMPLES = "samples"
    """Kept, or used up by tests."""
    MISSING = "missing"
    """Neither found nor explained when they were counted."""


CARD_ACCOUNTS = (Account.IN_WORK, Account.ISSUED, Account.SPOILED)
"""Where a blank stands because of the state of the card that was made of it."""


class What(StrEnum):
    """What is destroyed on purpose."""

    BLANKS = "blanks"
    SPOILED = "spoiled"
    SAMPLES = "samples"

    @property
    def account(self) -> Account:
        """Where it stands before."""
        return Account.ON_HAND if self is What.BLANKS else Account(self.value)


@dataclass(frozen=True, slots=True)
class Spot:
    """One end of an entry."""

    account: Account
    place: str = ""
    """Where the blanks lie, or are worked on. Only those on hand are kept apart by it."""

    @property
    def kept_by(self) -> str:
        """The place under which the balance is kept."""
        return self.place if self.account is Account.ON_HAND else ""

    def __str__(self) -> str:
        words = self.account.replace("_", " ")
        return f"{words} at {self.place}" if self.kept_by else words


def on_hand(place: str) -> Spot:
    """Blanks that lie at a place, and that cards may be made of."""
    return Spot(Account.ON_HAND, place)


@dataclass(frozen=True, slots=True)
class Supply:
    """Where a new card takes its blank."""

    place: str = ""
    lot: int | None = None
    """None: the lot that its UID is known to be of, or the oldest one that fits."""


class LotState(StrEnum):
    """Whether cards may be made of a lot."""

    HELD = "held"
    """A sample of it was not as it should be, or none was taken."""
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Lot:
    """Blanks that came together."""

    id: int
    name: str
    supplier: str
    chip: str
    state: LotState
    received_at: datetime
    state_reason: str | None = None


def account_of(state: CardState) -> Account:
    """Where the blank stands that a card in this state was made of."""
    if state.is_unfinished:
        return Account.IN_WORK
    return Account.SPOILED if state is CardState.SPOILED else Account.ISSUED


@dataclass(frozen=True, slots=True)
class Delivery:
    """Blanks that came in, as they are booked."""

    name: str
    supplier: str
    chip: str
    quantity: int
    place: str
    uids: tuple[str, ...] = ()
    """Upper-case hexadecimal, by the maker's list; none: there is no list."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A lot, and where its blanks stand."""

    lot: Lot
    balances: dict[Spot, int]
    """Without zeros."""

    def on(self, account: Account) -> int:
        """How many stand on an account, at all places together."""
        return sum(count for spot, count in self.balances.items() if spot.account is account)

    @property
    def received(self) -> int:
        """How many there are, wherever they stand."""
        return sum(self.balances.values())


@dataclass(frozen=True, slots=True)
class Entry:
    """Blanks that went from one account to another."""

    at: datetime
    quantity: int
    source: Spot | None
    """None: from outside."""
    target: Spot
    actor: str
    witness: str | None = None
    reason: str | None = None
    card: int | None = None
    """The card that made them go."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of looking at some blanks of a lot."""

    wanted: int
    taken: int
    bad: tuple[str, ...] = ()
    """What is wrong with each bad one, in words without its UID."""

    @property
    def is_good(self) -> bool:
        """Whether enough were looked at, and nothing was found."""
        return not self.bad and self.taken >= self.wanted


@dataclass(frozen=True, slots=True)
class Counted:
    """Blanks of a lot that somebody counted at a place without being told what to expect."""

    lot: str
    place: str
    at: datetime
    expected: int
    counted: int
    actor: str
    witness: str | None = None

    @property
    def variance(self) -> int:
        """Counted less expected."""
        return self.counted - self.expected


_SAMPLES_BY_QUANTITY = ((25, 2), (150, 3), (1_200, 5), (35_000, 8))
_LARGEST_SAMPLE = 13


def sample_size(quantity: int) -> int:
    """How many blanks of a lot are looked at (ISO 2859-1, table 1, special inspection level S-2)."""
    size = next((size for most, size in _SAMPLES_BY_QUANTITY if quantity <= most), _LARGEST_SAMPLE)
    return min(size, quantity)


MOST_BLANKS = 100_000_000
LONGEST_NAME = 100


def check_quantity(quantity: int) -> int:
    """Let a number of blanks pass.

    :raises WrongCall: it is none, or more than anybody has
    """
    if not 0 < quantity <= MOST_BLANKS:
        raise WrongCall(f"{quantity} is no number of blanks", hint=f"give one from 1 to {MOST_BLANKS}")
    return quantity


def check_name(what: str, name: str) -> str:
    """Let the name of a lot, a place or a supplier pass, without blanks around it.

    :raises WrongCall: it cannot be one
    """
    bare = name.strip()
    if not bare or len(bare) > LONGEST_NAME or not bare.isprintable() or (what == "lot" and "=" in bare):
        raise WrongCall(f"{name!r} cannot name a {what}", hint=f"1 to {LONGEST_NAME} characters, no =")
    return bare
