"""Judging a design with a brand before anything is printed: all that is wrong, with its layer and a remedy.

What a card may have at most is tried; grounds of texts are looked at in a picture of what lies below them.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from PIL import Image

from rfid_station.errors import StationError, WrongCall
from rfid_station.printing.art.pictures import opened
from rfid_station.printing.brand import BRAND_FIELDS, Brand, Color, Logo, PictureLogo, ShippedFont, contrast
from rfid_station.printing.card_picture import rendered, with_artwork
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.draw import CardPainter, LayerPainter, fitted
from rfid_station.printing.field_text import LANGUAGE
from rfid_station.printing.fonts import house_typeface, typeface
from rfid_station.printing.geometry import MM_PER_INCH, Box
from rfid_station.printing.languages import letters
from rfid_station.printing.layer import GradientLayer, ImageLayer, Layer, LogoLayer, ShapeLayer, TextLayer
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import Pen, new_canvas
from rfid_station.printing.samples import longest_face, usual_face

AA_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3: for texts."""
AA_CONTRAST_LARGE = 3.0
"""For texts from 18 pt on, or from 14 pt on if they are bold."""
LARGE_PT, LARGE_BOLD_PT = 18, 14
LEAST_GOOD_DPI = 150
GOOD_DPI = 300
MOST_INK = 3.0
"""Of the four inks together; presses for plastic take 250 to 300 %."""

_GROUND_DPI = 150
_STRAY_PIXELS = 0.02
"""The part of a ground that may be worse: edges between colours are blurred in a picture."""
_FREE_TEXT = frozenset({"driver", "fleet", "reference"})
"""Fields in which people have their own names."""
_BOLD = (ShippedFont.SEMIBOLD, ShippedFont.BOLD, ShippedFont.BLACK)


class Severity(StrEnum):
    """Whether it must not be printed like this, or should be looked at."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what, and what helps."""

    severity: Severity
    place: str
    problem: str
    remedy: str


def check_design(
    design: CardDesign, brand: Brand, *, link: str | None = None, number_pattern: str | None = None
) -> list[Finding]:
    """All that is wrong with a design in the colours, fonts and texts of a brand.

    `link` and `number_pattern` are those of the station, for the longest values.
    """
    station = {
        key: value for key, value in (("link", link), ("number_pattern", number_pattern)) if value is not None
    }
    trial = _Trial(design, brand, longest_face(design, **station), usual_face(**station))
    return list(dict.fromkeys(trial.findings()))


