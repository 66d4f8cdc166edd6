"""Drawing on a PDF page in millimetres, origin top left; the wall around ReportLab's canvas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import FILL_NON_ZERO, Canvas

from rfid_station.printing.brand import Color, Shape
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.outline import Close, Curve, Line, Move
from rfid_station.printing.qr_code import QrMatrix

ROUND = 1
FLAT = 0


def new_canvas(target: BinaryIO, paper: Box, font: str, *, trim: Box, bleed: Box) -> Canvas:
    """A canvas for pages whose bytes depend on what is drawn and on nothing else.

    `font` has to be named at the start: else ReportLab puts an unembedded Helvetica into every
    file. Trim and bleed become the page boxes (ISO 32000-1, 14.11.2), for which it wants four numbers.
    """
    rl_config.useA85 = 0  # text instead of bytes makes a file a fifth larger
    return Canvas(
        target,
        pagesize=(paper.width * POINTS_PER_MM, paper.height * POINTS_PER_MM),
        pageCompression=1,
        invariant=1,
        initialFontName=font,
        trimBox=_page_box(paper, trim),
        bleedBox=_page_box(paper, bleed),
    )


def _page_box(paper: Box, box: Box) -> tuple[float, ...]:
    edges = (box.x, paper.height - box.bottom, box.right, paper.height - box.y)
    return tuple(edge * POINTS_PER_MM for edge in edges)


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in millimetres, origin top left, on an area whose lower left corner is the canvas origin."""

    canvas: Canvas
    height_mm: float
    frame: Box
    """What can be drawn on: a card with its bleed, or the paper."""
    color_space: ColorSpace

    def x(self, x_mm: float) -> float:
        """The canvas coordinate, in points."""
        return x_mm * POINTS_PER_MM

    def y(self, y_mm: float) -> float:
        """The canvas coordinate, in points, which grows upwards."""
        return (self.height_mm - y_mm) * POINTS_PER_MM

    @contextmanager
    def form(self, name: str) -> Iterator[None]:
        """Keep what is drawn meanwhile as a PDF form, cut off at the frame, for `canvas.doForm(name)`."""
        frame = self.frame
        self.canvas.beginForm(
            name, self.x(frame.x), self.y(frame.bottom), self.x(frame.right), self.y(frame.y)
        )
        yield
        self.canvas.endForm()

    def fill_with(self, color: Color) -> None:
        """Use a colour for areas and texts."""
        if self.color_space is ColorSpace.CMYK:
            self.canvas.setFillColorCMYK(*color.cmyk)
        else:
            self.canvas.setFillColorRGB(*color.rgb)

    def stroke_with(self, color: Color, width_mm: float, cap: int) -> None:
        """Use a colour and a width for lines."""
        if self.color_space is ColorSpace.CMYK:
            self.canvas.setStrokeColorCMYK(*color.cmyk)
        else:
            self.canvas.setStrokeColorRGB(*color.rgb)
        self.canvas.setLineWidth(width_mm * POINTS_PER_MM)
        self.canvas.setLineCap(cap)
        self.canvas.setLineJoin(cap)

    def rect(self, box: Box, radius_mm: float = 0) -> None:
        """Fill a rectangle."""
        place = (self.x(box.x), self.y(box.bottom), box.width * POINTS_PER_MM, box.height * POINTS_PER_MM)
        if radius_mm:
            self.canvas.roundRect(*place, radius_mm * POINTS_PER_MM, stroke=0, fill=1)
        else:
            self.canvas.rect(*place, stroke=0, fill=1)

    def line(self, start: Point, end: Point) -> None:
        """Draw a straight line."""
        self.canvas.line(self.x(start[0]), self.y(start[1]), self.x(end[0]), self.y(end[1]))

    def shape(self, shape: Shape, color: Color, corner: Point = (0, 0), scale: float = 1) -> None:
        """Draw an outline, its own origin at `corner`, one of its units `scale` mm."""

        def at(point: Point) -> Point:
            return self.x(corner[0] + scale * point[0]), self.y(corner[1] + scale * point[1])

        path = self.canvas.beginPath()
        for segment in shape.outline.segments:
            match segment:
                case Move(to):
                    path.moveTo(*at(to))
                case Line(to):
                    path.lineTo(*at(to))
                case Curve(first, second, to):
                    path.curveTo(*at(first), *at(second), *at(to))
                case Close():
                    path.close()
        if shape.pen:
            self.stroke_with(color, shape.pen * scale, ROUND)
        else:
            self.fill_with(color)
        self.canvas.drawPath(
            path, stroke=int(bool(shape.pen)), fill=int(not shape.pen), fillMode=FILL_NON_ZERO
        )

    def text(self, text: str, at: Point, font: str, size_pt: float, tracking: float = 0) -> None:
        """Write one line from a point on its baseline; `tracking` is in parts of the size."""
        self.canvas.setFont(font, size_pt)
        self.canvas.drawString(self.x(at[0]), self.y(at[1]), text, charSpace=tracking * size_pt)

    def picture(self, picture: ImageReader, box: Box) -> None:
        """Draw a pixel picture, its transparency kept; equal pictures are stored once.

        It comes as a reader of bytes: ReportLab names a file's picture by its path, and the
        output would depend on the folder.
        """
        size = (box.width * POINTS_PER_MM, box.height * POINTS_PER_MM)
        self.canvas.drawImage(picture, self.x(box.x), self.y(box.bottom), *size, mask="auto")

    def modules(self, matrix: QrMatrix, box: Box) -> None:
        """Paint the dark modules of a code, as one stencil in the colour of areas.

        A stencil (image mask, ISO 32000-1, 8.9.6.2) has no seams between modules and stays in
        the colour space of the page; written in place, it takes fewer bytes than as an object.
        """
        self.canvas.saveState()
        self.canvas.translate(self.x(box.x), self.y(box.bottom))
        self.canvas.scale(box.width * POINTS_PER_MM, box.height * POINTS_PER_MM)
        self.canvas.addLiteral(
            f"BI /W {matrix.side} /H {matrix.side} /IM true /D [1 0] /F /AHx ID\n{matrix.bits.hex()}>\nEI"
        )
        self.canvas.restoreState()
