"""NFC Forum Type 2 commands as NXP's chips speak them (NTAG21x data sheet, chapter 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rfid_station.chip.catalogue import FRONT, PAGE_SIZE, Type2Chip
from rfid_station.chip.exchange import ACK, Dialogue, Restart, SecretFrame
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardDefective, CardLost

GET_VERSION, VERSION_SIZE = b"\x60", 8
"""Asks which chip it is. Chips that do not know the question say NAK or nothing, and wait for a `Restart`."""

_READ_PAGES = 4
"""How many pages READ answers."""

_HOLD_STILL = "put the card back and hold it still"

_NAK_WORDS = {
    0x0: "the chip says the argument is invalid, so the page is locked or does not exist",
    0x4: "the chip says there were too many wrong passwords",
    0x5: "the chip says its memory could not be written",
}
_NAK_DAMAGED_FRAME = 0x1
"""CRC or parity error on the way: nothing is wrong with the chip."""


def fast_read(first: int, last: int) -> Dialogue[bytes]:
    """Read pages `first` to `last`, both included, in one exchange.

    :raises CardDefective: the card refuses, as it does for pages behind a read password
    :raises CardLost: the card does not answer
    """
    wanted = (last - first + 1) * PAGE_SIZE
    answer = yield bytes([0x3A, first, last])
    _check(answer, wanted, f"pages {first:02X}-{last:02X} cannot be read")
    return answer


def read(page: int) -> Dialogue[bytes]:
    """Read 16 bytes: four pages, which begin anew with page 0 where the readable memory ends.

    :raises CardDefective: the card refuses, as it does for a page that does not exist
    :raises CardLost: the card does not answer
    """
    answer = yield bytes([0x30, page])
    _check(answer, _READ_PAGES * PAGE_SIZE, f"page {page:02X} cannot be read")
    return answer


def read_pages(chip: Type2Chip, wanted: Iterable[int]) -> Dialogue[dict[int, bytes]]:
    """Read these pages, and those between them, in as few exchanges as the chip allows.

    :raises CardDefective: the card refuses
    :raises CardLost: the card does not answer
    """
    pages: dict[int, bytes] = {}
    for first, last in spans(wanted, FRONT if chip.fast_read else _READ_PAGES):
        if chip.fast_read:
            pages |= split_pages(first, (yield from fast_read(first, last)))
        else:
            pages |= split_pages(first, (yield from read(first))[: (last - first + 1) * PAGE_SIZE])
    return pages


def spans(wanted: Iterable[int], longest: int) -> Iterator[tuple[int, int]]:
    """Cover page numbers by the fewest stretches of at most `longest` pages: first and last of each."""
    left = sorted(wanted)
    while left:
        first = left[0]
        within = [page for page in left if page < first + longest]
        yield first, within[-1]
        left = left[len(within) :]


def split_pages(first: int, memory: bytes) -> dict[int, bytes]:
    """Cut memory into pages, numbered from `first`."""
    return {first + at // PAGE_SIZE: memory[at : at + PAGE_SIZE] for at in range(0, len(memory), PAGE_SIZE)}


def write(page: int, data: bytes) -> Dialogue[None]:
    """Write one page of 4 bytes. What holds a part of a secret stays a `SecretFrame`.

    :raises CardDefective: the card refuses
    :raises CardLost: the card does not answer, so the page may be written, half written or not
    """
    frame = bytes([0xA2, page]) + data
    answer = yield SecretFrame(frame) if isinstance(data, SecretFrame) else frame
    if answer != ACK:
        _check(answer, -1, f"page {page:02X} cannot be written")


def is_refused(page: int, data: bytes) -> Dialogue[bool]:
    """Try to write a page, and tell whether the card refuses; it listens to nothing then until a `Restart`.

    Some readers swallow the card's NAK, so that silence counts as one.
    """
    return (yield bytes([0xA2, page]) + data) != ACK


def log_in(password: bytes, acknowledge: bytes) -> Dialogue[bool]:
    """PWD_AUTH: tell whether the card takes a password of 4 bytes and answers with the right PACK of 2.

    When it does not, it listens to nothing until a `Restart`.
    """
    return (yield SecretFrame(b"\x1b" + password)) == acknowledge


def restart(uid: CardUid) -> Dialogue[None]:
    """Wake up a card that listens to nothing any more.

    :raises CardLost: another card is there
    """
    if (yield Restart()) != uid.raw:
        raise CardLost(f"card {uid.masked} was tapped, and another one answers now", hint=_HOLD_STILL)


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
