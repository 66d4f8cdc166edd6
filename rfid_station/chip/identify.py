"""Which chip lies there: one question after the other, from what the reader saw to what the chip says."""

from __future__ import annotations

from rfid_station.chip.exchange import AskUid, Dialogue
from rfid_station.chip.identity import Identity
from rfid_station.chip.sighting import Family, Sighting, kind_of
from rfid_station.chip.type2_state import identify_type2
from rfid_station.domain.uid import CardUid


def identify(seen: Sighting) -> Dialogue[Identity]:
    """Find out what lies on the reader, and read what can be read without keys. Writes nothing.

    :raises CardRefused: the UID is random or otherwise unusable, or the memory is shut
    :raises CardLost: the card left
    """
    uid = CardUid((yield AskUid()))
    kind = kind_of(seen)
    if kind.family is Family.TYPE2:
        return (yield from identify_type2(uid, kind))
    return Identity(uid, kind.name, refusal=kind.refusal)
