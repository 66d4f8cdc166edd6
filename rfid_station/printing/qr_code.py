"""QR codes as bit matrices, by the library `qrcode`.

Every code gets the same mask. Choosing the best of eight (ISO/IEC 18004, 7.8.3) takes nine
tenths of the time, and a reader learns the mask from the code itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

from qrcode import constants
from qrcode.exceptions import DataOverflowError
from qrcode.main import QRCode
from qrcode.util import MODE_8BIT_BYTE, MODE_ALPHA_NUM, MODE_NUMBER, QRData

from rfid_station.errors import PrintError
from rfid_station.printing.design import ErrorCorrection

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
_SAMPLES = {MODE_NUMBER: b"0", MODE_ALPHA_NUM: b"A", MODE_8BIT_BYTE: b"a"}


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
    data = QRData(payload.encode())
    level = _LEVELS[error_correction]
    try:
        version = _smallest_version(data.mode, len(data), level)
    except (DataOverflowError, ValueError) as error:  # the library says it in either way
        raise PrintError(
            f"{len(payload)} characters do not fit into a QR code at level {error_correction}",
            hint="shorten the card's link",
        ) from error
    code = QRCode(version=version, error_correction=level, mask_pattern=_MASK)
    code.add_data(data)
    code.make(fit=False)
    return QrMatrix(code.modules_count, b"".join(map(_packed, cast("list[list[bool]]", code.modules))))


@cache
def _smallest_version(mode: int, length: int, level: int) -> int:
    code = QRCode(error_correction=level)
    code.add_data(QRData(_SAMPLES[mode] * length, mode=mode))
    return int(code.best_fit())


def _packed(row: list[bool]) -> bytes:
    padding = -len(row) % 8
    number = int("".join("1" if is_dark else "0" for is_dark in row), 2) << padding
    return number.to_bytes((len(row) + padding) // 8)
