"""A hub's own list of the parties behind it, read page by page.

Sources: OCPI 2.2.1 mod_hub_client_info (Sender Interface) and transport_and_format (Pagination).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from rfid_station.domain.hub_client import HubClient
from rfid_station.errors import PartnerRefused
from rfid_station.ocpi.answer import error_of
from rfid_station.ocpi.client import OcpiClient
from rfid_station.ocpi.http import followed
from rfid_station.ocpi.wire.client_info import client_from_wire
from rfid_station.ocpi.wire.transport import complaints

MOST_PAGES = 200
_PAGE = 100
_NEXT = re.compile(r"""<([^<>]*)>\s*;[^<>]*\brel\s*=\s*"?next\b""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page tells, and what in it is no ClientInfo, in words."""

    clients: tuple[HubClient, ...]
    complaints: tuple[str, ...]


def hub_pages(client: OcpiClient, url: str) -> Iterator[Page]:
    """The pages of a list, by the links that the hub gives, of which none leads to another host.

    :raises PartnerRefused: it refuses, or what it answers is no list, or its links lead astray or nowhere
    :raises PartnerUnreachable: it does not answer
    """
    there: str | None = f"{url}{'&' if '?' in url else '?'}limit={_PAGE}"
    asked: set[str] = set()
    while there is not None:
        if there in asked or len(asked) == MOST_PAGES:
            raise PartnerRefused("the hub's list has no end", hint="ask the hub which links its pages give")
        asked.add(there)
        answer = client.call("GET", there, is_functional=True)
        if not answer.is_acknowledged:
            raise error_of(answer, "the hub's list cannot be read")
        if not isinstance(answer.data, list):
            raise PartnerRefused("the hub's list cannot be read: its data is no list")
        yield _read(answer.data)
        there = _next_page(there, answer.link)


def _read(data: list[object]) -> Page:
    clients, wrong = [], []
    for told in data:
        try:
            clients.append(client_from_wire(told))
        except ValidationError as invalid:
            wrong.append(complaints(invalid))
    return Page(tuple(clients), tuple(wrong))


def _next_page(here: str, link: str | None) -> str | None:
    found = _NEXT.search(link or "")
    if found is None:
        return None
    there = followed(here, found.group(1))
    if there is None:
        raise PartnerRefused("the hub's list goes on at another host, which is not followed")
    return there
