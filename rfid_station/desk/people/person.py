"""Who is at the keyboard: whom the station trusts, or has proof of.

A station without operators takes names as they are given. As soon as it has one, whoever changes something
is known by the ticket of a shift, which lies in the station's folder, or by a PIN. Nothing else makes the
`Actor` that the flows of the desk book their work on.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
from dataclasses import dataclass, field, replace

from rfid_station.desk.keys.ring import Ask, ask_nobody
from rfid_station.desk.people.slow_hash import is_secret
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.operator import ROLES, Operator, Shift
from rfid_station.errors import NotSignedIn, WrongCall
from rfid_station.settings import PROMPT, DeskSettings
from rfid_station.store.opening import Store
from rfid_station.vault import Vault

_NO_TERMINAL = (
    'run it at a terminal; a script names itself by --operator and sets RFID_STATION_DESK__PIN to "env:NAME"'
)


DRIVER = Actor("card page", Role.DRIVER)
"""Who acts on a card's page: we know that it is the driver, and not who that is."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says they are. Nobody named is whoever is signed in here; no role is their own."""

    name: str | None = None
    role: Role | None = None


@dataclass(slots=True)
class Person:
    """Whoever is at the keyboard, proven when that is first needed, and then for as long as this lasts."""

    store: Store
    vault: Vault
    desk: DeskSettings
    claim: Claim
    ask: Ask = ask_nobody
    _actor: Actor | None = field(default=None, repr=False)
    _signs_in: bool | None = field(default=None, repr=False)

    @property
    def actor(self) -> Actor:
        """Who acts, in which role.

        :raises NotSignedIn: the station has operators, and this is none of them that it knows of
        :raises MoveNotAllowed: the role is not theirs to take
        """
        if self._actor is None:
            self._actor = self._prove() if self.signs_in else trusted(self.claim)
        return self._actor

    def as_driver(self) -> Person:
        """For the page of a card, where a code or a tap is what proves the driver."""
        return replace(self, _actor=DRIVER)

    def seen_by(self, witness: str) -> Person:
        """The same person, with another who agrees to what is done."""
        return replace(self, _actor=replace(self.actor, witness=witness))

    @property
    def signs_in(self) -> bool:
        """Whether this station has operators."""
        if self._signs_in is None:
            self._signs_in = self.store.operators.any()
        return self._signs_in

    def shift(self) -> Shift | None:
        """The shift at this place whose ticket lies in this folder."""
        now = self.store.shifts.open_at(self.desk.place)
        if now is None or not now.shift.operator.is_active:
            return None
        return now.shift if _holds_ticket(self.vault, now.ticket_hash) else None

    def _prove(self) -> Actor:
        wanted = self.claim.role
        if wanted is not None and wanted not in ROLES:
            raise NotSignedIn(f"nobody signs in as {wanted}", hint="rfid-station shift start")
        who = self._known()
        return Actor(who.name, who.role_for(wanted))

    def _known(self) -> Operator:
        name, now = self.claim.name, self.shift()
        if now and (name is None or is_same_name(name, now.operator.name)):
            return now.operator
        if name is None:
            raise NotSignedIn(
                f"nobody is signed in at {self.desk.place}", hint="rfid-station shift start --operator NAME"
            )
        return by_pin(self.store, name, self._pin_of(name), "operator.signed_in")

    def _pin_of(self, name: str) -> str:
        if self.desk.pin != PROMPT:
            return self.vault.read(self.desk.pin)
        return ask_pin(self.ask, f"PIN of {name}")


def claim_of(actor: Actor | Claim) -> Claim:
    """What somebody claims who says that they are this actor."""
    return Claim(actor.name, actor.role) if isinstance(actor, Actor) else actor


def trusted(claim: Claim) -> Actor:
    """Who acts where names are trusted: the name given, or the one the machine knows."""
    name = claim.name or os.environ.get("RFID_STATION_OPERATOR") or getpass.getuser()
    return Actor(name, claim.role or Role.CLERK)


def by_pin(store: Store, name: str, pin: str, action: str) -> Operator:
    """The operator with this name and PIN; a wrong one is counted.

    :param action: what the audit log calls it
    :raises NotSignedIn: in the same words, whichever of the two is wrong, or no PIN is taken at present
    """
    proven = store.operators.prove(name, lambda kept: is_secret(pin, kept), action)
    if proven is None:
        raise NotSignedIn(
            f"{name} is not let in: the name or the PIN is wrong, or a wrong one was typed too often",
            hint="wait some seconds and type it again; after 5 wrong ones a supervisor has to unlock: "
            f"rfid-station operator unlock {name!r}",
        )
    return proven


def ask_pin(ask: Ask, question: str) -> str:
    """Ask for a PIN.

    :raises WrongCall: nobody is there to be asked
    """
    try:
        return ask(question).strip()
    except WrongCall as error:
        raise WrongCall(error.message, hint=_NO_TERMINAL) from None


def is_same_name(one: str, other: str) -> bool:
    """Whether two names are one operator's."""
    return one.strip().casefold() == other.casefold()


def ticket_name(ticket_hash: str) -> str:
    """In which file of the vault a ticket lies."""
    return f"shift-{ticket_hash[:16]}"


def ticket_hash_of(ticket: str) -> str:
    """What the store keeps of a ticket. It is long and random: a quick hash is enough."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def _holds_ticket(vault: Vault, ticket_hash: str) -> bool:
    try:
        ticket = vault.read(f"file:{ticket_name(ticket_hash)}")
    except (WrongCall, OSError, UnicodeDecodeError):
        return False
    return hmac.compare_digest(ticket_hash_of(ticket), ticket_hash)
