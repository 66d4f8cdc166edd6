"""How a partner wants things: data, and not branches in the code.

Profiles are files in `templates/partners/`. Without one a partner is taken to keep the specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rfid_station.domain.entries import Entries
from rfid_station.errors import WrongCall

VERSIONS = ("2.3.0", "2.2.1", "2.1.1")
"""The OCPI versions we speak, the newest first."""


class Protocol(StrEnum):
    """What a partner speaks."""

    OCPI = "ocpi"
    OICP = "oicp"
    """Hubject's: cards are uploaded to the hub, and nothing can be read back from it."""


class HeaderEncoding(StrEnum):
    """How a credentials token stands in the Authorization header."""

    BY_VERSION = "by-version"
    """Base64 from 2.2 on, in clear in 2.1.1, as the specification says."""
    BASE64 = "base64"
    CLEAR = "clear"


class UidOrder(StrEnum):
    """In which order the bytes of a UID are told."""

    AIR = "air"
    """As the card sends them; what OCPI, OICP and OCPP mean."""
    REVERSED = "reversed"


class LetterCase(StrEnum):
    """In which case hexadecimal digits are told."""

    UPPER = "upper"
    LOWER = "lower"


class ContractStyle(StrEnum):
    """How a contract ID is written."""

    DASHES = "dashes"
    """`NL-EXM-C00000001-X`."""
    COMPACT = "compact"
    """`NLEXMC00000001X`."""
    WITHOUT_CHECK = "without-check"
    """`NLEXMC00000001`."""


class Method(StrEnum):
    """How a token is brought to a partner."""

    PUT = "put"
    """Always the whole object: it needs nothing of what was sent before."""
    PATCH = "patch"
    """`valid` and `whitelist` alone where only they changed, and PUT where that is refused."""


class AfterOutage(StrEnum):
    """Who begins after a partner was away."""

    RESUME = "resume"
    WAIT_FOR_PULL = "wait-for-pull"
    """The partner reads what changed by itself; we push what changes from then on."""


_CREDENTIALS = {Protocol.OCPI: "client token", Protocol.OICP: "certificate or contract"}
_WAYS_BACK_IN = {Protocol.OCPI: "connect it again", Protocol.OICP: "settle it with the hub"}

