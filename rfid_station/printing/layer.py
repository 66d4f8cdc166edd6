"""What lies on a side of a card: the kinds of layers, in millimetres from its upper left corner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rfid_station.printing.brand import Shape
from rfid_station.printing.field_text import CARD_FIELDS, Condition, FieldText, LocalText
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point

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
