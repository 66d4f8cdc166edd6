"""In which order letters stand on a line that has some running from right to left.

The bidirectional algorithm of Unicode (UAX 9) for one line. Isolates count; explicit embeddings and overrides
(which no one types into an address) do not. Of brackets, `()`, `[]` and `{}` are paired.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LEFT_TO_RIGHT_ISOLATE = "\u2066"
POP_ISOLATE = "\u2069"
RIGHT_TO_LEFT_MARK = "\u200f"
_NO_BREAK_SPACE = "\u00a0"

_ISOLATES = ("LRI", "RLI", "FSI")
_STRONG = ("L", "R", "AL")
_NEUTRAL = ("B", "S", "WS", "ON", "LRI", "RLI", "FSI", "PDI")
_LEFT_OUT = ("LRE", "RLE", "LRO", "RLO", "PDF", "BN")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line that runs in one direction: `text[start:end]`."""

    start: int
    end: int
    level: int

    @property
    def is_right_to_left(self) -> bool:
        """Whether its first letter stands at the right."""
        return self.level % 2 == 1


def runs_right_to_left(text: str) -> bool:
    """Whether a text, as a paragraph, begins at the right: by its first letter (UAX 9, P2 and P3)."""
    return _first_strong([unicodedata.bidirectional(character) for character in text]) in ("R", "AL")


def isolated(value: str) -> str:
    """A number, link or name of a field, so that the text around it does not turn its parts round.

    A value of several words with letters stays as it is: it may be broken between lines.
    """
    if not value or (" " in value and any(map(str.isalpha, value))):
        return value
    return f"{LEFT_TO_RIGHT_ISOLATE}{value.replace(' ', _NO_BREAK_SPACE)}{POP_ISOLATE}"


def visual_runs(text: str, *, right_to_left: bool) -> list[Run]:
    """The parts of a line from left to right as they stand on the paper (UAX 9, L2)."""
    levels = embedding_levels(text, right_to_left=right_to_left)
    runs: list[Run] = []
    for index, level in enumerate(levels):
        if runs and runs[-1].level == level:
            runs[-1] = Run(runs[-1].start, index + 1, level)
        else:
            runs.append(Run(index, index + 1, level))
    for level in range(max(levels, default=0), 0, -1):
        runs = _turned(runs, level)
    return runs


def embedding_levels(text: str, *, right_to_left: bool) -> list[int]:
    """How deep each character is nested; odd ones run from right to left (UAX 9, 3.3)."""
    base = int(right_to_left)
    types = [unicodedata.bidirectional(character) or "L" for character in text]
    levels = [base] * len(text)
    _resolve(text, types, range(len(text)), base, levels)
    for index in range(len(text) - 1, -1, -1):  # L1
        if types[index] not in ("WS", "S", "B", *_ISOLATES, "PDI", *_LEFT_OUT):
            break
        levels[index] = base
    return levels


def _turned(runs: Sequence[Run], level: int) -> list[Run]:
    turned: list[Run] = []
    group: list[Run] = []
    for run in runs:
        if run.level >= level:
            group.insert(0, run)
        else:
            turned += [*group, run]
            group = []
    return turned + group


def _first_strong(types: Sequence[str]) -> str:
    depth = 0
    for kind in types:
        if kind in _ISOLATES:
            depth += 1
        elif kind == "PDI":
            depth = max(depth - 1, 0)
        elif not depth and kind in _STRONG:
            return kind
    return ""


def _resolve(text: str, types: Sequence[str], indices: range, base: int, levels: list[int]) -> None:
    """Set the levels of a part of the text, and of the isolates within on their own."""
    outer: list[int] = []
    index = indices.start
    while index < indices.stop:
        kind = types[index]
        if kind not in _LEFT_OUT:
            outer.append(index)
        if kind in _ISOLATES:
            end = _end_of_isolate(types, index, indices.stop)
            inner = range(index + 1, end)
            _resolve(text, types, inner, _inner_level(kind, [types[i] for i in inner], base), levels)
            index = end
        else:
            index += 1
    direction = "R" if base % 2 else "L"
    kinds = _weak([types[i] for i in outer], direction)
    _pair_brackets([text[i] for i in outer], [types[i] for i in outer], kinds, direction)
    _neutral(kinds, direction)
    for i, kind in zip(outer, kinds, strict=True):
        levels[i] = base + _deeper(kind, base)


