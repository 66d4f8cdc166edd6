"""Everything that docs/what-goes-wrong.md names is shown: by a test here, or by one that stands elsewhere.

The letters and numbers are those of the documentation; a test that is named must be there.
"""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from batch_files import findings_of, nxp_uids
from command_line import RUNNER, run
from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.cli.app import app
from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Cause, Level
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import run as carry_out
from rfid_station.desk.partners.profiles import load_partner_profile
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Driver, Reason
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.order import OrderLine
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Whitelist
from rfid_station.domain.uid import CardUid, parse_uid
from rfid_station.errors import CardRefused, Conflict, WrongCall
from rfid_station.ocpi.wire.told import tell
from rfid_station.settings import OcpiSettings

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "what-goes-wrong.md"
HERE = "flow/test_what_goes_wrong.py"

SHOWN = {
    "A1": (f"{HERE}::test_each_partner_is_told_the_uid_its_own_way",),
    "A2": (f"{HERE}::test_a_uid_from_any_log_finds_its_card",),
    "A3": (f"{HERE}::test_each_partner_is_told_the_uid_its_own_way",),
    "A4": (
        f"{HERE}::test_a_uid_that_a_charge_point_cut_off_finds_its_card",
        f"{HERE}::test_a_raw_frame_is_no_uid",
        "desk/test_batch_uid_lists.py::test_truncated_lists_have_no_option_or_are_not_certain",
    ),
    "A5": (
        f"{HERE}::test_small_and_capital_letters_are_one_uid",
        "ocpi/test_client.py::test_a_partner_that_writes_all_ids_in_lower_case_holds_the_same",
    ),
    "A6": (
        f"{HERE}::test_a_random_uid_is_refused_in_a_list",
        "chip/test_identify.py::test_a_card_without_a_number_that_stays_is_refused_by_name",
    ),
    "A7": (f"{HERE}::test_uids_of_four_bytes_are_pointed_at_and_taken_once",),
    "A8": (
        f"{HERE}::test_a_contract_in_the_column_of_uids_is_named",
        "desk/test_joining.py::test_both_tokens_tell_the_same_short_group_and_each_has_one_revision",
    ),
    "A9": (
        "desk/test_batch_check.py::test_a_damaged_workbook_says_what_the_spreadsheet_did",
        "desk/test_batch_check.py::test_lost_zeros_are_seen_against_the_other_rows",
        "desk/test_batch_days.py::test_what_is_no_day_says_what_became_of_it",
    ),
    "B1": ("domain/test_contract_id.py::test_our_own_ids_always_carry_the_right_digit",),
    "B2": (
        f"{HERE}::test_a_contract_is_found_and_told_with_and_without_dashes",
        "domain/test_contract_id.py::test_all_ways_of_writing_are_one_contract",
        "oicp/test_oicp_wire.py::test_contracts_of_both_standards_fit",
    ),
    "B3": (
        f"{HERE}::test_a_wrong_check_digit_of_a_contract_is_a_warning",
        "desk/test_batch_check.py::test_uids_and_numbers_come_once_in_any_writing",
    ),
    "B4": (
        f"{HERE}::test_a_printed_number_is_given_once",
        "store/test_store_cards.py::test_taken_numbers_are_drawn_again",
    ),
    "B5": (
        "ocpi/test_client.py::test_only_uids_that_match_are_refused",
        "oicp/test_oicp_receiver.py::"
        "test_a_token_of_another_party_or_without_a_form_in_oicp_is_refused_unsent",
    ),
    "C1": (f"{HERE}::test_one_duplicate_is_one_error_and_the_others_are_cards",),
    "C2": (
        "oicp/test_oicp_receiver.py::test_a_card_that_is_there_is_updated_whichever_code_says_so",
        "oicp/test_oicp_wire.py::test_what_may_never_be_sent_cannot_be_written",
    ),
    "C3": (f"{HERE}::test_all_errors_are_said_however_many",),
    "D1": (
        "sync/test_lane_rules.py::test_r6_changes_collapse_into_one_put_of_the_newest_state",
        "sync/test_lane_rules.py::test_r4_a_retry_never_replays_an_old_body",
    ),
    "D2": (
        "sync/test_sync_killed.py::test_a_sync_killed_at_any_moment_loses_nothing",
        "sync/test_parking.py::test_a_refused_token_is_parked_with_its_reason_and_the_rest_goes_on",
    ),
    "D3": (
        "sync/test_replicator.py::test_a_new_partner_is_a_cursor_at_zero",
        "cli/test_sync_upkeep.py::test_resync_asks_first_and_brings_back_what_a_partner_lost",
    ),
    "D4": (
        "flow/test_partner_flow.py::test_a_partner_that_acknowledges_and_forgets_is_not_believed",
        "cli/test_sync_upkeep.py::test_audit_names_the_drift_and_repair_ends_it",
        "sync/test_many_at_once.py::test_a_part_that_did_not_make_the_whole_is_followed_by_it",
    ),
    "D5": (
        "domain/test_card.py::test_last_updated_rises_in_whole_seconds_whatever_the_clock_does",
        "store/test_store_shelf.py::test_the_window_includes_its_start_and_not_its_end",
    ),
    "D6": (
        "ocpi/test_handshake.py::test_an_answer_of_the_wrong_shape_is_refused",
        "desk/test_partner_connections.py::test_after_a_rotation_without_an_answer_nobody_is_locked_out",
    ),
    "D7": (
        "flow/test_partner_flow.py::test_cards_made_before_and_after_the_handshake_arrive",
        "store/test_store_shelf.py::test_every_decision_is_kept_without_saying_whose",
    ),
    "E1": (
        f"{HERE}::test_cards_are_not_told_to_be_let_charge_unasked",
        "flow/test_agreement_flow.py::test_a_whitelist_that_never_asks_takes_a_supervisor",
        "sync/test_push_now.py::test_the_clerk_hears_what_the_partner_may_still_accept",
    ),
    "E2": (
        "sync/test_insisting.py::test_a_hub_and_a_cache_are_told",
        "desk/test_behind_hubs.py::test_what_a_hub_confirms_is_said_of_the_hub_alone",
    ),
    "E3": (
        f"{HERE}::test_the_end_of_a_block_is_a_change_that_partners_are_owed",
        "sync/test_push_now.py::test_a_card_that_becomes_valid_may_be_refused_until_the_partner_knows",
    ),
    "F1": (
        f"{HERE}::test_a_card_of_ours_is_taken_for_no_blank",
        "desk/test_batch_updates.py::test_a_used_card_goes_to_nobody_else_and_a_new_one_does",
        "reader/test_pcsc_reader.py::"
        "test_a_card_left_lying_is_not_a_new_card_and_the_same_card_laid_there_again_is",
    ),
    "F2": (
        "flow/test_torn_and_killed.py::test_a_card_pulled_at_any_step_is_finished_when_it_is_tapped_again",
        "encode/test_tear.py::test_the_length_is_the_last_thing_written",
    ),
    "F3": (f"{HERE}::test_the_first_card_that_is_written_to_comes_with_a_warning",),
    "F4": (f"{HERE}::test_a_uid_from_any_log_finds_its_card",),
    "F5": ("chip/test_identify.py::test_a_card_that_cannot_charge_is_named_with_the_reason",),
    "F6": ("cli/test_bad_input.py::test_two_cards_on_the_reader_are_said_in_words_and_one_alone_is_made",),
    "G1": (
        "cli/test_support.py::test_find_masks_and_shows_whole_only_when_asked_and_writes_that_down",
        "domain/test_visual_number.py::test_a_drawn_number_tells_nothing_about_its_neighbour",
    ),
    "G2": (
        "store/test_store_drivers.py::test_what_is_erased_is_not_in_the_file_any_more",
        "store/test_store_drivers.py::test_the_history_and_the_guard_against_reuse_stay",
    ),
}


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("code", SHOWN)
def test_what_shows_it_is_there(code: str) -> None:
    for shown in SHOWN[code]:
        path, _, name = shown.partition("::")
        assert name.startswith("test_"), shown
        assert name in names_in(path), f"{code}: there is no {shown}"


