"""`rfid-station order`: what somebody ordered, how far it is, and when it is done."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.card_options import AsJson, DryRun, ProfileName
from rfid_station.cli.completion import card_numbers, group_names, order_names
from rfid_station.cli.context import look, the_station
from rfid_station.cli.output import counted, show_document, show_pairs, show_rows, talk
from rfid_station.cli.packing import Carrier, Tracking, send
from rfid_station.cli.print_options import BrandName, DesignName, Intent, Onto, Out, Reason, SheetName
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.domain.order import Item, Progress, Way
from rfid_station.errors import Conflict, WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.fulfilment.orders import Wish
    from rfid_station.desk.paper.press import PressWish
    from rfid_station.desk.paper.sheets import Wish as SheetWish
    from rfid_station.desk.station import Station
    from rfid_station.domain.order import Order

app = typer.Typer(help="Work orders: made, cancelled, printed, dispatched, closed.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ORDER", help="The order's name.", autocompletion=order_names)]
Uids = Annotated[UidForm, typer.Option("--uids", help="How the UIDs of a list are written.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]


@app.command()
def create(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A fleet's file or a maker's list: a card for each row."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many cards for nobody in particular.")] = None,
    reference: Annotated[
        str | None, typer.Option("--for", metavar="REFERENCE", help="One card for this driver.")
    ] = None,
    driver: Annotated[str, typer.Option(help="The driver's name, with --for.")] = "",
    fleet: Annotated[str, typer.Option(help="The driver's fleet, with --for.")] = "",
    language: Annotated[str | None, typer.Option(help="The driver's language, as in de, with --for.")] = None,
    valid_until: Annotated[
        datetime | None,
        typer.Option("--valid-until", formats=["%Y-%m-%d"], help="The card's last day, with --for."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The order's name. [default: the file's, or a running one]")
    ] = None,
    way: Annotated[
        Way | None, typer.Option(help="How the cards are made. [default: encode_first; a maker's: delivered]")
    ] = None,
    profile: ProfileName = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="The cards', where the file names none.", autocompletion=group_names),
    ] = None,
    uids: Uids = UidForm.AS_IS,
    as_json: AsJson = False,
) -> None:
    """Order cards: by a file, by number, or one for somebody. The same file again changes nothing."""
    from rfid_station.desk.fulfilment import orders
    from rfid_station.domain.card import Driver

    if [file is not None, count is not None, reference is not None].count(True) != 1:
        raise WrongCall("what is ordered?", hint="order create FILE, or --count N, or --for REFERENCE")
    wish = orders.Wish(name, way, profile, group, uids)
    with the_station(ctx) as station:
        if file is not None:
            order = _order_file(station, file, wish)
        elif count is not None:
            order = orders.order_count(station, count, wish)
        else:
            whom = Driver(driver, reference or "", fleet, language)
            order = orders.order_one(station, whom, wish, valid_until.date() if valid_until else None)
        now = orders.standing(station, order.name)
    if as_json:
        show_document(_order_row(order, now.progress))
        return
    typer.echo(order.name)
    talk(
        f"order {order.name}: {counted(now.progress.ordered, 'card')}, {order.way}, {now.progress.left} left"
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an order.")] = False,
) -> None:
    """List the orders, the oldest first."""
    seen = look(ctx, lambda station: station.store.orders.all(open_only=open_only))
    rows = [_order_row(order, progress) for order, progress in seen.found]
    if as_json:
        rows = list(map(seen.told, rows))
    else:
        few = ("order", "state", "way", "ordered", "done", "cancelled", "left", "created")
        rows = [{name: row[name] for name in few} for row in rows]
    show_rows(rows, as_json=as_json, empty="there are no orders")


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show one order: how far it is, and each line with its card and what it still needs."""
    from rfid_station.desk.fulfilment.orders import standing

    seen = look(ctx, lambda station: standing(station, name))
    now = seen.found
    row = _order_row(now.order, now.progress)
    if as_json:
        show_document(seen.told(row | {"lines": [_item_row(item) for item in now.items]}))
        return
    show_pairs(row)
    show_rows([_short_item_row(item) for item in now.items], as_json=False, empty="no lines")


