"""A TrueType font in a PDF, from which glyphs can be taken that no character stands for.

ReportLab gives out codes of a font by characters. Letters that are joined or stacked are glyphs
without one: each gets a stand-in from a private plane, and the PDF says which letters it means
(ISO 32000-1, 9.10.3), so that its text can be searched and read aloud.
"""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.pdfbase.pdfdoc import PDFDocument
from reportlab.pdfbase.ttfonts import TTFont

_FIRST_STAND_IN = 0xF0000
_MOST_AT_ONCE = 100
"""Entries of one block of a character map (Adobe technical note 5014)."""


class EmbeddedFont(TTFont):  # type: ignore[misc] # the library has no types
    """A font that is registered with ReportLab."""

    def __init__(self, name: str, file: str) -> None:
        super().__init__(name, file, asciiReadable=False)
        self._stand_ins: dict[tuple[int, str], int] = {}
        self._meanings: dict[int, str] = {}

    def character_for(self, glyph: int, meaning: str) -> str:
        """What stands for a glyph in texts that ReportLab is given; `meaning` are the letters it shows."""
        code = self._stand_ins.get((glyph, meaning))
        if code is None:
            code = _FIRST_STAND_IN + len(self._stand_ins)
            self._stand_ins[glyph, meaning] = code
            self._meanings[code] = meaning
            self.face.charToGlyph[code] = glyph
            self.face.charWidths[code] = self.face._pdfScale(self.face.hmetrics[glyph][0])
        return chr(code)

    def width_of(self, character: str) -> float:
        """How wide the PDF says that a character or stand-in is, in parts of the font size."""
        return float(self.face.getCharWidth(ord(character))) / 1000

    def addObjects(self, doc: PDFDocument) -> None:  # noqa: N802 - ReportLab calls it by this name
        """Write the font into a document, and the letters behind stand-ins."""
        subsets = self.state[doc].subsets if doc in self.state else []
        internal = [self.getSubsetInternalName(number, doc)[1:] for number in range(len(subsets))]
        super().addObjects(doc)
        fonts = doc.idToObject["BasicFonts"].dict
        for name, subset in zip(internal, subsets, strict=True):
            if not self._meanings.keys().isdisjoint(subset):
                stream = doc.idToObject[fonts[name].ToUnicode.name]
                stream.content = _character_map([self._meanings.get(code, chr(code)) for code in subset])


def _character_map(meanings: Sequence[str]) -> str:
    """What each code means, code by code (ISO 32000-1, 9.10.3)."""
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<00> <FF>",
        "endcodespacerange",
    ]
    entries = [
        f"<{code:02X}> <{meaning.encode('utf-16-be').hex().upper()}>"
        for code, meaning in enumerate(meanings)
        if meaning
    ]
    for start in range(0, len(entries), _MOST_AT_ONCE):
        block = entries[start : start + _MOST_AT_ONCE]
        lines += [f"{len(block)} beginbfchar", *block, "endbfchar"]
    return "\n".join([*lines, "endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"])
