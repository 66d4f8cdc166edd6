"""Vector outlines: the path data of SVG, as a logo or a shape in a template carries it.

Knows M, L, H, V, C, S, Q, T and Z, absolute and relative (SVG 2, chapter 9.3). Elliptical
arcs are left out: every drawing program can write curves in their place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rfid_station.printing.geometry import Box, Point, box_around

_TOKEN = re.compile(r"[\s,]*(?:([A-Za-z])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}


@dataclass(frozen=True, slots=True)
class Move:
    """Begin a new part of the outline."""

    to: Point


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line from where the outline is."""

    to: Point


@dataclass(frozen=True, slots=True)
class Curve:
    """A cubic Bézier curve from where the outline is."""

    first: Point
    second: Point
    to: Point


@dataclass(frozen=True, slots=True)
class Close:
    """Back to where this part began."""


Segment = Move | Line | Curve | Close


@dataclass(frozen=True, slots=True)
class Outline:
    """A parsed path."""

    segments: tuple[Segment, ...]

    @property
    def box(self) -> Box:
        """A box that holds the outline: the one around its points and control points."""
        points: list[Point] = []
        for segment in self.segments:
            if isinstance(segment, Curve):
                points += [segment.first, segment.second]
            if not isinstance(segment, Close):
                points.append(segment.to)
        return box_around(points)


def circle(center: Point, radius: float) -> Outline:
    """A circle as four curves, off by less than 0.03 % of the radius."""
    (x, y), r = center, radius
    handle = r * 4 / 3 * (math.sqrt(2) - 1)
    return Outline(
        (
            Move((x + r, y)),
            Curve((x + r, y + handle), (x + handle, y + r), (x, y + r)),
            Curve((x - handle, y + r), (x - r, y + handle), (x - r, y)),
            Curve((x - r, y - handle), (x - handle, y - r), (x, y - r)),
            Curve((x + handle, y - r), (x + r, y - handle), (x + r, y)),
            Close(),
        )
    )


def parse_outline(data: str) -> Outline:
    """Read SVG path data.

    :raises ValueError: it is not path data, or uses an elliptical arc; the text says what is wrong
    """
    drawing = _Drawing()
    for command, numbers in _commands(data):
        drawing.add(command, numbers)
    if not drawing.segments:
        raise ValueError("is empty")
    return Outline(tuple(drawing.segments))


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with the numbers it takes; a repeated command letter may be left out."""
    letter = ""
    numbers: list[float] = []
    for token in _tokens(data):
        if isinstance(token, float):
            numbers.append(token)
        else:
            _refuse_half_a_command(letter, numbers)
            letter = token
            if letter.upper() not in _NUMBERS:
                raise ValueError(f"has the command {letter}, and only {' '.join(_NUMBERS)} are known")
        needed = _NUMBERS.get(letter.upper())
        if needed is None or (needed == 0 and numbers):
            raise ValueError("has a number without a command")
        if len(numbers) == needed:
            yield letter, numbers
            numbers = []
            letter = {"M": "L", "m": "l"}.get(letter, letter)
    _refuse_half_a_command(letter, numbers)


def _refuse_half_a_command(letter: str, numbers: list[float]) -> None:
    if numbers:
        raise ValueError(f"ends within {letter}, after {numbers[-1]:g}")


def _tokens(data: str) -> Iterator[str | float]:
    position = 0
    data = data.strip()
    while position < len(data):
        match = _TOKEN.match(data, position)
        if match is None:
            raise ValueError(f"has {data[position:].strip()[:8]!r} in it")
        position = match.end()
        yield match[1] or float(match[2])


class _Drawing:
    """Where the pen is while commands are turned into segments."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._here: Point = (0.0, 0.0)
        self._begin: Point = (0.0, 0.0)
        self._mirrored: Point | None = None
        """The control point before, which S and T reflect; None when there is none."""
        self._mirrors = ""

    def add(self, command: str, numbers: list[float]) -> None:
        letter = command.upper()
        if not self.segments and letter != "M":
            raise ValueError(f"begins with {command}, and must begin with M")
        points = self._points(letter, numbers, is_relative=command.islower())
        if letter == "M":
            self._begin = points[0]
            self.segments.append(Move(points[0]))
        elif letter == "Z":
            self.segments.append(Close())
            points = [self._begin]
        elif letter in "LHV":
            self.segments.append(Line(points[0]))
        else:
            self._curve(letter, points)
        if letter not in "CSQT":
            self._mirrors = ""
        self._here = points[-1]

    def _points(self, letter: str, numbers: list[float], *, is_relative: bool) -> list[Point]:
        x, y = self._here
        left, top = self._here if is_relative else (0.0, 0.0)
        if letter == "H":
            return [(left + numbers[0], y)]
        if letter == "V":
            return [(x, top + numbers[0])]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [(left + dx, top + dy) for dx, dy in pairs]

    def _curve(self, letter: str, points: list[Point]) -> None:
        if letter in "ST":
            points = [self._reflection("CS" if letter == "S" else "QT"), *points]
        control, to = points[-2], points[-1]
        if letter in "QT":
            first, second = _third(self._here, control), _third(to, control)
        else:
            first, second = points[0], control
        self.segments.append(Curve(first, second, to))
        self._mirrored, self._mirrors = control, letter

    def _reflection(self, family: str) -> Point:
        if self._mirrored is None or not self._mirrors or self._mirrors not in family:
            return self._here
        return (2 * self._here[0] - self._mirrored[0], 2 * self._here[1] - self._mirrored[1])


def _third(end: Point, control: Point) -> Point:
    """The control point of the cubic curve that equals a quadratic one, on the side of `end`."""
    return (end[0] + 2 * (control[0] - end[0]) / 3, end[1] + 2 * (control[1] - end[1]) / 3)
