"""What a DESFire says of itself, put into words: names, refusals, files, whatever else a card sends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import desfire, desfire_state
from rfid_station.chip.desfire import FREE, FileSettings, KeySettings, KeyType
from rfid_station.chip.desfire_state import DesfireState, Generation, identify_desfire
from rfid_station.chip.exchange import Apdu, Command, converse
from rfid_station.chip.iso_dep import ChipVersion
from rfid_station.chip.messaging import CommMode
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import StationError

raw = bytes.fromhex
UID = CardUid(raw("04A1B2C3D4E580"))


def version(hardware: str = "04010101001805", uid: bytes = UID.raw) -> ChipVersion:
    return ChipVersion(raw(hardware), raw(hardware), uid + bytes(7))


def silent(_: Command) -> bytes:
    return b""


class Answers:
    """Answers by the native command; keeps what was asked."""

    def __init__(self, **by_command: str) -> None:
        self.by_command = {int(name[1:], 16): raw(answer) for name, answer in by_command.items()}
        self.asked: list[int] = []

    def __call__(self, command: Command) -> bytes:
        assert isinstance(command, Apdu)
        self.asked.append(command.command[1])
        return self.by_command.get(command.command[1], raw("6A82"))


BLANK = Answers(_5A="9100", _45="0F019100", _6A="9100", _6E="E008009100")


@pytest.mark.parametrize(("hardware", "name"), desfire_state.VECTORS)
def test_names(hardware: str, name: str) -> None:
    assert str(desfire_state.name_of(version(hardware))) == name


@pytest.mark.parametrize(
    ("hardware", "reason"),
    [("04010100021605", "read out since 2011"), ("04810143011A05", "software on another chip")],
)
def test_what_is_no_sound_chip_is_named_and_refused_without_a_question(hardware: str, reason: str) -> None:
    identity = converse(identify_desfire(UID, version(hardware)), silent)
    assert reason in identity.refusal
    assert identity.state is None


def test_a_light_is_named_and_only_its_uid_is_used() -> None:
    identity = converse(identify_desfire(UID, version("04080130001305")), silent)
    assert (identity.name, identity.refusal, identity.state) == ("MIFARE DESFire Light", "", None)
    assert "only its UID" in identity.notes[0]


def test_a_chip_of_a_version_that_nobody_knows_is_only_named() -> None:
    identity = converse(identify_desfire(UID, version("04010144001A05")), silent)
    assert identity.name == "MIFARE DESFire of unknown version 4400"
    assert identity.state is None


def test_a_card_with_random_uids_is_refused() -> None:
    identity = converse(identify_desfire(UID, version(uid=bytes(7))), silent)
    assert "new UID at every tap" in identity.refusal


def test_a_blank_costs_four_questions() -> None:
    BLANK.asked.clear()
    identity = converse(identify_desfire(UID, version()), BLANK)
    assert BLANK.asked == [0x5A, 0x45, 0x6A, 0x6E]
    state = identity.state
    assert isinstance(state, DesfireState)
    assert (state.generation, state.free, state.applications) == (Generation.EV1, 0x8E0, ())
    assert state.freshness is Freshness.BLANK
    assert state.link is None
    assert state.facts() == {
        "applications": "none",
        "free memory": "2272 bytes",
        "card key": "DES",
        "anybody can create applications": True,
    }


def test_a_closed_card_is_not_blank() -> None:
    closed = Answers(_5A="9100", _45="91AE", _6A="91AE", _6E="91AE")
    state = converse(identify_desfire(UID, version("04010133001A05")), closed).state
    assert isinstance(state, DesfireState)
    assert state.freshness is Freshness.OTHER_DATA
    assert state.facts() == {
        "applications": "only told to the holder of its key",
        "free memory": "not told",
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("0F01", (0x0F, 0, 1, KeyType.DES)),
        ("0B83", (0x0B, 0, 3, KeyType.AES)),
        ("E942", (0x09, 0xE, 2, KeyType.THREE_KEY_3DES)),
    ],
)
def test_key_settings(answer: str, expected: tuple[int, int, int, KeyType]) -> None:
    ring = converse(desfire.key_slots(), lambda _: raw(answer + "9100"))
    assert (ring.settings, ring.change_right, ring.count, ring.type) == expected
    assert isinstance(ring.settings, KeySettings)


def test_the_bytes_of_the_published_ndef_application() -> None:
    """As mifare-desfire-create-ndef sends them, after AN11004."""
    made = desfire.application_bytes(
        desfire.NDEF_AID, desfire.DELIVERED, 1, KeyType.DES, desfire.NDEF_DF_FILE, desfire.NDEF_DF_NAME
    )
    assert made == raw("0100000F2110E1D2760000850101")
    container = FileSettings(CommMode.PLAIN, FREE, 0, 0, 0, 15)
    assert desfire.file_bytes(1, container, raw("E103")) == raw("0103E10000E00F0000")
    link = FileSettings(CommMode.PLAIN, FREE, FREE, FREE, 0, 0x800)
    assert desfire.file_bytes(2, link, raw("E104")) == raw("0204E100E0EE000800")


def test_file_settings_are_read_as_they_were_written() -> None:
    settings = FileSettings(CommMode.FULL, 1, 2, 0, 0, 64)
    assert desfire.parse_file_settings(b"\x00" + settings.to_bytes()) == settings
    assert desfire.parse_file_settings(b"\x01" + settings.to_bytes()) == settings
    assert desfire.parse_file_settings(b"\x02" + settings.to_bytes()) is None
    assert desfire.parse_file_settings(settings.to_bytes()) is None


def test_applications_come_in_more_than_one_part() -> None:
    parts = iter([b"".join(bytes([n, 0, 0]) for n in range(1, 20)) + raw("91AF"), raw("1400009100")])
    listed = converse(desfire.application_ids(), lambda _: next(parts))
    assert listed == tuple(bytes([n, 0, 0]) for n in range(1, 21))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda data: data + raw("9100")) | st.binary(max_size=9), max_size=12)
)
def test_nothing_a_card_says_breaks_the_reading(answers: list[bytes]) -> None:
    left = iter([*answers, *[b""] * 3])
    try:
        identity = converse(identify_desfire(UID, version()), lambda _: next(left))
    except StationError:
        return
    assert isinstance(identity.state, DesfireState)
    identity.state.facts()
