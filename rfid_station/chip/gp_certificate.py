"""Certificates as GlobalPlatform writes them, in the form that charging cards carry (NXP AN14223).

    7F21 { 93 serial  42 CA  5F20 subject  5F25 valid from  5F24 valid to
           7F49 { B0 point  F0 curve }  5F37 r s }

The signature is over everything from the serial number to the key, both included. Whatever stood outside of
that would be vouched for by nobody, so that order and number of the parts are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

POINT_SIZE, SIGNATURE_SIZE = 65, 64
_BRAINPOOL_P256R1 = b"\x03"

_CERTIFICATE, _KEY, _SIGNATURE = 0x7F21, 0x7F49, 0x5F37
_SERIAL, _CA, _SUBJECT, _FROM, _TO = 0x93, 0x42, 0x5F20, 0x5F25, 0x5F24
_POINT, _CURVE = 0xB0, 0xF0
_MORE_TAG, _MORE_BYTES, _LONG_LENGTH = 0x1F, 0x80, 0x80
_LONGEST_TAG, _MOST_LENGTH_BYTES = 3, 2


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says, and what of it is signed."""

    serial: bytes
    ca: bytes
    subject: bytes
    valid_from: date
    valid_to: date
    public_key: bytes
    """An uncompressed point of brainpoolP256r1."""
    signed: bytes
    signature: bytes
    """r and s."""


@dataclass(frozen=True, slots=True)
class _Tlv:
    tag: int
    value: bytes
    start: int
    """Where it begins in what it was read from."""
    end: int


def parse_certificate(raw: bytes) -> Certificate:
    """Take a certificate apart. What stands behind it, as the rest of a file, is left alone.

    :raises ValueError: it is not one, with the reason
    """
    whole = _read(raw, 0)
    if whole.tag != _CERTIFICATE:
        raise ValueError(f"it begins with {whole.tag:X}, and a certificate begins with {_CERTIFICATE:X}")
    parts = _read_all(whole.value)
    tags = [part.tag for part in parts]
    if len(tags) != len(set(tags)):
        raise ValueError("a part of it comes twice")
    if tags[:1] != [_SERIAL] or tags[-2:] != [_KEY, _SIGNATURE]:
        raise ValueError("its parts stand in another order than from serial number to key to signature")
    values = {part.tag: part.value for part in parts}
    missing = next((tag for tag in (_CA, _SUBJECT, _FROM, _TO) if tag not in values), None)
    if missing is not None:
        raise ValueError(f"it has no part {missing:X}")
    return Certificate(
        serial=values[_SERIAL],
        ca=values[_CA],
        subject=values[_SUBJECT],
        valid_from=_day(values[_FROM]),
        valid_to=_day(values[_TO]),
        public_key=_public_key(values[_KEY]),
        signed=whole.value[: parts[-2].end],
        signature=_sized(values[_SIGNATURE], SIGNATURE_SIZE, "signature"),
    )


def _public_key(raw: bytes) -> bytes:
    values = {part.tag: part.value for part in _read_all(raw)}
    if values.get(_CURVE) != _BRAINPOOL_P256R1:
        raise ValueError("its key is not one on brainpoolP256r1")
    return _sized(values.get(_POINT, b""), POINT_SIZE, "key")


def _sized(value: bytes, size: int, what: str) -> bytes:
    if len(value) != size:
        raise ValueError(f"its {what} has {len(value)} bytes, and not {size}")
    return value


def _day(raw: bytes) -> date:
    """Eight digits, two to a byte: YYYYMMDD."""
    try:
        return date.fromisoformat(raw.hex())
    except ValueError:
        raise ValueError(f"{raw.hex().upper()} is no date") from None


def _read_all(raw: bytes) -> list[_Tlv]:
    parts: list[_Tlv] = []
    while (at := parts[-1].end if parts else 0) < len(raw):
        parts.append(_read(raw, at))
    return parts


def _read(raw: bytes, start: int) -> _Tlv:
    """One part in BER-TLV (ISO/IEC 7816-4, 5.2.2), of a definite length."""
    tag, at = _read_tag(raw, start)
    length, at = _read_length(raw, at)
    if at + length > len(raw):
        raise ValueError(f"part {tag:X} is cut off")
    return _Tlv(tag, raw[at : at + length], start, at + length)


def _read_tag(raw: bytes, start: int) -> tuple[int, int]:
    at = start + 1
    if raw[start : start + 1] and raw[start] & _MORE_TAG == _MORE_TAG:
        while at < len(raw) and raw[at] & _MORE_BYTES:
            at += 1
        at += 1
    if not start < at <= len(raw) or at - start > _LONGEST_TAG:
        raise ValueError("it ends in the middle of a tag, or a tag is too long")
    return int.from_bytes(raw[start:at]), at


def _read_length(raw: bytes, at: int) -> tuple[int, int]:
    if at >= len(raw):
        raise ValueError("it ends before a length")
    if raw[at] < _LONG_LENGTH:
        return raw[at], at + 1
    size = raw[at] - _LONG_LENGTH
    if not 1 <= size <= _MOST_LENGTH_BYTES or at + 1 + size > len(raw):
        raise ValueError(f"a length begins with {raw[at]:02X}")
    return int.from_bytes(raw[at + 1 : at + 1 + size]), at + 1 + size
