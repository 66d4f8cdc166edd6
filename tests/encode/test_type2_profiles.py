"""Every Type 2 chip under every protection: what a phone sees, who can change it, and at what cost."""

from __future__ import annotations

import tomllib
from collections.abc import Callable

import nfc.tag.tt2
import pytest
import taps
from phone import AirLink, links_seen_by_a_phone
from type2_cards import CHIPS, KEY, LINK, made, new_card, target, was_made

from rfid_station.chip.exchange import SecretFrame, run
from rfid_station.chip.identify import identify
from rfid_station.chip.type2_state import Type2State
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.encode.keys import card_key
from rfid_station.encode.plan import Target
from rfid_station.errors import CardDefective, CardRefused, KeyUnavailable, ReadBackDiffers, WrongCall
from rfid_station.shipped import shipped
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.memory.type2 import VirtualType2

LEAST = {
    # chip: (link, closed by a key, locked) in exchanges, field restarts counted
    "ntag213": (15, 21, 21),
    "ntag215": (15, 22, 22),
    "ntag216": (15, 22, 22),
    "ntag210": (14, 20, 19),
    "ntag212": (15, 21, 21),
    "mf0ul11": (15, 21, 20),
    "mf0ul21": (15, 21, 21),
    "ultralightaes": (15, 24, 21),
    "ultralightc": (27, 38, 36),
    "ntag203": (25, None, 33),
    "ultralight": (27, None, 33),
}


def cases(protection: Protection) -> list[str]:
    at = list(Protection).index(protection)
    return [chip for chip, least in LEAST.items() if least[at] is not None]


def state_of(card: VirtualCard) -> Type2State:
    state = taps.identified(card).state
    assert isinstance(state, Type2State)
    return state


def user_pages(card: VirtualType2) -> range:
    return range(4, state_of(card).chip.user_last + 1)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_virtual_chips_are_the_ones_in_our_table(chip: str) -> None:
    state = state_of(new_card(chip))
    assert state.chip.is_mapped
    assert state.chip.pages == new_card(chip).pages
    assert state.freshness is Freshness.BLANK
    assert not any(map(state.why_not_writable, user_pages(new_card(chip))))


@pytest.mark.parametrize("protection", Protection)
@pytest.mark.parametrize("chip", LEAST)
def test_a_whole_tap_costs_no_more_than_it_did(chip: str, protection: Protection) -> None:
    least = LEAST[chip][list(Protection).index(protection)]
    if least is None:
        with pytest.raises(CardRefused, match="neither password nor key"):
            made(chip, protection)
        return
    card, keys = new_card(chip), taps.OpenKeys()
    assert taps.exchanges_of_a_tap(card, target(protection), keys) == least
    assert links_seen_by_a_phone(card) == [LINK]
    link = taps.link_to(card)
    again = taps.tap(link, target(protection, is_begun=True), keys)
    assert again.steps == ()
    assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize("chip", cases(Protection.KEYS))
def test_a_closed_card_refuses_strangers_and_opens_to_its_own_key_only(chip: str) -> None:
    card, keys = made(chip, Protection.KEYS)
    before = bytes(card.memory)
    for page in range(3, card.pages):
        card.power_off()
        card.select()
        assert card.answer(bytes([0xA2, page]) + b"evil") != b"\x0a", f"page {page:02X}"
    assert bytes(card.memory) == before
    other = Target(target(Protection.KEYS).profile, LINK, KeyRef("others", 1), is_begun=True)
    with pytest.raises(CardDefective, match="its key others:1 does not open it"):
        taps.tap(taps.link_to(card), other, keys)


@pytest.mark.parametrize("chip", ["ntag213", "mf0ul21", "ultralightc"])
def test_nfcpy_opens_a_closed_card_with_the_key_that_we_say_it_has(chip: str) -> None:
    card, keys = made(chip, Protection.KEYS)
    slot = "t2.key.0" if chip == "ultralightc" else "t2.pwd"
    secret = card_key(keys, KEY, taps.identified(card).uid, slot).reveal()
    air = AirLink(card)
    air.sense()
    tag = nfc.tag.tt2.activate(air, air.target)
    assert tag.ndef.is_readable
    assert tag.authenticate(secret)
    assert not tag.authenticate(bytes(16))


