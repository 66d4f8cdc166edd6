"""Secure messaging of MIFARE DESFire EV1, for AES keys and for the DES key that every DESFire comes with.

Both sides keep an IV that runs on from command to command: each CMAC and each enciphered block is the next
IV, so that a command that was lost or repeated breaks the session (MIFARE DESFire EV1 data sheet
MF3ICDX21_41_81, 8.2 to 8.4; NXP AN10957; checked against the public examples in `VECTORS`). EV2 and EV3 chips
speak it too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from rfid_station.chip.aes import LocalAesKey
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.iso_dep import Answer, native
from rfid_station.chip.messaging import (
    ADDITIONAL_FRAME,
    CardStatus,
    CommMode,
    WrongKey,
    check,
    exchange_native,
)
from rfid_station.errors import CardLost

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

AES_BLOCK, DES_BLOCK = 16, 8
FRAME = 54
"""Bytes of data in one wrapped command: with the command itself 55, the most that an EV1 takes."""

CHANGE_KEY = 0xC4
_AUTHENTICATE_ISO, _AUTHENTICATE_AES = 0x1A, 0xAA
_READ_DATA, _GET_CARD_UID = 0xBD, 0x51
_READ_HEADER = 7
"""Bytes: file, offset (3), length (3)."""
_MAC, _CRC, _UID = 8, 4, 7
_POLYNOMIAL = {DES_BLOCK: 0x1B, AES_BLOCK: 0x87}


class BlockKey(Protocol):
    """A key of a block cipher, in CBC without padding; `data` is whole blocks, `iv` is one."""

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """Encipher."""

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """Decipher."""


@dataclass(frozen=True, slots=True)
class DesKey:
    """A DES key (8 bytes) or a 3DES key of two parts (16 bytes). Printing it shows nothing."""

    raw: bytes = field(repr=False)

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """CBC without padding."""
        encryptor = self._cipher(iv).encryptor()
        return bytes(encryptor.update(data) + encryptor.finalize())

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """CBC without padding."""
        decryptor = self._cipher(iv).decryptor()
        return bytes(decryptor.update(data) + decryptor.finalize())

    def _cipher(self, iv: bytes) -> Cipher[CBC]:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.modes import CBC

        first, last = self.raw[:DES_BLOCK], self.raw[-DES_BLOCK:]
        return Cipher(TripleDES(first + last + first), CBC(iv))


FACTORY_DES_KEY = DesKey(bytes(DES_BLOCK))
"""The PICC master key that a DESFire comes with."""

RandomBytes = Callable[[int], bytes]

VECTORS = [
    (
        "AES",
        "00000000000000000000000000000000",
        "F44B26F5686F3A391CD38EBD10772281",
        "B969FDFE56FD91FC9DE6F6F213B8FD1E",
        "36AAD7DF6E436BA08D18613830A70D5AD43E3D3F4A8D47541EEE623A934E4774",
        "800DB680BC146BD121D6578F2D2E2059",
    ),
    (
        "AES",
        "10182028303840485058606870788088",
        "40E7D27174CBA675E8EFBAB99C530E3D",
        "B351CB2465D4F33AC627FD6E87A168F2",
        "044B6CAC343A0865895149649CA8DDE1F5AC4EC67BD208900AF02F049E05F0B0",
        "A2EE144B1012FBEB7B2F11132D95A454",
    ),
    (
        "DES",
        "0000000000000000",
        "849B36C5F8BF4A09",
        "5D994CE085F24089",
        "21D0AD5F2FD97454A746CC80567F1B1C",
        "913C6DED84221C41",
    ),
    (
        "DES",
        "00102031405060708090A0B0B0A09080",
        "530E3D90F7A201C4",
        "B295579926155AE3",
        "70F349740C945DAE159BA9FEDBCC461A",
        "B8FD7FE56B241FC4",
    ),
]
"""Authentications with cards: (cipher, key, RndA, the card's challenge, our response, the card's proof)

