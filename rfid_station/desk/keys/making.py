"""Master keys are made and rotated: by two people, where people sign in."""

from __future__ import annotations

from collections.abc import Sequence

from rfid_station.desk.keys.ring import components_to_key
from rfid_station.desk.people.two_people import agreed
from rfid_station.desk.station import Station
from rfid_station.domain.key import KeyRef


def make_key(
    station: Station,
    name: str,
    components: Sequence[str] = (),
    *,
    next_version: bool = False,
    witness: str | None = None,
) -> KeyRef:
    """Make a master key, or one more version of it; its name once it is kept for good.

    :param components: of a key ceremony, as `desk.keys.components_to_key` takes them; without any, the key
        is drawn by chance
    :param witness: who agrees, where that takes two people
    :raises MoveNotAllowed: nobody else agrees, or neither of the two is a supervisor
    :raises Conflict: there is a key of this name already
    :raises KeyUnavailable: a next version is wanted of a key that is not there
    """
    key = components_to_key(list(components)) if components else None
    actor = agreed(station, witness, f"{'rotate' if next_version else 'make'} key {name}")
    ref = station.cupboard.add(name, key, next_version=next_version)
    station.store.audit.append(actor, "key.made", f"key:{ref}")
    return ref


def change_passphrase(station: Station, new: str) -> None:
    """Seal the key ring with another passphrase.

    :raises KeyUnavailable: it does not open with the one before
    """
    actor = station.actor
    station.cupboard.change_passphrase(new)
    station.store.audit.append(actor, "keys.passphrase_changed", "keys")
