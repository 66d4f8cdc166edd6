"""What a trace holds: one JSON object a line, and no secret in any.

| line | fields beside `at`, the seconds since the trace began |
|---|---|
| `reader` | `reader` (its URI), `form` (1) |
| `card` | `standard`, `atr`, `sak`, `atqa`, `ats` |
| `frame`, `apdu` | `command`, `answer` |
| `login` | `block`, `key`, `is_key_b`, `answer` |
| `read-block` | `block`, `answer` |
| `write-block` | `block`, `data`, `answer` |
| `restart`, `uid` | `answer`, the UID |
| `gone` | the card was given back |

`event` names the line, and `took` says how many seconds it took. Bytes are hexadecimal; `{"secret": 6}` are
six bytes that are not shown; a list is pieces of both kinds. Where an `answer` would be there may be an
`error`, the name of its class, with `message`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfid_station.chip.exchange import Apdu, Exchange, ReadBlock, SecretFrame, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Sighting, Standard

FORM = 1
Shown = str | dict[str, int] | list[Any]
"""Bytes as they are shown."""
Line = dict[str, Any]

_PWD_AUTH = 0x1B
_PWD_AUTH_SIZE = 5
_STATUS_SIZE = 2
_KEY_SIZE, _ACCESS_SIZE, _BLOCK_SIZE = 6, 4, 16
_LONGEST = 1 << 16
_PUBLIC_KEYS = (bytes(6), b"\xff" * 6)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the bytes: in the open, or their number alone."""

    content: bytes | None
    size: int


def show_command(command: Exchange) -> Line:
    """A command as a line of a trace."""
    match command:
        case Apdu(apdu):
            return {"event": "apdu", "command": _shown(apdu, is_secret=isinstance(apdu, SecretFrame))}
        case SectorLogin(block, key, is_key_b):
            return {"event": "login", "block": block, "key": hidden(len(key)), "is_key_b": is_key_b}
        case ReadBlock(block):
            return {"event": "read-block", "block": block}
        case WriteBlock(block, data):
            shown = _show_trailer(data) if is_trailer(block) else data.hex().upper()
            return {"event": "write-block", "block": block, "data": shown}
        case _:
            return {"event": "frame", "command": _shown(command, is_secret=_is_secret_frame(command))}


def show_answer(command: Exchange, answer: bytes) -> Shown:
    """What came back. What answers a secret is one itself, but for ACK, NAK and status words."""
    match command:
        case Apdu(apdu) if isinstance(apdu, SecretFrame):
            return _hide_all_but_the_end(answer, _STATUS_SIZE)
        case ReadBlock(block) if is_trailer(block):
            return _show_trailer(answer)
        case bytes() if _is_secret_frame(command) and len(answer) > 1:
            return hidden(len(answer))
    return answer.hex().upper()


def show_sighting(seen: Sighting) -> Line:
    """What the reader saw, as a line of a trace."""
    return {
        "event": "card",
        "standard": f"{seen.standard}",
        "atr": seen.atr.hex().upper(),
        "sak": seen.sak,
        "atqa": seen.atqa.hex().upper(),
        "ats": seen.ats.hex().upper(),
    }


def read_sighting(line: Line) -> Sighting:
    """The way back.

    :raises ValueError, KeyError, TypeError: the line is not one of a sighting
    """
    sak = line["sak"]
    return Sighting(
        Standard(line["standard"]),
        bytes.fromhex(line["atr"]),
        None if sak is None else int(sak),
        bytes.fromhex(line["atqa"]),
        bytes.fromhex(line["ats"]),
    )


def hidden(size: int) -> Shown:
    """So many bytes that are nobody's business."""
    return {"secret": size}


def pieces(shown: object) -> list[Piece]:
    """Bytes as they were shown, in pieces.

    :raises ValueError, KeyError, TypeError: this shows no bytes
    """
    if isinstance(shown, str):
        content = bytes.fromhex(shown)
        return [Piece(content, len(content))]
    if isinstance(shown, dict) and 0 <= int(shown["secret"]) <= _LONGEST:
        return [Piece(None, int(shown["secret"]))]
    if isinstance(shown, list):
        return [piece for part in shown for piece in pieces(part)]
    raise ValueError(shown)


def could_be(shown: object, content: bytes) -> bool:
    """Whether these bytes may be the ones that were shown: what is hidden matches anything of its length."""
    parts = pieces(shown)
    if sum(part.size for part in parts) != len(content):
        return False
    at = 0
    for part in parts:
        if part.content is not None and part.content != content[at : at + part.size]:
            return False
        at += part.size
    return True


def stand_in(shown: object) -> bytes:
    """The bytes that were shown, with zeros for what is hidden."""
    return b"".join(bytes(part.size) if part.content is None else part.content for part in pieces(shown))


def is_trailer(block: int) -> bool:
    """Whether a MIFARE Classic block holds keys: the last of each sector of 4, from 128 on of 16 blocks."""
    return block % 4 == 3 if block < 128 else block % 16 == 15


def _is_secret_frame(frame: bytes) -> bool:
    """PWD_AUTH shows a password whether whoever made the frame says so or not."""
    return isinstance(frame, SecretFrame) or (
        frame[:1] == bytes([_PWD_AUTH]) and len(frame) == _PWD_AUTH_SIZE
    )


def _shown(content: bytes, *, is_secret: bool) -> Shown:
    return hidden(len(content)) if is_secret else bytes.hex(content).upper()


def _hide_all_but_the_end(content: bytes, size: int) -> Shown:
    if len(content) <= size:
        return content.hex().upper()
    return [hidden(len(content) - size), content[-size:].hex().upper()]


def _show_trailer(content: bytes) -> Shown:
    """Access bits in the open, keys not: but for those that anybody knows, or that read as zero."""
    if len(content) != _BLOCK_SIZE:
        return content.hex().upper()
    return [
        _show_key(content[:_KEY_SIZE]),
        content[_KEY_SIZE : _KEY_SIZE + _ACCESS_SIZE].hex().upper(),
        _show_key(content[-_KEY_SIZE:]),
    ]


def _show_key(key: bytes) -> Shown:
    return key.hex().upper() if key in _PUBLIC_KEYS else hidden(len(key))
