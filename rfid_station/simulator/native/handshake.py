"""The card's part in a mutual authentication: three passes, five variants.

| command | keys | leads to |
|---|---|---|
| 0A | DES | D40 secure messaging; the reader only deciphers |
| 1A | DES, three-key triple DES | EV1 |
| AA | AES | EV1 |
| 71, 77 | AES | EV2, beginning or continuing a transaction |

NT4H2421Gx rev. 3.0, 9.1.5 to 9.1.7; MIFARE DESFire EV1 (M134034), 7.3, in extracts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rfid_station.simulator.native.cipher import Algorithm, Cipher, rotated
from rfid_station.simulator.native.secure_messaging import (
    D40Session,
    Ev1Session,
    Ev2Session,
    Refusal,
    Session,
    Status,
    enciphered_back,
)

D40, ISO, AES, EV2_FIRST, EV2_NEXT = 0x0A, 0x1A, 0xAA, 0x71, 0x77

SUITABLE = {
    D40: (Algorithm.DES,),
    ISO: (Algorithm.DES, Algorithm.TRIPLE_DES),
    AES: (Algorithm.AES,),
    EV2_FIRST: (Algorithm.AES,),
    EV2_NEXT: (Algorithm.AES,),
}
"""For which keys each command is."""

_CAPABILITIES = bytes(6)
_IDENTIFIER_SIZE = 4

Draw = Callable[[int], bytes]


@dataclass(slots=True)
class Handshake:
    """An authentication whose first pass is done."""

    command: int
    key_number: int
    key: Cipher
    rnd_b: bytes
    challenge: bytes
    reader_capabilities: bytes = _CAPABILITIES
    before: Session | None = None
    """The session that a 77 continues."""

    def finish(self, token: bytes, draw: Draw) -> tuple[bytes, Session]:
        """Take the reader's token, and give the last answer and the session.

        :raises Refusal: the token has a wrong length, or the reader has another key
        """
        if len(token) != 2 * len(self.rnd_b):
            raise Refusal(Status.LENGTH)
        plain = self._opened(token)
        rnd_a, answer_to_b = plain[: len(self.rnd_b)], plain[len(self.rnd_b) :]
        if answer_to_b != rotated(self.rnd_b):
            raise Refusal(Status.AUTHENTICATION)
        if self.command in (EV2_FIRST, EV2_NEXT):
            return self._finish_ev2(rnd_a, draw)
        if self.command == D40:
            return self.key.encrypt(rotated(rnd_a)), D40Session(self.key_number, self._session_key(rnd_a))
        answer = self.key.encrypt(rotated(rnd_a), token[-self.key.block :])
        return answer, Ev1Session(self.key_number, self._session_key(rnd_a))

    def _opened(self, token: bytes) -> bytes:
        if self.command == D40:
            return enciphered_back(self.key, token)
        is_chained = self.command in (ISO, AES)
        return self.key.decrypt(token, self.challenge[-self.key.block :] if is_chained else b"")

    def _finish_ev2(self, rnd_a: bytes, draw: Draw) -> tuple[bytes, Session]:
        keys = _ev2_keys(self.key, rnd_a, self.rnd_b)
        if isinstance(self.before, Ev2Session):
            session = Ev2Session(self.key_number, keys, self.before.identifier, self.before.count)
            return self.key.encrypt(rotated(rnd_a)), session
        identifier = draw(_IDENTIFIER_SIZE)
        answer = identifier + rotated(rnd_a) + _CAPABILITIES + self.reader_capabilities
        return self.key.encrypt(answer), Ev2Session(self.key_number, keys, identifier, 0)

    def _session_key(self, a: bytes) -> Cipher:
        """Pieces of both random numbers (M134034, 7.3.8)."""
        b = self.rnd_b
        if self.key.algorithm is Algorithm.AES:
            return Cipher(Algorithm.AES, a[:4] + b[:4] + a[12:] + b[12:])
        if self.key.algorithm is Algorithm.TRIPLE_DES:
            return Cipher(Algorithm.TRIPLE_DES, a[:4] + b[:4] + a[6:10] + b[6:10] + a[12:] + b[12:])
        second = a[:4] + b[:4] if self.key.is_single_des else a[4:] + b[4:]
        return Cipher(Algorithm.DES, a[:4] + b[:4] + second)


def begin(command: int, key_number: int, key: Cipher, draw: Draw) -> Handshake:
    """Draw a random number and encipher it for the reader.

    :raises Refusal: the command is not for such a key
    """
    if key.algorithm not in SUITABLE[command]:
        raise Refusal(Status.AUTHENTICATION)
    rnd_b = draw(key.challenge_size)
    return Handshake(command, key_number, key, rnd_b, key.encrypt(rnd_b))


def _ev2_keys(key: Cipher, a: bytes, b: bytes) -> tuple[Cipher, Cipher]:
    """Session keys for enciphering and for MACs (NT4H2421Gx, 9.1.7)."""
    mixed = bytes(x ^ y for x, y in zip(a[2:8], b[:6], strict=True))
    context = b"\x00\x01\x00\x80" + a[:2] + mixed + b[6:] + a[8:]
    enc, mac = (Cipher(Algorithm.AES, key.cmac(label + context)) for label in (b"\xa5\x5a", b"\x5a\xa5"))
    return enc, mac
