"""How long a card takes on an A4 sheet, and how many bytes, beside ReportLab used the plain way. CPU time.

The peer is another program for a card that shows less: a filled box, seven texts, and the code as the
picture that `qrcode` makes with the mask it finds best. It draws everything anew on each card.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable

import qrcode
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from rfid_station.printing.brand import load_brand
from rfid_station.printing.design import ErrorCorrection, load_design
from rfid_station.printing.layout import load_layout
from rfid_station.printing.preview import preview_png
from rfid_station.printing.qr_code import qr_matrix
from rfid_station.printing.sheet import CardFace, render_sheets

CARDS = 1000
PEER_CARDS = 200
MM = 72 / 25.4

FACES: list[CardFace] = [
    {
        "visual_number": f"EXM-{(4711 + 7919 * n) % 10_000:04d}-{(815 + 4729 * n) % 10_000:04d}-{n % 10}",
        "contract_id": f"DE-EXM-C{n:08d}-X",
        "qr_link": f"HTTPS://CARDS.EXAMPLE.COM/C/{(n + 1) * 82_589_933 % 10**12:012d}",
    }
    for n in range(CARDS)
]


def ours() -> bytes:
    design, brand, layout = load_design("classic"), load_brand("example"), load_layout("a4-10up")
    return render_sheets(design, brand, layout, FACES, job="bench").pdf


def plainly() -> bytes:
    target = io.BytesIO()
    canvas = Canvas(target, pageCompression=1)
    for number, face in enumerate(FACES[:PEER_CARDS]):
        canvas.saveState()
        canvas.translate((18.15 + number % 2 * 88.1) * MM, (8.55 + number % 10 // 2 * 56.48) * MM)
        draw_plainly(canvas, face)
        canvas.restoreState()
        if number % 10 == 9:
            canvas.showPage()
    canvas.save()
    return target.getvalue()


def draw_plainly(canvas: Canvas, face: CardFace) -> None:
    canvas.setFillColorRGB(0.04, 0.16, 0.23)
    canvas.rect(0, 60, 85.6 * MM, 30 * MM, stroke=0, fill=1)
    canvas.setFillColorRGB(0, 0, 0)
    for line, text in enumerate(
        (face["visual_number"], face["contract_id"], "Contract", "Hotline", "Issuer", "Scan for help", "100")
    ):
        canvas.setFont("Helvetica", 7)
        canvas.drawString(17, 50 - 6 * line, text)
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_Q)
    code.add_data(face["qr_link"], optimize=0)
    picture = io.BytesIO()
    code.make_image().save(picture)
    canvas.drawImage(ImageReader(io.BytesIO(picture.getvalue())), 60 * MM, 5 * MM, 21 * MM, 21 * MM)


def timed(work: Callable[[], bytes]) -> tuple[float, bytes]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def report(name: str, cards: int, work: Callable[[], bytes]) -> bytes:
    runs = [timed(work) for _ in range(3)]
    seconds = min(seconds for seconds, _ in runs)
    pdf = runs[0][1]
    print(
        f"{name:24}{cards:6} cards {seconds / cards * 1000:8.2f} ms CPU/card {cards / seconds:8.0f} cards/s"
        f" {len(pdf) / cards:8.0f} bytes/card"
    )
    return pdf


def main() -> None:
    pdf = report("sheets", CARDS, ours)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("ReportLab, plain use", PEER_CARDS, plainly)
    codes, _ = timed(lambda: b"".join(qr_matrix(f["qr_link"], ErrorCorrection.Q).bits for f in FACES))
    preview, _ = timed(lambda: preview_png(pdf))
    print(f"{'of which codes':24}{CARDS:6} cards {codes / CARDS * 1000:8.2f} ms CPU/card")
    print(
        f"preview of a sheet at 110 dpi: {preview * 1000:.0f} ms CPU; peak memory of the sheets {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
