"""Whether a form's conditions can ever be met, so that no question is lost without a word. Pure.

A question whose condition cannot be true is never asked, and nobody would notice: such a form is
refused. Read after a site's file was matched to its rule, whose own order of asking stands then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from records.instruments.questionnaire import Item, codes, walk

# which answer a condition on a question of this type compares with; `exists` goes with each
_COMPARED: Final = {
    "choice": "answerCoding",
    "boolean": "answerBoolean",
    "integer": "answerInteger",
    "string": "answerString",
    "text": "answerString",
}


def problems(body: Mapping[str, Any]) -> Iterator[str]:
    """What stands in the way, each with its place."""
    items = {str(item["linkId"]): item for item in walk(body["item"])}
    for link, item in items.items():
        for condition in item.get("enableWhen", ()):
            why = _never(items.get(condition["question"]), condition)
            if why is not None:
                yield f"Item {link!r}: {why}"
    for circle in _circles(items):
        names = ", ".join(repr(link) for link in sorted(circle))
        waits = "wait for each other" if len(circle) > 1 else "waits for itself"
        yield f"enableWhen: {names} {waits}."


def _never(asked: Item | None, condition: Mapping[str, Any]) -> str | None:
    """Why this condition cannot be compared with what its question takes."""
    name = condition["question"]
    if asked is None or asked["type"] in ("group", "display"):
        return f"enableWhen asks for {name!r}, which is not a question."
    if condition["operator"] == "exists":
        return None if "answerBoolean" in condition else 'it needs `answerBoolean` with "exists".'
    wanted = _COMPARED.get(asked["type"])
    if wanted is None or wanted not in condition:
        said = f"`{wanted}`" if wanted else '"exists"'
        return f"enableWhen on {name!r} takes {said} only."
    if asked["type"] == "choice" and condition["answerCoding"].get("code") not in codes(asked):
        return f"{name!r} has no such answer {condition['answerCoding'].get('code')!r}."
    return None


def _circles(items: Mapping[str, Item]) -> list[frozenset[str]]:
    """Questions of which each is asked only after another of them; what stands in a group waits for
    the group."""
    waits: dict[str, set[str]] = {
        link: {condition["question"] for condition in item.get("enableWhen", ())} & items.keys()
        for link, item in items.items()
    }
    for link, item in items.items():
        for child in item.get("item", ()):
            waits[child["linkId"]].add(link)
    reached = {link: _reached(waits, link) for link in items}
    return list(
        dict.fromkeys(
            frozenset({link, *(one for one in reached[link] if link in reached[one])})
            for link in items
            if link in reached[link]
        )
    )


def _reached(waits: Mapping[str, set[str]], start: str) -> set[str]:
    """All that `start` waits for, directly or not."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = waits[ahead.pop()] - found
        found |= new
        ahead += new
    return found
