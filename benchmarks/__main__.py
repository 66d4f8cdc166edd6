"""`make bench`: every `bench_*.py` beside this file, one after the other, each in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors")
    failed = [script.name for script in scripts() if not run(script)]
    for name in failed:
        print(f"error: {name} did not finish", file=sys.stderr)
    return 1 if failed else 0


def scripts() -> list[Path]:
    return sorted(Path(__file__).parent.glob("bench_*.py"))


def run(script: Path) -> bool:
    print(f"\n{script.stem}\n", flush=True)
    return subprocess.run([sys.executable, script], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
