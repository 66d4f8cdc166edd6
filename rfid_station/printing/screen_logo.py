"""A brand's logo for a web page: a data URI, so that a page is one request."""

from __future__ import annotations

import io
from base64 import b64encode
from pathlib import Path

from rfid_station.printing.art.outline import Curve, Line, Move, Outline
from rfid_station.printing.brand import Brand, Logo, PictureLogo, Shape

MOST_BYTES = 12 * 1024
"""Of a logo in a page; one that does not fit even small is left out."""

_WIDTHS_PX = (480, 320, 240, 160)


def logo_uri(brand: Brand, name: str) -> str:
    """The logo as a data URI; empty if it is too large for a page.

    :raises WrongCall: the brand has no such logo, or the logo a colour that the brand has not
    :raises PrintError: it is a picture that cannot be read
    """
    logo = brand.logo(name)
    if isinstance(logo, PictureLogo):
        return _picture(logo.file)
    drawn = _svg(brand, logo)
    return _uri("image/svg+xml", drawn) if len(drawn) <= MOST_BYTES else ""


def _svg(brand: Brand, logo: Logo) -> bytes:
    shapes = "".join(_shape(brand, shape) for shape in logo.shapes)
    size = f'viewBox="0 0 {logo.width:g} {logo.height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="none" stroke-linecap="round"'
    return f'{head} stroke-linejoin="round">{shapes}</svg>'.encode()


def _shape(brand: Brand, shape: Shape) -> str:
    color = hex_rgb(brand.color(shape.color).rgb)
    look = f'stroke="{color}" stroke-width="{shape.pen:g}"' if shape.pen else f'fill="{color}"'
    if shape.is_even_odd:
        look += ' fill-rule="evenodd"'
    if shape.opacity < 1:
        look += f' opacity="{shape.opacity:g}"'
    return f'<path d="{_path(shape.outline)}" {look}/>'


def _path(outline: Outline) -> str:
    written = []
    for segment in outline.segments:
        if isinstance(segment, Curve):
            points = (segment.first, segment.second, segment.to)
            written.append("C" + " ".join(f"{x:.4g} {y:.4g}" for x, y in points))
        elif isinstance(segment, Move | Line):
            x, y = segment.to
            written.append(f"{'M' if isinstance(segment, Move) else 'L'}{x:.4g} {y:.4g}")
        else:
            written.append("Z")
    return "".join(written)


def _picture(file: Path) -> str:
    """A picture, as large as fits."""
    from PIL import Image

    from rfid_station.printing.art.pictures import opened

    opened(file)
    with Image.open(file) as picture:
        whole = picture.convert("RGBA")
    for width in _WIDTHS_PX:
        smaller = whole.copy()
        smaller.thumbnail((width, width))
        data = io.BytesIO()
        smaller.save(data, "PNG", optimize=True)
        if data.tell() <= MOST_BYTES:
            return _uri("image/png", data.getvalue())
    return ""


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


def hex_rgb(rgb: tuple[float, float, float]) -> str:
    """A colour as style sheets write it."""
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)
