"""`sheet press`, `sheet jobs`, `sheet show`, `card print`: bureaus, card printers, and what was printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import card_numbers
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import counted, one_of, show_document, show_rows, talk
from rfid_station.cli.print_options import (
    Again,
    BrandName,
    DesignName,
    DryRun,
    Fleet,
    Intent,
    Language,
    Numbers,
    Out,
    Reason,
)
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.paper.press import PressFile
    from rfid_station.desk.paper.print_records import SheetRecord
    from rfid_station.desk.station import Station
    from rfid_station.domain.card import Card

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def press(
    ctx: typer.Context,
    numbers: Numbers = None,
    bureau: Annotated[
        str, typer.Option(help="A file in templates/bureaus; `sheet bureaus` lists them.")
    ] = "standard",
    what: Annotated[
        str,
        typer.Option("--as", help="cards: every card as pages. data: artwork, a data file and codes."),
    ] = "cards",
    intent: Intent = None,
    fleet: Fleet = None,
    again: Again = False,
    reason: Reason = None,
    design: DesignName = None,
    brand: BrandName = None,
    language: Language = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the archive goes. [default: prints/ of the station]")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the archive for a print bureau: PDF/X-4 with bleed, a list of the cards, checksums, no UIDs."""
    from rfid_station.desk.paper.press import PressWish, make_press_archive
    from rfid_station.printing.press.bureau import Delivery

    delivery = Delivery(one_of("--as", what, list(Delivery)))
    wish = PressWish(bureau, delivery, design, brand, intent, language, out, reason)
    with the_station(ctx) as station:
        cards = _cards(station, numbers, fleet, again)
        if dry_run:
            _show_cards(cards, as_json)
            return
        made = make_press_archive(station, cards, wish)
    show_archive(made, bureau, as_json)


def show_archive(made: PressFile, bureau: str, as_json: bool) -> None:
    """Say what was made for a bureau."""
    if as_json:
        show_document(
            {
                "archive": made.archive,
                "sha256": made.sha256,
                "job": made.job,
                "cards": made.cards,
                "sides": list(made.sides),
                "spots": list(made.spots),
                "intent": made.press,
            }
        )
        return
    typer.echo(made.archive)
    talk(f"{counted(made.cards, 'card')} for {bureau}, {' and '.join(made.sides)}; job {made.job}")
    if made.press:
        talk(f"made for the press of the profile {made.press!r}")


