"""What is done to the pages of a Type 2 tag, and what they must hold in the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rfid_station.chip.catalogue import PAGE_SIZE, Guard, SecretPage
from rfid_station.chip.exchange import SecretFrame
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource, card_key
from rfid_station.errors import KeyUnavailable

ALL_BITS = b"\xff" * PAGE_SIZE


class WritePage(NamedTuple):
    """One write of one page, and what it is for."""

    page: int
    data: bytes
    purpose: str
    is_irreversible: bool = False

    def content(self, uid: CardUid, keys: KeySource | None) -> bytes:  # noqa: ARG002
        """The four bytes."""
        return self.data

    def __str__(self) -> str:
        return f"page {self.page:02X} ← {self.data.hex(' ').upper()}  {self.purpose}"


@dataclass(frozen=True, slots=True)
class WriteSecret:
    """One write of a page that takes a part of a password or key of the card's own."""

    part: SecretPage
    key: KeyRef
    slot: str
    purpose: str
    is_irreversible: bool = False

    @property
    def page(self) -> int:
        """Where the part goes."""
        return self.part.page

    def content(self, uid: CardUid, keys: KeySource | None) -> bytes:
        """The four bytes, which nobody may show.

        :raises KeyUnavailable: the key is not in the ring
        """
        return SecretFrame(self.part.data(secret_of(uid, self.key, self.slot, keys)))

    def __str__(self) -> str:
        order = " ".join(map(str, self.part.order))
        return f"page {self.page:02X} ← key {self.key}/{self.slot}, bytes {order}  {self.purpose}"


Step = WritePage | WriteSecret


class Expected(NamedTuple):
    """What a page must read in the end, in the bits that matter."""

    page: int
    data: bytes
    mask: bytes = ALL_BITS

    def holds(self, found: bytes) -> bool:
        """Whether it reads so."""
        return masked(found, self.mask) == masked(self.data, self.mask)

    def __str__(self) -> str:
        return f"{self.page:02X}={masked(self.data, self.mask).hex()}/{self.mask.hex()}"


def byte_at(at: int, value: int) -> bytes:
    """A page that is 00 but for one byte."""
    return bytes(at) + bytes([value]) + bytes(PAGE_SIZE - 1 - at)


def masked(data: bytes, mask: bytes) -> bytes:
    """The bits of a page that a mask leaves."""
    if len(data) != len(mask):
        raise ValueError(f"{len(data)} bytes, and a mask of {len(mask)}")
    return (int.from_bytes(data) & int.from_bytes(mask)).to_bytes(len(mask))


def joined(data: bytes, bits: bytes) -> bytes:
    """A page with more bits set."""
    return bytes(left | right for left, right in zip(data, bits, strict=True))


def secret_of(uid: CardUid, key: KeyRef, slot: str, keys: KeySource | None) -> bytes:
    """All 16 bytes of a card's own secret.

    :raises KeyUnavailable: the key is not in the ring, or no ring is open
    """
    if keys is None:
        raise KeyUnavailable(f"card {uid.masked} takes the key {key}, and no key ring is open")
    return card_key(keys, key, uid, slot).reveal()


def secret_steps(guard: Guard, key: KeyRef) -> list[Step]:
    """The card's own password or key, page by page."""
    return [WriteSecret(part, key, guard.slot, "the card's own") for part in guard.secrets]


def factory_secret_steps(guard: Guard) -> list[Step]:
    """The password or key that every chip of the kind is delivered with."""
    factory = guard.secret_as_delivered
    return [WritePage(part.page, part.data(factory), "as every chip comes") for part in guard.secrets]
