"""What a phone sees on a virtual card: nfcpy's Type 2 tag classes, which know nothing of ours."""

from __future__ import annotations

import ndef
import nfc.clf
import nfc.tag
import nfc.tag.tt2

from rfid_station.simulator.memory.type2 import VirtualType2


class AirLink:
    """As much of nfcpy's contactless frontend as a tag needs, with a virtual card in its field."""

    def __init__(self, card: VirtualType2) -> None:
        self.card = card
        self.target = nfc.clf.RemoteTarget("106A")
        self.target.sens_res = bytes.fromhex("4400")
        self.target.sel_res = bytes.fromhex("00")
        self.target.sdd_res = card.uid

    def sense(self, *targets: object, **options: object) -> nfc.clf.RemoteTarget:
        self.card.power_off()
        self.card.select()
        return self.target

    def exchange(self, data: bytes, timeout: float) -> bytes:
        answer = self.card.answer(bytes(data))
        if not answer:
            raise nfc.clf.TimeoutError
        return answer


def links_seen_by_a_phone(card: VirtualType2) -> list[str]:
    """Every link that a phone would offer to open; none for a card that it takes as empty or broken."""
    air = AirLink(card)
    air.sense()
    tag = nfc.tag.tt2.activate(air, air.target)
    if tag is None or tag.ndef is None:
        return []
    try:
        records = list(ndef.message_decoder(tag.ndef.octets, errors="strict"))
    except ndef.DecodeError:
        return []
    return [record.iri for record in records if isinstance(record, ndef.UriRecord)]
