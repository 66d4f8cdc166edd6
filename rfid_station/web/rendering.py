"""The page as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rfid_station.desk.driver.page import CardView
from rfid_station.domain.card import CardState
from rfid_station.web.look import Look
from rfid_station.web.words import WORDS

_TEMPLATES = Path(__file__).parent / "templates"


class Tone(StrEnum):
    """How something is meant."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


class Problem(StrEnum):
    """Why there is no card to show."""

    UNKNOWN = "unknown"
    WAIT = "wait"
    WRONG = "wrong"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened just now: an entry of `words`."""

    tone: Tone
    entry: str


@dataclass(frozen=True, slots=True)
class CardShown:
    """A card on its page, and what its forms carry."""

    view: CardView
    here: str
    """The path of the page."""
    form: str
    permit: str = ""
    notice: Notice | None = None
    is_news: bool = False
    """Right after a change: what networks say, and no form."""
    looks_again: bool = False


class Renderer:
    """Writes pages of one brand."""

    def __init__(self, look: Look) -> None:
        """Read the template."""
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters["phone"] = phone
        self._template = environment.get_template("page.html")
        self._look = look
        self._problems = {
            (language, problem): self._problem(language, problem) for language in WORDS for problem in Problem
        }

    def card(self, language: str, shown: CardShown) -> bytes:
        """The page of a card."""
        words, view, notice = WORDS[language], shown.view, shown.notice
        said = {"tone": notice.tone, "words": words[notice.entry]} if notice else None
        title = f"{words['card']} … {view.last_digits}: {words[f'is {view.state}']}"
        return self._written(
            language,
            title=title,
            view=view,
            tone=_TONES.get(view.state, Tone.BAD),
            notice=said,
            here=shown.here,
            form=shown.form,
            permit=shown.permit,
            is_news=shown.is_news,
            looks_again=shown.looks_again,
        )

    def problem(self, language: str, problem: Problem) -> bytes:
        """A page without a card: the same bytes each time."""
        return self._problems[language, problem]

    def wait(self, language: str, seconds: int) -> bytes:
        """The page that says how long to wait."""
        return self._problems[language, Problem.WAIT].replace(b"{seconds}", str(seconds).encode())

    def _problem(self, language: str, problem: Problem) -> bytes:
        title = WORDS[language][f"title {problem}"]
        return self._written(language, title=title, view=None, notice=None, problem=f"{problem}")

    def _written(self, language: str, **named: object) -> bytes:
        brand = {"hotline": "", "website": "", **self._look.fields(language)}
        text = self._template.render(
            language=language, words=WORDS[language], look=self._look, brand=brand, **named
        )
        return text.encode()


_TONES = {CardState.ACTIVE: Tone.GOOD, CardState.ISSUED: Tone.WAIT}


def phone(written: str) -> str:
    """A phone number as a link takes it: digits, and a plus before them."""
    digits = re.sub(r"[^0-9]", "", written)
    return f"+{digits}" if written.strip().startswith("+") else digits
