"""Every card a desk meets, laid on a reader: named, or refused with the reason."""

from __future__ import annotations

import pytest
from taps import link_to

from rfid_station.chip.exchange import Apdu, AskUid, Command, Exchange, converse, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.chip.sighting import Family, Sighting, Standard, kind_of
from rfid_station.errors import CardLost, CardRefused, ReaderLimit
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.chips import CHIPS, new_card, uid_size
from rfid_station.simulator.field import Field

UID = bytes.fromhex("04A1B2C3D4E580")


def laid(chip: str) -> Identity:
    link = link_to(new_card(chip, UID[: uid_size(chip)]))
    return run(link, identify(link.seen))


NAMES = {
    "ntag213": "NTAG213",
    "ntag215": "NTAG215",
    "ntag216": "NTAG216",
    "ntag213c": "NTAG213C",
    "ntag203": "NTAG203",
    "ntag210": "NTAG210",
    "ntag212": "NTAG212",
    "ultralight": "MIFARE Ultralight",
    "mf0ul11": "MIFARE Ultralight EV1 MF0UL11",
    "mf0ul21": "MIFARE Ultralight EV1 MF0UL21",
    "ultralightc": "MIFARE Ultralight C",
    "ultralightaes": "MIFARE Ultralight AES",
    "mini": "MIFARE Mini",
    "classic1k": "MIFARE Classic 1K",
    "classic1k7": "MIFARE Classic 1K",
    "classic4k": "MIFARE Classic 4K",
    "ntag424": "NTAG 424 DNA",
    "desfire-ev1": "MIFARE DESFire EV1",
    "desfire-ev2": "MIFARE DESFire EV2",
    "desfire-ev3": "MIFARE DESFire EV3",
    "desfire-light": "MIFARE DESFire Light",
    "duox": "MIFARE DUOX",
}


@pytest.mark.parametrize(("chip", "name"), NAMES.items())
def test_a_chip_is_named_and_may_charge(chip: str, name: str) -> None:
    identity = laid(chip)
    assert identity.name == name
    assert identity.refusal == ""
    assert identity.uid.raw == UID[: uid_size(chip)]


@pytest.mark.parametrize(
    ("chip", "name", "reason"),
    [("bankcard", "bank card", "the bank's"), ("jcop", "ISO 14443-4 card", "phones and wallets")],
)
def test_a_card_that_cannot_charge_is_named_with_the_reason(chip: str, name: str, reason: str) -> None:
    identity = laid(chip)
    assert identity.name == name
    assert reason in identity.refusal


@pytest.mark.parametrize(
    ("chip", "words"),
    [
        ("random", "this is a MIFARE DESFire EV3, and cannot become a charging card: it starts with 08"),
        ("phone", "this is a phone or wallet, and cannot become a charging card: it starts with 08"),
        ("felica", "FeliCa has no UID that OCPP knows"),
        ("iso15693", "this is a vicinity card"),
    ],
)
def test_a_card_without_a_number_that_stays_is_refused_by_name(chip: str, words: str) -> None:
    link = link_to(new_card(chip, (UID + b"\x01\x02\x03")[: uid_size(chip)]))
    with pytest.raises(CardRefused, match=words):
        run(link, identify(link.seen))


def test_every_virtual_chip_is_met_here() -> None:
    refused = {"bankcard", "jcop", "random", "phone", "felica", "iso15693", "typeb"}
    variants = {"ntag213tt", "ntag213f", "ntag216f", "feiju213", "plus2k", "desfire"}
    assert set(CHIPS) == set(NAMES) | refused | variants


def scripted(answers: dict[bytes, str], uid: bytes = UID) -> Identity:
    def answer(command: Command) -> bytes:
        if isinstance(command, AskUid):
            return uid
        assert isinstance(command, Apdu)
        return bytes.fromhex(answers.get(command.command[:2], "6D00"))

    return converse(identify(Sighting(sak=0x20)), answer)