class Air(AirLink):
    """What nfcpy changes in place, it must be able to change."""

    def exchange(self, data: bytes, timeout: float) -> bytes:
        return bytearray(super().exchange(data, timeout))


@pytest.mark.parametrize(("password", "words"), [(b"secret", "ask for a password"), (None, "read-only")])
def test_what_nfcpy_protected_is_seen_and_left_alone(password: bytes | None, words: str) -> None:
    card = new_card("ntag213")
    air = Air(card)
    air.sense()
    assert nfc.tag.tt2.activate(air, air.target).protect(password, protect_from=4)
    card.power_off()
    before = bytes(card.memory)
    facts = state_of(card).facts()
    assert facts["locked"] == "36 of 36 pages"
    assert ("lock bits" in facts) == (password is None)
    for protection in Protection:
        with pytest.raises(CardRefused, match=words):
            taps.tap(taps.link_to(card), target(protection), taps.OpenKeys())
    assert bytes(card.memory) == before


@pytest.mark.parametrize("chip", cases(Protection.LOCKED))
def test_a_locked_card_is_locked_wholly_and_no_block_lock_bit_is_set(chip: str) -> None:
    card, _ = made(chip, Protection.LOCKED)
    card.power_off()
    card.select()
    assert set(user_pages(card)) <= card._locked_pages()
    assert card.page(3)[3] == 0x0F
    assert not card.page(2)[2] & 0x07
    for page, locks in card.lock_pages.items():
        bits = int.from_bytes(card.page(page)[: 4 - len(locks.reserved)], "little")
        assert not any(bits >> frozen & 1 for frozen, _ in locks.freezes), f"{page:02X}"
    before = bytes(card.memory)
    for page in (3, *user_pages(card)):
        card.power_off()
        card.select()
        assert card.answer(bytes([0xA2, page]) + b"evil") != b"\x0a", f"page {page:02X}"
    assert bytes(card.memory) == before
    assert state_of(card).facts()["locked"] == f"{len(user_pages(card))} of {len(user_pages(card))} pages"


@pytest.mark.parametrize("chip", cases(Protection.LOCKED))
def test_only_lock_bits_that_exist_are_written(chip: str) -> None:
    card = new_card(chip)
    plan = plan_card(taps.identified(card), target(Protection.LOCKED))
    final = [step for step in plan.steps if step.is_irreversible]
    assert [step.page for step in plan.steps[-len(final) :]] == [step.page for step in final]
    assert final[0].page == 3
    assert final[-1].page == 2
    assert final[-1].content(plan.uid, None) == bytes.fromhex("0000F8FF")
    for step in final:
        if step.page in card.lock_pages:
            locks = card.lock_pages[step.page]
            written = int.from_bytes(step.content(plan.uid, None), "little")
            assert written & ~locks.lock_bits == 0
            assert locks.locked_by(written.to_bytes(4, "little")) == set(range(16, user_pages(card).stop))


@pytest.mark.parametrize("chip", ["ntag213", "ultralightc", "mf0ul21"])
def test_what_was_not_kept_is_never_locked(chip: str) -> None:
    card = new_card(chip)
    card.weak[6] = 0xFFFFFFFF
    with pytest.raises(ReadBackDiffers, match="page 06"):
        taps.tap(taps.link_to(card), target(Protection.LOCKED))
    assert card.page(2)[2:] == bytes(2)
    assert card.page(3)[3] == 0
    assert all(not any(card.page(page)[:3]) for page in card.lock_pages)


def test_a_frozen_lock_is_found_before_anything_is_written() -> None:
    for page, content in ((2, "0000"), (0x28, "000001BD")):
        card = new_card("ntag213")
        card.set_page(page, card.page(2)[:2] + b"\x02\x00" if page == 2 else bytes.fromhex(content))
        before = bytes(card.memory)
        with pytest.raises(CardRefused, match=f"page {page:02X} is frozen"):
            taps.tap(taps.link_to(card), target(Protection.LOCKED))
        assert bytes(card.memory) == before


