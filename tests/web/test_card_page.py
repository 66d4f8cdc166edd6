"""What drivers see and do by the code of their letter, over real HTTP."""

from __future__ import annotations

import gzip
import re
import time
from datetime import date
from urllib.parse import urlsplit

import pytest
from page_world import Served, dump, path_of, served, with_code
from printed_codes import codes_on
from stations import CLERK, LINES, SUPPORT, issue_from, listening_anywhere

from rfid_station.desk.driver.seal import open_seal
from rfid_station.desk.paper.letters import PaperWish, print_letters
from rfid_station.desk.paper.sheets import Wish as SheetWish
from rfid_station.desk.paper.sheets import print_sheets
from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.store.moving import CHANGE

FIRST_TOKEN = "first-token-out-of-band"


@pytest.fixture
def coded(pages: Served) -> tuple[Card, str]:
    return with_code(pages.station)


def test_a_card_is_activated_reported_lost_and_found_again(pages: Served, coded: tuple[Card, str]) -> None:
    card, code = coded
    first = pages.phone.get(path_of(card))
    assert first.status == 200
    assert first.page.wishes == ["activate", "lost"]
    assert "Not activated yet" in first.text

    done = pages.phone.by_code(card, "activate", code.lower().replace("-", " "))
    assert (done.status, done.headers["Location"]) == (303, f"{path_of(card)}?news")
    assert "You can charge with this card" in pages.phone.get(path_of(card)).text

    assert pages.phone.by_code(card, "lost", code).status == 303
    assert pages.card(card).state is CardState.BLOCKED
    assert pages.phone.get(path_of(card)).page.wishes == ["found"]

    assert pages.phone.by_code(card, "found", code).status == 303
    moved = pages.card(card)
    assert (moved.state, moved.reason) == (CardState.ACTIVE, Reason.FOUND)
    who = {one.actor.role for one in pages.station.store.cards.history(card.id)[-6:]}
    assert who == {Role.DRIVER}
    assert pages.station.store.audit.check().is_sound


def test_what_a_phone_reads_from_the_printed_card_and_its_letter_leads_to_the_page(
    pages: Served, coded: tuple[Card, str]
) -> None:
    card, code = coded
    sheet = print_sheets(pages.station, [card], SheetWish()).pdf.read_bytes()
    letter = print_letters(pages.station, [card], PaperWish()).pdf.read_bytes()
    for pdf in (sheet, letter):
        (read,) = codes_on(pdf)
        path = urlsplit(read).path
        assert path == path_of(card).upper()
        assert pages.phone.get(path).page.wishes == ["activate", "lost"]
        assert pages.phone.get(path, accept_language="de").headers["Content-Language"] == "de"
    opened = pages.phone.get(path)
    done = pages.phone.press(opened, path, "activate", code)
    assert (done.status, done.headers["Location"]) == (303, f"{path_of(card)}?news")


def test_knowing_the_link_changes_nothing(pages: Served, coded: tuple[Card, str]) -> None:
    card, _ = coded
    before = dump(pages.station.folder)
    shown = pages.phone.get(path_of(card))
    for fields in (
        {},
        {"wish": "lost"},
        shown.page.hidden | {"wish": "lost", "permit": "1.1.9999999999." + "A" * 43},
        shown.page.hidden | {"wish": "lost", "permit": "²"},
        shown.page.hidden | {"wish": "sing", "code": "x"},
        {"form": "0." + "A" * 43, "wish": "activate", "code": "x"},
    ):
        assert pages.phone.send(path_of(card), fields).status in (400, 403)
    assert pages.card(card).state is CardState.ISSUED
    assert dump(pages.station.folder) == before


def test_a_page_says_whose_card_it_is_and_nothing_of_its_driver(pages: Served) -> None:
    card, code = with_code(pages.station)
    text = pages.phone.get(path_of(card)).text
    assert "Example Mobility" in text
    assert f"… {card.visual_number[-5:]}" in text
    assert "tel:+493023125100" in text
    driver = card.driver
    assert driver
    for secret in (
        driver.name,
        card.uid.hex,
        f"{card.contract_id}",
        card.visual_number,
        code,
        card.uid.masked,
    ):
        assert secret not in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,de;q=0.3,en;q=0.2", "de"),
        ("en-GB", "en"),
        ("fr", "en"),
        ("de;q=0,en;q=0.1", "en"),
        ("de;q=x", "en"),
        ("", "en"),
        ("*", "en"),
    ],
)
def test_the_phone_chooses_the_language(
    pages: Served, coded: tuple[Card, str], accepted: str, language: str
) -> None:
    answer = pages.phone.get(path_of(coded[0]), Accept_Language=accepted)
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["Content-Language"] == language
    assert ("Noch nicht aktiviert" in answer.text) == (language == "de")


