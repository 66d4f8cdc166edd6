"""What the page says, in the languages it speaks."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH, GERMAN = "en", "de"

Words = Mapping[str, str | tuple[str, ...]]


def language_for(accepted: bytes) -> str:
    """The language that a phone likes best of those we speak (RFC 9110, 12.5.4); else English."""
    best, weight = ENGLISH, 0.0
    for part in accepted.decode("latin-1").split(",")[:20]:
        name, _, quality = part.partition(";")
        language = name.strip().partition("-")[0].lower()
        liked = _weight(quality)
        if language in WORDS and liked > weight:
            best, weight = language, liked
    return best


def _weight(quality: str) -> float:
    name, _, value = quality.strip().partition("=")
    if not name:
        return 1.0
    try:
        return max(0.0, min(1.0, float(value))) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


_ENGLISH: Words = {
    "card": "Card",
    "is issued": "Not activated yet",
    "is active": "Active",
    "is blocked": "Blocked",
    "is suspended": "Suspended",
    "is replaced": "Replaced",
    "is expired": "Expired",
    "is retired": "Ended",
    "means issued": "The card does not charge before it is activated.",
    "means active": "You can charge with this card.",
    "means blocked": "Nobody is to charge with this card.",
    "means suspended": "The card does not charge at present. Our hotline can tell you more.",
    "means replaced": "A new card has taken its place. Please destroy this one.",
    "means expired": "The card does not charge any more. Our hotline can tell you more.",
    "means retired": "The card does not charge any more.",
    "networks": "Charging networks",
    "network knows": "knows it",
    "network waits": "is being told",
    "offline": "A charger that is offline may still go by an older list until it is online again.",
    "looks again": "This page looks again by itself every few seconds.",
    "to card": "Back to the card",
    "by tap": "Your card was tapped just now",
    "permit lasts": "This works once, within 5 minutes.",
    "by code": "With the code from your letter",
    "code": "Code",
    "code help": "10 letters and digits, as in ABCDE-23456",
    "tap instead": "Or hold the card to your phone again: then no code is asked for.",
    "locked": "Too many wrong codes were typed. Please call our hotline for a new one.",
    "call us": "Is something wrong with the card? Please call our hotline.",
    "do activate": "Activate the card",
    "do lost": "Report it lost",
    "do found": "I have found it",
    "how to charge": "How to charge",
    "steps": (
        "Plug the cable into your car.",
        "Hold the card to the card symbol on the charger, and wait until it says yes.",
        "Plug in the other end, if the cable is not the charger's own.",
        "To end, hold the same card there again.",
    ),
    "hotline": "Hotline",
    "privacy": "This page sets no cookies and loads nothing from elsewhere.",
    "title unknown": "We do not know this card",
    "unknown": "Please check the link on your card, or call our hotline.",
    "title wait": "Please wait",
    "wait": "There were too many tries, and this one did not count. Please try again in {seconds} seconds.",
    "title wrong": "This did not work",
    "wrong": "Please go back and try again.",
    "title trouble": "Please try again later",
    "trouble": "Something is not in order here. Is your card lost? Please call our hotline.",
    "news active": "Done. You can charge with this card as soon as the networks know it.",
    "news blocked": "Done. The card is blocked.",
    "wrong_code": "This is not the code of this card. Nothing was changed.",
    "locked_out": "No code is taken for this card any more. Please call our hotline.",
    "permit_over": "The tap has been used or is too old. Nothing was changed: please tap the card again.",
    "not_possible": "This is not possible with the card as it is now. Nothing was changed.",
    "form_old": "The page was open for too long. Nothing was changed: please try again.",
    "tap good": "The card is genuine, and it is here.",
    "tap replayed": "This tap was seen before. If you only opened the page again, tap the card once more.",
    "tap rolled_back": "This link is older than the last tap: it may be a copy. Please tap the card itself.",
    "tap truncated": "The link is not whole. Please tap the card again.",
    "tap foreign": "This link was not made by this card. It proves nothing.",
    "tap unchecked": "The tap cannot be checked at present.",
}

_GERMAN: Words = {
    "card": "Karte",
    "is issued": "Noch nicht aktiviert",
    "is active": "Aktiv",
    "is blocked": "Gesperrt",
    "is suspended": "Ausgesetzt",
    "is replaced": "Ersetzt",
    "is expired": "Abgelaufen",
    "is retired": "Beendet",
    "means issued": "Die Karte lädt erst, wenn sie aktiviert ist.",
    "means active": "Mit dieser Karte kann geladen werden.",
    "means blocked": "Mit dieser Karte soll niemand laden.",
    "means suspended": "Die Karte lädt zurzeit nicht. Unsere Hotline weiß mehr.",
    "means replaced": "Eine neue Karte ist an ihre Stelle getreten. Bitte zerstören Sie diese.",
    "means expired": "Die Karte lädt nicht mehr. Unsere Hotline weiß mehr.",
    "means retired": "Die Karte lädt nicht mehr.",
    "networks": "Ladenetze",
    "network knows": "weiß es",
    "network waits": "wird benachrichtigt",
    "offline": (
        "Ein Ladepunkt ohne Verbindung geht vielleicht nach einer älteren Liste, bis er wieder verbunden ist."
    ),
    "looks again": "Diese Seite sieht alle paar Sekunden von selbst wieder nach.",
    "to card": "Zurück zur Karte",
    "by tap": "Ihre Karte wurde gerade angehalten",
    "permit lasts": "Das geht einmal, innerhalb von 5 Minuten.",
    "by code": "Mit dem Code aus Ihrem Brief",
    "code": "Code",
    "code help": "10 Buchstaben und Ziffern, wie in ABCDE-23456",
    "tap instead": "Oder halten Sie die Karte noch einmal an Ihr Telefon: Dann wird kein Code verlangt.",
    "locked": "Es wurden zu viele falsche Codes eingegeben. Einen neuen gibt Ihnen unsere Hotline.",
    "call us": "Stimmt etwas mit der Karte nicht? Bitte rufen Sie unsere Hotline an.",
    "do activate": "Karte aktivieren",
    "do lost": "Als verloren melden",
    "do found": "Ich habe sie gefunden",
    "how to charge": "So wird geladen",
    "steps": (
        "Stecken Sie das Kabel am Auto ein.",
        "Halten Sie die Karte an das Kartensymbol der Ladesäule, bis diese sie annimmt.",
        "Stecken Sie das andere Ende ein, wenn das Kabel nicht zur Ladesäule gehört.",
        "Zum Beenden halten Sie dieselbe Karte noch einmal dorthin.",
    ),
    "hotline": "Hotline",
    "privacy": "Diese Seite setzt keine Cookies und lädt nichts von anderswo.",
    "title unknown": "Diese Karte kennen wir nicht",
    "unknown": "Bitte prüfen Sie den Link auf Ihrer Karte, oder rufen Sie unsere Hotline an.",
    "title wait": "Bitte warten",
    "wait": (
        "Es waren zu viele Versuche, und dieser zählte nicht. "
        "Bitte versuchen Sie es in {seconds} Sekunden wieder."
    ),
    "title wrong": "Das ging nicht",
    "wrong": "Bitte gehen Sie zurück, und versuchen Sie es noch einmal.",
    "title trouble": "Bitte später noch einmal",
    "trouble": "Hier ist etwas nicht in Ordnung. Ist Ihre Karte verloren? Bitte rufen Sie die Hotline an.",
    "news active": "Erledigt. Sobald die Ladenetze es wissen, können Sie mit der Karte laden.",
    "news blocked": "Erledigt. Die Karte ist gesperrt.",
    "wrong_code": "Das ist nicht der Code dieser Karte. Es wurde nichts geändert.",
    "locked_out": "Für diese Karte wird kein Code mehr angenommen. Bitte rufen Sie unsere Hotline an.",
    "permit_over": (
        "Das Anhalten ist verbraucht oder zu lange her. Es wurde nichts geändert: "
        "Bitte halten Sie die Karte noch einmal an."
    ),
    "not_possible": "Das geht mit der Karte in ihrem jetzigen Zustand nicht. Es wurde nichts geändert.",
    "form_old": "Die Seite war zu lange offen. Es wurde nichts geändert: Bitte versuchen Sie es noch einmal.",
    "tap good": "Die Karte ist echt, und sie ist hier.",
    "tap replayed": (
        "Dieses Anhalten gab es schon. Wenn Sie nur die Seite neu geladen haben, "
        "halten Sie die Karte noch einmal an."
    ),
    "tap rolled_back": (
        "Dieser Link ist älter als das letzte Anhalten: Er ist vielleicht eine Kopie. "
        "Bitte halten Sie die Karte selbst an."
    ),
    "tap truncated": "Der Link ist nicht vollständig. Bitte halten Sie die Karte noch einmal an.",
    "tap foreign": "Dieser Link stammt nicht von dieser Karte. Er beweist nichts.",
    "tap unchecked": "Das Anhalten kann zurzeit nicht geprüft werden.",
}

WORDS: Mapping[str, Words] = {ENGLISH: _ENGLISH, GERMAN: _GERMAN}
