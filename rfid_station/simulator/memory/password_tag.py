"""What NTAG21x and MIFARE Ultralight EV1 share: GET_VERSION, FAST_READ, READ_SIG and a password of 32 bits.

From the NXP data sheets NTAG213_215_216 (rev. 3.2), NTAG210_212 and MF0ULx1 (rev. 3.3). AUTH0 and ACCESS
take effect at the next power-up, PWD and PACK at once. The data sheets say so of CFGLCK only (NTAG21x,
8.5.7); of the others NXP's support does (community thread 795227), traces of real chips show it, and nfcpy
relies on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.simulator.card import State
from rfid_station.simulator.memory.type2 import (
    CC_PAGE,
    NAK_ARGUMENT,
    NAK_COUNTER,
    DynamicLocks,
    Handler,
    VirtualType2,
    locks_behind,
)

PROT, CFGLCK, AUTHLIM = 0x80, 0x40, 0x07


@dataclass(frozen=True, slots=True)
class PasswordTagModel:
    """What tells one type from another."""

    name: str
    pages: int
    version: str
    """Answer to GET_VERSION."""
    capability: str
    """Capability container in page 3, as delivered."""
    delivered: str = ""
    """User memory from page 4 on, as delivered."""
    pages_per_lock: int = 0
    """How many pages one dynamic lock bit stands for; 0 where the static ones reach all user memory."""
    configuration: str = "000000FF"
    """CFG0 as delivered: AUTH0 is its last byte and lies behind the memory."""

    @property
    def configuration_page(self) -> int:
        """CFG0. CFG1, PWD and PACK follow, and nothing is behind them."""
        return self.pages - 4

    @property
    def dynamic_lock_page(self) -> int:
        """The page before CFG0, where there are dynamic locks."""
        return self.pages - 5

    @property
    def locks(self) -> tuple[DynamicLocks, ...]:
        """The dynamic lock bits, if there are any."""
        return (locks_behind(self.dynamic_lock_page, self.pages_per_lock),) if self.pages_per_lock else ()


class VirtualPasswordTag(VirtualType2):
    """A tag whose pages from AUTH0 on can be closed by a password."""

    def __init__(self, chip: str, uid: bytes, model: PasswordTagModel) -> None:
        super().__init__(chip, uid, model.pages, *model.locks)
        self.model = model
        self.failed_passwords = 0
        """Wrong passwords since the last right one, counted while AUTHLIM is not 0."""
        self._is_authenticated = False
        self._auth0 = 0xFF
        self._access = 0x00
        self._deliver(
            {
                CC_PAGE: bytes.fromhex(model.capability + model.delivered),
                model.configuration_page: bytes.fromhex(model.configuration),
                # Byte 1 is the VCTID of Ultralight EV1, reserved in NTAG21x, and 05 in both.
                model.configuration_page + 1: bytes.fromhex("00050000"),
                model.configuration_page + 2: bytes.fromhex("FFFFFFFF"),
            }
        )

    @property
    def name(self) -> str:
        """`NTAG213` and so on."""
        return self.model.name

    @property
    def signature(self) -> bytes:
        """What READ_SIG answers. Nobody but NXP can sign a UID, so it is all 00 unless a sample is public."""
        return bytes(32)

    def state(self) -> State:
        """The memory, and the counter that is no part of it."""
        return super().state() | {"failed_passwords": self.failed_passwords}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.failed_passwords = state["failed_passwords"]

    def _power_on(self) -> None:
        super()._power_on()
        self._auth0 = self.page(self.model.configuration_page)[3]
        self._access = self.page(self.model.configuration_page + 1)[0]

    def _go_idle(self) -> None:
        super()._go_idle()
        self._is_authenticated = False

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {
            0x60: (1, self._get_version),
            0x3A: (3, self._fast_read),
            0x1B: (5, self._authenticate),
            0x3C: (2, self._read_signature),
        }

    def _get_version(self, _frame: bytes) -> bytes:
        return bytes.fromhex(self.model.version)

    def _fast_read(self, frame: bytes) -> bytes:
        first, last = frame[1], frame[2]
        if first > last or last >= self._end_of_reading():
            return NAK_ARGUMENT
        return b"".join(map(self._shown_page, range(first, last + 1)))

    def _read_signature(self, frame: bytes) -> bytes:
        return self.signature if frame[1] == 0x00 else NAK_ARGUMENT

    def _authenticate(self, frame: bytes) -> bytes:
        limit = self._access & AUTHLIM
        if limit and self.failed_passwords >= limit:
            return NAK_COUNTER
        if frame[1:] == self.page(self.model.configuration_page + 2):
            self._set_failed_passwords(0)
            self._is_authenticated = True
            return self.page(self.model.configuration_page + 3)[:2]
        if limit:
            self._set_failed_passwords(self.failed_passwords + 1)
        return NAK_ARGUMENT

    def _set_failed_passwords(self, count: int) -> None:
        if count != self.failed_passwords:
            self.failed_passwords = count
            self.changes += 1

    def _end_of_reading(self) -> int:
        is_closed = self._access & PROT and not self._is_authenticated
        return min(self._auth0, self.pages) if is_closed else self.pages

    def _shown_page(self, number: int) -> bytes:
        """PWD and PACK are never shown (NTAG21x, 8.8.1)."""
        hidden = {self.model.configuration_page + 2: 4, self.model.configuration_page + 3: 2}.get(number, 0)
        return bytes(hidden) + self.page(number)[hidden:]

    def _refusal(self, page: int) -> bytes:
        configuration = (self.model.configuration_page, self.model.configuration_page + 1)
        is_closed = page >= self._auth0 and not self._is_authenticated
        if is_closed or (self._access & CFGLCK and page in configuration):
            return NAK_ARGUMENT
        return super()._refusal(page)
