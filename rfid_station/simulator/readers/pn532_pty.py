"""A PN532 on a pseudo-terminal: what a serial NFC module is to nfcpy and libnfc.

libnfc takes any path (`LIBNFC_DEVICE=pn532_uart:PATH`). nfcpy takes names directly in /dev only, of letters,
digits and hyphens: `link` makes such a name.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rfid_station.errors import WrongCall
from rfid_station.simulator.readers.antenna import Antenna, CardPlace
from rfid_station.simulator.readers.pn532 import Pn532
from rfid_station.simulator.readers.pn532_line import Pn532Line

_NFCPY_NAME = re.compile("[a-zA-Z0-9-]+")
_TICK_S = 0.1
_CHUNK = 4096


class VirtualPn532(CardPlace):
    """Lay cards on it and take them away, in a `with`. Only what the host sends counts towards a `mishap`.

    :raises WrongCall: `link` cannot be made
    """

    def __init__(self, link: Path | None = None, *, on_released: Callable[[], None] | None = None) -> None:
        self._antenna = Antenna(on_released)
        self._line = Pn532Line(Pn532(self._antenna))
        self._link = link
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.terminal = os.ttyname(self._slave)
        """The pseudo-terminal itself, as `/dev/pts/3`."""
        self._bell, self._clapper = os.pipe()
        self._thread = threading.Thread(target=self._run, name="virtual PN532", daemon=True)

    @property
    def path(self) -> str:
        """Where a program finds it."""
        return str(self._link or self.terminal)

    @property
    def nfcpy_name(self) -> str | None:
        """What nfcpy calls it: the name in /dev; None if it has none that nfcpy takes."""
        path = Path(self.path)
        is_name = path.parent == Path("/dev") and _NFCPY_NAME.fullmatch(path.name)
        return path.name if is_name else None

    def __enter__(self) -> Self:
        if self._link is not None:
            self._make_link(self._link)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._clapper, b"\x00")
        self._thread.join()
        self.remove()
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()
        self._close()

    def _make_link(self, link: Path) -> None:
        """Put the name there. One that an earlier run left behind leads nowhere, and is replaced."""
        try:
            if link.is_symlink() and not link.exists():
                link.unlink()
            link.symlink_to(self.terminal)
        except OSError as error:
            self._close()
            raise WrongCall(
                f"--link {link} cannot be made: {error.strerror}",
                hint="name one that does not exist yet, where you may write",
            ) from error

    def _close(self) -> None:
        for descriptor in (self._master, self._slave, self._bell, self._clapper):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._bell], [], [], _TICK_S)
            if self._bell in ready:
                return
            if self._master in ready:
                self._send(self._line.feed(os.read(self._master, _CHUNK)))
            else:
                self._send(self._line.look_again())
            self._antenna.tick()

    def _send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]
