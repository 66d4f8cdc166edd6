"""The tables, and nothing but the tables: rows hold text and numbers, `domain` gives them meaning.

SQLModel declares them; queries speak SQLAlchemy Core on the `Table` objects at the end, which costs
a fifth of a session per card. Every change here needs a migration (a test compares the two).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    literal_column,
    text,
)
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

IS_LIVING: ColumnElement[bool] = literal_column("state != 'spoiled'")
"""Which cards hold their UID and order line. Queries must say it in these words to use the indexes."""

MAY_EXPIRE: ColumnElement[bool] = literal_column(
    "valid_until IS NOT NULL"
    " AND state NOT IN ('reserved', 'encoding', 'spoiled', 'replaced', 'expired', 'retired')"
)
"""Which cards a date may still end. `NOT IN` keeps SQLite from looking them up by state, one by one."""

IS_TO_BE_REPLACED: ColumnElement[bool] = literal_column("replace_when IS NOT NULL")

IS_URGENT: ColumnElement[bool] = literal_column("urgent IS true")

IS_OPEN: ColumnElement[bool] = literal_column("ended_at IS NULL")

IS_ALARM: ColumnElement[bool] = literal_column("is_alarm IS true")

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Long = BigInteger().with_variant(Integer(), "sqlite")
"""Counts that never end. SQLite's INTEGER has 64 bits, and only that one is a row's own number."""


class Moment(TypeDecorator[datetime]):
    """An instant as text of one width, in UTC with microseconds: `2026-11-22T06:44:00.000000Z`.

    Sorts as it reads, in every database.
    """

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write an instant."""
        return None if value is None else moment_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read an instant."""
        return None if value is None else datetime.fromisoformat(value)


_EMPTY = {"server_default": text("''")}


@lru_cache(maxsize=64)
def moment_text(value: datetime) -> str:
    """An instant as the store writes it. A time without a zone is nobody's time, and a mistake here."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _Row(SQLModel, registry=registry(metadata=METADATA)):
    """What all tables share: the metadata with its names for constraints."""


class MetaRow(_Row, table=True):
    """The one row that every writer locks: counters, and the end of the audit chain."""

    __tablename__: ClassVar[str] = "meta"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(primary_key=True)
    revision: int = Field(sa_type=Long)
    """Of the newest change that partners are to hear of."""
    token_count: int = Field(sa_type=Long)
    contract_count: int = Field(sa_type=Long)
    event_count: int = Field(sa_type=Long)
    event_hash: str = Field(sa_type=String(64))
    stamp_floor: datetime | None = Field(sa_type=Moment)
    """No token is stamped earlier than this from now on: partners were told of a change at that time."""


class DriverRow(_Row, table=True):
    """A person, kept apart from cards and events so that they can be forgotten."""

    __tablename__: ClassVar[str] = "driver"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    reference: str = Field(index=True)
    fleet: str = Field(index=True)
    language: str | None
    search_text: str = Field(index=True)
    """Name and reference, case-folded: databases disagree about the case of letters beyond ASCII."""


