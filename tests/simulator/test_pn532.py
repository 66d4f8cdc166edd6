"""The PN532's firmware and its serial line, byte by byte, as in the user manual UM0701-02."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.errors import WrongCall
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import new_card, uid_size
from rfid_station.simulator.field import Field, Mishap
from rfid_station.simulator.readers.antenna import Antenna
from rfid_station.simulator.readers.pn532 import Pn532, UnknownCommand, crc_a
from rfid_station.simulator.readers.pn532_line import Pn532Line, frame_of
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
ACK = "0000FF00FF00"
LIST_A = "4A0100"


def chip_with(chip: str | None, mishap: Mishap | None = None) -> tuple[Pn532, Field | None]:
    antenna = Antenna()
    field = antenna.lay(Field(new_card(chip, UID[: uid_size(chip)]), mishap=mishap)) if chip else None
    return Pn532(antenna), field


def ask(chip: Pn532, command: str) -> str | None:
    answer = chip.execute(bytes.fromhex(command))
    return None if answer is None else answer.hex().upper()


def test_the_check_bytes_of_a_frame() -> None:
    assert crc_a(bytes.fromhex("5000")).hex().upper() == "57CD"
    assert crc_a(bytes.fromhex("3000")).hex().upper() == "02A8"


def test_the_line_acknowledges_and_answers() -> None:
    line = Pn532Line(chip_with(None)[0])

    assert line.feed(bytes.fromhex("0000FF02FED4022A00")).hex().upper() == ACK + "0000FF06FAD50332010607E800"


def test_a_wake_up_before_a_frame_is_passed_over_and_frames_may_come_in_pieces() -> None:
    line = Pn532Line(chip_with(None)[0])
    sent = bytes.fromhex("5555" + "00" * 14 + "0000FF02FED4022A00")

    said = b"".join(line.feed(bytes([value])) for value in sent)

    assert said.hex().upper().startswith(ACK + "0000FF06FAD503")


def test_long_frames_are_extended_ones() -> None:
    line = Pn532Line(chip_with(None)[0])
    content = b"\xd4\x00\x00" + bytes(range(256)) + b"\x00\x01\x02\x03"

    said = line.feed(frame_of(content))

    assert said[6:14].hex().upper() == "0000FFFFFF0107F8"
    assert said[6:] == frame_of(b"\xd5\x01" + content[2:])


def test_the_last_answer_is_repeated_and_damaged_frames_are_not_heard() -> None:
    line = Pn532Line(chip_with(None)[0])
    answer = line.feed(bytes.fromhex("0000FF02FED4022A00"))[6:]

    assert line.feed(bytes.fromhex("0000FFFF0000")) == answer
    assert line.feed(bytes.fromhex("0000FF02FED4022B00")) == b""
    assert line.feed(bytes.fromhex("0000FF02FDD4022A00")) == b""
    assert line.feed(bytes.fromhex("0000FF02FED4022A00"))[6:] == answer


def test_a_command_it_does_not_know_is_answered_by_an_error_frame() -> None:
    line = Pn532Line(chip_with(None)[0])

    assert line.feed(frame_of(b"\xd4\xf0")).hex().upper() == ACK + "0000FF01FF7F8100"
    assert line.feed(frame_of(b"\xd4\x4a")).hex().upper() == ACK + "0000FF01FF7F8100"


def test_a_chip_that_looks_for_ever_answers_when_a_card_comes() -> None:
    antenna = Antenna()
    line = Pn532Line(Pn532(antenna))

    assert line.feed(frame_of(bytes.fromhex("D4" + LIST_A))).hex().upper() == ACK
    assert line.is_waiting
    assert line.look_again() == b""
    antenna.lay(Field(new_card("ntag213", UID)))
    assert line.look_again().hex().upper().startswith("0000FF0FF1D54B01010044000704E10CDA993C80")
    assert not line.is_waiting


def test_a_host_that_does_not_want_to_wait_any_more_sends_an_acknowledgement() -> None:
    antenna = Antenna()
    line = Pn532Line(Pn532(antenna))
    line.feed(frame_of(bytes.fromhex("D4" + LIST_A)))

    assert line.feed(bytes.fromhex(ACK)) == b""
    antenna.lay(Field(new_card("ntag213", UID)))
    assert line.look_again() == b""


def test_a_chip_that_tries_a_few_times_says_that_there_is_none() -> None:
    chip, _ = chip_with(None)

    assert ask(chip, "3205FF0102") == "33"
    assert ask(chip, LIST_A) == "4B00"
    assert ask(chip, "066339") == "0726"


def test_a_named_card_is_selected_and_no_other() -> None:
    chip, _ = chip_with("ntag213")
    ask(chip, "3205FF0102")

    assert ask(chip, LIST_A + "8804E10CDA993C80") == "4B0101" + "00440007" + UID.hex().upper()
    assert ask(chip, LIST_A + "8804E10CDA993C81") == "4B00"


def test_rats_is_sent_by_the_chip_unless_it_is_told_not_to() -> None:
    chip, field = chip_with("desfire")

    assert str(ask(chip, LIST_A)).endswith("067577810280")
    assert str(ask(chip, "40019060000000")).startswith("4100040101")
    assert ask(chip, "1200") == "13"
    assert str(ask(chip, LIST_A)).endswith("993C80")
    assert ask(chip, "42E080") == "4300067577810280"
    assert field is not None
    assert field.exchanges == 1


def test_the_field_goes_off_and_the_card_forgets() -> None:
    chip, field = chip_with("ntag213")
    ask(chip, LIST_A)
    assert ask(chip, "421BFFFFFFFF") == "43000000"

    assert ask(chip, "320100") == "33"
    assert ask(chip, "423000") == "4301"
    assert ask(chip, "4001" + "3000") == "4127"
    assert ask(chip, "320101") == "33"
    assert ask(chip, "423000") == "4301"
    assert str(ask(chip, LIST_A)).startswith("4B0101")
    assert field is not None
    assert ask(chip, "04")[:6] == "050001"  # type: ignore[index]


def test_a_card_without_field_has_no_power() -> None:
    chip, _ = chip_with("random")
    uids = []
    for _ in range(2):
        uids.append(ask(chip, LIST_A))
        ask(chip, "320100")

    assert uids[0] != uids[1]


def test_registers_say_who_makes_the_check_bytes() -> None:
    chip, _ = chip_with("ntag213")
    ask(chip, LIST_A)

    assert ask(chip, "0663026303") == "078080"
    assert ask(chip, "08630200") == "09"
    assert ask(chip, "4260") == "4301"
    assert ask(chip, "4260" + crc_a(b"\x60").hex()) == "43000004040201000F03"
    assert ask(chip, "08630300") == "09"
    version = bytes.fromhex("0004040201000F03")
    assert ask(chip, "4260" + crc_a(b"\x60").hex()) == "4300" + (version + crc_a(version)).hex().upper()


def test_anticollision_by_hand_gives_the_same_uid() -> None:
    chip, _ = chip_with("ntag213")
    ask(chip, "320101")
    ask(chip, "08633D07")

    assert ask(chip, "4252") == "43004400"
    ask(chip, "08633D00")
    assert ask(chip, "429320") == "4300" + "8804E10C61"
    ask(chip, "08630280630380")
    assert ask(chip, "4293708804E10C61") == "430004"
    assert ask(chip, "429570DA993C80FF") == "430000"
    assert ask(chip, "4230" + "03")[:12] == "4300E1101200"  # type: ignore[index]


def test_a_copied_classic_answers_its_back_door_and_a_genuine_one_does_not() -> None:
    chip, field = chip_with("classic1k")
    assert field is not None
    ask(chip, LIST_A)
    ask(chip, "08633D07")
    assert ask(chip, "4240") == "4301"

    field.card.restore(field.card.state() | {"magic": True})
    ask(chip, "08630300")
    assert ask(chip, "4240") == ask(chip, "4243") == "43000A"


def test_a_long_answer_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, field = chip_with("desfire")
    assert field is not None
    ask(chip, LIST_A)
    monkeypatch.setattr(field.card, "apdu", lambda command: command * 2)
    question = bytes(range(200)).hex()

    assert ask(chip, "4041" + question[:200]) == "4100"
    first = str(ask(chip, "4001" + question[200:]))
    rest = str(ask(chip, "4001"))

    assert (first[:4], rest[:4]) == ("4140", "4100")
    assert (first[4:] + rest[4:]).lower() == question * 2


def test_a_card_that_is_torn_away_is_a_timeout() -> None:
    chip, field = chip_with("ntag213", Mishap(2, Tear(TornMode.ERASED), leaves=True))
    ask(chip, LIST_A)

    assert ask(chip, "40013000") is not None
    assert ask(chip, "4001A20401020304") == "4101"
    assert ask(chip, "40013000") == "4127"
    assert field is not None
    assert field.is_empty


@pytest.mark.parametrize("diagnosis", ["000102", "01", "02", "06"])
def test_diagnoses(diagnosis: str) -> None:
    chip, _ = chip_with(None)

    wanted = {"000102": "01000102", "06": "0101"}.get(diagnosis, "0100")
    assert ask(chip, "00" + diagnosis) == wanted


def test_automatic_polling_tells_the_kind() -> None:
    chip, _ = chip_with("desfire")

    assert str(ask(chip, "60010102" + "2010")).startswith("610120120103442007")
    assert ask(chip_with(None)[0], "60010110") == "6100"
    assert ask(chip_with(None)[0], "60FF0110") is None


commands = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.builds(
        lambda code, rest: bytes([code]) + rest,
        st.sampled_from([0x06, 0x08, 0x32, 0x40, 0x42, 0x4A, 0x60]),
        st.binary(max_size=12),
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    chip=st.sampled_from(["ntag213", "classic1k", "desfire", "typeb"]), sent=st.lists(commands, max_size=6)
)
def test_no_command_upsets_the_chip(chip: str, sent: list[bytes]) -> None:
    pn532, _ = chip_with(chip)

    for command in sent:
        try:
            answer = pn532.execute(command)
        except UnknownCommand:
            continue
        assert answer is None or answer[0] == command[0] + 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), commands.map(lambda c: frame_of(b"\xd4" + c))), max_size=8))
def test_no_noise_upsets_the_line(sent: list[bytes]) -> None:
    line = Pn532Line(chip_with("ntag213")[0])

    for data in sent:
        line.feed(data)
    line.feed(bytes(300))

    assert ACK in line.feed(frame_of(bytes.fromhex("D402"))).hex().upper()


def test_the_name_it_is_given_is_there_as_long_as_it_is(tmp_path: Path) -> None:
    link = tmp_path / "module"
    link.symlink_to(tmp_path / "nowhere")

    with VirtualPn532(link) as reader:
        assert str(link.readlink()) == reader.terminal
        assert (reader.path, reader.nfcpy_name) == (str(link), None)

    assert not link.is_symlink()


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "module"
    taken.write_text("mine")

    with pytest.raises(WrongCall, match="File exists") as refused, VirtualPn532(taken):
        pass

    assert refused.value.hint
    assert taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("link", "name"), [("/dev/ttySIM0", "ttySIM0"), ("/dev/tty_sim", None), ("/tmp/ttySIM0", None)]
)
def test_which_names_nfcpy_finds(link: str, name: str | None) -> None:
    reader = VirtualPn532(Path(link))
    try:
        assert reader.nfcpy_name == name
    finally:
        reader._close()


def released_after(do: Callable[[Pn532, Antenna], None]) -> bool:
    import threading

    told = threading.Event()
    antenna = Antenna(told.set)
    chip = Pn532(antenna)
    antenna.lay(Field(new_card("ntag213", UID)))
    do(chip, antenna)
    return told.wait(1)


def test_a_host_that_only_looks_whether_the_card_still_lies_there_is_through_with_it() -> None:
    def look(chip: Pn532, _antenna: Antenna) -> None:
        ask(chip, LIST_A)
        ask(chip, "40013000")
        for _ in range(4):
            ask(chip, LIST_A)

    assert released_after(look)


def test_a_host_that_was_never_interested_is_not_through_with_it() -> None:
    def look(chip: Pn532, antenna: Antenna) -> None:
        for _ in range(9):
            ask(chip, LIST_A)
        ask(chip, "320100")
        antenna.tick()

    assert not released_after(look)
