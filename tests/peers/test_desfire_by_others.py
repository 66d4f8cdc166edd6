"""One virtual DESFire goes from hand to hand: what libfreefare makes of it, nfcpy reads over another link."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import ndef
import nfc
import nfc.clf
import nfc.tag
from nfcpy_link import udp_device

from rfid_station.simulator.chips import new_card
from rfid_station.simulator.readers.nfcpy_udp import VirtualUdpReader
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
LINK = "https://charge.example.com/" + "/".join(f"{number:04}" for number in range(40))


def test_nfcpy_reads_what_libfreefare_wrote(tmp_path: Path) -> None:
    card = new_card("desfire-ev1", UID)
    message = tmp_path / "in.ndef"
    message.write_bytes(b"".join(ndef.message_encoder([ndef.UriRecord(LINK)])))
    with VirtualPn532() as module:
        module.insert(card)
        environment = os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{module.path}"}
        for command in (["create-ndef", "-y"], ["write-ndef", "-y", "-i", str(message)]):
            name = f"mifare-desfire-{command[0]}"
            subprocess.run([name, *command[1:]], env=environment, check=True, timeout=60, capture_output=True)

    with VirtualUdpReader(0) as air:
        air.insert(card)
        clf = nfc.ContactlessFrontend()
        clf.device = udp_device(air.port)
        tag = nfc.tag.activate(clf, clf.sense(nfc.clf.RemoteTarget("106A"), iterations=20, interval=0.05))
        links = [record.uri for record in tag.ndef.records]
        clf.close()

    assert links == [LINK]
