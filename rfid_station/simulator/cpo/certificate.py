"""A certificate that nobody has signed, made on the spot: for partners whose TLS is not in order.

ECDSA over P-256 with SHA-256, written out here because the standard library makes no certificates. The
arithmetic takes no care to hide the key, which lives for one run and guards nothing.

Sources: RFC 5280 (Certificate), RFC 5915 (ECPrivateKey), SEC 1 and FIPS 186-4 (P-256, ECDSA).
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import ssl
import tempfile
from base64 import encodebytes
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

Point = tuple[int, int] | None
"""A point of the curve; None is the one at infinity."""

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_EC_PUBLIC_KEY = "2a8648ce3d0201"
_P_256 = "2a8648ce3d030107"
_ECDSA_WITH_SHA256 = "2a8648ce3d040302"
_COMMON_NAME = "550403"
_SUBJECT_ALT_NAME = "551d11"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate and its key, as PEM."""

    certificate: str
    key: str = field(repr=False)

    def server_context(self) -> ssl.SSLContext:
        """What a server needs to show it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "both.pem")
            file.touch(0o600)
            file.write_text(self.key + self.certificate)
            context.load_cert_chain(file)
        return context


def self_signed(host: str, days: float = 30.0) -> Certificate:
    """Make a certificate for one host.

    :param days: how long it holds from now; a negative number makes one that has expired
    """
    secret = secrets.randbelow(_N - 1) + 1
    public = _point(_times(secret, _G))
    name = _seq(_set(_seq(_oid(_COMMON_NAME), _tlv(0x0C, host.encode()))))
    algorithm = _seq(_oid(_ECDSA_WITH_SHA256))
    key_info = _seq(_seq(_oid(_EC_PUBLIC_KEY), _oid(_P_256)), _bits(public))
    now = datetime.now(UTC)
    body = _seq(
        _tlv(0xA0, _integer(2)),
        _integer(secrets.randbits(63) + 1),
        algorithm,
        name,
        _seq(_time(now - timedelta(days=60)), _time(now + timedelta(days=days))),
        name,
        key_info,
        _tlv(0xA3, _seq(_seq(_oid(_SUBJECT_ALT_NAME), _tlv(0x04, _seq(_host(host)))))),
    )
    signed = _seq(body, algorithm, _bits(_signature(secret, body)))
    private = _seq(
        _integer(1), _tlv(0x04, secret.to_bytes(32)), _tlv(0xA0, _oid(_P_256)), _tlv(0xA1, _bits(public))
    )
    return Certificate(_pem("CERTIFICATE", signed), _pem("EC PRIVATE KEY", private))


def _host(host: str) -> bytes:
    """GeneralName: an address as such, anything else as a DNS name."""
    try:
        return _tlv(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        return _tlv(0x82, host.encode())


# The curve


def _plus(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _times(factor: int, point: Point) -> tuple[int, int]:
    total: Point = None
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        factor >>= 1
    if total is None:
        raise ArithmeticError("a multiple of the order of the curve")
    return total


def _signature(secret: int, message: bytes) -> bytes:
    """ECDSA-Sig-Value over SHA-256."""
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        once = secrets.randbelow(_N - 1) + 1
        r = _times(once, _G)[0] % _N
        s = pow(once, -1, _N) * (digest + r * secret) % _N
        if r and s:
            return _seq(_integer(r), _integer(s))


def _point(point: tuple[int, int]) -> bytes:
    """ECPoint, uncompressed."""
    return b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)


# DER


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _seq(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _set(*parts: bytes) -> bytes:
    return _tlv(0x31, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _tlv(0x03, b"\x00" + content)


def _oid(encoded: str) -> bytes:
    return _tlv(0x06, bytes.fromhex(encoded))


def _time(instant: datetime) -> bytes:
    return _tlv(0x17, instant.strftime("%y%m%d%H%M%SZ").encode())


def _pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(content).decode()}-----END {label}-----\n"