def test_the_first_view_is_one_small_request_without_script_or_cookie(
    pages: Served, coded: tuple[Card, str]
) -> None:
    answer = pages.phone.get(path_of(coded[0]))
    assert len(answer.raw) < 30_000
    assert len(gzip.compress(answer.raw)) < 12_000
    fetched = [one for one in answer.page.references if not one.startswith(("data:", "tel:"))]
    assert set(fetched) == {path_of(coded[0])}
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert not re.search(r" on\w+=", answer.text)


def test_every_answer_is_guarded(pages: Served, coded: tuple[Card, str]) -> None:
    card, _ = coded
    answers = [
        pages.phone.get(path_of(card)),
        pages.phone.get("/c/nobody"),
        pages.phone.get(path_of(card) + "?" + "x" * 600),
        pages.phone.send(path_of(card), {}),
        pages.phone.call("DELETE", path_of(card)),
    ]
    assert [one.status for one in answers] == [200, 404, 414, 403, 405]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Set-Cookie"] is None
        assert answer.headers["Strict-Transport-Security"] is None


def test_only_behind_tls_browsers_are_told_to_stay_there(pages: Served, coded: tuple[Card, str]) -> None:
    answer = pages.phone.get(path_of(coded[0]), X_Forwarded_Proto="https")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_whoever_asks_for_a_head_gets_no_body(pages: Served, coded: tuple[Card, str]) -> None:
    answer = pages.phone.call("HEAD", path_of(coded[0]))
    assert (answer.status, answer.raw) == (200, b"")


def test_small_letters_and_a_slash_lead_to_the_card_too(pages: Served, coded: tuple[Card, str]) -> None:
    assert pages.phone.get(path_of(coded[0]).lower() + "/").status == 200


def test_what_is_no_page_goes_on_to_the_server_behind(pages: Served) -> None:
    assert [pages.phone.get(path).status for path in ("/", "/healthz", "/c", "/ocpi/versions")] == [418] * 4


def test_cards_that_are_not_there_all_look_the_same(pages: Served) -> None:
    station = pages.station
    card, _ = with_code(station)
    station.store.cards.move(card.id, CardState.SPOILED, Reason.MISPRINT, CLERK, station.token)
    answers = [
        pages.phone.get(f"/c/{one}") for one in ("ABCDEFGHJKMN", card.alias, "%C3%A9", "a/b", "", "A" * 99)
    ]
    assert {one.status for one in answers} == {404}
    assert len({one.raw for one in answers}) == 1
    assert card.alias not in answers[0].text


def test_a_form_of_another_card_or_of_yesterday_is_not_taken(pages: Served) -> None:
    one, code = with_code(pages.station)
    other, _ = with_code(pages.station, 1)
    foreign = pages.phone.get(path_of(other)).page.hidden
    refused = pages.phone.send(path_of(one), foreign | {"wish": "activate", "code": code})
    assert (refused.status, refused.notice[:8]) == (403, "The page")
    shown = pages.phone.get(path_of(one)).page.hidden
    elsewhere = pages.phone.send(
        path_of(one), shown | {"wish": "activate", "code": code}, Sec_Fetch_Site="cross-site"
    )
    assert elsewhere.status == 403
    assert pages.card(one).state is CardState.ISSUED
    assert pages.phone.send(path_of(one), shown | {"wish": "activate", "code": code}).status == 303


def test_a_wrong_code_waits_twice_as_long_each_time_and_ten_lock_the_card(
    pages: Served, coded: tuple[Card, str]
) -> None:
    card, code = coded
    waits = []
    for _ in range(10):
        assert pages.phone.by_code(card, "activate", "WRONG").status == 403
        delayed = pages.phone.send(
            path_of(card), {"form": _form(pages, card), "wish": "activate", "code": code}
        )
        assert delayed.status == 429
        waits.append(int(delayed.headers["Retry-After"]))
        pages.clock.pass_by(waits[-1])
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900]
    locked = pages.phone.get(path_of(card))
    assert not locked.page.has_code
    assert "Too many wrong codes" in locked.text
    shown = {"form": _form(pages, card), "wish": "activate", "code": code}
    assert pages.phone.send(path_of(card), shown).notice.startswith("No code is taken")
    assert pages.card(card).state is CardState.ISSUED
    # Support lifts it, by activating the card itself.
    with open_station(pages.station.folder, SUPPORT) as support:
        support.store.cards.move(card.id, CardState.ACTIVE, None, SUPPORT, support.token)
    assert pages.card(card).state is CardState.ACTIVE


def _form(pages: Served, card: Card) -> str:
    """What a form of this card carries, whatever the page shows."""
    return open_seal(pages.station.vault).form(card.alias)


def test_what_support_blocked_no_driver_ends(pages: Served, coded: tuple[Card, str]) -> None:
    card, code = coded
    pages.station.store.cards.move(card.id, CardState.BLOCKED, Reason.STOLEN, CLERK, pages.station.token)
    shown = pages.phone.get(path_of(card))
    assert shown.page.wishes == []
    refused = pages.phone.send(path_of(card), {"form": _form(pages, card), "wish": "found", "code": code})
    assert refused.status == 409
    assert pages.card(card).state is CardState.BLOCKED


