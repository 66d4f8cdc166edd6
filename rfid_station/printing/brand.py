"""A brand as its template file tells it: who issues the card, in which colours, fonts and logos.

Colours are given for the screen and office printers (RGB) and for the press (CMYK), since
neither can be computed from the other without a profile of the press.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from rfid_station.domain.nearest import nearest
from rfid_station.errors import WrongCall
from rfid_station.printing.art.outline import Outline, parse_outline
from rfid_station.printing.art.svg import NotDrawable, read_svg
from rfid_station.printing.geometry import Box
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

Thing = TypeVar("Thing")

_HEX_RGB = re.compile(r"#([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Color:
    """One colour, each component from 0 to 1.

    With a `spot`, as `PANTONE 354 C`, a press prints it with an ink of its own, in a `tint` from
    0 to 1; `rgb` and `cmyk` are how it looks where there is no such ink.
    """

    rgb: tuple[float, float, float]
    cmyk: tuple[float, float, float, float]
    spot: str | None = None
    tint: float = 1.0

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


def guessed_cmyk(rgb: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """A CMYK colour by plain arithmetic, which no press has been asked about."""
    key = 1 - max(rgb)
    if key >= 1:
        return (0, 0, 0, 1)
    cyan, magenta, yellow = ((1 - value - key) / (1 - key) for value in rgb)
    return (cyan, magenta, yellow, key)


class ShippedFont(StrEnum):
    """Fonts that are always there: Source Sans (SIL Open Font Licence), Latin, Greek and Cyrillic."""

    LIGHT = "Source Sans Light"
    REGULAR = "Source Sans"
    SEMIBOLD = "Source Sans Semibold"
    BOLD = "Source Sans Bold"
    BLACK = "Source Sans Black"


Font = ShippedFont | Path


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline in one colour: filled, or drawn with a round pen of some width."""

    outline: Outline
    color: str
    """A name of the brand, or `#RRGGBB`."""
    pen: float | None = None
    opacity: float = 1.0
    is_even_odd: bool = False
    """Whether parts within parts are holes, however they turn."""

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
class PictureLogo:
    """A logo of pixels: a PNG or JPEG file."""

    file: Path


@dataclass(frozen=True, slots=True)
class Brand:
    """One brand. `source` is its file."""

    source: Path
    fields: Mapping[str, str]
    """What texts on a card may name: `issuer`, and some of the other `BRAND_FIELDS`."""
    colors: Mapping[str, Color]
    fonts: Mapping[str, Font | tuple[Font, ...]]
    """By their use on a card; a later one is taken where those before it have no glyph."""
    logos: Mapping[str, Logo | PictureLogo]
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Fields that are written otherwise in a language."""

    def fields_in(self, language: str | None) -> Mapping[str, str]:
        """The fields as they are written in a language."""
        return {**self.fields, **self.translations.get(language or "", {})}

    def color(self, name: str) -> Color:
        """The colour of this name, or written as `#RRGGBB`; `black` and `white` are always there.

        A written one that the brand has under a name is that one; of another the CMYK is a guess.

        :raises WrongCall: the brand has no such colour
        """
        known = {**_ALWAYS_THERE, **self.colors}
        if not name.startswith("#"):
            return _named("color", name, known, self.source)
        rgb = parse_rgb(name)
        if rgb is None:
            raise WrongCall(f"{name!r} is no colour", hint='write six hexadecimal digits, as in "#0B2A3B"')
        return next((color for color in known.values() if color.rgb == rgb), Color(rgb, guessed_cmyk(rgb)))

    def font(self, name: str) -> tuple[Font, ...]:
        """The font of this name and those that stand in for it.

        :raises WrongCall: the brand has no such font
        """
        font = _named("font", name, self.fonts, self.source)
        return font if isinstance(font, tuple) else (font,)

    def logo(self, name: str) -> Logo | PictureLogo:
        """The logo of this name.

        :raises WrongCall: the brand has no such logo
        """
        return _named("logo", name, self.logos, self.source)


FONT_ROLES = ("regular", "bold", "light", "semibold", "black", "italic", "display")
"""What fonts are for; a brand has at least the first two."""
_NEEDED_ROLES = FONT_ROLES[:2]
BRAND_FIELDS = ("issuer", "hotline", "website", "claim")


def load_brand(name: str, folders: Sequence[Path] = (), problems: list[WrongCall] | None = None) -> Brand:
    """Load a brand by its name. With a list of `problems`, see `load_template`.

    :raises WrongCall: there is no such brand, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.BRAND, name, folders), _brand, problems)