@app.command()
def cancel(
    ctx: typer.Context,
    name: Name,
    reason: Why,
    lines: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LINE]...", help="By place or reference. [default: all that have no card]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Want no cards any more on lines that have none, or whose card was stopped."""
    from rfid_station.desk.fulfilment import orders

    with the_station(ctx) as station:
        cancelled = orders.cancel(station, name, lines or [], reason)
    if as_json:
        show_document({"order": name, "cancelled": [item.place for item in cancelled]})
    else:
        talk(f"{counted(len(cancelled), 'line')} of order {name} cancelled")


@app.command()
def close(ctx: typer.Context, name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Close an order: every line cancelled, or its card written, read back, printed and packed.

    Else exit 6, with what is missing, line by line.
    """
    from rfid_station.desk.fulfilment import orders

    with the_station(ctx) as station:
        left = orders.close(station, name, dry_run=dry_run)
    if as_json:
        closed = not left and not dry_run
        show_document({"order": name, "closed": closed, "missing": [_item_row(item) for item in left]})
    elif left:
        show_rows([_short_item_row(item) for item in left], as_json=False, empty="")
    if left:
        raise Conflict(
            f"order {name} is not done: {counted(len(left), 'line')} left; {_sums(left)}",
            hint=f"rfid-station order show {name}",
        )
    talk(f"order {name} {'could be' if dry_run else 'is'} closed")


@app.command("print")
def print_(
    ctx: typer.Context,
    name: Name,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER]...", help="Print these again, alone; takes --reason."),
    ] = None,
    reason: Reason = None,
    design: DesignName = None,
    brand: BrandName = None,
    sheet: SheetName = None,
    onto: Onto = None,
    bureau: Annotated[
        str | None, typer.Option(help="Make the archive for a print bureau; `sheet bureaus` lists them.")
    ] = None,
    intent: Intent = None,
    out: Out = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Print the cards of an order before their chips are known: numbers are drawn, kept, and put on sheets.

    Prints what is missing: new numbers for plastic that was spoiled, and what an earlier call did not print.
    """
    from rfid_station.desk.fulfilment.preprinting import to_print
    from rfid_station.desk.paper.press import PressWish
    from rfid_station.desk.paper.sheets import Wish as SheetWish

    with the_station(ctx) as station:
        order = station.store.orders.get(name)
        if dry_run:
            drawn, wanting = to_print(station, order)
            talk(f"{counted(len(drawn) + wanting, 'card')} would be printed, {wanting} with new numbers")
            return
        if bureau is not None:
            sent = PressWish(bureau, design=design, brand=brand, profile=intent, out=out, reason=reason)
            is_made = _for_bureau(station, order, sent, numbers or [], as_json)
        else:
            wish = SheetWish(design=design, brand=brand, sheet=sheet, onto=onto, out=out, reason=reason)
            is_made = _on_sheets(station, order, wish, numbers or [], as_json)
    if not is_made:
        talk(f"nothing is to be printed for order {name}")


def _on_sheets(station: Station, order: Order, wish: SheetWish, again: list[str], as_json: bool) -> bool:
    """Print numbers on sheets and say so; False where nothing is to be printed."""
    from rfid_station.cli.sheet import show_sheets
    from rfid_station.desk.fulfilment.preprinting import print_numbers

    made = print_numbers(station, order, wish, again)
    if made is not None:
        show_sheets(made, as_json)
    return made is not None


def _for_bureau(station: Station, order: Order, wish: PressWish, again: list[str], as_json: bool) -> bool:
    """Make an archive of numbers for a bureau and say so; False where nothing is to be printed."""
    from rfid_station.cli.press import show_archive
    from rfid_station.desk.fulfilment.preprinting import send_numbers

    made = send_numbers(station, order, wish, again)
    if made is not None:
        show_archive(made, wish.bureau, as_json)
    return made is not None


@app.command()
def spoil(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="What is printed on the plastic.")],
    reason: Why,
) -> None:
    """Printed plastic is waste, and has no chip's data yet: its line gets a new number with `order print`."""
    from rfid_station.desk.fulfilment.preprinting import spoil_plastic

    with the_station(ctx) as station:
        found = spoil_plastic(station, number, reason)
    talk(f"number {found.visual_number} is spoiled; `rfid-station order print {found.order}` prints another")


