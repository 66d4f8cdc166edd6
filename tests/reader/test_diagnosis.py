"""What doctor finds about readers: on machines made of files, and with a PC/SC service of our own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rfid_station.desk import checkup
from rfid_station.desk.checkup import Finding, Level, check_up
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.reader import nfc_usb, opening
from rfid_station.reader.diagnosis import Service, diagnose
from rfid_station.reader.machine import Machine
from rfid_station.reader.nfc_usb import nfc_readers
from rfid_station.reader.opening import list_readers
from rfid_station.reader.port import ReaderInfo

PN532_BOARD, ACR122U, ACR1552U, RC_S380 = "04cc:2533", "072f:2200", "072f:2308", "054c:06c3"
QUIET = Service(in_use=list, escape=lambda _name, _escape: b"")
PCSC = ReaderInfo("pcsc:ACS ACR1552 PICC 00 00", "ACS ACR1552 PICC 00 00")


class Box:
    """A machine in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Machine(root)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def link(self, path: str, target: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def plug(self, ids: str, name: str = "Reader", *, driver: str = "", keyboard: bool = False) -> None:
        vendor, product = ids.split(":")
        port = f"1-{len(self.machine.usb_devices()) + 1}"
        place = f"sys/bus/usb/devices/{port}"
        values = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": f"{port[2:]}"}
        for file, value in {**values, "manufacturer": "Maker", "product": name}.items():
            self.write(f"{place}/{file}", value + "\n")
        interface = f"{place}/{port}:1.0"
        kind = ("03", "01", "01") if keyboard else ("0b", "00", "00")
        names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
        for file, value in zip(names, kind, strict=True):
            self.write(f"{interface}/{file}", value + "\n")
        if driver:
            self.link(f"{interface}/driver", f"../../../bus/usb/drivers/{driver}")
        self.write(f"dev/bus/usb/001/00{port[2:]}", "")

    def load(self, *modules: str) -> None:
        self.write("proc/modules", "".join(f"{name} 40960 0 - Live 0x0\n" for name in modules))

    def run(self, number: int, name: str, *opened: str) -> None:
        self.write(f"proc/{number}/comm", name + "\n")
        for descriptor, target in enumerate(opened):
            self.link(f"proc/{number}/fd/{descriptor}", target)

    def allow_escape(self, options: str) -> None:
        self.write(
            "etc/libccid_Info.plist",
            f"<dict>\n\t<key>ifdDriverOptions</key>\n\t<string>{options}</string>\n</dict>\n",
        )


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def found(
    box: Box, readers: list[ReaderInfo] | None = None, service: Service = QUIET
) -> list[tuple[str, str]]:
    given = [PCSC] if readers is None else readers
    return [(one.words, one.remedy) for one in diagnose(given, box.machine, service)]


def test_a_machine_without_files_has_no_readers_and_no_trouble(box: Box) -> None:
    assert box.machine.usb_devices() == []
    assert nfc_readers(box.machine) == []
    assert found(box, []) == []


def test_half_a_device_and_odd_files_are_passed_over(box: Box) -> None:
    box.write("sys/bus/usb/devices/1-0:1.0/bInterfaceClass", "09")
    box.write("sys/bus/usb/devices/1-9/idVendor", "072f")
    box.write("sys/bus/usb/devices/1-8/idVendor", "what")
    box.write("proc/modules", "\n\n")
    box.write("proc/77/comm", "")

    assert box.machine.usb_devices() == []
    assert found(box) == []


def test_readers_for_nfcpy_are_listed_with_the_string_that_opens_them(box: Box) -> None:
    box.plug("1d6b:0002", "Hub")
    box.plug(RC_S380)
    box.plug(ACR122U)

    assert nfc_readers(box.machine) == [
        ReaderInfo("nfc:usb:001:002", "Sony RC-S380 by nfcpy"),
        ReaderInfo("nfc:usb:001:003", "ACS ACR122U by nfcpy"),
    ]
    assert list_readers(box.machine)[-2:] == nfc_readers(box.machine)


def test_a_reader_without_nfcpy_says_what_installs_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfc_usb, "find_spec", lambda _name: None)
    box.plug(RC_S380)

    assert nfc_readers(box.machine)[0].trouble == "needs nfcpy; pip install 'rfid-station[nfc]'"


