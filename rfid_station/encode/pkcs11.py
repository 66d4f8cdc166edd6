"""Master keys that never leave a hardware module, reached by PKCS#11.

A master key is an AES key object labelled with its name and version, as `cards:3`. The module
encrypts blocks with it (CKM_AES_CBC), which is all that AN10922 takes: a card's own key comes out, and the
master key stays where it is, neither readable nor extractable. `python-pkcs11` is an optional extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rfid_station.chip.aes import BLOCK, ZERO_IV, AesKey, LocalAesKey, diversify
from rfid_station.domain.key import KeyRef, check_key_id, parse_key_ref
from rfid_station.errors import Conflict, KeyUnavailable, StationError, WrongCall

_KEY_BITS = 8 * BLOCK


@dataclass(frozen=True, slots=True)
class _ModuleKey:
    """A master key inside the module. It works and does not show itself."""

    ref: KeyRef
    handle: Any = field(repr=False)

    def encrypt(self, data: bytes, iv: bytes = ZERO_IV) -> bytes:
        """CBC without padding, inside the module."""
        import pkcs11

        return bytes(self.handle.encrypt(data, mechanism_param=iv, mechanism=pkcs11.Mechanism.AES_CBC))


@dataclass(frozen=True, slots=True)
class HardwareKeys:
    """A key ring in a hardware module, open until its `with` block ends."""

    session: Any = field(repr=False)

    @property
    def refs(self) -> list[KeyRef]:
        """All keys in all versions. Objects with other labels are not ours."""
        return sorted(ref for ref, _ in self._objects())

    def newest(self, key_id: str) -> KeyRef:
        """The version of a master key that new cards get."""
        found = [ref for ref in self.refs if ref.id == key_id]
        if not found:
            raise KeyUnavailable(
                f"the hardware module has no {key_id}", hint=f"rfid-station key new {key_id}"
            )
        return found[-1]

    def diversify(self, ref: KeyRef, diversification_input: bytes) -> AesKey:
        """The key that AN10922 derives, inside the module."""
        return LocalAesKey(diversify(self._key(ref), diversification_input))

    def check_value(self, ref: KeyRef) -> str:
        """Six digits that show whether two places hold the same key: the start of AES(key, zeros)."""
        return self._key(ref).encrypt(bytes(BLOCK))[:3].hex().upper()

    def add_new(self, name: str) -> KeyRef:
        """Let the module draw version 1 of a key.

        :raises Conflict: it has one of this name already
        """
        if any(ref.id == check_key_id(name) for ref in self.refs):
            raise Conflict(
                f"the hardware module has a {name} already", hint=f"rfid-station key rotate {name}"
            )
        return self._generate(KeyRef(name, 1))

    def add_next(self, name: str) -> KeyRef:
        """Let the module draw one more version of a key, which new cards get from now on.

        :raises KeyUnavailable: there is no such key
        """
        return self._generate(KeyRef(name, self.newest(name).version + 1))

    def _generate(self, ref: KeyRef) -> KeyRef:
        import pkcs11

        self.session.generate_key(
            pkcs11.KeyType.AES,
            _KEY_BITS,
            label=f"{ref}",
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT,
            template={
                pkcs11.Attribute.SENSITIVE: True,
                pkcs11.Attribute.EXTRACTABLE: False,
                pkcs11.Attribute.PRIVATE: True,
            },
        )
        return ref

    def _key(self, ref: KeyRef) -> _ModuleKey:
        for found, handle in self._objects():
            if found == ref:
                return _ModuleKey(ref, handle)
        raise KeyUnavailable(f"the hardware module has no {ref}", hint="rfid-station key list")

    def _objects(self) -> Iterator[tuple[KeyRef, Any]]:
        import pkcs11

        wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}
        for handle in self.session.get_objects(wanted):
            try:
                yield parse_key_ref(handle.label), handle
            except WrongCall:
                continue


@contextmanager
def open_module(path: str, token: str, pin: str) -> Iterator[HardwareKeys]:
    """Log in to a token of a PKCS#11 module.

    :raises KeyUnavailable: there is no such module or token, or the PIN is wrong
    :raises StationError: the extra that talks PKCS#11 is not installed
    """
    with _logged_in(_load(path), token, pin) as session:
        yield HardwareKeys(session)


def _load(path: str) -> Any:  # noqa: ANN401 - python-pkcs11 has no types
    try:
        import pkcs11
    except ImportError:
        raise StationError(
            "the part that talks to hardware modules is not installed",
            hint="pip install 'rfid-station[pkcs11]'",
        ) from None
    try:
        return pkcs11.lib(path)
    except (RuntimeError, pkcs11.PKCS11Error):
        raise KeyUnavailable(
            f"the PKCS#11 module {path} cannot be loaded", hint="keys.module in station.toml names its file"
        ) from None


def _logged_in(library: Any, token: str, pin: str) -> Any:  # noqa: ANN401 - python-pkcs11 has no types
    import pkcs11

    try:
        return library.get_token(token_label=token).open(rw=True, user_pin=pin)
    except pkcs11.NoSuchToken:
        raise KeyUnavailable(
            f"the hardware module has no token {token!r}",
            hint="pkcs11-tool --list-slots, then keys.token in station.toml",
        ) from None
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinLocked) as error:
        raise KeyUnavailable(
            f"the hardware module does not take this PIN: {type(error).__name__}",
            hint="a module locks itself after a few wrong PINs: make sure before trying again",
        ) from None
    except pkcs11.PKCS11Error as error:
        raise KeyUnavailable(
            f"the hardware module {token!r} cannot be used: {type(error).__name__}",
            hint="pkcs11-tool --list-slots",
        ) from None
