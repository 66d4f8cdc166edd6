"""In which form a whole list of UIDs is written, by evidence. One UID alone often fits several forms.

The evidence: how long the texts are, whether they hold letters, and the byte that ISO/IEC 7816-6 gives each
maker of chips, which is the first of every 7-byte UID (ISO/IEC 14443-3, 6.5.4). A 4-byte UID has no such
byte, so its order cannot be seen. Nothing is turned here unless somebody says so by an option.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rfid_station.domain.uid import CASCADE_TAG, LONGEST_FORM, SIZES, CardUid, why_unusable
from rfid_station.errors import CardRefused

ENOUGH = 5
"""UIDs that it takes before their bytes tell anything."""
MOST = 0.9
"""The share of a list that must fit a form."""

_SEPARATORS = re.compile(r"[\s:\-.,]+")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_MAKERS = frozenset({0x02, 0x04, 0x05, 0x07, 0x16, 0x1D, 0x2B, 0x39, 0x53})
"""Who makes such chips: ST, NXP, Infineon, TI, EM, Shanghai Fudan, Maxim, Giantec, Nationz."""
_NXP = "04"
_WHOLE = frozenset(2 * size for size in SIZES)
"""Digits of a UID."""
_EXACT_DIGITS = 15
"""A spreadsheet keeps no more digits of a number, and writes 0 for the others."""


class UidForm(StrEnum):
    """How the UIDs of a list are written; what `--uids` takes."""

    AS_IS = "as-is"
    REVERSED = "reversed"
    DECIMAL = "decimal"
    DECIMAL_REVERSED = "decimal-reversed"
    ZEROS_BEFORE = "zeros-before"
    ZEROS_BEHIND = "zeros-behind"
    WITH_CASCADE = "with-cascade"
    WITH_BCC = "with-bcc"
    ZEROS_LOST = "zeros-lost"


WORDS = {
    UidForm.AS_IS: "in hexadecimal, the first byte first",
    UidForm.REVERSED: "reversed: the last byte first",
    UidForm.DECIMAL: "decimal, the first byte as the highest",
    UidForm.DECIMAL_REVERSED: "decimal, the last byte as the highest",
    UidForm.ZEROS_BEFORE: "padded with zeros in front",
    UidForm.ZEROS_BEHIND: "padded with zeros behind",
    UidForm.WITH_CASCADE: "raw selection frames, with the cascade tag 88 in them",
    UidForm.WITH_BCC: "followed by the check byte (BCC) of the selection",
    UidForm.ZEROS_LOST: "without their leading zeros, as a spreadsheet leaves them",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a whole list of UIDs looks like."""

    form: UidForm | None
    """None: it looks like nothing that could be turned back."""
    words: str
    """What it looks like, and by which evidence."""
    options: tuple[UidForm, ...] = ()
    """The forms that would read it; several where the list does not show which."""
    is_certain: bool = True


def digits_of(text: str) -> str:
    """A UID's text without what people put between the bytes."""
    return text if text.isalnum() and text.isascii() else _SEPARATORS.sub("", text)


def turned(text: str, form: UidForm) -> bytes | None:
    """The UID in air order that a text means in a form; None if it is not written so."""
    digits = digits_of(text)
    if not digits or len(digits) > LONGEST_FORM or not _HEX.fullmatch(digits):
        return None
    raw = _READERS[form](digits)
    return raw if raw is not None and len(raw) in SIZES else None


def read_uid(text: str, form: UidForm) -> CardUid | str:
    """A UID, or in words why the text is none."""
    raw = turned(text, form)
    if raw is None:
        return "is no UID" if form is UidForm.AS_IS else f"is no UID that is written {WORDS[form]}"
    try:
        return CardUid(raw)
    except CardRefused:
        return f"cannot be used: {why_unusable(raw)}"


def whole_uids(texts: Sequence[str]) -> list[CardUid]:
    """`read_uid` of many texts as they are; none if any of them takes a closer look."""
    if not _HEX.fullmatch("".join(texts)) or not set(map(len, texts)) <= _WHOLE:
        return []
    try:
        return list(map(CardUid, map(bytes.fromhex, texts)))
    except CardRefused:
        return []


