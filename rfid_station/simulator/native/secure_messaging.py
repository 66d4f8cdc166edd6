"""How NXP's chips protect commands and answers after an authentication: D40, EV1 and EV2 secure messaging.

Seen from the card. EV2: NT4H2421Gx rev. 3.0, 9.1. D40 and EV1: MIFARE DESFire EV1 (M134034), 7.3, in
extracts, and libfreefare's mifare_desfire_crypto.c as a second source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, IntEnum, auto

from rfid_station.simulator.native.cipher import Cipher, crc16, crc32, padded, zero_padded

_MAC_SIZE = 8
_D40_MAC_SIZE = 4
_LAST_COUNT = 0xFFFF


class Status(IntEnum):
    """The second byte of a status 91xx (NT4H2421Gx, table 23, and the DESFire data sheets)."""

    OK = 0x00
    COMMAND_NOT_FOUND = 0x0B
    NO_CHANGES = 0x0C
    OUT_OF_MEMORY = 0x0E
    ILLEGAL_COMMAND = 0x1C
    INTEGRITY = 0x1E
    NO_SUCH_KEY = 0x40
    LENGTH = 0x7E
    SIGNATURE = 0x90
    """What Read_Sig says when all went well."""
    PERMISSION_DENIED = 0x9D
    PARAMETER = 0x9E
    APPLICATION_NOT_FOUND = 0xA0
    AUTHENTICATION_DELAY = 0xAD
    AUTHENTICATION = 0xAE
    MORE = 0xAF
    BOUNDARY = 0xBE
    ABORTED = 0xCA
    COUNT = 0xCE
    DUPLICATE = 0xDE
    FILE_NOT_FOUND = 0xF0


class Refusal(Exception):
    """The chip does not obey. Whatever authentication there was is gone."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Mode(Enum):
    """How a command or its answer travels."""

    PLAIN = auto()
    """Nothing is added (EV1 still appends a CMAC to the answer)."""
    COMMAND = auto()
    """A command that is no file transfer: EV2 takes a MAC for it, the older ones do not."""
    MAC = auto()
    """File data with a MAC."""
    FULL = auto()
    """File data or settings, enciphered."""
    CRYPTOGRAM = auto()
    """Enciphered, with check sums that are the command's own business (ChangeKey)."""


class Session(ABC):
    """What an authentication leaves behind."""

    has_checksums = True
    """Whether a new key comes with check sums of the whole command (D40 and EV1)."""

    def __init__(self, key_number: int) -> None:
        self.key_number = key_number

    @abstractmethod
    def unseal(self, command: int, data: bytes, header: int, mode: Mode) -> bytes:
        """Check and decipher a command; `header` bytes of its data are never enciphered.

        :raises Refusal: the check sum or MAC is wrong
        """

    @abstractmethod
    def seal(self, status: int, data: bytes, mode: Mode, *, is_open_ended: bool = False) -> bytes:
        """Protect the data of an answer. `is_open_ended` is data whose length nobody asked for."""

    @abstractmethod
    def sealed_size(self, size: int, mode: Mode) -> int:
        """How long so many bytes of file data are on their way to the card."""


class Ev2Session(Session):
    """Two session keys, a transaction identifier and a command counter (NT4H2421Gx, 9.1)."""

    has_checksums = False

    def __init__(self, key_number: int, keys: tuple[Cipher, Cipher], identifier: bytes, count: int) -> None:
        super().__init__(key_number)
        self._cipher, self._mac = keys
        self.identifier = identifier
        self.count = count

    def unseal(self, command: int, data: bytes, header: int, mode: Mode) -> bytes:
        """Check the MAC and decipher what follows the header (9.1.9, 9.1.10)."""
        if self.count == _LAST_COUNT:
            raise Refusal(Status.INTEGRITY)
        if mode is not Mode.PLAIN:
            data = self._checked(command, data)
        body = data[header:]
        if mode in (Mode.FULL, Mode.CRYPTOGRAM) and body:
            data = data[:header] + self._deciphered(body)
        self.count += 1
        return data

    def seal(self, status: int, data: bytes, mode: Mode, *, is_open_ended: bool = False) -> bytes:  # noqa: ARG002
        """Encipher and append the MAC, with the counter already raised."""
        if mode is Mode.PLAIN:
            return data
        if mode in (Mode.FULL, Mode.CRYPTOGRAM) and data:
            data = self._cipher.encrypt(padded(data, 16), self._iv(b"\x5a\xa5"))
        return data + self._shortened(bytes([status]) + self._context() + data)

    def sealed_size(self, size: int, mode: Mode) -> int:
        """A MAC more, or whole blocks and a MAC."""
        if mode is Mode.FULL:
            return size // 16 * 16 + 16 + _MAC_SIZE
        return size if mode is Mode.PLAIN else size + _MAC_SIZE

    def _context(self) -> bytes:
        return self.count.to_bytes(2, "little") + self.identifier

    def _iv(self, label: bytes) -> bytes:
        counted = self.identifier + self.count.to_bytes(2, "little")
        return self._cipher.encrypt(label + counted + bytes(8))

    def _shortened(self, message: bytes) -> bytes:
        return self._mac.cmac(message)[1::2]

    def _checked(self, command: int, data: bytes) -> bytes:
        plain, mac = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
        if len(mac) < _MAC_SIZE or mac != self._shortened(bytes([command]) + self._context() + plain):
            raise Refusal(Status.INTEGRITY)
        return plain

    def _deciphered(self, body: bytes) -> bytes:
        if len(body) % 16:
            raise Refusal(Status.INTEGRITY)
        plain = self._cipher.decrypt(body, self._iv(b"\xa5\x5a")).rstrip(b"\x00")
        if not plain.endswith(b"\x80"):
            raise Refusal(Status.INTEGRITY)
        return plain[:-1]


