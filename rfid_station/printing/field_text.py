"""Texts with fields in braces, as `Hotline {hotline}`; two braces stand for one.

Fields are names and nothing else: no formats, no attributes, no code. A text that names
what does not exist is refused when its template is loaded, not when a card is printed.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from rfid_station.printing.brand import BRAND_FIELDS
from rfid_station.printing.template import Table, nearest

CARD_FIELDS = ("contract_id", "visual_number", "link", "qr_link", "driver", "valid_until")
"""What the desk may tell of one card."""


@dataclass(frozen=True, slots=True)
class FieldText:
    """A text and the fields in it: pairs of literal text and the field behind it, if any."""

    source: str
    parts: tuple[tuple[str, str | None], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields in the text."""
        return frozenset(field for _, field in self.parts if field)

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with every field's value in its place. All fields must have a value."""
        return "".join(literal + (values[field] if field else "") for literal, field in self.parts)


def field_text(table: Table, key: str) -> FieldText:
    """Read a text with fields from a template.

    :raises WrongCall: braces do not match, or a field is unknown or a UID
    """
    source = table.text(key)
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
        _refuse_unknown(table, key, field)
    return text


def _plain_name(field: str | None, spec: str | None, conversion: str | None) -> str | None:
    if spec or conversion:
        raise ValueError("a field has no format")
    if field == "":
        raise ValueError("a field has no name")
    return field


def _refuse_unknown(table: Table, key: str, field: str) -> None:
    if "uid" in field.lower():
        raise table.wrong(
            key,
            f"names {{{field}}}, and a card never shows its UID: whoever reads it can copy the card",
            "print {visual_number}, which the desk and every partner find the card by",
        )
    known = (*CARD_FIELDS, *BRAND_FIELDS)
    if field not in known:
        raise table.wrong(
            key, f"names the unknown field {{{field}}}", f"{nearest(field, known)}fields: {', '.join(known)}"
        )
