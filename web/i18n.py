"""Texts by language: flat keys, one file a part, the same keys in each language."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "locales"
DEFAULT = "en"
LANGUAGES: Mapping[str, str] = {"en": "English", "es": "Español"}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Texts:
    """All texts of one language."""

    def __init__(self, locale: str, texts: Mapping[str, str]) -> None:
        self.locale = locale
        self._texts = texts

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def t(self, key: str, **values: object) -> str:
        """The text of `key` with its placeholders filled in; an unknown key shows itself.

        A page in a crisis must not fail over a missing word: it is logged, and a test finds it.
        """
        text = self._texts.get(key)
        if text is None:
            log.warning("text.missing key=%s locale=%s", key, self.locale)
            return key
        return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)

    def plural(self, key: str, count: int, **values: object) -> str:
        """`key.one` for one, if there is such a text; else `key`. `{count}` is filled in."""
        one = f"{key}.one"
        return self.t(one if count == 1 and one in self else key, count=count, **values)

    def some(self, *prefixes: str) -> dict[str, str]:
        """The texts whose keys begin so: what a page's scripts need."""
        return {key: text for key, text in self._texts.items() if key.startswith(prefixes)}


def load(folder: Path = FOLDER) -> dict[str, Texts]:
    """Every language, by its code. Raises ValueError for a key in the wrong file or twice."""
    return {locale: Texts(locale, _read(folder / locale)) for locale in LANGUAGES}


def _read(folder: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        part: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        for key, text in part.items():
            if not key.startswith(f"{path.stem}.") or key in texts:
                raise ValueError(f"{path.parent.name}/{path.name}: {key} does not belong here")
            texts[key] = text
    return texts


def placeholders(text: str) -> frozenset[str]:
    """The names in braces of a text."""
    return frozenset(_PLACEHOLDER.findall(text))


def choose(cookie: str | None, own: str | None, accept: str | None) -> str:
    """The language to show: what was chosen here, else the person's own, else the browser's."""
    for wanted in (cookie, own):
        if wanted in LANGUAGES:
            return str(wanted)
    return _accepted(accept or "")


def _accepted(header: str) -> str:
    """The best known language of an Accept-Language header (RFC 9110, 12.5.4)."""
    best, weight = DEFAULT, 0.0
    for part in header[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        code = tag.strip().lower().split("-")[0]
        quality = _quality(parameter)
        if code in LANGUAGES and quality > weight:
            best, weight = code, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
