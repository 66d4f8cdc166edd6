"""EV1 secure messaging against what cards said, and against a card's side that is written anew here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import ev1
from rfid_station.chip.aes import LocalAesKey
from rfid_station.chip.ev1 import AES_BLOCK, DES_BLOCK, BlockKey, DesKey, Ev1Session
from rfid_station.chip.exchange import Apdu, Command, Dialogue, Result, SecretFrame, converse
from rfid_station.chip.messaging import CommMode, WrongKey
from rfid_station.errors import CardLost, CardRefused, StationError

raw = bytes.fromhex
AES_KEY = LocalAesKey(raw("90F7A20191036845EC63DECD544B9931"))


class Script:
    """Answers in order; keeps the APDUs that came."""

    def __init__(self, *answers: str | bytes) -> None:
        self._answers: Iterator[str | bytes] = iter(answers)
        self.sent: list[bytes] = []

    def __call__(self, command: Command) -> bytes:
        assert isinstance(command, Apdu)
        self.sent.append(command.command)
        answer = next(self._answers)
        return raw(answer) if isinstance(answer, str) else answer

    def lead(self, dialogue: Dialogue[Result]) -> Result:
        return converse(dialogue, self)


def block_key(cipher: str, key: str) -> tuple[BlockKey, int]:
    return (LocalAesKey(raw(key)), AES_BLOCK) if cipher == "AES" else (DesKey(raw(key)), DES_BLOCK)


def fixed(value: str) -> Callable[[int], bytes]:
    return lambda size: raw(value)[:size]


@pytest.mark.parametrize(("cipher", "key", "rnd_a", "challenge", "response", "proof"), ev1.VECTORS)
def test_published_authentications(
    cipher: str, key: str, rnd_a: str, challenge: str, response: str, proof: str
) -> None:
    script = Script(challenge + "91AF", proof + "9100")
    if cipher == "AES":
        script.lead(ev1.authenticate_aes(3, LocalAesKey(raw(key)), fixed(rnd_a)))
        assert script.sent[0] == raw("90AA0000010300")
    else:
        script.lead(ev1.authenticate_des(3, DesKey(raw(key)), fixed(rnd_a)))
        assert script.sent[0] == raw("901A0000010300")
    assert script.sent[1] == raw("90AF0000") + bytes([len(raw(response))]) + raw(response) + b"\x00"


def test_the_session_key_is_the_one_of_the_published_talk() -> None:
    """The second authentication gives 40E7D271 626FFBD4 9C530E3D 304F5B17, the key of the AES talk."""
    _, key, rnd_a, challenge, _, proof = ev1.VECTORS[1]
    script = Script(challenge + "91AF", proof + "9100", ev1.TALKS[1][2][0][1] + "9100")
    session = script.lead(ev1.authenticate_aes(1, LocalAesKey(raw(key)), fixed(rnd_a)))
    command = raw(ev1.TALKS[1][2][0][0])
    script.lead(session.command(command[0], command[1:], mode=CommMode.PLAIN))


@pytest.mark.parametrize(("cipher", "key", "talk"), ev1.TALKS)
def test_published_talks(cipher: str, key: str, talk: list[tuple[str, str]]) -> None:
    session = Ev1Session(*block_key(cipher, key), 0)
    for command, answer in talk:
        script = (
            Script(answer + "9100") if len(raw(command)) < 2 + ev1.FRAME else Script("91AF", answer + "9100")
        )
        data = script.lead(session.command(raw(command)[0], raw(command)[1:], mode=CommMode.PLAIN))
        assert data == raw(answer)[:-8]


@pytest.mark.parametrize(
    ("cipher", "key", "slot", "new", "version", "old", "cryptogram", "mac"), ev1.CHANGED_KEYS
)
def test_published_key_changes(
    cipher: str,
    key: str,
    slot: int,
    new: str,
    version: int | None,
    old: str | None,
    cryptogram: str,
    mac: str,
) -> None:
    script = Script(mac + "9100")
    session = Ev1Session(*block_key(cipher, key), 0)
    script.lead(session.change_key(slot, raw(new), version, raw(old) if old else None))
    body = bytes([slot]) + raw(cryptogram)
    assert bytes(script.sent[0]) == raw("90C40000") + bytes([len(body)]) + body + b"\x00"
    assert isinstance(script.sent[0], SecretFrame), "whoever knows the factory key can decipher it"


def test_the_picc_key_turns_from_des_to_aes_in_24_bytes() -> None:
    """C4 80 || new || version || CRC32(C4 80 new version), in blocks of DES."""
    new = bytes(range(16))
    key = DesKey(raw("C86CE25E4C647E56"))
    script = Script("9100")
    script.lead(Ev1Session(key, DES_BLOCK, 0).change_key(0x80, new, 7))
    sent = script.sent[0]
    assert sent[:6] == raw("90C400001980")
    assert key.decrypt(bytes(sent[6:-1]), bytes(8)) == new + b"\x07" + ev1.crc(
        raw("C480") + new + b"\x07"
    ) + bytes(3)


@pytest.mark.parametrize(("opening", "proof", "talk"), ev1.WHOLE_TALKS)
def test_published_talks_with_enciphered_commands(
    opening: tuple[str, str, str, str], proof: str, talk: list[tuple[str, str, str, str]]
) -> None:
    key, rnd_a, challenge, response = opening
    script = Script(challenge + "91AF", proof + "9100", *(answer + "9100" for *_, answer in talk))
    session = script.lead(ev1.authenticate_des(0, DesKey(raw(key)), fixed(rnd_a)))
    assert script.sent[1][5:-1] == raw(response)
    for command, data, sent, answer in talk:
        mode = CommMode.FULL if data else CommMode.PLAIN
        assert script.lead(session.command(raw(command)[0], data=raw(data), mode=mode)) == raw(answer)[:-8]
        apdu = script.sent[-1]
        assert apdu[1:2] + (apdu[5:-1] if data else b"") == raw(sent)


def test_published_changes_of_one_key_in_turn() -> None:
    (key, rnd_a, challenge, response), proof, changes = ev1.KEYS_CHANGED_IN_TURN
    script = Script(challenge + "91AF", proof + "9100", *(mac + "9100" for *_, mac in changes))
    session = script.lead(ev1.authenticate_des(0, DesKey(raw(key)), fixed(rnd_a)))
    assert script.sent[1][5:-1] == raw(response)
    for new, old, cryptogram, _ in changes:
        script.lead(session.change_key(1, raw(new), None, raw(old)))
        assert script.sent[-1][5:-1] == b"\x01" + raw(cryptogram)


@pytest.mark.parametrize("answer", ["", "91AF", "00" * 15 + "91AF", "00" * 17 + "91AF", "9100", "6D00"])
def test_half_an_answer_is_an_error_of_ours(answer: str) -> None:
    with pytest.raises((CardLost, CardRefused)):
        Script(answer).lead(ev1.authenticate_aes(0, LocalAesKey(bytes(16))))


def test_a_wrong_key_is_named_whoever_notices() -> None:
    with pytest.raises(WrongKey, match="authentication with key 2"):
        Script("00" * 16 + "91AF", "91AE").lead(ev1.authenticate_aes(2, AES_KEY))
    with pytest.raises(WrongKey, match="authentication with key 2"):
        Script("00" * 16 + "91AF", "00" * 16 + "9100").lead(ev1.authenticate_aes(2, AES_KEY))
    with pytest.raises(WrongKey):
        Script("91AE").lead(ev1.authenticate_des(0, ev1.FACTORY_DES_KEY))


@pytest.mark.parametrize("at", range(9))
def test_one_changed_byte_of_an_answer_is_noticed(at: int) -> None:
    answer = bytearray(raw("108A8FA36F55CD210D"))
    answer[at] ^= 1
    with pytest.raises(CardLost, match="CMAC is wrong"):
        Script(bytes(answer) + raw("9100")).lead(
            Ev1Session(AES_KEY, AES_BLOCK, 0).command(0x64, b"\x00", mode=CommMode.PLAIN)
        )


def reading(length: int) -> bytes:
    return bytes(4) + length.to_bytes(3, "little")


class CardSide:
    """The card's end of an enciphered talk, one answer at a time."""

    def __init__(self, key: BlockKey, block: int) -> None:
        self.key, self.block, self.iv = key, block, bytes(block)

    def take(self, ins: int, header: bytes, sent: bytes, length: int) -> bytes:
        """Decipher the data of an enciphered command, whose length the header tells, and check their CRC."""
        plain = self.key.decrypt(sent, self.iv)
        self.iv = sent[-self.block :]
        data = plain[:length]
        assert plain[length:] == (ev1.crc(bytes([ins]) + header + data)).ljust(len(plain) - length, b"\x00")
        return data

    def give(self, data: bytes, *, marked: bool) -> bytes:
        plain = data + ev1.crc(data + b"\x00") + (b"\x80" if marked else b"")
        sent = self.key.encrypt(plain + bytes(-len(plain) % self.block), self.iv)
        self.iv = sent[-self.block :]
        return sent


