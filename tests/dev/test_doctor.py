"""The doctor: finds what is wrong, says what to do, changes nothing."""

from __future__ import annotations

import asyncio
import io
import socket
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import crisisbridge
from records import contacts
from records.contacts import NewWay
from records.crypto import Vault
from records.engine import Database, upgrade
from signaling import sso_file
from signaling.sensitive import Sensitive
from signaling.settings import Settings, load
from tests.directory import Directory
from tests.media.coturn import SECRET, Coturn
from tests.oncall.redis_server import RedisServer
from web import disk, doctor, keyring
from web.dev import certificate
from web.doctor import Finding, Verdict
from web.server import CannotStart

WAY = NewWay("sms", "+16055550100", {"to": "+16055550100"})
GOOD = {"CRISISBRIDGE_SECRET": "fine-and-long-0123456789-abcdefghijk"}


def settings(tmp_path: Path, **more: str) -> Settings:
    environ = {f"CRISISBRIDGE_{name.upper()}": value for name, value in more.items()}
    return load(
        GOOD | {"CRISISBRIDGE_DATA_DIR": str(tmp_path / "data"), "CRISISBRIDGE_PORT": "0"}
        | {"CRISISBRIDGE_MEDIA_ADDRESSES": "127.0.0.1", "CRISISBRIDGE_MEDIA_PORT": "0"} | environ
    )  # fmt: skip


def report(*findings: Finding) -> tuple[int, str]:
    out = io.StringIO()
    return doctor.report(iter(findings), out), out.getvalue()


