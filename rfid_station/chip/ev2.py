"""Secure messaging of the EV2 generation: NTAG 424 DNA, MIFARE DESFire EV2, EV3 and Light.

Both sides prove that they have the same AES key and derive two session keys from it. From then on commands
are counted, and the count goes into every IV and every MAC, so that nothing can be left out, repeated or
swapped (NT4H2421Gx, 9.1; NXP AN12196, 5). LRP, which such chips can be set to for good, is not spoken.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from zlib import crc32

from rfid_station.chip.aes import BLOCK, AesKey, LocalAesKey
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.iso_dep import Answer, native
from rfid_station.chip.messaging import (
    ADDITIONAL_FRAME,
    LONGEST_DATA,
    CardStatus,
    CommMode,
    check,
    exchange_native,
    name_of,
)
from rfid_station.errors import CardDefective, CardLost

FIRST, NON_FIRST, CHANGE_KEY = 0x71, 0x77, 0xC4
MAC_SIZE = 8

_TI_SIZE, _CAPABILITIES = 4, 12
_COMMAND, _RESPONSE = bytes.fromhex("A55A"), bytes.fromhex("5AA5")
_ENC_LABEL, _MAC_LABEL = bytes.fromhex("A55A00010080"), bytes.fromhex("5AA500010080")
_MOST_DELAYS = 400
"""About ten seconds: each refusal takes two thirds of the frame waiting time of 39 ms."""

RandomBytes = Callable[[int], bytes]


@dataclass(slots=True)
class Ev2Session:
    """An authenticated talk. It ends with the first status that is not success, and with its own key."""

    key_number: int
    encryption: LocalAesKey
    authentication: LocalAesKey
    transaction: bytes
    """Transaction identifier, 4 bytes."""
    counter: int = 0
    """Commands so far."""
    part: int = field(default=LONGEST_DATA, kw_only=True)
    """Bytes of data that are sent in one command; longer ones are continued by `AF`."""

    def command(
        self, ins: int, header: bytes = b"", data: bytes = b"", *, mode: CommMode, is_secret: bool = False
    ) -> Dialogue[bytes]:
        """Send a command and return the answer's data; see `messaging.Session`."""
        answer = yield from self._send(ins, header, data, mode, is_secret)
        received = check(answer, name_of(ins))
        if mode is CommMode.PLAIN:
            return received
        proven = self._proven(received, answer.status)
        return self._deciphered(proven) if mode is CommMode.FULL else proven

    def change_key(self, number: int, new: bytes, version: int, old: bytes | None = None) -> Dialogue[None]:
        """Give a slot a new key. Afterwards this session is over if it was the slot's own key.

        :param old: the slot's present key, unless the session was begun with it
        :raises WrongKey: this session may not change it
        :raises Disturbed: an integrity error, which a wrong `old` is as well
        """
        data = new + bytes([version]) if old is None else _xor(new, old) + bytes([version]) + key_check(new)
        answer = yield from self._send(CHANGE_KEY, bytes([number]), data, CommMode.FULL, True)
        received = check(answer, f"the new key {number & 0x3F}")
        if old is not None:
            self._proven(received, answer.status)

    def _send(
        self, ins: int, header: bytes, data: bytes, mode: CommMode, is_secret: bool
    ) -> Dialogue[Answer]:
        body = header + (self._enciphered(data) if mode is CommMode.FULL else data)
        mac = b"" if mode is CommMode.PLAIN else self._mac(bytes([ins]), body)
        self.counter += 1
        return (yield from exchange_native(ins, body + mac, part=self.part, is_secret=is_secret))

    def _enciphered(self, data: bytes) -> bytes:
        if not data:
            return b""
        padded = data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)
        return self.encryption.encrypt(padded, self._iv(_COMMAND))

    def _deciphered(self, received: bytes) -> bytes:
        if not received:
            return b""
        if len(received) % BLOCK:
            raise _not_from_this_card()
        plain = self.encryption.decrypt(received, self._iv(_RESPONSE))
        data, mark, zeros = plain.rpartition(b"\x80")
        if not mark or any(zeros) or len(zeros) >= BLOCK:
            raise _not_from_this_card()
        return data

    def _proven(self, received: bytes, status: int) -> bytes:
        """Take the data from in front of their MAC, once it is right."""
        data, mac = received[:-MAC_SIZE], received[-MAC_SIZE:]
        if not compare_digest(mac, self._mac(bytes([status & 0xFF]), data)):
            raise _not_from_this_card()
        return data

    def _mac(self, code: bytes, body: bytes) -> bytes:
        return truncated(self.authentication.cmac(code + self._count() + self.transaction + body))

    def _iv(self, label: bytes) -> bytes:
        return self.encryption.encrypt(label + self.transaction + self._count() + bytes(8))

    def _count(self) -> bytes:
        return self.counter.to_bytes(2, "little")


