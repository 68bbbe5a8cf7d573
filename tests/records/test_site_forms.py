"""A site's own wording: what is taken, what is put right, and what is refused with its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import library
from records.engine import Database
from records.errors import BadInput, NotFound
from records.instruments.site import LARGEST, Unfit, prepare
from tests.records.cast import NOW

LOINC = "http://loinc.org"
QUESTIONS = ("93246-7", "93247-5", "93248-3", "93249-1", "93250-9", "93267-3", "93269-9")


def _yes_no() -> list[dict[str, Any]]:
    return [
        {"valueCoding": {"system": LOINC, "code": code, "display": words}}
        for code, words in (("LA33-6", "Ja, schon"), ("LA32-8", "Nein, nie"))
    ]


def screener() -> dict[str, Any]:
    """A file as a site may have it: questions by LOINC code, with an order of asking that is
    wrong."""
    items = [
        {
            "linkId": f"/{code}",
            "type": "choice",
            "text": f"Licensed words {no}",
            "code": [{"system": LOINC, "code": code}],
            "answerOption": _yes_no(),
        }
        for no, code in enumerate(QUESTIONS, 1)
    ]
    items[5]["enableWhen"] = [
        {
            "question": "/93247-5",
            "operator": "=",
            "answerCoding": {"system": LOINC, "code": "LA33-6"},
        }
    ]
    return {
        "resourceType": "Questionnaire",
        "id": "our-screener",
        "version": "2026",
        "title": "Our screener",
        "status": "active",
        "copyright": "By permission",
        "code": [{"system": LOINC, "code": "93373-9"}],
        "item": [{"linkId": "all", "type": "group", "item": items}],
    }


def ready(body: dict[str, Any], rule: str | None = None) -> Any:
    return prepare(json.dumps(body).encode(), rule=rule)


def test_questions_are_found_by_their_loinc_code_and_keep_the_sites_words() -> None:
    made = ready(screener())
    form = made.form
    assert (form.code, form.version, form.rule.name) == ("our-screener", "2026", "cssrs-screener")
    assert form.items["plan"]["text"] == "Licensed words 5"
    assert form.items["plan"]["answerOption"][0]["valueCoding"]["display"] == "Ja, schon"
    assert form.items["plan"]["code"][0]["code"] == "93250-9"
    assert (
        form.score(form.checked({"wish": "no", "thoughts": "yes", "plan": "yes"}))["level"]
        == "high"
    )


def test_what_may_be_unanswerable_on_a_call_can_be_said_so() -> None:
    form = ready(screener()).form
    told = form.checked({"wish": "refused", "thoughts": "not-assessed", "behaviour-ever": "no"})
    assert form.score(told)["level"] == "incomplete"


def test_the_published_order_of_asking_replaces_the_files_and_is_said() -> None:
    made = ready(screener())
    assert "behaviour-ever" in made.form.asked({"thoughts": "no"})
    assert not {"method", "intent", "plan"} & made.form.asked({"thoughts": "no"})
    assert any(line.startswith("behaviour-ever: asked always") for line in made.changes)


def test_the_clinicians_own_level_is_added_beside_the_computed_one() -> None:
    form = ready(screener()).form
    told = form.checked({"judged-level": "high", "judged-reason": "seen before"})
    assert form.score(told)["level"] == "incomplete"
    assert {"judged-level", "judged-reason"} & form.required({}) == set()


def asq(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    items = [
        {
            "linkId": f"q{no}",
            "type": "boolean",
            "text": f"Words {no}",
            "extension": [{"url": "urn:crisisbridge:scoring-item", "valueCode": role}],
        }
        for no, role in enumerate(("wish", "burden", "thoughts", "attempt", "now"), 1)
    ]
    items[4]["enableWhen"] = [
        {"question": f"q{no}", "operator": "=", "answerBoolean": True} for no in range(1, 5)
    ]
    items[4]["enableBehavior"] = "any"
    body = screener() | {"id": "our-asq", "code": [], "item": items}
    return body | (extra or {})


def test_a_screen_without_loinc_codes_names_its_questions_and_the_rule_itself() -> None:
    form = ready(asq(), "asq").form
    assert form.score({"wish": "yes", "now": "yes", "youth": "no"})["level"] == "acute"
    assert form.score({"wish": "refused", "youth": "yes"})["level"] == "non-acute"
    with pytest.raises(Unfit, match="name it: asq, cssrs-screener, dast-10"):
        ready(asq())


def test_asq_asks_its_last_question_after_any_yes_only() -> None:
    form = ready(asq(), "asq").form
    quiet = {"wish": "no", "burden": "no", "thoughts": "no", "attempt": "no", "youth": "no"}
    assert "now" not in form.asked(quiet)
    assert form.score(quiet)["level"] == "negative"
    assert "now" in form.asked(quiet | {"attempt": "yes"})


def _at(body: dict[str, Any], no: int) -> dict[str, Any]:
    item: dict[str, Any] = body["item"][0]["item"][no]
    return item


def _drop(body: dict[str, Any]) -> None:
    del body["item"][0]["item"][3]


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "resourceType": lambda b: b.update(resourceType="Patient"),
    "`id` must": lambda b: b.update(id="../x"),
    "`version` is": lambda b: b.pop("version"),
    "`title` is": lambda b: b.update(title=" "),
    "`copyright` is": lambda b: b.pop("copyright"),
    "no questions": lambda b: b.update(item=[]),
    "list of items": lambda b: b.update(item={"x": 1}),
    "stands twice": lambda b: _at(b, 1).update(linkId="/93246-7"),
    "type 'quantity'": lambda b: _at(b, 1).update(type="quantity"),
    "`text` is missing": lambda b: _at(b, 1).pop("text"),
    "value set elsewhere": lambda b: _at(b, 1).update(answerValueSet="http://x"),
    "a choice needs": lambda b: _at(b, 1).update(answerOption=[{"valueString": "yes"}]),
    "`maxLength`": lambda b: _at(b, 1).update(maxLength=10**9),
    "operator '>'": lambda b: _at(b, 1).update(
        enableWhen=[{"question": "/93246-7", "operator": ">", "answerInteger": 2}]
    ),
    "which is not there": lambda b: _at(b, 1).update(
        enableWhen=[{"question": "none", "operator": "exists", "answerBoolean": True}]
    ),
    "needs an answer": lambda b: _at(b, 1).update(
        enableWhen=[{"question": "/93246-7", "operator": "="}]
    ),
    "intent \\(LOINC 93249-1\\)": _drop,
    "must be a yes/no question": lambda b: _at(b, 1).update(type="text"),
    "more than once": lambda b: _at(b, 1).update(code=[{"system": LOINC, "code": "93246-7"}]),
    "another question": lambda b: _at(b, 0).update(linkId="plan"),
    "not shaped like": lambda b: _at(b, 1).update(code=[{"code": 7}]),
    "`version` is missing": lambda b: b.update(version=3),
    "'asked-a', 'asked-b' wait for each other": lambda b: _more(
        b, _asked_after("asked-a", "asked-b"), _asked_after("asked-b", "asked-a")
    ),
    "'alone' waits for itself": lambda b: _more(b, _asked_after("alone", "alone")),
    "'inside', 'outside' wait for each other": lambda b: _more(
        b,
        _asked_after("outside", "inside")
        | {"type": "group", "item": [{"linkId": "inside", "type": "string", "text": "Words"}]},
    ),
    "'all', which is not a question": lambda b: _more(b, _asked_after("more", "all")),
    "no such answer 'maybe'": lambda b: _more(
        b, _asked_after("more", "/93246-7", "=", answerCoding={"system": LOINC, "code": "maybe"})
    ),
    '`answerBoolean` with "exists"': lambda b: _more(
        b, _asked_after("more", "/93246-7", answerString="x")
    ),
    "answer 'a' stands twice": lambda b: _more(b, _choice("more", "a", "b", "a")),
    "no rule 'none-such'": lambda b: b.update(extension=[_said_rule("none-such")]),
    "signs that cannot be shown": lambda b: _at(b, 1).update(text="hidden \u202e order"),
    "signs that cannot be shown ": lambda b: b.update(title="half \ud800 a letter"),
}


def _more(body: dict[str, Any], *items: dict[str, Any]) -> None:
    body["item"] += items


def _asked_after(
    link: str, question: str, operator: str = "exists", **answer: object
) -> dict[str, Any]:
    condition = {"question": question, "operator": operator, **(answer or {"answerBoolean": True})}
    return {"linkId": link, "type": "string", "text": "Words", "enableWhen": [condition]}


def _choice(link: str, *codes: str) -> dict[str, Any]:
    options = [{"valueCoding": {"code": code}} for code in codes]
    return {"linkId": link, "type": "choice", "text": "Words", "answerOption": options}


def _said_rule(name: str) -> dict[str, str]:
    return {"url": "urn:crisisbridge:scoring-rule", "valueCode": name}


@pytest.mark.parametrize(("said", "spoil"), BROKEN.items(), ids=list(BROKEN))
def test_what_cannot_be_used_is_refused_with_its_place(
    said: str, spoil: Callable[[dict[str, Any]], object]
) -> None:
    body = screener()
    spoil(body)
    with pytest.raises(Unfit, match=said.strip()):
        ready(body)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (LARGEST + 1)]
)
def test_what_is_no_questionnaire_is_refused(raw: bytes) -> None:
    with pytest.raises(Unfit):
        prepare(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_ITEM_KEYS = (
    "linkId",
    "type",
    "text",
    "answerOption",
    "enableWhen",
    "item",
    "extension",
    "code",
    "maxLength",
)


@given(no=st.integers(0, 6), key=st.sampled_from(_ITEM_KEYS), value=_JSON)
def test_any_value_anywhere_is_taken_or_refused_and_never_breaks_the_import(
    no: int, key: str, value: Any
) -> None:
    body = screener()
    _at(body, no)[key] = copy.deepcopy(value)
    try:
        made = ready(body)
    except Unfit:
        return
    made.form.score(made.form.checked({"wish": "yes"}))
    assert made.form.definition("es")


def test_a_drug_screen_is_tagged_as_protected_whatever_the_file_says() -> None:
    items = [
        {
            "linkId": f"d{no}",
            "type": "boolean",
            "text": f"Words {no}",
            "extension": [{"url": "urn:crisisbridge:scoring-item", "valueCode": f"q{no}"}],
        }
        for no in range(1, 11)
    ]
    form = ready(screener() | {"id": "our-dast", "code": [], "item": items}, "dast-10").form
    assert form.about_substances
    assert form.protected == {f"q{no}" for no in range(1, 11)}


# --- kept -----------------------------------------------------------------------------------------


async def test_a_newer_version_is_offered_and_the_older_one_is_found_for_its_records(
    db: Database,
) -> None:
    first, second = ready(screener()).form, ready(screener() | {"version": "2027"}).form
    assert await db.write(lambda conn: library.add(conn, first, "a" * 64, NOW))
    assert await db.write(lambda conn: library.add(conn, second, "b" * 64, NOW + 1))
    async with db.read() as conn:
        assert (await library.current(conn))["our-screener"].version == "2027"
        assert (await library.find(conn, "our-screener")).version == "2027"
        assert (await library.find(conn, "our-screener", "2026")).body == first.body
        assert next(iter(await library.current(conn))) == "field-safety"
        for code, version in (("our-screener", "1"), ("none", None)):
            with pytest.raises(NotFound):
                await library.find(conn, code, version)


async def test_the_same_file_twice_changes_nothing_and_another_under_its_name_is_refused(
    db: Database,
) -> None:
    form = ready(screener()).form
    assert await db.write(lambda conn: library.add(conn, form, "a" * 64, NOW)) == "new"
    assert await db.write(lambda conn: library.add(conn, form, "a" * 64, NOW + 1)) == "known"
    with pytest.raises(BadInput, match="new `version`"):
        await db.write(lambda conn: library.add(conn, form, "b" * 64, NOW + 1))


async def test_a_version_that_another_took_the_place_of_is_back_when_it_is_imported_again(
    db: Database,
) -> None:
    newer, older = [ready(screener() | {"version": one}).form for one in ("2027", "2025")]
    for at, (form, said) in enumerate(((newer, "new"), (older, "new"), (newer, "again"))):
        digest, now = form.version.ljust(64, "0"), NOW + at
        assert await db.write(lambda conn: library.add(conn, form, digest, now)) == said  # noqa: B023
        async with db.read() as conn:
            assert (await library.find(conn, "our-screener")).version == form.version


async def test_one_of_our_own_forms_cannot_be_replaced(db: Database) -> None:
    form = ready(screener() | {"id": "field-safety", "version": "9"}).form
    with pytest.raises(BadInput, match="one of our own"):
        await db.write(lambda conn: library.add(conn, form, "a" * 64, NOW))
