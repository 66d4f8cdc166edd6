"""MIFARE DUOX as charging card of VDE-AR-E 2532-100: a certificate, and a key that never leaves the chip.

It takes no secret to prove such a card: a root that everybody knows vouches for the certificate, the
certificate names UID and public key, and the signature of a challenge that nobody has seen before shows that
the chip has the private one (NXP AN14223). That is what a UID cannot do: a copy of it fails here.
"""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.gp_certificate import SIGNATURE_SIZE, Certificate, parse_certificate
from rfid_station.chip.identity import Fact, Identity, Originality
from rfid_station.chip.iso_dep import Answer, ChipVersion, transmit
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardLost, WrongCall
from rfid_station.shipped import shipped

NAME = "MIFARE DUOX"
KIND = (0x01, 0xA000)
"""`ChipVersion.kind` of the chip."""

CHARGING_APPLICATION = bytes.fromhex("A0000008450000000000000000000001")
CHALLENGE_SIZE = 32

SELECT = bytes.fromhex("00A40400") + bytes([len(CHARGING_APPLICATION)]) + CHARGING_APPLICATION + b"\x00"
READ_CERTIFICATE = bytes.fromhex("8002000000")
"""VDE_ReadData of file 00."""

_SIGN = bytes.fromhex("80030C09")
_OK = 0x9000

VECTORS = [
    (
        "0477705BF59A836F49BEE904F4F3488CA46A1A4D45B1A1ED393641964A0429E1D6"
        "46AD3A7A028049920ABFD6EF112B77A572D4330BFBA09589C54AD6DEF0E7CA60",
        "8A32D56574B3A6250EACB4BA5A2DAB70573DD65B50A179D7C8A575E93C2FBBF2",
        "03FD6180201B047BC3FEA2E920E1FEC94318D2E5C7A8A3EB334084AFA877A639"
        "8239F1958EF393C5C4D0414A6EE9749C3A41EB7C8B071AAE8CEEC3738977DC93",
    ),
]
"""(public key, challenge, signature) of a real chip, published with Proxmark3's `hf mfdes vdesign`."""


@dataclass(frozen=True, slots=True)
class Root:
    """Who vouches for certificates: a name, and an uncompressed point of brainpoolP256r1."""

    name: str
    point: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DuoxState:
    """What a charging card proved. It did if `why_not` is empty."""

    why_not: str
    storage: int
    """Bytes of memory."""
    certificate: Certificate | None = None
    root: Root | None = None

    @property
    def is_proven(self) -> bool:
        """Whether this is the card that its certificate names, and not a copy."""
        return not self.why_not

    @property
    def freshness(self) -> Freshness:
        """Nothing is ever written to it."""
        return Freshness.BLANK

    @property
    def link(self) -> str | None:
        """It has none."""
        return None

    def facts(self) -> dict[str, Fact]:
        """What its certificate says, and who vouches for it."""
        facts: dict[str, Fact] = {"size": f"{self.storage} bytes", "proven": self.is_proven}
        if self.why_not:
            facts["not proven"] = self.why_not
        if self.certificate is not None:
            facts["certificate"] = self.certificate.subject.hex().upper()
            facts["issued by"] = self.certificate.ca.hex().upper()
            facts["valid"] = f"{self.certificate.valid_from} to {self.certificate.valid_to}"
        if self.root is not None:
            facts["root"] = self.root.name
        return facts


@dataclass(frozen=True, slots=True)
class _Proof:
    """How far proving came: all the way if `why_not` is empty."""

    why_not: str
    certificate: Certificate | None = None
    root: Root | None = None


def known_roots(extra: Iterable[Root] = ()) -> tuple[Root, ...]:
    """The roots of `data/duox_roots.toml`, and further ones."""
    return (*_shipped_roots(), *extra)


