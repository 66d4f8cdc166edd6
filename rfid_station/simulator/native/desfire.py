"""MIFARE DESFire EV1, EV2, EV3 and Light, as far as cards for charging need them.

Sources: the functional specification MIFARE DESFire EV1 (M134034) in extracts, NT4H2421Gx (rev. 3.0) for the
EV2 messages that both share, and libfreefare and Proxmark3 as second sources.

Modelled: applications, standard and backup files, D40, EV1 and EV2 secure messaging, file access by
ISO/IEC 7816-4, SetConfiguration option 00 (no format, random ID), Read_Sig. Not modelled: value and record
files, transaction MAC, key sets and ChangeKeyEV2, delegated applications, two applications at a time,
proximity check, Virtual Card, other options of SetConfiguration. Those commands are answered as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from rfid_station.simulator.card import State
from rfid_station.simulator.native.cipher import Algorithm, Cipher, crc16, crc32
from rfid_station.simulator.native.commands import ALL_AUTHENTICATIONS, EV1_AUTHENTICATIONS, Command, Reply
from rfid_station.simulator.native.desfire_files import VirtualDesfireFiles
from rfid_station.simulator.native.desfire_memory import (
    FREE_CREATION,
    FREE_LISTING,
    MASTER_CHANGEABLE,
    PICC,
    SETTINGS_CHANGEABLE,
    StoredKey,
    new_application,
)
from rfid_station.simulator.native.secure_messaging import Mode, Refusal, Status

_MOST_KEYS = 14
_MOST_APPLICATIONS = 28
"""Of EV1; its successors have as many as there is room for."""
_ANY_KEY, _NO_KEY = 0xE, 0xF
_NO_FORMAT, _RANDOM_ID = 0x01, 0x02
_UNKNOWN_LAYOUT = 0x10
"""A third byte of key settings follows (key sets): not modelled."""

_SIGNATURES = {
    bytes.fromhex("042A41CAE45380"): (
        "B2769F8DDB575AEA2A680ADCA8FFED4FAB81A1E9908E2B82FE0FABB697BBD9B2"
        "3835C416970E75768F12902ACA491349E94E6589EAF4F508"
    ),
    bytes.fromhex("04448BD2DB6B80"): (
        "5CBB5632795C8F15263FEFB095B51C7B541AFD914A1AE44EF6FB8AF605EDF13D"
        "BFEE6C3A2DB372245E671DFE0D42CB1F0D0B8FE67A89D2F6"
    ),
}
"""Published pairs, of an EV2 and of an EV3: the only UIDs whose originality signature is genuine here."""
EV2_SAMPLE_UID, EV3_SAMPLE_UID = _SIGNATURES


@dataclass(frozen=True, slots=True)
class DesfireModel:
    """What tells the generations apart."""

    name: str
    hardware: str
    software: str
    capacity: int
    """Bytes that GetFreeMemory tells of an empty card."""
    is_first: bool = False
    """EV1: no EV2 messages, no AD and 8D, no Read_Sig, 28 applications."""
    has_random_id: bool = False


_EV3 = DesfireModel("MIFARE DESFire EV3", "04010133001605", "04010103001605", 2560)

MODELS = {
    "desfire-ev1": DesfireModel(
        "MIFARE DESFire EV1", "04010101001805", "04010101041805", 4864, is_first=True
    ),
    "desfire-ev2": DesfireModel("MIFARE DESFire EV2", "04010112001805", "04010102011805", 5120),
    "desfire-ev3": _EV3,
    "desfire": _EV3,
    "random": replace(_EV3, name="MIFARE DESFire EV3 with random ID", has_random_id=True),
    "duox": DesfireModel("MIFARE DUOX", "040101A0001A05", "040101A0001A05", 8192),
}


class VirtualDesfire(VirtualDesfireFiles):
    """A DESFire as delivered. Only the sample UIDs have a genuine signature; others show 56 bytes 00."""

    full_name: ClassVar[str] = "MIFARE DESFire"

    def __init__(self, chip: str, uid: bytes) -> None:
        self.model = MODELS[chip]
        super().__init__(chip, uid, self.model.capacity)
        self.hardware, self.software = self.model.hardware, self.model.software
        self.authentications = EV1_AUTHENTICATIONS if self.model.is_first else ALL_AUTHENTICATIONS
        self.has_random_id = self._shows_random_id = self.model.has_random_id
        self.is_format_disabled = False

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return self.model.name

    @property
    def signature(self) -> bytes:
        """What Read_Sig answers."""
        return bytes.fromhex(_SIGNATURES.get(self._uid, "00" * 56))

    def state(self) -> State:
        """Applications and configuration."""
        return super().state() | {"format_disabled": self.is_format_disabled}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.is_format_disabled = state["format_disabled"]

    def _commands(self) -> dict[int, Command]:
        full = Mode.FULL
        known = {
            0x60: Command(self._get_version, (0,)),
            0x51: Command(self._get_card_uid, (0,), answer=full),
            0x6E: Command(self._get_free_memory, (0,)),
            0x5C: Command(self._set_configuration, mode=full, header=1),
            0xFC: Command(self._format, (0,)),
            0xCA: Command(self._create_application),
            0xDA: Command(self._delete_application, (3,)),
            0x6A: Command(self._list_applications, (0,)),
            0x6D: Command(self._list_names, (0,)),
            0x5A: Command(self._select_application, (3,), mode=Mode.PLAIN),
            0x45: Command(self._get_key_settings, (0,)),
            0x54: Command(self._change_key_settings, (1,), mode=full, header=0),
            0x64: Command(self._get_key_version, (1,)),
            0xC4: Command(self._change_key, mode=Mode.CRYPTOGRAM, header=1),
        }
        if not self.model.is_first:
            known[0x3C] = Command(self._read_signature, (1,))
        return known | self._file_commands(has_long=not self.model.is_first)

    # The card as a whole

    def _get_free_memory(self, _data: bytes) -> Reply:
        return Reply((self.capacity - self.taken).to_bytes(3, "little"))

    def _read_signature(self, data: bytes) -> Reply:
        if data != b"\x00":
            raise Refusal(Status.PARAMETER)
        return Reply(self.signature, Status.SIGNATURE)

    def _set_configuration(self, data: bytes) -> Reply:
        self._check_picc_level()
        self._check_master()
        if data[:1] != b"\x00":
            raise Refusal(Status.PARAMETER)
        if len(data) != 2:
            raise Refusal(Status.LENGTH)
        self.is_format_disabled = self.is_format_disabled or bool(data[1] & _NO_FORMAT)
        self.has_random_id = self.has_random_id or bool(data[1] & _RANDOM_ID)
        self.changes += 1
        return Reply()

    def _format(self, _data: bytes) -> Reply:
        """Delete all applications and win their memory back; the master key stays (M134034, 9.4.6)."""
        self._check_picc_level()
        self._check_master()
        if self.is_format_disabled:
            raise Refusal(Status.PERMISSION_DENIED)
        self.applications = {PICC: self.applications[PICC]}
        self.taken = 0
        self.changes += 1
        return Reply()

    # Applications

    def _create_application(self, data: bytes) -> Reply:
        self._check_picc_level()
        if not 5 <= len(data) <= 23 or len(data) == 6:
            raise Refusal(Status.LENGTH)
        if not self.applications[PICC].allows(FREE_CREATION):
            self._check_master()
        identifier, settings, layout = data[:3], data[3], data[4]
        self._check_new_application(identifier, layout, data[5:7], data[7:])
        application = new_application(settings, layout, data[5:7], data[7:])
        if self.model.is_first and len(self.applications) > _MOST_APPLICATIONS:
            raise Refusal(Status.COUNT)
        self._take_room(application.room)
        self.applications[identifier] = application
        self.changes += 1
        return Reply()

    def _check_new_application(self, identifier: bytes, layout: int, fid: bytes, name: bytes) -> None:
        is_unknown = layout & _UNKNOWN_LAYOUT or layout & 0xC0 == 0xC0
        if identifier == PICC or is_unknown or not 1 <= layout & 0x0F <= _MOST_KEYS:
            raise Refusal(Status.PARAMETER)
        others = self.applications.values()
        is_taken = identifier in self.applications or (
            fid and any(fid == other.identifier for other in others)
        )
        if is_taken or (name and any(name == other.name for other in others)):
            raise Refusal(Status.DUPLICATE)

    def _delete_application(self, data: bytes) -> Reply:
        """The memory is not won back before FormatPICC."""
        if data == PICC:
            raise Refusal(Status.PARAMETER)
        if data not in self.applications:
            raise Refusal(Status.APPLICATION_NOT_FOUND)
        is_own = self._application_id == data and self.applications[PICC].allows(FREE_CREATION)
        if self._application_id != PICC and not is_own:
            raise Refusal(Status.AUTHENTICATION)
        self._check_master()
        del self.applications[data]
        self.changes += 1
        if is_own:
            self._enter(PICC)
        return Reply()

    def _list_applications(self, _data: bytes) -> Reply:
        self._check_picc_level()
        self._check_listing()
        return Reply(b"".join(identifier for identifier in self.applications if identifier != PICC))

    def _list_names(self, _data: bytes) -> Reply:
        """One application a frame: identifier, ISO identifier, name."""
        self._check_picc_level()
        self._check_listing()
        named = [
            identifier + application.identifier + application.name
            for identifier, application in self.applications.items()
            if application.name
        ]
        return Reply(b"".join(named), frames=tuple(len(entry) for entry in named[:-1]))

    def _select_application(self, data: bytes) -> Reply:
        if data not in self.applications:
            raise Refusal(Status.APPLICATION_NOT_FOUND)
        self._enter(data)
        return Reply()

    # Keys

    def _key(self, number: int) -> Cipher:
        if number >= len(self._application.keys):
            raise Refusal(Status.NO_SUCH_KEY)
        return self._application.cipher(number)

    def _get_key_settings(self, _data: bytes) -> Reply:
        self._check_listing()
        return Reply(bytes([self._application.settings, self._application.layout]))

    def _change_key_settings(self, data: bytes) -> Reply:
        self._check_master()
        if not self._application.allows(SETTINGS_CHANGEABLE):
            raise Refusal(Status.PERMISSION_DENIED)
        self._application.settings = data[0]
        self.changes += 1
        return Reply()

    def _get_key_version(self, data: bytes) -> Reply:
        number = data[0]
        if number >= len(self._application.keys):
            raise Refusal(Status.NO_SUCH_KEY)
        return Reply(bytes([self._application.keys[number].version]))

    def _change_key(self, data: bytes) -> Reply:
        number, algorithm = self._key_to_change(data[0])
        session = self._session
        if session is None:
            raise Refusal(Status.AUTHENTICATION)
        self._check_may_change(number, session.key_number)
        is_own = number == session.key_number
        new, version = self._new_key(data[0], data[1:], algorithm, None if is_own else number)
        application = self._application
        application.keys[number] = StoredKey(new, version)
        if self._application_id == PICC:
            application.layout = application.layout & 0x3F | algorithm
        self.changes += 1
        if is_own:
            self._forget()
        return Reply()

    def _key_to_change(self, number: int) -> tuple[int, Algorithm]:
        """The number of the key; at the level of the card its high bits say what cipher it will be for."""
        application = self._application
        if self._application_id != PICC:
            if number >= len(application.keys):
                raise Refusal(Status.NO_SUCH_KEY)
            return number, application.algorithm
        if number & 0x3F:
            raise Refusal(Status.NO_SUCH_KEY)
        if number & 0xC0 == 0xC0:
            raise Refusal(Status.PARAMETER)
        return 0, Algorithm(number & 0xC0)

    def _check_may_change(self, number: int, authenticated: int) -> None:
        """Who may change which key (M134034, 9.3.4)."""
        changer = self._application.change_key
        if number == 0:
            if not self._application.allows(MASTER_CHANGEABLE):
                raise Refusal(Status.PERMISSION_DENIED)
            needed = 0
        elif changer == _NO_KEY:
            raise Refusal(Status.PERMISSION_DENIED)
        elif changer == _ANY_KEY:
            needed = number
        else:
            needed = 0 if changer == number else changer
        if authenticated != needed:
            raise Refusal(Status.AUTHENTICATION)

    def _new_key(
        self, named: int, body: bytes, algorithm: Algorithm, masked: int | None
    ) -> tuple[bytes, int]:
        """Take a new key out of its cryptogram: key, version of an AES key, check sums, zeros.

        `masked` is the number of the key it was combined with by XOR, if it is not the own one.
        """
        size = algorithm.key_size + (1 if algorithm is Algorithm.AES else 0)
        plain, rest = body[:size], body[size:]
        if len(plain) != size or self._session is None:
            raise Refusal(Status.LENGTH)
        key = plain[: algorithm.key_size]
        if masked is not None:
            key = bytes(a ^ b for a, b in zip(key, self._application.keys[masked].raw, strict=True))
        if not _is_right(rest, self._checksums(named, plain, None if masked is None else key)):
            raise Refusal(Status.INTEGRITY)
        return key, plain[-1] if algorithm is Algorithm.AES else _des_version(key)

    def _checksums(self, named: int, plain: bytes, masked_key: bytes | None) -> bytes:
        session = self._session
        if session is None or not session.has_checksums:
            return b"" if masked_key is None else crc32(masked_key)
        if self._uses_short_checksums:
            return crc16(plain) + (b"" if masked_key is None else crc16(masked_key))
        whole = crc32(bytes([0xC4, named]) + plain)
        return whole + (b"" if masked_key is None else crc32(masked_key))

    # Permission

    def _check_picc_level(self) -> None:
        if self._application_id != PICC:
            raise Refusal(Status.PERMISSION_DENIED)

    def _check_listing(self) -> None:
        if not self._application.allows(FREE_LISTING):
            self._check_master()


class VirtualDesfireLight(VirtualDesfireFiles):
    """MIFARE DESFire Light: it says what it is, and nothing can be done to it without keys (MF2DL(H)x0).

    Its fixed file system and its keys are not modelled.
    """

    full_name = "MIFARE DESFire Light"
    ats = bytes.fromhex("067777710280")
    hardware = "04080130001305"
    software = "04080100021305"
    takes_native_frames = False
    frame_size = 0

    _NAMES = (bytes.fromhex("A00000039656434103F015400000000B"), bytes.fromhex("D2760000850100"))

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid, 640)
        self.authentications = ()

    def _commands(self) -> dict[int, Command]:
        return {0x60: Command(self._get_version, (0,)), 0x3C: Command(self._read_signature, (1,))}

    def _read_signature(self, _data: bytes) -> Reply:
        return Reply(bytes(56), Status.SIGNATURE)

    def _key(self, _number: int) -> Cipher:
        raise Refusal(Status.NO_SUCH_KEY)

    def _is_name(self, name: bytes) -> bool:
        return name in self._NAMES


def _is_right(rest: bytes, checksums: bytes) -> bool:
    """Whether the check sums stand there, and nothing but padding behind them."""
    return rest.startswith(checksums) and not rest[len(checksums) :].strip(b"\x00")


def _des_version(key: bytes) -> int:
    """The parity bits of the first eight bytes are the version of a DES key."""
    return int("".join(str(byte & 1) for byte in key[:8]), 2)
