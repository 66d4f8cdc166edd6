"""The Tokens sender: partners read our tokens, and ask us whether one may charge.

Sources: OCPI 2.1.1 mod_tokens (2.2 eMSP Interface); 2.2.1 and 2.3.0 mod_tokens (Sender Interface);
transport_and_format (Pagination).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from pydantic import ValidationError

from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Token
from rfid_station.domain.uid import masked
from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import TokenPage, TokenShelf
from rfid_station.ocpi.server.request import (
    CLIENT_ERROR,
    INVALID_PARAMETERS,
    Asked,
    Limits,
    Reply,
    as_json,
    not_allowed,
    not_found,
    refusal,
    success,
)
from rfid_station.ocpi.wire.authorize import (
    UNKNOWN_TOKEN,
    authorization_to_wire,
    read_location,
    uid_readings,
)
from rfid_station.ocpi.wire.dialect import Dialect
from rfid_station.ocpi.wire.told import ToldToken, tell, write_out
from rfid_station.ocpi.wire.transport import complaints

Telling = Callable[[Token, PartnerProfile], ToldToken]

STEP = 1000
"""How many tokens of a page are read at once, in a thread."""

YIELD_AFTER = 20
"""After how many tokens that had to be written whoever authorizes is answered."""

FUTURE_S = 2.0
"""How long a list waits for the end of its window, for partners whose clock is a little ahead of ours."""

_MOST_FIELDS = 32
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_AFTER = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)


class WrongParameter(Exception):
    """A parameter that means nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which page of the list a partner wants (OCPI 2.2.1 transport_and_format, Paginated request)."""

    filters: Mapping[str, str]
    """As they were written, to be repeated in the link to the next page."""
    date_from: datetime | None
    date_to: datetime | None
    offset: int
    after: int | None
    limit: int

    @classmethod
    def of(cls, query: bytes, most: int) -> Wish:
        """Read the parameters of a list. Empty ones and unknown ones are passed over.

        :raises WrongParameter: one means nothing
        """
        try:
            pairs = parse_qsl(query.decode("latin-1"), max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise WrongParameter("too many parameters") from None
        given = {name: value for name, value in pairs if value.strip()}
        limit = _count(given, "limit", most)
        if limit == 0:
            raise WrongParameter("limit has to be 1 at least")
        offset = _count(given, "offset", 0)
        filters = {name: text for name, text in given.items() if name in ("date_from", "date_to")}
        date_from, date_to = _instant(given, "date_from"), _instant(given, "date_to")
        return cls(
            filters, date_from, date_to, offset, _after(given.get("after", ""), offset), min(limit, most)
        )

    def next_link(self, url: str, shown: int, after: int) -> str:
        """The link to the page behind one that showed so many and ended at a place.

        A partner that counts for itself changes `offset`, and then `after`, which belongs to the old one, is
        not looked at.
        """
        offset = self.offset + shown
        given = {**self.filters, "offset": offset, "limit": self.limit, "after": f"{offset}.{after}"}
        asked = "&".join(f"{name}={quote(str(value), safe=':')}" for name, value in given.items())
        return f'<{url}?{asked}>; rel="next"'


class Writings:
    """Tokens as they were written for partners, by revision: writing one costs more than finding it."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._count = 0
        self._kept: dict[tuple[object, ...], dict[int, bytes]] = {}

    def of(self, *style: object) -> dict[int, bytes]:
        """What is written in one style."""
        return self._kept.setdefault(style, {})

    def note(self, number: int) -> None:
        """Say that so many were added; when there are too many, all are forgotten."""
        self._count += number
        if self._count > self._most:
            self._count = 0
            self._kept = {}


