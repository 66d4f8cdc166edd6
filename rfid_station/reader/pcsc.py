"""Readers of PC/SC, by pyscard's thin layer `smartcard.scard`.

The loop is our own, since pyscard's monitor does not survive a restart of pcscd. Cards are
connected exclusively: another program's exchange between two of ours would go unnoticed. What
tells one card from the next is pcscd's count of comings and goings, never the ATR.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rfid_station.chip.exchange import CardLink
from rfid_station.errors import CardLost, NoReader, ReaderBusy, WrongCall
from rfid_station.reader.pcsc_link import ConnectionBroken, PcscLink, ReaderHabits
from rfid_station.reader.port import ReaderInfo
from rfid_station.reader.signal import ESCAPE_FIRMWARE, answers_escape, signal_acr122u, signal_by_escape

try:
    from smartcard import scard
except ImportError:
    scard = None

SCHEME = "pcsc"

_WAIT_S = 0.2
_LONGEST_PAUSE_S = 1.0
_BUSY_PATIENCE_S = 1.0
"""How long another program may hold a card that has just come, before that is an error. Agents
of mail and login programs look at every card for a moment."""

_MODULE_SLOT = re.compile(r"\b(P?SAM\d*|ICC|Contact)\b", re.IGNORECASE)
_CONTACTLESS = re.compile(r"\b(PICC|\w*CL|Contactless)\b", re.IGNORECASE)

_ESCAPE_FUNCTIONS = (1, 3500)
"""What SCARD_CTL_CODE is made of: libccid's number, and that of acsccid and of Windows."""


@dataclass(frozen=True, slots=True)
class _Presence:
    """What pcscd says of a reader: whether a card lies there, and how many comings and goings there were."""

    event_state: int

    @property
    def is_present(self) -> bool:
        return bool(self.event_state & scard.SCARD_STATE_PRESENT)

    @property
    def events(self) -> int:
        return self.event_state >> 16

    @property
    def has_reader(self) -> bool:
        """Whether the reader answers pcscd, which may know one by name that was pulled out."""
        return not self.event_state & (scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN)


class _Connection:
    """A card that is connected, exclusively, and how to speak to its reader."""

    def __init__(self, handle: int, protocol: int) -> None:
        self._handle = handle
        self._protocol = protocol

    @property
    def is_t0(self) -> bool:
        """Whether T=0 was agreed with the card, and not T=1."""
        return bool(self._protocol == scard.SCARD_PROTOCOL_T0)

    def atr(self) -> bytes:
        """What the reader made up about the card."""
        result, _, _, _, atr = scard.SCardStatus(self._handle)
        _check_connection(result)
        return bytes(atr)

    def transmit(self, apdu: bytes) -> bytes:
        """An APDU to the reader or the card, its whole answer back."""
        header = scard.SCARD_PCI_T0 if self.is_t0 else scard.SCARD_PCI_T1
        result, raw = scard.SCardTransmit(self._handle, header, list(apdu))
        _check_connection(result)
        return bytes(raw)

    def control(self, escape: bytes) -> bytes:
        """An escape command to the reader; empty if the driver or the reader does not take it."""
        return _control(self._handle, escape)

    def restart(self) -> None:
        """Take power from the card and connect to it anew."""
        result, protocol = scard.SCardReconnect(
            self._handle, scard.SCARD_SHARE_EXCLUSIVE, _protocols(), scard.SCARD_UNPOWER_CARD
        )
        _check_connection(result)
        self._protocol = protocol

    def end(self) -> None:
        """Let go of the card, without power."""
        scard.SCardDisconnect(self._handle, scard.SCARD_UNPOWER_CARD)


_Signaller = Callable[[PcscLink, _Connection, bool], None]


@dataclass(frozen=True, slots=True)
class _Handled:
    """The card that was handed out last, and when it had come."""

    epoch: int
    events: int
    uid: bytes