@dataclass(slots=True)
class Tally:
    """Counts what the UIDs of a list look like, one after the other; its size does not grow with the list."""

    count: int = 0
    decimal: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    made: Counter[UidForm] = field(default_factory=Counter)
    """By form: how many begin with a maker's byte, or fit the form's own check."""
    starts_made: int = 0
    ends_made: int = 0
    cascade_starts: int = 0
    cut_off: int = 0
    """Numbers of more than 15 digits that end in zeros."""
    small: int = 0
    """Numbers that fit into four bytes."""

    def add(self, text: str) -> None:
        """Count one."""
        digits = digits_of(text)
        if not digits or len(digits) > LONGEST_FORM or not _HEX.fullmatch(digits):
            return
        self.count += 1
        self.lengths[len(digits)] += 1
        self.starts_made += _is_made(digits[:2])
        self.ends_made += _is_made(digits[-2:])
        self.cascade_starts += digits[:2] == f"{CASCADE_TAG:02X}"
        if len(digits) != 14 or digits[:2] != _NXP:
            self._look_closer(digits)
        if _DECIMAL.fullmatch(digits):
            self._count_decimal(digits)

    def add_all(self, texts: Sequence[str]) -> None:
        """Count many: those that look as NXP's do by what is left to see of them, the others one by one."""
        if not texts or set(map(len, texts)) != {14} or not _HEX.fullmatch("".join(texts)):
            for text in texts:
                self.add(text)
            return
        ends = []
        for text in texts:
            if text[:2] != _NXP or text.isdecimal():
                self.add(text)
            else:
                ends.append(text[-2:])
        self.count += len(ends)
        self.lengths[14] += len(ends)
        self.starts_made += len(ends)
        self.ends_made += sum(map(_MAKERS_TEXT.__contains__, ends))

    def verdict(self) -> Verdict:
        """What the list looks like."""
        if self.count == 0:
            return _AS_IS
        for look in (
            self._cut_off,
            self._decimal,
            self._by_structure,
            self._seven_bytes,
            self._four_bytes,
            self._truncated,
        ):
            found = look()
            if found:
                return found
        return _AS_IS

    def _look_closer(self, digits: str) -> None:
        for form in _STRUCTURED:
            raw = turned(digits, form)
            if raw and why_unusable(raw) is None and (len(raw) == 4 or raw[0] in _MAKERS):
                self.made[form] += 1

    def _count_decimal(self, digits: str) -> None:
        self.decimal += 1
        self.cut_off += len(digits) > _EXACT_DIGITS and not digits[_EXACT_DIGITS:].strip("0")
        number = int(digits)
        self.small += number < 1 << 32
        for form in (UidForm.DECIMAL, UidForm.DECIMAL_REVERSED):
            raw = turned(digits, form)
            self.made[form] += bool(raw and len(raw) == 7 and raw[0] in _MAKERS)

    def _share(self, counted: int) -> float:
        return counted / self.count

    def _is_most(self, counted: int) -> bool:
        return self._share(counted) >= MOST

    def _of(self, *lengths: int) -> bool:
        return self._is_most(sum(self.lengths[length] for length in lengths))

    def _cut_off(self) -> Verdict | None:
        if self.count < ENOUGH or not self._is_most(self.cut_off):
            return None
        return Verdict(
            None,
            f"{self._said(self.cut_off)} are numbers of more than {_EXACT_DIGITS} digits that end in "
            "zeros: a spreadsheet has cut them off",
        )

    def _decimal(self) -> Verdict | None:
        if self.count < ENOUGH or not self._is_most(self.decimal):
            return None
        if self._of(14) and self._is_most(self.starts_made) and not self.lengths[13]:
            return None
        for form in (UidForm.DECIMAL, UidForm.DECIMAL_REVERSED):
            if self._is_most(self.made[form]):
                return self._found(form, self.made[form], "are numbers whose bytes begin with a chip maker's")
        if self._is_most(self.made[UidForm.ZEROS_LOST]):
            return None
        if self._is_most(self.small):
            return Verdict(
                UidForm.DECIMAL,
                f"{self._said(self.decimal)} are decimal numbers of 4 bytes; which end is first, "
                "4-byte UIDs do not show",
                (UidForm.DECIMAL, UidForm.DECIMAL_REVERSED),
                is_certain=False,
            )
        return None

    def _by_structure(self) -> Verdict | None:
        for form in _STRUCTURED:
            certain = form in _CHECKED or self.count >= ENOUGH
            if certain and self._is_most(self.made[form]):
                return self._found(form, self.made[form], _EVIDENCE[form])
        return None

    def _seven_bytes(self) -> Verdict | None:
        if not self._of(14) or self.count < ENOUGH or self._is_most(self.starts_made):
            return None
        if self._is_most(self.ends_made):
            return self._found(UidForm.REVERSED, self.ends_made, "end with a chip maker's byte (NXP is 04)")
        either = self.starts_made + self.ends_made
        if self._is_most(either) and min(self.starts_made, self.ends_made) > self.count / 20:
            return Verdict(
                None,
                f"{self._said(self.starts_made)} begin with a chip maker's byte and {self.ends_made} end "
                "with one: both byte orders are mixed",
            )
        return Verdict(
            UidForm.AS_IS,
            f"only {self._said(self.starts_made)} begin with a known chip maker's byte (NXP is 04)",
            is_certain=False,
        )

    def _four_bytes(self) -> Verdict | None:
        if not self._of(8) or self.count < ENOUGH:
            return None
        if self._is_most(self.cascade_starts):
            return Verdict(
                None,
                f"{self._said(self.cascade_starts)} are the first selection frame (88 and three bytes) of "
                "longer UIDs: truncated",
            )
        for counted, end in ((self.starts_made, "begin"), (self.ends_made, "end")):
            if self._is_most(counted):
                return Verdict(
                    None,
                    f"{self._said(counted)} have 4 bytes and {end} with a chip maker's, as 7-byte UIDs do: "
                    "truncated",
                )
        return Verdict(
            UidForm.AS_IS,
            f"{self._said(self.lengths[8])} have 4 bytes, which do not show the byte order",
            is_certain=False,
        )

    def _truncated(self) -> Verdict | None:
        if not self._of(6, 10, 12):
            return None
        size = self.lengths.most_common(1)[0][0] // 2
        return Verdict(
            None,
            f"{self._said(self.lengths[2 * size])} have {size} bytes, and a UID has 4, 7 or 10: truncated",
        )

    def _found(self, form: UidForm, counted: int, evidence: str) -> Verdict:
        return Verdict(form, f"{self._said(counted)} {evidence}: {WORDS[form]}", (form,))

    def _said(self, counted: int) -> str:
        return f"{counted} of {self.count} UIDs"


