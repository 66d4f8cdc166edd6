"""Files in one archive whose bytes depend on the files and on nothing else."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from math import ceil

from PIL import Image

from rfid_station.printing.codes.modules import Modules
from rfid_station.printing.codes.qr_code import QrMatrix
from rfid_station.printing.geometry import Box

CHECKSUMS = "SHA256SUMS"
CODE_DPI = 1200
"""What bureaus want of pictures of one bit."""

_MM_PER_INCH = 25.4
_OLDEST = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16


def archived(files: Mapping[str, bytes]) -> bytes:
    """A ZIP file of some files and a list of their SHA-256, for `sha256sum -c SHA256SUMS`."""
    sums = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in sorted({**files, CHECKSUMS: sums.encode()}.items()):
            entry = zipfile.ZipInfo(name, _OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _READABLE_FILE
            archive.writestr(entry, data)
    return target.getvalue()


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """A table as text: UTF-8 with a byte order mark, since a spreadsheet guesses otherwise."""
    target = io.StringIO()
    writer = csv.DictWriter(target, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode("utf-8-sig")


def code_picture(code: QrMatrix | Modules, box: Box) -> bytes:
    """A code as PNG of one bit without its quiet zone, as large as its box at 1200 dpi or a little more."""
    columns, rows = (code.columns, code.rows) if isinstance(code, Modules) else (code.side, code.side)
    small = Image.frombytes("1", (columns, rows), bytes(byte ^ 0xFF for byte in code.bits))
    dots = ceil(box.width / _MM_PER_INCH * CODE_DPI / columns)
    height = rows * dots if rows > 1 else ceil(box.height / box.width * columns * dots)
    dpi = columns * dots / box.width * _MM_PER_INCH
    target = io.BytesIO()
    small.resize((columns * dots, height), Image.Resampling.NEAREST).save(target, "PNG", dpi=(dpi, dpi))
    return target.getvalue()
