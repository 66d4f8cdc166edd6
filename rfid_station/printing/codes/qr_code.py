"""QR codes as bit matrices: by the library `qrcode`, and by differences to what it made before.

Every code gets the same mask. Choosing the best of eight (ISO/IEC 18004, 7.8.3) takes nine
tenths of the time, and a reader learns the mask from the code itself.

With version, level, mask, mode and length fixed, every module is a sum (XOR) of data bits and a
constant: Reed-Solomon codes are linear, the rest is in a fixed place. So the library is asked for
the first text of a kind, and once for each data bit in which a later one differs from it.

It cannot divide a block of zeros (`glog(0)`), and a row of the digit 0 makes one. So it is never asked
for zeros: in the first text other signs stand in their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from qrcode import constants
from qrcode.exceptions import DataOverflowError
from qrcode.main import QRCode
from qrcode.util import MODE_8BIT_BYTE, MODE_ALPHA_NUM, MODE_NUMBER, BitBuffer, QRData, optimal_mode

from rfid_station.errors import PrintError
from rfid_station.printing.layer import ErrorCorrection

QUIET_ZONE = 4
"""Light modules on every side (ISO/IEC 18004, 6.3.8)."""
SMALLEST_MODULE_MM = 0.40
"""Four dots of a 300 dpi printer are 0.34 mm; a worn card needs a little more."""

_MASK = 0
_LEVELS = {
    ErrorCorrection.M: constants.ERROR_CORRECT_M,
    ErrorCorrection.Q: constants.ERROR_CORRECT_Q,
    ErrorCorrection.H: constants.ERROR_CORRECT_H,
}
_SAMPLES = {MODE_NUMBER: b"8", MODE_ALPHA_NUM: b"A", MODE_8BIT_BYTE: b"a"}
"""Signs that are no zeros. A group has 11 bits at most and the smallest block 72: so there are bits set in
every block, and with one of them flipped there are still."""
_GROUPS = {MODE_NUMBER: 3, MODE_ALPHA_NUM: 2, MODE_8BIT_BYTE: 1}
"""How many characters become one number of some bits (ISO/IEC 18004, 7.4)."""


@dataclass(frozen=True, slots=True)
class QrMatrix:
    """A QR code of `side` × `side` modules, without quiet zone.

    `bits` has the rows from the top, each padded to whole bytes; the highest bit is on the
    left, and a set bit is dark.
    """

    side: int
    bits: bytes


def qr_matrix(payload: str, error_correction: ErrorCorrection) -> QrMatrix:
    """Encode a text in the smallest version that holds it.

    Upper case, digits and `$%*+-./: ` take 5.5 bits a character, anything else makes it 8.

    :raises PrintError: it is longer than any QR code
    """
    data = payload.encode()
    try:
        differences = _differences(optimal_mode(data), len(data), _LEVELS[error_correction])
    except (DataOverflowError, ValueError) as error:  # the library says it in either way
        raise PrintError(
            f"{len(payload)} characters do not fit into a QR code at level {error_correction}",
            hint="shorten the card's link",
        ) from error
    return differences.matrix(data)


@lru_cache(maxsize=64)
def _differences(mode: int, length: int, level: int) -> _Differences:
    return _Differences(mode, length, level)


class _Differences:
    """Codes of one mode, length and level, each by what tells it from the first one."""

    def __init__(self, mode: int, length: int, level: int) -> None:
        code = QRCode(error_correction=level)
        code.add_data(QRData(_SAMPLES[mode] * length, mode=mode))
        self._version, self._level, self._mode = int(code.best_fit()), level, mode
        self._side = 17 + 4 * self._version
        step = _GROUPS[mode]
        self._groups = [slice(start, start + step) for start in range(0, length, step)]
        self._first: list[bytes] = []
        self._first_matrix = 0
        self._known: list[dict[bytes, int]] = [{} for _ in self._groups]
        self._columns: dict[int, int] = {}

    def matrix(self, data: bytes) -> QrMatrix:
        """The code of a text of this mode and length."""
        if not self._first:
            self._first = [self._without_zeros(data[group]) for group in self._groups]
            self._first_matrix = self._encoded(0)
        modules = self._first_matrix
        for place, group in enumerate(self._groups):
            characters = data[group]
            if characters != self._first[place]:
                known = self._known[place]
                if characters not in known:
                    known[characters] = self._difference(place, characters)
                modules ^= known[characters]
        return QrMatrix(self._side, modules.to_bytes(self._side * _row_bytes(self._side)))

    def _without_zeros(self, group: bytes) -> bytes:
        return group if _bits(self._mode, group) else _SAMPLES[self._mode] * len(group)

    def _difference(self, place: int, characters: bytes) -> int:
        """What changes when one group of the first text becomes another one."""
        changed = _bits(self._mode, b"".join(self._first)) ^ _bits(
            self._mode, b"".join([*self._first[:place], characters, *self._first[place + 1 :]])
        )
        modules = 0
        for bit in range(changed.bit_length()):
            if changed >> bit & 1:
                if bit not in self._columns:
                    self._columns[bit] = self._first_matrix ^ self._encoded(1 << bit)
                modules ^= self._columns[bit]
        return modules

    def _encoded(self, flipped: int) -> int:
        """By the library: the first text with some data bits flipped, as one number, row after row."""
        code = QRCode(version=self._version, error_correction=self._level, mask_pattern=_MASK)
        code.add_data(_Flipped(b"".join(self._first), self._mode, flipped))
        code.make(fit=False)
        padding = "0" * (-self._side % 8)
        rows = cast("list[list[bool]]", code.modules)
        return int("".join("".join("1" if dark else "0" for dark in row) + padding for row in rows), 2)


class _Flipped(QRData):  # type: ignore[misc] # the library has no types
    """A text as the library takes it, some of its data bits flipped."""

    def __init__(self, data: bytes, mode: int, flipped: int) -> None:
        super().__init__(data, mode=mode, check_data=False)
        self._flipped = flipped

    def write(self, buffer: BitBuffer) -> None:
        plain = BitBuffer()
        super().write(plain)
        buffer.put(_number(plain) ^ self._flipped, len(plain))


def _bits(mode: int, data: bytes) -> int:
    """The data bits of a text as one number, the first bit the highest."""
    buffer = BitBuffer()
    QRData(data, mode=mode, check_data=False).write(buffer)
    return _number(buffer)


def _number(buffer: BitBuffer) -> int:
    """Its bits as one number, the first bit the highest."""
    return int.from_bytes(bytes(buffer.buffer)) >> (-len(buffer) % 8)


def _row_bytes(side: int) -> int:
    return (side + 7) // 8
