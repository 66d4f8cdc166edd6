"""A card design as its template file tells it.

What can be judged without a card and a brand is judged on loading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from rfid_station.domain.nearest import nearest
from rfid_station.errors import WrongCall
from rfid_station.printing.art.outline import circle
from rfid_station.printing.brand import Shape, shape
from rfid_station.printing.design import CardDesign, NoPrint, Side
from rfid_station.printing.field_text import CARD_FIELDS, conditions, field_text, local_text
from rfid_station.printing.geometry import Box, Point
from rfid_station.printing.layer import (
    SMALLEST_TEXT_PT,
    Anchor,
    Code128Layer,
    DataMatrixLayer,
    ErrorCorrection,
    FillLayer,
    Fit,
    GradientLayer,
    ImageLayer,
    Layer,
    LineLayer,
    LogoLayer,
    QrLayer,
    RectLayer,
    ShapeLayer,
    TextLayer,
)
from rfid_station.printing.misplaced import misplaced
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path


def load_design(
    name: str, folders: Sequence[Path] = (), problems: list[WrongCall] | None = None
) -> CardDesign:
    """Load a card design by its name. With a list of `problems`, see `load_template`.

    :raises WrongCall: there is no such design, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.CARD, name, folders), _read_into(problems), problems)


def _read_into(problems: list[WrongCall] | None) -> Callable[[Table], CardDesign]:
    def read(table: Table) -> CardDesign:
        design = _design(table)
        for problem in misplaced(design):
            if problems is None:
                raise problem
            problems.append(problem)
        return design

    return read


def _design(table: Table) -> CardDesign:
    title = table.text("title")
    width, height = table.numbers("size", "width, height", least=10, most=300)
    safe = table.number("safe", 2.5, least=1, most=10)
    languages = table.texts("languages") if table.has("languages") else ()
    artwork, artwork_bleed = _artwork(table)
    layers = {
        side: table.tables(side, lambda each: _layer(each, languages), label="kind")
        if table.has(side) or (side is Side.FRONT and side not in artwork)
        else ()
        for side in Side
    }
    return CardDesign(
        source=table.source,
        title=title,
        width_mm=width,
        height_mm=height,
        safe_mm=safe,
        front=layers[Side.FRONT],
        back=layers[Side.BACK],
        languages=languages,
        no_print=table.tables("no_print", _no_print) if table.has("no_print") else (),
        artwork=artwork,
        artwork_bleed_mm=artwork_bleed,
        longest=_longest(table),
    )


def _artwork(table: Table) -> tuple[Mapping[Side, Path], float]:
    if not table.has("artwork"):
        return {}, 0.0
    inner = table.table("artwork")

    def read(each: Table) -> tuple[Mapping[Side, Path], float]:
        files = {side: _artwork_file(each, side) for side in Side if each.has(side)}
        return files, each.number("bleed", 0.0, least=0, most=10)

    return inner.read(read)


def _artwork_file(table: Table, side: Side) -> Path:
    file = table.file(side)
    if file.suffix.lower() not in (".pdf", ".svg", ".png", ".jpg", ".jpeg"):
        raise table.wrong(side, f"is {file.name!r}", "name a file .pdf, .svg, .png or .jpg")
    return file


def _longest(table: Table) -> Mapping[str, str]:
    values = table.text_entries("longest")
    for name in values:
        if name not in CARD_FIELDS:
            raise table.table("longest").wrong(
                name, "is no field of a card", f"{nearest(name, CARD_FIELDS)}fields: {', '.join(CARD_FIELDS)}"
            )
    return values


def _no_print(table: Table) -> NoPrint:
    return NoPrint(
        _area(table), table.text("reason"), table.choice("side", Side) if table.has("side") else None
    )


class _Kind(StrEnum):
    FILL = "fill"
    GRADIENT = "gradient"
    RECT = "rect"
    LINE = "line"
    CIRCLE = "circle"
    SHAPE = "shape"
    LOGO = "logo"
    IMAGE = "image"
    TEXT = "text"
    QR = "qr"
    CODE128 = "code128"
    DATA_MATRIX = "datamatrix"


def _layer(table: Table, languages: tuple[str, ...]) -> Layer:
    kind = table.choice("kind", _Kind)
    layer = _text(table, languages) if kind is _Kind.TEXT else _READERS[kind](table)
    return replace(
        layer,
        conditions=conditions(table),
        opacity=table.number("opacity", 1.0, least=0.01, most=1),
        is_preprinted=table.flag("preprinted", default=False),
    )