def test_what_the_page_does_not_offer_is_not_done(pages: Served, coded: tuple[Card, str]) -> None:
    card, code = coded
    state = {"found": CardState.ISSUED, "lost": CardState.BLOCKED, "activate": CardState.BLOCKED}
    said = []
    for wish, then in state.items():
        answer = pages.phone.send(path_of(card), {"form": _form(pages, card), "wish": wish, "code": code})
        said.append(answer.status)
        assert pages.card(card).state is then
    assert said == [409, 303, 409]


def test_a_card_whose_last_day_is_over_has_expired(pages: Served, coded: tuple[Card, str]) -> None:
    card, code = coded
    pages.phone.by_code(card, "activate", code)
    with pages.station.store.database.write() as connection:
        CHANGE.run(connection, {"card_id": card.id, "valid_until": date(2020, 1, 1)})
    shown = pages.phone.get(path_of(card))
    assert (shown.page.wishes, "Expired" in shown.text) == ([], True)
    answer = pages.phone.send(path_of(card), {"form": _form(pages, card), "wish": "lost", "code": code})
    assert (answer.status, pages.card(card).state) == (409, CardState.ACTIVE)


def test_a_card_without_a_code_refuses_every_code(pages: Served) -> None:
    (card,) = issue_from(pages.station, "sim:ntag213", LINES[:1]).issued
    shown = pages.phone.get(path_of(card))
    assert not shown.page.has_code
    assert "call our hotline" in shown.text
    refused = pages.phone.send(path_of(card), {"form": _form(pages, card), "wish": "lost", "code": ""})
    assert (refused.status, pages.card(card).state) == (403, CardState.ISSUED)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x=1", {"Content-Type": "text/plain"}, 415),
        (b"x=1", {"Content-Type": "application/json"}, 415),
        (b"code=" + b"A" * 3000, {}, 413),
        (b"&".join([b"a=1"] * 50), {}, 400),
    ],
)
def test_forms_that_are_none_are_refused(
    pages: Served, coded: tuple[Card, str], body: bytes, headers: dict[str, str], status: int
) -> None:
    given = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    assert pages.phone.call("POST", path_of(coded[0]), body, **given).status == status


def test_a_body_that_is_announced_or_comes_too_long_is_not_waited_for(
    pages: Served, coded: tuple[Card, str]
) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    announced = pages.phone.call("POST", path_of(coded[0]), Content_Length="3000", **form)
    assert (announced.status, announced.headers["Connection"]) == (413, "close")
    in_pieces = iter([b"code=", *[b"A" * 1000] * 3])
    assert pages.phone.call("POST", path_of(coded[0]), in_pieces, **form).status == 413


def test_the_log_names_no_card_and_nobody(pages: Served, coded: tuple[Card, str]) -> None:
    card, code = coded
    pages.phone.get(f"{path_of(card)}?e=1&c=2")
    pages.phone.by_code(card, "lost", code)
    written = repr(pages.log)
    assert '"page"' in written.replace("'", '"')
    for secret in (card.alias, code, "127.0.0.1", "e=1", card.visual_number, card.uid.hex):
        assert secret not in written
    assert {name for line in pages.log for name in line} <= {
        "at",
        "method",
        "endpoint",
        "status",
        "bytes",
        "ms",
    }


def test_networks_are_told_at_once_and_the_page_says_who_knows(station: Station) -> None:
    with VirtualCpo(FIRST_TOKEN) as cpo:
        listening_anywhere(station.folder, timeout_s=2.0)
        with open_station(station.folder, CLERK) as station:
            add_partner(station, "fastcharge", cpo.versions_url, FIRST_TOKEN, Agreement())
            connect_partner(station, "fastcharge")
            card, code = with_code(station)
            with served(station) as pages:
                done = pages.phone.by_code(card, "lost", code)
                until_s = time.monotonic() + 60
                while True:
                    news = pages.phone.get(done.headers["Location"])
                    if "fastcharge: knows it" in news.text or time.monotonic() > until_s:
                        break
                    assert news.headers["Refresh"] == "5"
                    pages.clock.pass_by(5)
                    time.sleep(0.05)
                assert "fastcharge: knows it" in news.text
                assert news.headers["Refresh"] is None
                assert news.notice == "Done. The card is blocked."
                assert not news.page.wishes
                assert [one["valid"] for one in cpo.tokens.values()] == [False]


def test_a_fault_of_ours_is_not_explained(
    pages: Served, coded: tuple[Card, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(coded[0].alias)

    monkeypatch.setattr(type(pages.station.store.pages), "look_up", broken)
    answer = pages.phone.get(path_of(coded[0]))
    assert (answer.status, "RuntimeError" in answer.text) == (503, False)
    assert pages.log[-1]["trouble"] == "RuntimeError"
