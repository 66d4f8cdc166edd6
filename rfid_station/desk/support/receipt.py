"""The receipt of a block or its end: what was done here, what each partner said, what may still happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.desk.support.stopping import Stopped
from rfid_station.domain.card import CardState
from rfid_station.domain.hub_client import BehindHub
from rfid_station.errors import WrongCall
from rfid_station.sync.confirmation import Confirmation, Risk

if TYPE_CHECKING:
    from rfid_station.printing.papers.receipt import ReceiptPage

KINDS = (".pdf", ".json", ".txt")
ENGLISH, GERMAN = "en", "de"


class Known(StrEnum):
    """What is known of a card at a partner."""

    PROVEN = "proven"
    """Acknowledged, and read back equal."""
    CONFIRMED = "confirmed"
    """Acknowledged, but not read back equal."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AtPartner:
    """One partner on a receipt."""

    partner: str
    known: Known
    confirmed_at: datetime | None
    proven_at: datetime | None
    risk: Risk
    is_hub: bool
    cached_until: datetime | None
    is_done: bool = False
    """Nothing is left to do there: proven, or confirmed by a partner that shows nothing."""
    behind: BehindHub | None = None
    """Who stands behind a hub."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that a receipt tells."""

    number: str
    uid: str
    """Masked."""
    state: CardState
    reason: str
    who: str
    at: datetime
    """When the card came to this state here."""
    as_of: datetime
    """When the last partner answered."""
    language: str
    issuer: str
    partners: tuple[AtPartner, ...]
    not_connected: tuple[str, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether the card may not charge."""
        return self.state is not CardState.ACTIVE


def receipt_of(station: Station, stopped: Stopped) -> Receipt:
    """Everything about a card that was stopped, or let go on.

    :raises StoreError: the store cannot be used
    """
    card = stopped.card
    moves = [one for one in station.store.cards.history(card.id) if one.action == f"card.{card.state}"]
    spoken = card.driver.language if card.driver and card.driver.language else ENGLISH
    partners = sorted(
        (_at_partner(one, stopped.behind.get(one.partner)) for one in stopped.confirmations),
        key=lambda one: (_ORDER[one.known], one.partner),
    )
    return Receipt(
        number=card.visual_number,
        uid=card.uid.masked,
        state=card.state,
        reason=f"{card.reason}" if card.reason else "",
        who=moves[-1].actor.name if moves else station.actor.name,
        at=card.changed_at,
        as_of=max([card.changed_at, *(one.at for one in stopped.confirmations)]),
        language=GERMAN if spoken.lower().startswith(GERMAN) else ENGLISH,
        issuer=station.settings.desk.issuer,
        partners=tuple(partners),
        not_connected=stopped.not_connected,
    )


def _at_partner(one: Confirmation, behind: BehindHub | None) -> AtPartner:
    is_proven = one.is_confirmed and one.proven_at is not None
    known = Known.PROVEN if is_proven else Known.CONFIRMED if one.confirmed_at else Known.UNKNOWN
    return AtPartner(
        one.partner,
        known,
        one.confirmed_at,
        one.proven_at,
        one.risk,
        one.is_hub,
        one.cached_until,
        is_done=one.is_confirmed,
        behind=behind,
    )


_ORDER = {Known.UNKNOWN: 0, Known.CONFIRMED: 1, Known.PROVEN: 2}


def check_receipt_path(path: Path) -> Path:
    """Let a path pass whose ending says what to write. To be asked before anything is done.

    :raises WrongCall: it is none of the known ones
    """
    if path.suffix.lower() not in KINDS:
        raise WrongCall(
            f"{path} does not say what to write: it ends in {path.suffix or 'nothing'}",
            hint=f"let the file end in one of: {', '.join(KINDS)}",
        )
    return path


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt as PDF, JSON or text, by the file's ending: whole, or not at all.

    :raises WrongCall: the ending is unknown, or the place cannot be written to
    :raises DiskFull: there is no room
    :raises PrintError: it does not fit on one page
    """
    write_whole(check_receipt_path(path), _content(path.suffix.lower(), receipt))


def _content(kind: str, receipt: Receipt) -> bytes:
    if kind == ".json":
        return (json.dumps(as_document(receipt), ensure_ascii=False, indent=2) + "\n").encode()
    if kind == ".txt":
        return as_text(receipt).encode()
    from rfid_station.printing.papers.receipt import render_receipt

    return render_receipt(as_page(receipt))


def as_document(receipt: Receipt) -> dict[str, Any]:
    """For programs: the fields of the receipt, times in UTC."""
    words = _words(receipt)
    return {
        "number": receipt.number,
        "uid": receipt.uid,
        "state": f"{receipt.state}",
        "reason": receipt.reason or None,
        "who": receipt.who,
        "at": _moment(receipt.at),
        "as_of": _moment(receipt.as_of),
        "language": receipt.language,
        "partners": [
            {
                "partner": one.partner,
                "known": f"{one.known}",
                "confirmed_at": _moment(one.confirmed_at),
                "proven_at": _moment(one.proven_at),
                "is_hub": one.is_hub,
                "behind_hub": behind_row(one.behind),
                "cached_until": _moment(one.cached_until),
                "risk": f"{one.risk}",
                "words": _said(one, words),
            }
            for one in receipt.partners
        ],
        "not_connected": list(receipt.not_connected),
    }


def as_page(receipt: Receipt) -> ReceiptPage:
    """For a reader: the card's language decides the words."""
    from rfid_station.printing.papers.receipt import Entry, ReceiptPage

    words = _words(receipt)
    return ReceiptPage(
        title=_title(receipt, words),
        facts=_facts(receipt, words),
        heading=words["partners"],
        entries=tuple(Entry(_line(one, words), _said(one, words)) for one in receipt.partners),
        notes=_notes(receipt, words),
        footer=words["footer"].format(as_of=_shown(receipt.as_of), issuer=receipt.issuer),
        more=words["more"],
    )


def as_text(receipt: Receipt) -> str:
    """The same as plain text."""
    words = _words(receipt)
    title = _title(receipt, words)
    facts = _facts(receipt, words)
    width = max(len(name) for name, _ in facts)
    lines = [title, "=" * len(title), ""]
    lines += [f"{name:<{width}}  {value}" for name, value in facts]
    lines += ["", words["partners"]]
    for one in receipt.partners:
        lines += [f"  {_line(one, words)}", f"    {_said(one, words)}"]
    for note in _notes(receipt, words):
        lines += ["", note]
    lines += ["", words["footer"].format(as_of=_shown(receipt.as_of), issuer=receipt.issuer)]
    return "\n".join(lines) + "\n"


def _words(receipt: Receipt) -> dict[str, str]:
    return _GERMAN if receipt.language == GERMAN else _ENGLISH


def _title(receipt: Receipt, words: dict[str, str]) -> str:
    return words["stopped" if receipt.is_stopped else "active"].format(number=receipt.number)


def _facts(receipt: Receipt, words: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return (
        (words["card"], receipt.number),
        (words["uid"], receipt.uid),
        (words["reason"], words.get(f"reason {receipt.reason}", receipt.reason) or "-"),
        (words["who"], receipt.who),
        (words["when"], _shown(receipt.at)),
    )


def _line(one: AtPartner, words: dict[str, str]) -> str:
    told = words[f"{one.known}"].format(
        confirmed=_shown(one.confirmed_at), proven=_shown(one.proven_at or one.confirmed_at)
    )
    return f"{one.partner}: {told}"


def _said(one: AtPartner, words: dict[str, str]) -> str:
    said = [words[f"risk {one.risk}"]]
    if one.is_hub:
        said += [words["hub"], *_behind(one.behind, words)]
    if one.cached_until:
        said.append(words["cached"].format(until=_shown(one.cached_until)))
    return " ".join(said)


def _behind(behind: BehindHub | None, words: dict[str, str]) -> Iterator[str]:
    """Who stands behind a hub, as far as it told."""
    if behind and behind.operators:
        yield words["behind"].format(count=behind.operators)
    if behind and behind.away:
        yield words["away"].format(names=behind.named)


def behind_row(behind: BehindHub | None) -> dict[str, Any] | None:
    """The same for programs."""
    if behind is None:
        return None
    away = [
        {
            "party": f"{one.party}",
            "status": f"{one.status}",
            "last_updated": _moment(one.last_updated),
        }
        for one in behind.away
    ]
    return {"operators": behind.operators, "away": away}


def _notes(receipt: Receipt, words: dict[str, str]) -> tuple[str, ...]:
    notes = []
    if not receipt.partners:
        notes.append(words["nobody"])
    if receipt.not_connected:
        notes.append(words["not connected"].format(names=", ".join(receipt.not_connected)))
    if any(one.known is not Known.PROVEN and not one.is_done for one in receipt.partners):
        notes.append(words["pending"])
    if receipt.is_stopped:
        notes.append(words["offline"])
    return tuple(notes)


def _moment(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None


def _shown(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "-"


_ENGLISH = {
    "stopped": "Card {number} is blocked",
    "active": "Card {number} may charge again",
    "card": "Card",
    "uid": "Chip",
    "reason": "Reason",
    "reason lost": "lost",
    "reason stolen": "stolen",
    "reason found": "found",
    "who": "By",
    "when": "Since",
    "partners": "What the charging networks said",
    "proven": "proven {proven} (confirmed, and read back)",
    "confirmed": "confirmed {confirmed}, not proven",
    "unknown": "unknown, not confirmed yet",
    "risk accepts": "Accepts the card.",
    "risk may refuse": "May refuse the card until it has learned of it.",
    "risk refuses": "Refuses the card.",
    "risk refuses or asks": "Refuses the card, or asks us and hears no.",
    "risk asks or refuses": "Asks us and hears no. Refuses the card when it cannot reach us.",
    "risk asks": "Asks us and hears no.",
    "risk may accept everywhere": "May go on accepting the card at all its chargers, and never asks us.",
    "risk may accept": "May go on accepting the card without asking us.",
    "risk may accept offline": "Asks us and hears no, but may accept the card when it cannot reach us.",
    "hub": "It is a hub: what the operators behind it know is unknown.",
    "behind": "Operators behind it: {count}.",
    "away": "Of them away, as it last told: {names}; they hear of it later, if at all.",
    "cached": "Its chargers may go by the state before until {until}.",
    "nobody": "No charging network is connected, so none had to be told.",
    "not connected": "Not connected, so they cannot know the card from us: {names}.",
    "pending": "What is not proven is tried again until it is.",
    "offline": "A charger that is offline may go by an older list until it is online again.",
    "footer": "As of {as_of}. {issuer}",
    "more": "… and {count} more, of those with the best answers",
}

_GERMAN = {
    "stopped": "Karte {number} ist gesperrt",
    "active": "Karte {number} kann wieder laden",
    "card": "Karte",
    "uid": "Chip",
    "reason": "Grund",
    "reason lost": "verloren",
    "reason stolen": "gestohlen",
    "reason found": "wiedergefunden",
    "who": "Durch",
    "when": "Seit",
    "partners": "Was die Ladenetze gemeldet haben",
    "proven": "nachgewiesen {proven} (bestätigt und zurückgelesen)",
    "confirmed": "bestätigt {confirmed}, nicht nachgewiesen",
    "unknown": "unbekannt, noch nicht bestätigt",
    "risk accepts": "Nimmt die Karte an.",
    "risk may refuse": "Lehnt die Karte vielleicht ab, bis es davon erfahren hat.",
    "risk refuses": "Lehnt die Karte ab.",
    "risk refuses or asks": "Lehnt die Karte ab oder fragt uns und hört Nein.",
    "risk asks or refuses": "Fragt uns und hört Nein. Lehnt die Karte ab, wenn wir nicht erreichbar sind.",
    "risk asks": "Fragt uns und hört Nein.",
    "risk may accept everywhere": "Nimmt die Karte vielleicht weiter überall an, ohne zu fragen.",
    "risk may accept": "Nimmt die Karte vielleicht weiter an, ohne uns zu fragen.",
    "risk may accept offline": (
        "Fragt uns und hört Nein, nimmt die Karte aber vielleicht an, wenn wir nicht erreichbar sind."
    ),
    "hub": "Es ist ein Hub: Was die Betreiber dahinter wissen, ist unbekannt.",
    "behind": "Betreiber dahinter: {count}.",
    "away": "Davon nach seiner letzten Meldung getrennt: {names}; sie erfahren es später oder gar nicht.",
    "cached": "Seine Ladepunkte gehen vielleicht noch bis {until} nach dem früheren Stand.",
    "nobody": "Kein Ladenetz ist verbunden, also war keines zu benachrichtigen.",
    "not connected": "Nicht verbunden, kennen die Karte also nicht von uns: {names}.",
    "pending": "Was nicht nachgewiesen ist, wird wiederholt, bis es das ist.",
    "offline": "Ein Ladepunkt ohne Verbindung geht bis zur nächsten vielleicht nach einer älteren Liste.",
    "footer": "Stand {as_of}. {issuer}",
    "more": "… und {count} weitere mit den besten Meldungen",
}
