"""Drawing the layers of a design.

What is the same on all cards is drawn once, as PDF forms; a card refers to them and adds
its own texts and code. The order of the layers is kept.

ReportLab loses ColorSpace, ExtGState and Shading resources of a form. Nothing here uses
any; whoever adds spot colours, transparency or gradients must hand them to `endForm`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from reportlab.lib.utils import ImageReader

from rfid_station.errors import PrintError, StationError, WrongCall
from rfid_station.printing.brand import Brand, Color, contrast
from rfid_station.printing.design import (
    Anchor,
    CardDesign,
    FillLayer,
    ImageLayer,
    Layer,
    LineLayer,
    LogoLayer,
    QrLayer,
    RectLayer,
    ShapeLayer,
    TextLayer,
)
from rfid_station.printing.fonts import normal_form, typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import FLAT, Pen
from rfid_station.printing.qr_code import QUIET_ZONE, SMALLEST_MODULE_MM, qr_matrix

Values = Mapping[str, str]

LEAST_QR_CONTRAST = 4.5
"""Between the modules and their ground, as a WCAG ratio."""

_NEGLIGIBLE_MM = 1e-6
_PRESS_MODES = ("1", "L", "LA", "CMYK")


class CardPainter:
    """Draws cards of one design and brand on one canvas. To be made before anything else is drawn there.

    :raises WrongCall: the brand lacks a colour, font or logo that the design names
    :raises PrintError: a static text, picture or code cannot be printed
    """

    def __init__(self, pen: Pen, design: CardDesign, brand: Brand) -> None:
        self._pen = pen
        self._brand = brand
        self._layers = _LayerPainter(pen, brand)
        self._steps: list[str | list[Layer]] = []
        for is_static, run in groupby(design.front, lambda layer: layer.is_static):
            layers = list(run)
            self._steps.append(self._define_form(layers) if is_static else layers)

    def paint(self, values: Values, left_mm: float, bottom_mm: float) -> None:
        """Draw one card, its trimmed lower left corner at a place counted from that of the paper.

        :raises PrintError: a text or code of the card cannot be printed
        """
        canvas = self._pen.canvas
        canvas.saveState()
        canvas.translate(left_mm * POINTS_PER_MM, bottom_mm * POINTS_PER_MM)
        everything = {**self._brand.fields, **values}
        for step in self._steps:
            if isinstance(step, str):
                canvas.doForm(step)
            else:
                self._paint_layers(step, everything, f", card {values['visual_number']}")
        canvas.restoreState()

    def _define_form(self, layers: list[Layer]) -> str:
        """Keep static layers as a PDF form, whose frame cuts them off at the bleed."""
        name = f"static{len(self._steps)}"
        with self._pen.form(name):
            self._paint_layers(layers, self._brand.fields, "")
        return name

    def _paint_layers(self, layers: list[Layer], values: Values, whose: str) -> None:
        for layer in layers:
            try:
                self._layers.paint(layer, values)
            except StationError as error:
                raise type(error)(f"{layer.place}{whose}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class _LayerPainter:
    pen: Pen
    brand: Brand

    def paint(self, layer: Layer, values: Values) -> None:
        match layer:
            case TextLayer():
                self._text(layer, _printable(layer.text.filled(values)))
            case QrLayer():
                self._qr(layer, _printable(layer.value.filled(values)))
            case FillLayer():
                self._rect(self.pen.frame.grown(1), layer.color)  # the frame cuts it off
            case RectLayer():
                self._rect(layer.area, layer.color, layer.radius_mm)
            case LineLayer():
                self.pen.stroke_with(self.brand.color(layer.color), layer.width_mm, FLAT)
                self.pen.line(layer.start, layer.end)
            case ShapeLayer():
                self.pen.shape(layer.shape, self.brand.color(layer.shape.color))
            case LogoLayer():
                self._logo(layer)
            case ImageLayer():
                self._image(layer)

    def _rect(self, area: Box, color: str, radius_mm: float = 0) -> None:
        self.pen.fill_with(self.brand.color(color))
        self.pen.rect(area, radius_mm)

    def _logo(self, layer: LogoLayer) -> None:
        logo = self.brand.logo(layer.logo)
        place = _fitted(logo.width, logo.height, layer.area, layer.anchor)
        for shape in logo.shapes:
            self.pen.shape(shape, self.brand.color(shape.color), (place.x, place.y), place.width / logo.width)

    def _image(self, layer: ImageLayer) -> None:
        picture, data = _opened(layer.file)
        if self.pen.color_space is ColorSpace.CMYK and picture.mode not in _PRESS_MODES:
            raise PrintError(
                f"{layer.file.name} is in {picture.mode}, and the sheet is printed in CMYK",
                hint="convert it to CMYK or grey, or take a sheet with colors = 'rgb'",
            )
        place = _fitted(picture.width, picture.height, layer.area, layer.anchor)
        self.pen.picture(ImageReader(io.BytesIO(data)), place)

    def _text(self, layer: TextLayer, text: str) -> None:
        face = typeface(self.brand, layer.font)
        size = face.fitted_size(
            text, layer.tracking, layer.width_mm * POINTS_PER_MM, (layer.min_size_pt, layer.size_pt)
        )
        width_mm = face.width(text, layer.tracking) * size / POINTS_PER_MM
        x, y = layer.at
        self.pen.fill_with(self.brand.color(layer.color))
        self.pen.text(text, (x - layer.anchor.share * width_mm, y), face.name, size, layer.tracking)

    def _qr(self, layer: QrLayer, payload: str) -> None:
        color, ground = self.brand.color(layer.color), self.brand.color(layer.ground)
        _check_contrast(layer, color, ground)
        matrix = qr_matrix(payload, layer.error_correction)
        modules_across = matrix.side + 2 * QUIET_ZONE
        module_mm = layer.side_mm / modules_across
        least_mm = SMALLEST_MODULE_MM * modules_across
        if layer.side_mm < least_mm - _NEGLIGIBLE_MM:
            raise PrintError(
                f"the QR code has modules of {module_mm:.3f} mm, less than {SMALLEST_MODULE_MM:.2f} mm",
                hint=f"give it a side of {least_mm:.1f} mm, or shorten the link and write it in upper case",
            )
        self.pen.fill_with(ground)
        self.pen.rect(layer.box)
        self.pen.fill_with(color)
        self.pen.modules(matrix, layer.box.grown(-QUIET_ZONE * module_mm))


def _printable(text: str) -> str:
    """The text in the form in which fonts have it.

    :raises PrintError: nothing is left to print
    """
    if not text.strip():
        raise PrintError(
            "there is nothing to print", hint="give the field a value, or take the layer out of the design"
        )
    return normal_form(text)


def _check_contrast(layer: QrLayer, color: Color, ground: Color) -> None:
    ratio = contrast(color, ground)
    if color.luminance > ground.luminance or ratio < LEAST_QR_CONTRAST:
        raise WrongCall(
            f"the QR code is {layer.color} on {layer.ground}, a contrast of {ratio:.1f}, and a code has to be"
            f" darker than its ground by at least {LEAST_QR_CONTRAST:g}",
            hint="make color darker and ground lighter; black on white is best",
        )


def _fitted(width: float, height: float, area: Box, anchor: Anchor) -> Box:
    """Something of a width and height, as large as fits into an area, in the middle of its height."""
    scale = min(area.width / width, area.height / height)
    free_x, free_y = area.width - width * scale, area.height - height * scale
    return Box(area.x + anchor.share * free_x, area.y + free_y / 2, width * scale, height * scale)


def _opened(file: Path) -> tuple[Image.Image, bytes]:
    """A picture and the bytes it was read from."""
    try:
        data = file.read_bytes()
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise PrintError(
            f"{file.name} cannot be read as a picture", hint="save it again as PNG or JPEG"
        ) from error
    return picture, data
