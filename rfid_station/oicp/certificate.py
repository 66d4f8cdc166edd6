"""Our client certificate, by which a hub knows us: two PEM files, checked before anybody is called.

Source: OICP 2.3 for EMPs, Communication Paradigms (Security); RFC 7468 (PEM).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rfid_station.errors import WrongCall

HINT = "set tls_certificate and tls_key in [oicp] of station.toml to the PEM files that the hub signed for"

_CERTIFICATES = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Where the certificate (with its chain) and its private key lie. The key has no passphrase."""

    certificate: Path
    key: Path

    def identity(self) -> bytes:
        """The certificate, its chain and its key as one PEM, and nothing else that the files may hold.

        :raises WrongCall: a file is missing, no PEM, sealed, or the two do not belong together
        """
        chain, key = _content("certificate", self.certificate), _content("key", self.key)
        self._check_pair()
        return b"\n".join([*_CERTIFICATES.findall(chain), *(found[0] for found in _KEY.finditer(key))])

    def refused(self, why: str) -> WrongCall:
        """What to say of a pair that cannot be used."""
        return WrongCall(
            f"the certificate {self.certificate} and the key {self.key} cannot be used: {why}", hint=HINT
        )

    def _check_pair(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
                self.certificate, self.key, password=_no_passphrase
            )
        except _SealedError:
            raise WrongCall(
                f"the key {self.key} is sealed by a passphrase, and nobody is there to type it",
                hint=f"openssl pkey -in {self.key} -out NEW.pem, and chmod 600 NEW.pem",
            ) from None
        except (ssl.SSLError, OSError) as trouble:
            raise self.refused(_why(trouble)) from None

    def valid_until(self) -> datetime:
        """When it ends.

        :raises WrongCall: it has ended, is not valid yet, or cannot be read
        """
        from cryptography import x509

        written = _content("certificate", self.certificate)
        try:
            read = x509.load_pem_x509_certificate(written)
        except ValueError:
            raise WrongCall(f"{self.certificate} holds no certificate in PEM", hint=HINT) from None
        now = datetime.now(UTC)
        if read.not_valid_after_utc < now:
            raise WrongCall(
                f"the certificate {self.certificate} ended on {read.not_valid_after_utc:%Y-%m-%d}",
                hint="have the hub sign a new one, and put it in its place",
            )
        if read.not_valid_before_utc > now:
            raise WrongCall(
                f"the certificate {self.certificate} is valid from {read.not_valid_before_utc:%Y-%m-%d} on",
                hint="look at the clock of this machine",
            )
        return read.not_valid_after_utc


class _SealedError(Exception):
    """The key wants a passphrase."""


def _no_passphrase() -> str:
    raise _SealedError


def _why(trouble: OSError) -> str:
    reason = getattr(trouble, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "they do not belong together"
    is_no_pem = reason in (None, "PEM_LIB", "NO_START_LINE") and isinstance(trouble, ssl.SSLError)
    return "one of them is no PEM" if is_no_pem else str(trouble)


def _content(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as trouble:
        raise WrongCall(f"the {what} {path} cannot be read: {trouble.strerror}", hint=HINT) from None
