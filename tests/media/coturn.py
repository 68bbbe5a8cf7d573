"""A real coturn that nobody else uses, with a secret and a certificate of its own: on loopback, or
on a host of its own."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.journeys import namespaces
from tests.journeys.harness import free_port
from web.dev import certificate

START_SECONDS = 20.0
SECRET = "only-for-testing-9876543210-zyxwvutsrq"


class Coturn:
    """Listens for TURN over UDP and TCP on `port`, over TLS on `tls_port`."""

    def __init__(
        self, folder: Path, address: str = "127.0.0.1", namespace: str | None = None
    ) -> None:
        self.folder, self.address, self.namespace = folder, address, namespace
        self.port, self.tls_port = free_port(), free_port()
        certificate.context(folder, [address], time.time())
        self.pem = folder / "tls.pem"
        self.log = folder / "coturn.log"

    @property
    def urls(self) -> dict[str, str]:
        return {
            "udp": f"turn:{self.address}:{self.port}?transport=udp",
            "tcp": f"turn:{self.address}:{self.port}?transport=tcp",
            "tls": f"turns:{self.address}:{self.tls_port}?transport=tcp",
        }

    @property
    def trust(self) -> ssl.SSLContext:
        """Trusts this one's certificate."""
        return ssl.create_default_context(cafile=str(self.pem))

    @contextmanager
    def running(self, *more: str) -> Iterator[Coturn]:
        """Until the end of the block; `more` arguments of its command line."""
        found = shutil.which("turnserver")
        assert found is not None, "coturn is missing: the test command installs it"
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [
                    *(("ip", "netns", "exec", self.namespace) if self.namespace else ()),
                    *(found, "-n", "--log-file", "stdout", "--simple-log", "--no-cli"),
                    *("--listening-ip", self.address, "--relay-ip", self.address),
                    *("--listening-port", str(self.port), "--tls-listening-port"),
                    *(str(self.tls_port), "--cert", str(self.pem), "--pkey", str(self.pem)),
                    *("--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "test"),
                    *("--pidfile", str(self.folder / "pid"), "--no-multicast-peers"),
                    *("--userdb", str(self.folder / "users"), "--no-dtls", "--fingerprint"),
                    *("--allow-loopback-peers", *more),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        try:
            self._listens(process)
            yield self
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def _reach(self, port: int) -> None:
        socket.create_connection((self.address, port), 1).close()

    def _listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        for port in (self.port, self.tls_port):
            while True:
                assert process.poll() is None, self.log.read_text()
                try:
                    namespaces.inside(self.namespace, partial(self._reach, port))
                    break
                except OSError:
                    assert time.monotonic() < deadline, self.log.read_text()
                    time.sleep(0.02)
