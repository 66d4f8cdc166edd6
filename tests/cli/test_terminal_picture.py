"""Pictures for terminals, taken apart again as a terminal would."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping

import pytest
from PIL import Image

from rfid_station.cli.terminal_picture import Protocol, escaped_png, protocol_of
from rfid_station.printing.sixel import sixels


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Protocol.KITTY),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM2),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Protocol.ITERM2),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Protocol.ITERM2),
        ({"TERM": "foot"}, Protocol.SIXEL),
        ({"TERM": "mlterm"}, Protocol.SIXEL),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "dumb", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "foot", "TMUX": "/tmp/x"}, None),
        ({}, None),
    ],
)
def test_who_can_show_pictures(environment: Mapping[str, str], protocol: Protocol | None) -> None:
    assert protocol_of(environment) is protocol


@pytest.mark.parametrize("size", [1, 3072, 3073, 10_000])
def test_kitty_gets_it_in_pieces(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    pieces = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", escaped_png(data, Protocol.KITTY))
    assert base64.b64decode("".join(piece for _, piece in pieces)) == data
    assert all(len(piece) <= 4096 for _, piece in pieces)
    assert pieces[0][0].startswith("a=T,f=100,")
    assert [control[-1] for control, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]


def test_iterm2_gets_it_whole() -> None:
    match = re.fullmatch(
        r"\x1b\]1337;File=inline=1;size=(\d+);preserveAspectRatio=1:(.*)\a\n",
        escaped_png(b"abc", Protocol.ITERM2),
    )
    assert match
    assert (int(match[1]), base64.b64decode(match[2])) == (3, b"abc")


def shown(text: str) -> Image.Image:
    """What a terminal draws of sixels."""
    match = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\\n', text, re.DOTALL)
    assert match
    picture = Image.new("RGB", (int(match[1]), int(match[2])), (1, 2, 3))
    colors: dict[int, tuple[int, ...]] = {}
    x, top, color = 0, 0, 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|([?-~])|([$-])", match[3]):
        if token[1]:
            color = int(token[1])
            if token[2]:
                colors[color] = tuple(round(int(part) * 2.55) for part in token.groups()[1:4])
        elif token[8]:
            x, top = 0, top + (6 if token[8] == "-" else 0)
        else:
            sign, count = token[6] or token[7], int(token[5] or 1)
            for bit in range(6):
                if (ord(sign) - 63) >> bit & 1:
                    picture.paste(colors[color], (x, top + bit, x + count, top + bit + 1))
            x += count
    return picture


def test_sixels_show_the_picture() -> None:
    picture = Image.new("RGB", (50, 20), (255, 255, 255))
    picture.paste((0, 102, 204), (5, 3, 30, 16))
    picture.putpixel((49, 19), (255, 0, 0))
    target = io.BytesIO()
    picture.save(target, "PNG")
    drawn = shown(sixels(target.getvalue(), 900))
    assert drawn.size == (50, 20)
    for point in ((0, 0), (5, 3), (29, 15), (30, 15), (49, 19), (10, 6)):
        assert drawn.getpixel(point) == pytest.approx(picture.getpixel(point), abs=3)


def test_wide_pictures_are_made_smaller() -> None:
    target = io.BytesIO()
    Image.new("RGB", (400, 100), (10, 200, 30)).save(target, "PNG")
    assert shown(sixels(target.getvalue(), 100)).size == (100, 25)
