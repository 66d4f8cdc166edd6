"""EV2 secure messaging against what NXP published, and against cards that answer wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import ev2
from rfid_station.chip.aes import FACTORY_KEY, LocalAesKey
from rfid_station.chip.ev2 import (
    AUTHENTICATED,
    PERSONALISED,
    SETTINGS_CHANGED,
    SETTINGS_READ,
    UID_READ,
    Ev2Session,
    Transcript,
    authenticate_first,
    authenticate_non_first,
    key_check,
)
from rfid_station.chip.exchange import Apdu, Command, Dialogue, SecretFrame, converse
from rfid_station.chip.messaging import CommandRefused, CommMode, Disturbed, WrongKey
from rfid_station.errors import CardDefective, CardLost, StationError

ZERO = LocalAesKey(FACTORY_KEY)
hexed = bytes.fromhex


class Script:
    """A card that plays a transcript, and nothing else."""

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self._exchanges: Iterator[tuple[str, str]] = iter(exchanges)
        self.sent: list[bytes] = []

    def __call__(self, command: Command) -> bytes:
        assert isinstance(command, Apdu)
        self.sent.append(command.command)
        wanted, answer = next(self._exchanges)
        assert bytes.hex(command.command).upper() == wanted
        return hexed(answer)

    @property
    def is_over(self) -> bool:
        return next(self._exchanges, None) is None


def session_of(transcript: Transcript, counter: int = 0) -> Ev2Session:
    return Ev2Session(
        0,
        LocalAesKey(hexed(transcript.encryption)),
        LocalAesKey(hexed(transcript.authentication)),
        hexed(transcript.transaction),
        counter,
    )


def dice(transcript: Transcript) -> ev2.RandomBytes:
    numbers = iter(transcript.random)
    return lambda _size: hexed(next(numbers))


def test_authentication_is_the_published_one() -> None:
    card = Script(*AUTHENTICATED.exchanges)
    session = converse(authenticate_first(ZERO, 0, random=dice(AUTHENTICATED)), card)
    assert session == session_of(AUTHENTICATED)
    assert card.is_over


def test_file_settings_are_changed_as_published() -> None:
    session = session_of(SETTINGS_CHANGED, counter=1)
    data = hexed("4000E0C1F121200000430000430000")
    card = Script(*SETTINGS_CHANGED.exchanges)
    assert converse(session.command(0x5F, b"\x02", data, mode=CommMode.FULL), card) == b""


def test_file_settings_are_read_as_published() -> None:
    card = Script(*SETTINGS_READ.exchanges)
    answer = converse(session_of(SETTINGS_READ).command(0xF5, b"\x02", mode=CommMode.MAC), card)
    assert answer == hexed("0040EEEE000100D1FE001F00004400004400002000006A0000")


def test_a_hidden_uid_is_read_as_published() -> None:
    card = Script(*UID_READ.exchanges)
    assert converse(session_of(UID_READ).command(0x51, mode=CommMode.FULL), card) == hexed("04958CAA5C5E80")


def personalise(random: ev2.RandomBytes) -> Dialogue[None]:
    session = yield from authenticate_first(ZERO, 3, random=random)
    written = hexed("0102030405060708090A")
    yield from session.command(0x8D, hexed("030000000A0000"), written, mode=CommMode.FULL)
    session = yield from authenticate_non_first(session, ZERO, 0, random=random)
    container = hexed("FF0506E10500808283") + bytes(9)
    yield from session.command(0x8D, hexed("010E0000120000"), container, mode=CommMode.PLAIN)
    yield from session.change_key(2, hexed("F3847D627727ED3BC9C4CC050489B966"), 1, FACTORY_KEY)
    yield from session.change_key(0, hexed("5004BF991F408672B1EF00F08F9E8647"), 1)


def test_the_whole_published_personalisation_in_one_transaction() -> None:
    card = Script(*PERSONALISED.exchanges)
    converse(personalise(dice(PERSONALISED)), card)
    assert card.is_over
    secret = [isinstance(command, SecretFrame) for command in card.sent]
    assert secret == [False] * 6 + [True] * 2


def test_every_published_talk_is_walked_here() -> None:
    walked = [AUTHENTICATED, SETTINGS_CHANGED, PERSONALISED, SETTINGS_READ, UID_READ]
    assert walked == ev2.VECTORS


def test_the_check_value_of_a_key_is_the_published_one() -> None:
    assert key_check(hexed("F3847D627727ED3BC9C4CC050489B966")) == hexed("789DFADC")


def proof_sent() -> bytes:
    """What we send to a card that always has the same challenge."""
    answers = iter(["A04C124213C186F22399D33AC2A3021591AF", "91AE"])
    sent: list[bytes] = []

    def card(command: Command) -> bytes:
        assert isinstance(command, Apdu)
        sent.append(command.command)
        return hexed(next(answers))

    with pytest.raises(WrongKey):
        converse(authenticate_first(ZERO, 0), card)
    return sent[1]


def test_the_challenge_is_a_new_one_every_time() -> None:
    assert len({proof_sent() for _ in range(8)}) == 8


@pytest.mark.parametrize("delays", [1, 7, 399])
def test_a_card_that_delays_is_asked_for_the_same_key_again(delays: int) -> None:
    begin, prove = AUTHENTICATED.exchanges
    card = Script(*[(begin[0], "91AD")] * delays, begin, prove)
    session = converse(authenticate_first(ZERO, 0, random=dice(AUTHENTICATED)), card)
    assert session == session_of(AUTHENTICATED)


def test_a_card_that_delays_for_ever_is_left_for_another_tap() -> None:
    with pytest.raises(CardLost, match="delays"):
        converse(authenticate_first(ZERO, 0), lambda _command: hexed("91AD"))


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (["9140"], CommandRefused),
        (["919D"], CommandRefused),
        (["9100"], CardDefective),
        (["91AF"], CardDefective),
        (["00" * 17 + "91AF"], CardDefective),
        ([""], CardLost),
        (["91CA"], Disturbed),
        (["91EE"], CardDefective),
        (["00" * 16 + "91AF", "91AE"], WrongKey),
        (["00" * 16 + "91AF", ""], CardLost),
        (["00" * 16 + "91AF", "9100"], CardDefective),
        (["00" * 16 + "91AF", "00" * 16 + "9100"], CardDefective),
        (["00" * 16 + "91AF", "00" * 31 + "9100"], CardDefective),
        (["00" * 16 + "91AF", "00" * 32 + "9100"], CardDefective),
    ],
)
def test_an_authentication_that_fails_says_how(answers: list[str], error: type[StationError]) -> None:
    left = iter(answers)
    with pytest.raises(error):
        converse(authenticate_first(ZERO, 0), lambda _command: hexed(next(left)))


def test_a_card_that_only_repeats_its_old_proof_is_found_out() -> None:
    card = Script(PERSONALISED.exchanges[3], (PERSONALISED.exchanges[4][0], "00" * 16 + "9100"))
    random = dice(Transcript("", (), PERSONALISED.random[1:]))
    with pytest.raises(CardDefective, match="genuine"):
        converse(authenticate_non_first(session_of(AUTHENTICATED), ZERO, 0, random=random), card)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 24 * 8 + 7))
def test_no_bit_of_an_answer_can_be_changed(bit: int) -> None:
    command, answer = SETTINGS_READ.exchanges[0]
    damaged = bytearray(hexed(answer))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CardLost):
        converse(
            session_of(SETTINGS_READ).command(0xF5, b"\x02", mode=CommMode.MAC),
            Script((command, damaged.hex())),
        )


@pytest.mark.parametrize("answer", ["9100", "00" * 7 + "9100", "00" * 40 + "9100"])
@pytest.mark.parametrize("mode", [CommMode.MAC, CommMode.FULL])
def test_an_answer_without_a_right_mac_is_no_answer(answer: str, mode: CommMode) -> None:
    with pytest.raises(CardLost):
        converse(session_of(UID_READ).command(0x51, mode=mode), lambda _command: hexed(answer))


@pytest.mark.parametrize("plain", ["00" * 16, "80" + "00" * 31, "04958CAA5C5E80" + "00" * 8 + "01"])
def test_an_answer_with_wrong_padding_is_no_answer(plain: str) -> None:
    session = session_of(UID_READ)
    count = b"\x01\x00"
    iv = session.encryption.encrypt(hexed("5AA5") + session.transaction + count + bytes(8))
    body = session.encryption.encrypt(hexed(plain), iv)
    mac = session.authentication.cmac(b"\x00" + count + session.transaction + body)[1::2]
    with pytest.raises(CardLost):
        converse(session.command(0x51, mode=CommMode.FULL), lambda _command: body + mac + hexed("9100"))


class Partner:
    """The card's side of a session, with the keys of ours: answers each command with `data`, in parts."""

    def __init__(self, session: Ev2Session, sent: int, data: bytes, mode: CommMode, part: int) -> None:
        self._session, self._mode, self._part = session, mode, part
        self._data = data
        enciphered = mode is CommMode.FULL and sent
        self._awaited = 1 + (sent // 16 * 16 + 16 if enciphered else sent) + (8 if mode else 0)
        self._left: list[bytes] = []
        self.received = b""

    def __call__(self, command: Command) -> bytes:
        assert isinstance(command, Apdu)
        apdu = command.command
        body = apdu[5:-1] if len(apdu) > 5 else b""
        if self._left:
            return self._next()
        self.received += body
        if len(self.received) < self._awaited:
            return hexed("91AF")
        counter = self._session.counter
        self._left = self._parts(counter)
        return self._next()

    def _parts(self, counter: int) -> list[bytes]:
        keys = self._session
        count = counter.to_bytes(2, "little")
        body = self._data
        if self._mode is CommMode.FULL and body:
            iv = keys.encryption.encrypt(hexed("5AA5") + keys.transaction + count + bytes(8))
            padded = body + b"\x80" + bytes(-(len(body) + 1) % 16)
            body = keys.encryption.encrypt(padded, iv)
        if self._mode is not CommMode.PLAIN:
            body += keys.authentication.cmac(b"\x00" + count + keys.transaction + body)[1::2]
        return [body[at : at + self._part] for at in range(0, len(body), self._part)] or [b""]

    def _next(self) -> bytes:
        part = self._left.pop(0)
        return part + hexed("91AF" if self._left else "9100")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=120), st.binary(max_size=120), st.sampled_from(CommMode), st.integers(1, 60), st.data()
)
def test_long_commands_and_answers_travel_in_parts(
    sent: bytes, wanted: bytes, mode: CommMode, part: int, draw: st.DataObject
) -> None:
    session = session_of(UID_READ)
    session.part = draw.draw(st.integers(1, 64))
    partner = Partner(session, len(sent), wanted, mode, part)
    assert converse(session.command(0x3D, b"\x01", sent, mode=mode), partner) == wanted
    assert session.counter == 1


def test_a_card_that_never_stops_answering_is_left() -> None:
    with pytest.raises(CardLost, match="without end"):
        converse(session_of(UID_READ).command(0x51, mode=CommMode.PLAIN), lambda _command: hexed("0091AF"))


def test_a_status_is_told_in_words() -> None:
    with pytest.raises(CommandRefused, match=r"permission denied \(919D\)") as refused:
        converse(session_of(UID_READ).command(0x51, mode=CommMode.FULL), lambda _command: hexed("919D"))
    assert refused.value.status == 0x919D
    assert refused.value.hint


def test_a_session_shows_no_key() -> None:
    shown = repr(session_of(AUTHENTICATED))
    assert AUTHENTICATED.encryption not in shown.upper()
    assert bytes.fromhex(AUTHENTICATED.authentication).__repr__()[2:-1] not in shown
