"""A card design as its template file tells it: the layers of two sides, the lowest first, in millimetres.

What can be judged without a card and a brand is judged on loading: every text and code lies
inside the safe area and on no zone that cannot be printed, and nothing runs into a code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from rfid_station.domain.nearest import nearest
from rfid_station.errors import WrongCall
from rfid_station.printing.art.outline import circle
from rfid_station.printing.brand import Shape, shape
from rfid_station.printing.field_text import (
    CARD_FIELDS,
    Condition,
    FieldText,
    LocalText,
    conditions,
    field_text,
    local_text,
)
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

SMALLEST_TEXT_PT = 5.0
"""What bureaus and card printers still print legibly."""
_EVERYWHERE = Box(-1000, -1000, 2000, 2000)


class Anchor(StrEnum):
    """Which end of a text, or of what is fitted into a box, stands at the given place."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"

    @property
    def share(self) -> float:
        """How much of the free width lies to the left."""
        return {"left": 0.0, "center": 0.5, "right": 1.0}[self.value]


class ErrorCorrection(StrEnum):
    """How much of a QR code may be worn off: about 15, 25 or 30 %. L is too little for a card."""

    M = "M"
    Q = "Q"
    H = "H"


class Side(StrEnum):
    """A side of a card."""

    FRONT = "front"
    BACK = "back"


class Fit(StrEnum):
    """How a picture takes its area: wholly within it, or filling it and cut off at its edge."""

    CONTAIN = "contain"
    COVER = "cover"


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing on a side. `place` names file and layer, for errors."""

    place: str
    conditions: tuple[Condition, ...] = field(default=(), kw_only=True)
    """It is drawn on cards for which all of these hold."""
    opacity: float = field(default=1.0, kw_only=True)
    """From 0, where it cannot be seen, to 1, where nothing is seen through it."""
    is_preprinted: bool = field(default=False, kw_only=True)
    """It is on the blank cards already: shown in pictures, and never printed."""

    @property
    def shown(self) -> frozenset[str]:
        """The fields whose values it shows."""
        return frozenset()

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it shows or depends on."""
        return self.shown | {condition.field for condition in self.conditions}

    def is_shown(self, values: Mapping[str, str]) -> bool:
        """Whether a card with these values has it."""
        return all(condition.holds(values) for condition in self.conditions)

    def excludes(self, other: Layer) -> bool:
        """Whether no card has both."""
        return any(
            one.field == another.field
            and (one.value == another.value) is not (one.is_equal is another.is_equal)
            and (one.is_equal or another.is_equal)
            for one in self.conditions
            for another in other.conditions
        )

    @property
    def is_static(self) -> bool:
        """Whether it looks the same on every card of a brand."""
        return self.fields.isdisjoint(CARD_FIELDS)

    @property
    def box(self) -> Box:
        """What it covers at most."""
        return _EVERYWHERE


@dataclass(frozen=True, slots=True)
class FillLayer(Layer):
    """The whole side and its bleed in one colour."""

    color: str


@dataclass(frozen=True, slots=True)
class GradientLayer(Layer):
    """From one colour to the next: along a line, or, where there is a `radius_mm`, from a middle outwards.

    `stops` are the colours and where between start and end each is pure, from 0 to 1. Without an
    area it takes the whole side and its bleed.
    """

    area: Box | None
    start: Point
    end: Point
    radius_mm: float
    stops: tuple[tuple[str, float], ...]

    @property
    def box(self) -> Box:
        """The area."""
        return self.area or _EVERYWHERE


@dataclass(frozen=True, slots=True)
class RectLayer(Layer):
    """A filled rectangle, its corners rounded if `radius_mm` is not 0."""

    area: Box
    color: str
    radius_mm: float

    @property
    def box(self) -> Box:
        """The rectangle."""
        return self.area


@dataclass(frozen=True, slots=True)
class LineLayer(Layer):
    """A straight line with flat ends."""

    start: Point
    end: Point
    width_mm: float
    color: str

    @property
    def box(self) -> Box:
        """The rectangle around the line."""
        (x1, y1), (x2, y2) = self.start, self.end
        return Box(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)).grown(self.width_mm / 2)


@dataclass(frozen=True, slots=True)
class ShapeLayer(Layer):
    """A vector outline in the coordinates of the card."""

    shape: Shape

    @property
    def box(self) -> Box:
        """The rectangle around the outline."""
        return self.shape.box


@dataclass(frozen=True, slots=True)
class LogoLayer(Layer):
    """A logo of the brand, as large as fits into the area."""

    logo: str
    area: Box
    anchor: Anchor

    @property
    def box(self) -> Box:
        """The area."""
        return self.area


@dataclass(frozen=True, slots=True)
class ImageLayer(Layer):
    """A PNG or JPEG file in an area."""

    file: Path
    area: Box
    anchor: Anchor
    fit: Fit = Fit.CONTAIN

    @property
    def box(self) -> Box:
        """The area."""
        return self.area


@dataclass(frozen=True, slots=True)
class TextLayer(Layer):
    """A text, standing at `at` on its first baseline, at most `width_mm` wide.

    A longer text takes more lines, up to `lines`, and then a smaller size, down to `min_size_pt`;
    `tracking` is what is added between letters, in parts of the size, and `leading` the way from
    one baseline to the next, likewise.
    """

    text: LocalText
    at: Point
    anchor: Anchor
    width_mm: float
    font: str
    size_pt: float
    min_size_pt: float
    tracking: float
    color: str
    lines: int = 1
    leading: float = 1.2
    language: str | None = None
    """The language it is always in; else it is in that of the card."""

    @property
    def shown(self) -> frozenset[str]:
        """The fields in the text."""
        return self.text.fields

    @property
    def box(self) -> Box:
        """All lines in full width, from ascenders (0.8 of the size) to descenders (0.25 of it)."""
        x, y = self.at
        size_mm = self.size_pt / POINTS_PER_MM
        left = x - self.anchor.share * self.width_mm
        height = 1.05 * size_mm + (self.lines - 1) * self.leading * size_mm
        return Box(left, y - 0.8 * size_mm, self.width_mm, height)


