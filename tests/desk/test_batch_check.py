"""All that is wrong with a fleet file is said at once, with row, column, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_files import findings_of, nxp_uids, workbook_bytes
from stations import LINES, issue_from

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Cause, Level
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station

E, W = Level.ERROR, Level.WARNING


def written(folder: Path, text: str, name: str = "fleet.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("1,Anna,F,de", []),
        ("1,Anna,F,DE", []),
        ("1,,F,de", [(Cause.EMPTY, "name", None, E)]),
        (",Anna,F,de", [(Cause.EMPTY, "reference", None, E)]),
        ("1,Anna,F,german", [(Cause.VALUE, "language", "german", E)]),
        ("1,Anna,*,de", [(Cause.VALUE, "fleet", "*", E)]),
        ("1.2E+11,Anna,F,de", [(Cause.SCIENTIFIC, "reference", "1.2E+11", E)]),
        ('"1,2E+11",Anna,F,de', [(Cause.SCIENTIFIC, "reference", "1,2E+11", E)]),
        ("01.03.2026,Anna,F,de", [(Cause.DATE, "reference", "01.03.2026", W)]),
        ("03-Mär,Anna,F,de", [(Cause.DATE, "reference", "03-Mär", W)]),
        ("1,=1+1,F,de", [(Cause.FORMULA, "name", "=1+1", W)]),
        ("1,@SUM(A1),F,de", [(Cause.FORMULA, "name", "@SUM(A1)", W)]),
        ("+49 30 123,Anna,F,de", []),
        ("1,MÃ¼ller,F,de", [(Cause.ENCODED_TWICE, "name", "MÃ¼ller", W)]),
        ("1,An\x07na,F,de", [(Cause.CHARACTERS, "name", "An\\u0007na", E)]),
        ('1,"An\nna",F,de', [(Cause.CHARACTERS, "name", "An\\u000ana", E)]),
        ("1,Anna,F", [(Cause.SHAPE, None, None, E)]),
        ("1,Anna,F,de,x", [(Cause.SHAPE, None, None, E)]),
        ("1,Anna,F,de,,", []),
        (
            "=1,,*,german",
            [
                (Cause.FORMULA, "reference", "=1", W),
                (Cause.EMPTY, "name", None, E),
                (Cause.VALUE, "fleet", "*", E),
                (Cause.VALUE, "language", "german", E),
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_row(
    tmp_path: Path, cells: str, expected: list[tuple[Cause, str | None, str | None, Level]]
) -> None:
    path = written(tmp_path, f"reference,name,fleet,language\n0,Zoe,F,de\n{cells}\n")
    found = findings_of(path)
    assert [(one.cause, one.column, one.value, one.level) for one in found] == expected
    assert all(one.row == 3 and one.remedy for one in found)


def test_every_row_is_checked_and_repeated_ones_are_named_with_the_first(tmp_path: Path) -> None:
    rows = "".join(f"{number % 150},,F,de\n" for number in range(300))
    found = findings_of(written(tmp_path, f"reference,name,fleet,language\n{rows}"))
    assert sum(one.cause is Cause.EMPTY for one in found) == 300
    again = [one for one in found if one.cause is Cause.REPEATED]
    assert len(again) == 150
    assert (again[0].row, again[0].words) == (152, "stands in row 2 already")


def test_lost_zeros_are_seen_against_the_other_rows(tmp_path: Path) -> None:
    rows = "".join(f"{number:06},D,F,de\n" for number in range(100_000, 100_040))
    found = findings_of(written(tmp_path, f"reference,name,fleet,language\n{rows}4711,D,F,de\n"))
    assert [(one.cause, one.value, one.level) for one in found] == [(Cause.ZEROS_LOST, "4711", W)]


def test_columns_missing_twice_and_unknown(tmp_path: Path) -> None:
    path = written(tmp_path, "Fahrer,Kostenstelle,Driver Name\nAnna,4,Anna\n")
    found = [(one.cause, one.column, one.level) for one in findings_of(path)]
    assert found == [
        (Cause.UNKNOWN_COLUMN, "Kostenstelle", W),
        (Cause.HEADER, "Driver Name", E),
        (Cause.HEADER, "reference", E),
    ]
    assert [one.cause for one in findings_of(written(tmp_path, ""))] == [Cause.HEADER, Cause.HEADER]
    assert [one.cause for one in findings_of(written(tmp_path, "reference,name\n"))] == [Cause.FILE]


def test_a_damaged_workbook_says_what_the_spreadsheet_did(tmp_path: Path) -> None:
    uids = nxp_uids(8)
    path = tmp_path / "maker.xlsx"
    path.write_bytes(workbook_bytes([["UID"], *([uid.hex()] for uid in uids), [4.67e12], [4123456789012]]))
    found = findings_of(path)
    assert [(one.cause, one.row) for one in found] == [(Cause.ZEROS_LOST, 10), (Cause.ZEROS_LOST, 11)]
    path.write_bytes(workbook_bytes([["UID"], *([int.from_bytes(uid)] for uid in uids)]))
    assert {one.cause for one in findings_of(path)} == {Cause.SCIENTIFIC}


def test_a_reversed_list_is_one_finding_and_only_its_option_turns_it(tmp_path: Path) -> None:
    uids = nxp_uids(20)
    path = written(tmp_path, "uid\n" + "".join(f"{uid[::-1].hex()}\n" for uid in uids) + "04123\n")
    found = findings_of(path)
    assert [(one.cause, one.row) for one in found] == [(Cause.UID_FORM, None), (Cause.UID, 22)]
    assert "--uids reversed" in found[0].remedy
    with open_table(path) as table:
        assert not any(row.entry for row in Check(table, Wish("o")).rows())
        read = [row.entry for row in Check(table, Wish("o", UidForm.REVERSED)).rows() if row.entry]
    assert [entry.uid.raw for entry in read if entry.uid] == uids
    assert [one.cause for one in findings_of(path, uids=UidForm.REVERSED)] == [Cause.UID]


def test_an_option_that_contradicts_the_evidence_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "uid\n" + "".join(f"{uid.hex()}\n" for uid in nxp_uids(20)))
    assert findings_of(path) == []
    found = findings_of(path, uids=UidForm.REVERSED)
    assert found[0].cause is Cause.UID_FORM
    assert found[0].is_error


def test_a_single_reversed_uid_among_right_ones_is_pointed_at(tmp_path: Path) -> None:
    uids = [uid.hex() for uid in nxp_uids(20)]
    odd = bytes.fromhex(uids[7])[::-1].hex()
    found = findings_of(written(tmp_path, "\n".join(["uid", *uids[:7], odd, *uids[8:]])))
    assert [(one.cause, one.row, one.level) for one in found] == [(Cause.UID_FORM, 9, W)]


def test_uids_and_numbers_come_once_in_any_writing(tmp_path: Path, station: Station) -> None:
    a, b = (uid.hex() for uid in nxp_uids(2))
    number = station.number_pattern.render(7)
    text = f"uid,number\n{a},{number}\n{a.upper()},X-1\n{b},{number.replace('-', ' ').lower()}\n"
    found = findings_of(written(tmp_path, text), station)
    assert [(one.cause, one.row, one.column) for one in found] == [
        (Cause.REPEATED, 3, "uid"),
        (Cause.REPEATED, 4, "number"),
    ]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    (check_digit,) = findings_of(written(tmp_path, f"uid,number\n{a},{wrong}\n"), station)
    assert "wrong check digit" in check_digit.words


def test_what_the_store_knows_is_compared(tmp_path: Path, station: Station) -> None:
    first, _, _ = issue_from(station, "sim:ntag213?count=3", LINES).issued
    text = f"uid,number\n{first.uid.hex},\n04112233445580,{first.visual_number}\n04112233445680,\n"
    found = findings_of(written(tmp_path, text, "maker.csv"), station)
    assert [(one.cause, one.row) for one in found] == [(Cause.STORE, 2), (Cause.STORE, 3)]
    assert first.visual_number in found[0].words
    assert first.uid.hex not in found[0].words


def test_the_same_drivers_in_a_renamed_file_are_pointed_at(tmp_path: Path, station: Station) -> None:
    issue_from(station, "sim:ntag213?count=3", LINES)
    text = "reference,name,fleet\n1,Driver 1,Fleet\n9,Driver 9,Fleet\n"
    assert findings_of(written(tmp_path, text), station, order="fleet") == []
    (found,) = findings_of(written(tmp_path, text), station, order="fleet-new")
    assert (found.cause, found.row, found.level) == (Cause.STORE, 2, W)
    assert "fleet:1" in found.words
