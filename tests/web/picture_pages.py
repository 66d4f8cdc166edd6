"""Takes the pictures of docs/page.md anew: `PYTHONPATH=tests:. python tests/web/picture_pages.py`."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from browsers import PHONE, PHONE_BY_NIGHT, Device, chromium, looking
from page_world import path_of, served, sun_cards, tapped_link
from PIL import Image
from playwright.sync_api import Browser
from stations import CLERK, listening_anywhere, new_station

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.domain.agreement import Agreement
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    """Make a station with a partner, and look at the pages of its card."""
    os.environ |= {"RFID_STATION_KEYS__PASSPHRASE": "env:DESK_PHRASE", "DESK_PHRASE": "four words by chance"}
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, VirtualCpo("first-token-out-of-band") as cpo:
        station_folder = listening_anywhere(new_station(Path(folder) / "station"), timeout_s=2.0)
        settings = station_folder / "station.toml"
        settings.write_text(settings.read_text().replace('"at_issue"', '"by_hand"'))
        with open_station(station_folder, CLERK) as station, chromium() as browser:
            add_partner(station, "fastcharge", cpo.versions_url, "first-token-out-of-band", Agreement())
            connect_partner(station, "fastcharge")
            add_partner(station, "slowcharge", cpo.versions_url, "first-token-out-of-band", Agreement())
            _look(station, browser)


def _look(station: Station, browser: Browser) -> None:
    deck, (card,) = sun_cards(station)
    code = draw_code(station, card).code
    with served(station, keys=True) as pages:
        port, link = pages.phone.port, tapped_link(deck)
        for name, device, target in (
            ("new", PHONE, path_of(card)),
            ("tapped", PHONE_BY_NIGHT, link),
            ("copied", PHONE, link),
        ):
            with looking(browser, device, port) as page:
                page.goto(target)
                _keep(name, page.screenshot())
        with looking(browser, Device(800, 700), port) as page:
            page.goto(path_of(card))
            page.fill("#code", code)
            page.click("button[value=lost]")
            page.get_by_text("fastcharge: knows it").wait_for(timeout=20_000)
            _keep("lost", page.screenshot())


def _keep(name: str, picture: bytes) -> None:
    """Keep a picture with as few colours as its page needs."""
    with Image.open(io.BytesIO(picture)) as shot:
        small = shot.convert("RGB").quantize(64)
    small.save(PICTURES / f"page-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
