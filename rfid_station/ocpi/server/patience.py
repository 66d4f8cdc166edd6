"""How many wrong tokens are looked up for one address. Whoever is known is never kept waiting by others."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

MOST_WRONG = 100
"""Wrong tokens of one address within `WINDOW_S`; beyond them nothing is looked up for it any more."""
WINDOW_S = 60.0
_MOST_ADDRESSES = 4096
_MOST_KNOWN = 4096


class Patience:
    """Counts wrong tokens by address. Used from one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def wait_s(self, address: str, shown: Iterable[str]) -> int:
        """For how many seconds nothing is looked up for that address; 0 if at once.

        A token that was good before is looked up whatever others at the same address do.
        """
        until_s, wrong = self._wrong.get(address, (0.0, 0))
        left_s = until_s - self._clock()
        if wrong < MOST_WRONG or left_s <= 0 or any(_digest(token) in self._known for token in shown):
            return 0
        return math.ceil(left_s)

    def note_good(self, token: str) -> None:
        """Remember a token that let somebody in."""
        self._known[_digest(token)] = None
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def note_wrong(self, address: str) -> None:
        """Remember that nobody was let in."""
        until_s, wrong = self._wrong.pop(address, (0.0, 0))
        now_s = self._clock()
        self._wrong[address] = (until_s, wrong + 1) if until_s > now_s else (now_s + WINDOW_S, 1)
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
