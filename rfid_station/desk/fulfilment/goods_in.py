"""Blanks that came in: the maker's list read, and a sample looked at before cards are made of them.

A good sample releases its lot, a bad one holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from rfid_station.chip.catalogue import type2_chips
from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity, Originality
from rfid_station.chip.originality import must_be_signed, read_originality
from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.rows import Kind
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station, all_profiles
from rfid_station.domain.nearest import nearest
from rfid_station.domain.profile import ANY_CHIP, Freshness
from rfid_station.domain.stock import Delivery, Lot, LotState, Sample
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardLost, CardRefused, MoveNotAllowed, NoCard, WrongCall
from rfid_station.reader.absence import Say, attended
from rfid_station.reader.port import Reader
from rfid_station.reader.signal import signal


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one tap of a sample."""

    taken: int
    wanted: int
    words: str
    is_good: bool
    counts: bool = True
    """Whether it was a blank of the sample; not so for one that left, or that was tapped before."""


@dataclass(frozen=True, slots=True)
class MakersList:
    """A file with the UIDs that a maker says are in a lot."""

    path: Path
    form: UidForm = UidForm.AS_IS
    tell: Callable[[Finding], None] = lambda _finding: None
    """Told of everything that is found in it."""


def chip_name(station: Station, wanted: str) -> str:
    """The name of a chip as `card read` tells it.

    :raises WrongCall: no chip is called that
    """
    profiles = {chip for profile in all_profiles(station.folder) for chip in profile.chips}
    known = ({chip.name for chip in type2_chips()} | profiles) - {ANY_CHIP}
    for name in known:
        if _plain(name) == _plain(wanted):
            return name
    raise WrongCall(
        f"no chip is called {wanted!r}", hint=f"{nearest(wanted, known)}rfid-station card read tells a card's"
    )


def receive(
    station: Station,
    name: str,
    supplier: str,
    chip: str,
    quantity: int,
    *,
    place: str | None = None,
    makers_list: MakersList | None = None,
) -> Lot:
    """Book blanks that came in; they are held until their sample is good.

    :param place: where they lie; by default at this desk
    :raises Conflict: there is a lot of that name, or a UID of its list is known already
    :raises WrongCall: something that was said of them cannot be, or the list cannot be read
    """
    chip = chip_name(station, chip)
    uids = read_list(makers_list, chip) if makers_list else ()
    where = place or station.settings.desk.place
    return station.store.stock.receive(Delivery(name, supplier, chip, quantity, where, uids), station.actor)


def read_list(makers_list: MakersList, chip: str) -> tuple[str, ...]:
    """The UIDs of a maker's list, as `batch check` reads it. Nothing is turned by itself.

    :raises WrongCall: the list is wrong, or of another chip
    """
    with open_table(makers_list.path) as table:
        check = Check(table, Wish("", makers_list.form))
        if check.survey.kind is not Kind.CARDS:
            raise WrongCall(
                f"{table.name} lists no UIDs", hint="give it a column uid; docs/batch.md lists the titles"
            )
        for finding in check.survey.findings:
            check.count.add(finding)
            makers_list.tell(_as_here(finding))
        uids = []
        for row in check.rows():
            for finding in row.findings:
                makers_list.tell(finding)
            if row.entry and row.entry.uid:
                _check_row(row.entry.chip, chip, f"{table.name} row {row.number}")
                uids.append(row.entry.uid.hex)
        if check.count.errors:
            raise WrongCall(
                f"nothing was received: {table.name} has errors in {check.count.errors} places",
                hint=f"rfid-station batch check {table.name}",
            )
    return tuple(uids)


