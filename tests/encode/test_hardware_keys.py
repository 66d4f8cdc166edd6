"""A real PKCS#11 module, SoftHSM2: derivation happens inside it, and the master key never comes out."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfid_station.chip.aes import LocalAesKey, diversify
from rfid_station.domain.key import KeyRef
from rfid_station.encode.pkcs11 import HardwareKeys, open_module
from rfid_station.errors import Conflict, KeyUnavailable

PIN = "fill-in-4711"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The module's library, on a token of its own."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(config))
        command = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "desk",
            "--so-pin",
            "so-4711",
            "--pin",
            PIN,
        ]
        subprocess.run(command, check=True, capture_output=True)
        yield str(next(path for path in Path("/usr/lib").rglob("libsofthsm2.so")))


@pytest.fixture
def keys(module: str) -> Iterator[HardwareKeys]:
    with open_module(module, "desk", PIN) as opened:
        if KeyRef("cards", 1) not in opened.refs:
            opened.add_new("cards")
        yield opened


def known_key(keys: HardwareKeys, name: str, raw: bytes) -> KeyRef:
    """Put a key into the module whose value we know, to have something to compare with."""
    if KeyRef(name, 1) in keys.refs:
        return KeyRef(name, 1)
    keys.session.create_object(
        {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
            pkcs11.Attribute.LABEL: f"{name}:1",
            pkcs11.Attribute.VALUE: raw,
            pkcs11.Attribute.ENCRYPT: True,
        }
    )
    return KeyRef(name, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(message=st.binary(min_size=1, max_size=31))
def test_the_module_derives_what_a_file_would(keys: HardwareKeys, message: bytes) -> None:
    raw = bytes(range(16))
    ref = known_key(keys, "known", raw)
    assert keys.diversify(ref, message).reveal() == diversify(LocalAesKey(raw), message)


def test_the_master_key_cannot_be_read(keys: HardwareKeys) -> None:
    handle = keys.session.get_key(label="cards:1")
    assert handle[pkcs11.Attribute.SENSITIVE]
    assert not handle[pkcs11.Attribute.EXTRACTABLE]
    with pytest.raises(pkcs11.PKCS11Error):
        handle[pkcs11.Attribute.VALUE]


def test_keys_are_made_and_rotated_inside(keys: HardwareKeys) -> None:
    keys.add_new("fleet")
    assert keys.newest("fleet") == KeyRef("fleet", 1)
    old = keys.diversify(KeyRef("fleet", 1), b"uid").reveal()
    assert keys.add_next("fleet") == KeyRef("fleet", 2) == keys.newest("fleet")
    assert keys.diversify(KeyRef("fleet", 1), b"uid").reveal() == old
    assert keys.diversify(KeyRef("fleet", 2), b"uid").reveal() != old
    with pytest.raises(Conflict, match="fleet already"):
        keys.add_new("fleet")


def test_check_values_tell_keys_apart(keys: HardwareKeys) -> None:
    ref = known_key(keys, "zero", bytes(16))
    assert keys.check_value(ref) == "66E94B"


def test_what_is_not_ours_in_the_module_is_left_alone(keys: HardwareKeys) -> None:
    keys.session.generate_key(pkcs11.KeyType.AES, 128, label="Backup Key 2024", store=False)
    assert all(ref.id in ("cards", "fleet", "known", "zero") for ref in keys.refs)


def test_a_missing_key_is_named(keys: HardwareKeys) -> None:
    with pytest.raises(KeyUnavailable, match="no nobody"):
        keys.newest("nobody")
    with pytest.raises(KeyUnavailable, match="no cards:7"):
        keys.diversify(KeyRef("cards", 7), b"uid")


def test_wrong_module_token_and_pin_are_named(module: str) -> None:
    with pytest.raises(KeyUnavailable, match="cannot be loaded"), open_module("/nowhere.so", "desk", PIN):
        pass
    with pytest.raises(KeyUnavailable, match="no token 'other'"), open_module(module, "other", PIN):
        pass
    with pytest.raises(KeyUnavailable, match="PIN") as refused, open_module(module, "desk", "wrong-pin"):
        pass
    assert "wrong-pin" not in str(refused.value)
