"""nfcpy's UDP link as it would be by air."""

from __future__ import annotations

import select
from typing import Any

import nfc.clf.udp


def udp_device(port: int) -> Any:
    """A device of nfcpy on a virtual reader. Answers that came after nfcpy gave up are heard by nobody.

    On a busy machine they would else be taken for answers to the next frame.
    """
    device = nfc.clf.udp.init("localhost", port)
    plain = device._send_data

    def send(bit_rate: str, frame: bytes, address: tuple[str, int]) -> None:
        while select.select([device.socket], [], [], 0)[0]:
            device.socket.recvfrom(1024)
        plain(bit_rate, frame, address)

    device._send_data = send
    return device
