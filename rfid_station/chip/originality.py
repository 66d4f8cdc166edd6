"""Whether a chip is its maker's: the signature of its UID (NXP AN11350, AN11341, AN13452, AN12196, AN12343).

A right signature proves that the maker signed this UID, and not that this is the chip: both can be copied
onto a chip that takes any. It weeds out counterfeit blanks at goods-in.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache

from rfid_station.chip.ecdsa import CURVES, SECP224R1, Curve, is_signed, parse_point
from rfid_station.chip.exchange import Dialogue, Restart
from rfid_station.chip.identity import Identity, Originality
from rfid_station.chip.iso_dep import OK, native
from rfid_station.domain.uid import CASCADE_TAG, CardUid
from rfid_station.errors import CardLost
from rfid_station.shipped import shipped

READ_SIGNATURE = 0x3C
OK_WITH_SIGNATURE = 0x9190
"""What chips of ISO 14443-4 end a signature with instead of 9100 (NXP AN12343, table 44)."""

VECTORS = [
    ("NXP NTAG21x", "04E10CDA993C80", "8B76052EE42F5567BEB53238B3E3F9950707C0DCC956B5C5EFCFDB709B2D82B3"),
    ("NXP NTAG21x", "04DB0BDA993C80", "6048EFD9417CD10F6B7F1818D471A7FE5B46868D2EABDC6307A1E0AAE139D8D0"),
    (
        "NXP Ultralight EV1",
        "04C1285A373080",
        "CEA2EB0B3C95D0844A95B824A7553703B3702378033BF0987899DB70151A19E7",
    ),
    ("NXP Classic EV1", "0433619AB35780", "B9FAE369EC21C980650D87ED9AE9B1610E859131B4B8699C647548AB68D249BB"),
    ("NXP Classic EV1", "524374E2", "F8758CE30A58553A9985C458FB9C7D340FCFB04847B928A0667939272BC58B5E"),
    ("Classic QL88", "30933C61", "AEA4DD0B800FAC63D4DE08EE91F4650ED825FD6B4D7DEEE98DBC9BAE10BE003E"),
    (
        "NXP Ultralight AES",
        "045E4CC2451390",
        "C9BBDA1B99EB6634CDFD8E3251AC5C4742EA5FA507B8A8A8B39B19AB7340D173331589C54C56C49F0CCA6DDBAC1E492A",
    ),
    (
        "NXP Ultralight AES, second key",
        "04A31232241C90",
        "057595DCC601CA7E21341F1F978FA134F0204D87A33749C56DDB4ABD6F1F26194341DB10093B34C42F524A30DCC5CE54",
    ),
    (
        "NXP NTAG 22x DNA",
        "043302218D3D00",
        "6A5D5E034F4FC823CACAB56C1A77A409B8DB345F89BD3FD59ED1F9C0093518609BE62D0A20764D2011E47EFA187F29AA",
    ),
    (
        "NXP Plus EV1",
        "042A2B221C5080",
        "BAC40CD88E9193C58ADA5055350C4F648EB5A7AEC4FCF9BD4CDD7B1C558DE5F59C6636F26286ED48622AAA2331D4DF1C"
        "EE23B57B94BDA631",
    ),
    (
        "NXP DESFire Light",
        "0439556ACB6480",
        "D5BD0978106E1E38B513642335966AB21E9F950DCFCFAB45FF13D0DC3CA4C2AE7E0D671DF1240937D040DAC4601C5F66"
        "ED62C546EE03ED08",
    ),
    (
        "NXP NTAG 413 DNA and DESFire EV1",
        "042468222F5C80",
        "B9211E320F321BD1D0E158E10FF15109B389638BAE15D9909D7725BF1250ED236D66F1AF75C94D60330E4E92535F5E69"
        "97675281A5687173",
    ),
    (
        "NXP DESFire EV2",
        "042A41CAE45380",
        "B2769F8DDB575AEA2A680ADCA8FFED4FAB81A1E9908E2B82FE0FABB697BBD9B23835C416970E75768F12902ACA491349"
        "E94E6589EAF4F508",
    ),
    (
        "NXP DESFire Light",
        "045A115A346180",
        "1CA298FC3F0F04A329254AC0DF7A3EB8E756C076CD1BAAF47B8BBA6DCD78BCC64DFD3E80E679D9A663CAE9E4D4C2C770"
        "23077CC549CE4A61",
    ),
    (
        "NXP NTAG 424 DNA",
        "04A9707A0B1090",
        "03F0A17889E3063D2D01CD8750734601BC031C26812705A1BD3B75361604B19B762DC285DCE303A5B6DE5F2814F0449B"
        "A64AB445A7AEC4CF",
    ),
    (
        "NXP NTAG 424 DNA",
        "0463474AA26A80",
        "27E9A50E6CA4BA9037C02F7D20A80D0284D0C1D83C67F5A5AC1D8A4EF86C9508417E4E9C6F85AA7920F0ABDED984CAF2"
        "0467D66EA54BBF08",
    ),
    (
        "NXP DESFire EV2 XL",
        "044CA092806480",
        "9D86DACD3866058B1CF122FF5FC80E997251D99179BC1F996ACF6ED7D495DA5C39DDE699E2760C08D747EF08487B9897"
        "D48957E5AFD755E2",
    ),
    (
        "NXP DESFire EV3",
        "04448BD2DB6B80",
        "5CBB5632795C8F15263FEFB095B51C7B541AFD914A1AE44EF6FB8AF605EDF13DBFEE6C3A2DB372245E671DFE0D42CB1F"
        "0D0B8FE67A89D2F6",
    ),
]
"""(key, UID, signature) of real chips. The second DESFire Light is the one of NXP AN12343, table 44."""


@dataclass(frozen=True, slots=True)
class MakerKey:
    """A key with which a maker signs the UIDs of some of its chips."""

    name: str
    signs: tuple[str, ...]
    curve: Curve
    point: tuple[int, int]
    origin: str
    every: bool = True
    """Whether all chips that it is for are signed, and not only the newer ones."""

    def is_for(self, chip: str) -> bool:
        """Whether a genuine chip of this name is signed with this key."""
        return _plain(chip).startswith(tuple(map(_plain, self.signs)))


@cache
def maker_keys() -> tuple[MakerKey, ...]:
    """All the keys of `data/originality.toml`."""
    table = tomllib.loads(shipped("data", "originality.toml").read_text("utf-8"))
    return tuple(_key(**row) for row in table["key"])


def verify_signature(uid: CardUid, signature: bytes) -> str | None:
    """Name the key that signed this UID; None if it was none of the makers'."""
    key = _signer(uid, signature)
    return key.name if key else None


