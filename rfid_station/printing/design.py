"""A card design as its template file tells it: layers, the lowest first, in millimetres.

What can be judged without a card is judged on loading: every text and code lies inside
the safe area, and nothing runs into a QR code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rfid_station.errors import WrongCall
from rfid_station.printing.brand import Shape, shape
from rfid_station.printing.field_text import CARD_FIELDS, FieldText, field_text
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.outline import circle
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


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing on a side. `place` names file and layer, for errors."""

    place: str

    @property
    def fields(self) -> frozenset[str]:
        """The fields it shows."""
        return frozenset()

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
    """A PNG or JPEG file, as large as fits into the area."""

    file: Path
    area: Box
    anchor: Anchor

    @property
    def box(self) -> Box:
        """The area."""
        return self.area


@dataclass(frozen=True, slots=True)
class TextLayer(Layer):
    """One line of text, standing at `at` on its baseline, at most `width_mm` wide.

    A longer text is set smaller, down to `min_size_pt`; `tracking` is what is added between
    letters, in parts of the size.
    """

    text: FieldText
    at: Point
    anchor: Anchor
    width_mm: float
    font: str
    size_pt: float
    min_size_pt: float
    tracking: float
    color: str

    @property
    def fields(self) -> frozenset[str]:
        """The fields in the text."""
        return self.text.fields

    @property
    def box(self) -> Box:
        """The line's full width, from ascenders (0.8 of the size) to descenders (0.25 of it)."""
        x, y = self.at
        size_mm = self.size_pt / POINTS_PER_MM
        left = x - self.anchor.share * self.width_mm
        return Box(left, y - 0.8 * size_mm, self.width_mm, 1.05 * size_mm)


@dataclass(frozen=True, slots=True)
class QrLayer(Layer):
    """A QR code, its quiet zone of four modules included in `side_mm`, drawn on its own ground."""

    value: FieldText
    at: Point
    side_mm: float
    error_correction: ErrorCorrection
    color: str
    ground: str

    @property
    def fields(self) -> frozenset[str]:
        """The fields in what it encodes."""
        return self.value.fields

    @property
    def box(self) -> Box:
        """The square, quiet zone included."""
        return Box(*self.at, self.side_mm, self.side_mm)


@dataclass(frozen=True, slots=True)
class CardDesign:
    """A design of one side of a card. `source` is its file."""

    source: Path
    title: str
    width_mm: float
    height_mm: float
    safe_mm: float
    """How far texts and codes stay away from the edge."""
    front: tuple[Layer, ...]

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the design shows."""
        return frozenset().union(*(layer.fields for layer in self.front))


def load_design(name: str, folders: Sequence[Path] = ()) -> CardDesign:
    """Load a card design by its name.

    :raises WrongCall: there is no such design, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.CARD, name, folders), _design)


def _design(table: Table) -> CardDesign:
    width, height = table.numbers("size", "width, height", least=10, most=300)
    design = CardDesign(
        source=table.source,
        title=table.text("title"),
        width_mm=width,
        height_mm=height,
        safe_mm=table.number("safe", 2.5, least=1, most=10),
        front=table.tables("front", _layer, label="kind"),
    )
    _check_safe_area(design)
    _check_qr_is_clear(design.front)
    return design


class _Kind(StrEnum):
    FILL = "fill"
    RECT = "rect"
    LINE = "line"
    CIRCLE = "circle"
    SHAPE = "shape"
    LOGO = "logo"
    IMAGE = "image"
    TEXT = "text"
    QR = "qr"


def _layer(table: Table) -> Layer:
    return _READERS[table.choice("kind", _Kind)](table)


def _fill(table: Table) -> Layer:
    return FillLayer(str(table), table.text("color"))


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
    return ShapeLayer(str(table), Shape(outline, table.text("color")))


def _shape(table: Table) -> Layer:
    return ShapeLayer(str(table), shape(table))


def _logo(table: Table) -> Layer:
    return LogoLayer(
        str(table), table.text("logo"), _area(table), table.choice("anchor", Anchor, Anchor.CENTER)
    )


def _image(table: Table) -> Layer:
    return ImageLayer(
        str(table), table.file("file"), _area(table), table.choice("anchor", Anchor, Anchor.CENTER)
    )


def _text(table: Table) -> Layer:
    size = table.number("size", least=SMALLEST_TEXT_PT, most=200)
    return TextLayer(
        str(table),
        text=field_text(table, "text"),
        at=_point(table, "at"),
        anchor=table.choice("anchor", Anchor, Anchor.LEFT),
        width_mm=table.number("width", least=1, most=300),
        font=table.text("font", "regular"),
        size_pt=size,
        min_size_pt=table.number("min_size", size, least=SMALLEST_TEXT_PT, most=size),
        tracking=table.number("tracking", 0.0, least=-0.1, most=0.5),
        color=table.text("color"),
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


_READERS: dict[_Kind, Callable[[Table], Layer]] = {
    _Kind.FILL: _fill,
    _Kind.RECT: _rect,
    _Kind.LINE: _line,
    _Kind.CIRCLE: _circle,
    _Kind.SHAPE: _shape,
    _Kind.LOGO: _logo,
    _Kind.IMAGE: _image,
    _Kind.TEXT: _text,
    _Kind.QR: _qr,
}


def _point(table: Table, key: str) -> Point:
    x, y = table.numbers(key, "x, y")
    return (x, y)


def _area(table: Table) -> Box:
    x, y = _point(table, "at")
    width, height = table.numbers("size", "width, height", least=0.1)
    return Box(x, y, width, height)


def _check_safe_area(design: CardDesign) -> None:
    safe = Box(0, 0, design.width_mm, design.height_mm).grown(-design.safe_mm)
    for layer in design.front:
        if isinstance(layer, TextLayer | QrLayer) and not safe.holds(layer.box):
            raise WrongCall(
                f"{layer.place}: reaches to {_extent(layer.box)}, out of the safe area",
                hint=f"keep it within {_extent(safe)}, {design.safe_mm:g} mm from every edge (entry safe)",
            )


def _check_qr_is_clear(layers: tuple[Layer, ...]) -> None:
    """Refuse what is drawn over a code, and a text that a code would hide."""
    for number, code in enumerate(layers):
        if not isinstance(code, QrLayer):
            continue
        for other_number, other in enumerate(layers):
            is_in_the_way = other_number > number or isinstance(other, TextLayer)
            if is_in_the_way and other.box.overlaps(code.box):
                raise WrongCall(
                    f"{other.place}: runs into the QR code at {_extent(code.box)}",
                    hint="move one of them, or draw what lies below the code before it",
                )


def _extent(box: Box) -> str:
    return f"x {box.x:.1f} to {box.right:.1f}, y {box.y:.1f} to {box.bottom:.1f} mm"
