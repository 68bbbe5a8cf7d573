"""`crisisbridge serve` and `doctor` as an operator meets them: started for real, and refused."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import time
import urllib.request
import warnings
from pathlib import Path

import pytest

from tests.journeys import typed
from tests.journeys.harness import Demo, free_port, wait_until
from web.dev import certificate

pytestmark = pytest.mark.journey

SECRET = "fine-and-long-0123456789-abcdefghijk"


def test_bad_settings_are_all_named_without_their_values_and_nothing_is_made(
    tmp_path: Path,
) -> None:
    code, said = typed.run(
        "serve", secret="hunter2", port="many", data_dir=str(tmp_path / "data"), hots="x"
    )
    assert code == 2
    assert "CRISISBRIDGE_SECRET" in said
    assert "CRISISBRIDGE_PORT" in said
    assert "CRISISBRIDGE_HOTS is not a setting" in said
    assert "hunter2" not in said
    assert not (tmp_path / "data").exists()


def test_check_says_what_is_wrong_without_starting(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    assert typed.run("serve", "--check", secret=SECRET, data_dir=folder)[0] == 0
    code, said = typed.run("serve", "--check", secret=SECRET, data_dir=folder, host="0.0.0.0")
    assert code == 2
    assert "TLS" in said
    assert not Path(folder).exists()


def test_a_database_out_of_reach_is_said_without_its_password(tmp_path: Path) -> None:
    code, said = typed.run(
        "serve",
        secret=SECRET,
        port="0",
        data_dir=str(tmp_path),
        database_url="postgresql://bridge:hunter2@127.0.0.1:1/bridge",
    )
    assert code == 1
    assert "database cannot be opened" in said
    assert "hunter2" not in said


def test_the_demo_s_people_are_never_served_in_public(fresh_demo: Demo) -> None:
    fresh_demo.start()
    assert fresh_demo.stop() == 0
    code, said = typed.run(
        "serve",
        secret=SECRET,
        port="0",
        data_dir=str(fresh_demo.folder),
        trust_proxy="true",
        public_origins="https://bridge.example.org",
    )
    assert code == 1
    assert "demo's people" in said


def refusal_of(port: int, version: ssl.TLSVersion) -> str:
    """What the server says to a client that knows this version of TLS alone; "" when it answers."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
        old.minimum_version = old.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        try:
            with old.wrap_socket(plain):
                return ""
        except ssl.SSLError as error:
            return error.reason or "no reason"


def test_serving_over_tls_answers_and_ends_cleanly(tmp_path: Path) -> None:
    certificate.context(tmp_path, ["127.0.0.1"], time.time())
    pem, port = str(tmp_path / "tls.pem"), free_port()
    serving = typed.begin(
        "serve",
        secret=SECRET,
        port=str(port),
        data_dir=str(tmp_path / "data"),
        tls_cert=pem,
        tls_key=pem,
        media_port="0",
        log_json="true",
    )
    trust = ssl.create_default_context(cafile=pem)
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def ready() -> bool:
        assert serving.process.poll() is None, serving.end()
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", context=trust) as page:
                assert page.headers["Strict-Transport-Security"]
                return bool(page.status == 200)
        except OSError:
            return False

    try:
        wait_until("the server", ready, 60)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            # by the server, which hangs up or says why, and not by our own side
            assert re.search("ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF", refusal_of(port, version))
        assert refusal_of(port, ssl.TLSVersion.TLSv1_2) == ""
        serving.process.send_signal(signal.SIGTERM)
        code, said = serving.end(20)
    finally:
        serving.process.kill()
    assert code == 0
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert events[0] == "server.started"
    assert events[-1] == "server.stopped"
    assert "server.left_over" not in events


def test_the_doctor_looks_at_a_demo_and_finds_it_well(demo: Demo) -> None:
    code, said = typed.run("doctor", "--offline", "--data", str(demo.folder), "--port", "0")
    assert code == 0, said
    assert "schema is current" in said
    assert said.rstrip().endswith("Ready.")
