"""Pull the card at every exchange, in every way a chip can be torn, and tap it again."""

from __future__ import annotations

import pytest
import taps
from hypothesis import given, settings
from hypothesis import strategies as st
from phone import links_seen_by_a_phone

from rfid_station.chip.exchange import run
from rfid_station.chip.identify import identify
from rfid_station.domain.profile import Content, Profile
from rfid_station.encode.encoder import examine_card, plan_card
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardLost, CardRefused, ReadBackDiffers
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.field import Field, Mishap
from rfid_station.simulator.memory.ntag21x import MODELS, VirtualNtag21x

LINK = "https://cards.example.com/c/ABCDEFGHJKMN"
PROFILE = Profile("link", "link", frozenset({"NTAG213", "NTAG215", "NTAG216"}), Content.LINK)
UID = bytes.fromhex("04A1B2C3D4E580")
TEARS = st.builds(Tear, st.sampled_from(TornMode), st.integers(0, 0xFFFFFFFF))


def on(field: Field) -> SimLink:
    return SimLink(field, "sim:test")


def wanted(link: str = LINK) -> Target:
    return Target(PROFILE, link, None)


def tap(field: Field, link: str = LINK) -> Plan:
    """The encoding part of a tap, as the desk does it."""
    return taps.tap(on(field), wanted(link))


def exchanges_of_a_whole_tap(model: str) -> int:
    field = Field(VirtualNtag21x(model, UID))
    tap(field)
    return field.exchanges + field.restarts


@pytest.mark.parametrize("model", MODELS)
def test_a_fresh_card_is_written_in_the_fewest_exchanges(model: str) -> None:
    card = VirtualNtag21x(model, UID)
    field = Field(card)
    plan = tap(field)
    reads = 1 if model == "ntag213" else 2
    assert field.exchanges == 1 + reads + len(plan.steps) + 1
    already_there = 2 if model == "ntag213" else 1  # capability container, and the lock control TLV
    assert len(plan.steps) == len(plan.expected) - already_there
    assert field.restarts == 1
    assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize("model", MODELS)
def test_what_is_there_already_is_not_written_again(model: str) -> None:
    card = VirtualNtag21x(model, UID)
    tap(Field(card))
    assert tap(Field(card)).steps == ()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(MODELS)), st.data())
def test_a_torn_card_shows_nothing_or_all_and_is_finished_by_the_next_tap(
    model: str, data: st.DataObject
) -> None:
    card = VirtualNtag21x(model, UID)
    at = data.draw(st.integers(1, exchanges_of_a_whole_tap(model)), "torn at exchange")
    tear = data.draw(TEARS, "how")
    with pytest.raises(CardLost):
        tap(Field(card, mishap=Mishap(at, tear, leaves=True)))
    assert links_seen_by_a_phone(card) in ([], [LINK])
    tap(Field(card))
    assert links_seen_by_a_phone(card) == [LINK]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 25), TEARS), min_size=2, max_size=6))
def test_torn_again_and_again(tears: list[tuple[int, Tear]]) -> None:
    card = VirtualNtag21x("ntag213", UID)
    for at, tear in tears:
        try:
            tap(Field(card, mishap=Mishap(at, tear, leaves=True)))
        except CardLost:
            assert links_seen_by_a_phone(card) in ([], [LINK])
    tap(Field(card))
    assert links_seen_by_a_phone(card) == [LINK]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 25), TEARS)
def test_writing_over_an_older_link_never_shows_a_mixture(at: int, tear: Tear) -> None:
    older = "https://older.example.org/abcdefghijklmnopqrstuvwxyz"
    card = VirtualNtag21x("ntag213", UID)
    tap(Field(card), older)
    try:
        tap(Field(card, mishap=Mishap(at, tear, leaves=True)))
    except CardLost:
        assert links_seen_by_a_phone(card) in ([], [older], [LINK])
    tap(Field(card))
    assert links_seen_by_a_phone(card) == [LINK]


def test_the_length_is_the_last_thing_written() -> None:
    card = VirtualNtag21x("ntag213", UID)
    plan = plan_card(taps.identified(card), wanted())
    assert plan.steps[-1].data[2] != 0
    assert plan.steps[-1].page == 5
    assert [step.page for step in plan.steps[:-1]] == sorted(step.page for step in plan.steps[:-1])


def test_a_weak_bit_is_named_with_its_page() -> None:
    card = VirtualNtag21x("ntag213", UID)
    card.weak[8] = 0xFFFFFFFF
    with pytest.raises(ReadBackDiffers, match="page 08 of card 04…E580 reads 00 00 00 00"):
        tap(Field(card))


def test_a_worn_page_is_refused_by_the_card() -> None:
    card = VirtualNtag21x("ntag213", UID)
    card.worn.add(9)
    with pytest.raises(CardRefused, match="page 09 cannot be written: NAK 5"):
        tap(Field(card))
    assert links_seen_by_a_phone(card) == []


@pytest.mark.parametrize(
    ("page", "content", "words"),
    [
        (2, "00000080", "page 0F is locked"),
        (0x28, "010000BD", "page 10 is locked"),
        (3, "E110120F", "read-only"),
        (0x29, "04000004", "password"),
    ],
)
def test_a_locked_card_is_refused_before_anything_is_written(page: int, content: str, words: str) -> None:
    card = VirtualNtag21x("ntag213", UID)
    card.set_page(
        page, card.page(page)[:2] + bytes.fromhex(content)[2:] if page == 2 else bytes.fromhex(content)
    )
    before = bytes(card.memory)
    with pytest.raises(CardRefused, match=words):
        tap(Field(card), LINK + "?longer=than-the-static-pages-hold")
    assert bytes(card.memory) == before


def test_a_link_that_is_too_long_names_link_and_chip() -> None:
    with pytest.raises(CardRefused, match=r"link of 160 characters.*144 bytes of a NTAG213"):
        tap(Field(VirtualNtag21x("ntag213", UID)), "https://" + "a" * 152)


def test_a_chip_that_the_profile_does_not_take_names_both() -> None:
    only_big = Profile("big", "big", frozenset({"NTAG216"}), Content.LINK)
    field = Field(VirtualNtag21x("ntag213", UID))
    identity = run(on(field), identify(on(field).seen))
    with pytest.raises(CardRefused, match="is a NTAG213; profile big takes NTAG216"):
        run(on(field), examine_card(identity, Target(only_big, LINK, None), None))


def test_another_card_in_the_middle_stops_the_writing() -> None:
    card, other = VirtualNtag21x("ntag213", UID), VirtualNtag21x("ntag213", bytes.fromhex("04FFFFFFFFFF80"))
    plan = plan_card(taps.identified(card), wanted())
    with pytest.raises(CardLost, match="another card answers"):
        run(on(Field(other)), plan.write(None))
    assert links_seen_by_a_phone(other) == []


def test_the_digest_names_the_end_and_not_the_way() -> None:
    card = VirtualNtag21x("ntag213", UID)
    first = plan_card(taps.identified(card), wanted())
    tap(Field(card))
    again = plan_card(taps.identified(card), wanted())
    assert first.steps
    assert not again.steps
    assert first.digest == again.digest
