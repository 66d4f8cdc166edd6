"""What the rest of `ocpi` needs of a protocol version, and which versions there are.

A new version is one mapper module with these functions, and one more line in `DIALECTS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from rfid_station.domain.partner import Endpoint
from rfid_station.domain.partner_profile import VERSIONS
from rfid_station.domain.token import Party
from rfid_station.errors import PartnerRefused
from rfid_station.ocpi.port import Us
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire import v2_1_1, v2_2_1, v2_3_0
from rfid_station.ocpi.wire.told import ToldToken


class Dialect(Protocol):
    """One protocol version: a mapper module is one. The functions are described in `wire.v2_2_1`."""

    @property
    def VERSION(self) -> str:  # noqa: N802 -- modules name their constants so
        """The version number as it stands in a versions list."""

    def token_to_wire(self, token: ToldToken, *, nulls: bool = False) -> dict[str, object]:
        """Write a Token object."""

    def differences(self, told: ToldToken, held: Mapping[str, object]) -> list[str]:
        """Name every field in which a partner holds something else."""

    def url_of_token(self, receiver_url: str, token: ToldToken, *, slash: bool = False) -> str:
        """The URL of one token at a Tokens receiver."""

    def credentials_to_wire(self, us: Us, server_token: str) -> dict[str, object]:
        """Write our Credentials object."""

    def read_credentials(self, data: object) -> tuple[str, tuple[Party, ...]]:
        """Read a partner's client token for us and its CPO parties."""

    def read_endpoints(self, data: object) -> tuple[Endpoint, ...]:
        """Read a partner's version details."""

    def endpoints_to_wire(self, endpoints: tuple[Endpoint, ...]) -> dict[str, object]:
        """Write our version details."""


DIALECTS: tuple[Dialect, ...] = (v2_3_0, v2_2_1, v2_1_1)
"""The versions we speak, the newest first."""


def highest_common(offered: Iterable[str], ours: Iterable[str] = VERSIONS) -> Dialect:
    """Choose the first of our versions that the partner speaks too (credentials, use cases: registration).

    :param ours: the best one first
    :raises PartnerRefused: there is none
    """
    theirs = sorted(set(offered))
    wanted = list(ours)
    for version in wanted:
        if version in theirs:
            return next(dialect for dialect in DIALECTS if version == dialect.VERSION)
    listed = ", ".join(wanted)
    raise PartnerRefused(
        f"the partner speaks OCPI {seen(', '.join(theirs)) or 'in no version'}, and we speak {listed}",
        hint=f"ask the partner to offer OCPI {listed}",
    )


def dialect_of(version: str) -> Dialect:
    """The mapper of a version that a connection was made in.

    :raises PartnerRefused: we do not speak it
    """
    return highest_common([version])