def authenticate_first(
    key: AesKey, number: int, *, random: RandomBytes = secrets.token_bytes
) -> Dialogue[Ev2Session]:
    """Begin a session with a key of the selected application: two exchanges.

    :param random: where our challenge comes from; another source is for published examples

    :raises WrongKey: the card has another key
    :raises CommandRefused: there is no such key, or the card only speaks LRP (919D)
    :raises CardDefective: the card does not prove that it has the key
    :raises CardLost: silence, or the card still delays authentication after wrong keys
    """
    random_a, random_b, proof = yield from _handshake(FIRST, bytes([number, 0]), key, random)
    if len(proof) != _TI_SIZE + BLOCK + _CAPABILITIES:
        raise _does_not_know(number)
    transaction, echo = proof[:_TI_SIZE], proof[_TI_SIZE : _TI_SIZE + BLOCK]
    if not compare_digest(echo, _rotated(random_a)):
        raise _does_not_know(number)
    return _session(key, number, random_a, random_b, transaction)


def authenticate_non_first(
    session: Ev2Session, key: AesKey, number: int, *, random: RandomBytes = secrets.token_bytes
) -> Dialogue[Ev2Session]:
    """Go on with another key (or the same) in the same transaction: two exchanges, and the count runs on.

    :raises WrongKey: the card has another key, and the old session is over
    :raises CardDefective: the card does not prove that it has the key
    :raises CardLost: silence, or the card still delays authentication after wrong keys
    """
    random_a, random_b, proof = yield from _handshake(NON_FIRST, bytes([number]), key, random)
    if not compare_digest(proof, _rotated(random_a)):
        raise _does_not_know(number)
    new = _session(key, number, random_a, random_b, session.transaction)
    new.counter, new.part = session.counter, session.part
    return new


def truncated(cmac: bytes) -> bytes:
    """The eight bytes of a CMAC that these chips send: every second one (NT4H2421Gx, 9.1.3)."""
    return cmac[1::2]


def key_check(key: bytes) -> bytes:
    """CRC-32 of a new key without the final inversion, least significant byte first (10.6.1)."""
    return (crc32(key) ^ 0xFFFFFFFF).to_bytes(4, "little")


def _handshake(
    ins: int, data: bytes, key: AesKey, random: RandomBytes
) -> Dialogue[tuple[bytes, bytes, bytes]]:
    """Prove to each other that both have the key. Returns RndA, RndB and the card's deciphered proof."""
    what = f"authentication with key {data[0]}"
    challenge = yield from _challenge(ins, data, what)
    random_a, random_b = random(BLOCK), key.decrypt(challenge)
    answer = yield from native(ADDITIONAL_FRAME, key.encrypt(random_a + _rotated(random_b)))
    proof = check(answer, what)
    if not proof or len(proof) % BLOCK:
        raise _does_not_know(data[0])
    return random_a, random_b, key.decrypt(proof)


def _challenge(ins: int, data: bytes, what: str) -> Dialogue[bytes]:
    """Ask for RndB, enciphered. A card that delays is asked again: another key would only add to it."""
    answer = yield from native(ins, data)
    for _ in range(_MOST_DELAYS):
        if answer.status != CardStatus.DELAY:
            break
        answer = yield from native(ins, data)
    else:
        raise CardLost(
            f"the card still delays the {what}, since wrong keys were tried before",
            hint="tap it again and leave it on the reader for a while",
        )
    if answer.status != CardStatus.MORE:
        check(answer, what)
    elif len(answer.data) == BLOCK:
        return answer.data
    raise CardDefective(
        f"the card began the {what} with {len(answer.data)} bytes instead of {BLOCK}",
        hint="put it aside and take another blank",
    )


def _session(key: AesKey, number: int, random_a: bytes, random_b: bytes, transaction: bytes) -> Ev2Session:
    """Derive the session keys (NT4H2421Gx, 9.1.7)."""
    mixed = _xor(random_a[2:8], random_b[:6])
    context = random_a[:2] + mixed + random_b[6:] + random_a[8:]
    encryption, authentication = (key.cmac(label + context) for label in (_ENC_LABEL, _MAC_LABEL))
    return Ev2Session(number, LocalAesKey(encryption), LocalAesKey(authentication), transaction)


