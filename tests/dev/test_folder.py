"""The demo's folder and certificate: made once, kept, and for the owner only."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509

import crisisbridge
from auth.passwords import check_new_password, check_new_pin
from web.dev import cast, certificate
from web.dev.folder import Folder, card, welcome

CODES = {unit.id: f"K7QF-{number}MXP" for number, unit in enumerate(cast.UNITS, start=2)}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.prepare()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_database_that_any_command_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        arguments = ["sample", "--data", str(tmp_path), "--sessions", "2", "--days", "2"]
        assert crisisbridge.main(arguments) == 0
    finally:
        os.umask(before)
    assert {mode(one) for one in tmp_path.iterdir()} == {0o600}


def test_secrets_are_made_once_and_kept(folder: Folder) -> None:
    first = folder.signing_secret(), folder.password()
    again = Folder(folder.path)
    assert (again.signing_secret(), again.password()) == first
    assert len(first[0]) >= 32
    assert mode(folder.path) == 0o700
    assert all(mode(path) == 0o600 for path in folder.path.iterdir())


def test_two_demos_have_different_secrets(tmp_path: Path) -> None:
    folders = [Folder(tmp_path / name) for name in ("one", "two")]
    for one in folders:
        one.prepare()
    assert folders[0].password() != folders[1].password()
    assert folders[0].signing_secret() != folders[1].signing_secret()


def test_the_cast_signs_in_with_secrets_that_our_own_rules_accept(folder: Folder) -> None:
    for member in cast.CAST:
        check_new_password(folder.password(), member.email, member.name)
        if member.pin is not None:
            check_new_pin(member.pin)


def test_the_card_is_replaced_whole_and_holds_what_a_script_needs(folder: Folder) -> None:
    for _ in range(2):
        path = folder.write_card(card("http://127.0.0.1:8080", CODES, "pass", []))
    assert mode(path) == 0o600
    read = json.loads(path.read_text())
    assert read["tablet"] == read["tablets"][0]
    assert read["tablet"]["url"] == f"http://127.0.0.1:8080/enrol#code={read['tablet']['code']}"
    assert [one["name"] for one in read["clinicians"]] == [one.name for one in cast.CLINICIANS]
    assert {"manager", "supervisor", "admin", "base_url", "lan_urls", "pid"} <= read.keys()
    assert not (folder.path / "demo.json.new").exists()
    folder.remove_card()
    folder.remove_card()
    assert not path.exists()


def test_the_welcome_names_three_addresses_and_their_sign_ins() -> None:
    said = welcome("http://127.0.0.1:8080", CODES, "abcd-efgh-2345", ["https://192.0.2.9:8443"])
    code = CODES[cast.UNIT_12.id]
    for one in ("/enrol#code=" + code, "/console", "/manager", "abcd-efgh-2345", "PIN 2468"):
        assert one in said
    assert f"https://192.0.2.9:8443/enrol#code={code}" in said


def subject(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_certificate_is_kept_while_it_fits_and_made_anew_when_not(folder: Folder) -> None:
    now = time.time()
    path = folder.path / "tls.pem"
    certificate.context(folder.path, ["192.0.2.9", "127.0.0.1"], now)
    first = subject(path)
    assert mode(path) == 0o600
    certificate.context(folder.path, ["192.0.2.9"], now)
    assert subject(path) == first
    certificate.context(folder.path, ["192.0.2.10"], now)
    second = subject(path)
    assert second != first
    certificate.context(folder.path, ["192.0.2.10"], now + 380 * 86400)
    assert subject(path) != second


def test_a_damaged_certificate_is_made_anew(folder: Folder) -> None:
    (folder.path / "tls.pem").write_text("not a certificate")
    certificate.context(folder.path, ["127.0.0.1"], time.time())
    assert subject(folder.path / "tls.pem").subject


async def test_a_browser_that_knows_the_certificate_accepts_the_address(folder: Folder) -> None:
    tls = certificate.context(folder.path, ["127.0.0.1"], time.time())

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls)
    trust = ssl.create_default_context(cafile=str(folder.path / "tls.pem"))
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT  # a root that a person accepts by hand
    port = server.sockets[0].getsockname()[1]
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        assert await reader.read(5) == b"hello"
        writer.close()
