"""`rfid-station NOUN VERB`: the root, and the one place where an expected error becomes an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group_from_info
from typer.models import TyperInfo

from rfid_station import __version__
from rfid_station.cli.context import Who, note_globals
from rfid_station.cli.output import show_error
from rfid_station.cli.serve import serve
from rfid_station.errors import ExitCode, StationError, StoreUnreachable, WrongCall

_NOUNS = {
    "reader": "reader.app",
    "card": "card.app",
    "batch": "batch.app",
    "stock": "stock.app",
    "driver": "driver.app",
    "key": "key.app",
    "sheet": "sheet.app",
    "letter": "letter.app",
    "label": "letter.labels",
    "order": "order.app",
    "packing": "packing.app",
    "shift": "shift.app",
    "operator": "operator.app",
    "partner": "partner.app",
    "report": "report.app",
    "sync": "sync.app",
    "store": "store.app",
    "simulate": "simulate.app",
}
"""Where the commands of each noun are, in the order of the help. To build all takes longer than most run."""


_UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a call that it cannot read; it exports only this one's children."""


class StationGroup(TyperGroup):
    """Builds only the noun that is called.

    Ends every expected error with its two lines and its exit code, in the shell and in tests.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own click types are private
        """All names, whether they were built or not."""
        own = [name for name in super().list_commands(ctx) if name not in _NOUNS]
        return [*own, *_NOUNS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """The command of a name; for an unknown one all are built, so that the nearest can be offered."""
        if cmd_name not in self.commands:
            for noun in [cmd_name] if cmd_name in _NOUNS else _NOUNS:
                self.commands.setdefault(noun, _noun(noun))
        return super().get_command(ctx, cmd_name)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own click types
        """Read what stands before the noun."""
        try:
            return super().make_context(*args, **kwargs)
        except _UsageError as error:
            raise typer.Exit(_show_wrong_call(error)) from error

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command that was called."""
        try:
            return super().invoke(ctx)
        except StationError as error:
            show_error(error)
            if isinstance(error, StoreUnreachable):
                _say_what_may_be_done(ctx)
            raise typer.Exit(error.exit_code) from error
        except _UsageError as error:
            raise typer.Exit(_show_wrong_call(error)) from error
        except (OSError, UnicodeEncodeError) as error:
            raise typer.Exit(_show_of_the_system(error)) from error
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _say_what_may_be_done(ctx: Any) -> None:  # noqa: ANN401 - typer's own click types
    """Say to a desk that is cut off what it may do, as far as it knows for sure."""
    from rfid_station.cli.context import folder_of
    from rfid_station.cli.cut_off_view import say_what_may_be_done

    with suppress(StationError):
        say_what_may_be_done(folder_of(ctx))


def _show_wrong_call(error: Any) -> int:  # noqa: ANN401
    """Say what typer could not read as all errors are said; whoever gave no words at all gets the help."""
    if type(error).show is not _UsageError.show:
        raise error
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    command = error.ctx.command_path if error.ctx else "rfid-station"
    show_error(WrongCall(message[:1].lower() + message[1:], hint=f"{command} --help"))
    return ExitCode.WRONG_CALL


def _show_of_the_system(error: OSError | UnicodeEncodeError) -> int:
    """Say what the system refused whatever command it was; anything else is a fault of the program."""
    said: StationError
    if isinstance(error, UnicodeEncodeError):
        if error.reason != "surrogates not allowed":
            raise error
        said = WrongCall(f"{error.object!r} is not UTF-8", hint="type it in a terminal that speaks UTF-8")
    elif error.errno == errno.ENAMETOOLONG:
        said = WrongCall(
            f"a name of {len(str(error.filename))} characters is too long", hint="give a shorter name"
        )
    elif error.errno == errno.ENOSPC:
        said = StationError("no space is left where this writes", hint="make room, then run it again")
    else:
        raise error
    show_error(said)
    return said.exit_code


def _noun(name: str) -> TyperGroup:
    module, _, attribute = _NOUNS[name].partition(".")
    noun: typer.Typer = getattr(import_module(f"rfid_station.cli.{module}"), attribute)
    return get_group_from_info(
        TyperInfo(noun, name=name),
        pretty_exceptions_short=False,
        rich_markup_mode=None,
        suggest_commands=True,
    )


app = typer.Typer(
    name="rfid-station",
    cls=StationGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
    role: Annotated[
        Who | None,
        typer.Option("--role", help="What they work as. [default: the operator's own role, or clerk]"),
    ] = None,
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
    store: Annotated[
        str | None, typer.Option(help="The store's address, without a password; by default a file.")
    ] = None,
    store_password: Annotated[
        str | None, typer.Option(help="Where the password lies: env:NAME, file:NAME or keyring:NAME.")
    ] = None,
    join: Annotated[bool, typer.Option("--join", help="Other desks made the store already.")] = False,
) -> None:
    """Make a new station: its folder, settings and empty store."""
    from rfid_station.cli.context import claim_of, folder_of
    from rfid_station.desk.people.person import trusted
    from rfid_station.desk.station import OWN_FILE, StoreChoice, create_station

    choice = StoreChoice(store or OWN_FILE.url, store_password, is_there=join)
    who = trusted(claim_of(ctx))
    path = create_station(folder_of(ctx), who, profile=profile, reader=reader, store=choice)
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
    if sys.stdin is None:  # closed (`<&-`): then nobody is there to answer, and no file takes its number
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the program ends
    app(prog_name="rfid-station")
