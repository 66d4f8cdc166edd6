"""What a restored store does not know, told to whoever restored it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from rfid_station.cli.output import talk

if TYPE_CHECKING:
    from rfid_station.store.backups.restoring import Restored


def restored_document(restored: Restored) -> dict[str, object]:
    """Everything, for programs."""
    after = restored.aftermath
    return {
        "place": restored.place,
        "events": restored.events,
        "kept": str(restored.kept) if restored.kept else None,
        "discarded": restored.discarded,
        "next_contract": after.next_contract,
        "owed": after.owed,
        "stopped": list(after.stopped),
        "unknown": [
            {"visual_number": one.visual_number, "contract_id": f"{one.contract_id}", "state": f"{one.state}"}
            for one in after.unknown
        ],
        "forgotten": after.forgotten,
        "operators_removed": list(after.gone_operators),
        "reconnect": list(after.reconnected),
        "paused": list(after.paused),
    }


def tell_restored(restored: Restored, *, is_elsewhere: bool) -> None:
    """What was done, and what is still to do."""
    after = restored.aftermath
    typer.echo(f"{restored.place}: as it was after {restored.events} events")
    if restored.kept:
        typer.echo(f"before     {restored.kept}")
    typer.echo(f"numbers    go on with contract {after.next_contract}")
    typer.echo(f"partners   are told all {after.owed} cards anew")
    for words in _done(restored):
        typer.echo(words)
    for words in _left(restored):
        talk(words)
    if is_elsewhere:
        talk("name the place in [store] of station.toml, on every desk")


def _done(restored: Restored) -> Iterator[str]:
    after = restored.aftermath
    for number in after.stopped:
        yield f"stopped    {number}, as it was since the backup"
    for one in after.unknown:
        yield f"unknown    {one.visual_number}, {one.contract_id}: made since the backup, {one.state} then"
    if after.forgotten:
        yield f"forgotten  the drivers of {after.forgotten} cards, as since the backup"
    for name in after.gone_operators:
        yield f"operator   {name} signs in no more, as since the backup"


def _left(restored: Restored) -> Iterator[str]:
    after = restored.aftermath
    if after.unknown:
        yield "partners may hold the unknown cards, and this store cannot stop them: take them in by file"
    for name in after.reconnected:
        yield f"{name} was connected anew since the backup: rfid-station partner connect {name}"
    if restored.discarded is None or after.paused:
        yield "what happened since the backup is not known: stop the cards that were stopped since,"
        yield "forget the drivers and remove the operators who went since; do not serve before that is done"
    for name in after.paused:
        yield f"{name} gets nothing but blocks: rfid-station sync audit {name}, then sync resume {name}"
    if not after.paused:
        yield "rfid-station sync run"
