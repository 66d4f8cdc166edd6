"""What partners want differently: files in `templates/partners`, and what one partner was given of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from rfid_station.desk.station import Station
from rfid_station.domain.partner import Partner, profile_table
from rfid_station.domain.partner_profile import PartnerProfile, check_partner_name
from rfid_station.errors import WrongCall
from rfid_station.shipped import shipped
from rfid_station.small_file import small_text, table_of

DEFAULT = "standard"


def load_partner_profile(name: str, folder: Path) -> PartnerProfile:
    """Read a profile from the station's own templates or the shipped ones.

    :raises WrongCall: there is no such profile, or its file is wrong
    """
    for place in _places(folder):
        path = place / f"{check_partner_name(name)}.toml"
        if path.is_file():
            return read_partner_profile(path)
    known = ", ".join(path.stem for path in _files(folder))
    raise WrongCall(f"there is no partner profile {name!r}", hint=f"choose one of: {known}")


def all_partner_profiles(folder: Path) -> list[PartnerProfile]:
    """Every profile that a partner can be given, by name.

    :raises WrongCall: a file is wrong
    """
    return [load_partner_profile(path.stem, folder) for path in _files(folder)]


def read_partner_profile(path: Path) -> PartnerProfile:
    """Read a profile from a file; it is named as the file is.

    :raises WrongCall: the file cannot be read, or is wrong
    """
    try:
        table = table_of(small_text(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongCall(f"{path} is not valid TOML: {error}", hint=f"correct that line of {path}") from None
    except OSError as error:
        raise WrongCall(
            f"the profile {path} cannot be read: {error.strerror}",
            hint="rfid-station partner export NAME --out FILE",
        ) from None
    return PartnerProfile.from_table(check_partner_name(path.stem), table)


def export_profile(partner: Partner) -> str:
    """A partner's profile as a file. There is no secret in it."""
    return "".join(_toml(profile_table(partner.profile)))


def write_profile(path: Path, text: str) -> None:
    """Write an exported profile to a file.

    :raises WrongCall: the file cannot be written
    """
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise WrongCall(
            f"{path} cannot be written: {error.strerror}", hint="name another file with --out"
        ) from None


def import_profile(station: Station, name: str, path: Path) -> Partner:
    """Give a partner the profile in a file. It counts for the next request.

    :raises WrongCall: there is no such partner, or the file is wrong
    """
    given, before = read_partner_profile(path), station.store.partners.get(name).profile
    if given.protocol is not before.protocol:
        raise WrongCall(
            f"{name} speaks {before.protocol.upper()}, and {path} is for {given.protocol.upper()}",
            hint="add it as another partner",
        )
    return station.store.partners.set_profile(name, given, station.actor)


def _places(folder: Path) -> tuple[Path, Path]:
    return folder / "templates" / "partners", shipped("templates", "partners")


def _files(folder: Path) -> list[Path]:
    found = {path.stem: path for place in _places(folder) for path in place.glob("*.toml")}
    return [found[name] for name in sorted(found)]


def _toml(table: dict[str, object]) -> Iterator[str]:
    """Write texts, numbers, flags and lists of texts; tables last, since they take all that follows."""
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    for name, value in table.items():
        if name not in tables:
            yield f"{name} = {_value(value)}\n"
    for name, entries in tables.items():
        yield f"\n[{name}]\n"
        for key, value in entries.items():
            yield f"{_value(key)} = {_value(value)}\n"


def _value(value: object) -> str:
    """A JSON text, number, flag or list of texts is TOML too, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
