"""The cards of ISO 14443-4, and those of other standards, by the words they go by."""

from __future__ import annotations

from rfid_station.simulator.card import ChipMaker
from rfid_station.simulator.other_chips import VirtualDesfire, VirtualRandomUid

ISO_DEP_CHIPS: dict[str, ChipMaker] = {
    "desfire": ChipMaker(VirtualDesfire),
    "random": ChipMaker(VirtualRandomUid),
}
