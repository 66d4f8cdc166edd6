"""The key ring: master keys in one file, sealed by a passphrase.

scrypt (RFC 7914) stretches the passphrase, AES-256-GCM seals the keys, and all that is readable
without the passphrase is authenticated with them, so that nobody can weaken the stretching. A ring is a
value: adding a key makes a new ring.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rfid_station.chip.aes import BLOCK, AesKey, LocalAesKey, diversify
from rfid_station.domain.key import KeyRef, check_key_id
from rfid_station.errors import Conflict, KeyUnavailable, WrongCall

FORMAT = "rfid-station key ring 1"
NEWEST_VERSION = 255

_SALT, _NONCE = 16, 12
_STRETCHING = {"n": 1 << 17, "r": 8, "p": 1}
"""128 MiB and about half a second for each guess at the passphrase."""
_MOST_STRETCHING = {"n": 1 << 20, "r": 16, "p": 4}
"""What a ring may ask of this machine before its passphrase is known."""
_SHORTEST_PASSPHRASE = 8


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Master keys by name and version. Printing it shows names only."""

    versions: Mapping[str, Mapping[int, bytes]] = field(default_factory=dict, repr=False)

    @property
    def refs(self) -> list[KeyRef]:
        """All keys in all versions."""
        return sorted(KeyRef(name, version) for name, held in self.versions.items() for version in held)

    def newest(self, key_id: str) -> KeyRef:
        """The version of a master key that new cards get."""
        if key_id not in self.versions:
            raise KeyUnavailable(f"the key ring has no {key_id}", hint=f"rfid-station key new {key_id}")
        return KeyRef(key_id, max(self.versions[key_id]))

    def diversify(self, ref: KeyRef, diversification_input: bytes) -> AesKey:
        """The key that AN10922 derives from a master key."""
        return LocalAesKey(diversify(LocalAesKey(self._raw(ref)), diversification_input))

    def check_value(self, ref: KeyRef) -> str:
        """Six digits that show whether two rings hold the same key: the start of AES(key, zeros)."""
        return LocalAesKey(self._raw(ref)).encrypt(bytes(BLOCK))[:3].hex().upper()

    def with_new(self, name: str, key: bytes | None = None) -> KeyRing:
        """A ring that also has this key as version 1, drawn by chance if none is given.

        :raises Conflict: it has one of this name already
        """
        if check_key_id(name) in self.versions:
            raise Conflict(
                f"the key ring has a {name} already",
                hint=f"rfid-station key rotate {name}, for a new version",
            )
        return self._with(KeyRef(name, 1), key)

    def with_next(self, name: str, key: bytes | None = None) -> KeyRing:
        """A ring with one more version of a key, which new cards get from now on. The old ones stay.

        :raises KeyUnavailable: there is no such key
        :raises Conflict: it has had all versions a chip can tell apart
        """
        newest = self.newest(name)
        if newest.version == NEWEST_VERSION:
            raise Conflict(
                f"{newest} is the last version of {name}", hint="rfid-station key new, with another name"
            )
        return self._with(KeyRef(name, newest.version + 1), key)

    def _with(self, ref: KeyRef, key: bytes | None) -> KeyRing:
        raw = os.urandom(BLOCK) if key is None else key
        if len(raw) != BLOCK:
            raise WrongCall(
                f"a master key has {BLOCK} bytes, not {len(raw)}", hint="give 32 hexadecimal digits"
            )
        return KeyRing({**self.versions, ref.id: {**self.versions.get(ref.id, {}), ref.version: raw}})

    def _raw(self, ref: KeyRef) -> bytes:
        try:
            return self.versions[ref.id][ref.version]
        except KeyError:
            raise KeyUnavailable(
                f"the key ring has no {ref}",
                hint="put back the ring that has it; `rfid-station key list` shows what is there",
            ) from None


def seal(ring: KeyRing, passphrase: str, stretching: Mapping[str, int] | None = None) -> bytes:
    """The ring as a file that only the passphrase opens.

    :raises WrongCall: the passphrase is too short
    """
    if len(passphrase) < _SHORTEST_PASSPHRASE:
        raise WrongCall(
            f"a passphrase of {len(passphrase)} characters protects nothing",
            hint=f"take {_SHORTEST_PASSPHRASE} characters or more, as four words by chance",
        )
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    head = {
        "format": FORMAT,
        "scrypt": dict(stretching or _STRETCHING),
        "salt": salt.hex(),
        "nonce": nonce.hex(),
    }
    keys = {
        name: {f"{version}": key.hex() for version, key in held.items()}
        for name, held in ring.versions.items()
    }
    sealed = _gcm(passphrase, head).encrypt(nonce, json.dumps(keys).encode(), _canonical(head))
    return json.dumps({**head, "sealed": base64.b64encode(sealed).decode()}, indent=1).encode() + b"\n"


def unseal(raw: bytes, passphrase: str) -> KeyRing:
    """The ring in a file.

    :raises KeyUnavailable: the passphrase is wrong, or somebody changed the file
    :raises WrongCall: the file is no key ring
    """
    from cryptography.exceptions import InvalidTag

    head, sealed = _parse(raw)
    try:
        opened = _gcm(passphrase, head).decrypt(bytes.fromhex(head["nonce"]), sealed, _canonical(head))
    except InvalidTag:
        raise KeyUnavailable(
            "the key ring does not open: the passphrase is wrong, or the file was changed",
            hint="try again; after that, put back a copy of the key ring",
        ) from None
    held = json.loads(opened)
    return KeyRing(
        {
            name: {int(version): bytes.fromhex(key) for version, key in keys.items()}
            for name, keys in held.items()
        }
    )


def _parse(raw: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        table = json.loads(raw)
        sealed = base64.b64decode(table.pop("sealed"), validate=True)
        is_ours = table["format"] == FORMAT and set(table) == {"format", "scrypt", "salt", "nonce"}
        is_sane = len(bytes.fromhex(table["nonce"])) == _NONCE and len(bytes.fromhex(table["salt"])) == _SALT
        is_modest = _is_modest(table["scrypt"])
    except (ValueError, KeyError, TypeError, AttributeError):
        is_ours = is_sane = is_modest = False
    if not (is_ours and is_sane and is_modest):
        raise WrongCall("the file is no key ring of this program", hint="keys.ring in station.toml names it")
    return table, sealed


def _is_modest(stretching: Mapping[str, int]) -> bool:
    """Whether a file asks for no more than a machine can give: it is read before it is trusted."""
    n = stretching["n"]
    return (
        set(stretching) == set(_MOST_STRETCHING)
        and n & (n - 1) == 0
        and all(1 <= stretching[name] <= most for name, most in _MOST_STRETCHING.items())
        and n > 1
    )


def _gcm(passphrase: str, head: Mapping[str, Any]) -> Any:  # noqa: ANN401 - cryptography is imported where it is used
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    stretch = Scrypt(salt=bytes.fromhex(head["salt"]), length=32, **head["scrypt"])
    return AESGCM(stretch.derive(passphrase.encode()))


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