class PcscReader:
    """One reader of PC/SC, by its full name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._context: int | None = None
        self._epoch = 0
        """Counts connections to pcscd: its counts of events start anew with each daemon."""
        self._known = 0
        self._pause_s = 0.0
        self._absence: NoReader | None = None
        self._handled: _Handled | None = None
        self._link: PcscLink | None = None
        self._connection: _Connection | None = None
        self._habits = ReaderHabits()
        self._signaller: _Signaller | None = None

    @property
    def uri(self) -> str:
        """The string that opens exactly this reader."""
        return f"{SCHEME}:{self._name}"

    @property
    def absence(self) -> NoReader | None:
        """Why no card can come, as of the last look; None while the reader is there."""
        return self._absence

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield each card that comes, once, until `stop()` is true.

        A card that was lost in the middle comes again as soon as it answers, even if pcscd
        never saw it go. A link lives until the next one is asked for or the reader is closed.

        :raises ReaderBusy: another program holds a card that came
        :raises NoReader: this user may not use cards
        """
        self._give_back()
        while not stop():
            presence = self._watch(stop)
            if presence is None or not presence.is_present or self._was_handled(presence):
                continue
            self._link = self._take(stop)
            if self._link is not None:
                yield self._link
                self._give_back()

    def close(self) -> None:
        """Let go of card and reader."""
        self._give_back()
        self._disconnect()

    def signal(self, *, ok: bool) -> None:
        """Green and one beep, or red and two, if the reader has them. Never raises."""
        link, connection = self._link, self._connection
        if link is None or connection is None:
            return
        if self._signaller is None:
            if link.is_lost:
                return
            self._signaller = _signaller_of(link, connection)
        self._signaller(link, connection, ok)

    def _watch(self, stop: Callable[[], bool]) -> _Presence | None:
        """Wait for something to happen, a moment at most; None while pcscd or the reader is away."""
        if self._context is None and not self._connect():
            self._pause(stop)
            return None
        result, states = scard.SCardGetStatusChange(
            self._context, int(_WAIT_S * 1000), [(self._name, self._known)]
        )
        if result not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            self._absence = self._why_away(result)
            self._disconnect()
            self._pause(stop)
            return None
        self._pause_s = 0.0
        self._known = states[0][1] & ~scard.SCARD_STATE_CHANGED
        presence = _Presence(self._known)
        self._absence = None if presence.has_reader else _pulled_out(self._name)
        return presence

    def _why_away(self, result: int) -> NoReader:
        is_gone = result in (scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE)
        return _pulled_out(self._name) if is_gone else _trouble_of_service(result)

    def _connect(self) -> bool:
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if result != scard.SCARD_S_SUCCESS:
            self._absence = _trouble_of_service(result)
            return False
        self._context = context
        self._epoch += 1
        self._known = scard.SCARD_STATE_UNAWARE
        return True

    def _disconnect(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            scard.SCardReleaseContext(context)

    def _pause(self, stop: Callable[[], bool]) -> None:
        """Give a service that is away more time from try to try."""
        self._pause_s = min(self._pause_s + 0.1, _LONGEST_PAUSE_S)
        _sleep(self._pause_s, stop)

    def _was_handled(self, presence: _Presence) -> bool:
        """Whether the card that lies there is the one that was handed out last."""
        handled = self._handled
        return handled is not None and (handled.epoch, handled.events) == (self._epoch, presence.events)

    def _take(self, stop: Callable[[], bool]) -> PcscLink | None:
        """Connect to the card; None if it cannot be reached, or is the old one seen through a new pcscd."""
        connection = self._open_card(stop)
        if connection is None:
            return None
        try:
            link = PcscLink(connection, self._name, self._habits)
        except CardLost:
            connection.end()
            return None
        before, self._handled = self._handled, _Handled(self._epoch, self._events(), link.first_uid)
        if before is not None and before.epoch != self._epoch and before.uid == link.first_uid:
            link.release()
            return None
        self._connection = connection
        return link

    def _events(self) -> int:
        """The count of events as it stands now that the card is connected and cannot be exchanged unseen."""
        _, states = scard.SCardGetStatusChange(self._context, 0, [(self._name, scard.SCARD_STATE_UNAWARE)])
        return _Presence(states[0][1]).events

    def _open_card(self, stop: Callable[[], bool]) -> _Connection | None:
        patience_ends = time.monotonic() + _BUSY_PATIENCE_S
        while True:
            result, handle, protocol = scard.SCardConnect(
                self._context, self._name, scard.SCARD_SHARE_EXCLUSIVE, _protocols()
            )
            if result == scard.SCARD_S_SUCCESS:
                return _Connection(handle, protocol)
            if result == scard.SCARD_W_SECURITY_VIOLATION:
                _check_service(result)
            if result != scard.SCARD_E_SHARING_VIOLATION or stop():
                return None
            if time.monotonic() > patience_ends:
                raise ReaderBusy(
                    f"another program holds reader {self._name}",
                    hint="end that program; if it is GnuPG's: gpgconf --kill scdaemon",
                )
            _sleep(_WAIT_S / 2, stop)

    def _give_back(self) -> None:
        link, self._link = self._link, None
        self._connection = None
        if link is None:
            return
        if link.is_lost:
            self._handled = None
        link.release()


def open_pcsc(part: str) -> PcscReader:
    """Open the reader whose name contains `part`, in any case; with an empty part, the only one.

    :raises NoReader: no reader has such a name, or PC/SC cannot be used
    :raises WrongCall: several readers have such a name
    """
    names = [reader.name for reader in pcsc_readers() if reader.trouble is None]
    wanted = part.strip().casefold()
    found = [name for name in names if name.casefold() == wanted] or [
        name for name in names if wanted in name.casefold()
    ]
    if len(found) == 1:
        return PcscReader(found[0])
    if found:
        raise WrongCall(
            f"{SCHEME}:{part.strip()} may be any of {_listed(found)}", hint=f"write '{SCHEME}:{found[0]}'"
        )
    if not names:
        raise NoReader(
            "no PC/SC reader is plugged in",
            hint="plug one in and look with `rfid-station reader list`, or use --reader sim:ntag213",
        )
    raise NoReader(
        f"no reader is called {part.strip()}",
        hint=f"write one of {_listed(SCHEME + ':' + name for name in names)}",
    )


def pcsc_readers() -> list[ReaderInfo]:
    """The readers of PC/SC; slots that no card is tapped on carry a note in `trouble`.

    :raises NoReader: PC/SC cannot be used
    """
    if scard is None:
        raise NoReader(
            "PC/SC readers need pyscard, which is not installed",
            hint="sudo apt-get install --yes gcc python3-dev libpcsclite-dev pcscd && pip install pyscard",
        )
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    _check_service(result)
    try:
        result, names = scard.SCardListReaders(context, [])
    finally:
        scard.SCardReleaseContext(context)
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    _check_service(result)
    return [ReaderInfo(f"{SCHEME}:{name}", name, _why_not_for_cards(name, names)) for name in names]


def readers_in_use() -> list[str]:
    """Readers whose card another program holds right now; empty if PC/SC cannot be used."""
    if scard is None:
        return []
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        return []
    try:
        result, names = scard.SCardListReaders(context, [])
        if result != scard.SCARD_S_SUCCESS or not names:
            return []
        unaware = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        result, states = scard.SCardGetStatusChange(context, 0, unaware)
    finally:
        scard.SCardReleaseContext(context)
    held = scard.SCARD_STATE_INUSE | scard.SCARD_STATE_EXCLUSIVE
    return [state[0] for state in states if result == scard.SCARD_S_SUCCESS and state[1] & held]


def escape_answer(name: str, escape: bytes) -> bytes:
    """What a reader answers to an escape command, with or without a card; empty if it does not."""
    if scard is None:
        return b""
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        return b""
    try:
        result, handle, _ = scard.SCardConnect(context, name, scard.SCARD_SHARE_DIRECT, 0)
        if result != scard.SCARD_S_SUCCESS:
            return b""
        answer = _control(handle, escape)
        scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
        return answer
    finally:
        scard.SCardReleaseContext(context)


def _why_not_for_cards(name: str, names: list[str]) -> str | None:
    """A device with several slots says which one is contactless; a slot that says it is not, is not."""
    has_contactless_brother = any(
        _CONTACTLESS.search(other) and _device_of(other) == _device_of(name) for other in names
    )
    if _MODULE_SLOT.search(name) or (has_contactless_brother and not _CONTACTLESS.search(name)):
        return "a slot for chip modules: no card is tapped here"
    return None


def _device_of(name: str) -> str:
    """What the slots of one device have in common: the name before the bracket, or before the numbers."""
    return re.split(r" \[| \d\d \d\d", name)[0].strip()


def _check_service(result: int) -> None:
    if result != scard.SCARD_S_SUCCESS:
        raise _trouble_of_service(result)


def _trouble_of_service(result: int) -> NoReader:
    """What keeps PC/SC from being used, and what cures it."""
    if result == scard.SCARD_W_SECURITY_VIOLATION:
        return NoReader(
            "this user may not use PC/SC: polkit refuses",
            hint="grant org.debian.pcsc-lite.access_pcsc and org.debian.pcsc-lite.access_card in a file "
            "in /etc/polkit-1/rules.d, or log in at the machine itself",
        )
    if not shutil.which("pcscd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/sbin"):
        return NoReader("the PC/SC service pcscd is not installed", hint="sudo apt-get install --yes pcscd")
    has_systemd = Path("/run/systemd/system").is_dir()
    return NoReader(
        f"the PC/SC service pcscd does not answer ({_words(result)})",
        hint="sudo systemctl enable --now pcscd.socket" if has_systemd else "sudo pcscd",
    )


def _pulled_out(name: str) -> NoReader:
    return NoReader(f"reader {name} is not plugged in", hint="plug it in again: the work goes on by itself")


def _signaller_of(link: PcscLink, connection: _Connection) -> _Signaller:
    """How this reader shows anything: found by what it answers."""
    if link.is_acr122u():
        return lambda link, _connection, ok: signal_acr122u(link.ask_reader, ok=ok)
    if answers_escape(connection.control(ESCAPE_FIRMWARE)):
        return lambda _link, connection, ok: signal_by_escape(connection.control, ok=ok)
    return lambda _link, _connection, _ok: None


def _control(handle: int, escape: bytes) -> bytes:
    """Try the code of libccid, then that of ACS's and Windows' drivers."""
    for function in _ESCAPE_FUNCTIONS:
        result, answer = scard.SCardControl(handle, scard.SCARD_CTL_CODE(function), list(escape))
        if result == scard.SCARD_S_SUCCESS and answer:
            return bytes(answer)
    return b""


def _check_connection(result: int) -> None:
    if result != scard.SCARD_S_SUCCESS:
        raise ConnectionBroken(_words(result))


def _protocols() -> int:
    return int(scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1)


def _words(result: int) -> str:
    """What PC/SC says about a result, without the full stop."""
    return str(scard.SCardGetErrorMessage(result)).strip().rstrip(".").lower()


def _listed(names: Iterator[str] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _sleep(seconds: float, stop: Callable[[], bool]) -> None:
    """Sleep in short pieces, so that `stop()` is asked often enough."""
    ends = time.monotonic() + seconds
    while not stop() and (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, _WAIT_S / 2))
