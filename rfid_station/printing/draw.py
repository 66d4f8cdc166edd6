"""Drawing the layers of a side.

What is the same on all cards is drawn once, as PDF forms; a card refers to them and adds
its own texts and codes. The order of the layers is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rfid_station.errors import PrintError, StationError, WrongCall
from rfid_station.printing.art.pictures import PRESS_MODES, Picture, check_resolution, opened
from rfid_station.printing.art.svg import NotDrawable, read_svg
from rfid_station.printing.bidi import isolated, runs_right_to_left
from rfid_station.printing.brand import Brand, Logo, PictureLogo, Shape, contrast
from rfid_station.printing.codes import code128, data_matrix
from rfid_station.printing.codes.modules import Modules
from rfid_station.printing.codes.qr_code import QUIET_ZONE, SMALLEST_MODULE_MM, QrMatrix, qr_matrix
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.field_text import LANGUAGE, FieldText
from rfid_station.printing.fonts import Typeface, normal_form, typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layer import (
    Anchor,
    Code128Layer,
    CodeLayer,
    DataMatrixLayer,
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
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import FLAT, Pen

Values = Mapping[str, str]
Draw = Callable[[Values], None]
"""Draws one layer for the values of a card."""

LEAST_CODE_CONTRAST = 4.5
"""Between the modules and their ground, as a WCAG ratio."""

_NEGLIGIBLE_MM = 1e-6


class CardPainter:
    """Draws one side of cards of one design and brand on one canvas, in one language of the design.

    To be made before anything else is drawn there. What is preprinted is left out, unless a picture of
    the finished card is wanted. With several painters of one side on a canvas, each needs a `prefix` of
    its own for the names of its forms.

    :raises WrongCall: the brand lacks a colour, font or logo that the design names
    :raises PrintError: a static text, picture or code cannot be printed
    """

    def __init__(
        self,
        pen: Pen,
        design: CardDesign,
        brand: Brand,
        side: Side = Side.FRONT,
        language: str | None = None,
        *,
        shows_preprinted: bool = False,
        prefix: str = "",
    ) -> None:
        self._pen = pen
        self._design = design
        self._side = side
        self._prefix = prefix
        self._language = _language(design, language)
        self._values = {**brand.fields_in(self._language), LANGUAGE: self._language or ""}
        self._layers = LayerPainter(pen, brand, self._language)
        self._steps: list[str | list[tuple[Layer, Draw]]] = []
        self._define_artwork()
        layers = [
            layer
            for layer in design.side(side)
            if (shows_preprinted or not layer.is_preprinted)
            and (not layer.is_static or layer.is_shown(self._values))
        ]
        for is_static, run in groupby(layers, lambda layer: layer.is_static):
            prepared = [(layer, self._prepared(layer)) for layer in run]
            self._steps.append(self._define_form(prepared) if is_static else prepared)

    def paint(self, values: Values, left_mm: float, bottom_mm: float) -> None:
        """Draw one card, its trimmed lower left corner at a place counted from that of the paper.

        :raises PrintError: a text or code of the card cannot be printed
        """
        canvas = self._pen.canvas
        # By hand, since `saveState` and `translate` take a fifth of a card's time.
        canvas.addLiteral(f"q 1 0 0 1 {left_mm * POINTS_PER_MM:.4f} {bottom_mm * POINTS_PER_MM:.4f} cm")
        everything = {**self._values, **values}
        for step in self._steps:
            if isinstance(step, str):
                canvas.doForm(step)
                continue
            for layer, draw in step:
                if not layer.conditions or layer.is_shown(everything):
                    try:
                        draw(everything)
                    except StationError as error:
                        raise _placed(error, f"{layer.place}, card {values['visual_number']}") from error
        canvas.addLiteral("Q")

    def _prepared(self, layer: Layer) -> Draw:
        with _at(layer.place):
            return self._layers.prepared(layer)

    def _define_form(self, layers: Sequence[tuple[Layer, Draw]]) -> str:
        """Keep static layers as a PDF form, whose frame cuts them off at the bleed."""
        side = "" if self._side is Side.FRONT else "-back"
        language = f"-{self._language}-" if self._language else ""
        name = f"{self._prefix}static{side}{language}{len(self._steps)}"
        with self._pen.form(name):
            for layer, draw in layers:
                with _at(layer.place):
                    draw(self._values)
        return name

    def _define_artwork(self) -> None:
        """The finished picture of this side: drawn, or, of a PDF, an empty form to be replaced by it."""
        file = self._design.artwork.get(self._side)
        if file is None:
            return
        name = f"artwork-{self._side}"
        self._steps.append(name)
        if self._pen.canvas.hasForm(name):
            return
        with self._pen.form(name), _at(f"{self._design.source}: artwork.{self._side}"):
            card = Box(0, 0, self._design.width_mm, self._design.height_mm)
            self._layers.artwork(file, card.grown(self._design.artwork_bleed_mm))


def _language(design: CardDesign, wanted: str | None) -> str | None:
    """The language to print in: the one wanted if the design has it, else its first."""
    if wanted in design.languages or not design.languages:
        return wanted
    return design.languages[0]


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Say in errors where it was."""
    try:
        yield
    except StationError as error:
        raise _placed(error, place) from error


