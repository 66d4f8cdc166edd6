"""Wrong tokens are not looked up for ever, first tokens end, and nobody good is shut out by either."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from served import CALLERS, MemoryShelf, served

from rfid_station.ocpi.invitation import LASTS, draw_invitation, is_over, last_day_of
from rfid_station.ocpi.port import Caller
from rfid_station.ocpi.server import patience
from rfid_station.ocpi.server.patience import MOST_WRONG, WINDOW_S, Patience

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def worn_out(clock: Clock) -> Patience:
    found = Patience(clock)
    for _ in range(MOST_WRONG):
        found.note_wrong(HERE)
    return found


def test_too_many_wrong_tokens_make_one_address_wait_and_no_other() -> None:
    clock = Clock()
    waiting = worn_out(clock)
    assert waiting.wait_s(HERE, ["wrong"]) == WINDOW_S
    assert waiting.wait_s(THERE, ["wrong"]) == 0
    clock.now_s = WINDOW_S
    assert waiting.wait_s(HERE, ["wrong"]) == 0
    waiting.note_wrong(HERE)
    assert waiting.wait_s(HERE, ["wrong"]) == 0, "it begins anew"


def test_one_less_than_too_many_is_none() -> None:
    waiting = Patience(Clock())
    for _ in range(MOST_WRONG - 1):
        waiting.note_wrong(HERE)
    assert waiting.wait_s(HERE, ["wrong"]) == 0


def test_whoever_was_let_in_before_is_not_shut_out_by_a_neighbour() -> None:
    waiting = worn_out(Clock())
    waiting.note_good("good")
    assert waiting.wait_s(HERE, ["read as base64", "good"]) == 0
    assert waiting.wait_s(HERE, ["wrong"]) > 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_MOST_ADDRESSES", 10)
    monkeypatch.setattr(patience, "_MOST_KNOWN", 10)
    waiting = Patience(Clock())
    for number in range(100):
        waiting.note_wrong(f"{number}")
        waiting.note_good(f"{number}")
    assert (len(waiting._wrong), len(waiting._known)) == (10, 10)


# First tokens


def test_a_first_token_says_until_when_it_is_good() -> None:
    drawn = draw_invitation(date(2026, 12, 25))
    assert last_day_of(drawn) == date(2026, 12, 25) + LASTS
    assert not is_over(drawn, date(2026, 12, 25) + LASTS)
    assert is_over(drawn, date(2026, 12, 26) + LASTS)
    assert 1 <= len(drawn) <= 64
    assert drawn != draw_invitation(date(2026, 12, 25))


@pytest.mark.parametrize("other", ["", "token", "2026.x", "20261399.x", "２０２６１２２５.x", "20261225"])
def test_tokens_of_older_versions_have_no_end(other: str) -> None:
    assert not is_over(other, date(2199, 1, 1))


# At the gate


def test_over_http_an_address_that_guesses_waits_and_partners_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_WRONG", 3)
    with served(shelf=MemoryShelf({})) as (client, _):
        good = client.as_("token-of-alpha")
        assert good.get("/ocpi/versions").status == 200
        seen = [client.as_(f"guess-{number}").get("/ocpi/versions") for number in range(5)]
        assert [answer.status for answer in seen] == [401, 401, 401, 429, 429]
        assert seen[-1].code == 2000
        assert 0 < int(seen[-1].headers["Retry-After"]) <= WINDOW_S
        assert good.get("/ocpi/versions").status == 200
        other = client.as_("token-of-odd").get("/ocpi/versions", X_Forwarded_For="198.51.100.7")
        assert other.status == 200, "a proxy on this machine says for whom it asks"


def test_over_http_a_first_token_that_has_ended_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    guest = Caller("guest", is_guest=True, is_registered=False)
    good, over = draw_invitation(today), draw_invitation(today - LASTS - timedelta(days=1))
    monkeypatch.setitem(CALLERS, good, guest)
    monkeypatch.setitem(CALLERS, over, guest)
    with served(shelf=MemoryShelf({})) as (client, _):
        assert client.as_(good).get("/ocpi/versions").status == 200
        assert client.as_(over).get("/ocpi/versions").status == 401
        monkeypatch.setitem(CALLERS, over, Caller("alpha"))
        assert client.as_(over).get("/ocpi/versions").status == 200, "only first tokens end"
