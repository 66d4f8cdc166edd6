"""Whose signature a chip carries: published samples, a second opinion, and every way to be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import originality
from rfid_station.chip.ecdsa import CURVES, SECP128R1, SECP192R1, SECP224R1, Curve, is_signed, parse_point
from rfid_station.chip.exchange import Apdu, Command, Restart, converse
from rfid_station.chip.identity import Identity, Originality
from rfid_station.chip.originality import VECTORS, maker_keys, read_originality, verify_signature
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardLost

SAMPLES = [(name, CardUid(bytes.fromhex(uid)), bytes.fromhex(signature)) for name, uid, signature in VECTORS]
NTAG = next(sample for sample in SAMPLES if sample[0] == "NXP NTAG21x")
EV1 = next(sample for sample in SAMPLES if sample[0] == "NXP Ultralight EV1")
NTAG424 = next(sample for sample in SAMPLES if sample[0] == "NXP NTAG 424 DNA")


@pytest.mark.parametrize(("name", "uid", "signature"), SAMPLES)
def test_a_published_sample_names_its_key(name: str, uid: CardUid, signature: bytes) -> None:
    assert verify_signature(uid, signature) == name


@pytest.mark.parametrize(("name", "uid", "signature"), SAMPLES)
def test_the_same_uid_backwards_was_signed_by_nobody(name: str, uid: CardUid, signature: bytes) -> None:
    assert verify_signature(CardUid(uid.raw[::-1]), signature) is None


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_any_flipped_bit_makes_it_nobodys(sample: tuple[str, CardUid, bytes], data: st.DataObject) -> None:
    _, uid, signature = sample
    raw = bytearray(uid.raw + signature)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    changed = replace(uid)
    object.__setattr__(changed, "raw", bytes(raw[: len(uid.raw)]))
    assert verify_signature(changed, bytes(raw[len(uid.raw) :])) is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_answered(signature: bytes) -> None:
    assert verify_signature(NTAG[1], signature) is None


@pytest.mark.parametrize("size", [32, 48, 56])
@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_zeros_and_ones_are_no_signature(size: int, fill: bytes) -> None:
    assert verify_signature(NTAG[1], fill * size) is None


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_r_and_s_outside_of_the_order_are_refused(curve: Curve) -> None:
    point = next(key.point for key in maker_keys() if key.curve is curve)
    for r, s in ((0, 1), (1, 0), (curve.order, 1), (1, curve.order)):
        assert not is_signed(curve, point, b"\x04" * 7, r.to_bytes(curve.size) + s.to_bytes(curve.size))


@pytest.mark.parametrize("curve", [SECP192R1, SECP224R1], ids=lambda curve: curve.name)
@pytest.mark.parametrize("secret", [1, 2, 0xC0FFEE, 2**150 + 7])
def test_the_curves_agree_with_another_implementation(curve: Curve, secret: int) -> None:
    theirs = ec.SECP192R1() if curve is SECP192R1 else ec.SECP224R1()
    numbers = ec.derive_private_key(secret, theirs).public_key().public_numbers()
    assert curve.has((numbers.x, numbers.y))
    uid = b"\x04\x01\x02\x03\x04\x05\x06"
    good = _sign(curve, secret, uid)
    assert is_signed(curve, (numbers.x, numbers.y), uid, good)
    assert not is_signed(curve, (numbers.x, numbers.y), uid[::-1], good)


def _sign(curve: Curve, secret: int, message: bytes) -> bytes:
    """ECDSA with a nonce that the other implementation multiplies out."""
    theirs = ec.SECP192R1() if curve is SECP192R1 else ec.SECP224R1()
    nonce = 0x1234567
    r = ec.derive_private_key(nonce, theirs).public_key().public_numbers().x % curve.order
    s = (int.from_bytes(message) + r * secret) * pow(nonce, -1, curve.order) % curve.order
    return r.to_bytes(curve.size) + s.to_bytes(curve.size)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_generator_has_the_order_it_should(curve: Curve) -> None:
    assert curve.has(curve.generator)
    # u1·G + u2·G with u1 + u2 = n is infinity, which is never a signature; one more is G.
    half = (curve.order - 1) // 2
    r = curve.generator[0] % curve.order
    s = r * pow(half, -1, curve.order) % curve.order
    rest = (curve.order + 1 - half) * s % curve.order
    assert is_signed(
        curve, curve.generator, rest.to_bytes(curve.size), r.to_bytes(curve.size) + s.to_bytes(curve.size)
    )


def test_a_point_beside_the_curve_is_no_key() -> None:
    raw = bytes.fromhex("04494E1A386D3D3CFE3DC10E5DE68A499B1C202DB5B132393E89ED19FE5BE8BC60")
    with pytest.raises(ValueError, match="not a point on secp128r1"):
        parse_point(SECP128R1, raw)
    with pytest.raises(ValueError, match="not a point"):
        parse_point(SECP128R1, raw[:-1])


def test_every_key_has_a_sample_but_two() -> None:
    unproven = {key.name for key in maker_keys()} - {name for name, _, _ in SAMPLES}
    assert unproven == {"NXP Type 2", "NXP Plus EV2"}
    assert len({key.name for key in maker_keys()}) == len(maker_keys())


class Chip:
    """Answers READ_SIG, and keeps what was asked."""

    def __init__(self, uid: bytes, *answers: bytes, comes_back_as: bytes = b"") -> None:
        self.uid, self.answers, self.asked = uid, list(answers), list[Command]()
        self.comes_back_as = comes_back_as or uid

    def __call__(self, command: Command) -> bytes:
        self.asked.append(command)
        return self.comes_back_as if isinstance(command, Restart) else self.answers.pop(0)


def asked(name: str, uid: CardUid, *answers: bytes) -> tuple[Identity, Chip]:
    chip = Chip(uid.raw, *answers)
    return converse(read_originality(Identity(uid, name)), chip), chip


def test_a_type_2_tag_is_asked_with_a_frame() -> None:
    identity, chip = asked("NTAG213", NTAG[1], NTAG[2])
    assert (identity.originality, identity.signed_by) == (Originality.GENUINE, "NXP NTAG21x")
    assert identity.notes == ()
    assert chip.asked == [bytes.fromhex("3C00")]


@pytest.mark.parametrize("status", ["9100", "9190"])
def test_an_iso_dep_chip_is_asked_with_an_apdu(status: str) -> None:
    identity, chip = asked("NTAG 424 DNA", NTAG424[1], NTAG424[2] + bytes.fromhex(status))
    assert (identity.originality, identity.signed_by) == (Originality.GENUINE, "NXP NTAG 424 DNA")
    assert chip.asked == [Apdu(bytes.fromhex("903C0000010000"))]


@pytest.mark.parametrize(
    "name",
    [
        "MIFARE Classic 1K",
        "MIFARE Ultralight",
        "MIFARE Ultralight C",
        "NTAG203",
        "FeliCa",
        "ISO 14443-4 card",
    ],
)
def test_a_kind_without_a_signature_is_not_asked(name: str) -> None:
    identity, chip = asked(name, NTAG[1])
    assert identity == Identity(NTAG[1], name)
    assert chip.asked == []


@pytest.mark.parametrize("answer", [b"", b"\x00", bytes(31)])
def test_a_tag_that_refuses_is_woken_up(answer: bytes) -> None:
    identity, chip = asked("NTAG216", NTAG[1], answer)
    assert identity.originality is Originality.NONE
    assert identity.notes == ("a genuine NTAG216 has its maker's signature, and this one has none",)
    assert chip.asked[-1] == Restart()


@pytest.mark.parametrize("answer", [b"", bytes.fromhex("911C"), bytes.fromhex("6D00"), bytes(58), bytes(1)])
def test_an_iso_dep_chip_that_refuses_is_not(answer: bytes) -> None:
    identity, chip = asked("MIFARE DESFire EV3", NTAG424[1], answer)
    assert identity.originality is Originality.NONE
    assert len(chip.asked) == 1


def test_zeros_in_the_place_of_a_signature_are_none() -> None:
    identity, chip = asked("NTAG213", NTAG[1], bytes(32))
    assert identity.originality is Originality.NONE
    assert chip.asked == [bytes.fromhex("3C00")]


def test_an_older_chip_is_not_blamed_for_having_none() -> None:
    identity, _ = asked("MIFARE DESFire EV1", NTAG424[1], bytes.fromhex("911C"))
    assert identity.notes == (
        "it has no maker's signature; only newer chips of the kind MIFARE DESFire EV1 have one",
    )


def test_the_signature_of_another_family_is_a_copy() -> None:
    identity, _ = asked("NTAG213", EV1[1], EV1[2])
    assert (identity.originality, identity.signed_by) == (Originality.FORGED, "NXP Ultralight EV1")
    assert "one for Ultralight EV1 or Ultralight Nano: another chip that plays a NTAG213" in identity.notes[0]


def test_a_signature_that_repeats_the_memory_is_a_copy() -> None:
    uid = CardUid(bytes.fromhex("1D3C4B5A697880"))
    pages = uid.raw[:3] + bytes([0x88 ^ 0x1D ^ 0x3C ^ 0x4B]) + uid.raw[3:]
    identity, _ = asked("NTAG213", uid, pages * 4)
    assert identity.originality is Originality.FORGED
    assert identity.notes == ("its signature is a copy of its first pages, as counterfeit NTAG answer",)


def test_a_signature_of_another_uid_is_nobodys() -> None:
    other = next(sample for sample in SAMPLES if sample[0] == NTAG[0] and sample != NTAG)
    identity, _ = asked("NTAG213", NTAG[1], other[2])
    assert (identity.originality, identity.signed_by) == (Originality.FORGED, "")
    assert identity.notes == ("its signature was made with none of the maker's keys",)


def test_another_card_after_the_restart_is_noticed() -> None:
    chip = Chip(NTAG[1].raw, b"", comes_back_as=EV1[1].raw)
    with pytest.raises(CardLost, match="another card answers"):
        converse(read_originality(Identity(NTAG[1], "NTAG213")), chip)


@pytest.mark.parametrize("name", ["NTAG 424 DNA", "ntag424dna", "NXP NTAG424 DNA TagTamper"])
def test_names_are_known_however_they_are_written(name: str) -> None:
    assert any(key.is_for(name) and key.curve is SECP224R1 for key in maker_keys())


def test_what_is_read_is_kept() -> None:
    before = Identity(NTAG[1], "NTAG213", notes=("a note",))
    after = originality.judge_signature(before, b"")
    assert after.notes[0] == "a note"
    assert len(after.notes) == 2
