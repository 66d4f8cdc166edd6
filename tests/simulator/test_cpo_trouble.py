"""What goes wrong at a virtual CPO on demand, beyond the answers that test_cpo.py asks for."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emsp_by_hand import call, emsp_running, in_header, token
from test_cpo_versions import FIRST, UID, Registered

from rfid_station.simulator.cpo.certificate import self_signed
from rfid_station.simulator.cpo.virtual_cpo import PROFILES, Fault, FaultKind, VirtualCpo


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST) as cpo:
        yield cpo


@pytest.fixture
def caller(cpo: VirtualCpo) -> Iterator[Registered]:
    with emsp_running() as emsp:
        yield Registered(cpo, emsp)


def test_a_rate_limit_is_a_429_with_its_time(cpo: VirtualCpo, caller: Registered) -> None:
    cpo.faults.add(Fault(FaultKind.RATE_LIMIT, retry_after="7", times=1))

    connection = http.client.HTTPConnection("127.0.0.1", cpo.port, timeout=60)
    connection.request("PUT", f"/ocpi/2.2.1/tokens/DE/EXM/{UID}", headers=caller.headers)
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"], response.read()) == (429, "7", b"")
    connection.close()
    assert cpo.tokens == {}


def test_slow_is_late_and_right(cpo: VirtualCpo, caller: Registered) -> None:
    cpo.faults.add(Fault(FaultKind.SLOW, seconds=0.2, times=1))
    began = time.monotonic()

    assert caller("PUT", body=token(UID)) == (201, 1000)
    assert time.monotonic() - began >= 0.2


def test_slow_ends_with_the_cpo(caller: Registered, cpo: VirtualCpo) -> None:
    cpo.faults.add(Fault(FaultKind.SLOW, module="versions", seconds=3600))
    with socket.create_connection(("127.0.0.1", cpo.port), timeout=60) as waiting:
        waiting.sendall(b"GET /ocpi/versions HTTP/1.1\r\n\r\n")
        began = time.monotonic()
        cpo.stop()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("loses", "tokens", "status"),
    [("nothing", 1, (200, 1000)), ("tokens", 0, (404, 2004)), ("everything", 0, (401, 2000))],
)
def test_a_restart_ends_connections_and_forgets(
    cpo: VirtualCpo, caller: Registered, loses: str, tokens: int, status: tuple[int, int]
) -> None:
    caller("PUT", body=token(UID))
    idle = http.client.HTTPConnection("127.0.0.1", cpo.port, timeout=60)
    idle.request("GET", "/control/tokens")
    idle.getresponse().read()
    cpo.faults.add(Fault(FaultKind.RESTART, method="PUT", loses=loses, times=1))

    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        caller("PUT", body=token(UID))

    assert idle.sock.recv(1) == b""
    idle.close()
    assert len(cpo.tokens) == tokens
    assert caller("GET") == status
    assert bool(cpo.parties) is (loses != "everything")


def test_after_a_restart_that_lost_everything_somebody_is_admitted_anew(
    cpo: VirtualCpo, caller: Registered
) -> None:
    assert call("POST", f"{cpo.control_url}/restart", {"loses": "everything"})[0] == 200
    assert caller("GET") == (401, 2000)

    cpo.admit(FIRST)
    with emsp_running() as emsp:
        assert Registered(cpo, emsp)("PUT", body=token(UID)) == (201, 1000)


def test_a_restart_that_lost_everything_lost_the_file_too(tmp_path: Path) -> None:
    with VirtualCpo(FIRST, state_file=tmp_path / "state.json") as cpo, emsp_running() as emsp:
        Registered(cpo, emsp)("PUT", body=token(UID))
        cpo.restart()
    with VirtualCpo("", state_file=tmp_path / "state.json") as cpo:
        assert (cpo.tokens, cpo.parties) == ({}, [])


def test_a_link_to_the_same_page_and_one_to_elsewhere() -> None:
    with VirtualCpo(FIRST, PROFILES["hub"]) as hub, emsp_running() as emsp:
        caller = Registered(hub, emsp)
        url = f"{caller.base}/2.2.1/hubclientinfo"
        hub.faults.add(Fault(FaultKind.WRONG_LINK, module="hubclientinfo", times=1))
        hub.faults.add(
            Fault(FaultKind.WRONG_LINK, module="hubclientinfo", times=1, location="http://x.example/")
        )

        links = [call("GET", url, headers=caller.headers)[1].get("Link") for _ in range(3)]

    assert links == [f'<{url}>; rel="next"', '<http://x.example/>; rel="next"', None]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hang", Fault(FaultKind.HANG)),
        ("apply-hang", Fault(FaultKind.APPLY_HANG)),
        ("busy:method=PUT,times=2,retry_after=9", Fault(FaultKind.BUSY, "PUT", times=2, retry_after="9")),
        ("refuse:code=3001,status=201", Fault(FaultKind.REFUSE, code=3001, status=201)),
        ("slow:seconds=0.5", Fault(FaultKind.SLOW, seconds=0.5)),
        ("restart:loses=tokens", Fault(FaultKind.RESTART, loses="tokens")),
    ],
)
def test_faults_have_a_name_on_the_command_line(text: str, fault: Fault) -> None:
    assert Fault.from_text(text) == fault


@pytest.mark.parametrize("text", ["", "tsunami", "busy:colour=blue", "busy:times=often", "restart:loses=x"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault.from_text(text)


# TLS


def get(cpo: VirtualCpo, context: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", cpo.port, context=context, timeout=60)
    try:
        connection.request("GET", "/ocpi/versions", headers={"Authorization": in_header("2.2.1", FIRST)})
        return connection.getresponse().status
    finally:
        connection.close()


def test_nobody_trusts_a_certificate_that_nobody_signed() -> None:
    with VirtualCpo(FIRST, tls=True) as cpo:
        assert cpo.versions_url.startswith("https://127.0.0.1:")
        with pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed"):
            get(cpo, ssl.create_default_context())
        assert cpo.certificate is not None
        assert get(cpo, ssl.create_default_context(cadata=cpo.certificate.certificate)) == 200


@pytest.mark.parametrize(
    ("host", "days", "told"), [("elsewhere.example", 30, "mismatch"), ("127.0.0.1", -1, "expired")]
)
def test_certificates_of_others_and_of_the_past(host: str, days: float, told: str) -> None:
    made = self_signed(host, days)
    with VirtualCpo(FIRST, tls=made) as cpo, pytest.raises(ssl.SSLCertVerificationError, match=told):
        get(cpo, ssl.create_default_context(cadata=made.certificate))


def test_somebody_who_speaks_no_tls_keeps_nobody_waiting() -> None:
    with (
        VirtualCpo(FIRST, tls=True) as cpo,
        socket.create_connection(("127.0.0.1", cpo.port), timeout=60) as plain,
    ):
        assert cpo.certificate is not None
        assert get(cpo, ssl.create_default_context(cadata=cpo.certificate.certificate)) == 200
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "cpo.example", "x" * 60])
def test_another_library_reads_the_certificate(host: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    made = self_signed(host)
    read: Any = x509.load_pem_x509_certificate(made.certificate.encode())
    key: Any = load_pem_private_key(made.key.encode(), None)

    read.verify_directly_issued_by(read)
    assert key.public_key().public_numbers() == read.public_key().public_numbers()
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [host]


def test_openssl_reads_the_certificate(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl
    file = tmp_path / "certificate.pem"
    file.write_text(self_signed("127.0.0.1").certificate)

    verified = subprocess.run(
        [openssl, "verify", "-CAfile", file, file],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert (verified.returncode, verified.stdout) == (0, f"{file}: OK\n")
