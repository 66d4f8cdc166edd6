"""Where the files that ship with the program lie: `templates/` and `data/`.

They stand at the top of the tree in a checkout, and inside the package in a wheel.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(*parts: str) -> Path:
    """The path of a shipped file or folder, as in `shipped("templates", "sheets")`. It may not exist."""
    inside = _PACKAGE / "shipped_files"
    root = inside if inside.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)
