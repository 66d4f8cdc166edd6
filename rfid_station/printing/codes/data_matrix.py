"""Data Matrix ECC 200 (ISO/IEC 16022), square, from 10 × 10 to 48 × 48, in ASCII encodation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rfid_station.errors import PrintError
from rfid_station.printing.codes.modules import Modules, packed

QUIET_ZONE = 2
"""Light modules on every side; ISO/IEC 16022, 11.2 wants one, and printers smear."""
SMALLEST_MODULE_MM = 0.40
"""As for QR codes: four dots of a 300 dpi printer, and a little more for wear."""

_POLYNOMIAL = 0x12D
_PAD = 129
_UPPER_SHIFT = 235


@dataclass(frozen=True, slots=True)
class _Size:
    """A symbol: modules on a side, regions on a side, codewords of data and of error correction."""

    side: int
    regions: int
    data: int
    correction: int

    @property
    def mapping(self) -> int:
        """Modules on a side without finder patterns."""
        return self.side - 2 * self.regions


# ISO/IEC 16022, table 7: the squares whose codewords are one block.
_SIZES = [
    _Size(*numbers)
    for numbers in (
        (10, 1, 3, 5), (12, 1, 5, 7), (14, 1, 8, 10), (16, 1, 12, 12), (18, 1, 18, 14), (20, 1, 22, 18),
        (22, 1, 30, 20), (24, 1, 36, 24), (26, 1, 44, 28), (32, 2, 62, 36), (36, 2, 86, 42), (40, 2, 114, 48),
        (44, 2, 144, 56), (48, 2, 174, 68),
    )
]  # fmt: skip


def data_matrix(text: str) -> Modules:
    """Encode a text in the smallest square that holds it.

    :raises PrintError: it has characters beyond Latin-1, or is too long
    """
    try:
        words = _ascii_words(text.encode("latin-1"))
    except UnicodeEncodeError as error:
        raise PrintError(
            f"a Data Matrix cannot have {text[error.start]!r} of {text!r}", hint="encode it as a QR code"
        ) from error
    size = next((size for size in _SIZES if len(words) <= size.data), None)
    if size is None:
        raise PrintError(
            f"{len(text)} characters do not fit into a Data Matrix", hint="shorten the card's link"
        )
    _pad(words, size.data)
    words += _correction(words, size.correction)
    return packed(_framed(_placed(words, size), size))


def _ascii_words(data: bytes) -> list[int]:
    """ASCII encodation (5.2.3): two digits are one word, what is beyond ASCII takes two."""
    words = []
    position = 0
    while position < len(data):
        pair = data[position : position + 2]
        if len(pair) == 2 and pair.isdigit():
            words.append(130 + int(pair))
            position += 2
            continue
        byte = data[position]
        words += [byte + 1] if byte < 128 else [_UPPER_SHIFT, byte - 127]
        position += 1
    return words


def _pad(words: list[int], length: int) -> None:
    """Fill up with pads, all but the first of them disguised (5.2.3, annex B.1)."""
    if len(words) < length:
        words.append(_PAD)
    while len(words) < length:
        disguised = _PAD + 149 * (len(words) + 1) % 253 + 1
        words.append(disguised if disguised <= 254 else disguised - 254)


@cache
def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms in GF(256) (annex E)."""
    powers, logarithms = [0] * 255, [0] * 256
    value = 1
    for exponent in range(255):
        powers[exponent], logarithms[value] = value, exponent
        value <<= 1
        if value > 255:
            value ^= _POLYNOMIAL
    return powers, logarithms


def _times(one: int, other: int) -> int:
    powers, logarithms = _field()
    return powers[(logarithms[one] + logarithms[other]) % 255] if one and other else 0


@cache
def _generator(count: int) -> list[int]:
    """The generator polynomial, its highest coefficient, which is 1, left out."""
    powers, _ = _field()
    polynomial = [1]
    for exponent in range(1, count + 1):
        shifted = [*polynomial, 0]
        for place, coefficient in enumerate(polynomial, start=1):
            shifted[place] ^= _times(coefficient, powers[exponent])
        polynomial = shifted
    return polynomial[1:]


