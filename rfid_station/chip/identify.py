"""Which chip lies there: one question after the other, from what the reader saw to what the chip says."""

from __future__ import annotations

from rfid_station.chip import iso_dep
from rfid_station.chip.classic_state import identify_classic
from rfid_station.chip.desfire_state import identify_desfire, name_of
from rfid_station.chip.duox import Root, identify_duox
from rfid_station.chip.exchange import AskUid, Dialogue
from rfid_station.chip.identity import Identity
from rfid_station.chip.iso_dep import ChipVersion
from rfid_station.chip.ntag424 import identify_ntag424
from rfid_station.chip.sighting import Family, Kind, Sighting, kind_of
from rfid_station.chip.type2_state import identify_type2
from rfid_station.domain.uid import CardUid, why_unusable
from rfid_station.errors import CardLost, CardRefused, ReaderLimit

_NTAG_424 = (0x04, 0x3000)
_DUOX = (0x01, 0xA000)
_NAMED_ONLY = {
    (0x02, 0x1100): "MIFARE Plus EV1",
    (0x02, 0x2200): "MIFARE Plus EV2",
    (0x04, 0x1000): "NTAG 413 DNA",
}
"""Type and version by GetVersion of chips whose UID is all that we use (NXP AN10833, AN12196)."""

_BANK_CARD = "its number is the bank's, and many bank cards make up a new one each time"
_APPLET = "nothing tells that its number stays: phones and wallets make up a new one each time"


def identify(seen: Sighting, roots: tuple[Root, ...] = ()) -> Dialogue[Identity]:
    """Find out what lies on the reader, and read what can be read without keys. Writes nothing.

    :param roots: who may vouch for charging cards with a certificate, beside those that everybody trusts

    :raises CardRefused: its number is random or otherwise unusable; says which card it is and why
    :raises CardLost: the card left
    """
    raw = yield AskUid()
    kind = kind_of(seen)
    if why_unusable(raw):
        raise _unusable((yield from _name_of(kind)), kind, raw)
    uid = CardUid(raw)
    try:
        return (yield from _identify_kind(uid, kind, roots))
    except ReaderLimit as limit:
        return Identity(uid, kind.name, notes=(f"only its UID can be told: {limit.message}",))


def _identify_kind(uid: CardUid, kind: Kind, roots: tuple[Root, ...]) -> Dialogue[Identity]:
    if kind.family is Family.TYPE2:
        return (yield from identify_type2(uid, kind))
    if kind.family is Family.CLASSIC:
        return (yield from identify_classic(uid, kind))
    if kind.family is Family.ISO_DEP:
        return (yield from _identify_iso_dep(uid, kind, roots))
    return Identity(uid, kind.name, refusal=kind.refusal)


def _identify_iso_dep(uid: CardUid, kind: Kind, roots: tuple[Root, ...]) -> Dialogue[Identity]:
    # Whoever talked to the card before may have left it in a session, which the first question ends.
    version = (yield from iso_dep.get_version()) or (yield from iso_dep.get_version())
    if version is None:
        return (yield from _identify_stranger(uid, kind))
    if not version.hides_uid and version.production[:7] != uid.raw:
        raise CardLost(
            f"card {uid.masked} was selected, and another one answers",
            hint="leave one card on the reader, and hold it still",
        )
    if version.kind == _NTAG_424:
        return (yield from identify_ntag424(uid, version))
    if version.kind == _DUOX:
        return (yield from identify_duox(uid, version, extra_roots=roots))
    if version.kind in _NAMED_ONLY:
        return Identity(uid, _NAMED_ONLY[version.kind])
    return (yield from identify_desfire(uid, version))


def _identify_stranger(uid: CardUid, kind: Kind) -> Dialogue[Identity]:
    """Name a card of ISO 14443-4 that is none of NXP's: by what can be selected on it."""
    payment = yield from iso_dep.transmit(iso_dep.SELECT_PAYMENT)
    if payment.status == iso_dep.ISO_OK:
        return Identity(uid, "bank card", refusal=_BANK_CARD)
    ndef = yield from iso_dep.transmit(iso_dep.SELECT_NDEF)
    if ndef.status == iso_dep.ISO_OK:
        return Identity(uid, "smart card with an NDEF application", refusal=_APPLET)
    return Identity(uid, kind.name, refusal=_APPLET)


def _name_of(kind: Kind) -> Dialogue[str]:
    """What a card with an unusable number is called, as far as that can be found out."""
    if kind.family is not Family.ISO_DEP:
        return kind.name
    version = yield from iso_dep.get_version()
    if version is None:
        payment = yield from iso_dep.transmit(iso_dep.SELECT_PAYMENT)
        return "bank card" if payment.status == iso_dep.ISO_OK else "phone or wallet"
    return _name_of_chip(version)


def _name_of_chip(version: ChipVersion) -> str:
    if version.kind == _NTAG_424:
        return "NTAG 424 DNA"
    return _NAMED_ONLY.get(version.kind) or str(name_of(version))


def _unusable(name: str, kind: Kind, raw: bytes) -> CardRefused:
    reason = kind.refusal or why_unusable(raw)
    return CardRefused(
        f"this is a {name}, and cannot become a charging card: {reason}",
        hint="take a card whose UID stays the same, as an NTAG or a DESFire with its factory settings",
    )