def _end_of_isolate(types: Sequence[str], start: int, stop: int) -> int:
    depth = 0
    for index in range(start, stop):
        depth += (types[index] in _ISOLATES) - (types[index] == "PDI")
        if not depth:
            return index
    return stop


def _inner_level(kind: str, inner: Sequence[str], base: int) -> int:
    goes_left = kind == "RLI" or (kind == "FSI" and _first_strong(inner) in ("R", "AL"))
    return base + 1 + int((base + 1) % 2 != goes_left)


def _deeper(kind: str, base: int) -> int:
    """I1 and I2."""
    if base % 2:
        return int(kind in ("L", "EN", "AN"))
    return {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)


def _weak(types: Sequence[str], direction: str) -> list[str]:
    """W1 to W7: what marks, digits, and the signs between digits count as."""
    kinds = list(types)
    strong = before = direction
    for index, kind in enumerate(kinds):
        if kind == "NSM":
            kinds[index] = "ON" if before in (*_ISOLATES, "PDI") else before
        before = kinds[index]
        if before in _STRONG:
            strong = before
        elif before == "EN" and strong == "AL":
            kinds[index] = before = "AN"
    kinds = ["R" if kind == "AL" else kind for kind in kinds]
    _join_numbers(kinds)
    strong = direction
    for index, kind in enumerate(kinds):
        if kind in ("ES", "ET", "CS"):
            kinds[index] = "ON"
        elif kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[index] = "L"
    return kinds


def _join_numbers(kinds: list[str]) -> None:
    """W4 and W5: a separator between two numbers, and signs beside one, belong to it."""
    for index in range(1, len(kinds) - 1):
        around = {kinds[index - 1], kinds[index + 1]}
        if (kinds[index] in ("ES", "CS") and around == {"EN"}) or (kinds[index] == "CS" and around == {"AN"}):
            kinds[index] = kinds[index - 1]
    index = 0
    while index < len(kinds):
        end = _end_of_like(kinds, index, ("ET",))
        if end > index and "EN" in (*kinds[end : end + 1], *kinds[max(index - 1, 0) : index]):
            kinds[index:end] = ["EN"] * (end - index)
        index = max(end, index + 1)


def _end_of_like(kinds: Sequence[str], start: int, like: Sequence[str]) -> int:
    end = start
    while end < len(kinds) and kinds[end] in like:
        end += 1
    return end


def _pair_brackets(text: Sequence[str], types: Sequence[str], kinds: list[str], direction: str) -> None:
    """N0: both brackets of a pair take the direction of what they hold."""
    for opening, closing in _bracket_pairs(text, kinds):
        held = {_as_strong(kind) for kind in kinds[opening + 1 : closing]}
        other = "L" if direction == "R" else "R"
        if direction in held:
            towards = direction
        elif other in held:
            before = next((s for kind in reversed(kinds[:opening]) if (s := _as_strong(kind))), direction)
            towards = other if before == other else direction
        else:
            continue
        for bracket in (opening, closing):
            kinds[bracket] = towards
            end = bracket + 1 + _end_of_like(types[bracket + 1 :], 0, ("NSM",))
            kinds[bracket + 1 : end] = [towards] * (end - bracket - 1)


def _bracket_pairs(text: Sequence[str], kinds: Sequence[str]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for index, character in enumerate(text):
        if kinds[index] != "ON":
            continue
        if character in _BRACKETS:
            opened.append((_BRACKETS[character], index))
        elif any(closing == character for closing, _ in opened):
            while True:
                closing, start = opened.pop()
                if closing == character:
                    pairs.append((start, index))
                    break
    return sorted(pairs)


def _as_strong(kind: str) -> str:
    return {"L": "L", "R": "R", "EN": "R", "AN": "R"}.get(kind, "")


def _neutral(kinds: list[str], direction: str) -> None:
    """N1 and N2: what has no direction takes that of both its neighbours, else that of the line."""
    index = 0
    while index < len(kinds):
        end = _end_of_like(kinds, index, _NEUTRAL)
        if end > index:
            before = _as_strong(kinds[index - 1]) if index else direction
            after = _as_strong(kinds[end]) if end < len(kinds) else direction
            kinds[index:end] = [before if before == after else direction] * (end - index)
        index = max(end, index + 1)
