"""A partner that is let go loses every card first, so that none charges on by a list that nobody corrects."""

from __future__ import annotations

from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.station import Station
from rfid_station.domain.partner import Partner
from rfid_station.errors import StillPending


def withdraw_all(station: Station, name: str, wait_s: float) -> None:
    """Withdraw every card from a connected partner, and let it pass when the partner has taken all back.

    Whatever else its agreement says is not in force from the first call on; another call goes on with it.

    :raises Conflict: the partner is not connected
    :raises StillPending: it still may accept some cards
    """
    partner = station.store.partners.get(name)
    if not partner.is_ending:
        partner = station.store.partners.begin_ending(name, station.actor)
    if partner.profile.push:
        _check_settled(station, partner, wait_s)
    else:
        _check_read(station, partner)


def _check_settled(station: Station, partner: Partner, wait_s: float) -> None:
    reports = deliver(station, wait_s, {partner.name})
    if station.store.feed.standing(partner.name).is_settled:
        return
    owed = station.store.feed.owed(partner.name)
    number = owed.urgent + owed.others
    why = "; ".join(report.detail for report in reports)
    raise StillPending(
        f"{partner.name} may still accept {number} card{'' if number == 1 else 's'}, and stays connected"
        f" until it has taken them back: {why}",
        hint=f"rfid-station partner disconnect {partner.name} again, or with --keep-cards",
    )


def _check_read(station: Station, partner: Partner) -> None:
    unread = station.store.contacts.unread(partner.name)
    if not unread.urgent + unread.others:
        return
    raise StillPending(
        f"{partner.name} reads our list by itself, and has not read since its cards were withdrawn",
        hint=f"rfid-station partner disconnect {partner.name} after its next pull, or with --keep-cards",
    )
