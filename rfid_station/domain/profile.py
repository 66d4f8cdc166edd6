"""What is done to a blank: which chips are taken and in which state, what is written, what protects it.

Profiles are files in `templates/profiles/`. Writing is opt-in: some charge points send
memory instead of the UID once a card carries data, so the plain profile only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

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


class Freshness(StrEnum):
    """What stands in a card's memory before we write."""

    BLANK = "blank"
    LINK = "link"
    OTHER_DATA = "other data"


_Choice = TypeVar("_Choice", bound=StrEnum)
_AID_BYTES = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of card is made. `chips` are names as `card read` tells them."""

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

    @property
    def needs_keys(self) -> bool:
        """Whether this takes an open key ring."""
        return self.key is not None

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, object]) -> Profile:
        """Check a profile file's table.

        :raises WrongCall: an entry is missing, unknown or of the wrong kind
        """
        entries = _Entries(name, dict(table))
        profile = cls(
            name=name,
            title=entries.text("title", name),
            chips=frozenset(entries.texts("chips")),
            content=entries.choice("content", Content, None),
            protection=entries.choice("protection", Protection, Protection.OPEN),
            key=entries.key(),
            accepts=entries.freshness(),
            genuine=entries.flag("genuine"),
            counter=entries.flag("counter"),
            application=entries.application(),
            irreversible=entries.flag("irreversible"),
        )
        entries.check_all_known()
        _check_sense(profile)
        return profile


class _Entries:
    """A profile file's table, taken apart entry by entry; what is left in the end is unknown."""

    def __init__(self, profile: str, table: dict[str, object]) -> None:
        self._profile = profile
        self._table = table
        self._known: list[str] = []

    def text(self, name: str, default: str) -> str:
        value = self._take(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, value, f'{name} = "…"')
        return value

    def texts(self, name: str) -> list[str]:
        value = self._take(name, None)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, value, 'a list like chips = ["NTAG213"]')
        return [str(item) for item in value]

    def choice(self, name: str, choices: type[_Choice], default: _Choice | None) -> _Choice:
        value = self._take(name, default)
        if value not in list(choices):
            raise self._wrong(name, value, f"one of: {', '.join(choices)}")
        return choices(str(value))

    def flag(self, name: str) -> bool:
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def key(self) -> str | None:
        name = self.text("key", "")
        return check_key_id(name) if name else None

    def freshness(self) -> frozenset[Freshness]:
        if "accepts" not in self._table:
            self._known.append("accepts")
            return frozenset({Freshness.BLANK})
        values = self.texts("accepts")
        unknown = next((value for value in values if value not in list(Freshness)), None)
        if unknown is not None:
            raise self._wrong("accepts", unknown, f"some of: {', '.join(Freshness)}")
        return frozenset(map(Freshness, values))

    def application(self) -> bytes | None:
        text = self.text("application", "")
        if not text:
            return None
        try:
            aid = bytes.fromhex(text)
        except ValueError:
            aid = b""
        if len(aid) != _AID_BYTES or not any(aid):
            raise self._wrong("application", text, "six hexadecimal digits, not all 0")
        return aid

    def check_all_known(self) -> None:
        if self._table:
            raise WrongCall(
                f"profile {self._profile} has an unknown entry: {min(self._table)}",
                hint=f"a profile has {', '.join(self._known)}",
            )

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        return self._table.pop(name, default)

    def _wrong(self, name: str, value: object, wanted: str) -> WrongCall:
        shown = "nothing" if value is None else repr(value)
        return WrongCall(f"profile {self._profile} has {shown} as {name}", hint=f"write {wanted}")


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
