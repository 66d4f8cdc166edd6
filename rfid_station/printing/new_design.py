"""A design and a brand of one's own, from the shipped ones and a few answers: as text of template files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from rfid_station.printing.brand import BLACK, WHITE, Color, contrast, guessed_cmyk, parse_rgb
from rfid_station.printing.geometry import POINTS_PER_MM

RGB = tuple[float, float, float]

_READABLE = 4.6
"""A little more than WCAG AA asks for, since printers are not exact."""
_VERY_READABLE = 7.0
_LOGO = re.compile(r'\[\[(?:front|back)\]\]\n(?:(?!\n\[\[).)*?kind = "logo"\n(?:.+\n)+')
_TITLE = re.compile(r"^title = .*$", re.MULTILINE)
_PAIR = r"\[([\d.]+), ([\d.]+)\]"


@dataclass(frozen=True, slots=True)
class BrandAnswers:
    """What is asked about a new brand. Colours as `#RRGGBB`."""

    issuer: str
    hotline: str
    website: str
    claim: str
    primary: str
    accent: str
    logo: str | None
    """The name of a file beside the brand's."""


def brand_text(answers: BrandAnswers) -> str:
    """The template of a brand; shades and CMYK are worked out, and said to be."""
    shades = shades_of(_rgb(answers.primary), _rgb(answers.accent))
    lines = [
        f"# {answers.issuer}",
        "#",
        "# Shades and all cmyk were worked out from two colours on a screen: ask your press for the true",
        '# ones, and add spot = "PANTONE …" to a colour that is printed with an ink of its own.',
        "",
        *(f"{name} = {_quoted(text)}" for name, text in _fields(answers)),
        "",
    ]
    for name, rgb in shades.items():
        cmyk = ", ".join(f"{100 * part:.0f}" for part in guessed_cmyk(rgb))
        lines += [f"[colors.{name}]", f'rgb = "{_written(rgb)}"', f"cmyk = [{cmyk}]", ""]
    lines += [
        "[fonts]",
        'light = "Source Sans Light"',
        'regular = "Source Sans"',
        'semibold = "Source Sans Semibold"',
        'bold = "Source Sans Bold"',
    ]
    if answers.logo:
        lines += ["", "[logos.on_primary]", f"file = {_quoted(answers.logo)}"]
    return "\n".join(lines) + "\n"


def design_text(base: Path, title: str, *, has_logo: bool) -> str:
    """The template of a design under a new title; without a logo, the issuer's name stands in its place."""
    text = _TITLE.sub(lambda _: f"title = {_quoted(title)}", base.read_text(encoding="utf-8"), count=1)
    return text if has_logo else _LOGO.sub(_name_instead, text)


def shades_of(primary: RGB, accent: RGB) -> dict[str, RGB]:
    """All colours that the shipped designs name, of two: texts can be read on their grounds."""
    on_primary = WHITE.rgb if _ratio(primary, WHITE.rgb) >= _READABLE else BLACK.rgb
    lightest = _mixed(primary, WHITE.rgb, 0.16)
    towards = WHITE.rgb if _ratio(lightest, on_primary) >= _READABLE else BLACK.rgb
    text = _until_readable(primary, _VERY_READABLE)
    return {
        "primary": primary,
        "primary_light": _mixed(primary, towards, 0.05),
        "primary_lighter": _mixed(primary, towards, 0.10),
        "primary_lightest": _mixed(primary, towards, 0.16),
        "accent": accent,
        "on_primary": on_primary,
        "text": text,
        "muted": _until_readable(_mixed(text, WHITE.rgb, 0.35), _READABLE),
    }


def _fields(answers: BrandAnswers) -> list[tuple[str, str]]:
    fields = [
        ("issuer", answers.issuer),
        ("hotline", answers.hotline),
        ("website", answers.website),
        ("claim", answers.claim),
    ]
    return [(name, text) for name, text in fields if text]


def _name_instead(logo: re.Match[str]) -> str:
    """The issuer's name, as large and in the place of a logo."""
    block = logo[0]
    at = re.search(rf"^at = {_PAIR}$", block, re.MULTILINE)
    size = re.search(rf"^size = {_PAIR}$", block, re.MULTILINE)
    if at is None or size is None:
        return block
    x, y, width, height = (float(number) for number in (*at.groups(), *size.groups()))
    points = 0.8 * height * POINTS_PER_MM
    kept = "preprinted = true\n" if "preprinted = true" in block else ""
    return (
        f"{block.splitlines()[0]}\n"
        'kind = "text"\n'
        f"{kept}"
        'text = "{issuer}"\n'
        f"at = [{x:g}, {y + 0.78 * height:.2f}]\n"
        f"width = {width:g}\n"
        f"size = {points:.1f}\n"
        "min_size = 8\n"
        'font = "bold"\n'
        'color = "on_primary"\n'
    )


def _until_readable(color: RGB, ratio: float) -> RGB:
    """The colour, or the lightest darker one that can be read on white."""
    while _ratio(color, WHITE.rgb) < ratio:
        color = _mixed(color, BLACK.rgb, 0.05)
    return color


def _ratio(one: RGB, other: RGB) -> float:
    return contrast(Color(one, (0, 0, 0, 0)), Color(other, (0, 0, 0, 0)))


def _mixed(one: RGB, other: RGB, share: float) -> RGB:
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def _rgb(written: str) -> RGB:
    rgb = parse_rgb(written)
    if rgb is None:
        raise ValueError(written)
    return rgb


def _written(rgb: RGB) -> str:
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
