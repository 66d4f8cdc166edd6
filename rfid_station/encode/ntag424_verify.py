"""What an NTAG 424 DNA must be like in the end, and the comparison with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.chip import ntag424 as chip
from rfid_station.chip.ev2 import authenticate_first
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.messaging import CardStatus, WrongKey, check
from rfid_station.chip.ndef import uri_of_message
from rfid_station.chip.ntag424 import MASTER, FileSettings
from rfid_station.chip.sun import MAC_KEY, META_KEY, SunFile, Tap, read_sun
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.ntag424_keys import SlotKey, sun_keys
from rfid_station.errors import CardLost, ReadBackDiffers

AGAIN = "tap the card again to write it once more, or take another blank"


@dataclass(frozen=True, slots=True)
class EndState:
    """What a card must be like in the end. What is None is not looked at."""

    content: bytes = field(repr=False)
    """The NDEF file from its start."""
    sun: SunFile | None = None
    settings: FileSettings | None = None
    """Of the NDEF file."""
    container: bytes | None = None
    key: KeyRef | None = None
    """The master key of all five keys; None: as delivered."""
    is_closed: bool = False
    """Whether strangers must not be able to write."""

    def lines(self) -> list[str]:
        """For the digest."""
        lines = [f"NDEF={self.content.hex()}", f"key={self.key}", f"closed={self.is_closed}"]
        lines += [f"settings={self.settings.data.hex()}"] if self.settings else []
        return lines + ([f"container={self.container.hex()}"] if self.container else [])


class Look:
    """The comparison of a card with its end state."""

    def __init__(self, uid: CardUid, end: EndState, keys: KeySource | None) -> None:
        self._uid, self._end, self._keys = uid, end, keys

    def as_stranger(self) -> Dialogue[None]:
        """Find the content as a phone does, the settings, and that writing is refused."""
        end = self._end
        yield from chip.select_application()
        if end.container is not None:
            container = yield from chip.read_data(chip.CONTAINER, 0, len(end.container))
            self._compare("its capability container", check(container, "ReadData"), end.container)
        if end.settings is not None:
            settings = yield from chip.get_file_settings(chip.NDEF)
            self._compare("the settings of its NDEF file", settings.data, end.settings.data)
        yield from chip.select_ndef_file()
        first = yield from self._read_content()
        if end.is_closed:
            yield from self._try_to_write()
        if end.sun is not None:
            self._compare_taps(first, (yield from self._read_again()))

    def with_keys(self) -> Dialogue[None]:
        """Prove key 0, and ask in that session for the versions of the others.

        A chip takes a key and its version at once and checks the key by a CRC, and its answer has a MAC: a
        right version is a right key. It costs one exchange for each key, and authentication would cost two.
        What made a right proof needs no asking.
        """
        end = self._end
        if end.key is None and not end.settings:
            return
        master = SlotKey(MASTER, end.key)
        try:
            session = yield from authenticate_first(master.open(self._keys, self._uid), MASTER)
        except WrongKey as wrong:
            raise ReadBackDiffers(
                f"key 0 of card {self._uid.masked} is not the {master}", hint=AGAIN
            ) from wrong
        proven = {META_KEY, MAC_KEY} if end.sun else set()
        for number in sorted({1, 2, 3, 4} - proven):
            version = yield from chip.get_key_version(number, session)
            wanted = SlotKey(number, end.key).version
            self._compare(f"the version of key {number}", bytes([version]), bytes([wanted]))

    def _read_content(self) -> Dialogue[bytes]:
        found = b""
        while len(found) < len(self._end.content):
            size = min(len(self._end.content) - len(found), chip.LONGEST_READ)
            part = yield from chip.read_binary(len(found), size)
            found += part
            if len(part) != size:
                break
        self._compare_content(found)
        return found

    def _read_again(self) -> Dialogue[bytes]:
        """Read it by the chip's own command, which counts as another tap and needs no selected file."""
        found = check((yield from chip.read_data(chip.NDEF, 0, len(self._end.content))), "ReadData")
        self._compare_content(found)
        return found

    def _compare_content(self, found: bytes) -> None:
        static = self._end.sun.without_proof(found) if self._end.sun else found
        self._compare("its NDEF file", static, self._end.content)

    def _try_to_write(self) -> Dialogue[None]:
        """Try as a stranger to write what is there already, so that nothing is spoilt where it works."""
        answer = yield from chip.update_binary(0, self._end.content[:2])
        if answer.status == CardStatus.NONE:
            raise CardLost(
                "the card was silent when it was to refuse a write", hint="lay it flat on the reader"
            )
        if answer.status == CardStatus.ISO_OK:
            raise ReadBackDiffers(
                f"everybody can still write to the NDEF file of card {self._uid.masked}", hint=AGAIN
            )

    def _compare_taps(self, first: bytes, second: bytes) -> None:
        """Compare two reads of a link with proof: both must be right, and the counter must rise."""
        if first == second:
            raise ReadBackDiffers(
                f"the link of card {self._uid.masked} is the same at every tap: it has no proof", hint=AGAIN
            )
        if self._keys is None or self._end.key is None:
            return
        candidates = [sun_keys(self._keys, self._end.key)]
        counts = [self._count(read_sun(_link_of(content), candidates)) for content in (first, second)]
        if counts[0] >= counts[1]:
            raise ReadBackDiffers(
                f"card {self._uid.masked} counted its taps {counts[0]} and then {counts[1]}", hint=AGAIN
            )

    def _count(self, tap: Tap | None) -> int:
        if tap is None or tap.uid != self._uid:
            raise ReadBackDiffers(
                f"the proof in the link of card {self._uid.masked} is not made with {self._end.key}",
                hint=AGAIN,
            )
        return tap.counter

    def _compare(self, what: str, found: bytes, wanted: bytes) -> None:
        if found != wanted:
            raise ReadBackDiffers(
                f"{what} of card {self._uid.masked} reads {found.hex(' ').upper() or 'nothing'}, "
                f"and {wanted.hex(' ').upper()} was written",
                hint=AGAIN,
            )


def _link_of(content: bytes) -> str:
    return uri_of_message(content[2:]) or ""
