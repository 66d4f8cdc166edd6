"""A print service of the tests' own: a real cupsd on a socket in a folder, with a queue of CUPS-PDF.

Nothing else on the machine is touched or asked. CUPS-PDF writes what nobody's home is for into
/var/spool/cups-pdf/ANONYMOUS, where only root may run it; whoever is not root gets a queue that ends in
a file instead, behind the same filters of CUPS.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CUPS_PDF = Path("/usr/lib/cups/backend/cups-pdf")
DRIVER = Path("/usr/share/ppd/cups-pdf/CUPS-PDF_noopt.ppd")
ANONYMOUS = Path("/var/spool/cups-pdf/ANONYMOUS")
PATIENCE_S = 60.0

SERVICE = """
LogLevel debug
Listen {folder}/cups.sock
Browsing Off
WebInterface No
DefaultAuthType None
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order allow,deny
    Allow all
  </Limit>
</Policy>
"""

FILES = """
ServerRoot {folder}
RequestRoot {folder}/spool
CacheDir {folder}/cache
StateDir {folder}/state
TempDir {folder}/tmp
AccessLog {folder}/access.log
ErrorLog {folder}/error.log
PageLog {folder}/page.log
FileDevice Yes
"""


@dataclass(frozen=True)
class Cups:
    folder: Path
    environment: dict[str, str]

    def queue(self, name: str) -> None:
        device = "cups-pdf:/" if os.geteuid() == 0 else f"file://{self.folder}/out/{name}.ps"
        self._said("lpadmin", "-p", name, "-E", "-v", device, "-P", str(DRIVER))

    def printed(self, title: str, queue: str) -> bytes:
        """What came out of a queue as PDF."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            finished = self._said("lpstat", "-W", "completed", "-o", queue)
            if queue in finished and not self._said("lpstat", "-o", queue):
                break
            time.sleep(0.05)
        if os.geteuid() == 0:
            found = sorted(ANONYMOUS.glob(f"{title}*.pdf"))
            assert found, (self.folder / "error.log").read_text(errors="replace")[-4000:]
            try:
                return found[-1].read_bytes()
            finally:
                for file in found:
                    file.unlink()
        document = self.folder / "out" / f"{queue}.ps"
        self._said("ps2pdf", str(document), str(document.with_suffix(".pdf")))
        return document.with_suffix(".pdf").read_bytes()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other test runs waiting: CUPS-PDF names its files by their titles alone."""
        place = os.open(ANONYMOUS, os.O_RDONLY) if ANONYMOUS.is_dir() else os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX)
            yield
        finally:
            os.close(place)

    def log(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")

    def _said(self, program: str, *arguments: str) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def private_cups() -> Iterator[Cups]:
    folder = Path(tempfile.mkdtemp(prefix="cups-", dir="/tmp"))  # a socket's path has to be short
    cupsd = shutil.which("cupsd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert cupsd, "cupsd is not here: run `make setup`"
    folder.chmod(0o755)  # filters run as another user
    for name in ("spool", "cache", "state", "tmp", "out"):
        (folder / name).mkdir()
        (folder / name).chmod(0o1777 if name in ("tmp", "out") else 0o755)
    for name, text in (("cupsd.conf", SERVICE), ("cups-files.conf", FILES)):
        (folder / name).write_text(text.format(folder=folder))
    with (folder / "out.log").open("wb") as out:
        service = subprocess.Popen(
            [cupsd, "-f", "-c", f"{folder}/cupsd.conf", "-s", f"{folder}/cups-files.conf"],
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / "cups.sock").exists():
            assert service.poll() is None, (folder / "out.log").read_text()
            assert time.monotonic() < deadline, "cupsd does not start"
            time.sleep(0.02)
        yield Cups(folder, {"CUPS_SERVER": f"{folder}/cups.sock", "CUPS_USER": "rfid-station-test"})
    finally:
        service.terminate()
        service.wait(PATIENCE_S)
        shutil.rmtree(folder, ignore_errors=True)
