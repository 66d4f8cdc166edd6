"""Readers of PC/SC, by pyscard's thin layer `smartcard.scard`.

The loop is our own, since pyscard's monitor does not survive a restart of pcscd. Cards are
connected exclusively: another program's exchange between two of ours would go unnoticed. What
tells one card from the next is pcscd's count of comings and goings, never the ATR.

`FF 00 00 00 …` is never sent: it passes a frame on in an ACR122U, and writes keys or does
nothing in others.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rfid_station.chip.exchange import CardLink, Exchange
from rfid_station.chip.sighting import Sighting
from rfid_station.errors import CardLost, CardRefused, NoReader, ReaderBusy, WrongCall
from rfid_station.reader import pseudo_apdu
from rfid_station.reader.loss import card_left, other_card
from rfid_station.reader.port import ReaderInfo

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

_NOT_FOR_CARDS = re.compile(r"\b(SAM|ICC)\b", re.IGNORECASE)
_STORAGE_CARD = bytes.fromhex("804F0CA000000306")
_CLASSIC_NAMES = {0x0001, 0x0002, 0x0026, *range(0x0036, 0x003A)}
"""Card names of PC/SC part 3 that speak another protocol than a Type 2 tag."""


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


@dataclass(frozen=True, slots=True)
class _Connection:
    """A card that is connected, and the protocol that was agreed with it: T=0 or T=1."""

    handle: int
    protocol: int

    def end(self) -> None:
        scard.SCardDisconnect(self.handle, scard.SCARD_UNPOWER_CARD)


@dataclass(frozen=True, slots=True)
class _Handled:
    """The card that was handed out last, and when it had come."""

    epoch: int
    events: int
    uid: bytes


class PcscLink:
    """A card in the hands of the desk.

    `raw` says whether every frame goes through as it is. Without, the reader passes on READ
    (30) and WRITE (A2) only, and hides whether a card refused or was silent: then the answer
    is empty in both cases.
    """

    def __init__(self, connection: _Connection, reader: str, *, raw: bool | None) -> None:
        self._connection = connection
        self._reader = reader
        self._has_session = False
        self.is_lost = False
        self.exchanges = 0
        """Frames sent so far, those left out that find out about the reader."""
        self.field_restarts = 0
        """Field restarts so far."""
        self._uid = b""
        self._atr = self._ask_atr()
        self._uid = self._uid_at_first()
        found = self._find_raw_path() if raw is None else raw
        self.raw = bool(found)
        self.shows_raw = found is not None
        """Whether this card was fit to show if the reader has a raw path."""

    @property
    def seen(self) -> Sighting:
        """What the reader made up about the card (PC/SC part 3)."""
        return Sighting(atr=self._atr)

    @property
    def first_uid(self) -> bytes:
        """The UID the card came with; empty if the reader does not tell."""
        return self._uid

    @property
    def _is_type_2(self) -> bool:
        """Whether the ATR leaves it possible that this is a Type 2 tag."""
        at = self._atr.find(_STORAGE_CARD)
        name = self._atr[at + 9 : at + 11]
        return at >= 0 and int.from_bytes(name) not in _CLASSIC_NAMES

    def uid(self) -> bytes:
        """The UID in air order, asked anew.

        :raises CardRefused: the reader does not tell the UID of this card
        """
        now = self._ask_uid()
        if self._uid and now != self._uid:
            raise self._lose(other_card(self._uid, now, self._reader))
        return now

    def transceive(self, command: Exchange) -> bytes:
        """One command to the card, its answer back; empty when it stayed silent.

        :raises CardRefused: the reader cannot pass on this frame (only without `raw`)
        """
        if not isinstance(command, bytes):
            raise NotImplementedError
        frame = bytes(command)
        if self.raw:
            answer = self._exchange(frame)
        elif len(frame) == 2 and frame[0] == 0x30:
            answer = self._read(frame[1])
        elif len(frame) == 6 and frame[0] == 0xA2:
            answer = self._write(frame[1], frame[2:])
        else:
            raise CardRefused(
                f"reader {self._reader} does not pass on command {frame[:1].hex().upper()}",
                hint="use a reader with a transparent session (PC/SC part 3), as the ACS ACR1552U",
            )
        self.exchanges += 1
        return answer

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""
        self._check_not_lost()
        self._end_session()
        self.field_restarts += 1
        handle = self._connection.handle
        result, protocol = scard.SCardReconnect(
            handle, scard.SCARD_SHARE_EXCLUSIVE, _protocols(), scard.SCARD_UNPOWER_CARD
        )
        self._check(result)
        self._connection = _Connection(handle, protocol)
        return self.uid()

    def release(self) -> None:
        """Let go of the card, without power. From now on it is lost."""
        if not self.is_lost:
            with suppress(CardLost):
                self._end_session()
        self.is_lost = True
        self._connection.end()

    def _ask_atr(self) -> bytes:
        result, _, _, _, atr = scard.SCardStatus(self._connection.handle)
        self._check(result)
        return bytes(atr)

    def _uid_at_first(self) -> bytes:
        try:
            return self._ask_uid()
        except CardRefused:
            return b""

    def _ask_uid(self) -> bytes:
        response = self._transmit(pseudo_apdu.GET_UID)
        if not response.is_done and self._has_session:
            # Some readers answer nothing but the session while there is one.
            self._end_session()
            response = self._transmit(pseudo_apdu.GET_UID)
        if not response.is_done:
            raise CardRefused(
                f"reader {self._reader} tells no UID for this card ({response.words})",
                hint="take another card: one that charging stations can read",
            )
        return response.data

    def _find_raw_path(self) -> bool | None:
        """Try the transparent session, and believe it only if both ways read the same.

        None if the card is not a Type 2 tag that can be read both ways.
        """
        if not self._is_type_2:
            return None
        through_session = self._exchange(pseudo_apdu.READ_FIRST_PAGES)
        self._end_session()
        plain = self._read(0)
        return through_session == plain if plain else None

    def _has_begun_session(self) -> bool:
        """Whether there is a session in which the card can be spoken to."""
        if not self._has_session and self._is_accepted(pseudo_apdu.START_SESSION):
            self._has_session = True
            if not self._is_accepted(pseudo_apdu.TO_ISO_14443_A_3):
                self._end_session()
        return self._has_session

    def _is_accepted(self, apdu: bytes) -> bool:
        return pseudo_apdu.is_accepted(self._transmit(apdu))

    def _end_session(self) -> None:
        if self._has_session:
            self._has_session = False
            self._transmit(pseudo_apdu.END_SESSION)

    def _exchange(self, frame: bytes) -> bytes:
        if not self._has_begun_session():
            return b""
        return pseudo_apdu.answer_of_card(self._transmit(pseudo_apdu.exchange(frame)))

    def _read(self, page: int) -> bytes:
        response = self._transmit(pseudo_apdu.read_pages(page))
        return response.data if response.is_done else b""

    def _write(self, page: int, content: bytes) -> bytes:
        return b"\x0a" if self._transmit(pseudo_apdu.write_page(page, content)).is_done else b""

    def _transmit(self, apdu: bytes) -> pseudo_apdu.Response:
        self._check_not_lost()
        connection = self._connection
        is_t0 = connection.protocol == scard.SCARD_PROTOCOL_T0
        header = scard.SCARD_PCI_T0 if is_t0 else scard.SCARD_PCI_T1
        result, raw = scard.SCardTransmit(connection.handle, header, list(apdu))
        self._check(result)
        response = pseudo_apdu.parse_response(bytes(raw))
        if response is None:
            raise self._lose(card_left(self._uid, self._reader, "an answer broke off"))
        return response

    def _check_not_lost(self) -> None:
        if self.is_lost:
            raise card_left(self._uid, self._reader)

    def _check(self, result: int) -> None:
        if result != scard.SCARD_S_SUCCESS:
            raise self._lose(card_left(self._uid, self._reader, _words(result)))

    def _lose(self, error: CardLost) -> CardLost:
        self.is_lost = True
        return error


class PcscReader:
    """One reader of PC/SC, by its full name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._context: int | None = None
        self._epoch = 0
        """Counts connections to pcscd: its counts of events start anew with each daemon."""
        self._known = 0
        self._pause_s = 0.0
        self._handled: _Handled | None = None
        self._link: PcscLink | None = None
        self._raw: bool | None = None

    @property
    def uri(self) -> str:
        """The string that opens exactly this reader."""
        return f"{SCHEME}:{self._name}"

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

    def _watch(self, stop: Callable[[], bool]) -> _Presence | None:
        """Wait for something to happen, a moment at most; None while pcscd or the reader is away."""
        if self._context is None and not self._connect():
            self._pause(stop)
            return None
        result, states = scard.SCardGetStatusChange(
            self._context, int(_WAIT_S * 1000), [(self._name, self._known)]
        )
        if result not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            self._disconnect()
            self._pause(stop)
            return None
        self._pause_s = 0.0
        self._known = states[0][1] & ~scard.SCARD_STATE_CHANGED
        return _Presence(self._known)

    def _connect(self) -> bool:
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if result != scard.SCARD_S_SUCCESS:
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
            link = PcscLink(connection, self._name, raw=self._raw)
        except CardLost:
            connection.end()
            return None
        if link.shows_raw:
            self._raw = link.raw
        before, self._handled = self._handled, _Handled(self._epoch, self._events(), link.first_uid)
        if before is not None and before.epoch != self._epoch and before.uid == link.first_uid:
            link.release()
            return None
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
    return [ReaderInfo(f"{SCHEME}:{name}", name, _why_not_for_cards(name)) for name in names]


def _why_not_for_cards(name: str) -> str | None:
    return "a slot for chip modules: no card is tapped here" if _NOT_FOR_CARDS.search(name) else None


def _check_service(result: int) -> None:
    """Say what keeps PC/SC from being used, and what cures it."""
    if result == scard.SCARD_S_SUCCESS:
        return
    if result == scard.SCARD_W_SECURITY_VIOLATION:
        raise NoReader(
            "this user may not use PC/SC: polkit refuses",
            hint="grant org.debian.pcsc-lite.access_pcsc and org.debian.pcsc-lite.access_card in a file "
            "in /etc/polkit-1/rules.d, or log in at the machine itself",
        )
    if not shutil.which("pcscd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/sbin"):
        raise NoReader("the PC/SC service pcscd is not installed", hint="sudo apt-get install --yes pcscd")
    has_systemd = Path("/run/systemd/system").is_dir()
    raise NoReader(
        f"the PC/SC service pcscd does not answer ({_words(result)})",
        hint="sudo systemctl enable --now pcscd.socket" if has_systemd else "sudo pcscd",
    )


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
