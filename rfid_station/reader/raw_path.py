"""The ways in which PC/SC readers pass a frame on to the card as it is, and how the right one is found.

A way is believed only when a Type 2 tag reads the same through it and by the plain command of PC/SC.
`FF 00 00 00 …` is sent to nobody but a reader that called itself an ACR122U: there it passes on,
elsewhere it writes keys into the reader or does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from rfid_station.chip.exchange import ACK
from rfid_station.errors import ReaderLimit
from rfid_station.reader import pseudo_apdu
from rfid_station.reader.crc_a import without_crc

Transmit = Callable[[bytes], bytes]
"""Hands an APDU to the reader and returns its whole answer.

:raises CardLost: the card is gone
"""

_READ, _WRITE, _COMPATIBLE_WRITE = 0x30, 0xA2, 0xA0


class RawPath(Protocol):
    """A way to the card."""

    def exchange(self, frame: bytes) -> bytes:
        """A frame without CRC to the card, its answer back; empty when it stayed silent.

        :raises ReaderLimit: this way cannot pass the frame on
        """

    def end(self) -> None:
        """Let the reader speak to the card by itself again."""

    def forget(self) -> None:
        """Take note that the card lost its power, and what was settled with it is gone."""


class TransparentSession:
    """The transparent session of PC/SC part 3 (supplement), begun when it is needed."""

    def __init__(self, transmit: Transmit) -> None:
        self._transmit = transmit
        self._has_begun = False

    def exchange(self, frame: bytes) -> bytes:
        """A frame to the card; the reader adds and checks the CRC."""
        if not self._begin():
            return b""
        response = pseudo_apdu.parse_response(self._transmit(pseudo_apdu.exchange(frame)))
        return pseudo_apdu.answer_of_card(response) if response else b""

    def end(self) -> None:
        """End the session: some readers answer nothing else while there is one."""
        if self._has_begun:
            self._has_begun = False
            self._transmit(pseudo_apdu.END_SESSION)

    def forget(self) -> None:
        """A session ends with the power of the card."""
        self._has_begun = False

    def _begin(self) -> bool:
        if not self._has_begun and self._is_accepted(pseudo_apdu.START_SESSION):
            self._has_begun = True
            if not self._is_accepted(pseudo_apdu.TO_ISO_14443_A_3):
                self.end()
        return self._has_begun

    def _is_accepted(self, apdu: bytes) -> bool:
        response = pseudo_apdu.parse_response(self._transmit(apdu))
        return response is not None and pseudo_apdu.is_accepted(response)


class DirectTransmit:
    """The PN532 inside an ACR122U, spoken to through the reader (PN532 user manual, 7.3.9).

    It checks the CRC of what comes back, and takes the four bits of ACK and NAK for a broken one. So
    that is switched off, and the CRC checked here. If the firmware does not let us, writing is handed
    to the PN532 as a whole: it knows how a Type 2 tag acknowledges.
    """

    _IN_COMMUNICATE_THRU, _IN_DATA_EXCHANGE = 0x42, 0x40
    _READ_REGISTER, _WRITE_REGISTER = 0x06, 0x08
    _RX_MODE = bytes.fromhex("6303")
    _CHECKS_CRC = 0x80
    _FIRST_TARGET = b"\x01"

    def __init__(self, transmit: Transmit) -> None:
        self._transmit = transmit
        self._is_prepared = False
        self._gets_crc = False

    def exchange(self, frame: bytes) -> bytes:
        """A frame to the card; the PN532 adds the CRC."""
        self._prepare()
        if not self._gets_crc and frame[:1] in (bytes([_WRITE]), bytes([_COMPATIBLE_WRITE])):
            data = self._FIRST_TARGET + frame
            answer = self._card_answers(self._IN_DATA_EXCHANGE, data)
            return b"" if answer is None else ACK
        answer = self._card_answers(self._IN_COMMUNICATE_THRU, frame) or b""
        return without_crc(answer) if self._gets_crc else answer

    def end(self) -> None:
        """Nothing is kept open; but what the reader does next may change the PN532's registers."""
        self._is_prepared = False

    def forget(self) -> None:
        """The reader selects the card anew, with its own settings."""
        self._is_prepared = False

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        self._is_prepared = True
        mode = self._ask(self._READ_REGISTER, self._RX_MODE)
        if mode is None or len(mode) != 1:
            self._gets_crc = False
            return
        without_check = bytes([mode[0] & ~self._CHECKS_CRC & 0xFF])
        self._gets_crc = self._ask(self._WRITE_REGISTER, self._RX_MODE + without_check) is not None

    def _ask(self, command: int, data: bytes) -> bytes | None:
        raw = self._transmit(pseudo_apdu.to_pn532(command, data))
        return pseudo_apdu.answer_of_pn532(command, raw)

    def _card_answers(self, command: int, data: bytes) -> bytes | None:
        raw = self._transmit(pseudo_apdu.to_pn532(command, data))
        return pseudo_apdu.answer_through_pn532(command, raw)


