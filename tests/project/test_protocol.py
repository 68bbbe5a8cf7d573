"""docs/protocol.md and the code say the same: every message, every field, every error code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import inspect

from scripts import write_docs
from signaling import wire
from signaling.commands import HANDLERS
from signaling.diagram import diagram

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "protocol.md").read_text(encoding="utf-8")

COMMANDS = get_args(wire.Command)
EVENTS = get_args(wire.Event)


def tag(message: type[msgspec.Struct]) -> str:
    struct = inspect.type_info(message)
    assert isinstance(struct, inspect.StructType)
    return str(struct.tag)


def fields(message: type[msgspec.Struct]) -> list[str]:
    return [f.name for f in msgspec.structs.fields(message) if f.name != "id"]


@pytest.mark.parametrize("message", COMMANDS, ids=tag)
def test_every_command_stands_in_its_page_s_table_with_all_its_fields(
    message: type[wire.ClientMessage],
) -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith(f"| `{tag(message)}` |")]
    assert len(rows) == 1
    named = re.split(r"\W+", rows[0].split("|")[2])
    assert [name for name in fields(message) if name not in named] == []
    section = TEXT[: TEXT.index(rows[0])].rsplit("## Commands of ", 1)[1]
    pages = set(message.audience)
    wanted = {1: f"the {next(iter(pages))}", 2: "both pages", 3: "all pages"}[len(pages)]
    assert section.startswith(wanted)


@pytest.mark.parametrize("message", EVENTS, ids=tag)
def test_every_message_of_the_server_is_explained(message: type[msgspec.Struct]) -> None:
    assert f"`{tag(message)}`" in TEXT.split("## Messages from the server", 1)[1].split("\n## ")[0]


def test_every_command_has_a_handler_and_nothing_else_has() -> None:
    assert set(HANDLERS) == set(COMMANDS)


def test_the_generated_parts_are_fresh() -> None:
    assert write_docs.protocol(TEXT) == TEXT, "run scripts/write_docs.py"
    assert (DOCS / write_docs.SCHEMA).read_text(encoding="utf-8") == write_docs.schema()
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert write_docs.architecture(page) == page


def test_every_error_code_is_explained_once() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| \d{3} \|", TEXT.split("## Errors", 1)[1], re.MULTILINE)
    assert "stale-epoch" in rows
    assert "bad-pin" in rows
    assert "too-many-legs" in rows
    assert len(rows) == len(set(rows)) > 40


def test_the_state_diagram_in_the_architecture_is_the_machine_s_own() -> None:
    assert diagram() in (DOCS / "architecture.md").read_text(encoding="utf-8")
