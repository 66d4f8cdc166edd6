"""What happens around a card on the reader sim:, and which kind of reader it plays."""

from __future__ import annotations

from itertools import islice

import pytest

from rfid_station.chip.exchange import ReadBlock, SecretFrame, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Standard
from rfid_station.errors import CardLost, WrongCall
from rfid_station.reader.sim import Seen, SimLink, open_sim, parse_sim
from rfid_station.simulator.chips import CHIPS, new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.memory.chips import MEMORY_CHIPS

NEVER_STOP = bool
GET_VERSION = b"\x60"
FACTORY = SecretFrame(b"\xff" * 6)


def taps(uri: str, most: int = 10) -> list[SimLink]:
    reader = open_sim(uri)
    links = list(islice(reader.cards(NEVER_STOP), most))
    reader.close()
    return [link for link in links if isinstance(link, SimLink)]


def first(uri: str) -> SimLink:
    link = next(open_sim(uri).cards(NEVER_STOP))
    assert isinstance(link, SimLink)
    return link


def test_a_card_is_swapped_in_the_middle_and_noticed_at_once() -> None:
    seen = []
    for link in open_sim("sim:ntag213?fault=swap").cards(NEVER_STOP):
        seen.append(link.uid())
        try:
            for _ in range(4):
                assert link.transceive(GET_VERSION) != b""
        except CardLost as lost:
            seen.append(lost.message.encode())

    original, message, other, original_again = seen
    assert b"instead of" in message
    assert original == original_again != other


@pytest.mark.parametrize("ask", ["uid", "restart_field"])
def test_the_other_card_is_noticed_however_one_asks(ask: str) -> None:
    link = first("sim:ntag213?fault=swap")
    for _ in range(2):
        link.transceive(GET_VERSION)
    if ask == "uid":
        with pytest.raises(CardLost):
            link.transceive(GET_VERSION)

    with pytest.raises(CardLost, match="instead of"):
        getattr(link, ask)()


def test_nothing_is_written_on_the_card_that_was_put_there() -> None:
    links = []
    for link in open_sim("sim:ntag213?fault=swap").cards(NEVER_STOP):
        assert isinstance(link, SimLink)
        links.append(link)
        if len(links) == 1:
            for _ in range(2):
                link.transceive(GET_VERSION)
            with pytest.raises(CardLost):
                link.transceive(b"\xa2\x04mine")
    assert [link.card.state() == new_card("ntag213", link.card.uid).state() for link in links] == [True] * 3


def test_a_swap_that_comes_too_late_never_happens() -> None:
    assert len(taps("sim:ntag213?fault=swap")) == 1


def test_a_slow_card_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("rfid_station.reader.sim.time.sleep", waited.append)
    slow, quick = taps("sim:ntag213?fault=slow&count=2")[:2], first("sim:ntag213")
    assert len(slow) == 2
    assert waited == []

    link = first("sim:ntag213?fault=slow")
    link.transceive(GET_VERSION)
    link.restart_field()
    quick.transceive(GET_VERSION)

    assert waited == [0.2, 0.2]


def test_a_clone_is_another_chip_under_the_same_word() -> None:
    link = first("sim:ntag213?fault=clone")

    assert link.uid()[0] == 0x1D
    assert link.transceive(GET_VERSION).hex() == "0053040201000f03"


def test_a_pcsc_reader_tells_the_atr_and_an_nfc_reader_what_the_card_said() -> None:
    pcsc, nfc = first("sim:classic4k?seen=pcsc").seen, first("sim:classic4k?seen=nfc").seen

    assert pcsc.atr.hex().upper() == "3B8F8001804F0CA0000003060300020000000069"
    assert (pcsc.sak, pcsc.atqa, pcsc.standard) == (None, b"", Standard.UNKNOWN)
    assert (nfc.sak, nfc.atqa.hex(), nfc.standard, nfc.atr) == (0x18, "0002", Standard.TYPE_A, b"")


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("seen", Seen)
def test_every_card_is_seen_in_both_ways(chip: str, seen: Seen) -> None:
    sighting = first(f"sim:{chip}?seen={seen}").seen

    assert bool(sighting.atr) == (seen is Seen.PCSC)
    assert (sighting.standard is Standard.UNKNOWN) == (seen is Seen.PCSC)


def test_the_nak_of_a_classic_stays_in_the_reader() -> None:
    link = first("sim:classic1k")

    assert link.transceive(ReadBlock(4)) == b""
    link.restart_field()
    assert link.transceive(SectorLogin(4, FACTORY)) == b"\x0a"
    assert link.transceive(WriteBlock(4, bytes(range(16)))) == b"\x0a"
    assert link.transceive(ReadBlock(4)) == bytes(range(16))
    assert link.transceive(WriteBlock(0, bytes(16))) == b""
    assert link.transceive(SectorLogin(4, FACTORY)) == b""


@pytest.mark.parametrize("chip", MEMORY_CHIPS)
def test_a_uid_of_the_right_size_is_taken(chip: str) -> None:
    uid = blank_uid(chip, 7, 7)

    assert first(f"sim:{chip}?uid={uid.hex()}").uid() == uid
    with pytest.raises(WrongCall, match="bytes"):
        open_sim(f"sim:{chip}?uid={uid.hex()}00")


def test_seen_is_an_option_like_any_other() -> None:
    assert parse_sim("sim:ntag213?seen=nfc").seen is Seen.NFC
    with pytest.raises(WrongCall, match="seen=x cannot be used"):
        parse_sim("sim:ntag213?seen=x")
