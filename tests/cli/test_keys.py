"""Keys by hand: made, rotated, listed, and never seen."""

import threading
from pathlib import Path

import pytest
from command_line import rows, run
from stations import CLERK

from rfid_station.desk.keys.ring import KeyCupboard, components_to_key
from rfid_station.desk.station import open_station
from rfid_station.domain.key import KeyRef
from rfid_station.encode import key_ring
from rfid_station.errors import WrongCall
from rfid_station.settings import KeySettings
from rfid_station.vault import Vault

PHRASE = "four words by chance"


@pytest.fixture(autouse=True)
def light_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", PHRASE)


def test_a_key_is_made_rotated_and_listed(folder: Path) -> None:
    made = run(folder, "key", "new", "cards")
    assert (made.exit_code, made.stdout) == (0, f"cards:1 is in {folder / 'keys.ring'}\n")
    assert "keep a copy" in made.stderr
    assert run(folder, "key", "rotate", "cards").exit_code == 0
    listed = rows(run(folder, "key", "list", "--json"))
    assert [(row["key"], row["version"], row["cards"]) for row in listed] == [
        ("cards", 1, 0),
        ("cards", 2, 0),
    ]
    assert listed[0]["check_value"] != listed[1]["check_value"]
    assert (folder / "keys.ring").stat().st_mode & 0o077 == 0
    with open_station(folder, CLERK) as station:
        actions = [(event.action, event.subject) for event in station.store.audit.newest(2)]
    assert actions == [("key.made", "key:cards:1"), ("key.made", "key:cards:2")]


def test_a_name_is_made_once_and_rotated_only_if_there(folder: Path) -> None:
    run(folder, "key", "new", "cards")
    again = run(folder, "key", "new", "cards")
    assert (again.exit_code, "key rotate cards" in again.stderr) == (6, True)
    other = run(folder, "key", "rotate", "fleet")
    assert (other.exit_code, "key new fleet" in other.stderr) == (1, True)


def test_without_a_ring_the_remedy_is_a_command(folder: Path) -> None:
    result = run(folder, "key", "list")
    assert result.exit_code == 1
    assert "rfid-station key new cards" in result.stderr


def test_the_wrong_passphrase_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, "key", "new", "cards")
    before = (folder / "keys.ring").read_bytes()
    monkeypatch.setenv("DESK_PHRASE", "some other words")
    result = run(folder, "key", "rotate", "cards")
    assert result.exit_code == 1
    assert "does not open" in result.stderr
    assert "some other words" not in result.output
    assert (folder / "keys.ring").read_bytes() == before


def test_nobody_there_to_be_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "prompt")
    result = run(folder, "key", "new", "cards")
    assert result.exit_code == 2
    assert "keys.passphrase" in result.stderr
    assert not (folder / "keys.ring").exists()


def test_a_reference_of_no_known_form_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", PHRASE.replace(" ", "-"))
    result = run(folder, "key", "list")
    assert result.exit_code == 2
    assert "keyring:NAME" in result.stderr


def cupboard(folder: Path, answers: list[str]) -> KeyCupboard:
    return KeyCupboard(folder, KeySettings(), Vault(folder / "secrets"), lambda _question: answers.pop(0))


def test_the_first_passphrase_is_typed_twice(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="differ"):
        cupboard(tmp_path, [PHRASE, PHRASE + "!"]).add("cards")
    assert not (tmp_path / "keys.ring").exists()
    assert cupboard(tmp_path, [PHRASE, PHRASE]).add("cards") == KeyRef("cards", 1)
    assert cupboard(tmp_path, [PHRASE]).open().newest("cards") == KeyRef("cards", 1)


def test_an_open_ring_sees_the_key_it_was_given(tmp_path: Path) -> None:
    desk = cupboard(tmp_path, [PHRASE] * 6)
    desk.add("cards")
    assert desk.open().newest("cards").version == 1
    desk.add("cards", next_version=True)
    assert desk.open().newest("cards").version == 2


def test_another_passphrase_opens_the_same_keys(tmp_path: Path) -> None:
    desk = cupboard(tmp_path, [PHRASE] * 4)
    desk.add("cards", bytes(range(16)))
    desk.change_passphrase("quite another phrase")
    assert cupboard(tmp_path, ["quite another phrase"]).listing()[0][0] == KeyRef("cards", 1)


def test_two_rotations_at_once_lose_no_version(tmp_path: Path) -> None:
    """A version that was handed out may be on cards: the other writer must not overwrite it."""
    cupboard(tmp_path, [PHRASE] * 2).add("cards")
    made: list[KeyRef] = []

    def rotate() -> None:
        made.append(cupboard(tmp_path, [PHRASE]).add("cards", next_version=True))

    rotating = [threading.Thread(target=rotate) for _ in range(8)]
    for one in rotating:
        one.start()
    for one in rotating:
        one.join(60)
    assert sorted(ref.version for ref in made) == list(range(2, 10))
    kept = cupboard(tmp_path, [PHRASE]).listing()
    assert [ref.version for ref, _ in kept] == list(range(1, 10))
    assert len({value for _, value in kept}) == 9


def test_components_of_a_ceremony_are_joined() -> None:
    halves = ["00112233445566778899AABBCCDDEEFF", " ff" * 16]
    assert components_to_key(halves).hex().upper() == "FFEEDDCCBBAA99887766554433221100"
    with pytest.raises(WrongCall, match="component 2"):
        components_to_key([halves[0], "0011"])


def test_the_system_keyring_is_asked_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    class Held(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return PHRASE if (service, username) == ("rfid-station", "desk-1") else None

        def set_password(self, service: str, username: str, password: str) -> None: ...

        def delete_password(self, service: str, username: str) -> None: ...

    before = keyring.get_keyring()
    keyring.set_keyring(Held())
    try:
        monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "keyring:desk-1")
        assert run(folder, "key", "new", "cards").exit_code == 0
        monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "keyring:desk-2")
        missing = run(folder, "key", "list")
    finally:
        keyring.set_keyring(before)
    assert missing.exit_code == 2
    assert "keyring set rfid-station desk-2" in missing.stderr
