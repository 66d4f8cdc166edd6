"""What charging stations make of a UID: the text that their readers hand on is not always the whole of it."""

from __future__ import annotations

from enum import StrEnum

LONGEST_ID_TAG = 20
"""Characters of an idTag (OCPP 1.6, CiString20Type)."""


class UidForm(StrEnum):
    """How a reader writes a UID."""

    WHOLE = "7"
    """All bytes as they come through the air, in hexadecimal."""
    FOUR = "4"
    """The first four bytes only: readers made for cards with short UIDs."""
    REVERSED = "reversed"
    """All bytes, the last one first."""
    DECIMAL = "decimal"
    """All bytes as one decimal number."""


def seen(uid: bytes, form: UidForm) -> str:
    """What stands in the message of a station that reads so.

    :raises ValueError: it does not fit into an idTag
    """
    match form:
        case UidForm.FOUR:
            text = uid[:4].hex().upper()
        case UidForm.REVERSED:
            text = uid[::-1].hex().upper()
        case UidForm.DECIMAL:
            text = str(int.from_bytes(uid))
        case _:
            text = uid.hex().upper()
    if len(text) > LONGEST_ID_TAG:
        raise ValueError(f"{text} has {len(text)} characters, and an idTag takes {LONGEST_ID_TAG}")
    return text
