"""Why a reader that is plugged in cannot be used, or will not behave, and the command that mends it.

Looks at the machine and at what PC/SC says. The only thing that any reader is asked is whether it types like
a keyboard, and only one that PC/SC can ask without a card.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rfid_station.reader.machine import Machine, UsbDevice
from rfid_station.reader.nfc_usb import ACR122U, NFCPY_DEVICES, kernel_driver_of, nfc_devices, unload
from rfid_station.reader.port import ReaderInfo
from rfid_station.reader.signal import answers_escape

ACS, OMNIKEY, IDENTIV, SONY, ELATEC, RF_IDEAS = 0x072F, 0x076B, 0x04E6, 0x054C, 0x09D8, 0x0C27
READER_MAKERS = frozenset({ACS, OMNIKEY, IDENTIV, SONY, ELATEC, RF_IDEAS})
_CCID_MAKERS = frozenset({ACS, OMNIKEY, IDENTIV})
"""Makers whose readers PC/SC drives, if anything does."""

SUSPECTS = frozenset({"scdaemon", "opensc-notify", "pkcs11-register", "ykman", "nfc-eventd", "neard"})
"""Programs that are known to hold readers, by their names in /proc."""
_LETTING_GO = {
    "scdaemon": "gpgconf --kill scdaemon",
    "neard": "sudo systemctl stop neard",
    "pcscd": "sudo systemctl stop pcscd.socket pcscd",
}

_ALLOW_ESCAPE = (
    "sudo sed -i '/ifdDriverOptions/{n;s/0x[0-9A-Fa-f]*/0x0001/}' /etc/libccid_Info.plist"
    " && sudo systemctl restart pcscd"
)
_ASK_HOST_INTERFACE = bytes.fromhex("E000009300")
"""ACR1552U reference manual 1.08, 6.1.14.7."""
_READER_ONLY = 0x01
_HAS_WEDGE = re.compile(r"ACR1(252|55\d)")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is in the way, and what mends it."""

    words: str
    remedy: str


def _readers_in_use() -> list[str]:
    from rfid_station.reader.pcsc import readers_in_use

    return readers_in_use()


def _escape_answer(name: str, escape: bytes) -> bytes:
    from rfid_station.reader.pcsc import escape_answer

    return escape_answer(name, escape)


@dataclass(frozen=True, slots=True)
class Service:
    """What is asked of PC/SC."""

    in_use: Callable[[], list[str]] = field(default=_readers_in_use)
    """Names of the readers whose card another program holds."""
    escape: Callable[[str, bytes], bytes] = field(default=_escape_answer)
    """An escape command to a reader without a card; the answer is empty if it is not taken."""


def diagnose(readers: list[ReaderInfo], machine: Machine, service: Service) -> list[Diagnosis]:
    """Everything that was found about readers beyond what the list of them says."""
    checks = (
        _kept_by_kernel(machine),
        _unseen_by_pcsc(readers, machine),
        _held_by_programs(machine),
        _in_use(machine, service),
        _without_escape(machine),
        _typing(machine),
        _typing_besides(readers, service),
    )
    return [diagnosis for check in checks for diagnosis in check]


def _kept_by_kernel(machine: Machine) -> Iterator[Diagnosis]:
    for device in nfc_devices(machine):
        driver = kernel_driver_of(machine, device)
        if driver is not None:
            for_good = f"echo 'blacklist {driver}' | sudo tee -a /etc/modprobe.d/rfid-station.conf"
            yield Diagnosis(
                f"the kernel's driver {driver} holds {device.name}, so that no program can use it",
                f"{unload(driver)} && {for_good}",
            )


def _unseen_by_pcsc(readers: list[ReaderInfo], machine: Machine) -> Iterator[Diagnosis]:
    """The service knows no reader, and yet one of a maker of PC/SC readers is plugged in."""
    if any(reader.uri.startswith("pcsc:") for reader in readers):
        return
    for device in machine.usb_devices():
        is_for_nfcpy_only = device.ids in NFCPY_DEVICES and device.ids != ACR122U
        is_for_pcsc = device.vendor in _CCID_MAKERS and not is_for_nfcpy_only
        if is_for_pcsc and kernel_driver_of(machine, device) is None:
            package = "libacsccid1" if device.vendor == ACS else "libccid"
            yield Diagnosis(
                f"{device.name} is plugged in, and pcscd does not know it",
                f"sudo apt-get install --yes {package} && sudo systemctl restart pcscd",
            )


def _held_by_programs(machine: Machine) -> Iterator[Diagnosis]:
    for device in _reader_devices(machine):
        for holder in machine.holders(device):
            if not holder.startswith("pcscd "):
                yield Diagnosis(f"{holder} holds {device.name}", _let_go(holder))


def _in_use(machine: Machine, service: Service) -> Iterator[Diagnosis]:
    names = service.in_use()
    if not names:
        return
    suspects = machine.running(SUSPECTS)
    who = suspects[0] if suspects else "another program"
    for name in names:
        yield Diagnosis(f"{who} uses the card on {name}", _let_go(who))


def _without_escape(machine: Machine) -> Iterator[Diagnosis]:
    """ACS readers but the ACR122U beep and blink by escape commands only."""
    if machine.escape_is_allowed() is not False:
        return
    for device in machine.usb_devices():
        if device.vendor == ACS and device.ids != ACR122U:
            yield Diagnosis(
                f"{device.name} cannot beep or blink: the driver's escape commands are switched off",
                _ALLOW_ESCAPE,
            )


def _typing(machine: Machine) -> Iterator[Diagnosis]:
    for device in machine.usb_devices():
        if device.vendor in READER_MAKERS and device.is_keyboard:
            yield Diagnosis(
                f"{device.name} types UIDs into whatever window has the focus (keyboard wedge)",
                "switch it to PC/SC (CCID) only with the maker's own program",
            )


def _typing_besides(readers: list[ReaderInfo], service: Service) -> Iterator[Diagnosis]:
    """ACR1252U and ACR1552U tell their host interface: 01 is a reader and nothing else."""
    for reader in readers:
        if not reader.uri.startswith("pcsc:") or reader.trouble or not _HAS_WEDGE.search(reader.name):
            continue
        answer = service.escape(reader.name, _ASK_HOST_INTERFACE)
        if answers_escape(answer) and answer[-1] != _READER_ONLY:
            yield Diagnosis(
                f"{reader.name} is set to type UIDs like a keyboard",
                "set its host interface to CCID only (escape E0 00 00 93 01 01) with the maker's own program",
            )


def _reader_devices(machine: Machine) -> list[UsbDevice]:
    return [
        device
        for device in machine.usb_devices()
        if device.vendor in READER_MAKERS or device.ids in NFCPY_DEVICES
    ]


def _let_go(holder: str) -> str:
    name, _, number = holder.partition(" ")
    if name in _LETTING_GO:
        return _LETTING_GO[name]
    number = number.strip("()")
    return f"kill {number}" if number.isdecimal() else "end the other program that uses the reader"
