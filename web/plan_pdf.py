"""The safety plan in the reader's language: for the page and for the PDF. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auth.takeaway import TakenAway
from web import present
from web.i18n import Texts


def parts(taken: TakenAway, texts: Texts) -> list[tuple[str, str]]:
    """The six parts: question and the person's words."""
    body = taken.form.definition(texts.locale)
    titles = {item["linkId"]: item.get("text", "") for item in body["item"]}
    return [(titles[part], words) for part, words in taken.parts]


def planned(taken: TakenAway, texts: Texts) -> list[tuple[str, str]]:
    """What is planned, and by when."""
    return [
        (texts.t(f"plan.planned.{task.kind}"), present.moment(task.due_at, taken.timezone))
        for task in taken.planned
    ]


def helped(one: Mapping[str, Any], texts: Texts) -> dict[str, str]:
    """An entry of the directory in the reader's language, where it has it."""
    own = {
        name: (texts.locale == "es" and one.get(f"{name}_es")) or one.get(name, "")
        for name in ("hours", "accepts")
    }
    plain = ("name", "phone", "text_line", "address", "website")
    kind = texts.t(f"common.resource.{one['kind']}")
    return {**{name: one.get(name, "") for name in plain}, **own, "kind": kind}


def data(taken: TakenAway, texts: Texts) -> dict[str, object]:
    """What the document is set from; the same as the page shows."""
    now = [(texts.t("plan.call_988"), True), (texts.t("plan.text_988"), False)]
    if taken.regional_line:
        now.append((texts.t("plan.call_regional", number=taken.regional_line), True))
    now.append((texts.t("plan.call_911"), True))
    return {
        "lang": texts.locale,
        "title": texts.t("plan.title"),
        "footer": texts.t("plan.title"),
        "now": {
            "title": texts.t("plan.now"),
            "lines": [{"words": words, "strong": strong} for words, strong in now],
        },
        "parts": [{"title": title, "words": words} for title, words in parts(taken, texts)],
        "help-title": texts.t("plan.resources"),
        "help": [_entry(helped(one, texts), texts) for one in taken.resources],
        "planned-title": texts.t("plan.planned"),
        "planned": [
            texts.t("plan.planned.one", what=what, when=when)
            for what, when in planned(taken, texts)
        ],
        "private": texts.t("plan.private_pdf"),
    }


def _entry(one: Mapping[str, str], texts: Texts) -> dict[str, object]:
    text_line = one["text_line"]
    lines = (
        one["kind"], one["phone"],
        texts.t("plan.resources.text", number=text_line) if text_line else "",
        one["address"], one["hours"], one["accepts"], one["website"],
    )  # fmt: skip
    return {"name": one["name"], "lines": [line for line in lines if line]}
