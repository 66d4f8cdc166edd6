"""What is done to a blank: which chips are taken and in which state, what is written, what protects it.

Profiles are files in `templates/profiles/`. Writing is opt-in: some charge points send
memory instead of the UID once a card carries data, so the plain profile only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rfid_station.domain.entries import Entries
from rfid_station.domain.key import check_key_id
from rfid_station.errors import WrongCall


class Content(StrEnum):
    """What ends up in a card's memory."""

    NOTHING = "nothing"
    LINK = "link"
    """The card's link as NDEF, for phones."""
    SUN = "sun"
    """The link, to which the chip adds a proof that is new at every tap (NTAG 424 DNA)."""


class Protection(StrEnum):
    """What keeps others from changing it."""

    OPEN = "open"
    KEYS = "keys"
    """Passwords or keys of the card's own; who has the master key can undo it."""
    LOCKED = "locked"
    """Lock bits. Nobody can ever undo it."""


class Activation(StrEnum):
    """When a new card may charge."""

    AT_ISSUE = "at_issue"
    BY_HAND = "by_hand"


class Freshness(StrEnum):
    """What stands in a card's memory before we write."""

    BLANK = "blank"
    LINK = "link"
    OTHER_DATA = "other data"


_AID_BYTES = 3
ANY_CHIP = "any"
"""In a profile's chips: every chip whose UID stays the same."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of card is made. `chips` are names as `card read` tells them, or `any`."""

    name: str
    title: str
    chips: frozenset[str]
    content: Content
    protection: Protection = Protection.OPEN
    key: str | None = None
    """The master key that the card's own keys are derived from."""
    accepts: frozenset[Freshness] = frozenset({Freshness.BLANK})
    genuine: bool = False
    """Whether the maker's signature of the UID must be right."""
    counter: bool = False
    """Whether the chip counts its taps."""
    application: bytes | None = None
    """AID of the charging application on a DESFire card, three bytes as they go through the air."""
    irreversible: bool = False
    """Whether steps are allowed that nobody can undo."""
    activation: Activation | None = None
    """When its cards may charge; None for what the station does with all."""
    claim_code: bool | None = None
    """Whether its cards get a code for their letter; None for what the station does with all."""

    def takes(self, chip: str) -> bool:
        """Whether cards with this chip are made by it."""
        return ANY_CHIP in self.chips or chip in self.chips

    @property
    def writes(self) -> bool:
        """Whether anything is changed on the chip."""
        return self.content is not Content.NOTHING or self.protection is not Protection.OPEN

    @property
    def needs_keys(self) -> bool:
        """Whether this takes an open key ring."""
        return self.key is not None

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, object]) -> Profile:
        """Check a profile file's table.

        :raises WrongCall: an entry is missing, unknown or of the wrong kind
        """
        entries = Entries("profile", name, table)
        profile = cls(
            name=name,
            title=entries.text("title", name),
            chips=frozenset(entries.texts("chips")),
            content=entries.choice("content", Content),
            protection=entries.choice("protection", Protection, Protection.OPEN),
            key=_key(entries),
            accepts=entries.choices("accepts", Freshness, {Freshness.BLANK}),
            genuine=entries.flag("genuine"),
            counter=entries.flag("counter"),
            application=_application(entries),
            irreversible=entries.flag("irreversible"),
            activation=entries.choice("activation", Activation) if "activation" in table else None,
            claim_code=entries.flag("claim_code") if "claim_code" in table else None,
        )
        entries.check_all_known()
        _check_sense(profile)
        return profile


def _key(entries: Entries) -> str | None:
    name = entries.text("key", "")
    return check_key_id(name) if name else None


def _application(entries: Entries) -> bytes | None:
    text = entries.text("application", "")
    if not text:
        return None
    try:
        aid = bytes.fromhex(text)
    except ValueError:
        aid = b""
    if len(aid) != _AID_BYTES or not any(aid):
        raise entries.wrong("application", text, "six hexadecimal digits, not all 0")
    return aid


def _check_sense(profile: Profile) -> None:
    """Refuse what cannot be meant together."""
    wants_key = profile.protection is Protection.KEYS or profile.content is Content.SUN
    if wants_key and profile.key is None:
        raise WrongCall(
            f"profile {profile.name} protects cards by keys, and names none",
            hint='add a line like key = "cards"; `rfid-station key list` shows which there are',
        )
    if profile.key is not None and not wants_key:
        raise WrongCall(
            f"profile {profile.name} names the key {profile.key}, and does not use it",
            hint='add protection = "keys", or remove the key',
        )
    if profile.claim_code and profile.activation is Activation.AT_ISSUE:
        raise WrongCall(
            f"profile {profile.name} has cards that charge at once, and a code to activate them",
            hint='write activation = "by_hand", or remove claim_code',
        )
    if profile.protection is Protection.LOCKED and not profile.irreversible:
        raise WrongCall(
            f"profile {profile.name} locks cards for ever, and does not say irreversible",
            hint="add irreversible = true if that is meant",
        )
    if profile.protection is Protection.LOCKED and profile.content is Content.NOTHING:
        raise WrongCall(
            f"profile {profile.name} locks cards and writes nothing to them",
            hint='add content = "link"',
        )
