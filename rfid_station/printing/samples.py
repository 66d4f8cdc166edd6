"""Cards that nobody has: usual ones for pictures, and ones that take all the room there is."""

from __future__ import annotations

from collections.abc import Mapping

from rfid_station.printing.design import CardDesign

SAMPLE_ALIAS = "7QX4M2KD8WN3"
SAMPLE_LINK = "https://cards.example.com/c/{alias}"
SAMPLE_PATTERN = "EXM-####-####-@"

_USUAL: Mapping[str, str] = {
    "contract_id": "NL-EXM-C48213075-K",
    "driver": "Maria Kowalczyk",
    "valid_until": "12/2029",
    "fleet": "Harbour Logistics",
    "reference": "HL-2041",
}
_LONGEST: Mapping[str, str] = {
    # A contract ID has capitals and digits, of which W is the widest.
    "contract_id": "WW-WWW-CWWWWWWWWW-W",
    "driver": "Alexander Maximilian von Hohenstaufenberg",
    "valid_until": "30.12.2029",
    "fleet": "Norddeutsche Energieversorgung GmbH & Co. KG",
    "reference": "WWWW-0000000000",
}


def usual_face(link: str = SAMPLE_LINK, number_pattern: str = SAMPLE_PATTERN) -> dict[str, str]:
    """A card as most are."""
    return {**_USUAL, **_from_settings(link, number_pattern, "4821307596")}


def longest_face(
    design: CardDesign, link: str = SAMPLE_LINK, number_pattern: str = SAMPLE_PATTERN
) -> dict[str, str]:
    """The longest values that the fields of a design may have: its own word goes before what is usual."""
    return {**_LONGEST, **_from_settings(link, number_pattern, "0"), **design.longest}


def _from_settings(link: str, number_pattern: str, digits: str) -> dict[str, str]:
    address = link.format(alias=SAMPLE_ALIAS)
    number, place = "", 0
    for sign in number_pattern:
        if sign in "#@":
            sign, place = digits[place % len(digits)], place + 1
        number += sign
    return {"visual_number": number, "link": address, "qr_link": address.upper()}
