"""A pen for thousands of cards: writes the operators itself that the canvas takes long to work out.

`drawString` measures a text again and makes an object of it, and every number passes through Python
code. The operators here are the same, in the same canvas (ISO 32000-1, 8.5, 8.6.8 and 9.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reportlab.pdfbase import pdfmetrics

from rfid_station.printing.brand import Color
from rfid_station.printing.fonts import Typeface
from rfid_station.printing.geometry import Box, Point
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import Pen

_ESCAPED = {
    code: chr(code) if 32 <= code < 127 and chr(code) not in "()\\" else f"\\{code:03o}"
    for code in range(256)
}
"""How the bytes of a string are written (ISO 32000-1, 7.3.4.2)."""


@dataclass(frozen=True, slots=True)
class QuickPen(Pen):
    """Draws what `Pen` draws."""

    _inks: dict[int, tuple[Color, str]] = field(default_factory=dict, compare=False, repr=False)
    """By the identity of a colour: to look a colour itself up takes longer than to write it."""

    def fill_with(self, color: Color) -> None:
        """Use a colour for areas and texts."""
        known = self._inks.get(id(color))
        if known is not None:
            self.canvas.addLiteral(known[1])
            return
        if color.spot and self.color_space is ColorSpace.CMYK:
            Pen.fill_with(self, color)  # the page has to name the ink
            return
        parts, operator = (color.cmyk, "k") if self.color_space is ColorSpace.CMYK else (color.rgb, "rg")
        self._inks[id(color)] = (color, " ".join([*map(_number, parts), operator]))
        self.canvas.addLiteral(self._inks[id(color)][1])

    def write(
        self,
        text: str,
        at: Point,
        face: Typeface,
        size_pt: float,
        tracking: float = 0,
        *,
        right_to_left: bool | None = None,
    ) -> None:
        """Write one line, each part of it in the font that has its letters."""
        if face.stand_ins or not text.isascii():
            Pen.write(self, text, at, face, size_pt, tracking, right_to_left=right_to_left)
        else:
            self.text(text, at, face.name, size_pt, tracking)

    def rect(self, box: Box, radius_mm: float = 0) -> None:
        """Fill a rectangle."""
        if radius_mm:
            Pen.rect(self, box, radius_mm)
            return
        place = (self.x(box.x), self.y(box.bottom), self.x(box.width), self.x(box.height))
        self.canvas.addLiteral(" ".join([*map(_number, place), "re f"]))

    def text(self, text: str, at: Point, font: str, size_pt: float, tracking: float = 0) -> None:
        """Write one line from a point on its baseline; `tracking` is in parts of the size."""
        document = self.canvas._doc
        embedded = pdfmetrics.getFont(font)
        shown = " ".join(
            f"{embedded.getSubsetInternalName(subset, document)} {_number(size_pt)} Tf"
            f" ({codes.decode('latin-1').translate(_ESCAPED)}) Tj"
            for subset, codes in embedded.splitString(text, document)
        )
        spread = f"{_number(tracking * size_pt)} Tc " if tracking else ""
        end = " 0 Tc ET" if tracking else " ET"
        self.canvas.addLiteral(
            f"BT {spread}1 0 0 1 {_number(self.x(at[0]))} {_number(self.y(at[1]))} Tm {shown}{end}"
        )


def _number(value: float) -> str:
    """To a ten-thousandth: of a point less than a printer's dot, of a colour less than one of its steps."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
