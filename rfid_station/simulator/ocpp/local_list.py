"""What of a CPO's tokens goes on the local lists of its stations, and what may stay in their caches.

A list is what a station goes by without asking anybody. So a card whose issuer has to be asked (whitelist
NEVER) is on no list, and what is said of it is forgotten at once. ALLOWED_OFFLINE is on the list: a station
without a line cannot ask, and that is when it is to be accepted.

Source: OCPI mod_tokens, WhitelistType.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rfid_station.simulator.ocpp.values import Entry, IdInfo

Tokens = Iterable[Mapping[str, object]]
"""OCPI tokens, as they were told."""


def local_list(tokens: Tokens) -> dict[str, IdInfo]:
    """Every card on the list, by its UID. Of several issuers with one UID, the one that accepts counts."""
    found: dict[str, IdInfo] = {}
    for token in tokens:
        if token["type"] == "RFID" and token["whitelist"] != "NEVER":
            uid = str(token["uid"])
            if uid not in found or token["valid"] is True:
                found[uid] = IdInfo("Accepted" if token["valid"] is True else "Blocked")
    return found


def difference(before: Mapping[str, IdInfo], after: Mapping[str, IdInfo]) -> list[Entry]:
    """What has to be told of a list to somebody who has an older one."""
    gone = [Entry(uid, None) for uid in before if uid not in after]
    return [Entry(uid, info) for uid, info in after.items() if before.get(uid) != info] + gone


def may_be_kept(tokens: Tokens, id_tag: str) -> bool:
    """Whether a station may keep what it is told of a card."""
    held: Sequence[Mapping[str, object]] = [
        token for token in tokens if str(token["uid"]).lower() == id_tag.lower()
    ]
    return all(token["whitelist"] != "NEVER" for token in held)
