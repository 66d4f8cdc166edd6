"""The codes on a printed page as a phone or a scanner sees them: PDFium draws it, zxing reads it."""

from __future__ import annotations

import pypdfium2
import zxingcpp

DPI = 300


def codes_on(pdf: bytes, page: int = 0) -> list[str]:
    """What every code on a page says."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        picture = document[page].render(scale=DPI / 72).to_pil()
    finally:
        document.close()
    return [code.text for code in zxingcpp.read_barcodes(picture)]
