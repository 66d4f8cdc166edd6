"""Pictures of pixels, as logos and photographs: opened only if they are fit to be printed."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from reportlab.lib.utils import ImageReader

from rfid_station.errors import PrintError
from rfid_station.printing.geometry import MM_PER_INCH, Box

LARGEST_BYTES = 30 * 2**20
MOST_PIXELS = 60_000_000
"""A card at 2400 dpi has 41 million."""
LEAST_PIXELS = 2
LEAST_DPI = 20
"""Below this nothing can be recognised; what looks good takes far more, which a check tells."""

PRESS_MODES = ("1", "L", "LA", "CMYK")


class Picture:
    """A picture and the bytes it was read from."""

    def __init__(self, file: Path, data: bytes, picture: Image.Image) -> None:
        self.file = file
        self.reader = ImageReader(io.BytesIO(data))
        self.width, self.height = picture.size
        self.mode = picture.mode

    def dpi(self, box: Box) -> float:
        """The resolution it has in a box of mm, in pixels an inch."""
        return min(self.width / box.width, self.height / box.height) * MM_PER_INCH


def opened(file: Path) -> Picture:
    """Read a PNG or JPEG file.

    :raises PrintError: it is too large or too small, or is no picture
    """
    try:
        _check_bytes(file, file.stat().st_size)
        data = file.read_bytes()
        picture = Image.open(io.BytesIO(data))
        _check_size(file, *picture.size)
        picture.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PrintError(
            f"{file.name} cannot be read as a picture", hint="save it again as PNG or JPEG"
        ) from error
    return Picture(file, data, picture)


def check_resolution(picture: Picture, box: Box) -> None:
    """See that a picture has enough pixels for its box.

    :raises PrintError: nothing could be recognised
    """
    if picture.dpi(box) < LEAST_DPI:
        raise PrintError(
            f"{picture.file.name} has {picture.width} × {picture.height} pixels, {picture.dpi(box):.0f} dpi"
            f" in {box.width:.1f} × {box.height:.1f} mm",
            hint="save it with 300 dpi or more at that size, or take an SVG file",
        )


def _check_bytes(file: Path, size: int) -> None:
    if size > LARGEST_BYTES:
        raise PrintError(
            f"{file.name} has {size / 2**20:.0f} MB, and a picture has {LARGEST_BYTES // 2**20} MB at most",
            hint="save it with 600 dpi at the size in which it is printed",
        )


def _check_size(file: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PrintError(
            f"{file.name} has {width} × {height} pixels, and a picture has {MOST_PIXELS // 10**6} million at"
            " most",
            hint="save it with 600 dpi at the size in which it is printed",
        )
    if min(width, height) < LEAST_PIXELS:
        raise PrintError(
            f"{file.name} has {width} × {height} pixels, which shows nothing",
            hint="save it with 300 dpi or more at the size in which it is printed",
        )
