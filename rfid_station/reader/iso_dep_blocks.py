"""The block protocol that carries APDUs to a card of ISO/IEC 14443-4, and what its ATS says about it.

For readers that pass frames only. The numbers in the comments are the rules of ISO/IEC 14443-4, 7.5.4: the
program is the PCD. CID and NAD are not used. What a card sends is bounded in every way: a broken or wicked
card ends in `BlockError`, never in a loop without end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Exchange = Callable[[bytes, float], bytes]
"""A frame without CRC and how long to wait in seconds; the answer, or empty for silence and damage."""

FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
"""FSD and FSC by their index, in bytes, with the CRC of two (table 2)."""

_CRC = 2
_PROLOGUE = 1
_FIRST_FWT_S = 65536 / 13.56e6
"""How long a card may take to answer RATS (5.6.1.4 activation frame waiting time)."""

_UNIT_S = 4096 / 13.56e6
_LONGEST_FWT_S = _UNIT_S * (1 << 14)

_NUMBER, _CHAINED = 0x01, 0x10
_I_BLOCK, _R_ACK, _R_NAK, _S_WTX = 0x02, 0xA2, 0xB2, 0xF2

_MOST_SILENCES = 3
_MOST_TRIES = 6
"""Two losses are mended: each takes the question what became of the block, and the block once more."""
_MOST_ANSWER = 1 << 16
_MOST_WAITING_S = 60.0
_MOST_BLOCKS = 4096


class BlockError(Exception):
    """The card does not answer by the rules, or not at all."""


@dataclass(frozen=True, slots=True)
class Ats:
    """What a card says when it is asked to speak ISO 14443-4 (5.2). Missing parts have their defaults."""

    frame_size: int = 32
    """The longest frame the card takes, in bytes with CRC (FSC)."""
    wait_s: float = _UNIT_S * (1 << 4)
    """How long the card may take to answer (FWT)."""
    guard_s: float = 0.0
    """How long to leave the card in peace after the ATS (SFGT)."""


def rats(frame_size: int) -> bytes:
    """Ask for the ATS, and say how long frames to the reader may be."""
    index = max(number for number, size in enumerate(FRAME_SIZES) if size <= max(frame_size, 16))
    return bytes([0xE0, index << 4])


def first_wait_s() -> float:
    """How long to wait for the ATS."""
    return _FIRST_FWT_S


def parse_ats(ats: bytes) -> Ats | None:
    """Read an ATS of any length; None if it is not one. Cards exist that announce more than they send."""
    if not ats or not 1 <= ats[0] <= len(ats):
        return None
    content = ats[1 : ats[0]]
    if not content:
        return Ats()
    form, rest = content[0], content[1:]
    frame_size = FRAME_SIZES[min(form & 0x0F, len(FRAME_SIZES) - 1)]
    if form & 0x10:
        rest = rest[1:]
    if not form & 0x20 or not rest:
        return Ats(frame_size)
    wait, guard = rest[0] >> 4, rest[0] & 0x0F
    # 15 is reserved for both: then the default holds (5.2.5).
    wait_s = _UNIT_S * (1 << (4 if wait == 15 else wait))
    guard_s = _UNIT_S * (1 << guard) if 0 < guard < 15 else 0.0
    return Ats(frame_size, wait_s, guard_s)


class IsoDepBlocks:
    """One activated card. `room` is the longest frame that the reader can send, without CRC."""

    def __init__(self, exchange: Exchange, ats: Ats, room: int) -> None:
        self._exchange = exchange
        self._wait_s = ats.wait_s
        self._room = max(1, min(ats.frame_size - _CRC, room) - _PROLOGUE)
        self._number = 0

    def transmit(self, apdu: bytes) -> bytes:
        """An APDU to the card, its answer back.

        :raises BlockError: the card is silent, or breaks the rules
        """
        parts = [apdu[at : at + self._room] for at in range(0, len(apdu), self._room)] or [b""]
        for part in parts[:-1]:
            block = self._deliver(bytes([_I_BLOCK | _CHAINED | self._number]) + part)
            if not _is(block, _R_ACK):
                raise BlockError("the card did not take the parts of a command")
            self._toggle()
        return self._receive(self._deliver(bytes([_I_BLOCK | self._number]) + parts[-1]))

    def _receive(self, block: bytes) -> bytes:
        """Gather the parts of the answer that `block` begins."""
        answer = b""
        for _ in range(_MOST_BLOCKS):
            if not _is(block, _I_BLOCK):
                raise BlockError("the card acknowledged a command and did not answer it")
            answer += block[_PROLOGUE:]
            self._toggle()
            if not block[0] & _CHAINED:
                return answer
            if len(answer) > _MOST_ANSWER:
                break
            acknowledgement = bytes([_R_ACK | self._number])
            block = self._deliver(acknowledgement, again=acknowledgement)
        raise BlockError("the card's answer has no end")

    def _deliver(self, block: bytes, again: bytes | None = None) -> bytes:
        """Send a block until the one that belongs to it comes back (rules 4 to 6).

        `again` is what asks for a lost answer: R(NAK), or in an answer of many parts the same R(ACK).
        """
        ask_again = again or bytes([_R_NAK | self._number])
        sent, silences = block, 0
        for _ in range(_MOST_TRIES):
            answer = self._past_waiting(self._exchange(sent, self._wait_s))
            if not _is_well_formed(answer):
                sent, silences = ask_again, silences + 1
                if silences == _MOST_SILENCES:
                    break
            elif _is(answer, _R_ACK) and answer[0] & _NUMBER != self._number:
                # The card never got the block: it still has the number of the one before (rule 6).
                sent = block
            elif answer[0] & _NUMBER != self._number:
                sent = ask_again
            else:
                return answer
        raise BlockError("the card is silent")

    def _past_waiting(self, answer: bytes) -> bytes:
        """Grant the card the time it asks for (7.3), a minute at most."""
        waited_s = 0.0
        for _ in range(_MOST_BLOCKS):
            if len(answer) != _PROLOGUE + 1 or answer[0] != _S_WTX:
                return answer
            factor = max(1, answer[1] & 0x3F)
            wait_s = min(self._wait_s * factor, _LONGEST_FWT_S)
            waited_s += wait_s
            if waited_s > _MOST_WAITING_S:
                break
            answer = self._exchange(bytes([_S_WTX, factor]), wait_s)
        raise BlockError("the card asks for more and more time")

    def _toggle(self) -> None:
        self._number ^= _NUMBER


def _is(block: bytes, kind: int) -> bool:
    """Whether a well-formed block is an I-block or an R(ACK)."""
    mask = 0xE2 if kind == _I_BLOCK else 0xF2
    return block[0] & mask == kind


def _is_well_formed(block: bytes) -> bool:
    """Whether this is an I-block or an R(ACK) without CID and NAD (7.1.2.1)."""
    if not block or block[0] & 0x0C:
        return False
    return _is(block, _I_BLOCK) or (_is(block, _R_ACK) and len(block) == _PROLOGUE)
