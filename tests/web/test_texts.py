"""Texts in every language, templates that compile, and no key that a page asks for in vain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from auth.shapes import TimelineEntry
from oncall import eligible, steps
from records import instruments, vocabulary
from records.schema import OPEN_STATES
from signaling.errors import SessionError
from web import i18n, present
from web.assets import Assets
from web.errors import WebError
from web.render import FOLDER as TEMPLATES
from web.render import Renderer

WEB = Path(i18n.__file__).parent
PARTS = sorted(path.name for path in (i18n.FOLDER / "en").glob("*.json"))
_IN_TEMPLATES = re.compile(r"""\b(?:t|plural)\(\s*["']([a-z_0-9]+\.[a-z_0-9.]+)["']\s*[,)]""")
_IN_SCRIPTS = re.compile(r"""\b(?:t|plural)\(\s*"([a-z_0-9]+\.[a-z_0-9.]+)"\s*[,)]""")


def read(locale: str, part: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((i18n.FOLDER / locale / part).read_text(encoding="utf-8"))
    return texts


@pytest.mark.parametrize("locale", sorted(set(i18n.LANGUAGES) - {"en"}))
@pytest.mark.parametrize("part", PARTS)
def test_every_language_has_the_same_keys_and_placeholders(locale: str, part: str) -> None:
    english, other = read("en", part), read(locale, part)
    assert list(english) == list(other)
    for key, text in english.items():
        assert i18n.placeholders(text) == i18n.placeholders(other[key]), key
        assert other[key].strip(), key


# one thing, one word: what is not said in Spanish here, and what is said instead
NOT_SAID = {
    r"agentes?": "oficial",
    r"a[ñn]ad\w*": "agregar",
    r"urgencias": "emergencias",
    r"escalada": "escalamiento",
    r"periodos?": "período",
    r"claves? de acceso": "llave de acceso",
    r"(?:el|los|un|unos|ning[uú]n|hubo) cl[ií]nicos?": "profesional clínico",
    r"(?:calendario|cuadro) de guardias": "rol de guardias",
    r"42 CFR Part": "42 CFR Parte 2",
    r"ordenador(?:es)?": "computadora",
}
# words that somebody has agreed to stand as they were said: a new wording is a new version
AGREED_TO = re.compile(r"^consent\.(?:spoken|signed)\.2026_11\.")


def _spanish() -> dict[str, str]:
    """All that a page says in Spanish, and all that our forms ask."""
    said = {
        key: text
        for part in PARTS
        for key, text in read("es", part).items()
        if not AGREED_TO.match(key)
    }
    for form in instruments.newest().values():
        said[form.code] = json.dumps(form.definition("es")["item"], ensure_ascii=False)
    return said


@pytest.mark.parametrize(("word", "instead"), NOT_SAID.items(), ids=NOT_SAID.values())
def test_in_spanish_the_same_thing_has_the_same_word_on_every_page(word: str, instead: str) -> None:
    wrong = re.compile(rf"\b(?:{word})(?!\w)", re.IGNORECASE)
    found = [key for key, text in _spanish().items() if wrong.search(text)]
    assert found == [], f"say: {instead}"


def test_every_code_of_the_record_has_words() -> None:
    texts = i18n.load()["en"]
    groups = {
        "tile": vocabulary.TILES,
        "disposition": vocabulary.DISPOSITIONS,
        "difference": vocabulary.DIFFERENCE_REASONS,
        "card_action": vocabulary.CARD_ACTIONS,
        "card_level": vocabulary.CARD_LEVELS,
        "followup": vocabulary.FOLLOWUP_KINDS,
        "close": vocabulary.CLOSE_REASONS,
        "timeline": vocabulary.TIMELINE_KINDS,
        "state": (*OPEN_STATES, "closed"),
        "level": ("none", "low", "moderate", "high", "incomplete"),
    }
    missing = [
        f"common.{group}.{code}"
        for group, codes in groups.items()
        for code in codes
        if f"common.{group}.{code}" not in texts
    ]
    assert missing == []


def test_every_error_of_the_pages_has_words() -> None:
    texts = i18n.load()["en"]
    codes = [error.code for error in WebError.__subclasses__()]
    assert codes
    for code in codes:
        assert f"common.error.{code.replace('-', '_')}" in texts, code


# what no press of a person leads to, and what a page says by other means than a sentence
_SAID_OTHERWISE = {
    "bad-address",
    "bad-way",
    "carried-elsewhere",
    "no-such-page",
    "out-of-order",
    "relayed",
}


def test_every_refusal_of_a_press_has_words_in_the_page_s_language() -> None:
    texts = i18n.load()["en"]
    ours = [e for e in SessionError.__subclasses__() if e.__module__ == "signaling.errors"]
    codes = {error.code for error in ours} - _SAID_OTHERWISE
    assert "call-full" in codes
    places = ("common.error", "console.error", "tablet.error", "roster.refused")
    missing = [
        code
        for code in sorted(codes)
        if not any(f"{place}.{code.replace('-', '_')}" in texts for place in places)
    ]
    assert missing == []


def test_every_text_that_a_template_or_a_script_names_exists() -> None:
    texts = i18n.load()["en"]
    named = set[str]()
    for path in TEMPLATES.rglob("*.html"):
        named |= set(_IN_TEMPLATES.findall(path.read_text(encoding="utf-8")))
    for path in (WEB / "static" / "js").rglob("*.js"):
        named |= set(_IN_SCRIPTS.findall(path.read_text(encoding="utf-8")))
    assert len(named) > 100
    assert sorted(key for key in named if key not in texts) == []


def test_every_template_compiles() -> None:
    renderer = Renderer(Assets())
    names = renderer.env.list_templates(extensions=["html"])
    assert "base.html" in names
    for name in names:
        renderer.env.get_template(name)


def test_no_template_holds_an_inline_style_or_handler() -> None:
    for path in TEMPLATES.rglob("*.html"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|\|\s*safe\b", source), path.name


def test_a_missing_text_shows_its_key_and_a_missing_value_its_name() -> None:
    texts = i18n.Texts("en", {"a.one": "one", "a": "{count} of {name}"})
    assert texts.t("a.none") == "a.none"
    assert texts.t("a", count=2) == "2 of {name}"
    assert texts.plural("a", 1) == "one"
    assert texts.plural("a", 2, name="x") == "2 of x"


def test_a_value_is_never_filled_in_twice() -> None:
    texts = i18n.Texts("en", {"a": "{name}: {code}"})
    assert texts.t("a", name="{code}", code="secret") == "{code}: secret"


@pytest.mark.parametrize(
    ("cookie", "own", "accept", "chosen"),
    [
        (None, None, None, "en"),
        (None, None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, None, "fr, en;q=0.2, es;q=0.1", "en"),
        (None, None, "es;q=0, en;q=0.1", "en"),
        (None, None, "es;q=x,*", "en"),
        (None, "es", "en", "es"),
        ("en", "es", "es", "en"),
        ("xx", "yy", "es", "es"),
    ],
)
def test_the_language_is_chosen_here_then_by_the_person_then_by_the_browser(
    cookie: str | None, own: str | None, accept: str | None, chosen: str
) -> None:
    assert i18n.choose(cookie, own, accept) == chosen


def test_a_key_in_the_wrong_file_is_refused(tmp_path: Path) -> None:
    for locale in i18n.LANGUAGES:
        (tmp_path / locale).mkdir()
        (tmp_path / locale / "common.json").write_text('{"tablet.x": "y"}', encoding="utf-8")
    with pytest.raises(ValueError, match="does not belong here"):
        i18n.load(tmp_path)


def test_every_reason_and_step_of_the_queue_has_words() -> None:
    texts = i18n.load()["en"]
    given_back = vocabulary.GIVEN_BACK_REASONS
    for reason in (*eligible.NEARNESS, *vocabulary.DECLINE_REASONS, *given_back):
        assert f"common.reason.{reason}" in texts, reason
    for step in steps.Act:
        assert f"common.step.{step}" in texts, step


@pytest.mark.parametrize("locale", sorted(i18n.LANGUAGES))
@pytest.mark.parametrize("kind", vocabulary.TIMELINE_KINDS)
def test_every_event_of_a_timeline_reads_as_a_sentence(locale: str, kind: str) -> None:
    texts = i18n.load()[locale]
    for data in ({}, {"reason": "taken", "clinician": "per_x", "step": "page", "by": "officer"}):
        entry = TimelineEntry(1, 0.0, 0.0, kind, "system", None, data, {"clinician": "Dana"})
        words = present.event(entry, texts)
        assert "common." not in words
        assert "{" not in words
