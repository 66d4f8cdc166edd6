"""Drawing on a PDF page in millimetres, origin top left; the wall around ReportLab's canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

from reportlab import rl_config
from reportlab.lib.colors import CMYKColor, CMYKColorSep
from reportlab.lib.colors import Color as RGBColor
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFResourceDictionary
from reportlab.pdfgen.canvas import FILL_EVEN_ODD, FILL_NON_ZERO, Canvas

from rfid_station.printing.art.outline import Close, Curve, Line, Move
from rfid_station.printing.brand import Color, Shape
from rfid_station.printing.codes.modules import Modules
from rfid_station.printing.codes.qr_code import QrMatrix
from rfid_station.printing.fonts import Typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.shaping import Glyph, ShapedRun, needs_shaping

Stops = Sequence[tuple[Color, float]]
"""Colours of a gradient, and where each is pure, from 0 to 1."""

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
        self.canvas.endForm(Resources=self._resources())

    def _resources(self) -> PDFResourceDictionary:
        """All that the current drawing names.

        Left to itself, `endForm` forgets spot colours, transparency and gradients: they would
        be drawn opaque, in black, or not at all (ISO 32000-1, 7.8.3 and 8.10.1).
        """
        canvas = self.canvas
        resources = PDFResourceDictionary()
        resources.basicFonts()
        resources.allProcs()
        resources.setColorSpace(canvas._colorsUsed)
        resources.setShading(canvas._shadingUsed)
        resources.ExtGState = canvas._extgstate.getState() or {}
        resources.XObject = canvas._doc.xobjDict(canvas._formsinuse) if canvas._formsinuse else {}
        return resources

    @contextmanager
    def within(self, box: Box, radius_mm: float = 0) -> Iterator[None]:
        """Cut off at a box what is drawn meanwhile."""
        self.canvas.saveState()
        path = self.canvas.beginPath()
        place = (self.x(box.x), self.y(box.bottom), box.width * POINTS_PER_MM, box.height * POINTS_PER_MM)
        if radius_mm:
            path.roundRect(*place, radius_mm * POINTS_PER_MM)
        else:
            path.rect(*place)
        self.canvas.clipPath(path, stroke=0, fill=0)
        yield
        self.canvas.restoreState()

    @contextmanager
    def see_through(self, opacity: float) -> Iterator[None]:
        """Let what lies below shine through what is drawn meanwhile."""
        if opacity >= 1:
            yield
            return
        self.canvas.saveState()
        self.canvas.setFillAlpha(opacity)
        self.canvas.setStrokeAlpha(opacity)
        yield
        self.canvas.restoreState()

    def fill_with(self, color: Color) -> None:
        """Use a colour for areas and texts."""
        if self.color_space is not ColorSpace.CMYK:
            self.canvas.setFillColorRGB(*color.rgb)
        elif color.spot:
            self.canvas.setFillColor(_ink(color))
        else:
            self.canvas.setFillColorCMYK(*color.cmyk)

    def stroke_with(self, color: Color, width_mm: float, cap: int) -> None:
        """Use a colour and a width for lines."""
        if self.color_space is not ColorSpace.CMYK:
            self.canvas.setStrokeColorRGB(*color.rgb)
        elif color.spot:
            self.canvas.setStrokeColor(_ink(color))
        else:
            self.canvas.setStrokeColorCMYK(*color.cmyk)
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
        mode = FILL_EVEN_ODD if shape.is_even_odd else FILL_NON_ZERO
        with self.see_through(shape.opacity):
            self.canvas.drawPath(path, stroke=int(bool(shape.pen)), fill=int(not shape.pen), fillMode=mode)

    def gradient(self, box: Box, start: Point, end: Point, radius_mm: float, stops: Stops) -> None:
        """Fill a box from one colour to the next, along a line or, with a radius, from `start` outwards.

        Spot colours are mixed from what stands for them in CMYK.
        """
        cmyk = self.color_space is ColorSpace.CMYK
        colors = [CMYKColor(*color.cmyk) if cmyk else RGBColor(*color.rgb) for color, _ in stops]
        places = [place for _, place in stops]
        at = (self.x(start[0]), self.y(start[1]))
        with self.within(box):
            if radius_mm:
                self.canvas.radialGradient(*at, radius_mm * POINTS_PER_MM, colors, places)
            else:
                self.canvas.linearGradient(*at, self.x(end[0]), self.y(end[1]), colors, places)

    def text(self, text: str, at: Point, font: str, size_pt: float, tracking: float = 0) -> None:
        """Write one line from a point on its baseline; `tracking` is in parts of the size."""
        self.canvas.setFont(font, size_pt)
        self.canvas.drawString(self.x(at[0]), self.y(at[1]), text, charSpace=tracking * size_pt)

    def write(
        self,
        text: str,
        at: Point,
        face: Typeface,
        size_pt: float,
        tracking: float = 0,
        *,
        right_to_left: bool | None = None,
    ) -> None:
        """Write one line, each part of it in the font that has its letters.

        `right_to_left` says in which direction its paragraph runs; else its first letter does.
        """
        if needs_shaping(text):
            self._shaped(face.shaped(text, right_to_left=right_to_left), at, size_pt)
            return
        x, y = at
        if not face.stand_ins:
            self.text(text, at, face.name, size_pt, tracking)
            return
        for part, run in face.runs(text):
            self.text(run, (x, y), part.name, size_pt, tracking)
            x += (part.width(run, tracking) + tracking) * size_pt / POINTS_PER_MM

    def _shaped(self, runs: Sequence[ShapedRun], at: Point, size_pt: float) -> None:
        """Set glyphs one after the other, each at its own place (ISO 32000-1, 9.3.7 and 9.4.3).

        Marks stand beside their letters in no order that tells the text: so the text is written behind
        them (14.9.4). Readers turn what runs from right to left round themselves, that too if it were there.
        """
        shown = [f"BT 1 0 0 1 {self.x(at[0]):.4f} {self.y(at[1]):.4f} Tm"]
        for run in runs:
            if run.is_right_to_left:
                shown += self._set_glyphs(run.glyphs, size_pt)
            else:
                text = f"\ufeff{run.text}".encode("utf-16-be").hex()
                shown += [
                    f"/Span <</ActualText <{text}>>> BDC",
                    *self._set_glyphs(run.glyphs, size_pt),
                    "EMC",
                ]
        self.canvas.addLiteral(" ".join([*shown, "ET"]))

    def _set_glyphs(self, glyphs: Sequence[Glyph], size_pt: float) -> Iterator[str]:
        document = self.canvas._doc
        for (font, rise), group in groupby(glyphs, lambda glyph: (glyph.font, glyph.y_offset)):
            embedded = pdfmetrics.getFont(font)
            if rise:
                yield f"{rise * size_pt:.4f} Ts"
            for glyph in group:
                ((subset, codes),) = embedded.splitString(glyph.character, document)
                before, after = -glyph.x_offset, glyph.width - glyph.advance + glyph.x_offset
                yield (
                    f"{embedded.getSubsetInternalName(subset, document)} {size_pt:.4f} Tf"
                    f" [{1000 * before:.1f} <{codes.hex()}> {1000 * after:.1f}] TJ"
                )
            if rise:
                yield "0 Ts"

    def picture(self, picture: ImageReader, box: Box) -> None:
        """Draw a pixel picture, its transparency kept; equal pictures are stored once.

        It comes as a reader of bytes: ReportLab names a file's picture by its path, and the
        output would depend on the folder.
        """
        size = (box.width * POINTS_PER_MM, box.height * POINTS_PER_MM)
        self.canvas.drawImage(picture, self.x(box.x), self.y(box.bottom), *size, mask="auto")

    def modules(self, matrix: QrMatrix | Modules, box: Box) -> None:
        """Paint the dark modules of a code, as one stencil in the colour of areas.

        A stencil (image mask, ISO 32000-1, 8.9.6.2) has no seams between modules and stays in
        the colour space of the page; written in place, it takes fewer bytes than as an object.
        """
        if isinstance(matrix, Modules):
            columns, rows = matrix.columns, matrix.rows
        else:
            columns = rows = matrix.side
        width, height = box.width * POINTS_PER_MM, box.height * POINTS_PER_MM
        self.canvas.addLiteral(
            f"q {width:.4f} 0 0 {height:.4f} {self.x(box.x):.4f} {self.y(box.bottom):.4f} cm\n"
            f"BI /W {columns} /H {rows} /IM true /D [1 0] /F /AHx ID\n{matrix.bits.hex()}>\nEI Q"
        )


def _ink(color: Color) -> CMYKColorSep:
    return CMYKColorSep(*color.cmyk, spotName=color.spot, density=color.tint)
