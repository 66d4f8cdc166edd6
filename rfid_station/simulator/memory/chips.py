"""The memory cards: MIFARE Ultralight, NTAG2xx and MIFARE Classic, by the words they go by."""

from __future__ import annotations

from rfid_station.simulator.card import ChipMaker
from rfid_station.simulator.memory import ntag21x, ultralight_ev1
from rfid_station.simulator.memory.classic import (
    VirtualClassic1k,
    VirtualClassic1k7,
    VirtualClassic4k,
    VirtualMini,
    VirtualPlus2k,
)
from rfid_station.simulator.memory.ntag21x import VirtualFeiju213, VirtualNtag21x, VirtualNtag210
from rfid_station.simulator.memory.ultralight import VirtualNtag203, VirtualUltralight
from rfid_station.simulator.memory.ultralight_aes import VirtualUltralightAes
from rfid_station.simulator.memory.ultralight_c import VirtualUltralightC
from rfid_station.simulator.memory.ultralight_ev1 import VirtualUltralightEv1

MEMORY_CHIPS: dict[str, ChipMaker] = {
    **{name: ChipMaker(VirtualNtag21x) for name in ntag21x.MODELS},
    **{name: ChipMaker(VirtualNtag21x) for name in ntag21x.VARIANTS},
    "ntag203": ChipMaker(VirtualNtag203),
    **{name: ChipMaker(VirtualNtag210) for name in ntag21x.NTAG210_MODELS},
    ntag21x.FEIJU213: ChipMaker(VirtualFeiju213, manufacturer=ntag21x.FEIJU_MANUFACTURER),
    "ultralight": ChipMaker(VirtualUltralight),
    **{name: ChipMaker(VirtualUltralightEv1) for name in ultralight_ev1.MODELS},
    "ultralightc": ChipMaker(VirtualUltralightC),
    "ultralightaes": ChipMaker(VirtualUltralightAes),
    "mini": ChipMaker(VirtualMini, uid_size=4),
    "classic1k": ChipMaker(VirtualClassic1k, uid_size=4),
    "classic1k7": ChipMaker(VirtualClassic1k7),
    "classic4k": ChipMaker(VirtualClassic4k, uid_size=4),
    "plus2k": ChipMaker(VirtualPlus2k),
}
