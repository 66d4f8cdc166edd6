"""What a virtual CPO remembers: whom it lets in, and the tokens it was told. Kept in a JSON file if wanted.

What others show us is kept as a hash. What we show to others has to be kept as it is, so the
file is for its owner's eyes only.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rfid_station.simulator.cpo.rules import JsonObject

Key = tuple[str, str, str, str]
"""Country code, party id, uid and type: what makes a token one (mod_tokens, 3.2). In lower case since 2.2."""

Place = tuple[str, str, str]
"""Identifier, role and URL of an endpoint; the role is empty before 2.2."""

SETTLED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Registrant:
    """A registered party platform: its versions URL, its (country code, party id) roles, how to call it."""

    url: str
    parties: tuple[tuple[str, str], ...]
    version: str
    client_token: str = field(repr=False)
    """What we show when we call it."""
    endpoints: tuple[Place, ...] = ()
    pulled_at: str = ""
    """When the last pull that succeeded began; empty before the first."""

    def has(self, country_code: str, party_id: str) -> bool:
        """Whether this platform speaks for a party."""
        asked = (country_code.lower(), party_id.lower())
        return any((country.lower(), party.lower()) == asked for country, party in self.parties)

    def url_of(self, identifier: str, role: str) -> str | None:
        """Where one of its modules is; an endpoint without a role has them all."""
        return next(
            (url for name, as_role, url in self.endpoints if name == identifier and as_role in ("", role)),
            None,
        )


@dataclass(slots=True)
class CpoState:
    """Everything that outlives a request. Hold `lock` around every use."""

    path: Path | None = None
    first_tokens: set[str] = field(default_factory=set)
    registrants: dict[str, Registrant] = field(default_factory=dict)
    """By the hash of what each shows."""
    tokens: dict[Key, JsonObject] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    """Hashes of what we handed out in a registration of ours that is not over. Not kept."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    on_changed: Callable[[], None] = lambda: None
    """Is told of each change, while the lock is held."""
    settled: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self.settled = threading.Condition(self.lock)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.on_changed()
        if self.path is None:
            return
        written = json.dumps(
            {
                "first_tokens": sorted(self.first_tokens),
                "registrants": {shown: asdict(who) for shown, who in self.registrants.items()},
                "tokens": [[list(key), token] for key, token in self.tokens.items()],
            }
        )
        fresh = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    def lose(self, what: str) -> None:
        """Come back from a restart without `tokens`, or without `everything`, or with all that was there."""
        with self.lock:
            if what in ("tokens", "everything"):
                self.tokens.clear()
            if what == "everything":
                self.registrants.clear()
                self.first_tokens.clear()
            self.save()

    def registrant_of(self, shown: str) -> Registrant | None:
        """Who shows this, once it is settled whether that is somebody."""
        with self.settled:
            self.settled.wait_for(lambda: shown not in self.pending, SETTLED_WITHIN_S)
            return self.registrants.get(shown)

    def begin(self, shown: str) -> None:
        """Let somebody look at our versions while we register with it."""
        with self.lock:
            self.pending.add(shown)

    def settle(self, shown: str, registrant: Registrant | None, instead_of: str | None = None) -> None:
        """End what was begun: with somebody who is registered, or with nobody."""
        with self.settled:
            self.pending.discard(shown)
            if registrant is not None:
                before = self.registrants.pop(instead_of or "", None)
                self.registrants[shown] = replace(registrant, pulled_at=before.pulled_at if before else "")
                self.save()
            self.settled.notify_all()


def digest(token: str) -> str:
    """The form in which a credentials token that others show is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_state(path: Path | None, first_token: str) -> CpoState:
    """Read the state of an earlier run, or begin with one registration open for `first_token`.

    :raises ValueError: the file is not such a state
    """
    if path is None or not path.exists():
        return CpoState(path, first_tokens={digest(first_token)} if first_token else set())
    try:
        kept = json.loads(path.read_text())
        return CpoState(
            path,
            first_tokens=set(kept["first_tokens"]),
            registrants={shown: _registrant(who) for shown, who in kept["registrants"].items()},
            tokens={_key(parts): dict(token) for parts, token in kept["tokens"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ValueError(f"{path} is not the state of a virtual CPO ({broken})") from None


def _registrant(who: JsonObject) -> Registrant:
    return Registrant(
        str(who["url"]),
        tuple((country, party) for country, party in who["parties"]),  # type: ignore[attr-defined]
        str(who["version"]),
        str(who["client_token"]),
        tuple((name, role, url) for name, role, url in who["endpoints"]),  # type: ignore[attr-defined]
        str(who["pulled_at"]),
    )


def _key(parts: object) -> Key:
    country, party, uid, kind = map(str, parts)  # type: ignore[call-overload]
    return country, party, uid, kind
