"""PDFs as designers send them, made without the program, and what other programs say of a PDF."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pypdfium2
from PIL import Image
from reportlab.lib.colors import CMYKColor, CMYKColorSep
from reportlab.pdfgen.canvas import Canvas

MM = 72 / 25.4
CARD_MM = (85.60, 53.98)
BLEED_CMYK = CMYKColor(0, 1, 0, 0)
INNER_CMYK = CMYKColor(1, 0, 0, 0)

Draw = Callable[[Canvas], None]


def artwork(
    path: Path,
    *,
    bleed: float = 3.0,
    margin: float = 7.0,
    draw: Draw | None = None,
    pages: int = 1,
    trim: bool = True,
    size: tuple[float, float] = CARD_MM,
) -> Path:
    """A card in cyan, its bleed in magenta, on a page with a margin for marks around the bleed."""
    width, height = size
    paper = (width + 2 * margin, height + 2 * margin)
    canvas = Canvas(str(path), pagesize=(paper[0] * MM, paper[1] * MM), invariant=1)
    for page in range(pages):
        if trim:
            canvas.setTrimBox((margin * MM, margin * MM, (margin + width) * MM, (margin + height) * MM))
            out = margin - bleed
            canvas.setBleedBox((out * MM, out * MM, (paper[0] - out) * MM, (paper[1] - out) * MM))
        canvas.setFillColor(BLEED_CMYK)
        canvas.rect(
            (margin - bleed) * MM, (margin - bleed) * MM,
            (width + 2 * bleed) * MM, (height + 2 * bleed) * MM, stroke=0, fill=1,
        )  # fmt: skip
        canvas.setFillColor(INNER_CMYK if page == 0 else CMYKColor(0, 0, 1, 0))
        canvas.rect(margin * MM, margin * MM, width * MM, height * MM, stroke=0, fill=1)
        if draw:
            draw(canvas)
        canvas.showPage()
    canvas.save()
    _take_away_unused_fonts(path)
    return path


def _take_away_unused_fonts(path: Path) -> None:
    """ReportLab names Helvetica in every file; a design program does not."""
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for page in pdf.pages:
            content = page.Contents.read_bytes()
            if b"Tj" not in content:
                page.Contents.write(content.replace(b"BT /F1 12 Tf 14.4 TL ET", b""))
                del page.Resources["/Font"]
        pdf.save(path)


def with_spot(canvas: Canvas) -> None:
    """A square in an ink of its own, in the middle of the card."""
    canvas.setFillColor(CMYKColorSep(0.1, 0.2, 0.9, 0, spotName="PANTONE 123 C", density=1))
    canvas.rect(40 * MM, 25 * MM, 20 * MM, 15 * MM, stroke=0, fill=1)


def with_rgb_picture(canvas: Canvas) -> None:
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), (200, 10, 10))), 40 * MM, 20 * MM, 50, 50)


def with_helvetica(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 9)
    canvas.drawString(40 * MM, 30 * MM, "Tariff")


def changed(pdf: bytes, change: Callable[[pikepdf.Pdf], None]) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        change(opened)
        target = io.BytesIO()
        opened.save(target)
    return target.getvalue()


def picture(pdf: bytes, page: int = 1, dpi: float = 254) -> Image.Image:
    """A page as PDFium draws it: at 254 dpi, a millimetre is ten pixels."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page - 1].render(scale=dpi / 72).to_pil().convert("RGB")
    finally:
        document.close()


def dots(pdf: bytes, page: int = 1, dpi: int = 300) -> Image.Image:
    """A page at the dots of a printer, as poppler draws it, which has the right number of them."""
    path = shutil.which("pdftoppm")
    assert path, "pdftoppm is not here: run `make setup`"
    arguments = ["-r", f"{dpi}", "-f", f"{page}", "-l", f"{page}", "-png", "-singlefile", "-"]
    done = subprocess.run([path, *arguments], input=pdf, capture_output=True, check=True, timeout=60)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def said_by(program: str, *arguments: str | Path) -> str:
    path = shutil.which(program)
    assert path, f"{program} is not here: run `make setup`"
    done = subprocess.run(
        [path, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def fonts_by_poppler(path: Path) -> dict[str, bool]:
    """The fonts of a file, and whether each is embedded, as `pdffonts` tells."""
    lines = said_by("pdffonts", path).splitlines()[2:]
    return {line.split()[0]: re.findall(r"\b(yes|no)\b", line)[0] == "yes" for line in lines}


def separations(path: Path, folder: Path) -> dict[str, float]:
    """How much of each ink is on page 1, from 0 to 1, as Ghostscript separates it."""
    said_by("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dLastPage=1", "-sDEVICE=tiffsep", "-r50",
            f"-sOutputFile={folder}/page.tif", path)  # fmt: skip
    inks = {}
    for file in folder.glob("page(*).tif"):
        ink = file.name.removeprefix("page(").removesuffix(").tif")
        histogram = Image.open(file).convert("L").histogram()
        total = sum(histogram)
        inks[ink] = sum((255 - value) * count for value, count in enumerate(histogram)) / 255 / total
    return inks
