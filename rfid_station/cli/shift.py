"""`rfid-station shift`: signing in and out, and what was done in a shift or on a day."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, show_pairs, show_rows, talk
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.people.shift import Written
    from rfid_station.desk.station import Station
    from rfid_station.domain.operator import Shift
    from rfid_station.printing.papers.shift_report import ShiftReport

app = typer.Typer(help="Shifts: signing in and out, and what was done.", no_args_is_help=True)

AsDocument = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.callback()
def shift() -> None:
    """Shifts: signing in and out, and what was done."""


@app.command()
def start(
    ctx: typer.Context,
    operator: Annotated[
        str | None, typer.Option("--operator", metavar="NAME", help="Who signs in; the PIN is asked for.")
    ] = None,
    as_json: AsDocument = False,
) -> None:
    """Sign in at this desk. Commands then act in your name, until `shift end`."""
    from rfid_station.desk.people.sign_in import start_shift

    name = operator or ctx.obj.operator
    if not name:
        raise WrongCall("who signs in?", hint="rfid-station shift start --operator NAME")
    with the_station(ctx, to_look=True) as station:
        begun = start_shift(station, name)
        _tell(station, begun, f"{begun.operator.name} is signed in at {begun.place}", as_json=as_json)


@app.command()
def show(ctx: typer.Context, as_json: AsDocument = False) -> None:
    """Show who is signed in at this desk, since when."""
    with the_station(ctx, to_look=True) as station:
        place = station.settings.desk.place
        now = station.store.shifts.open_at(place)
        if now:
            words = f"{now.shift.operator.name} is signed in at {place}"
            _tell(station, now.shift, words, as_json=as_json)
            if station.person.shift() is None:
                talk("the ticket of that is not in this station's folder: here nobody is signed in")
            return
        signs_in = station.person.signs_in
    if as_json:
        show_document({"place": place, "shift": None})
    talk(
        f"nobody is signed in at {place}"
        if signs_in
        else "nobody signs in here: names are trusted as they are given"
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a shift.")] = False,
) -> None:
    """List shifts at every desk, the newest first."""
    with the_station(ctx, to_look=True) as station:
        rows = [_row(one) for one in station.store.shifts.newest(limit=limit)]
    show_rows(rows, as_json=as_json, empty="nobody signed in yet: rfid-station shift start --operator NAME")


@app.command()
def end(ctx: typer.Context, as_json: AsDocument = False) -> None:
    """Sign out, and write the report of the shift. A supervisor may end the shift of somebody who left."""
    from rfid_station.desk.people.shift import report_of_shift, write_report
    from rfid_station.desk.people.sign_in import end_shift

    with the_station(ctx, to_look=True) as station:
        ended = end_shift(station)
        report = report_of_shift(station, ended)
        written = write_report(station, report)
    if as_json:
        show_document(_row(ended) | _report_row(report, written))
        return
    typer.echo(f"{ended.operator.name} is signed out at {ended.place}")
    _say(report, written)


@app.command()
def report(
    ctx: typer.Context,
    number: Annotated[
        int | None, typer.Option("--shift", metavar="NUMBER", help="Of this shift; `shift list` has them.")
    ] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of a day instead, in UTC.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="OPERATOR", help="Whose day. [default: who works here now]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the PDF goes; the CSV stands beside it. [default: prints/ of the station]"),
    ] = None,
    as_json: AsDocument = False,
) -> None:
    """Write what was done, by the audit log, and whether the blanks add up: PDF to be signed, and CSV.

    Where people sign in, of the newest shift at this desk; else of the day of whoever works here.
    """
    if number is not None and (day or of):
        raise WrongCall("a shift and a day are two things", hint="leave out --shift, or --day and --of")
    from rfid_station.desk.people.shift import write_report

    with the_station(ctx, to_look=True) as station:
        found = _wanted(station, number, day, of)
        written = write_report(station, found, out)
    if as_json:
        show_document(_report_row(found, written))
        return
    _say(found, written)


def _wanted(station: Station, number: int | None, day: datetime | None, of: str | None) -> ShiftReport:
    from rfid_station.desk.people import shift as desk
    from rfid_station.desk.people.sign_in import newest_shift

    if number is not None:
        return desk.report_of_shift(station, station.store.shifts.get(number))
    if station.person.signs_in and day is None and of is None:
        return desk.report_of_shift(station, newest_shift(station))
    return desk.report_of(station, day.date() if day else desk.today(), of or station.actor.name)


def _tell(station: Station, shift: Shift, words: str, *, as_json: bool) -> None:
    from rfid_station.desk.people.sign_in import is_of_another_day

    row = _row(shift)
    if as_json:
        show_document(row)
    else:
        typer.echo(words)
        show_pairs(row)
    if is_of_another_day(station, shift):
        talk(f"this shift began on {shift.began_at:%Y-%m-%d}: rfid-station shift end, and start a new one")


def _row(shift: Shift) -> dict[str, object]:
    return {
        "shift": shift.id,
        "operator": shift.operator.name,
        "role": f"{shift.operator.role}",
        "place": shift.place,
        "began": shift.began_at,
        "ended": shift.ended_at,
    }


def _report_row(report: ShiftReport, written: Written) -> dict[str, object]:
    return {
        "pdf": written.pdf,
        "csv": written.csv,
        "operator": report.operator,
        "began": report.began,
        "ended": report.ended,
        "work": dict(report.work),
        "balance": list(report.balance),
        "balances": report.balances,
    }


def _say(report: ShiftReport, written: Written) -> None:
    typer.echo(written.pdf)
    typer.echo(written.csv)
    talk(counted(len(report.incidents), "incident"))
    for words in report.balance:
        talk(words)
