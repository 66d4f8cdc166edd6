"""The same ten cards on an A4 sheet by others, used as their manuals show: a field, six texts, a code each.

They show less than our card (no logo, no shapes, no bleed, no marks). Codes are made by `qrcode` with the
mask it finds best, or, where a name ends in `+`, handed over by our encoder, so that only drawing counts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import qrcode
import typst
from fpdf import FPDF
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from rfid_station.printing.codes.qr_code import qr_matrix
from rfid_station.printing.layer import ErrorCorrection

Face = Mapping[str, str]
Rows = list[list[bool]]

MM = 72 / 25.4
TEXTS = ("Contract", "Hotline", "Issuer", "Scan for help")


def best_mask(link: str) -> Rows:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_Q, border=0)
    code.add_data(link, optimize=0)
    code.make()
    return [[bool(module) for module in row] for row in code.modules]


def by_table(link: str) -> Rows:
    matrix = qr_matrix(link, ErrorCorrection.Q)
    width = (matrix.side + 7) // 8
    rows = (matrix.bits[row * width : (row + 1) * width] for row in range(matrix.side))
    return [[bool(row[x // 8] >> (7 - x % 8) & 1) for x in range(matrix.side)] for row in rows]


def slot(number: int) -> tuple[float, float]:
    return 18.15 + number % 2 * 88.1, 8.55 + number % 10 // 2 * 56.48


def plain_reportlab(faces: Sequence[Face]) -> bytes:
    target = io.BytesIO()
    canvas = Canvas(target, pageCompression=1)
    for number, face in enumerate(faces):
        if number and number % 10 == 0:
            canvas.showPage()
        left, top = slot(number)
        canvas.saveState()
        canvas.translate(left * MM, (297 - top - 53.98) * MM)
        canvas.setFillColorRGB(0.04, 0.16, 0.23)
        canvas.rect(0, 60, 85.6 * MM, 30 * MM, stroke=0, fill=1)
        canvas.setFillColorRGB(0, 0, 0)
        for line, text in enumerate((face["visual_number"], face["contract_id"], *TEXTS)):
            canvas.setFont("Helvetica", 7)
            canvas.drawString(17, 50 - 6 * line, text)
        code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_Q)
        code.add_data(face["qr_link"], optimize=0)
        picture = io.BytesIO()
        code.make_image().save(picture)
        canvas.drawImage(ImageReader(io.BytesIO(picture.getvalue())), 60 * MM, 5 * MM, 21 * MM, 21 * MM)
        canvas.restoreState()
    canvas.save()
    return target.getvalue()


def fpdf2(faces: Sequence[Face], code: Callable[[str], Rows] = best_mask) -> bytes:
    pdf = FPDF(unit="mm", format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_font("Helvetica", size=7)
    for number, face in enumerate(faces):
        if number % 10 == 0:
            pdf.add_page()
        left, top = slot(number)
        pdf.set_fill_color(10, 42, 59)
        pdf.rect(left, top, 85.6, 28, style="F")
        for line, text in enumerate((face["visual_number"], face["contract_id"], *TEXTS)):
            pdf.text(left + 6, top + 36 + 2.2 * line, text)
        rows = code(face["qr_link"])
        module = 16.5 / len(rows)
        pdf.set_fill_color(0, 0, 0)
        for y, row in enumerate(rows):
            for x, width in runs(row):
                pdf.rect(left + 62 + x * module, top + 30 + y * module, width * module, module, style="F")
    return bytes(pdf.output())


def by_typst(faces: Sequence[Face], code: Callable[[str], Rows] = best_mask) -> bytes:
    lines = ['#set page(paper: "a4", margin: 0mm)', "#set text(size: 7pt)"]
    for number, face in enumerate(faces):
        if number and number % 10 == 0:
            lines.append("#pagebreak()")
        left, top = slot(number)
        lines.append(
            f"#place(dx: {left}mm, dy: {top}mm, rect(width: 85.6mm, height: 28mm, fill: rgb(10, 42, 59)))"
        )
        for line, text in enumerate((face["visual_number"], face["contract_id"], *TEXTS)):
            lines.append(f"#place(dx: {left + 6}mm, dy: {top + 34 + 2.2 * line}mm)[{text}]")
        svg = as_svg(code(face["qr_link"])).replace('"', '\\"')
        picture = f'image(bytes("{svg}"), format: "svg", width: 16.5mm)'
        lines.append(f"#place(dx: {left + 62}mm, dy: {top + 30}mm, {picture})")
    return bytes(typst.compile("\n".join(lines).encode()))


def as_svg(rows: Rows) -> str:
    path = "".join(f"M{x} {y}h{width}v1h-{width}z" for y, row in enumerate(rows) for x, width in runs(row))
    side = len(rows)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"><path d="{path}"/></svg>'


def runs(row: list[bool]) -> list[tuple[int, int]]:
    """Where dark modules begin, and how many there are side by side."""
    found: list[tuple[int, int]] = []
    for x, is_dark in enumerate(row):
        if is_dark and found and sum(found[-1]) == x:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif is_dark:
            found.append((x, 1))
    return found


PEERS: dict[str, tuple[int, Callable[[Sequence[Face]], bytes]]] = {
    "ReportLab, plain use": (200, plain_reportlab),
    "fpdf2": (200, fpdf2),
    "fpdf2 +": (200, lambda faces: fpdf2(faces, by_table)),
    "typst": (500, by_typst),
    "typst +": (500, lambda faces: by_typst(faces, by_table)),
}
"""How many cards each is given, and how it draws them."""