def bureaus(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the print bureaus whose wishes are known, and the pages they want."""
    from rfid_station.printing.press.bureau import load_bureau
    from rfid_station.printing.template import TemplateKind, template_names

    folders = [folder_of(ctx) / "templates"]
    known = [load_bureau(name, folders) for name in template_names(TemplateKind.BUREAU, folders)]
    rows = [
        {
            "bureau": one.source.stem,
            "title": one.title,
            "page": f"{one.document.width:g} × {one.document.height:g} mm",
            "safe": f"{one.safe_mm:g} mm",
            "colors": f"{one.color_space}{' + spots' if one.takes_spots else ''}",
            "pdf": f"{one.format}",
            "fonts": f"{one.fonts}",
            "ink": f"{100 * one.most_ink:g} %" if one.most_ink else None,
        }
        for one in known
    ]
    show_rows(rows, as_json=as_json, empty="there are no bureaus")


def print_cards(
    ctx: typer.Context,
    numbers: Numbers = None,
    printer: Annotated[
        str | None,
        typer.Option(metavar="QUEUE", help="The print queue (CUPS) to send it to. [default: only a file]"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A file in templates/printers; `card printers` lists them. [default: the queue's, else cr80]"
        ),
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="Only this side: front or back. [default: what the design has]")
    ] = None,
    fleet: Fleet = None,
    again: Again = False,
    reason: Reason = None,
    design: DesignName = None,
    brand: BrandName = None,
    language: Language = None,
    out: Out = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Print single cards on a card printer, edge to edge, a page for each side."""
    from rfid_station.desk.paper.printers import CardWish
    from rfid_station.desk.paper.printers import print_cards as print_
    from rfid_station.printing.design import Side

    only = Side(one_of("--side", side, list(Side))) if side else None
    wish = CardWish(design, brand, model, printer, only, language, out, reason)
    with the_station(ctx) as station:
        cards = _cards(station, numbers, fleet, again)
        if dry_run:
            _show_cards(cards, as_json)
            return
        made = print_(station, cards, wish)
    if as_json:
        show_document(
            {
                "pdf": made.pdf,
                "job": made.job,
                "cards": made.cards,
                "pages": made.pages,
                "model": made.model,
                "queue": made.queue,
                "request": made.request,
            }
        )
        return
    typer.echo(made.pdf)
    where = f"sent to {made.queue} as {made.request}" if made.queue else "not sent: add --printer QUEUE"
    talk(f"{counted(made.cards, 'card')}, {counted(made.pages, 'page')} for {made.model}; {where}")


def printers(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the kinds of card printers, and the print queues of this machine."""
    from rfid_station.errors import PrintError
    from rfid_station.printing.press.card_printer import load_printer
    from rfid_station.printing.press.spool import queues
    from rfid_station.printing.template import TemplateKind, template_names

    folders = [folder_of(ctx) / "templates"]
    rows: list[dict[str, Any]] = []
    for name in template_names(TemplateKind.PRINTER, folders):
        one = load_printer(name, folders)
        dots = f"{one.dots[0]} × {one.dots[1]} at {one.dpi} dpi"
        rows.append({"model": name, "title": one.title, "dots": dots, "queue": one.queue})
    try:
        found = queues()
    except PrintError as error:
        talk(error.message)
        found = []
    rows += [{"model": None, "title": "a print queue", "dots": None, "queue": queue} for queue in found]
    show_rows(rows, as_json=as_json, empty="there are no card printers")


def jobs(
    ctx: typer.Context,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what was printed, the newest first."""
    from rfid_station.desk.paper import print_records

    with the_station(ctx, to_look=True) as station:
        rows = print_records.jobs(station, limit)
    show_rows(rows, as_json=as_json, empty="nothing was printed yet")


def show(
    ctx: typer.Context,
    job: Annotated[int | None, typer.Argument(help="The number of a job, as `sheet jobs` lists it.")] = None,
    sheet: Annotated[int | None, typer.Option(min=1, help="Only this sheet of the job.")] = None,
    tap: Annotated[bool, typer.Option("--tap", help="The sheet that the card on the reader lay on.")] = False,
    card: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="The sheet that this card lay on.", autocompletion=card_numbers),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option("--reader", help="Which reader, as `reader list` names it. [default: desk.reader]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which cards lie on a sheet: of a job, or of one card that was on it."""
    from rfid_station.desk.paper import print_records
    from rfid_station.desk.support.lookup import the_card

    if [job is not None, tap, card is not None].count(True) != 1:
        raise WrongCall("which sheet?", hint="rfid-station sheet show JOB, or --tap, or --card NUMBER")
    with the_station(ctx, to_look=True) as station:
        if job is not None:
            found = print_records.sheet_of_job(station, job, sheet)
        else:
            one = _tapped(station, reader) if card is None else the_card(station, card)
            found = print_records.sheet_of_card(station, one)
    _show_sheet(found, as_json)


def _tapped(station: Station, reader: str | None) -> Card:
    from rfid_station.cli.tapping import Place, one_card
    from rfid_station.desk.paper.print_records import tapped_card

    with one_card(station, Place(reader)) as link:
        return tapped_card(station, link)


def _show_sheet(found: SheetRecord, as_json: bool) -> None:
    from rfid_station.desk.paper.print_records import state_of

    rows = [
        {
            "sheet": one.sheet_number,
            "position": one.position,
            "side": one.side,
            "number": one.card.visual_number,
            "contract": f"{one.card.contract_id}",
            "state": state_of(one.card),
            "driver": one.card.driver.masked if one.card.driver else None,
        }
        for one in found.placed
    ]
    job = found.job
    if as_json:
        show_document(
            {
                "job": job.job_id,
                "at": job.at,
                "who": job.actor,
                "kind": job.kind,
                "design": job.design,
                "sheet": job.sheet,
                "file_sha256": job.file_sha256,
                "reason": job.reason,
                "cards": rows,
            }
        )
        return
    show_rows(rows, as_json=False, empty="nothing lies there")
    why = f", again: {job.reason}" if job.reason else ""
    talk(f"job {job.job_id} ({job.kind}, {job.design} on {job.sheet}) by {job.actor}{why}")
    talk(f"its file has the SHA-256 {job.file_sha256}")


def _cards(station: Station, numbers: list[str] | None, fleet: str | None, again: bool) -> list[Card]:
    from rfid_station.desk.paper.sheets import cards_to_print
    from rfid_station.desk.support.lookup import the_card

    if numbers:
        return [the_card(station, number) for number in numbers]
    return cards_to_print(station, fleet, again=again)


def _show_cards(cards: list[Card], as_json: bool) -> None:
    rows = [{"number": card.visual_number, "contract": f"{card.contract_id}"} for card in cards]
    show_rows(rows, as_json=as_json, empty="nothing would be printed")


def register_for_cards(card: typer.Typer) -> None:
    """Put what prints single cards behind `card`."""
    card.command("print")(print_cards)
    card.command("printers")(printers)


def register_for_sheets(sheet: typer.Typer) -> None:
    """Put bureaus and what was printed behind `sheet`."""
    sheet.command("press")(press)
    sheet.command("bureaus")(bureaus)
    sheet.command("jobs")(jobs)
    sheet.command("show")(show)