class CardRow(_Row, table=True):
    """One piece of plastic. Numbers are used once for ever; a UID and an order line by one living card.

    A contract is used by its first card and by those that replace it, one after the other.
    """

    __tablename__: ClassVar[str] = "card"
    __table_args__ = (
        Index("uq_card_living_uid", "uid", unique=True, sqlite_where=IS_LIVING, postgresql_where=IS_LIVING),
        Index(
            "uq_card_living_order_line",
            "order_line",
            unique=True,
            sqlite_where=IS_LIVING,
            postgresql_where=IS_LIVING,
        ),
        Index("uq_card_contract_id_contract_card", "contract_id", "contract_card", unique=True),
        Index("ix_card_lot_id_state", "lot_id", "state"),
        Index("ix_card_may_expire", "valid_until", sqlite_where=MAY_EXPIRE, postgresql_where=MAY_EXPIRE),
        Index(
            "ix_card_to_be_replaced",
            "replace_when",
            sqlite_where=IS_TO_BE_REPLACED,
            postgresql_where=IS_TO_BE_REPLACED,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = Field(sa_type=String(20), index=True)
    """Upper-case hexadecimal."""
    chip: str
    profile: str
    state: str = Field(index=True)
    reason: str | None
    contract_id: str = Field(sa_type=String(14))
    """Without separators and check digit; its length tells the form."""
    visual_number: str
    visual_bare: str = Field(unique=True)
    """The visual number as numbers are compared."""
    alias: str = Field(unique=True)
    order_line: str | None
    driver_id: int | None = Field(foreign_key="driver.id", index=True)
    plan_digest: str | None
    """Of the plan that the card was, or is to be, written by."""
    created_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    key_id: str | None
    """Which master key the keys on the card are derived from; the key itself is never here."""
    key_version: int | None
    card_group: str
    """Agreements speak of it."""
    contract_card: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Which card of its contract: 1, and one more for each that replaced another."""
    replaces_id: int | None = Field(default=None, foreign_key="card.id")
    """The card before it on the same contract."""
    replace_when: str | None
    """`domain.card.ReplaceWhen`, where a new card is wanted in its place."""
    replace_reason: str | None
    valid_until: date | None
    """The last day, in UTC, on which it may charge."""
    claim_hash: str | None
    """Of the code by which its driver is known."""
    claim_attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """Wrong codes since the right one was typed, or a new one drawn."""
    lot_id: int | None = Field(default=None, foreign_key="lot.id")
    """The blanks that it was taken from."""
    group_id: str | None = Field(default=None, sa_type=String(36), index=True)
    """OCPI's: what cards and fobs that act as one have in common."""
    uid_backwards: str = Field(default="", sa_type=String(20), index=True, sa_column_kwargs=_EMPTY)
    """The numbers from their ends, so that an index finds what they end with."""
    contract_backwards: str = Field(default="", sa_type=String(14), index=True, sa_column_kwargs=_EMPTY)
    visual_backwards: str = Field(default="", index=True, sa_column_kwargs=_EMPTY)


class TokenRow(_Row, table=True):
    """What partners are told about a card, in its newest state only."""

    __tablename__: ClassVar[str] = "token"
    __table_args__ = (
        Index("uq_token_uid_type", "uid", "type", unique=True),
        Index("ix_token_card_group_created_seq", "card_group", "created_seq"),
        Index("ix_token_last_updated", "last_updated"),
        Index("ix_token_urgent_revision", "revision", sqlite_where=IS_URGENT, postgresql_where=IS_URGENT),
    )

    id: int | None = Field(default=None, primary_key=True)
    card_id: int = Field(foreign_key="card.id", unique=True)
    created_seq: int = Field(sa_type=Long, unique=True)
    """Dense, in order of creation: tokens are never deleted."""
    revision: int = Field(sa_type=Long, unique=True)
    urgent: bool
    type: str
    uid: str = Field(sa_type=String(20))
    country_code: str = Field(sa_type=String(2))
    party_id: str = Field(sa_type=String(3))
    contract_id: str = Field(sa_type=String(14))
    visual_number: str
    issuer: str
    group_id: str | None
    valid: bool
    whitelist: str
    language: str | None
    last_updated: datetime = Field(sa_type=Moment)
    """Whole seconds."""
    card_group: str
    """Of its card."""
    grouped_at: int = Field(sa_type=Long)
    """The revision at which it came into that group."""


class PartnerRow(_Row, table=True):
    """A charge point operator, its agreement, and how far it is in the feed."""

    __tablename__: ClassVar[str] = "partner"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    state: str
    versions_url: str
    client_token_ref: str
    """Where the client token lies; never the token."""
    connection: str | None = Field(sa_type=Text)
    """JSON of `domain.partner.Connection`."""
    since: date | None
    until: date | None
    whitelist: str | None
    bulk_cursor: int = Field(sa_type=Long)
    urgent_cursor: int = Field(sa_type=Long)
    resync_no: int = Field(sa_type=Long)
    """Counts how often both cursors were set back, so that a cursor from before that is known."""
    profile: str
    """The name of the profile that the partner was given."""
    profile_table: str = Field(sa_type=Text)
    """JSON of what the profile says, so that a changed file changes no partner."""
    groups: str | None = Field(sa_type=Text)
    """JSON list of the card groups in its agreement; NULL is every card."""
    block_within_s: int
    new_within_s: int
    is_ending: bool
    """It is to lose every card, and its connection then."""
    cover_no: int = Field(sa_type=Long)
    """Counts the changes of what it gets, so that what is remembered of that can be told from what holds."""
    met_at: datetime | None = Field(sa_type=Moment)
    """When it was first connected; before that it cannot hold a card."""
    paused_at: datetime | None = Field(sa_type=Moment)
    paused_by: str | None
    pause_reason: str | None = Field(sa_type=Text)
    down_since: datetime | None = Field(sa_type=Moment)
    last_success_at: datetime | None = Field(sa_type=Moment)
    last_pull_at: datetime | None = Field(sa_type=Moment)
    last_proof_at: datetime | None = Field(default=None, sa_type=Moment)
    """When a GET last showed that it held what it should."""


class CoverRow(_Row, table=True):
    """Whether a partner gets the cards of a group, and since which change; `*` is every group not named."""

    __tablename__: ClassVar[str] = "cover"

    partner_id: int = Field(foreign_key="partner.id", primary_key=True)
    card_group: str = Field(primary_key=True)
    is_covered: bool
    since: int = Field(sa_type=Long)
    """A token that was there counts as changed at this revision plus its `created_seq`."""
    until: int = Field(sa_type=Long)
    """The last revision that was given out that way."""
    stamp: datetime | None = Field(sa_type=Moment)
    """The least `last_updated` of those tokens."""


class WithdrawnRow(_Row, table=True):
    """A token that a partner may hold and is not to use any more, as it was when that began."""

    __tablename__: ClassVar[str] = "withdrawn"
    __table_args__ = (Index("ix_withdrawn_partner_id_revision", "partner_id", "revision"),)

    partner_id: int = Field(foreign_key="partner.id", primary_key=True)
    token_id: int = Field(foreign_key="token.id", primary_key=True, index=True)
    revision: int = Field(sa_type=Long)
    contract_id: str = Field(sa_type=String(14))
    visual_number: str
    whitelist: str
    last_updated: datetime = Field(sa_type=Moment)


class HubClientRow(_Row, table=True):
    """A party behind a hub, as the hub last told it (OCPI HubClientInfo)."""

    __tablename__: ClassVar[str] = "hub_client"

    partner_id: int = Field(foreign_key="partner.id", primary_key=True)
    country_code: str = Field(sa_type=String(2), primary_key=True)
    party_id: str = Field(sa_type=String(3), primary_key=True)
    role: str = Field(primary_key=True)
    status: str
    last_updated: datetime = Field(sa_type=Moment)


class ServerTokenRow(_Row, table=True):
    """A server token that lets a partner in, as its SHA-256. Two are valid while they rotate."""

    __tablename__: ClassVar[str] = "server_token"

    hash: str = Field(sa_type=String(64), primary_key=True)
    partner_id: int = Field(foreign_key="partner.id", index=True)
    use: str
    """`domain.partner.TokenUse`."""


class ParkedRow(_Row, table=True):
    """The only thing stored per partner and token: what was refused, or ended ambiguously."""

    __tablename__: ClassVar[str] = "parked"

    partner_id: int = Field(foreign_key="partner.id", primary_key=True)
    token_id: int = Field(foreign_key="token.id", primary_key=True)
    revision: int = Field(sa_type=Long)
    attempts: int
    due_at: datetime = Field(sa_type=Moment)
    must_verify: bool
    error: str = Field(sa_type=Text)


class TapRow(_Row, table=True):
    """How far the taps of a card have counted, as its page saw them."""

    __tablename__: ClassVar[str] = "tap"

    card_id: int = Field(foreign_key="card.id", primary_key=True)
    counter: int
    """The highest that was seen; the chip counts to 2^24."""
    spent: int
    """The highest whose permission was used."""


class EventRow(_Row, table=True):
    """The audit log. Triggers refuse to change it; the hashes show when somebody did."""

    __tablename__: ClassVar[str] = "event"
    __table_args__ = (Index("ix_event_subject_seq", "subject", "seq"),)

    seq: int = Field(sa_type=Long, primary_key=True)
    at: datetime = Field(sa_type=Moment)
    actor: str
    role: str
    action: str
    subject: str
    data: str = Field(sa_type=Text)
    """Canonical JSON, as it went into the hash."""
    previous_hash: str = Field(sa_type=String(64))
    hash: str = Field(sa_type=String(64))


class PrintJobRow(_Row, table=True):
    """One file that went to a printer or a print bureau."""

    __tablename__: ClassVar[str] = "print_job"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=Moment)
    actor: str
    design: str
    sheet: str
    """The sheet's layout, the model of the card printer, or the bureau."""
    file_sha256: str = Field(sa_type=String(64))
    kind: str
    reason: str | None = Field(sa_type=Text)
    """Why cards were printed again."""


class PrintItemRow(_Row, table=True):
    """One side of one card on one sheet of a print job: of a card, or of numbers that wait for their chip."""

    __tablename__: ClassVar[str] = "print_item"
    __table_args__ = (
        CheckConstraint("card_id IS NOT NULL OR preprinted_id IS NOT NULL", name="of_something"),
    )

    job_id: int = Field(foreign_key="print_job.id", primary_key=True)
    sheet_number: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    side: str = Field(primary_key=True)
    card_id: int | None = Field(foreign_key="card.id", index=True)
    preprinted_id: int | None = Field(default=None, foreign_key="preprinted.id", index=True)
    """The numbers that were printed before a chip had them; `card_id` then comes when they are matched."""


class LotRow(_Row, table=True):
    """Blanks that came together: one supplier, one chip."""

    __tablename__: ClassVar[str] = "lot"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    supplier: str
    chip: str
    state: str
    """`domain.stock.LotState`."""
    state_reason: str | None = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=Moment)


