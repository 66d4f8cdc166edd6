"""Opening a reader by its string, and what is said when there is none. Each in a process of its own,
since libpcsclite settles once where it looks for its service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfid_station.errors import WrongCall
from rfid_station.reader.opening import open_reader

NO_SERVICE = {"PCSCLITE_CSOCK_NAME": "/nonexistent/pcscd.comm"}

LIST = """
import json
from rfid_station.reader.opening import list_readers
print(json.dumps([[reader.uri, reader.name, reader.trouble] for reader in list_readers()]))
"""

OPEN = """
import json
from rfid_station.errors import StationError
from rfid_station.reader.opening import open_reader
try:
    open_reader("pcsc:")
except StationError as error:
    print(json.dumps([type(error).__name__, error.message, error.hint]))
"""


def run(code: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **NO_SERVICE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return list(json.loads(done.stdout))


def without_pyscard(folder: Path) -> str:
    (folder / "smartcard").mkdir()
    (folder / "smartcard" / "__init__.py").write_text("raise ImportError('not here')\n")
    return str(folder)


@pytest.mark.parametrize("uri", ["", "pcsc", "sim", "usb:072f:2200", "PCSC:ACS", "reader"])
def test_a_string_of_another_form_is_a_wrong_call_that_lists_the_forms(uri: str) -> None:
    with pytest.raises(WrongCall, match="names no reader") as refused:
        open_reader(uri)

    assert refused.value.hint is not None
    assert "pcsc:NAME" in refused.value.hint
    for form in ("nfc:usb", "nfc:tty:USB0:pn532", "nfc:udp:HOST:PORT", "replay:FILE", "sim:ntag213"):
        assert form in refused.value.hint


def test_without_pcscd_one_line_says_so_and_what_to_do() -> None:
    kind, message, hint = run(OPEN)

    assert kind == "NoReader"
    assert message == "the PC/SC service pcscd does not answer (service not available)"
    assert hint in ("sudo pcscd", "sudo systemctl enable --now pcscd.socket")


def test_without_pcscd_the_list_says_so_and_does_not_raise() -> None:
    ((uri, name, trouble),) = run(LIST)

    assert (uri, name) == ("pcsc:", "PC/SC")
    assert trouble.startswith("the PC/SC service pcscd does not answer (service not available); sudo ")


def test_without_pyscard_the_hint_installs_it(tmp_path: Path) -> None:
    path = without_pyscard(tmp_path) + os.pathsep + str(Path.cwd())

    kind, message, hint = run(OPEN, PYTHONPATH=path)
    ((_, _, trouble),) = run(LIST, PYTHONPATH=path)

    assert (kind, message) == ("NoReader", "PC/SC readers need pyscard, which is not installed")
    assert "libpcsclite-dev" in hint
    assert hint.endswith("pip install pyscard")
    assert trouble == f"{message}; {hint}"


def test_opening_and_listing_virtual_readers_does_not_import_pcsc() -> None:
    code = """
import json, sys
from rfid_station.reader.opening import open_reader, list_readers
open_reader("sim:ntag213")
print(json.dumps([name for name in sys.modules if name.startswith("smartcard")]))
"""

    assert run(code) == []


def test_listing_readers_does_not_import_nfcpy() -> None:
    code = """
import json, sys
from rfid_station.reader.opening import list_readers
list_readers()
print(json.dumps([name for name in ("nfc", "usb1", "serial") if name in sys.modules]))
"""

    assert run(code) == []
