"""The five keys of an NTAG 424 DNA.

They come from the master key by UID and slot name, `424.0` to `424.4`, except key 1. It deciphers who tapped,
which a reader of links must be able to do before it knows the card, so it is the same on all cards of one key
version: the master key diversified by `SUN_META` alone. Who takes it from one card learns to read UIDs and
counters out of links, and still cannot make a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.aes import FACTORY_KEY, AesKey, LocalAesKey
from rfid_station.chip.sun import MAC_KEY, META_KEY, SunKeys
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource, card_key
from rfid_station.errors import KeyUnavailable

SUN_META = b"424.sun.meta"
"""What key 1 is diversified by. Cards that are out there were made with it."""


@dataclass(frozen=True, slots=True)
class SlotKey:
    """What lies in a key slot: the key it was delivered with, or ours."""

    number: int
    ref: KeyRef | None = None
    """None: as delivered, all zero."""

    @property
    def version(self) -> int:
        """What the chip tells of it."""
        return self.ref.version if self.ref else 0

    def open(self, keys: KeySource | None, uid: CardUid) -> AesKey:
        """Get the key itself.

        :raises KeyUnavailable: it is not in the ring, or there is no ring
        """
        if self.ref is None:
            return LocalAesKey(FACTORY_KEY)
        if keys is None:
            raise KeyUnavailable(
                f"this needs the key {self}, and no key ring is open",
                hint="`rfid-station key list` tells which there are",
            )
        if self.number == META_KEY:
            return keys.diversify(self.ref, SUN_META)
        return card_key(keys, self.ref, uid, f"424.{self.number}")

    def __str__(self) -> str:
        slot = "424.sun.meta" if self.number == META_KEY else f"424.{self.number}"
        return f"{self.ref}/{slot}" if self.ref else "factory key"


def sun_keys(keys: KeySource, ref: KeyRef) -> SunKeys:
    """What it takes to check the links of all cards that were made with one version of a master key.

    :raises KeyUnavailable: it is not in the ring
    """
    return SunKeys(keys.diversify(ref, SUN_META), lambda uid: SlotKey(MAC_KEY, ref).open(keys, uid))
