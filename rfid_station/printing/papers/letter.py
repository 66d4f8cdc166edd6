"""Carrier letters: the sheet that a card is glued to, one page for each card, in the language of its driver.

What stands where, and in which words, is a template; the address is printed if there is one.
"""

from __future__ import annotations

import io
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from rfid_station.domain.nearest import nearest
from rfid_station.errors import PrintError, StationError, WrongCall
from rfid_station.printing.bidi import RIGHT_TO_LEFT_MARK, isolated, runs_right_to_left
from rfid_station.printing.brand import BLACK, BRAND_FIELDS, WHITE, Brand, Font
from rfid_station.printing.codes.qr_code import QUIET_ZONE, SMALLEST_MODULE_MM, qr_matrix
from rfid_station.printing.design import Side
from rfid_station.printing.fonts import Typeface, normal_form, typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layer import ErrorCorrection
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.papers.house_style import LEADING, wrapped
from rfid_station.printing.pen import FLAT, Pen, new_canvas
from rfid_station.printing.sheet import Placement, PrintedSheets
from rfid_station.printing.system_fonts import with_system_fonts
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

LETTER_FIELDS = ("name", "visual_number", "contract_id", "link", "claim_code")
"""What a letter may tell of one card."""

_SENDER_PT = 6.0
_ADDRESS_PT = 10.0
_LEAST_ADDRESS_PT = 6.0
_SUBJECT = 1.4
_NUMBER_PT = 13.0
_CODE_PT = 15.0
_LABEL_PT = 7.0
_HAIR_MM = 0.15
_STEP_PT = 0.5


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says in one language. Fields stand in braces."""

    subject: str
    greeting: str
    greeting_unknown: str
    """For a card without a driver's name."""
    body: tuple[str, ...]
    card_place: str
    number: str
    code: str
    how: str
    activate: tuple[str, ...]
    """Steps, for a card with a claim code."""
    active: tuple[str, ...]
    """Said of a card without one."""
    help: tuple[str, ...]
    fonts: tuple[Path, ...]
    """Where the brand's font has no letters of this language."""


@dataclass(frozen=True, slots=True)
class LetterTemplate:
    """A carrier letter. `source` is its file."""

    source: Path
    title: str
    paper: Box
    folds: tuple[float, ...]
    window: Box
    card: Box
    beside: Box
    upper: Box
    lower: Box
    text_pt: float
    least_pt: float
    words: Mapping[str, Words]
    """By language; the first stands in for those that are missing."""

    def language(self, wanted: str | None) -> str:
        """The language that a letter is written in."""
        return wanted if wanted is not None and wanted in self.words else next(iter(self.words))


@dataclass(frozen=True, slots=True)
class Letter:
    """What varies from letter to letter."""

    visual_number: str
    contract_id: str
    link: str
    qr_link: str
    """What the code holds: by scanning it the letter is matched with its card."""
    name: str = ""
    address: tuple[str, ...] = ()
    """Lines; none leaves the window empty."""
    claim_code: str = ""
    language: str | None = None


