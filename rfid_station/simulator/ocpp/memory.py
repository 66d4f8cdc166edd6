"""What a charging station knows of cards by itself: its authorization cache and its local list.

A card on the list is not kept in the cache, and is looked up in the list first.

Sources: OCPP 1.6, 3.5 (Local Authorization & Offline Behavior); OCPP 2.0.1 Part 2, C (Authorization).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rfid_station.simulator.ocpp.values import Entry, IdInfo, moment, stamp

CACHE, LIST = "authorization cache", "local list"


@dataclass(frozen=True, slots=True)
class Found:
    """What a station knows of a card, and where from."""

    info: IdInfo
    place: str


@dataclass(slots=True)
class Memory:
    """The memory of one station. Ids of cards are compared without regard to case."""

    has_cache: bool = True
    has_list: bool = True
    cache: dict[str, IdInfo] = field(default_factory=dict)
    listed: dict[str, IdInfo] = field(default_factory=dict)
    list_version: int = 0

    def find(self, id_tag: str, at: datetime) -> Found | None:
        """What is known of a card at a moment."""
        for place, held in ((LIST, self.listed), (CACHE, self.cache)):
            info = held.get(id_tag.lower())
            if info and info.is_kept(at):
                return Found(info, place)
        return None

    def note(self, id_tag: str, info: IdInfo) -> None:
        """Keep what the central system said of a card."""
        key = id_tag.lower()
        if not self.has_cache or key in self.listed:
            return
        self.cache[key] = info

    def update(self, version: int, entries: Iterable[Entry], *, is_full: bool) -> None:
        """Take a new list, or what changed in it."""
        if is_full:
            self.listed.clear()
        for entry in entries:
            key = entry.id_tag.lower()
            self.listed.pop(key, None)
            if entry.info:
                self.listed[key] = entry.info
                self.cache.pop(key, None)
        self.list_version = version

    def save(self, path: Path) -> None:
        """Write it down for the next time."""
        kept = {
            "list_version": self.list_version,
            "cache": {tag: _written(info) for tag, info in self.cache.items()},
            "listed": {tag: _written(info) for tag, info in self.listed.items()},
        }
        path.write_text(json.dumps(kept))


def remembered(path: Path | None, *, has_cache: bool = True, has_list: bool = True) -> Memory:
    """The memory that a file keeps; a new one where there is no file.

    :raises ValueError: the file is no such memory
    """
    memory = Memory(has_cache, has_list)
    if path is None or not path.exists():
        return memory
    try:
        kept = json.loads(path.read_text())
        memory.list_version = int(kept["list_version"])
        memory.cache = {tag: _read(info) for tag, info in kept["cache"].items()} if has_cache else {}
        memory.listed = {tag: _read(info) for tag, info in kept["listed"].items()} if has_list else {}
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ValueError(f"{path} is not the memory of a station ({broken})") from None
    return memory


def _written(info: IdInfo) -> dict[str, str | None]:
    return {"status": info.status, "until": stamp(info.until) if info.until else None}


def _read(kept: dict[str, Any]) -> IdInfo:
    return IdInfo(str(kept["status"]), moment(kept["until"]))
