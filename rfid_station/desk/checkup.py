"""Everything a day at the desk needs, looked at before the day begins."""

from __future__ import annotations

import platform
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from rfid_station import __version__
from rfid_station.desk.keys.ring import KeyCupboard
from rfid_station.desk.partners.hub import client_certificate, is_hub
from rfid_station.desk.people.person import Claim, Person, claim_of
from rfid_station.desk.people.sign_in import is_of_another_day
from rfid_station.desk.record.cut_off import cut_off
from rfid_station.desk.record.own_store import copy_age_allowed, open_own_store, store_password
from rfid_station.desk.station import Station, load_profile
from rfid_station.domain.actor import Actor
from rfid_station.domain.key import KeyRef
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import StationError
from rfid_station.ocpi.server import listen
from rfid_station.printing.brand import load_brand
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import load_layout
from rfid_station.reader.diagnosis import Service, diagnose
from rfid_station.reader.machine import Machine
from rfid_station.reader.opening import list_readers
from rfid_station.settings import Settings, load_settings, store_url
from rfid_station.store.engines.address import is_on_server
from rfid_station.store.engines.sqlite_facts import sqlite_facts
from rfid_station.store.opening import place_of
from rfid_station.vault import Vault

LITTLE_ROOM = 200 * 1024 * 1024
"""Bytes free on the store's disk below which a warning is given."""

