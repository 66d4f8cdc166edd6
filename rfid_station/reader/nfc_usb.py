"""USB readers that nfcpy can drive, found without nfcpy and without opening any of them."""

from __future__ import annotations

from importlib.util import find_spec

from rfid_station.reader.machine import Machine, UsbDevice
from rfid_station.reader.port import ReaderInfo

ACR122U = (0x072F, 0x2200)

NFCPY_DEVICES = {
    (0x054C, 0x0193): "Sony PN531",
    (0x04CC, 0x0531): "SCM SCL3710",
    (0x04CC, 0x2533): "NXP PN533",
    (0x04E6, 0x5591): "SCM SCL3711",
    (0x04E6, 0x5593): "SCM SCL3712",
    (0x054C, 0x02E1): "Sony RC-S330",
    (0x054C, 0x06C1): "Sony RC-S380",
    (0x054C, 0x06C3): "Sony RC-S380",
    ACR122U: "ACS ACR122U",
}
"""Vendor and product on USB, as nfcpy's documentation lists its supported devices."""

KERNEL_DRIVERS = {
    "pn533_usb": "pn533_usb pn533 nfc",
    "pn533": "pn533 nfc",
    "port100": "port100 nfc_digital nfc",
}
"""Drivers that keep a reader for the kernel, and what has to be unloaded with them."""

INSTALL_NFCPY = "pip install 'rfid-station[nfc]'"


def nfc_devices(machine: Machine) -> list[UsbDevice]:
    """Readers for nfcpy that are plugged in."""
    return [device for device in machine.usb_devices() if device.ids in NFCPY_DEVICES]


def nfc_readers(machine: Machine) -> list[ReaderInfo]:
    """The same with the string that opens each, and what stands in the way."""
    return [_info(machine, device) for device in nfc_devices(machine)]


def has_nfcpy() -> bool:
    """Whether nfcpy is installed. It is not loaded."""
    return find_spec("nfc") is not None


def kernel_driver_of(machine: Machine, device: UsbDevice) -> str | None:
    """The kernel's driver that holds a reader, if one does.

    /sys names the driver; where it does not, a loaded module is taken for it unless a program has the reader.
    """
    bound = sorted(device.drivers & KERNEL_DRIVERS.keys())
    if bound:
        return bound[0]
    wanted = "port100" if device.vendor == 0x054C and device.product >= 0x06C0 else "pn533_usb"
    is_loaded = wanted in machine.kernel_modules()
    return wanted if is_loaded and not device.drivers and not machine.holders(device) else None


def unload(driver: str) -> str:
    """The command that takes a reader from the kernel, until the next start."""
    return f"sudo modprobe -r {KERNEL_DRIVERS[driver]}"


def _info(machine: Machine, device: UsbDevice) -> ReaderInfo:
    uri = f"nfc:usb:{device.bus:03}:{device.address:03}"
    return ReaderInfo(uri, f"{NFCPY_DEVICES[device.ids]} by nfcpy", _trouble(machine, device))


def _trouble(machine: Machine, device: UsbDevice) -> str | None:
    driver = kernel_driver_of(machine, device)
    if driver is not None:
        return f"the kernel's driver {driver} holds it; {unload(driver)}"
    if not has_nfcpy():
        return f"needs nfcpy; {INSTALL_NFCPY}"
    holders = machine.holders(device)
    if any(name.startswith("pcscd ") for name in holders):
        return "pcscd drives it: use its pcsc: name, or sudo systemctl stop pcscd.socket pcscd"
    if holders:
        return f"{holders[0]} holds it"
    if not machine.may_use(device):
        return f"this user may not open {device.node}: write a rule in /etc/udev/rules.d"
    return None
