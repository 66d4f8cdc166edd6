"""Fonts of this machine for scripts that a brand has none for: Noto Sans of that script.

One rule, so that it can be told which font a letter will have: a letter whose Unicode name begins
with DEVANAGARI is set in `NotoSansDevanagari-Regular.ttf` (or `-Bold`), wherever that lies in the
system's folders for fonts.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from rfid_station.printing.fonts import Typeface, font_file
from rfid_station.printing.shaping import script_of

FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)


def with_system_fonts(face: Typeface, text: str, weight: str) -> Typeface:
    """The font with more to stand in for letters of a text that it lacks; `weight` is Regular or Bold."""
    scripts = dict.fromkeys(script_of(character) for character in text if not face.has(character))
    found = [file for script in scripts if (file := _font_of(script, weight))]
    return replace(face, stand_ins=(*face.stand_ins, *map(font_file, found))) if found else face


@cache
def _font_of(script: str, weight: str) -> Path | None:
    wanted = f"NotoSans{script.title()}-{weight}.ttf"
    for folder in FOLDERS:
        for place, _, files in os.walk(Path(folder).expanduser()):
            if wanted in files:
                return Path(place, wanted)
    return None
