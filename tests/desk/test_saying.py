"""What support says to a driver, by what is so."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from rfid_station.desk.support.saying import Partners, say
from rfid_station.domain.card import Card, CardState, Claim, Reason, Replacement, ReplaceWhen
from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.uid import CardUid

TODAY = date(2026, 3, 1)
CARD = Card(
    id=1,
    uid=CardUid(bytes.fromhex("04E10CDA993C80")),
    chip="NTAG213",
    profile="link",
    state=CardState.ACTIVE,
    reason=None,
    contract_id=own_contract_id("NL", "EXM", 1),
    visual_number="EXM-0000-0001-5",
    alias="ABCDEFGHJKMN",
    order_line=None,
    driver=None,
    changed_at=datetime(2026, 2, 28, 12, 0, tzinfo=UTC),
)
NEW = replace(CARD, id=2, visual_number="EXM-0000-0002-7", state=CardState.ISSUED)
BLOCKED = replace(CARD, state=CardState.BLOCKED, reason=Reason.LOST)
LOST = Replacement(ReplaceWhen.NOW, Reason.LOST)
ALL, SOME = Partners(("a", "b"), ()), Partners(("a",), ("b", "c"))

SAID = [
    (CARD, ALL, None, "Your card is active. All 2 networks know that."),
    (CARD, Partners(), None, "Your card is active. No charging network knows it yet."),
    (CARD, Partners(without=("a",)), None, "Your card is active. It is not for use at: a."),
    (CARD, Partners(("a",), (), ("b",)), None, "Your card is active. a knows that. It is not for use at: b."),
    (CARD, SOME, None, "Your card is active. It may not work yet at: b, c; we are telling them."),
    (
        BLOCKED,
        SOME,
        None,
        "Your card has been blocked since 2026-02-28 12:00 UTC as lost. It may still be accepted at: b, c; "
        "we keep telling them until they confirm.",
    ),
    (
        replace(BLOCKED, replacement=LOST),
        ALL,
        None,
        "Your card has been blocked since 2026-02-28 12:00 UTC as lost. All 2 networks know that. "
        "A new card is being made. If you find this one before, call us and it works again.",
    ),
    (
        replace(BLOCKED, replacement=LOST),
        ALL,
        NEW,
        "Your card has been blocked since 2026-02-28 12:00 UTC as lost. All 2 networks know that. "
        "Your new card EXM-0000-0002-7 is on its way; it works once it is activated.",
    ),
    (
        replace(CARD, replacement=Replacement(ReplaceWhen.ACTIVATED, Reason.DAMAGED)),
        ALL,
        None,
        "Your card is active. All 2 networks know that. A new card is being made; use this one until then.",
    ),
    (
        replace(CARD, state=CardState.REPLACED, reason=Reason.LOST),
        SOME,
        NEW,
        "This card was replaced by EXM-0000-0002-7; it will not work again, please destroy it. "
        "It may still be accepted at: b, c; we keep telling them until they confirm.",
    ),
    (
        replace(CARD, valid_until=date(2026, 3, 31)),
        ALL,
        None,
        "Your card is active. All 2 networks know that. It is valid until 2026-03-31, 30 more days.",
    ),
    (
        replace(CARD, valid_until=date(2026, 2, 28)),
        ALL,
        None,
        "Your card was valid until 2026-02-28 and is ending now. All 2 networks know that.",
    ),
    (
        replace(CARD, state=CardState.ISSUED),
        ALL,
        None,
        "Your card is made and not activated yet. We can activate it now.",
    ),
    (
        replace(CARD, state=CardState.ISSUED, claim=Claim(3)),
        ALL,
        None,
        "Your card is made and not activated yet. Please activate it with the code in your letter.",
    ),
    (
        replace(CARD, state=CardState.ISSUED, claim=Claim(10)),
        ALL,
        None,
        "Your card is made and not activated yet. Too many wrong codes were typed; a supervisor can send a "
        "new one.",
    ),
]


@pytest.mark.parametrize(("card", "partners", "successor", "words"), SAID)
def test_what_is_said(card: Card, partners: Partners, successor: Card | None, words: str) -> None:
    assert say(card, partners, TODAY, successor) == words


def test_something_is_said_of_every_card_and_fraud_is_never_named() -> None:
    for state, partners, successor in itertools.product(CardState, (ALL, SOME, Partners()), (None, NEW)):
        words = say(replace(CARD, state=state, reason=Reason.FRAUD), partners, TODAY, successor)
        assert words.endswith(".")
        assert state is CardState.BLOCKED or "fraud" not in words
