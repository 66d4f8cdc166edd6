"""The key ring: sealed, opened by its passphrase only, and changed by nobody unseen."""

import base64
import json
from hashlib import scrypt

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip.aes import VECTORS, LocalAesKey, diversify
from rfid_station.domain.key import KeyRef, parse_key_ref
from rfid_station.domain.uid import CardUid
from rfid_station.encode.key_ring import KeyRing, seal, unseal
from rfid_station.encode.keys import card_key
from rfid_station.errors import Conflict, KeyUnavailable, WrongCall

QUICK = {"n": 2, "r": 1, "p": 1}
PHRASE = "four words by chance"
RING = KeyRing().with_new("cards", bytes(range(16))).with_next("cards", bytes(16)).with_new("other")


@pytest.mark.parametrize(("master", "message", "derived"), VECTORS)
def test_published_diversification(master: str, message: str, derived: str) -> None:
    key = LocalAesKey(bytes.fromhex(master))
    assert diversify(key, bytes.fromhex(message)).hex().upper() == derived


def test_short_inputs_are_padded_to_two_blocks_unlike_a_plain_cmac() -> None:
    key = LocalAesKey(bytes.fromhex(VECTORS[1][0]))
    message = bytes.fromhex(VECTORS[1][1])
    assert diversify(key, message) != key.cmac(b"\x01" + message)
    assert key.cmac(b"\x01" + message).hex().upper() == "721E2C01E81AF85D815633969CEA2607"


@given(st.binary(min_size=16, max_size=30))
def test_longer_inputs_are_the_plain_cmac_of_another_judge(message: bytes) -> None:
    key = LocalAesKey(bytes(range(16)))
    assert diversify(key, message) == key.cmac(b"\x01" + message)


@pytest.mark.parametrize("size", [0, 32])
def test_an_input_of_another_size_is_a_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 31"):
        diversify(LocalAesKey(bytes(16)), bytes(size))


def test_what_was_sealed_opens() -> None:
    assert unseal(seal(RING, PHRASE, QUICK), PHRASE) == RING


def test_the_newest_version_is_for_new_cards_and_the_old_ones_stay() -> None:
    assert RING.newest("cards") == KeyRef("cards", 2)
    old = RING.diversify(KeyRef("cards", 1), b"uid").reveal()
    assert old == diversify(LocalAesKey(bytes(range(16))), b"uid")
    assert old != RING.diversify(KeyRef("cards", 2), b"uid").reveal()


def test_no_two_cards_and_no_two_slots_have_the_same_key() -> None:
    uids = [CardUid(bytes.fromhex(uid)) for uid in ("04A1B2C3D4E580", "04A1B2C3D4E680")]
    made = {
        card_key(RING, KeyRef("cards", 1), uid, slot).reveal() for uid in uids for slot in ("424.0", "424.1")
    }
    assert len(made) == 4


def test_the_wrong_passphrase_opens_nothing() -> None:
    with pytest.raises(KeyUnavailable, match="does not open"):
        unseal(seal(RING, PHRASE, QUICK), PHRASE + " ")


def test_no_key_and_no_passphrase_is_in_the_file_or_in_a_text() -> None:
    sealed = seal(RING, PHRASE, QUICK)
    for text in (sealed.decode(), repr(RING), repr(RING.diversify(KeyRef("cards", 1), b"uid"))):
        assert bytes(range(16)).hex() not in text.lower()
        assert PHRASE not in text
    assert "cards" not in sealed.decode()


def test_two_seals_of_one_ring_share_nothing() -> None:
    one, two = (json.loads(seal(RING, PHRASE, QUICK)) for _ in range(2))
    assert all(one[name] != two[name] for name in ("salt", "nonce", "sealed"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_that_somebody_changed_does_not_open(data: st.DataObject) -> None:
    """Also not by weakening the stretching, which stands in clear."""
    sealed = bytearray(seal(RING, PHRASE, QUICK))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.sampled_from([0x01, 0x02, 0x20]))
    try:
        opened = unseal(bytes(sealed), PHRASE)
    except (KeyUnavailable, WrongCall):
        return
    # White space, and the spare bits of the last base64 digit, are no part of what was sealed.
    assert opened == RING


def test_other_stretching_does_not_open_it() -> None:
    table = json.loads(seal(RING, PHRASE, QUICK))
    table["scrypt"]["n"] = 4
    with pytest.raises(KeyUnavailable):
        unseal(json.dumps(table).encode(), PHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"scrypt": {"n": 1 << 30, "r": 8, "p": 1}},
        {"scrypt": {"n": 3, "r": 8, "p": 1}},
        {"scrypt": {"n": 2, "r": 8}},
        {"scrypt": 7},
        {"format": "something else"},
        {"nonce": "00"},
        {"salt": "zz"},
        {"sealed": "%%%"},
        {"more": 1},
    ],
)
def test_a_file_that_is_no_ring_is_named_so_before_anything_is_stretched(change: dict[str, object]) -> None:
    table = json.loads(seal(RING, PHRASE, QUICK)) | change
    with pytest.raises(WrongCall, match="no key ring"):
        unseal(json.dumps(table).encode(), PHRASE)


@given(st.binary(max_size=200))
def test_any_file_is_refused_in_words(raw: bytes) -> None:
    with pytest.raises(WrongCall, match="no key ring"):
        unseal(raw, PHRASE)


def test_the_seal_is_what_another_reader_of_the_format_expects() -> None:
    """AES-256-GCM under scrypt, the clear entries as canonical JSON for associated data."""
    table = json.loads(seal(RING, PHRASE, QUICK))
    sealed = base64.b64decode(table.pop("sealed"))
    key = scrypt(PHRASE.encode(), salt=bytes.fromhex(table["salt"]), n=2, r=1, p=1, dklen=32)
    clear = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    opened = json.loads(AESGCM(key).decrypt(bytes.fromhex(table["nonce"]), sealed, clear))
    assert opened["cards"] == {"1": bytes(range(16)).hex(), "2": bytes(16).hex()}


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(WrongCall, match="7 characters"):
        seal(RING, "1234567", QUICK)


def test_a_name_is_taken_once() -> None:
    with pytest.raises(Conflict, match="cards already"):
        RING.with_new("cards")
    with pytest.raises(KeyUnavailable, match="no fleet"):
        RING.with_next("fleet")
    with pytest.raises(KeyUnavailable, match="no cards:9"):
        RING.diversify(KeyRef("cards", 9), b"uid")


def test_versions_end_where_chips_cannot_tell_them_apart() -> None:
    full = KeyRing({"cards": {255: bytes(16)}})
    with pytest.raises(Conflict, match="last version"):
        full.with_next("cards")


@pytest.mark.parametrize(
    "text", ["cards", "cards:0", "cards:256", "Cards:1", "cards:-1", ":1", "cards:1:2", "a b:1"]
)
def test_names_of_versions_have_one_form(text: str) -> None:
    with pytest.raises(WrongCall):
        parse_key_ref(text)
    assert parse_key_ref("cards:3") == KeyRef("cards", 3)


def test_the_check_value_is_the_start_of_an_encrypted_zero() -> None:
    assert RING.check_value(KeyRef("cards", 2)) == "66E94B"  # AES-128, zero key (FIPS 197 users know it)
