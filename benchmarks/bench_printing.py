"""How fast cards come onto A4 sheets, in how many bytes and how much memory, beside others.

CPU time, each in a process of its own, peers after us in the same run. Ours is the shipped design with logo,
shapes, bleed and crop marks; what the others draw is told in `printing_peers`. Of every file the codes of the
first and the last page are read back.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Face = dict[str, str]

CARDS = 10_000
GOALS = {"ReportLab, plain use": 50, "typst": 20}
"""How many times faster than these we want to be."""


def faces(count: int) -> list[Face]:
    return [
        {
            "visual_number": f"EXM-{(4711 + 7919 * n) % 10_000:04d}-{(815 + 4729 * n) % 10_000:04d}-{n % 10}",
            "contract_id": f"DE-EXM-C{n:08d}-X",
            "qr_link": f"HTTPS://CARDS.EXAMPLE.COM/C/{(n + 1) * 82_589_933 % 10**12:012d}",
        }
        for n in range(count)
    ]


def ours(cards: Sequence[Face]) -> bytes:
    from rfid_station.printing.brand import load_brand
    from rfid_station.printing.design_file import load_design
    from rfid_station.printing.layout import load_layout
    from rfid_station.printing.sheet import render_sheets

    design, brand, layout = load_design("classic"), load_brand("example"), load_layout("a4-10up")
    return render_sheets(design, brand, layout, cards, job="bench").pdf


def measure(name: str, count: int) -> None:
    """In a process of its own: draw, and tell what it took."""
    if name == "ours":
        work: Callable[[Sequence[Face]], bytes] = ours
    else:
        from printing_peers import PEERS

        work = PEERS[name][1]
    cards = faces(count)
    work(cards[:10])  # imports, fonts and templates are read once by everybody
    start = time.process_time()
    pdf = work(cards)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "bytes": len(pdf), "peak": peak, "read": read_back(pdf, cards)}))


def read_back(pdf: bytes, cards: Sequence[Face]) -> str:
    """How many codes of the first and the last page another library reads."""
    import pypdfium2
    import zxingcpp

    document = pypdfium2.PdfDocument(pdf)
    pages = (len(cards) + 9) // 10
    read = expected = 0
    for page in {0, pages - 1}:
        links = {card["qr_link"] for card in cards[page * 10 : page * 10 + 10]}
        picture = document[page].render(scale=300 / 72).to_pil()
        read += len(links & {code.text for code in zxingcpp.read_barcodes(picture)})
        expected += len(links)
    document.close()
    return f"{read}/{expected}"


def measured(name: str, count: int) -> float:
    """Cards per second of CPU, told in a line."""
    here = Path(__file__)
    paths = [str(here.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, here, name, str(count)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    speed = float(count / told["seconds"])
    print(
        f"{name:22}{count:7} cards {speed:8.0f} cards/s {told['bytes'] / count:8.0f} bytes/card"
        f" {told['peak']:6.0f} MB at most, {told['read']} codes read",
        flush=True,
    )
    return speed


def preview_seconds() -> float:
    """From the command of a person to the picture of a card's sheet: a whole process."""
    code = (
        "from benchmarks.bench_printing import faces, ours\n"
        "from rfid_station.printing.preview import preview_png\n"
        "preview_png(ours(faces(1)))"
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
    return time.perf_counter() - start


def main() -> None:
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    from printing_peers import PEERS

    best = max(measured("ours", CARDS) for _ in range(2))
    for name, (count, _) in PEERS.items():
        speed = measured(name, count)
        goal = f", {GOALS[name]} × wanted" if name in GOALS else ""
        print(f"{'':22}we are {best / speed:.0f} × as fast{goal}")
    print(f"a picture of one card's sheet, whole process: {preview_seconds():.2f} s")


if __name__ == "__main__":
    main()
