"""The page of a card as an ASGI application."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from rfid_station.desk.driver.page import CardView, DriverDesk, Outcome, Tapped
from rfid_station.domain.driver_wish import DriverWish
from rfid_station.web.asgi import Receive, Scope, Send
from rfid_station.web.limits import Tries
from rfid_station.web.look import Look
from rfid_station.web.rendering import CardShown, Notice, Problem, Renderer, Tone
from rfid_station.web.request import Address, Refused, Request, form_of, request_of

Log = Callable[[Mapping[str, object]], None]
Header = tuple[bytes, bytes]
Told = TypeVar("Told")

WORKERS = 8
"""How many pages are looked up at the same time: each code that is tried takes 16 MB for its time."""
NEWS_S = 180
"""How long a page looks again by itself for what networks say."""
AGAIN_S = 5
LONGEST_QUERY = 512

_ALIAS = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_NEWS = "news"
_CLOSE: Header = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, ready to be sent."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a card that is there."""

    request: Request
    alias: str
    view: CardView


class CardPage:
    """Answers the links on cards."""

    def __init__(
        self,
        desk: DriverDesk,
        look: Look,
        prefix: str,
        *,
        proxies: Collection[Address] = (),
        tries: Tries | None = None,
        log: Log | None = None,
    ) -> None:
        """Serve pages at `prefix` + alias."""
        self._desk = desk
        self._renderer = Renderer(look)
        self._prefix = prefix
        self._proxies = frozenset(proxies)
        self._tries = tries or Tries()
        self._log = log
        self._workers = ThreadPoolExecutor(WORKERS, "card-page")
        self._headers = _headers(look)

    def close(self) -> None:
        """End after the pages that are being looked up."""
        self._workers.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began_s = time.perf_counter()
        request = request_of(scope, self._prefix, self._proxies)
        trouble = ""
        try:
            reply = await self._reply(request, receive)
        except Refused as refused:
            reply = self._problem(request, refused.status, Problem.WRONG, _CLOSE)
        except Exception as error:  # noqa: BLE001 - a fault of ours: written down, and not explained
            trouble = type(error).__name__
            reply = self._problem(request, 503, Problem.TROUBLE, (b"retry-after", b"30"))
        await self._send(request, reply, send)
        if self._log:
            self._log(_line(request, reply, time.perf_counter() - began_s, trouble))

    async def _reply(self, request: Request, receive: Receive) -> Reply:
        if request.method not in ("GET", "HEAD", "POST"):
            return self._problem(request, 405, Problem.WRONG, (b"allow", b"GET, HEAD, POST"))
        wait_s = self._tries.requests.take(request.who) or self._tries.strangers.wait_s(request.who)
        if wait_s:
            return self._wait(request, wait_s)
        if len(request.query) > LONGEST_QUERY:
            return self._problem(request, 414, Problem.WRONG)
        form = await form_of(request, receive) if request.method == "POST" else {}
        alias = _alias_in(request.rest)
        wait_s = self._code_wait_s(request, alias) if form and not form.get("permit") else 0
        if wait_s:
            return self._wait(request, wait_s)
        view = await self._run(lambda: self._desk.view(alias))
        if view is None:
            self._tries.strangers.use(request.who)
            return self._problem(request, 404, Problem.UNKNOWN)
        visit = Visit(request, alias, view)
        return await (self._changed(visit, form) if request.method == "POST" else self._shown(visit))

    async def _shown(self, visit: Visit) -> Reply:
        """The page of a card, after its link was followed."""
        if visit.request.query == _NEWS:
            return self._news(visit)
        tapped = None
        if visit.request.method == "GET" and visit.request.query:
            tapped = await self._tapped(visit.alias, visit.request.query)
        return self._page(visit, 200, notice=_of_tap(tapped), permit=tapped.permit if tapped else "")

    async def _tapped(self, alias: str, query: str) -> Tapped | None:
        is_noted = not self._tries.faults.wait_s(alias)
        tapped = await self._run(lambda: self._desk.tapped(alias, query, is_noted=is_noted))
        if tapped and tapped.fault and is_noted:
            self._tries.faults.use(alias)
        return tapped

    async def _changed(self, visit: Visit, form: Mapping[str, str]) -> Reply:
        """The answer to a form."""
        is_ours = self._desk.seal.is_form(form.get("form", ""), visit.alias)
        if visit.request.is_from_elsewhere or not is_ours:
            return self._page(visit, 403, notice=Notice(Tone.BAD, "form_old"))
        if form.get("wish") not in set(DriverWish):
            return self._problem(visit.request, 400, Problem.WRONG)
        wish, permit = DriverWish(form["wish"]), form.get("permit", "")
        if permit:
            outcome = await self._run(lambda: self._desk.act(visit.alias, wish, permit=permit))
        else:
            outcome = await self._by_code(visit, wish, form.get("code", ""))
        return self._told(visit, outcome)

    def _code_wait_s(self, request: Request, alias: str) -> int:
        return max(self._tries.codes.wait_s(request.who), self._tries.cards.wait_s(alias))

    async def _by_code(self, visit: Visit, wish: DriverWish, code: str) -> Outcome:
        """Try a code. It counts as wrong until it is known to be right, so that none slips by meanwhile."""
        if self._code_wait_s(visit.request, visit.alias):
            return Outcome.WRONG_CODE
        self._tries.cards.failed(visit.alias)
        self._tries.codes.use(visit.request.who)
        outcome = await self._run(lambda: self._desk.act(visit.alias, wish, code=code))
        if outcome in (Outcome.DONE, Outcome.NOT_POSSIBLE):
            self._tries.cards.succeeded(visit.alias)
        return outcome

    def _told(self, visit: Visit, outcome: Outcome) -> Reply:
        if outcome is Outcome.DONE:
            there = f"{self._prefix}{visit.alias}?{_NEWS}"
            return Reply(303, headers=((b"location", there.encode()),))
        status, entry = _OUTCOMES[outcome]
        return self._page(visit, status, notice=Notice(Tone.BAD, entry))

    def _news(self, visit: Visit) -> Reply:
        """What networks say of a change that was made just now."""
        view = visit.view
        is_fresh = (datetime.now(UTC) - view.since).total_seconds() < NEWS_S
        looks_again = is_fresh and not all(one.knows for one in view.networks)
        entry = f"news {view.state}"
        notice = Notice(Tone.GOOD, entry) if is_fresh and entry in _NEWS_OF else None
        headers = ((b"refresh", str(AGAIN_S).encode()),) if looks_again else ()
        return self._page(visit, 200, *headers, notice=notice, is_news=True, looks_again=looks_again)

    def _page(
        self,
        visit: Visit,
        status: int,
        *headers: Header,
        notice: Notice | None,
        permit: str = "",
        is_news: bool = False,
        looks_again: bool = False,
    ) -> Reply:
        here, form = f"{self._prefix}{visit.alias}", self._desk.seal.form(visit.alias)
        shown = CardShown(visit.view, here, form, permit, notice, is_news, looks_again)
        return Reply(status, self._renderer.card(visit.request.language, shown), headers)

    def _problem(self, request: Request, status: int, problem: Problem, *headers: Header) -> Reply:
        return Reply(status, self._renderer.problem(request.language, problem), headers)

    def _wait(self, request: Request, wait_s: int) -> Reply:
        body = self._renderer.wait(request.language, wait_s)
        return Reply(429, body, ((b"retry-after", str(wait_s).encode()),))

    async def _run(self, work: Callable[[], Told]) -> Told:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    async def _send(self, request: Request, reply: Reply, send: Send) -> None:
        headers = [*self._headers, (b"content-language", request.language.encode()), *reply.headers]
        headers.append((b"content-length", str(len(reply.body)).encode()))
        if request.is_secure:
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if request.method == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})


