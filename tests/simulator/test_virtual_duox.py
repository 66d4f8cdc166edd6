"""The virtual MIFARE DUOX, judged as a charge point would: with the root's public key and nothing else."""

from __future__ import annotations

import json

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nxp_host import transmit, wrapped

from rfid_station.simulator.chips import card_from, new_card
from rfid_station.simulator.native.duox import DuoxFault, VirtualDuox, virtual_duox_root

UID = bytes.fromhex("04E10CDA993C80")
ENTER = "00A4040010A000000845000000000000000000000100"
CHALLENGE = bytes(range(32))


def a_card(fault: DuoxFault | None = None) -> VirtualDuox:
    card = new_card("duox", UID)
    assert isinstance(card, VirtualDuox)
    card.fault = fault
    card.select()
    assert card.apdu(bytes.fromhex(ENTER)) == b"\x90\x00"
    return card


def parsed(raw: bytes) -> dict[str, bytes]:
    """One level of BER-TLV, and the bytes of each object with its head under `tag+`."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(raw):
        start = at
        at += 2 if raw[at] & 0x1F == 0x1F else 1
        tag = raw[start:at].hex().upper()
        size, at = raw[at], at + 1
        if size == 0x81:
            size, at = raw[at], at + 1
        found[tag] = raw[at : at + size]
        at += size
        found[tag + "+"] = raw[start:at]
    return found


def public(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.BrainpoolP256R1(), point)


def verify(point: bytes, signature: bytes, message: bytes) -> None:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    public(point).verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def certificate(card: VirtualDuox, number: int = 0) -> dict[str, bytes]:
    answer = card.apdu(bytes([0x80, 0x02, number, 0x00, 0x00]))
    assert answer[-2:] == b"\x90\x00"
    return parsed(parsed(answer[:-2])["7F21"])


def signed_part(fields: dict[str, bytes]) -> bytes:
    return b"".join(fields[tag + "+"] for tag in ("93", "42", "5F20", "5F25", "5F24", "7F49"))


def sign(card: VirtualDuox, challenge: bytes = CHALLENGE) -> bytes:
    answer = card.apdu(bytes.fromhex("80030C09") + bytes([len(challenge)]) + challenge + b"\x00")
    assert answer[-2:] == b"\x90\x00"
    return answer[:-2]


def test_a_genuine_card_proves_itself_with_the_root_alone() -> None:
    card = a_card()
    root = virtual_duox_root()
    fields = certificate(card)
    key = parsed(fields["7F49"])

    verify(root.public_key, fields["5F37"], signed_part(fields))
    verify(key["B0"], sign(card), CHALLENGE)

    assert fields["93"] == UID
    assert fields["42"] == root.identifier
    assert (fields["5F25"].hex(), fields["5F24"].hex()) == ("20241011", "20641011")
    assert key["F0"] == b"\x03"
    assert len(card.apdu(bytes.fromhex("8002000000"))) < 258


def test_the_root_is_there_as_x_509_and_on_the_card() -> None:
    root = virtual_duox_root()
    read = x509.load_der_x509_certificate(root.certificate)
    key = read.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)

    read.verify_directly_issued_by(read)

    assert key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) == root.public_key
    assert root.identifier.hex() in read.subject.rfc4514_string().lower()
    assert parsed(certificate(a_card(), 1)["7F49"])["B0"] == root.public_key
    assert virtual_duox_root().certificate == root.certificate


def test_a_copy_signs_with_another_key() -> None:
    card = a_card(DuoxFault.WRONG_SIGNATURE)
    fields = certificate(card)
    verify(virtual_duox_root().public_key, fields["5F37"], signed_part(fields))

    with pytest.raises(InvalidSignature):
        verify(parsed(fields["7F49"])["B0"], sign(card), CHALLENGE)


def test_the_other_faults_are_in_the_certificate() -> None:
    root = virtual_duox_root().public_key
    foreign = certificate(a_card(DuoxFault.FOREIGN_ROOT))
    with pytest.raises(InvalidSignature):
        verify(root, foreign["5F37"], signed_part(foreign))
    for fault, tag, value in [(DuoxFault.OTHER_UID, "93", "00" * 7), (DuoxFault.EXPIRED, "5F24", "20250101")]:
        fields = certificate(a_card(fault))
        verify(root, fields["5F37"], signed_part(fields))
        assert fields[tag].hex() == value


def test_a_fault_stays_with_the_card() -> None:
    card = a_card(DuoxFault.EXPIRED)

    twin = card_from(json.loads(json.dumps(card.state())))

    assert isinstance(twin, VirtualDuox)
    assert (twin.fault, twin.state()) == (DuoxFault.EXPIRED, card.state())


def test_nothing_is_told_or_signed_outside_the_application() -> None:
    card = new_card("duox", UID)
    card.select()
    assert transmit(card.apdu, 0x60)[:7].hex().upper() == "040101A0001A05"
    assert card.apdu(bytes.fromhex("8002000000")).hex() == "6985"
    assert transmit(card.apdu, 0x6A).hex().upper() == "F61010"
    transmit(card.apdu, 0x5A, bytes.fromhex("F61010"))
    assert card.apdu(bytes.fromhex("8002020000")).hex() == "6a82"
    assert card.apdu(bytes.fromhex("8002000100")).hex() == "6a86"
    assert card.apdu(bytes.fromhex("80030C090411223344")).hex() == "6700"
    assert card.apdu(bytes.fromhex("80030C0820") + CHALLENGE).hex() == "6a86"
    assert card.apdu(wrapped(0xCD, b"\x01\x00\xee\xee\x08\x00\x00")).hex() == "91ae"


def test_signatures_and_keys_are_the_same_each_time_and_differ_by_card() -> None:
    other = new_card("duox", bytes.fromhex("04A2B3C4D5E680"))
    other.select()
    other.apdu(bytes.fromhex(ENTER))
    assert isinstance(other, VirtualDuox)

    assert sign(a_card()) == sign(a_card())
    assert certificate(other)["7F49"] != certificate(a_card())["7F49"]
