"""A real directory for tests: an OpenID provider in a process of its own, on this machine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
CLIENT, SECRET = "crisisbridge", "a secret: of tests/only"  # what must be encoded on its way


class Directory:
    """Runs from `start` to `stop`, or is killed."""

    def __init__(self, folder: Path, origins: list[str]) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]
        self.folder = folder
        self.origins = origins
        self._process: subprocess.Popen[str] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Directory:
        self._process = subprocess.Popen(
            ["node", "tests/directory.mjs"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._tell(
            issuer=self.issuer, port=self.port, client=CLIENT, secret=SECRET, origins=self.origins
        )
        return self

    def person(self, sub: str, groups: list[str], **claims: Any) -> None:
        """Somebody who can sign in there, and in which groups they are now."""
        name = sub.capitalize()
        known = {
            "name": f"{name} Directory",
            "given_name": name,
            "email": f"{sub}@prairie.invalid",
            "groups": groups,
        }
        self._tell(person=sub, claims={**known, **claims})

    def rotate(self) -> None:
        """New keys; what the old ones signed is worth nothing."""
        self._tell(rotate=True)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.communicate()
            self._process = None

    def described(self, **more: str) -> Path:
        """A file of settings (CRISISBRIDGE_SINGLE_SIGN_ON) that knows this directory."""
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "client.secret"
        secret.write_text(SECRET + "\n", encoding="utf-8")
        secret.chmod(0o600)
        path = self.folder / "single-sign-on.toml"
        lines = {"name": '"Prairie County"', "issuer": f'"{self.issuer}"',
                 "client_id": f'"{CLIENT}"', "client_secret_file": '"client.secret"',
                 "agency": '"agy_prairie"', "provider": '"prv_plains"',
                 "program": '"prg_prairie"', **more}  # fmt: skip
        text = ["[prairie]", *(f"{name} = {value}" for name, value in lines.items())]
        for group, role in GROUPS.items():
            text += ["[[prairie.group]]", f'name = "{group}"', f'roles = ["{role}"]']
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return path

    def _tell(self, **said: Any) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(said) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the directory has ended: is `npm ci` done?"


GROUPS = {"crisis-clinicians": "clinician", "crisis-managers": "manager", "crisis-admins": "admin"}


async def trip(jar: aiohttp.CookieJar, address: str, who: str, say: str = "yes") -> str:
    """What somebody's browser does at the directory; where it is sent back to."""
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        for _ in range(6):
            async with http.get(address, allow_redirects=False) as response:
                if response.status == 200:
                    assert re.search(r'<form method="post">', await response.text())
                    form = {"who": who, "say": say}
                    async with http.post(address, data=form, allow_redirects=False) as answer:
                        address = urljoin(address, answer.headers["Location"])
                        continue
                address = urljoin(address, response.headers["Location"])
            if "/sign-in/with/" in address:
                return address
    raise AssertionError(f"never came back: {address}")
