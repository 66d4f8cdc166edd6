"""Pictures on terminals that can show them: by the protocols of kitty and iTerm2, or as sixels.

Terminals do not agree on how to be asked; they say who they are in the environment.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import StrEnum

_KITTY_CHUNK = 4096
_ESC = "\x1b"


class Protocol(StrEnum):
    """How a terminal takes a picture."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"


_KITTY_PROGRAMS = ("ghostty", "kitty")
_ITERM2_PROGRAMS = ("iTerm.app", "WezTerm", "mintty", "vscode", "rio")
_SIXEL_TERMS = ("foot", "mlterm", "yaft", "contour", "sixel")


def protocol_of(environment: Mapping[str, str]) -> Protocol | None:
    """What the terminal of this environment can show; None if nothing is known of it.

    tmux and screen do not hand pictures on.
    """
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith(("screen", "tmux", "dumb")):
        return None
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("KITTY_WINDOW_ID") or "kitty" in term or program in _KITTY_PROGRAMS:
        return Protocol.KITTY
    if program in _ITERM2_PROGRAMS or environment.get("LC_TERMINAL") == "iTerm2":
        return Protocol.ITERM2
    if any(name in term for name in _SIXEL_TERMS):
        return Protocol.SIXEL
    return None


def escaped_png(png: bytes, protocol: Protocol) -> str:
    """A PNG as what kitty or iTerm2 takes."""
    data = base64.standard_b64encode(png).decode()
    if protocol is Protocol.ITERM2:
        return f"{_ESC}]1337;File=inline=1;size={len(png)};preserveAspectRatio=1:{data}\a\n"
    chunks = [data[start : start + _KITTY_CHUNK] for start in range(0, len(data), _KITTY_CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks, start=1):
        head = "a=T,f=100," if number == 1 else ""
        parts.append(f"{_ESC}_G{head}m={int(number < len(chunks))};{chunk}{_ESC}\\")
    return "".join(parts) + "\n"
