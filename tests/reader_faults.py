"""What can happen to a reader at a given exchange: its service is killed, or it is pulled out.

vpcd has no way to be pulled out. So a driver stands before it that answers pcscd like one whose USB reader
is gone, while a file is there. pcscd keeps the reader's name then, as nothing tells it of USB here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.field import CardGone, Field
from rfid_station.simulator.readers.pcscd import PrivatePcscd

GONE, SLOWLY_GONE = "IFD_COMMUNICATION_ERROR", "IFD_NO_SUCH_DEVICE"
"""What the driver says then. At the second pcscd looks for other readers, and sleeps a second each time."""

_DRIVER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
#include <ifdhandler.h>
#define OF_VPCD(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int is_out(void) { return access(PULLED_OUT, F_OK) == 0; }

RESPONSECODE IFDHICCPresence(DWORD lun) {
    return is_out() ? GONE : OF_VPCD(IFDHICCPresence)(lun);
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD size) {
    return is_out() ? GONE : OF_VPCD(IFDHPowerICC)(lun, action, atr, size);
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER as, PUCHAR command, DWORD size,
                               PUCHAR answer, PDWORD room, PSCARD_IO_HEADER back) {
    RESPONSECODE result = GONE;
    if (!is_out()) result = OF_VPCD(IFDHTransmitToICC)(lun, as, command, size, answer, room, back);
    if (!is_out()) return result;
    *room = 0;
    return GONE;
}
"""


class ReaderFault(Protocol):
    """Something that happens to a reader, whatever is going on, and that is mended later."""

    said: str
    """What the desk says of it while it waits for cards: a regular expression."""
    hands_out_again: bool
    """Whether a card that lies there all the while is handed out once more, as one that may be another."""

    def strike(self) -> None:
        """Let it happen; it has happened when this returns."""

    def mend(self) -> None:
        """Let the reader come back."""


@dataclass
class ServiceRestarted:
    """pcscd is killed, and started anew in the same place."""

    pcscd: PrivatePcscd
    said = r"the PC/SC service pcscd does not answer"
    hands_out_again = False

    def strike(self) -> None:
        self.pcscd.kill()

    def mend(self) -> None:
        self.pcscd.start()


@dataclass
class ReaderUnplugged:
    """The reader is pulled out of its socket, and plugged in again."""

    pcscd: PrivatePcscd
    mark: Path
    said = r"reader Virtual PICC 00 00 is not plugged in"
    hands_out_again = True

    def strike(self) -> None:
        self.mark.touch()

    def mend(self) -> None:
        self.mark.unlink(missing_ok=True)


class StruckField(Field):
    """A card on a reader to which something happens at the K-th exchange with this card, counted from 1."""

    def __init__(self, card: VirtualCard, at: int, strike: Callable[[], None], *, reaches: bool) -> None:
        super().__init__(card)
        self._at, self._strike, self._reaches = at, strike, reaches

    def exchange(self, frame: bytes) -> bytes:
        """Send a frame; at the K-th only if it `reaches` the card, and its answer reaches nobody."""
        if self.exchanges + 1 != self._at:
            return super().exchange(frame)
        if self._reaches:
            super().exchange(frame)
        self._at = 0
        self._strike()
        raise CardGone


def build_driver(folder: Path, mark: Path, gone: str) -> None:
    """Put the driver that can be pulled out where a `PrivatePcscd` of this folder looks for vpcd's."""
    vpcd, source = folder / "libifdvpcd.so", folder / "pulled_out.c"
    shutil.move(vpcd, folder / "libifdvpcd.so.0")
    source.write_text(_DRIVER)
    link = ["-Wl,--no-as-needed", f"-L{folder}", "-l:libifdvpcd.so.0", f"-Wl,-rpath,{folder}", "-ldl"]
    meant = [f'-DPULLED_OUT="{mark}"', f"-DGONE={gone}", "-I/usr/include/PCSC"]
    subprocess.run(["gcc", "-shared", "-fPIC", *meant, "-o", vpcd, source, *link], check=True)


@contextmanager
def a_reader_that_can_be_pulled_out(pcscd: PrivatePcscd, folder: Path, gone: str) -> Iterator[Path]:
    """Give this pcscd, whose folder this is, that driver; the file that pulls the reader out."""
    mark = folder / "pulled-out"
    pcscd.stop()
    build_driver(folder, mark, gone)
    try:
        pcscd.start()
        yield mark
    finally:
        mark.unlink(missing_ok=True)
        pcscd.stop()
        shutil.move(folder / "libifdvpcd.so.0", folder / "libifdvpcd.so")
        pcscd.start()
