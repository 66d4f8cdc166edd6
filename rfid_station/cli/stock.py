"""`rfid-station stock`: blanks received, sampled, counted, moved, destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.card_options import AsJson, ReaderUri
from rfid_station.cli.completion import lot_names
from rfid_station.cli.context import look, the_station
from rfid_station.cli.output import counted, note, show_document, show_pairs, show_rows, talk
from rfid_station.cli.stock_view import (
    count_row,
    document,
    entry_row,
    lot_row,
    pairs,
    say_looked,
    say_standing,
    say_state,
    show_finding,
    variance,
)
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.domain.stock import What
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.domain.stock import Entry, Lot, Standing
    from rfid_station.reader.port import Reader

app = typer.Typer(help="Blanks: received, sampled, counted, destroyed.", no_args_is_help=True)

LotName = Annotated[str, typer.Argument(metavar="LOT", help="The lot's name.", autocompletion=lot_names)]
Place = Annotated[str | None, typer.Option("--place", help="Where they lie. [default: desk.place]")]
Quantity = Annotated[int, typer.Argument(metavar="N", min=1, help="How many.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words.")]
Witness = Annotated[str | None, typer.Option("--witness", metavar="NAME", help="The second person.")]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample", min=1, help="How many blanks are looked at. [default: by ISO 2859-1, level S-2]"
    ),
]


@app.command()
def receive(
    ctx: typer.Context,
    lot: Annotated[str, typer.Argument(metavar="LOT", help="Its name, as it stands on the box.")],
    supplier: Annotated[str, typer.Option("--supplier", help="Who delivered it.")],
    chip: Annotated[str, typer.Option("--chip", help="As `card read` names it.")],
    quantity: Annotated[int, typer.Option("--quantity", min=1, help="How many blanks came.")],
    place: Place = None,
    uids: Annotated[
        Path | None, typer.Option("--uids", metavar="FILE", help="The maker's list of their UIDs.")
    ] = None,
    uid_form: Annotated[
        UidForm, typer.Option("--uid-form", help="How the UIDs of the list are written.")
    ] = UidForm.AS_IS,
    sample: Sample = None,
    no_sample: Annotated[
        bool, typer.Option("--no-sample", help="Look at none. A supervisor releases the lot by that.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why no sample is looked at.")] = None,
    reader: ReaderUri = None,
) -> None:
    """Book blanks that came in, and look at a sample: a good one releases the lot, a bad one holds it."""
    from rfid_station.desk.fulfilment import goods_in

    _check_sample(sample, no_sample, reason)
    makers_list = goods_in.MakersList(uids, uid_form, show_finding) if uids else None
    with the_station(ctx) as station, _reader_for(station, reader, no_sample) as opened:
        got = goods_in.receive(station, lot, supplier, chip, quantity, place=place, makers_list=makers_list)
        talk(f"booked: {counted(quantity, 'blank')} of lot {got.name}, {got.chip}")
        if opened is None:
            _without_sample(station, got, reason or "")
        else:
            _look_at(station, got, sample, opened)


@app.command()
def sample(ctx: typer.Context, lot: LotName, sample: Sample = None, reader: ReaderUri = None) -> None:
    """Look at a sample of a lot: a good one releases it, a bad one holds it."""
    with the_station(ctx) as station, _reader_for(station, reader, False) as opened:
        if opened is not None:
            _look_at(station, station.store.stock.lot(lot), sample, opened)


@app.command()
def release(ctx: typer.Context, lot: LotName, reason: Reason) -> None:
    """Let cards be made of a lot, whatever its sample says. Takes a supervisor."""
    with the_station(ctx) as station:
        found = station.store.stock.lot(lot)
        say_state(station.store.stock.release(found.id, _words(reason), station.actor))


@app.command()
def hold(ctx: typer.Context, lot: LotName, reason: Reason) -> None:
    """Let no more cards be made of a lot."""
    with the_station(ctx) as station:
        found = station.store.stock.lot(lot)
        say_state(station.store.stock.hold(found.id, _words(reason), station.actor))


@app.command()
def show(
    ctx: typer.Context,
    lot: Annotated[
        str | None,
        typer.Argument(metavar="[LOT]", help="One lot, with all its entries.", autocompletion=lot_names),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show where all blanks stand; with a lot, also how they came there."""
    if lot is None:
        all_lots = look(ctx, lambda station: station.store.stock.standings())
        rows = [all_lots.told(document(one)) if as_json else lot_row(one) for one in all_lots.found]
        show_rows(rows, as_json=as_json, empty="no lot was received yet: stock is not kept")
    else:
        _show_lot(ctx, lot, as_json)


def _show_lot(ctx: typer.Context, name: str, as_json: bool) -> None:
    def read(station: Station) -> tuple[Standing, list[Entry]]:
        standing = station.store.stock.standing(name)
        return standing, station.store.stock.entries(standing.lot.id)

    seen = look(ctx, read)
    standing, entries = seen.found
    rows = [entry_row(one) for one in entries]
    if as_json:
        show_document(seen.told(document(standing) | {"entries": rows}))
    else:
        show_pairs(pairs(standing))
        show_rows(rows, as_json=False, empty="")


