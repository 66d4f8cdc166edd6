"""The shipped designs look as they did when somebody last looked at them.

After a change that is meant: RENEW_PICTURES=1 pytest tests/printing/test_golden_cards.py, then look at each
picture in tests/printing/golden.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFilter

from rfid_station.printing.brand import Brand
from rfid_station.printing.card_picture import card_png
from rfid_station.printing.design_file import load_design
from rfid_station.printing.samples import usual_face

GOLDEN = Path(__file__).parent / "golden"
DPI = 110
MOST_DIFFERENT = 40
"""Of 255, after edges were blurred: renderers place an edge a little differently."""


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any pixel, edges blurred."""
    blur = ImageFilter.GaussianBlur(1.5)
    return max(high for _, high in ImageChops.difference(one.filter(blur), other.filter(blur)).getextrema())


@pytest.mark.parametrize("name", ["classic", "bilingual", "preprinted"])
def test_it_looks_as_it_did(name: str, example: Brand) -> None:
    png = card_png(load_design(name), example, usual_face(), dpi=DPI)
    golden = GOLDEN / f"{name}.png"
    if os.environ.get("RENEW_PICTURES"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(png)
    with Image.open(golden) as kept, Image.open(io.BytesIO(png)) as made:
        assert kept.size == made.size
        assert difference(kept.convert("RGB"), made.convert("RGB")) <= MOST_DIFFERENT


def test_a_moved_or_missing_text_is_noticed(example: Brand) -> None:
    with Image.open(GOLDEN / "classic.png") as kept:
        for face in ({"contract_id": "NL-EXM-C48213075-J"}, {"visual_number": "EXM-4821-3075-8"}):
            made = card_png(load_design("classic"), example, {**usual_face(), **face}, dpi=DPI)
            with Image.open(io.BytesIO(made)) as other:
                assert difference(kept.convert("RGB"), other.convert("RGB")) > MOST_DIFFERENT
