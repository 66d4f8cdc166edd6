"""What every OCPI version writes alike: the envelope, DateTime, the list of versions.

Sources: OCPI 2.2.1 transport_and_format (Response format), types (DateTime type) and
version_information_endpoint (Version class); 2.1.1 and 2.3.0 say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import to_json

from rfid_station.errors import WrongCall

SUCCESS = 1000
"""OCPI 2.2.1 status_codes: generic success."""

MOST_COMPLAINTS = 8
"""About one object."""

Url = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class WireModel(BaseModel):
    """A value as it stands in JSON: types are not converted, unknown fields are ignored.

    Input never shows in error texts, since it may be a credentials token.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class Envelope(WireModel):
    """What every answer is wrapped in (OCPI 2.2.1 transport_and_format, Response format)."""

    status_code: int
    status_message: str | None = None
    timestamp: str | None = None
    data: Any = None


class Version(WireModel):
    """One entry of a versions list (OCPI 2.2.1 version_information_endpoint, Version class)."""

    version: str
    url: Url


def envelope(status_code: int, status_message: str | None, at: datetime, **data: object) -> dict[str, object]:
    """Wrap an answer of ours. `data=...` is left out where there is none."""
    wrapped = Envelope(status_code=status_code, status_message=status_message, timestamp=date_time(at))
    return wrapped.model_dump(exclude_none=True) | data


def json_bytes(body: Mapping[str, object]) -> bytes:
    """An object of ours as it is sent: without blanks, in UTF-8."""
    return to_json(dict(body))


@lru_cache(maxsize=64)  # what changed together, as a whole fleet does, has one time
def date_time(at: datetime) -> str:
    """An instant as `YYYY-MM-DDTHH:MM:SSZ`: UTC, whole seconds (OCPI 2.2.1 types, DateTime type).

    :raises WrongCall: the instant has no time zone
    """
    if at.tzinfo is None:
        raise WrongCall(f"{at.isoformat()} has no time zone", hint="keep instants in UTC")
    return at.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def exact_instant(text: str) -> datetime:
    """A DateTime to the millisecond: two changes within a second have an order.

    :raises ValueError: it is none
    """
    try:
        read = datetime.fromisoformat(text.strip().upper())
        at = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a DateTime") from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant(text: object) -> datetime | None:
    """Read a DateTime at the precision of a second, or None if it is not one.

    `Z` may be absent and means UTC all the same; a fraction is cut off. Offsets and a blank
    in place of `T` are not OCPI, and partners send them.
    """
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text.strip().upper())
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def complaints(invalid: ValidationError) -> str:
    """What does not fit, field by field, without the values; the first few of many."""
    found = invalid.errors(include_input=False, include_url=False)
    told = "; ".join(f"{_place(error['loc'])}: {error['msg']}" for error in found[:MOST_COMPLAINTS])
    more = len(found) - MOST_COMPLAINTS
    return f"{told}; and {more} more" if more > 0 else told


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the whole"


def read_versions(data: object) -> Iterator[Version]:
    """Read the entries of a versions list one by one; those that are not readable are passed over."""
    for entry in data if isinstance(data, list) else ():
        try:
            yield Version.model_validate(entry)
        except ValidationError:
            continue
