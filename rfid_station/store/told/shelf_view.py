"""What one partner may see of our tokens, as SQL for those who read the file themselves: `store.told.shelf`.

A partner that gets everything as it is reads the table itself, one that gets some groups a part of it, and
one whose agreement has changed a subquery with the same columns. What it sees is said by `store.told.sight`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ClauseElement, Connection, Row, True_, false, null, select, true, union_all
from sqlalchemy.engine.default import DefaultDialect

from rfid_station.domain.token import Token, Whitelist
from rfid_station.store.tables import token, withdrawn
from rfid_station.store.told.sight import Sight, is_covered

_BOTH = DefaultDialect(paramstyle="qmark", supports_native_boolean=True)

_AS_THEY_ARE = (
    "id",
    "card_id",
    "created_seq",
    "uid",
    "type",
    "country_code",
    "party_id",
    "issuer",
)
_PRESENTED = (
    "revision",
    "contract_id",
    "visual_number",
    "group_id",
    "whitelist",
    "language",
    "valid",
    "last_updated",
)
_AS_TAKEN = {
    "revision": withdrawn.c.revision,
    "contract_id": withdrawn.c.contract_id,
    "visual_number": withdrawn.c.visual_number,
    "whitelist": withdrawn.c.whitelist,
    "valid": false(),
    "last_updated": withdrawn.c.last_updated,
}
"""What is told of a withdrawn token. The rest is nobody's business any more."""


@dataclass(frozen=True, slots=True)
class View:
    """One partner's view of the tokens."""

    style: str
    """Names the presentation: partners of one style are presented a revision of a token alike."""
    whitelist: Whitelist | None = None
    """What the partner insists on, where `source` does not say it already."""
    source: str = "token"
    """The table that is read, or a subquery in brackets with the same columns."""
    condition: str = ""
    """SQL on columns of `token` that picks what may be seen; empty for everything."""
    card_state: str = "card.state"
    """SQL for the state of a token's card, as far as it is the partner's business."""

    @classmethod
    def of_partner(cls, connection: Connection, partner: Row[Any]) -> View:
        """The view of a partner, by its row."""
        taken = select(withdrawn.c.token_id).where(withdrawn.c.partner_id == partner.id).limit(1)
        lost_some = connection.execute(taken).first() is not None
        return cls.of(Sight.of(connection, partner), partner.cover_no, lost_some=lost_some)

    @classmethod
    def of(cls, sight: Sight, cover_no: int, *, lost_some: bool) -> View:
        """The view of a partner.

        :param cover_no: the number of the cover, which names it
        :param lost_some: whether tokens were withdrawn from the partner
        """
        style = f"whitelist={sight.whitelist or ''}"
        if not lost_some and not any(spell.since for spell in sight.cover.spells.values()):
            covered = is_covered(sight.cover)
            condition = "" if isinstance(covered, True_) else f" AND {_spelled(covered)}"
            return cls(style, sight.whitelist, condition=condition)
        style += f" partner={sight.partner_id} cover={cover_no}"
        return cls(
            style, source=_source(sight), card_state="CASE WHEN token.is_taken THEN NULL ELSE card.state END"
        )

    @property
    def is_everything(self) -> bool:
        """Whether every token is seen, each in its own place: then nothing has to be counted."""
        return self.source == "token" and not self.condition

    def present(self, token: Token) -> Token:
        """A token of `source` as this partner is to see it."""
        return replace(token, whitelist=self.whitelist) if self.whitelist else token


def _source(sight: Sight) -> str:
    same = [token.c[name] for name in _AS_THEY_ARE]
    covered = select(
        *same, *(sight.stated(name).label(name) for name in _PRESENTED), false().label("is_taken")
    ).where(is_covered(sight.cover))
    lost = select(*same, *(_AS_TAKEN.get(name, null()) for name in _PRESENTED), true())
    lost = lost.join_from(withdrawn, token).where(withdrawn.c.partner_id == sight.partner_id)
    return f"({_spelled(union_all(covered, lost))})"


def _spelled(clause: ClauseElement) -> str:
    """SQL that both engines read, with all values in it."""
    return str(clause.compile(dialect=_BOTH, compile_kwargs={"literal_binds": True}))
