"""NTAG 424 DNA: its settings in words, and cards that answer whatever they like."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import ntag424
from rfid_station.chip.exchange import Apdu, Command, converse
from rfid_station.chip.identity import Identity
from rfid_station.chip.iso_dep import ChipVersion
from rfid_station.chip.messaging import CommMode
from rfid_station.chip.ntag424 import (
    FACTORY_SETTINGS,
    NDEF,
    VECTORS,
    FileSettings,
    Ntag424State,
    parse_settings,
)
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardDefective, CardLost

UID = CardUid(bytes.fromhex("04A1B2C3D4E580"))
STANDARD = ChipVersion(bytes.fromhex("04040230001105"), bytes.fromhex("04040201021105"), bytes(14))
TAMPER = ChipVersion(bytes.fromhex("04040830001105"), bytes.fromhex("04040201021105"), bytes(14))
SELECT, SETTINGS, READ = "00A4040007D276000085010100", "90F50000010200", "90AD000007020000 00F0000000"


def identified(answers: dict[str, str], version: ChipVersion = STANDARD) -> Identity:
    """Identify a card that answers by the first two bytes of a command."""

    def card(command: Command) -> bytes:
        assert isinstance(command, Apdu)
        return bytes.fromhex(answers[bytes(command.command[:2]).hex().upper()])

    return converse(ntag424.identify_ntag424(UID, version), card)


def state_of(content: str, settings_data: str = "0000E0EE000100") -> Ntag424State:
    found = identified({"00A4": "9000", "90F5": settings_data + "9100", "90AD": content + "9100"}).state
    assert isinstance(found, Ntag424State)
    return found


@pytest.mark.parametrize(("answer", "wanted"), VECTORS)
def test_published_settings_are_read(answer: str, wanted: FileSettings) -> None:
    found = parse_settings(bytes.fromhex(answer))
    assert found == wanted
    assert found.size == 256
    assert found.has_sdm


@pytest.mark.parametrize("number", list(FACTORY_SETTINGS))
def test_settings_go_to_the_card_as_they_came(number: int) -> None:
    delivered = FACTORY_SETTINGS[number]
    answer = b"\x00" + delivered.data[:3] + delivered.size.to_bytes(3, "little") + delivered.sdm
    assert parse_settings(answer).data == delivered.data


@given(st.binary(max_size=40))
def test_settings_are_read_or_refused(answer: bytes) -> None:
    if len(answer) < 7 or answer[0]:
        with pytest.raises(CardDefective, match="cannot be"):
            parse_settings(answer)
        return
    found = parse_settings(answer)
    assert str(found).count(": ") == 4
    assert found.write_mode() in CommMode
    assert len(found.data) == len(answer) - 4


def test_rights_are_told_in_words() -> None:
    assert str(FileSettings(0x40, 0xE03F)) == (
        "read: everybody, write: key 0, read and write: key 3, settings: nobody, a proof at every tap"
    )


@pytest.mark.parametrize(
    ("option", "rights", "mode"),
    [
        (0x00, 0xE000, CommMode.PLAIN),
        (0x03, 0xE000, CommMode.FULL),
        (0x01, 0xE0E0, CommMode.MAC),
        (0x03, 0xEEE0, CommMode.PLAIN),
        (0x02, 0xE000, CommMode.PLAIN),
        (0x03, 0x2330, CommMode.PLAIN),
    ],
)
def test_the_way_key_0_writes_is_the_files_unless_only_everybodys_right_lets_it(
    option: int, rights: int, mode: CommMode
) -> None:
    assert FileSettings(option, rights).write_mode() is mode


def test_the_closed_container_differs_in_the_write_access_alone() -> None:
    differs = [
        at
        for at, (one, other) in enumerate(
            zip(ntag424.CONTAINER_CONTENT, ntag424.CLOSED_CONTAINER, strict=True)
        )
        if one != other
    ]
    assert differs == [14]
    assert int.from_bytes(ntag424.CONTAINER_CONTENT[:2]) == len(ntag424.CONTAINER_CONTENT) == 23


@pytest.mark.parametrize(
    ("version", "name"), [(STANDARD, "NTAG 424 DNA"), (TAMPER, "NTAG 424 DNA TagTamper")]
)
def test_both_kinds_are_named(version: ChipVersion, name: str) -> None:
    answers = {"00A4": "9000", "90F5": "0000E0EE0001009100", "90AD": "00009100"}
    assert identified(answers, version).name == name


@pytest.mark.parametrize(
    ("content", "freshness", "link"),
    [
        ("0000" + "00" * 238, Freshness.BLANK, None),
        ("0000" + "FF" * 238, Freshness.BLANK, None),
        ("000ED1010A550461 2E6578616D706C65" + "00" * 224, Freshness.LINK, "https://a.example"),
        ("0003D0000000" + "00" * 234, Freshness.OTHER_DATA, None),
        ("FFFF" + "00" * 238, Freshness.OTHER_DATA, None),
        ("", Freshness.OTHER_DATA, None),
        ("00", Freshness.OTHER_DATA, None),
    ],
)
def test_what_stands_in_the_file_is_told(content: str, freshness: Freshness, link: str | None) -> None:
    state = state_of(content)
    assert (state.freshness, state.link) == (freshness, link)


def test_an_empty_file_that_is_to_be_completed_is_not_blank() -> None:
    sdm = "0040E0EE000100" + "C1FF12200000430000430000"
    assert state_of("0000" + "00" * 238, sdm).freshness is Freshness.OTHER_DATA


def test_a_file_that_strangers_cannot_read_is_other_data() -> None:
    state = identified({"00A4": "9000", "90F5": "00000020000100" + "9100", "90AD": "91AE"}).state
    assert isinstance(state, Ntag424State)
    assert (state.content, state.freshness, state.link) == (None, Freshness.OTHER_DATA, None)
    assert state.facts()["NDEF file"] == "read: key 2, write: key 0, read and write: key 0, settings: key 0"


@pytest.mark.parametrize("broken", [{"00A4": "6A82"}, {"90F5": "919D"}, {"90F5": "9100"}, {"90AD": "917E"}])
def test_a_chip_that_is_not_as_its_data_sheet_says_is_named_only(broken: dict[str, str]) -> None:
    answers = {"00A4": "9000", "90F5": "0000E0EE0001009100", "90AD": "00009100"} | broken
    identity = identified(answers)
    assert identity.state is None
    assert identity.notes


def test_a_chip_that_another_program_deselected_is_asked_once_more() -> None:
    answers = iter(["9000", "919D", "9000", "0000E0EE0001009100", "00009100"])
    state = converse(
        ntag424.identify_ntag424(UID, STANDARD), lambda _command: bytes.fromhex(next(answers))
    ).state
    assert isinstance(state, Ntag424State)
    assert state.freshness is Freshness.BLANK


def test_a_card_that_leaves_is_lost() -> None:
    with pytest.raises(CardLost):
        identified({"00A4": ""})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=20) | st.sampled_from([b"\x91\x00", b"\x90\x00", b"\x91\xaf"]), min_size=1)
)
def test_no_answer_breaks_the_identification(answers: list[bytes]) -> None:
    left = iter(answers)
    with suppress(CardLost):
        identity = converse(ntag424.identify_ntag424(UID, STANDARD), lambda _command: next(left, b""))
        assert identity.state is None or identity.state.facts()


def test_a_long_message_is_read_to_its_end() -> None:
    message = bytes.fromhex("D101F85504") + b"a" * 247
    memory = len(message).to_bytes(2) + message
    places: list[tuple[int, int]] = []

    def card(command: Command) -> bytes:
        assert isinstance(command, Apdu)
        apdu = bytes(command.command)
        if apdu[1] != 0xAD:
            return b"\x90\x00" if apdu[0] == 0 else bytes.fromhex("0000E0EE0001009100")
        at, size = int.from_bytes(apdu[6:9], "little"), int.from_bytes(apdu[9:12], "little")
        places.append((at, size))
        return memory[at : at + size] + b"\x91\x00"

    state = converse(ntag424.identify_ntag424(UID, STANDARD), card).state
    assert isinstance(state, Ntag424State)
    assert state.link == "https://" + "a" * 247
    assert places == [(0, 240), (240, len(memory) - 240)]
    assert NDEF == 2
