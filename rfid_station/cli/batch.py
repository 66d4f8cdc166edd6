"""`rfid-station batch`: fleet files checked as a whole, carried out, resumed, and told row by row."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.completion import group_names, lot_names
from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, show_pairs, talk
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.errors import ExitCode

if TYPE_CHECKING:
    from rfid_station.desk.batch.checking import Check, Count
    from rfid_station.desk.batch.findings import Finding
    from rfid_station.desk.batch.running import Progress
    from rfid_station.desk.station import Station

app = typer.Typer(help="Fleet files and makers' lists: checked, carried out, resumed.", no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV in any dialect, or .xlsx; - is standard input.")
]
Order = Annotated[str | None, typer.Option("--order", help="The order's own key. [default: the file's name]")]
Uids = Annotated[UidForm, typer.Option("--uids", help="How the UIDs of the list are written.")]
Chip = Annotated[str, typer.Option("--chip", help="Of cards whose row names none.")]
Profile = Annotated[str, typer.Option("--profile", help="What the maker wrote; `card profiles` lists them.")]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        help="Of cards whose row names none. [default: the fleet's name]",
        autocompletion=group_names,
    ),
]
Witness = Annotated[
    str | None,
    typer.Option("--witness", metavar="NAME", help="Who agrees, where stopping many cards takes two people."),
]
Lot = Annotated[
    str | None,
    typer.Option(
        "--lot", help="The lot of blanks that the maker made the cards of.", autocompletion=lot_names
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
ResultFile = Annotated[
    Path | None, typer.Option("--result", metavar="FILE.csv", help="Write every row's outcome.")
]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for on the command line."""

    file: Path
    order: str | None
    uids: UidForm
    chip: str = "unknown"
    profile: str = "plain"
    group: str | None = None
    witness: str | None = None
    lot: str | None = None


@app.command()
def check(
    ctx: typer.Context, file: File, order: Order = None, uids: Uids = UidForm.AS_IS, as_json: AsJson = False
) -> None:
    """Say everything that is wrong with a file, at once, and change nothing.

    Exit 2 if rows are wrong, 6 if only the store stands against them, 0 if nothing does.
    """
    with _checking(ctx, _Asked(file, order, uids), to_look=True) as (station, checking):
        for finding in checking.findings(station):
            show_finding(finding, as_json)
    _summary(checking, as_json)
    _end(checking.count)


@app.command()
def run(
    ctx: typer.Context,
    file: File,
    order: Order = None,
    uids: Uids = UidForm.AS_IS,
    chip: Chip = "unknown",
    profile: Profile = "plain",
    group: Group = None,
    lot: Lot = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave wrong rows out. [default: all rows or none]")
    ] = False,
    result: ResultFile = None,
    witness: Witness = None,
    as_json: AsJson = False,
) -> None:
    """Register the cards of a maker's list, or make a file's changes. The same file again changes nothing."""
    _run(ctx, _Asked(file, order, uids, chip, profile, group, witness, lot), partial, result, as_json)


