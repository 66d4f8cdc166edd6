"""SVG logos: the outlines in a file, each in one colour (SVG 2, chapters 7 to 13).

Knows paths, basic shapes, groups, `use` of what the file defines, transformations, plain colours,
`style` and classes. What it cannot draw as it is meant — gradients, pictures, texts, filters —
is refused by its line, and so is whatever would be fetched from elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.parsers import expat

from rfid_station.printing.art.outline import Close, Curve, Line, Move, Outline, ellipse, parse_outline
from rfid_station.printing.geometry import Point

LARGEST_BYTES = 4 * 2**20
_MOST_SHAPES = 20_000
_DEEPEST = 60

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TRANSFORM = re.compile(r"\s*,?\s*(\w+)\s*\(([^)]*)\)")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_RGB = re.compile(r"rgb\(\s*(\d+)\s*[, ]\s*(\d+)\s*[, ]\s*(\d+)\s*\)")
_UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_COLOR_NAMES = {
    "black": "#000000",
    "white": "#FFFFFF",
    "red": "#FF0000",
    "green": "#008000",
    "lime": "#00FF00",
    "blue": "#0000FF",
    "yellow": "#FFFF00",
    "orange": "#FFA500",
    "gray": "#808080",
    "grey": "#808080",
    "silver": "#C0C0C0",
    "navy": "#000080",
    "teal": "#008080",
    "maroon": "#800000",
    "purple": "#800080",
}
_SILENT = {"title", "desc", "metadata", "defs", "style", "symbol", "namedview"}
"""Elements that draw nothing where they stand."""
_GROUPS = {"svg", "g", "a", "switch"}
_INHERITED = ("fill", "stroke", "stroke-width", "fill-rule", "color", "visibility")
_STYLED = (*_INHERITED, "opacity", "fill-opacity", "stroke-opacity", "display", "transform")
_REFUSED_ATTRIBUTES = ("filter", "mask", "clip-path", "marker-start", "marker-mid", "marker-end")

Matrix = tuple[float, float, float, float, float, float]
_UNMOVED: Matrix = (1, 0, 0, 1, 0, 0)


class NotDrawable(ValueError):
    """A drawing, or something in it, cannot be printed. `remedy` says what helps."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Drawn:
    """An outline in the units of the drawing, in one colour `#RRGGBB`: filled, or a line of some width."""

    outline: Outline
    color: str
    pen: float | None
    opacity: float
    is_even_odd: bool


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)
    text: str = ""

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)


def read_svg(file: Path) -> tuple[float, float, list[Drawn]]:
    """Width, height and outlines of a drawing, the lowest first.

    :raises NotDrawable: it cannot be read, refers outside of the file, or has what cannot be printed
    """
    try:
        size = file.stat().st_size
        if size > LARGEST_BYTES:
            raise NotDrawable(
                f"{file.name} has {size / 2**20:.0f} MB, and a drawing has {LARGEST_BYTES // 2**20} at most",
                "simplify its paths, or take out pictures that are embedded in it",
            )
        data = file.read_bytes()
    except OSError as error:
        raise NotDrawable(
            f"{file.name} cannot be read: {error.strerror}", f"check it with: ls -l {file}"
        ) from error
    return _Drawing(file.name, _parsed(file.name, data)).outlines()


