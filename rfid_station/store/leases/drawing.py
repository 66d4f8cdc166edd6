"""Numbers drawn from the desk's own lease, within the change that gives them to cards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, update

from rfid_station.domain.lease import Lease, Leasing
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.leases.rows import lease_of, oldest_given_back, take_out, values_of
from rfid_station.store.tables import lease

if TYPE_CHECKING:
    from rfid_station.store.ledger import Ledger

LEASED = "numbers.leased"
SUBJECT = "numbers"

_OF_DESK = update(lease).where(lease.c.place == bindparam("desk"))
_WRITE = Prepared(_OF_DESK)
_ADVANCE = Prepared(_OF_DESK.values(next_number=bindparam("next")))
_INSERT = Prepared(insert(lease).values(id=next_id(lease)).inline())


class LeasedNumbers:
    """What the desk that makes a change holds: read when a number is first drawn, written when it is settled.

    Whoever makes a change is the only writer: nobody draws meanwhile, not even another program of the desk.
    """

    def __init__(self, ledger: Ledger, leasing: Leasing) -> None:
        self._ledger = ledger
        self._leasing = leasing
        self._lease: Lease | None = None
        self._is_read = False
        self._written: Lease | None = None
        """As its row has it."""
        self._has_changed = False

    def take(self, most: int) -> range:
        """Numbers in a row that the desk holds from now on no more: at most so many, and one at least."""
        held = self.held(most)
        taken = range(held.next, min(held.next + most, held.last + 1))
        self._lease = replace(held, next=taken.stop)
        self._has_changed = True
        return taken

    def held(self, wanted: int = 1) -> Lease:
        """A lease with at least one number left: the desk's own, or a new one that is large enough."""
        if not self._is_read:
            self._lease = self._written = lease_of(self._ledger.connection, self._leasing.place)
            self._is_read = True
        if self._lease is None or not self._lease.left:
            self._lease = self._another(max(self._leasing.size, wanted))
            self._has_changed = True
        return self._lease

    def settle(self) -> None:
        """Write what is left, and lease anew if nothing is: a desk always knows its next number."""
        if not self._has_changed:
            return
        held = self.held()
        connection = self._ledger.connection
        if self._written is None:
            _INSERT.run(connection, values_of(held))
        elif self._written.first == held.first:
            _ADVANCE.run(connection, {"desk": held.place, "next": held.next})
        else:
            _WRITE.run(connection, {"desk": held.place, **values_of(held)})
        self._written = held
        self._has_changed = False
        self._leasing.keep(held)

    def _another(self, size: int) -> Lease:
        """Numbers that were given back, or else the next ones of the store's counter."""
        ledger, place = self._ledger, self._leasing.place
        given_back = oldest_given_back(ledger.connection)
        if given_back:
            take_out(ledger.connection, given_back)
            numbers = range(given_back.next, given_back.last + 1)
        else:
            numbers = ledger.count_off(size)
        ledger.note(LEASED, SUBJECT, place=place, first=numbers[0], last=numbers[-1])
        return Lease(place, numbers[0], numbers[0], numbers[-1], ledger.at, ledger.actor.name)
