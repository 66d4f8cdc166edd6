"""A whole day at the desk leaves no secret but where secrets lie, and shows whole UIDs to who asks only."""

from __future__ import annotations

import json
import stat
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_day import Day, lived_day


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with pytest.MonkeyPatch.context() as patch:
        yield lived_day(tmp_path_factory.mktemp("day"), patch)


def writings(secret: bytes) -> set[bytes]:
    """A secret as it is, in hexadecimal, reversed, and inside of a Base64 text wherever it may begin.

    What is shorter than eight letters of Base64 would be found by chance.
    """
    found = {secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode()}
    for before in range(3):
        coded = b64encode(bytes(before) + secret)
        inside = coded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
        if len(inside) >= 8:
            found |= {inside, inside.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def test_the_day_went_as_it_should(day: Day) -> None:
    """Or else there would be nothing to find."""
    done = [said.arguments for said in day.said if said.exit_code == 0]
    for needed in (
        ("key", "new"),
        ("partner", "connect"),
        ("sheet", "print"),
        ("letter", "print"),
        ("shift", "end"),
    ):
        assert any(arguments[:2] == needed for arguments in done), needed
    assert sum(arguments[:2] == ("card", "issue") for arguments in done) == 3
    assert len(day.uids) == 4
    assert len(day.secrets) > 12
    kinds = {Path(name).suffix for name, _ in day.files()}
    assert {".pdf", ".db", ".jsonl", ".toml", ".ring"} <= kinds


def test_no_secret_was_said(day: Day) -> None:
    said = "\n".join(" ".join(one.arguments) + "\n" + one.text for one in day.said).encode()
    said += day.logged.getvalue().encode()
    found = [name for name, secret in day.secrets.items() for way in writings(secret) if way in said]
    assert found == []


def test_no_secret_lies_in_a_file_but_in_those_of_secrets(day: Day) -> None:
    found = []
    for place, content in day.files():
        is_in_vault = Path(place).parent == day.folder / "secrets"
        for name, secret in day.secrets.items():
            is_there_by_intent = is_in_vault and name == f"vault {Path(place).name}"
            if not is_there_by_intent and any(way in content for way in writings(secret)):
                found.append((place, name))
    assert found == []


def test_what_the_station_wrote_is_for_its_owner_only(day: Day) -> None:
    places = [day.folder, day.desk / "trace.jsonl"]
    assert [str(place) for place in places if stat.S_IMODE(place.stat().st_mode) & 0o077] == []
    private = [*(day.folder / "secrets").iterdir(), *day.folder.glob("station.db*"), day.folder / "keys.ring"]
    assert [path.name for path in private if stat.S_IMODE(path.stat().st_mode) != 0o600] == []
    assert stat.S_IMODE((day.folder / "secrets").stat().st_mode) == 0o700


def test_a_secret_that_is_written_down_is_found(day: Day, tmp_path: Path) -> None:
    """This search can find what it looks for, in each way of writing it."""
    key = day.secrets["master key"]
    for before in (b"", b"a", b"ab"):
        assert any(way in b64encode(before + key + b"end") for way in writings(key))
    assert key.hex().upper().encode() in writings(key)


# UIDs

SEES_WHOLE = {("partner", "preview"), ("card", "issue")}
"""What shows whole UIDs without --full: the request as it goes out, which is an event of the audit log; and
the cards that were just made, with --json, which is how a script learns the UID."""
HOLDS_WHOLE = {".db", ".db-wal", ".jsonl"}
"""Where whole UIDs lie: the store, and a trace that was asked for."""


def test_whole_uids_are_shown_to_nobody_who_did_not_ask(day: Day) -> None:
    unasked = [said for said in day.said if "--full" not in said.arguments]
    seen = {said.arguments[:2] for said in unasked for uid in day.uids if uid in said.text.upper()}
    assert seen == SEES_WHOLE
    assert [uid for uid in day.uids if uid in day.logged.getvalue().upper()] == []


def test_whole_uids_are_on_no_paper_and_in_no_archive(day: Day) -> None:
    kinds = set()
    for place, content in day.files():
        texts = content.upper() + content.decode("utf-16-le", "replace").upper().encode()
        if any(uid.encode() in texts or bytes.fromhex(uid) in content for uid in day.uids):
            kinds.add(Path(place).suffix)
    assert kinds <= HOLDS_WHOLE, kinds


def test_seeing_whole_uids_is_an_event_of_the_audit_log(day: Day) -> None:
    """At a preview too: it says who saw which card."""
    (log,) = [said.text for said in day.said if said.arguments[:4] == ("store", "log", "--limit", "999")][-1:]
    revealed = [event for event in map(json.loads, log.splitlines()) if event["what"] == "card.revealed"]
    assert {event["who"] for event in revealed} == {"Sue"}
    assert len(revealed) == 1 + len(day.uids), "one preview, and one list of all cards"
