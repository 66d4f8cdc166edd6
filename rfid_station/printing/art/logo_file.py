"""A logo file before it is taken into a brand."""

from __future__ import annotations

from pathlib import Path

from rfid_station.errors import WrongCall
from rfid_station.printing.art.pictures import opened
from rfid_station.printing.art.svg import NotDrawable, read_svg


def check_logo(file: Path) -> None:
    """See that a logo can be printed.

    :raises WrongCall: it is an SVG drawing that cannot
    :raises PrintError: it is a picture that cannot
    """
    if file.suffix.lower() != ".svg":
        opened(file)
        return
    try:
        read_svg(file)
    except NotDrawable as error:
        raise WrongCall(str(error), hint=error.remedy) from error
