"""`rfid-station card try`: what a charging station of a partner would say, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.card_options import AsJson, Number
from rfid_station.cli.completion import partner_names
from rfid_station.cli.context import the_station
from rfid_station.cli.output import show_document, show_pairs, shown
from rfid_station.domain.charge_point import StationMode, UidForm

if TYPE_CHECKING:
    from rfid_station.desk.support.trying import Try
    from rfid_station.domain.charge_point import Known

At = Annotated[
    str,
    typer.Option("--at", metavar="PARTNER", help="Whose station it is.", autocompletion=partner_names),
]


def try_card(
    ctx: typer.Context,
    number: Number,
    at: At,
    station: Annotated[
        StationMode,
        typer.Option(
            help="online: asks at every tap; cached: goes by its cache first; offline: has lost its line."
        ),
    ] = StationMode.ONLINE,
    uid_form: Annotated[
        UidForm,
        typer.Option(help="What its reader makes of the UID: all bytes, four, from the end, or in decimal."),
    ] = UidForm.WHOLE,
    unreached: Annotated[
        bool, typer.Option("--unreached", help="As if the partner could not reach us when it asks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a charging station of a partner would do about a card, step by step, and what is uncertain."""
    from rfid_station.desk.support import trying
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx, to_look=True) as opened:
        card, partner = the_card(opened, number), opened.store.partners.get(at)
        question = trying.Question(station, uid_form, not unreached)
        row = _row(trying.try_card(opened, card, partner, question))
        row = {"number": card.visual_number, "partner": partner.name, **row}
    if as_json:
        show_document(row)
    else:
        show_pairs(_for_people(row))


def _row(tried: Try) -> dict[str, Any]:
    from rfid_station.domain.uid import masked

    verdict, told = tried.verdict, tried.told
    return {
        "station": f"{tried.question.mode}",
        "reaches_us": tried.question.is_reached,
        "says": f"{verdict.says}",
        "is_stopped": verdict.is_stopped,
        "steps": [{"rule": step.rule, "words": step.words} for step in verdict.steps],
        "holds": _known(tried.situation.held),
        "confirmed": told.is_confirmed,
        "told_at": told.newest.token.last_updated if told.newest else None,
        "proven_at": told.proven_at,
        "remembered": _known(tried.situation.before),
        "uid_form": f"{tried.question.form}",
        "uid_seen": masked(tried.uid_seen),
        "uid_told": masked(tried.uid_told),
        "is_recognized": tried.situation.is_recognized,
        "uncertain": list(tried.uncertain),
    }


def _known(known: Known | None) -> dict[str, Any] | None:
    return {"valid": known.valid, "whitelist": f"{known.whitelist}"} if known else None


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    says = f"{row['says']}, then stopped" if row["is_stopped"] else row["says"]
    same = "the same" if row["is_recognized"] else "not the same"
    return {
        "says": says,
        "why": "\n".join(f"{step['rule']}: {step['words']}" for step in row["steps"]),
        "holds": _held(row),
        "UID": f"the station sees {row['uid_seen']}, {row['partner']} was told {row['uid_told']}: {same}",
        "uncertain": "\n".join(row["uncertain"]) or "nothing",
    }


def _held(row: dict[str, Any]) -> str:
    holds = row["holds"]
    if holds is None:
        return f"{row['partner']} holds no such card"
    words = f"{'valid' if holds['valid'] else 'not valid'}, {holds['whitelist']}"
    if row["proven_at"]:
        return f"{words}; read back {shown(row['proven_at'])}"
    return f"{words}; {'acknowledged' if row['confirmed'] else 'an older state'}"
