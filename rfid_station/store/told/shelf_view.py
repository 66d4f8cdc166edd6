"""What one partner may see of our tokens, as SQL for those who read the file themselves: `store.told.shelf`.

The same as `store.told.sight` in other words: a partner that gets everything as it is reads the table itself,
one that gets some groups a part of it, and one whose agreement has changed a subquery with the same columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select

from rfid_station.domain.cover import Cover, Spell
from rfid_station.domain.token import Token, Whitelist
from rfid_station.store.tables import moment_text, withdrawn
from rfid_station.store.told.sight import Sight

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
        condition = _covered(sight.cover)
        if not lost_some and not any(spell.since for spell in sight.cover.spells.values()):
            return cls(style, sight.whitelist, condition=f" AND {condition}" if condition else "")
        style += f" partner={sight.partner_id} cover={cover_no}"
        source = _source(sight, condition or "true")
        return cls(style, source=source, card_state="CASE WHEN token.is_taken THEN NULL ELSE card.state END")

    @property
    def is_everything(self) -> bool:
        """Whether every token is seen, each in its own place: then nothing has to be counted."""
        return self.source == "token" and not self.condition

    def present(self, token: Token) -> Token:
        """A token of `source` as this partner is to see it."""
        return replace(token, whitelist=self.whitelist) if self.whitelist else token


def _covered(cover: Cover) -> str:
    """Whether a token is in a group that the partner gets; empty for all of them."""
    is_rest = cover.any_group.is_covered
    others = [name for name, spell in cover.named.items() if spell.is_covered != is_rest]
    if is_rest:
        return f"token.card_group NOT IN ({_listed(others)})" if others else ""
    return f"token.card_group IN ({_listed(others)})" if others else "false"


def _source(sight: Sight, condition: str) -> str:
    same = ", ".join(f"token.{name}" for name in _AS_THEY_ARE)
    covered = ", ".join(_stated(sight, name) for name in _PRESENTED)
    taken = {
        "revision": "withdrawn.revision",
        "contract_id": "withdrawn.contract_id",
        "visual_number": "withdrawn.visual_number",
        "group_id": "NULL",
        "whitelist": "withdrawn.whitelist",
        "language": "NULL",
        "valid": "false",
        "last_updated": "withdrawn.last_updated",
    }
    lost = ", ".join(taken[name] for name in _PRESENTED)
    return (
        f"(SELECT {same}, {covered}, false AS is_taken FROM token WHERE {condition}"  # noqa: S608 - numbers and quoted names
        f" UNION ALL SELECT {same}, {lost}, true FROM withdrawn JOIN token ON token.id = withdrawn.token_id"
        f" WHERE withdrawn.partner_id = {sight.partner_id})"
    )


def _stated(sight: Sight, column: str) -> str:
    """A column of a covered token, as it was told once more where its group's spell did so."""
    if column == "whitelist" and sight.whitelist:
        return f"'{sight.whitelist}' AS whitelist"
    cover = sight.cover
    spells = {spell for spell in cover.spells.values() if spell.is_covered and spell.since}
    cases = [
        f"WHEN {_unchanged(cover, spell)} THEN {again}"
        for spell in sorted(spells, key=lambda spell: spell.since)
        if (again := _again(spell, column))
    ]
    return f"CASE {' '.join(cases)} ELSE token.{column} END AS {column}" if cases else f"token.{column}"


def _again(spell: Spell, column: str) -> str | None:
    if column == "revision":
        return f"{spell.since} + token.created_seq"
    if column == "last_updated" and spell.stamp:
        stamp = f"'{moment_text(spell.stamp)}'"
        return f"CASE WHEN token.last_updated < {stamp} THEN {stamp} ELSE token.last_updated END"
    return None


def _unchanged(cover: Cover, spell: Spell) -> str:
    groups = [name for name, other in cover.named.items() if (other == spell) != (spell == cover.any_group)]
    negation = "NOT " if spell == cover.any_group else ""
    is_in = f"token.card_group {negation}IN ({_listed(groups)})" if groups or not negation else "true"
    return f"{is_in} AND token.grouped_at <= {spell.since} AND token.revision <= {spell.since}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join("'{}'".format(name.replace("'", "''")) for name in sorted(names))