def test_the_document_names_each_with_a_command_that_exists() -> None:
    parts = re.split(r"^### ([A-G]\d) .+$", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)
    assert dict.fromkeys(parts[1::2]).keys() == SHOWN.keys()
    assert len(parts[1::2]) == len(SHOWN)
    called = set()
    for code, text in zip(parts[1::2], parts[2::2], strict=True):
        commands = re.findall(r"^rfid-station (?:--role \w+ )?(\w+) ([\w-]+)(.*)$", text, re.MULTILINE)
        assert commands, code
        called |= {(noun, verb, *re.findall(r"--[\w-]+", rest)) for noun, verb, rest in commands}
    for noun, verb, *options in sorted(called):
        asked = RUNNER.invoke(app, [noun, verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert asked.exit_code == 0, (noun, verb)
        assert all(option in asked.stdout for option in options), (noun, verb, options)


@pytest.fixture
def cards(station: Station) -> list[Card]:
    return issue_from(station, "sim:ntag213?count=3", LINES).issued


def written(folder: Path, text: str, name: str = "lot.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_each_partner_is_told_the_uid_its_own_way(station: Station) -> None:
    seven, four = parse_uid("04E10CDA993C80"), parse_uid("1A2B3C4D")
    token = station.token(a_card(seven), datetime(2026, 11, 22, tzinfo=UTC))
    little = PartnerProfile.from_table("mine", {"uid_order": "reversed", "uid_case": "lower"})
    assert tell(token).uid == "04E10CDA993C80"
    assert tell(token, little).uid == "803c99da0ce104"
    padded = PartnerProfile.from_table("pads", {"uid_digits": 14})
    short = station.token(a_card(four), datetime(2026, 11, 22, tzinfo=UTC))
    assert (tell(short).uid, tell(short, padded).uid) == ("1A2B3C4D", "0000001A2B3C4D")
    assert tell(token, load_partner_profile("gireve", station.folder)).uid == "04E10CDA993C80"
    only_four = PartnerProfile.from_table("old", {"uid_sizes": ["4"]})
    with pytest.raises(WrongCall, match="UID of 7 bytes"):
        tell(token, only_four)


def a_card(uid: CardUid) -> Card:
    return Card(
        id=1,
        uid=uid,
        chip="NTAG213",
        profile="plain",
        state=CardState.ACTIVE,
        reason=None,
        contract_id=parse_contract_id("NL-EXM-C00000001"),
        visual_number="EXM-1",
        alias="A",
        order_line=None,
        driver=None,
        changed_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def test_a_uid_from_any_log_finds_its_card(station: Station, cards: list[Card]) -> None:
    uid = cards[1].uid
    number = int.from_bytes(uid.raw)
    for text in (uid.hex, uid.hex.lower(), uid.raw[::-1].hex(), f"{number}", "00" * 3 + uid.hex):
        assert [hit.card.id for hit in station.store.cards.find(text)] == [cards[1].id], text
    assert station.store.cards.find(cards[1].visual_number)[0].card.uid == uid


def test_a_uid_that_a_charge_point_cut_off_finds_its_card(station: Station, tmp_path: Path) -> None:
    with open_table(written(tmp_path, "uid\n0451AA11223380\n04990011223380\n")) as table:
        carry_out(station, Check(table, Wish("lot")), partial=False)
    first = int.from_bytes(bytes.fromhex("0451AA11"))
    turned = int.from_bytes(bytes.fromhex("0451AA11")[::-1])
    for text in ("880451AA77", "880451AA", "0451AA112233", f"{first}", f"{turned}"):
        (hit,) = station.store.cards.find(text)
        assert hit.card.uid.hex == "0451AA11223380", text
        assert not hit.may_be_meant, text


def test_a_raw_frame_is_no_uid(tmp_path: Path) -> None:
    with pytest.raises(CardRefused, match="cascade tag 88"):
        CardUid(bytes.fromhex("880451AA"))
    (found,) = [one for one in findings_of(written(tmp_path, "uid\n880451AA\n")) if one.is_error]
    assert (found.cause, found.row) == (Cause.UID, 2)


def test_small_and_capital_letters_are_one_uid(tmp_path: Path) -> None:
    found = findings_of(written(tmp_path, "uid\n04e10cda993c80\n04E10CDA993C80\n"))
    assert [(one.cause, one.row) for one in found] == [(Cause.REPEATED, 3)]


def test_a_random_uid_is_refused_in_a_list(tmp_path: Path) -> None:
    found = [one for one in findings_of(written(tmp_path, "uid\n08A1B2C3\n")) if one.is_error]
    assert [(one.cause, one.row) for one in found] == [(Cause.UID, 2)]
    assert "new one at every tap" in found[0].words


def test_uids_of_four_bytes_are_pointed_at_and_taken_once(station: Station, tmp_path: Path) -> None:
    path = written(tmp_path, "uid\n1A2B3C4D\n04E10CDA993C80\n")
    (found,) = findings_of(path)
    assert (found.level, found.row) == (Level.WARNING, None)
    assert "1 of 2 UIDs have 4 bytes: another card may carry the same number" in found.words
    assert not findings_of(written(tmp_path, "uid\n04E10CDA993C80\n", "seven.csv"))
    for name in ("one", "two"):
        with open_table(path) as table:
            try:
                carry_out(station, Check(table, Wish(name)), partial=False)
            except Conflict:
                assert name == "two"
    assert len(station.store.cards.listing()) == 2


def test_a_contract_in_the_column_of_uids_is_named(tmp_path: Path) -> None:
    found = findings_of(written(tmp_path, "idTag\nNL-EXM-C00000001-X\n04E10CDA993C80\n"))
    assert [(one.cause, one.row, one.value) for one in found] == [(Cause.UID, 2, "NL-EXM-C00000001-X")]
    assert len(parse_uid("04E10CDA993C80112233").hex) == 20


def test_a_contract_is_found_and_told_with_and_without_dashes(station: Station, cards: list[Card]) -> None:
    contract = cards[0].contract_id
    for text in (
        f"{contract}",
        contract.compact,
        contract.compact.lower(),
        contract.compact + contract.check,
    ):
        assert [hit.card.id for hit in station.store.cards.find(text)] == [cards[0].id]
    token = station.token(cards[0], datetime(2026, 11, 22, tzinfo=UTC))
    styles = {
        style: tell(token, PartnerProfile.from_table("p", {"contract": style})).contract_id
        for style in ("dashes", "compact", "without-check")
    }
    assert styles == {
        "dashes": f"{contract}",
        "compact": contract.compact + contract.check,
        "without-check": contract.compact,
    }


def test_a_wrong_check_digit_of_a_contract_is_a_warning(folder: Path, cards: list[Card]) -> None:
    contract = cards[0].contract_id
    wrong = "A" if contract.check != "A" else "B"
    result = run(folder, "card", "find", f"{contract}"[:-1] + wrong)
    assert result.exit_code == 0
    assert cards[0].visual_number in result.stdout
    assert f"check digit {wrong}, and {contract.check} is computed" in result.stderr
    assert "check digit" not in run(folder, "card", "find", f"{contract}").stderr


def test_a_printed_number_is_given_once(station: Station, cards: list[Card], tmp_path: Path) -> None:
    number = cards[0].visual_number
    path = written(tmp_path, f"uid,number\n04E10CDA993C80,{number.lower()}\n04E10CDA993C81,X-77\n")
    (found,) = findings_of(path, station)
    assert (found.cause, found.row) == (Cause.STORE, 2)
    with open_table(path) as table:
        assert carry_out(station, Check(table, Wish("lot")), partial=True).done == 1
    numbers = [card.visual_number for card in station.store.cards.listing()]
    assert len(numbers) == len(set(numbers)) == 4


def test_one_duplicate_is_one_error_and_the_others_are_cards(station: Station, tmp_path: Path) -> None:
    uids = [uid.hex() for uid in nxp_uids(10)]
    path = written(tmp_path, "\n".join(["uid", *uids[:6], uids[2], *uids[6:]]) + "\n")
    assert [(one.cause, one.row) for one in findings_of(path)] == [(Cause.REPEATED, 8)]
    with open_table(path) as table:
        progress = carry_out(station, Check(table, Wish("lot")), partial=True)
    assert (progress.done, progress.wrong) == (10, 1)


def test_all_errors_are_said_however_many(tmp_path: Path) -> None:
    found = findings_of(written(tmp_path, "reference,name\n" + "".join(f"{n},\n" for n in range(1500))))
    assert len([one for one in found if one.is_error]) == 1500


def test_cards_are_not_told_to_be_let_charge_unasked(station: Station, cards: list[Card]) -> None:
    assert OcpiSettings.model_fields["whitelist"].default is not Whitelist.ALWAYS
    assert station.token(cards[0], datetime(2026, 11, 22, tzinfo=UTC)).whitelist is not Whitelist.ALWAYS


def test_the_end_of_a_block_is_a_change_that_partners_are_owed(station: Station, cards: list[Card]) -> None:
    token_id = station.store.feed.token_id_of(cards[0].id)
    assert token_id
    revisions = []
    for to, reason, who in (
        (CardState.BLOCKED, Reason.LOST, CLERK),
        (CardState.ACTIVE, Reason.FOUND, SUPPORT),
    ):
        station.store.cards.move(cards[0].id, to, reason, who, station.token)
        change = station.store.feed.own(token_id)
        assert change
        assert change.token.valid is (to is CardState.ACTIVE)
        revisions.append((change.revision, change.token.last_updated))
    assert revisions[0] < revisions[1]
    assert revisions[0][1] < revisions[1][1]


def test_a_card_of_ours_is_taken_for_no_blank(station: Station) -> None:
    line = OrderLine("fleet:9", Driver("Zoe", "9"))
    uri = "sim:ntag213?uid=04E10CDA993C80"
    assert len(issue_from(station, uri).issued) == 1
    again = issue_from(station, uri, [line])
    assert isinstance(again.failures[0], Conflict)
    assert "is card" in again.failures[0].message
    assert station.store.cards.by_order_line(line.key) is None


def test_the_first_card_that_is_written_to_comes_with_a_warning(folder: Path) -> None:
    def said(profile: str) -> str:
        arguments = ("--reader", "sim:ntag213", "--count", "1", "--profile", profile)
        result = run(folder, "card", "issue", *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stderr

    assert "roaming" not in said("plain")
    assert "writes to the chip" in said("link")
    assert "roaming" not in said("link")
