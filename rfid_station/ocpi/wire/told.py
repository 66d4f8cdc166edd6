"""A token as one partner is told it: every value as the text that will stand in JSON.

Here the partner's profile has its say (byte order, case, padding, separators); a version's mapper only
knows the names of fields.
"""

from __future__ import annotations

from typing import NamedTuple

from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.partner_profile import (
    STANDARD,
    ContractStyle,
    LetterCase,
    PartnerProfile,
    UidOrder,
)
from rfid_station.domain.token import Token
from rfid_station.domain.uid import CardUid, masked
from rfid_station.errors import WrongCall
from rfid_station.ocpi.wire.transport import date_time


class ToldToken(NamedTuple):
    """The values of a Token object, before a version gives them names."""

    country_code: str
    party_id: str
    uid: str
    type: str
    contract_id: str
    visual_number: str | None
    issuer: str
    group_id: str | None
    valid: bool
    whitelist: str
    language: str | None
    last_updated: str

    @property
    def masked_uid(self) -> str:
        """Enough of the UID to tell two cards apart."""
        return masked(self.uid)

    @property
    def is_plain(self) -> bool:
        """Whether it is certainly within the limits of every version: then no model has to be asked.

        Printable ASCII that is no longer than CiString and string may be is legal in all of them. Whatever
        is not plain may be legal still: that is for the version's model to say.
        """
        group, number, language = self.group_id, self.visual_number or "", self.language
        text = f"{self.country_code}{self.party_id}{self.uid}{self.contract_id}{self.issuer}{number}"
        text += f"{group or ''}{language or ''}"
        return (
            text.isascii()
            and text.isprintable()
            and len(self.country_code) == 2
            and len(self.party_id) == 3
            and 0 < len(self.uid) <= 36
            and 0 < len(self.contract_id) <= 36
            and len(self.issuer) <= 64
            and len(number) <= 64
            and (group is None or 0 < len(group) <= 36)
            and (language is None or len(language) == 2)
        )


def tell(token: Token, profile: PartnerProfile = STANDARD) -> ToldToken:
    """Write a token's values as a partner wants them.

    :raises WrongCall: the partner's chargers cannot read a UID of this length
    """
    if len(token.uid.raw) not in profile.uid_sizes:
        sizes = ", ".join(map(str, profile.uid_sizes))
        raise WrongCall(
            f"token {token.uid.masked} has a UID of {len(token.uid.raw)} bytes; "
            f"partners of profile {profile.name} read {sizes}",
            hint="give the driver a card of another kind for this partner",
        )
    return write_out(token, profile)


def write_out(token: Token, profile: PartnerProfile = STANDARD) -> ToldToken:
    """The same for a token that the partner names itself: its chargers have read that UID."""
    return ToldToken(
        token.party.country_code,
        token.party.party_id,
        uid_text(token.uid, profile),
        str(token.type),
        contract_text(token.contract_id, profile.contract),
        token.visual_number or None,
        token.issuer,
        token.group_id,
        token.valid,
        str(token.whitelist),
        token.language,
        date_time(token.last_updated),
    )


def uid_text(uid: CardUid, profile: PartnerProfile = STANDARD) -> str:
    """A UID in a partner's byte order, case and length."""
    raw = uid.raw[::-1] if profile.uid_order is UidOrder.REVERSED else uid.raw
    digits = raw.hex().rjust(profile.uid_digits, "0")
    return digits.upper() if profile.uid_case is LetterCase.UPPER else digits


def contract_text(contract: ContractId, style: ContractStyle = ContractStyle.DASHES) -> str:
    """A contract ID with or without separators and check digit."""
    if style is ContractStyle.DASHES:
        return str(contract)
    return contract.compact + (contract.check if style is ContractStyle.COMPACT else "")