KEYS = st.sampled_from([("AES", "90F7A20191036845EC63DECD544B9931"), ("DES", "849B36C54FD1B759")])


@settings(max_examples=100, deadline=None)
@given(KEYS, st.binary(min_size=1, max_size=80), st.binary(min_size=1, max_size=7))
def test_enciphered_data_arrive_at_the_card(key: tuple[str, str], data: bytes, header: bytes) -> None:
    card = CardSide(*block_key(*key))
    sent: list[bytes] = []

    def answer(command: Command) -> bytes:
        assert isinstance(command, Apdu)
        sent.append(command.command[5:-1])
        return raw("911C")

    with pytest.raises(CardRefused):
        converse(Ev1Session(*block_key(*key), 0).command(0x3D, header, data, mode=CommMode.FULL), answer)
    whole = len(header) + -(-(len(data) + 4) // card.block) * card.block
    if whole <= ev1.FRAME:
        assert card.take(0x3D, header, sent[0][len(header) :], len(data)) == data
    assert len(sent[0]) <= ev1.FRAME


@settings(max_examples=80, deadline=None)
@given(KEYS, st.binary(max_size=80), st.booleans())
def test_enciphered_answers_are_read_whatever_their_end_looks_like(
    key: tuple[str, str], data: bytes, marked: bool
) -> None:
    card, session = CardSide(*block_key(*key)), Ev1Session(*block_key(*key), 0)

    def answer(_: Command) -> bytes:
        card.iv = session._iv  # the command's CMAC moved it on
        return card.give(data, marked=marked) + raw("9100")

    found = converse(session.command(0xBD, reading(len(data)), mode=CommMode.FULL), answer)
    assert found == data


@settings(max_examples=80, deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=6), st.sampled_from(CommMode))
def test_nothing_a_card_says_breaks_more_than_the_talk(answers: list[bytes], mode: CommMode) -> None:
    for dialogue in (
        Ev1Session(AES_KEY, AES_BLOCK, 0).command(0xBD, reading(3), mode=mode),
        Ev1Session(AES_KEY, AES_BLOCK, 0).change_key(1, bytes(16), 1, bytes(16)),
        ev1.authenticate_aes(0, AES_KEY),
        ev1.authenticate_des(0, ev1.FACTORY_DES_KEY),
    ):
        try:
            converse(dialogue, Script(*answers, *[b""] * 500))
        except StationError:
            continue


def test_keys_do_not_show() -> None:
    assert "90F7" not in repr(DesKey(raw("90F7A20191036845"))).upper()
