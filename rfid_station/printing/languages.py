"""What letters a language is written with beside A to Z, both cases: for whom a font has to have glyphs."""

from __future__ import annotations

from collections.abc import Mapping

_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_GREEK = "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ"
_DEVANAGARI = "अआइईउऊऋएऐओऔकखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहािीुूृेैोौंःँ़्"
_THAI = "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะัาำิีึืุูเแโใไ็่้๊๋์"

LETTERS: Mapping[str, str] = {
    "ar": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "bs": "čćđšž",
    "ca": "àçèéíïòóúü·",
    "cs": "áčďéěíňóřšťúůýž",
    "da": "åæøé",
    "de": "äöüß",
    "el": _GREEK,
    "en": "",
    "es": "áéíñóúü¿¡",
    "et": "äõöüšž",
    "fa": "آابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیئ",
    "fi": "åäöšž",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "ga": "áéíóú",
    "he": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "hi": _DEVANAGARI,
    "hr": "čćđšž",
    "hu": "áéíóöőúüű",
    "is": "áæðéíóöþúý",
    "it": "àèéìíîòóùú",
    "lb": "äéë",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџш",
    "mt": "àċġħż",
    "nb": "åæø",
    "nl": "áéëïóöü",
    "nn": "åæø",
    "no": "åæø",
    "pl": "ąćęłńóśźż",
    "pt": "áàâãçéêíóôõúü",
    "ro": "ăâîșț",
    "ru": "ё" + _CYRILLIC,
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "sl": "čšž",
    "sq": "çë",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџшčćđšž",
    "sv": "åäöé",
    "th": _THAI,
    "tr": "çğıöşü",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
}
"""By ISO 639-1 code."""

_BASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.,'&()"


def letters(language: str) -> str | None:
    """Every character that a name in this language may be written with; None for an unknown language."""
    own = LETTERS.get(language.partition("-")[0].lower())
    if own is None:
        return None
    capitals = "".join(letter.upper() for letter in own if len(letter.upper()) == 1)
    return "".join(dict.fromkeys(_BASE + own + capitals))
