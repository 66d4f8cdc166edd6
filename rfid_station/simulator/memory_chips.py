"""The memory cards: MIFARE Ultralight, NTAG2xx and MIFARE Classic, by the words they go by."""

from __future__ import annotations

from rfid_station.simulator.card import ChipMaker
from rfid_station.simulator.ntag21x import MODELS, VirtualNtag21x
from rfid_station.simulator.other_chips import VirtualClassic1k, VirtualUltralight

MEMORY_CHIPS: dict[str, ChipMaker] = {
    **{name: ChipMaker(VirtualNtag21x) for name in MODELS},
    "ultralight": ChipMaker(VirtualUltralight),
    "classic1k": ChipMaker(VirtualClassic1k, uid_size=4),
}
