"""A feed store in memory with the semantics of the real one: each method one transaction."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.contact import NEVER_MET, Contact
from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.service_level import Owed
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import parse_uid
from rfid_station.sync.port import Peer, TokenReceiver

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ALWAYS_IN_FORCE = Agreement()
ONE_AT_A_TIME = PartnerProfile(max_in_flight=1)
"""So that whatever happens does so in one order."""


@cache
def _blank(number: int) -> Token:
    return Token(
        party=Party("NL", "EXM"),
        uid=parse_uid(f"04{number:012X}"),
        contract_id=own_contract_id("NL", "EXM", number),
        visual_number=f"EXM-{number}",
        issuer="Example Mobility",
        valid=True,
        whitelist=Whitelist.ALLOWED,
        last_updated=START,
    )


def token(
    number: int, revision: int, *, valid: bool = True, whitelist: Whitelist = Whitelist.ALLOWED
) -> Token:
    """A token whose state differs at each revision."""
    stamp = START + timedelta(seconds=revision)
    return replace(_blank(number), valid=valid, whitelist=whitelist, last_updated=stamp)


@dataclass
class _Row:
    resync: int = 0
    cursors: dict[Lane, int] = field(default_factory=lambda: {Lane.BULK: 0, Lane.URGENT: 0})
    parked: dict[int, Parked] = field(default_factory=dict)


class MemoryFeed:
    """The durable state of the tests. What is not in here is lost when a process dies."""

    def __init__(self, *partners: str) -> None:
        self.tokens: dict[int, Change] = {}
        self.partners = {name: _Row() for name in partners}
        self.proofs: list[tuple[str, int, int, bool, str]] = []
        self.head = 0
        self.calls: Counter[str] = Counter()
        self.met: dict[str, Contact] = {}
        """How partners were met, as other processes know it."""
        self.views: dict[str, Callable[[Change], Change | None]] = {}
        """How a partner sees a change, where it does not see it as it is."""
        self._lock = threading.Lock()

    # The desk's side

    def change(
        self,
        token_id: int,
        *,
        valid: bool = True,
        urgent: bool = False,
        whitelist: Whitelist = Whitelist.ALLOWED,
    ) -> Change:
        with self._lock:
            self.head += 1
            state = token(token_id, self.head, valid=valid, whitelist=whitelist)
            self.tokens[token_id] = Change(self.head, token_id, state, urgent)
            return self.tokens[token_id]

    def block(self, token_id: int) -> Change:
        return self.change(token_id, valid=False, urgent=True)

    def issue(self, count: int) -> None:
        for token_id in range(1, count + 1):
            self.change(token_id)

    # What sync sees

    def standing(self, partner: str, *, counted: bool = True) -> Standing:
        with self._lock:
            self.calls["standing"] += 1
            row = self.partners[partner]
            behind = sum(change.revision > row.cursors[Lane.BULK] for change in self._seen(partner))
            behind = behind if counted else min(behind, 1)
            return Standing(
                partner,
                dict(row.cursors),
                self.head,
                tuple(row.parked.values()),
                behind,
                row.resync,
                self.met.get(partner, NEVER_MET),
            )

    def age(self) -> Hashable:
        """All that is kept, since tests change it by hand as well."""
        with self._lock:
            self.calls["age"] += 1
            rows = (
                (name, row.resync, tuple(row.cursors.items()), tuple(row.parked.values()))
                for name, row in self.partners.items()
            )
            kept = self.tokens, self.met, self.views
            return self.head, tuple(rows), tuple(tuple(one.items()) for one in kept), len(self.proofs)

    def enforce(self, partner: str) -> None:
        """Every partner of these tests gets everything."""

    def changes_after(self, partner: str, revision: int, lane: Lane, limit: int) -> Sequence[Change]:
        with self._lock:
            self.calls["changes_after"] += 1
            found = [
                change
                for change in self._seen(partner)
                if change.revision > revision and (change.is_urgent or lane is Lane.BULK)
            ]
            return sorted(found, key=lambda change: change.revision)[:limit]

    def newest(self, partner: str, token_id: int) -> Change | None:
        with self._lock:
            self.calls["newest"] += 1
            return next((change for change in self._seen(partner, token_id)), None)

    def _seen(self, partner: str, token_id: int | None = None) -> Iterator[Change]:
        view = self.views.get(partner, lambda change: change)
        chosen = self.tokens.values() if token_id is None else [self.tokens.get(token_id)]
        return filter(None, (view(change) for change in chosen if change))

    def advance(
        self,
        partner: str,
        lane: Lane,
        cursor: int,
        park: Sequence[Parked] = (),
        unpark: Sequence[int] = (),
        resync: int = 0,
    ) -> None:
        with self._lock:
            self.calls["advance"] += 1
            row = self.partners[partner]
            if row.resync == resync:
                row.cursors[lane] = max(row.cursors[lane], cursor)
            for token_id in unpark:
                row.parked.pop(token_id, None)
            row.parked.update({one.token_id: one for one in park})

    def rewind(self, partner: str, actor: Actor) -> int:
        with self._lock:
            row = self.partners[partner]
            row.resync, row.cursors = row.resync + 1, {Lane.BULK: 0, Lane.URGENT: 0}
            return len(self.tokens)

    def renew(self, partner: str, token_id: int) -> None:
        old = self.tokens[token_id]
        self.change(token_id, valid=old.token.valid, urgent=old.is_urgent)

    def owed(self, partner: str) -> Owed:
        with self._lock:
            row = self.partners[partner]
            stamps: dict[bool, list[datetime]] = {True: [], False: []}
            for change in self.tokens.values():
                is_sent = change.revision <= row.cursors[Lane.BULK] or (
                    change.is_urgent and change.revision <= row.cursors[Lane.URGENT]
                )
                if not is_sent or change.token_id in row.parked:
                    stamps[change.is_urgent].append(change.token.last_updated)
            urgent, others = stamps[True], stamps[False]
            return Owed(len(urgent), min(urgent, default=None), len(others), min(others, default=None))

    def record_proof(self, partner: str, token_id: int, revision: int, proven: bool, note: str) -> None:
        with self._lock:
            self.calls["record_proof"] += 1
            self.proofs.append((partner, token_id, revision, proven, note))


def peer(
    name: str,
    receiver: TokenReceiver,
    agreement: Agreement = ALWAYS_IN_FORCE,
    profile: PartnerProfile = ONE_AT_A_TIME,
) -> Peer:
    return Peer(name, receiver, agreement, profile)
