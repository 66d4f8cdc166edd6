"""What one partner sees of our tokens, and at which revisions: the feed through its agreement.

Three kinds of rows make up a partner's feed, each found by an index of its own:

    told       a covered token, at the revision of its own newest change
    restated   a covered token that was there when its group's spell began, at a revision of the spell
    withdrawn  a token that the partner may hold and is not to use, frozen as it was, `valid: false`

A token is in one of them at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    not_,
    select,
    true,
    union_all,
)

from rfid_station.domain.contract_id import contract_of_compact
from rfid_station.domain.cover import ANY_GROUP, Cover, Spell
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.token import Token, Whitelist
from rfid_station.store.tables import IS_URGENT, cover, meta, token, withdrawn
from rfid_station.store.told.token_rows import TOKEN_FIELDS, token_from, token_of_fields

SHOWN = (
    token.c.id,
    token.c.revision,
    token.c.created_seq,
    token.c.urgent,
    token.c.card_group,
    token.c.grouped_at,
    *(token.c[name] for name in TOKEN_FIELDS),
)
"""What has to be read of a token, in this order, to see what a partner sees. A page has many of them."""

_AFTER: BindParameter[int] = bindparam("after", type_=token.c.revision.type)
_MOST: BindParameter[int] = bindparam("most")
NEAR = 10_000
"""Behind so few changes at most, what a partner of some groups is to hear is looked up by revision; else by
its groups, all of whose cards are read then. The cursor of a partner stays at its own newest change."""
_HEAD = select(meta.c.revision)
_GROUP: ColumnElement[str] = token.c.card_group + ""
"""The group, hidden from its index."""
_revision = attrgetter("revision")
_SPELLS = select(cover).where(cover.c.partner_id == bindparam("partner_id"))
_FROZEN = (
    withdrawn.c.contract_id,
    withdrawn.c.visual_number,
    withdrawn.c.whitelist,
    withdrawn.c.last_updated,
)
_WITHDRAWN = select(
    token,
    withdrawn.c.revision.label("taken_at"),
    *(column.label(f"taken_{column.name}") for column in _FROZEN),
).join_from(withdrawn, token)


def cover_of(connection: Connection, partner_id: int) -> Cover:
    """What a partner gets, as it was last enforced."""
    spells = {
        row.card_group: Spell(row.is_covered, row.since, row.until, row.stamp)
        for row in connection.execute(_SPELLS, {"partner_id": partner_id})
    }
    return Cover(spells.pop(ANY_GROUP, Spell(False)), spells)


def is_covered(cover: Cover, group: ColumnElement[str] = token.c.card_group) -> ColumnElement[bool]:
    """Whether a token is in a group that a partner gets."""
    differing = [
        name for name, spell in cover.named.items() if spell.is_covered != cover.any_group.is_covered
    ]
    if cover.any_group.is_covered:
        return group.not_in(differing) if differing else true()
    return group.in_(differing) if differing else false()


@dataclass(frozen=True, slots=True)
class Sight:
    """One partner's view: its cover, and the whitelist that it insists on."""

    partner_id: int
    cover: Cover
    whitelist: Whitelist | None
    _queries: list[_Queries] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, connection: Connection, partner: Row[Any]) -> Sight:
        """The view of a partner, by its row."""
        whitelist = Whitelist(partner.whitelist) if partner.whitelist else None
        return cls(partner.id, cover_of(connection, partner.id), whitelist)

    # The feed

    def changes(self, connection: Connection, after: int, lane: Lane, limit: int) -> list[Change]:
        """Up to `limit` changes behind a revision, ascending."""
        page = {"after": after, "most": limit}
        found: list[Change] = []
        for query in self._told(connection, after):
            found += map(self._change, connection.execute(query.page[lane], page).all())
        found += map(_taken_change, connection.execute(self._feed.taken.page[Lane.BULK], page))
        return sorted(found, key=_revision)[:limit]

    def behind(self, connection: Connection, after: int) -> int:
        """How many tokens changed behind a revision."""
        queries = (*self._told(connection, after), self._feed.taken)
        return sum(connection.execute(query.count, {"after": after}).scalar_one() for query in queries)

    def is_behind(self, connection: Connection, after: int) -> bool:
        """Whether any token changed behind a revision."""
        queries = (*self._told(connection, after), self._feed.taken)
        first = {"after": after, "most": 1}
        return any(connection.execute(query.page[Lane.BULK], first).first() for query in queries)

    def _told(self, connection: Connection, after: int) -> Iterator[_Query]:
        """The covered tokens, told and restated, by the index that takes least."""
        return self._feed.told(after, is_near=self._is_near(connection, after))

    def _is_near(self, connection: Connection, after: int) -> bool:
        return not self.cover.any_group.is_covered and connection.execute(_HEAD).scalar_one() - after <= NEAR

    @property
    def _feed(self) -> _Queries:
        """Made once: writing a query takes longer than a page of the feed."""
        if not self._queries:
            self._queries.append(_Queries(self))
        return self._queries[0]

    def restated(self) -> Iterator[tuple[Spell, ColumnElement[bool]]]:
        """The spells that told everything once more, and which tokens did not change since."""
        spells = {spell for spell in self.cover.spells.values() if spell.is_covered and spell.since}
        for spell in sorted(spells, key=lambda spell: spell.since):
            yield (
                spell,
                and_(self._is_in(spell), token.c.grouped_at <= spell.since, token.c.revision <= spell.since),
            )

    def _is_in(self, spell: Spell) -> ColumnElement[bool]:
        named = self.cover.named
        groups = [name for name, other in named.items() if other == spell]
        if spell != self.cover.any_group:
            return token.c.card_group.in_(groups)
        others = [name for name, other in named.items() if other != spell]
        return token.c.card_group.not_in(others) if others else true()

    # One token

    def of_token(self, connection: Connection, shown: Sequence[Any]) -> Change | None:
        """A token as the partner is to see it now; None if it is not to see it at all.

        :param shown: the columns of `SHOWN`
        """
        token_id, _, _, _, group, *_ = shown
        if self.cover.of(group).is_covered:
            return self._change(shown)
        mine = _WITHDRAWN.where(withdrawn.c.partner_id == self.partner_id, withdrawn.c.token_id == token_id)
        taken = connection.execute(mine).one_or_none()
        return _taken_change(taken) if taken else None

    def _change(self, shown: Sequence[Any]) -> Change:
        token_id, revision, place, is_urgent, group, grouped_at, *fields = shown
        spell = self.cover.of(group)
        told = token_of_fields(fields)
        if self.whitelist:
            told = replace(told, whitelist=self.whitelist)
        if not spell.since or grouped_at > spell.since or revision > spell.since:
            return Change(revision, token_id, told, is_urgent)
        at = max(filter(None, (told.last_updated, spell.stamp)))
        return Change(spell.since + place, token_id, replace(told, last_updated=at), is_urgent)

    # All at once

    def stated(self, name: str) -> ColumnElement[Any]:
        """A column of a covered token as the partner sees it."""
        seen: ColumnElement[Any] = token.c[name]
        if name == "whitelist" and self.whitelist:
            return literal(f"{self.whitelist}")
        for spell, unchanged in self.restated():
            if name == "revision":
                seen = case((unchanged, spell.since + token.c.created_seq), else_=seen)
            elif name == "last_updated" and spell.stamp:
                stamp = literal(spell.stamp, token.c.last_updated.type)
                seen = case((and_(unchanged, token.c.last_updated < stamp), stamp), else_=seen)
        return seen

    def stated_since(self, at: datetime | None) -> Select[Any]:
        """`revision, urgent, last_updated` of all that the partner is to know since a time."""
        if at is None:
            return _all_of(self._stated_where(is_covered(self.cover)), self._taken_where(true()))
        again = [unchanged for spell, unchanged in self.restated() if spell.stamp and spell.stamp >= at]
        return _all_of(
            self._stated_where(is_covered(self.cover, _GROUP), token.c.last_updated >= at, *map(not_, again)),
            *map(self._stated_where, again),
            self._taken_where(withdrawn.c.last_updated >= at),
        )

    def stated_behind(self, connection: Connection, after: int) -> Select[Any]:
        """`revision, urgent, last_updated` of all that the partner is to know behind a revision."""
        restated = tuple(self.restated())
        group = _GROUP if self._is_near(connection, after) else token.c.card_group
        told = (is_covered(self.cover, group), *(not_(unchanged) for _, unchanged in restated))
        again = [
            self._stated_where(unchanged, token.c.created_seq > after - spell.since)
            for spell, unchanged in restated
            if spell.until > after
        ]
        return _all_of(
            self._stated_where(token.c.revision > after, *told),
            *again,
            self._taken_where(withdrawn.c.revision > after),
        )

    def stated_among(self, token_ids: Select[tuple[int]]) -> Select[Any]:
        """The same of some tokens, wherever they are in the feed."""
        return _all_of(
            self._stated_where(token.c.id.in_(token_ids), is_covered(self.cover, _GROUP)),
            self._taken_where(withdrawn.c.token_id.in_(token_ids)),
        )

    def _stated_where(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        revision, at = (self.stated(name).label(name) for name in ("revision", "last_updated"))
        return select(revision, token.c.urgent, at).where(*conditions)

    def _taken_where(self, condition: ColumnElement[bool]) -> Select[Any]:
        columns = (withdrawn.c.revision, true().label("urgent"), withdrawn.c.last_updated)
        return select(*columns).where(withdrawn.c.partner_id == self.partner_id, condition)


def _all_of(*parts: Select[Any]) -> Select[Any]:
    return select(union_all(*parts).subquery())


class _Queries:
    """The feed of one view, behind a revision `after`."""

    def __init__(self, sight: Sight) -> None:
        restated = tuple(sight.restated())
        changed = [not_(unchanged) for _, unchanged in restated]
        told = select(*SHOWN).where(token.c.revision > _AFTER, *changed)
        taken = _WITHDRAWN.where(withdrawn.c.partner_id == sight.partner_id, withdrawn.c.revision > _AFTER)
        self._far = _Query(told.where(is_covered(sight.cover)), token.c.revision)
        self._near = _Query(told.where(is_covered(sight.cover, _GROUP)), token.c.revision)
        self._restated = [
            (
                spell.until,
                _Query(
                    select(*SHOWN).where(token.c.created_seq > _AFTER - spell.since, unchanged),
                    token.c.created_seq,
                ),
            )
            for spell, unchanged in restated
        ]
        self.taken = _Query(taken, withdrawn.c.revision)
        """The withdrawn tokens. All are urgent."""

    def told(self, after: int, *, is_near: bool) -> Iterator[_Query]:
        """The covered tokens, told and restated."""
        yield self._near if is_near else self._far
        yield from (query for until, query in self._restated if until > after)


class _Query:
    """Rows of the feed: up to `most` in the order of their revisions, those of one lane, and how many."""

    def __init__(self, rows: Select[Any], order: ColumnElement[int]) -> None:
        self.page = {
            Lane.BULK: rows.order_by(order).limit(_MOST),
            Lane.URGENT: rows.where(IS_URGENT).order_by(order).limit(_MOST),
        }
        self.count = select(func.count()).select_from(rows.subquery())


def own_change(row: Row[Any]) -> Change:
    """A token as it is, whoever sees it."""
    return Change(row.revision, row.id, token_from(row), row.urgent)


def _taken_change(row: Row[Any]) -> Change:
    return Change(row.taken_at, row.id, _taken_token(row), is_urgent=True)


def _taken_token(row: Row[Any]) -> Token:
    """A withdrawn token: what it became since is nobody's business."""
    at: datetime = row.taken_last_updated
    return replace(
        token_from(row),
        contract_id=contract_of_compact(row.taken_contract_id),
        visual_number=row.taken_visual_number,
        whitelist=Whitelist(row.taken_whitelist),
        last_updated=at,
        valid=False,
        group_id=None,
        language=None,
    )
