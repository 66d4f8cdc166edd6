"""NFC readers that PC/SC does not drive, by nfcpy: USB readers, a PN532 on a serial line, its UDP link.

nfcpy selects cards and passes frames, and that is all it is used for: it takes a MIFARE Classic for an
Ultralight, trips over a short ATS and does not know Crypto1. Its devices are sensed for ISO 14443-A, and for
type B and FeliCa to name them.
"""

from __future__ import annotations

import errno
import logging
import os
import termios
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

from rfid_station.chip.exchange import CardLink
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import CardLost, NoReader, ReaderBusy, WrongCall
from rfid_station.reader.nfc_link import NfcLink, RadioGone, Selection
from rfid_station.reader.signal import signal_acr122u

try:
    import nfc
    import nfc.clf
    import nfc.clf.pn53x
    import nfc.clf.transport
except (ImportError, OSError):
    # OSError: usb1 is there and the library behind it, libusb, is not.
    nfc = None
    _GONE: tuple[type[Exception], ...] = (OSError,)
else:
    # What nfcpy lets through when a device goes away, from pyserial (through termios) and from libusb.
    _GONE = (OSError, termios.error, nfc.clf.transport.libusb.USBError)

SCHEME = "nfc"
FORMS = "nfc:usb, nfc:usb:BUS:DEVICE, nfc:tty:USB0:pn532 or nfc:udp:HOST:PORT"
INSTALL = "sudo apt-get install --yes libusb-1.0-0 && pip install 'rfid-station[nfc]'"

_FIELD_OFF_S = 0.01
"""ISO/IEC 14443-3 wants 5 ms without field to reset a card."""
_LOOK_EVERY_S = 0.1
_LONGEST_PAUSE_S = 1.0

_CHECKS_CRC = 0x80
_CHIP_WAIT_S = 0.5
_RANDOM_ID = 0x08


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast things go on a kind of device."""

    frame_wait_s: float
    """How long a card may take to answer: writing takes 10 ms at most. Only silence costs that much."""
    misses: int
    """How often nothing must answer until a card has gone: one at the edge of the field misses a call."""


_BY_RADIO = _Pace(frame_wait_s=0.03, misses=2)
_BY_UDP = _Pace(frame_wait_s=0.5, misses=1)
"""nfcpy waits a second for a card that is not there."""


class _Target(Protocol):
    """What nfcpy says of a card that answered."""

    sens_res: bytes
    sel_res: bytes
    sdd_res: bytes
    rid_res: bytes
    sensb_res: bytes
    sensf_res: bytes


class _Chipset(Protocol):
    """The chip of a PN53x device, which nfcpy has no public way to."""

    def read_register(self, name: str) -> int: ...
    def write_register(self, name: str, value: int) -> None: ...
    def in_data_exchange(self, data: bytearray, timeout: float) -> tuple[bytearray, bool]: ...


class _Frontend(Protocol):
    """The ContactlessFrontend of nfcpy, as far as it is used here."""

    device: object
    max_send_data_size: int
    max_recv_data_size: int

    def sense(self, *targets: object) -> _Target | None: ...
    def exchange(self, data: bytearray, timeout: float) -> bytearray | None: ...
    def close(self) -> None: ...


class NfcpyRadio:
    """One device of nfcpy, opened.

    :raises NoReader: by the constructor, if it cannot be opened
    """

    def __init__(self, path: str) -> None:
        self._clf: _Frontend = _open_frontend(path)
        # Whatever else nfcpy stumbles over when an answer is damaged is no answer.
        self._damage = (nfc.clf.Error, nfc.clf.pn53x.Chipset.Error, IndexError, TypeError, ValueError)

    @property
    def frame_room(self) -> tuple[int, int]:
        """The longest frames it can send and receive, in bytes without CRC."""
        return int(self._clf.max_send_data_size), int(self._clf.max_recv_data_size)

    @property
    def has_crypto1(self) -> bool:
        """Whether there is a chip of the PN53x family, whose firmware speaks Crypto1."""
        return self._chipset is not None

    @property
    def _chipset(self) -> _Chipset | None:
        chipset = getattr(self._clf.device, "chipset", None)
        return chipset if isinstance(chipset, nfc.clf.pn53x.Chipset) else None

    def select(self) -> Selection | None:
        """Switch the field off and on, and select the card of ISO 14443-A that answers."""
        self.switch_off()
        time.sleep(_FIELD_OFF_S)
        return self.sense("106A")

    def sense(self, technology: str) -> Selection | None:
        """Look for a card of one technology: 106A, 106B or 212F. The field is off before, and on after."""
        try:
            target = self._clf.sense(nfc.clf.RemoteTarget(technology))
            if target is not None and _is_classic(target):
                self._let_chip_check_crc()
        except self._damage:
            return None
        except _GONE as error:
            raise RadioGone(_reason(error)) from None
        return None if target is None else _selection(target)

    def exchange(self, frame: bytes, wait_s: float) -> bytes:
        """A frame without CRC, and how long to wait; the answer, or empty for silence and damage."""
        try:
            return bytes(self._clf.exchange(bytearray(frame), wait_s) or b"")
        except self._damage:
            return b""
        except _GONE as error:
            raise RadioGone(_reason(error)) from None

    def classic(self, command: bytes) -> bytes | None:
        """A command for the chip with Crypto1; None if it failed."""
        chipset = self._chipset
        if chipset is None:
            return None
        try:
            answer, _ = chipset.in_data_exchange(bytearray(command), _CHIP_WAIT_S)
        except self._damage:
            return None
        except _GONE as error:
            if _number(error) == errno.ETIMEDOUT:
                return None
            raise RadioGone(_reason(error)) from None
        return bytes(answer)

    def switch_off(self) -> None:
        """Take the field away."""
        try:
            self._clf.sense()
        except _GONE as error:
            raise RadioGone(_reason(error)) from None

    def signal(self, *, ok: bool) -> None:
        """Light and tone of an ACR122U; no other device of nfcpy has them. Never raises."""
        tell = getattr(self._chipset, "ccid_xfr_block", None)
        if tell is None:
            return

        def ask(apdu: bytes) -> bytes:
            try:
                return bytes(tell(bytearray(apdu), 1.0))
            except _GONE:
                return b""

        signal_acr122u(ask, ok=ok)

    def close(self) -> None:
        """Give the device back."""
        try:
            self._clf.close()
        except (*self._damage, *_GONE):
            # It was pulled out, or does not answer: then there is nothing to give back.
            return

    def _let_chip_check_crc(self) -> None:
        """For a card that might be a Type 2 tag nfcpy switches the chip's CRC off, which Crypto1 needs."""
        chipset = self._chipset
        if chipset is not None:
            mode = chipset.read_register("CIU_RxMode")
            chipset.write_register("CIU_RxMode", mode | _CHECKS_CRC)


