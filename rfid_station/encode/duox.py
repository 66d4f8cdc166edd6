"""MIFARE DUOX: nothing is written; the card is proven again after a field reset."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.duox import DuoxState, sign_anew
from rfid_station.chip.exchange import Dialogue, Restart
from rfid_station.chip.gp_certificate import Certificate
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import NothingToWrite, Plan, Step, Target, check_same_card, digest_of
from rfid_station.errors import CardRefused, ReadBackDiffers


@dataclass(frozen=True, slots=True)
class DuoxPlan:
    """The plan for a card that has all it needs from its maker."""

    uid: CardUid
    certificate: Certificate
    steps: tuple[Step, ...] = ()

    @property
    def digest(self) -> str:
        """Names the wanted end state: the certificate."""
        return digest_of(self.uid, [self.certificate.signature.hex()])

    def write(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """Nothing."""
        yield from ()

    def verify(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """See the same card come back, and let it sign another challenge."""
        check_same_card(self.uid, (yield Restart()))
        if not (yield from sign_anew(self.uid, self.certificate)):
            raise ReadBackDiffers(
                f"card {self.uid.masked} signs no more as its certificate says",
                hint="put it aside: it is not the card it was, or it is broken",
            )


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:  # noqa: ARG001
    """Let a card pass that identifying has proven.

    :raises CardRefused: it is not proven to be a charging card
    """
    yield from ()
    _certificate(identity)
    return _state(identity)


def plan(identity: Identity, target: Target) -> Plan:
    """Plan to prove it again. Pure.

    :raises CardRefused: it is not proven, or the profile wants something written
    """
    if target.profile.content is not Content.NOTHING or target.profile.protection is not Protection.OPEN:
        raise CardRefused(
            f"card {identity.uid.masked} is a {identity.name}, and nothing is written to those",
            hint="take the profile duox, or another blank",
        )
    return DuoxPlan(identity.uid, _certificate(identity))


def recycle(identity: Identity, key: KeyRef | None) -> Plan:  # noqa: ARG001
    """There is nothing of ours on it."""
    return NothingToWrite(identity.uid)


def _state(identity: Identity) -> DuoxState:
    if not isinstance(identity.state, DuoxState):
        raise TypeError(f"{identity.name} is no MIFARE DUOX")
    return identity.state


def _certificate(identity: Identity) -> Certificate:
    state = _state(identity)
    if state.certificate is None or not state.is_proven:
        raise CardRefused(
            f"card {identity.uid.masked} is not proven to be a charging card: {state.why_not}",
            hint="put it aside; `rfid-station card read` tells more, and so does its supplier",
        )
    return state.certificate