def _parsed(name: str, data: bytes) -> _Element:
    parser = expat.ParserCreate(namespace_separator=" ")
    root = _Element("", {}, 0)
    open_elements = [root]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > _DEEPEST:
            raise NotDrawable(f"{name} has more than {_DEEPEST} groups within each other", _SIMPLIFY)
        local = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = _Element(tag.rpartition(" ")[2], local, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def entity(entity_name: str, *_: object) -> None:
        raise NotDrawable(
            f"{name}, line {parser.CurrentLineNumber}: defines the entity {entity_name!r}, and a logo needs"
            " none",
            "save it again as plain SVG",
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code]
        raise NotDrawable(
            f"{name} is broken at line {error.lineno}, column {error.offset + 1}: {what}",
            "save it again from the drawing program, as plain SVG",
        ) from error
    svg = root.children[0]
    if svg.name != "svg":
        raise NotDrawable(f"{name} is no SVG drawing, but <{svg.name}>", "save it again as plain SVG")
    return svg


_SIMPLIFY = "simplify the drawing: convert it to paths and ungroup them"
_TO_PATHS = (
    "convert it to paths in plain colours in the drawing program, or save the logo as PNG with 600 dpi"
)


@dataclass(frozen=True, slots=True)
class _State:
    """What an element inherits."""

    style: Mapping[str, str]
    matrix: Matrix
    opacity: float = 1.0
    depth: int = 0


class _Drawing:
    def __init__(self, name: str, svg: _Element) -> None:
        self._name = name
        self._svg = svg
        self._by_id = {element.get("id"): element for element in _all(svg) if element.get("id")}
        self._rules = dict(self._style_rules())

    def outlines(self) -> tuple[float, float, list[Drawn]]:
        left, top, width, height = self._view()
        begin = _State({}, (1, 0, 0, 1, -left, -top))
        drawn = list(self._group(self._svg, begin))
        if not drawn:
            raise NotDrawable(f"{self._name} draws nothing", "save the logo again, with its shapes visible")
        return width, height, drawn

    def _view(self) -> tuple[float, float, float, float]:
        svg = self._svg
        numbers = [float(number) for number in _NUMBER.findall(svg.get("viewBox"))]
        if len(numbers) != 4:
            width, height = self._length(svg, "width"), self._length(svg, "height")
            numbers = [0, 0, width, height]
        left, top, width, height = numbers
        if width <= 0 or height <= 0 or not all(map(math.isfinite, numbers)):
            raise self._wrong(svg, "has no size", 'give <svg> a viewBox="0 0 width height"')
        return left, top, width, height

    def _group(self, group: _Element, state: _State) -> Iterator[Drawn]:
        for element in group.children:
            yield from self._element(element, state)

    def _element(self, element: _Element, outer: _State) -> Iterator[Drawn]:
        if element.name in _SILENT:
            return
        self._refuse_foreign(element)
        style = self._style(element)
        if style.get("display") == "none":
            return
        state = self._inherited(element, style, outer)
        if element.name in _GROUPS:
            yield from self._group(element, state)
        elif element.name == "use":
            yield from self._used(element, state)
        elif element.name in _SHAPES:
            if state.style.get("visibility") not in ("hidden", "collapse"):
                yield from self._shape(element, style, state)
        else:
            raise self._wrong(element, "cannot be printed", _TO_PATHS)

    def _inherited(self, element: _Element, style: Mapping[str, str], outer: _State) -> _State:
        inherited = {name: style[name] for name in _INHERITED if style.get(name, "inherit") != "inherit"}
        return _State(
            {**outer.style, **inherited},
            self._moved(element, style.get("transform", ""), outer.matrix),
            outer.opacity * self._share(element, style.get("opacity", "1")),
            outer.depth,
        )

    def _used(self, element: _Element, state: _State) -> Iterator[Drawn]:
        target = self._by_id.get(element.get("href").removeprefix("#"))
        if target is None or state.depth > _DEEPEST:
            raise self._wrong(element, f"uses {element.get('href')!r}, which is not there", _TO_PATHS)
        shift = (1, 0, 0, 1, self._length(element, "x"), self._length(element, "y"))
        moved = replace(state, matrix=_product(state.matrix, shift), depth=state.depth + 1)
        if target.name == "symbol":
            yield from self._group(target, moved)
        else:
            yield from self._element(target, moved)

    def _shape(self, element: _Element, style: Mapping[str, str], state: _State) -> Iterator[Drawn]:
        outline = self._outline(element)
        if outline is None:
            return
        placed = _transformed(outline, state.matrix)
        fill = self._color(element, state.style.get("fill", "#000000"), state)
        if fill and element.name != "line":
            opacity = state.opacity * self._share(element, style.get("fill-opacity", "1"))
            is_even_odd = state.style.get("fill-rule") == "evenodd"
            yield Drawn(placed, fill, None, opacity, is_even_odd)
        stroke = self._color(element, state.style.get("stroke", "none"), state)
        width = self._measure(element, state.style.get("stroke-width", "1"))
        if stroke and width > 0:
            a, b, c, d, _, _ = state.matrix
            opacity = state.opacity * self._share(element, style.get("stroke-opacity", "1"))
            yield Drawn(placed, stroke, width * math.sqrt(abs(a * d - b * c)), opacity, False)

    def _outline(self, element: _Element) -> Outline | None:
        """The outline of a path or a basic shape; None if there is nothing of it."""

        def length(name: str) -> float:
            return self._length(element, name)

        match element.name:
            case "path":
                return self._path(element, element.get("d"))
            case "polygon" | "polyline":
                numbers = " ".join(_NUMBER.findall(element.get("points")))
                closed = " Z" if element.name == "polygon" else ""
                return self._path(element, f"M {numbers}{closed}" if numbers else "")
            case "line":
                ends = ((length("x1"), length("y1")), (length("x2"), length("y2")))
                return Outline((Move(ends[0]), Line(ends[1])))
            case "circle":
                radii = (length("r"), length("r"))
                return ellipse((length("cx"), length("cy")), radii) if radii[0] > 0 else None
            case "ellipse":
                radii = (length("rx"), length("ry"))
                return ellipse((length("cx"), length("cy")), radii) if min(radii) > 0 else None
            case _:
                return self._rectangle(element)

    def _rectangle(self, element: _Element) -> Outline | None:
        x, y, width, height = (self._length(element, name) for name in ("x", "y", "width", "height"))
        if width <= 0 or height <= 0:
            return None
        rx, ry = self._length(element, "rx"), self._length(element, "ry")
        rx, ry = min(rx or ry, width / 2), min(ry or rx, height / 2)
        if not rx or not ry:
            return self._path(element, f"M{x} {y}h{width}v{height}h{-width}z")
        corner = f"a{rx} {ry} 0 0 1"
        across, down = width - 2 * rx, height - 2 * ry
        return self._path(
            element,
            f"M{x + rx} {y}h{across}{corner} {rx} {ry}v{down}{corner} {-rx} {ry}"
            f"h{-across}{corner} {-rx} {-ry}v{-down}{corner} {rx} {-ry}z",
        )

    def _path(self, element: _Element, data: str) -> Outline | None:
        if not data.strip():
            return None
        try:
            return parse_outline(data)
        except ValueError as error:
            raise self._wrong(element, f"has a path that {error}", "save it again as plain SVG") from error

    def _color(self, element: _Element, written: str, state: _State) -> str | None:
        """A colour as `#RRGGBB`; None for none."""
        text = written.strip()
        if text in ("none", "transparent"):
            return None
        if text == "currentColor":
            text = state.style.get("color", "#000000")
        if text.startswith("url("):
            raise self._wrong(element, f"is filled with {text}, a gradient or a pattern", _TO_PATHS)
        if re.fullmatch(r"#[0-9A-Fa-f]{3}", text):
            text = "#" + "".join(2 * digit for digit in text[1:])
        by_numbers = _RGB.fullmatch(text)
        if by_numbers:
            text = "#" + "".join(f"{min(int(part), 255):02X}" for part in by_numbers.groups())
        text = _COLOR_NAMES.get(text.lower(), text)
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
            raise self._wrong(element, f"has the colour {written!r}, which is none", 'write it as "#0B2A3B"')
        return text.upper()

    def _style(self, element: _Element) -> dict[str, str]:
        """Attributes, then rules for its element and classes, then its own `style` (SVG 2, 6.4)."""
        style = {name: element.get(name).strip() for name in _STYLED if element.get(name)}
        for selector in (element.name, *(f".{name}" for name in element.get("class").split())):
            style.update(self._rules.get(selector, {}))
        style.update(_declarations(element.get("style")))
        for name in _REFUSED_ATTRIBUTES:
            if (style.get(name) or element.get(name, "none")) != "none":
                raise self._wrong(element, f"has a {name}, which cannot be printed", _TO_PATHS)
        return style

    def _style_rules(self) -> Iterator[tuple[str, dict[str, str]]]:
        for element in _all(self._svg):
            if element.name != "style":
                continue
            text = re.sub(r"/\*.*?\*/", "", element.text, flags=re.DOTALL)
            if "@" in text or "url(" in text:
                raise self._wrong(
                    element, "has styles that refer outside", "write the colours into the shapes"
                )
            for selectors, declarations in _RULE.findall(text):
                for selector in selectors.split(","):
                    yield selector.strip(), _declarations(declarations)

    def _refuse_foreign(self, element: _Element) -> None:
        """Nothing is fetched: not from the network, not from other files."""
        href = element.get("href")
        if href and not href.startswith("#") and element.name != "a":
            shown = href if len(href) <= 60 else f"{href[:57]}…"
            raise self._wrong(
                element, f"refers to {shown!r}, and a logo has to stand in one file", "embed it as paths"
            )

    def _moved(self, element: _Element, written: str, outer: Matrix) -> Matrix:
        matrix, position = outer, 0
        while match := _TRANSFORM.match(written, position):
            numbers = [float(number) for number in _NUMBER.findall(match[2])]
            try:
                matrix = _product(matrix, _matrix(match[1], numbers))
            except (ValueError, IndexError) as error:
                raise self._wrong(element, f"has the transform {written!r}", _SIMPLIFY) from error
            position = match.end()
        if written[position:].strip():
            raise self._wrong(element, f"has the transform {written!r}", _SIMPLIFY)
        return matrix

    def _length(self, element: _Element, name: str) -> float:
        return self._measure(element, element.get(name, "0"))

    def _measure(self, element: _Element, written: str) -> float:
        match = _NUMBER.match(written.strip())
        unit = written.strip()[match.end() :] if match else None
        if match is None or unit not in _UNITS:
            raise self._wrong(
                element, f"has the measure {written!r}", "write plain numbers or px, pt, mm, cm, in"
            )
        return float(match[0]) * _UNITS[unit]

    def _share(self, element: _Element, written: str) -> float:
        match = _NUMBER.fullmatch(written.strip().removesuffix("%"))
        if match is None:
            raise self._wrong(element, f"has the opacity {written!r}", "write a number from 0 to 1")
        return min(max(float(match[0]) / (100 if written.strip().endswith("%") else 1), 0), 1)

    def _wrong(self, element: _Element, why: str, remedy: str) -> NotDrawable:
        return NotDrawable(f"{self._name}, line {element.line}: <{element.name}> {why}", remedy)


_SHAPES = {"path", "polygon", "polyline", "line", "circle", "ellipse", "rect"}


def _all(element: _Element) -> Iterator[_Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _declarations(text: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in text.split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs if value}


def _matrix(name: str, numbers: list[float]) -> Matrix:
    match name:
        case "matrix":
            a, b, c, d, e, f = numbers
            return (a, b, c, d, e, f)
        case "translate":
            return (1, 0, 0, 1, numbers[0], numbers[1] if len(numbers) > 1 else 0)
        case "scale":
            return (numbers[0], 0, 0, numbers[-1], 0, 0)
        case "rotate":
            turn = math.radians(numbers[0])
            turned = (math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn), 0, 0)
            x, y = numbers[1:3] if len(numbers) == 3 else (0, 0)
            return _product(_product((1, 0, 0, 1, x, y), turned), (1, 0, 0, 1, -x, -y))
        case "skewX":
            return (1, 0, math.tan(math.radians(numbers[0])), 1, 0, 0)
        case "skewY":
            return (1, math.tan(math.radians(numbers[0])), 0, 1, 0, 0)
    raise ValueError(name)


def _product(outer: Matrix, inner: Matrix) -> Matrix:
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e, b * t + d * u + f)


def _transformed(outline: Outline, matrix: Matrix) -> Outline:
    a, b, c, d, e, f = matrix

    def at(point: Point) -> Point:
        x, y = point
        return (a * x + c * y + e, b * x + d * y + f)

    def placed(segment: Move | Line | Curve | Close) -> Move | Line | Curve | Close:
        match segment:
            case Move(to):
                return Move(at(to))
            case Line(to):
                return Line(at(to))
            case Curve(first, second, to):
                return Curve(at(first), at(second), at(to))
        return segment

    return Outline(tuple(placed(segment) for segment in outline.segments))
