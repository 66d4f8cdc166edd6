"""Who may do what with a file: the four nibbles that DESFire and NTAG 424 DNA share (NT4H2421Gx, 8.2.3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from rfid_station.simulator.native.secure_messaging import Mode, Refusal, Session, Status

FREE, NEVER = 0xE, 0xF
"""Everybody, nobody. What is lower is the number of a key."""


def mode_of_access(rights: Sequence[int], mode: Mode, session: Session | None) -> Mode:
    """How a file may be reached now: in its own mode with a key that is named, else freely and in plain.

    :raises Refusal: it may not
    """
    if session is not None and session.key_number in rights:
        return mode
    if FREE in rights:
        return Mode.PLAIN
    is_never = all(right == NEVER for right in rights)
    raise Refusal(Status.PERMISSION_DENIED if is_never else Status.AUTHENTICATION)
