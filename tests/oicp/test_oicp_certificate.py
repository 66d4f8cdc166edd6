"""By what a hub knows us: files that are checked, and a handshake that a wrong one does not get through."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from test_oicp_receiver import TOKEN, US

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.errors import WrongCall
from rfid_station.oicp.certificate import ClientCertificate
from rfid_station.oicp.client import HubClient
from rfid_station.oicp.receiver import HubReceiver
from rfid_station.oicp.wire import push_url
from rfid_station.simulator.cpo.certificate import self_signed
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.hub.virtual_hub import VirtualHub


def write(folder: Path, name: str, days: float = 30.0) -> ClientCertificate:
    made = self_signed("station.example", days)
    pair = ClientCertificate(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_text(made.certificate)
    pair.key.write_text(made.key)
    return pair


@pytest.fixture
def ours(tmp_path: Path) -> ClientCertificate:
    return write(tmp_path, "ours")


@contextmanager
def upload_to(
    hub: VirtualHub, shown: ClientCertificate, *, trusts: bool = True, timeout_s: float = 5.0
) -> Iterator[Outcome]:
    roots = hub.certificate.certificate.encode() if trusts and hub.certificate else b""
    receiver = HubReceiver(HubClient(push_url(hub.url, US), shown, timeout_s=timeout_s, roots=roots), US)
    try:
        yield receiver.put(TOKEN)
    finally:
        receiver.close()


def test_a_hub_that_knows_our_certificate_takes_cards(ours: ClientCertificate) -> None:
    with VirtualHub(tls=ours.certificate.read_text()) as hub, upload_to(hub, ours) as outcome:
        assert hub.url.startswith("https://")
        assert outcome.verdict is Verdict.ACKNOWLEDGED
        assert len(hub.records) == 1


def test_a_hub_that_does_not_know_it_refuses_us_and_nothing_is_left_in_doubt(
    ours: ClientCertificate, tmp_path: Path
) -> None:
    other = write(tmp_path, "other")
    with VirtualHub(tls=ours.certificate.read_text()) as hub, upload_to(hub, other) as outcome:
        assert outcome.verdict is Verdict.UNAUTHORIZED
        assert outcome.detail.endswith("received fatal alert: UnknownCA")
        assert (hub.records, hub.log) == ({}, [])


def test_a_hub_that_we_do_not_trust_gets_nothing(ours: ClientCertificate) -> None:
    with (
        VirtualHub(tls=ours.certificate.read_text()) as hub,
        upload_to(hub, ours, trusts=False) as outcome,
    ):
        assert outcome.verdict is Verdict.UNREACHABLE
        assert "invalid peer certificate: UnknownIssuer" in outcome.detail
        assert hub.log == []


def test_what_was_sent_over_tls_and_is_not_answered_is_left_open(ours: ClientCertificate) -> None:
    with VirtualHub(tls=ours.certificate.read_text()) as hub:
        hub.faults.add(Fault(FaultKind.APPLY_HANG))
        with upload_to(hub, ours, timeout_s=0.4) as outcome:
            assert outcome.verdict is Verdict.AMBIGUOUS
            assert outcome.detail.endswith(": no answer within 0.4 s")
            assert len(hub.records) == 1


def test_a_connection_of_a_certificate_is_used_again(ours: ClientCertificate) -> None:
    with VirtualHub(tls=ours.certificate.read_text()) as hub:
        for _ in range(3):
            with upload_to(hub, ours) as outcome:
                assert outcome.verdict is Verdict.ACKNOWLEDGED
        assert len(hub.log) == 5
        assert len(hub._http._open) == 1


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[str]:
    """Shakes hands with whoever comes, and says nothing else."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):  # the listener was closed, or TLS did not come about
            while True:
                connection, _ = listener.accept()
                with connection, suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/api/oicp"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)
        listener.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_certificate_is_told_from_other_trouble_in_every_version(
    ours: ClientCertificate, version: ssl.TLSVersion
) -> None:
    shown = self_signed("127.0.0.1")
    context = shown.server_context()
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    with tls_server(context) as url:
        client = HubClient(url, ours, timeout_s=5.0, roots=shown.certificate.encode())
        assert client.push({}).outcome.verdict is Verdict.UNAUTHORIZED


def test_no_tls_at_all_is_unreachable(ours: ClientCertificate) -> None:
    with VirtualHub() as hub:
        outcome = HubClient(hub.url.replace("http:", "https:"), ours, timeout_s=5.0).push({}).outcome
        assert outcome.verdict is Verdict.UNREACHABLE


def test_https_takes_a_certificate() -> None:
    with pytest.raises(WrongCall, match="there is none") as told:
        HubClient("https://hub.example/api/oicp", None)
    assert "tls_certificate and tls_key in [oicp]" in str(told.value.hint)


def test_a_pair_that_fits_is_taken(ours: ClientCertificate) -> None:
    identity = ours.identity().decode()
    assert identity.count("BEGIN CERTIFICATE") == identity.count("BEGIN EC PRIVATE KEY") == 1
    assert ours.valid_until().year > 2000


def test_of_one_file_with_everything_each_part_is_shown_once(ours: ClientCertificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    both.write_text(f"subject=us\n{parameters}{ours.key.read_text()}{ours.certificate.read_text()}")
    pair = ClientCertificate(both, both)
    assert pair.identity().replace(b"\n", b"") == ours.identity().replace(b"\n", b"")
    with VirtualHub(tls=ours.certificate.read_text()) as hub, upload_to(hub, pair) as outcome:
        assert outcome.verdict is Verdict.ACKNOWLEDGED


def test_a_key_of_a_kind_that_tls_has_no_use_for_is_said(tmp_path: Path) -> None:
    key = ed448.Ed448PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "station.example")])
    now = datetime.now(UTC)
    signed = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    signed = signed.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pair = ClientCertificate(tmp_path / "odd.pem", tmp_path / "odd.key")
    pair.certificate.write_bytes(signed.sign(key, None).public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(WrongCall, match=r"odd\.pem and the key .*odd\.key cannot be used: .*key"):
        HubClient("https://hub.example/api/oicp", pair)


def test_files_that_cannot_be_used_are_said(ours: ClientCertificate, tmp_path: Path) -> None:
    other = write(tmp_path, "other")
    text = tmp_path / "text.pem"
    text.write_text("no PEM at all")
    sealed = tmp_path / "sealed.key"
    key = load_pem_private_key(ours.key.read_bytes(), None)
    sealed.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"four words"))
    )
    for certificate, key_file, words in (
        (tmp_path / "none.pem", ours.key, "the certificate .*none.pem cannot be read: No such file"),
        (ours.certificate, tmp_path / "none.key", "the key .*none.key cannot be read: No such file"),
        (ours.certificate, tmp_path, "the key .* cannot be read: Is a directory"),
        (ours.certificate, other.key, "they do not belong together"),
        (text, ours.key, "one of them is no PEM"),
        (ours.certificate, text, "one of them is no PEM"),
        (ours.certificate, sealed, "sealed.key is sealed by a passphrase"),
    ):
        with pytest.raises(WrongCall, match=words):
            ClientCertificate(certificate, key_file).identity()


def test_a_certificate_that_has_ended_is_said(tmp_path: Path) -> None:
    ended = write(tmp_path, "ended", days=-1)
    with pytest.raises(WrongCall, match=r"ended\.pem ended on 20"):
        ended.valid_until()
    (tmp_path / "text.pem").write_text("no PEM")
    with pytest.raises(WrongCall, match="holds no certificate in PEM"):
        ClientCertificate(tmp_path / "text.pem", ended.key).valid_until()