def parse_rgb(written: str) -> tuple[float, float, float] | None:
    """The parts of a colour written as `#RRGGBB`; None if it is not."""
    digits = _HEX_RGB.fullmatch(written)
    if digits is None:
        return None
    red, green, blue = (int(pair, 16) / 255 for pair in digits.groups())
    return (red, green, blue)


def _brand(table: Table) -> Brand:
    fields, translations = _fields(table)
    return Brand(
        source=table.source,
        fields=fields,
        colors=table.named_tables("colors", _color),
        fonts=table.table("fonts").read(_fonts),
        logos=table.named_tables("logos", _logo),
        translations=translations,
    )


def _fields(table: Table) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Each field, which is a text or a table of one by language, the first of which is the usual one."""
    fields: dict[str, str] = {}
    translations: dict[str, dict[str, str]] = {}
    for name in BRAND_FIELDS:
        if table.is_table(name):
            written = table.text_entries(name)
            if not written or not all(text.strip() for text in written.values()):
                raise table.wrong(
                    name, "has no text in some language", f'write {name} = {{ de = "…", en = "…" }}'
                )
            fields[name] = next(iter(written.values()))
            for language, text in written.items():
                translations.setdefault(language, {})[name] = text
        elif name == "issuer" or table.has(name):
            fields[name] = table.text(name)
    return fields, translations


def _color(table: Table) -> Color:
    written = table.text("rgb")
    rgb = parse_rgb(written)
    if rgb is None:
        raise table.wrong("rgb", f"is {written!r}", 'write six hexadecimal digits, as in "#0B2A3B"')
    cyan, magenta, yellow, key = table.numbers("cmyk", "c, m, y, k", least=0, most=100)
    return Color(
        rgb,
        (cyan / 100, magenta / 100, yellow / 100, key / 100),
        spot=table.text("spot") if table.has("spot") else None,
        tint=table.number("tint", 100, least=1, most=100) / 100,
    )


def _fonts(table: Table) -> dict[str, Font | tuple[Font, ...]]:
    roles = [role for role in FONT_ROLES if role in _NEEDED_ROLES or table.has(role)]
    return {role: tuple(_font(table, role, name) for name in table.texts(role)) for role in roles}


def _font(table: Table, role: str, name: str) -> Font:
    shipped = list(ShippedFont)
    if name in shipped:
        return ShippedFont(name)
    if not name.lower().endswith(".ttf"):
        raise table.wrong(
            role,
            f"is {name!r}",
            f"{nearest(name, shipped)}name a .ttf file, or one of: {', '.join(shipped)}",
        )
    return table.file_named(role, name)


def _logo(table: Table) -> Logo | PictureLogo:
    if not table.has("file"):
        width, height = table.numbers("size", "width, height", least=0.01, most=10_000)
        return Logo(width, height, table.tables("shapes", shape))
    file = table.file("file")
    if file.suffix.lower() in (".png", ".jpg", ".jpeg"):
        return PictureLogo(file)
    if file.suffix.lower() != ".svg":
        raise table.wrong("file", f"is {file.name!r}", "name a file .svg, .png or .jpg")
    return svg_logo(file, table)


def svg_logo(file: Path, table: Table) -> Logo:
    """The logo in an SVG file that the entry `file` of a table names.

    :raises WrongCall: it cannot be read or shows what cannot be printed
    """
    try:
        width, height, drawn = read_svg(file)
    except NotDrawable as error:
        raise WrongCall(f"{table.at('file')}{error}", hint=error.remedy) from error
    shapes = tuple(
        Shape(each.outline, each.color, each.pen, each.opacity, each.is_even_odd) for each in drawn
    )
    return Logo(width, height, shapes)


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


def _hint(noun: str, name: str, things: Mapping[str, Thing]) -> str:
    return (
        f"{nearest(name, things)}it has: {', '.join(things) or 'none'};"
        f" add [{noun}s.{name}] there, or correct the design"
    )


def _named(noun: str, name: str, things: Mapping[str, Thing], source: Path) -> Thing:
    if name not in things:
        raise WrongCall(
            f"{source} has no {noun} {name!r}",
            hint=_hint(noun, name, things),
        )
    return things[name]
