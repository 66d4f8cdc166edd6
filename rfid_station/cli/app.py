"""`rfid-station NOUN VERB`: the root, and the one place where an expected error becomes an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rfid_station import __version__
from rfid_station.cli import card, key, letter, partner, press, reader, sheet, simulate, store, sync
from rfid_station.cli.context import Who, note_globals
from rfid_station.cli.output import show_error
from rfid_station.cli.serve import serve
from rfid_station.errors import ExitCode, StationError


class StationGroup(TyperGroup):
    """Ends every expected error with its two lines and its exit code, in the shell and in tests."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's own click types are private
        """Run the command that was called."""
        try:
            return super().invoke(ctx)
        except StationError as error:
            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


app = typer.Typer(
    name="rfid-station",
    cls=StationGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
press.register(card.app, sheet.app)
app.add_typer(reader.app, name="reader")
app.add_typer(card.app, name="card")
app.add_typer(key.app, name="key")
app.add_typer(sheet.app, name="sheet")
app.add_typer(letter.app, name="letter")
app.add_typer(letter.labels, name="label")
app.add_typer(letter.packing, name="packing")
app.add_typer(partner.app, name="partner")
app.add_typer(sync.app, name="sync")
app.add_typer(store.app, name="store")
app.add_typer(simulate.app, name="simulate")
app.command()(serve)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rfid-station {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    station: Annotated[
        Path | None,
        typer.Option(
            "--station",
            metavar="FOLDER",
            envvar="RFID_STATION_FOLDER",
            help="The station's folder. [default: this one if it has a station.toml, else your own]",
        ),
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", envvar="RFID_STATION_OPERATOR", help="Who works here now.")
    ] = None,
    role: Annotated[Who, typer.Option("--role", help="What they work as.")] = Who.CLERK,
    version: Annotated[  # noqa: ARG001 - acted on before the command
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Turn blank RFID cards into charging cards that work at every partner, and stop them when lost."""
    note_globals(ctx, station, operator, role)


@app.command()
def init(
    ctx: typer.Context,
    profile: Annotated[str, typer.Option(help="What is written; `card profiles` lists them.")] = "plain",
    reader: Annotated[str, typer.Option(help="The desk's reader.")] = "pcsc:",
) -> None:
    """Make a new station: its folder, settings and empty store."""
    from rfid_station.cli.context import actor_of, folder_of
    from rfid_station.desk.station import create_station

    path = create_station(folder_of(ctx), actor_of(ctx), profile=profile, reader=reader)
    typer.echo(f"made {path}")
    typer.echo("next: look through that file, then `rfid-station doctor`", err=True)


@app.command()
def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check everything a day at the desk needs; exit 1 if something would stop it."""
    from rfid_station.cli import checkup

    checkup.run(ctx, as_json=as_json)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the demo station is made; emptied first if it is one.")
    ] = Path("demo"),
    reader: Annotated[
        str, typer.Option(help="auto, or sim:ntag213, or vpcd for a virtual reader behind a real pcscd.")
    ] = "auto",
) -> None:
    """Show the main job on a virtual reader and a virtual partner: 12 cards made, one lost, one refused."""
    from rfid_station.cli import demonstration

    demonstration.run(folder, reader)


def main() -> None:
    """Start the program, as `rfid-station` and as `python cli.py`."""
    app(prog_name="rfid-station")