class TokensSender:
    """The Tokens module of one version."""

    def __init__(
        self, dialect: Dialect, url: str, shelf: TokenShelf, limits: Limits, writings: Writings
    ) -> None:
        self.version = dialect.VERSION
        self._dialect = dialect
        self._url = url
        self._shelf = shelf
        self._limits = limits
        self._writings = writings
        self._asked_for: dict[tuple[object, ...], bytes] = {}
        self._reader = ThreadPoolExecutor(1, f"tokens {self.version}")
        """Pages are read one after the other, apart from whoever authorizes."""

    async def reply(self, asked: Asked, rest: str) -> Reply:
        """Answer a request for what lies behind our tokens URL, percent-encoded as it came."""
        match [unquote(step) if "%" in step else step for step in rest.split("/") if step]:
            case []:
                asked.endpoint = "tokens.list"
                return await self._list(asked) if asked.method == "GET" else not_allowed("GET")
            case [uid]:
                asked.endpoint, asked.uid = "tokens.one", masked(uid)
                return self._one(asked, uid) if asked.method == "GET" else not_allowed("GET")
            case [uid, "authorize"]:
                asked.endpoint, asked.uid = "tokens.authorize", masked(uid)
                return self._authorize(asked, uid) if asked.method == "POST" else not_allowed("POST")
        return not_found()

    async def _list(self, asked: Asked) -> Reply:
        profile = asked.who.profile
        if not profile.pull:
            return refusal(403, CLIENT_ERROR, "the agreement does not let you read the list of tokens")
        most = min(self._limits.page, profile.page_size)
        try:
            wish = Wish.of(asked.query, most)
        except WrongParameter as wrong:
            return refusal(200, INVALID_PARAMETERS, str(wrong))
        await _wait_until(wish.date_to)
        written, total, after = await self._written(asked, wish)
        headers = [(b"x-total-count", str(total).encode()), (b"x-limit", str(most).encode())]
        if after is not None:
            link = wish.next_link(self._url, wish.limit, after)
            headers.append((b"link", link.encode("ascii")))
        left_out = written.count(b"")
        if left_out:
            asked.trouble = f"{left_out} tokens cannot be told to this partner in OCPI {self.version}"
            written = [one for one in written if one]
        return success(b"[%b]" % b",".join(written)).having(*headers)

    async def _written(self, asked: Asked, wish: Wish) -> tuple[list[bytes], int, int | None]:
        """A page's tokens as JSON, how many there are in all, and where the next page goes on."""
        profile, partner = asked.who.profile, asked.who.partner
        written: list[bytes] = []
        total, after, offset = None, wish.after, 0 if wish.after is not None else wish.offset
        while True:
            style = self._shelf.style(partner)
            known = self._writings.of(self.version, *_style_of(profile), style)
            page = await asyncio.get_running_loop().run_in_executor(
                self._reader,
                partial(
                    self._shelf.page,
                    partner,
                    date_from=wish.date_from,
                    date_to=wish.date_to,
                    after=after,
                    offset=offset,
                    limit=min(STEP, wish.limit - len(written)),
                    known=known,
                ),
            )
            if page.tokens and page.style != style:
                continue
            written += await self._write_page(page, profile, known)
            total = page.total if total is None else total
            after, offset = page.after, 0
            if after is None or len(written) >= wish.limit:
                return written, total, after

    async def _write_page(
        self, page: TokenPage, profile: PartnerProfile, known: dict[int, bytes]
    ) -> list[bytes]:
        """Write those tokens of a page that were not written before."""
        missing = [place for place, revision in enumerate(page.revisions) if revision not in known]
        for number, place in enumerate(missing, 1):
            token = page.tokens[place]
            known[page.revisions[place]] = (self._write(token, profile, tell) if token else None) or b""
            if number % YIELD_AFTER == 0:
                await asyncio.sleep(0)
        self._writings.note(len(missing))
        return [known[revision] for revision in page.revisions]

    def _write(self, token: Token, profile: PartnerProfile, told: Telling) -> bytes | None:
        """A token as one partner is told it, or None if it cannot be told in this version."""
        try:
            return as_json(self._dialect.token_to_wire(told(token, profile), nulls=profile.nulls))
        except WrongCall:
            return None

    def _one(self, asked: Asked, uid: str) -> Reply:
        token = self._first(asked, uid, self._shelf.one)
        written = self._write_asked_for(token, asked.who.profile) if token else None
        return success(written) if written else self._unknown()

    def _authorize(self, asked: Asked, uid: str) -> Reply:
        try:
            location = read_location(self.version, json.loads(asked.body)) if asked.body.strip() else None
        except ValidationError as invalid:
            return refusal(200, INVALID_PARAMETERS, f"LocationReferences: {complaints(invalid)}")
        except (ValueError, RecursionError):
            return refusal(400, INVALID_PARAMETERS, "the body is not JSON")
        decision = self._first(asked, uid, self._shelf.decide)
        if decision is None:
            return self._unknown()
        told = as_json(authorization_to_wire(self.version, decision, location))
        if self.version == "2.1.1":
            return success(told)
        token = self._write_asked_for(decision.token, asked.who.profile)
        if token is None:
            return self._unknown()
        return success(told[:-1] + b',"token":' + token + b"}")

    def _first(self, asked: Asked, uid: str, find: Callable[[str, str, str], Any]) -> Any:  # noqa: ANN401
        """What is found for the first reading of a UID that is one of ours."""
        type_ = _type_of(asked.query)
        for reading in uid_readings(uid, asked.who.profile):
            found = find(asked.who.partner, reading, type_)
            if found is not None:
                return found
        return None

    def _write_asked_for(self, token: Token, profile: PartnerProfile) -> bytes | None:
        """A token that the partner named itself, so its chargers can read it whatever the profile says.

        `last_updated` names the state of a token, since it rises with every change.
        """
        key = (token.uid, token.last_updated, token.whitelist, *_style_of(profile))
        written = self._asked_for.get(key)
        if written is None:
            written = self._write(token, profile, write_out)
            if written is not None:
                if len(self._asked_for) > 4096:
                    self._asked_for = {}
                self._asked_for[key] = written
        return written

    def _unknown(self) -> Reply:
        code = INVALID_PARAMETERS if self.version == "2.1.1" else UNKNOWN_TOKEN
        return refusal(404, code, "no such token")