def _fill(table: Table) -> Layer:
    return FillLayer(str(table), table.text("color"))


def _gradient(table: Table) -> Layer:
    names = table.texts("colors")
    if len(names) < 2:
        raise table.wrong("colors", "has one colour", 'write colors = ["primary", "accent"]')
    even = [number / (len(names) - 1) for number in range(len(names))]
    places = table.shares("stops", len(names)) if table.has("stops") else even
    is_round = table.has("radius")
    start = _point(table, "center" if is_round else "from")
    return GradientLayer(
        str(table),
        area=_area(table) if table.has("size") else None,
        start=start,
        end=start if is_round else _point(table, "to"),
        radius_mm=table.number("radius", least=0.1, most=500) if is_round else 0.0,
        stops=tuple(zip(names, places, strict=True)),
    )


def _rect(table: Table) -> Layer:
    return RectLayer(
        str(table), _area(table), table.text("color"), table.number("radius", 0.0, least=0, most=50)
    )


def _line(table: Table) -> Layer:
    return LineLayer(
        str(table),
        start=_point(table, "from"),
        end=_point(table, "to"),
        width_mm=table.number("width", least=0.05, most=50),
        color=table.text("color"),
    )


def _circle(table: Table) -> Layer:
    outline = circle(_point(table, "center"), table.number("radius", least=0.1, most=500))
    pen = table.number("pen", least=0.05, most=100) if table.has("pen") else None
    return ShapeLayer(str(table), Shape(outline, table.text("color"), pen))


def _shape(table: Table) -> Layer:
    return ShapeLayer(str(table), shape(table))


def _logo(table: Table) -> Layer:
    return LogoLayer(
        str(table), table.text("logo"), _area(table), table.choice("anchor", Anchor, Anchor.CENTER)
    )


def _image(table: Table) -> Layer:
    return ImageLayer(
        str(table),
        table.file("file"),
        _area(table),
        table.choice("anchor", Anchor, Anchor.CENTER),
        table.choice("fit", Fit, Fit.CONTAIN),
    )


def _text(table: Table, languages: tuple[str, ...]) -> Layer:
    size = table.number("size", least=SMALLEST_TEXT_PT, most=200)
    return TextLayer(
        str(table),
        text=local_text(table, "text", languages),
        at=_point(table, "at"),
        anchor=table.choice("anchor", Anchor, Anchor.LEFT),
        width_mm=table.number("width", least=1, most=300),
        font=table.text("font", "regular"),
        size_pt=size,
        min_size_pt=table.number("min_size", size, least=SMALLEST_TEXT_PT, most=size),
        tracking=table.number("tracking", 0.0, least=-0.1, most=0.5),
        color=table.text("color"),
        lines=table.whole("lines", 1, least=1, most=20),
        leading=table.number("leading", 1.2, least=0.8, most=3),
        language=table.text("language") if table.has("language") else None,
    )


def _qr(table: Table) -> Layer:
    return QrLayer(
        str(table),
        value=field_text(table, "value"),
        at=_point(table, "at"),
        side_mm=table.number("side", least=5, most=100),
        error_correction=table.choice("error_correction", ErrorCorrection, ErrorCorrection.M),
        color=table.text("color", "black"),
        ground=table.text("ground", "white"),
    )


def _data_matrix(table: Table) -> Layer:
    return DataMatrixLayer(
        str(table),
        value=field_text(table, "value"),
        at=_point(table, "at"),
        side_mm=table.number("side", least=5, most=100),
        color=table.text("color", "black"),
        ground=table.text("ground", "white"),
    )


def _code128(table: Table) -> Layer:
    return Code128Layer(
        str(table),
        value=field_text(table, "value"),
        area=_area(table),
        color=table.text("color", "black"),
        ground=table.text("ground", "white"),
    )


_READERS: dict[_Kind, Callable[[Table], Layer]] = {
    _Kind.FILL: _fill,
    _Kind.GRADIENT: _gradient,
    _Kind.RECT: _rect,
    _Kind.LINE: _line,
    _Kind.CIRCLE: _circle,
    _Kind.SHAPE: _shape,
    _Kind.LOGO: _logo,
    _Kind.IMAGE: _image,
    _Kind.QR: _qr,
    _Kind.DATA_MATRIX: _data_matrix,
    _Kind.CODE128: _code128,
}


def _point(table: Table, key: str) -> Point:
    x, y = table.numbers(key, "x, y")
    return (x, y)


def _area(table: Table) -> Box:
    x, y = _point(table, "at")
    width, height = table.numbers("size", "width, height", least=0.1)
    return Box(x, y, width, height)
