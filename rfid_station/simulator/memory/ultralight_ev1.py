"""MIFARE Ultralight EV1, from the NXP data sheet MF0ULx1 (rev. 3.3)."""

from __future__ import annotations

from rfid_station.simulator.card import State, Tear, TornMode
from rfid_station.simulator.memory.password_tag import PasswordTagModel, VirtualPasswordTag
from rfid_station.simulator.memory.type2 import ACK, NAK_ARGUMENT, NAK_COUNTER, Handler

MODELS = {
    "mf0ul11": PasswordTagModel("MF0UL11", 0x14, "0004030101000B03", "00000000"),
    "mf0ul21": PasswordTagModel("MF0UL21", 0x29, "0004030101000E03", "00000000", pages_per_lock=2),
}

SAMPLE_UID = bytes.fromhex("04C1285A373080")
_SAMPLE_SIGNATURE = bytes.fromhex("CEA2EB0B3C95D0844A95B824A7553703B3702378033BF0987899DB70151A19E7")
"""A published pair: the only UID whose originality signature is genuine here."""

_INCREMENT = 0xA5
_INCREMENT_SIZE = 6
_COUNTERS = 3
_COUNTER_LIMIT = 0xFFFFFF
_WHOLE, _TORN = b"\xbd", b"\x00"


class VirtualUltralightEv1(VirtualPasswordTag):
    """One MF0UL11 (48 bytes) or MF0UL21 (128 bytes), with three counters that only go up."""

    def __init__(self, model: str, uid: bytes) -> None:
        super().__init__(model, uid, MODELS[model])
        self.counters = [0] * _COUNTERS
        self.torn_counters: set[int] = set()
        """Counters whose last increment was cut off. Each still has the value of before."""

    @property
    def signature(self) -> bytes:
        """Genuine for the UID that NXP published."""
        return _SAMPLE_SIGNATURE if self._uid == SAMPLE_UID else super().signature

    def tear(self, frame: bytes, tear: Tear) -> None:
        """Lose power in a command. An increment that is cut off leaves its mark, and the old value (8.7)."""
        is_cut_off = tear.mode in (TornMode.ERASED, TornMode.PARTIAL)
        if self._is_active and is_cut_off and _is_increment(frame) and not self._refused_increment(frame):
            self.torn_counters.add(frame[1])
            self.changes += 1
        super().tear(frame, tear)

    def state(self) -> State:
        """The memory, and the counters that are no part of it."""
        return super().state() | {
            "counters": list(self.counters),
            "torn_counters": sorted(self.torn_counters),
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.counters = list(state["counters"])
        self.torn_counters = set(state["torn_counters"])

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {
            0x39: (2, self._read_counter),
            _INCREMENT: (_INCREMENT_SIZE, self._increment_counter),
            0x3E: (2, self._check_tearing),
            0x4B: (21, self._select_virtual_card),
        }

    def _read_counter(self, frame: bytes) -> bytes:
        return self.counters[frame[1]].to_bytes(3, "little") if frame[1] < _COUNTERS else NAK_ARGUMENT

    def _increment_counter(self, frame: bytes) -> bytes:
        refused = self._refused_increment(frame)
        if refused:
            return refused
        self.counters[frame[1]] += _step(frame)
        self.torn_counters.discard(frame[1])
        self.changes += 1
        return ACK

    def _refused_increment(self, frame: bytes) -> bytes:
        """The NAK for a counter that does not exist or would overflow."""
        if frame[1] >= _COUNTERS:
            return NAK_ARGUMENT
        return NAK_COUNTER if self.counters[frame[1]] + _step(frame) > _COUNTER_LIMIT else b""

    def _check_tearing(self, frame: bytes) -> bytes:
        if frame[1] >= _COUNTERS:
            return NAK_ARGUMENT
        return _TORN if frame[1] in self.torn_counters else _WHOLE

    def _select_virtual_card(self, _frame: bytes) -> bytes:
        """VCSL: the virtual card type identifier, a whole byte. What comes with the command is ignored."""
        return self.page(self.model.configuration_page + 1)[1:2]


def _is_increment(frame: bytes) -> bool:
    return len(frame) == _INCREMENT_SIZE and frame[0] == _INCREMENT


def _step(frame: bytes) -> int:
    """Three bytes, low one first; the fourth is ignored."""
    return int.from_bytes(frame[2:5], "little")
