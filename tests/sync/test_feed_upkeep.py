"""What sync's upkeep asks of the real store: rewinding, renewing, what is owed since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stations import CLERK, LINES, issue_from, new_station

from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.service_level import Owed
from rfid_station.errors import WrongCall

CPO = "cpo"
DUE = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """With three cards, the second blocked, and a partner that was never sent anything."""
    with open_station(new_station(tmp_path / "station"), CLERK) as opened:
        issued = issue_from(opened, "sim:ntag213?count=3", LINES).issued
        opened.store.partners.add(
            name=CPO,
            versions_url="http://127.0.0.1:9/ocpi/versions",
            client_token_ref="x",
            agreement=Agreement(),
            actor=CLERK,
        )
        opened.store.cards.move(
            issued[1].id, to=CardState.BLOCKED, reason=Reason.LOST, actor=CLERK, token_of=opened.token
        )
        yield opened


def stamp(station: Station, token_id: int) -> datetime:
    change = station.store.feed.newest(CPO, token_id)
    assert change
    return change.token.last_updated


def test_what_is_owed_is_counted_with_its_oldest_change(station: Station) -> None:
    feed = station.store.feed
    first, second = stamp(station, 1), stamp(station, 2)
    assert feed.owed(CPO) == Owed(1, second, 2, first)
    feed.advance(CPO, Lane.URGENT, 4)
    assert feed.owed(CPO) == Owed(0, None, 2, first)
    feed.advance(CPO, Lane.BULK, 4)
    assert feed.owed(CPO) == Owed()
    feed.advance(CPO, Lane.BULK, 4, [Parked(2, 4, 1, DUE, False, "2001")])
    assert feed.owed(CPO) == Owed(1, second, 0, None)


def test_nothing_is_owed_for_longer_than_since_everything_was_owed_anew(station: Station) -> None:
    feed = station.store.feed
    feed.rewind(CPO, CLERK)
    rewound_at = station.store.audit.newest(1)[0].at
    owed = feed.owed(CPO)
    assert (owed.urgent, owed.others) == (1, 2)
    assert owed.since == max(rewound_at, stamp(station, 1))
    assert owed.since > stamp(station, 1)


def test_a_rewind_owes_everything_and_keeps_what_is_parked_and_is_witnessed(station: Station) -> None:
    feed = station.store.feed
    row = Parked(2, 4, 1, DUE, False, "2001")
    feed.advance(CPO, Lane.BULK, 4, [row])
    feed.advance(CPO, Lane.URGENT, 4)
    assert feed.rewind(CPO, CLERK) == 3
    standing = feed.standing(CPO)
    assert (standing.cursors, standing.behind, standing.parked) == (
        {Lane.BULK: 0, Lane.URGENT: 0},
        3,
        (row,),
    )
    event = station.store.audit.newest(1)[0]
    assert (event.action, event.subject, event.actor.name) == ("partner.resync", "partner:cpo", "Tess")
    with pytest.raises(WrongCall, match="nobody"):
        feed.rewind("nobody", CLERK)


def test_a_cursor_that_was_set_back_meanwhile_stays_there(station: Station) -> None:
    feed = station.store.feed
    feed.advance(CPO, Lane.BULK, 3)
    feed.rewind(CPO, CLERK)
    feed.advance(CPO, Lane.BULK, 4, [Parked(3, 3, 1, DUE, True, "lost")], resync=0)
    standing = feed.standing(CPO)
    assert standing.cursors[Lane.BULK] == 0
    assert len(standing.parked) == 1, "what is known of a token is kept all the same"
    feed.advance(CPO, Lane.BULK, 4, resync=standing.resync)
    assert feed.standing(CPO).cursors[Lane.BULK] == 4


def test_a_renewed_token_is_later_and_otherwise_the_same(station: Station) -> None:
    feed = station.store.feed
    before = feed.newest(CPO, 2)
    assert before
    feed.renew(CPO, 2)
    after = feed.newest(CPO, 2)
    assert after
    assert after.revision == 5
    assert after.token.last_updated >= before.token.last_updated + timedelta(seconds=1)
    assert (after.token.valid, after.is_urgent) == (False, True)
    with pytest.raises(WrongCall):
        feed.renew(CPO, 99)


def test_the_last_proof_of_a_partner(station: Station) -> None:
    feed = station.store.feed
    assert feed.last_proof(CPO) is None
    feed.record_proof(CPO, 1, 1, False, "unknown there")
    assert feed.last_proof(CPO) is None
    feed.record_proof(CPO, 1, 1, True, "")
    proven_at = feed.last_proof(CPO)
    assert proven_at
    assert abs(datetime.now(UTC) - proven_at) < timedelta(minutes=1)
