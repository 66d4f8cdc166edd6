"""A card on an NFC reader, in the hands of the desk. No nfcpy in here: see `nfc.py` for that.

A reader of this kind passes frames and no more. SAK and ATS are read here, and APDUs are cut into blocks
here; only Crypto1 is left to the reader's chip.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from rfid_station.chip.exchange import ACK, Apdu, Exchange, ReadBlock, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import CardLost, CardRefused, ReaderLimit
from rfid_station.reader.iso_dep_blocks import BlockError, IsoDepBlocks, first_wait_s, parse_ats, rats
from rfid_station.reader.loss import card_left, other_card

_ISO_DEP_BIT = 0x20
_BLOCK_SIZE = 16
_SELECT_TRIES = 3
_TRY_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Selection:
    """A card that answered and was selected. `seen` has no ATS yet."""

    uid: bytes
    seen: Sighting

    @property
    def takes_frames(self) -> bool:
        """Whether this is a card that frames can be sent to: ISO 14443-A, and no Topaz."""
        return self.seen.standard is Standard.TYPE_A and self.seen.sak is not None

    @property
    def speaks_iso_dep(self) -> bool:
        """Whether it takes APDUs, so that it has an ATS to be asked for."""
        return self.seen.sak is not None and bool(self.seen.sak & _ISO_DEP_BIT)


class RadioGone(Exception):
    """The reader itself does not answer any more, and why."""


class Radio(Protocol):
    """An NFC reader as a transport of frames.

    :raises RadioGone: by every method
    """

    @property
    def frame_room(self) -> tuple[int, int]:
        """The longest frames it can send and receive, in bytes without CRC."""

    @property
    def has_crypto1(self) -> bool:
        """Whether its chip can log in to a MIFARE Classic."""

    def select(self) -> Selection | None:
        """Switch the field off and on, and select the card that answers; None without one."""

    def exchange(self, frame: bytes, wait_s: float) -> bytes:
        """A frame without CRC, and how long to wait at least; the answer, or empty for silence and damage."""

    def classic(self, command: bytes) -> bytes | None:
        """A command for the chip with Crypto1 (PN532 user manual, 7.3.8); None if it failed."""


class NfcLink:
    """A card in the hands of the desk. Once it was silent it wants a field restart."""

    def __init__(self, radio: Radio, selection: Selection, reader: str, frame_wait_s: float) -> None:
        self._radio = radio
        self._reader = reader
        self._frame_wait_s = frame_wait_s
        self._uid = selection.uid
        self.is_lost = False
        self.exchanges = 0
        """Commands to the card so far."""
        self.field_restarts = 0
        """Field restarts so far."""
        self._is_silent = False
        self._blocks: IsoDepBlocks | None = None
        self._selection = selection
        self._activate()

    @property
    def seen(self) -> Sighting:
        """SAK, ATQA and ATS as the card gave them."""
        return self._selection.seen

    @property
    def first_uid(self) -> bytes:
        """The UID the card came with."""
        return self._uid

    def uid(self) -> bytes:
        """The UID in air order.

        As long as the card answers this costs nothing: only the card that was selected answers, another one
        laid in its place waits until it is selected itself. A card that was silent is selected anew.
        """
        self._check_not_lost()
        if self._is_silent:
            self._select()
        return self._uid

    def transceive(self, command: Exchange) -> bytes:
        """One command to the card, its answer back; empty when it stayed silent.

        :raises CardRefused: this reader or this card does not take such commands
        """
        self._check_not_lost()
        try:
            answer = self._ask(command)
        except RadioGone as gone:
            raise self._lose(card_left(self._uid, self._reader, str(gone))) from None
        except BlockError as broken:
            raise self._lose(card_left(self._uid, self._reader, str(broken))) from None
        self.exchanges += 1
        self._is_silent = not answer
        return answer

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""
        self._check_not_lost()
        self.field_restarts += 1
        self._select()
        return self._uid

    def release(self) -> None:
        """Let go of the card. From now on it is lost."""
        self.is_lost = True

    def _ask(self, command: Exchange) -> bytes:
        match command:
            case Apdu(apdu):
                return self._blocks.transmit(bytes(apdu)) if self._blocks else b""
            case SectorLogin(block, key, is_key_b):
                head = bytes([0x61 if is_key_b else 0x60, block])
                return _acknowledged(self._classic(head + bytes(key) + self._uid[-4:]))
            case ReadBlock(block):
                answer = self._classic(bytes([0x30, block])) or b""
                return answer if len(answer) == _BLOCK_SIZE else b""
            case WriteBlock(block, data):
                return _acknowledged(self._classic(bytes([0xA0, block]) + bytes(data)))
            case _:
                return self._frame(bytes(command))

    def _frame(self, frame: bytes) -> bytes:
        if not self._selection.takes_frames:
            raise CardRefused(
                f"this {self.seen.standard} card takes no commands from the station",
                hint="take another card: one that charging stations can read",
            )
        return self._radio.exchange(frame, self._frame_wait_s)

    def _classic(self, command: bytes) -> bytes | None:
        if not self._radio.has_crypto1:
            raise ReaderLimit(
                f"reader {self._reader} cannot log in to MIFARE Classic: nothing in it speaks Crypto1",
                hint="use a reader with a PN532 or PN533, or one of PC/SC: rfid-station reader list",
            )
        return self._radio.classic(command)

    def _select(self) -> None:
        """Switch the field off and on, and see that the same card answers."""
        try:
            selection = self._select_patiently()
        except RadioGone as gone:
            raise self._lose(card_left(self._uid, self._reader, str(gone))) from None
        if selection is None:
            raise self._lose(card_left(self._uid, self._reader))
        if selection.uid != self._uid:
            raise self._lose(other_card(self._uid, selection.uid, self._reader))
        self._selection = selection
        self._is_silent = False
        self._activate()

    def _select_patiently(self) -> Selection | None:
        for attempt in range(_SELECT_TRIES):
            if attempt:
                time.sleep(_TRY_AGAIN_S)
            selection = self._radio.select()
            if selection is not None:
                return selection
        return None

    def _activate(self) -> None:
        """Ask an ISO 14443-4 card for its ATS; without one it takes no APDUs."""
        self._blocks = None
        if not self._selection.speaks_iso_dep:
            return
        send_room, receive_room = self._radio.frame_room
        try:
            answer = self._radio.exchange(rats(receive_room), max(first_wait_s(), self._frame_wait_s))
        except RadioGone as gone:
            raise self._lose(card_left(self._uid, self._reader, str(gone))) from None
        ats = parse_ats(answer)
        if ats is None:
            return
        self._selection = replace(self._selection, seen=replace(self.seen, ats=answer[: answer[0]]))
        time.sleep(ats.guard_s)
        waiting = replace(ats, wait_s=max(ats.wait_s, self._frame_wait_s))
        self._blocks = IsoDepBlocks(self._radio.exchange, waiting, send_room)

    def _check_not_lost(self) -> None:
        if self.is_lost:
            raise card_left(self._uid, self._reader)

    def _lose(self, error: CardLost) -> CardLost:
        self.is_lost = True
        return error


def _acknowledged(answer: bytes | None) -> bytes:
    return b"" if answer is None else ACK
