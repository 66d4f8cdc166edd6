"""`rfid-station sync`: what partners should hold, and hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import card_numbers, partner_names
from rfid_station.cli.context import the_station
from rfid_station.cli.output import confirm, counted, show_rows, shown, talk

if TYPE_CHECKING:
    from rfid_station.desk.partners.sync_upkeep import PartnerStanding
    from rfid_station.sync.audit import Finding
    from rfid_station.sync.report import LaneReport

app = typer.Typer(help="Sync: what partners should hold, and hold.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a partner.")]
Partner = Annotated[str, typer.Argument(metavar="PARTNER", help="Its name.", autocompletion=partner_names)]


@app.command()
def run(
    ctx: typer.Context,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring every partner to the newest state; exit 7 if one refuses or cannot be reached."""
    from rfid_station.desk.partners.delivery import check_settled, deliver, standings

    with the_station(ctx, to_look=True) as station:
        reports = standings(station) if dry_run else deliver(station, wait)
    _show(reports, as_json)
    if dry_run:
        talk(f"{counted(sum(report.behind for report in reports), 'token')} would be sent")
        return
    check_settled(reports)


@app.command()
def prove(
    ctx: typer.Context,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NUMBER]...",
            help="Only these cards, by any number. [default: all]",
            autocompletion=card_numbers,
        ),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Read tokens back from every partner and compare; exit 7 if one differs. What differs is owed again."""
    from rfid_station.desk.partners.delivery import check_proven, prove, tokens_of
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx, to_look=True) as station:
        cards = [the_card(station, number) for number in numbers] if numbers else None
        tokens = tokens_of(station, cards)
        confirmations = prove(station, list(tokens), wait)
    rows = [
        {
            "partner": one.partner,
            "number": tokens[one.token_id],
            "answer": f"{one.answer}",
            "detail": one.detail,
        }
        for one in confirmations
    ]
    shown = rows if as_json else [row for row in rows if row["answer"] != "confirmed"]
    show_rows(shown, as_json=as_json, empty=_proven_in_words(len(confirmations), len(tokens)))
    check_proven(confirmations)


def _proven_in_words(read_back: int, tokens: int) -> str:
    if not read_back:
        return (
            "nothing was read back: there is no card yet, or no partner is connected that shows what it holds"
        )
    return f"{counted(tokens, 'card')}, read back {counted(read_back, 'time')}: all as they should be"


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say how far each partner is, without asking anybody."""
    from rfid_station.desk.partners.sync_upkeep import stand

    with the_station(ctx, to_look=True) as station:
        standings = stand(station)
    rows = [_standing(one, as_json) for one in standings]
    show_rows(rows, as_json=as_json, empty="no partner is connected: rfid-station partner list")
    _say_alarms([one.report for one in standings])


@app.command()
def pause(
    ctx: typer.Context,
    partner: Partner,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks at `sync status`.")] = "",
) -> None:
    """Send a partner nothing but what takes rights away, until `sync resume`.

    Blocked cards, and cards that it loses, are told to it all the same. It may go on reading our list and
    asking us.
    """
    from rfid_station.desk.partners.sync_upkeep import pause as pause_partner

    with the_station(ctx) as station:
        word = pause_partner(station, partner, reason.strip())
    typer.echo(f"{partner} is {word}")
    talk(f"what takes rights away is sent all the same; to go on: rfid-station sync resume {partner}")


@app.command()
def resume(ctx: typer.Context, partner: Partner) -> None:
    """Go on with a partner that was paused. What it is owed by now is sent."""
    from rfid_station.desk.partners.sync_upkeep import resume as resume_partner

    with the_station(ctx) as station:
        before = resume_partner(station, partner)
    typer.echo(f"{partner} goes on; it was {before}")
    talk("next: `rfid-station sync run`, unless `serve` is running")


@app.command()
def retry(
    ctx: typer.Context,
    partner: Annotated[str | None, typer.Argument(metavar="[PARTNER]", help="[default: all]")] = None,
    card: Annotated[
        str | None,
        typer.Option(
            "--card",
            metavar="NUMBER",
            help="Only this card, by any number.",
            autocompletion=card_numbers,
        ),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card and partner.")] = False,
) -> None:
    """Try again at once what was set aside, and go on with what is owed; exit 7 if it is refused again.

    A push that ended ambiguously may still land for a while, and is verified only after that.
    """
    from rfid_station.desk.partners.delivery import check_settled
    from rfid_station.desk.partners.sync_upkeep import check_retried
    from rfid_station.desk.partners.sync_upkeep import retry as retry_now
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        chosen = the_card(station, card) if card else None
        found, reports = retry_now(station, partner, chosen, wait)
    rows = [
        {
            "partner": one.outcome.partner,
            "number": one.number,
            "result": f"{one.outcome.result}",
            "next_try": one.outcome.next_try,
            "detail": one.outcome.detail,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json, empty="nothing was set aside")
    check_retried(found)
    if card is None:
        check_settled(reports)


@app.command()
def resync(
    ctx: typer.Context,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="Who is owed everything again.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be owed.")] = False,
) -> None:
    """Owe a partner the newest state of every card again, as if it were new. Nothing is sent by this alone.

    What it refused stays set aside, with its time: `sync retry` tries that.
    """
    from rfid_station.desk.partners.delivery import tokens_of
    from rfid_station.desk.partners.sync_upkeep import check_connected
    from rfid_station.desk.partners.sync_upkeep import resync as owe_again

    with the_station(ctx) as station:
        check_connected(station, partner)
        number = counted(len(tokens_of(station, None, partner)), "token")
        if dry_run:
            talk(f"{partner} would be owed {number}")
            return
        confirm(f"send {number} to {partner} again?", yes)
        owed = owe_again(station, partner)
    typer.echo(f"{partner} is owed {counted(owed, 'token')}")
    talk("next: `rfid-station sync run`, unless `serve` is running")


