"""Files in every mode of communication, on virtual chips of every generation, longer than a frame or not."""

from __future__ import annotations

import pytest
import taps
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import desfire, ev1, ev2
from rfid_station.chip.aes import FACTORY_KEY, LocalAesKey
from rfid_station.chip.desfire import STRANGER, FileSettings, KeyType
from rfid_station.chip.exchange import Dialogue, Result, run
from rfid_station.chip.messaging import CommandRefused, CommMode
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card

UID = bytes.fromhex("04A1B2C3D4E580")
AID = b"\x01\x02\x03"
KEY = LocalAesKey(FACTORY_KEY)
CHIPS = ("desfire-ev1", "desfire-ev2", "desfire-ev3")

Keyed = ev1.Ev1Session | ev2.Ev2Session


def card_with_application(chip: str) -> VirtualCard:
    card = new_card(chip, UID)
    ask(card, desfire.create_application(STRANGER, AID, desfire.DELIVERED, 2, KeyType.AES))
    return card


def ask(card: VirtualCard, dialogue: Dialogue[Result]) -> Result:
    card.power_off()
    return run(taps.link_to(card), dialogue)


def log_in(is_ev2: bool, number: int) -> Dialogue[Keyed]:
    yield from desfire.select_application(AID)
    if is_ev2:
        session = yield from ev2.authenticate_first(KEY, number)
        session.part = ev1.FRAME
        return session
    return (yield from ev1.authenticate_aes(number, KEY))


MESSAGINGS = [("desfire-ev1", False), ("desfire-ev2", False), ("desfire-ev2", True), ("desfire-ev3", True)]


@pytest.mark.parametrize("has_backup", [False, True])
@pytest.mark.parametrize("mode", CommMode)
@pytest.mark.parametrize(("chip", "is_ev2"), MESSAGINGS)
@settings(max_examples=4, deadline=None)
@given(data=st.binary(min_size=1, max_size=180), offset=st.integers(0, 20))
def test_what_is_written_is_read(
    chip: str, is_ev2: bool, mode: CommMode, has_backup: bool, data: bytes, offset: int
) -> None:
    card = card_with_application(chip)
    rights = FileSettings(mode, 0, 0, 0, 0, 200)

    def write() -> Dialogue[None]:
        session = yield from log_in(is_ev2, 0)
        yield from desfire.create_data_file(session, 5, rights, has_backup=has_backup)
        yield from desfire.write_data(session, 5, offset, data, mode)
        if has_backup:
            assert (yield from desfire.read_data(session, 5, 0, 200, mode)) == bytes(200)
            yield from desfire.commit(session)

    def read() -> Dialogue[bytes]:
        session = yield from log_in(is_ev2, 0)
        assert (yield from desfire.file_ids(session)) == {5}
        assert (yield from desfire.file_settings(5, session)) == rights
        return (yield from desfire.read_data(session, 5, 0, 200, mode))

    ask(card, write())
    assert ask(card, read()) == (bytes(offset) + data).ljust(200, b"\x00")


@pytest.mark.parametrize(("chip", "is_ev2"), MESSAGINGS)
def test_managing_in_a_session(chip: str, is_ev2: bool) -> None:
    card = card_with_application(chip)

    def manage() -> Dialogue[None]:
        session = yield from log_in(is_ev2, 0)
        assert (yield from desfire.key_slots(session)) == desfire.KeySlots(
            desfire.DELIVERED, 0, 2, KeyType.AES
        )
        assert (yield from desfire.key_version(1, session)) == 0
        assert (yield from desfire.free_memory(session)) > 1000
        yield from desfire.change_key_settings(session, desfire.CLOSED)
        yield from session.change_key(1, bytes(range(16)), 7, FACTORY_KEY)
        assert (yield from desfire.key_version(1, session)) == 7
        yield from session.change_key(0, bytes(range(16)), 8)

    ask(card, manage())

    def look() -> Dialogue[None]:
        yield from desfire.select_application(AID)
        assert (yield from desfire.key_slots()).settings == desfire.CLOSED
        assert (yield from desfire.key_version(0)) == 8
        yield from ev1.authenticate_aes(1, LocalAesKey(bytes(range(16))))

    ask(card, look())


@pytest.mark.parametrize("chip", CHIPS)
def test_formatting_and_deleting_at_picc_level(chip: str) -> None:
    card = card_with_application(chip)

    def work() -> Dialogue[None]:
        session = yield from ev1.authenticate_des(0, ev1.FACTORY_DES_KEY)
        yield from desfire.create_application(session, b"\x09\x09\x09", desfire.DELIVERED, 1, KeyType.DES)
        assert (yield from desfire.application_ids(session)) == (AID, b"\x09\x09\x09")
        yield from desfire.delete_application(session, AID)
        assert (yield from desfire.application_ids(session)) == (b"\x09\x09\x09",)
        yield from desfire.format_picc(session)
        yield from desfire.select_application(desfire.PICC)
        assert (yield from desfire.application_ids()) == ()

    ask(card, work())


@pytest.mark.parametrize("chip", CHIPS)
def test_the_card_s_key_goes_from_des_to_aes_and_back(chip: str) -> None:
    card = new_card(chip, UID)
    delivered = card.state()
    new = LocalAesKey(bytes(range(16)))

    def there() -> Dialogue[None]:
        session = yield from ev1.authenticate_des(0, ev1.FACTORY_DES_KEY)
        yield from session.change_key(0x80, new.raw, 9)
        assert (yield from desfire.key_version(0)) == 9
        assert (yield from desfire.key_slots()).type is KeyType.AES

    def back() -> Dialogue[None]:
        session = yield from ev1.authenticate_aes(0, new)
        yield from session.change_key(0, FACTORY_KEY, None)

    ask(card, there())
    ask(card, back())
    assert card.state() == delivered


def test_a_stranger_s_refusal_has_the_status_in_words() -> None:
    with pytest.raises(CommandRefused, match=r"no such application \(91A0\)"):
        ask(new_card("desfire-ev1", UID), desfire.select_application(AID))
