"""Who a virtual CPO is, and how it differs from its brothers: data, and no code.

`PROFILES` are named like the implementations and platforms that they behave as; each was run, or its
source or its guide was read. A profile without any difference keeps the specification to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from rfid_station.simulator.cpo.edition import EDITIONS, Encoding

Module = tuple[str, str]
"""Identifier and role; an empty role stands for any."""
Client = tuple[str, str, str, str]
"""A party behind a hub: country code, party id, role and connection status."""


class NotFound(StrEnum):
    """How a token is answered for that is not held."""

    BOTH = "404 and 2004"
    BARE = "404 without an envelope"
    IN_200 = "200 and 2004"


class Decides(StrEnum):
    """By what the charging station decides."""

    WHITELIST = "whitelist"
    """By the cache where the issuer lets it, else by asking the issuer."""
    REAL_TIME = "real-time"
    """By asking the issuer wherever that is allowed, also about cards that nobody told of."""
    OFFLINE = "offline"
    """By the cache alone, as if no issuer could be reached."""


@dataclass(frozen=True, slots=True)
class CpoProfile:
    """One virtual CPO."""

    country_code: str = "NL"
    party_id: str = "CPX"
    name: str = "Virtual CPO"
    title: str = "keeps the specification to the letter"
    versions: tuple[str, ...] = ("2.2.1",)
    """What is listed; what is listed and not known to `EDITIONS` is not served."""
    modules: tuple[Module, ...] = (("credentials", "RECEIVER"), ("tokens", "RECEIVER"))
    needs: tuple[Module, ...] = (("credentials", ""),)
    """What a party must offer to be registered; otherwise 3003."""
    hub_party_id: str = ""
    """The hub of this platform, in credentials of 2.3.0."""
    clients: tuple[Client, ...] = ()
    """Who stands behind it, for `hubclientinfo`."""
    page_size: int = 50
    """Entries on a page of what it serves at most."""

    # How it is called, and how it calls
    encoding: Encoding = Encoding.BY_VERSION
    versions_encoding: Encoding | None = None
    """How tokens are read at the versions endpoint; None: as in every listed version."""
    unauthorized_http_status: int = 401
    unreadable: tuple[int, int] | None = None
    """HTTP status and OCPI code for a token that should be Base64 and is not; None: as any wrong one."""
    redirects: tuple[str, ...] = ()
    """Modules whose URLs answer 307 to the same with a slash at the end."""
    wants_message_ids: bool = True
    echoes_message_ids: bool = True
    wants_routing: bool = True
    routing_refusal: tuple[int, int] = (200, 2001)
    """HTTP status and OCPI code for routing headers that are missing or wrong."""
    is_routing_exact: bool = False
    """Routing headers are compared with case, and the URL has to name the party that they name."""
    takes_put_credentials: bool = True
    max_rps: float = 0.0
    """More requests for tokens in a second are answered with 429; 0 is no limit."""

    # What is taken
    checks_key: bool = True
    """Whether the URL has to name the token in the body."""
    checks_party: bool = True
    """Whether a token has to be of a party that registered."""
    checks_order: bool = True
    """Whether what is older than what is held is refused."""
    reads_type: bool = True
    """Whether `?type=` is understood."""
    wants_nulls: bool = False
    """Whether optional members have to be there, as null."""
    invalid_http_status: int = 200
    """HTTP status for a body that breaks a rule."""
    wants_stamp_in_patch: bool = True
    """Whether a PATCH without `last_updated` is refused, where the version says so."""
    wants_whole_patch: bool = False
    """Whether a PATCH has to be a whole token."""
    patch_ignores: tuple[str, ...] = ()
    """Members that a PATCH is acknowledged for, and does not change."""
    patch_invalidates: bool = False
    """Whether a PATCH that says nothing about `valid` makes the token invalid."""
    forced_whitelist: str = ""
    """What it makes of every whitelist type."""
    replaces_issuer: bool = False
    """Whether the issuer is replaced by the party that told the token."""

    # What is answered
    created_http_status: int = 201
    wraps_in_list: bool = False
    """Whether the `data` of tokens is a list of one, also after PUT and PATCH."""
    has_data_after_put: bool = False
    """Whether PUT and PATCH are answered with an empty object as `data`."""
    id_case: str = ""
    """`lower` or `upper`: how case-insensitive strings are written."""
    not_found: NotFound = NotFound.BOTH
    has_plain_errors: bool = False
    """Whether HTTP errors are `{"detail": ...}` instead of an envelope."""

    # What it does by itself
    decides: Decides = Decides.WHITELIST
    pulls_only_pages: bool = False
    """Whether a list without X-Total-Count and X-Limit is ignored."""
    pull_limit: int = 0
    """Entries that it asks for at a time; 0 leaves that to the other side."""
    accepted_pages: int = field(default=100_000)
    """After so many pages a pull is given up."""

    @property
    def us(self) -> tuple[str, str]:
        """Country code and party id."""
        return self.country_code, self.party_id


_ALL = tuple(EDITIONS)

_PY_OCPI = CpoProfile(
    title="the Python library py-ocpi 0.3.1: as extrawest, and HTTP 500 to a wrong token",
    versions_encoding=Encoding.NONE,
    unauthorized_http_status=500,
    redirects=("credentials",),
    wants_message_ids=False,
    echoes_message_ids=False,
    wants_routing=False,
    checks_key=False,
    checks_party=False,
    checks_order=False,
    reads_type=False,
    invalid_http_status=422,
    wants_stamp_in_patch=False,
    created_http_status=200,
    wraps_in_list=True,
    id_case="lower",
    not_found=NotFound.BARE,
    has_plain_errors=True,
)
"""Whose forks `extrawest` and `elumobility` are."""

PROFILES = {
    "strict": CpoProfile(versions=_ALL, needs=(("credentials", ""), ("tokens", "SENDER"))),
    "extrawest": replace(
        _PY_OCPI,
        title="the Python library extrawest-ocpi 2025.7.16: lists of one, lower case, plain errors",
        versions=("2.1.1", "2.2.1"),
        versions_encoding=Encoding.BASE64,
        unauthorized_http_status=403,
        unreadable=(200, 3000),
    ),
    "py-ocpi": _PY_OCPI,
    "python-ocpi": CpoProfile(
        title="the Python library python-ocpi 0.3.1: a PATCH is a whole token, 2004 comes with HTTP 200",
        encoding=Encoding.EITHER,
        unauthorized_http_status=403,
        wants_message_ids=False,
        echoes_message_ids=False,
        wants_routing=False,
        checks_order=False,
        invalid_http_status=400,
        wants_whole_patch=True,
        created_http_status=200,
        not_found=NotFound.IN_200,
        has_plain_errors=True,
    ),
    "elumobility": replace(
        _PY_OCPI,
        title="the Python library ocpi-python: members without a value have to be null",
        versions=_ALL,
        versions_encoding=None,
        encoding=Encoding.EITHER,
        unauthorized_http_status=403,
        redirects=(),
        wants_stamp_in_patch=True,
        wants_nulls=True,
        id_case="",
    ),
    "citrineos": CpoProfile(
        title="the CPO gateway citrineos-ocpi: exact routing headers, a PATCH that loses members",
        routing_refusal=(401, 2002),
        is_routing_exact=True,
        checks_order=False,
        invalid_http_status=400,
        patch_ignores=("visual_number",),
        patch_invalidates=True,
        created_http_status=200,
    ),
    "gireve": CpoProfile(
        title="the GIREVE platform by its guide of 2024: 2.1.1, pulls pages only, no PUT of credentials",
        country_code="FR",
        party_id="107",
        name="Virtual roaming platform",
        versions=("2.1.1",),
        versions_encoding=Encoding.NONE,
        takes_put_credentials=False,
        replaces_issuer=True,
        created_http_status=200,
        has_data_after_put=True,
        decides=Decides.REAL_TIME,
        pulls_only_pages=True,
        pull_limit=1000,
    ),
    "plugsurfing": CpoProfile(
        title="the Plugsurfing platform by its guide: push only, every token becomes ALLOWED_OFFLINE",
        country_code="DE",
        party_id="PSG",
        name="Virtual roaming platform",
        forced_whitelist="ALLOWED_OFFLINE",
        decides=Decides.OFFLINE,
    ),
    "hub": CpoProfile(
        title="a hub of 2.2.1 with two operators behind it, one of them offline",
        party_id="HUB",
        name="Virtual hub",
        modules=(("credentials", "RECEIVER"), ("tokens", "RECEIVER"), ("hubclientinfo", "SENDER")),
        clients=(("NL", "CPX", "CPO", "CONNECTED"), ("DE", "CPY", "CPO", "OFFLINE")),
    ),
}
"""By the name that `rfid-station simulate cpo --profile` takes."""
