"""What a driver reads at the charger when a card is not let in, in the languages we speak."""

from __future__ import annotations

from rfid_station.domain.token import Token
from rfid_station.ocpi.port import Allowed

ENGLISH = "en"

_WORDS: dict[str, dict[Allowed, str]] = {
    ENGLISH: {
        Allowed.BLOCKED: "This card is blocked. Please call your card provider.",
        Allowed.EXPIRED: "This card has expired. Please use your new card.",
        Allowed.NO_CREDIT: "This card has no credit. Please call your card provider.",
        Allowed.NOT_ALLOWED: "This card cannot be used. Please call your card provider.",
    },
    "de": {
        Allowed.BLOCKED: "Diese Karte ist gesperrt. Bitte rufen Sie Ihren Kartenanbieter an.",
        Allowed.EXPIRED: "Diese Karte ist abgelaufen. Bitte benutzen Sie Ihre neue Karte.",
        Allowed.NO_CREDIT: "Diese Karte hat kein Guthaben. Bitte rufen Sie Ihren Kartenanbieter an.",
        Allowed.NOT_ALLOWED: "Diese Karte gilt hier nicht. Bitte rufen Sie Ihren Kartenanbieter an.",
    },
}


def language_for(token: Token) -> str:
    """The language in which a card's driver is spoken to: the card's own if we speak it, else English."""
    return token.language if token.language in _WORDS else ENGLISH


def words_for(token: Token, allowed: Allowed) -> str:
    """What the driver is told; nothing when the card is let in."""
    return _WORDS[language_for(token)].get(allowed, "")
