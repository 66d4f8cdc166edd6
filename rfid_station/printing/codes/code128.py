"""Code 128 (ISO/IEC 15417), in code sets B and C: printable ASCII, pairs of digits in half the width."""

from __future__ import annotations

from itertools import cycle

from rfid_station.errors import PrintError
from rfid_station.printing.codes.modules import Modules, packed

QUIET_ZONE = 10
"""Light modules at both ends (ISO/IEC 15417, 4.3.2)."""
SMALLEST_MODULE_MM = 0.25
"""Three dots of a 300 dpi printer."""

_START_B, _START_C, _TO_C, _TO_B = 104, 105, 99, 100
_CHECK_MODULUS = 103
_STOP = "2331112"
_LEAST_DIGITS = 4
"""From so many digits on, changing the code set saves width."""
_LONGEST = 80

# Widths of bars and spaces of every symbol value, bar first (ISO/IEC 15417, table 1).
_WIDTHS = [
    widths
    for line in """
212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231
113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211
212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131
113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111
314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211
241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141
214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214
211232""".splitlines()
    for widths in line.split()
]


def code128(text: str) -> Modules:
    """Encode a text as one row of modules.

    :raises PrintError: it has a character that is not printable ASCII, or is too long
    """
    strange = next((character for character in text if not " " <= character <= "~"), None)
    if strange is not None:
        raise PrintError(
            f"a Code 128 cannot have {strange!r} of {text!r}", hint="encode it as a QR code, or without that"
        )
    if not 0 < len(text) <= _LONGEST:
        raise PrintError(
            f"{len(text)} characters are no Code 128 that anything reads",
            hint=f"encode 1 to {_LONGEST} characters",
        )
    values = _values(text)
    check = (values[0] + sum(place * value for place, value in enumerate(values))) % _CHECK_MODULUS
    widths = "".join(_WIDTHS[value] for value in [*values, check]) + _STOP
    return packed([[dark for width, dark in zip(widths, cycle((True, False))) for _ in range(int(width))]])


def _values(text: str) -> list[int]:
    """The symbol values, start included, with runs of digits in code set C."""
    values: list[int] = []
    in_pairs = False
    position = 0
    while position < len(text):
        digits = _digits_at(text, position)
        is_worth_it = digits % 2 == 0 and (digits >= _LEAST_DIGITS or digits == len(text))  # odd ones in B
        wants_pairs = digits >= 2 and (in_pairs or is_worth_it)
        if not values:
            values.append(_START_C if wants_pairs else _START_B)
        elif wants_pairs is not in_pairs:
            values.append(_TO_C if wants_pairs else _TO_B)
        in_pairs = wants_pairs
        values.append(int(text[position : position + 2]) if in_pairs else ord(text[position]) - ord(" "))
        position += 2 if in_pairs else 1
    return values


def _digits_at(text: str, position: int) -> int:
    """How many digits stand there in a row."""
    end = position
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return end - position