@pytest.mark.parametrize("chip", cases(Protection.KEYS))
def test_secrets_are_names_in_the_plan_and_masked_on_the_way(chip: str) -> None:
    card, keys = new_card(chip), taps.OpenKeys()
    link = taps.link_to(card)
    sent: list[object] = []
    transceive = link.transceive

    def listening(command: object) -> bytes:
        sent.append(command)
        return transceive(command)  # type: ignore[arg-type]

    link.transceive = listening  # type: ignore[method-assign,assignment]
    plan = taps.tap(link, target(Protection.KEYS), keys)
    slot = "t2.pwd" if "key cards:1/t2.pwd" in "".join(map(str, plan.steps)) else "t2.key.0"
    secret = card_key(keys, KEY, plan.uid, slot).reveal()
    told = [str(step) for step in plan.steps] + [repr(plan), *map(repr, plan.steps)]
    told += [repr(command) for command in sent if isinstance(command, SecretFrame)]
    for at in range(0, 4 if slot == "t2.pwd" else 16, 4):
        part = secret[at : at + 4]
        for form in (part, part[::-1]):
            assert not any(form.hex(" ").upper() in text or form.hex() in text.lower() for text in told)
            carriers = [command for command in sent if isinstance(command, bytes) and form in command]
            assert all(isinstance(command, SecretFrame) for command in carriers)
    assert any(f"key cards:1/{slot}" in str(step) for step in plan.steps)
    assert sum(isinstance(command, SecretFrame) for command in sent) >= 3 if slot == "t2.pwd" else 4


@pytest.mark.parametrize("chip", ["ntag213", "ultralightc", "ultralightaes"])
def test_a_foreign_password_is_refused_and_left_alone(chip: str) -> None:
    card, _ = made(chip, Protection.KEYS, key=KeyRef("others", 1))
    before = bytes(card.memory)
    for protection in Protection:
        with pytest.raises(CardRefused, match="ask for a"):
            taps.tap(taps.link_to(card), target(protection, link=LINK + "x"), taps.OpenKeys())
    with pytest.raises(CardRefused, match=r"ask for a \w+ that is not ours") as refused:
        taps.tap(taps.link_to(card), target(Protection.KEYS), taps.OpenKeys())
    assert not isinstance(refused.value, CardDefective)
    assert bytes(card.memory) == before


@pytest.mark.parametrize(("page", "content"), [(0x2B, "FFFFFFFF"), (0x2C, "FFFF0000")])
def test_a_wrong_password_or_acknowledgement_is_found_in_the_end(page: int, content: str) -> None:
    card, keys = made("ntag213", Protection.KEYS)
    link = taps.link_to(card)
    identity = run(link, identify(link.seen))
    wanted = target(Protection.KEYS, is_begun=True)
    plan = plan_card(run(link, examine_card(identity, wanted, keys)), wanted)
    card.set_page(page, bytes.fromhex(content))
    run(taps.link_to(card), plan.verify(None))
    with pytest.raises(ReadBackDiffers, match="does not open with its key cards:1"):
        run(taps.link_to(card), plan.verify(keys))


@pytest.mark.parametrize("chip", ["ntag213", "ultralightc", "ultralightaes"])
def test_a_closed_card_is_opened_for_what_is_still_to_be_written(chip: str) -> None:
    card, keys = made(chip, Protection.KEYS)
    card.set_page(7, b"evil")
    link = taps.link_to(card)
    identity = run(link, identify(link.seen))
    wanted = target(Protection.KEYS, is_begun=True)
    plan = plan_card(run(link, examine_card(identity, wanted, keys)), wanted)
    link.restart_field()
    run(link, plan.write(keys))
    run(link, plan.verify(keys))
    assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize("protection", Protection)
