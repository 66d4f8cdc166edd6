"""Which readers there are, and how the string that names one becomes a reader.

Drivers are imported when they are needed: nothing here pulls in PC/SC.
"""

from __future__ import annotations

from rfid_station.errors import NoReader, WrongCall
from rfid_station.reader.port import Reader, ReaderInfo

FORMS = "pcsc:NAME (any part of the reader's name that no other has), pcsc: (the only one), sim:ntag213"


def open_reader(uri: str) -> Reader:
    """Open the reader that a URI names: `pcsc:NAME`, `pcsc:` or `sim:CHIP?options`.

    :raises WrongCall: the URI has another form, or names several readers
    :raises NoReader: there is no such reader, or nothing that could drive it
    """
    scheme, colon, name = uri.strip().partition(":")
    if colon and scheme == "pcsc":
        from rfid_station.reader.pcsc import open_pcsc

        return open_pcsc(name)
    if colon and scheme == "sim":
        from rfid_station.reader.sim import open_sim

        return open_sim(uri.strip())
    raise WrongCall(
        f"{uri!r} names no reader", hint=f"write {FORMS}; `rfid-station reader list` shows what is there"
    )


def list_readers() -> list[ReaderInfo]:
    """List the PC/SC readers. Never raises.

    When PC/SC itself cannot be used, one entry `pcsc:` says so and how to cure it in its `trouble`.
    """
    from rfid_station.reader.pcsc import pcsc_readers

    try:
        return pcsc_readers()
    except NoReader as error:
        trouble = f"{error.message}; {error.hint}" if error.hint else error.message
        return [ReaderInfo("pcsc:", "PC/SC", trouble)]
