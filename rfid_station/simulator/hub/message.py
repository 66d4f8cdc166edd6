"""The message eRoamingPushAuthenticationData as a hub reads it: every field as Hubject's documents have it.

Source: OICP 2.3 for EMPs, Data Types, with the patterns that are printed there.
"""

from __future__ import annotations

import json
import re
from typing import Any

JsonObject = dict[str, Any]
Key = tuple[str, str]
"""What makes a record one: RFID and a UID, or the name of the identification and an EvcoID."""

ACTIONS = ("fullLoad", "insert", "update", "delete")
FORMS = (
    "RFIDMifareFamilyIdentification",
    "RFIDIdentification",
    "QRCodeIdentification",
    "PlugAndChargeIdentification",
    "RemoteIdentification",
)
RFID_TYPES = ("mifareCls", "mifareDes", "calypso", "nfc", "mifareFamily")

PROVIDER_ID = re.compile(r"[A-Za-z]{2}[*|-]?[A-Za-z0-9]{3}")
UID = re.compile(r"[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{20}")
EVCO_ID = re.compile(
    r"[A-Za-z]{2}-?[A-Za-z0-9]{3}-?C[A-Za-z0-9]{8}-?[\d|A-Za-z]"
    r"|[A-Za-z]{2}[*|-]?[A-Za-z0-9]{3}[*|-]?[A-Za-z0-9]{6}[*|-]?[\d|X]"
)
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class NotValidError(Exception):
    """A request that is not as the documents have it: the field, and what is wrong with it."""

    def __init__(self, field: str, wrong: str) -> None:
        super().__init__(f"{field}: {wrong}")
        self.field, self.wrong = field, wrong


def wanted(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The action and what it is about, as far as it can be read; for log and faults."""
    try:
        action, _, records = read_message(body)
    except NotValidError:
        return "", ()
    return action, tuple(name for _, name in records)


def read_message(body: bytes) -> tuple[str, str, dict[Key, JsonObject]]:
    """Action, ProviderID and records.

    :raises NotValidError: it is not the message that the documents describe
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise NotValidError("body", "is not JSON") from None
    _check(isinstance(message, dict), "body", "is not an object")
    action, data = message.get("ActionType"), message.get("ProviderAuthenticationData")
    _check(action in ACTIONS, "ActionType", f"is none of {', '.join(ACTIONS)}")
    _check(isinstance(data, dict), "ProviderAuthenticationData", "is missing")
    told = data.get("ProviderID")
    _check(isinstance(told, str) and PROVIDER_ID.fullmatch(told), "ProviderID", "does not match")
    entries = data.get("AuthenticationDataRecord")
    _check(isinstance(entries, list), "AuthenticationDataRecord", "is not a list")
    return action, told, dict(map(_record, entries))


def _record(entry: object) -> tuple[Key, JsonObject]:
    identification = entry.get("Identification") if isinstance(entry, dict) else None
    _check(isinstance(identification, dict), "Identification", "is missing")
    given = {form: value for form, value in identification.items() if value is not None}  # type: ignore[union-attr]
    _check(
        len(given) == 1 and set(given) <= set(FORMS), "Identification", f"is not one of {', '.join(FORMS)}"
    )
    ((form, record),) = given.items()
    _check(isinstance(record, dict), form, "is not an object")
    if not form.startswith("RFID"):
        return (form, _evco_id(record, is_needed=True)), {"form": form, **record}
    uid = record.get("UID")
    _check(isinstance(uid, str) and UID.fullmatch(uid.upper()), "UID", "has not 8, 14 or 20 digits")
    if form == "RFIDIdentification":
        _check_rfid(record)
    return ("RFID", uid.upper()), {"form": form, **record, "UID": uid.upper()}


def _check_rfid(record: JsonObject) -> None:
    _check(record.get("RFID") in RFID_TYPES, "RFID", f"is none of {', '.join(RFID_TYPES)}")
    _evco_id(record, is_needed=False)
    number, until = record.get("PrintedNumber"), record.get("ExpiryDate")
    is_short = number is None or (isinstance(number, str) and len(number) <= 150)
    _check(is_short, "PrintedNumber", "is longer than 150")
    is_time = until is None or (isinstance(until, str) and DATE_TIME.fullmatch(until))
    _check(is_time, "ExpiryDate", "is no date and time with a zone")


def _evco_id(record: JsonObject, *, is_needed: bool) -> str:
    given = record.get("EvcoID")
    if given is None and not is_needed:
        return ""
    _check(isinstance(given, str) and EVCO_ID.fullmatch(given), "EvcoID", "does not match")
    return str(given)


def _check(is_so: object, field: str, wrong: str) -> None:
    if not is_so:
        raise NotValidError(field, wrong)