def _style_of(profile: PartnerProfile) -> Iterator[object]:
    """What of a profile shows in a token."""
    yield profile.nulls
    yield profile.uid_order
    yield profile.uid_case
    yield profile.uid_digits
    yield profile.uid_sizes
    yield profile.contract


def _type_of(query: bytes) -> str:
    """The type of a token; RFID unless something else is said (OCPI 2.2.1 mod_tokens, Request Parameters)."""
    if not query:
        return "RFID"
    try:
        given = dict(parse_qsl(query.decode("latin-1"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return ""
    return given.get("type", "").upper() or "RFID"


def _count(given: Mapping[str, str], name: str, standard: int) -> int:
    text = given.get(name, "").strip()
    if not text:
        return standard
    if not _NUMBER.fullmatch(text):
        raise WrongParameter(f"{name} is no number of at most 18 digits")
    return int(text)


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    """A DateTime to the microsecond. A plus that was not escaped comes as a blank."""
    text = given.get(name, "").strip().upper()
    if not text:
        return None
    for written in (text, text.replace(" ", "+")):
        try:
            read = datetime.fromisoformat(written)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise WrongParameter(f"{name} is no DateTime, as in 2026-01-15T09:30:00Z")


def _after(text: str, offset: int) -> int | None:
    """The place behind which a page begins, if it belongs to the offset that is asked for."""
    match = _AFTER.fullmatch(text)
    return int(match[2]) if match and int(match[1]) == offset else None


async def _wait_until(end: datetime | None) -> None:
    """Let the end of a window pass: what is stamped within it could else be written after it was read."""
    if end is not None:
        ahead_s = (end - datetime.now(UTC)).total_seconds()
        if ahead_s > 0:
            await asyncio.sleep(min(ahead_s, FUTURE_S))
