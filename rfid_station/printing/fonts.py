"""The fonts of a brand, embedded in every PDF, and what a text needs in them.

Nothing is ever set in a font that does not have the glyph: a PDF would show a box.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand, Font, ShippedFont

_SHIPPED_FILES: Mapping[ShippedFont, str] = {
    ShippedFont.REGULAR: "Vera.ttf",
    ShippedFont.BOLD: "VeraBd.ttf",
    ShippedFont.ITALIC: "VeraIt.ttf",
    ShippedFont.BOLD_ITALIC: "VeraBI.ttf",
}


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font that ReportLab knows by `name`, and the characters it has glyphs for."""

    name: str
    title: str
    glyphs: frozenset[str]

    def width(self, text: str, tracking: float) -> float:
        """How wide a text is, in parts of the font size; `tracking` lies between its letters."""
        return float(pdfmetrics.stringWidth(text, self.name, 1)) + tracking * (len(text) - 1)

    def fitted_size(self, text: str, tracking: float, width_pt: float, sizes: tuple[float, float]) -> float:
        """The largest font size, in points, at which a text is no wider than `width_pt`.

        `sizes` are the smallest and the largest one allowed.

        :raises PrintError: a character has no glyph, or the smallest size is still too large
        """
        self._check_glyphs(text)
        smallest, largest = sizes
        fitting = min(largest, width_pt / max(self.width(text, tracking), 0.001))
        if fitting < smallest:
            raise PrintError(
                f"{text!r} is too long: it would fit at {fitting:.1f} pt, and {smallest:g} pt is the least",
                hint="shorten it, or give it more width or a smaller min_size in the template",
            )
        return fitting

    def _check_glyphs(self, text: str) -> None:
        if self.glyphs.issuperset(text):
            return
        missing = next(character for character in text if character not in self.glyphs)
        name = unicodedata.name(missing, "control character")
        raise PrintError(
            f"font {self.title} has no glyph for {missing!r} (U+{ord(missing):04X}, {name}) of {text!r}",
            hint="name a .ttf file that has it in the brand's [fonts], or write the text without it",
        )


def typeface(brand: Brand, role: str) -> Typeface:
    """The font that a brand uses in a role, as `regular` or `bold`.

    :raises WrongCall: the brand has no font for it, or its file is no TrueType font
    """
    return _registered(_file(brand.font(role)))


def house_typeface() -> Typeface:
    """The font for what stands on a sheet beside the cards."""
    return _registered(_file(ShippedFont.REGULAR))


def normal_form(text: str) -> str:
    """The text with accents composed (NFC), since fonts have `ü` and not `u` with a dieresis behind it."""
    return unicodedata.normalize("NFC", text)


def _file(font: Font) -> Path:
    if isinstance(font, ShippedFont):
        return Path(reportlab.__file__).parent / "fonts" / _SHIPPED_FILES[font]
    return font


@cache
def _registered(file: Path) -> Typeface:
    # ReportLab keeps fonts by name for the whole process: the name tells the content, not the place.
    try:
        name = f"font-{sha256(file.read_bytes()).hexdigest()[:16]}"
        font = TTFont(name, str(file), asciiReadable=False)
    except (OSError, TTFError, struct.error, ValueError, IndexError, KeyError) as error:
        raise WrongCall(
            f"{file} is no TrueType font that can be embedded: {error}",
            hint="OpenType fonts with PostScript outlines (CFF) have to be converted to TrueType first",
        ) from error
    pdfmetrics.registerFont(font)
    return Typeface(name, file.name, frozenset(map(chr, font.face.charToGlyph)))