def identify_duox(
    uid: CardUid,
    version: ChipVersion,
    *,
    extra_roots: Iterable[Root] = (),
    today: Callable[[], datetime] = lambda: datetime.now(UTC),
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> Dialogue[Identity]:
    """Prove a charging card: read its certificate, check who vouches for it, let it sign a fresh challenge.

    A card that cannot be proven is named all the same, with the reason.

    :raises CardLost: the card left
    """
    identity = Identity(uid, NAME)
    if (yield from _ask(uid, SELECT)).status != _OK:
        note = "it has no charging application of VDE-AR-E 2532-100"
        state = DuoxState(note, version.storage)
        return replace(identity, state=state, originality=Originality.NONE, notes=(note,))
    proof = yield from _prove(uid, known_roots(extra_roots), today(), draw)
    state = DuoxState(proof.why_not, version.storage, proof.certificate, proof.root)
    if proof.why_not or proof.root is None:
        note = f"it is not proven to be a charging card: {proof.why_not}"
        return replace(identity, state=state, originality=Originality.FORGED, notes=(note,))
    return replace(identity, state=state, originality=Originality.GENUINE, signed_by=proof.root.name)


def sign_anew(
    uid: CardUid, certificate: Certificate, draw: Callable[[int], bytes] = secrets.token_bytes
) -> Dialogue[bool]:
    """Let a card whose certificate was checked sign another fresh challenge; whether it is that card.

    :raises CardLost: the card left
    """
    if (yield from _ask(uid, SELECT)).status != _OK:
        return False
    return (yield from _signs(uid, certificate, draw))


def is_signed_by(point: bytes, message: bytes, signature: bytes) -> bool:
    """Whether r and s sign a message: brainpoolP256r1, SHA-256. A point beside the curve signs nothing."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) != SIGNATURE_SIZE:
        return False
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.BrainpoolP256R1(), point)
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _prove(
    uid: CardUid, roots: tuple[Root, ...], now: datetime, draw: Callable[[int], bytes]
) -> Dialogue[_Proof]:
    answer = yield from _ask(uid, READ_CERTIFICATE)
    if answer.status != _OK:
        return _Proof(f"its certificate cannot be read: {answer.status:04X}")
    try:
        certificate = parse_certificate(answer.data)
    except ValueError as error:
        return _Proof(f"what it has is no certificate: {error}")
    signed, signature = certificate.signed, certificate.signature
    root = next((root for root in roots if is_signed_by(root.point, signed, signature)), None)
    why_not = _why_not_valid(uid, certificate, root, now)
    if not why_not and not (yield from _signs(uid, certificate, draw)):
        why_not = "it does not have the private key of its certificate: it is a copy"
    return _Proof(why_not, certificate, root)


def _why_not_valid(uid: CardUid, certificate: Certificate, root: Root | None, now: datetime) -> str:
    if root is None:
        return "nobody who is known vouches for its certificate"
    if uid.raw not in certificate.serial:
        return "its certificate is that of another card"
    if now.date() < certificate.valid_from:
        return f"its certificate is valid only from {certificate.valid_from} on"
    if now.date() > certificate.valid_to:
        return f"its certificate ran out on {certificate.valid_to}"
    return ""


def _signs(uid: CardUid, certificate: Certificate, draw: Callable[[int], bytes]) -> Dialogue[bool]:
    challenge = draw(CHALLENGE_SIZE)
    answer = yield from _ask(uid, _SIGN + bytes([CHALLENGE_SIZE]) + challenge + b"\x00")
    return answer.status == _OK and is_signed_by(certificate.public_key, challenge, answer.data)


def _ask(uid: CardUid, apdu: bytes) -> Dialogue[Answer]:
    answer = yield from transmit(apdu)
    if not answer.status:
        raise CardLost(f"card {uid.masked} does not answer any more", hint="hold it still and tap it again")
    return answer


def _check_on_curve(point: bytes) -> None:
    """Let a point pass that lies on the curve.

    :raises ValueError: it does not
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    ec.EllipticCurvePublicKey.from_encoded_point(ec.BrainpoolP256R1(), point)


@cache
def _shipped_roots() -> tuple[Root, ...]:
    return parse_roots(shipped("data", "duox_roots.toml").read_text("utf-8"), "data/duox_roots.toml")


def parse_roots(text: str, source: str) -> tuple[Root, ...]:
    """Read a file of roots, written as `data/duox_roots.toml` is.

    :raises WrongCall: it is no such file, or a point does not lie on the curve
    """
    try:
        rows = tomllib.loads(text)["root"]
        roots = tuple(Root(str(row["name"]), bytes.fromhex(row["point"])) for row in rows)
        for root in roots:
            _check_on_curve(root.point)
    except (tomllib.TOMLDecodeError, ValueError, KeyError, TypeError) as error:
        raise WrongCall(
            f"{source} is no file of roots: {error}",
            hint="write [[root]] with a name, and the point as 130 hexadecimal digits that begin with 04",
        ) from None
    return roots
