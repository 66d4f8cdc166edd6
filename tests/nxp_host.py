"""The reader's side of NXP's secure messaging, written for the tests of the virtual chips alone.

It shares no line with the chips (and none with the product's own reader side): AES and triple DES
come from `cryptography`, the rest from the data sheets.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import cmac as library_cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Send = Callable[[bytes], bytes]


def given(*numbers: str) -> Callable[[int], bytes]:
    """A source of "random" numbers that gives these, one after the other."""
    left = [bytes.fromhex(number) for number in numbers]

    def draw(size: int) -> bytes:
        number = left.pop(0)
        assert len(number) == size
        return number

    return draw


def wrapped(command: int, data: bytes = b"") -> bytes:
    body = bytes([len(data)]) + data if data else b""
    return bytes([0x90, command, 0, 0]) + body + b"\x00"


def aes_cbc(key: bytes, data: bytes, iv: bytes = bytes(16), *, decrypt: bool = False) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    engine = cipher.decryptor() if decrypt else cipher.encryptor()
    return engine.update(data) + engine.finalize()


def des_cbc(key: bytes, data: bytes, iv: bytes = bytes(8), *, decrypt: bool = False) -> bytes:
    cipher = Cipher(TripleDES((key + key[:8])[:24]), modes.CBC(iv))
    engine = cipher.decryptor() if decrypt else cipher.encryptor()
    return engine.update(data) + engine.finalize()


def aes_cmac(key: bytes, message: bytes) -> bytes:
    mac = library_cmac.CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def jamcrc(data: bytes) -> bytes:
    return (binascii.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def crc_a(data: bytes) -> bytes:
    register = 0x6363
    for byte in data:
        mixed = byte ^ (register & 0xFF)
        mixed = (mixed ^ (mixed << 4)) & 0xFF
        register = (register >> 8) ^ (mixed << 8) ^ (mixed << 3) ^ (mixed >> 4)
    return register.to_bytes(2, "little")


def pad80(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


def pad00(data: bytes, block: int) -> bytes:
    return data + bytes(-len(data) % block)


def left(data: bytes) -> bytes:
    return data[1:] + data[:1]


def xor(one: bytes, two: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, two, strict=True))


class Refused(Exception):
    """The status word of a refusal is its text."""


def transmit(send: Send, command: int, data: bytes = b"") -> bytes:
    """Send a native command, in frames if it is long, ask for all further frames, return the data."""
    size = 255 if command == 0x8D else 54
    answer = send(wrapped(command, data[:size]))
    for start in range(size, len(data), size):
        if answer != b"\x91\xaf":
            break
        answer = send(wrapped(0xAF, data[start : start + size]))
    whole = answer[:-2]
    while answer[-2:] == b"\x91\xaf":
        answer = send(wrapped(0xAF))
        whole += answer[:-2]
    if answer[-2:] not in (b"\x91\x00", b"\x91\x90"):
        raise Refused(answer[-2:].hex().upper())
    return whole


@dataclass
class Ev2Host:
    """EV2 secure messaging (NT4H2421Gx, 9.1)."""

    send: Send
    enc: bytes = b""
    mac: bytes = b""
    identifier: bytes = b""
    count: int = 0
    last: bytes = field(default=b"", repr=False)

    def authenticate(
        self, number: int, key: bytes, rnd_a: bytes = bytes(range(16)), *, first: bool = True
    ) -> None:
        begin = bytes([number, 0]) if first else bytes([number])
        answer = self.send(wrapped(0x71 if first else 0x77, begin))
        if answer[-2:] != b"\x91\xaf":
            raise Refused(answer[-2:].hex().upper())
        rnd_b = aes_cbc(key, answer[:-2], decrypt=True)
        answer = self.send(wrapped(0xAF, aes_cbc(key, rnd_a + left(rnd_b))))
        if answer[-2:] != b"\x91\x00":
            raise Refused(answer[-2:].hex().upper())
        plain = aes_cbc(key, answer[:-2], decrypt=True)
        if first:
            self.identifier, self.count = plain[:4], 0
            plain = plain[4:]
        assert plain[:16] == left(rnd_a)
        tail = rnd_a[:2] + xor(rnd_a[2:8], rnd_b[:6]) + rnd_b[6:] + rnd_a[8:]
        self.enc = aes_cmac(key, bytes.fromhex("A55A00010080") + tail)
        self.mac = aes_cmac(key, bytes.fromhex("5AA500010080") + tail)

    def short(self, message: bytes) -> bytes:
        return aes_cmac(self.mac, message)[1::2]

    def context(self) -> bytes:
        return self.count.to_bytes(2, "little") + self.identifier

    def iv(self, label: str) -> bytes:
        counted = self.identifier + self.count.to_bytes(2, "little") + bytes(8)
        return aes_cbc(self.enc, bytes.fromhex(label) + counted)

    def sealed(self, command: int, header: bytes = b"", body: bytes = b"", mode: str = "mac") -> bytes:
        """The data field of a command."""
        if mode == "full" and body:
            body = aes_cbc(self.enc, pad80(body), self.iv("A55A"))
        if mode != "plain":
            body += self.short(bytes([command]) + self.context() + header + body)
        return header + body

    def command(
        self, command: int, header: bytes = b"", body: bytes = b"", mode: str = "mac", back: str = ""
    ) -> bytes:
        """Send a command and return what its answer says; `back` is the mode of the answer."""
        data = transmit(self.send, command, self.sealed(command, header, body, mode))
        self.count += 1
        return self.opened(data, back or mode)

    def opened(self, data: bytes, mode: str, status: int = 0) -> bytes:
        if mode == "plain":
            return data
        data, mac = data[:-8], data[-8:]
        statuses = (status, 0x90)
        assert mac in [self.short(bytes([code]) + self.context() + data) for code in statuses]
        if mode == "full" and data:
            plain = aes_cbc(self.enc, data, self.iv("5AA5"), decrypt=True)
            return plain[: plain.rindex(b"\x80")]
        return data

    def change_key(self, number: int, old: bytes, new: bytes, version: int, own: int = 0) -> None:
        if number == own:
            transmit(self.send, 0xC4, self.sealed(0xC4, bytes([number]), new + bytes([version]), "full"))
            return
        body = xor(old, new) + bytes([version]) + jamcrc(new)
        self.command(0xC4, bytes([number]), body, "full")


@dataclass
class Ev1Host:
    """EV1 secure messaging with a key of AES or DES (MIFARE DESFire EV1, 7.3)."""

    send: Send
    key: bytes = b""
    is_aes: bool = True
    iv: bytes = b""

    @property
    def block(self) -> int:
        return 16 if self.is_aes else 8

    def cbc(self, key: bytes, data: bytes, iv: bytes, *, decrypt: bool = False) -> bytes:
        return (aes_cbc if self.is_aes else des_cbc)(key, data, iv, decrypt=decrypt)

    def authenticate(self, command: int, number: int, key: bytes, rnd_a: bytes = bytes(range(16))) -> None:
        self.is_aes = command == 0xAA
        answer = self.send(wrapped(command, bytes([number])))
        if answer[-2:] != b"\x91\xaf":
            raise Refused(answer[-2:].hex().upper())
        challenge = answer[:-2]
        rnd_b = self.cbc(key, challenge, bytes(self.block), decrypt=True)
        rnd_a = rnd_a[: len(rnd_b)]
        token = self.cbc(key, rnd_a + left(rnd_b), challenge[-self.block :])
        answer = self.send(wrapped(0xAF, token))
        if answer[-2:] != b"\x91\x00":
            raise Refused(answer[-2:].hex().upper())
        assert self.cbc(key, answer[:-2], token[-self.block :], decrypt=True) == left(rnd_a)
        self.key = self._session_key(key, rnd_a, rnd_b)
        self.iv = bytes(self.block)

    def _session_key(self, key: bytes, a: bytes, b: bytes) -> bytes:
        if self.is_aes:
            return a[:4] + b[:4] + a[12:] + b[12:]
        if len(key) == 24:
            return a[:4] + b[:4] + a[6:10] + b[6:10] + a[12:] + b[12:]
        return 2 * (a[:4] + b[:4]) if key[:8] == key[8:] else a[:4] + b[:4] + a[4:] + b[4:]

    def running_cmac(self, message: bytes) -> bytes:
        zero = self.cbc(self.key, bytes(self.block), bytes(self.block))
        number, bits = int.from_bytes(zero), 8 * self.block
        constant = 0x87 if self.is_aes else 0x1B
        for _ in range(1 if message and len(message) % self.block == 0 else 2):
            number = (number << 1) ^ (constant if number >> (bits - 1) else 0)
            number &= (1 << bits) - 1
        if not message or len(message) % self.block:
            message = pad00(message + b"\x80", self.block)
        message = message[: -self.block] + xor(message[-self.block :], number.to_bytes(self.block))
        self.iv = self.cbc(self.key, message, self.iv)[-self.block :]
        return self.iv[:8]

    def command(
        self, command: int, header: bytes = b"", body: bytes = b"", mode: str = "plain", back: str = "plain"
    ) -> bytes:
        data = transmit(self.send, command, header + self._sealed(command, header, body, mode))
        return self.opened(data, back)

    def _sealed(self, command: int, header: bytes, body: bytes, mode: str) -> bytes:
        head = bytes([command]) + header
        if mode == "full":
            return self.enciphered(pad00(body + jamcrc(head + body), self.block))
        mac = self.running_cmac(head + body)
        return body + (mac if mode == "mac" else b"")

    def enciphered(self, data: bytes) -> bytes:
        sealed = self.cbc(self.key, data, self.iv)
        self.iv = sealed[-self.block :]
        return sealed

    def opened(self, data: bytes, back: str) -> bytes:
        if back == "full":
            plain = self.cbc(self.key, data, self.iv, decrypt=True)
            self.iv = data[-self.block :]
            ends = [n for n in range(len(plain) - 3) if jamcrc(plain[:n] + b"\x00") == plain[n : n + 4]]
            return plain[: ends[0]]
        data, mac = data[:-8], data[-8:]
        assert mac == self.running_cmac(data + b"\x00")
        return data

    def change_key(self, number: int, old: bytes, new: bytes, version: int | None, *, own: bool) -> None:
        body = (new if own else xor(new, old)) + (b"" if version is None else bytes([version]))
        body += jamcrc(bytes([0xC4, number]) + body) + (b"" if own else jamcrc(new))
        data = transmit(self.send, 0xC4, bytes([number]) + self.enciphered(pad00(body, self.block)))
        if own:
            assert data == b""
        else:
            self.opened(data, "plain")


@dataclass
class D40Host:
    """The oldest way: the reader only deciphers."""

    send: Send
    key: bytes = b""

    def deciphered(self, key: bytes, data: bytes) -> bytes:
        previous, out = bytes(8), b""
        for start in range(0, len(data), 8):
            previous = des_cbc(key, xor(data[start : start + 8], previous), decrypt=True)
            out += previous
        return out

    def authenticate(self, number: int, key: bytes, rnd_a: bytes = bytes(range(8))) -> None:
        answer = self.send(wrapped(0x0A, bytes([number])))
        if answer[-2:] != b"\x91\xaf":
            raise Refused(answer[-2:].hex().upper())
        rnd_b = des_cbc(key, answer[:-2], decrypt=True)
        answer = self.send(wrapped(0xAF, self.deciphered(key, rnd_a + left(rnd_b))))
        if answer[-2:] != b"\x91\x00":
            raise Refused(answer[-2:].hex().upper())
        assert des_cbc(key, answer[:-2], decrypt=True) == left(rnd_a)
        second = rnd_a[:4] + rnd_b[:4] if key[:8] == key[8:] else rnd_a[4:] + rnd_b[4:]
        self.key = rnd_a[:4] + rnd_b[:4] + second

    def sealed(self, body: bytes) -> bytes:
        """Enciphered settings or data."""
        return self.deciphered(self.key, pad00(body + crc_a(body), 8))

    def mac(self, data: bytes) -> bytes:
        return des_cbc(self.key, pad00(data, 8))[-8:][:4]

    def change_key(self, number: int, new: bytes, version: int | None, old: bytes | None = None) -> None:
        body = (new if old is None else xor(new, old)) + (b"" if version is None else bytes([version]))
        body += crc_a(body) + (b"" if old is None else crc_a(new))
        transmit(self.send, 0xC4, bytes([number]) + self.deciphered(self.key, pad00(body, 8)))
