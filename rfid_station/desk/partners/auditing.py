"""A partner read back: a sample of its tokens or all of them, and what differs sent again if wanted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rfid_station.desk.partners.delivery import replicator, tokens_of
from rfid_station.desk.partners.hub import check_no_hub
from rfid_station.desk.partners.sync_upkeep import check_connected, check_not_paused
from rfid_station.desk.station import Station
from rfid_station.errors import PartnerUnreachable, ReadBackDiffers
from rfid_station.sync.audit import Drift, Finding

SAMPLE = 100
"""How many tokens are read back where nobody says how many."""
RATE = 20.0
"""Reads a second at most: an audit is never urgent."""
AUDIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be read back, and how."""

    partner: str
    sample: int | None = SAMPLE
    """How many, drawn by chance; None for all."""
    repair: bool = False
    rate: float = RATE
    deadline_s: float = AUDIT_S


@dataclass(slots=True)
class Audit:
    """What was found so far."""

    partner: str
    wanted: int
    """How many tokens are to be read."""
    total: int
    """How many there are."""
    found: Counter[Drift] = field(default_factory=Counter)
    repaired: int = 0
    drifted: int = 0
    """What differs still."""
    unreachable: str = ""
    """Why something was not read, in words."""

    @property
    def read(self) -> int:
        """How many tokens the partner showed."""
        return self.found.total() - self.found[Drift.UNREAD]

    @property
    def most_drift(self) -> float | None:
        """What share may differ unseen when a sample is right, at 95 % (rule of three); else None."""
        is_sample_right = 0 < self.found[Drift.RIGHT] == self.wanted < self.total
        return min(1.0, 3 / self.wanted) if is_sample_right else None

    def note(self, finding: Finding) -> None:
        """Count one."""
        self.found[finding.drift] += 1
        if finding.drift is Drift.UNREAD:
            self.unreachable = self.unreachable or finding.detail
        elif finding.drift.is_drift:
            self.repaired += finding.is_in_step
            self.drifted += not finding.is_in_step

    def check(self) -> None:
        """Let it pass that everything that was wanted was read, and is as it should be by now.

        :raises ReadBackDiffers: something differs
        :raises PartnerUnreachable: something could not be read
        """
        unread = self.wanted - self.read
        if self.drifted:
            more = f"; {unread} could not be read: {self.unreachable}" if unread else ""
            raise ReadBackDiffers(
                f"{self.partner} differs in {self.drifted} of {self.read} tokens{more}",
                hint=f"rfid-station sync audit {self.partner} --all --repair",
            )
        if unread:
            raise PartnerUnreachable(
                f"{self.partner}: {unread} of {self.wanted} tokens could not be read:"
                f" {self.unreachable or 'there was no time'}",
                hint=f"rfid-station sync audit {self.partner}, once the partner is back",
            )


@contextmanager
def audit(
    station: Station, wish: Wish, draw: random.Random | None = None
) -> Iterator[tuple[Audit, Iterator[Finding]]]:
    """Read a partner back: the count, and the findings as they come.

    :raises WrongCall: the partner is not connected
    :raises Conflict: it is to be repaired, and somebody paused it
    :raises StationError: the store failed
    """
    check_connected(station, wish.partner)
    if wish.repair:
        check_not_paused(station, wish.partner)
    check_no_hub(
        station.store.partners.get(wish.partner),
        "way to read a card back",
        f"rfid-station sync resync {wish.partner}, which brings every card anew",
    )
    everything = list(tokens_of(station, None, wish.partner))
    chosen = everything
    if wish.sample is not None and wish.sample < len(everything):
        chosen = sorted((draw or random.SystemRandom()).sample(everything, wish.sample))
    with replicator(station) as replication:
        tally = Audit(wish.partner, len(chosen), len(everything))
        findings = replication.audit(
            wish.partner, chosen, rate=wish.rate, repair=wish.repair, deadline_s=wish.deadline_s
        )
        yield tally, _counted(findings, tally)


def _counted(findings: Iterator[Finding], tally: Audit) -> Iterator[Finding]:
    for finding in findings:
        tally.note(finding)
        yield finding