RENEW_WITHIN = timedelta(days=30)
"""How long before its end a certificate is asked after."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    level: Level
    words: str
    remedy: str | None = None


def check_up(folder: Path, actor: Actor | Claim, machine: Machine | None = None) -> list[Finding]:
    """Look at everything, and let no failure hide the next one."""
    findings = [_ok("program", f"rfid-station {__version__} on Python {platform.python_version()}")]
    findings += _guarded("reader", lambda: _readers(machine or Machine(), Service()))
    try:
        settings = load_settings(folder)
    except StationError as error:
        return [*findings, _failure("settings", error)]
    findings.append(_ok("settings", str(folder)))
    findings += _guarded("templates", lambda: _templates(settings, folder))
    if is_on_server(settings.store.url):
        findings += _guarded("postgresql", lambda: _server(settings, folder))
    else:
        findings += _guarded("sqlite", lambda: _sqlite(settings, folder))
    findings += _guarded("store", lambda: _store(settings, folder, claim_of(actor)))
    if is_on_server(settings.store.url):
        findings += _guarded("cut off", lambda: _cut_off(settings, folder))
    findings += _guarded("address", lambda: _address(settings))
    return findings


def _ok(what: str, words: str) -> Finding:
    return Finding(what, Level.OK, words)


def _failure(what: str, error: StationError) -> Finding:
    return Finding(what, Level.FAILURE, error.message, error.hint)


def _guarded(what: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look())
    except StationError as error:
        found.append(_failure(what, error))
    return found


def _readers(machine: Machine, service: Service) -> Iterator[Finding]:
    readers = list_readers(machine)
    for reader in readers:
        words, _, remedy = (reader.trouble or "").partition("; ")
        named = f"{reader.name} ({reader.uri})"
        if words:
            yield Finding("reader", Level.WARNING, f"{named}: {words}", remedy or None)
        else:
            yield _ok("reader", named)
    for diagnosis in diagnose(readers, machine, service):
        yield Finding("reader", Level.WARNING, diagnosis.words, diagnosis.remedy)
    if not readers:
        yield Finding(
            "reader", Level.WARNING, "no reader is plugged in", "plug one in, or try --reader sim:ntag213"
        )


def _templates(settings: Settings, folder: Path) -> Iterator[Finding]:
    profile = load_profile(settings.desk.profile, folder)
    yield _ok("profile", f"{profile.name}: {profile.title}")
    folders = [folder / "templates"]
    load_design(settings.print.design, folders)
    brand = load_brand(settings.print.brand, folders)
    load_layout(settings.print.sheet, folders)
    printed, told = brand.fields["issuer"], settings.desk.issuer
    if printed != told:
        yield Finding(
            "issuer",
            Level.WARNING,
            f"cards say {printed!r} (brand {settings.print.brand}), and partners are told {told!r}",
            "make desk.issuer in station.toml and issuer in the brand file the same",
        )
    yield _ok("templates", f"{settings.print.design}, {settings.print.brand}, {settings.print.sheet}")


def _server(settings: Settings, folder: Path) -> Iterator[Finding]:
    place = place_of(store_url(settings, folder), store_password(settings, folder))
    yield _ok("postgresql", f"PostgreSQL {place.engine_version()}")


def _cut_off(settings: Settings, folder: Path) -> Iterator[Finding]:
    """What this desk would have if it lost the server."""
    known, allowed = cut_off(folder), copy_age_allowed(settings)
    if known.lease:
        held = known.lease.lease
        yield _ok("numbers", f"{held.place} holds contracts {held.next} to {held.last} ({held.left} left)")
    if allowed is None:
        yield _ok("copy", "none is kept here (store.copy_minutes = 0)")
    elif known.copy is None or known.copy.age is None or known.copy.age > 2 * allowed:
        words = f"old: {known.copy}" if known.copy else "there is none to look into when the server is away"
        yield Finding("copy", Level.WARNING, words, "rfid-station store copy --keep")
    else:
        yield _ok("copy", f"{known.copy}")


def _sqlite(settings: Settings, folder: Path) -> Iterator[Finding]:
    facts = sqlite_facts(store_url(settings, folder))
    if facts.has_wal_reset_fault:
        yield Finding(
            "sqlite",
            Level.WARNING,
            f"SQLite {facts.version} has the WAL-reset fault: two programs writing at once may damage it",
            "run one writing program at a time, or use a Python linked with SQLite 3.51.3 or newer",
        )
    else:
        yield _ok("sqlite", f"SQLite {facts.version}")
    if facts.free_bytes < LITTLE_ROOM:
        yield Finding(
            "disk", Level.WARNING, f"{facts.free_bytes // 2**20} MiB are free", f"df -h {facts.path.parent}"
        )


def _store(settings: Settings, folder: Path, claim: Claim) -> Iterator[Finding]:
    vault = Vault(folder / "secrets")
    with open_own_store(settings, folder) as store:
        report = store.audit.check()
        if report.is_sound:
            yield _ok("store", f"{store.place}, {report.chain.events} events, chain whole")
        else:
            words = report.chain.why or report.findings[0]
            yield Finding("store", Level.FAILURE, words, "rfid-station store check")
        cupboard = KeyCupboard(folder, settings.keys, vault)
        yield from _keys(cupboard, store.cards.counted_by_key())
        person = Person(store, vault, settings.desk, claim)
        station = Station(folder, settings, store, vault, person, cupboard)
        yield _people(station)
        yield from _partners(station)
    if vault.folder.is_dir() and stat.S_IMODE(vault.folder.stat().st_mode) & 0o077:
        yield Finding(
            "secrets", Level.WARNING, f"{vault.folder} can be read by others", f"chmod 700 {vault.folder}"
        )


def _people(station: Station) -> Finding:
    """Who signs in here, and who is signed in."""
    operators = [one for one in station.store.operators.all() if one.is_active]
    if not operators:
        words = "nobody signs in here: names are trusted as they are given (--operator, --role)"
        return Finding("people", Level.OK, words, "rfid-station operator add NAME --role supervisor")
    place = station.settings.desk.place
    now = station.store.shifts.open_at(place)
    if now is None:
        return _ok("people", f"{len(operators)} may sign in, nobody is signed in at {place}")
    words = f"{now.shift.operator.name} is signed in at {place} since {now.shift.began_at:%Y-%m-%d %H:%M} UTC"
    if is_of_another_day(station, now.shift):
        return Finding("people", Level.WARNING, words, "rfid-station shift end")
    return _ok("people", words)


def _keys(cupboard: KeyCupboard, cards: dict[KeyRef, int]) -> Iterator[Finding]:
    """Whether the master keys are where they should be. Nobody is asked for a passphrase."""
    used = ", ".join(f"{ref} on {count}" for ref, count in sorted(cards.items()))
    place = Path(cupboard.settings.module) if cupboard.is_hardware else cupboard.ring_file
    if place.exists():
        yield _ok("keys", f"{place}, cards: {used or 'none yet'}")
    elif used:
        yield Finding(
            "keys", Level.FAILURE, f"cards have keys ({used}), and {place} is missing", f"put {place} back"
        )


_NEXT = {
    PartnerState.ADDED: "connect",
    PartnerState.CONNECTING: "connect",
    PartnerState.INVITED: "show",
    PartnerState.DISCONNECTED: "show",
}
"""The command that goes on with a partner who is not connected."""


def _partners(station: Station) -> Iterator[Finding]:
    for partner in station.store.partners.all():
        if partner.state is not PartnerState.CONNECTED:
            remedy = f"rfid-station partner {_NEXT[partner.state]} {partner.name}"
            yield Finding("partner", Level.WARNING, f"{partner.name} is {partner.state}", remedy)
            continue
        if is_hub(partner):
            yield _certificate(station, partner)
        else:
            station.vault.read(partner.client_token_ref)
        standing = station.store.feed.standing(partner.name)
        if standing.is_settled:
            yield _ok("partner", f"{partner.name} holds everything")
        else:
            words = f"{partner.name}: {standing.behind} owed, {len(standing.parked)} uncertain"
            yield Finding("partner", Level.WARNING, words, "rfid-station sync run")


def _certificate(station: Station, partner: Partner) -> Finding:
    certificate = client_certificate(station)
    if certificate is None:
        return _ok("certificate", f"{partner.name} is a simulated hub, and takes none")
    until = certificate.valid_until()
    words = f"{partner.name} knows us by {certificate.certificate.name}, valid until {until:%Y-%m-%d}"
    if until - datetime.now(UTC) < RENEW_WITHIN:
        return Finding("certificate", Level.WARNING, words, "have the hub sign a new one in time")
    return _ok("certificate", words)


def _address(settings: Settings) -> Iterator[Finding]:
    host, _, port = settings.ocpi.listen.rpartition(":")
    listen(host, int(port) if port.isdecimal() else -1).close()
    yield _ok("address", f"partners may call {settings.ocpi.public_url} (here: {settings.ocpi.listen})")