def test_a_begun_card_that_cannot_be_finished_is_spoiled_and_a_new_one_only_refused(
    protection: Protection,
) -> None:
    card, keys = new_card("ntag213"), taps.OpenKeys()
    card.set_page(2, card.page(2)[:2] + b"\x80\x00")
    for is_begun in (False, True):
        with pytest.raises(CardRefused, match="page 07 is locked") as refused:
            taps.tap(taps.link_to(card), target(protection, is_begun=is_begun), keys)
        assert isinstance(refused.value, CardDefective) == is_begun


def test_a_card_that_cannot_be_read_is_named_and_refused() -> None:
    card, _ = made("ntag213", Protection.KEYS)
    card.set_page(0x29, bytes.fromhex("04000000"))
    card.set_page(0x2A, bytes.fromhex("80050000"))
    card.power_off()
    identity = taps.identified(card)
    assert identity.name == "NTAG213"
    assert identity.state is not None
    assert identity.state.freshness is Freshness.OTHER_DATA
    assert identity.state.facts()["locked"] == "it does not let itself be read"
    with pytest.raises(CardRefused, match="does not let itself be read"):
        taps.tap(taps.link_to(card), target(Protection.OPEN))


@pytest.mark.parametrize("chip", cases(Protection.KEYS))
def test_a_stranger_checks_a_closed_card_without_its_key(chip: str) -> None:
    card, _ = made(chip, Protection.KEYS)
    link = taps.link_to(card)
    identity = run(link, identify(link.seen))
    wanted = target(Protection.KEYS, is_begun=True)
    plan = plan_card(run(link, examine_card(identity, wanted, None)), wanted)
    assert plan.steps == ()
    run(link, plan.verify(None))
    assert plan.digest == plan_card(taps.identified(new_card(chip)), target(Protection.KEYS)).digest
    open_card = new_card(chip)
    taps.tap(taps.link_to(open_card), target(Protection.OPEN))
    with pytest.raises(ReadBackDiffers, match=r"page \w\w of card"):
        run(taps.link_to(open_card), plan.verify(None))
    with pytest.raises(KeyUnavailable, match="no key ring is open"):
        run(
            taps.link_to(new_card(chip)),
            plan_card(taps.identified(new_card(chip)), target(Protection.KEYS)).write(None),
        )


def test_a_card_that_says_it_is_closed_and_is_not_is_found_out() -> None:
    card, keys = made("ntag213", Protection.KEYS)
    link = taps.link_to(card)
    identity = run(link, identify(link.seen))
    wanted = target(Protection.KEYS, is_begun=True)
    plan = plan_card(run(link, examine_card(identity, wanted, keys)), wanted)
    card._refusal = lambda page: b""  # type: ignore[method-assign]
    with pytest.raises(ReadBackDiffers, match=r"page 04 of card .* can be written by anybody"):
        run(taps.link_to(card), plan.verify(keys))


@pytest.mark.parametrize("chip", LEAST)
@pytest.mark.parametrize("protection", [Protection.OPEN, Protection.KEYS])
def test_recycling_leaves_a_blank(chip: str, protection: Protection) -> None:
    if not was_made(chip, protection):
        return
    card, keys = made(chip, protection)
    taps.recycle(card, target(protection, is_begun=True), keys)
    new = new_card(chip)
    kept = {3, 4, 5} if new.page(3) == bytes(4) else set()  # formatted for NDEF by us, which stays
    differ = {page for page in range(card.pages) if card.page(page) != new.page(page)}
    assert differ <= kept
    assert state_of(card).freshness is Freshness.BLANK
    assert links_seen_by_a_phone(card) == []
    if protection is Protection.KEYS:
        assert taps.tap(taps.link_to(card), target(protection), keys).steps
        assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize("chip", ["ntag213", "ultralight", "ultralightc"])
def test_a_locked_card_is_never_blank_again(chip: str) -> None:
    card, _ = made(chip, Protection.LOCKED)
    with pytest.raises(CardRefused, match="locked, and nobody can undo that"):
        plan_recycling(taps.identified(card), None)


def test_a_closed_card_is_not_recycled_without_its_key() -> None:
    card, _ = made("ntag213", Protection.KEYS)
    with pytest.raises(CardRefused, match="ask for a password that we do not have"):
        plan_recycling(taps.identified(card), None)


