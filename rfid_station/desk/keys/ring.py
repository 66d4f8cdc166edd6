"""The station's key ring: opened when a profile first needs it, and grown under a lock.

Where the master keys lie (a sealed file, a hardware module) and who says the passphrase (the system's
keyring, the environment, the person at the keyboard) are settings.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rfid_station.desk.files import write_whole
from rfid_station.domain.key import KeyRef
from rfid_station.encode.keys import KeySource
from rfid_station.errors import KeyUnavailable, WrongCall
from rfid_station.settings import PROMPT, KeySettings
from rfid_station.vault import Vault

if TYPE_CHECKING:
    from rfid_station.encode.key_ring import KeyRing
    from rfid_station.encode.pkcs11 import HardwareKeys

Ask = Callable[[str], str]
"""Asks a person for a secret, which is not shown while it is typed."""


def ask_nobody(question: str) -> str:
    """Stand in where nobody is there to be asked.

    :raises WrongCall: always
    """
    raise WrongCall(
        f"nobody is here to be asked for the {question}",
        hint='set keys.passphrase (or keys.pin) to "env:NAME" or "keyring:NAME" in station.toml',
    )


@dataclass(slots=True)
class KeyCupboard:
    """Where a station's master keys are. Opened once, and then kept open until `close()`."""

    folder: Path
    settings: KeySettings
    vault: Vault
    ask: Ask = ask_nobody
    _opened: KeyRing | None = field(default=None, repr=False)
    _module: HardwareKeys | None = field(default=None, repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def ring_file(self) -> Path:
        """The sealed file."""
        return self.folder / self.settings.ring

    @property
    def is_hardware(self) -> bool:
        """Whether the keys lie in a hardware module."""
        return bool(self.settings.module)

    @property
    def is_there(self) -> bool:
        """Whether there are any keys, as far as that can be told without opening them."""
        return self.is_hardware or self.ring_file.is_file()

    def open(self) -> KeySource:
        """The keys, ready to be used.

        :raises KeyUnavailable: there are none yet, or they do not open
        """
        if self.is_hardware:
            return self._hardware()
        if self._opened is None:
            self._opened = self._open_file(self.passphrase())
        return self._opened

    def close(self) -> None:
        """Forget the keys."""
        self._opened = self._module = None
        self._stack.close()

    def listing(self) -> list[tuple[KeyRef, str]]:
        """All keys with their check values.

        :raises KeyUnavailable: there are none yet, or they do not open
        """
        source = self._hardware() if self.is_hardware else self._open_file(self.passphrase())
        return [(ref, source.check_value(ref)) for ref in source.refs]

    def add(self, name: str, key: bytes | None = None, *, next_version: bool = False) -> KeyRef:
        """Make a key, or one more version of it, and return its name once it is kept for good.

        :raises Conflict: there is one of this name already
        :raises KeyUnavailable: a next version is wanted of a key that is not there
        """
        if self.is_hardware:
            if key is not None:
                raise WrongCall(
                    "keys are not brought into a hardware module this way", hint="pkcs11-tool --keygen"
                )
            module = self._hardware()
            return module.add_next(name) if next_version else module.add_new(name)
        with self._changing() as (ring, passphrase):
            grown = ring.with_next(name, key) if next_version else ring.with_new(name, key)
            self._keep(grown, passphrase)
        return grown.newest(name)

    def change_passphrase(self, new: str) -> None:
        """Seal the ring anew.

        :raises WrongCall: the keys lie in a hardware module
        """
        if self.is_hardware:
            raise WrongCall("a hardware module keeps its own PIN", hint="pkcs11-tool --change-pin")
        with self._changing() as (ring, _):
            self._keep(ring, new)

    def passphrase(self) -> str:
        """The passphrase of the ring, from where the settings say."""
        return self._secret(self.settings.passphrase, f"passphrase of {self.ring_file.name}")

    def _secret(self, reference: str, question: str) -> str:
        return self.ask(question) if reference == PROMPT else self.vault.read(reference)

    def _open_file(self, passphrase: str) -> KeyRing:
        from rfid_station.encode.key_ring import unseal

        try:
            raw = self.ring_file.read_bytes()
        except FileNotFoundError:
            raise KeyUnavailable(
                f"there is no key ring at {self.ring_file}", hint="rfid-station key new cards"
            ) from None
        return unseal(raw, passphrase)

    def _hardware(self) -> HardwareKeys:
        from rfid_station.encode.pkcs11 import open_module

        if self._module is None:
            pin = self._secret(self.settings.pin, f"PIN of {self.settings.token}")
            opened = open_module(self.settings.module, self.settings.token, pin)
            self._module = self._stack.enter_context(opened)
        return self._module

    def _first_passphrase(self) -> str:
        """The passphrase of a ring that is made now; typed twice, since nobody could open it else."""
        first = self.passphrase()
        again = f"passphrase of {self.ring_file.name}, again"
        if self.settings.passphrase == PROMPT and self.ask(again) != first:
            raise WrongCall("the two passphrases differ", hint="type it again")
        return first

    @contextmanager
    def _changing(self) -> Iterator[tuple[KeyRing, str]]:
        """Hold the ring alone, so that nobody's new version is overwritten: cards may have it already."""
        from rfid_station.encode.key_ring import KeyRing

        lock = self.ring_file.with_name(f".{self.ring_file.name}.lock")
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self.ring_file.exists():
                passphrase = self.passphrase()
                ring = self._open_file(passphrase)
            else:
                passphrase, ring = self._first_passphrase(), KeyRing()
            yield ring, passphrase

    def _keep(self, ring: KeyRing, passphrase: str) -> None:
        from rfid_station.encode.key_ring import seal, unseal

        sealed = seal(ring, passphrase)
        unseal(sealed, passphrase)
        write_whole(self.ring_file, sealed, mode=0o600)
        self._opened = None


def components_to_key(components: list[str]) -> bytes:
    """Join the components of a key ceremony: each 32 hexadecimal digits, XORed.

    :raises WrongCall: one of them has another form
    """
    key = bytes(16)
    for number, text in enumerate(components, start=1):
        try:
            component = bytes.fromhex(text.strip())
        except ValueError:
            component = b""
        if len(component) != len(key):
            raise WrongCall(f"component {number} is not 32 hexadecimal digits", hint="type it again")
        key = bytes(left ^ right for left, right in zip(key, component, strict=True))
    return key
