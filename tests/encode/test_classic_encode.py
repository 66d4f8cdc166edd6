"""MIFARE Classic: link, directory and keys; written, torn, finished, read by strangers, made blank again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from classic_taps import (
    KEY,
    KEYED,
    KEYED_LINK,
    LINK,
    LONG_LINK,
    OPEN_LINK,
    PROFILES,
    WORDS,
    a_stranger_can_write,
    accepting_links,
    examined,
    identified,
    is_as_delivered,
    link_of,
    new_classic,
    opens,
    planned,
    recycle_classic,
    tap_classic,
    wanted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from taps import OpenKeys, link_to

from rfid_station.chip.classic import decode_access
from rfid_station.chip.classic_state import ClassicState, Opens, identify_classic
from rfid_station.chip.exchange import AskUid, Command, Restart, converse, run
from rfid_station.chip.sighting import Family, Kind
from rfid_station.domain.profile import Freshness, Profile
from rfid_station.domain.uid import CardUid
from rfid_station.encode import classic
from rfid_station.encode.keys import card_key
from rfid_station.encode.plan import Target
from rfid_station.errors import (
    CardDefective,
    CardLost,
    CardRefused,
    KeyUnavailable,
    ReadBackDiffers,
    StationError,
)
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.memory.classic import FACTORY_KEY, VirtualClassic, trailer_of

FACTORY_TRAILER = FACTORY_KEY + bytes.fromhex("FF078069") + FACTORY_KEY
TEARS = st.builds(Tear, st.sampled_from(TornMode), st.integers(0, 0xFFFFFFFF))


def our(card: VirtualClassic, slot: str) -> bytes:
    return card_key(OpenKeys(), KEY, CardUid(card.uid), slot).reveal()[:6]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("profile", [OPEN_LINK, KEYED_LINK], ids=lambda profile: profile.name)
@pytest.mark.parametrize("link", [LINK, LONG_LINK], ids=["short", "long"])
def test_a_phone_finds_the_link(word: str, profile: Profile, link: str) -> None:
    card = new_classic(word)
    tap_classic(link_to(card), wanted(profile, link))
    assert link_of(card) == link
    assert tap_classic(link_to(card), wanted(profile, link, is_begun=True)).steps == ()


@pytest.mark.parametrize("word", WORDS)
def test_the_directory_is_as_the_application_note_says(word: str) -> None:
    card = new_classic(word)
    tap_classic(link_to(card), wanted(OPEN_LINK))
    has_second = card.sectors > 16
    assert (
        card.block(3)
        == bytes.fromhex("A0A1A2A3A4A5 787788") + (b"\xc2" if has_second else b"\xc1") + FACTORY_KEY
    )
    assert card.block(7) == bytes.fromhex("D3F7D3F7D3F7 7F078840 FFFFFFFFFFFF")
    assert card.block(1)[1:4] == bytes.fromhex("0103E1")
    if has_second:
        assert card.block(67) == bytes.fromhex("A0A1A2A3A4A5 78778800 FFFFFFFFFFFF")


@pytest.mark.parametrize("profile", [KEYED_LINK, KEYED], ids=lambda profile: profile.name)
@pytest.mark.parametrize("word", ["mini", "classic1k7", "classic4k"])
def test_with_keys_no_sector_is_left_to_strangers(word: str, profile: Profile) -> None:
    card = new_classic(word)
    tap_classic(link_to(card), wanted(profile))
    ours = set()
    for sector in range(card.sectors):
        trailer = trailer_of(sector)
        assert not a_stranger_can_write(card, trailer)
        assert not a_stranger_can_write(card, trailer - 1)
        key_b = our(card, f"classic.{sector}.b")
        assert opens(card, trailer, key_b, is_key_b=True)
        ours |= {key_b, card.block(trailer)[:6]}
        assert decode_access(card.block(trailer)[6:9]) is not None
    public = 2 if profile is KEYED_LINK else 0
    assert len(ours) == (
        2 * card.sectors if not public else 2 * card.sectors - _public_sectors(card) + public
    )
    assert link_of(card) == (LINK if public else None)


def _public_sectors(card: VirtualClassic) -> int:
    return 3 if card.sectors > 16 else 2


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("word", WORDS)
def test_it_becomes_blank_again(word: str, profile: Profile) -> None:
    card = new_classic(word)
    tap_classic(link_to(card), wanted(profile, LONG_LINK))
    recycle_classic(link_to(card), profile, LONG_LINK)
    assert is_as_delivered(card)


def sweep(profile: Profile, mode: TornMode, word: str, link: str) -> Counter[str]:
    """Tear a new card at every exchange, tap it again, and count how it ends."""
    target, begun = wanted(profile, link), wanted(profile, link, is_begun=True)
    whole = link_to(new_classic(word))
    tap_classic(whole, target)
    ends: Counter[str] = Counter()
    for at in range(1, whole.exchanges + whole.field_restarts + 1):
        card = new_classic(word)
        with pytest.raises(CardLost):
            tap_classic(link_to(card, Mishap(at, Tear(mode), leaves=True)), target)
        assert link_of(card) in (None, link)
        reason = why_spoiled(card, begun)
        if reason:
            dead = [s for s in range(card.sectors) if decode_access(card.block(trailer_of(s))[6:9]) is None]
            assert dead, "only a sector whose keys were torn may be lost"
            assert f"sector {dead[0]} of card" in reason
            ends["spoiled"] += 1
        else:
            assert link_of(card) == (link if profile is not KEYED else None)
            if at % 4 == 0:
                assert tap_classic(link_to(card), begun).steps == ()
                recycle_classic(link_to(card), profile, link)
                assert is_as_delivered(card)
            ends["issued"] += 1
    return ends


def why_spoiled(card: VirtualClassic, target: Target) -> str:
    """Tap a card that was torn; empty if that finishes it."""
    try:
        tap_classic(link_to(card), target)
    except (CardDefective, ReadBackDiffers) as error:
        return error.message
    return ""


@pytest.mark.parametrize("mode", TornMode)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_torn_at_every_exchange_it_ends_issued_or_spoiled_with_the_reason(
    profile: Profile, mode: TornMode
) -> None:
    ends = sweep(profile, mode, "mini", LONG_LINK)
    trailers = {OPEN_LINK: 4, KEYED_LINK: 5, KEYED: 5}[profile]
    assert ends["spoiled"] == (trailers if mode in (TornMode.ERASED, TornMode.PARTIAL) else 0)
    assert ends["issued"] > 2 * ends["spoiled"]


def test_torn_at_every_exchange_a_4k_with_its_second_directory() -> None:
    assert sweep(OPEN_LINK, TornMode.AFTER, "classic4k", LINK)["spoiled"] == 0
    assert sweep(OPEN_LINK, TornMode.ERASED, "classic4k", LINK)["spoiled"] == 3


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PROFILES), st.lists(st.tuples(st.integers(1, 60), TEARS), min_size=2, max_size=5))
def test_torn_again_and_again(profile: Profile, tears: list[tuple[int, Tear]]) -> None:
    card = new_classic("mini")
    for number, (at, tear) in enumerate(tears):
        target = wanted(profile, is_begun=number > 0)
        try:
            tap_classic(link_to(card, Mishap(at, tear, leaves=True)), target)
        except CardLost:
            assert link_of(card) in (None, LINK)
        except (CardDefective, ReadBackDiffers):
            return
    reason = why_spoiled(card, wanted(profile, is_begun=True))
    assert "sector" in reason or link_of(card) == (LINK if profile is not KEYED else None)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), TEARS)
def test_writing_over_an_older_link_never_shows_a_mixture(at: int, tear: Tear) -> None:
    older = "https://older.example.org/" + "z" * 80
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(OPEN_LINK, older))
    profile = accepting_links(OPEN_LINK)
    try:
        tap_classic(link_to(card, Mishap(at, tear, leaves=True)), wanted(profile))
    except CardLost:
        assert link_of(card) in (None, older, LINK)
    tap_classic(link_to(card), wanted(profile, is_begun=True))
    assert link_of(card) == LINK


@pytest.mark.parametrize("mode", [TornMode.BEFORE, TornMode.AFTER])
def test_recycling_that_is_torn_is_done_by_the_next(mode: TornMode) -> None:
    for at in range(1, 60):
        card = new_classic("mini")
        tap_classic(link_to(card), wanted(KEYED_LINK))
        try:
            recycle_classic(link_to(card, Mishap(at, Tear(mode), leaves=True)), KEYED_LINK)
        except CardLost:
            recycle_classic(link_to(card), KEYED_LINK)
        assert is_as_delivered(card)


def test_a_card_with_a_link_that_everybody_may_change_gets_keys() -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(OPEN_LINK, LONG_LINK))
    with pytest.raises(CardRefused, match="no blank"):
        tap_classic(link_to(card), wanted(KEYED_LINK))
    tap_classic(link_to(card), wanted(accepting_links(KEYED_LINK)))
    assert link_of(card) == LINK
    assert not a_stranger_can_write(card, 4)


def test_a_card_of_ours_that_the_store_does_not_know_is_no_new_card() -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(KEYED_LINK))
    with pytest.raises(CardRefused, match="belongs to somebody else: no public key opens sector 1"):
        tap_classic(link_to(card), wanted(accepting_links(KEYED_LINK)))


@pytest.mark.parametrize("sector", [0, 1, 2, 9])
def test_keys_of_somebody_else_are_refused_before_anything_is_written(sector: int) -> None:
    card = new_classic("classic1k")
    card.set_block(trailer_of(sector), b"\x01" * 6 + FACTORY_TRAILER[6:])
    before = bytes(card.memory)
    with pytest.raises(CardRefused, match=f"no public key opens sector {sector}|no blank"):
        tap_classic(link_to(card), wanted(KEYED_LINK))
    assert bytes(card.memory) == before


@pytest.mark.parametrize("access", ["7F078869", "08778F69", "078F0F00"])
def test_unusual_rights_are_refused_before_anything_is_written(access: str) -> None:
    card = new_classic("classic1k")
    card.set_block(7, FACTORY_KEY + bytes.fromhex(access) + FACTORY_KEY)
    before = bytes(card.memory)
    with pytest.raises(CardRefused, match="unusual rights in sector 1: "):
        tap_classic(link_to(card), wanted(OPEN_LINK))
    assert bytes(card.memory) == before


@pytest.mark.parametrize("block", [1, 4, 6, 9])
def test_data_of_somebody_else_is_seen_before_anything_is_written(block: int) -> None:
    card = new_classic("classic1k")
    card.set_block(block, b"somebody's value")
    before = bytes(card.memory)
    with pytest.raises(CardRefused, match="no blank"):
        tap_classic(link_to(card), wanted(OPEN_LINK, LONG_LINK))
    assert bytes(card.memory) == before


@pytest.mark.parametrize("block", [4, 5, 7])
def test_a_worn_block_is_named(block: int) -> None:
    card = new_classic("classic1k")
    card.worn.add(block)
    with pytest.raises(CardDefective, match=f"block {block:02X} of card 5A…2C3D cannot be written"):
        tap_classic(link_to(card), wanted(OPEN_LINK))
    assert link_of(card) is None


def test_a_weak_bit_is_named() -> None:
    card = new_classic("classic1k")
    card.weak[5] = 0xFFFFFFFF
    with pytest.raises(ReadBackDiffers, match="block 05 of card 5A…2C3D reads 00 00"):
        tap_classic(link_to(card), wanted(OPEN_LINK))


def test_a_silent_moment_is_no_defect() -> None:
    whole = link_to(new_classic("mini"))
    tap_classic(whole, wanted(KEYED_LINK))
    for at in range(1, whole.exchanges + whole.field_restarts):
        card = new_classic("mini")
        link = link_to(card, Mishap(at, Tear(TornMode.BEFORE)))
        try:
            tap_classic(link, wanted(KEYED_LINK))
        except CardDefective:
            raise
        except (CardLost, CardRefused, ReadBackDiffers):
            tap_classic(link_to(card), wanted(KEYED_LINK, is_begun=True))
        assert link_of(card) == LINK


@pytest.mark.parametrize("block", [4, 3, 7, 11])
def test_a_write_whose_answer_is_lost_is_found_by_the_next_tap(block: int) -> None:
    card = new_classic("mini")
    sound, lost = card.answer, []

    def deaf(frame: bytes) -> bytes:
        reply = sound(frame)
        if frame[:2] == bytes([0xA0, block]) and not lost:
            lost.append(frame)
            card.power_off()
            return b""
        return reply

    card.answer = deaf  # type: ignore[method-assign]
    try:
        tap_classic(link_to(card), wanted(KEYED_LINK))
    except CardLost as error:
        assert "stopped answering in the middle" in error.message  # noqa: PT017
        tap_classic(link_to(card), wanted(KEYED_LINK, is_begun=True))
    assert lost
    assert link_of(card) == LINK


def test_rights_that_were_loosened_are_seen() -> None:
    card = new_classic("mini")
    plan = tap_classic(link_to(card), wanted(KEYED_LINK))
    trailer = card.block(7)
    card.set_block(7, trailer[:6] + bytes.fromhex("7F078840") + trailer[10:])
    for keys in (None, OpenKeys()):
        with pytest.raises(
            ReadBackDiffers, match="block 07 of card 5A…2C3D reads 7F 07 88 40, and 78 77 88 43"
        ):
            run(link_to(card), plan.verify(keys))
    again = planned(link_to(card), wanted(KEYED_LINK, is_begun=True), OpenKeys())
    assert [step.block for step in again.steps] == [7]


@pytest.mark.parametrize("profile", [KEYED_LINK, KEYED], ids=lambda profile: profile.name)
def test_a_stranger_verifies_without_keys_and_sees_a_door_left_open(profile: Profile) -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(profile))
    link = link_to(card)
    target = wanted(profile, is_begun=True)
    plan = planned(link, target, None)
    assert plan.steps == ()
    run(link, plan.verify(None))
    card.set_block(trailer_of(9), FACTORY_TRAILER)
    with pytest.raises(ReadBackDiffers, match=r"sector 9 of card .* opens with the factory's key"):
        run(link_to(card), plan.verify(None))
    with pytest.raises(
        ReadBackDiffers, match=r"sector 9 of card .* does not open with key A, key cards:1/classic"
    ):
        run(link_to(card), plan.verify(OpenKeys()))


def test_a_changed_link_is_seen() -> None:
    card = new_classic("classic1k")
    plan = tap_classic(link_to(card), wanted(KEYED_LINK))
    card.set_block(5, b"another content!")
    with pytest.raises(ReadBackDiffers, match="block 05"):
        run(link_to(card), plan.verify(None))
    assert planned(link_to(card), wanted(KEYED_LINK, is_begun=True), OpenKeys()).steps


def test_the_plan_shows_bytes_and_never_a_key() -> None:
    card = new_classic("classic1k")
    plan = planned(link_to(card), wanted(KEYED_LINK), OpenKeys())
    text = "\n".join(map(str, plan.steps))
    assert "block 07 ← D3F7D3F7D3F7 78778843 key cards:1/classic.1.b  keys of sector 1" in text
    assert "block 0B ← key cards:1/classic.2.a 78778800 key cards:1/classic.2.b  keys of sector 2" in text
    shown = text + repr(plan) + plan.digest
    for sector in range(16):
        for slot in "ab":
            assert our(card, f"classic.{sector}.{slot}").hex().upper() not in shown.upper().replace(" ", "")
    assert not any(step.is_irreversible for step in plan.steps)


def test_the_order_leaves_keys_and_directory_to_the_end() -> None:
    plan = planned(link_to(new_classic("classic1k")), wanted(OPEN_LINK, LONG_LINK), None)
    assert [step.block for step in plan.steps] == [13, 12, 15, 10, 9, 8, 11, 6, 5, 4, 7, 1, 3]


def test_the_digest_names_the_end_and_not_the_way() -> None:
    card = new_classic("classic1k")
    first = planned(link_to(card), wanted(KEYED_LINK), OpenKeys())
    tap_classic(link_to(card), wanted(KEYED_LINK))
    again = planned(link_to(card), wanted(KEYED_LINK, is_begun=True), OpenKeys())
    assert first.digest == again.digest
    assert first.digest != planned(link_to(new_classic("classic1k")), wanted(KEYED), OpenKeys()).digest


def test_without_a_ring_nothing_that_needs_one_is_written() -> None:
    card = new_classic("classic1k")
    plan = planned(link_to(card), wanted(KEYED), OpenKeys())
    with pytest.raises(KeyUnavailable):
        run(link_to(card), plan.write(None))
    assert is_as_delivered(card)


def test_another_card_in_the_middle_stops_the_writing() -> None:
    plan = planned(link_to(new_classic("classic1k")), wanted(OPEN_LINK), None)
    other = new_classic("classic1k7")
    with pytest.raises(CardLost, match="another card answers"):
        run(link_to(other), plan.write(None))
    assert is_as_delivered(other)


def test_a_link_that_is_too_long_names_link_and_chip() -> None:
    card = new_classic("mini")
    with pytest.raises(CardRefused, match="link of 200 characters does not fit on a MIFARE Mini"):
        tap_classic(link_to(card), wanted(OPEN_LINK, "https://" + "a" * 192))
    tap_classic(link_to(new_classic("classic1k")), wanted(OPEN_LINK, "https://" + "a" * 192))


def test_a_dead_card_cannot_be_made_blank_and_says_which_sector() -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(KEYED_LINK))
    card.set_block(trailer_of(4), bytes(16))
    with pytest.raises(CardRefused, match="sector 4 opens with no key any more"):
        recycle_classic(link_to(card), KEYED_LINK)


def state_of(card: VirtualClassic) -> ClassicState:
    state = identified(link_to(card)).state
    assert isinstance(state, ClassicState)
    return state


def test_identifying_a_blank_is_cheap_and_says_what_it_is() -> None:
    link = link_to(new_classic("classic1k"))
    identity = identified(link)
    assert (identity.name, link.exchanges, link.field_restarts) == ("MIFARE Classic 1K", 7, 0)
    assert identity.state is not None
    assert identity.state.freshness is Freshness.BLANK
    assert identity.notes == ("its UID of 4 bytes is not unique: another card may carry the same one",)
    assert identity.state.facts() == {"size": "1024 bytes in 16 sectors", "keys": "sector 0, 1: factory key"}
    assert identified(link_to(new_classic("classic1k7"))).notes == ()


def test_identifying_shows_the_link_of_any_card() -> None:
    card = new_classic("classic4k")
    tap_classic(link_to(card), wanted(KEYED_LINK, LONG_LINK))
    state = state_of(card)
    assert (state.link, state.freshness) == (LONG_LINK, Freshness.LINK)
    assert {sector.opens for sector in state.sectors.values()} == {Opens.PUBLIC}


def test_a_closed_card_is_other_data() -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(KEYED))
    link = link_to(card)
    identity = identified(link)
    assert identity.state is not None
    assert identity.state.freshness is Freshness.OTHER_DATA
    assert (link.exchanges, link.field_restarts) == (2, 2)


LEAST = {
    # A login and a trailer for each sector, three blocks of link, one of directory: the other stays empty.
    "open": 2 + 2 + 3 + 1,
    "keyed": 2 * 16 + 3 + 1,
    "closed": 2 * 16,
}
"""Exchanges that writing alone takes on a blank 1K."""


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_blank_is_written_in_the_fewest_exchanges(profile: Profile) -> None:
    card = new_classic("classic1k")
    link = link_to(card)
    plan = planned(link, wanted(profile), OpenKeys())
    before = link.exchanges
    run(link, plan.write(OpenKeys()))
    assert link.exchanges - before == LEAST[profile.name]
    assert link.field_restarts == 0


def test_the_key_that_opened_one_sector_is_tried_first_in_the_next() -> None:
    card = new_classic("classic1k")
    whole = link_to(new_classic("classic1k"))
    plan = planned(whole, wanted(KEYED), OpenKeys())
    # Torn after the keys of sectors 0 to 2, each with a login of its own.
    link = link_to(card, Mishap(whole.exchanges + 6, Tear(TornMode.AFTER), leaves=True))
    with pytest.raises(CardLost):
        tap_classic(link, wanted(KEYED))
    assert len(plan.steps) == 16
    again = link_to(card)
    assert len(planned(again, wanted(KEYED, is_begun=True), OpenKeys()).steps) == 13
    # Two public keys in sector 0, and ours where it is no more: in sector 3.
    assert again.field_restarts == 3


def test_a_public_key_b_of_another_program_becomes_the_usual_one() -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(OPEN_LINK))
    for trailer in (3, 7):
        card.set_block(trailer, card.block(trailer)[:10] + bytes.fromhex("D3F7D3F7D3F7"))
    plan = tap_classic(link_to(card), wanted(accepting_links(OPEN_LINK)))
    assert [step.block for step in plan.steps] == [7, 3]
    assert card.block(3)[10:] == card.block(7)[10:] == FACTORY_KEY


def test_exchanges_of_whole_taps() -> None:
    counts = {}
    for profile in PROFILES:
        link = link_to(new_classic("classic1k"))
        tap_classic(link, wanted(profile))
        counts[profile.name] = link.exchanges + link.field_restarts
    assert counts == {"open": 30, "keyed": 130, "closed": 118}


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.lists(st.binary(min_size=48, max_size=48), max_size=3))
def test_whatever_a_directory_and_its_sectors_hold_identifying_ends(
    directory: bytes, sectors: list[bytes]
) -> None:
    card = new_classic("classic1k")
    tap_classic(link_to(card), wanted(OPEN_LINK, LONG_LINK))
    card.set_block(2, directory)
    for number, content in enumerate(sectors, 1):
        for at in range(3):
            card.set_block(4 * number + at, content[16 * at : 16 * at + 16])
    state = state_of(card)
    assert state.freshness in Freshness
    assert state.facts()


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(PROFILES), st.booleans())
def test_whatever_a_reader_answers_a_tap_ends_with_words(
    data: st.DataObject, profile: Profile, is_begun: bool
) -> None:
    uid = CardUid(bytes.fromhex("5A1B2C3D"))
    answers = st.one_of(st.just(b"\x0a"), st.binary(min_size=16, max_size=16), st.binary(max_size=18))

    def answer(command: Command) -> bytes:
        return uid.raw if isinstance(command, (Restart, AskUid)) else data.draw(answers)

    identity = converse(identify_classic(uid, Kind("MIFARE Mini", Family.CLASSIC)), answer)
    target, keys = wanted(profile, is_begun=is_begun), OpenKeys()
    try:
        state = converse(classic.examine(identity, target, keys), answer)
        plan = classic.plan(replace(identity, state=state), target)
        converse(plan.write(keys), answer)
        converse(plan.verify(keys), answer)
    except StationError as error:
        said = error.message
    else:
        said = plan.digest
    assert said


def test_examining_is_reading_only() -> None:
    card = new_classic("classic1k")
    before = card.changes
    identity = examined(link_to(card), wanted(KEYED_LINK), OpenKeys())
    classic.plan(identity, wanted(KEYED_LINK))
    assert card.changes == before
