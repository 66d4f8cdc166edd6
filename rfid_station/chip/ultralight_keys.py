"""How MIFARE Ultralight C and Ultralight AES prove that card and reader have the same key.

Both do the same dance: `1A 00`, the card's random number enciphered; `AF`, both random numbers enciphered;
`00`, the reader's random number enciphered. Ultralight C uses triple DES with two keys, and the last block is
the next start value (MF0ICU2 data sheet, 7.5.5); Ultralight AES begins each message anew (NXP AN13452).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from rfid_station.chip.aes import LocalAesKey
from rfid_station.chip.exchange import Dialogue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

BEGIN = b"\x1a\x00"
_MORE, _DONE = b"\xaf", b"\x00"
_DES_BLOCK, _AES_BLOCK = 8, 16

VECTORS_3DES = [
    (
        "49454D4B41455242214E4143554F5946",
        "A8AF3B256C75ED40",
        [
            ("1A00", "AF577293FD2F34CA51"),
            ("AF0A638559FC7737F9F15D7862EBBE967A", "003B884FA07C137CE1"),
        ],
    ),
]
"""(key, random number of the reader, commands and answers): the example of the MF0ICU2 data sheet."""


def prove_3des(key: bytes, ours: bytes | None = None) -> Dialogue[bool]:
    """Log in with a 16-byte key of two halves; True if the card has it too.

    :param ours: the reader's random number of 8 bytes, drawn if left out
    """
    ours = ours or secrets.token_bytes(_DES_BLOCK)
    challenge = yield BEGIN
    if challenge[:1] != _MORE or len(challenge) != 1 + _DES_BLOCK:
        return False
    theirs = _decrypt_3des(key, challenge[1:], bytes(_DES_BLOCK))
    response = _encrypt_3des(key, ours + _rotated(theirs), challenge[1:])
    answer = yield _MORE + response
    if answer[:1] != _DONE or len(answer) != 1 + _DES_BLOCK:
        return False
    return _decrypt_3des(key, answer[1:], response[-_DES_BLOCK:]) == _rotated(ours)


def prove_aes(key: bytes, ours: bytes | None = None) -> Dialogue[bool]:
    """Log in with a 16-byte AES key; True if the card has it too.

    :param ours: the reader's random number of 16 bytes, drawn if left out
    """
    ours = ours or secrets.token_bytes(_AES_BLOCK)
    aes = LocalAesKey(key)
    challenge = yield BEGIN
    if challenge[:1] != _MORE or len(challenge) != 1 + _AES_BLOCK:
        return False
    answer = yield _MORE + aes.encrypt(ours + _rotated(aes.decrypt(challenge[1:])))
    if answer[:1] != _DONE or len(answer) != 1 + _AES_BLOCK:
        return False
    return aes.decrypt(answer[1:]) == _rotated(ours)


def _rotated(block: bytes) -> bytes:
    return block[1:] + block[:1]


def _encrypt_3des(key: bytes, data: bytes, iv: bytes) -> bytes:
    encryptor = _triple_des(key, iv).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _decrypt_3des(key: bytes, data: bytes, iv: bytes) -> bytes:
    decryptor = _triple_des(key, iv).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _triple_des(key: bytes, iv: bytes) -> Cipher[CBC]:
    # The third key is the first one again: written out, `cryptography` takes it without a warning.
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    return Cipher(TripleDES(key + key[:8]), CBC(iv))
