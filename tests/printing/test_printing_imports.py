"""Reading templates must cost no PDF or picture library."""

from __future__ import annotations

import subprocess
import sys

COSTLY = ("reportlab", "PIL", "qrcode", "pypdfium2")
LIGHT = ("template", "brand", "design", "layout", "field_text", "art.outline", "geometry")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_reading_templates_imports_nothing_costly() -> None:
    statement = "\n".join(f"import rfid_station.printing.{name}" for name in LIGHT)
    assert loaded_after(statement).isdisjoint(COSTLY)


def test_the_probe_would_notice() -> None:
    assert {"reportlab", "qrcode"} <= loaded_after("import rfid_station.printing.sheet")
