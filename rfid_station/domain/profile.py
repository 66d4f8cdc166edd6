"""What is done to a blank: which chips are taken, and what is written to them.

Profiles are files in `templates/profiles/`. Writing is opt-in: some charge points send
memory instead of the UID once a card carries data, so the plain profile only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rfid_station.errors import WrongCall


class Content(StrEnum):
    """What ends up in a card's memory."""

    NOTHING = "nothing"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of card is made. `chips` are names from `data/chips.toml`."""

    name: str
    title: str
    chips: frozenset[str]
    content: Content

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, object]) -> Profile:
        """Check a profile file's table.

        :raises WrongCall: an entry is missing, unknown or of the wrong kind
        """
        unknown = sorted(set(table) - {"title", "chips", "content"})
        if unknown:
            raise WrongCall(
                f"profile {name} has an unknown entry: {unknown[0]}",
                hint="a profile has title, chips and content",
            )
        chips, content = table.get("chips"), table.get("content")
        if not isinstance(chips, list) or not chips or not all(isinstance(chip, str) for chip in chips):
            raise WrongCall(
                f"profile {name} has no list of chips",
                hint='add a line like chips = ["NTAG213"]',
            )
        if content not in list(Content):
            raise WrongCall(
                f"profile {name} writes {content!r}",
                hint=f"content is one of: {', '.join(Content)}",
            )
        return cls(name, str(table.get("title", name)), frozenset(chips), Content(str(content)))