@pytest.mark.parametrize("protection", Protection)
def test_the_counter_counts(protection: Protection) -> None:
    for chip in ("ntag213", "ntag216"):
        card, _ = made(chip, protection, counter=True)
        assert state_of(card).facts()["counter"] == "on"
        before = card.state()["counter"]
        links_seen_by_a_phone(card)
        assert card.state()["counter"] == before + 1
    with pytest.raises(CardRefused, match="a NTAG210 has no counter"):
        made("ntag210", protection, counter=True)


def test_a_mirror_is_switched_off() -> None:
    card = new_card("ntag213")
    card.set_page(0x29, bytes.fromhex("D40004FF"))
    taps.tap(taps.link_to(card), target(Protection.OPEN))
    assert card.page(0x29) == bytes.fromhex("140004FF")


@pytest.mark.parametrize(
    ("found", "becomes"),
    [
        ("00000000", "E1100600"),
        ("E1000000", "E1100600"),
        ("E1110600", "E1110600"),
        ("01000000", "E1100600"),
        ("00000001", None),
        ("E1101200", None),
        ("E110060F", None),
    ],
)
def test_one_time_programmable_bits_are_looked_at_before_they_are_set(
    found: str, becomes: str | None
) -> None:
    card = new_card("ultralight")
    card.set_page(3, bytes.fromhex(found))
    before = bytes(card.memory)
    if becomes is None:
        with pytest.raises(CardRefused, match="capability container reads"):
            taps.tap(taps.link_to(card), target(Protection.OPEN))
        assert bytes(card.memory) == before
    else:
        taps.tap(taps.link_to(card), target(Protection.OPEN))
        assert card.page(3) == bytes.fromhex(becomes)
        assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize("path", ["link", "link-password", "link-locked"])
def test_the_shipped_profile_makes_every_chip_that_it_names(path: str) -> None:
    table = tomllib.loads(shipped("templates", "profiles", f"{path}.toml").read_text("utf-8"))
    profile = Profile.from_table(path, table)
    names = {taps.identified(new_card(chip)).name: chip for chip in CHIPS}
    assert profile.chips - set(names) <= {"NTAG210u"}
    for chip in (names[name] for name in profile.chips & set(names)):
        card, keys = new_card(chip), taps.OpenKeys()
        taps.tap(taps.link_to(card), Target(profile, LINK, KEY if profile.key else None), keys)
        assert links_seen_by_a_phone(card) == [LINK]


def test_locks_need_the_profiles_word() -> None:
    profile = Profile("x", "x", frozenset({"NTAG213"}), Content.LINK, Protection.LOCKED)
    with pytest.raises(WrongCall, match="nobody can undo"):
        plan_card(taps.identified(new_card("ntag213")), Target(profile, LINK, None))


@pytest.mark.parametrize(
    "write", [lambda card: None, lambda card: card.set_page(4, bytes.fromhex("03100000"))]
)
def test_a_link_that_just_fits_and_one_that_does_not(write: Callable[[VirtualType2], None]) -> None:
    for chip in ("ultralight", "ntag203", "ultralightc", "ntag213", "ntag216"):
        card = new_card(chip)
        write(card)
        room = state_of(card).chip.ndef_room
        fits = "https://" + "a" * (room - 5)
        taps.tap(taps.link_to(card), target(Protection.OPEN, link=fits))
        assert links_seen_by_a_phone(card) == [fits]
        assert state_of(card).link == fits
        again = target(Protection.OPEN, link=fits, is_begun=True)
        assert taps.tap(taps.link_to(card), again).steps == ()
        with pytest.raises(CardRefused, match="does not fit"):
            taps.tap(taps.link_to(card), target(Protection.OPEN, link=fits + "a"))
        for length in (247, 248, 255, 256, 3000):
            with pytest.raises(CardRefused, match=f"link of {length} characters does not fit"):
                taps.tap(taps.link_to(card), target(Protection.OPEN, link="https://".ljust(length, "a")))