@dataclass(frozen=True, slots=True)
class CodeLayer(Layer):
    """A code for machines, its quiet zone included in its area, drawn on its own ground."""

    value: FieldText
    color: str
    ground: str

    @property
    def title(self) -> str:
        """What kind of code it is, for errors."""
        return {"QrLayer": "QR code", "DataMatrixLayer": "Data Matrix"}.get(type(self).__name__, "Code 128")

    @property
    def shown(self) -> frozenset[str]:
        """The fields in what it encodes."""
        return self.value.fields


@dataclass(frozen=True, slots=True)
class QrLayer(CodeLayer):
    """A QR code with a quiet zone of four modules."""

    at: Point
    side_mm: float
    error_correction: ErrorCorrection

    @property
    def box(self) -> Box:
        """The square, quiet zone included."""
        return Box(*self.at, self.side_mm, self.side_mm)


@dataclass(frozen=True, slots=True)
class DataMatrixLayer(CodeLayer):
    """A Data Matrix (ECC 200, square) with a quiet zone of two modules."""

    at: Point
    side_mm: float

    @property
    def box(self) -> Box:
        """The square, quiet zone included."""
        return Box(*self.at, self.side_mm, self.side_mm)


@dataclass(frozen=True, slots=True)
class Code128Layer(CodeLayer):
    """A Code 128 with a quiet zone of ten modules at both ends."""

    area: Box

    @property
    def box(self) -> Box:
        """The area, quiet zones included."""
        return self.area


@dataclass(frozen=True, slots=True)
class NoPrint:
    """Where a card cannot be printed well: over its chip, its antenna, a stripe."""

    zone: Box
    reason: str
    side: Side | None
    """None is both."""


@dataclass(frozen=True, slots=True)
class CardDesign:
    """A design of a card. `source` is its file."""

    source: Path
    title: str
    width_mm: float
    height_mm: float
    safe_mm: float
    """How far texts and codes stay away from the edge."""
    front: tuple[Layer, ...]
    back: tuple[Layer, ...] = ()
    languages: tuple[str, ...] = ()
    """What its texts are written in, the usual one first; none where they name no language."""
    no_print: tuple[NoPrint, ...] = ()
    artwork: Mapping[Side, Path] = field(default_factory=dict)
    """A finished picture of a side, below all layers: PDF, SVG, PNG or JPEG."""
    artwork_bleed_mm: float = 0.0
    """How far that of SVG, PNG or JPEG reaches over every edge."""
    longest: Mapping[str, str] = field(default_factory=dict)
    """The longest values that the fields of this design have to hold."""

    def side(self, side: Side) -> tuple[Layer, ...]:
        """The layers of a side."""
        return self.front if side is Side.FRONT else self.back

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are printed: the front, and the back if anything is on it."""
        return (Side.FRONT, Side.BACK) if self.back or Side.BACK in self.artwork else (Side.FRONT,)

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the design shows or depends on."""
        return frozenset().union(*(layer.fields for layer in (*self.front, *self.back)))


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


def misplaced(design: CardDesign) -> Iterator[WrongCall]:
    """What lies where it must not, whatever the brand and the card."""
    for side in Side:
        layers = [layer for layer in design.side(side) if not layer.is_preprinted]
        yield from _outside_the_safe_area(design, layers)
        yield from _where_nothing_is_printed(design, side, layers)
        yield from _in_the_way_of_a_code(design.side(side))


def _outside_the_safe_area(design: CardDesign, layers: Sequence[Layer]) -> Iterator[WrongCall]:
    safe = Box(0, 0, design.width_mm, design.height_mm).grown(-design.safe_mm)
    for layer in layers:
        if isinstance(layer, TextLayer | CodeLayer) and not safe.holds(layer.box):
            yield WrongCall(
                f"{layer.place}: reaches to {_extent(layer.box)}, out of the safe area",
                hint=f"keep it within {_extent(safe)}, {design.safe_mm:g} mm from every edge (entry safe)",
            )


def _where_nothing_is_printed(design: CardDesign, side: Side, layers: Sequence[Layer]) -> Iterator[WrongCall]:
    zones = [zone for zone in design.no_print if zone.side in (None, side)]
    for layer in layers:
        for zone in zones:
            if isinstance(layer, TextLayer | CodeLayer) and layer.box.overlaps(zone.zone):
                yield WrongCall(
                    f"{layer.place}: lies over the {zone.reason} at {_extent(zone.zone)}",
                    hint="move it away: printers skip there, and what they print wears off",
                )


def _in_the_way_of_a_code(layers: Sequence[Layer]) -> Iterator[WrongCall]:
    """What is drawn over a code or its quiet zone, and a text that a code would hide."""
    for number, code in enumerate(layers):
        if not isinstance(code, CodeLayer):
            continue
        for other_number, other in enumerate(layers):
            is_in_the_way = other_number > number or isinstance(other, TextLayer)
            if is_in_the_way and other.box.overlaps(code.box) and not other.excludes(code):
                yield WrongCall(
                    f"{other.place}: runs into the {code.title} at {_extent(code.box)}",
                    hint="move one of them, or draw what lies below the code before it",
                )


def _extent(box: Box) -> str:
    return f"x {box.x:.1f} to {box.right:.1f}, y {box.y:.1f} to {box.bottom:.1f} mm"
