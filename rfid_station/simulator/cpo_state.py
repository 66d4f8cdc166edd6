"""What a virtual CPO remembers: whom it lets in, and the tokens it was told. Kept in a JSON file if wanted.

Credentials tokens are kept as hashes alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rfid_station.simulator.cpo_rules import JsonObject

Key = tuple[str, str, str, str]
"""Country code, party id, uid and type, in lower case: what makes a token one (mod_tokens, 3.2)."""


@dataclass(frozen=True, slots=True)
class Registrant:
    """A registered party platform: its versions URL and its (country code, party id) roles."""

    url: str
    parties: tuple[tuple[str, str], ...]

    def has(self, country_code: str, party_id: str) -> bool:
        """Whether this platform speaks for a party."""
        asked = (country_code.lower(), party_id.lower())
        return any((country.lower(), party.lower()) == asked for country, party in self.parties)


@dataclass(slots=True)
class CpoState:
    """Everything that outlives a request. Hold `lock` around every use."""

    path: Path | None = None
    first_tokens: set[str] = field(default_factory=set)
    registrants: dict[str, Registrant] = field(default_factory=dict)
    tokens: dict[Key, JsonObject] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        written = json.dumps(
            {
                "first_tokens": sorted(self.first_tokens),
                "registrants": {shown: asdict(who) for shown, who in self.registrants.items()},
                "tokens": list(self.tokens.values()),
            }
        )
        fresh = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)


def digest(token: str) -> str:
    """The form in which a credentials token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def key_of(token: JsonObject) -> Key:
    """The key of a token."""
    country, party, uid, kind = (
        str(token[name]).lower() for name in ("country_code", "party_id", "uid", "type")
    )
    return country, party, uid, kind


def open_state(path: Path | None, first_token: str) -> CpoState:
    """Read the state of an earlier run, or begin with one registration open for `first_token`.

    :raises ValueError: the file is not such a state
    """
    if path is None or not path.exists():
        return CpoState(path, first_tokens={digest(first_token)})
    try:
        kept = json.loads(path.read_text())
        return CpoState(
            path,
            first_tokens=set(kept["first_tokens"]),
            registrants={
                shown: Registrant(who["url"], tuple((country, party) for country, party in who["parties"]))
                for shown, who in kept["registrants"].items()
            },
            tokens={key_of(token): token for token in kept["tokens"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ValueError(f"{path} is not the state of a virtual CPO ({broken})") from None