@app.command()
def audit(
    ctx: typer.Context,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="Who is read back.")],
    sample: Annotated[int, typer.Option("--sample", min=1, help="Read so many, drawn by chance.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="Read all of them.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Send what differs again, and read it back.")
    ] = False,
    rate: Annotated[float, typer.Option("--rate", min=0.01, help="Reads a second at most.")] = 20.0,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 3600.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card.")] = False,
) -> None:
    """Read a partner back and say where it has drifted: missing, stale or altered cards; exit 5 if it has.

    Only our cards can be asked for: what a partner holds beside them cannot be listed over OCPI.
    """
    from rfid_station.desk.partners.auditing import Wish
    from rfid_station.desk.partners.auditing import audit as read_back

    wish = Wish(partner, None if everything else sample, repair, rate, wait)
    with the_station(ctx, to_look=not repair) as station, read_back(station, wish) as (tally, findings):
        for finding in findings:
            if as_json:
                show_rows([_finding(finding)], as_json=True, empty="")
            elif finding.drift != "right":
                typer.echo(_finding_in_words(finding))
    read = f"{partner}: read {tally.read} of {counted(tally.total, 'token')}"
    kinds = ", ".join(f"{count} {drift}" for drift, count in sorted(tally.found.items()))
    talk(f"{read}: {kinds}" if kinds else f"{read}: there is nothing to compare")
    if tally.repaired:
        talk(f"repaired and read back: {tally.repaired}")
    if tally.most_drift is not None:
        talk(f"so with 95 % certainty fewer than {tally.most_drift:.1%} of all differ")
    tally.check()


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "partner": finding.partner,
        "number": finding.visual_number,
        "drift": f"{finding.drift}",
        "fields": list(finding.fields),
        "detail": finding.detail,
        "owed": finding.is_owed,
        "at": finding.at,
        "repair": f"{finding.repair.answer}" if finding.repair else None,
        "repair_detail": finding.repair.detail if finding.repair else None,
    }


def _finding_in_words(finding: Finding) -> str:
    words = f"{finding.visual_number}: {finding.drift}, {finding.detail}"
    if finding.is_owed:
        words += "; owed, sync will send it"
    if finding.repair:
        is_well = finding.repair.is_confirmed
        words += "; repaired and read back" if is_well else f"; repair {finding.repair.answer}"
        words += "" if is_well else f", {finding.repair.detail}"
    return words


def _standing(one: PartnerStanding, as_json: bool) -> dict[str, Any]:
    report = one.report
    owed = report.owed
    row = _row(report, as_json)
    if one.is_ending:
        row["detail"] = f"ending: it is to lose every card; {row['detail']}"
    more: dict[str, Any] = {
        "owed_since": owed.since,
        "next_try": report.resumes_at,
        "last_success": one.last_success,
        "in_level": report.is_within_level if as_json else _yes(report.is_within_level),
    }
    if as_json:
        more |= {
            "owed_urgent": owed.urgent,
            "urgent_since": owed.urgent_since,
            "level_broken_at": owed.due_at,
            "block_within_s": int(owed.level.block_within.total_seconds()),
            "new_within_s": int(owed.level.new_within.total_seconds()),
            "down_since": report.met.down_since,
            "last_pull": report.met.last_pull_at,
            "paused_since": report.met.pause.at if report.met.pause else None,
            "paused_by": report.met.pause.by if report.met.pause else None,
            "pause_reason": report.met.pause.reason if report.met.pause else None,
            "ending": one.is_ending,
            "set_aside": [
                {
                    "token": parked.token_id,
                    "attempts": parked.attempts,
                    "next_try": parked.due_at,
                    "to_verify": parked.must_verify,
                    "error": parked.error,
                }
                for parked in report.parked
            ],
        }
        return row | more
    detail = row.pop("detail")
    return row | {name: shown(value) or "-" for name, value in more.items()} | {"detail": detail}


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


def _show(reports: list[LaneReport], as_json: bool) -> None:
    rows = [_row(report, as_json) for report in reports]
    show_rows(rows, as_json=as_json, empty="no partner is connected: rfid-station partner list")
    _say_alarms(reports)


def _say_alarms(reports: list[LaneReport]) -> None:
    for report in reports:
        for alarm in report.alarms:
            talk(f"alarm: {alarm}")


def _row(report: LaneReport, as_json: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "partner": report.partner,
        "state": f"{report.state}",
        "revision": f"{report.cursor}/{report.head}",
        "owed": report.behind,
        "uncertain": len(report.parked),
        "detail": report.detail,
    }
    if as_json:
        row |= {
            "cursor": report.cursor,
            "head": report.head,
            "sent": report.puts,
            "last_error": report.last_error,
        }
    return row