class PagesOnly:
    """No way for frames: READ and WRITE of pages are translated, and nothing else goes through.

    The reader hides whether a card refused or was silent: the answer is empty in both cases.
    """

    def __init__(self, transmit: Transmit, reader: str) -> None:
        self._transmit = transmit
        self._reader = reader

    def exchange(self, frame: bytes) -> bytes:
        """READ and WRITE of a Type 2 tag.

        :raises ReaderLimit: any other frame
        """
        if len(frame) == 2 and frame[0] == _READ:
            return read_plainly(self._transmit, frame[1])
        if len(frame) == 6 and frame[0] == _WRITE:
            response = self._transmit(pseudo_apdu.write_page(frame[1], frame[2:]))
            return ACK if response == b"\x90\x00" else b""
        raise ReaderLimit(
            f"reader {self._reader} does not pass on command {frame[:1].hex().upper()}",
            hint="use a reader with a transparent session (PC/SC part 3), as the ACS ACR1552U",
        )

    def end(self) -> None:
        """Nothing was begun."""

    def forget(self) -> None:
        """Nothing was settled."""


class RawKind(Enum):
    """Which way a reader has. Found once for each reader."""

    SESSION = "transparent session"
    DIRECT = "direct transmit"
    NONE = "pages only"

    def path(self, transmit: Transmit, reader: str) -> RawPath:
        """The way itself, for one card."""
        if self is RawKind.SESSION:
            return TransparentSession(transmit)
        if self is RawKind.DIRECT:
            return DirectTransmit(transmit)
        return PagesOnly(transmit, reader)


def find_raw_kind(transmit: Transmit) -> RawKind | None:
    """Try the ways on the Type 2 tag that lies there. None if it cannot be read plainly to compare."""
    session = TransparentSession(transmit)
    through_session = session.exchange(pseudo_apdu.READ_FIRST_PAGES)
    session.end()
    plain = read_plainly(transmit, 0)
    if not plain:
        return None
    if through_session == plain:
        return RawKind.SESSION
    if is_acr122u(transmit) and DirectTransmit(transmit).exchange(pseudo_apdu.READ_FIRST_PAGES) == plain:
        return RawKind.DIRECT
    return RawKind.NONE


def is_acr122u(transmit: Transmit) -> bool:
    """Whether the reader says of itself that it is an ACR122U whose firmware passes frames on (2.x)."""
    name, version = pseudo_apdu.ACR122U_NAME, transmit(pseudo_apdu.ASK_ACR122U)
    major = version[len(name) : len(name) + 1]
    return version.startswith(name) and major >= b"2"


def read_plainly(transmit: Transmit, page: int) -> bytes:
    """Four pages by the command every reader has; empty if it is refused."""
    response = pseudo_apdu.parse_response(transmit(pseudo_apdu.read_pages(page)))
    return response.data if response and response.is_done else b""
