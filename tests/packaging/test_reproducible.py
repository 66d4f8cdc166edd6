"""Whoever builds a release gets the same bytes: at another time, elsewhere, with another user's habits."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
BUILT_FROM = (
    "rfid_station",
    "templates",
    "data",
    "docs",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
)


def built(source: Path, out: Path, *, umask: int) -> dict[str, str]:
    """Build wheel and sdist; the SHA-256 of each."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1767225600", "TZ": "Asia/Tokyo" if umask else "UTC"}
    subprocess.run(command, check=True, capture_output=True, env=environment, umask=umask)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}


def copied(place: Path, mtime: int) -> Path:
    """The sources somewhere else, as another checkout would have them."""
    for name in BUILT_FROM:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(exist_ok=True)
            shutil.copy(source, place / name)
    for path in place.rglob("*"):
        os.utime(path, (mtime, mtime))
    return place


def test_wheel_and_sdist_are_the_same_twice(tmp_path: Path) -> None:
    one = built(copied(tmp_path / "one", 1_600_000_000), tmp_path / "dist-one", umask=0o022)
    two = built(copied(tmp_path / "two", 1_700_000_000), tmp_path / "dist-two", umask=0o077)
    assert sorted(Path(name).suffix for name in one) == [".gz", ".whl"]
    assert one == two