@pytest.mark.parametrize(
    ("ids", "driver", "unloading"),
    [
        (ACR122U, "pn533_usb", "sudo modprobe -r pn533_usb pn533 nfc"),
        (PN532_BOARD, "pn533_usb", "sudo modprobe -r pn533_usb pn533 nfc"),
        (RC_S380, "port100", "sudo modprobe -r port100 nfc_digital nfc"),
    ],
)
@pytest.mark.parametrize("is_bound", [True, False], ids=["bound", "only loaded"])
def test_a_kernel_driver_that_holds_a_reader_is_named(
    box: Box, ids: str, driver: str, unloading: str, is_bound: bool
) -> None:
    box.load("snd", driver)
    box.plug(ids, driver=driver if is_bound else "")

    ((words, remedy),) = found(box)
    assert words == f"the kernel's driver {driver} holds Maker Reader, so that no program can use it"
    assert remedy.startswith(f"{unloading} && echo 'blacklist {driver}'")
    assert nfc_readers(box.machine)[0].trouble == f"the kernel's driver {driver} holds it; {unloading}"


def test_a_kernel_driver_that_is_loaded_and_does_not_hold_the_reader_is_none(box: Box) -> None:
    box.load("pn533_usb")
    box.plug(PN532_BOARD, driver="usbfs")

    assert found(box) == []


def test_the_program_that_holds_a_reader_is_named_with_what_ends_it(box: Box) -> None:
    box.plug(PN532_BOARD, "PN533")
    box.run(412, "pcscd", "/dev/null")
    box.run(733, "nfc-poll", "/dev/null", "/dev/bus/usb/001/001")

    assert found(box) == [("nfc-poll (733) holds Maker PN533", "kill 733")]
    assert nfc_readers(box.machine)[0].trouble == "nfc-poll (733) holds it"


def test_pcscd_is_the_one_to_hold_readers_and_nfcpy_is_told_so(box: Box) -> None:
    box.plug(ACR122U)
    box.run(412, "pcscd", "/dev/bus/usb/001/001")

    assert found(box) == []
    assert str(nfc_readers(box.machine)[0].trouble).startswith("pcscd drives it")


def test_this_process_is_no_other_program(box: Box) -> None:
    box.plug(PN532_BOARD)
    box.run(os.getpid(), "rfid-station", "/dev/bus/usb/001/001")

    assert found(box) == []


