"""Which readers there are, and how the string that names one becomes a reader.

Drivers are imported when they are needed: nothing here pulls in PC/SC or nfcpy.
"""

from __future__ import annotations

from collections.abc import Callable

from rfid_station.errors import NoReader, WrongCall
from rfid_station.reader.machine import Machine
from rfid_station.reader.nfc_usb import nfc_readers
from rfid_station.reader.port import Reader, ReaderInfo

FORMS = (
    "pcsc:NAME (any part of the reader's name that no other has), pcsc: (the only one), nfc:usb, "
    "nfc:tty:USB0:pn532, nfc:udp:HOST:PORT, replay:FILE, sim:ntag213"
)


def open_reader(uri: str) -> Reader:
    """Open the reader that a URI names: `pcsc:NAME`, `nfc:DEVICE`, `replay:FILE` or `sim:CHIP?options`.

    :raises WrongCall: the URI has another form, or names several readers
    :raises NoReader: there is no such reader, or nothing that could drive it
    """
    scheme, colon, name = uri.strip().partition(":")
    opener = _OPENERS.get(scheme) if colon else None
    if opener is None:
        raise WrongCall(
            f"{uri!r} names no reader", hint=f"write {FORMS}; `rfid-station reader list` shows what is there"
        )
    return opener(name)


def list_readers(machine: Machine | None = None) -> list[ReaderInfo]:
    """List the readers of PC/SC, and those that nfcpy could drive. Opens none of them, and never raises.

    When PC/SC itself cannot be used, one entry `pcsc:` says so and how to cure it in its `trouble`.
    """
    return [*_pcsc_readers(), *nfc_readers(machine or Machine())]


def _pcsc_readers() -> list[ReaderInfo]:
    from rfid_station.reader.pcsc import pcsc_readers

    try:
        return pcsc_readers()
    except NoReader as error:
        trouble = f"{error.message}; {error.hint}" if error.hint else error.message
        return [ReaderInfo("pcsc:", "PC/SC", trouble)]


def _open_pcsc(name: str) -> Reader:
    from rfid_station.reader.pcsc import open_pcsc

    return open_pcsc(name)


def _open_nfc(name: str) -> Reader:
    from rfid_station.reader.nfc import open_nfc

    return open_nfc(name)


def _open_replay(name: str) -> Reader:
    from rfid_station.reader.replay import open_replay

    return open_replay(name)


def _open_sim(name: str) -> Reader:
    from rfid_station.reader.sim import open_sim

    return open_sim(f"sim:{name}")


_OPENERS: dict[str, Callable[[str], Reader]] = {
    "pcsc": _open_pcsc,
    "nfc": _open_nfc,
    "replay": _open_replay,
    "sim": _open_sim,
}
