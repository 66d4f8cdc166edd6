"""Scripts that are joined, stacked or run from right to left: which glyphs a line takes, and where.

By HarfBuzz, which comes with the extra `scripts`. A line is parted by direction (UAX 9), font and
script; each part is shaped on its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import chain, groupby, pairwise
from typing import TYPE_CHECKING

from reportlab.pdfbase import pdfmetrics

from rfid_station.errors import PrintError
from rfid_station.printing.bidi import visual_runs
from rfid_station.printing.embedded_font import EmbeddedFont

if TYPE_CHECKING:
    import uharfbuzz

INVISIBLE = frozenset("\u200b\u200c\u200d\u200e\u200f\u2066\u2067\u2068\u2069")
"""What joins, parts or turns letters, and is never seen: no font has to have it."""

_PLAIN_BELOW = "\u0300"
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_MARKS = ("Mn", "Mc")

FontRuns = Callable[[str], list[tuple[str, str]]]
"""Parts a text by the fonts it is set in: pairs of a font's name and a text."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """One glyph of a line, in parts of the font size. `character` stands for it in the font."""

    font: str
    character: str
    width: float
    """What the font says, and viewers go on by."""
    advance: float
    x_offset: float
    y_offset: float


@dataclass(frozen=True, slots=True)
class ShapedRun:
    """A part of a line that runs in one direction; its glyphs are from left to right in any case."""

    text: str
    is_right_to_left: bool
    glyphs: tuple[Glyph, ...]


def needs_shaping(text: str) -> bool:
    """Whether a text is more than letters side by side from left to right."""
    if text.isascii() or max(text) < _PLAIN_BELOW:
        return False
    return any(_is_shaped(character) for character in text)


def _is_shaped(character: str) -> bool:
    return (
        character in INVISIBLE
        or unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
        or unicodedata.category(character) in _MARKS
    )


@cache
def is_installed() -> bool:
    """Whether such texts can be set."""
    return find_spec("uharfbuzz") is not None


def check_installed(text: str) -> None:
    """See that a text can be set.

    :raises PrintError: it needs shaping, and what shapes is not installed
    """
    if not needs_shaping(text) or is_installed():
        return
    character = next(filter(_is_shaped, text))
    raise PrintError(
        f"{character!r} (U+{ord(character):04X}, {unicodedata.name(character, 'unnamed')}) of {text!r}"
        " belongs to a script that is joined or does not run from left to right, and what sets such scripts"
        " is not installed",
        hint="python -m pip install 'rfid-station[scripts]'",
    )


def is_mark(character: str) -> bool:
    """Whether it stands on, below or around the letter before it."""
    return unicodedata.category(character).startswith("M")


def shaped_line(text: str, font_runs: FontRuns, *, right_to_left: bool) -> list[ShapedRun]:
    """The parts of one line from left to right as they stand on the paper."""
    runs: list[ShapedRun] = []
    for run in visual_runs(text, right_to_left=right_to_left):
        logical = text[run.start : run.end]
        parts = [
            _shaped(font, script, part, run.is_right_to_left)
            for font, in_font in font_runs(logical)
            for script, part in _script_runs(in_font)
        ]
        if run.is_right_to_left:
            parts.reverse()
        seen = "".join(character for character in logical if character not in INVISIBLE)
        runs.append(ShapedRun(seen, run.is_right_to_left, tuple(chain.from_iterable(parts))))
    return runs


def _script_runs(text: str) -> Iterator[tuple[str, str]]:
    """Parts of one script; what belongs to none (digits, signs, marks) goes with what stands before it."""
    scripts: list[str] = []
    for character in text:
        own = script_of(character)
        scripts.append(own or (scripts[-1] if scripts else ""))
    first = next(filter(None, scripts), "")
    for script, group in groupby(zip(scripts, text, strict=True), lambda pair: pair[0] or first):
        yield script, "".join(character for _, character in group)


def script_of(character: str) -> str:
    """The script of a letter, as Unicode's names begin with: ARABIC, DEVANAGARI; "" for what is no letter."""
    if unicodedata.category(character)[0] != "L":
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


@lru_cache(maxsize=4096)
def _shaped(font: str, script: str, text: str, right_to_left: bool) -> tuple[Glyph, ...]:  # noqa: ARG001 - script parts the runs
    import uharfbuzz

    embedded: EmbeddedFont = pdfmetrics.getFont(font)
    shaper, scale = _shaper(font)
    buffer = uharfbuzz.Buffer()
    buffer.cluster_level = uharfbuzz.BufferClusterLevel.MONOTONE_CHARACTERS
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if right_to_left else "ltr"
    uharfbuzz.shape(shaper, buffer)
    infos = buffer.glyph_infos
    meanings = _meanings(text, [info.cluster for info in infos], right_to_left=right_to_left)
    glyphs: list[Glyph] = []
    for info, position, meaning in zip(infos, buffer.glyph_positions, meanings, strict=True):
        character = embedded.character_for(info.codepoint, meaning)
        place = (position.x_advance * scale, position.x_offset * scale, position.y_offset * scale)
        if meaning not in INVISIBLE or any(place):
            glyphs.append(Glyph(font, character, embedded.width_of(character), *place))
    return tuple(glyphs)


@cache
def _shaper(font: str) -> tuple[uharfbuzz.Font, float]:
    import uharfbuzz

    face = pdfmetrics.getFont(font).face
    return uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob(face._ttf_data))), 1 / face.unitsPerEm


def _meanings(text: str, clusters: Sequence[int], *, right_to_left: bool) -> list[str]:
    """The letters that each glyph shows: those of a cluster one by one, the rest with the last of its glyphs.

    Readers turn what runs from right to left round, sign by sign; so it is written down turned round.
    """
    starts = [*sorted(set(clusters)), len(text)]
    ends = dict(pairwise(starts))
    meanings: list[str] = []
    for cluster, group in groupby(clusters):
        letters = text[cluster : ends[cluster]]
        count = len(list(group))
        shown = [*letters[: count - 1], letters[count - 1 :]]
        shown += [""] * (count - len(shown))
        meanings += [letters[::-1] for letters in reversed(shown)] if right_to_left else shown
    return meanings
