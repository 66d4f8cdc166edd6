"""What to say to the driver on the phone, by the card's state and by what partners hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rfid_station.domain.card import Card, CardState, Reason, ReplaceWhen


@dataclass(frozen=True, slots=True)
class Partners:
    """How far the newest state of a card has come, by the names of partners."""

    informed: Sequence[str] = ()
    """They acknowledged it."""
    owed: Sequence[str] = ()
    """They hold an older one, or it is not known which."""
    without: Sequence[str] = ()
    """They had it, and their agreements do not cover it any more."""


def say(card: Card, partners: Partners, today: date, successor: Card | None = None) -> str:
    """What is so, and what the driver can do. Nothing is said that a driver is not to hear: no fraud."""
    words = [
        _state(card, today, successor),
        _reach(card, partners),
        _without(card, partners),
        _date(card, today),
        _next(card, successor),
    ]
    return " ".join(filter(None, words))


def _state(card: Card, today: date, successor: Card | None) -> str:
    if card.state is CardState.REPLACED and successor is not None:
        return (
            f"This card was replaced by {successor.visual_number}; it will not work again, please destroy it."
        )
    if card.state is CardState.ACTIVE and card.is_over(today):
        return f"Your card was valid until {card.valid_until} and is ending now."
    if card.state is CardState.BLOCKED:
        return f"Your card has been blocked since {card.changed_at:%Y-%m-%d %H:%M} UTC as {card.reason}."
    return _WORDS[card.state]


_WORDS = {
    CardState.RESERVED: "Your card is being made.",
    CardState.ENCODING: "Your card is being made.",
    CardState.ISSUED: "Your card is made and not activated yet.",
    CardState.ACTIVE: "Your card is active.",
    CardState.SUSPENDED: "Your card is suspended; our accounts team can tell you more.",
    CardState.SPOILED: "This card failed when it was made and was never yours to use.",
    CardState.REPLACED: "This card was replaced; it will not work again, please destroy it.",
    CardState.EXPIRED: "Your card has expired; it will not work again.",
    CardState.RETIRED: "This card was given back; it will not work again.",
}


def _reach(card: Card, partners: Partners) -> str:
    """How far the news has come, where that matters to the driver."""
    total = len(partners.informed) + len(partners.owed)
    if card.state.is_unfinished or card.state in (CardState.SPOILED, CardState.ISSUED):
        return ""
    works = card.state is CardState.ACTIVE
    if not total and partners.without:
        return ""
    if not total:
        return "No charging network knows it yet." if works else ""
    if not partners.owed:
        return f"All {total} networks know that." if total > 1 else f"{partners.informed[0]} knows that."
    waiting = ", ".join(partners.owed)
    if works:
        return f"It may not work yet at: {waiting}; we are telling them."
    return f"It may still be accepted at: {waiting}; we keep telling them until they confirm."


def _without(card: Card, partners: Partners) -> str:
    if card.state is not CardState.ACTIVE or not partners.without:
        return ""
    return f"It is not for use at: {', '.join(partners.without)}."


def _date(card: Card, today: date) -> str:
    if card.state is not CardState.ACTIVE or card.valid_until is None or card.is_over(today):
        return ""
    days = (card.valid_until - today).days
    return (
        f"It is valid until {card.valid_until}, {days} more days."
        if days != 1
        else "It is valid until tomorrow."
    )


def _next(card: Card, successor: Card | None) -> str:
    """What comes next, or what the driver can do."""
    if card.state is CardState.ISSUED:
        if card.claim is None:
            return "We can activate it now."
        if card.claim.is_locked:
            return "Too many wrong codes were typed; a supervisor can send a new one."
        return "Please activate it with the code in your letter."
    if card.state is CardState.REPLACED and successor is None:
        return "A new card is being made." if card.replacement else ""
    if card.replacement is None or (card.state.is_final and card.state is not CardState.EXPIRED):
        return ""
    if successor is not None:
        return f"Your new card {successor.visual_number} is on its way; it works once it is activated."
    stays = card.state is CardState.ACTIVE and card.replacement.when is ReplaceWhen.ACTIVATED
    return "A new card is being made" + ("; use this one until then." if stays else ".") + _found(card)


def _found(card: Card) -> str:
    is_findable = card.state is CardState.BLOCKED and card.reason in (Reason.LOST, Reason.STOLEN)
    return " If you find this one before, call us and it works again." if is_findable else ""
