"""How the station loop looks: a live view on a terminal, plain lines everywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from rfid_station.cli.output import talk
from rfid_station.errors import StationError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from rfid_station.desk.issue import Issued, Stage
    from rfid_station.desk.loop import Tally


@dataclass(slots=True)
class PlainView:
    """One line a card, for logs, pipes and `NO_COLOR` terminals that are no terminals."""

    def waiting(self, tally: Tally) -> None:
        """Say what the next card is for."""
        talk(f"tap the next card{_for_whom(tally)}")

    def stage(self, stage: Stage, words: str) -> None:
        """Stay silent: a line a card is enough."""

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """One line for a card that is done."""
        card = issued.card
        resumed = ", finished from before" if issued.was_resumed else ""
        name = f"  {card.driver.name}" if card.driver else ""
        talk(
            f"ok    {_count(tally)}  {card.visual_number}  {card.contract_id}  {card.uid.masked}{name}"
            f"  ({issued.writes} steps, {took_s * 1000:.0f} ms{resumed})"
        )

    def failed(self, error: StationError, tally: Tally) -> None:
        """One line, and the remedy, for a card that is not."""
        talk(f"fail  {_count(tally)}  {error.message}")
        if error.hint:
            talk(f"      {error.hint}")


@dataclass(slots=True)
class LiveView:
    """One panel that is always there: what to do now, how far this card is, what came before."""

    title: str
    live: Live
    stages: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    headline: str = ""
    started: float = field(default_factory=perf_counter)
    tally: Tally | None = None

    def waiting(self, tally: Tally) -> None:
        """Ask for the next card; what the last one was stays visible."""
        self.tally = tally
        self.headline = f"[bold]tap the next card[/bold]{_for_whom(tally)}"
        self._draw()

    def stage(self, stage: Stage, words: str) -> None:
        """Show the stage the card in hand has reached."""
        if stage == "identify":
            self.stages.clear()
        self.stages.append((stage, words))
        self.headline = "[bold yellow]leave the card where it is[/bold yellow]"
        self._draw()

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """Green: take it away."""
        card = issued.card
        name = f"  {card.driver.name}" if card.driver else ""
        self.done.append(
            f"[green]✓[/green] {card.visual_number}  {card.contract_id}  {card.uid.masked}{name}"
            f"  [dim]{took_s * 1000:.0f} ms[/dim]"
        )
        self.headline = "[bold green]done, take it away[/bold green]"
        self.tally = tally
        self._draw()

    def failed(self, error: StationError, tally: Tally) -> None:
        """Red: why, and what to do."""
        hint = f"\n  [dim]{_plain(error.hint)}[/dim]" if error.hint else ""
        self.done.append(f"[red]✗[/red] {_plain(error.message)}{hint}")
        self.headline = "[bold red]not done[/bold red]"
        self.tally = tally
        self._draw()

    def _draw(self) -> None:
        self.live.update(self._panel(), refresh=True)

    def _panel(self) -> RenderableType:
        from rich.panel import Panel
        from rich.text import Text

        rate = _rate(self.tally, perf_counter() - self.started)
        steps = " → ".join(f"{stage} {words}".strip() for stage, words in self.stages)
        lines = [self.headline, f"[dim]{steps}[/dim]", "", *self.done[-8:]]
        body = Text.from_markup("\n".join(lines))
        counted = _count(self.tally) if self.tally else ""
        return Panel(body, title=self.title, subtitle=f"{counted}{rate}", title_align="left")


def _plain(text: str | None) -> str:
    from rich.markup import escape

    return escape(text or "")


def _count(tally: Tally) -> str:
    of = f"/{tally.wanted}" if tally.wanted is not None else ""
    return f"{len(tally.issued)}{of}"


def _rate(tally: Tally | None, seconds: float) -> str:
    if not tally or not tally.issued:
        return ""
    failed = f", {len(tally.failures)} failed" if tally.failures else ""
    return f", {len(tally.issued) / seconds * 3600:.0f} cards/h{failed}"


def _for_whom(tally: Tally) -> str:
    line = tally.next_line
    if line and line.driver:
        return f" for {line.driver.name} ({line.driver.reference})"
    if tally.begun_lines:
        return f": {len(tally.begun_lines)} begun cards have to come again"
    return ""
