"""The contract a card charges on: eMA id of ISO 15118-1 and eMI3, and the older DIN SPEC 91286 form.

Both check digits are computed here. One of ours is always right; a wrong one on a foreign
id is a warning, since most published examples carry a wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from itertools import starmap
from operator import getitem

from rfid_station.errors import WrongCall

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ISO = re.compile(r"([A-Z]{2})([-*]?)([A-Z0-9]{3})\2([A-Z0-9]{9})(?:\2([A-Z0-9]))?")
_DIN = re.compile(r"([A-Z]{2})([-*]?)([A-Z0-9]{3})\2([A-Z0-9]{6})(?:\2([0-9X]))?")


class ContractForm(Enum):
    """Which of the two standards an id is written in; lengths tell them apart."""

    ISO_15118 = "ISO 15118"
    DIN_91286 = "DIN SPEC 91286"


_FORM_OF_LENGTH = {14: ContractForm.ISO_15118, 11: ContractForm.DIN_91286}


@dataclass(frozen=True, slots=True)
class ContractId:
    """Country, provider, instance, and the check digit as it was written (None if it was not).

    Two ids are the same contract when they are equal without their check digits.
    """

    country: str
    provider: str
    instance: str
    form: ContractForm = ContractForm.ISO_15118
    written_check: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.country}-{self.provider}-{self.instance}-{self.check}"

    @property
    def compact(self) -> str:
        """Without separators and without check digit: 14 characters (ISO) or 11 (DIN)."""
        return self.country + self.provider + self.instance

    @property
    def check(self) -> str:
        """The check digit as it should be."""
        digit = iso_check_digit if self.form is ContractForm.ISO_15118 else din_check_digit
        return digit(self.compact)

    @property
    def warning(self) -> str | None:
        """What is odd about it, in words: a check digit that is not the computed one."""
        if self.written_check in (None, self.check):
            return None
        return f"{self} is written with check digit {self.written_check}, and {self.check} is computed"

    def to_emi3(self) -> ContractId:
        """The eMI3 form of a DIN id: `C0`, the six characters, the DIN check digit."""
        if self.form is ContractForm.ISO_15118:
            return self
        return ContractId(self.country, self.provider, f"C0{self.instance}{self.check}")


def parse_contract_id(text: str) -> ContractId:
    """Read a contract id of either form, with or without separators and check digit.

    :raises WrongCall: the text has neither form
    """
    written = text.strip().upper()
    for pattern, form in ((_ISO, ContractForm.ISO_15118), (_DIN, ContractForm.DIN_91286)):
        match = pattern.fullmatch(written)
        if match:
            country, _, provider, instance, check = match.groups()
            return ContractId(country, provider, instance, form, check)
    raise WrongCall(
        f"{text!r} is not a contract id",
        hint="write it as NL-MSP-C12345678-5, the dashes and the last character may be left out",
    )


def contract_of_compact(compact: str) -> ContractId:
    """The contract of which `ContractId.compact` is kept. Only its length is looked at.

    :raises WrongCall: it is nothing that `compact` ever was
    """
    form = _FORM_OF_LENGTH.get(len(compact))
    if form is None:
        return parse_contract_id(compact)
    return ContractId(compact[:2], compact[2:5], compact[5:], form)


def own_contract_id(country: str, provider: str, number: int) -> ContractId:
    """Our own id for the n-th contract: instance `C` and eight digits (eMI3).

    :raises WrongCall: the number does not fit into eight digits
    """
    if not 0 <= number <= 99_999_999:
        raise WrongCall(
            f"contract number {number} does not fit into the eight digits of an instance",
            hint="ask the ID office for a second provider id and set ocpi.party_id to it",
        )
    return parse_contract_id(f"{country}-{provider}-C{number:08}")


def din_check_digit(compact: str) -> str:
    """Check character (0-9 or X) over the 11 characters of a DIN SPEC 91286 contract id.

    Weights double per decimal digit from the left; a letter stands for its two decimal digits.
    """
    decimal = "".join(str(_ALPHABET.index(character)) for character in compact)
    total = sum(int(digit) << position for position, digit in enumerate(decimal))
    remainder = total % 11
    return "X" if remainder == 10 else str(remainder)


def iso_check_digit(compact: str) -> str:
    """Check character over the 14 characters of an ISO 15118-1 contract id (annex H).

    Each character is split into two bits and two trits; position i weighs them with the i-th
    power of one matrix modulo 2 and of one modulo 3, so that swaps and single errors show.
    """
    total = sum(starmap(getitem, zip(_weighed(), compact, strict=True)))
    bit_0, bit_1, trit_0, trit_1 = total.to_bytes(4)
    return _ALPHABET[18 * (bit_0 % 2) + 9 * (bit_1 % 2) + 3 * (trit_0 % 3) + trit_1 % 3]


@cache
def _weighed() -> tuple[dict[str, int], ...]:
    """What each character adds to bits and trits of the check character at each of the 14 positions.

    The four sums stand in one number, a byte for each: 14 times what is added at most does not overflow it.
    """
    rows = []
    bit_weight, trit_weight = _IDENTITY, _IDENTITY
    for _ in range(14):
        bit_weight = _multiply(bit_weight, ((0, 1), (1, 1)), 2)
        trit_weight = _multiply(trit_weight, ((0, 1), (1, 2)), 3)
        row = {}
        for value, character in enumerate(_ALPHABET):
            quotient, remainder = divmod(value, 9)
            bits = _times(divmod(quotient, 2), bit_weight)
            trit_0, trit_1 = _times(_times(divmod(remainder, 3), trit_weight), ((0, 2), (2, 1)))
            row[character] = int.from_bytes((*bits, trit_0 % 3, trit_1 % 3))
        rows.append(row)
    return tuple(rows)


_Pair = tuple[int, int]
_Matrix = tuple[_Pair, _Pair]
_IDENTITY: _Matrix = ((1, 0), (0, 1))


def _times(row: _Pair, matrix: _Matrix) -> _Pair:
    return (
        row[0] * matrix[0][0] + row[1] * matrix[1][0],
        row[0] * matrix[0][1] + row[1] * matrix[1][1],
    )


def _multiply(left: _Matrix, right: _Matrix, modulus: int) -> _Matrix:
    (a, b), (c, d) = (_times(row, right) for row in left)
    return ((a % modulus, b % modulus), (c % modulus, d % modulus))
