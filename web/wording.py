"""The words that are spoken before somebody decides, and those that are signed, in every version.

A version is never changed: a new wording is a new version in both languages, and a test pins each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from records.consent_rules import PURPOSES, SIGNED_SUBSTANCES, VERSION, usual
from web.i18n import Texts

VERSIONS = (VERSION,)  # the newest first


def key(purpose: str, version: str = VERSION) -> str:
    """Where the words of a purpose stand in the locales."""
    return f"consent.spoken.{version.replace('-', '_')}.{purpose}"


def signed_key(purpose: str, version: str = VERSION) -> str:
    """The key of the words that a person signs: said by them, and of nothing but what they sign."""
    return f"consent.signed.{version.replace('-', '_')}.{purpose}"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What somebody signs: the words' key, and what the law wants said beside them."""

    code: str
    words: str
    recipients: tuple[str, ...]
    scope: tuple[str, ...]
    substances: bool  # whether answers about alcohol and drugs may be let out too


@dataclass(frozen=True, slots=True)
class Signing:
    """All that the tablet can be asked to show, in each language: it is ready when it is asked."""

    wording: str
    languages: Mapping[str, Texts]
    purposes: tuple[Purpose, ...]


def signing(texts: Mapping[str, Texts]) -> Signing:
    """The newest wording, with the usual recipients and scope of each purpose."""
    return Signing(
        VERSION,
        texts,
        tuple(
            Purpose(one, signed_key(one), *usual(one, 0.0)[:2], one in SIGNED_SUBSTANCES)
            for one in PURPOSES
        ),
    )


def spoken(texts: Mapping[str, Texts], version: str = VERSION) -> dict[str, dict[str, str]]:
    """Language to purpose to words: the clinician reads in the person's language, not in theirs."""
    return _all(texts, key, version)


def signed(texts: Mapping[str, Texts], version: str = VERSION) -> dict[str, dict[str, str]]:
    """Language to purpose to the words over a signature."""
    return _all(texts, signed_key, version)


def _all(
    texts: Mapping[str, Texts], named: Callable[[str, str], str], version: str
) -> dict[str, dict[str, str]]:
    return {
        locale: {purpose: one.t(named(purpose, version)) for purpose in PURPOSES}
        for locale, one in texts.items()
    }