def load_letter(name: str, folders: Sequence[Path] = ()) -> LetterTemplate:
    """Load a letter by its name.

    :raises WrongCall: there is no such letter, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.LETTER, name, folders), _template)


def render_letters(
    template: LetterTemplate, brand: Brand, letters: Sequence[Letter], *, job: str
) -> PrintedSheets:
    """One page for each card, in their order; the same letters give the same bytes.

    :raises WrongCall: there are none, or the brand lacks something that a text names
    :raises PrintError: a text does not fit, or has no glyph
    """
    if not letters:
        raise WrongCall("there are no letters to print", hint="rfid-station card list --state active")
    target = io.BytesIO()
    base = typeface(brand, "regular")
    canvas = new_canvas(target, template.paper, base.name, trim=template.paper, bleed=template.paper)
    canvas.setTitle(job)
    canvas.setAuthor(brand.fields["issuer"])
    canvas.setCreator("RFID Station")
    pen = Pen(canvas, template.paper.height, template.paper, ColorSpace.RGB)
    for letter in letters:
        try:
            _Page(pen, template, brand, letter).paint()
        except StationError as error:
            raise type(error)(
                f"{template.source}: letter of card {letter.visual_number}: {error.message}", hint=error.hint
            ) from error
        canvas.showPage()
    canvas.save()
    pdf = target.getvalue()
    placements = tuple(Placement(index, index + 1, 1) for index in range(len(letters)))
    return PrintedSheets(pdf, placements, sha256(pdf).hexdigest(), (Side.FRONT,))


class _Page:
    def __init__(self, pen: Pen, template: LetterTemplate, brand: Brand, letter: Letter) -> None:
        language = template.language(letter.language)
        self._pen, self._template, self._letter = pen, template, letter
        self._words = template.words[language]
        self._color = brand.colors.get("primary", BLACK)
        self._sender = brand.fields["issuer"]
        self._values = {
            **brand.fields_in(language),
            **{field: getattr(letter, field) for field in LETTER_FIELDS},
        }
        # The words alone decide, so that every letter of a language looks the same.
        self._right_to_left = runs_right_to_left("".join(self._words.body))
        if self._right_to_left:
            self._values = {field: isolated(value) for field, value in self._values.items()}
        self._regular, self._bold = (self._typeface(brand, role) for role in ("regular", "bold"))

    def _typeface(self, brand: Brand, role: str) -> Typeface:
        words = self._words
        texts = (words.subject, words.greeting, *words.body, words.how, *words.activate, *words.help)
        everything = normal_form("".join([*texts, *self._values.values(), *self._letter.address]))
        face = typeface(_with_fonts(brand, role, words.fonts), role)
        return with_system_fonts(face, everything, role.title())

    def paint(self) -> None:
        self._marks()
        self._head()
        self._address()
        self._upper()
        self._card_place()
        self._beside()
        self._lower()

    def _said(self, text: str) -> str:
        missing = [field for field in _fields(text) if field not in self._values]
        if missing:
            raise WrongCall(
                f"the brand has no {missing[0]}, which the letter names",
                hint=f'add {missing[0]} = "…" to the brand',
            )
        return normal_form(text.format_map(self._values))

    def _write(self, text: str, box: Box, y_mm: float, face: Typeface, size_pt: float) -> None:
        """Write a line into a box, from the side where its language begins."""
        if self._right_to_left:
            text = RIGHT_TO_LEFT_MARK + text  # the line is one of its paragraph, whatever it begins with
        face.check_glyphs(text)
        x_mm = box.right - face.width(text, 0) * size_pt / POINTS_PER_MM if self._right_to_left else box.x
        self._pen.write(text, (x_mm, y_mm), face, size_pt, right_to_left=self._right_to_left)

    def _marks(self) -> None:
        self._pen.stroke_with(BLACK, _HAIR_MM, FLAT)
        for y in self._template.folds:
            self._pen.line((4, y), (8, y))

    def _head(self) -> None:
        self._pen.fill_with(self._color)
        self._pen.rect(Box(0, 0, self._template.paper.width, 4))
        self._write(self._sender, self._template.upper, 22, self._bold, 16)

    def _address(self) -> None:
        window = self._template.window
        if not self._letter.address:
            return
        self._pen.fill_with(BLACK)
        self._regular.check_glyphs(self._sender)
        self._pen.write(self._sender, (window.x + 5, window.y + 5), self._regular, _SENDER_PT)
        lines = [normal_form(line) for line in self._letter.address]
        inside = Box(window.x + 5, window.y + 8, window.width - 8, window.height - 11)
        size = fitted_block(lines, self._regular, inside, (_LEAST_ADDRESS_PT, _ADDRESS_PT))
        write_block(self._pen, lines, self._regular, inside, size)

    def _upper(self) -> None:
        words = self._words
        greeting = words.greeting if self._letter.name else words.greeting_unknown
        parts = [
            (self._bold, _SUBJECT, self._said(words.subject)),
            (self._regular, 1.0, self._said(greeting)),
        ]
        self._block(
            parts + [(self._regular, 1.0, self._said(text)) for text in words.body], self._template.upper
        )

    def _lower(self) -> None:
        words = self._words
        has_code = bool(self._letter.claim_code)
        parts = [(self._bold, 1.0, self._said(words.how))] if has_code else []
        steps = [self._said(text) for text in (words.activate if has_code else words.active)]
        if has_code:
            steps = [f"{number}.  {step}" for number, step in enumerate(steps, start=1)]
        parts += [(self._regular, 1.0, step) for step in steps]
        self._block(
            parts + [(self._regular, 1.0, self._said(text)) for text in words.help], self._template.lower
        )

    def _block(self, parts: Sequence[tuple[Typeface, float, str]], box: Box) -> None:
        """Paragraphs as large as fits into a box."""
        for face, _, text in parts:
            face.check_glyphs(text)
        size = self._template.text_pt
        while True:
            lines = [
                (face, scale, line, number == 0)
                for face, scale, text in parts
                for number, line in enumerate(wrapped(text, face, box.width * POINTS_PER_MM / size / scale))
            ]
            heights = [size * scale * (LEADING + (0.5 if is_first else 0)) for _, scale, _, is_first in lines]
            if sum(heights) <= box.height * POINTS_PER_MM:
                break
            if size <= self._template.least_pt:
                raise PrintError(
                    f"the text takes more than {box.height:g} mm at {size:g} pt",
                    hint="shorten it, or give it more height or a smaller min_size in the template",
                )
            size = max(size - _STEP_PT, self._template.least_pt)
        self._pen.fill_with(BLACK)
        y = box.y
        for (face, scale, line, _), height in zip(lines, heights, strict=True):
            y += height / POINTS_PER_MM
            self._write(line, box, y, face, size * scale)

    def _card_place(self) -> None:
        card = self._template.card
        corners = [(card.x, card.y), (card.right, card.y), (card.right, card.bottom), (card.x, card.bottom)]
        self._pen.stroke_with(BLACK, _HAIR_MM, FLAT)
        for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
            self._pen.line(start, end)
        inside = card.grown(-4)
        lines = [self._said(self._words.card_place), self._letter.visual_number]
        self._pen.fill_with(BLACK)
        size = fitted_block(lines, self._regular, inside, (5, 8))
        for number, line in enumerate(lines):
            self._write(line, inside, _baseline(inside, size, number), self._regular, size)

    def _beside(self) -> None:
        box, words = self._template.beside, self._words
        shown = [(self._said(words.number), self._letter.visual_number, _NUMBER_PT)]
        if self._letter.claim_code:
            shown.append((self._said(words.code), self._letter.claim_code, _CODE_PT))
        y = box.y
        self._pen.fill_with(BLACK)
        for label, value, largest in shown:
            self._write(label, box, y + 3, self._regular, _LABEL_PT)
            size = self._bold.fitted_size(value, 0, box.width * POINTS_PER_MM, (_LABEL_PT, largest))
            self._write(value, box, y + 9, self._bold, size)
            y += 12
        self._code(Box(box.x, y, box.width, box.bottom - y))

    def _code(self, box: Box) -> None:
        matrix = qr_matrix(self._letter.qr_link, ErrorCorrection.Q)
        across = matrix.side + 2 * QUIET_ZONE
        side = min(box.width, box.height)
        if side < SMALLEST_MODULE_MM * across:
            raise PrintError(
                f"the QR code has modules of {side / across:.3f} mm, less than {SMALLEST_MODULE_MM:.2f} mm",
                hint="give `beside` more height, or shorten the card's link",
            )
        self._pen.fill_with(WHITE)
        left = box.right - side if self._right_to_left else box.x
        self._pen.rect(Box(left, box.y, side, side))
        self._pen.fill_with(BLACK)
        # Its edge in line with the text: the quiet zone goes into the margin, which is white.
        quiet = QUIET_ZONE * side / across
        left += 2 * quiet if self._right_to_left else 0
        self._pen.modules(matrix, Box(left, box.y + quiet, side - 2 * quiet, side - 2 * quiet))


def fitted_block(lines: Sequence[str], face: Typeface, box: Box, sizes: tuple[float, float]) -> float:
    """The largest size at which lines fit into a box, without breaking any.

    :raises PrintError: a glyph is missing, or the smallest size is too large
    """
    smallest, largest = sizes
    width_pt = box.width * POINTS_PER_MM
    size = min(face.fitted_size(line, 0, width_pt, sizes) for line in lines)
    size = min(size, largest, box.height * POINTS_PER_MM / LEADING / len(lines))
    if size < smallest:
        raise PrintError(
            f"{len(lines)} lines take more than {box.height:g} mm at {smallest:g} pt",
            hint="take lines out of the address",
        )
    return size


def write_block(pen: Pen, lines: Sequence[str], face: Typeface, box: Box, size_pt: float) -> None:
    """Write lines from the upper edge of a box downwards."""
    for number, line in enumerate(lines):
        pen.write(line, (box.x, _baseline(box, size_pt, number)), face, size_pt)


def _baseline(box: Box, size_pt: float, number: int) -> float:
    return box.y + size_pt * (0.8 + LEADING * number) / POINTS_PER_MM


def _with_fonts(brand: Brand, role: str, fonts: Sequence[Font]) -> Brand:
    """The brand with more fonts to stand in."""
    return replace(brand, fonts={**brand.fonts, role: (*brand.font(role), *fonts)}) if fonts else brand


def _template(table: Table) -> LetterTemplate:
    width, height = table.numbers("size", "width, height", least=100, most=500)
    return LetterTemplate(
        source=table.source,
        title=table.text("title"),
        paper=Box(0, 0, width, height),
        folds=_folds(table),
        window=_box(table, "window"),
        card=_box(table, "card"),
        beside=_box(table, "beside"),
        upper=_box(table, "upper"),
        lower=_box(table, "lower"),
        text_pt=table.number("text_size", 10.0, least=6, most=20),
        least_pt=table.number("min_size", 8.0, least=5, most=20),
        words=_all_words(table),
    )


def _folds(table: Table) -> tuple[float, ...]:
    if not table.has("folds"):
        return ()
    return table.numbers("folds", "first, second", least=0, most=500)


def _box(table: Table, key: str) -> Box:
    return Box(*table.numbers(key, "left, top, width, height", least=0, most=500))


def _all_words(table: Table) -> Mapping[str, Words]:
    words = table.named_tables("texts", _words)
    if not words:
        raise table.wrong("texts", "has no language", "add a table [texts.en]")
    return words


def _words(table: Table) -> Words:
    def text(key: str) -> str:
        return _checked(table, key, table.text(key))

    def texts(key: str) -> tuple[str, ...]:
        return tuple(_checked(table, key, text) for text in table.texts(key))

    return Words(
        subject=text("subject"),
        greeting=text("greeting"),
        greeting_unknown=text("greeting_unknown"),
        body=texts("body"),
        card_place=text("card_place"),
        number=text("number"),
        code=text("code"),
        how=text("how"),
        activate=texts("activate"),
        active=texts("active"),
        help=texts("help"),
        fonts=tuple(table.file_named("fonts", name) for name in table.texts("fonts"))
        if table.has("fonts")
        else (),
    )


def _checked(table: Table, key: str, text: str) -> str:
    """A text whose fields are known."""
    try:
        fields = _fields(text)
    except ValueError as error:
        raise table.wrong(key, f"is {text!r}: {error}", "write fields as {name}, a brace as {{") from error
    known = (*LETTER_FIELDS, *BRAND_FIELDS)
    for field in fields:
        if field not in known:
            raise table.wrong(
                key,
                f"names the unknown field {{{field}}}",
                f"{nearest(field, known)}fields: {', '.join(known)}",
            )
    return text


def _fields(text: str) -> list[str]:
    parts = list(string.Formatter().parse(text))
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError("a field has no format")
    return [field for _, field, _, _ in parts if field is not None]
