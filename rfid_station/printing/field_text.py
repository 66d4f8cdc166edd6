"""Texts with fields in braces, as `Hotline {hotline}`; two braces stand for one.

Fields are names and nothing else: no formats, no attributes, no code. A text that names
what does not exist is refused when its template is loaded, not when a card is printed.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rfid_station.domain.nearest import nearest
from rfid_station.printing.brand import BRAND_FIELDS
from rfid_station.printing.template import Table

CARD_FIELDS = (
    "contract_id",
    "visual_number",
    "link",
    "qr_link",
    "driver",
    "valid_until",
    "fleet",
    "reference",
)
"""What the desk may tell of one card."""
LANGUAGE = "language"
"""What a condition may ask for beside the fields: in which language a card is printed."""


_LOOKS_LIKE_A_UID = re.compile(
    r"\b[0-9A-Fa-f]{2}(?P<between>[ :-]?)(?:[0-9A-Fa-f]{2}(?P=between)){2,8}[0-9A-Fa-f]{2}\b"
)
_UID_DIGITS = (8, 14, 20)


@dataclass(frozen=True, slots=True)
class FieldText:
    """A text and the fields in it: pairs of literal text and the field behind it, if any."""

    source: str
    parts: tuple[tuple[str, str | None], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields in the text."""
        return frozenset(field for _, field in self.parts if field)

    @property
    def literal(self) -> str:
        """The text without its fields."""
        return "".join(literal for literal, _ in self.parts)

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with every field's value in its place. All fields must have a value."""
        return "".join(literal + (values[field] if field else "") for literal, field in self.parts)


@dataclass(frozen=True, slots=True)
class LocalText:
    """A text with fields, the same in all languages or one for each."""

    everywhere: FieldText | None
    by_language: Mapping[str, FieldText]

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields, in any language."""
        return frozenset().union(*(text.fields for text in self._texts))

    @property
    def source(self) -> str:
        """The text as it is written, its languages apart by a stroke."""
        return " / ".join(text.source for text in self._texts)

    def in_language(self, language: str | None) -> FieldText:
        """The text in a language, or in the first one."""
        return self.by_language.get(language or "", self._texts[0])

    @property
    def _texts(self) -> list[FieldText]:
        return [self.everywhere] if self.everywhere else list(self.by_language.values())


@dataclass(frozen=True, slots=True)
class Condition:
    """A field has a value, or, if not `is_equal`, has another one."""

    field: str
    value: str
    is_equal: bool

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether it is so for these values; a field that is not there is empty."""
        return (values.get(self.field, "") == self.value) is self.is_equal


def conditions(table: Table) -> tuple[Condition, ...]:
    """Read `when = { field = "value" }` and `unless = { field = "value" }` of a layer.

    :raises WrongCall: a field is unknown
    """
    found: list[Condition] = []
    for key, is_equal in (("when", True), ("unless", False)):
        for field, value in table.text_entries(key).items():
            if field != LANGUAGE:
                _refuse_unknown(table, key, field, within=field)
            found.append(Condition(field, value, is_equal))
    return tuple(found)


def local_text(table: Table, key: str, languages: Sequence[str]) -> LocalText:
    """Read a text, or a table of one for each language of the design.

    :raises WrongCall: braces do not match, a field is unknown or a UID, a language is missing or unknown
    """
    if not table.is_table(key):
        return LocalText(field_text(table, key), {})
    inner = table.table(key)
    texts = inner.read(lambda each: {language: field_text(each, language) for language in languages})
    if not texts:
        raise table.wrong(key, "is by language", 'write languages = ["de", "en"] at the top of the design')
    return LocalText(None, texts)


def field_text(table: Table, key: str) -> FieldText:
    """Read a text with fields from a template.

    :raises WrongCall: braces do not match, or a field is unknown or a UID
    """
    source = table.text(key)
    if _is_like_a_uid(source):
        raise table.wrong(
            key,
            f"is {source!r}, which looks like a UID, and a card never shows its UID: whoever reads it can"
            " copy the card",
            "print {visual_number}, which the desk and every partner find the card by",
        )
    try:
        parts = [
            (literal, _plain_name(field, spec, conversion))
            for literal, field, spec, conversion in string.Formatter().parse(source)
        ]
    except ValueError as error:
        raise table.wrong(
            key, f"is {source!r}: {error}", "write fields as {visual_number}, a brace as {{"
        ) from error
    text = FieldText(source, tuple(parts))
    for field in sorted(text.fields):
        _refuse_unknown(table, key, field, within="{" + field)
    return text


def _is_like_a_uid(text: str) -> bool:
    """Whether pairs of hexadecimal digits stand there, as many as a UID has; a plain number is none."""
    return any(
        sum(map(str.isalnum, found[0])) in _UID_DIGITS and not found[0].replace(" ", "").isdecimal()
        for found in _LOOKS_LIKE_A_UID.finditer(text)
    )


def _plain_name(field: str | None, spec: str | None, conversion: str | None) -> str | None:
    if spec or conversion:
        raise ValueError("a field has no format")
    if field == "":
        raise ValueError("a field has no name")
    return field


def _refuse_unknown(table: Table, key: str, field: str, *, within: str) -> None:
    if "uid" in field.lower():
        raise table.wrong(
            key,
            f"names {{{field}}}, and a card never shows its UID: whoever reads it can copy the card",
            "print {visual_number}, which the desk and every partner find the card by",
            within,
        )
    known = (*CARD_FIELDS, *BRAND_FIELDS)
    if field not in known:
        raise table.wrong(
            key,
            f"names the unknown field {{{field}}}",
            f"{nearest(field, known)}fields: {', '.join(known)}",
            within,
        )