These and the following were recorded from EV1 cards, and published as DESFire EV1 communication examples.
"""

CHANGED_KEYS = [
    ("AES", "F44B26F5C05DDD7110772281C4D066E8", 0, "00102030405060708090A0B0B0A09080", 0x10, None,
     "E9F85E219496C2B58C1090DC3935FAE9E840CF61B383D9531946256B1F110C10", ""),
    ("AES", "C2A1E47B27104712FE6D00A71177A19B", 0, "10182028303840485058606870788088", 0x10, None,
     "2945E3760E60F4A4046BB8A505B31CF559A3A2E05213BC82942CA6AB5DBCECF5", ""),
    ("AES", "C2A1E47BD8100044FE6D00A74D7AB17C", 1, "00102030405060708090A0B0B0A09080", 0x10,
     "00000000000000000000000000000000",
     "E7ECCB6BD1CA64BC161A12B1C024F71430337408C8A87EACAB7A1FF18951FCA3", "2128D3CD9C9ACFFF"),
    ("DES", "C86CE25E4C647E56", 0, "00102031405060708090A0B0B0A09080", None, None,
     "BEDE0FC6ED347DCF0D51C717DF75D97D2C5A2BA6CAC7479D", ""),
]  # fmt: skip
"""(cipher, session key, slot, new key, version, old key, cryptogram, CMAC of the answer)"""

TALKS = [
    ("AES", "90F7A20191036845EC63DECD544B9931", [("6400", "108A8FA36F55CD210D")]),
    ("AES", "40E7D271626FFBD49C530E3D304F5B17", [
        ("CD05001100500000", "A75316AD1596B953"),
        ("6F", "052D5FF67FFEC9D2D3"),
        ("F505", "000011005000002AAC7517024E09DC"),
        ("3D05000000340000" + bytes(range(52)).hex(), "765C9DAA50ECB62F"),
        ("3D053400001C0000" + bytes(range(52, 80)).hex(), "3E0AED986B8B0F37"),
        ("BD05000000300000", bytes(range(48)).hex() + "4C65F1F842262BAC"),
        ("BD05300000200000", bytes(range(48, 80)).hex() + "F02205CF913C03C9"),
        ("DF05", "1BEF0D32B6D1D7F9"),
    ]),
    ("DES", "849B36C54FD1B759", [
        ("60", "0401010100 1A05 0401010104 1A05 04063F72633480BA4519E3204913 CDC810BAFA401759"),
        ("FC", "9C2C813A065C45F7"),
        ("CA16DE000F02", "0A1379B01D85AD47"),
    ]),
]  # fmt: skip
"""Talks that hang together by their IV: (cipher, session key, [(command and its data, answer with CMAC)])"""


WHOLE_TALKS = [
    (
        ("0000000000000000", "49EC63DECDE00772", "8476D1CF3024B7C7", "DAC67AB743763DC9FAF8A0AE504E80C5"),
        "13E9E4FA4388BF16",
        [
            ("45", "", "45", "0F0225DD8D7731B1CFD5"),
            ("54", "0D", "5427882805FC3FD49D", "A628378374270ACD"),
            ("45", "", "45", "0D02613FB2D3F453D2E4"),
        ],
    ),
]
"""An authentication, then commands with data that are enciphered: ((key, RndA, challenge, response), proof,
[(command, data, what is sent, answer with CMAC)])"""

KEYS_CHANGED_IN_TURN = (
    ("0000000000000000", "CBA675E8EFBAB99C", "53A670D78C0DFFD6", "B308408B575A2025253D49D693CCC29C"),
    "525BB01E5B70B794",
    [
        ("00102031405060708090A0B0B0A09080", "00000000000000000000000000000000",
         "4EB669E48DCA584749542E1BE89CB4C7845A38C57D19DE59", "2EAD04DCF121E0FE"),
        ("10182029303840485058606870788088", "00102031405060708090A0B0B0A09080",
         "FA7BEFA6782C93E8D69CF7352CFD33DF5BC8AC4FBA4906FC", "CB0A506405512893"),
    ],
)  # fmt: skip
"""An authentication, then key 1 is changed twice: [(new key, old key, cryptogram, CMAC of the answer)]"""


class Ev1Session:
    """An authenticated talk in EV1 messaging. It ends with an error, a selection, or a change of its own key.

    `block` is the cipher's block in bytes: 8 for DES and 3DES, 16 for AES.
    """

    def __init__(self, key: BlockKey, block: int, key_number: int) -> None:
        self.key_number = key_number
        self._key = key
        self._block = block
        self._iv = bytes(block)
        once = _doubled(key.encrypt(bytes(block), bytes(block)))
        self._subkeys = once, _doubled(once)

    def command(
        self, ins: int, header: bytes = b"", data: bytes = b"", *, mode: CommMode, is_secret: bool = False
    ) -> Dialogue[bytes]:
        """Send a command and return the answer's data; see `messaging.Session`.

        The card proves each answer by a CMAC, except that in mode FULL data come back enciphered, with a CRC.
        """
        body = self._protected(ins, header, data, mode)
        answer = yield from exchange_native(ins, body, part=FRAME, is_secret=is_secret)
        received = check(answer, f"command {ins:02X}")
        if mode is CommMode.FULL and not data:
            return self._deciphered(received, _answer_size(ins, header))
        return self._proven(received)

    def change_key(
        self, number: int, new: bytes, version: int | None, old: bytes | None = None
    ) -> Dialogue[None]:
        """Give a slot a new key. Afterwards this session is over if it was the slot's own key.

        :param number: the slot; at PICC level with 80 added when the key becomes an AES key
        :param version: kept with an AES key; None for a DES key, which holds it in its parity bits
        :param old: the slot's present key, unless the session was begun with it
        :raises WrongKey: this session may not change it
        :raises CardLost: silence, or an integrity error, which a wrong `old` is as well
        """
        header = bytes([number])
        data = new if old is None else _xor(new, old)
        data += b"" if version is None else bytes([version])
        data += crc(bytes([CHANGE_KEY]) + header + data)
        data += b"" if old is None else crc(new)
        sent = header + self._enciphered(data)
        answer = yield from exchange_native(CHANGE_KEY, sent, is_secret=True)
        received = check(answer, f"the new key {number & 0x0F}")
        if old is not None:
            self._proven(received)

    def _protected(self, ins: int, header: bytes, data: bytes, mode: CommMode) -> bytes:
        whole = bytes([ins]) + header + data
        if mode is CommMode.FULL and data:
            return header + self._enciphered(data + crc(whole))
        mac = self._cmac(whole)
        return header + data + (mac if mode is CommMode.MAC and data else b"")

    def _enciphered(self, data: bytes) -> bytes:
        padded = data + bytes(-len(data) % self._block)
        sent = self._key.encrypt(padded, self._iv)
        self._iv = sent[-self._block :]
        return sent

    def _deciphered(self, received: bytes, size: int) -> bytes:
        """Take `size` bytes of data from in front of their CRC. Zeros behind do not tell where data end."""
        if not received or len(received) % self._block:
            raise _damaged("its length is no number of blocks")
        plain = self._key.decrypt(received, self._iv)
        self._iv = received[-self._block :]
        data, check_sum = plain[:size], plain[size : size + _CRC]
        if len(data) != size or crc(data + b"\x00") != check_sum:
            raise _damaged("its CRC is wrong")
        return data

    def _proven(self, received: bytes) -> bytes:
        if len(received) < _MAC:
            raise _damaged("it has no CMAC")
        data, mac = received[:-_MAC], received[-_MAC:]
        if self._cmac(data + b"\x00") != mac:
            raise _damaged("its CMAC is wrong")
        return data

    def _cmac(self, message: bytes) -> bytes:
        """CMAC that goes on from the running IV, and becomes it (NIST SP 800-38B with an IV)."""
        missing = -len(message) % self._block
        subkey = self._subkeys[1 if missing else 0]
        padded = message + (b"\x80" + bytes(missing - 1) if missing else b"")
        last = _xor(padded[-self._block :], subkey)
        self._iv = self._key.encrypt(padded[: -self._block] + last, self._iv)[-self._block :]
        return self._iv[:_MAC]


def authenticate_aes(
    number: int, key: BlockKey, random: RandomBytes = secrets.token_bytes
) -> Dialogue[Ev1Session]:
    """AuthenticateAES: prove to each other that card and station have the AES key of a slot.

    :raises WrongKey: the card has another key there, or no AES key
    :raises CardLost: silence, or half an answer
    """
    rnd_a, rnd_b = yield from _prove(_AUTHENTICATE_AES, number, key, AES_BLOCK, random)
    session_key = rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:]
    return Ev1Session(LocalAesKey(session_key), AES_BLOCK, number)


def authenticate_des(
    number: int, key: DesKey, random: RandomBytes = secrets.token_bytes
) -> Dialogue[Ev1Session]:
    """AuthenticateISO with a DES or two-part 3DES key, as every DESFire has at PICC level when it is new.

    :raises WrongKey: the card has another key there, or no DES key
    :raises CardLost: silence, or half an answer
    """
    rnd_a, rnd_b = yield from _prove(_AUTHENTICATE_ISO, number, key, DES_BLOCK, random)
    session_key = rnd_a[:4] + rnd_b[:4]
    if key.raw[:DES_BLOCK] != key.raw[-DES_BLOCK:]:
        session_key += rnd_a[4:] + rnd_b[4:]
    return Ev1Session(DesKey(session_key), DES_BLOCK, number)


def crc(data: bytes) -> bytes:
    """The CRC32 of these chips: the usual one without its last inversion, lowest byte first."""
    return (crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def _prove(
    command: int, number: int, key: BlockKey, block: int, random: RandomBytes
) -> Dialogue[tuple[bytes, bytes]]:
    """Three-pass authentication; the IV runs on through all three. Returns both random numbers."""
    what = f"authentication with key {number}"
    challenge = _part((yield from native(command, bytes([number]))), CardStatus.MORE, block, what)
    rnd_a, rnd_b = random(block), key.decrypt(challenge, bytes(block))
    response = key.encrypt(rnd_a + rnd_b[1:] + rnd_b[:1], challenge)
    proof = _part((yield from native(ADDITIONAL_FRAME, response)), CardStatus.OK, block, what)
    if key.decrypt(proof, response[-block:]) != rnd_a[1:] + rnd_a[:1]:
        raise WrongKey(what)
    return rnd_a, rnd_b


def _part(answer: Answer, wanted: CardStatus, size: int, what: str) -> bytes:
    if answer.status != wanted:
        check(answer, what)
        raise WrongKey(what, answer.status)
    if len(answer.data) != size:
        raise _damaged(f"{len(answer.data)} bytes came instead of {size}")
    return answer.data


def _answer_size(ins: int, header: bytes) -> int:
    """How many bytes an enciphered answer holds: what ReadData asked for, or the UID."""
    if ins == _GET_CARD_UID:
        return _UID
    if ins == _READ_DATA and len(header) == _READ_HEADER:
        return int.from_bytes(header[-3:], "little")
    raise ValueError(f"the answer to command {ins:02X} is never enciphered")


def _doubled(block: bytes) -> bytes:
    """Multiply by x in the field of the block's size (SP 800-38B, 6.1)."""
    bits = 8 * len(block)
    number = int.from_bytes(block) << 1
    return (number & (1 << bits) - 1 ^ (_POLYNOMIAL[len(block)] if number >> bits else 0)).to_bytes(
        len(block)
    )


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def _damaged(why: str) -> CardLost:
    return CardLost(
        f"an answer of the card did not arrive as it was sent: {why}",
        hint="lay the card flat on the reader, and tap it again",
    )
