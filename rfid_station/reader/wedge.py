"""What a keyboard-wedge reader types: which bytes it stands for, and in which form they are written.

Such readers write the UID as hexadecimal or decimal, either end first, whole or in part; and the keyboard
layout of the computer may make other characters of it. One text often fits several forms, so all that fit
are told, and nothing is turned silently: only with the same card's UID at hand it is certain (`form_of`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor

from rfid_station.domain.uid import CASCADE_TAG, LONGEST_FORM, SIZES, why_unusable

_NXP = 0x04
_BY_LENGTH = {4: "4-byte", 7: "7-byte", 10: "10-byte"}
_SEPARATORS = re.compile(r"[\s:\-]+")
_FACILITY = re.compile(r"(\d{1,3})\s*[,;]\s*(\d{1,5})")
_ENVELOPE = "\x02\x03\r\n\t ;?"
"""What readers put around the digits: STX, ETX, line ends, and the marks of magnetic stripes."""


class Form(StrEnum):
    """How a UID is written."""

    HEX = "hexadecimal, as it comes through the air"
    HEX_REVERSED = "hexadecimal, the last byte first"
    HEX_WITH_BCC = "hexadecimal, with the check byte (BCC) of the selection behind"
    HEX_CASCADE = "hexadecimal, with the cascade tag 88 and check bytes of the selection in it"
    HEX_PADDED = "hexadecimal, filled up with zeros"
    DECIMAL = "decimal, the first byte as the highest"
    DECIMAL_REVERSED = "decimal, the last byte as the highest"
    FACILITY = "facility code and number of three bytes (Wiegand 26)"
    DECIMAL_3_BYTES = "decimal of three bytes"
    HEX_PART = "hexadecimal, too short for a whole one"


class Layout(StrEnum):
    """What the keyboard made of the keys that were typed."""

    RIGHT = "as it was meant"
    AZERTY = "typed on a French layout (AZERTY): set the reader or the computer to the other's layout"
    SHIFTED = "typed with shift or caps lock held (US layout): release it"
    SHIFTED_GERMAN = "typed with shift or caps lock held (German layout): release it"


@dataclass(frozen=True, slots=True)
class Typed:
    """One way to read what was typed."""

    form: Form
    layout: Layout
    raw: bytes
    """The UID in air order; of a partial form the bytes that are known."""
    is_whole: bool = True

    @property
    def words(self) -> str:
        """This reading for a person, without the UID."""
        size = _BY_LENGTH.get(len(self.raw), f"{len(self.raw)} bytes of a") if self.is_whole else "part of a"
        damage = "" if self.layout is Layout.RIGHT else f"; {self.layout}"
        return f"{size} UID, {self.form}{damage}"


def recognise(text: str) -> list[Typed]:
    """All that a typed line may be, the likeliest first; empty if it is no UID in any form.

    A UID of seven bytes whose reading begins with 04 (NXP) comes before one that does not.
    """
    found: dict[tuple[Form, bytes], Typed] = {}
    for layout, repaired in _layouts(text.strip(_ENVELOPE)):
        for typed in _readings(repaired, layout):
            found.setdefault((typed.form, typed.raw), typed)
        if found:
            break
    return sorted(found.values(), key=_rank)


def form_of(text: str, uid: bytes) -> Typed | None:
    """In which form this text writes this UID, which another reader read; None if it does not.

    A part of the UID counts only if no whole form fits.
    """
    for typed in recognise(text):
        if typed.is_whole and typed.raw == uid:
            return typed
        if not typed.is_whole and (typed.raw in uid or typed.raw[::-1] in uid):
            return typed
    return None


def _rank(typed: Typed) -> tuple[bool, bool, int]:
    is_nxp = len(typed.raw) == 7 and typed.raw[0] == _NXP
    return (not typed.is_whole, not is_nxp, list(Form).index(typed.form))


def _layouts(text: str) -> list[tuple[Layout, str]]:
    """The text as it is, and what the keys would have typed on the layout that was meant."""
    return [
        (Layout.RIGHT, text),
        *((layout, text.translate(table)) for layout, table in _TABLES.items() if _has_damage(text, table)),
    ]


def _has_damage(text: str, table: dict[int, str]) -> bool:
    return len(text) <= LONGEST_FORM and any(ord(character) in table for character in text)


def _readings(text: str, layout: Layout) -> list[Typed]:
    facility = _FACILITY.fullmatch(text)
    if facility:
        return _facility(int(facility[1]), int(facility[2]), layout)
    digits = _SEPARATORS.sub("", text)
    if not digits or len(digits) > LONGEST_FORM:
        return []
    found: list[Typed] = []
    if re.fullmatch(r"[0-9A-Fa-f]+", digits) and len(digits) % 2 == 0:
        found += _hexadecimal(bytes.fromhex(digits), layout)
    if re.fullmatch(r"[0-9]+", digits):
        found += _decimal(digits, layout)
    return found


def _hexadecimal(raw: bytes, layout: Layout) -> list[Typed]:
    wholes = [
        (Form.HEX, raw),
        (Form.HEX_REVERSED, raw[::-1]),
        (Form.HEX_WITH_BCC, _without_bcc(raw)),
        (Form.HEX_CASCADE, _without_cascade(raw)),
        (Form.HEX_PADDED, _without_zeros(raw)),
    ]
    found = [Typed(form, layout, uid) for form, uid in wholes if uid and why_unusable(uid) is None]
    if not found and len(raw) in (3, 5, 6):
        found.append(Typed(Form.HEX_PART, layout, raw, is_whole=False))
    return found


def _decimal(digits: str, layout: Layout) -> list[Typed]:
    """8 digits may be a facility code of three and a number of five; 10 digits are 32 bits; more are 56."""
    number = int(digits)
    found = []
    size = next((size for size in SIZES if number < 1 << 8 * size), None)
    if size is not None and len(digits) >= 8:
        raw = number.to_bytes(size)
        wholes = [(Form.DECIMAL, raw), (Form.DECIMAL_REVERSED, raw[::-1])]
        found += [Typed(form, layout, uid) for form, uid in wholes if why_unusable(uid) is None]
    if len(digits) in (8, 10) and 0 < number < 1 << 24:
        found.append(Typed(Form.DECIMAL_3_BYTES, layout, number.to_bytes(3), is_whole=False))
    if len(digits) == 8:
        found += _facility(int(digits[:3]), int(digits[3:]), layout)
    return found


def _facility(code: int, number: int, layout: Layout) -> list[Typed]:
    if code > 0xFF or number > 0xFFFF or code + number == 0:
        return []
    return [Typed(Form.FACILITY, layout, bytes([code]) + number.to_bytes(2), is_whole=False)]


def _without_bcc(raw: bytes) -> bytes:
    return raw[:4] if len(raw) == 5 and reduce(xor, raw) == 0 else b""


def _without_cascade(raw: bytes) -> bytes:
    """`88 u0 u1 u2 [BCC0] u3 u4 u5 u6 [BCC1]`, with both check bytes or with none."""
    if not raw or raw[0] != CASCADE_TAG:
        return b""
    if len(raw) == 8:
        return raw[1:]
    is_checked = len(raw) == 10 and reduce(xor, raw[:5]) == 0 and reduce(xor, raw[5:]) == 0
    return raw[1:4] + raw[5:9] if is_checked else b""


def _without_zeros(raw: bytes) -> bytes:
    """Four bytes in the place of seven or ten, with the zeros before or behind them."""
    for size in SIZES:
        surplus = len(raw) - size
        if surplus >= 2 and not any(raw[:surplus]):
            return raw[surplus:]
        if surplus >= 2 and not any(raw[-surplus:]):
            return raw[:-surplus]
    return b""


def _table(typed: str, meant: str) -> dict[int, str]:
    return {ord(wrong): right for wrong, right in zip(typed, meant, strict=True) if wrong != right}


_TABLES = {
    Layout.AZERTY: _table("&é\"'(-è_çàqQ", "1234567890aA"),
    Layout.SHIFTED: _table("!@#$%^&*()", "1234567890"),
    Layout.SHIFTED_GERMAN: _table('!"§$%&/()=', "1234567890"),
}
"""Key by key: what appears, and what the reader meant."""
