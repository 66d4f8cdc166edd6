"""What has to hold in a station whatever happened to it: one function, for every test of a fault.

It reads the rows themselves and counts on its own; `store check` is asked too, and not believed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import text

from rfid_station.desk.station import Station
from rfid_station.store.opening import Store

UNFINISHED = {"reserved", "encoding"}
Held = Mapping[str, tuple[bool, str]]
"""What a partner holds: by UID, whether it is valid and its `last_updated` as the partner was told it."""


def check_invariants(station: Station | Store, partners: Mapping[str, Held] | None = None) -> None:
    """All of them.

    :param partners: those that can be reached and were brought to the newest state, by name
    """
    store = station if isinstance(station, Store) else station.store
    rows = _rows(store)
    no_card_is_half_registered(rows)
    no_number_is_used_twice(rows)
    the_stock_balances(rows)
    the_chain_verifies(rows)
    for name, held in (partners or {}).items():
        the_partner_is_right(rows, name, held)
    report = store.audit.check()
    assert report.is_sound, (report.chain.why, report.findings)


Rows = Mapping[str, list[Any]]
_TABLES = ("card", "token", "preprinted", "event", "meta", "lot", "stock_entry", "stock_balance")


def _rows(store: Store) -> Rows:
    with store.database.read() as connection:
        return {name: list(connection.execute(text(f"SELECT * FROM {name}")).mappings()) for name in _TABLES}


def no_card_is_half_registered(rows: Rows) -> None:
    tokens = Counter(token["card_id"] for token in rows["token"])
    assert set(tokens.values()) <= {1}, tokens
    told = {
        (event["subject"], event["action"]) for event in rows["event"] if event["subject"].startswith("card:")
    }
    for card in rows["card"]:
        is_made = card["state"] not in UNFINISHED | {"spoiled"}
        subject = f"card:{card['id']}"
        assert (card["id"] in tokens) is is_made or card["state"] == "spoiled", dict(card)
        assert (subject, f"card.{card['state']}") in told, dict(card)
    states = {card["id"]: card["state"] for card in rows["card"]}
    for token in rows["token"]:
        assert bool(token["valid"]) is (states[token["card_id"]] == "active"), dict(token)


def no_number_is_used_twice(rows: Rows) -> None:
    cards, plastic = rows["card"], [one for one in rows["preprinted"] if one["card_id"] is None]
    for column in ("visual_bare", "alias"):
        _all_differ([one[column] for one in [*cards, *plastic]], column)
    _all_differ([(card["contract_id"], card["contract_card"]) for card in cards], "contract")
    living = [card for card in cards if card["state"] != "spoiled"]
    _all_differ([card["uid"] for card in living], "uid")
    _all_differ([card["order_line"] for card in living if card["order_line"]], "order line")
    _all_differ([token["revision"] for token in rows["token"]], "revision")
    (meta,) = rows["meta"]
    assert max((token["revision"] for token in rows["token"]), default=0) <= meta["revision"], "revision"
    highest = max((int(card["contract_id"][6:14]) for card in cards), default=0)
    assert highest <= meta["contract_count"], "contract_count"


def _all_differ(values: Iterable[object], what: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    assert twice == [], (what, twice)


def the_stock_balances(rows: Rows) -> None:
    received: Counter[int] = Counter()
    standing: Counter[int] = Counter()
    for entry in rows["stock_entry"]:
        received[entry["lot_id"]] += entry["quantity"] if entry["from_account"] is None else 0
    for balance in rows["stock_balance"]:
        assert balance["quantity"] >= 0, dict(balance)
        standing[balance["lot_id"]] += balance["quantity"]
    assert +received == +standing, ("stock", received, standing)
    used = Counter(card["lot_id"] for card in rows["card"] if card["lot_id"])
    for lot in rows["lot"]:
        assert used[lot["id"]] <= received[lot["id"]], ("stock", dict(lot))


def the_chain_verifies(rows: Rows) -> None:
    """As the documentation of the chain says, computed here once more."""
    before = "0" * 64
    events = sorted(rows["event"], key=lambda event: event["seq"])
    for number, event in enumerate(events, 1):
        names = ("at", "actor", "role", "action", "subject", "data")
        sealed = [number, *(event[name] for name in names), before]
        raw = json.dumps(sealed, separators=(",", ":"), ensure_ascii=True).encode()
        assert (event["seq"], event["previous_hash"]) == (number, before), dict(event)
        before = hashlib.sha256(raw).hexdigest()
        assert event["hash"] == before, dict(event)
    (meta,) = rows["meta"]
    assert (meta["event_count"], meta["event_hash"]) == (len(events), before), "the end of the chain"


def the_partner_is_right(rows: Rows, name: str, held: Held) -> None:
    ours = {token["uid"]: (bool(token["valid"]), f"{token['last_updated'][:19]}Z") for token in rows["token"]}
    assert dict(held) == ours, name
