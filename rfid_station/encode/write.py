"""The plan runs: one frame to the card a step, and nothing that is not in the plan."""

from __future__ import annotations

from rfid_station.chip import type2
from rfid_station.chip.exchange import AskUid, Dialogue
from rfid_station.domain.uid import CardUid
from rfid_station.encode.plan import Plan
from rfid_station.errors import CardLost


def write_card(plan: Plan) -> Dialogue[None]:
    """Write every step in order, after making sure that the planned card is still there.

    Whatever it raises, the card is in a state that planning anew can finish.

    :raises CardLost: the card left, or is another one
    :raises CardDefective: the card does not take a page
    """
    if not plan.steps:
        return
    check_same_card(plan.uid, (yield AskUid()))
    for step in plan.steps:
        yield from type2.write(step.page, step.data)


def check_same_card(expected: CardUid, answered: bytes) -> None:
    """Stop when another card answers than the one that was planned for.

    :raises CardLost: it does
    """
    if answered != expected.raw:
        raise CardLost(
            f"card {expected.masked} was tapped, and another card answers now",
            hint="leave one card on the reader until the station says that it is done",
        )
