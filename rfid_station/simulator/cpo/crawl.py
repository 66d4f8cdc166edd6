"""A list of tokens read page by page, with what is wrong in the pages (transport_and_format, Pagination)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from rfid_station.simulator.cpo.calls import Failed, Heard, Line
from rfid_station.simulator.cpo.profile import CpoProfile
from rfid_station.simulator.cpo.rules import JsonObject, complaint
from rfid_station.simulator.cpo.state import Key, Registrant


@dataclass(slots=True)
class Crawl:
    """One pull, and what it has gathered so far."""

    line: Line
    registrant: Registrant
    profile: CpoProfile
    limit: int | None
    """So many entries a page are asked for; None leaves it to the other side."""
    tokens: dict[Key, JsonObject] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    total: int | None = None
    cap: int | None = None
    """X-Limit of the last page."""
    entries: int = 0

    def follow(self, url: str, asked: Mapping[str, str]) -> Heard:
        """Follow the pages to the last one.

        :param asked: the filters
        :raises Failed: one of them is not a page, or they do not end
        """
        query = urlencode({**asked, **({"limit": f"{self.limit}"} if self.limit else {})})
        page: str | None = f"{url}?{query}" if query else url
        while page is not None:
            if page in self.urls or len(self.urls) >= self.profile.accepted_pages:
                raise Failed(f"the pages do not end: {page} once more")
            self.urls.append(page)
            heard = self.line.call("GET", page, is_routed=True)
            if not heard.is_success or not isinstance(heard.data, list):
                raise Failed(f"{heard}; no page of tokens", heard)
            self.complaints += heard.complaints
            self._read_page(heard, heard.data)
            page = self._next_page(heard, asked)
        return heard

    def _read_page(self, heard: Heard, entries: list[object]) -> None:
        """Take what is good on one page, and say what is not."""
        total, cap = _count(heard, "X-Total-Count"), _count(heard, "X-Limit")
        if total is None or cap is None:
            self._complain(heard, "X-Total-Count or X-Limit is no number")
            if self.profile.pulls_only_pages:
                return
        self.total, self.cap = total, cap
        most = min(number for number in (self.limit, cap, len(entries)) if number is not None)
        if len(entries) > most:
            self._complain(heard, f"{len(entries)} entries, {most} at most were due")
        self.entries += len(entries)
        for entry in entries:
            trouble = complaint(entry, self.line.edition.token)
            if trouble or not isinstance(entry, dict):
                self._complain(heard, f"{trouble}")
                continue
            self._read_token(heard, entry)

    def _read_token(self, heard: Heard, token: JsonObject) -> None:
        country, party = self.registrant.parties[0]
        key = self.line.edition.key_of(country, party, token)
        if not self.registrant.has(key[0], key[1]):
            self._complain(heard, f"{'-'.join(key)} is of no party of yours")
        elif key in self.tokens:
            self._complain(heard, f"{'-'.join(key)} once more")
        told = self.line.edition.token
        self.tokens[key] = {name: token[name] for name in told if token.get(name) is not None}

    def _next_page(self, heard: Heard, asked: Mapping[str, str]) -> str | None:
        """The URL in the Link header, or None on the last page."""
        link = heard.header("Link")
        if not link:
            return None
        found = re.fullmatch(r'\s*<([^<>]*)>\s*;\s*rel="?next"?\s*', link)
        if not found:
            raise Failed(f"{heard.url}: Link is {link!r}", heard)
        url = found[1]
        here, there = urlsplit(heard.url), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise Failed(f"{heard.url}: Link leads elsewhere, to {url}", heard)
        repeated = parse_qs(there.query)
        for name, value in asked.items():
            if repeated.get(name) != [value]:
                self._complain(heard, f"Link does not repeat {name}")
        return url

    def _complain(self, heard: Heard, words: str) -> None:
        self.complaints.append(f"{heard.url}: {words}")


def _count(heard: Heard, name: str) -> int | None:
    value = heard.header(name)
    return int(value) if value.isascii() and value.isdecimal() else None
