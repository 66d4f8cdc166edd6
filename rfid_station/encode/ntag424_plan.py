"""The plan for one NTAG 424 DNA: its steps in one session with key 0, and its end."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip import ntag424 as chip
from rfid_station.chip.aes import AesKey
from rfid_station.chip.ev2 import authenticate_first
from rfid_station.chip.exchange import AskUid, Dialogue, Restart
from rfid_station.chip.messaging import CommandRefused, Disturbed, twice
from rfid_station.chip.ntag424 import MASTER
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.ntag424_keys import SlotKey
from rfid_station.encode.ntag424_steps import ChangeKey, Ntag424Step, Talk
from rfid_station.encode.ntag424_verify import AGAIN, EndState, Look
from rfid_station.encode.plan import check_same_card, digest_of
from rfid_station.errors import CardDefective, ReadBackDiffers

NEW_BLANK = "put this card aside and take another blank"


@dataclass(frozen=True, slots=True)
class Ntag424Plan:
    """What will be done to one card."""

    uid: CardUid
    steps: tuple[Ntag424Step, ...]
    end: EndState
    opener: SlotKey | None
    """Key 0 as it is now; None where no key is needed."""

    @property
    def digest(self) -> str:
        """Names the wanted end state."""
        return digest_of(self.uid, self.end.lines())

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Do every step in one session, after making sure that the planned card is still there."""
        if not self.steps:
            return
        # A key that is missing must be missed before anything is written.
        opened = {slot: slot.open(keys, self.uid) for slot in self._slots()}
        check_same_card(self.uid, (yield AskUid()))
        try:
            talk = yield from self._begin(opened)
            for step in self.steps:
                talk = yield from self._do(step, talk)
        except CommandRefused as refused:
            raise CardDefective(f"card {self.uid.masked}: {refused.message}", hint=NEW_BLANK) from refused

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Compare the card with its end state after a field reset; the first difference is named."""
        try:
            yield from twice(lambda: self._compare(keys))
        except CommandRefused as refused:
            raise ReadBackDiffers(f"card {self.uid.masked}: {refused.message}", hint=AGAIN) from refused

    def _compare(self, keys: KeySource | None) -> Dialogue[None]:
        check_same_card(self.uid, (yield Restart()))
        look = Look(self.uid, self.end, keys)
        yield from look.as_stranger()
        if keys is not None or self.end.key is None:
            yield from look.with_keys()

    def _slots(self) -> set[SlotKey]:
        changes = [step for step in self.steps if isinstance(step, ChangeKey)]
        slots = {slot for change in changes for slot in (change.now, change.new)}
        return slots | {self.opener} if self.opener else slots

    def _begin(self, keys: dict[SlotKey, AesKey]) -> Dialogue[Talk]:
        return (yield from twice(lambda: self._open(keys)))

    def _open(self, keys: dict[SlotKey, AesKey]) -> Dialogue[Talk]:
        yield from chip.select_application()
        if self.opener is None:
            return Talk(keys)
        return Talk(keys, (yield from authenticate_first(keys[self.opener], MASTER)))

    def _do(self, step: Ntag424Step, talk: Talk) -> Dialogue[Talk]:
        """Do a step, and once more in a new session if it is refused."""
        try:
            yield from step.run(talk)
        except (CommandRefused, Disturbed):
            talk = yield from self._begin(talk.keys)
            try:
                yield from step.run(talk)
            except Disturbed as refused:
                raise CardDefective(
                    f"card {self.uid.masked} twice: {refused.message}", hint=NEW_BLANK
                ) from refused
        return talk
