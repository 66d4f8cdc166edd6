"""The cards of ISO 14443-4, and those of other standards, by the words they go by."""

from __future__ import annotations

from rfid_station.simulator.card import ChipMaker
from rfid_station.simulator.native.desfire import VirtualDesfire, VirtualDesfireLight
from rfid_station.simulator.native.duox import VirtualDuox
from rfid_station.simulator.native.ntag424 import VirtualNtag424
from rfid_station.simulator.native.other_standards import (
    VirtualBankCard,
    VirtualFelica,
    VirtualIso15693,
    VirtualJavaCard,
    VirtualPhone,
    VirtualTypeB,
)

ISO_DEP_CHIPS: dict[str, ChipMaker] = {
    "ntag424": ChipMaker(VirtualNtag424),
    "desfire-ev1": ChipMaker(VirtualDesfire),
    "desfire-ev2": ChipMaker(VirtualDesfire),
    "desfire-ev3": ChipMaker(VirtualDesfire),
    "desfire-light": ChipMaker(VirtualDesfireLight),
    "desfire": ChipMaker(VirtualDesfire),
    "random": ChipMaker(VirtualDesfire),
    "duox": ChipMaker(VirtualDuox),
    "phone": ChipMaker(VirtualPhone),
    "bankcard": ChipMaker(VirtualBankCard, uid_size=4),
    "jcop": ChipMaker(VirtualJavaCard),
    "typeb": ChipMaker(VirtualTypeB, uid_size=4),
    "felica": ChipMaker(VirtualFelica, uid_size=8),
    "iso15693": ChipMaker(VirtualIso15693, uid_size=8),
}
