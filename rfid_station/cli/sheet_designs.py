"""`rfid-station sheet templates|new|check|preview`: card designs, before anything is printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import counted, show_rows, talk
from rfid_station.cli.print_options import BrandName
from rfid_station.errors import ExitCode, WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.paper.designs import Finding, NewDesign, Workshop

DesignName = Annotated[
    str | None, typer.Argument(metavar="[DESIGN]", help="A file in templates/cards. [default: print.design]")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

_WIDEST_SIXELS = 900
_SCREEN_DPI = 220


def register(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("templates")(templates)
    app.command("new")(new)
    app.command("check")(check)
    app.command("preview")(preview)


def templates(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List card designs and brands, your own and those that ship."""
    from rfid_station.desk.paper.designs import listed, open_workshop

    rows = [
        {"kind": row.kind, "name": row.name, "title": row.title, "from": "own" if row.is_own else "shipped"}
        | ({"file": str(row.file)} if as_json else {})
        for row in listed(open_workshop(folder_of(ctx)))
    ]
    show_rows(rows, as_json=as_json, empty="there are no templates")


def check(
    ctx: typer.Context, design: DesignName = None, brand: BrandName = None, as_json: AsJson = False
) -> None:
    """Find all that is wrong with a design; exit 1 if it must not be printed like this."""
    from rfid_station.desk.paper import designs

    findings = designs.check(designs.open_workshop(folder_of(ctx)), design, brand)
    if as_json:
        rows = [
            {"severity": f.severity, "place": f.place, "problem": f.problem, "remedy": f.remedy}
            for f in findings
        ]
        show_rows(rows, as_json=True, empty="nothing is wrong")
    else:
        _show_findings(findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _show_findings(findings: list[Finding]) -> None:
    for finding in findings:
        place = f"{finding.place}: " if finding.place else ""
        typer.echo(f"{finding.severity}: {place}{finding.problem}")
        if finding.remedy:
            typer.echo(f"  {finding.remedy}")
    if not findings:
        talk("nothing is wrong")
        return
    errors = sum(finding.severity == "error" for finding in findings)
    talk(f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}")


def preview(
    ctx: typer.Context,
    design: DesignName = None,
    brand: BrandName = None,
    side: Annotated[str | None, typer.Option(help="front or back. [default: all there are]")] = None,
    language: Annotated[str | None, typer.Option(help="One of the design's languages.")] = None,
    card: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Show this card. [default: one that nobody has]")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Show a sheet full of cards: a file in templates/sheets.")
    ] = None,
    zones: Annotated[
        bool, typer.Option("--zones", help="Show the safe area and where nothing can be printed.")
    ] = False,
    dpi: Annotated[int, typer.Option(help="The resolution.")] = _SCREEN_DPI,
    out: Annotated[
        Path | None, typer.Option(help="Where the PNG goes. [default: prints/ of the station]")
    ] = None,
) -> None:
    """Show one card, or a sheet: on the terminal where it can show pictures, and as a PNG file."""
    from rfid_station.desk.files import write_whole
    from rfid_station.desk.paper import designs

    workshop = designs.open_workshop(folder_of(ctx))
    wanted = designs.Picture(design, brand, side, language, sheet, dpi, zones)
    png = designs.picture(workshop, wanted, _face(ctx, card) if card else None)
    path = out or workshop.folder / "prints" / f"preview-{design or workshop.settings.print.design}.png"
    write_whole(path, png)
    if _show(png):
        talk(f"the picture: {path}")
    else:
        typer.echo(path)


def _face(ctx: typer.Context, number: str) -> dict[str, str]:
    from rfid_station.desk.paper.sheets import face_of
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        return dict(face_of(station, the_card(station, number)))


def _show(png: bytes) -> bool:
    """Put a picture on the terminal, if that is one that can show it."""
    from rfid_station.cli.terminal_picture import Protocol, escaped_png, protocol_of

    protocol = protocol_of(os.environ) if sys.stdout.isatty() else None
    if protocol is None:
        return False
    if protocol is Protocol.SIXEL:
        from rfid_station.printing.sixel import sixels

        typer.echo(sixels(png, _WIDEST_SIXELS), nl=False)
    else:
        typer.echo(escaped_png(png, protocol), nl=False)
    return True


def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the design is called.")],
    base: Annotated[str, typer.Option("--from", help="The design that it starts from.")] = "classic",
    brand: Annotated[
        str | None, typer.Option(help="A brand that is there, or a new one. [default: NAME]")
    ] = None,
    issuer: Annotated[str | None, typer.Option(help="Who issues the card.")] = None,
    hotline: Annotated[str | None, typer.Option(help="The number to call when a card is lost.")] = None,
    website: Annotated[str | None, typer.Option(help="Where help is found.")] = None,
    claim: Annotated[str | None, typer.Option(help="One line below the logo.")] = None,
    color: Annotated[str | None, typer.Option(help='The main colour, as "#0B2A3B".')] = None,
    accent: Annotated[str | None, typer.Option(help="The second colour.")] = None,
    logo: Annotated[
        Path | None, typer.Option(help="An SVG, PNG or JPEG file, light on the main colour.")
    ] = None,
) -> None:
    """Make a design of your own from a brand; what is not said is asked."""
    from rfid_station.desk.paper import designs

    workshop = designs.open_workshop(folder_of(ctx))
    given = {
        "issuer": issuer, "hotline": hotline, "website": website,
        "claim": claim, "color": color, "accent": accent,
    }  # fmt: skip
    wanted = _wanted(workshop, name, base, brand or name, given, logo)
    for path in designs.make_design(workshop, wanted):
        typer.echo(path)
    findings = designs.check(workshop, wanted.name, wanted.brand)
    _show_findings(findings)
    talk(f"next: rfid-station sheet preview {name} --brand {wanted.brand}")


def _wanted(
    workshop: Workshop, name: str, base: str, brand: str, given: dict[str, str | None], logo: Path | None
) -> NewDesign:
    from rfid_station.desk.paper.designs import NewDesign, has_brand
    from rfid_station.printing.new_design import BrandAnswers

    if has_brand(workshop, brand):
        return NewDesign(name, base, brand, None)
    issuer = _answer(given["issuer"], "Who issues the card", None, "--issuer")
    answers = BrandAnswers(
        issuer=issuer,
        hotline=_answer(given["hotline"], "The number to call when a card is lost", None, "--hotline"),
        website=_answer(given["website"], "Website (may be left out)", "", "--website"),
        claim=_answer(given["claim"], "One line below the logo", issuer, "--claim"),
        primary=_answer(given["color"], "Main colour", "#0B2A3B", "--color"),
        accent=_answer(given["accent"], "Second colour", "#2FD08A", "--accent"),
        logo=None,
    )
    if logo is None and _is_asked():
        path = typer.prompt(
            "Logo file, SVG or PNG (may be left out)", default="", show_default=False, err=True
        )
        logo = Path(path).expanduser() if path else None
    return NewDesign(name, base, brand, answers, logo)


def _is_asked() -> bool:
    """Whether somebody is at a terminal to answer."""
    return sys.stdin.isatty()


def _answer(given: str | None, question: str, default: str | None, option: str) -> str:
    """What was given, or what a person answers; without a person, the default.

    :raises WrongCall: nobody is at a terminal, and there is no default
    """
    if given is not None:
        return given
    if _is_asked():
        answer: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
        return answer
    if default is None:
        raise WrongCall(f"nobody is here to be asked: {question}", hint=f"add {option}")
    return default
