"""The encoding part of a tap, as the desk does it, on a virtual card; and what a tear does to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rfid_station.chip.aes import AesKey, LocalAesKey, diversify
from rfid_station.chip.exchange import run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.domain.key import KeyRef
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardLost, KeyUnavailable
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, VirtualCard
from rfid_station.simulator.field import Field, Mishap


@dataclass
class OpenKeys:
    """A key ring in memory. The first version of every key is made up from its name."""

    versions: dict[str, int] = field(default_factory=dict)

    def newest(self, key_id: str) -> KeyRef:
        return KeyRef(key_id, self.versions.get(key_id, 1))

    def rotate(self, key_id: str) -> KeyRef:
        self.versions[key_id] = self.newest(key_id).version + 1
        return self.newest(key_id)

    def diversify(self, ref: KeyRef, diversification_input: bytes) -> AesKey:
        if ref.version > self.newest(ref.id).version:
            raise KeyUnavailable(f"the ring has no {ref}")
        master = LocalAesKey(f"{ref}".encode().ljust(16, b"*")[:16])
        return LocalAesKey(diversify(master, diversification_input))


def link_to(card: VirtualCard, mishap: Mishap | None = None) -> SimLink:
    """Lay a card on a reader in this process. `exchanges` and `field_restarts` count on it."""
    return SimLink(Field(card, mishap=mishap), "sim:test")


def tap(link: SimLink, target: Target, keys: OpenKeys | None = None) -> Plan:
    """Identify, examine, plan, write, verify."""
    identity = run(link, identify(link.seen))
    identity = run(link, examine_card(identity, target, keys))
    plan = plan_card(identity, target)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))
    return plan


def identified(card: VirtualCard) -> Identity:
    """What a fresh tap tells, without keys."""
    link = link_to(card)
    return run(link, identify(link.seen))


def recycle(card: VirtualCard, target: Target, keys: OpenKeys | None = None) -> Plan:
    """Bring a card that was made as `target` says back to blank."""
    link = link_to(card)
    identity = run(link, identify(link.seen))
    identity = run(link, examine_card(identity, target, keys))
    plan = plan_recycling(identity, target.key)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))
    return plan


def exchanges_of_a_tap(card: VirtualCard, target: Target, keys: OpenKeys | None = None) -> int:
    """What a whole undisturbed tap costs, field restarts counted as well."""
    link = link_to(card)
    tap(link, target, keys)
    return link.exchanges + link.field_restarts


def torn_then_finished(
    new_card: Callable[[], VirtualCard],
    target: Target,
    begun: Target,
    keys: OpenKeys | None,
    at: int,
    tear: Tear,
) -> tuple[VirtualCard, Plan | None]:
    """Pull a new card away at exchange `at`, then tap it again as a begun one.

    The plan is None where the card was through before the tear came.
    """
    card = new_card()
    link = link_to(card, Mishap(at, tear, leaves=True))
    try:
        tap(link, target, keys)
    except CardLost:
        return card, tap(link_to(card), begun, keys)
    return card, None
