"""What can be known about the image and the compose file without an engine."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from signaling.settings import PREFIX, describe, load, unfit_to_serve

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
FILLED = {
    "BRIDGE_HOST": "bridge.example.org",
    "PUBLIC_ADDRESS": "198.51.100.7",
    "CRISISBRIDGE_SECRET": "c2b3a4d5e6f708192a3b4c5d6e7f8091",
    "POSTGRES_PASSWORD": "d1e2f3a4b5c6d7e8f9",
    "REDIS_PASSWORD": "e1f2a3b4c5d6e7f8a9",
    "TURN_SECRET": "f1a2b3c4d5e6f708192a3b4c5d6e7f80",
}


def filled(text: str) -> str:
    return re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: FILLED[found.group(1)], text)


def server_environment() -> dict[str, str]:
    environment = COMPOSE["services"]["server"]["environment"]
    return {name: filled(value) for name, value in environment.items()}


def test_the_service_is_server_database_live_state_relay_and_tls() -> None:
    assert set(COMPOSE["services"]) == {"server", "postgres", "redis", "coturn", "caddy"}


def test_the_server_accepts_the_settings_that_compose_gives_it() -> None:
    image = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", DOCKERFILE))
    assert image.keys() <= {one.env for one in describe()}
    settings = load(image | server_environment())
    assert unfit_to_serve(settings) == []
    assert settings.secure_cookies
    assert settings.host == "0.0.0.0"
    assert len(settings.turn_urls) == 2


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in FILLED:
        first = re.search(rf"\$\{{{name}(:\?)?[^}}]*\}}", text)
        assert first is not None, name
        assert re.search(rf"\$\{{{name}:\?", text), f"{name} may be empty"
    assert not re.search(r"\$\{\w+:-", text)


def test_the_example_names_exactly_what_has_to_be_filled_in() -> None:
    text = (ROOT / "deploy" / "env.example").read_text(encoding="utf-8")
    named = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert named.keys() == used == FILLED.keys()
    assert not any(named.values())


def test_every_image_is_pinned_to_a_version() -> None:
    images = [one["image"] for one in COMPOSE["services"].values() if "image" in one]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in images:
        assert re.search(r":\d", image), image


def test_the_image_is_built_in_stages_and_runs_without_rights() -> None:
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 2
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER bridge$", last, re.MULTILINE)
    assert "pip install" not in last
    assert "--require-hashes" in DOCKERFILE
    server = COMPOSE["services"]["server"]
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]


def test_no_service_may_gain_rights_and_those_that_need_no_disk_have_none() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged")
        assert set(service.get("cap_add", ())) <= {"NET_BIND_SERVICE"}
    for name in ("server", "redis", "caddy"):
        assert COMPOSE["services"][name]["read_only"] is True
        assert COMPOSE["services"][name]["cap_drop"] == ["ALL"]


def test_the_server_can_write_to_its_data_and_a_scratch_folder_only() -> None:
    server = COMPOSE["services"]["server"]
    assert server["volumes"] == ["data:/data"]
    assert server["tmpfs"] == ["/tmp"]
    assert re.findall(r"^VOLUME (.+)$", DOCKERFILE, re.MULTILINE) == ["/data"]
    assert "PYTHONDONTWRITEBYTECODE=1" in DOCKERFILE
    assert re.search(r"useradd .*--uid 10001 .*nologin", DOCKERFILE)
    assert not re.search(r"chmod [0-7]*[2367]\b|chmod .*o\+w", DOCKERFILE)


def test_the_image_holds_every_package_and_nothing_it_copies_is_missing() -> None:
    copied = set()
    for sources in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        copied |= set(sources.split()[:-1])
    for source in copied:
        assert (ROOT / source).exists(), source
    packages = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/__init__.py")}
    packages |= {"queue/oncall", "crisisbridge.py", "requirements.lock", "LICENSE"}
    assert packages - {"tests", "bench"} == copied


def test_the_build_sees_neither_secrets_nor_data_nor_history() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = set()
    for sources in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        copied |= set(sources.split()[:-1])
    assert allowed == copied


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("answer", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_whether_the_server_is_ready(
    answer: int, healthy: bool, inside: bool
) -> None:
    found = re.search(r'^HEALTHCHECK .*\\\n\s+CMD \["python", "-c", "(.+)"\]$', DOCKERFILE, re.M)
    assert found is not None
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        port = str(server.server_address[1])
        done = subprocess.run(
            [sys.executable, "-c", found.group(1)],
            env={"CRISISBRIDGE_ADMIN_LISTEN": f"127.0.0.1:{port}"}
            if inside
            else {"CRISISBRIDGE_PORT": port},
            capture_output=True,
            timeout=30,
        )
        thread.join(10)
    assert asked == ["/readyz"]
    assert (done.returncode == 0) is healthy


def test_media_port_and_address_are_the_same_everywhere() -> None:
    server = COMPOSE["services"]["server"]
    environment = server_environment()
    port = environment["CRISISBRIDGE_MEDIA_PORT"]
    assert server["ports"] == [f"{port}:{port}/udp"]
    assert f"{port}/udp" in DOCKERFILE
    address = server["networks"]["inside"]["ipv4_address"]
    assert environment["CRISISBRIDGE_MEDIA_ADDRESSES"] == address


def test_files_that_are_mounted_exist() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
            else:
                assert source in COMPOSE["volumes"]


def test_the_proxy_passes_on_what_the_server_trusts_and_keeps_numbers_inside() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    assert "reverse_proxy server:8080" in text
    assert "X-Forwarded-For {remote_host}" in text
    assert "X-Forwarded-Proto {scheme}" in text
    assert "/metrics" in text


def test_the_relay_leads_to_no_private_network() -> None:
    text = (ROOT / "deploy" / "turnserver.conf").read_text(encoding="utf-8")
    for network in ("10.0.0.0", "127.0.0.0", "169.254.0.0", "172.16.0.0", "192.168.0.0", "fc00::"):
        assert f"denied-peer-ip={network}" in text
    assert "use-auth-secret" in text
    assert "static-auth-secret" not in text


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.yaml", ".env"])
def test_there_is_one_compose_file_and_no_committed_secrets(name: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listed.stdout.strip() == ""
