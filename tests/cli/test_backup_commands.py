"""Backup and restore as a supervisor types them, and what must not be in a backup."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run
from stations import new_station

from rfid_station.encode.key_ring import KeyRing, seal
from rfid_station.errors import ExitCode

PHRASE = "four words by chance"
BOSS = ("--role", "supervisor")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A station whose three cards have keys, and a partner to be."""
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", PHRASE)
    made = new_station(tmp_path / "station", "link-password")
    (made / "keys.ring").write_bytes(seal(KeyRing().with_new("cards"), PHRASE, {"n": 2, "r": 1, "p": 1}))
    token = tmp_path / "token"
    token.write_text("hush-hush-client-token")
    added = run(made, "partner", "add", "cpo", "https://cpo.example/v", "--token-file", token)
    assert added.exit_code == 0, added.stderr
    issued = run(made, "card", "issue", "--reader", "sim:ntag213?count=3")
    assert issued.exit_code == 0, issued.stderr
    return made


def listed(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in run(folder, "card", "list", "--json").stdout.splitlines()]


def test_a_drill_from_the_backup_to_the_next_card(folder: Path) -> None:
    made = run(folder, *BOSS, "store", "backup", "--json")
    file = Path(json.loads(made.stdout)["file"])
    assert file.parent == folder / "backups"
    first = listed(folder)[0]["number"]
    assert run(folder, "card", "block", first, "--reason", "lost").exit_code == 0
    issued = run(folder, "card", "issue", "--reader", "sim:ntag213?count=1&seed=9")
    assert issued.exit_code == 0, issued.stderr
    newest = listed(folder)[-1]["number"]

    refused = run(folder, *BOSS, "store", "restore", file)
    assert refused.exit_code == ExitCode.CONFLICT
    assert "1 cards made among them" in refused.stderr
    assert "--discard-newer" in refused.stderr
    assert run(folder, "store", "restore", file, "--discard-newer").exit_code == ExitCode.CONFLICT

    restored = run(folder, *BOSS, "store", "restore", file, "--discard-newer")
    assert restored.exit_code == 0, restored.stderr
    assert f"stopped    {first}" in restored.stdout
    assert f"unknown    {newest}" in restored.stdout
    assert "go on with contract 5" in restored.stdout
    assert "partners may hold the unknown cards" in restored.stderr
    cards = listed(folder)
    assert [card["state"] for card in cards] == ["blocked", "active", "active"]
    assert run(folder, "store", "check").exit_code == 0
    after = run(folder, "card", "issue", "--reader", "sim:ntag213?count=1&seed=8")
    assert after.exit_code == 0, after.stderr
    assert listed(folder)[-1]["contract"].startswith("NL-EXM-C00000005")


def test_a_backup_holds_no_secret(folder: Path, tmp_path: Path) -> None:
    assert run(folder, *BOSS, "store", "backup", tmp_path / "backup.db").exit_code == 0
    raw = (tmp_path / "backup.db").read_bytes()
    secrets = {PHRASE, "hush-hush-client-token"}
    secrets |= {path.read_text().strip() for path in (folder / "secrets").iterdir()}
    assert len(secrets) >= 2
    for secret in secrets:
        assert secret.encode() not in raw
        assert secret.encode().hex().encode() not in raw.lower()


def test_check_names_keys_and_secrets_that_are_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(folder, "store", "check").exit_code == 0
    ring = (folder / "keys.ring").read_bytes()
    other = KeyRing().with_new("others")
    (folder / "keys.ring").write_bytes(seal(other, PHRASE, {"n": 2, "r": 1, "p": 1}))
    wrong = run(folder, "store", "check")
    assert (wrong.exit_code, "3 cards have keys of cards:1, which is not in" in wrong.stdout) == (1, True)
    (folder / "keys.ring").unlink()
    assert "3 cards have keys, and" in run(folder, "store", "check").stdout
    (folder / "keys.ring").write_bytes(ring)
    for one in (folder / "secrets").glob("cpo*"):
        one.unlink()
    missing = run(folder, "store", "check")
    assert (missing.exit_code, "missing    partner cpo" in missing.stdout) == (1, True)


def test_a_station_without_a_store_is_restored_and_partners_wait(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    assert run(folder, *BOSS, "store", "backup", file).exit_code == 0
    (folder / "station.db").unlink()
    restored = run(folder, *BOSS, "store", "restore", file, "--json")
    assert restored.exit_code == 0, restored.stderr
    told = json.loads(restored.stdout)
    assert (told["kept"], told["discarded"], told["next_contract"]) == (None, None, 10_004)
    assert len(listed(folder)) == 3


def test_operators_prove_themselves_by_the_backup_where_no_store_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfid_station.desk.people.slow_hash import slow_hash
    from rfid_station.desk.station import open_station
    from rfid_station.domain.actor import Actor
    from rfid_station.domain.card import Role

    with open_station(folder, Actor("sue", Role.SUPERVISOR)) as station:
        pin = slow_hash("271828")
        station.store.operators.add("sue", Role.SUPERVISOR, pin, pin, station.actor)
    monkeypatch.setenv("SUES_PIN", "271828")
    monkeypatch.setenv("RFID_STATION_DESK__PIN", "env:SUES_PIN")
    boss = ("--operator", "sue")
    file = tmp_path / "backup.db"
    assert run(folder, *boss, "store", "backup", file).exit_code == 0
    (folder / "station.db").write_bytes(b"x" * 9000)
    monkeypatch.setenv("SUES_PIN", "314159")
    refused = run(folder, *boss, "store", "restore", file)
    assert refused.exit_code == ExitCode.CONFLICT
    assert "is not let in" in refused.stderr
    assert (folder / "station.db").read_bytes() == b"x" * 9000
    monkeypatch.setenv("SUES_PIN", "271828")
    assert run(folder, *boss, "store", "restore", file).exit_code == 0
    assert len(listed(folder)) == 3