def _rotated(block: bytes) -> bytes:
    return block[1:] + block[:1]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def _does_not_know(number: int) -> CardDefective:
    return CardDefective(
        f"the card took our proof of key {number} and cannot give its own: it is not a genuine chip",
        hint="put it aside and take another blank",
    )


def _not_from_this_card() -> CardLost:
    return CardLost(
        "an answer came that the card did not make in this session; does another program use the reader?",
        hint="close other card software, and tap the card again",
    )


@dataclass(frozen=True, slots=True)
class Transcript:
    """A published talk: commands and answers in hexadecimal, with all keys and random numbers it needs."""

    source: str
    exchanges: tuple[tuple[str, str], ...]
    random: tuple[str, ...] = ()
    encryption: str = "00" * BLOCK
    authentication: str = "00" * BLOCK
    transaction: str = "00000000"


AUTHENTICATED = Transcript(
    "AN12196 2.0, table 14: AuthenticateEV2First with key 0, all zero",
    (
        ("9071000002000000", "A04C124213C186F22399D33AC2A3021591AF"),
        (
            "90AF00002035C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D00",
            "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F081206639100",
        ),
    ),
    ("13C5DB8A5930439FC3DEF9A4C675360F",),
    "1309C877509E5A215007FF0ED19CA564",
    "4C6626F5E72EA694202139295C7A7FC7",
    "9D00C4DF",
)
"""The session keys are what comes out."""

SETTINGS_CHANGED = Transcript(
    "AN12196 2.0, table 18: ChangeFileSettings 4000E0C1F121200000430000430000 of file 2, as second command",
    (("905F0000190261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A0400", "57BFF87B1241E93D9100"),),
    encryption="1309C877509E5A215007FF0ED19CA564",
    authentication="4C6626F5E72EA694202139295C7A7FC7",
    transaction="9D00C4DF",
)

PERSONALISED = Transcript(
    "AN12196 2.0, tables 19, 21, 23 to 26: key 3, file 3 written in mode full, key 0, the capability "
    "container written in mode plain, key 2 changed, key 0 changed",
    (
        ("9071000002030000", "B875CEB0E66A6C5CD00898DC371F92D191AF"),
        (
            "90AF000020FF0306E47DFBC50087C4D8A78E88E62DE1E8BE457AA477C707E2F0874916A8B100",
            "0CC9A8094A8EEA683ECAAC5C7BF20584206D0608D477110FC6B3D5D3F65C3A6A9100",
        ),
        (
            "908D00001F030000000A00006B5E6804909962FC4E3FF5522CF0F8436C0C53315B9C73AA00",
            "C26D236E4A7C046D9100",
        ),
        ("90770000010000", "A6A2B3C572D06C097BB8DB70463E22DC91AF"),
        (
            "90AF000020BE7D45753F2CAB85F34BC60CE58B940763FE969658A532DF6D95EA2773F6E99100",
            "B888349C24B315EAB5B589E279C8263E9100",
        ),
        ("908D000019010E0000120000FF0506E1050080828300000000000000000000", "9100"),
        (
            "90C4000029022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E600",
            "203BB55D1089D5879100",
        ),
        (
            "90C400002900C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED643200",
            "9100",
        ),
    ),
    ("B98F4C50CF1C2E084FD150E33992B048", "60BE759EDA560250AC57CDDC11743CF6"),
)

SETTINGS_READ = Transcript(
    "AN12196 2.0, table 7: GetFileSettings of file 2 in mode MAC",
    (
        (
            "90F5000009026597A457C8CD442C00",
            "0040EEEE000100D1FE001F00004400004400002000006A00002A474282E7A479869100",
        ),
    ),
    authentication="8248134A386E86EB7FAF54A52E536CB6",
    transaction="7A21085E",
)

UID_READ = Transcript(
    "AN12196 2.0, table 28: GetCardUID",
    (("90510000088E2C155ADDA99BE300", "70756055688505B52A5E26E59E329CD6595F672298EA41B79100"),),
    encryption="2B4D963C014DC36F24F69A50A394F875",
    authentication="379D32130CE61705DD5FD8C36B95D764",
    transaction="DF055522",
)

VECTORS = [AUTHENTICATED, SETTINGS_CHANGED, PERSONALISED, SETTINGS_READ, UID_READ]