@dataclass(slots=True)
class Sampling:
    """The sample of one lot, blank after blank."""

    station: Station
    lot: Lot
    wanted: int
    tell: Callable[[Looked], None] = lambda _looked: None
    say: Say = lambda _words, _hint: None
    """Told of what concerns no blank: that the reader went away, and that it is back."""
    bad: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    """UIDs, and cards that have none, by what is wrong with them."""

    @property
    def taken(self) -> int:
        """How many blanks were looked at."""
        return len(self._seen)

    def run(self, reader: Reader, stop: Callable[[], bool]) -> Lot:
        """Look at what comes onto the reader until the sample is whole; the lot as it stands then.

        :raises CardRefused: a blank is not as it should be, and the lot is held
        :raises NoCard: too few blanks came
        :raises MoveNotAllowed: a sample was bad before, so that a supervisor has to decide
        """

        def is_over() -> bool:
            return stop() or self.taken >= self.wanted

        for link in attended(reader, is_over, self.say):
            looked = self._look(link)
            signal(reader, ok=looked.is_good)
            self.tell(looked)
        return self._settle()

    def _look(self, link: CardLink) -> Looked:
        try:
            identity = run(link, read_originality(run(link, identify(link.seen, self.station.roots))))
        except CardLost as lost:
            return self._said(lost.message, is_good=False, counts=False)
        except CardRefused as refused:
            return self._judged(f"{refused.message} {self.taken}", refused.message)
        if identity.uid.hex in self._seen:
            return self._said("that one was looked at already", is_good=False, counts=False)
        return self._judged(identity.uid.hex, self._wrong_with(identity))

    def _judged(self, key: str, wrong: str | None) -> Looked:
        self._seen.add(key)
        if wrong:
            self.bad.append(wrong)
        return self._said(wrong or "as it should be", is_good=wrong is None)

    def _said(self, words: str, *, is_good: bool, counts: bool = True) -> Looked:
        return Looked(self.taken, self.wanted, words, is_good, counts)

    def _wrong_with(self, identity: Identity) -> str | None:
        """What is not as it should be, without the UID; None if all is."""
        return (
            self._known_card(identity.uid)
            or _wrong_chip(identity, self.lot.chip)
            or self._wrong_uid(identity.uid)
            or _wrong_content(identity)
        )

    def _known_card(self, uid: CardUid) -> str | None:
        card = self.station.store.cards.living(uid)
        return f"is card {card.visual_number} already, and {card.state}" if card else None

    def _wrong_uid(self, uid: CardUid) -> str | None:
        stock = self.station.store.stock
        listed = stock.lot_of_uids([uid.hex]).get(uid.hex)
        if listed not in (None, self.lot.name):
            return f"is a blank of lot {listed}, by the maker's list"
        if listed is None and stock.has_list(self.lot.id):
            return "is not in the maker's list"
        return None

    def _settle(self) -> Lot:
        sample = Sample(self.wanted, self.taken, tuple(self.bad))
        lot = self.station.store.stock.note_sample(self.lot.id, sample, self.station.actor)
        again = f"rfid-station stock sample {lot.name}"
        if self.bad:
            raise CardRefused(
                f"lot {lot.name} is held: {lot.state_reason}",
                hint=f"send it back, or look again: {again}",
            )
        if not sample.is_good:
            raise NoCard(f"{self.taken} of {self.wanted} blanks were looked at, and no more come", hint=again)
        if lot.state is LotState.HELD:
            raise MoveNotAllowed(
                f"the sample is good, and lot {lot.name} stays held, since one was bad: {lot.state_reason}",
                hint=f"rfid-station --role supervisor stock release {lot.name} --reason WORDS",
            )
        return lot


def _wrong_chip(identity: Identity, chip: str) -> str | None:
    if identity.refusal:
        return f"is a {identity.name}: {identity.refusal}"
    if identity.name != chip:
        return f"is a {identity.name}, and not a {chip}"
    if identity.originality is Originality.FORGED:
        return f"is not genuine: {identity.notes[-1]}"
    if identity.originality is Originality.NONE and must_be_signed(chip):
        return f"is not genuine: {identity.notes[-1]}"
    return None


def _wrong_content(identity: Identity) -> str | None:
    if identity.state and identity.state.freshness is not Freshness.BLANK:
        return f"is no blank: it carries {identity.state.link or 'data of somebody else'}"
    return None


def _as_here(finding: Finding) -> Finding:
    """With the remedy as `stock receive` calls it: what `batch` calls --uids is another option here."""
    return replace(finding, remedy=finding.remedy.replace("--uids", "--uid-form"))


def _check_row(said: str, chip: str, where: str) -> None:
    if said and _plain(said) != _plain(chip):
        raise WrongCall(
            f"{where} says {said}, and the lot is of {chip}", hint="add --chip with the right one"
        )


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "").replace("-", "")
