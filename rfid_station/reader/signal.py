"""Green and one beep, red and two: what a reader can show a person. Never needed, and never an error.

ACR122U API 2.04, 6.2 (an APDU, as long as a card lies there); ACR1552U reference manual 1.08, 6.2 and
ACR1252U reference manual, 5.4 (escape commands, which the driver has to allow).
"""

from __future__ import annotations

from collections.abc import Callable

from rfid_station.reader.port import Reader

Ask = Callable[[bytes], bytes]
"""Hands bytes to the reader; the answer is empty if that did not work."""

_ACR122U = {True: bytes.fromhex("FF00400E0401000101"), False: bytes.fromhex("FF00400D0402020201")}
"""Green at the end, one tone of 0.1 s; red at the end, two tones of 0.2 s."""

ESCAPE_FIRMWARE = bytes.fromhex("E000001800")
_ESCAPE_ANSWER = b"\xe1"
_LIGHT = {True: bytes.fromhex("E0000029 01 02"), False: bytes.fromhex("E0000029 01 01")}
"""Bit 1 is green everywhere; bit 0 is red on an ACR1252U, blue on an ACR1552U without colours."""
_TONES = {True: bytes.fromhex("E0000028 01 0A"), False: bytes.fromhex("E0000028 03 0A 0A 02")}
_LONG_TONE = bytes.fromhex("E0000028 01 28")
"""For readers that cannot repeat a tone."""


def signal(reader: Reader, *, ok: bool) -> None:
    """Let a reader show how it went, green and one beep or red and two, if it can: by its own `signal`."""
    show: Callable[..., None] | None = getattr(reader, "signal", None)
    if show:
        show(ok=ok)


def signal_acr122u(ask: Ask, *, ok: bool) -> None:
    """For a reader that said it is an ACR122U."""
    ask(_ACR122U[ok])


def signal_by_escape(ask: Ask, *, ok: bool) -> None:
    """For a reader that answered `ESCAPE_FIRMWARE`."""
    ask(_LIGHT[ok])
    if not answers_escape(ask(_TONES[ok])):
        ask(_LONG_TONE)


def answers_escape(answer: bytes) -> bool:
    """Whether this is how ACS readers answer an escape command."""
    return answer.startswith(_ESCAPE_ANSWER)