class Ev1Session(Session):
    """One session key whose initial vector runs through all commands and answers."""

    def __init__(self, key_number: int, key: Cipher) -> None:
        super().__init__(key_number)
        self._key = key
        self._iv = bytes(key.block)

    def unseal(self, command: int, data: bytes, header: int, mode: Mode) -> bytes:
        """A CMAC is counted over every command, and sent with file data only; or the data is enciphered."""
        body = data[header:]
        if mode in (Mode.FULL, Mode.CRYPTOGRAM) and body:
            plain = self._deciphered(body)
            if mode is Mode.FULL:
                plain = _without_crc32(bytes([command]) + data[:header], plain, _size_told(data[:header]))
            return data[:header] + plain
        if mode is not Mode.MAC:
            self._iv = self._key.cmac(bytes([command]) + data, self._iv)
            return data
        plain, mac = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
        self._iv = self._key.cmac(bytes([command]) + plain, self._iv)
        if mac != self._iv[:_MAC_SIZE]:
            raise Refusal(Status.INTEGRITY)
        return plain

    def seal(self, status: int, data: bytes, mode: Mode, *, is_open_ended: bool = False) -> bytes:
        """Append a CMAC; or a CRC32 over data and status, then encipher."""
        if mode is not Mode.FULL or not data:
            self._iv = self._key.cmac(data + bytes([status]), self._iv)
            return data + self._iv[:_MAC_SIZE]
        plain = data + crc32(data + bytes([status])) + (b"\x80" if is_open_ended else b"")
        sealed = self._key.encrypt(zero_padded(plain, self._key.block), self._iv)
        self._iv = sealed[-self._key.block :]
        return sealed

    def sealed_size(self, size: int, mode: Mode) -> int:
        """A CMAC more, or whole blocks with a CRC32."""
        if mode is Mode.FULL:
            return -(-(size + 4) // self._key.block) * self._key.block
        return size + _MAC_SIZE if mode is Mode.MAC else size

    def _deciphered(self, body: bytes) -> bytes:
        if len(body) % self._key.block:
            raise Refusal(Status.INTEGRITY)
        plain = self._key.decrypt(body, self._iv)
        self._iv = body[-self._key.block :]
        return plain


class D40Session(Session):
    """The oldest way: the card only enciphers, whichever way the data goes, and begins anew each time."""

    def __init__(self, key_number: int, key: Cipher) -> None:
        super().__init__(key_number)
        self._key = key

    def unseal(self, command: int, data: bytes, header: int, mode: Mode) -> bytes:  # noqa: ARG002
        """File data has a MAC of four bytes or is enciphered with a CRC16; commands have nothing."""
        body = data[header:]
        if mode is Mode.MAC:
            plain, mac = body[:-_D40_MAC_SIZE], body[-_D40_MAC_SIZE:]
            if mac != self._short_mac(plain):
                raise Refusal(Status.INTEGRITY)
            return data[:header] + plain
        if mode not in (Mode.FULL, Mode.CRYPTOGRAM) or not body:
            return data
        if len(body) % self._key.block:
            raise Refusal(Status.INTEGRITY)
        plain = enciphered_back(self._key, body)
        return data[:header] + (_without_crc16(plain) if mode is Mode.FULL else plain)

    def seal(self, status: int, data: bytes, mode: Mode, *, is_open_ended: bool = False) -> bytes:  # noqa: ARG002
        """Append a MAC of four bytes, or a CRC16 and encipher."""
        if mode is Mode.MAC and data:
            return data + self._short_mac(data)
        if mode is not Mode.FULL or not data:
            return data
        plain = data + crc16(data) + (b"\x80" if is_open_ended else b"")
        return self._key.encrypt(zero_padded(plain, self._key.block))

    def sealed_size(self, size: int, mode: Mode) -> int:
        """A MAC more, or whole blocks with a CRC16."""
        if mode is Mode.FULL:
            return -(-(size + 2) // self._key.block) * self._key.block
        return size + _D40_MAC_SIZE if mode is Mode.MAC else size

    def _short_mac(self, data: bytes) -> bytes:
        return self._key.encrypt(zero_padded(data, 8) or bytes(8))[-8:][:_D40_MAC_SIZE]


def enciphered_back(key: Cipher, data: bytes) -> bytes:
    """Undo what a reader did that only deciphers: encipher block by block, chain with the block before."""
    previous, plain = bytes(key.block), b""
    for start in range(0, len(data), key.block):
        block = data[start : start + key.block]
        plain += bytes(a ^ b for a, b in zip(key.encrypt(block), previous, strict=True))
        previous = block
    return plain


_TRANSFER_HEADER = 7


def _size_told(header: bytes) -> int | None:
    """How many bytes a transfer's header announces: file, offset and length (M134034, 9.6.2)."""
    return int.from_bytes(header[4:7], "little") if len(header) == _TRANSFER_HEADER else None


def _without_crc32(head: bytes, plain: bytes, told: int | None = None) -> bytes:
    """Cut check sum and padding off. The data end where the header says, else where the check sum fits first.

    (Behind it, zeros are the right check sum of everything before them.)
    """
    for size in range(len(plain) - 3) if told is None else (told,):
        if crc32(head + plain[:size]) == plain[size : size + 4] and not plain[size + 4 :].strip(b"\x00"):
            return plain[:size]
    raise Refusal(Status.INTEGRITY)


def _without_crc16(plain: bytes) -> bytes:
    for size in range(len(plain) - 1):
        if crc16(plain[:size]) == plain[size : size + 2] and not plain[size + 2 :].strip(b"\x00"):
            return plain[:size]
    raise Refusal(Status.INTEGRITY)
