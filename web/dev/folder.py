"""The demo's data folder: secrets that are made once, its certificate, and `demo.json`."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from web.dev import cast

SECRET, PASSWORD, CARD = "signing-secret", "demo-password", "demo.json"


class Folder:
    """A folder that only its owner can read, and so is everything in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the folder. Raises OSError when it cannot be written to."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = self.path / f".probe-{secrets.token_hex(4)}"
        probe.touch(mode=0o600)
        probe.unlink()

    def signing_secret(self) -> str:
        return self._once(SECRET, lambda: secrets.token_urlsafe(48))

    def password(self) -> str:
        """One password for the whole cast: three groups that can be read aloud; 60 bits."""
        return self._once(PASSWORD, _readable)

    def write_card(self, card: Mapping[str, object]) -> Path:
        """Write `demo.json` in one step: a script never reads half of it."""
        target = self.path / CARD
        fresh = self.path / f"{CARD}.new"
        fresh.unlink(missing_ok=True)
        _write_new(fresh, json.dumps(card, indent=2) + "\n")
        fresh.replace(target)
        return target

    def remove_card(self) -> None:
        """No card means: not running yet, or no longer."""
        (self.path / CARD).unlink(missing_ok=True)

    def _once(self, name: str, make: Callable[[], str]) -> str:
        target = self.path / name
        if not target.exists():
            _write_new(target, make() + "\n")
        return target.read_text(encoding="utf-8").strip()


def _write_new(path: Path, text: str) -> None:
    """Create a file that only its owner can read; fails if it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _readable() -> str:
    letters = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]
    return "-".join(letters[i : i + 4] for i in range(0, 12, 4))


def card(
    base_url: str, codes: Mapping[str, str], password: str, lan_urls: Sequence[str]
) -> dict[str, object]:
    """What a script or a person needs to use the demo. `codes`: enrolment code by tablet id."""
    members = {member.id: member for member in cast.CAST}
    tablets = [
        {
            "url": f"{base_url}/enrol#code={codes[unit.id]}",
            "code": codes[unit.id],
            "unit": unit.label,
            "officer": members[unit.officer].name if unit.officer else None,
            "pin": members[unit.officer].pin if unit.officer else None,
        }
        for unit in cast.UNITS
    ]

    def sign_in(member: cast.Member, path: str) -> dict[str, str]:
        return {
            "url": base_url + path,
            "email": member.email,
            "password": password,
            "name": member.name,
        }

    return {
        "base_url": base_url,
        "lan_urls": list(lan_urls),
        "pid": os.getpid(),
        "tablet": tablets[0],
        "tablets": tablets,
        "clinicians": [sign_in(member, "/console") for member in cast.CLINICIANS],
        "manager": sign_in(cast.LENA, "/manager"),
        "supervisor": sign_in(cast.ADA, "/manager"),
        "admin": sign_in(cast.TOM, "/manager/tablets"),
    }


def welcome(base_url: str, codes: Mapping[str, str], password: str, lan_urls: Sequence[str]) -> str:
    """The demo's greeting: three addresses and their sign-ins."""
    unit, officer = cast.UNIT_12, cast.SAM
    names = " · ".join(member.email for member in cast.CLINICIANS)
    lines = [
        "",
        "  CrisisBridge is running. Open each address in a browser window of its own",
        "  (private windows or profiles: each has its own sign-in).",
        "",
        f"  Officer's tablet    {base_url}/enrol#code={codes[unit.id]}",
        f"                      {unit.label}, {officer.name} on shift, PIN {officer.pin}",
        f"  Clinician           {base_url}/console",
        f"                      {names}",
        f"  Manager             {base_url}/manager",
        f"                      {cast.LENA.email}   (supervisor: {cast.ADA.email})",
        f"  Password            {password}   (the same for all)",
        "",
    ]
    for url in lan_urls:
        lines.append(f"  Other devices       {url}   (accept the self-made certificate once)")
    if lan_urls:
        lines.append(f"                      tablet: {lan_urls[0]}/enrol#code={codes[unit.id]}")
        lines.append("")
    lines.append("  Ctrl-C stops it. The data stays.")
    return "\n".join(lines) + "\n"
