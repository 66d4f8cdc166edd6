"""Pictures as sixels, for terminals that take them (DEC STD 070): bands of six lines, in 255 colours."""

from __future__ import annotations

import io
from itertools import groupby

from PIL import Image

_COLORS = 255
_BAND = 6
_LEAST_RUN = 4
"""From so many equal signs on, a count is shorter."""


def sixels(png: bytes, widest: int) -> str:
    """A PNG as sixels, at most so many pixels wide."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > widest:
        picture = picture.resize(
            (widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS
        )
    indexed = picture.quantize(_COLORS)
    palette = indexed.getpalette() or []
    registers = "".join(
        f"#{number};2;" + ";".join(str(round(part / 2.55)) for part in palette[3 * number : 3 * number + 3])
        for number in range(len(palette) // 3)
    )
    width, height = indexed.size
    pixels = indexed.tobytes()
    bands = [
        _band([pixels[row * width : (row + 1) * width] for row in range(top, min(top + _BAND, height))])
        for top in range(0, height, _BAND)
    ]
    return f'\x1bPq"1;1;{width};{height}{registers}' + "-".join(bands) + "\x1b\\\n"


def _band(rows: list[bytes]) -> str:
    """Each colour of a band in one pass over its whole width."""
    passes = []
    for color in sorted(set().union(*rows)):
        columns = [0] * len(rows[0])
        for bit, row in enumerate(rows):
            for column, value in enumerate(row):
                if value == color:
                    columns[column] |= 1 << bit
        passes.append(f"#{color}" + "".join(_run(sign, len(list(run))) for sign, run in groupby(columns)))
    return "$".join(passes)


def _run(sign: int, count: int) -> str:
    character = chr(63 + sign)
    return f"!{count}{character}" if count >= _LEAST_RUN else character * count
