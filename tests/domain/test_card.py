import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.domain.card import (
    FINAL,
    MOVES,
    Card,
    CardState,
    Reason,
    Role,
    check_move,
    next_states,
)
from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.token import Party, Whitelist, next_stamp, takes_rights_away, token_of
from rfid_station.domain.uid import CardUid
from rfid_station.errors import ExitCode, MoveNotAllowed, WrongCall

NOW = datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC)
CARD = Card(
    id=1,
    uid=CardUid(bytes.fromhex("04E10CDA993C80")),
    chip="NTAG213",
    profile="link",
    state=CardState.ACTIVE,
    reason=None,
    contract_id=own_contract_id("NL", "EXM", 1),
    visual_number="EXM-0000-0001-5",
    alias="ABCDEFGHJKMN",
    order_line=None,
    driver=None,
    changed_at=NOW,
)


def test_nothing_leads_out_of_a_final_state() -> None:
    assert not [move for move in MOVES if move[0] in FINAL]
    assert all(next_states(state) == [] for state in FINAL)


def test_every_state_that_is_not_final_leads_to_a_final_one() -> None:
    def reachable(state: CardState, seen: frozenset[CardState]) -> set[CardState]:
        found = {to for to in next_states(state) if to not in seen}
        return found.union(*(reachable(to, seen | found) for to in found)) if found else found

    for state in CardState:
        assert state in FINAL or FINAL & reachable(state, frozenset())


def test_a_card_that_was_active_never_becomes_a_blank_again() -> None:
    assert (CardState.ACTIVE, CardState.SPOILED) not in MOVES
    assert not [move for move in MOVES if move[1] is CardState.RESERVED]


def test_a_driver_undoes_a_block_but_not_a_suspension() -> None:
    check_move(replace(CARD, state=CardState.BLOCKED), CardState.ACTIVE, Role.DRIVER, Reason.FOUND)
    with pytest.raises(MoveNotAllowed, match="driver may not"):
        check_move(replace(CARD, state=CardState.SUSPENDED), CardState.ACTIVE, Role.DRIVER, Reason.SETTLED)


def test_who_may_not_hears_of_roles_that_somebody_can_sign_in_as() -> None:
    with pytest.raises(MoveNotAllowed) as refused:
        check_move(replace(CARD, state=CardState.BLOCKED), CardState.ACTIVE, Role.CLERK, Reason.FOUND)
    assert refused.value.hint == "it takes one of: supervisor, support"


def test_every_move_can_be_made_by_somebody_at_a_desk() -> None:
    assert all(move.roles - {Role.DRIVER, Role.SYSTEM} for move in MOVES.values())


@given(
    st.sampled_from(CardState),
    st.sampled_from(CardState),
    st.sampled_from(Role),
    st.sampled_from([None, *Reason]),
)
def test_check_move_is_the_table(state: CardState, to: CardState, role: Role, reason: Reason | None) -> None:
    move = MOVES.get((state, to))
    allowed = move is not None and role in move.roles and (not move.reasons or reason in move.reasons)
    card = replace(CARD, state=state)
    if allowed:
        check_move(card, to, role, reason)
        return
    with pytest.raises((MoveNotAllowed, WrongCall)) as caught:
        check_move(card, to, role, reason)
    assert card.visual_number in caught.value.message
    assert caught.value.hint


def test_a_forbidden_move_is_a_conflict_for_scripts() -> None:
    assert MoveNotAllowed.exit_code is ExitCode.CONFLICT


@pytest.mark.parametrize("state", CardState)
def test_a_token_is_valid_only_while_its_card_is_active(state: CardState) -> None:
    token = token_of(replace(CARD, state=state), Party("NL", "EXM"), "Example", Whitelist.ALLOWED, NOW)
    assert token.valid == (state is CardState.ACTIVE)


@given(
    st.lists(
        st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
        min_size=2,
        max_size=20,
    )
)
def test_last_updated_rises_in_whole_seconds_whatever_the_clock_does(clock: list[datetime]) -> None:
    stamps: list[datetime] = []
    for now in clock:
        stamps.append(next_stamp(stamps[-1] if stamps else None, now))
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))
    assert all(stamp.microsecond == 0 and stamp.tzinfo is UTC for stamp in stamps)


def test_what_takes_rights_away() -> None:
    valid = token_of(CARD, Party("NL", "EXM"), "Example", Whitelist.ALLOWED, NOW)
    blocked = replace(valid, valid=False)
    assert takes_rights_away(valid, blocked)
    assert takes_rights_away(valid, replace(valid, whitelist=Whitelist.NEVER))
    assert not takes_rights_away(blocked, valid)
    assert not takes_rights_away(None, valid)
