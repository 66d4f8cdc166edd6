"""The flows of the desk, each to be read from top to bottom.

The names below are the Python API (docs/python.md). Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfid_station.desk.batch.fleet_file import read_fleet_file
    from rfid_station.desk.scripting import (
        FileReport,
        block_card,
        check_file,
        find_cards,
        make_cards,
        print_cards,
        read_card,
        run_file,
        show_card,
        sync_now,
        the_card,
    )
    from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station

__all__ = [
    "FileReport",
    "Station",
    "actor_at_keyboard",
    "block_card",
    "check_file",
    "create_station",
    "find_cards",
    "make_cards",
    "open_station",
    "print_cards",
    "read_card",
    "read_fleet_file",
    "run_file",
    "show_card",
    "sync_now",
    "the_card",
]

_HOMES = {
    "Station": "station",
    "actor_at_keyboard": "station",
    "create_station": "station",
    "open_station": "station",
    "read_fleet_file": "batch.fleet_file",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'scripting')}"), name)
