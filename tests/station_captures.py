"""The screens of docs/station.md, taken from a real run.

python tests/station_captures.py    prints them anew, for the page
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from stations import new_station
from tmux_terminal import a_terminal, station_command

PAGE = Path(__file__).parent.parent / "docs" / "station.md"
FLEET = "reference,name,fleet,language\n1001,Anna van Dijk,F,nl\n1002,Bram de Wit,F,nl\n1003,Chloé Roy,F,fr\n"


def captures(folder: Path) -> dict[str, str]:
    """Each screen by its name on the page."""
    station = new_station(folder / "station")
    settings = station / "station.toml"
    settings.write_text(settings.read_text().replace('order = "random"', 'order = "rising"'))
    fleet, taps = station / "fleet.csv", station / "taps"
    fleet.write_text(FLEET)
    reader = f"sim:ntag213?seed=1&deck={station / 'deck.json'}&taps={taps}"
    screens = {}

    def tap(what: str = "") -> None:
        with taps.open("a") as file:
            file.write(f"{what}\n")

    with a_terminal(folder, 76, 18, {"NO_COLOR": "1"}) as terminal:
        terminal.run(station_command(station, "card", "issue", str(fleet), "--reader", reader))
        screens["waiting"] = terminal.until("TAP THE NEXT CARD")
        tap()
        screens["done"] = terminal.until("DONE, TAKE IT AWAY")
        tap("fault=foreign")
        screens["not done"] = terminal.until("NOT DONE")
        terminal.keys("u")
        screens["undo"] = terminal.until("TAKE THE LAST CARD BACK")
        terminal.keys("n")
        terminal.until("nothing was changed")
        terminal.keys("p")
        terminal.until("PAUSED")
        terminal.resize(40, 12)
        screens["small"] = terminal.until(r"(?m)1/3 · 2 left[^/]*$")
        terminal.keys("q")
        terminal.until("1 card made")
    return screens


def documented() -> dict[str, str]:
    """What the page shows, by name."""
    found = re.findall(r"<!-- screen: ([\w ]+) -->\n```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return dict(found)


def normal(screen: str) -> str:
    """A screen without what differs from run to run: times, rates, and how they shift what follows."""
    timeless = re.sub(r"\d+(/h| ms| ?m?…(?m:$))", "N", screen)
    return " ".join(timeless.split())


def main() -> None:
    with TemporaryDirectory() as folder:
        for name, screen in captures(Path(folder)).items():
            sys.stdout.write(f"<!-- screen: {name} -->\n```text\n{screen.rstrip()}\n```\n\n")


if __name__ == "__main__":
    main()
