"""Debian's Chromium, as phones and desks have it, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@dataclass(frozen=True)
class Device:
    """One way to look at a page."""

    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    language: str = "en-GB"
    has_script: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}-{self.language}"


PHONE = Device(390, 844)
PHONE_BY_NIGHT = Device(390, 844, "dark", "de-DE")
SMALL_PHONE = Device(320, 568, language="de-DE")
DESKTOP = Device(1280, 900)
DESKTOP_BY_NIGHT = Device(1280, 900, "dark")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Its sandbox does not start for root."""
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: Browser, device: Device, port: int) -> Iterator[Page]:
    """A page on a device; its requests are counted in `requests_of`."""
    context: BrowserContext = browser.new_context(
        base_url=f"http://127.0.0.1:{port}",
        viewport={"width": device.width, "height": device.height},
        color_scheme=device.scheme,
        locale=device.language,
        java_script_enabled=device.has_script,
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def slow(page: Page, *, latency_ms: int, bytes_per_s: int) -> None:
    """Let a page come as over a bad mobile network."""
    session: Any = page.context.new_cdp_session(page)
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": latency_ms,
            "downloadThroughput": bytes_per_s,
            "uploadThroughput": bytes_per_s,
        },
    )
