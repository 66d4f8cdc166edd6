"""The built wheel, installed where nothing else is: no checkout, no PC/SC support, no network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from rfid_station import __version__

CHECKOUT = Path(__file__).parents[2]
WHEELS = CHECKOUT / ".setup" / "wheels"

GUARD = """
import os, sys

def stop_what_leaves_the_environment(event, args):
    if event in ("open", "os.listdir", "os.scandir", "subprocess.Popen", "sqlite3.connect"):
        if str(args[0]).startswith(CHECKOUT):
            stop(f"the checkout was used: {event} {args[0]}")
    elif event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in LOOPBACK:
        stop(f"the network was used: {args[1]}")

def stop(why):
    os.write(2, why.encode())
    os._exit(99)

sys.addaudithook(stop_what_leaves_the_environment)
"""


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel and what it depends on, and an empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `rfid-station` there; it ends with code 99 if it touches the checkout or the network."""
        environment = {
            "PATH": f"{self.environment / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
        }
        return subprocess.run(
            [self.environment / "bin" / "rfid-station", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run_here("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    assert WHEELS.is_dir(), "the wheels it depends on are not here: run `make setup`"
    environment = tmp_path_factory.mktemp("environment")
    run_here("-m", "venv", "--without-pip", str(environment))
    [packages] = environment.glob("lib/python*/site-packages")
    python = str(environment / "bin" / "python")
    from_files = ("--no-index", "--find-links", str(WHEELS), "--no-compile", "--isolated")
    run_here("-m", "pip", "--python", python, "install", *from_files, str(wheel))
    constants = f"CHECKOUT = {str(CHECKOUT)!r}\nLOOPBACK = ('127.0.0.1', '::1', 'localhost')\n"
    (packages / "guard.py").write_text(constants + GUARD)
    (packages / "guard.pth").write_text("import guard\n")
    return Installation(environment, tmp_path_factory.mktemp("elsewhere"))


def run_here(*arguments: str) -> None:
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def shipped_from(folder: str) -> set[str]:
    return {
        f"rfid_station/shipped_files/{path.relative_to(CHECKOUT)}"
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file()
    }


def test_the_wheel_carries_all_templates_and_data_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert shipped_from("templates")
    assert shipped_from("data")
    assert shipped_from("templates") | shipped_from("data") <= names
    assert {"rfid_station/py.typed", "rfid_station/store/__init__.py"} <= names
    assert {name.partition("/")[0] for name in names} == {
        "rfid_station",
        f"rfid_station-{__version__}.dist-info",
    }


def test_the_guard_stops_a_program_that_uses_the_checkout(installation: Installation) -> None:
    python = installation.environment / "bin" / "python"
    read = f"open({str(CHECKOUT / 'pyproject.toml')!r})"

    assert subprocess.run([python, "-c", read], capture_output=True, check=False).returncode == 99


def test_says_its_version(installation: Installation) -> None:
    result = installation.run("--version")

    assert (result.returncode, result.stdout) == (0, f"rfid-station {__version__}\n")


@pytest.mark.parametrize(("command", "exit_code"), [("reader list", 3), ("doctor", 1)])
def test_says_which_command_adds_pcsc_support(
    command: str, exit_code: int, installation: Installation
) -> None:
    result = installation.run(*command.split())

    assert result.returncode == exit_code
    assert "libpcsclite-dev" in result.stdout
    assert "pip install pyscard" in result.stdout
    assert "Traceback" not in result.stderr


def test_runs_the_demo(installation: Installation) -> None:
    result = installation.run("demo")

    assert result.returncode == 0, result.stdout + result.stderr
    assert list(installation.folder.glob("demo/**/*.pdf"))
