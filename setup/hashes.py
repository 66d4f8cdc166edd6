"""Whether the wheels that were downloaded are those that were tested, whatever mirror they came from.

    python setup/hashes.py FOLDER            compares with constraints.sha256; exit 1 if one differs
    python setup/hashes.py FOLDER --add      adds those that are not listed yet

The list has no addresses, and more files than one machine downloads: wheels differ by Python and platform.
A file that is not listed is named and counted, and is no failure: it was built here, or for a platform that
nobody has added.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

LIST = Path(__file__).parents[1] / "constraints.sha256"


def main(folder: Path, *options: str) -> int:
    """Compare, or add."""
    known = dict(line.split()[::-1] for line in LIST.read_text().splitlines()) if LIST.exists() else {}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.whl")}
    if "--add" in options:
        lines = [f"{digest}  {name}\n" for name, digest in sorted((found | known).items())]
        LIST.write_text("".join(lines))
        return 0
    wrong = [name for name, digest in found.items() if known.get(name, digest) != digest]
    unlisted = [name for name in found if name not in known]
    for name in unlisted:
        print(f"not listed: {name}")
    for name in wrong:
        print(f"DIFFERS: {name} is not the file that was tested", file=sys.stderr)
    print(f"{len(found) - len(wrong) - len(unlisted)} of {len(found)} wheels are those that were tested")
    return 1 if wrong or not found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
