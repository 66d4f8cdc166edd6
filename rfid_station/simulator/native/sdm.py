"""Secure Dynamic Messaging of the NTAG 424 DNA: what a file turns into while a stranger reads it.

NT4H2421Gx rev. 3.0, 9.3 and table 69. All offsets count bytes of the file from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from rfid_station.simulator.native.access_rights import FREE, NEVER
from rfid_station.simulator.native.cipher import Algorithm, Cipher, zero_padded
from rfid_station.simulator.native.secure_messaging import Refusal, Status

KEYS = range(5)

_UID, _COUNTER, _LIMIT, _ENCIPHERED, _ASCII = 0x80, 0x40, 0x20, 0x10, 0x01
_RESERVED_OPTIONS = 0x0E
_NOT_MIRRORED = 0xFFFFFF
_UID_SIZE, _COUNTER_SIZE = 7, 3
_PICC_DATA_SIZE, _MAC_SIZE = 32, 16
"""Characters of the enciphered PICC data and of the MAC."""


@dataclass(frozen=True, slots=True)
class SdmSettings:
    """What ChangeFileSettings says of SDM. Offsets that do not apply are None."""

    options: int
    rights: int
    uid_offset: int | None = None
    counter_offset: int | None = None
    picc_offset: int | None = None
    mac_input_offset: int | None = None
    enc_offset: int | None = None
    enc_length: int | None = None
    mac_offset: int | None = None
    limit: int | None = None

    @property
    def meta_read(self) -> int:
        """Who may see UID and counter: a key number, `FREE` or `NEVER`."""
        return self.rights >> 12

    @property
    def file_read(self) -> int:
        """The key that MACs and enciphers, or `NEVER`."""
        return self.rights >> 8 & 0xF

    @property
    def counter_retrieval(self) -> int:
        """Who may ask for the counter."""
        return self.rights & 0xF

    @property
    def has_counter(self) -> bool:
        """Whether reads are counted."""
        return bool(self.options & _COUNTER)

    @property
    def mirrors_uid(self) -> bool:
        """Whether the UID is somewhere in the message."""
        return bool(self.options & _UID)

    @property
    def mirrors_counter(self) -> bool:
        """Whether the counter is somewhere in the message."""
        is_somewhere = self.meta_read in KEYS or self.counter_offset not in (None, _NOT_MIRRORED)
        return self.has_counter and is_somewhere

    def to_bytes(self) -> bytes:
        """As GetFileSettings tells them."""
        offsets = (value for _, value in _offsets(self.options, self.rights, self))
        head = bytes([self.options]) + self.rights.to_bytes(2, "little")
        return head + b"".join(value.to_bytes(3, "little") for value in offsets if value is not None)

    def check(self, file_size: int, counter: int) -> None:
        """Raise what the chip answers to settings that contradict themselves (table 71)."""
        if any(self._contradictions(file_size, counter)):
            raise Refusal(Status.PARAMETER)

    def _contradictions(self, file_size: int, counter: int) -> Iterator[bool]:
        is_mirrored = bool(self.options & (_UID | _COUNTER))
        yield not self.options & _ASCII or bool(self.options & _RESERVED_OPTIONS)
        yield any(right not in (*KEYS, NEVER) for right in (self.file_read,))
        yield any(right not in (*KEYS, FREE, NEVER) for right in (self.meta_read, self.counter_retrieval))
        yield self.rights >> 4 & 0xF != NEVER
        yield self.meta_read != NEVER and not is_mirrored
        yield self.meta_read == NEVER and self.mirrors_uid
        yield self.counter_retrieval != NEVER and not self.has_counter
        yield self.limit is not None and (not self.has_counter or self.limit <= counter)
        yield from self._misplaced(file_size)

    def _misplaced(self, file_size: int) -> Iterator[bool]:
        areas = [area for area in self._areas() if area.start != _NOT_MIRRORED]
        yield any(area.stop > file_size for area in areas)
        yield any(a.start < b.stop and b.start < a.stop for a, b in combinations(areas, 2))
        if self.mac_offset is not None and self.mac_input_offset is not None:
            yield self.mac_input_offset > self.mac_offset
        if self.options & _ENCIPHERED:
            both = _UID | _COUNTER
            yield self.file_read == NEVER or self.options & both != both
        if self.enc_offset is not None and self.enc_length is not None:
            yield self.enc_length == 0 or self.enc_length % 32 != 0
            yield self.enc_offset < (self.mac_input_offset or 0)
            yield self.enc_offset + self.enc_length > (self.mac_offset or 0)

    def _areas(self) -> Iterator[range]:
        sizes = (
            (self.uid_offset, 2 * _UID_SIZE),
            (self.counter_offset, 2 * _COUNTER_SIZE),
            (self.picc_offset, _PICC_DATA_SIZE),
            (self.enc_offset, self.enc_length or 0),
            (self.mac_offset, _MAC_SIZE),
        )
        for offset, size in sizes:
            if offset is not None:
                yield range(offset, offset + size)


def parse_sdm(raw: bytes) -> SdmSettings:
    """Read what follows the access rights in ChangeFileSettings.

    :raises Refusal: there are too few or too many bytes for the options
    """
    if len(raw) < 3:
        raise Refusal(Status.LENGTH)
    options, rights = raw[0], int.from_bytes(raw[1:3], "little")
    names = [name for name, _ in _offsets(options, rights, None)]
    if len(raw) != 3 + 3 * len(names):
        raise Refusal(Status.LENGTH)
    values = (int.from_bytes(raw[at : at + 3], "little") for at in range(3, len(raw), 3))
    return SdmSettings(options, rights, **dict(zip(names, values, strict=True)))


@dataclass(frozen=True, slots=True)
class SdmReading:
    """One read by a stranger: whose card it is, and what the counter and the random padding are this time."""

    settings: SdmSettings
    uid: bytes
    counter: int
    padding: bytes
    keys: Callable[[int], Cipher]

    def dynamic(self, static: bytes) -> bytes:
        """The whole file as it goes out."""
        content = bytearray(static)
        for offset, text in self._mirrors(static):
            content[offset : offset + len(text)] = text
        settings = self.settings
        if settings.mac_offset is not None and settings.mac_input_offset is not None:
            key = self._session_key(b"\x3c\xc3", self._shown_uid + self._shown_counter)
            mac = key.cmac(bytes(content[settings.mac_input_offset : settings.mac_offset]))[1::2]
            content[settings.mac_offset : settings.mac_offset + _MAC_SIZE] = _ascii(mac)
        return bytes(content)

    @property
    def _count(self) -> bytes:
        return self.counter.to_bytes(_COUNTER_SIZE, "little")

    @property
    def _shown_uid(self) -> bytes:
        return self.uid if self.settings.mirrors_uid else b""

    @property
    def _shown_counter(self) -> bytes:
        return self._count if self.settings.mirrors_counter else b""

    def _mirrors(self, static: bytes) -> Iterator[tuple[int, bytes]]:
        settings = self.settings
        if settings.uid_offset is not None:
            yield settings.uid_offset, _ascii(self.uid)
        if settings.counter_offset not in (None, _NOT_MIRRORED):
            yield settings.counter_offset or 0, _ascii(self.counter.to_bytes(_COUNTER_SIZE))
        if settings.picc_offset is not None:
            yield settings.picc_offset, _ascii(self._picc_data())
        if settings.enc_offset is not None and settings.enc_length is not None:
            plain = static[settings.enc_offset : settings.enc_offset + settings.enc_length // 2]
            yield settings.enc_offset, _ascii(self._file_data(plain))

    def _picc_data(self) -> bytes:
        """UID and counter, enciphered with the key of SDMMetaRead (9.3.4)."""
        tag = self.settings.options & (_UID | _COUNTER) | (_UID_SIZE if self.settings.mirrors_uid else 0)
        plain = bytes([tag]) + self._shown_uid + self._shown_counter
        return self.keys(self.settings.meta_read).encrypt((plain + self.padding)[:16])

    def _file_data(self, plain: bytes) -> bytes:
        key = self._session_key(b"\xc3\x3c", self.uid + self._count)
        return key.encrypt(plain, key.encrypt(zero_padded(self._count, 16)))

    def _session_key(self, label: bytes, context: bytes) -> Cipher:
        """Derive a key for this counter (9.3.9)."""
        vector = zero_padded(label + b"\x00\x01\x00\x80" + context, 16)
        return Cipher(Algorithm.AES, self.keys(self.settings.file_read).cmac(vector))


def _offsets(options: int, rights: int, settings: SdmSettings | None) -> Iterator[tuple[str, int | None]]:
    """Which offsets there are, in their order (table 69), and their values if there are settings."""
    meta_read, file_read = rights >> 12, rights >> 8 & 0xF
    is_read_by_key = file_read != NEVER
    is_enciphered = is_read_by_key and bool(options & _ENCIPHERED)
    present = {
        "uid_offset": bool(options & _UID) and meta_read == FREE,
        "counter_offset": bool(options & _COUNTER) and meta_read == FREE,
        "picc_offset": meta_read in KEYS,
        "mac_input_offset": is_read_by_key,
        "enc_offset": is_enciphered,
        "enc_length": is_enciphered,
        "mac_offset": is_read_by_key,
        "limit": bool(options & _LIMIT),
    }
    for name, is_there in present.items():
        if is_there:
            yield name, getattr(settings, name, None)


def _ascii(data: bytes) -> bytes:
    return data.hex().upper().encode("ascii")
