"""What may be set, from `station.toml`, the environment and the command line, in rising order.

`RFID_STATION_OCPI__PARTY_ID=EXM` sets `party_id` in table `[ocpi]`. The result is frozen.
Secrets are never settings: they lie in files of their own (`vault.py`).

One folder holds all that belongs to a station: `station.toml`, the store, secrets, prints.
"""

from __future__ import annotations

import os
import re
import tomllib
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rfid_station.domain.card import ReplaceWhen
from rfid_station.domain.driver_wish import DriverWish
from rfid_station.domain.profile import Activation
from rfid_station.domain.token import Party, Whitelist
from rfid_station.domain.visual_number import NumberPattern
from rfid_station.errors import WrongCall
from rfid_station.small_file import small_text, table_of

FILE_NAME = "station.toml"
FOLDER_VARIABLE = "RFID_STATION_FOLDER"


class VisualOrder(StrEnum):
    """Whether a visual number tells about its neighbours."""

    RANDOM = "random"
    RISING = "rising"


def _upper_alnum(length: int) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(rf"[A-Z0-9]{{{length}}}", text):
            raise ValueError(f"must be {length} upper-case letters or digits")
        return text

    return AfterValidator(check)


def _link_with_alias(text: str) -> str:
    if text.count("{alias}") != 1 or not text.startswith("https://"):
        raise ValueError("must start with https:// and contain {alias} once")
    return text


def _number_pattern(text: str) -> str:
    try:
        NumberPattern(text)
    except WrongCall as error:
        raise ValueError(f"{error.message}: {error.hint}") from error
    return text


def _places(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]*|[0-9A-Fa-f:.]+(/\d{1,3})?", text):
            raise ValueError(f"{text!r} is no host, address or network, as in cpo.internal or 10.1.0.0/16")
    return texts


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


PROMPT = "prompt"
_NO_REFERENCE = "no_secret_reference"


def _secret_reference(text: str) -> str:
    if text != PROMPT and not re.fullmatch(r"(env|file|keyring):\S+", text):
        raise PydanticCustomError(
            _NO_REFERENCE, 'must be "prompt", "env:NAME", "file:NAME" or "keyring:NAME", and no secret'
        )
    return text


SecretReference = Annotated[str, AfterValidator(_secret_reference)]


LEASE = 100
COPY_MINUTES = 30


class StoreSettings(_Table):
    """`[store]`."""

    url: str = "sqlite:///station.db"
    """A SQLAlchemy URL; a relative SQLite file lies in the station's folder. Never with a password in it."""
    password: SecretReference | None = None
    """Where the password of a server's account lies; None where the server asks for none."""
    lease: int | None = Field(default=None, ge=0, le=1_000_000)
    """Contract numbers that a desk takes for itself at a time; 0: each when it is needed. None: `LEASE` on a
    server, 0 in a file, whose desks cannot be cut off from it."""
    copy_minutes: int | None = Field(default=None, ge=0, le=100_000)
    """How old the desk's own copy of a store on a server may get while the desk works; 0: none is kept.
    None: `COPY_MINUTES` on a server, and none of a file."""


class DeskSettings(_Table):
    """`[desk]`."""

    reader: str = "pcsc:"
    place: str = Field(default="desk-1", min_length=1, max_length=100)
    """Which desk this is: its blanks and its shifts are told apart by it."""
    profile: str = "plain"
    issuer: str = Field(default="Example Mobility", min_length=1, max_length=64)
    link: Annotated[str, AfterValidator(_link_with_alias)] = "https://cards.example.com/c/{alias}"
    visual_number: Annotated[str, AfterValidator(_number_pattern)] = "EXM-####-####-@"
    visual_order: VisualOrder = VisualOrder.RANDOM
    activation: Activation = Activation.AT_ISSUE
    claim_code: bool = False
    """Whether a card that leaves inactive gets a code for its letter when it is made."""
    replace_when: ReplaceWhen = ReplaceWhen.NOW
    """When a card stops that is replaced."""
    pin: SecretReference = PROMPT
    """Who says the PIN of `--operator`; meant for the environment of a script."""
    bell: bool = True
    """Whether the terminal rings: once for a card that is done, twice for one that is not."""


class KeySettings(_Table):
    """`[keys]`: where the master keys lie, and who says what opens them."""

    ring: str = "keys.ring"
    """A sealed file in the station's folder."""
    passphrase: SecretReference = PROMPT
    module: str = ""
    """A PKCS#11 library; with it, the master keys lie in that hardware module and in no file."""
    token: str = "rfid-station"  # noqa: S105 - the label of a token
    pin: SecretReference = PROMPT