def _placed(error: StationError, place: str) -> StationError:
    return type(error)(f"{place}: {error.message}", hint=error.hint)


class LayerPainter:
    """Makes ready what draws a layer: names of the brand are looked up once, and not for every card."""

    def __init__(self, pen: Pen, brand: Brand, language: str | None) -> None:
        self._pen = pen
        self._brand = brand
        self._language = language

    def prepared(self, layer: Layer) -> Draw:
        """What draws a layer.

        :raises WrongCall: the brand lacks something that it names, or a code would not be readable
        """
        draw = self._drawing(layer)
        if layer.opacity >= 1:
            return draw

        def faint(values: Values) -> None:
            with self._pen.see_through(layer.opacity):
                draw(values)

        return faint

    def extent(self, layer: TextLayer, values: Values) -> Box:
        """Where the letters of a text come to lie, from ascenders to descenders.

        :raises PrintError: it does not fit, or a glyph is missing
        """
        face = typeface(self._brand, layer.font)
        text = layer.text.in_language(layer.language or self._language)
        own_fields = self._brand.fields_in(layer.language) if layer.language else {}
        size, lines = _set(layer, face, _printable(text, {**values, **own_fields}))
        width = max(face.width(line, layer.tracking) for line in lines) * size / POINTS_PER_MM
        placed = replace(layer, width_mm=width, size_pt=size, lines=len(lines))
        return placed.box

    def artwork(self, file: Path, box: Box) -> None:
        """Draw the finished picture of a side; nothing if it is a PDF.

        :raises PrintError: the file cannot be printed
        """
        match file.suffix.lower():
            case ".pdf":
                return
            case ".svg":
                try:
                    width, height, drawn = read_svg(file)
                except NotDrawable as error:
                    raise PrintError(str(error), hint=error.remedy) from error
                shapes = [Shape(d.outline, d.color, d.pen, d.opacity, d.is_even_odd) for d in drawn]
                self._shapes(shapes, fitted(width, height, box, Anchor.CENTER, Fit.COVER), width)
            case _:
                self._picture(opened(file), box, Anchor.CENTER, Fit.COVER)

    def _drawing(self, layer: Layer) -> Draw:
        match layer:
            case TextLayer():
                return self._text(layer)
            case CodeLayer():
                return self._code(layer)
            case _:
                draw = self._static(layer)
                return lambda _: draw()

    def _static(self, layer: Layer) -> Callable[[], None]:
        match layer:
            case FillLayer():
                return self._rect(self._pen.frame.grown(1), layer.color)  # the frame cuts it off
            case RectLayer():
                return self._rect(layer.area, layer.color, layer.radius_mm)
            case GradientLayer():
                return self._gradient(layer)
            case LineLayer():
                return self._line(layer)
            case ShapeLayer():
                color = self._brand.color(layer.shape.color)
                return lambda: self._pen.shape(layer.shape, color)
            case LogoLayer():
                return self._logo(layer)
            case ImageLayer():
                return lambda: self._picture(opened(layer.file), layer.area, layer.anchor, layer.fit)
            case _:
                raise NotImplementedError(type(layer).__name__)

    def _rect(self, area: Box, color: str, radius_mm: float = 0) -> Callable[[], None]:
        ink = self._brand.color(color)

        def draw() -> None:
            self._pen.fill_with(ink)
            self._pen.rect(area, radius_mm)

        return draw

    def _gradient(self, layer: GradientLayer) -> Callable[[], None]:
        stops = [(self._brand.color(name), place) for name, place in layer.stops]
        area = layer.area or self._pen.frame
        return lambda: self._pen.gradient(area, layer.start, layer.end, layer.radius_mm, stops)

    def _line(self, layer: LineLayer) -> Callable[[], None]:
        ink = self._brand.color(layer.color)

        def draw() -> None:
            self._pen.stroke_with(ink, layer.width_mm, FLAT)
            self._pen.line(layer.start, layer.end)

        return draw

    def _logo(self, layer: LogoLayer) -> Callable[[], None]:
        logo = self._brand.logo(layer.logo)
        match logo:
            case PictureLogo(file):
                return lambda: self._picture(opened(file), layer.area, layer.anchor, Fit.CONTAIN)
            case Logo(width, height, shapes):
                place = fitted(width, height, layer.area, layer.anchor)
                return lambda: self._shapes(shapes, place, width)

    def _shapes(self, shapes: Sequence[Shape], place: Box, width: float) -> None:
        for shape in shapes:
            self._pen.shape(shape, self._brand.color(shape.color), (place.x, place.y), place.width / width)

    def _picture(self, picture: Picture, area: Box, anchor: Anchor, fit: Fit) -> None:
        if self._pen.color_space is ColorSpace.CMYK and picture.mode not in PRESS_MODES:
            raise PrintError(
                f"{picture.file.name} is in {picture.mode}, and the sheet is printed in CMYK",
                hint="convert it to CMYK or grey, or take a sheet with colors = 'rgb'",
            )
        place = fitted(picture.width, picture.height, area, anchor, fit)
        check_resolution(picture, place)
        if fit is Fit.CONTAIN:
            self._pen.picture(picture.reader, place)
            return
        with self._pen.within(area):
            self._pen.picture(picture.reader, place)

    def _text(self, layer: TextLayer) -> Draw:
        text = layer.text.in_language(layer.language or self._language)
        own_fields = self._brand.fields_in(layer.language) if layer.language else {}
        face, ink = typeface(self._brand, layer.font), self._brand.color(layer.color)
        x, y = layer.at
        pen, share, tracking = self._pen, layer.anchor.share, layer.tracking
        # A text of fields alone begins where what is in them does.
        goes_left = runs_right_to_left(text.literal) or None

        def draw_line(line: str, y_mm: float, size: float) -> None:
            left = x - share * face.width(line, tracking) * size / POINTS_PER_MM if share else x
            pen.write(line, (left, y_mm), face, size, tracking, right_to_left=goes_left)

        def draw(values: Values) -> None:
            filled = {**values, **own_fields} if own_fields else values
            if goes_left:
                filled = {field: isolated(value) for field, value in filled.items()}
            written = _printable(text, filled)
            pen.fill_with(ink)
            size, lines = _set(layer, face, written)
            for number, line in enumerate(lines):
                draw_line(line, y + number * layer.leading * size / POINTS_PER_MM, size)

        return draw

    def _code(self, layer: CodeLayer) -> Draw:
        color, ground = self._brand.color(layer.color), self._brand.color(layer.ground)
        ratio = contrast(color, ground)
        if color.luminance > ground.luminance or ratio < LEAST_CODE_CONTRAST:
            raise WrongCall(
                f"the {layer.title} is {layer.color} on {layer.ground}, a contrast of {ratio:.1f}, and a code"
                f" has to be darker than its ground by at least {LEAST_CODE_CONTRAST:g}",
                hint="make color darker and ground lighter; black on white is best",
            )

        def draw(values: Values) -> None:
            matrix, place = code_of(layer, _printable(layer.value, values))
            self._pen.fill_with(ground)
            self._pen.rect(layer.box)
            self._pen.fill_with(color)
            self._pen.modules(matrix, place)

        return draw


