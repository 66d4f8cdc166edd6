"""A card design: the layers of two sides, the lowest first, and what holds for the whole card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rfid_station.printing.geometry import Box
from rfid_station.printing.layer import Layer


class Side(StrEnum):
    """A side of a card."""

    FRONT = "front"
    BACK = "back"


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