def test_a_machine_that_has_all_it_needs_is_ready_and_nothing_is_made(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor.report(doctor.examine(settings(tmp_path), offline=True), out) == 0
    assert out.getvalue().endswith("Ready.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_says_what_to_do_and_fails_the_report() -> None:
    code, said = report(Finding(Verdict.OK, "one"), Finding(Verdict.FAIL, "two", "Do this."))
    assert code == 1
    assert "FAIL  two\n      → Do this.\n" in said
    assert report(Finding(Verdict.WARN, "three", "Look."))[0] == 0


def test_settings_that_may_not_be_served_are_a_failure(tmp_path: Path) -> None:
    findings = list(doctor.configuration(settings(tmp_path, host="0.0.0.0")))
    assert findings
    assert all(one.verdict is Verdict.FAIL and one.todo for one in findings)


async def test_a_directory_is_asked_for_its_description_and_keys(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "directory", ["http://127.0.0.1:1"])
    described = settings(tmp_path, single_sign_on=str(directory.described()))
    (issuer,) = described.single_sign_on
    away = await asyncio.to_thread(doctor.single_sign_on, issuer)
    assert (away.verdict, away.what) == (Verdict.FAIL, "Single sign-on [prairie]")
    assert "No answer" in away.todo
    directory.start()
    try:
        there = await asyncio.to_thread(doctor.single_sign_on, issuer)
        assert there == Finding(Verdict.OK, "Single sign-on [prairie]: described, 1 keys")
        (tmp_path / "directory" / "client.secret").chmod(0o640)
        (seen,) = sso_file.read(str(tmp_path / "directory" / "single-sign-on.toml"))
        read = await asyncio.to_thread(doctor.single_sign_on, seen)
        assert read.verdict is Verdict.WARN
        elsewhere = replace(issuer, url=issuer.url.replace("127.0.0.1", "localhost"))
        wrong = await asyncio.to_thread(doctor.single_sign_on, elsewhere)
        assert (wrong.verdict, "another name" in wrong.todo) == (Verdict.FAIL, True)
    finally:
        directory.kill()
    assert doctor.single_sign_on(issuer, offline=True).verdict is Verdict.OK
    assert any("must be https" in one.todo for one in doctor.configuration(described))


def test_a_folder_or_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    one = settings(tmp_path)
    one.data_dir.mkdir(mode=0o755)
    one.data_dir.chmod(0o755)
    assert doctor.folder(one.data_dir).verdict is Verdict.WARN
    one.data_dir.chmod(0o700)
    assert doctor.folder(one.data_dir).verdict is Verdict.OK
    one.key_file.write_text("00" * 32)
    one.key_file.chmod(0o644)
    assert doctor.key_source(one).verdict is Verdict.FAIL
    one.key_file.chmod(0o600)
    assert doctor.key_source(one).verdict is Verdict.OK


@pytest.mark.parametrize("name", ["records.key", "records.key.ring"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
async def test_no_server_starts_with_keys_that_others_can_read_and_the_doctor_says_the_same(
    tmp_path: Path, name: str, mode: int
) -> None:
    one = settings(tmp_path)
    one.data_dir.mkdir(mode=0o700)
    path = one.data_dir / name
    path.write_text("00" * 32)
    path.chmod(mode)
    with pytest.raises(CannotStart, match=f"can read {name}, .* `chmod 600`"):
        async with crisisbridge.running_services(one):
            pass
    assert doctor.key_source(one).verdict is Verdict.FAIL
    path.chmod(0o600)
    assert keyring.open_to_others(one) is None


def test_a_key_that_is_mounted_for_the_server_s_group_is_fine_and_for_everybody_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = settings(tmp_path)
    one.data_dir.mkdir(mode=0o700)
    path = one.data_dir / "records.key"
    path.write_text("00" * 32)
    monkeypatch.setattr("os.geteuid", lambda: path.stat().st_uid + 1)
    for mode, fine in ((0o440, True), (0o640, True), (0o660, False), (0o444, False)):
        path.chmod(mode)
        assert (keyring.open_to_others(one) is None) is fine
        assert (doctor.key_source(one).verdict is Verdict.OK) is fine


def test_the_fuller_of_two_disks_counts_and_little_room_is_a_warning_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gigabyte = 1024**3
    here, there = tmp_path / "data", tmp_path / "record"
    room = {here: 3 * gigabyte, there: 2 * gigabyte}
    for one in room:
        one.mkdir()
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: SimpleNamespace(free=room[Path(path).resolve()])
    )
    given = replace(settings(here), database_url=Sensitive(f"sqlite:///{there}/x.db"))
    elsewhere = replace(settings(here), database_url=Sensitive("postgresql://db.invalid/x"))
    assert disk.free_bytes(given) == 2 * gigabyte
    verdicts = []
    for room[there] in (2 * gigabyte, gigabyte // 2, 1024**2):
        verdicts.append(doctor.space(given).verdict)
    assert verdicts == [Verdict.OK, Verdict.WARN, Verdict.FAIL]
    assert doctor.space(elsewhere).verdict is Verdict.OK
    room[here] = 1024**2  # for keys and logs: no press is written there
    assert doctor.space(elsewhere).verdict is Verdict.WARN
    assert not disk.is_too_full(elsewhere)


def test_a_database_is_current_old_or_out_of_reach(tmp_path: Path) -> None:
    one = settings(tmp_path)
    one.data_dir.mkdir()
    assert doctor.database(one).verdict is Verdict.OK
    (one.data_dir / "crisisbridge.db").touch()
    assert doctor.database(one).verdict is Verdict.WARN
    upgrade(one.database)
    assert "current" in doctor.database(one).what
    nowhere = settings(tmp_path, database_url="postgresql://nobody:hunter2@127.0.0.1:1/none")
    found = doctor.database(nowhere)
    assert found.verdict is Verdict.FAIL
    assert "hunter2" not in found.what + found.todo


def test_a_media_port_makes_a_round_trip_or_is_taken() -> None:
    assert doctor.media("127.0.0.1", 0).verdict is Verdict.OK
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert doctor.media("127.0.0.1", taken.getsockname()[1]).verdict is Verdict.WARN


def test_an_address_that_is_not_of_this_machine_is_found() -> None:
    found = doctor.media("192.0.2.200", 0)
    assert found.verdict is Verdict.FAIL
    assert "no such address" in found.todo


def test_a_clock_in_the_past_is_found() -> None:
    assert doctor.clock(0.0).verdict is Verdict.FAIL
    assert doctor.clock(time.time()).verdict is Verdict.OK


def test_a_certificate_is_good_soon_over_over_or_broken(tmp_path: Path) -> None:
    def verdict(age_days: float) -> Verdict:
        (tmp_path / "tls.pem").unlink(missing_ok=True)
        certificate.context(tmp_path, ["127.0.0.1"], time.time() - age_days * 86400)
        path = str(tmp_path / "tls.pem")
        (found,) = doctor.certificate(settings(tmp_path, tls_cert=path, tls_key=path))
        return found.verdict

    assert verdict(0) is Verdict.OK
    assert verdict(390) is Verdict.WARN
    assert verdict(400) is Verdict.FAIL
    broken = str(tmp_path / "broken.pem")
    Path(broken).write_text("nothing")
    (found,) = doctor.certificate(settings(tmp_path, tls_cert=broken, tls_key=broken))
    assert found.verdict is Verdict.FAIL


def with_relay(tmp_path: Path, secret: str = SECRET, **more: str) -> Settings:
    return settings(
        tmp_path,
        turn_urls="turn:127.0.0.1:1",
        turn_secret=secret,
        **more,
    )


def test_a_relay_that_carries_a_packet_there_and_back_is_told_from_one_that_refuses(
    tmp_path: Path,
) -> None:
    with Coturn(tmp_path).running() as coturn:
        for kind, url in coturn.urls.items():
            found = doctor.relay(with_relay(tmp_path), url, coturn.trust)
            assert found.verdict is Verdict.OK, (kind, found.todo)
        wrong = with_relay(tmp_path, "another-secret-of-at-least-32-characters-01")
        found = doctor.relay(wrong, coturn.urls["udp"])
        assert (found.verdict, "secret" in found.todo) == (Verdict.FAIL, True)
        found = doctor.relay(with_relay(tmp_path), coturn.urls["tls"])
        assert (found.verdict, "certificate" in found.todo) == (Verdict.FAIL, True)
    with coturn.running("--denied-peer-ip", "127.0.0.0-127.255.255.255"):
        found = doctor.relay(with_relay(tmp_path), coturn.urls["tcp"])
        assert (found.verdict, "allowed" in found.todo) == (Verdict.FAIL, True), found


def test_with_the_server_running_another_port_is_tried_or_behind_a_router_none(
    tmp_path: Path,
) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy,
        Coturn(tmp_path).running() as coturn,
    ):
        busy.bind(("127.0.0.1", 0))
        port = str(busy.getsockname()[1])
        running = with_relay(tmp_path, media_port=port)
        assert doctor.relay(running, coturn.urls["udp"]).verdict is Verdict.OK
        behind = with_relay(tmp_path, media_port=port, media_public_addresses="203.0.113.9")
        assert doctor.relay(behind, coturn.urls["udp"]).verdict is Verdict.WARN


@pytest.mark.parametrize("url", ["turn:127.0.0.1:1?transport=tcp", "turns:127.0.0.1:1"])
def test_a_relay_that_is_not_there_is_a_failure(tmp_path: Path, url: str) -> None:
    assert doctor.relay(with_relay(tmp_path), url).verdict is Verdict.FAIL


def test_a_shared_store_is_good_wrongly_set_or_away(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    assert doctor.shared_store(server.url).verdict is Verdict.FAIL
    try:
        server.start()
        assert doctor.shared_store(server.url).verdict is Verdict.OK
    finally:
        server.kill()
    try:
        server.start("--maxmemory-policy", "allkeys-lru")
        found = doctor.shared_store(server.url)
        assert (found.verdict, "noeviction" in found.todo) == (Verdict.FAIL, True)
    finally:
        server.kill()
    try:
        server.start("--requirepass", "a-password")
        found = doctor.shared_store(server.url)
        assert (found.verdict, "password" in found.todo) == (Verdict.FAIL, True)
        at = server.url.replace("unix://", "unix://:a-password@")
        assert doctor.shared_store(at).verdict is Verdict.OK
    finally:
        server.kill()


async def _sealed(url: str, key: str) -> None:
    db = Database(url)
    await db.start()
    try:
        vault = Vault(bytes.fromhex(key))
        await db.write(lambda conn: contacts.add(conn, vault, "per_1", WAY, 1.0))
    finally:
        await db.close()


def _record(one: Settings, key: str) -> None:
    """A database with one value under this key."""
    one.data_dir.mkdir(exist_ok=True)
    upgrade(one.database)
    with sqlite3.connect(one.data_dir / "crisisbridge.db") as made:
        made.execute(
            "INSERT INTO person (id, name, short_name, email, active)"
            " VALUES ('per_1', 'P', 'P', 'p@demo.invalid', 1)"
        )
    made.close()
    asyncio.run(_sealed(one.database, key))


def test_it_says_where_the_key_comes_from_and_whether_it_opens_the_record(tmp_path: Path) -> None:
    right, wrong = "ab" * 32, "cd" * 32
    printing = f"{sys.executable} -I -c 'print(\"{{}}\")'"
    _record(settings(tmp_path), right)
    for more, name in (
        ({"kek": "{}"}, "Key from the environment"),
        ({"kek_command": printing}, "Key from the command"),
    ):
        given = {setting: value.replace("{}", right) for setting, value in more.items()}
        found = doctor.key_source(settings(tmp_path, **given))
        assert (found.verdict, found.what) == (Verdict.OK, f"{name}: opens the record")
        given = {setting: value.replace("{}", wrong) for setting, value in more.items()}
        found = doctor.key_source(settings(tmp_path, **given))
        assert (found.verdict, found.what) == (Verdict.FAIL, name)
        assert "another database" in found.todo
        assert wrong not in found.todo
    failing = f"{sys.executable} -I -c 'raise SystemExit(4)'"
    found = doctor.key_source(settings(tmp_path, kek_command=failing))
    assert found.verdict is Verdict.FAIL
    assert "ended with code 4" in found.todo
