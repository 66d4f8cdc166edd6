"""What the interpreter that tests fork has done before: one card was made, all it takes is compiled."""

from __future__ import annotations

import gc
from pathlib import Path
from tempfile import TemporaryDirectory

import shared_statements  # noqa: F401 - remembers what is compiled here
from stations import CLERK, LINES, issue_from, new_station

from rfid_station.desk.station import open_station

with (
    TemporaryDirectory(prefix="warm-") as place,
    open_station(new_station(Path(place) / "station"), CLERK) as station,
):
    issue_from(station, "sim:ntag213", LINES[:1])
gc.collect()
gc.freeze()
