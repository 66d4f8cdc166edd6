"""Where the client tokens of partners lie: one file each, readable by the owner only.

The store keeps a reference (`file:NAME` or `env:NAME`), so a stolen backup of the store
opens no partner's door. `keyring:NAME` asks the keyring of the system that the user has logged in to.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rfid_station.errors import WrongCall

SERVICE = "rfid-station"
"""Under which name the system's keyring keeps our secrets."""


@dataclass(frozen=True, slots=True)
class Vault:
    """The secrets folder of one station."""

    folder: Path

    def keep(self, name: str, secret: str) -> str:
        """Write a secret to a new file, on disk before this returns; the reference to it.

        A file is never rewritten: who still holds an older reference reads the older secret.
        """
        return self.keep_as(f"{name}-{secrets.token_hex(4)}", secret)

    def keep_as(self, name: str, secret: str) -> str:
        """Write a secret to a new file of this very name, as `keep` does; the reference to it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        return f"file:{path.name}"

    def keep_once(self, name: str, draw: Callable[[], str]) -> str:
        """Read the secret of this name, which is drawn when somebody first asks for it.

        Of several who ask first at the same time all get the same.
        """
        path = self.folder / name
        if not path.exists():
            drawn = self.folder / self.keep(name, draw()).removeprefix("file:")
            with suppress(FileExistsError):
                os.link(drawn, path)
            drawn.unlink()
        return self.read(f"file:{name}")

    def read(self, reference: str) -> str:
        """Read the secret behind a reference.

        :raises WrongCall: it is not there, or the reference has no known form
        """
        kind, _, name = reference.partition(":")
        if kind == "env":
            return self._from_environment(name)
        if kind == "keyring" and name:
            return _from_keyring(name)
        if kind != "file" or not name or Path(name).name != name:
            raise WrongCall(
                f"{reference!r} refers to no secret", hint="write file:NAME, env:NAME or keyring:NAME"
            )
        path = self.folder / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            raise WrongCall(
                f"the secret {path} is missing",
                hint="restore the station's secrets folder, or connect the partner anew",
            ) from None

    def forget(self, reference: str) -> None:
        """Delete the file behind a reference, if it is one."""
        kind, _, name = reference.partition(":")
        if kind == "file":
            (self.folder / name).unlink(missing_ok=True)

    def _from_environment(self, name: str) -> str:
        try:
            return os.environ[name].strip()
        except KeyError:
            raise WrongCall(
                f"the environment has no {name}", hint=f"export {name}=… before the command"
            ) from None


def _from_keyring(name: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise WrongCall(
            "the part that asks the system's keyring is not installed",
            hint="pip install 'rfid-station[keyring]'",
        ) from None
    try:
        secret = keyring.get_password(SERVICE, name)
    except KeyringError as error:
        raise WrongCall(f"the system's keyring cannot be used: {error}", hint="log in to it first") from None
    if secret is None:
        raise WrongCall(f"the system's keyring has no {name}", hint=f"keyring set {SERVICE} {name}")
    return secret
