"""A virtual contactless PC/SC reader: the card's side of the vpcd driver (vsmartcard-vpcd), over loopback.

    rfid-station simulate pcsc --port 35963 --deck cards.json

While a card lies on the reader there is a connection to vpcd, without one there is none. Every
message is two bytes of length (big endian) and a body; a body of one byte is a control byte.
`rfid_station.simulator.readers.pcscd` starts a pcscd of its own for tests.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.field import CardGone, Field, Mishap
from rfid_station.simulator.readers.contactless_reader import ContactlessReader
from rfid_station.simulator.readers.reader_models import DEFAULT_MODEL, MODELS, ReaderModel

DEFAULT_PORT = 35963
_HOST = "127.0.0.1"

_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = b"\x00", b"\x01", b"\x02", b"\x04"

_RETRY_S = 0.05
_SWAP_S = 0.45
"""Nobody swaps cards faster, and pcscd, which looks every 0.4 s, would not see it."""
_RELEASED_AFTER_S = 0.3
"""How long a card that was worked with must be without power to count as finished: a field
restart gives power back at once."""


class VirtualPcscReader:
    """Lay cards on it and take them away. Survives a restart of pcscd: then the card is there again.

    `on_released` is called, from a thread of its own, when a program that had exchanges with
    the card has given it back (pcscd switched it off).
    """

    def __init__(
        self,
        port: int = DEFAULT_PORT,
        *,
        model: ReaderModel = DEFAULT_MODEL,
        transparent: bool = True,
        on_released: Callable[[], None] | None = None,
    ) -> None:
        self.port = port
        self.model = model if transparent else MODELS["plain"]
        """Which reader it behaves as. Holds for the cards that come."""
        self._firmware = ContactlessReader(self.model)
        self._on_released = on_released
        self._place: _Place | None = None
        # Another one may have held a card here until now.
        self._empty_since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def transparent(self) -> bool:
        """Whether the reader passes frames on in a session. Without that it is one of the model `plain`."""
        return self.model.is_transparent

    @transparent.setter
    def transparent(self, wanted: bool) -> None:
        self.model = DEFAULT_MODEL if wanted else MODELS["plain"]

    @property
    def signals(self) -> list[bytes]:
        """Every LED and buzzer command so far, as the ACR122U has them."""
        return self._firmware.signals

    @property
    def overwritten_keys(self) -> list[bytes]:
        """What was written over a key of the reader by those who took it for an ACR122U."""
        return self._firmware.overwritten_keys

    @property
    def field(self) -> Field | None:
        """The card on the reader, with its counters; None without one."""
        return self._place.field if self._place else None

    def insert(
        self,
        card: VirtualCard,
        *,
        mishap: Mishap | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> Field:
        """Lay a card on the reader, in place of one that may lie there. pcscd sees it within a second.

        Only frames count towards a `mishap`, since pcscd powers cards as it likes.
        """
        return self.lay(Field(card, mishap=mishap, changed=changed))

    def lay(self, field: Field) -> Field:
        """Lay a card on the reader, with all that happens to it there."""
        self.remove()
        self._firmware.model = self.model
        self._firmware.place(field)
        comes_at = self._empty_since + _SWAP_S
        self._place = _Place(self.port, field, self._firmware, comes_at, self._on_released)
        return field

    def remove(self) -> None:
        """Take the card away, whatever is going on."""
        place, self._place = self._place, None
        if place is not None:
            place.end()
            self._empty_since = time.monotonic()


class _Place:
    """One card while it lies on the reader: a thread that answers vpcd."""

    def __init__(
        self,
        port: int,
        field: Field,
        firmware: ContactlessReader,
        comes_at: float,
        on_released: Callable[[], None] | None,
    ) -> None:
        self.field = field
        self._comes_at = comes_at
        self._port = port
        self._firmware = firmware
        self._on_released = on_released
        self._released_at: float | None = None
        self._ended = threading.Event()
        self._bell, self._clapper = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="virtual card", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave the reader."""
        self._ended.set()
        self._clapper.send(b"\x00")
        self._thread.join()
        self._bell.close()
        self._clapper.close()
        self.field.take_away()

    def _run(self) -> None:
        self._ended.wait(max(0.0, self._comes_at - time.monotonic()))
        while not self._ended.is_set() and not self.field.is_empty:
            line = self._connect()
            if line is not None:
                with line:
                    self._serve(line)

    def _connect(self) -> socket.socket | None:
        try:
            line = socket.create_connection((_HOST, self._port), timeout=1)
        except OSError:
            self._ended.wait(_RETRY_S)
            return None
        line.settimeout(None)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def _serve(self, line: socket.socket) -> None:
        """Answer until the card leaves or vpcd hangs up."""
        try:
            while (message := self._next_message(line)) is not None:
                answer = self._answer(message)
                if answer is not None:
                    line.sendall(len(answer).to_bytes(2) + answer)
                if self.field.is_empty:
                    # A PN532 inside tells of a timeout first; then the reader sees that the card has gone.
                    return
        except (CardGone, OSError, EOFError):
            self._firmware.power_off()

    def _next_message(self, line: socket.socket) -> bytes | None:
        """Wait for vpcd; None when the card's stay has ended."""
        while True:
            left = None if self._released_at is None else max(0.0, self._released_at - time.monotonic())
            ready, _, _ = select.select([line, self._bell], [], [], left)
            if self._bell in ready:
                return None
            if line in ready:
                return _receive(line)
            self._released_at = None
            if self._on_released is not None:
                threading.Thread(target=self._on_released, daemon=True).start()

    def _answer(self, message: bytes) -> bytes | None:
        """The answer to a message; None if there is none to give."""
        if message == _GET_ATR:
            return self._firmware.atr()
        self._released_at = None
        if message == _POWER_OFF:
            self._firmware.power_off()
            if self.field.exchanges > 0:
                self._released_at = time.monotonic() + _RELEASED_AFTER_S
        elif message == _POWER_ON:
            self._firmware.power_on()
        elif message == _RESET:
            self._firmware.power_off()
            self._firmware.power_on()
        else:
            return self._firmware.transmit(message)
        return None


def _receive(line: socket.socket) -> bytes:
    size = int.from_bytes(_receive_exactly(line, 2))
    return _receive_exactly(line, size)


def _receive_exactly(line: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = line.recv(size - len(received))
        # Linux forgets this option; without it each exchange waits 40 ms for a delayed acknowledgement.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not part:
            raise EOFError
        received += part
    return received
