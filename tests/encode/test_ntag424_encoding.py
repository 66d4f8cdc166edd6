"""NTAG 424 DNA: made, torn at every exchange, verified, made blank again, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import ndef
import pytest
import taps
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import ntag424 as chip
from rfid_station.chip.aes import FACTORY_KEY, LocalAesKey
from rfid_station.chip.ev2 import authenticate_first
from rfid_station.chip.exchange import Apdu, AskUid, Dialogue, Exchange, run
from rfid_station.chip.identity import Identity
from rfid_station.chip.iso_dep import get_version
from rfid_station.chip.messaging import WrongKey
from rfid_station.chip.ntag424 import Ntag424State, identify_ntag424
from rfid_station.chip.sun import read_sun
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode import ntag424
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.encode.ntag424_keys import SlotKey, sun_keys
from rfid_station.encode.ntag424_plan import Ntag424Plan
from rfid_station.encode.plan import Target
from rfid_station.errors import (
    CardDefective,
    CardLost,
    CardRefused,
    KeyUnavailable,
    ReadBackDiffers,
    StationError,
)
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.field import Field, Mishap
from rfid_station.simulator.native.ntag424 import VirtualNtag424

UID = bytes.fromhex("04A1B2C3D4E580")
LINK = "https://cards.example.com/c/ABCDEFGHJKMN"
LONG_LINK = LINK + "/" + "x" * 120
KEYS = taps.OpenKeys()
REF = KEYS.newest("cards")
CHIPS = frozenset({"NTAG 424 DNA"})

SUN = Profile("sun", "sun", CHIPS, Content.SUN, Protection.KEYS, "cards")
CLOSED = Profile("closed", "closed", CHIPS, Content.LINK, Protection.KEYS, "cards")
OPEN = Profile("open", "open", CHIPS, Content.LINK)
KEYS_ONLY = Profile("keys", "keys", CHIPS, Content.NOTHING, Protection.KEYS, "cards")
LOCKED = Profile("locked", "locked", CHIPS, Content.LINK, Protection.LOCKED, irreversible=True)
LOCKED_SUN = replace(SUN, name="locked-sun", protection=Protection.LOCKED, irreversible=True)
PROFILES = [SUN, CLOSED, OPEN, KEYS_ONLY, LOCKED, LOCKED_SUN]

EXCHANGES = {
    # Identify 6, examine 5, write and verify; 1 field restart is in the last number.
    "sun": (6, 5, 11, 12),
    "closed": (6, 5, 11, 13),
    "open": (6, 0, 2, 4),
    "keys": (6, 5, 10, 13),
    "locked": (6, 5, 7, 13),
    "locked-sun": (6, 5, 12, 12),
}


def new_card() -> VirtualNtag424:
    return VirtualNtag424("ntag424", UID)


def target(profile: Profile, link: str = LINK, *, begun: bool = False) -> Target:
    return Target(profile, link, REF if profile.key else None, begun)


def look() -> Dialogue[Identity]:
    uid = CardUid((yield AskUid()))
    version = yield from get_version()
    assert version is not None
    return (yield from identify_ntag424(uid, version))


def on(card: VirtualNtag424, mishap: Mishap | None = None) -> SimLink:
    """Lay a card on a reader: it comes without power."""
    card.power_off()
    return SimLink(Field(card, mishap=mishap), "sim:test")


def examined(link: SimLink, wanted: Target, keys: taps.OpenKeys = KEYS) -> Identity:
    identity = run(link, look())
    return run(link, examine_card(identity, wanted, keys))


def make(link: SimLink, wanted: Target, keys: taps.OpenKeys = KEYS) -> Ntag424Plan:
    """The encoding part of a tap, as the desk does it."""
    plan = plan_card(examined(link, wanted, keys), wanted)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))
    assert isinstance(plan, Ntag424Plan)
    return plan


def recycle(link: SimLink, wanted: Target, keys: taps.OpenKeys = KEYS) -> None:
    plan = plan_recycling(examined(link, replace(wanted, is_begun=True), keys), wanted.key)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))


def links_on_a_phone(card: VirtualNtag424) -> list[str]:
    """What a phone finds by the rules of NFC Forum Type 4 Tag 2.0, 5.4; ndeflib reads the message."""
    card.power_off()
    card.select()
    assert card.apdu(bytes.fromhex("00A4040007D276000085010100")) == b"\x90\x00"
    assert card.apdu(bytes.fromhex("00A4000C02E103")) == b"\x90\x00"
    container = card.apdu(bytes.fromhex("00B000000F"))
    assert container[:3] == bytes.fromhex("001720")
    assert container[7:9] == bytes.fromhex("0406")
    assert card.apdu(bytes.fromhex("00A4000C02") + container[9:11]) == b"\x90\x00"
    size = int.from_bytes(card.apdu(bytes.fromhex("00B0000002"))[:2])
    message = b"".join(
        card.apdu(bytes([0, 0xB0]) + at.to_bytes(2) + bytes([min(size + 2 - at, 100)]))[:-2]
        for at in range(2, size + 2, 100)
    )
    return [record.iri for record in ndef.message_decoder(message) if isinstance(record, ndef.UriRecord)]


def proven(card: VirtualNtag424) -> int:
    """The counter of a tap with a phone, which must be proven."""
    (link,) = links_on_a_phone(card)
    tap = read_sun(link, [sun_keys(KEYS, REF)])
    assert tap is not None
    assert tap.uid.raw == UID
    return tap.counter


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_new_card_is_made_in_a_known_number_of_exchanges(profile: Profile) -> None:
    card = new_card()
    link = on(card)
    counts = [0]
    wanted = target(profile)
    identity = run(link, look())
    counts.append(link.exchanges)
    identity = replace(identity, state=run(link, ntag424.examine(identity, wanted, KEYS)))
    counts.append(link.exchanges)
    plan = ntag424.plan(identity, wanted)
    run(link, plan.write(KEYS))
    counts.append(link.exchanges)
    run(link, plan.verify(KEYS))
    counts.append(link.exchanges + link.field_restarts)
    assert tuple(after - before for before, after in pairwise(counts)) == EXCHANGES[profile.name]


@pytest.mark.parametrize("link", [LINK, LONG_LINK])
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_what_is_there_already_is_not_written_again(profile: Profile, link: str) -> None:
    card = new_card()
    first = make(on(card), target(profile, link))
    again = make(on(card), target(profile, link, begun=True))
    assert again.steps == ()
    assert again.digest == first.digest


@pytest.mark.parametrize("link", [LINK, LINK + "?lang=de", LINK + "#top", LINK + "?lang=de#top", LONG_LINK])
def test_every_tap_of_a_sun_card_proves_itself_with_a_new_count(link: str) -> None:
    card = new_card()
    make(on(card), target(SUN, link))
    counts = [proven(card) for _ in range(3)]
    assert counts == sorted(set(counts))
    (seen,) = links_on_a_phone(card)
    page, _, fragment = link.partition("#")
    assert seen.startswith(page)
    assert seen.partition("#")[2] == fragment


def test_a_link_of_a_card_proves_nothing_about_another_one() -> None:
    card = new_card()
    make(on(card), target(SUN))
    (link,) = links_on_a_phone(card)
    assert read_sun(link, [sun_keys(KEYS, KeyRef("other", 1))]) is None
    assert read_sun(link[:-1] + ("0" if link[-1] != "0" else "1"), [sun_keys(KEYS, REF)]) is None


def test_the_five_keys_are_ours_and_all_different() -> None:
    card = new_card()
    make(on(card), target(SUN))
    uid = CardUid(UID)
    keys = [SlotKey(number, REF).open(KEYS, uid).reveal() for number in range(5)]
    assert len({*keys, FACTORY_KEY}) == 6
    assert [key.raw for key in card.keys] == keys
    assert [key.version for key in card.keys] == [1] * 5
    assert sum(key.failures for key in card.keys) == 0


def test_only_the_meta_key_is_the_same_on_another_card() -> None:
    one, other = CardUid(UID), CardUid(bytes.fromhex("04111111111180"))
    same = [
        SlotKey(n, REF).open(KEYS, one).reveal() == SlotKey(n, REF).open(KEYS, other).reveal()
        for n in range(5)
    ]
    assert same == [False, True, False, False, False]


@pytest.mark.parametrize("profile", [SUN, CLOSED, KEYS_ONLY, LOCKED, LOCKED_SUN], ids=lambda p: p.name)
def test_a_stranger_cannot_write_and_a_phone_is_told_so(profile: Profile) -> None:
    card = new_card()
    make(on(card), target(profile))
    link = on(card)
    run(link, chip.select_application())
    run(link, chip.select_ndef_file())
    assert run(link, chip.update_binary(0, b"\x00\x00")).status == 0x6982
    assert run(link, chip.read_data(chip.CONTAINER, 0, 23)).data[14] == 0xFF
    settings = run(link, chip.get_file_settings(chip.NDEF))
    assert settings.changer == (chip.NEVER if profile.irreversible else chip.MASTER)


def test_a_card_with_a_link_alone_stays_open() -> None:
    card = new_card()
    make(on(card), target(OPEN))
    assert links_on_a_phone(card) == [LINK]
    assert [key.raw for key in card.keys] == [FACTORY_KEY] * 5
    run(on(card), authenticate_on_a_fresh_field(LocalAesKey(FACTORY_KEY)))


def authenticate_on_a_fresh_field(key: LocalAesKey) -> Dialogue[object]:
    yield from chip.select_application()
    return (yield from authenticate_first(key, 0))


@pytest.mark.parametrize("profile", [SUN, CLOSED, OPEN, KEYS_ONLY], ids=lambda profile: profile.name)
@pytest.mark.parametrize("link", [LINK, LONG_LINK])
def test_a_recycled_card_is_as_it_was_delivered(profile: Profile, link: str) -> None:
    card, fresh = new_card(), new_card()
    make(on(card), target(profile, link))
    recycle(on(card), target(profile, link))
    assert identified(card).freshness is Freshness.BLANK
    kept, delivered = card.state(), fresh.state()
    assert kept["keys"] == delivered["keys"]
    assert {n: file | {"counter": 0} for n, file in kept["files"].items()} == delivered["files"]
    make(on(card), target(SUN))
    assert proven(card) > 0


def identified(card: VirtualNtag424) -> Ntag424State:
    state = run(on(card), look()).state
    assert isinstance(state, Ntag424State)
    return state


@pytest.mark.parametrize("profile", [LOCKED, LOCKED_SUN], ids=lambda profile: profile.name)
def test_what_is_closed_for_ever_is_planned_as_such_and_never_made_blank(profile: Profile) -> None:
    card = new_card()
    plan = make(on(card), target(profile))
    final = [step.is_irreversible for step in plan.steps if "key 0" not in str(step).split("←")[0]]
    assert final == sorted(final)
    assert any(final)
    with pytest.raises(CardRefused, match="for ever"):
        recycle(on(card), target(profile))


@pytest.mark.parametrize("profile", [SUN, CLOSED, OPEN, KEYS_ONLY], ids=lambda profile: profile.name)
def test_nothing_of_the_others_is_irreversible(profile: Profile) -> None:
    assert not any(step.is_irreversible for step in make(on(new_card()), target(profile)).steps)


def sweep(profile: Profile, link: str = LINK) -> range:
    counted = on(new_card())
    make(counted, target(profile, link))
    return range(1, counted.exchanges + counted.field_restarts + 1)


TORN = [
    *[(profile, LINK, mode) for profile in PROFILES for mode in (TornMode.BEFORE, TornMode.AFTER)],
    *[(OPEN, LONG_LINK, mode) for mode in TornMode],
    (SUN, LONG_LINK, TornMode.PARTIAL),
]


@pytest.mark.parametrize(
    ("profile", "link", "mode"), TORN, ids=[f"{p.name}-{len(link)}-{mode}" for p, link, mode in TORN]
)
def test_a_card_torn_at_any_exchange_is_finished_by_the_next_tap(
    profile: Profile, link: str, mode: TornMode
) -> None:
    for at in sweep(profile, link):
        card = new_card()
        with pytest.raises(CardLost):
            make(on(card, Mishap(at, Tear(mode), leaves=True)), target(profile, link))
        for seen in links_on_a_phone(card):
            assert seen.startswith(link)
        make(on(card), target(profile, link, begun=True))
        assert sum(key.failures for key in card.keys) == 0
        if profile.content is Content.SUN:
            assert proven(card) > 0


@pytest.mark.parametrize("mode", [TornMode.BEFORE, TornMode.AFTER])
def test_a_card_torn_while_it_is_made_blank_becomes_blank_by_the_next_tap(mode: TornMode) -> None:
    made = new_card()
    make(on(made), target(SUN))
    at, is_torn = 0, True
    while is_torn:
        at += 1
        card = new_card()
        card.restore(made.state())
        try:
            recycle(on(card, Mishap(at, Tear(mode), leaves=True)), target(SUN))
            is_torn = False
        except CardLost:
            recycle(on(card), target(SUN))
        assert identified(card).freshness is Freshness.BLANK
        assert [key.raw for key in card.keys] == [FACTORY_KEY] * 5
    assert at > 25


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(PROFILES),
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(TornMode)), max_size=6),
)
def test_however_often_it_is_torn_it_ends_made(profile: Profile, tears: list[tuple[int, TornMode]]) -> None:
    card = new_card()
    begun = False
    for at, mode in tears:
        with suppress(CardLost):
            make(on(card, Mishap(at, Tear(mode), leaves=True)), target(profile, begun=begun))
        begun = True
    make(on(card), target(profile, begun=begun))
    assert make(on(card), target(profile, begun=True)).steps == ()


@pytest.mark.parametrize("profile", [SUN, CLOSED, KEYS_ONLY, LOCKED], ids=lambda profile: profile.name)
def test_a_blank_that_somebody_made_is_refused_before_anything_is_written(profile: Profile) -> None:
    card = new_card()
    card.keys[0].raw = bytes(range(16))
    before = card.state()
    with pytest.raises(CardRefused, match="does not have the key"):
        make(on(card), target(profile))
    assert card.state()["files"] == before["files"]
    assert card.keys[0].failures == 1


def test_a_card_that_only_speaks_lrp_is_refused() -> None:
    card = new_card()
    card.is_lrp = True
    with pytest.raises(CardRefused, match="LRP"):
        make(on(card), target(SUN))


def test_a_begun_card_with_keys_of_somebody_else_is_spoiled() -> None:
    card = new_card()
    card.keys[3].version = 77
    with pytest.raises(CardDefective, match="key 3 of card 04…E580 has version 77"):
        make(on(card), target(SUN, begun=True))


def test_a_blank_whose_key_3_is_not_the_factorys_is_spoiled_in_words_at_its_change() -> None:
    card = new_card()
    card.keys[3].raw = bytes(range(16))
    with pytest.raises(CardDefective, match="twice"):
        make(on(card), target(SUN))
    with pytest.raises(CardDefective):
        make(on(card), target(SUN, begun=True))


@pytest.mark.parametrize("rights", [0xEEE0, 0xEEEE])
@pytest.mark.parametrize("file", [chip.CONTAINER, chip.NDEF, chip.OWN])
def test_odd_settings_of_a_blank_are_put_right_or_refused(file: int, rights: int) -> None:
    card = new_card()
    card.files[file].rights = rights
    make(on(card), target(SUN))
    assert [card.files[n].rights for n in (1, 2, 3)] == [0xE000, 0xE000, 0x2330]
    card = new_card()
    card.files[file].rights = 0xEEEF
    with pytest.raises(CardRefused, match="for ever"):
        make(on(card), target(SUN))


def test_a_card_that_delays_after_wrong_keys_is_waited_for() -> None:
    card = new_card()
    card.policy.free = 0
    for _ in range(20):
        with pytest.raises(WrongKey):
            run(on(card), authenticate_on_a_fresh_field(LocalAesKey(bytes(range(16)))))
    make(on(card), target(SUN))
    assert proven(card) > 0


class Interrupted(SimLink):
    """A link on which another program resets the card once, before exchange `at`."""

    def __init__(self, card: VirtualNtag424, at: int) -> None:
        card.power_off()
        super().__init__(Field(card), "sim:test")
        self._at = at

    def transceive(self, command: Exchange) -> bytes:
        if self.exchanges + 1 == self._at:
            self.card.power_off()
            self.card.select()
            self._at = 0
        return super().transceive(command)


def test_a_program_that_resets_the_card_while_it_is_made_costs_no_card() -> None:
    for at in range(12, 34):
        card = new_card()
        make(Interrupted(card, at), target(SUN))
        make(Interrupted(card, at), target(SUN, begun=True))
        assert proven(card) > 0


class Garbled(SimLink):
    """A link on which one answer is something else."""

    def __init__(self, card: VirtualNtag424, at: int, answer: bytes) -> None:
        card.power_off()
        super().__init__(Field(card), "sim:test")
        self._at, self._answer = at, answer

    def transceive(self, command: Exchange) -> bytes:
        answer = super().transceive(command)
        return self._answer if self.exchanges == self._at else answer


@settings(max_examples=50, deadline=None)
@given(
    st.integers(4, 36),
    st.binary(max_size=40)
    | st.sampled_from(["9000", "9100", "91AF", "91AE", "911E", "6982"]).map(bytes.fromhex),
)
def test_no_answer_breaks_the_making_or_costs_the_next_tap(at: int, answer: bytes) -> None:
    card = new_card()
    with suppress(StationError):
        make(Garbled(card, at, answer), target(SUN))
    make(on(card), target(SUN, begun=True))
    assert proven(card) > 0


def test_a_wrong_key_is_tried_once() -> None:
    card = new_card()
    make(on(card), target(SUN))
    card.keys[0].raw = bytes(range(16))
    card.files[chip.CONTAINER].data = bytes(32)
    with pytest.raises(CardDefective, match="authentication error"):
        make(on(card), target(SUN, begun=True))
    assert card.keys[0].failures == 1


class Tampered(SimLink):
    """A link that answers one kind of command in its own way."""

    def __init__(self, card: VirtualNtag424, start: str, answer: str) -> None:
        card.power_off()
        super().__init__(Field(card), "sim:test")
        self._start, self._answer = bytes.fromhex(start), bytes.fromhex(answer)

    def transceive(self, command: Exchange) -> bytes:
        assert isinstance(command, Apdu)
        answer = super().transceive(command)
        return self._answer if bytes(command.command).startswith(self._start) else answer


@pytest.mark.parametrize(
    ("start", "answer", "words"),
    [
        ("00D6", "9000", "everybody can still write"),
        ("00B0", "00009000", "its NDEF file of card"),
        ("90F50000010200", "000000E0000100" + "9100", "the settings of its NDEF file"),
        ("90AD00000701", "00" * 23 + "9100", "its capability container"),
        ("00A4000C", "6A82", "no such file"),
    ],
)
def test_the_first_difference_is_named(start: str, answer: str, words: str) -> None:
    card = new_card()
    plan = make(on(card), target(SUN))
    with pytest.raises(ReadBackDiffers, match=words):
        run(Tampered(card, start, answer), plan.verify(KEYS))


def test_a_stranger_finds_the_same_without_keys() -> None:
    card = new_card()
    plan = make(on(card), target(SUN))
    run(on(card), plan.verify(None))
    card.files[chip.NDEF].sdm = None
    card.files[chip.NDEF].option = 0
    with pytest.raises(ReadBackDiffers):
        run(on(card), plan.verify(None))


@pytest.mark.parametrize("number", range(5))
def test_a_wrong_key_in_any_slot_is_found(number: int) -> None:
    card = new_card()
    plan = make(on(card), target(SUN))
    card.keys[number].raw = bytes(range(16))
    card.keys[number].version = 9
    with pytest.raises(ReadBackDiffers):
        run(on(card), plan.verify(KEYS))


class Copied(SimLink):
    """A link to a card that always shows the same NDEF file."""

    def __init__(self, card: VirtualNtag424, content: bytes) -> None:
        card.power_off()
        super().__init__(Field(card), "sim:test")
        self._shown = {b"\x00\xb0": content + b"\x90\x00", b"\x90\xad\x00\x00\x07\x02": content + b"\x91\x00"}

    def transceive(self, command: Exchange) -> bytes:
        answer = super().transceive(command)
        assert isinstance(command, Apdu)
        sent = bytes(command.command)
        return next((shown for start, shown in self._shown.items() if sent.startswith(start)), answer)


def test_a_link_that_never_changes_is_no_proof() -> None:
    card = new_card()
    plan = make(on(card), target(SUN))
    (seen,) = links_on_a_phone(card)
    content = plan.end.content[:7] + seen.removeprefix("https://").encode()
    with pytest.raises(ReadBackDiffers, match="same at every tap"):
        run(Copied(card, content), plan.verify(KEYS))


class Forgetful(SimLink):
    """A link to a card that forgets its taps."""

    def transceive(self, command: Exchange) -> bytes:
        card = self.card
        assert isinstance(card, VirtualNtag424)
        card.files[chip.NDEF].counter = 7
        return super().transceive(command)


def test_a_card_that_does_not_count_is_found() -> None:
    card = new_card()
    plan = make(on(card), target(SUN))
    card.power_off()
    with pytest.raises(ReadBackDiffers, match="counted its taps 8 and then 8"):
        run(Forgetful(Field(card), "sim:test"), plan.verify(KEYS))


def test_a_long_link_that_is_torn_over_another_one_shows_one_of_them_or_nothing() -> None:
    profile = replace(OPEN, accepts=frozenset(Freshness))
    made = new_card()
    make(on(made), target(profile))
    for at in range(1, 13):
        for mode in TornMode:
            card = new_card()
            card.restore(made.state())
            with suppress(CardLost):
                make(on(card, Mishap(at, Tear(mode), leaves=True)), target(profile, LONG_LINK))
            assert links_on_a_phone(card) in ([], [LINK], [LONG_LINK])
            make(on(card), target(profile, LONG_LINK, begun=True))
            assert links_on_a_phone(card) == [LONG_LINK]


def test_old_cards_stay_verifiable_when_the_key_has_a_new_version() -> None:
    keys = taps.OpenKeys()
    card = new_card()
    plan = make(on(card), target(SUN), keys)
    newer = keys.rotate("cards")
    run(on(card), plan.verify(keys))
    assert make(on(card), target(SUN, begun=True), keys).steps == ()
    (link,) = links_on_a_phone(card)
    tap = read_sun(link, [sun_keys(keys, newer), sun_keys(keys, REF)])
    assert tap is not None
    with pytest.raises(CardDefective, match="version 1"):
        make(on(card), Target(SUN, LINK, newer, is_begun=True), keys)


def test_without_a_key_ring_nothing_is_written() -> None:
    card = new_card()
    link = on(card)
    identity = examined(link, target(SUN))
    before = card.state()["files"]
    with pytest.raises(KeyUnavailable):
        run(link, ntag424.plan(identity, target(SUN)).write(None))
    assert card.state()["files"] == before


@pytest.mark.parametrize(("profile", "longest"), [(SUN, 187), (CLOSED, 240), (OPEN, 240)])
def test_a_link_that_does_not_fit_is_refused_and_the_longest_fits(profile: Profile, longest: int) -> None:
    base = "https://a.example/"
    card = new_card()
    make(on(card), target(profile, base.ljust(longest, "x")))
    with pytest.raises(CardRefused, match="does not fit"):
        make(on(new_card()), target(profile, base.ljust(longest + 1, "x")))


def test_another_card_on_the_reader_is_not_written() -> None:
    identity = examined(on(new_card()), target(SUN))
    other = VirtualNtag424("ntag424", bytes.fromhex("04111111111180"))
    with pytest.raises(CardLost, match="another card"):
        run(on(other), ntag424.plan(identity, target(SUN)).write(KEYS))
    assert all(key.version == 0 for key in other.keys)


def test_a_protected_card_is_refused_for_an_open_profile() -> None:
    card = new_card()
    make(on(card), target(SUN))
    with pytest.raises(CardRefused, match="only keys open"):
        make(on(card), target(OPEN))
    with pytest.raises(CardRefused):
        ntag424.recycle(examined(on(card), target(OPEN)), None)


class Listening(SimLink):
    """A link that notes what a trace would show."""

    def __init__(self, card: VirtualNtag424) -> None:
        super().__init__(Field(card), "sim:test")
        self.shown: list[str] = []

    def transceive(self, command: Exchange) -> bytes:
        self.shown.append(repr(command))
        return super().transceive(command)


def test_no_key_is_shown_by_a_plan_or_a_trace() -> None:
    link = Listening(new_card())
    plan = make(link, target(SUN))
    text = "\n".join([*link.shown, repr(plan), *map(str, plan.steps)])
    assert text.count("secret bytes") == 5
    secrets = [SlotKey(number, REF).open(KEYS, CardUid(UID)).reveal() for number in range(5)]
    for key in secrets:
        assert key.hex() not in text.lower()
        assert repr(key)[2:-1] not in text
    assert any("cards:1/424.0, version 01" in str(step) for step in plan.steps)


def test_a_write_step_is_the_exact_bytes() -> None:
    plan = make(on(new_card()), target(SUN))
    first, container, settings_step = map(str, plan.steps[:3])
    assert first.startswith("file 2 at 00 ← 00 5B D1 01 57 55 04 63 61")
    assert container.startswith("file 1 at 00 ← 00 17 20 01 00 00 FF 04 06 E1 04 01 00 00 FF")
    assert settings_step.startswith("settings of file 2 ← 40 00 E0 C1 FF 12 2A 00 00 4D 00 00 4D 00 00  ")