class LotUidRow(_Row, table=True):
    """A UID that the maker says is in a lot."""

    __tablename__: ClassVar[str] = "lot_uid"

    uid: str = Field(sa_type=String(20), primary_key=True)
    lot_id: int = Field(foreign_key="lot.id", index=True)


class StockBalanceRow(_Row, table=True):
    """How many blanks of a lot stand on an account now: what all entries add up to."""

    __tablename__: ClassVar[str] = "stock_balance"
    __table_args__ = (CheckConstraint("quantity >= 0", name="not_negative"),)

    lot_id: int = Field(foreign_key="lot.id", primary_key=True)
    account: str = Field(primary_key=True)
    """`domain.stock.Account`."""
    place: str = Field(primary_key=True)
    """Where they lie, for those on hand; else empty."""
    quantity: int


class StockEntryRow(_Row, table=True):
    """Blanks that went from one account to another, written once and never changed."""

    __tablename__: ClassVar[str] = "stock_entry"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="moves_something"),
        Index("ix_stock_entry_lot_id_at", "lot_id", "at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    lot_id: int = Field(foreign_key="lot.id")
    at: datetime = Field(sa_type=Moment)
    quantity: int
    from_account: str | None
    """None: from outside, where they were received."""
    from_place: str
    to_account: str
    to_place: str
    card_id: int | None = Field(foreign_key="card.id")
    actor: str
    witness: str | None
    """The second person, where it took one."""
    reason: str | None = Field(sa_type=Text)


class StockCountRow(_Row, table=True):
    """What somebody counted without being told what to expect."""

    __tablename__: ClassVar[str] = "stock_count"
    __table_args__ = (Index("ix_stock_count_place_at", "place", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    lot_id: int = Field(foreign_key="lot.id")
    place: str
    at: datetime = Field(sa_type=Moment)
    expected: int
    counted: int
    actor: str
    witness: str | None


class WorkOrderRow(_Row, table=True):
    """Cards that somebody ordered."""

    __tablename__: ClassVar[str] = "work_order"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    source: str
    """The file that it came from, or who asked."""
    way: str
    """`domain.order.Way`."""
    profile: str
    created_at: datetime = Field(sa_type=Moment)
    created_by: str
    closed_at: datetime | None = Field(sa_type=Moment)


class OrderItemRow(_Row, table=True):
    """One card of an order: its card is the living one with the same order line."""

    __tablename__: ClassVar[str] = "order_item"
    __table_args__ = (Index("uq_order_item_order_id_place", "order_id", "place", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="work_order.id")
    place: int
    """In the order, counted from 1."""
    line: str = Field(unique=True)
    """What `card.order_line` says."""
    driver_id: int | None = Field(foreign_key="driver.id", index=True)
    card_group: str | None
    valid_until: date | None
    cancelled_at: datetime | None = Field(sa_type=Moment)
    cancel_reason: str | None = Field(sa_type=Text)


class PreprintedRow(_Row, table=True):
    """Numbers that are on plastic before a chip has them. Used up by the card that they are matched with."""

    __tablename__: ClassVar[str] = "preprinted"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = Field(foreign_key="work_order.id", index=True)
    order_item_id: int | None = Field(foreign_key="order_item.id", index=True)
    contract_id: str = Field(sa_type=String(14), unique=True)
    visual_number: str
    visual_bare: str = Field(unique=True)
    alias: str = Field(unique=True)
    made_at: datetime = Field(sa_type=Moment)
    card_id: int | None = Field(foreign_key="card.id", unique=True)
    spoiled_at: datetime | None = Field(sa_type=Moment)
    spoil_reason: str | None = Field(sa_type=Text)


class ParcelRow(_Row, table=True):
    """An envelope or box that left."""

    __tablename__: ClassVar[str] = "parcel"

    id: int | None = Field(default=None, primary_key=True)
    tracking: str = Field(unique=True)
    carrier: str
    dispatched_at: datetime = Field(sa_type=Moment)
    actor: str


class PackedRow(_Row, table=True):
    """A card that lies in its envelope, and the parcel that it left in."""

    __tablename__: ClassVar[str] = "packed"

    card_id: int = Field(foreign_key="card.id", primary_key=True)
    parcel_id: int | None = Field(foreign_key="parcel.id", index=True)
    at: datetime = Field(sa_type=Moment)
    actor: str
    with_letter: bool
    """Whether its letter was scanned beside it."""
    was_tapped: bool
    """Whether the chip was read; else only the code that is printed on the card was."""


class OperatorRow(_Row, table=True):
    """Somebody who signs in at a desk."""

    __tablename__: ClassVar[str] = "operator"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: str
    """`domain.card.Role`."""
    pin_hash: str
    """Salted and slow; never the PIN."""
    wrong_pins: int
    """In a row."""
    next_try_at: datetime | None = Field(sa_type=Moment)
    """No PIN is taken earlier than this."""
    recovery_hash: str
    """Salted and slow: of the code by which a lost PIN is replaced."""
    is_active: bool
    created_at: datetime = Field(sa_type=Moment)


class ShiftRow(_Row, table=True):
    """From an operator's sign-in at a desk to the sign-out. One at most is open at a place."""

    __tablename__: ClassVar[str] = "shift"
    __table_args__ = (
        Index("uq_shift_open_place", "place", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
    )

    id: int | None = Field(default=None, primary_key=True)
    operator_id: int = Field(foreign_key="operator.id", index=True)
    place: str
    began_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(sa_type=Moment)
    ticket_hash: str = Field(sa_type=String(64))
    """SHA-256 of what lies in the station's folder while the shift is open."""


class ChargeRow(_Row, table=True):
    """What a partner told of a charge: a session in its newest state, or a CDR as it was first told."""

    __tablename__: ClassVar[str] = "charge"
    __table_args__ = (
        Index("uq_charge_told_as", "partner_id", "kind", "country_code", "party_id", "told_as", unique=True),
        Index("ix_charge_card_id_began", "card_id", "began"),
        Index("ix_charge_began", "began"),
        Index("ix_charge_alarm", "partner_id", sqlite_where=IS_ALARM, postgresql_where=IS_ALARM),
    )

    id: int | None = Field(default=None, primary_key=True)
    partner_id: int = Field(foreign_key="partner.id")
    kind: str
    """`domain.charge.ChargeKind`."""
    country_code: str = Field(sa_type=String(2))
    party_id: str = Field(sa_type=String(3))
    their_id: str = Field(sa_type=String(39))
    told_as: str = Field(sa_type=String(39))
    """Their id as ids are compared: in upper case."""
    session_id: str | None = Field(sa_type=String(36))
    """Of a CDR: the session that it settles, in upper case."""
    began: datetime = Field(sa_type=Moment)
    ended: datetime | None = Field(sa_type=Moment)
    energy_kwh: str
    """A decimal number, as are the costs."""
    cost_excl: str | None
    cost_incl: str | None
    currency: str | None = Field(sa_type=String(3))
    location: str
    evse: str
    country: str
    """ISO 3166-1 alpha-3; empty where the partner did not say."""
    auth_method: str
    authorization_reference: str | None = Field(sa_type=String(36))
    status: str
    is_credit: bool
    token_uid: str | None = Field(sa_type=String(36))
    """As the partner wrote it."""
    token_type: str
    contract: str = Field(sa_type=String(36))
    """As the partner wrote it."""
    card_id: int | None = Field(foreign_key="card.id")
    """None: the token is not one of ours."""
    last_updated: datetime = Field(sa_type=Moment)
    received_at: datetime = Field(sa_type=Moment)
    """When it was told, in this state."""
    version: str
    told: str = Field(sa_type=Text)
    """Canonical JSON of what is kept, in the words of that OCPI version."""
    is_alarm: bool
    """It began after the card was stopped, and its partner knew."""
    stop: str | None = Field(sa_type=Text)
    """JSON of `domain.charge.Stop`, where it began after the card was stopped."""
    refused: int
    """How often another CDR of the same id came later."""
    refused_at: datetime | None = Field(sa_type=Moment)
    refused_fields: str | None = Field(sa_type=Text)
    """In which fields the last one of them differed."""


class LeaseRow(_Row, table=True):
    """Contract numbers that one desk alone gives out."""

    __tablename__: ClassVar[str] = "lease"

    id: int | None = Field(default=None, primary_key=True)
    place: str | None = Field(unique=True)
    """NULL: given back."""
    first_number: int = Field(sa_type=Long)
    next_number: int = Field(sa_type=Long)
    last_number: int = Field(sa_type=Long)
    leased_at: datetime = Field(sa_type=Moment)
    leased_by: str


meta = METADATA.tables["meta"]
driver = METADATA.tables["driver"]
card = METADATA.tables["card"]
token = METADATA.tables["token"]
partner = METADATA.tables["partner"]
server_token = METADATA.tables["server_token"]
cover = METADATA.tables["cover"]
withdrawn = METADATA.tables["withdrawn"]
hub_client = METADATA.tables["hub_client"]
parked = METADATA.tables["parked"]
tap = METADATA.tables["tap"]
event = METADATA.tables["event"]
print_job = METADATA.tables["print_job"]
print_item = METADATA.tables["print_item"]
lot = METADATA.tables["lot"]
lot_uid = METADATA.tables["lot_uid"]
stock_balance = METADATA.tables["stock_balance"]
stock_entry = METADATA.tables["stock_entry"]
stock_count = METADATA.tables["stock_count"]
work_order = METADATA.tables["work_order"]
order_item = METADATA.tables["order_item"]
preprinted = METADATA.tables["preprinted"]
parcel = METADATA.tables["parcel"]
packed = METADATA.tables["packed"]
operator = METADATA.tables["operator"]
shift = METADATA.tables["shift"]
charge = METADATA.tables["charge"]
lease = METADATA.tables["lease"]