def _set(layer: TextLayer, face: Typeface, text: str) -> tuple[float, list[str]]:
    """The size in which a text fits, and its lines."""
    width_pt, sizes = layer.width_mm * POINTS_PER_MM, (layer.min_size_pt, layer.size_pt)
    if layer.lines > 1:
        return face.wrapped(text, layer.tracking, width_pt, layer.lines, sizes)
    return face.fitted_size(text, layer.tracking, width_pt, sizes), [text]


def code_of(layer: CodeLayer, payload: str) -> tuple[QrMatrix | Modules, Box]:
    """The modules of a code, and where they come to lie.

    :raises PrintError: the payload cannot be encoded, or its modules would be too small
    """
    match layer:
        case QrLayer():
            matrix = qr_matrix(payload, layer.error_correction)
            module_mm = _module_mm(layer, matrix.side + 2 * QUIET_ZONE, layer.side_mm, SMALLEST_MODULE_MM)
            return matrix, layer.box.grown(-QUIET_ZONE * module_mm)
        case DataMatrixLayer():
            square = data_matrix.data_matrix(payload)
            across = square.columns + 2 * data_matrix.QUIET_ZONE
            module_mm = _module_mm(layer, across, layer.side_mm, data_matrix.SMALLEST_MODULE_MM)
            return square, layer.box.grown(-data_matrix.QUIET_ZONE * module_mm)
        case Code128Layer(area=area):
            bars = code128.code128(payload)
            across = bars.columns + 2 * code128.QUIET_ZONE
            module_mm = _module_mm(layer, across, area.width, code128.SMALLEST_MODULE_MM)
            margin = code128.QUIET_ZONE * module_mm
            return bars, Box(area.x + margin, area.y, area.width - 2 * margin, area.height)
        case _:
            raise NotImplementedError(type(layer).__name__)