_OUTCOMES = {
    Outcome.WRONG_CODE: (403, "wrong_code"),
    Outcome.LOCKED: (403, "locked_out"),
    Outcome.PERMIT_OVER: (403, "permit_over"),
    Outcome.NOT_POSSIBLE: (409, "not_possible"),
}
_NEWS_OF = ("news active", "news blocked")


def _alias_in(rest: str) -> str:
    """The alias in a path, as the store has it; what cannot be one is looked for in vain."""
    written = rest.removesuffix("/")
    return written.upper() if _ALIAS.fullmatch(written) else ""


def _of_tap(tapped: Tapped | None) -> Notice | None:
    if tapped is None:
        return None
    if tapped.fault:
        return Notice(Tone.BAD, f"tap {tapped.fault}")
    return Notice(Tone.GOOD, "tap good") if tapped.permit else Notice(Tone.WAIT, "tap unchecked")


def _headers(look: Look) -> tuple[Header, ...]:
    """What every answer carries."""
    return (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", look.policy),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"x-robots-tag", b"noindex"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        (b"vary", b"accept-language"),
    )


def _line(request: Request, reply: Reply, took_s: float, trouble: str) -> dict[str, object]:
    """What the access log tells of a request: neither the card, nor the query, nor who asked."""
    line: dict[str, object] = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "method": request.method[:16],
        "endpoint": "page",
        "status": reply.status,
        "bytes": len(reply.body),
        "ms": round(took_s * 1000, 2),
    }
    return line | ({"trouble": trouble} if trouble else {})
