"""The fonts of a brand, embedded in every PDF, and what a text needs in them.

Nothing is ever set in a font that does not have the glyph: a PDF would show a box. Where a brand
names several fonts for one use, each letter is set in the first that has it. Scripts that are
joined or run from right to left are shaped.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.bidi import runs_right_to_left
from rfid_station.printing.brand import Brand, Font, ShippedFont
from rfid_station.printing.embedded_font import EmbeddedFont
from rfid_station.printing.shaping import (
    INVISIBLE,
    ShapedRun,
    check_installed,
    is_installed,
    is_mark,
    needs_shaping,
    shaped_line,
)
from rfid_station.small_file import small_bytes

_LARGEST_FONT = 64 << 20
"""Bytes; fonts of all of Unicode have some 30 MB."""
_SHIPPED_PACKAGE = "font_source_sans_pro"
_SHIPPED_FILES: Mapping[ShippedFont, str] = {
    ShippedFont.LIGHT: "SourceSansPro-Light.ttf",
    ShippedFont.REGULAR: "SourceSansPro-Regular.ttf",
    ShippedFont.SEMIBOLD: "SourceSansPro-Semibold.ttf",
    ShippedFont.BOLD: "SourceSansPro-Bold.ttf",
    ShippedFont.BLACK: "SourceSansPro-Black.ttf",
}
_LEAST_WIDTH = 0.001


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font that ReportLab knows by `name`, the characters it has glyphs for, and its stand-ins."""

    name: str
    title: str
    advances: Mapping[str, float]
    """How wide each character is that it has a glyph for, in parts of the font size."""
    glyphs: frozenset[str]
    stand_ins: tuple[Typeface, ...] = ()

    def runs(self, text: str) -> list[tuple[Typeface, str]]:
        """The text in parts, each with the font that it is set in; all glyphs have to be there."""
        if not self.stand_ins or self.glyphs.issuperset(text):
            return [(self, text)]
        runs: list[tuple[Typeface, str]] = []
        for character in text:
            if runs and runs[-1][0]._goes_on_with(character):
                runs[-1] = (runs[-1][0], runs[-1][1] + character)
                continue
            faces = (face for face in (self, *self.stand_ins) if character in face.glyphs)
            face = next(faces, runs[-1][0] if runs else self)
            if runs and runs[-1][0] is face:
                runs[-1] = (face, runs[-1][1] + character)
            else:
                runs.append((face, character))
        return runs

    def _goes_on_with(self, character: str) -> bool:
        """Whether a character has to be in the font of the letter before it."""
        return character in INVISIBLE or (is_mark(character) and character in self.glyphs)

    def shaped(self, text: str, *, right_to_left: bool | None = None) -> list[ShapedRun]:
        """A line that needs shaping, in parts from left to right.

        `right_to_left` says so of the paragraph that the line is of; else its first letter does.
        """
        if right_to_left is None:
            right_to_left = runs_right_to_left(text)
        return shaped_line(
            text,
            lambda part: [(face.name, run) for face, run in self.runs(part)],
            right_to_left=right_to_left,
        )

    def width(self, text: str, tracking: float) -> float:
        """How wide a text is, in parts of the font size; `tracking` lies between its letters.

        Letters that are joined or stacked cannot be spread: there it is none.
        """
        if needs_shaping(text) and is_installed():
            return sum(glyph.advance for run in self.shaped(text) for glyph in run.glyphs)
        if self.stand_ins:
            letters = sum(sum(map(face.advances.__getitem__, run)) for face, run in self.runs(text))
        else:
            letters = sum(map(self.advances.__getitem__, text))
        return letters + tracking * (len(text) - 1)

    def fitted_size(self, text: str, tracking: float, width_pt: float, sizes: tuple[float, float]) -> float:
        """The largest font size, in points, at which a text is no wider than `width_pt`.

        `sizes` are the smallest and the largest one allowed.

        :raises PrintError: a character has no glyph, or the smallest size is still too large
        """
        self.check_glyphs(text)
        smallest, largest = sizes
        fitting = min(largest, width_pt / max(self.width(text, tracking), _LEAST_WIDTH))
        if fitting < smallest:
            raise PrintError(
                f"{text!r} is too long: it would fit at {fitting:.1f} pt, and {smallest:g} pt is the least",
                hint="shorten it, or give it more width or a smaller min_size in the template",
            )
        return fitting

    def wrapped(
        self, text: str, tracking: float, width_pt: float, lines: int, sizes: tuple[float, float]
    ) -> tuple[float, list[str]]:
        """The largest font size at which a text takes no more than some lines, and these lines.

        Lines end at spaces only.

        :raises PrintError: a character has no glyph, or the smallest size is still too large
        """
        self.check_glyphs(text)
        smallest, largest = sizes
        size = largest
        while True:
            broken = self._broken(text, tracking, width_pt / size)
            if len(broken) <= lines and all(
                self.width(line, tracking) * size <= width_pt + _LEAST_WIDTH for line in broken
            ):
                return size, broken
            if size <= smallest:
                raise PrintError(
                    f"{text!r} is too long: it takes more than {lines} lines at {smallest:g} pt",
                    hint="shorten it, or give it more width, lines or a smaller min_size in the template",
                )
            size = max(smallest, size - _STEP_PT)

    def _broken(self, text: str, tracking: float, width: float) -> list[str]:
        lines: list[str] = []
        for gap, word in words(" ".join(text.split())):
            longer = f"{lines[-1]}{gap}{word}" if lines else word
            if lines and self.width(longer, tracking) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def check_glyphs(self, text: str) -> None:
        """See that the text can be set.

        :raises PrintError: a character has no glyph, or its script takes what is not installed
        """
        if self.glyphs.issuperset(text):
            check_installed(text)
            return
        missing = next((character for character in text if not self.has(character)), None)
        if missing is not None:
            raise PrintError(
                f"{self._says_no()} glyph for {missing!r} (U+{ord(missing):04X}, {_named(missing)})"
                f" of {text!r}",
                hint="name a .ttf file that has it in the brand's [fonts], or write the text without it",
            )
        check_installed(text)

    def has(self, character: str) -> bool:
        """Whether this font or a stand-in has a glyph for a character, or it needs none."""
        return character in INVISIBLE or any(character in face.glyphs for face in (self, *self.stand_ins))

    def _says_no(self) -> str:
        if not self.stand_ins:
            return f"font {self.title} has no"
        return f"none of the fonts {', '.join(face.title for face in (self, *self.stand_ins))} has a"


