"""Charging cards of VDE-AR-E 2532-100: what proves one, and everything that does not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from taps import link_to

from rfid_station.chip import duox
from rfid_station.chip.duox import DuoxState, Root, identify_duox, is_signed_by, known_roots, parse_roots
from rfid_station.chip.exchange import Apdu, AskUid, Command, Restart, SecretFrame, converse, run
from rfid_station.chip.gp_certificate import parse_certificate
from rfid_station.chip.identity import Identity, Originality
from rfid_station.chip.iso_dep import ChipVersion, get_version
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode import duox as encode_duox
from rfid_station.encode.plan import Target
from rfid_station.errors import CardLost, CardRefused, ReadBackDiffers, WrongCall
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.native.duox import DuoxFault, VirtualDuox, virtual_duox_root

UID = bytes.fromhex("04A1B2C3D4E580")
VIRTUAL = Root("virtual root", virtual_duox_root().public_key)
VERSION = ChipVersion(
    bytes.fromhex("040101A0001625"), bytes.fromhex("04010700011625"), UID + bytes.fromhex("00112233445625")
)
PROFILE = Profile("duox", "duox", frozenset({"MIFARE DUOX"}), Content.NOTHING, genuine=True)
TARGET = Target(PROFILE, "", None)


def new_duox(fault: DuoxFault | None = None) -> VirtualDuox:
    card = new_card("duox", UID)
    assert isinstance(card, VirtualDuox)
    card.fault = fault
    return card


def identified(link: SimLink, *roots: Root, at: datetime | None = None) -> Identity:
    if at is None:
        return run(link, identify_duox(CardUid(UID), VERSION, extra_roots=roots))
    return run(link, identify_duox(CardUid(UID), VERSION, extra_roots=roots, today=lambda: at))


def state_of(identity: Identity) -> DuoxState:
    assert isinstance(identity.state, DuoxState)
    return identity.state


@pytest.mark.parametrize(("point", "challenge", "signature"), duox.VECTORS)
def test_the_signature_of_a_real_chip(point: str, challenge: str, signature: str) -> None:
    key, message, signed = map(bytes.fromhex, (point, challenge, signature))
    assert is_signed_by(key, message, signed)
    assert not is_signed_by(key, message[::-1], signed)
    assert not is_signed_by(known_roots()[0].point, message, signed)
    for wrong in (signed[:-1], signed[::-1], bytes(64), b"\xff" * 64, b""):
        assert not is_signed_by(key, message, wrong)
    assert not is_signed_by(key[:-1] + b"\x00", message, signed)


def test_the_root_of_the_maker_is_a_point_on_the_curve() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    (root,) = known_roots()
    assert root.name == "NXP EVCharging RootCAvE201"
    assert ec.EllipticCurvePublicKey.from_encoded_point(ec.BrainpoolP256R1(), root.point)


@pytest.mark.parametrize(
    "text",
    [
        "[[root]",
        "",
        "root = 1",
        "[[root]]\nname = 'a'",
        "[[root]]\nname = 'a'\npoint = 'zz'",
        "[[root]]\nname = 'a'\npoint = 5",
        "[[root]]\nname = 'a'\npoint = '04'",
        f"[[root]]\nname = 'a'\npoint = '04{64 * 'AB'}'",
    ],
)
def test_a_file_of_roots_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongCall, match=r"mine\.toml is no file of roots: "):
        parse_roots(text, "mine.toml")


def test_a_file_of_roots_is_read() -> None:
    text = f'[[root]]\nname = "virtual root"\npoint = "{VIRTUAL.point.hex()}"\n'
    assert parse_roots(text, "mine.toml") == (VIRTUAL,)


def test_a_genuine_card_is_proven_in_three_exchanges() -> None:
    link = link_to(new_duox())
    identity = identified(link, VIRTUAL)
    assert (identity.name, identity.refusal, identity.notes) == ("MIFARE DUOX", "", ())
    assert (identity.originality, identity.signed_by) == (Originality.GENUINE, "virtual root")
    assert (link.exchanges, link.field_restarts) == (3, 0)
    state = state_of(identity)
    assert (state.freshness, state.link) == (Freshness.BLANK, None)
    assert state.facts() == {
        "size": "2048 bytes",
        "proven": True,
        "certificate": UID.hex().upper(),
        "issued by": "00000000000001",
        "valid": "2024-10-11 to 2064-10-11",
        "root": "virtual root",
    }


def test_the_virtual_chip_says_that_it_is_one() -> None:
    version = run(link_to(new_duox()), get_version())
    assert version is not None
    assert version.kind == duox.KIND


def test_without_its_root_nobody_vouches_for_it() -> None:
    identity = identified(link_to(new_duox()))
    assert identity.originality is Originality.FORGED
    assert state_of(identity).why_not == "nobody who is known vouches for its certificate"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (DuoxFault.WRONG_SIGNATURE, "it is a copy"),
        (DuoxFault.OTHER_UID, "its certificate is that of another card"),
        (DuoxFault.EXPIRED, "its certificate ran out on 2025-01-01"),
        (DuoxFault.FOREIGN_ROOT, "nobody who is known vouches"),
    ],
)
def test_a_card_that_is_not_what_it_seems(fault: DuoxFault, words: str) -> None:
    identity = identified(link_to(new_duox(fault)), VIRTUAL)
    assert identity.originality is Originality.FORGED
    assert words in state_of(identity).why_not
    assert identity.notes == (f"it is not proven to be a charging card: {state_of(identity).why_not}",)
    with pytest.raises(CardRefused, match=words):
        encode_duox.plan(identity, TARGET)
    with pytest.raises(CardRefused, match=words):
        run(link_to(new_duox()), encode_duox.examine(identity, TARGET, None))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2024, 10, 10, 23, 59, tzinfo=UTC), "valid only from 2024-10-11"),
        (datetime(2024, 10, 11, tzinfo=UTC), ""),
        (datetime(2064, 10, 11, 23, 59, tzinfo=UTC), ""),
        (datetime(2064, 10, 12, tzinfo=UTC), "ran out on 2064-10-11"),
    ],
)
def test_a_certificate_is_valid_on_its_first_and_its_last_day(at: datetime, words: str) -> None:
    why_not = state_of(identified(link_to(new_duox()), VIRTUAL, at=at)).why_not
    assert (words in why_not) if words else not why_not


def test_a_duox_without_the_application_is_named() -> None:
    chip = Script(b"\x6a\x82")
    identity = converse(identify_duox(CardUid(UID), VERSION), chip)
    assert (identity.name, identity.originality) == ("MIFARE DUOX", Originality.NONE)
    assert "no charging application" in identity.notes[0]
    assert chip.asked == [Apdu(bytes.fromhex("00A4040010A000000845000000000000000000000100"))]


def test_every_challenge_is_new() -> None:
    card, challenges = new_duox(), set()
    sound = card.apdu

    def listen(command: bytes) -> bytes:
        if command[:2] == bytes.fromhex("8003"):
            challenges.add(command[5:37])
        return sound(command)

    card.apdu = listen  # type: ignore[method-assign]
    link = link_to(card)
    plan = encode_duox.plan(identified(link, VIRTUAL), TARGET)
    run(link, plan.verify(None))
    run(link, plan.verify(None))
    assert len(challenges) == 3
    assert all(len(challenge) == 32 for challenge in challenges)


def test_an_old_answer_proves_nothing() -> None:
    card = new_duox()
    recorded = {}

    def record(command: Command) -> bytes:
        assert isinstance(command, Apdu)
        recorded[command.command[:2]] = card.apdu(command.command)
        return recorded[command.command[:2]]

    card.select()
    dialogue = identify_duox(CardUid(UID), VERSION, extra_roots=[VIRTUAL])
    assert converse(dialogue, record).originality is Originality.GENUINE
    replayed = identify_duox(CardUid(UID), VERSION, extra_roots=[VIRTUAL])
    identity = converse(replayed, lambda command: recorded[command.command[:2]])  # type: ignore[union-attr]
    assert "it is a copy" in state_of(identity).why_not


def test_verifying_proves_the_card_anew_in_two_exchanges() -> None:
    card = new_duox()
    link = link_to(card)
    plan = encode_duox.plan(identified(link, VIRTUAL), TARGET)
    before = link.exchanges
    assert (plan.steps, len(plan.digest)) == ((), 16)
    run(link, plan.write(None))
    run(link, plan.verify(None))
    assert (link.exchanges - before, link.field_restarts) == (2, 1)
    card.fault = DuoxFault.WRONG_SIGNATURE
    with pytest.raises(ReadBackDiffers, match="signs no more"):
        run(link, plan.verify(None))


def test_another_card_is_noticed() -> None:
    plan = encode_duox.plan(identified(link_to(new_duox()), VIRTUAL), TARGET)
    with pytest.raises(CardLost):
        run(link_to(new_card("duox", bytes.fromhex("04010203040580"))), plan.verify(None))


@pytest.mark.parametrize("at", range(1, 7))
def test_torn_anywhere_it_is_lost_and_proven_by_the_next_tap(at: int) -> None:
    card = new_duox()
    link = link_to(card, Mishap(at, Tear(TornMode.BEFORE), leaves=True))
    with pytest.raises(CardLost):
        run(link, encode_duox.plan(identified(link, VIRTUAL), TARGET).verify(None))
    link = link_to(card)
    run(link, encode_duox.plan(identified(link, VIRTUAL), TARGET).verify(None))


@pytest.mark.parametrize(
    "profile",
    [
        Profile("link", "link", PROFILE.chips, Content.LINK),
        Profile("keys", "keys", PROFILE.chips, Content.NOTHING, Protection.KEYS, key="cards"),
    ],
)
def test_nothing_is_ever_written(profile: Profile) -> None:
    identity = identified(link_to(new_duox()), VIRTUAL)
    with pytest.raises(CardRefused, match="nothing is written to those"):
        encode_duox.plan(identity, Target(profile, "https://example.com", KeyRef("cards", 1)))
    assert encode_duox.recycle(identity, None).steps == ()


class Script:
    """Gives prepared answers one after the other."""

    def __init__(self, *answers: bytes) -> None:
        self.answers, self.asked = list(answers), list[Command]()

    def __call__(self, command: Command) -> bytes:
        self.asked.append(command)
        assert not isinstance(command, (Restart, AskUid, SecretFrame))
        return self.answers.pop(0)


def test_a_certificate_says_what_it_should() -> None:
    raw = new_duox().certificate
    certificate = parse_certificate(raw)
    assert certificate == parse_certificate(raw + bytes(40))
    assert (certificate.serial, certificate.ca) == (UID, virtual_duox_root().identifier)
    assert (certificate.valid_from, certificate.valid_to) == (date(2024, 10, 11), date(2064, 10, 11))
    assert certificate.public_key[0] == 4
    assert is_signed_by(virtual_duox_root().public_key, certificate.signed, certificate.signature)


def tlv(tag: str, value: bytes) -> bytes:
    length = bytes([len(value)]) if len(value) < 128 else b"\x81" + bytes([len(value)])
    return bytes.fromhex(tag) + length + value


KEY = tlv("B0", b"\x04" * 65) + tlv("F0", b"\x03")
PARTS = {
    "93": UID,
    "42": b"\x01",
    "5F20": b"\x02",
    "5F25": bytes.fromhex("20240229"),
    "5F24": bytes.fromhex("20641011"),
    "7F49": KEY,
    "5F37": bytes(64),
}


def built(**changes: bytes | None) -> bytes:
    parts = {tag: changes.get("t" + tag, value) for tag, value in PARTS.items()}
    return tlv("7F21", b"".join(tlv(tag, value) for tag, value in parts.items() if value is not None))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "middle of a tag"),
        (b"\x7f", "middle of a tag"),
        (b"\x7f\x21", "before a length"),
        (bytes.fromhex("7F2180"), "a length begins with 80"),
        (bytes.fromhex("7F2184FFFFFFFF"), "a length begins with 84"),
        (bytes.fromhex("7F2105930100"), "part 7F21 is cut off"),
        (bytes.fromhex("7F81818101"), "a tag is too long"),
        (bytes.fromhex("308200"), "a length begins with 82"),
        (bytes.fromhex("3000"), "begins with 30"),
        (bytes.fromhex("7F2100"), "another order"),
        (built(t42=None), "no part 42"),
        (built(t5F24=None), "no part 5F24"),
        (built(t93=None), "another order"),
        (built(t5F37=None), "another order"),
        (built(t5F37=bytes(63)), "signature has 63 bytes"),
        (built(t5F25=bytes.fromhex("20230229")), "20230229 is no date"),
        (built(t5F25=bytes.fromhex("2024AB01")), "2024AB01 is no date"),
        (built(t5F25=b""), " is no date"),
        (built(t7F49=tlv("B0", bytes(65)) + tlv("F0", b"\x04")), "not one on brainpoolP256r1"),
        (built(t7F49=tlv("B0", bytes(33)) + tlv("F0", b"\x03")), "key has 33 bytes"),
        (built(t7F49=b"\xb0"), "before a length"),
        (tlv("7F21", built()[4:] + tlv("93", UID)), "comes twice"),
        (tlv("7F21", tlv("95", b"") + built()[4:]), "another order"),
    ],
)
def test_what_is_no_certificate_says_why(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_certificate(raw)
    identity = converse(
        identify_duox(CardUid(UID), VERSION, extra_roots=[VIRTUAL]), Script(b"\x90\x00", raw + b"\x90\x00")
    )
    assert words in state_of(identity).why_not
    assert "what it has is no certificate: " in state_of(identity).why_not


def test_parts_that_nobody_knows_are_left_alone() -> None:
    raw = built()[4:]
    at = raw.index(bytes.fromhex("5F25"))
    assert parse_certificate(tlv("7F21", raw[:at] + tlv("95", b"\x82") + raw[at:])).serial == UID


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=260))
@example(built())
def test_any_bytes_are_a_certificate_or_refused_with_words(raw: bytes) -> None:
    try:
        certificate = parse_certificate(raw)
    except ValueError as error:
        words = str(error)
    else:
        words = "a certificate"
        assert certificate.signed in raw
    assert 5 < len(words) < 100


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_bit_of_a_certificate_is_believed(data: st.DataObject) -> None:
    raw = bytearray(new_duox().certificate)
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[at // 8] ^= 1 << at % 8
    script = Script(b"\x90\x00", bytes(raw) + b"\x90\x00", bytes(64) + b"\x90\x00")
    identity = converse(identify_duox(CardUid(UID), VERSION, extra_roots=[VIRTUAL]), script)
    assert identity.originality is Originality.FORGED
    assert len(script.asked) == 2, "nothing is asked of a key that nobody vouches for"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=3, max_size=3))
def test_whatever_the_card_answers_it_is_told_or_lost(answers: list[bytes]) -> None:
    try:
        identity = converse(identify_duox(CardUid(UID), VERSION), Script(*answers))
    except CardLost:
        return
    assert identity.originality is not Originality.GENUINE
    assert identity.notes