_AS_IS = Verdict(UidForm.AS_IS, "in hexadecimal, the first byte first")


_MAKERS_TEXT = frozenset(sign for maker in _MAKERS for sign in (f"{maker:02X}", f"{maker:02x}"))


def _is_made(byte: str) -> bool:
    return byte in _MAKERS_TEXT


def _hex(digits: str) -> bytes | None:
    return bytes.fromhex(digits) if len(digits) in (8, 14, 20) else None


def _reversed(digits: str) -> bytes | None:
    raw = _hex(digits)
    return raw[::-1] if raw else None


def _decimal(digits: str) -> bytes | None:
    if not _DECIMAL.fullmatch(digits):
        return None
    number = int(digits)
    return next((number.to_bytes(size) for size in SIZES if number < 1 << (8 * size)), None)


def _decimal_reversed(digits: str) -> bytes | None:
    raw = _decimal(digits)
    return raw[::-1] if raw else None


def _padded(digits: str, *, before: bool) -> bytes | None:
    if len(digits) % 2:
        return None
    raw = bytes.fromhex(digits)
    for size in SIZES:
        surplus = len(raw) - size
        zeros = raw[:surplus] if before else raw[size:]
        if surplus > 0 and not any(zeros):
            return raw[surplus:] if before else raw[:size]
    return None


def _with_cascade(digits: str) -> bytes | None:
    """`88 u0 u1 u2 u3 u4 u5 u6`, or the same with both check bytes in it."""
    raw = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if len(raw) == 8 and raw[0] == CASCADE_TAG:
        return raw[1:]
    if len(raw) == 10 and raw[0] == CASCADE_TAG and raw[4] == _bcc(raw[:4]) and raw[9] == _bcc(raw[5:9]):
        return raw[1:4] + raw[5:9]
    return None


def _with_bcc(digits: str) -> bytes | None:
    """Four bytes and their check byte, or seven bytes with the two of their selection."""
    raw = bytes.fromhex(digits) if len(digits) % 2 == 0 else b""
    if len(raw) == 5 and raw[4] == _bcc(raw[:4]):
        return raw[:4]
    if len(raw) == 9 and raw[3] == CASCADE_TAG ^ _bcc(raw[:3]) and raw[8] == _bcc(raw[4:8]):
        return raw[:3] + raw[4:8]
    return None


def _bcc(raw: bytes) -> int:
    check = 0
    for byte in raw:
        check ^= byte
    return check


def _zeros_lost(digits: str) -> bytes | None:
    return bytes.fromhex(digits.zfill(14)) if len(digits) == 13 else None


_READERS: dict[UidForm, Callable[[str], bytes | None]] = {
    UidForm.AS_IS: _hex,
    UidForm.REVERSED: _reversed,
    UidForm.DECIMAL: _decimal,
    UidForm.DECIMAL_REVERSED: _decimal_reversed,
    UidForm.ZEROS_BEFORE: lambda digits: _padded(digits, before=True),
    UidForm.ZEROS_BEHIND: lambda digits: _padded(digits, before=False),
    UidForm.WITH_CASCADE: _with_cascade,
    UidForm.WITH_BCC: _with_bcc,
    UidForm.ZEROS_LOST: _zeros_lost,
}
_STRUCTURED = (
    UidForm.WITH_CASCADE,
    UidForm.WITH_BCC,
    UidForm.ZEROS_BEFORE,
    UidForm.ZEROS_BEHIND,
    UidForm.ZEROS_LOST,
)
_CHECKED = frozenset({UidForm.WITH_CASCADE, UidForm.WITH_BCC})
_EVIDENCE = {
    UidForm.WITH_CASCADE: "begin with the cascade tag 88",
    UidForm.WITH_BCC: "end with the right check byte",
    UidForm.ZEROS_BEFORE: "begin with zero bytes",
    UidForm.ZEROS_BEHIND: "end with zero bytes",
    UidForm.ZEROS_LOST: "have 13 digits and begin with a chip maker's byte once a 0 is put in front",
}
