"""Ids: a prefix that says what it is, and 100 random bits."""

from __future__ import annotations

import base64
import secrets


def new_id(prefix: str) -> str:
    """A fresh id such as "ses_k3v…"; safe in URLs, and not to be guessed."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(13)).decode().rstrip('=').lower()}"