class _Trial:
    def __init__(
        self, design: CardDesign, brand: Brand, longest: Mapping[str, str], usual: Mapping[str, str]
    ) -> None:
        self._design = design
        self._brand = brand
        self._longest = longest
        self._usual = usual
        self._languages: Sequence[str | None] = design.languages or (None,)

    def findings(self) -> Iterator[Finding]:
        yield from self._unknown_languages()
        yield from self._heavy_inks()
        for side in Side:
            broken: set[str] = set()
            for layer in self._design.side(side):
                for finding in self._of_layer(layer, side):
                    if finding.severity is Severity.ERROR:
                        broken.add(layer.place)
                    yield finding
            yield from self._colliding(side)
            yield from self._faint_texts(side, broken)
        yield from self._artwork()

    def _unknown_languages(self) -> Iterator[Finding]:
        for language in self._design.languages:
            if letters(language) is None:
                yield Finding(
                    Severity.WARNING,
                    f"{self._design.source}: languages",
                    f"it is not known how {language!r} is written",
                    "write ISO 639-1 codes, as de, en, pl; names are checked only as they come",
                )

    def _heavy_inks(self) -> Iterator[Finding]:
        for name, color in self._brand.colors.items():
            if sum(color.cmyk) > MOST_INK:
                yield Finding(
                    Severity.WARNING,
                    f"{self._brand.source}: colors.{name}",
                    f"takes {100 * sum(color.cmyk):.0f} % of ink, which does not dry on plastic",
                    f"stay below {100 * MOST_INK:.0f} %: less of c, m and y, more of k",
                )

    def _of_layer(self, layer: Layer, side: Side) -> Iterator[Finding]:
        missing = sorted(layer.fields & set(BRAND_FIELDS) - set(self._brand.fields))
        if missing:
            yield Finding(
                Severity.ERROR,
                layer.place,
                f"shows {{{missing[0]}}}, which {self._brand.source} has not",
                f'add {missing[0]} = "…" there',
            )
            return
        for language in self._languages:
            yield from self._drawn(layer, language)
        match layer:
            case TextLayer():
                yield from self._missing_letters(layer)
            case ImageLayer(file=file, area=area):
                yield from self._coarse(layer, file, fitted_picture(layer, file, area))
            case LogoLayer():
                yield from self._of_logo(layer)
        yield from self._guessed_colors(layer)
        yield from self._over_electronics(layer, side)

    def _drawn(self, layer: Layer, language: str | None) -> Iterator[Finding]:
        """Draw it with the longest values, and see whether that works."""
        values = {**self._brand.fields_in(language), **self._longest, LANGUAGE: language or ""}
        try:
            LayerPainter(self._pen(io.BytesIO()), self._brand, language).prepared(layer)(values)
        except StationError as error:
            yield Finding(Severity.ERROR, layer.place, error.message, error.hint or "")

    def _missing_letters(self, layer: TextLayer) -> Iterator[Finding]:
        if not layer.fields & _FREE_TEXT:
            return
        try:
            face = typeface(self._brand, layer.font)
        except StationError:
            return  # said by drawing it
        for language in self._design.languages:
            lacking = [letter for letter in letters(language) or "" if not face.has(letter)]
            if lacking:
                shown = "".join(lacking[:12]) + ("…" if len(lacking) > 12 else "")
                yield Finding(
                    Severity.ERROR,
                    layer.place,
                    f"font {face.title} has no glyphs for {shown} of {language}",
                    f'name a second font in the brand: {layer.font} = ["{face.title}", "Source Sans"]',
                )

    def _of_logo(self, layer: LogoLayer) -> Iterator[Finding]:
        logo = self._brand.logos.get(layer.logo)
        if isinstance(logo, PictureLogo):
            yield from self._coarse(layer, logo.file, fitted_picture(layer, logo.file, layer.area))
        elif isinstance(logo, Logo):
            for color in dict.fromkeys(shape.color for shape in logo.shapes):
                yield from self._guessed(layer, color)

    def _coarse(self, layer: Layer, file: Path, box: Box | None) -> Iterator[Finding]:
        if box is None:
            return
        dpi = opened(file).dpi(box)
        if dpi < GOOD_DPI:
            yield Finding(
                Severity.ERROR if dpi < LEAST_GOOD_DPI else Severity.WARNING,
                layer.place,
                f"{file.name} has {dpi:.0f} dpi at {box.width:.1f} × {box.height:.1f} mm",
                f"take one of {round(box.width / MM_PER_INCH * GOOD_DPI)} pixels in width, or an SVG file",
            )

    def _guessed_colors(self, layer: Layer) -> Iterator[Finding]:
        names = [getattr(layer, "color", None), getattr(layer, "ground", None)]
        if isinstance(layer, GradientLayer):
            names += [name for name, _ in layer.stops]
        if isinstance(layer, ShapeLayer):
            names.append(layer.shape.color)
        for name in dict.fromkeys(names):
            if name:
                yield from self._guessed(layer, name)

    def _guessed(self, layer: Layer, name: str) -> Iterator[Finding]:
        try:
            color = self._brand.color(name)
        except WrongCall:
            return  # said by drawing it
        if name.startswith("#") and color not in self._brand.colors.values() and color.rgb not in _PLAIN:
            yield Finding(
                Severity.WARNING,
                layer.place,
                f"the colour {name} is none of the brand, and its CMYK is a guess",
                f'give it a name in the brand: [colors.NAME] rgb = "{name}" and cmyk = [c, m, y, k]',
            )

    def _over_electronics(self, layer: Layer, side: Side) -> Iterator[Finding]:
        for zone in self._design.no_print:
            is_seen = isinstance(layer, LogoLayer | ImageLayer) and not layer.is_preprinted
            if is_seen and zone.side in (None, side) and layer.box.overlaps(zone.zone):
                yield Finding(
                    Severity.WARNING,
                    layer.place,
                    f"lies over the {zone.reason}, where printers leave spots",
                    "move it away, or print there only what is of one colour",
                )

    def _colliding(self, side: Side) -> Iterator[Finding]:
        """Texts that run into each other when both are as long as they may be."""
        placed = [(layer, box) for layer in self._texts(side) if (box := self._extent(layer))]
        for number, (layer, box) in enumerate(placed):
            for other, other_box in placed[number + 1 :]:
                if box.overlaps(other_box) and not layer.excludes(other):
                    yield Finding(
                        Severity.ERROR,
                        other.place,
                        f"{other.text.source!r} runs into {layer.text.source!r} of {_short(layer.place)}",
                        "move one of them, or make its width smaller",
                    )

    def _texts(self, side: Side) -> list[TextLayer]:
        return [layer for layer in self._design.side(side) if isinstance(layer, TextLayer)]

    def _extent(self, layer: TextLayer) -> Box | None:
        language = self._languages[0]
        values = {**self._brand.fields_in(language), **self._longest}
        try:
            painter = LayerPainter(self._pen(io.BytesIO()), self._brand, language)
            return painter.extent(layer, values)
        except (StationError, KeyError):
            return None  # said elsewhere

    def _faint_texts(self, side: Side, broken: set[str]) -> Iterator[Finding]:
        """Texts whose ground, as it comes out in a picture, is too near to their own colour."""
        texts = [layer for layer in self._texts(side) if layer.place not in broken]
        placed = [(layer, box) for layer in texts if (box := self._extent(layer))]
        if not placed:
            return
        sound = tuple(layer for layer in self._design.side(side) if layer.place not in broken)
        target = io.BytesIO()
        try:
            self._draw_grounds(target, side, sound, [layer for layer, _ in placed])
            pictures = rendered(with_artwork(target.getvalue(), self._design), _GROUND_DPI)
        except StationError:
            return  # the artwork, said elsewhere
        for (layer, box), picture in zip(placed, pictures, strict=True):
            dots = _GROUND_DPI / MM_PER_INCH
            cut = picture.convert("RGB").crop(
                (int(box.x * dots), int(box.y * dots), int(box.right * dots) + 1, int(box.bottom * dots) + 1)
            )
            ratio = self._worst_contrast(layer, _pixels(cut))
            least = self._least_contrast(layer)
            if ratio < least - 0.005:
                yield Finding(
                    Severity.ERROR,
                    layer.place,
                    f"{layer.text.source!r} in {layer.color} has a contrast of {ratio:.1f} to its ground,"
                    f" and WCAG AA asks for {least:g}",
                    "take a darker or a lighter color for it, or for its ground",
                )

    def _draw_grounds(
        self, target: io.BytesIO, side: Side, sound: Sequence[Layer], texts: Sequence[TextLayer]
    ) -> None:
        """A page for each text, with all that lies below it."""
        language = self._languages[0]
        pen = self._pen(target)
        for number, text in enumerate(texts):
            below = tuple(layer for layer in sound[: sound.index(text)] if not isinstance(layer, TextLayer))
            design = (
                replace(self._design, front=below)
                if side is Side.FRONT
                else replace(self._design, back=below)
            )
            painter = CardPainter(
                pen, design, self._brand, side, language, shows_preprinted=True, prefix=f"{number}-"
            )
            painter.paint(self._usual, 0, 0)
            pen.canvas.showPage()
        pen.canvas.save()

    def _worst_contrast(self, layer: TextLayer, ground_pixels: Iterable[tuple[int, ...]]) -> float:
        color = self._brand.color(layer.color)
        found = []
        for pixel, count in Counter(ground_pixels).items():
            red, green, blue = (value / 255 for value in pixel[:3])
            ground = Color((red, green, blue), (0, 0, 0, 0))
            found.append((contrast(_seen_through(color, ground, layer.opacity), ground), count))
        found.sort()
        stray = _STRAY_PIXELS * sum(count for _, count in found)
        for ratio, count in found:
            stray -= count
            if stray < 0:
                return ratio
        return 21.0

    def _least_contrast(self, layer: TextLayer) -> float:
        is_bold = "bold" in layer.font or any(font in _BOLD for font in self._brand.font(layer.font))
        size = layer.min_size_pt
        return AA_CONTRAST_LARGE if size >= (LARGE_BOLD_PT if is_bold else LARGE_PT) else AA_CONTRAST

    def _artwork(self) -> Iterator[Finding]:
        for side, file in self._design.artwork.items():
            place = f"{self._design.source}: artwork.{side}"
            card = Box(0, 0, self._design.width_mm, self._design.height_mm)
            box = card.grown(self._design.artwork_bleed_mm)
            try:
                self._place_artwork(side)
                if file.suffix.lower() not in (".pdf", ".svg"):
                    yield from self._coarse(Layer(place), file, box)
            except StationError as error:
                yield Finding(Severity.ERROR, place, error.message, error.hint or "")

    def _place_artwork(self, side: Side) -> None:
        """Draw a side with nothing but its artwork."""
        target = io.BytesIO()
        pen = self._pen(target)
        bare = replace(self._design, front=(), back=())
        CardPainter(pen, bare, self._brand, side).paint(self._usual, 0, 0)
        pen.canvas.showPage()
        pen.canvas.save()
        with_artwork(target.getvalue(), replace(bare, artwork={side: self._design.artwork[side]}))

    def _pen(self, target: io.BytesIO) -> Pen:
        card = Box(0, 0, self._design.width_mm, self._design.height_mm)
        canvas = new_canvas(target, card, house_typeface().name, trim=card, bleed=card)
        return Pen(canvas, card.height, card, ColorSpace.RGB)


_PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def fitted_picture(layer: LogoLayer | ImageLayer, file: Path, area: Box) -> Box | None:
    """Where a picture comes to lie; None if it cannot be opened."""
    try:
        picture = opened(file)
    except StationError:
        return None
    if isinstance(layer, ImageLayer):
        return fitted(picture.width, picture.height, area, layer.anchor, layer.fit)
    return fitted(picture.width, picture.height, area, layer.anchor)


def _seen_through(color: Color, ground: Color, opacity: float) -> Color:
    red, green, blue = (
        opacity * own + (1 - opacity) * below for own, below in zip(color.rgb, ground.rgb, strict=True)
    )
    return Color((red, green, blue), color.cmyk)


def _pixels(picture: Image.Image) -> Iterator[tuple[int, ...]]:
    parts = iter(picture.tobytes())
    return zip(parts, parts, parts, strict=True)


def _short(place: str) -> str:
    """The layer of a place, without its file."""
    return place.rpartition(": ")[2]
