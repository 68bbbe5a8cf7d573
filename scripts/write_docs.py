"""Writes the generated parts of docs/: settings, permissions, error codes, states, schemas.

A test sees that they fit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec

import auth.errors
import media.errors
import oncall.errors
import records.errors
import signaling.errors
from auth.policy import TOKEN_SCOPES, matrix_markdown
from records.export_columns import dictionary
from records.webhooks import NAMES
from signaling import wire
from signaling.diagram import diagram
from signaling.settings import describe
from web import i18n
from web.app import routes
from web.assets import Assets
from web.exports import described
from web.openapi import document, written
from web.routes import Route

DOCS = Path(__file__).resolve().parents[1] / "docs"
END = "<!-- end -->"
SCHEMA = "protocol.schema.json"
OPENAPI = "openapi.json"
PERMISSIONS = """# Who may do what

Made from `auth/policy.py` by `scripts/write_docs.py`. What is not in this table is refused. A word
says how far a right reaches; – means not at all. A person may have several roles. An officer acts
through the tablet that they checked out. Somebody without the right to see a session cannot tell it
from one that does not exist.

"""


def _between(text: str, name: str, body: str) -> str:
    """The text with a fresh body between the markers of that name."""
    begin = f"<!-- {name}: made by scripts/write_docs.py -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{body}\n{END}", text)


def settings_table() -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    lines += [f"| `{one.env}` | {one.default} | {one.help} |" for one in describe()]
    return "\n".join(lines)


def codes_table() -> str:
    """Every error code with its HTTP status and what it means for the caller."""
    modules: tuple[ModuleType, ...] = (
        *(signaling.errors, records.errors, auth.errors, media.errors, oncall.errors),
    )
    rows = {
        error.code: f"| `{error.code}` | {error.status} | {(error.__doc__ or '').splitlines()[0]} |"
        for module in modules
        for error in vars(module).values()
        if isinstance(error, type) and hasattr(error, "code") and hasattr(error, "status")
    }
    lines = ["| code | HTTP | what it means |", "|---|---|---|"]
    return "\n".join([*lines, *(rows[code] for code in sorted(rows))])


def operators(text: str) -> str:
    """The operators' page with a fresh table."""
    return _between(text, "settings", settings_table())


def protocol(text: str) -> str:
    """The protocol's page with a fresh table of errors."""
    return _between(text, "codes", codes_table())


def architecture(text: str) -> str:
    """The architecture's page with the session's states as they are."""
    return _between(text, "states", f"```mermaid\n{diagram()}\n```")


def columns_table(table: str) -> str:
    """The columns of one table that leaves as CSV."""
    english = i18n.load()["en"]
    lines = ["| column | with names only | type | meaning | codes |", "|---|---|---|---|---|"]
    for one in dictionary():
        if one.table == table and one.of is None:
            _, name, named, kind, meaning, codes = described(one, english)
            lines.append(f"| `{name}` | {named} | {kind} | {meaning} | {codes} |")
    return "\n".join(lines)


def interchange(text: str) -> str:
    """The page about other systems with the columns as they are."""
    text = _between(text, "sessions", columns_table("sessions"))
    return _between(text, "followups", columns_table("followups"))


def permissions() -> str:
    """The whole page about permissions."""
    return PERMISSIONS + matrix_markdown()


def schema() -> str:
    """JSON Schema of every message, both ways."""
    messages = [wire.Hello, wire.Proof, wire.Command, wire.Event]
    tops, parts = msgspec.json.schema_components(
        messages, schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    names = ("hello", "proof", "command", "event")
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"CrisisBridge protocol {wire.PROTOCOL}",
        **dict(zip(names, tops, strict=True)),
        "$defs": dict(sorted(parts.items())),
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def addresses() -> list[Route]:
    """The server's table of addresses; none of them is called."""
    nobody: Any = SimpleNamespace(settings=SimpleNamespace(demo=False), desk=None, handler=None)
    return routes(nobody, Assets(), nobody)


def openapi() -> str:
    """The description of /api/v1."""
    return written(addresses())


def api(text: str) -> str:
    """The page for programs with fresh tables."""
    text = _between(text, "addresses", addresses_table())
    return _between(_between(text, "scopes", scopes_table()), "events", events_table())


def addresses_table() -> str:
    """What programs may ask, and the scope that each needs."""
    words = document(addresses())["paths"]
    lines = ["| address | scope | gives |", "|---|---|---|"]
    for path, methods in words.items():
        said = methods.get("get")
        if said is not None and "programs" in said["tags"]:
            scope = said["security"][0]["token"][0]
            lines.append(f"| `GET {path}` | `{scope}` | {said['summary']} |")
    return "\n".join(lines)


def scopes_table() -> str:
    """What a token can be given."""
    texts = i18n.load()["en"]
    lines = ["| scope | lets a program read |", "|---|---|"]
    lines += [f"| `{one}` | {texts.t(f'integrations.scope.{one}')} |" for one in TOKEN_SCOPES]
    return "\n".join(lines)


def events_table() -> str:
    """What an address can be told of, in the words of the page."""
    texts = i18n.load()["en"]
    lines = ["| type | is sent when |", "|---|---|"]
    lines += [f"| `{name}` | {texts.t(f'integrations.event.{name}')} |" for name in NAMES.values()]
    return "\n".join(lines)


def _anything(kind: type) -> dict[str, object]:
    """`object` stands for any JSON value; what it holds is explained beside the message."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "any JSON value"}


def main() -> None:
    """Write everything anew."""
    for name, fresh in (
        ("operators.md", operators),
        ("protocol.md", protocol),
        ("architecture.md", architecture),
        ("interchange.md", interchange),
        ("api.md", api),
    ):
        page = DOCS / name
        page.write_text(fresh(page.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / "permissions.md").write_text(permissions(), encoding="utf-8")
    (DOCS / SCHEMA).write_text(schema(), encoding="utf-8")
    (DOCS / OPENAPI).write_text(openapi(), encoding="utf-8")


if __name__ == "__main__":
    main()
