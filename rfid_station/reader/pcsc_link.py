"""A card on a PC/SC reader, in the hands of the desk. No PC/SC in here: see `pcsc.py` for that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from rfid_station.chip.exchange import Apdu, Exchange, ReadBlock, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Sighting
from rfid_station.errors import CardLost, CardRefused
from rfid_station.reader import pseudo_apdu
from rfid_station.reader.key_slots import ClassicByReader, KeyHabits
from rfid_station.reader.loss import card_left, other_card
from rfid_station.reader.raw_path import PagesOnly, RawKind, RawPath, find_raw_kind, is_acr122u
from rfid_station.reader.t0 import exchange_t0

_STORAGE_CARD = bytes.fromhex("804F0CA000000306")
_CLASSIC_NAMES = {0x0001, 0x0002, 0x0026, *range(0x0036, 0x003A)}
"""Card names of PC/SC part 3 that speak another protocol than a Type 2 tag."""


class ConnectionBroken(Exception):
    """The service says that the card cannot be reached any more, and why."""


class Connection(Protocol):
    """A card that PC/SC is connected to.

    :raises ConnectionBroken: by every method but `end`
    """

    @property
    def is_t0(self) -> bool:
        """Whether T=0 was agreed with the card, and not T=1."""

    def atr(self) -> bytes:
        """What the reader made up about the card."""

    def transmit(self, apdu: bytes) -> bytes:
        """An APDU to the reader or the card, its whole answer back."""

    def restart(self) -> None:
        """Take power from the card and connect to it anew."""

    def end(self) -> None:
        """Let go of the card, without power."""


@dataclass(slots=True)
class ReaderHabits:
    """What was learned of a reader from the cards so far."""

    raw: RawKind | None = None
    """None: no card was fit to show it yet."""
    keys: KeyHabits = field(default_factory=KeyHabits)


class PcscLink:
    """A card in the hands of the desk.

    `raw` says whether every frame goes through as it is. Without, the reader passes on READ
    (30) and WRITE (A2) only, and hides whether a card refused or was silent: then the answer
    is empty in both cases.
    """

    def __init__(self, connection: Connection, reader: str, habits: ReaderHabits) -> None:
        self._connection = connection
        self._reader = reader
        self.is_lost = False
        self.exchanges = 0
        """Commands to the card so far, those left out that find out about the reader."""
        self.field_restarts = 0
        """Field restarts so far."""
        self._uid = b""
        self._atr = self._ask_atr()
        self._classic = ClassicByReader(self._transmit, habits.keys, reader)
        self._path: RawPath = PagesOnly(self._transmit, reader)
        self._uid = self._uid_at_first()
        if habits.raw is None and self._is_type_2:
            habits.raw = find_raw_kind(self._transmit)
        if habits.raw is not None:
            self._path = habits.raw.path(self._transmit, reader)
        self.raw = habits.raw in (RawKind.SESSION, RawKind.DIRECT)

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

        :raises CardRefused: the reader cannot pass this command on
        """
        if isinstance(command, bytes):
            answer = self._path.exchange(bytes(command))
        else:
            self._path.end()
            answer = self._by_reader(command)
        self.exchanges += 1
        return answer

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""
        self._check_not_lost()
        self._path.end()
        self.field_restarts += 1
        try:
            self._connection.restart()
        except ConnectionBroken as broken:
            raise self._left(broken) from None
        self._path.forget()
        return self.uid()

    def release(self) -> None:
        """Let go of the card, without power. From now on it is lost."""
        if not self.is_lost:
            with suppress(CardLost):
                self._path.end()
                self._classic.end()
        self.is_lost = True
        self._connection.end()

    def is_acr122u(self) -> bool:
        """Whether the reader says that it is one."""
        try:
            self._path.end()
            return is_acr122u(self._transmit)
        except CardLost:
            return False

    def ask_reader(self, apdu: bytes) -> bytes:
        """An APDU that means the reader itself, between two cards' commands; empty if the card has gone."""
        try:
            self._path.end()
            return self._transmit(apdu)
        except CardLost:
            return b""

    def _by_reader(self, command: Apdu | SectorLogin | ReadBlock | WriteBlock) -> bytes:
        match command:
            case Apdu(apdu):
                whole = bytes(apdu)
                return exchange_t0(self._transmit, whole) if self._connection.is_t0 else self._transmit(whole)
            case SectorLogin():
                return self._classic.login(command)
            case ReadBlock(block):
                return self._classic.read(block)
            case WriteBlock(block, data):
                return self._classic.write(block, data)

    def _ask_atr(self) -> bytes:
        try:
            return self._connection.atr()
        except ConnectionBroken as broken:
            raise self._left(broken) from None

    def _uid_at_first(self) -> bytes:
        try:
            return self._ask_uid()
        except CardRefused:
            return b""

    def _ask_uid(self) -> bytes:
        response = self._ask(pseudo_apdu.GET_UID)
        if not response.is_done:
            # Some readers answer nothing but the session while there is one.
            self._path.end()
            response = self._ask(pseudo_apdu.GET_UID)
        if not response.is_done:
            raise CardRefused(
                f"reader {self._reader} tells no UID for this card ({response.words})",
                hint="take another card: one that charging stations can read",
            )
        return response.data

    def _ask(self, apdu: bytes) -> pseudo_apdu.Response:
        response = pseudo_apdu.parse_response(self._transmit(apdu))
        if response is None:
            raise self._broke_off()
        return response

    def _transmit(self, apdu: bytes) -> bytes:
        self._check_not_lost()
        try:
            raw = self._connection.transmit(apdu)
        except ConnectionBroken as broken:
            raise self._left(broken) from None
        if len(raw) < 2:
            raise self._broke_off()
        return raw

    def _check_not_lost(self) -> None:
        if self.is_lost:
            raise card_left(self._uid, self._reader)

    def _left(self, broken: ConnectionBroken) -> CardLost:
        return self._lose(card_left(self._uid, self._reader, str(broken)))

    def _broke_off(self) -> CardLost:
        return self._lose(card_left(self._uid, self._reader, "an answer broke off"))

    def _lose(self, error: CardLost) -> CardLost:
        self.is_lost = True
        return error
