"""A pcscd of our own: comes up, goes away, and leaves the machine's own alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfid_station.errors import NoReader
from rfid_station.simulator.readers import pcscd
from rfid_station.simulator.readers.pcscd import PrivatePcscd, environment_for

SYSTEM = Path("/run/pcscd")


def daemons_in(folder: Path) -> list[str]:
    """The command lines of processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if command.startswith("pcscd") and str(folder) in command:
                found.append(command)
    return found


def test_it_comes_up_restarts_in_place_and_goes_away(tmp_path: Path) -> None:
    before = SYSTEM.exists()
    with PrivatePcscd(folder=tmp_path) as daemon:
        place = Path(daemon.environment["PCSCLITE_CSOCK_NAME"])
        assert place.is_socket()
        assert daemon.environment == environment_for(tmp_path)
        assert len(daemons_in(tmp_path)) == 1
        port = daemon.port

        daemon.restart()

        assert (daemon.port, place.is_socket()) == (port, True)
        assert len(daemons_in(tmp_path)) == 1

    assert daemons_in(tmp_path) == []
    assert not place.exists()
    assert SYSTEM.exists() == before


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pcscd.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        pcscd.shutil, "which", lambda name, **_: None if name == "pcscd" else f"/usr/bin/{name}"
    )
    monkeypatch.setattr(pcscd, "_DRIVERS", Path("/nonexistent"))

    missing_packages = "the virtual PC/SC reader needs pcscd vsmartcard-vpcd"
    with pytest.raises(NoReader, match=missing_packages) as missing, PrivatePcscd():
        pass

    assert missing.value.hint == "sudo apt-get install --yes pcscd vsmartcard-vpcd"
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_does_not_come_up_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pcscd, "_SCRIPT", "echo no such luck; exit 1")

    with pytest.raises(NoReader, match="it said: no such luck") as failed:
        PrivatePcscd(folder=tmp_path).start()

    assert failed.value.hint
