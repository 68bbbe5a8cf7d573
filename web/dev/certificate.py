"""A self-made certificate, so that a real tablet on the local network gets its camera."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 397  # Safari refuses certificates that are valid for longer
RENEW_DAYS = 30


def context(folder: Path, addresses: Sequence[str], now: float) -> ssl.SSLContext:
    """TLS with the folder's certificate; made anew when it runs out or an address is missing."""
    path = folder / "tls.pem"
    if not _good(path, addresses, now):
        _make(path, addresses, now)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(path)
    return tls


def _good(path: Path, addresses: Sequence[str], now: float) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    known = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    left = certificate.not_valid_after_utc.timestamp() - now
    return left > RENEW_DAYS * 86400 and known >= set(addresses)


def _make(path: Path, addresses: Sequence[str], now: float) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CrisisBridge demo")])
    start = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(hours=1)
    alternatives: list[x509.GeneralName] = [x509.DNSName("localhost")]
    host = socket.gethostname()
    if host.isascii() and host.replace("-", "").replace(".", "").isalnum():
        alternatives += [x509.DNSName(host), x509.DNSName(f"{host}.local")]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    fresh.replace(path)
