"""One station: its folder, settings, store, secrets, and who works at it now."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rfid_station.chip.duox import Root, parse_roots
from rfid_station.desk.keys.ring import Ask, KeyCupboard, ask_nobody
from rfid_station.desk.people.person import Claim, Person, claim_of, trusted
from rfid_station.desk.record.own_store import create_own_store, open_own_store
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Role
from rfid_station.domain.profile import Activation, Profile
from rfid_station.domain.token import Token, token_of
from rfid_station.domain.visual_number import NumberPattern
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Target
from rfid_station.errors import WrongCall
from rfid_station.settings import FILE_NAME, Settings, StoreSettings, load_settings
from rfid_station.shipped import shipped
from rfid_station.small_file import small_text, table_of
from rfid_station.store.engines.address import check_address
from rfid_station.store.opening import Store
from rfid_station.vault import Vault

ROOTS_FILE = "duox_roots.toml"
"""In the station's folder: written like `data/duox_roots.toml`."""


@dataclass(frozen=True, slots=True)
class Station:
    """All that a flow of the desk works with."""

    folder: Path
    settings: Settings
    store: Store
    vault: Vault
    person: Person
    cupboard: KeyCupboard

    @property
    def actor(self) -> Actor:
        """Who acts, in which role: proven, where people sign in.

        :raises NotSignedIn: this is nobody that the station knows of
        :raises MoveNotAllowed: the role is not theirs to take
        """
        return self.person.actor

    @property
    def ask(self) -> Ask:
        """Asks whoever is at the keyboard for what is not shown."""
        return self.person.ask

    def keys(self) -> KeySource:
        """The master keys; opened when they are first asked for.

        :raises KeyUnavailable: there are none yet, or they do not open
        """
        return self.cupboard.open()

    def keys_for(self, target: Target) -> KeySource | None:
        """The master keys, if this card has keys at all."""
        return self.keys() if target.key else None

    @property
    def number_pattern(self) -> NumberPattern:
        """How visual numbers look here."""
        return NumberPattern(self.settings.desk.visual_number)

    def link(self, alias: str) -> str:
        """The address that a card carries."""
        return self.settings.desk.link.format(alias=alias)

    def token(self, card: Card, at: datetime) -> Token:
        """What partners are told about a card from `at` on."""
        ocpi = self.settings.ocpi
        return token_of(card, ocpi.party, self.settings.desk.issuer, ocpi.whitelist, at)

    def activates(self, profile: Profile) -> bool:
        """Whether cards of a profile may charge as soon as they are made."""
        return (profile.activation or self.settings.desk.activation) is Activation.AT_ISSUE

    def draws_code(self, profile: Profile) -> bool:
        """Whether cards of a profile that leave inactive get a code for their letter."""
        return self.settings.desk.claim_code if profile.claim_code is None else profile.claim_code

    @property
    def roots(self) -> tuple[Root, ...]:
        """Who may vouch for charging cards with a certificate, beside those that everybody trusts.

        :raises WrongCall: the station's own file of them is wrong
        """
        path = self.folder / ROOTS_FILE
        return parse_roots(small_text(path), str(path)) if path.exists() else ()

    def profile(self, name: str | None = None) -> Profile:
        """A profile by name, the settings' own by default.

        :raises WrongCall: there is no such profile, or its file is wrong
        """
        return load_profile(name or self.settings.desk.profile, self.folder)


@contextmanager
def open_station(
    folder: Path, actor: Actor | Claim, ask: Ask = ask_nobody, *, to_look: bool = False
) -> Iterator[Station]:
    """Open the station in a folder, and close its store and its keys in the end.

    :param actor: who this is. Where people sign in, it is believed by the ticket of a shift or by a PIN only
    :param to_look: nobody has to be signed in, unless something is changed or revealed after all
    :raises WrongCall: there is none, or its settings are wrong
    :raises StoreError: its store cannot be used
    :raises NotSignedIn: the station has operators, and this is none of them that it knows of
    :raises MoveNotAllowed: the role is not theirs to take
    """
    settings = load_settings(folder)
    with (
        open_own_store(settings, folder) as store,
        station_on(store, folder, settings, actor, ask, to_look=to_look) as station,
    ):
        yield station


@contextmanager
def station_on(
    store: Store,
    folder: Path,
    settings: Settings,
    actor: Actor | Claim,
    ask: Ask = ask_nobody,
    *,
    to_look: bool = False,
) -> Iterator[Station]:
    """Open a station on a store that is open, and close its keys in the end.

    :raises NotSignedIn: the station has operators, and this is none of them that it knows of
    :raises MoveNotAllowed: the role is not theirs to take
    """
    vault = Vault(folder / "secrets")
    cupboard = KeyCupboard(folder, settings.keys, vault, ask)
    person = Person(store, vault, settings.desk, claim_of(actor), ask)
    station = Station(folder, settings, store, vault, person, cupboard)
    if not to_look:
        _ = station.actor
    try:
        yield station
    finally:
        cupboard.close()


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """Which store a new station gets."""

    url: str = StoreSettings().url
    password: str | None = None
    """Where the password of the server's account lies."""
    is_there: bool = False
    """Whether other desks made it already."""

    @property
    def entries(self) -> str:
        """As in `station.toml`."""
        entries = f"url = {json.dumps(self.url)}"
        return entries + (f"\npassword = {json.dumps(self.password)}" if self.password else "")


OWN_FILE = StoreChoice()


def create_station(
    folder: Path, actor: Actor, *, profile: str, reader: str, store: StoreChoice = OWN_FILE
) -> Path:
    """Make a new station: folder, settings with every entry explained, empty store.

    :raises WrongCall: there is one already, or no such profile, or the address of the store is none
    :raises Conflict: somebody made the store already
    """
    path = folder / FILE_NAME
    if path.exists():
        raise WrongCall(f"{folder} is a station already", hint=f"rfid-station --station {folder} doctor")
    load_profile(profile, folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = shipped("templates", "station.toml").read_text("utf-8")
    check_address(store.url)
    text = text.replace(OWN_FILE.entries, store.entries, 1)
    path.write_text(text.replace("@profile@", profile).replace("@reader@", reader), "utf-8")
    try:
        settings = load_settings(folder)
        if store.is_there:
            open_own_store(settings, folder).close()
        else:
            create_own_store(settings, folder, actor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def load_profile(name: str, folder: Path) -> Profile:
    """Read a profile from the station's own templates or the shipped ones.

    :raises WrongCall: there is no such profile, or its file is wrong
    """
    folders = [folder / "templates" / "profiles", shipped("templates", "profiles")]
    for place in folders:
        path = place / f"{name}.toml"
        if path.is_file():
            try:
                return Profile.from_table(name, table_of(small_text(path)))
            except tomllib.TOMLDecodeError as error:
                raise WrongCall(
                    f"{path} is not valid TOML: {error}", hint=f"correct that line of {path}"
                ) from None
    known = sorted({path.stem for place in folders for path in place.glob("*.toml")})
    raise WrongCall(f"there is no profile {name!r}", hint=f"choose one of: {', '.join(known)}")


def all_profiles(folder: Path) -> list[Profile]:
    """Every profile that a station can take, by name.

    :raises WrongCall: a file is wrong
    """
    places = (folder / "templates" / "profiles", shipped("templates", "profiles"))
    names = sorted({path.stem for place in places for path in place.glob("*.toml")})
    return [load_profile(name, folder) for name in names]


def actor_at_keyboard(name: str | None = None, role: Role = Role.CLERK) -> Actor:
    """Who works now: the name given, or the one the machine knows."""
    return trusted(Claim(name, role))
