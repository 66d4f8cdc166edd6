"""Print bureaus: what each wants to be sent, and all of it in one archive.

What a bureau wants is its template file: the size of the document, and so the bleed; how far texts stay
away from the cut; colours, inks and fonts. An archive holds either a PDF with every card, or a PDF of
what all cards have in common with the data and codes that the bureau prints on each. UIDs are in
neither: a bureau that had them could copy the cards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.draw import code_of
from rfid_station.printing.field_text import CARD_FIELDS
from rfid_station.printing.fonts import normal_form
from rfid_station.printing.geometry import Box
from rfid_station.printing.layer import CodeLayer, Layer, TextLayer
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.press.archive import archived, as_csv, code_picture
from rfid_station.printing.press.card_pages import CardPage, CardPlace, render_pages
from rfid_station.printing.press.pdf_faults import Rules
from rfid_station.printing.press.press import OutputIntent, load_intent, press_ready, without_faults
from rfid_station.printing.sheet import CardFace, Placement, PrintedSheets
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

_NEARLY_MM = 0.02


class Fonts(StrEnum):
    """How a bureau wants texts: with their fonts in the file, or as shapes."""

    EMBEDDED = "embedded"
    OUTLINES = "outlines"


class PressFormat(StrEnum):
    """What kind of PDF a bureau wants."""

    X4 = "x-4"
    PLAIN = "plain"


class Delivery(StrEnum):
    """What goes into the archive: every card as pages, or artwork with data and codes."""

    CARDS = "cards"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Bureau:
    """A print bureau. `source` is its file."""

    source: Path
    title: str
    document: Box
    """The page it wants: the card with its bleed."""
    safe_mm: float
    """How far texts and codes stay away from the cut."""
    color_space: ColorSpace
    format: PressFormat
    fonts: Fonts
    takes_spots: bool
    most_ink: float | None
    """The sum of all inks at one place, as 2.8 for 280 %."""
    min_text_pt: float
    profile: Path | None
    """The ICC profile of its press."""
    condition: str | None
    """The name of its printing condition, as `FOGRA39`."""

    @property
    def rules(self) -> Rules:
        """What its press takes."""
        return Rules(self.color_space is ColorSpace.RGB, self.takes_spots, self.most_ink)


@dataclass(frozen=True, slots=True)
class PressArchive:
    """A finished archive, what is printed in which order, and what went into it."""

    data: bytes
    sha256: str
    placements: tuple[Placement, ...]
    sides: tuple[Side, ...]
    spots: tuple[str, ...]
    intent: OutputIntent | None
    files: tuple[str, ...]


def load_bureau(name: str, folders: Sequence[Path] = ()) -> Bureau:
    """Load a bureau by the name of its file.

    :raises WrongCall: there is no such bureau, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.BUREAU, name, folders), _bureau)


def render_for_bureau(
    design: CardDesign,
    brand: Brand,
    bureau: Bureau,
    faces: Sequence[CardFace],
    *,
    job: str,
    delivery: Delivery = Delivery.CARDS,
    profile: Path | None = None,
    language: str | None = None,
) -> PressArchive:
    """Make what a bureau is sent. The same cards for the same bureau give the same bytes.

    `profile` is the ICC profile of its press, if it is another one than its file names.

    :raises WrongCall: there are no cards, no profile, or cards, design, brand and bureau do not fit together
    :raises PrintError: something cannot be printed, or would not be as the bureau wants it; it is named
    """
    _check_design(design, bureau)
    intent = None
    if bureau.format is PressFormat.X4:
        intent = load_intent(profile or bureau.profile, bureau.condition if profile is None else None)
    making = _Making(design, brand, bureau, intent, job, language)
    printed, files, spots = making.cards(faces) if delivery is Delivery.CARDS else making.data(faces)
    files["README.txt"] = _read_me(making, len(faces), spots).encode()
    data = archived(files)
    names = tuple(files)
    return PressArchive(
        data, sha256(data).hexdigest(), printed.placements, printed.sides, spots, intent, names
    )


def _bureau(table: Table) -> Bureau:
    width, height = table.numbers("document", "width, height", least=50, most=150)
    return Bureau(
        source=table.source,
        title=table.text("title"),
        document=Box(0, 0, width, height),
        safe_mm=table.number("safe", 2.5, least=0, most=10),
        color_space=table.choice("colors", ColorSpace, ColorSpace.CMYK),
        format=table.choice("pdf", PressFormat, PressFormat.X4),
        fonts=table.choice("fonts", Fonts, Fonts.EMBEDDED),
        takes_spots=table.flag("spots", default=True),
        most_ink=table.number("ink", least=100, most=400) / 100 if table.has("ink") else None,
        min_text_pt=table.number("min_text", 5.0, least=1, most=20),
        profile=table.file("profile") if table.has("profile") else None,
        condition=table.text("condition") if table.has("condition") else None,
    )