def _module_mm(layer: CodeLayer, across: int, width_mm: float, least_mm: float) -> float:
    """How wide a module is; codes stay as wide as they are given, and are refused if that is too little."""
    module_mm = width_mm / across
    if width_mm < least_mm * across - _NEGLIGIBLE_MM:
        measure = "width" if isinstance(layer, Code128Layer) else "side"
        raise PrintError(
            f"the {layer.title} has modules of {module_mm:.3f} mm, less than {least_mm:.2f} mm",
            hint=f"give it a {measure} of {least_mm * across:.1f} mm, or shorten what it holds; a link in"
            " upper case takes less",
        )
    return module_mm


def _printable(text: FieldText, values: Values) -> str:
    """The text in the form in which fonts have it.

    :raises PrintError: nothing is left to print
    """
    written = text.filled(values)
    if not written.strip():
        raise PrintError(
            "there is nothing to print",
            hint='give the field a value, or add unless = { field = "" } to the layer',
        )
    return normal_form(written)


def fitted(width: float, height: float, area: Box, anchor: Anchor, fit: Fit = Fit.CONTAIN) -> Box:
    """Something of a width and height as large as fits into an area, or as small as fills it."""
    scales = (area.width / width, area.height / height)
    scale = min(scales) if fit is Fit.CONTAIN else max(scales)
    free_x, free_y = area.width - width * scale, area.height - height * scale
    return Box(area.x + anchor.share * free_x, area.y + free_y / 2, width * scale, height * scale)
