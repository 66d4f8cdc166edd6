"""Codes that people type from paper: of which signs, how one is drawn, and what counts of what was typed."""

from __future__ import annotations

import re
import secrets

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs, 5 bits each, without those that look alike in print: 0 and O, 1 and I."""


def draw(length: int) -> str:
    """A code of so many signs that nobody can foretell; 256 is a multiple of 32, so all are as likely."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(length))


def in_blocks(code: str, size: int = 5) -> str:
    """A code as it is printed, in blocks that the eye can hold: `23456-789AB`."""
    return "-".join(code[begin : begin + size] for begin in range(0, len(code), size))


def bare(typed: str) -> str:
    """What counts of what was typed: case, dashes and spaces do not."""
    return re.sub(r"[^0-9A-Z]", "", typed.upper())