class OcpiSettings(_Table):
    """`[ocpi]`."""

    country_code: Annotated[str, _upper_alnum(2)] = "NL"
    party_id: Annotated[str, _upper_alnum(3)] = "EXM"
    name: str = Field(default="Example Mobility", min_length=1, max_length=100)
    public_url: str = "http://127.0.0.1:8090"
    """Where partners reach us from outside."""
    listen: str = "127.0.0.1:8090"
    whitelist: Whitelist = Whitelist.ALLOWED
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    private_hosts: Annotated[tuple[str, ...], AfterValidator(_places)] = ()
    """Hosts, addresses and networks off the public internet that partners may have."""

    @property
    def party(self) -> Party:
        """Our OCPI party."""
        return Party(self.country_code, self.party_id)


class OicpSettings(_Table):
    """`[oicp]`: by what a hub knows us. One provider has one certificate."""

    tls_certificate: str = ""
    """A PEM file with the client certificate and its chain, in the station's folder."""
    tls_key: str = ""


class ServeSettings(_Table):
    """`[serve]`: how partners are let in, beyond where."""

    tls_certificate: str = ""
    """A PEM file with the certificate chain, in the station's folder; without one a proxy has to do TLS."""
    tls_key: str = ""
    page: int = Field(default=1000, ge=1, le=100_000)
    """The most tokens on a page of the list."""
    connections: int = Field(default=512, ge=8, le=65_536)
    """How many connections are open at the same time."""


class PageSettings(_Table):
    """`[page]`: the page that the link on a card leads to."""

    serve: bool = True
    by_tap: tuple[DriverWish, ...] = (DriverWish.ACTIVATE, DriverWish.LOST)
    """What a tap of the card permits. A thief can tap it too, so `found` is not there by itself."""
    proxies: tuple[IPvAnyAddress, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    """Who is believed when it says for whom it asks (`X-Forwarded-For`, `X-Forwarded-Proto`)."""


class PrintSettings(_Table):
    """`[print]`: names of files in `templates/`, one's own folder first."""

    brand: str = "example"
    design: str = "classic"
    sheet: str = "a4-10up"


class Settings(BaseSettings):
    """Everything that may be set for one station."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="RFID_STATION_", env_nested_delimiter="__"
    )

    store: StoreSettings = StoreSettings()
    desk: DeskSettings = DeskSettings()
    keys: KeySettings = KeySettings()
    ocpi: OcpiSettings = OcpiSettings()
    oicp: OicpSettings = OicpSettings()
    serve: ServeSettings = ServeSettings()
    page: PageSettings = PageSettings()
    print: PrintSettings = PrintSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose table comes in as init values."""
        return env_settings, init_settings


def station_folder(chosen: Path | None = None) -> Path:
    """Which folder is the station: the chosen one, the environment's, this one, or the user's own."""
    if chosen:
        return chosen.expanduser().resolve()
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE]).expanduser().resolve()
    if Path(FILE_NAME).is_file():
        return Path.cwd()
    from platformdirs import user_data_path

    return user_data_path("rfid-station")


def load_settings(folder: Path) -> Settings:
    """Read a station's settings and check every entry.

    :raises WrongCall: the file is missing or no TOML, or an entry is unknown or impossible
    """
    path = folder / FILE_NAME
    try:
        table = table_of(small_text(path))
    except FileNotFoundError:
        raise WrongCall(
            f"there is no station in {folder}: {FILE_NAME} is missing",
            hint=f"rfid-station --station {folder} init",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongCall(f"{path} is not valid TOML: {error}", hint=f"correct that line of {path}") from None
    return _checked(table, str(path))


_NOT_SHOWN = ("extra_forbidden", _NO_REFERENCE)
"""Of entries that are wrong in these ways the value is not told: it may be a secret."""


def _checked(table: dict[str, Any], source: str) -> Settings:
    try:
        return Settings(**table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        entry = ".".join(str(part) for part in first["loc"])
        value = "" if first["type"] in _NOT_SHOWN else f" = {first['input']!r}"
        what = "unknown entry" if first["type"] == "extra_forbidden" else first["msg"]
        raise WrongCall(
            f"{source}: {entry}{value}: {what.removeprefix('Value error, ')}",
            hint=f"correct [{entry.split('.')[0]}] in {source}; docs/settings.md lists every entry",
        ) from None


def store_url(settings: Settings, folder: Path) -> str:
    """The store's URL, a relative SQLite file made absolute."""
    prefix = "sqlite:///"
    url = settings.store.url
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return f"{prefix}{folder / url.removeprefix(prefix)}"
    return url