@app.command("count")
def count_(
    ctx: typer.Context,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LOT=N...]", help="What was counted, for scripts. [default: asked for]"),
    ] = None,
    place: Place = None,
    witness: Witness = None,
    as_json: AsJson = False,
) -> None:
    """Count blanks without being told what to expect; a difference takes a second person, else exit 6."""
    from rfid_station.desk.fulfilment import stock

    given = _numbers(numbers or [])
    with the_station(ctx) as station:
        where = place or station.settings.desk.place
        lots = stock.lots_to_count(station, given, where)

        def ask(lot: Lot, again: bool) -> int:
            return given[lot.name] if given else _asked(lot, where, again)

        found = stock.count(station, where, lots, ask, witness)
    show_rows(
        [count_row(one) for one in found], as_json=as_json, empty=f"no blanks lie at {where} by the books"
    )
    for one in found:
        if one.variance:
            talk(f"{variance(one)}, seen by {one.witness}")


@app.command()
def transfer(
    ctx: typer.Context,
    lot: LotName,
    quantity: Quantity,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="Where they go.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="PLACE", help="Where they lie. [default: desk.place]")
    ] = None,
) -> None:
    """Move blanks from one place to another."""
    from rfid_station.desk.fulfilment import stock

    with the_station(ctx) as station:
        stock.transfer(station, lot, quantity, to=to, source=source)
        say_standing(station, lot)


@app.command()
def keep(ctx: typer.Context, lot: LotName, quantity: Quantity, reason: Reason, place: Place = None) -> None:
    """Take blanks off the stock for tests, or to keep them."""
    from rfid_station.desk.fulfilment import stock

    with the_station(ctx) as station:
        stock.keep(station, lot, quantity, _words(reason), place=place)
        say_standing(station, lot)


@app.command()
def destroy(
    ctx: typer.Context,
    lot: Annotated[
        str | None, typer.Argument(metavar="[LOT]", help="The lot's name.", autocompletion=lot_names)
    ] = None,
    quantity: Annotated[int | None, typer.Argument(metavar="[N]", min=1, help="How many.")] = None,
    what: Annotated[What, typer.Option("--what", help="What is destroyed.")] = What.BLANKS,
    card: Annotated[
        str | None,
        typer.Option("--card", metavar="NUMBER", help="Instead of a lot: a card whose life is over."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, in words.")] = "",
    witness: Witness = None,
    place: Place = None,
) -> None:
    """Book that blanks, spoiled cards or samples were made useless. Takes two people."""
    from rfid_station.desk.fulfilment import stock
    from rfid_station.desk.support.lookup import the_card

    words = _words(reason)
    with the_station(ctx) as station:
        if card is not None and lot is None:
            gone = the_card(station, card)
            seen_by = stock.destroy_card(station, gone, words, witness)
            typer.echo(f"card {gone.visual_number} is destroyed, seen by {seen_by}")
            return
        if lot is None or quantity is None or card is not None:
            raise WrongCall("say what is destroyed", hint="give LOT and N, or --card NUMBER")
        seen_by = stock.destroy(station, lot, quantity, what, words, witness, place=place)
        talk(f"destroyed, seen by {seen_by}")
        say_standing(station, lot)


def _check_sample(sample: int | None, no_sample: bool, reason: str | None) -> None:
    if no_sample and sample is not None:
        raise WrongCall("--sample and --no-sample are two things", hint="leave one of them out")
    if no_sample and not (reason or "").strip():
        raise WrongCall("--no-sample takes a reason", hint="add --reason WORDS")


def _reader_for(station: Station, uri: str | None, no_sample: bool) -> AbstractContextManager[Reader | None]:
    from rfid_station.cli.tapping import a_reader

    return nullcontext(None) if no_sample else a_reader(station, uri, None)


def _without_sample(station: Station, lot: Lot, reason: str) -> None:
    from rfid_station.domain.card import Role

    stock, why = station.store.stock, f"no sample: {_words(reason)}"
    if station.actor.role is Role.SUPERVISOR:
        say_state(stock.release(lot.id, why, station.actor))
    else:
        say_state(stock.hold(lot.id, why, station.actor))


def _look_at(station: Station, lot: Lot, wanted: int | None, reader: Reader) -> None:
    from rfid_station.cli.tapping import stoppable
    from rfid_station.desk.fulfilment.goods_in import Sampling
    from rfid_station.domain.stock import sample_size

    received = station.store.stock.standing(lot.name).received
    size = min(wanted, received) if wanted else sample_size(received)
    rule = "" if wanted else " (ISO 2859-1, level S-2)"
    talk(f"tap {counted(size, 'blank')} of lot {lot.name} on {reader.uri}{rule}")
    with stoppable() as stop:
        say_state(Sampling(station, lot, size, say_looked, note).run(reader, stop))


def _words(reason: str) -> str:
    if not reason.strip():
        raise WrongCall("it takes a reason", hint="add --reason WORDS")
    return reason.strip()


def _numbers(texts: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not number.isascii() or not number.isdigit():
            raise WrongCall(f"{text!r} is no lot with its number", hint="write it as L1=12")
        found[name] = int(number)
    return found


def _asked(lot: Lot, place: str, again: bool) -> int:
    import sys

    if not sys.stdin.isatty():
        raise WrongCall(
            f"nobody is here to count lot {lot.name}", hint=f"rfid-station stock count {lot.name}=N"
        )
    words = "count once more" if again else "count"
    number: int = typer.prompt(
        f"{words}: blanks of lot {lot.name} ({lot.chip}) at {place}", type=int, err=True
    )
    return number
