"""A fleet's month adds up, and its CSV is no program."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import run
from stations import CLERK, issue_from

from rfid_station.desk.station import Station
from rfid_station.desk.support.usage import month_of, report_month, write_month
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, Driver
from rfid_station.domain.charge import Charge, ChargeKind, Cost, Place, ToldToken
from rfid_station.domain.order import OrderLine
from rfid_station.domain.token import Party
from rfid_station.errors import WrongCall

BEGAN = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def card(station: Station) -> Card:
    station.store.partners.add("cpo", "http://127.0.0.1:9/ocpi/versions", "", Agreement(), CLERK)
    line = OrderLine("line:1", Driver("Dora", "+17", "=cmd|' /C calc'!A0", "de"))
    (made,) = issue_from(station, "sim:ntag213", [line]).issued
    return made


def post(station: Station, card: Card, id_: str, energy: str, cost: Cost | None, **changed: object) -> None:
    given: dict[str, object] = {
        "kind": ChargeKind.CDR,
        "party": Party("NL", "CPO"),
        "id": id_,
        "began": BEGAN,
        "ended": BEGAN,
        "energy_kwh": Decimal(energy),
        "cost": cost,
        "place": Place(),
        "token": ToldToken(card.uid.hex, "RFID", f"{card.contract_id}", None, (card.uid.hex,)),
        "auth_method": "",
        "authorization_reference": None,
        "last_updated": BEGAN,
        "version": "2.2.1",
    }
    station.store.charges.post_cdr("cpo", Charge(**(given | changed)))  # type: ignore[arg-type]


def euro(excl: str, incl: str | None = None) -> Cost:
    return Cost(Decimal(excl), Decimal(incl) if incl else None, "EUR")


def test_a_month_adds_up_to_the_last_decimal(station: Station, card: Card, tmp_path: Path) -> None:
    post(station, card, "C1", "0.1", euro("0.1", "0.12"))
    post(station, card, "C2", "0.2", euro("0.2", "0.24"))
    post(station, card, "C3", "5", euro("9", "10"))
    post(station, card, "C4", "5", euro("-9", "-10"), is_credit=True)
    post(station, card, "april", "5", euro("9"), began=datetime(2026, 4, 1, tzinfo=UTC))
    post(station, card, "dollars", "1", Cost(Decimal(3), None, "USD"))

    month = report_month(station, "2026-03")
    write_month(tmp_path / "month.csv", month)

    sums = {line.currency: line for line in month.sums}
    assert (sums["EUR"].charges, sums["EUR"].energy_kwh) == (2, Decimal("0.3"))
    assert (sums["EUR"].cost_excl, sums["EUR"].cost_incl) == (Decimal("0.3"), Decimal("0.36"))
    assert (sums["USD"].cost_excl, sums["USD"].cost_incl) == (3, None)
    assert (tmp_path / "month.csv").read_text().splitlines() == [
        "number,fleet,reference,charges,energy_kwh,cost_excl,cost_incl,currency",
        f"{card.visual_number},'=cmd|' /C calc'!A0,'+17,2,0.3,0.3,0.36,EUR",
        f"{card.visual_number},'=cmd|' /C calc'!A0,'+17,1,1,3,,USD",
        "sum,,,2,0.3,0.3,0.36,EUR",
        "sum,,,1,1,3,,USD",
    ]


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-00", "March", "٢٠٢٦-03", "9999-12", "0000-01"])
def test_what_is_no_month_is_said(text: str) -> None:
    with pytest.raises(WrongCall, match="is no month"):
        month_of(text)


def test_december_ends_with_the_year() -> None:
    assert month_of("2026-12") == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def test_nothing_to_report_is_said(folder: Path) -> None:
    for report, words in (
        (("usage", "--month", "2026-03"), "no CDR of 2026-03"),
        (("unusual",), "nothing unusual within 90 days"),
        (("alarms",), "no card was accepted"),
        (("strangers",), "every charge that was told is one of our cards'"),
        (("refused",), "no CDR came a second time"),
    ):
        said = run(folder, "report", *report)
        assert (said.exit_code, said.stdout) == (0, "")
        assert words in said.stderr
    assert run(folder, "report", "alarms", "--partner", "nobody").exit_code == 2


def test_who_sees_whole_uids_is_witnessed(station: Station, card: Card, folder: Path) -> None:
    strange = ToldToken("04FFFFFFFFFFFF", "RFID", "FR-XYZ-C00000001", None, ())
    post(station, card, "C1", "1", None, token=strange)

    assert "04…FFFF" in run(folder, "report", "strangers").stdout
    assert "04FFFFFFFFFFFF" in run(folder, "report", "strangers", "--full").stdout
    assert [event.action for event in station.store.audit.newest(1)] == ["usage.revealed"]
