"""Where keys come from, and how a card's own keys are made from a master key.

The only door between encoding and key material: a file behind a passphrase and a hardware module are
both a `KeySource`. Nothing here can print a key.
"""

from __future__ import annotations

from typing import Protocol

from rfid_station.chip.aes import AesKey
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid


class KeySource(Protocol):
    """A key ring that is open."""

    def newest(self, key_id: str) -> KeyRef:
        """The version of a master key that new cards get.

        :raises KeyUnavailable: there is no such key
        """

    def diversify(self, ref: KeyRef, diversification_input: bytes) -> AesKey:
        """The key that AN10922 derives from a master key and 1 to 31 bytes.

        :raises KeyUnavailable: there is no such key, or not in this version
        """


def card_key(keys: KeySource, ref: KeyRef, uid: CardUid, slot: str) -> AesKey:
    """A card's own key for one slot: the input is the UID and the slot's name in ASCII.

    A slot's name is at most 20 characters, as `424.2` or `desfire.F51CC1.0`, and never changes its
    meaning: cards that are out there were made with it.
    """
    return keys.diversify(ref, uid.raw + slot.encode("ascii"))