def read_originality(identity: Identity) -> Dialogue[Identity]:
    """Ask an identified chip for its maker's signature, if its kind has one, and say what it proves.

    Type 2 tags that do not know the question are restarted, so that they listen again.

    :raises CardLost: the card left, or another one answers
    """
    signers = [key for key in maker_keys() if key.is_for(identity.name)]
    # The signature of a MIFARE Classic lies in hidden sectors, behind keys: it is not worth two logins.
    if identity.refusal or not signers or _plain(identity.name).startswith("classic"):
        return identity
    size = 2 * signers[0].curve.size
    if signers[0].curve is SECP224R1:
        signature = yield from _read_wrapped(size)
    else:
        signature = yield from _read_frame(identity.uid, size)
    return judge_signature(identity, signature)


def judge_signature(identity: Identity, signature: bytes) -> Identity:
    """Say what a signature proves; an empty one, or one of zeros, is none."""
    if not any(signature):
        return _judged(identity, Originality.NONE, _why_unsigned(identity.name))
    signer = _signer(identity.uid, signature)
    if signer is None:
        return _judged(identity, Originality.FORGED, _why_forged(identity, signature))
    if not signer.is_for(identity.name):
        note = f"its signature is one for {_listed(signer.signs)}: another chip that plays a {identity.name}"
        return replace(_judged(identity, Originality.FORGED, note), signed_by=signer.name)
    return replace(identity, originality=Originality.GENUINE, signed_by=signer.name)


def _read_frame(uid: CardUid, size: int) -> Dialogue[bytes]:
    """READ_SIG of a Type 2 tag (NTAG213/215/216 data sheet, 10.8)."""
    answer = yield bytes([READ_SIGNATURE, 0x00])
    if len(answer) == size:
        return answer
    if (yield Restart()) != uid.raw:
        raise CardLost(
            f"card {uid.masked} was asked for its signature, and another card answers now",
            hint="leave one card on the reader, and hold it still",
        )
    return b""


def _read_wrapped(size: int) -> Dialogue[bytes]:
    """Read_Sig of a chip of ISO 14443-4 (NT4H2421Gx, 10.10.1)."""
    answer = yield from native(READ_SIGNATURE, b"\x00")
    is_signature = answer.status in (OK, OK_WITH_SIGNATURE) and len(answer.data) == size
    return answer.data if is_signature else b""


def _signer(uid: CardUid, signature: bytes) -> MakerKey | None:
    candidates = (key for key in maker_keys() if 2 * key.curve.size == len(signature))
    return next((key for key in candidates if is_signed(key.curve, key.point, uid.raw, signature)), None)


def must_be_signed(chip: str) -> bool:
    """Whether every genuine chip of this name has a signature that `read_originality` can ask for."""
    keys = [key for key in maker_keys() if key.is_for(chip)]
    return bool(keys) and all(key.every for key in keys) and not _plain(chip).startswith("classic")


def _why_unsigned(chip: str) -> str:
    if must_be_signed(chip):
        return f"a genuine {chip} has its maker's signature, and this one has none"
    return f"it has no maker's signature; only newer chips of the kind {chip} have one"


def _why_forged(identity: Identity, signature: bytes) -> str:
    if _pages_0_and_1(identity.uid) in signature:
        return "its signature is a copy of its first pages, as counterfeit NTAG answer"
    return "its signature was made with none of the maker's keys"


def _pages_0_and_1(uid: CardUid) -> bytes:
    """How a UID of seven bytes begins the memory of a Type 2 tag, with its check byte."""
    raw = uid.raw[:7].ljust(7, b"\x00")
    check = CASCADE_TAG ^ raw[0] ^ raw[1] ^ raw[2]
    return raw[:3] + bytes([check]) + raw[3:]


def _judged(identity: Identity, originality: Originality, note: str) -> Identity:
    return replace(identity, originality=originality, notes=(*identity.notes, note))


def _key(name: str, signs: list[str], curve: str, point: str, origin: str, *, every: bool = True) -> MakerKey:
    on = CURVES[curve]
    return MakerKey(name, tuple(signs), on, parse_point(on, bytes.fromhex(point)), origin, every)


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names)


def _plain(name: str) -> str:
    """A chip's name without what people write or leave out."""
    return name.casefold().replace("mifare", "").replace("nxp", "").replace(" ", "")
