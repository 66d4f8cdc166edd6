"""Partners that come to us: invited with a first token of ours."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.desk.partners.agreeing import who_agrees
from rfid_station.desk.partners.hub import check_no_hub
from rfid_station.desk.partners.own_server import us_of
from rfid_station.desk.partners.profiles import DEFAULT, load_partner_profile
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Partner
from rfid_station.domain.partner_profile import Protocol, check_partner_name
from rfid_station.errors import WrongCall
from rfid_station.ocpi.invitation import draw_invitation
from rfid_station.store.partners.registry import server_token_hash


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is handed to a partner by another way than this program, and is not shown again."""

    partner: Partner
    versions_url: str
    first_token: str = field(repr=False)


def invite_partner(
    station: Station,
    name: str,
    agreement: Agreement | None = None,
    profile: str | None = None,
    *,
    witness: str | None = None,
) -> Invitation:
    """Make a first token for a partner that will register with us. The one before is worth nothing any more.

    :param agreement: and `profile`, for a partner that is not known yet; one that is keeps its own
    :param witness: who agrees, where whitelist ALWAYS takes two people
    :raises WrongCall: it cannot have this name, there is no such profile, or the partner has its own
    :raises Conflict: the partner is connected
    :raises MoveNotAllowed: the agreement takes a supervisor, or two people
    """
    first_token = draw_invitation(station.store.database.clock().date())
    hashed = server_token_hash(first_token)
    known = next((partner for partner in station.store.partners.all() if partner.name == name), None)
    if known is None:
        given = load_partner_profile(profile or DEFAULT, station.folder)
        if given.protocol is Protocol.OICP:
            raise WrongCall(
                "nobody is invited by OICP",
                hint=f"rfid-station partner add {name} URL --profile {given.name}",
            )
        check_partner_name(name)
        wanted = agreement or Agreement()
        actor = who_agrees(station, name, Agreement(), wanted, witness)
        partner = station.store.partners.invite(name, hashed, wanted, actor, given)
        return Invitation(partner, us_of(station).versions_url, first_token)
    if profile is not None or agreement is not None:
        raise WrongCall(
            f"partner {name} is known, with an agreement and the profile {known.profile.name}",
            hint=f"rfid-station partner invite {name}, without options",
        )
    check_no_hub(known, "invitations", f"rfid-station partner connect {name}")
    partner = station.store.partners.invite_again(name, hashed, station.actor)
    return Invitation(partner, us_of(station).versions_url, first_token)
