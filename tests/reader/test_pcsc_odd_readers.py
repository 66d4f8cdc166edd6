"""Readers and services that vpcd cannot stand in for: what the driver makes of their answers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from smartcard import scard as real

from rfid_station.chip.exchange import Apdu
from rfid_station.errors import CardLost, CardRefused, NoReader
from rfid_station.reader import pcsc
from rfid_station.reader.pcsc import PcscLink, PcscReader, open_pcsc, pcsc_readers

TYPE_2 = bytes.fromhex("3B8F8001804F0CA0000003060300030000000068")
UID = bytes.fromhex("04E10CDA993C80")
PAGES = UID + bytes(9)
DONE, REFUSED = b"\x90\x00", b"\x6a\x81"
ACCEPTED = bytes.fromhex("C003009000") + DONE


class Service:
    """The functions of scard that the driver calls, with one card whose reader is `transmit`."""

    def __init__(self, transmit: Callable[[bytes], bytes]) -> None:
        self.transmit = transmit
        self.names = ["Odd Reader"]
        self.sent: list[str] = []
        self.headers: set[int] = set()
        self.answers: dict[str, Any] = {
            "SCardEstablishContext": (0, 1),
            "SCardConnect": (0, 2, real.SCARD_PROTOCOL_T1),
            "SCardStatus": (0, "", 0, 0, list(TYPE_2)),
            "SCardGetStatusChange": (0, [("", real.SCARD_STATE_PRESENT | 0x10000, [])]),
        }

    def as_module(self) -> SimpleNamespace:
        constants = {name: getattr(real, name) for name in dir(real) if name.startswith("SCARD_")}
        functions = {name: self._always(name) for name in self.answers}
        return SimpleNamespace(
            **constants,
            **functions,
            SCardTransmit=self._transmit,
            SCardReconnect=lambda *_: (0, real.SCARD_PROTOCOL_T0),
            SCardListReaders=lambda *_: (
                (0, self.names) if self.names else (real.SCARD_E_NO_READERS_AVAILABLE, [])
            ),
            SCardDisconnect=lambda *_: 0,
            SCardReleaseContext=lambda *_: 0,
            SCardGetErrorMessage=real.SCardGetErrorMessage,
        )

    def _always(self, name: str) -> Callable[..., Any]:
        return lambda *_: self.answers[name]

    def _transmit(self, _handle: int, header: int, apdu: list[int]) -> tuple[int, list[int]]:
        self.headers.add(header)
        self.sent.append(bytes(apdu).hex().upper())
        return 0, list(self.transmit(bytes(apdu)))


def reader_that(answers: dict[str, bytes], otherwise: bytes = REFUSED) -> Callable[[bytes], bytes]:
    """A reader that answers APDUs by how they begin."""

    def transmit(apdu: bytes) -> bytes:
        digits = apdu.hex().upper()
        return next((answer for start, answer in answers.items() if digits.startswith(start)), otherwise)

    return transmit


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes], bytes]], Service]:
    def install(transmit: Callable[[bytes], bytes]) -> Service:
        service = Service(transmit)
        monkeypatch.setattr(pcsc, "scard", service.as_module())
        return service

    return install


Use = Callable[[Callable[[bytes], bytes]], Service]


def tap() -> PcscLink:
    link = next(iter(PcscReader("Odd Reader").cards(bool)))
    assert isinstance(link, PcscLink)
    return link


def exchanged(answer: str) -> bytes:
    return bytes.fromhex("C003009000" + f"97{len(answer) // 2:02X}" + answer) + DONE


GOOD = {
    "FFCA": UID + DONE,
    "FFB00000": PAGES + DONE,
    "FFC20001": exchanged(PAGES.hex()),
    "FFC200": ACCEPTED,
}


def test_a_reader_that_answers_both_ways_alike_has_a_raw_path(use: Use) -> None:
    service = use(reader_that(GOOD))

    assert tap().raw
    assert not any(apdu.startswith("FF000000") for apdu in service.sent)


def test_a_reader_that_says_yes_to_everything_has_none(use: Use) -> None:
    use(reader_that({"FFCA": UID + DONE, "FFB00000": PAGES + DONE}, otherwise=DONE))

    assert not tap().raw


def test_a_reader_whose_session_reads_something_else_has_none(use: Use) -> None:
    use(reader_that({**GOOD, "FFC20001": exchanged("00" * 16)}))

    assert not tap().raw


def test_a_session_that_cannot_be_switched_to_the_card_is_ended(use: Use) -> None:
    service = use(reader_that({"FFC20002": bytes.fromhex("C003016A819000"), **GOOD}))

    assert not tap().raw
    assert service.sent.index("FFC20000028200") < service.sent.index("FFB0000010")


def test_a_card_that_cannot_be_read_shows_nothing_about_the_reader(use: Use) -> None:
    service = use(reader_that({**GOOD, "FFB00000": b"\x63\x00", "FFC20001": exchanged("00")}))
    reader = PcscReader("Odd Reader")
    cards = reader.cards(bool)

    first = next(iter(cards))
    assert not first.raw  # type: ignore[attr-defined]
    service.transmit = reader_that(GOOD)
    service.answers["SCardGetStatusChange"] = (0, [("", real.SCARD_STATE_PRESENT | 0x30000, [])])

    assert next(iter(cards)).raw  # type: ignore[attr-defined]


def test_the_raw_path_is_looked_for_once(use: Use) -> None:
    service = use(reader_that(GOOD))
    cards = iter(PcscReader("Odd Reader").cards(bool))
    next(cards)
    service.sent.clear()
    service.answers["SCardGetStatusChange"] = (0, [("", real.SCARD_STATE_PRESENT | 0x30000, [])])

    assert next(cards).raw  # type: ignore[attr-defined]

    assert service.sent == ["FFCA000000"]


def test_a_reader_that_tells_no_uid_in_a_session_is_asked_outside(use: Use) -> None:
    in_session = False

    def transmit(apdu: bytes) -> bytes:
        nonlocal in_session
        if apdu[:4] == b"\xff\xc2\x00\x00":
            in_session = apdu[5] == 0x81
        if apdu[:2] == b"\xff\xca" and in_session:
            return REFUSED
        return reader_that(GOOD)(apdu)

    use(transmit)
    link = tap()
    assert link.transceive(b"\x30\x00") == PAGES

    assert link.uid() == UID
    assert link.transceive(b"\x30\x00") == PAGES


def test_a_card_whose_uid_the_reader_does_not_tell_is_refused(use: Use) -> None:
    use(reader_that({**GOOD, "FFCA": REFUSED}))

    with pytest.raises(CardRefused, match=r"tells no UID for this card \(6A81: the reader cannot do that\)"):
        tap().uid()


def test_another_uid_is_another_card(use: Use) -> None:
    service = use(reader_that(GOOD))
    link = tap()
    service.transmit = reader_that({**GOOD, "FFCA": bytes.fromhex("04112233445580") + DONE})

    with pytest.raises(CardLost, match="reader Odd Reader now holds card 04…5580 instead of 04…3C80"):
        link.uid()
    with pytest.raises(CardLost):
        link.transceive(b"\x30\x00")


def test_an_answer_that_breaks_off_is_a_lost_card(use: Use) -> None:
    service = use(reader_that(GOOD))
    link = tap()
    service.transmit = reader_that({}, otherwise=b"")

    with pytest.raises(CardLost, match="an answer broke off"):
        link.transceive(b"\x30\x00")


def test_frames_go_by_the_protocol_that_was_agreed(use: Use) -> None:
    service = use(reader_that(GOOD))
    link = tap()
    assert service.headers == {real.SCARD_PCI_T1}
    service.headers.clear()

    link.restart_field()

    assert service.headers == {real.SCARD_PCI_T0}


@pytest.mark.parametrize("call", ["SCardEstablishContext", "SCardConnect"])
def test_polkit_refusing_is_said_with_what_to_grant(use: Use, call: str) -> None:
    service = use(reader_that(GOOD))
    service.answers[call] = (real.SCARD_W_SECURITY_VIOLATION, 0, 0)[: len(service.answers[call])]

    with pytest.raises(NoReader, match="polkit refuses") as refused:
        pcsc_readers() and tap()
    assert refused.value.hint is not None
    assert "org.debian.pcsc-lite.access_pcsc" in refused.value.hint


def test_without_the_package_the_hint_installs_it(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(reader_that(GOOD)).answers["SCardEstablishContext"] = (real.SCARD_E_NO_SERVICE, 0)
    monkeypatch.setattr(pcsc.shutil, "which", lambda *_, **__: None)

    with pytest.raises(NoReader, match="not installed") as missing:
        pcsc_readers()
    assert missing.value.hint == "sudo apt-get install --yes pcscd"


def test_without_any_reader_one_line_says_so(use: Use) -> None:
    use(reader_that(GOOD)).names.clear()

    assert pcsc_readers() == []
    with pytest.raises(NoReader, match="no PC/SC reader is plugged in"):
        open_pcsc("")


@pytest.mark.parametrize(
    ("names", "for_cards"),
    [
        (
            [
                "ACS ACR1252 1S CL Reader [ACR1252 Reader SAM] 00 01",
                "ACS ACR1281 1S Dual Reader 00 00 ICC",
                "ACS ACR1252 1S CL Reader PICC 00 00",
            ],
            "ACS ACR1252 1S CL Reader PICC 00 00",
        ),
        (
            [
                "HID Global OMNIKEY 5422 Smartcard Reader [OMNIKEY 5422 Smartcard Reader] 00 00",
                "HID Global OMNIKEY 5422 Smartcard Reader [OMNIKEY 5422CL Smartcard Reader] 01 00",
            ],
            "HID Global OMNIKEY 5422 Smartcard Reader [OMNIKEY 5422CL Smartcard Reader] 01 00",
        ),
        (
            [
                "Identiv uTrust 4701 F Dual Interface Reader [uTrust 4701 F Contact Reader] 00 00",
                "Identiv uTrust 4701 F Dual Interface Reader [uTrust 4701 F Contactless Reader] 01 00",
            ],
            "Identiv uTrust 4701 F Dual Interface Reader [uTrust 4701 F Contactless Reader] 01 00",
        ),
        (["ACS ACR1581 PICC Reader 00 00", "ACS ACR1581 SAM1 Reader 00 01"], "ACS ACR1581 PICC Reader 00 00"),
        (["ACS ACR122U PICC Interface 00 00"], "ACS ACR122U PICC Interface 00 00"),
        (["Some Reader 00 00"], "Some Reader 00 00"),
    ],
    ids=["ACS", "OMNIKEY", "Identiv", "ACR1581", "ACR122U", "unknown"],
)
def test_slots_for_chip_modules_are_left_out_when_the_only_reader_is_meant(
    use: Use, names: list[str], for_cards: str
) -> None:
    use(reader_that(GOOD)).names[:] = names

    assert [reader.name for reader in pcsc_readers() if reader.trouble is None] == [for_cards]
    assert open_pcsc("").uri == f"pcsc:{for_cards}"


def test_apdus_over_t0_are_fetched_part_by_part(use: Use) -> None:
    service = use(reader_that({**GOOD, "9060": b"\x61\x03", "00C0000003": b"ABC\x91\xaf"}))
    service.answers["SCardConnect"] = (0, 2, real.SCARD_PROTOCOL_T0)

    assert tap().transceive(Apdu(bytes.fromhex("9060000000"))) == b"ABC\x91\xaf"


def test_apdus_over_t1_are_answered_as_they_are(use: Use) -> None:
    use(reader_that({**GOOD, "9060": b"\x61\x03"}))

    assert tap().transceive(Apdu(bytes.fromhex("9060000000"))) == b"\x61\x03"


def test_an_apdu_ends_a_session_first(use: Use) -> None:
    service = use(reader_that({**GOOD, "9060": DONE}))
    link = tap()
    link.transceive(b"\x30\x00")

    link.transceive(Apdu(bytes.fromhex("9060000000")))

    assert service.sent[-2:] == ["FFC20000028200", "9060000000"]


class Escapes:
    """A reader that takes escape commands by one of the two ways, and answers as ACS readers do."""

    def __init__(self, service: Service, module: Any, function: int = 1, *, repeats: bool = True) -> None:
        self.told: list[str] = []
        self._code = real.SCARD_CTL_CODE(function)
        self._repeats = repeats
        module.SCARD_CTL_CODE = real.SCARD_CTL_CODE
        module.SCardControl = self._control

    def _control(self, _handle: int, code: int, escape: list[int]) -> tuple[int, list[int]]:
        if code != self._code:
            return real.SCARD_E_UNSUPPORTED_FEATURE, []
        digits = bytes(escape).hex().upper()
        self.told.append(digits)
        if digits.startswith("E000002803") and not self._repeats:
            return 0, [0x6A, 0x81]
        return 0, list(b"\xe1\x00\x00\x00\x01\x00")


@pytest.mark.parametrize("function", [1, 3500])
def test_a_reader_that_answers_escapes_shows_green_and_red_by_them(use: Use, function: int) -> None:
    service = use(reader_that(GOOD))
    escapes = Escapes(service, pcsc.scard, function)
    reader = PcscReader("Odd Reader")
    link = next(iter(reader.cards(bool)))

    reader.signal(ok=True)
    reader.signal(ok=False)

    assert escapes.told == ["E000001800", "E00000290102", "E0000028010A", "E00000290101", "E0000028030A0A02"]
    assert link.transceive(b"\x30\x00") == PAGES
    assert not any(apdu.startswith("FF000000") for apdu in service.sent)


def test_a_reader_that_cannot_repeat_a_tone_gives_a_long_one(use: Use) -> None:
    escapes = Escapes(use(reader_that(GOOD)), pcsc.scard, repeats=False)
    reader = PcscReader("Odd Reader")
    next(iter(reader.cards(bool)))

    reader.signal(ok=False)

    assert escapes.told[-1] == "E00000280128"


def test_red_is_shown_for_a_card_that_has_left(use: Use) -> None:
    service = use(reader_that(GOOD))
    escapes = Escapes(service, pcsc.scard)
    reader = PcscReader("Odd Reader")
    link = next(iter(reader.cards(bool)))
    reader.signal(ok=True)
    escapes.told.clear()
    service.transmit = reader_that({}, otherwise=b"")
    with pytest.raises(CardLost):
        link.transceive(b"\x30\x00")

    reader.signal(ok=False)

    assert escapes.told == ["E00000290101", "E0000028030A0A02"]


def test_a_reader_that_can_show_nothing_is_left_in_peace(use: Use) -> None:
    service = use(reader_that(GOOD))
    Escapes(service, pcsc.scard, function=77)
    reader = PcscReader("Odd Reader")
    reader.signal(ok=True)
    link = next(iter(reader.cards(bool)))
    reader.signal(ok=True)
    asked = len(service.sent)

    reader.signal(ok=False)

    assert len(service.sent) == asked
    assert link.uid() == UID


def test_a_card_held_by_another_program_is_told_by_the_reader_it_lies_on(use: Use) -> None:
    service = use(reader_that(GOOD))
    assert pcsc.readers_in_use() == []
    held = real.SCARD_STATE_PRESENT | real.SCARD_STATE_INUSE
    service.answers["SCardGetStatusChange"] = (0, [("Odd Reader", held, [])])

    assert pcsc.readers_in_use() == ["Odd Reader"]
    service.answers["SCardEstablishContext"] = (real.SCARD_E_NO_SERVICE, 0)
    assert pcsc.readers_in_use() == []


def test_an_escape_command_needs_no_card(use: Use) -> None:
    service = use(reader_that(GOOD))
    escapes = Escapes(service, pcsc.scard)

    assert pcsc.escape_answer("Odd Reader", bytes.fromhex("E000009300"))[:1] == b"\xe1"
    service.answers["SCardConnect"] = (real.SCARD_E_SHARING_VIOLATION, 0, 0)
    assert pcsc.escape_answer("Odd Reader", bytes.fromhex("E000009300")) == b""
    assert escapes.told == ["E000009300"]


def test_a_card_that_cannot_be_reached_is_tried_until_it_can(use: Use) -> None:
    service = use(reader_that(GOOD))
    reached = service.answers["SCardConnect"]
    service.answers["SCardConnect"] = (real.SCARD_W_UNRESPONSIVE_CARD, 0, 0)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == 5:
            service.answers["SCardConnect"] = reached
        return asked > 20

    assert next(iter(PcscReader("Odd Reader").cards(stop)), None) is not None
    assert asked >= 5


def test_a_card_exchanged_while_pcscd_was_away_is_a_new_card_although_the_count_is_the_same(use: Use) -> None:
    service = use(reader_that(GOOD))
    cards = iter(PcscReader("Odd Reader").cards(bool))
    assert next(cards).uid() == UID
    present = service.answers["SCardGetStatusChange"]
    service.answers["SCardGetStatusChange"] = (real.SCARD_E_NO_SERVICE, present[1])

    def come_back(*_: object) -> tuple[int, int]:
        service.answers["SCardGetStatusChange"] = present
        service.transmit = reader_that({**GOOD, "FFCA": bytes.fromhex("04112233445580") + DONE})
        return 0, 2

    pcsc.scard.SCardEstablishContext = come_back

    assert next(cards).uid().hex() == "04112233445580"
