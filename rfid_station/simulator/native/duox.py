"""MIFARE DUOX with the charging application of VDE-AR-E 2532-100: a certificate, and a key that signs.

Its certificates come from a virtual root that everybody can have with `virtual_duox_root`; NXP's stay with
NXP. Layout and commands: SpringCard's public example for VDE-AR-E 2532-100, Proxmark3's `hf mfdes vdesign`.
The keys follow from the UID, so that a chip is the same each time. What certificate file 01 of a real card
holds is not public; here it is the root's certificate in the card's own form.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from rfid_station.simulator.card import State
from rfid_station.simulator.native.commands import (
    ISO_OK,
    NOT_FOUND,
    NOT_NOW,
    WRONG_LENGTH,
    WRONG_P1_P2,
    data_field,
)
from rfid_station.simulator.native.desfire import VirtualDesfire
from rfid_station.simulator.native.desfire_memory import Application, StoredKey

CHARGING_APPLICATION = bytes.fromhex("F61010")
CHARGING_NAME = bytes.fromhex("A0000008450000000000000000000001")
_CHARGING_IDENTIFIER = bytes.fromhex("DF00")
_CLASS, _READ_CERTIFICATE, _SIGN = 0x80, 0x02, 0x03
_CHALLENGE_SIZE = 32
_CA_IDENTIFIER = bytes.fromhex("00000000000001")
_FROM, _TO, _LONG_AGO = "20241011", "20641011", "20250101"
_ROOT = b"virtual root of charging cards"
_COORDINATE = 32


class DuoxFault(StrEnum):
    """What can be wrong with a card that looks like a charging card."""

    WRONG_SIGNATURE = "wrong-signature"
    """It signs with another key than its certificate names: a copy."""
    OTHER_UID = "other-uid"
    """Its certificate was made for another card."""
    EXPIRED = "expired"
    """Its certificate ran out at the beginning of 2025."""
    FOREIGN_ROOT = "foreign-root"
    """Its certificate was signed by nobody known."""


@dataclass(frozen=True, slots=True)
class DuoxRoot:
    """Who vouches for virtual charging cards."""

    public_key: bytes
    """An uncompressed point of brainpoolP256r1: 04, X, Y."""
    certificate: bytes
    """The self-signed certificate as X.509 (DER)."""
    identifier: bytes
    """What tag 42 of a card's certificate says."""


class VirtualDuox(VirtualDesfire):
    """A MIFARE DUOX with a charging application that is read and asked for signatures without any key."""

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self.fault: DuoxFault | None = None
        self.applications[CHARGING_APPLICATION] = Application(
            0x00, 0x81, [StoredKey(bytes(16))], _CHARGING_IDENTIFIER, CHARGING_NAME
        )

    @property
    def certificate(self) -> bytes:
        """Certificate file 00: the card's own."""
        uid = bytes(7) if self.fault is DuoxFault.OTHER_UID else self._uid
        until = _LONG_AGO if self.fault is DuoxFault.EXPIRED else _TO
        issuer = b"somebody" if self.fault is DuoxFault.FOREIGN_ROOT else _ROOT
        return _certificate(uid, uid, _public_key(self._uid), until, issuer)

    def state(self) -> State:
        """The fault is part of it."""
        return super().state() | {"fault": self.fault}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.fault = DuoxFault(state["fault"]) if state["fault"] else None

    def _other_class(self, command: bytes) -> bytes:
        if command[0] != _CLASS or len(command) < 5:
            return super()._other_class(command)
        if self._application_id != CHARGING_APPLICATION:
            return NOT_NOW
        if command[1] == _READ_CERTIFICATE:
            return self._read_certificate(command)
        return self._sign(command) if command[1] == _SIGN else super()._other_class(command)

    def _read_certificate(self, apdu: bytes) -> bytes:
        if len(apdu) != 5:
            return WRONG_LENGTH
        if apdu[3] != 0x00:
            return WRONG_P1_P2
        if apdu[2] > 0x01:
            return NOT_FOUND
        content = _root_certificate() if apdu[2] else self.certificate
        return content[: apdu[4] or 256] + ISO_OK

    def _sign(self, apdu: bytes) -> bytes:
        challenge = data_field(apdu)
        if apdu[2:4] != bytes.fromhex("0C09"):
            return WRONG_P1_P2
        if challenge is None or len(challenge) != _CHALLENGE_SIZE:
            return WRONG_LENGTH
        signer = b"a copy" if self.fault is DuoxFault.WRONG_SIGNATURE else self._uid
        return _signature(signer, challenge) + ISO_OK


@cache
def virtual_duox_root() -> DuoxRoot:
    """The root of all virtual charging cards: public key and certificate."""
    return DuoxRoot(_public_key(_ROOT), _x509_root(), _CA_IDENTIFIER)


@cache
def _private_key(owner: bytes) -> Any:  # noqa: ANN401 - the type lives in a package that is imported late
    from cryptography.hazmat.primitives.asymmetric import ec

    # 31 bytes are below the order of the curve whatever they are.
    number = int.from_bytes(hashlib.sha256(b"duox/" + owner).digest()[:31]) + 1
    return ec.derive_private_key(number, ec.BrainpoolP256R1())


def _public_key(owner: bytes) -> bytes:
    numbers = _private_key(owner).public_key().public_numbers()
    x: bytes = numbers.x.to_bytes(_COORDINATE)
    y: bytes = numbers.y.to_bytes(_COORDINATE)
    return b"\x04" + x + y


def _signature(owner: bytes, message: bytes) -> bytes:
    """ECDSA with SHA-256, as r and s one after the other; the same each time (RFC 6979)."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    der: bytes = _private_key(owner).sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


def _root_certificate() -> bytes:
    """Certificate file 01: that of the root, in the same form."""
    return _certificate(_CA_IDENTIFIER, _CA_IDENTIFIER, _public_key(_ROOT), _TO, _ROOT)


@cache
def _certificate(serial: bytes, subject: bytes, public_key: bytes, until: str, issuer: bytes) -> bytes:
    key = _tlv("B0", public_key) + _tlv("F0", b"\x03")
    signed = b"".join(
        (
            _tlv("93", serial),
            _tlv("42", _CA_IDENTIFIER),
            _tlv("5F20", subject),
            _tlv("5F25", bytes.fromhex(_FROM)),
            _tlv("5F24", bytes.fromhex(until)),
            _tlv("7F49", key),
        )
    )
    return _tlv("7F21", signed + _tlv("5F37", _signature(issuer, signed)))


def _tlv(tag: str, value: bytes) -> bytes:
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size])
    return bytes.fromhex(tag) + length + value


def _x509_root() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    serial = _CA_IDENTIFIER.hex().upper()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Virtual EV charging root"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, serial),
        ]
    )
    key = _private_key(_ROOT)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_day(_FROM))
        .not_valid_after(_day(_TO))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return builder.sign(key, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
