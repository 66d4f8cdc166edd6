"""The plan for one Type 2 tag: write its steps, and prove the end as a stranger and with its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rfid_station.chip import type2
from rfid_station.chip.catalogue import Guard, Type2Chip
from rfid_station.chip.exchange import AskUid, Dialogue, Restart
from rfid_station.chip.ultralight_keys import prove_3des, prove_aes
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import check_same_card, digest_of
from rfid_station.encode.type2_steps import Expected, Step, secret_of
from rfid_station.errors import CardDefective, ReadBackDiffers

_ASIDE = "put this card aside and take another blank"


@dataclass(frozen=True, slots=True)
class Type2Plan:
    """What will be done to one tag. `expected` is what every page that matters must read in the end."""

    uid: CardUid
    chip: Type2Chip
    steps: tuple[Step, ...]
    expected: tuple[Expected, ...] = field(repr=False)
    content: tuple[Expected, ...] = field(default=(), repr=False)
    """What must be there before anything is done that nobody can undo."""
    key: KeyRef | None = None
    """What the card is guarded by in the end, if it is."""
    login: KeyRef | None = None
    """What opens the card before its first step, if it must be opened."""
    closed_page: int | None = None
    """A page that no stranger must be able to write in the end."""

    @property
    def digest(self) -> str:
        """Names the wanted end state."""
        end = [str(page) for page in self.expected]
        if self.key is not None and self.chip.guard is not None:
            end.append(f"key {self.key}/{self.chip.guard.slot}")
        return digest_of(self.uid, end)

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Do every step, after making sure that the planned card is still there.

        Before the first step that nobody can undo, what it would keep for ever is read back.
        """
        if not self.steps:
            return
        check_same_card(self.uid, (yield AskUid()))
        if self.login is not None and not (yield from opens(self.uid, self.chip, self.login, keys)):
            raise CardDefective(
                f"card {self.uid.masked} does not open with its key {self.login} any more", hint=_ASIDE
            )
        is_checked = False
        for step in self.steps:
            if step.is_irreversible and not is_checked:
                yield from self._compare(self.content)
                is_checked = True
            yield from type2.write(step.page, step.content(self.uid, keys))

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Compare the card with its plan after a field reset, then try to change it, then open it."""
        check_same_card(self.uid, (yield Restart()))
        closed = () if self.closed_page is None else (self.closed_page,)
        found = yield from self._compare(self.expected, closed)
        for page in closed:
            yield from self._check_closed(page, found[page])
        if self.key is not None and keys is not None:
            check_same_card(self.uid, (yield Restart()))
            yield from self._check_opens(self.key, keys)

    def _compare(
        self, expected: tuple[Expected, ...], also: Iterable[int] = ()
    ) -> Dialogue[dict[int, bytes]]:
        """Read what is expected, and other pages beside it; the first difference is named."""
        found = yield from type2.read_pages(self.chip, {*also, *(page.page for page in expected)})
        for page in expected:
            if not page.holds(found[page.page]):
                raise ReadBackDiffers(
                    f"page {page.page:02X} of card {self.uid.masked} reads {_hex(found[page.page])}, "
                    f"and {_hex(page.data)} was written",
                    hint="tap the card again to write it once more, or take another blank",
                )
        return found

    def _check_closed(self, page: int, found: bytes) -> Dialogue[None]:
        """Write the same bytes once more as a stranger: nothing is lost if the card takes them."""
        if not (yield from type2.is_refused(page, found)):
            raise ReadBackDiffers(
                f"page {page:02X} of card {self.uid.masked} can be written by anybody", hint=_ASIDE
            )

    def _check_opens(self, key: KeyRef, keys: KeySource) -> Dialogue[None]:
        if not (yield from opens(self.uid, self.chip, key, keys)):
            raise ReadBackDiffers(f"card {self.uid.masked} does not open with its key {key}", hint=_ASIDE)


def opens(uid: CardUid, chip: Type2Chip, key: KeyRef, keys: KeySource | None) -> Dialogue[bool]:
    """Tell whether a card's own password or key opens it. Tried twice, so that no noise on the way decides.

    :raises CardLost: the card left
    :raises KeyUnavailable: the key is not in the ring
    """
    if chip.guard is None:
        return False
    secret = secret_of(uid, key, chip.guard.slot, keys)
    if (yield from _log_in(chip.guard, secret)):
        return True
    yield from type2.restart(uid)
    if (yield from _log_in(chip.guard, secret)):
        return True
    yield from type2.restart(uid)
    return False


def _log_in(guard: Guard, secret: bytes) -> Dialogue[bool]:
    if guard.kind == "3des":
        return (yield from prove_3des(secret))
    if guard.kind == "aes":
        return (yield from prove_aes(secret))
    password, acknowledge = guard.secrets
    return (
        yield from type2.log_in(password.data(secret), acknowledge.data(secret)[: len(acknowledge.order)])
    )


def _hex(data: Iterable[int]) -> str:
    return bytes(data).hex(" ").upper()
