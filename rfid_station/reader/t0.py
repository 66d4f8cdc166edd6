"""APDUs over T=0, which carries data in one direction only at a time (ISO 7816-3, 12.2).

Readers of contactless cards speak T=1; some say T=0 all the same, and then the program has to fetch
what the card has to say.
"""

from __future__ import annotations

from collections.abc import Callable

_MORE, _WRONG_LENGTH = 0x61, 0x6C
_HEADER = 4
_MOST_PARTS = 300
"""64 KiB in parts of 256 bytes, and a few: no card has more to say."""


def exchange_t0(transmit: Callable[[bytes], bytes], apdu: bytes) -> bytes:
    """Send a short APDU and fetch its whole answer: 61xx and 6Cxx never get to the caller."""
    command = _without_le(apdu)
    answer = transmit(command)
    if answer[-2:-1] == bytes([_WRONG_LENGTH]) and len(command) <= _HEADER + 1:
        answer = transmit(command[:_HEADER] + answer[-1:])
    data = answer[:-2]
    for _ in range(_MOST_PARTS):
        if answer[-2:-1] != bytes([_MORE]):
            break
        answer = transmit(bytes([0x00, 0xC0, 0x00, 0x00, answer[-1]]))
        data += answer[:-2]
    return data + answer[-2:]


def _without_le(apdu: bytes) -> bytes:
    """Cut off the length that is expected back, if data go out as well: T=0 has no place for both."""
    if len(apdu) <= _HEADER + 1:
        return apdu
    end = _HEADER + 1 + apdu[_HEADER]
    return apdu[:end]
