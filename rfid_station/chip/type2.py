"""NFC Forum Type 2 commands as NXP's chips speak them (NTAG21x data sheet, chapter 10)."""

from __future__ import annotations

from rfid_station.chip.catalogue import PAGE_SIZE
from rfid_station.chip.exchange import Dialogue
from rfid_station.errors import CardDefective, CardLost

ACK = b"\x0a"
MOST_PAGES_AT_ONCE = 60
"""240 bytes: what fits into one short APDU beside its wrapping."""

_HOLD_STILL = "put the card back and hold it still"

_NAK_WORDS = {
    0x0: "the chip says the argument is invalid, so the page is locked or does not exist",
    0x4: "the chip says there were too many wrong passwords",
    0x5: "the chip says its memory could not be written",
}
_NAK_DAMAGED_FRAME = 0x1
"""CRC or parity error on the way: nothing is wrong with the chip."""


def get_version() -> Dialogue[bytes | None]:
    """Ask which chip it is: 8 bytes, or None when the card does not know the command."""
    answer = yield b"\x60"
    return answer if len(answer) == 8 else None


def fast_read(first: int, last: int) -> Dialogue[bytes]:
    """Read pages `first` to `last`, both included, in one exchange.

    :raises CardDefective: the card refuses, as it does for pages behind a read password
    :raises CardLost: the card does not answer
    """
    wanted = (last - first + 1) * PAGE_SIZE
    answer = yield bytes([0x3A, first, last])
    _check(answer, wanted, f"pages {first:02X}-{last:02X} cannot be read")
    return answer


def write(page: int, data: bytes) -> Dialogue[None]:
    """Write one page of 4 bytes.

    :raises CardDefective: the card refuses
    :raises CardLost: the card does not answer, so the page may be written, half written or not
    """
    answer = yield bytes([0xA2, page]) + data
    if answer != ACK:
        _check(answer, -1, f"page {page:02X} cannot be written")


def _check(answer: bytes, wanted: int, what: str) -> None:
    if len(answer) == wanted:
        return
    if not answer:
        raise CardLost(f"{what}: the card does not answer", hint=_HOLD_STILL)
    nak = answer[0] & 0x0F
    if len(answer) == 1 and nak != _NAK_DAMAGED_FRAME:
        words = _NAK_WORDS.get(nak, "a code we do not know")
        raise CardDefective(
            f"{what}: NAK {nak:X}, {words}", hint="put this card aside and take another blank"
        )
    raise CardLost(f"{what}: a damaged answer of {len(answer)} bytes came", hint=_HOLD_STILL)