def test_a_device_this_user_may_not_open_is_said(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.plug(PN532_BOARD)
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert str(nfc_readers(box.machine)[0].trouble).startswith("this user may not open /dev/bus/usb/001/001")


@pytest.mark.parametrize(
    ("programs", "words", "remedy"),
    [
        (["scdaemon"], "scdaemon (700) uses the card on ACR", "gpgconf --kill scdaemon"),
        (["bash"], "another program uses the card on ACR", "end the other program that uses the reader"),
        (["opensc-notify"], "opensc-notify (700) uses the card on ACR", "kill 700"),
    ],
)
def test_a_card_that_another_program_uses_is_found_with_the_usual_suspects(
    box: Box, programs: list[str], words: str, remedy: str
) -> None:
    for number, name in enumerate(programs, start=700):
        box.run(number, name)

    assert found(box, service=Service(lambda: ["ACR"], QUIET.escape)) == [(words, remedy)]


@pytest.mark.parametrize(("options", "is_off"), [("0x0000", True), ("0x0001", False), ("0x0005", False)])
def test_escape_commands_that_are_off_are_found_where_a_reader_needs_them(
    box: Box, options: str, is_off: bool
) -> None:
    box.allow_escape(options)
    box.plug(ACR1552U, "ACR1552U")
    box.plug(ACR122U)

    told = found(box)

    assert bool(told) is is_off
    if told:
        ((words, remedy),) = told
        assert words == "Maker ACR1552U cannot beep or blink: the driver's escape commands are switched off"
        assert "s/0x[0-9A-Fa-f]*/0x0001/" in remedy
        assert "systemctl restart pcscd" in remedy


def test_the_remedy_for_escape_does_what_it_says(box: Box) -> None:
    box.allow_escape("0x0000")
    box.plug(ACR1552U)
    ((_, remedy),) = found(box)
    command = remedy.split(" && ")[0].removeprefix("sudo ").replace("/etc/", f"{box.root}/etc/")

    assert os.system(command) == 0
    assert box.machine.escape_is_allowed() is True


def test_a_reader_that_is_a_keyboard_is_found(box: Box) -> None:
    box.plug("413c:2113", "Real Keyboard", keyboard=True)
    box.plug("076b:5427", "OMNIKEY 5427", keyboard=True)

    ((words, remedy),) = found(box)
    assert words == "Maker OMNIKEY 5427 types UIDs into whatever window has the focus (keyboard wedge)"
    assert remedy


@pytest.mark.parametrize(
    ("answer", "is_wedge"), [("E10000000101", False), ("E10000000102", True), ("", False), ("6A81", False)]
)
def test_an_acr1552u_is_asked_whether_it_types(box: Box, answer: str, is_wedge: bool) -> None:
    asked: list[tuple[str, str]] = []

    def escape(name: str, command: bytes) -> bytes:
        asked.append((name, command.hex().upper()))
        return bytes.fromhex(answer)

    sam = ReaderInfo("pcsc:ACS ACR1552 SAM", "ACS ACR1552 SAM", "a slot for chip modules")
    told = found(box, [PCSC, sam, ReaderInfo("pcsc:Other", "Other")], Service(list, escape))

    assert asked == [(PCSC.name, "E000009300")]
    assert bool(told) is is_wedge


def test_a_reader_that_pcscd_does_not_know_wants_another_driver(box: Box) -> None:
    box.plug(ACR122U, "ACR122U")
    box.plug("04e6:5591", "SCL3711")

    assert found(box, []) == [
        (
            "Maker ACR122U is plugged in, and pcscd does not know it",
            "sudo apt-get install --yes libacsccid1 && sudo systemctl restart pcscd",
        )
    ]


# ------------------------------------------------------------------- through doctor


def doctor(box: Box) -> list[Finding]:
    findings = check_up(box.root / "station", Actor("Tess", Role.CLERK), box.machine)
    return [finding for finding in findings if finding.what == "reader"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[ReaderInfo]], None]:
    def install(readers: list[ReaderInfo]) -> None:
        monkeypatch.setattr(opening, "_pcsc_readers", lambda: readers)
        monkeypatch.setattr(checkup, "Service", lambda: QUIET)

    return install


def test_doctor_shows_each_reader_and_each_trouble_with_its_remedy(
    box: Box, service: Callable[[list[ReaderInfo]], None]
) -> None:
    service([PCSC, ReaderInfo("pcsc:SAM", "SAM", "a slot for chip modules: no card is tapped here")])
    box.allow_escape("0x0000")
    box.plug(ACR1552U, "ACR1552U")
    box.load("pn533_usb")
    box.plug(PN532_BOARD, "PN533", driver="pn533_usb")

    told = [(finding.level, finding.words, finding.remedy or "") for finding in doctor(box)]

    assert told[0] == (Level.OK, f"{PCSC.name} ({PCSC.uri})", "")
    assert told[1] == (
        Level.WARNING,
        "SAM (pcsc:SAM): a slot for chip modules: no card is tapped here",
        "",
    )
    assert told[2][1] == "NXP PN533 by nfcpy (nfc:usb:001:002): the kernel's driver pn533_usb holds it"
    assert told[2][2] == "sudo modprobe -r pn533_usb pn533 nfc"
    assert [level for level, _, _ in told[3:]] == [Level.WARNING] * 2
    assert json.dumps(told)


def test_doctor_without_readers_says_so(box: Box, service: Callable[[list[ReaderInfo]], None]) -> None:
    service([])

    assert [finding.words for finding in doctor(box)] == ["no reader is plugged in"]


def test_doctor_names_a_service_that_is_not_there_with_what_starts_it(
    box: Box, service: Callable[[list[ReaderInfo]], None]
) -> None:
    service([ReaderInfo("pcsc:", "PC/SC", "the PC/SC service pcscd does not answer (no); sudo pcscd")])

    (finding,) = doctor(box)

    assert finding.words == "PC/SC (pcsc:): the PC/SC service pcscd does not answer (no)"
    assert finding.remedy == "sudo pcscd"
