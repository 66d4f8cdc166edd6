"""What a tap of an NTAG 424 DNA card proves on its page, and which links prove nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import Served, path_of, served, sun_cards, tapped_link

from rfid_station.desk.driver.seal import PERMIT_S, Seal, open_seal
from rfid_station.desk.station import Station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.simulator.deck import Deck


@pytest.fixture
def deck_and_cards(inactive: Station) -> tuple[Deck, list[Card]]:
    return sun_cards(inactive, 2)


@pytest.fixture
def deck(deck_and_cards: tuple[Deck, list[Card]]) -> Deck:
    return deck_and_cards[0]


@pytest.fixture
def card(deck_and_cards: tuple[Deck, list[Card]]) -> Card:
    return deck_and_cards[1][0]


@pytest.fixture
def pages(inactive: Station, deck_and_cards: object) -> Iterator[Served]:
    with served(inactive, keys=True) as running:
        yield running


def refusals(pages: Served, card: Card) -> list[str]:
    return [data["why"] for action, data in pages.events(card) if action == "card.tap_refused"]


def test_a_tap_permits_one_thing_once(pages: Served, deck: Deck, card: Card) -> None:
    link = tapped_link(deck)
    shown = pages.phone.get(link)
    assert shown.notice == "The card is genuine, and it is here."
    assert shown.page.wishes == ["activate", "lost"]
    assert not shown.page.has_code

    done = pages.phone.press(shown, path_of(card), "activate")
    assert (done.status, done.headers["Location"]) == (303, f"{path_of(card)}?news")
    assert pages.card(card).state is CardState.ACTIVE

    again = pages.phone.press(shown, path_of(card), "lost")
    assert (again.status, again.notice[:27]) == (403, "The tap has been used or is")
    assert pages.card(card).state is CardState.ACTIVE
    assert refusals(pages, card) == []


def test_who_has_tapped_is_asked_for_no_code(pages: Served, deck: Deck, card: Card) -> None:
    draw_code(pages.station, card)
    assert pages.phone.get(path_of(card)).page.has_code
    shown = pages.phone.get(tapped_link(deck))
    assert (shown.page.has_code, shown.page.wishes) == (False, ["activate", "lost"])


def test_a_replayed_link_is_told_as_such_and_witnessed(pages: Served, deck: Deck, card: Card) -> None:
    link = tapped_link(deck)
    pages.phone.get(link)
    replayed = pages.phone.get(link)
    assert replayed.notice.startswith("This tap was seen before")
    assert "permit" not in replayed.page.hidden
    assert refusals(pages, card) == ["replayed"]
    assert pages.station.store.audit.check().is_sound


def test_a_link_from_before_the_last_tap_is_told_as_such(pages: Served, deck: Deck, card: Card) -> None:
    copied, newer = tapped_link(deck), tapped_link(deck)
    assert pages.phone.get(newer).page.hidden["permit"]
    rolled_back = pages.phone.get(copied)
    assert rolled_back.notice.startswith("This link is older than the last tap")
    assert "permit" not in rolled_back.page.hidden
    assert refusals(pages, card) == ["rolled_back"]


@pytest.mark.parametrize("cut", [1, 10, 17, 19, 40])
def test_a_truncated_link_is_told_as_such(pages: Served, deck: Deck, card: Card, cut: int) -> None:
    answer = pages.phone.get(tapped_link(deck)[:-cut])
    assert answer.notice.startswith("The link is not whole")
    assert "permit" not in answer.page.hidden
    assert refusals(pages, card) == ["truncated"]


@pytest.mark.parametrize("place", [-1, -16, -20, -51])
def test_a_changed_link_is_of_a_foreign_key(pages: Served, deck: Deck, card: Card, place: int) -> None:
    link = tapped_link(deck)
    changed = list(link)
    changed[place] = "0" if changed[place] != "0" else "1"
    answer = pages.phone.get("".join(changed))
    assert answer.notice.startswith("This link was not made by this card")
    assert refusals(pages, card) == ["foreign"]
    assert pages.phone.get(link).page.hidden["permit"]


def test_the_proof_of_one_card_is_none_for_another(
    pages: Served, deck: Deck, deck_and_cards: tuple[Deck, list[Card]]
) -> None:
    one, other = deck_and_cards[1]
    proof = tapped_link(deck).partition("?")[2]
    answer = pages.phone.get(f"{path_of(other)}?{proof}")
    assert answer.notice.startswith("This link was not made by this card")
    assert (refusals(pages, other), refusals(pages, one)) == (["foreign"], [])


def test_a_permit_is_for_one_card_and_some_minutes(
    pages: Served, deck: Deck, deck_and_cards: tuple[Deck, list[Card]], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, other = deck_and_cards[1]
    permit = pages.phone.get(tapped_link(deck)).page.hidden["permit"]
    form = pages.phone.get(path_of(other)).page.hidden | {"permit": permit, "wish": "activate"}
    assert pages.phone.send(path_of(other), form).status == 403
    form = pages.phone.get(tapped_link(deck, 1)).page.hidden | {"permit": permit, "wish": "activate"}
    assert pages.phone.send(path_of(other), form).status == 403

    now_s = [1_000_000.0]
    seal = Seal(b"k" * 32, lambda: now_s[0])
    sealed = seal.permit(card.id, 7)
    assert seal.counter_in(sealed, card.id) == 7
    assert seal.counter_in(sealed, other.id) is None
    assert Seal(b"l" * 32, lambda: now_s[0]).counter_in(sealed, card.id) is None
    assert seal.counter_in(sealed.replace(".7.", ".8."), card.id) is None
    now_s[0] += PERMIT_S + 1
    assert seal.counter_in(sealed, card.id) is None
    assert {pages.card(one).state for one in (card, other)} == {CardState.ISSUED}


def test_a_newer_tap_voids_the_permit_of_the_one_before(pages: Served, deck: Deck, card: Card) -> None:
    older = pages.phone.get(tapped_link(deck))
    newer = pages.phone.get(tapped_link(deck))
    assert pages.phone.press(older, path_of(card), "lost").status == 403
    assert pages.phone.press(newer, path_of(card), "lost").status == 303


def test_who_holds_a_lost_card_does_not_end_its_block_by_tapping_it(
    pages: Served, deck: Deck, card: Card
) -> None:
    """A thief has the card: `found` takes the code, unless the settings say otherwise."""
    pages.phone.press(pages.phone.get(tapped_link(deck)), path_of(card), "lost")
    shown = pages.phone.get(tapped_link(deck))
    assert shown.page.wishes == []
    permit = pages.station.store.pages.note_tap(card.id, 1000, pages.station.actor)
    assert permit is None
    forged = _seal_of(pages).permit(card.id, 1000)
    form = {"form": _seal_of(pages).form(card.alias), "permit": forged, "wish": "found"}
    assert pages.phone.send(path_of(card), form).status == 409
    assert pages.card(card).state is CardState.BLOCKED


def test_where_the_settings_say_so_a_tap_finds_a_card_again(
    inactive: Station, deck: Deck, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = inactive.settings.page.model_copy(update={"by_tap": ("lost", "found")})
    monkeypatch.setitem(inactive.settings.__dict__, "page", page)
    with served(inactive, keys=True) as pages:
        first = pages.phone.get(tapped_link(deck))
        assert first.page.wishes == ["lost"]
        pages.phone.press(first, path_of(card), "lost")
        found = pages.phone.press(pages.phone.get(tapped_link(deck)), path_of(card), "found")
        assert (found.status, pages.card(card).reason) == (303, Reason.FOUND)


def test_a_head_request_uses_no_tap(pages: Served, deck: Deck) -> None:
    link = tapped_link(deck)
    assert pages.phone.call("HEAD", link).status == 200
    assert pages.phone.get(link).page.hidden["permit"]


def test_without_keys_no_tap_counts(inactive: Station, deck: Deck, card: Card) -> None:
    link = tapped_link(deck)
    with served(inactive) as pages:
        answer = pages.phone.get(link)
        assert answer.notice == "The tap cannot be checked at present."
        assert "permit" not in answer.page.hidden
        assert refusals(pages, card) == []
    with served(inactive, keys=True) as pages:
        assert pages.phone.get(link).page.hidden["permit"]


def test_a_flood_of_bad_proofs_is_witnessed_ten_times_and_then_once_a_minute(
    pages: Served, deck: Deck, card: Card
) -> None:
    for _ in range(30):
        pages.phone.get(f"{path_of(card)}?e=1&c=2")
        pages.clock.pass_by(1)
    assert len(refusals(pages, card)) == 10
    pages.clock.pass_by(60)
    pages.phone.get(f"{path_of(card)}?e=1&c=2")
    assert len(refusals(pages, card)) == 11
    assert pages.phone.get(tapped_link(deck)).page.hidden["permit"]


def test_the_highest_counter_survives_the_end_of_the_server(
    inactive: Station, deck: Deck, card: Card
) -> None:
    link = tapped_link(deck)
    with served(inactive, keys=True) as pages:
        shown = pages.phone.get(link)
    with served(inactive, keys=True) as pages:
        assert pages.phone.get(link).notice.startswith("This tap was seen before")
        assert pages.phone.press(shown, path_of(card), "lost").status == 303


def _seal_of(pages: Served) -> Seal:
    return open_seal(pages.station.vault)
