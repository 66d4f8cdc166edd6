"""Portions taken column by column: what comes of each row is what the judge alone makes of it."""

from __future__ import annotations

from io import BytesIO

import pytest
from batch_files import nxp_uids
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.desk.batch.glance import Glance
from rfid_station.desk.batch.judge import Judge
from rfid_station.desk.batch.reading import Table
from rfid_station.desk.batch.survey import survey
from rfid_station.desk.batch.uid_lists import Tally, UidForm
from rfid_station.domain.visual_number import NumberPattern

PATTERN = NumberPattern("EXM-####-####-@")
TITLES = ["uid", "reference", "name", "fleet", "language", "valid_until", "number", "chip", "group"]
UIDS = [uid.hex() for uid in nxp_uids(12)]
CELLS = {
    "uid": [
        *UIDS, UIDS[0].upper(), "", "88E10CDA993C80", "04:E1:0C:DA:99:3C:80", "53E10CDA993C04",
        "4E10CDA993C80", "0A0B0C0D", "1.2E+13", "\u0660" * 14, "00" * 7,
    ],
    "reference": [
        "", "E-1", "E-2", "R1", "R2", "12345", "1234", "3. Mai", "12.05.26", "1.5E+10", "x" * 101, "=1",
    ],
    "name": [
        "", "Ann", "Bo|b", "a\nb", "x" * 201, "@Ann", "+49 30 1", "MÃ¼ller", "Müller", "\u2028", "\ufffd",
    ],
    "fleet": ["", "Delta", "*", "Ä", "x" * 65],
    "language": ["", "de", "EN", "xyz", "it"],
    "valid_until": ["", "2031-05-01", "31.12.2030", "03/04/2030", "45000", "never"],
    "number": ["", "", "", "EXM-0000-0001-7", "EXM-0000-0001-8", "."],
    "chip": ["", "NTAG213"],
    "group": ["", "north", "*"],
}  # fmt: skip
LAYOUTS = st.lists(st.sampled_from(TITLES), min_size=1, unique=True)


def table(rows: list[list[str]]) -> Table:
    text = "\n".join(";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return Table(BytesIO(text.encode()), "cards.csv")


@st.composite
def files(draw: st.DrawFn) -> list[list[str]]:
    """Mostly good rows, so that some portions are taken at a glance; a short or a long one among them."""
    titles = draw(LAYOUTS)
    usual = {name: cells[:6] for name, cells in CELLS.items()} | {
        "uid": UIDS,
        "number": [""],
        "name": ["Ann", "Bo"],
    }
    rows = []
    for _ in range(draw(st.integers(1, 12))):
        cells = CELLS if draw(st.integers(0, 4)) == 0 else usual
        row = [draw(st.sampled_from(cells[title])) for title in titles]
        rows.append(draw(st.sampled_from([row] * 12 + [row[1:], [*row, ""], [*row, "x"], [""]])))
    return [titles, *rows]


@settings(max_examples=60, deadline=None)
@given(files(), st.integers(1, 5), st.sampled_from([UidForm.AS_IS, UidForm.REVERSED]))
def test_a_glance_sees_what_the_judge_sees(rows: list[list[str]], size: int, form: UidForm) -> None:
    read = table(rows)
    seen = survey(read, form)
    alone, judge = Judge(read.columns, seen, PATTERN), Judge(read.columns, seen, PATTERN)
    glance = Glance(judge)
    checked = [one for portion in read.portions(size) for one in glance.checked(portion)]
    assert checked == [alone.judge(row) for row in read.rows()]
    assert judge.seen == alone.seen


def test_good_portions_never_reach_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[uid, f"E-{n}", f"Driver {n}", "Delta", "de", "2031-05-01"] for n, uid in enumerate(UIDS)]
    read = table([TITLES[:6], *rows])
    glance = Glance(Judge(read.columns, survey(read), PATTERN))
    monkeypatch.setattr(Judge, "judge", None)
    assert [one.entry.name for one in glance.checked(list(read.rows())) if one.entry] == [
        row[2] for row in rows
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(CELLS["uid"]), st.from_regex(r"04[0-9A-Fa-f]{12}", fullmatch=True)),
        max_size=8,
    )
)
def test_uids_are_counted_alike_together_and_one_by_one(texts: list[str]) -> None:
    together, alone = Tally(), Tally()
    together.add_all(texts)
    for text in texts:
        alone.add(text)
    assert together == alone
