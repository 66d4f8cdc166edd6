"""What the machine says about readers without asking any of them: Linux's /sys, /proc and /etc.

Reading files never takes long and never disturbs a reader. On other systems there is nothing to read, and
so nothing is found. `root` is where those folders hang, for tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KEYBOARD = ("03", "01", "01")
"""Class, subclass and protocol of an interface that types (USB HID 1.11, 4.2 and 4.3)."""
_INTERFACE = re.compile(r"[\d-]+(\.\d+)*:\d+\.\d+")
_OPTIONS = re.compile(r"<key>ifdDriverOptions</key>\s*<string>(0x[0-9A-Fa-f]+)</string>")
_ESCAPE_ALLOWED = 0x0001


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A device on USB, as the kernel knows it."""

    vendor: int
    product: int
    bus: int
    address: int
    name: str
    drivers: frozenset[str] = frozenset()
    """Kernel drivers that hold its interfaces; `usbfs` is a program."""
    is_keyboard: bool = False
    """Whether it types into the window that has the focus."""

    @property
    def ids(self) -> tuple[int, int]:
        """Vendor and product."""
        return self.vendor, self.product

    @property
    def node(self) -> str:
        """The file by which programs use it."""
        return f"/dev/bus/usb/{self.bus:03}/{self.address:03}"


@dataclass(frozen=True, slots=True)
class Machine:
    """A running Linux system."""

    root: Path = Path("/")

    def usb_devices(self) -> list[UsbDevice]:
        """What is plugged into USB, by bus and address."""
        folder = self.root / "sys/bus/usb/devices"
        found = [_usb_device(place) for place in _entries(folder)]
        return sorted((device for device in found if device), key=lambda device: (device.bus, device.address))

    def kernel_modules(self) -> frozenset[str]:
        """Modules that are loaded."""
        lines = _text(self.root / "proc/modules").splitlines()
        return frozenset(line.split()[0] for line in lines if line.strip())

    def holders(self, device: UsbDevice) -> list[str]:
        """Programs that have a device open, as `pcscd (412)`; those of other users show to root only."""
        return [name for number, name in self._programs() if self._has_open(number, device.node)]

    def running(self, names: frozenset[str]) -> list[str]:
        """Which of these programs run, as `scdaemon (733)`."""
        return [name for _, name in self._programs() if name.partition(" ")[0] in names]

    def may_use(self, device: UsbDevice) -> bool:
        """Whether this user may open it."""
        return os.access(self._under_root(device.node), os.R_OK | os.W_OK)

    def escape_is_allowed(self) -> bool | None:
        """Whether libccid passes escape commands on; None if it is not installed."""
        for place in ("etc/libccid_Info.plist", "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist"):
            options = _OPTIONS.search(_text(self.root / place))
            if options:
                return bool(int(options[1], 16) & _ESCAPE_ALLOWED)
        return None

    def _programs(self) -> Iterator[tuple[str, str]]:
        """Process numbers, and names with them; not this process."""
        for place in _entries(self.root / "proc"):
            if place.name.isdecimal() and place.name != str(os.getpid()):
                name = _text(place / "comm").strip()
                if name:
                    yield place.name, f"{name} ({place.name})"

    def _has_open(self, number: str, node: str) -> bool:
        return any(_target(link) == node for link in _entries(self.root / "proc" / number / "fd"))

    def _under_root(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def _usb_device(place: Path) -> UsbDevice | None:
    """The device in a folder of /sys/bus/usb/devices; None for hubs' interfaces and what is half gone."""
    try:
        vendor, product = (int(_text(place / name), 16) for name in ("idVendor", "idProduct"))
        bus, address = (int(_text(place / name)) for name in ("busnum", "devnum"))
    except ValueError:
        return None
    words = [_text(place / name).strip() for name in ("manufacturer", "product")]
    name = " ".join(filter(None, words)) or f"USB device {vendor:04X}:{product:04X}"
    interfaces = [child for child in _entries(place) if _INTERFACE.fullmatch(child.name)]
    drivers = frozenset(Path(_target(child / "driver")).name for child in interfaces) - {""}
    is_keyboard = any(_types(child) for child in interfaces)
    return UsbDevice(vendor, product, bus, address, name, drivers, is_keyboard)


def _types(interface: Path) -> bool:
    fields = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    return tuple(_text(interface / name).strip() for name in fields) == _KEYBOARD


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it is not there or not for us."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _target(link: Path) -> str:
    """Where a symbolic link leads; empty if it is none."""
    try:
        return str(link.readlink())
    except OSError:
        return ""
