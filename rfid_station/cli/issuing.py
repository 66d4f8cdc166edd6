"""The station loop as the command line runs it: reader, view, background sync, Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from rfid_station.cli.desk_terminal import Look, desk_terminal
from rfid_station.cli.output import confirm, counted, talk
from rfid_station.cli.tapping import a_reader, stoppable
from rfid_station.desk.batch.fleet_file import read_fleet_file
from rfid_station.desk.clerk import Scan
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.partners.delivery import background_delivery
from rfid_station.desk.record.own_copy import CopyKeeper
from rfid_station.desk.station import Station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.desk.tally import FAILURES_IN_A_ROW, Tally
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.card_group import check_group
from rfid_station.domain.order import OrderLine
from rfid_station.domain.profile import Profile
from rfid_station.errors import ExitCode, NoCard, StationError, StillPending
from rfid_station.sync.report import LaneReport

SETTLE_S = 10.0
"""How long the end of a run waits for partners before it says what is pending."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    file: Path | None
    reader: str | None
    profile: str | None
    count: int | None
    as_json: bool
    yes: bool = False
    """Whether irreversible steps are agreed to without asking."""
    trace: Path | None = None
    group: str | None = None
    """The cards', where the file names none."""
    lines: Sequence[OrderLine] | None = None
    """What to make, where no file says it."""
    is_over: Callable[[], bool] = lambda: False
    """Whether no card can come any more, where somebody else knows that."""
    lot: str | None = None
    """The lot that blanks are taken from."""
    order: str | None = None
    """The work order that the lines are of."""
    scan: Scan | None = None
    """Where cards are printed before they are tapped."""

    @property
    def title(self) -> str:
        """What is made, as the screen says it."""
        return self.order or (self.file.name if self.file else "card issue")


def issue(station: Station, wish: Wish) -> Tally:
    """Run the loop and end as scripts expect it."""
    lines = read_fleet_file(wish.file) if wish.file else wish.lines
    profile = station.profile(wish.profile)
    group = check_group(wish.group) if wish.group is not None else None
    lot = station.store.stock.usable_lot(wish.lot).id if wish.lot is not None else None
    look = Look(wish.title, station.settings.desk.bell, wish.scan is not None, wish.as_json)
    _agree(profile, wish.yes)
    if profile.needs_keys:
        station.keys()
    with (
        a_reader(station, wish.reader, wish.trace) as reader,
        stoppable() as stop,
        background_delivery(station) as delivery,
        desk_terminal(look) as (view, clerk),
    ):
        _warn_of_writing(station, profile)
        codes: dict[int, str] = {}
        copy = CopyKeeper(station.folder, station.settings)

        def after_card(card: Card) -> None:
            delivery.wake()
            code = _claim_code(station, card)
            if wish.as_json:
                row = card_row(card) | ({"claim_code": code} if code else {})
                typer.echo(json.dumps(row, ensure_ascii=False))
            elif code:
                codes[card.id] = f"{card.visual_number}  {code}"

        def is_over() -> bool:
            copy.look()
            return stop() or wish.is_over()

        making = Run(station, profile, lines, wish.count, view, after_card, group, lot, clerk, wish.scan)
        tally = issue_cards(making, reader, is_over)
        interrupted = stop()
        pending = [report for report in delivery.settle(SETTLE_S) if not report.is_at_rest]
    for card in tally.issued:
        if card.id in codes:
            typer.echo(codes[card.id])
    _summary(tally, pending)
    _end(tally, pending, interrupted)
    return tally


def _claim_code(station: Station, card: Card) -> str | None:
    """A code for the letter of a card that is not active yet, where that is how it is done here."""
    if card.state is not CardState.ISSUED or not station.draws_code(station.profile(card.profile)):
        return None
    return draw_code(station, card).code


def _agree(profile: Profile, yes: bool) -> None:
    """Ask once a batch before anything is done that nobody can undo."""
    if profile.irreversible:
        confirm(
            f"profile {profile.name} does to every card what nobody can undo ({profile.title}); go on?", yes
        )


def _warn_of_writing(station: Station, profile: Profile) -> None:
    """Say once what writing may break; see docs/what-goes-wrong.md, F3."""
    if profile.writes and station.store.cards.is_first_of(profile.name):
        talk(
            f"the first cards of profile {profile.name}, which writes to the chip: some charge points "
            "send that in place of the UID, and roaming breaks; try one at your partners before you go on"
        )


def card_row(card: Card) -> dict[str, Any]:
    """A made card for programs; docs/json.md describes it."""
    return {
        "number": card.visual_number,
        "contract": f"{card.contract_id}",
        "uid": card.uid.hex,
        "chip": card.chip,
        "state": f"{card.state}",
        "order_line": card.order_line,
        "group": card.group,
    }


def _summary(tally: Tally, pending: list[LaneReport]) -> None:
    parts = [f"{counted(len(tally.issued), 'card')} made"]
    if tally.failures:
        parts.append(f"{counted(len(tally.failures), 'tap')} failed")
    if tally.taken_back:
        parts.append(f"{counted(len(tally.taken_back), 'card')} taken back")
    if tally.begun_lines:
        parts.append(f"{counted(len(tally.begun_lines), 'begun card')} to be tapped again")
    if tally.open_lines:
        parts.append(f"{counted(len(tally.open_lines), 'row')} without a card")
    talk(", ".join(parts))
    if any(line.replaces for line in tally.open_lines.values()):
        talk("cards that were taken back are made anew by `rfid-station card issue --replacements`")
    for report in pending:
        talk(f"pending: {report.partner} is {report.state}, {report.detail}")


def _end(tally: Tally, pending: list[LaneReport], interrupted: bool) -> None:
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if tally.must_brake:
        last = "; ".join(error.message for error in tally.failures[-FAILURES_IN_A_ROW:])
        raise StationError(
            f"stopped after {tally.in_a_row} cards failed in a row: {last}",
            hint="rfid-station doctor",
        )
    missing = tally.wanted is not None and not tally.is_complete
    if tally.failures and (missing or not tally.issued):
        raise typer.Exit(tally.failures[-1].exit_code)
    if missing:
        raise NoCard(
            f"{len(tally.issued)} of {tally.wanted} cards are made, and no more blanks come",
            hint="put blanks on the pile and run the same command again",
        )
    if pending:
        raise StillPending(
            f"all cards are made, and news is owed to {counted(len(pending), 'partner')}",
            hint="rfid-station sync run",
        )