def _correction(words: list[int], count: int) -> list[int]:
    """The Reed-Solomon words to a block."""
    generator = _generator(count)
    rest = [0] * count
    for word in words:
        factor = word ^ rest[0]
        rest = [*rest[1:], 0]
        for place, coefficient in enumerate(generator):
            rest[place] ^= _times(factor, coefficient)
    return rest


Cell = tuple[int, int]


@cache
def _cells(side: int) -> tuple[tuple[Cell, ...], ...]:
    """Where the bits of each codeword go, the highest first (annex F): rows and columns of the mapping."""
    taken: set[Cell] = set()
    placed: list[tuple[Cell, ...]] = []

    def place(cells: tuple[Cell, ...]) -> None:
        taken.update(cells)
        placed.append(cells)

    row, column = 4, 0
    while row < side or column < side:
        corner = _corner(row, column, side)
        if corner:
            place(corner)
        while True:  # upwards to the right
            if row < side and column >= 0 and (row, column) not in taken:
                place(_utah(row, column, side))
            row, column = row - 2, column + 2
            if row < 0 or column >= side:
                break
        row, column = row + 1, column + 3
        while True:  # downwards to the left
            if row >= 0 and column < side and (row, column) not in taken:
                place(_utah(row, column, side))
            row, column = row + 2, column - 2
            if row >= side or column < 0:
                break
        row, column = row + 3, column + 1
    return tuple(placed)


def _utah(row: int, column: int, side: int) -> tuple[Cell, ...]:
    """The usual shape of eight modules, wrapped at the edges (figure F.1)."""
    offsets = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))
    return tuple(_wrapped(row + down, column + right, side) for down, right in offsets)


def _wrapped(row: int, column: int, side: int) -> Cell:
    if row < 0:
        row, column = row + side, column + 4 - (side + 4) % 8
    if column < 0:
        row, column = row + 4 - (side + 4) % 8, column + side
    return row, column


def _corner(row: int, column: int, side: int) -> tuple[Cell, ...] | None:
    """The shapes for corners, where the usual one would be torn apart (figures F.3 to F.6)."""
    end = side - 1
    if row == side and column == 0:
        return ((end, 0), (end, 1), (end, 2), (0, end - 1), (0, end), (1, end), (2, end), (3, end))
    if row == side - 2 and column == 0 and side % 4:
        return (
            (end - 2, 0),
            (end - 1, 0),
            (end, 0),
            (0, end - 3),
            (0, end - 2),
            (0, end - 1),
            (0, end),
            (1, end),
        )
    if row == side - 2 and column == 0 and side % 8 == 4:
        return ((end - 2, 0), (end - 1, 0), (end, 0), (0, end - 1), (0, end), (1, end), (2, end), (3, end))
    if row == side + 4 and column == 2 and side % 8 == 0:
        return (
            (end, 0),
            (end, end),
            (0, end - 2),
            (0, end - 1),
            (0, end),
            (1, end - 2),
            (1, end - 1),
            (1, end),
        )
    return None


def _placed(words: list[int], size: _Size) -> list[list[bool]]:
    side = size.mapping
    grid = [[False] * side for _ in range(side)]
    taken: set[Cell] = set()
    for word, cells in zip(words, _cells(side), strict=True):
        taken.update(cells)
        for bit, (row, column) in enumerate(cells):
            grid[row][column] = bool(word >> (7 - bit) & 1)
    if (side - 1, side - 1) not in taken:  # F.3: what is left over is a fixed pattern
        grid[side - 1][side - 1] = grid[side - 2][side - 2] = True
    return grid


def _framed(mapping: list[list[bool]], size: _Size) -> list[list[bool]]:
    """Around every region: solid on the left and below, dotted on the right and above (5.1)."""
    inner = size.mapping // size.regions
    outer = inner + 2

    def module(row: int, column: int) -> bool:
        down, right = row % outer, column % outer
        if right == 0 or down == outer - 1:
            return True
        if down == 0:
            return column % 2 == 0
        if right == outer - 1:
            return row % 2 == 1
        return mapping[row // outer * inner + down - 1][column // outer * inner + right - 1]

    return [[module(row, column) for column in range(size.side)] for row in range(size.side)]