@app.command()
def dispatch(
    ctx: typer.Context,
    name: Name,
    tracking: Tracking,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NUMBER]...", help="Only these cards. [default: all packed]", autocompletion=card_numbers
        ),
    ] = None,
    carrier: Carrier = "",
    as_json: AsJson = False,
) -> None:
    """Send the packed cards of an order off in one parcel."""
    from rfid_station.desk.fulfilment.packing import packed_cards
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        cards = packed_cards(station, name)
        if numbers:
            chosen = [the_card(station, number) for number in numbers]
            _refuse_others(name, chosen, cards)
            cards = chosen
        send(station, cards, tracking, carrier, as_json)


def _refuse_others(name: str, chosen: list[Any], packed: list[Any]) -> None:
    """Let cards pass that are the order's and packed."""
    known = {card.id for card in packed}
    for card in chosen:
        if card.id not in known:
            raise Conflict(
                f"card {card.visual_number} is not among the packed cards of order {name}",
                hint=f"rfid-station order show {name}",
            )


def _order_file(station: Station, file: Path, wish: Wish) -> Order:
    from rfid_station.cli.batch import show_finding
    from rfid_station.desk.fulfilment.orders import order_file

    return order_file(station, file, wish, lambda finding: show_finding(finding, as_json=False, err=True))


def _order_row(order: Order, progress: Progress) -> dict[str, Any]:
    """An order for programs; docs/json.md describes it."""
    return {
        "order": order.name,
        "state": "open" if order.is_open else "closed",
        "way": f"{order.way}",
        "profile": order.profile,
        "source": order.source,
        "created": order.created_at,
        "who": order.created_by,
        "closed": order.closed_at,
        "ordered": progress.ordered,
        "made": progress.made,
        "printed": progress.printed,
        "packed": progress.packed,
        "dispatched": progress.dispatched,
        "spoiled": progress.spoiled,
        "cancelled": progress.cancelled,
        "done": progress.done,
        "left": progress.left,
    }


def _item_row(item: Item) -> dict[str, Any]:
    """A line for programs."""
    card, driver = item.card, item.wanted.driver
    return {
        "line": item.place,
        "key": item.wanted.key,
        "driver": driver.masked if driver else None,
        "number": card.visual_number if card else item.printed_number,
        "state": f"{card.state}" if card else None,
        "printed": item.is_printed,
        "packed": card.packed_at if card else None,
        "tracking": card.tracking if card else None,
        "cancelled": item.cancel_reason,
        "missing": [f"{step}" for step in item.missing],
    }


def _short_item_row(item: Item) -> dict[str, Any]:
    """A line for people."""
    row = _item_row(item)
    left = f"left in {row['tracking']}" if row["tracking"] else "done"
    stands = f"cancelled: {item.cancel_reason}" if item.is_cancelled else ", ".join(row["missing"]) or left
    few = {name: row[name] for name in ("line", "key", "driver", "number", "state")}
    return few | {"stands": stands}


def _sums(left: list[Item]) -> str:
    """How often each thing is missing, in the order of the work."""
    from collections import Counter

    counts = Counter(step for item in left for step in item.missing)
    return ", ".join(f"{number} {step}" for step, number in counts.items())