@pytest.mark.parametrize(
    ("hardware", "name"),
    [
        ("04020111001605", "MIFARE Plus EV1"),
        ("04020122001605", "MIFARE Plus EV2"),
        ("04040110001105", "NTAG 413 DNA"),
    ],
)
def test_a_chip_whose_uid_is_all_we_use_is_only_named(hardware: str, name: str) -> None:
    parts = iter([hardware + "91AF", hardware + "91AF", UID.hex() + "00000000004226" + "9100"])

    def answer(command: Command) -> bytes:
        return UID if isinstance(command, AskUid) else bytes.fromhex(next(parts))

    identity = converse(identify(Sighting(sak=0x20)), answer)
    assert (identity.name, identity.state, identity.refusal) == (name, None, "")


def test_another_card_than_the_one_that_was_selected_is_noticed() -> None:
    other = "04A1B2C3D4E581"
    parts = iter(["0401010100180591AF", "0401010104180591AF", other + "000000000042269100"])

    def answer(command: Command) -> bytes:
        return UID if isinstance(command, AskUid) else bytes.fromhex(next(parts))

    with pytest.raises(CardLost, match="another one answers"):
        converse(identify(Sighting(sak=0x20)), answer)


def test_a_card_that_was_left_in_a_session_is_asked_once_more() -> None:
    parts = iter(["911E", "0402011100160591AF", "0402011100160591AF", UID.hex() + "000000000042269100"])

    def answer(command: Command) -> bytes:
        return UID if isinstance(command, AskUid) else bytes.fromhex(next(parts))

    assert converse(identify(Sighting(sak=0x20)), answer).name == "MIFARE Plus EV1"


@pytest.mark.parametrize(
    ("seen", "name", "family"),
    [
        (Sighting(Standard.TYPE_A, sak=0x00), "MIFARE Ultralight or NTAG", Family.TYPE2),
        (Sighting(Standard.TYPE_A, sak=0x08), "MIFARE Classic 1K", Family.CLASSIC),
        (Sighting(Standard.TYPE_A, sak=0x60), "ISO 14443-4 card", Family.ISO_DEP),
        (Sighting(Standard.TYPE_A, sak=0x28), "smart card that plays MIFARE Classic 1K", Family.ISO_DEP),
        (Sighting(Standard.TYPE_A, sak=0x0A), "Fudan FM11RF", Family.OTHER),
        (Sighting(Standard.TYPE_A, sak=0x04), "card with SAK 04", Family.OTHER),
        (Sighting(Standard.TYPE_B), "ISO 14443-B card", Family.OTHER),
        (Sighting(atr=bytes.fromhex("3B8F8001804F0CA00000030603FF2800000000BC")), None, Family.ISO_DEP),
        (
            Sighting(atr=bytes.fromhex("3B8F8001804F0CA00000030603ABCD000000000F")),
            "storage card ABCD",
            Family.TYPE2,
        ),
    ],
)
def test_what_a_reader_saw_says_how_to_go_on(seen: Sighting, name: str | None, family: Family) -> None:
    kind = kind_of(seen)
    assert kind.family is family
    assert name in (None, kind.name)
    assert bool(kind.refusal) == (family is Family.OTHER)


class PlainReader(SimLink):
    """A reader that tells UIDs and passes nothing on."""

    def transceive(self, command: Exchange) -> bytes:
        raise ReaderLimit("reader plain does not pass on command 60")


@pytest.mark.parametrize("chip", ["ntag213", "classic1k", "desfire-ev2"])
def test_a_reader_that_passes_nothing_on_still_tells_the_uid(chip: str) -> None:
    card = new_card(chip, UID[: uid_size(chip)])
    link = PlainReader(Field(card), "plain")
    identity = run(link, identify(link.seen))
    assert identity.uid.raw == card.uid
    assert identity.state is None
    assert "does not pass on command 60" in identity.notes[0]
    assert identity.refusal == ""