_STEP_PT = 0.25
_BREAK = "\u200b"
"""Where a line may end in scripts without spaces."""


def _named(character: str) -> str:
    return unicodedata.name(character, "control character")


def typeface(brand: Brand, role: str) -> Typeface:
    """The font that a brand uses in a role, as `regular` or `bold`, with its stand-ins.

    :raises WrongCall: the brand has no font for it, or its file is no TrueType font
    """
    return _chain(brand.font(role))


def house_typeface() -> Typeface:
    """The font for what stands on a sheet beside the cards."""
    return _chain((ShippedFont.REGULAR,))


def font_file(file: Path) -> Typeface:
    """The font of a file, on its own.

    :raises WrongCall: it is no TrueType font
    """
    return _registered(file)


def words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a text, each with what parts it from the one before: a space, or, at U+200B, nothing."""
    for part in text.split(" "):
        for number, word in enumerate(part.split(_BREAK)):
            yield "" if number else " ", word


def normal_form(text: str) -> str:
    """The text with accents composed (NFC), since fonts have `ü` and not `u` with a dieresis behind it."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@cache
def _chain(fonts: tuple[Font, ...]) -> Typeface:
    first, *others = (_registered(_file(font)) for font in fonts)
    return replace(first, stand_ins=tuple(others))


def _file(font: Font) -> Path:
    if not isinstance(font, ShippedFont):
        return font
    try:
        folder = Path(str(resources.files(_SHIPPED_PACKAGE)))
    except ModuleNotFoundError as error:
        raise WrongCall(
            f"{font} is not installed", hint="python -m pip install font-source-sans-pro"
        ) from error
    return folder / "files" / _SHIPPED_FILES[font]


@cache
def _registered(file: Path) -> Typeface:
    # ReportLab keeps fonts by name for the whole process: the name tells the content, not the place.
    try:
        name = f"font-{sha256(small_bytes(file, _LARGEST_FONT)).hexdigest()[:16]}"
        font = EmbeddedFont(name, str(file))
    except (OSError, TTFError, struct.error, ValueError, IndexError, KeyError) as error:
        raise WrongCall(
            f"{file} is no TrueType font that can be embedded: {error}",
            hint="OpenType fonts with PostScript outlines (CFF) have to be converted to TrueType first",
        ) from error
    pdfmetrics.registerFont(font)
    advances = {chr(code): font.face.charWidths[code] / 1000 for code in font.face.charToGlyph}
    return Typeface(name, file.name, advances, frozenset(advances))
