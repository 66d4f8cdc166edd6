"""Partners connected, rotated, tried and let go, from both sides, against a virtual CPO over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import rows, run
from stations import LINES, issue_from, listening_anywhere

from rfid_station.desk.partners.connecting import add_partner, begin_handshake, connect_partner
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.partners.invitation import invite_partner
from rfid_station.desk.partners.own_server import credentials_desk, us_of
from rfid_station.desk.partners.preview import pre_flight
from rfid_station.desk.partners.profiles import all_partner_profiles, load_partner_profile
from rfid_station.desk.partners.upkeep import disconnect_partner, rotate_partner
from rfid_station.desk.station import Station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card
from rfid_station.domain.partner import Partner, PartnerState, TokenUse
from rfid_station.errors import Conflict, ExitCode, PartnerRefused, PartnerUnreachable, WrongCall
from rfid_station.ocpi.server import create_app, serve_in_thread
from rfid_station.simulator.cpo.virtual_cpo import PROFILES, CpoProfile, Fault, FaultKind, VirtualCpo
from rfid_station.sync.report import LaneState

FIRST_TOKEN = "first-token-out-of-band"
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
K = FaultKind


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(folder, timeout_s=3.0)


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN, CpoProfile(versions=VERSIONS)) as running:
        yield running


@pytest.fixture
def connected(station: Station, cpo: VirtualCpo) -> Station:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")
    return station


@contextmanager
def serving(station: Station) -> Iterator[str]:
    """Our server with a credentials desk; our versions URL."""
    us = us_of(station)
    host, _, port = station.settings.ocpi.listen.rpartition(":")
    app = create_app(us, station.store.partners, desk=credentials_desk(station))
    with serve_in_thread(app, host, int(port)):
        yield us.versions_url


def partner(station: Station) -> Partner:
    return station.store.partners.get("cpo")


def secrets(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in (folder / "secrets").glob("cpo-*"))


def one_card(station: Station) -> Card:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    return card


def is_in_step(station: Station) -> bool:
    return all(report.state is LaneState.IN_STEP for report in deliver(station, 10))


# From our side


@pytest.mark.parametrize("version", VERSIONS)
def test_connect_rotate_and_disconnect_in_each_version(station: Station, folder: Path, version: str) -> None:
    with VirtualCpo(FIRST_TOKEN, CpoProfile(versions=(version,))) as cpo:
        card = one_card(station)
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        found = connect_partner(station, "cpo")
        assert found.connection
        assert found.connection.version == version
        before = secrets(folder)
        rotated = rotate_partner(station, "cpo")
        assert rotated.connection == found.connection
        assert len(secrets(folder)) == 1
        assert secrets(folder) != before
        assert is_in_step(station)
        assert cpo.authorize(card.uid.hex).status == "Accepted"
        with serving(station):
            assert (
                cpo.ask(card.uid.hex).http_status == 404
            )  # let in; there is no Tokens module in this server
        assert disconnect_partner(station, "cpo").state is PartnerState.DISCONNECTED
        assert cpo.parties == []
        assert secrets(folder) == []
        assert station.store.partners.server_tokens("cpo") == {}
        assert cpo.authorize(card.uid.hex).status == "Blocked"


def test_a_partner_that_comes_back_gets_every_card_again(
    connected: Station, cpo: VirtualCpo, folder: Path, tmp_path: Path
) -> None:
    card = one_card(connected)
    assert is_in_step(connected)
    assert run(folder, "partner", "disconnect", "cpo", "--yes").exit_code == 0
    cpo.restart("tokens")
    again = run(folder, "partner", "connect", "cpo")
    assert again.exit_code == ExitCode.CONFLICT
    assert "--token-file" in again.stderr
    cpo.admit("second-first-token")
    file = tmp_path / "token"
    file.write_text("second-first-token\n")
    assert run(folder, "partner", "connect", "cpo", "--token-file", file).exit_code == 0
    assert is_in_step(connected)
    assert cpo.authorize(card.uid.hex).status == "Accepted"


def test_a_handshake_that_was_killed_is_begun_again(station: Station, cpo: VirtualCpo) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    begin_handshake(station, "cpo")
    assert partner(station).state is PartnerState.CONNECTING
    assert connect_partner(station, "cpo").state is PartnerState.CONNECTED
    assert station.store.partners.server_tokens("cpo") == {TokenUse.VALID: 1}


def test_what_we_cannot_keep_is_taken_back_from_the_partner(
    station: Station, cpo: VirtualCpo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())

    def refuse(*_: object) -> Partner:
        raise Conflict("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(type(station.store.partners), "finish_connecting", refuse)
        with pytest.raises(Conflict, match="the disk is full"):
            connect_partner(station, "cpo")
    assert (partner(station), cpo.parties) == (added, [])
    assert secrets(folder) == [FIRST_TOKEN]
    assert station.store.partners.server_tokens("cpo") == {}


def test_our_running_server_answers_the_call_back(station: Station, cpo: VirtualCpo) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    with serving(station):
        assert connect_partner(station, "cpo").state is PartnerState.CONNECTED
        assert rotate_partner(station, "cpo").state is PartnerState.CONNECTED


ROTATION_BREAKS = [
    (Fault(K.ERROR, module="versions"), PartnerUnreachable),
    (Fault(K.GARBAGE, module="details"), PartnerRefused),
    (Fault(K.REFUSE, module="credentials", method="PUT", code=3001), PartnerRefused),
    (Fault(K.UNAUTHORIZED, module="credentials", method="PUT"), PartnerRefused),
    (Fault(K.REFUSE, module="credentials", method="PUT", status=405), PartnerRefused),
]


@pytest.mark.parametrize(
    ("fault", "error"), ROTATION_BREAKS, ids=lambda value: str(getattr(value, "kind", ""))
)
def test_a_rotation_that_fails_leaves_the_connection_as_it_was(
    connected: Station, cpo: VirtualCpo, folder: Path, fault: Fault, error: type[Exception]
) -> None:
    before = partner(connected), secrets(folder)
    cpo.faults.add(fault)
    with pytest.raises(error):
        rotate_partner(connected, "cpo")
    assert (partner(connected), secrets(folder)) == before
    assert connected.store.partners.server_tokens("cpo") == {TokenUse.VALID: 1}
    cpo.faults.clear()
    one_card(connected)
    assert is_in_step(connected)
    rotate_partner(connected, "cpo")


@pytest.mark.parametrize("kind", [K.APPLY_ERROR, K.APPLY_ABORT, K.ERROR, K.CUT])
def test_after_a_rotation_without_an_answer_nobody_is_locked_out(
    connected: Station, cpo: VirtualCpo, folder: Path, kind: FaultKind
) -> None:
    """Whichever server token the partner holds now, it lets it in; and what to do is said."""
    cpo.faults.add(Fault(kind, module="credentials", method="PUT"))
    said = run(folder, "partner", "rotate", "cpo")
    cpo.faults.clear()
    assert said.exit_code == ExitCode.PARTNER
    assert connected.store.partners.server_tokens("cpo") == {TokenUse.VALID: 2}
    assert partner(connected).state is PartnerState.CONNECTED
    with serving(connected):
        assert cpo.rotate().is_done, said.output
    assert is_in_step(connected)


def test_a_partner_without_put_is_left_and_registered_anew(
    station: Station, folder: Path, tmp_path: Path
) -> None:
    with VirtualCpo(FIRST_TOKEN, PROFILES["gireve"]) as cpo:
        card = one_card(station)
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement(), "gireve")
        before = connect_partner(station, "cpo")
        asked = run(folder, "partner", "rotate", "cpo")
        assert asked.exit_code == ExitCode.WRONG_CALL
        assert "--token-file" in asked.stderr
        with pytest.raises(PartnerRefused):
            rotate_partner(station, "cpo", "a-token-that-is-not-known")
        assert partner(station) == before
        cpo.admit("second-first-token")
        file = tmp_path / "token"
        file.write_text("second-first-token")
        assert run(folder, "partner", "rotate", "cpo", "--token-file", file).exit_code == 0
        assert partner(station).connection == before.connection
        assert is_in_step(station)
        assert cpo.authorize(card.uid.hex, None).status
        assert {token["uid"] for token in cpo.tokens.values()} == {card.uid.hex}


def test_a_first_token_is_of_no_use_for_a_put(connected: Station) -> None:
    with pytest.raises(WrongCall, match="takes no first token"):
        rotate_partner(connected, "cpo", "first-token")


def test_a_partner_that_does_not_let_us_go_stays_connected(
    connected: Station, cpo: VirtualCpo, folder: Path
) -> None:
    before = partner(connected)
    for fault in (Fault(K.ERROR, module="credentials"), Fault(K.UNAUTHORIZED, module="credentials")):
        cpo.faults.add(fault)
        said = run(folder, "partner", "disconnect", "cpo", "--yes")
        assert said.exit_code == ExitCode.PARTNER
        assert "--only-here" in said.stderr
        assert partner(connected) == replace(before, is_ending=True)
        cpo.faults.clear()
    assert run(folder, "partner", "disconnect", "cpo", "--yes", "--only-here").exit_code == 0
    assert partner(connected).state is PartnerState.DISCONNECTED
    assert cpo.parties != []


def test_whom_the_partner_does_not_know_it_has_let_go(connected: Station, cpo: VirtualCpo) -> None:
    cpo.faults.add(Fault(K.REFUSE, module="credentials", method="DELETE", status=405))
    assert disconnect_partner(connected, "cpo").state is PartnerState.DISCONNECTED


def test_nothing_is_ended_without_being_asked(connected: Station, folder: Path) -> None:
    said = run(folder, "partner", "disconnect", "cpo")
    assert said.exit_code == ExitCode.WRONG_CALL
    assert partner(connected).state is PartnerState.CONNECTED


@pytest.mark.parametrize("verb", ["rotate", "disconnect", "test", "preview"])
def test_what_needs_a_connection_says_so(station: Station, folder: Path, verb: str) -> None:
    add_partner(station, "cpo", "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement())
    more = {"disconnect": ["--yes"], "preview": [one_card(station).visual_number]}
    said = run(folder, "partner", verb, "cpo", *more.get(verb, []))
    assert said.exit_code == ExitCode.CONFLICT
    assert "cpo is added, not connected" in said.stderr


# From the partner's side


@pytest.mark.parametrize("version", VERSIONS)
def test_an_invited_partner_registers_rotates_and_leaves(
    station: Station, cpo: VirtualCpo, folder: Path, version: str
) -> None:
    card = one_card(station)
    said = run(folder, "partner", "invite", "cpo", "--json")
    (row,) = [json.loads(said.stdout)]
    assert row["versions_url"] == us_of(station).versions_url
    assert partner(station).state is PartnerState.INVITED
    with serving(station) as versions_url:
        assert cpo.register(versions_url, row["token"], version).is_done
        found = partner(station)
        assert found.state is PartnerState.CONNECTED
        assert found.versions_url == cpo.versions_url
        assert found.connection
        assert found.connection.version == version
        assert is_in_step(station)
        assert cpo.authorize(card.uid.hex).status == "Accepted"
        assert cpo.rotate().is_done
        assert is_in_step(station)
        assert len(secrets(folder)) == 1
        assert cpo.rotate().is_done  # by which it has shown the token of the first one
        assert station.store.partners.server_tokens("cpo")[TokenUse.GRANTED] == 1
        assert cpo.unregister().is_done
    assert partner(station).state is PartnerState.DISCONNECTED
    assert secrets(folder) == []
    assert station.store.partners.server_tokens("cpo") == {}


def test_an_invitation_is_shown_once_and_kept_as_a_hash(station: Station, folder: Path) -> None:
    invitation = invite_partner(station, "cpo")
    assert len(invitation.first_token) >= 40
    assert invitation.first_token not in repr(invitation)
    said = run(folder, "partner", "show", "cpo", "--json").output + run(folder, "store", "log").output
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert invitation.first_token not in said
    assert invitation.first_token.encode() not in kept


def test_a_partner_whose_answer_was_lost_is_invited_again(
    station: Station, cpo: VirtualCpo, folder: Path
) -> None:
    first = invite_partner(station, "cpo").first_token
    with serving(station) as versions_url:
        assert cpo.register(versions_url, first).is_done
        cpo.restart("everything")
        again = cpo.register(versions_url, first)
        assert (again.is_done, again.http_status) == (False, 405)
        assert "partner.registered_again_refused" in run(folder, "store", "log").stdout
        refused = run(folder, "partner", "invite", "cpo")
        assert refused.exit_code == ExitCode.CONFLICT
        assert "partner disconnect cpo" in refused.stderr
        assert run(folder, "partner", "disconnect", "cpo", "--yes", "--only-here").exit_code == 0
        second = json.loads(run(folder, "partner", "invite", "cpo", "--json").stdout)["token"]
        assert cpo.register(versions_url, first).http_status == 401
        assert cpo.register(versions_url, second).is_done
    assert is_in_step(station)


def test_an_invitation_has_its_profile_and_a_known_partner_keeps_it(station: Station, folder: Path) -> None:
    assert run(folder, "partner", "invite", "cpo", "--profile", "plugsurfing").exit_code == 0
    assert partner(station).profile == load_partner_profile("plugsurfing", folder)
    assert run(folder, "partner", "invite", "cpo", "--profile", "standard").exit_code == ExitCode.WRONG_CALL
    assert run(folder, "partner", "invite", "cpo").exit_code == 0
    assert partner(station).profile.name == "plugsurfing"


def test_a_registration_that_cannot_be_kept_leaves_nothing(
    station: Station, cpo: VirtualCpo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = invite_partner(station, "cpo").first_token
    before = partner(station)

    def refuse(*_: object, **__: object) -> Partner:
        raise OSError(28, "no room")

    with serving(station) as versions_url:
        with monkeypatch.context() as full:
            full.setattr(type(station.store.partners), "grant", refuse)
            assert cpo.register(versions_url, first).http_status == 500
        assert (partner(station), secrets(folder)) == (before, [])
        assert cpo.register(versions_url, first).is_done


def test_the_store_is_free_while_a_partner_is_called_back(station: Station, cpo: VirtualCpo) -> None:
    first = invite_partner(station, "cpo").first_token
    cpo.faults.add(Fault(K.HANG, module="versions"))
    ends: list[int] = []
    with serving(station) as versions_url:
        at_work = threading.Thread(
            target=lambda: ends.append(cpo.register(versions_url, first, "2.2.1").status_code or 0)
        )
        at_work.start()
        waiting = threading.Event()
        while not any(entry.path.endswith("/versions") for entry in cpo.log):
            waiting.wait(0.005)
        add_partner(station, "another", "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement())
        assert not ends
        at_work.join(60)
    assert ends == [3001]


# Tried, previewed and checked


def test_a_trial_says_each_step(connected: Station, cpo: VirtualCpo, folder: Path) -> None:
    steps = rows(run(folder, "partner", "test", "cpo", "--json"))
    assert [(step["step"], step["result"]) for step in steps] == [
        ("versions", "good"),
        ("details", "good"),
        ("credentials", "good"),
        ("read-back", "good"),
    ]
    assert "no card yet" in steps[-1]["detail"]
    card = one_card(connected)
    assert is_in_step(connected)
    log = len(cpo.log)
    steps = rows(run(folder, "partner", "test", "cpo", "--json"))
    assert card.visual_number in steps[-1]["detail"]
    assert {entry.method for entry in cpo.log[log:]} == {"GET"}


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (Fault(K.ERROR, module="versions"), "versions"),
        (Fault(K.UNAUTHORIZED, module="versions"), "versions"),
        (Fault(K.GARBAGE, module="details"), "details"),
        (Fault(K.REFUSE, module="credentials"), "credentials"),
        (Fault(K.GARBAGE, module="tokens"), "read-back"),
        (Fault(K.REFUSE, module="tokens", status=404, code=2004), "read-back"),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_a_trial_that_fails_names_the_step_and_is_exit_7(
    connected: Station, cpo: VirtualCpo, folder: Path, fault: Fault, step: str
) -> None:
    one_card(connected)
    assert is_in_step(connected)
    cpo.faults.add(fault)
    said = run(folder, "partner", "test", "cpo", "--json")
    assert said.exit_code == ExitCode.PARTNER
    failed = [row["step"] for row in map(json.loads, said.stdout.splitlines()) if row["result"] == "failed"]
    assert failed == [step]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_preview_is_what_is_sent(station: Station, folder: Path, version: str) -> None:
    with VirtualCpo(FIRST_TOKEN, CpoProfile(versions=(version,))) as cpo:
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
        card = one_card(station)
        asked = len(cpo.log)
        shown = json.loads(run(folder, "partner", "preview", "cpo", card.visual_number, "--json").stdout)
        assert len(cpo.log) == asked
        assert is_in_step(station)
        assert cpo.log[-1].method == shown["method"] == "PUT"
        assert cpo.log[-1].path == "/" + shown["url"].split("/", 3)[3]
        (held,) = cpo.tokens.values()
    assert {name: value for name, value in held.items() if value is not None} == json.loads(shown["body"])
    headers = {name.lower(): value for name, value in shown["headers"].items()}
    assert headers["authorization"] == "Token …"
    assert headers["content-type"] == "application/json"
    assert ("ocpi-to-party-id" in headers) is (version != "2.1.1")
    text = run(folder, "partner", "preview", "cpo", card.visual_number)
    assert text.stdout.startswith(f"PUT {shown['url']}\n")
    assert not any(secret in text.output + repr(shown) for secret in secrets(folder))


def test_a_check_names_the_cards_that_would_be_refused(
    connected: Station, cpo: VirtualCpo, folder: Path, tmp_path: Path
) -> None:
    good = run(folder, "partner", "check", "cpo")
    assert (good.exit_code, good.stdout) == (0, "")
    card = one_card(connected)
    assert "1 card looked at" in run(folder, "partner", "check", "cpo").stderr
    file = tmp_path / "short.toml"
    file.write_text('uid_sizes = ["4"]\n')
    assert run(folder, "partner", "import", "cpo", file).exit_code == 0
    asked = len(cpo.log)
    said = run(folder, "partner", "check", "cpo", "--json")
    assert said.exit_code == ExitCode.PARTNER
    (row,) = map(json.loads, said.stdout.splitlines())
    assert row["number"] == card.visual_number
    assert "UID of 7 bytes" in row["reason"]
    assert card.uid.hex not in said.output
    assert len(cpo.log) == asked


def test_what_a_version_cannot_say_is_found_before_it_is_sent(folder: Path) -> None:
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('issuer = "Example Mobility"', 'issuer = "Mobilität"'))
    from stations import CLERK

    from rfid_station.desk.station import open_station

    with open_station(folder, CLERK) as station:
        for name, profile in (("old", "gireve"), ("new", "standard")):
            add_partner(station, name, "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement(), profile)
        one_card(station)
        old, new = pre_flight(station, "old"), pre_flight(station, "new")
    assert (old.version, old.cards, len(old.objections)) == ("2.1.1", 1, 1)
    assert "Mobilität" in old.objections[0].reason
    assert (new.version, new.objections) == ("2.3.0", ())


# Profiles


def test_every_shipped_profile_can_be_given(folder: Path) -> None:
    listed = rows(run(folder, "partner", "profiles", "--json"))
    assert [row["profile"] for row in listed] == [profile.name for profile in all_partner_profiles(folder)]
    assert {row["profile"] for row in listed} == {
        "standard",
        "gireve",
        "plugsurfing",
        "hubject-ocpi",
        "hubject-oicp",
        "extrawest",
        "elumobility",
        "py-ocpi",
        "python-ocpi",
    }
    assert load_partner_profile("standard", folder).title == "keeps the specification"


AS_NAMED = {name: PROFILES[name] for name in ("gireve", "plugsurfing", "extrawest", "py-ocpi", "python-ocpi")}
# Every optional member is wanted as null, in 2.2.1 also those of a token that are not ours to tell.
AS_NAMED["hubject-ocpi"] = PROFILES["hub"]
AS_NAMED["elumobility"] = replace(PROFILES["elumobility"], versions=("2.1.1",))


@pytest.mark.parametrize("name", AS_NAMED)
def test_a_profile_fits_the_partner_that_it_is_for(station: Station, folder: Path, name: str) -> None:
    with VirtualCpo(FIRST_TOKEN, AS_NAMED[name]) as cpo:
        card = one_card(station)
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement(), name)
        connect_partner(station, "cpo")
        reports = deliver(station, 5)
        assert {token["uid"].upper() for token in cpo.tokens.values()} == {card.uid.hex}, reports
        steps = run(folder, "partner", "test", "cpo", "--json").stdout.splitlines()
        assert [json.loads(step)["result"] for step in steps[:3]] == ["good"] * 3


def test_a_profile_goes_out_and_comes_back(station: Station, folder: Path, tmp_path: Path) -> None:
    own = folder / "templates" / "partners"
    own.mkdir(parents=True)
    (own / "odd.toml").write_text(
        'title = "odd \\"one\\""\nheader = "clear"\nnulls = true\nuid_sizes = ["4", "7"]\nmax_rps = 2.5\n'
        '[endpoints]\ntokens = "https://cpo.example/t"\n'
    )
    add_partner(station, "cpo", "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement(), "odd")
    given = partner(station).profile
    out = tmp_path / "odd.toml"
    assert run(folder, "partner", "export", "cpo", "--out", out).exit_code == 0
    assert run(folder, "partner", "export", "cpo").stdout == out.read_text()
    (own / "odd.toml").write_text("nulls = false\n")
    assert partner(station).profile == given
    plain = tmp_path / "plain.toml"
    plain.write_text("")
    assert run(folder, "partner", "import", "cpo", plain).exit_code == 0
    assert partner(station).profile != given
    assert run(folder, "partner", "import", "cpo", out).exit_code == 0
    assert partner(station).profile == given


def test_sync_tells_cards_as_the_profile_says(
    connected: Station, cpo: VirtualCpo, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "reversed.toml"
    file.write_text('uid_order = "reversed"\n')
    assert run(folder, "partner", "import", "cpo", file).exit_code == 0
    card = one_card(connected)
    assert is_in_step(connected)
    assert {token["uid"] for token in cpo.tokens.values()} == {card.uid.raw[::-1].hex().upper()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nulls = 7", "nulls"),
        ("colour = 'red'", "colour"),
        ("x = ", "not valid TOML"),
        ('versions = ["2.2"]', "2.2"),
    ],
)
def test_a_wrong_profile_is_refused_and_changes_nothing(
    station: Station, folder: Path, tmp_path: Path, text: str, words: str
) -> None:
    before = add_partner(station, "cpo", "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement())
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    said = run(folder, "partner", "import", "cpo", file)
    assert said.exit_code == ExitCode.WRONG_CALL
    assert words in said.stderr
    assert partner(station) == before


@pytest.mark.parametrize("name", ["nobody", "../station", "UPPER"])
def test_a_profile_that_is_not_there_keeps_the_partner_out(station: Station, folder: Path, name: str) -> None:
    with pytest.raises(WrongCall):
        add_partner(station, "cpo", "http://127.0.0.1:9/v", FIRST_TOKEN, Agreement(), name)
    assert station.store.partners.all() == []
    assert secrets(folder) == []


# Shown


def test_show_tells_all_but_secrets(connected: Station, cpo: VirtualCpo, folder: Path) -> None:
    row = json.loads(run(folder, "partner", "show", "cpo", "--json").stdout)
    assert (row["state"], row["version"], row["parties"]) == ("connected", "2.3.0", ["NL-CPX"])
    assert row["server_tokens"] == {"valid": 1}
    assert row["profile"] == "standard"
    text = run(folder, "partner", "show", "cpo").stdout
    assert cpo.versions_url in text
    assert not any(secret in text + repr(row) for secret in secrets(folder))
    (listed,) = rows(run(folder, "partner", "list", "--json"))
    assert (listed["partner"], listed["state"], listed["profile"]) == ("cpo", "connected", "standard")


def test_what_add_says_can_be_read_by_a_program(station: Station, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-secret-token")
    said = run(
        folder,
        "partner",
        "add",
        "cpo",
        "https://cpo.example/v",
        "--token-file",
        file,
        "--profile",
        "gireve",
        "--json",
    )
    row = json.loads(said.stdout)
    assert (row["state"], row["profile"], row["deviations"]["versions"]) == ("added", "gireve", ["2.1.1"])
    assert "a-secret-token" not in said.output
    assert partner(station).profile.is_hub
    bad = run(folder, "partner", "add", "Bad Name", "https://cpo.example/v", "--token-file", file)
    assert bad.exit_code == ExitCode.WRONG_CALL
    file.write_text("two words")
    bad = run(folder, "partner", "add", "other", "https://cpo.example/v", "--token-file", file)
    assert bad.exit_code == ExitCode.WRONG_CALL
