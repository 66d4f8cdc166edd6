"""A pcscd of our own with the vpcd driver in it, apart from the one that may run on this machine.

The daemon always listens in /run/pcscd. So it is started in a mount namespace where that is
a temporary folder, and clients find it by PCSCLITE_CSOCK_NAME, which libpcsclite reads once:
it must stand in the environment before the first PC/SC call of a process. USB readers are
left alone: in there the folder of drivers is empty but for vpcd.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rfid_station.errors import NoReader

SOCKET_VARIABLE = "PCSCLITE_CSOCK_NAME"

_DRIVERS = Path("/usr/lib/pcsc/drivers")
_VPCD = "serial/libifdvpcd.so"
_PATIENCE_S = 15.0
_LISTENING = "0A"
"""State of a socket in /proc/net/tcp (Linux, include/net/tcp_states.h)."""
_FIRST_PORT, _PORTS = 20000, 10000
"""vpcd takes two ports, one for each of its slots; below the ones the system gives out."""

_SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mkdir /run/pcscd
mount --bind "$1/run" /run/pcscd
mount --bind "$1/drivers" /usr/lib/pcsc/drivers
folder=$1
shift
exec pcscd --foreground --config "$folder/reader.conf.d" "$@"
"""

_CONFIG = """\
FRIENDLYNAME "{name}"
DEVICENAME   /dev/null:{port}
LIBPATH      {driver}
CHANNELID    {port}
"""


class PrivatePcscd:
    """A pcscd with one virtual reader, to be used in a `with`. A `folder` of one's own is left in place.

    :raises NoReader: a Debian package is missing, or the daemon does not come up
    """

    def __init__(self, name: str = "Virtual PICC", *, folder: Path | None = None) -> None:
        self._name = name
        self._is_folder_ours = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="pcscd-"))
        self._daemon: subprocess.Popen[bytes] | None = None
        self.port = 0
        """Where a virtual card connects to. The same after a restart."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except NoReader:
            self._tidy_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._tidy_up()

    @property
    def environment(self) -> dict[str, str]:
        """What a client must have in its environment."""
        return environment_for(self._folder)

    @property
    def reader(self) -> str:
        """The name of the first slot, the one that cards are laid on. There is a second one, ever empty."""
        return f"{self._name} 00 00"

    @property
    def log(self) -> str:
        """What the daemon has said."""
        path = self._folder / "pcscd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the daemon, on free ports the first time, and wait until it listens."""
        _check_installed()
        self.port = self.port or _two_free_ports()
        self._write_configuration()
        with (self._folder / "pcscd.log").open("wb") as log:
            self._daemon = subprocess.Popen(  # noqa: S603
                [*_command(), "sh", "-c", _SCRIPT, "sh", str(self._folder), *_options()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready(self._daemon)

    def stop(self) -> None:
        """End the daemon."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return
        daemon.terminate()
        try:
            daemon.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        self._forget()

    def kill(self) -> None:
        """End the daemon in the middle of whatever it does, and wait until it has gone."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return
        daemon.kill()
        daemon.wait()
        self._forget()

    def _forget(self) -> None:
        for name in ("pcscd.comm", "pcscd.pid"):
            (self._folder / "run" / name).unlink(missing_ok=True)

    def restart(self) -> None:
        """End the daemon and start it again in the same place."""
        self.stop()
        self.start()

    def _tidy_up(self) -> None:
        if self._is_folder_ours:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self) -> None:
        for name in ("run", "drivers", "reader.conf.d"):
            (self._folder / name).mkdir(exist_ok=True)
        driver = self._folder / "libifdvpcd.so"
        if not driver.exists():
            shutil.copy(_DRIVERS / _VPCD, driver)
        config = _CONFIG.format(name=self._name, port=self.port, driver=driver)
        (self._folder / "reader.conf.d" / "vpcd").write_text(config)

    def _wait_until_ready(self, daemon: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not (self._folder / "run" / "pcscd.comm").exists() or not _is_listened_on(self.port):
            if daemon.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = self.log.strip().splitlines() or ["nothing"]
                raise NoReader(
                    f"a pcscd of our own does not come up; it said: {said[-1]}",
                    hint="it needs root or user namespaces: run it as root, or set "
                    "kernel.unprivileged_userns_clone=1 with sysctl",
                )
            time.sleep(0.01)


def environment_for(folder: Path) -> dict[str, str]:
    """What a client must have in its environment for a daemon in this folder, whether it runs yet or not."""
    return {SOCKET_VARIABLE: str(folder / "run" / "pcscd.comm")}


def _check_installed() -> None:
    missing = [
        package
        for package, is_there in {
            "pcscd": shutil.which("pcscd", path=_environment()["PATH"]) is not None,
            "vsmartcard-vpcd": (_DRIVERS / _VPCD).exists(),
            "util-linux": shutil.which("unshare") is not None and shutil.which("setpriv") is not None,
        }.items()
        if not is_there
    ]
    if missing:
        packages = " ".join(missing)
        raise NoReader(
            f"the virtual PC/SC reader needs {packages}", hint=f"sudo apt-get install --yes {packages}"
        )


def _environment() -> dict[str, str]:
    """The environment, with the folders of daemons in the search path."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": path}


def _options() -> list[str]:
    """Polkit cannot be asked from in there. A daemon that knows it is told so."""
    usage = subprocess.run(
        ["pcscd", "--help"],  # noqa: S607
        env=_environment(),
        capture_output=True,
        check=False,
    )
    return ["--disable-polkit"] if b"--disable-polkit" in usage.stdout + usage.stderr else []


def _command() -> list[str]:
    """Run in a mount namespace of its own, and end when whoever started it has ended."""
    mapping = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["setpriv", "--pdeathsig", "TERM", "unshare", *mapping, "--mount", "--"]


def _two_free_ports() -> int:
    for _ in range(100):
        port = _FIRST_PORT + 2 * secrets.randbelow(_PORTS // 2)
        if _is_free(port) and _is_free(port + 1):
            return port
    raise NoReader(
        f"no two free ports side by side from {_FIRST_PORT} on", hint="end programs that listen there"
    )


def _is_listened_on(port: int) -> bool:
    """Whether somebody listens there, without touching the port: trying it could take it from the daemon."""
    wanted = f"{port:04X}"
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = (line.split() for line in table.read_text().splitlines()[1:]) if table.exists() else ()
        if any(row[1].endswith(f":{wanted}") and row[3] == _LISTENING for row in rows):
            return True
    return False


def _is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
