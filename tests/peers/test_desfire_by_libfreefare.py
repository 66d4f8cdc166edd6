"""libfreefare's own AES and EV1 messages judge the virtual DESFire, over libnfc and a virtual PN532."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_void_p
from typing import Any

import pytest

from rfid_station.simulator.chips import new_card
from rfid_station.simulator.readers.pn532_pty import VirtualPn532

UID = bytes.fromhex("04E10CDA993C80")
ZERO, KEY, OTHER = bytes(16), bytes(range(16)), bytes(range(16, 32))
AID = 0xF05645
PLAIN, MAC, FULL = 0, 1, 3

Call = Callable[..., int]


class Freefare:
    """The one tag on the reader, as libfreefare sees it. Each call must succeed."""

    def __init__(self, path: str) -> None:
        self._nfc = ctypes.CDLL("libnfc.so.6")
        self._lib = ctypes.CDLL("libfreefare.so.0")
        for name in ("nfc_open",):
            getattr(self._nfc, name).restype = c_void_p
        for name in (
            "freefare_get_tags",
            "mifare_desfire_aid_new",
            "mifare_desfire_aes_key_new_with_version",
        ):
            getattr(self._lib, name).restype = c_void_p
        self._lib.mifare_desfire_des_key_new.restype = c_void_p
        for name in ("mifare_desfire_write_data_ex", "mifare_desfire_read_data_ex"):
            getattr(self._lib, name).restype = ctypes.c_ssize_t
        self._context = c_void_p()
        self._nfc.nfc_init(byref(self._context))
        self._device = c_void_p(self._nfc.nfc_open(self._context, c_char_p(f"pn532_uart:{path}".encode())))
        assert self._device
        self._tags = self._lib.freefare_get_tags(self._device)
        self.tag = c_void_p(ctypes.cast(self._tags, POINTER(c_void_p))[0])
        self.call("connect")

    def call(self, name: str, *arguments: Any) -> int:
        result: int = getattr(self._lib, f"mifare_desfire_{name}")(self.tag, *arguments)
        assert result >= 0, name
        return result

    def refused(self, name: str, *arguments: Any) -> int:
        """Call what the card must refuse; its status."""
        assert getattr(self._lib, f"mifare_desfire_{name}")(self.tag, *arguments) < 0, name
        return int(self._lib.mifare_desfire_last_picc_error(self.tag))

    def aid(self) -> c_void_p:
        return c_void_p(self._lib.mifare_desfire_aid_new(c_uint32(AID)))

    def aes(self, key: bytes, version: int = 0) -> c_void_p:
        return c_void_p(self._lib.mifare_desfire_aes_key_new_with_version(key, c_uint8(version)))

    def des(self) -> c_void_p:
        return c_void_p(self._lib.mifare_desfire_des_key_new(bytes(8)))

    def version(self, number: int) -> int:
        version = c_uint8()
        self.call("get_key_version", c_uint8(number), byref(version))
        return version.value

    def uid(self) -> str:
        text = c_char_p()
        self.call("get_card_uid", byref(text))
        return (text.value or b"").decode()

    def write(self, number: int, data: bytes, mode: int) -> None:
        written = self.call(
            "write_data_ex", c_uint8(number), c_size_t(0), c_size_t(len(data)), data, c_int(mode)
        )
        assert written == len(data)

    def read(self, number: int, size: int, mode: int) -> bytes:
        room = ctypes.create_string_buffer(size + 64)
        got = self.call("read_data_ex", c_uint8(number), c_size_t(0), c_size_t(size), room, c_int(mode))
        return room.raw[:got]

    def close(self) -> None:
        self._lib.mifare_desfire_disconnect(self.tag)
        self._lib.freefare_free_tags(c_void_p(self._tags))
        self._nfc.nfc_close(self._device)
        self._nfc.nfc_exit(self._context)


@pytest.fixture(params=["desfire-ev1", "desfire-ev3"])
def card(request: pytest.FixtureRequest) -> Iterator[Freefare]:
    with VirtualPn532() as module:
        module.insert(new_card(request.param, UID))
        freefare = Freefare(module.path)
        yield freefare
        freefare.close()


def test_libfreefare_personalises_a_charging_application(card: Freefare) -> None:
    card.call("create_application_aes", card.aid(), c_uint8(0x0B), c_uint8(3))
    card.call("select_application", card.aid())
    card.call("authenticate", c_uint8(0), card.aes(ZERO))
    for number, mode in ((1, PLAIN), (2, MAC), (3, FULL)):
        rights = c_uint16(0x2100)
        card.call("create_std_data_file", c_uint8(number), c_uint8(mode), rights, c_uint32(100))
    card.call("change_key", c_uint8(1), card.aes(KEY, 0x11), card.aes(ZERO))
    card.call("change_key", c_uint8(2), card.aes(OTHER, 0x12), card.aes(ZERO))
    assert (card.version(1), card.version(2)) == (0x11, 0x12)
    assert card.uid() == UID.hex()
    card.call("change_key_settings", c_uint8(0x09))
    card.call("change_key", c_uint8(0), card.aes(KEY, 0x10), c_void_p())

    card.call("authenticate", c_uint8(1), card.aes(KEY))
    content = bytes(range(100))
    for number, mode in ((1, PLAIN), (2, MAC), (3, FULL)):
        card.write(number, content, mode)
    card.call("authenticate", c_uint8(2), card.aes(OTHER))
    for number, mode in ((1, PLAIN), (2, MAC), (3, FULL)):
        assert card.read(number, 100, mode) == content
    assert card.refused("authenticate", c_uint8(0), card.aes(ZERO)) == 0xAE
    card.call("authenticate", c_uint8(0), card.aes(KEY))
    card.call("change_file_settings", c_uint8(3), c_uint8(PLAIN), c_uint16(0xEEE0))
    card.call("select_application", card.aid())
    assert card.read(3, 100, PLAIN) == content


def test_libfreefare_takes_the_master_key_to_aes_and_back(card: Freefare) -> None:
    card.call("authenticate", c_uint8(0), card.des())
    card.call("change_key", c_uint8(0), card.aes(KEY, 0x42), c_void_p())
    assert card.version(0) == 0x42
    card.call("authenticate", c_uint8(0), card.aes(KEY))
    assert card.uid() == UID.hex()
    card.call("create_application_aes", card.aid(), c_uint8(0x0B), c_uint8(1))
    card.call("format_picc")
    assert card.refused("select_application", card.aid()) == 0xA0
    card.call("authenticate", c_uint8(0), card.aes(KEY))
    card.call("change_key", c_uint8(0), card.des(), c_void_p())
    card.call("authenticate_iso", c_uint8(0), card.des())
    assert card.uid() == UID.hex()