def _check_design(design: CardDesign, bureau: Bureau) -> None:
    """See that a design suits a bureau, before anything is drawn.

    :raises WrongCall: its card is larger than the bureau's page
    :raises PrintError: a text is too small or too near to the cut, or texts would have to be shapes
    """
    document = bureau.document
    if design.width_mm > document.width + _NEARLY_MM or design.height_mm > document.height + _NEARLY_MM:
        raise WrongCall(
            f"design {design.source.stem} is {design.width_mm:g} × {design.height_mm:g} mm, and the bureau"
            f" {bureau.source.stem} wants pages of {document.width:g} × {document.height:g} mm",
            hint="take a design of the size of the card, 85.6 × 53.98 mm, or another bureau",
        )
    if bureau.fonts is Fonts.OUTLINES:
        raise PrintError(
            f"the bureau {bureau.source.stem} wants texts as outlines, and they are written in fonts",
            hint=f'ask it whether those will do; then copy {bureau.source.name} and write fonts = "embedded"',
        )
    safe = Box(0, 0, design.width_mm, design.height_mm).grown(-bureau.safe_mm)
    for layer in _all_layers(design):
        if isinstance(layer, TextLayer | CodeLayer) and not safe.holds(layer.box):
            raise PrintError(
                f"{layer.place}: comes nearer to the cut than the {bureau.safe_mm:g} mm that the bureau"
                f" {bureau.source.stem} wants",
                hint=f"move it inwards; with safe = {bureau.safe_mm:g} in the design it is said on loading",
            )
        if isinstance(layer, TextLayer) and layer.min_size_pt < bureau.min_text_pt:
            raise PrintError(
                f"{layer.place}: may be set at {layer.min_size_pt:g} pt, and the bureau {bureau.source.stem}"
                f" prints no text below {bureau.min_text_pt:g} pt",
                hint=f"write min_size = {bureau.min_text_pt:g}",
            )


def _all_layers(design: CardDesign) -> Iterator[Layer]:
    return (layer for side in Side for layer in design.side(side) if not layer.is_preprinted)


class _DocumentPage(CardPage):
    """The page that a bureau wants: the card in the middle, its bleed to the edges."""

    def __init__(self, bureau: Bureau, design: CardDesign) -> None:
        document = bureau.document
        width, height = design.width_mm, design.height_mm
        card = Box((document.width - width) / 2, (document.height - height) / 2, width, height)
        places = {side: CardPlace(card) for side in Side}
        super().__init__(document, places, bureau.color_space, (card, document))


@dataclass(frozen=True, slots=True)
class _Making:
    """One archive while it is made."""

    design: CardDesign
    brand: Brand
    bureau: Bureau
    intent: OutputIntent | None
    job: str
    language: str | None

    def cards(self, faces: Sequence[CardFace]) -> tuple[PrintedSheets, dict[str, bytes], tuple[str, ...]]:
        """Every card as pages, and which is on which."""
        printed, pdf, spots = self._pdf(self.design, faces)
        fields = self._fields()
        pages = {side: f"page_{side}" for side in printed.sides}
        rows = [
            {
                **{pages[side]: str(printed.page(number, side)) for side in printed.sides},
                **_chosen(face, fields),
            }
            for number, face in enumerate(faces, start=1)
        ]
        return printed, {"cards.pdf": pdf, "cards.csv": as_csv([*pages.values(), *fields], rows)}, spots

    def data(self, faces: Sequence[CardFace]) -> tuple[PrintedSheets, dict[str, bytes], tuple[str, ...]]:
        """What all cards have in common, and data, codes and places for what varies."""
        printed, _, _ = self._pdf(self.design, faces)  # every text and code was seen to fit
        static = replace(self.design, front=_static(self.design.front), back=_static(self.design.back))
        _, artwork, spots = self._pdf(static, faces[:1], self.design.sides)
        _, proof, more_spots = self._pdf(self.design, faces[:1])
        fields, codes = self._fields(), self._codes()
        files = {"artwork.pdf": artwork, "proof.pdf": proof, "places.csv": self._places(codes)}
        rows = []
        for face in faces:
            row = dict(_chosen(face, fields))
            for name, layer in codes.items():
                row[name] = f"codes/{_file_name(face['visual_number'])}-{name}.png"
                files[row[name]] = self._code(layer, face)
            rows.append(row)
        files["cards.csv"] = as_csv([*fields, *codes], rows)
        return printed, files, tuple(sorted({*spots, *more_spots}))

    def _pdf(
        self, design: CardDesign, faces: Sequence[CardFace], sides: Sequence[Side] | None = None
    ) -> tuple[PrintedSheets, bytes, tuple[str, ...]]:
        page = _DocumentPage(self.bureau, design)
        printed = render_pages(
            design, self.brand, page, faces, job=self.job, sides=sides, language=self.language
        )
        if self.intent:
            pdf, found = press_ready(printed.pdf, self.intent, self.bureau.rules)
        else:
            pdf, found = printed.pdf, without_faults(printed.pdf, self.bureau.rules)
        return printed, pdf, found.spots

    def _fields(self) -> list[str]:
        """What the bureau is told of a card: its number and what is on the card, and nothing else."""
        shown = {field for layer in _all_layers(self.design) for field in layer.fields}
        return ["visual_number", *(f for f in CARD_FIELDS if f in shown and f != "visual_number")]

    def _codes(self) -> dict[str, CodeLayer]:
        """The codes that differ from card to card, each with a name."""
        varying = [
            layer
            for layer in _all_layers(self.design)
            if isinstance(layer, CodeLayer) and not layer.is_static
        ]
        return {f"code{number}": layer for number, layer in enumerate(varying, start=1)}

    def _code(self, layer: CodeLayer, face: CardFace) -> bytes:
        values = {**self.brand.fields_in(self.language), **face}
        matrix, place = code_of(layer, normal_form(layer.value.filled(values)))
        return code_picture(matrix, place)

    def _places(self, codes: Mapping[str, CodeLayer]) -> bytes:
        names = {id(layer): name for name, layer in codes.items()}
        rows = [
            _place_row(side, layer, names.get(id(layer)), self.brand)
            for side in Side
            for layer in self.design.side(side)
            if not layer.is_static and isinstance(layer, TextLayer | CodeLayer)
        ]
        return as_csv(_PLACE_COLUMNS, rows)


