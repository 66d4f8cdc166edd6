"""How a brand looks on a screen: its logo and colours, checked to be legible."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import BLACK, WHITE, Brand, Color, contrast
from rfid_station.printing.screen_logo import hex_rgb, logo_uri

LEGIBLE = 4.5
"""The least contrast of text (WCAG 2.2, 1.4.3)."""

_STYLE = Path(__file__).parent / "templates" / "page.css"
_PAPER, _NIGHT = Color((1, 1, 1), (0, 0, 0, 0)), Color((0.094, 0.114, 0.133), (0, 0, 0, 1))


@dataclass(frozen=True, slots=True)
class Look:
    """What every page of a brand has in common."""

    brand: Brand
    logo: str
    """A data URI; empty if the brand has none that fits."""
    style: str

    def fields(self, language: str) -> Mapping[str, str]:
        """Issuer, hotline and the rest, in a language."""
        return self.brand.fields_in(language)

    @property
    def policy(self) -> bytes:
        """The content security policy: this style sheet, pictures within the page, and nothing else."""
        digest = b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ).encode()


def look_of(brand: Brand) -> Look:
    """How a brand looks on a screen."""
    head = _color(brand, "primary") or BLACK
    on_head = _legible(head, _color(brand, "on_primary"), WHITE, BLACK)
    colors = {
        "head": head,
        "on-head": on_head,
        "link": _legible(_PAPER, head, BLACK),
        "link-by-night": _legible(_NIGHT, _color(brand, "accent"), WHITE),
    }
    variables = "".join(f"--{name}:{hex_rgb(color.rgb)};" for name, color in colors.items())
    style = f":root{{{variables}}}\n{_STYLE.read_text('utf-8')}"
    return Look(brand, _logo(brand, "on_primary" if on_head.luminance > head.luminance else "primary"), style)


def _logo(brand: Brand, name: str) -> str:
    """The brand's logo for a dark ground, or for a light one, or none."""
    try:
        return logo_uri(brand, name)
    except (WrongCall, PrintError):
        return ""


def _color(brand: Brand, name: str) -> Color | None:
    return brand.colors.get(name)


def _legible(ground: Color, *wanted: Color | None) -> Color:
    """The first colour that can be read on a ground; the last one can."""
    colors = [color for color in wanted if color]
    return next((color for color in colors if contrast(ground, color) >= LEGIBLE), colors[-1])
