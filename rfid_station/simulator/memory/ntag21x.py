"""The NTAG21x, from the NXP data sheets NTAG213_215_216 (rev. 3.2) and NTAG210_212, and a clone of one.

What the C, TT and F types have beside their version number is not modelled: customer configuration, tamper
status, field detection. Nor is the mirror of NTAG210 and NTAG212.
"""

from __future__ import annotations

from rfid_station.simulator.card import State
from rfid_station.simulator.memory.password_tag import PasswordTagModel, VirtualPasswordTag
from rfid_station.simulator.memory.type2 import NAK_ARGUMENT, PAGE_SIZE, Handler

_NFC_CNT_EN, _NFC_CNT_PWD_PROT = 0x10, 0x08
_MIRRORS_UID, _MIRRORS_COUNTER = 0b01, 0b10
_FIRST_MIRROR_PAGE = 4
_COUNTER_LIMIT = 0xFFFFFF
_STRG_MOD_EN = "040000FF"

NTAG210_MODELS = {
    "ntag210": PasswordTagModel("NTAG210", 0x14, "0004040101000B03", "E1100600", "0300FE00"),
    "ntag212": PasswordTagModel(
        "NTAG212", 0x29, "0004040101000E03", "E1101000", "0103900A 340300FE", pages_per_lock=2
    ),
}
"""The types with a password and without a counter."""


def _like_ntag213(name: str, version: str) -> PasswordTagModel:
    return PasswordTagModel(
        name, 0x2D, version, "E1101200", "0103A00C 340300FE", pages_per_lock=2, configuration=_STRG_MOD_EN
    )


def _like_ntag216(name: str, version: str) -> PasswordTagModel:
    return PasswordTagModel(
        name, 0xE7, version, "E1106D00", "0300FE00", pages_per_lock=16, configuration=_STRG_MOD_EN
    )


MODELS = {
    "ntag213": _like_ntag213("NTAG213", "0004040201000F03"),
    "ntag215": PasswordTagModel(
        "NTAG215",
        0x87,
        "0004040201001103",
        "E1103E00",
        "0300FE00",
        pages_per_lock=16,
        configuration=_STRG_MOD_EN,
    ),
    "ntag216": _like_ntag216("NTAG216", "0004040201001303"),
}
"""The three types that are in every shop."""

VARIANTS = {
    "ntag213c": _like_ntag213("NTAG213C", "0004040201010F03"),
    "ntag213tt": _like_ntag213("NTAG213TT", "0004040203000F03"),
    "ntag213f": _like_ntag213("NTAG213F", "0004040401000F03"),
    "ntag216f": _like_ntag216("NTAG216F", "0004040401001303"),
}
"""Types that differ by their version number, as far as they are modelled."""

FEIJU213 = "feiju213"
_FEIJU_MODEL = _like_ntag213("NTAG213 clone by Feiju", "0053040201000F03")
FEIJU_MANUFACTURER = 0x1D

SAMPLE_UID = bytes.fromhex("04E10CDA993C80")
_SAMPLE_SIGNATURE = bytes.fromhex("8B76052EE42F5567BEB53238B3E3F9950707C0DCC956B5C5EFCFDB709B2D82B3")
"""A published pair (NXP AN11350): the only UID whose originality signature is genuine here."""


class VirtualNtag210(VirtualPasswordTag):
    """One NTAG210 or NTAG212."""

    def __init__(self, model: str, uid: bytes) -> None:
        super().__init__(model, uid, NTAG210_MODELS[model])


class VirtualNtag21x(VirtualPasswordTag):
    """One NTAG213, NTAG215 or NTAG216, or a variant of one."""

    def __init__(self, model: str, uid: bytes, memory: bytes | None = None) -> None:
        super().__init__(model, uid, (MODELS | VARIANTS | {FEIJU213: _FEIJU_MODEL})[model])
        self.counter = 0
        """NFC counter: how often the powered chip was first read, while the counter was enabled."""
        self._has_counted = False
        self._mirror = bytes(PAGE_SIZE)
        if memory is not None:
            self.memory[:] = memory

    @property
    def signature(self) -> bytes:
        """Genuine for the UID that NXP published."""
        return _SAMPLE_SIGNATURE if self._uid == SAMPLE_UID else super().signature

    def state(self) -> State:
        """The memory, and the counters that are no part of it."""
        return super().state() | {"counter": self.counter}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.counter = state["counter"]

    def _power_on(self) -> None:
        super()._power_on()
        self._has_counted = False
        self._mirror = self.page(self.model.configuration_page)

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {0x39: (2, self._read_counter)}

    def _read(self, frame: bytes) -> bytes:
        return self._counted(super()._read(frame))

    def _fast_read(self, frame: bytes) -> bytes:
        return self._counted(super()._fast_read(frame))

    def _counted(self, reply: bytes) -> bytes:
        """Count the first read after power-up that succeeds (8.7)."""
        is_first = not self._has_counted and reply != NAK_ARGUMENT
        if is_first and self._access & _NFC_CNT_EN and self.counter < _COUNTER_LIMIT:
            self.counter += 1
            self.changes += 1
        self._has_counted = self._has_counted or is_first
        return reply

    def _shown_page(self, number: int) -> bytes:
        """What a reader is shown: the mirror lies over the user memory (8.8)."""
        shown, first_page = super()._shown_page(number), self._mirror[2]
        if first_page < _FIRST_MIRROR_PAGE or not first_page <= number < self.model.dynamic_lock_page:
            return shown
        text, start = self._mirror_text(), first_page * PAGE_SIZE + (self._mirror[0] >> 4 & 0b11)
        places = range(number * PAGE_SIZE - start, (number + 1) * PAGE_SIZE - start)
        return bytes(
            text[place] if 0 <= place < len(text) else value
            for place, value in zip(places, shown, strict=True)
        )

    def _mirror_text(self) -> bytes:
        """UID, counter, or both with an x between them, in hexadecimal digits."""
        what = self._mirror[0] >> 6
        is_closed = self._access & _NFC_CNT_PWD_PROT and not self._is_authenticated
        counter = 0 if is_closed or not self._access & _NFC_CNT_EN else self.counter
        parts = [self._uid.hex()] if what & _MIRRORS_UID else []
        parts += [f"{counter:06x}"] if what & _MIRRORS_COUNTER else []
        return b"x".join(part.upper().encode() for part in parts)

    def _read_counter(self, frame: bytes) -> bytes:
        is_closed = self._access & _NFC_CNT_PWD_PROT and not self._is_authenticated
        if frame[1] != 0x02 or not self._access & _NFC_CNT_EN or is_closed:
            return NAK_ARGUMENT
        return self.counter.to_bytes(3, "little")


class VirtualFeiju213(VirtualNtag21x):
    """A clone that answers like an NTAG213. Its signature is its serial number, repeated."""

    @property
    def signature(self) -> bytes:
        """Pages 0 and 1, four times."""
        return bytes(self.memory[: 2 * PAGE_SIZE]) * 4