class NfcReader:
    """One device of nfcpy, by the string that names it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pace = _BY_UDP if path.startswith("udp") else _BY_RADIO
        self._foreign = cycle(("106B", "212F"))
        self._radio: NfcpyRadio | None = NfcpyRadio(path)
        self._link: NfcLink | None = None
        self._lying: bytes | None = None
        """UID of the card that was handed out and has not left since."""
        self._misses = 0
        self._pause_s = 0.0
        self._absence: NoReader | None = None

    @property
    def uri(self) -> str:
        """The string it was opened with."""
        return f"{SCHEME}:{self._path}"

    @property
    def absence(self) -> NoReader | None:
        """Why no card can come, as of the last look; None while the reader is there."""
        return self._absence

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield each card that comes, once, until `stop()` is true.

        A card that was lost in the middle comes again as soon as it answers. A link lives until the
        next one is asked for or the reader is closed.
        """
        self._give_back()
        while not stop():
            selection = self._look(stop)
            if selection is not None and not self._is_lying(selection):
                self._link = self._take(selection)
                if self._link is not None:
                    yield self._link
                    self._give_back()
            _sleep(_LOOK_EVERY_S, stop)

    def signal(self, *, ok: bool) -> None:
        """Light and tone, if the device has them. Never raises."""
        if self._radio is not None:
            self._radio.signal(ok=ok)

    def close(self) -> None:
        """Let go of card and device."""
        self._give_back()
        radio, self._radio = self._radio, None
        if radio is not None:
            radio.close()

    def _look(self, stop: Callable[[], bool]) -> Selection | None:
        """The card that answers now; None without one, or while the device is away: then nothing is known."""
        radio = self._radio or self._open_again(stop)
        if radio is None:
            return None
        try:
            selection = self._sense(radio, stop)
        except RadioGone:
            self._drop()
            return None
        self._misses = 0 if selection is not None else self._misses + 1
        if self._misses >= self._pace.misses:
            self._lying = None
        return selection

    def _sense(self, radio: NfcpyRadio, stop: Callable[[], bool]) -> Selection | None:
        for technology in ("106A", next(self._foreign)):
            selection = None if stop() else radio.sense(technology)
            if selection is not None:
                return selection
        return None

    def _open_again(self, stop: Callable[[], bool]) -> NfcpyRadio | None:
        """Give a device that is away more time from try to try."""
        self._pause_s = min(self._pause_s + 0.1, _LONGEST_PAUSE_S)
        _sleep(self._pause_s, stop)
        try:
            self._radio = NfcpyRadio(self._path)
        except NoReader as error:
            self._absence = error
            return None
        self._absence = None
        self._pause_s = 0.0
        return self._radio

    def _drop(self) -> None:
        radio, self._radio = self._radio, None
        if radio is not None:
            radio.close()

    def _is_lying(self, selection: Selection) -> bool:
        """Whether this is the card that was handed out last. One with random UIDs has a new one each time."""
        if self._lying is None:
            return False
        return selection.uid == self._lying or (_is_random(selection.uid) and _is_random(self._lying))

    def _take(self, selection: Selection) -> NfcLink | None:
        if self._radio is None:
            return None
        try:
            link = NfcLink(self._radio, selection, self._path, self._pace.frame_wait_s)
        except CardLost:
            return None
        self._lying = selection.uid
        return link

    def _give_back(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if link.is_lost:
            self._lying = None
        link.release()
        try:
            if self._radio is not None:
                self._radio.switch_off()
        except RadioGone:
            self._drop()


def open_nfc(device: str) -> NfcReader:
    """Open a device by nfcpy's own string: `usb`, `usb:001:004`, `tty:USB0:pn532`, `udp:HOST:PORT`.

    :raises NoReader: there is no such device, it may not be used, or nfcpy is not installed
    :raises ReaderBusy: another program, or the kernel, holds it
    :raises WrongCall: the string has another form
    """
    path = device.strip()
    if path.partition(":")[0] not in ("usb", "tty", "udp", "com"):
        raise WrongCall(f"{SCHEME}:{device} names no NFC reader", hint=f"write {FORMS}")
    if nfc is None:
        raise NoReader("NFC readers need nfcpy, which is not installed", hint=INSTALL)
    return NfcReader(path)


def _open_frontend(path: str) -> _Frontend:
    """Open a device with nfcpy.

    :raises NoReader: it is not there, or cannot be used
    """
    # nfcpy logs what it also raises; without a handler Python would print that.
    logging.getLogger("nfc").addHandler(logging.NullHandler())
    frontend = nfc.ContactlessFrontend()
    try:
        with warnings.catch_warnings():
            # It leaves the serial line that it looks at to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            is_open = frontend.open(path)
    except _GONE as error:
        raise _unusable(path, error) from None
    except ImportError:
        raise WrongCall(f"nfcpy has no driver for {SCHEME}:{path}", hint=f"write {FORMS}") from None
    except (nfc.clf.pn53x.Chipset.Error, IndexError, AssertionError, TypeError, AttributeError):
        raise NoReader(f"what answers on {SCHEME}:{path} is no NFC reader", hint=f"write {FORMS}") from None
    if not is_open:
        raise NoReader(
            f"no NFC reader can be opened as {SCHEME}:{path}",
            hint="rfid-station doctor, which says what is plugged in and why it cannot be used",
        )
    opened: _Frontend = frontend
    return opened


def _unusable(path: str, error: Exception) -> NoReader:
    if _number(error) == errno.EBUSY:
        return ReaderBusy(
            f"another program holds {SCHEME}:{path}",
            hint="rfid-station doctor, which names it; for pcscd: sudo systemctl stop pcscd.socket pcscd",
        )
    if _number(error) in (errno.EACCES, errno.EPERM):
        return NoReader(
            f"this user may not open {SCHEME}:{path}",
            hint="for a serial line: sudo usermod -aG dialout $USER; for USB a rule in /etc/udev/rules.d",
        )
    return NoReader(f"{SCHEME}:{path} cannot be opened: {_reason(error)}", hint="rfid-station reader list")


def _selection(target: _Target) -> Selection | None:
    """What nfcpy sensed, in our words; None if it makes no sense."""
    if target.sensb_res:
        return Selection(bytes(target.sensb_res[1:5]), Sighting(Standard.TYPE_B))
    if target.sensf_res:
        return Selection(bytes(target.sensf_res[1:9]), Sighting(Standard.FELICA))
    atqa = bytes(target.sens_res[::-1])
    if target.rid_res:
        return Selection(bytes(target.rid_res[2:6]), Sighting(Standard.TYPE_A, atqa=atqa))
    if not target.sel_res or not target.sdd_res:
        return None
    return Selection(bytes(target.sdd_res), Sighting(Standard.TYPE_A, sak=target.sel_res[0], atqa=atqa))


def _is_classic(target: _Target) -> bool:
    """Whether the SAK has bit 4, as every card has that speaks Crypto1 (AN10833), and no ISO 14443-4."""
    return bool(target.sel_res) and target.sel_res[0] & 0x28 == 0x08


def _is_random(uid: bytes) -> bool:
    return len(uid) == 4 and uid[0] == _RANDOM_ID


def _number(error: Exception) -> int | None:
    return error.args[0] if isinstance(error, OSError | termios.error) and len(error.args) > 1 else None


def _reason(error: Exception) -> str:
    """In the system's words, where it has some; what libusb says comes by itself."""
    number = _number(error)
    return (os.strerror(number) if number else str(error) or "no reason is told").lower()


def _sleep(seconds: float, stop: Callable[[], bool]) -> None:
    """Sleep in short pieces, so that `stop()` is asked often enough."""
    ends = time.monotonic() + seconds
    while not stop() and (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
