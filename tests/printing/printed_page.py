"""A printed page as others see it: PDFium its picture and text, pikepdf its objects, zxing its codes.

Knows where cards lie on the A4 sheet by figures of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pikepdf
import pypdfium2
import zxingcpp
from PIL import Image

MM = 72 / 25.4
PAPER_MM = (210.0, 297.0)
CARD_MM = (85.60, 53.98)
BLEED_MM = 1.25

Box = tuple[float, float, float, float]


def slot(position: int) -> Box:
    """Left, top, right and bottom of a trimmed card, in mm from the top left corner of the paper."""
    left = 18.15 + (position - 1) % 2 * 88.10
    top = 8.55 + (position - 1) // 2 * 56.48
    return left, top, left + CARD_MM[0], top + CARD_MM[1]


def rendered(pdf: bytes, page: int = 1, dpi: int = 200) -> Image.Image:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page - 1].render(scale=dpi / 72).to_pil().convert("RGB")
    finally:
        document.close()


def cut(picture: Image.Image, box: Box, dpi: int) -> Image.Image:
    return picture.crop(tuple(round(edge / 25.4 * dpi) for edge in box))


def pixel(picture: Image.Image, x_mm: float, y_mm: float, dpi: int) -> tuple[int, ...]:
    return picture.getpixel((int(x_mm / 25.4 * dpi), int(y_mm / 25.4 * dpi)))


def codes(picture: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)]


def text_within(pdf: bytes, page: int, box: Box) -> str:
    document = pypdfium2.PdfDocument(pdf)
    left, top, right, bottom = box
    try:
        return (
            document[page - 1]
            .get_textpage()
            .get_text_bounded(left * MM, (PAPER_MM[1] - bottom) * MM, right * MM, (PAPER_MM[1] - top) * MM)
        )
    finally:
        document.close()


def text_of(pdf: bytes, page: int) -> str:
    return text_within(pdf, page, (0, 0, *PAPER_MM))


def character_boxes(pdf: bytes, page: int) -> Iterator[tuple[str, Box]]:
    """Every visible character with the ink around it, in mm from the top left corner of the paper."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        text = document[page - 1].get_textpage()
        for index in range(text.count_chars()):
            character = text.get_text_range(index, 1)
            if character.strip():
                left, bottom, right, top = (edge / MM for edge in text.get_charbox(index))
                yield character, (left, PAPER_MM[1] - top, right, PAPER_MM[1] - bottom)
    finally:
        document.close()


def streams(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Object]:
    """The content of every page, and every form."""
    for page in pdf.pages:
        yield page.Contents
    for thing in pdf.objects:
        if isinstance(thing, pikepdf.Stream) and thing.get("/Subtype") == "/Form":
            yield thing


def operators(pdf: pikepdf.Pdf) -> set[str]:
    return {
        str(instruction.operator)
        for stream in streams(pdf)
        for instruction in pikepdf.parse_content_stream(stream)
    }


def placed_forms(page: pikepdf.Page, name: str) -> list[Box]:
    """Where each use of a form lies, frame included, in mm from the top left corner of the paper."""
    frame = [float(edge) / MM for edge in page.Resources.XObject[name].BBox]
    placed, shift = [], (0.0, 0.0)
    for instruction in pikepdf.parse_content_stream(page):
        operands = [instruction.operands[index] for index in range(len(instruction.operands))]
        match str(instruction.operator):
            case "cm" if [float(value) for value in operands[:4]] == [1, 0, 0, 1]:
                shift = (float(operands[4]) / MM, float(operands[5]) / MM)
            case "Do" if str(operands[0]) == name:
                left, right = shift[0] + frame[0], shift[0] + frame[2]
                top, bottom = PAPER_MM[1] - shift[1] - frame[3], PAPER_MM[1] - shift[1] - frame[1]
                placed.append((left, top, right, bottom))
    return placed
