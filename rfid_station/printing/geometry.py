"""Places on a card or a sheet: millimetres, origin top left, y downwards."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]

MM_PER_INCH = 25.4
POINTS_PER_MM = 72 / MM_PER_INCH
"""A PDF point is 1/72 inch."""

_TOUCHING_MM = 1e-6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its top left corner, width and height, in mm."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    def grown(self, by_mm: float) -> Box:
        """The same box with every edge moved outwards, or inwards by a negative amount."""
        return Box(self.x - by_mm, self.y - by_mm, self.width + 2 * by_mm, self.height + 2 * by_mm)

    def overlaps(self, other: Box) -> bool:
        """Whether the two share an area; boxes that only touch do not."""
        return (
            self.x < other.right - _TOUCHING_MM
            and other.x < self.right - _TOUCHING_MM
            and self.y < other.bottom - _TOUCHING_MM
            and other.y < self.bottom - _TOUCHING_MM
        )

    def holds(self, other: Box) -> bool:
        """Whether the other box lies wholly within this one; the edges may be shared."""
        return (
            self.x <= other.x + _TOUCHING_MM
            and self.y <= other.y + _TOUCHING_MM
            and other.right <= self.right + _TOUCHING_MM
            and other.bottom <= self.bottom + _TOUCHING_MM
        )


def box_around(points: list[Point]) -> Box:
    """The smallest box that holds all points, of which there is at least one."""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
