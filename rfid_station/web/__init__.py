"""The page of a card: what a phone shows that follows the link on it.

    a request ─► front ─► card page     the link of `desk.link`
                     └──► the OCPI server

Plain ASGI and one Jinja template: no framework, no script, no cookie, nothing from elsewhere. What a driver
may see and do is decided by `desk.driver_desk`; here it is shown, and guarded against who tries too often.
"""

from rfid_station.web.front import card_pages, pages_path

__all__ = ["card_pages", "pages_path"]
