"""SUN: a link to which an NTAG 424 DNA adds a proof that is new at every tap.

NXP calls it secure unique NFC message, and the chip's part of it secure dynamic messaging (SDM). The NDEF
file holds a link with places for two values, `…?e=<32 digits>&c=<16 digits>`, and whoever reads it without a
key gets them filled in (NT4H2421Gx, 9.3; NXP AN12196, 3.4 and 4):

- `e`: UID and tap counter, enciphered with the meta key, which is the same on all cards of one key version:
  the reader of the link does not know the card before it has deciphered them;
- `c`: a MAC with a key of the card's own over UID and counter.

A link proves that its card was tapped, once: whoever opens a door by it must keep the highest counter that it
has seen of each card, and refuse what is not above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs

from rfid_station.chip.aes import AesKey, LocalAesKey
from rfid_station.chip.ev2 import truncated
from rfid_station.chip.ndef import uri_message
from rfid_station.domain.uid import CardUid, why_unusable

META_KEY, MAC_KEY = 1, 2
"""The key numbers that our cards use."""

LONGEST_SUN_FILE = 240
"""Bytes of the NDEF file that one read brings in every reader. The proof must not fall into two reads."""

_E_DIGITS, _C_DIGITS = 32, 16
_BETWEEN = "&c="
_MIRRORS = 0xC1
"""SDMOptions: UID, counter, ASCII."""
_NOBODY = 0xF
_RESERVED = 0xF
_TAG = 0xC7
"""PICCDataTag: a UID of 7 bytes and the counter (NT4H2421Gx, table 21)."""
_MAC_LABEL = bytes.fromhex("3CC300010080")
_UID, _COUNTER = 7, 3
_HEX = re.compile(rf"[0-9A-Fa-f]{{{_E_DIGITS}}}|[0-9A-Fa-f]{{{_C_DIGITS}}}")

VECTORS = [
    (
        "https://ntag.nxp.com/424?e=EF963FF7828658A599F3041510671E88&c=94EED9EE65337086",
        "04DE5F1EACC040",
        61,
    ),
]
"""(link, UID, counter), all keys zero: AN12196 2.0, 3.4."""

MAC_VECTORS = [
    ("04DE5F1EACC040", 61, "94EED9EE65337086"),
    ("041E3C8A2D6B80", 6, "4B00064004B0B3D3"),
]
"""(UID, counter, MAC), key zero: AN12196 2.0, 3.4, and the example of NXP's plain mirror."""

SETTINGS_VECTORS = [((2, 1, 1, 0x20, 0x43), "C1F121200000430000430000")]
"""((meta key, MAC key, counter key, offset of e, offset of c), settings): AN12196 2.0, table 18."""


@dataclass(frozen=True, slots=True)
class SunFile:
    """An NDEF file with a link that the chip completes. Offsets are in bytes from its start."""

    content: bytes
    """As it is written: length, message, zeros where the values will be."""
    e_at: int
    c_at: int

    @property
    def settings(self) -> bytes:
        """What the chip must be told to complete the link; see `sdm_settings`."""
        return sdm_settings(META_KEY, MAC_KEY, _NOBODY, self.e_at, self.c_at)

    def without_proof(self, content: bytes) -> bytes:
        """What was read from a card, with zeros again where the values are."""
        for at, size in ((self.e_at, _E_DIGITS), (self.c_at, _C_DIGITS)):
            content = content[:at] + b"0" * len(content[at : at + size]) + content[at + size :]
        return content


@dataclass(frozen=True, slots=True)
class SunKeys:
    """What it takes to check links: the keys of one version."""

    meta: AesKey
    mac_key: Callable[[CardUid], AesKey] = field(repr=False)
    """A card's own key."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A proven tap: this card was tapped, and it was the card's tap number `counter`."""

    uid: CardUid
    counter: int


def sun_link(link: str) -> str:
    """The link with zeros in the places of the two values; a fragment stays behind them."""
    page, mark, fragment = link.partition("#")
    joint = "&" if "?" in page else "?"
    return f"{page}{joint}e={'0' * _E_DIGITS}{_BETWEEN}{'0' * _C_DIGITS}{mark}{fragment}"


def sun_file(link: str) -> SunFile:
    """The NDEF file for a link, which has not more than 200 characters."""
    message = uri_message(sun_link(link))
    content = len(message).to_bytes(2) + message
    _page, mark, fragment = link.partition("#")
    c_at = len(content) - len((mark + fragment).encode()) - _C_DIGITS
    return SunFile(content, c_at - len(_BETWEEN) - _E_DIGITS, c_at)


def sdm_settings(meta_key: int, mac_key: int, counter_key: int, e_at: int, c_at: int) -> bytes:
    """SDM options, access rights and offsets for ChangeFileSettings (NT4H2421Gx, table 69).

    The MAC is over an empty text, so that `c` depends on UID and counter only: phones may rewrite the rest of
    a link, and it says nothing that these two do not.
    """
    rights = meta_key << 12 | mac_key << 8 | _RESERVED << 4 | counter_key
    offsets = b"".join(at.to_bytes(3, "little") for at in (e_at, c_at, c_at))
    return bytes([_MIRRORS]) + rights.to_bytes(2, "little") + offsets


def read_sun(link: str, candidates: Iterable[SunKeys]) -> Tap | None:
    """Check a link that a phone opened, with each version of the keys; None if none of them made it.

    It says nothing of why: whoever tries links must not learn how far he came.
    """
    values = parse_qs(link.partition("#")[0].partition("?")[2])
    e, c = (_value(values, name, size) for name, size in (("e", _E_DIGITS), ("c", _C_DIGITS)))
    if not e or not c:
        return None
    taps = [_checked(keys, e, c) for keys in candidates]
    return next((tap for tap in taps if tap), None)


def sun_mac(mac_key: AesKey, uid: bytes, counter: int) -> bytes:
    """The eight bytes `c` for a tap (NT4H2421Gx, 9.3.8.1 and 9.3.9.1), over an empty text."""
    session = mac_key.cmac(_MAC_LABEL + uid + counter.to_bytes(_COUNTER, "little"))
    return truncated(LocalAesKey(session).cmac(b""))


def _checked(keys: SunKeys, e: bytes, c: bytes) -> Tap | None:
    plain = keys.meta.decrypt(e)
    raw, counter = plain[1 : 1 + _UID], int.from_bytes(plain[1 + _UID : 1 + _UID + _COUNTER], "little")
    if plain[0] != _TAG or why_unusable(raw):
        return None
    uid = CardUid(raw)
    return Tap(uid, counter) if compare_digest(sun_mac(keys.mac_key(uid), raw, counter), c) else None


def _value(values: dict[str, list[str]], name: str, digits: int) -> bytes:
    texts = values.get(name, [])
    if len(texts) != 1 or len(texts[0]) != digits or not _HEX.fullmatch(texts[0]):
        return b""
    return bytes.fromhex(texts[0])
