"""The ciphers and check sums inside NXP's chips: AES-128 and (triple) DES in CBC mode, CMAC, CRC.

NIST SP 800-38A and 800-38B; ISO/IEC 14443-3, annex B (CRC_A); IEEE 802.3 (CRC32).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_RB = {8: 0x1B, 16: 0x87}
"""The constants of the sub-keys by block size (SP 800-38B, 5.3)."""
_CRC_A_START, _CRC_A_POLYNOMIAL = 0x6363, 0x8408


class Algorithm(IntEnum):
    """Which cipher a key is for, as the two high bits of a key setting tell it."""

    DES = 0x00
    """One key or two, 16 bytes: equal halves make single DES."""
    TRIPLE_DES = 0x40
    """Three keys, 24 bytes."""
    AES = 0x80

    @property
    def key_size(self) -> int:
        """How many bytes a key of it has on the wire."""
        return 24 if self is Algorithm.TRIPLE_DES else 16


@dataclass(frozen=True, slots=True)
class Cipher:
    """A key that is ready to be used, in CBC mode and without padding."""

    algorithm: Algorithm
    key: bytes

    @property
    def block(self) -> int:
        """How many bytes a block has."""
        return 16 if self.algorithm is Algorithm.AES else 8

    @property
    def is_single_des(self) -> bool:
        """Whether both halves of a DES key are the same, parity bits included."""
        return self.algorithm is Algorithm.DES and self.key[:8] == self.key[8:]

    @property
    def challenge_size(self) -> int:
        """How many bytes a random number of an authentication has."""
        return 8 if self.algorithm is Algorithm.DES else 16

    def encrypt(self, data: bytes, iv: bytes = b"") -> bytes:
        """Encipher whole blocks; the initial vector is zero unless given."""
        encryptor = self._cbc(iv).encryptor()
        return bytes(encryptor.update(data) + encryptor.finalize())

    def decrypt(self, data: bytes, iv: bytes = b"") -> bytes:
        """Decipher whole blocks; the initial vector is zero unless given."""
        decryptor = self._cbc(iv).decryptor()
        return bytes(decryptor.update(data) + decryptor.finalize())

    def cmac(self, message: bytes, iv: bytes = b"") -> bytes:
        """The whole CMAC. A running initial vector may go before the message (MIFARE DESFire EV1)."""
        subkey = self._doubled(self.encrypt(bytes(self.block)))
        if not message or len(message) % self.block:
            subkey = self._doubled(subkey)
            message = padded(message, self.block)
        last = bytes(a ^ b for a, b in zip(message[-self.block :], subkey, strict=True))
        return self.encrypt(message[: -self.block] + last, iv)[-self.block :]

    def _doubled(self, block: bytes) -> bytes:
        bits = 8 * self.block
        number = int.from_bytes(block) << 1
        return (number & (1 << bits) - 1 ^ (_RB[self.block] if number >> bits else 0)).to_bytes(self.block)

    def _cbc(self, iv: bytes) -> Any:  # noqa: ANN401 - the type lives in a package that is imported late
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        from cryptography.hazmat.primitives.ciphers import Cipher as Engine
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CBC

        mode = CBC(iv or bytes(self.block))
        if self.algorithm is Algorithm.AES:
            return Engine(AES(self.key), mode)
        # A chip ignores what is left of the key: K1 K2 stands for K1 K2 K1.
        return Engine(TripleDES((self.key + self.key[:8])[:24]), mode)


def padded(data: bytes, block: int) -> bytes:
    """Append 80 and as many 00 as a whole block needs (ISO/IEC 9797-1, padding method 2)."""
    return zero_padded(data + b"\x80", block)


def zero_padded(data: bytes, block: int) -> bytes:
    """Append as many 00 as a whole block needs."""
    return data + bytes(-len(data) % block)


def rotated(data: bytes) -> bytes:
    """Move the first byte to the end."""
    return data[1:] + data[:1]


def crc32(data: bytes) -> bytes:
    """CRC32 as DESFire counts it: without the final inversion, low byte first."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def crc16(data: bytes) -> bytes:
    """CRC_A, low byte first."""
    crc = _CRC_A_START
    for value in data:
        crc ^= value
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC_A_POLYNOMIAL if crc & 1 else 0)
    return crc.to_bytes(2, "little")