_PLACE_COLUMNS = (
    "side",
    "what",
    "shows",
    "x_mm",
    "y_mm",
    "width_mm",
    "height_mm",
    "align",
    "baseline_mm",
    "font",
    "size_pt",
    "min_size_pt",
    "cmyk",
)


def _place_row(side: Side, layer: TextLayer | CodeLayer, code: str | None, brand: Brand) -> dict[str, str]:
    box = layer.box
    row = {
        "side": f"{side}",
        "what": code or "text",
        "x_mm": f"{box.x:.2f}",
        "y_mm": f"{box.y:.2f}",
        "width_mm": f"{box.width:.2f}",
        "height_mm": f"{box.height:.2f}",
        "cmyk": " ".join(f"{100 * part:g}" for part in brand.color(layer.color).cmyk),
    }
    if isinstance(layer, CodeLayer):
        return row | {"shows": layer.value.source}
    fonts = [font.name if isinstance(font, Path) else str(font) for font in brand.font(layer.font)]
    return row | {
        "shows": layer.text.in_language(layer.language).source,
        "align": f"{layer.anchor}",
        "baseline_mm": f"{layer.at[1]:.2f}",
        "font": ", ".join(fonts),
        "size_pt": f"{layer.size_pt:g}",
        "min_size_pt": f"{layer.min_size_pt:g}",
    }


def _chosen(face: CardFace, fields: Sequence[str]) -> dict[str, str]:
    return {field: face.get(field, "") for field in fields}


def _file_name(number: str) -> str:
    return re.sub(r"[^\w.-]", "_", number)


def _static(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    return tuple(layer for layer in layers if layer.is_static)


def _read_me(making: _Making, count: int, spots: Sequence[str]) -> str:
    """What somebody at the bureau reads first."""
    design, bureau = making.design, making.bureau
    bleed_x = max(0.0, (bureau.document.width - design.width_mm) / 2)
    bleed_y = max(0.0, (bureau.document.height - design.height_mm) / 2)
    inks = bureau.color_space.upper() + "".join(f" + {spot}" for spot in spots)
    lines = [
        f"{making.job}: {count} cards for {bureau.title}",
        "",
        f"Card       {design.width_mm:g} × {design.height_mm:g} mm (TrimBox), no round corners, no die line",
        f"Page       {bureau.document.width:g} × {bureau.document.height:g} mm (BleedBox),"
        f" bleed {bleed_x:.2f} and {bleed_y:.2f} mm",
        f"Sides      {' and '.join(design.sides)}, in this order for each card",
        f"Colours    {inks}",
    ]
    if making.intent:
        lines.append(f"Format     PDF/X-4, output intent: {making.intent.description}")
    lines += [
        "Fonts      embedded",
        "Codes      have to stay readable: do not scale them, do not print over them",
        "Checksums  sha256sum -c SHA256SUMS",
        "",
        "cards.csv says which card is which. It holds no UIDs: cards and chips are brought together",
        "when the finished cards are read.",
    ]
    return "\n".join(lines) + "\n"
