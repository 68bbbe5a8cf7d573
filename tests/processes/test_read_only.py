"""The server as the image runs it: no rights, a read-only file system, two folders to write to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.harness import ROOT, free_port, wait_until

pytestmark = pytest.mark.timeout(240)

NOBODY = 10001  # as in the Dockerfile
TOOLS = ("unshare", "setpriv", "mount")
# in a view of the file system of its own: everything read-only but the two folders, then no rights
AS_IN_THE_IMAGE = """
set -e
for folder in "$DATA" "$SCRATCH"; do mount --bind "$folder" "$folder"; done
mount -o remount,bind,ro /
exec setpriv --reuid="$WHO" --regid="$WHO" --clear-groups --bounding-set=-all --no-new-privs \\
    "$PYTHON" -m crisisbridge serve
"""


@pytest.fixture
def place() -> Iterator[tuple[Path, int]]:
    """A folder that anybody may pass through, unlike pytest's own; and who the server is.

    Where the interpreter is for root alone, that is root without any capability: what is another's
    or read-only cannot be written by that either.
    """
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        pytest.skip("needs root, unshare, setpriv and mount")
    made = Path(tempfile.mkdtemp(prefix="read-only-"))
    made.chmod(0o755)
    may = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    reads = subprocess.run(
        [*may, sys.executable, "-m", "crisisbridge", "--help"],
        cwd="/",
        env=environment(made, 0),
        capture_output=True,
        check=False,
    )
    who = NOBODY if reads.returncode == 0 else 0
    for name in ("data", "scratch"):
        (made / name).mkdir(mode=0o700)
        os.chown(made / name, who, who)
    mounts = subprocess.run(["unshare", "-m", "mount", "--bind", str(made), str(made)], check=False)
    if mounts.returncode != 0:
        shutil.rmtree(made)
        pytest.skip("this machine lets nobody mount")
    yield made, who
    shutil.rmtree(made)


def environment(folder: Path, who: int, **more: str) -> dict[str, str]:
    return {
        "WHO": str(who),
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}",
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATA": str(folder / "data"),
        "SCRATCH": str(folder / "scratch"),
        "TMPDIR": str(folder / "scratch"),
        "CRISISBRIDGE_DATA_DIR": str(folder / "data"),
        "CRISISBRIDGE_SECRET": "fine-and-long-0123456789-abcdefghijk",
        "CRISISBRIDGE_MEDIA_PORT": "0",
        **more,
    }


def test_the_server_needs_no_rights_and_writes_to_its_own_two_folders_only(
    place: tuple[Path, int],
) -> None:
    (folder, who), port = place, free_port()
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", AS_IN_THE_IMAGE],
        cwd="/",
        env=environment(folder, who, CRISISBRIDGE_PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def ready() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_until("the server", ready, 120)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        assert f"Uid:\t{who}\t{who}" in status
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        mounts = Path(f"/proc/{process.pid}/mounts").read_text(encoding="utf-8").splitlines()
        root = [line.split()[3] for line in mounts if line.split()[1] == "/"][-1]
        assert root.split(",")[0] == "ro"
        for page in ("/sign-in", "/enrol"):  # made of templates, texts and files of the image
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
                assert b"</html>" in answer.read(), page
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    kept = {path.name for path in (folder / "data").iterdir()}
    assert {"crisisbridge.db", "records.key"} <= kept
    for path in (folder / "data").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
