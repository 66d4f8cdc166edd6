"""The far end of nfcpy's UDP link (`nfc/clf/udp.py`): datagrams of ASCII, as `106A 26`, and a virtual card.

A datagram holds bit rate with type of modulation, a blank, and a frame in hexadecimal, without CRC. `RFOFF`
means that the host has switched its field off. nfcpy does anticollision and the block protocol of ISO 14443-4
itself here. Crypto1 cannot be spoken over this link.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rfid_station.errors import WrongCall
from rfid_station.simulator.field import CardGone
from rfid_station.simulator.readers.air import Air
from rfid_station.simulator.readers.antenna import Antenna, CardPlace

DEFAULT_PORT = 54321
_HOST = "127.0.0.1"
_FIELD_OFF = b"RFOFF"
_REQUESTS = {"A": (b"\x26", b"\x52"), "B": (b"\x05",), "F": (b"\x06\x00",)}
_RATES = {"106A", "212A", "424A", "106B", "212B", "424B", "212F", "424F"}
_LARGEST = 1024
_TICK_S = 0.1


class UdpCard:
    """What answers datagrams: the antenna of a reader that is nothing but air."""

    def __init__(self, antenna: Antenna) -> None:
        self._antenna = antenna
        self._air: Air | None = None

    def answer(self, datagram: bytes) -> bytes:
        """Answer a datagram; empty when nothing is sent back."""
        with self._antenna.lock:
            if datagram.startswith(_FIELD_OFF):
                self._switch_off()
                return b""
            parsed = parse_datagram(datagram)
            if parsed is None:
                return b""
            rate, frame = parsed
            try:
                reply = self._exchange(rate, frame)
            except CardGone:
                return b""
        return f"{rate} {reply.hex()}".encode("ascii") if reply else b""

    def _exchange(self, rate: str, frame: bytes) -> bytes:
        if frame.startswith(_REQUESTS[rate[-1]]):
            self._antenna.note_poll()
        field = self._antenna.field
        if field is None or field.card.standard != rate[-1]:
            return b""
        if self._air is None or self._air.field is not field:
            self._air = Air(field)
        return self._air.frame(frame)

    def _switch_off(self) -> None:
        if self._antenna.field is not None:
            self._antenna.field.switch_off()
        self._air = None
        self._antenna.note_switched_off()


def parse_datagram(datagram: bytes) -> tuple[str, bytes] | None:
    """Bit rate and frame; None if the datagram has another form, or no frame in it."""
    try:
        rate, frame = datagram.decode("ascii").split()
        content = bytes.fromhex(frame)
    except ValueError:
        return None
    return (rate, content) if rate in _RATES and content else None


class VirtualUdpReader(CardPlace):
    """Lay cards on it and take them away, in a `with`. Listens on loopback; port 0 takes a free one.

    :raises WrongCall: the port is taken
    """

    def __init__(self, port: int = DEFAULT_PORT, *, on_released: Callable[[], None] | None = None) -> None:
        self._antenna = Antenna(on_released)
        self._card = UdpCard(self._antenna)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((_HOST, port))
        except OSError as error:
            self._socket.close()
            raise WrongCall(
                f"port {port} cannot be used: {error.strerror}", hint="name another with --port, or --port 0"
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self._bell, self._clapper = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="virtual UDP reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clapper.send(b"\x00")
        self._thread.join()
        self.remove()
        for end in (self._socket, self._bell, self._clapper):
            end.close()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket, self._bell], [], [], _TICK_S)
            if self._bell in ready:
                return
            if self._socket in ready:
                self._serve_one()
            self._antenna.tick()

    def _serve_one(self) -> None:
        datagram, host = self._socket.recvfrom(_LARGEST)
        reply = self._card.answer(datagram)
        if reply:
            self._socket.sendto(reply, host)
