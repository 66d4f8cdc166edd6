"""AES-128 as chips use it, and the one derivation that every key on a card comes from.

`cryptography` does the block cipher. CMAC is NIST SP 800-38B, diversification NXP AN10922.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 16
ZERO_IV = bytes(BLOCK)

FACTORY_KEY = bytes(BLOCK)
"""What NXP's chips come with in every AES slot."""


class MasterKey(Protocol):
    """An AES-128 key that others are derived from. It may lie in a hardware module and never show itself."""

    def encrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """CBC without padding; `data` is whole blocks."""


class AesKey(MasterKey, Protocol):
    """A card's own AES-128 key: it authenticates, and can be given to the chip."""

    def decrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """CBC without padding; `data` is whole blocks."""

    def cmac(self, message: bytes) -> bytes:
        """All 16 bytes of the CMAC."""

    def reveal(self) -> bytes:
        """The 16 bytes, for a chip that is to get this key."""


@dataclass(frozen=True, slots=True)
class LocalAesKey:
    """An AES-128 key in this process's memory. Printing it shows nothing."""

    raw: bytes = field(repr=False)

    def encrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """CBC without padding."""
        encryptor = _cipher(self.raw, iv).encryptor()
        return encryptor.update(data) + encryptor.finalize()

    def decrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """CBC without padding."""
        decryptor = _cipher(self.raw, iv).decryptor()
        return decryptor.update(data) + decryptor.finalize()

    def cmac(self, message: bytes) -> bytes:
        """All 16 bytes of the CMAC."""
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.cmac import CMAC

        mac = CMAC(AES(self.raw))
        mac.update(message)
        return mac.finalize()

    def reveal(self) -> bytes:
        """The 16 bytes."""
        return self.raw


VECTORS = [
    (
        "00112233445566778899AABBCCDDEEFF",
        "04782E21801D803042F54E585020416275",
        "A8DD63A3B89D54B37CA802473FDA9175",
    ),
    ("F3F9377698707B688EAF84ABE39E3791", "04DEADBEEFFEED", "0BB408BAFF98B6EE9F2E1585777F6A51"),
]
"""(master key, diversification input, diversified key): NXP AN10922, 2.2, and a short input by its rule."""

_LONGEST_INPUT = 31


def diversify(master: MasterKey, diversification_input: bytes) -> bytes:
    """Derive a card's key from a master key (NXP AN10922, 2.2): AES-128, an input of 1 to 31 bytes.

    The master key only encrypts, so it may lie in a hardware module. The message is always padded
    to two blocks, which a plain CMAC would not do for short inputs.

    :raises ValueError: the input is empty or too long
    """
    if not 1 <= len(diversification_input) <= _LONGEST_INPUT:
        raise ValueError(f"a diversification input has 1 to {_LONGEST_INPUT} bytes")
    subkey = _doubled(master.encrypt(bytes(BLOCK)))
    message = b"\x01" + diversification_input
    if len(message) < 2 * BLOCK:
        subkey = _doubled(subkey)
        message = (message + b"\x80").ljust(2 * BLOCK, b"\x00")
    last = bytes(left ^ right for left, right in zip(message[BLOCK:], subkey, strict=True))
    return master.encrypt(message[:BLOCK] + last)[BLOCK:]


def _doubled(block: bytes) -> bytes:
    """Multiply by x in GF(2^128) (SP 800-38B, 6.1)."""
    number = int.from_bytes(block) << 1
    return (number & (1 << 128) - 1 ^ (0x87 if number >> 128 else 0)).to_bytes(BLOCK)


def _cipher(key: bytes, iv: bytes) -> Cipher[CBC]:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    return Cipher(AES(key), CBC(iv))