_ENDPOINT = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class PartnerProfile:
    """What one partner does differently."""

    name: str = "standard"
    title: str = "keeps the specification"
    protocol: Protocol = Protocol.OCPI
    versions: tuple[str, ...] = VERSIONS
    """Which versions to choose from, the best one first."""
    header: HeaderEncoding = HeaderEncoding.BY_VERSION
    push: bool = True
    """Whether tokens are brought to the partner."""
    pull: bool = True
    """Whether the partner may read tokens from us."""
    authorize: bool = True
    """Whether the partner asks us in real time."""
    method: Method = Method.PUT
    nulls: bool = False
    """Whether optional fields without a value are told as null instead of being left out."""
    routing: bool = True
    """Whether functional modules get routing headers (2.2 and newer)."""
    uid_order: UidOrder = UidOrder.AIR
    uid_case: LetterCase = LetterCase.UPPER
    uid_digits: int = 0
    """Zeros are put in front of a UID up to so many digits."""
    uid_sizes: tuple[int, ...] = (4, 7, 10)
    """Which UIDs the partner's chargers can read, in bytes."""
    contract: ContractStyle = ContractStyle.DASHES
    trailing_slash: bool = False
    page_size: int = 1000
    """The most tokens on a page that the partner reads."""
    max_rps: float = 0.0
    """Requests a second at most; 0 is no limit."""
    max_in_flight: int = 8
    """Requests that may be under way at once, besides one that takes rights away."""
    credentials_put: bool = True
    """Whether PUT on credentials works; without it, rotating is unregistering and registering anew."""
    is_hub: bool = False
    """Whether others stand behind it, of whom its acknowledgements say nothing."""
    after_outage: AfterOutage = AfterOutage.RESUME
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """URLs by module that are used instead of those in the partner's version details."""
    cache_minutes: float = 0.0
    """How long the partner's chargers may go by an older state, as it declares; 0 is unknown."""

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, object]) -> PartnerProfile:
        """Check a profile file's table.

        :raises WrongCall: an entry is unknown, of the wrong kind or impossible
        """
        entries = Entries("partner profile", name, table)
        standard = cls()
        profile = cls(
            name=name,
            title=entries.text("title", name),
            protocol=entries.choice("protocol", Protocol, standard.protocol),
            versions=_versions(entries),
            header=entries.choice("header", HeaderEncoding, standard.header),
            push=entries.flag("push", True),
            pull=entries.flag("pull", True),
            authorize=entries.flag("authorize", True),
            method=entries.choice("method", Method, standard.method),
            nulls=entries.flag("nulls"),
            routing=entries.flag("routing", True),
            uid_order=entries.choice("uid_order", UidOrder, standard.uid_order),
            uid_case=entries.choice("uid_case", LetterCase, standard.uid_case),
            uid_digits=int(entries.number("uid_digits", 0, 0, 36)),
            uid_sizes=_sizes(entries),
            contract=entries.choice("contract", ContractStyle, standard.contract),
            trailing_slash=entries.flag("trailing_slash"),
            page_size=int(entries.number("page_size", standard.page_size, 1, 100_000)),
            max_rps=entries.number("max_rps", 0.0, 0.0, 100_000.0),
            max_in_flight=int(entries.number("max_in_flight", standard.max_in_flight, 1, 64)),
            credentials_put=entries.flag("credentials_put", True),
            is_hub=entries.flag("is_hub"),
            after_outage=entries.choice("after_outage", AfterOutage, standard.after_outage),
            endpoints=_endpoints(entries),
            cache_minutes=entries.number("cache_minutes", 0.0, 0.0, 1_000_000.0),
        )
        entries.check_all_known()
        return profile

    @property
    def asks(self) -> bool:
        """Whether its chargers may ask us about a card; else they go by what was told of it alone."""
        return self.authorize and self.protocol is Protocol.OCPI

    @property
    def credential(self) -> str:
        """By what of ours the partner knows us, in words."""
        return _CREDENTIALS[self.protocol]

    @property
    def way_back_in(self) -> str:
        """What to do about a partner that does not accept it, in words."""
        return _WAYS_BACK_IN[self.protocol]

    @property
    def reads_back(self) -> bool:
        """Whether the partner shows what it holds; else its acknowledgement is all there is."""
        return self.protocol is Protocol.OCPI

    def header_of(self, version: str) -> HeaderEncoding:
        """How the token stands in the header, in one version (OCPI 2.1.1 and 2.2.1, transport_and_format)."""
        if self.header is not HeaderEncoding.BY_VERSION:
            return self.header
        return HeaderEncoding.CLEAR if version.startswith("2.1") else HeaderEncoding.BASE64


STANDARD = PartnerProfile()


def _versions(entries: Entries) -> tuple[str, ...]:
    chosen = entries.texts("versions", VERSIONS)
    unknown = next((version for version in chosen if version not in VERSIONS), None)
    if unknown is not None:
        raise entries.wrong("versions", unknown, f"some of: {', '.join(VERSIONS)}")
    return tuple(chosen)


def _sizes(entries: Entries) -> tuple[int, ...]:
    sizes = entries.texts("uid_sizes", ("4", "7", "10"))
    if not set(sizes) <= {"4", "7", "10"}:
        raise entries.wrong("uid_sizes", sizes, 'some of "4", "7" and "10"')
    return tuple(map(int, sizes))


def _endpoints(entries: Entries) -> dict[str, str]:
    found = entries.table("endpoints")
    for module, url in found.items():
        if not isinstance(url, str) or not _ENDPOINT.fullmatch(url):
            raise entries.wrong(f"endpoints.{module}", url, "a URL with https://")
    return {module: str(url) for module, url in found.items()}


def check_partner_name(name: str) -> str:
    """Let a name pass that a partner may have: it stands in file names and on the command line.

    :raises WrongCall: it has other characters, or too many
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", name):
        raise WrongCall(
            f"{name!r} cannot be a partner's name",
            hint="take small letters, digits, dot, dash and underscore, 32 at most",
        )
    return name
