"""A brand as its template file tells it: who issues the card, in which colours, fonts and logos.

Colours are given for the screen and office printers (RGB) and for the press (CMYK), since
neither can be computed from the other without a profile of the press.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from rfid_station.errors import WrongCall
from rfid_station.printing.geometry import Box
from rfid_station.printing.outline import Outline, parse_outline
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

Thing = TypeVar("Thing")

_HEX_RGB = re.compile(r"#([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Color:
    """One colour, each component from 0 to 1."""

    rgb: tuple[float, float, float]
    cmyk: tuple[float, float, float, float]

    @property
    def luminance(self) -> float:
        """Relative luminance from 0 to 1 (WCAG 2.2), of the RGB values."""
        red, green, blue = (
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in self.rgb
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


BLACK = Color((0, 0, 0), (0, 0, 0, 1))
"""Pure K in CMYK; with all of RGB at zero, card printers take it from the K panel too."""
WHITE = Color((1, 1, 1), (0, 0, 0, 0))
_ALWAYS_THERE = {"black": BLACK, "white": WHITE}


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((one.luminance, other.luminance))
    return (lighter + 0.05) / (darker + 0.05)


class ShippedFont(StrEnum):
    """Fonts that are always there: Bitstream Vera, which ReportLab brings along."""

    REGULAR = "Vera"
    BOLD = "Vera-Bold"
    ITALIC = "Vera-Italic"
    BOLD_ITALIC = "Vera-BoldItalic"


Font = ShippedFont | Path


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline in one colour: filled, or drawn with a round pen of some width."""

    outline: Outline
    color: str
    pen: float | None = None

    @property
    def box(self) -> Box:
        """What the shape covers at most, in the units of its outline."""
        return self.outline.box.grown((self.pen or 0) / 2)


@dataclass(frozen=True, slots=True)
class Logo:
    """A vector logo: shapes on a field of some width and height, in units of its own."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Brand:
    """One brand. `source` is its file."""

    source: Path
    fields: Mapping[str, str]
    """What texts on a card may name: `issuer`, and some of the other `BRAND_FIELDS`."""
    colors: Mapping[str, Color]
    fonts: Mapping[str, Font]
    logos: Mapping[str, Logo]

    def color(self, name: str) -> Color:
        """The colour of this name; `black` and `white` are always there.

        :raises WrongCall: the brand has no such colour
        """
        return _named("color", name, {**_ALWAYS_THERE, **self.colors}, self.source)

    def font(self, name: str) -> Font:
        """The font of this name.

        :raises WrongCall: the brand has no such font
        """
        return _named("font", name, self.fonts, self.source)

    def logo(self, name: str) -> Logo:
        """The logo of this name.

        :raises WrongCall: the brand has no such logo
        """
        return _named("logo", name, self.logos, self.source)


BRAND_FIELDS = ("issuer", "hotline", "website", "claim")


def load_brand(name: str, folders: Sequence[Path] = ()) -> Brand:
    """Load a brand by its name.

    :raises WrongCall: there is no such brand, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.BRAND, name, folders), _brand)


def _brand(table: Table) -> Brand:
    return Brand(
        source=table.source,
        fields={field: table.text(field) for field in BRAND_FIELDS if field == "issuer" or table.has(field)},
        colors=table.named_tables("colors", _color),
        fonts=table.table("fonts").read(_fonts),
        logos=table.named_tables("logos", _logo),
    )


def _color(table: Table) -> Color:
    written = table.text("rgb")
    digits = _HEX_RGB.fullmatch(written)
    if digits is None:
        raise table.wrong("rgb", f"is {written!r}", 'write six hexadecimal digits, as in "#0B2A3B"')
    red, green, blue = (int(pair, 16) / 255 for pair in digits.groups())
    cyan, magenta, yellow, key = table.numbers("cmyk", "c, m, y, k", least=0, most=100)
    return Color((red, green, blue), (cyan / 100, magenta / 100, yellow / 100, key / 100))


def _fonts(table: Table) -> dict[str, Font]:
    return {role: _font(table, role) for role in ("regular", "bold")}


def _font(table: Table, role: str) -> Font:
    name = table.text(role)
    if name in list(ShippedFont):
        return ShippedFont(name)
    if not name.lower().endswith(".ttf"):
        raise table.wrong(role, f"is {name!r}", f"name a .ttf file, or one of: {', '.join(ShippedFont)}")
    return table.file(role)


def _logo(table: Table) -> Logo:
    width, height = table.numbers("size", "width, height", least=0.01, most=10_000)
    return Logo(width, height, table.tables("shapes", shape))


def shape(table: Table) -> Shape:
    """Read a shape: `path` and `color`, and `pen` where it is a line.

    :raises WrongCall: an entry is wrong
    """
    data = table.text("path")
    try:
        outline = parse_outline(data)
    except ValueError as error:
        raise table.wrong("path", str(error), 'write SVG path data, as in "M 0 0 L 10 0 L 10 5 Z"') from error
    pen = table.number("pen", least=0.01, most=1000) if table.has("pen") else None
    return Shape(outline, table.text("color"), pen)


def _named(noun: str, name: str, things: Mapping[str, Thing], source: Path) -> Thing:
    if name not in things:
        raise WrongCall(
            f"{source} has no {noun} {name!r}",
            hint=f"it has: {', '.join(things) or 'none'}; add [{noun}s.{name}] there, or correct the design",
        )
    return things[name]
