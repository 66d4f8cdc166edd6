"""What partners are owed, brought to them: in the background of the desk, or on demand."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rfid_station.desk.partners.contact_book import StoredContact
from rfid_station.desk.partners.hub import is_hub
from rfid_station.desk.partners.hub import receiver_of as hub_receiver
from rfid_station.desk.partners.own_server import partner_reach
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import PartnerRefused, PartnerUnreachable
from rfid_station.ocpi.client import TokensReceiver, open_receiver
from rfid_station.oicp.receiver import HubReceiver, UnreadyHub
from rfid_station.sync.confirmation import Confirmation, PushAnswer
from rfid_station.sync.drive import Replicator
from rfid_station.sync.pace import Timing
from rfid_station.sync.port import Peer
from rfid_station.sync.report import LaneReport, LaneState
from rfid_station.sync.turn import FileTurns, SharedTurns, Turns
from rfid_station.sync.worker import Worker

EVERY_TOKEN = 10_000_000
"""A limit for reading the whole feed."""

_CANNOT_BE_REACHED = (LaneState.DOWN, LaneState.PAUSED, LaneState.BEHIND)


@contextmanager
def replicator(
    station: Station, *, to_read: bool = False, names: Container[str] | None = None
) -> Iterator[Replicator]:
    """Everything that is needed to bring partners to the newest state, its connections open.

    :param to_read: leave out partners that show nothing of what they hold
    :param names: which partners; all with None
    """
    with ExitStack() as connections:
        peers = []
        for partner in station.store.partners.all():
            is_named = names is None or partner.name in names
            is_wanted = is_named and (partner.profile.reads_back or not to_read)
            receiver = _receiver(station, partner) if is_wanted else None
            if receiver:
                connections.callback(receiver.close)
                peers.append(_peer(station, partner, receiver))
        turns = _turns(station, connections)
        yield Replicator(station.store.feed, peers, turns=turns, timing=_timing(station))


def _turns(station: Station, connections: ExitStack) -> Turns:
    """Who speaks to a partner: one of all desks of a server, or of all that share this folder."""
    locks = station.store.database.place.locks()
    if locks is None:
        return FileTurns(station.folder / "locks")
    connections.callback(locks.close)
    return SharedTurns(locks)


def _peer(station: Station, partner: Partner, receiver: TokensReceiver | HubReceiver | UnreadyHub) -> Peer:
    book = StoredContact(station.store.contacts, partner.name)
    return Peer(
        partner.name,
        receiver,
        partner.agreement,
        partner.profile,
        book=book,
    )


def _timing(station: Station) -> Timing:
    """A read-back proves something only when no request of ours can still land on top of it."""
    return Timing(verify_first_s=2 * station.settings.ocpi.timeout_s)


def _receiver(station: Station, partner: Partner) -> TokensReceiver | HubReceiver | UnreadyHub | None:
    if partner.state is not PartnerState.CONNECTED or partner.connection is None or not partner.profile.push:
        return None
    if is_hub(partner):
        return hub_receiver(station, partner)
    return open_receiver(
        partner.connection,
        station.vault.read(partner.client_token_ref),
        station.settings.ocpi.party,
        profile=partner.profile,
        timeout_s=station.settings.ocpi.timeout_s,
        reach=partner_reach(station),
    )


@contextmanager
def background_delivery(station: Station) -> Iterator[Worker]:
    """Bring cards to partners while the block runs, without ever making it wait."""
    with replicator(station) as replication:
        worker = Worker(replication)
        worker.start()
        try:
            with station.store.database.place.listening(worker.wake):
                yield worker
        finally:
            worker.stop()


def deliver(station: Station, deadline_s: float, names: Container[str] | None = None) -> list[LaneReport]:
    """Bring every partner as far as it goes, and say how far that was.

    :param names: which partners; all with None
    """
    with replicator(station, names=names) as replication:
        return replication.run_until_settled(deadline_s)


def push_now(station: Station, token_id: int, deadline_s: float) -> list[Confirmation]:
    """Bring one token to every partner ahead of everything else, and prove it there."""
    with replicator(station) as replication:
        return replication.push_now(token_id, deadline_s)


def prove(station: Station, token_ids: Sequence[int], deadline_s: float) -> list[Confirmation]:
    """Read tokens back from every partner that shows them, and compare. What differs is owed again."""
    with replicator(station, to_read=True) as replication:
        return replication.prove_now(token_ids, deadline_s)


def tokens_of(station: Station, cards: Sequence[Card] | None, partner: str | None = None) -> dict[int, str]:
    """Token ids with the visual numbers of their cards; with None of every card that a partner is to see."""
    if cards is None:
        feed = station.store.feed
        changes = (
            feed.changes_after(partner, 0, Lane.BULK, EVERY_TOKEN)
            if partner
            else feed.own_after(0, Lane.BULK, EVERY_TOKEN)
        )
        return {change.token_id: change.token.visual_number for change in changes}
    found = {station.store.feed.token_id_of(card.id): card.visual_number for card in cards}
    return {token_id: number for token_id, number in found.items() if token_id is not None}


def check_proven(confirmations: Sequence[Confirmation]) -> None:
    """Let it pass that every partner was seen to hold exactly what it should.

    :raises PartnerUnreachable: one could not be asked
    :raises PartnerRefused: one holds something else
    """
    missing = [one for one in confirmations if not one.is_confirmed]
    if not missing:
        return
    words = f"{len(missing)} of {len(confirmations)} are not proven; the first: {missing[0].partner}"
    words += f" {missing[0].answer}, {missing[0].detail}"
    if any(one.answer is PushAnswer.UNREACHABLE for one in missing):
        raise PartnerUnreachable(words, hint="rfid-station sync run, once the partner is back")
    raise PartnerRefused(words, hint="rfid-station sync run")


def standings(station: Station) -> list[LaneReport]:
    """How far each partner is, by the store alone."""
    with replicator(station) as replication:
        return replication.status()


def check_settled(reports: Sequence[LaneReport]) -> None:
    """Let it pass that every partner holds the newest state of every card.

    :raises PartnerUnreachable: one cannot be reached, or did not get done in time
    :raises PartnerRefused: one refuses cards, or us
    """
    behind = [report for report in reports if not report.is_at_rest]
    if not behind:
        return
    words = "; ".join(f"{report.partner} is {report.state}: {report.detail}" for report in behind)
    if any(report.state in _CANNOT_BE_REACHED for report in behind):
        raise PartnerUnreachable(words, hint="rfid-station sync run, once the partner is back")
    raise PartnerRefused(words, hint="rfid-station sync status")
