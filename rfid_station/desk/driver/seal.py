"""What pages hand out and take back: short texts that only this station can have written, for a short time.

A text is `fields.mac`, sealed by HMAC-SHA256 with a key that lies beside the client tokens of partners.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from rfid_station.vault import Vault

FORM_S = 3600
"""How long a form may lie open."""
PERMIT_S = 300
"""How long a tap permits something."""

_KEY = "page.key"
_KEY_BYTES = 32
_PERMIT = re.compile(r"(\d{1,18})\.(\d{1,9})\.(\d{1,12})\.[\w-]{43}", re.ASCII)
_FORM = re.compile(r"(\d{1,12})\.[\w-]{43}", re.ASCII)

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Seal:
    """Writes permits and form tokens, and knows its own again."""

    key: bytes = field(repr=False)
    clock: Clock = time.time
    """Seconds since the epoch."""

    def permit(self, card_id: int, counter: int) -> str:
        """What one tap permits for its card."""
        return self._sealed("permit", f"{card_id}.{counter}.{int(self.clock()) + PERMIT_S}")

    def counter_in(self, permit: str, card_id: int) -> int | None:
        """Which tap of this card permits something; None if it is over, another card's, or not ours."""
        parts = _PERMIT.fullmatch(permit)
        if not parts or not self._is_ours("permit", permit):
            return None
        card, counter, until = (int(part) for part in parts.groups())
        return counter if card == card_id and self.clock() <= until else None

    def form(self, alias: str) -> str:
        """What a form of this card carries, so that nobody else's page can send one."""
        return self._sealed(f"form {alias}", f"{int(self.clock())}")

    def is_form(self, token: str, alias: str) -> bool:
        """Whether a form of this card carried that, and not too long ago."""
        parts = _FORM.fullmatch(token)
        if not parts or not self._is_ours(f"form {alias}", token):
            return False
        return 0 <= self.clock() - int(parts[1]) <= FORM_S

    def _sealed(self, use: str, fields: str) -> str:
        mac = hmac.digest(self.key, f"{use}:{fields}".encode(), "sha256")
        return f"{fields}.{urlsafe_b64encode(mac).decode().rstrip('=')}"

    def _is_ours(self, use: str, sealed: str) -> bool:
        fields, _, _ = sealed.rpartition(".")
        return hmac.compare_digest(self._sealed(use, fields), sealed)


def open_seal(vault: Vault, clock: Clock = time.time) -> Seal:
    """The seal of a station; its key is drawn when it is first needed.

    :raises WrongCall: the key is not there any more
    """
    return Seal(bytes.fromhex(vault.keep_once(_KEY, lambda: secrets.token_hex(_KEY_BYTES))), clock)
