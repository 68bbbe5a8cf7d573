"""The words that are spoken before somebody decides, in every version that ever shipped.

A version is never changed: a new wording is a new version in both languages, and a test pins each.
"""

from __future__ import annotations

from collections.abc import Mapping

from records.consent_rules import PURPOSES, VERSION
from web.i18n import Texts

VERSIONS = (VERSION,)  # the newest first


def key(purpose: str, version: str = VERSION) -> str:
    """Where the words of a purpose stand in the locales."""
    return f"consent.spoken.{version.replace('-', '_')}.{purpose}"


def spoken(texts: Mapping[str, Texts], version: str = VERSION) -> dict[str, dict[str, str]]:
    """Language to purpose to words: the clinician reads in the person's language, not in theirs."""
    return {
        locale: {purpose: one.t(key(purpose, version)) for purpose in PURPOSES}
        for locale, one in texts.items()
    }