@app.command()
def resume(
    ctx: typer.Context,
    file: File,
    order: Order = None,
    uids: Uids = UidForm.AS_IS,
    chip: Chip = "unknown",
    profile: Profile = "plain",
    group: Group = None,
    lot: Lot = None,
    result: ResultFile = None,
    witness: Witness = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a file whose run with --partial was interrupted: rows that are done are left alone."""
    _run(ctx, _Asked(file, order, uids, chip, profile, group, witness, lot), True, result, as_json)


@app.command()
def status(
    ctx: typer.Context, file: File, order: Order = None, uids: Uids = UidForm.AS_IS, as_json: AsJson = False
) -> None:
    """Count the rows of a file that are done, open and wrong; exit 8 while some are open."""
    from collections import Counter

    from rfid_station.desk.batch.running import Result, outcomes

    with _checking(ctx, _Asked(file, order, uids), to_look=True) as (station, checking):
        counts = Counter(one.result for one in outcomes(station, checking))
    row = {"order": checking.wish.order} | {str(result): counts[result] for result in Result}
    if as_json:
        show_document(row)
    else:
        show_pairs(row)
    _end(checking.count)
    if counts[Result.OPEN]:
        raise typer.Exit(ExitCode.PENDING)


@app.command()
def export(
    ctx: typer.Context,
    file: File,
    order: Order = None,
    uids: Uids = UidForm.AS_IS,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.csv", help="Where to.")] = Path("-"),
    as_json: AsJson = False,
) -> None:
    """Write what came of each row: CSV that a spreadsheet may open, or JSON lines."""
    from dataclasses import asdict

    from rfid_station.desk.batch.running import outcomes

    with _checking(ctx, _Asked(file, order, uids), to_look=True) as (station, checking):
        if as_json:
            for one in outcomes(station, checking):
                typer.echo(json.dumps(asdict(one), ensure_ascii=False))
        else:
            _write_result(station, checking, to)


def _run(ctx: typer.Context, asked: _Asked, partial: bool, result: Path | None, as_json: bool) -> None:
    from rfid_station.desk.batch.running import run as carry_out

    with _checking(ctx, asked) as (station, checking):
        station.profile(asked.profile)
        try:
            with _progress(as_json) as watch:
                progress = carry_out(
                    station,
                    checking,
                    partial=partial,
                    tell=lambda finding: show_finding(finding, as_json),
                    watch=watch,
                    witness=asked.witness,
                )
        finally:
            if result:
                _write_result(station, checking, result)
    row = {"done": progress.done, "there": progress.there, "wrong": progress.wrong}
    if as_json:
        typer.echo(
            json.dumps({"kind": "summary", "order": checking.wish.order, "rows": progress.rows, **row})
        )
    talk(
        f"{counted(progress.rows, 'row')}: {progress.done} done, {progress.there} done before, "
        f"{progress.wrong} wrong"
    )
    _end(checking.count)


@contextmanager
def _checking(ctx: typer.Context, asked: _Asked, *, to_look: bool = False) -> Iterator[tuple[Station, Check]]:
    from rfid_station.desk.batch.checking import UNKNOWN_CHIP, Check, Wish, wish_of
    from rfid_station.desk.batch.reading import open_table

    key = wish_of(asked.file, asked.order)
    with the_station(ctx, to_look=to_look) as station, open_table(asked.file) as table:
        lot = station.store.stock.lot(asked.lot) if asked.lot is not None else None
        chip = lot.chip if lot and asked.chip == UNKNOWN_CHIP else asked.chip
        wish = Wish(key, asked.uids, chip, asked.profile, asked.group, lot.id if lot else None)
        yield station, Check(table, wish, station.number_pattern)


def _write_result(station: Station, checking: Check, to: Path) -> None:
    from rfid_station.desk.batch.checking import Check
    from rfid_station.desk.batch.reading import STDIN
    from rfid_station.desk.batch.running import outcomes
    from rfid_station.desk.batch.writing import write_outcomes, write_outcomes_into

    rows = outcomes(station, Check(checking.table, checking.wish, checking.pattern))
    if to == STDIN:
        write_outcomes(sys.stdout, rows)
    else:
        count = write_outcomes_into(to, rows)
        talk(f"the outcome of {counted(count, 'row')} is in {to}")


def show_finding(finding: Finding, as_json: bool, *, err: bool = False) -> None:
    """Say what was found in a file, where, and what helps."""
    if as_json:
        row = {
            "kind": "finding",
            "level": finding.level,
            "cause": finding.cause,
            "row": finding.row,
            "column": finding.column,
            "value": finding.value,
            "words": finding.words,
            "remedy": finding.remedy,
        }
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    value = "" if finding.value is None else f" {finding.value!r}"
    words = f"{finding.level}: {finding.place}{':' if not value else ''}{value} {finding.words}"
    typer.echo(words, err=err)
    if finding.remedy:
        typer.echo(f"  {finding.remedy}", err=err)


def _summary(checking: Check, as_json: bool) -> None:
    count = checking.count
    if as_json:
        row = {
            "kind": "summary",
            "order": checking.wish.order,
            "file": checking.survey.kind,
            "dialect": checking.table.words,
            "rows": count.rows,
            "good": count.good,
            "done": count.done,
            "errors": count.errors,
            "warnings": count.warnings,
        }
        typer.echo(json.dumps(row, ensure_ascii=False))
    talk(
        f"{checking.table.name}: {checking.survey.kind}, {checking.table.words}; "
        f"{counted(count.rows, 'row')}, "
        f"{count.good} good, {count.done} done before; {counted(count.errors, 'error')}, "
        f"{counted(count.warnings, 'warning')}"
    )


def _end(count: Count) -> None:
    if count.errors:
        raise typer.Exit(ExitCode.CONFLICT if count.is_conflict else ExitCode.WRONG_CALL)


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """Tell a person at a terminal how far a run is; nobody else."""
    is_shown = sys.stderr.isatty() and not as_json
    started = monotonic()

    def watch(progress: Progress) -> None:
        if is_shown:
            rate = progress.rows / max(monotonic() - started, 1e-3)
            left_s = (progress.total - progress.rows) / max(rate, 1e-3)
            words = f"{progress.rows} of {progress.total} rows, {rate:.0f}/s, {left_s:.0f} s left"
            typer.echo(f"\r{words:<60}", nl=False, err=True)

    yield watch
    if is_shown:
        typer.echo("", err=True)
