"""PDFs: accessible, and set from data that is never read as markup."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typst import TypstError

from tests.web.pdfs import read
from web import typeset
from web.errors import NotSet, TooBusy
from web.typeset import Typesetter, worker

NOW = 1_800_000_000.0
MARKUP = (
    '#eval("1+1")', "#sys.version", '#read("/etc/hostname")', "#import \"common.typ\": data",
    "$x^2$", "*bold*", "_low_", "= heading", "- item", "+ item", "<label>", "@label", "`raw`",
    "\\ end", "// comment", "/* comment */", "#{", "]", "[", '"', "https://example.org/#x",
    '{"a": 1}', "~", "--", "#let data = 1",
)  # fmt: skip


def plan(**more: Any) -> dict[str, object]:
    return {
        "lang": "en", "title": "My safety plan", "footer": "My safety plan",
        "now": {"title": "When it gets too much",
                "lines": [{"words": "Call 988", "strong": True}]},
        "parts": [{"title": "1. Signs", "words": "I stop eating"}],
        "help-title": "Help near by", "help": [], "planned-title": "What is planned",
        "planned": [], "private": "It shows no name.",
    } | more  # fmt: skip


async def test_a_pdf_is_tagged_and_says_its_title_and_language() -> None:
    made = await Typesetter().pdf("takeaway", plan(lang="es", title="Mi plan"), NOW)
    found = read(made)
    assert (found.title, found.lang, found.marked, found.standard) == ("Mi plan", "es", True, True)
    assert "I stop eating" in found.words
    assert {"/Document", "/H1", "/P", "/L"} <= set(found.tags), found.tags


@pytest.mark.parametrize("text", MARKUP)
def test_text_is_never_markup(text: str) -> None:
    """Each stands on a line of its own between two marks, letter by letter."""
    words = f"before\n{text}\nafter"
    parts = [{"title": text, "words": words}]
    shown = read(worker.made("takeaway", plan(parts=parts, planned=[text]), int(NOW))).words
    flat = "".join(shown.split()).replace("’", "'").replace("“", '"').replace("”", '"')
    assert flat.count("".join(text.split())) >= 3, shown


def test_a_template_reads_no_file_outside_its_folder_and_no_package(tmp_path: Path) -> None:
    for line in ('#read("../headers.py")', '#read("/etc/hostname")', '#import "@preview/x:1.0.0"'):
        source = f"#set document(title: [x])\n{line}".encode()
        (tmp_path / "inner").mkdir(exist_ok=True)
        (tmp_path / "inner" / "takeaway.typ").write_bytes(source)
        (tmp_path / "headers.py").write_text("secret")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "FOLDER", tmp_path / "inner")
            with pytest.raises(TypstError):
                worker.made("takeaway", plan(), int(NOW))


def test_letters_that_no_font_has_become_boxes_and_unseen_ones_go() -> None:
    words = "sad \U0001f622 now\x00\x07\u202e end \ufdd0 ñ á Łakȟóta"
    made = worker.made(
        "takeaway", worker.cleaned(plan(parts=[{"title": "1", "words": words}])), int(NOW)
    )
    found = read(made)
    assert found.standard
    assert "now end" in found.words
    assert "ñ á Łakȟóta" in found.words


@pytest.mark.parametrize("template", ["nothing", "../../etc/passwd", "common"])
async def test_a_template_that_is_none_is_refused(template: str) -> None:
    with pytest.raises(NotSet):
        await Typesetter().pdf(template, plan(), NOW)


async def test_data_that_a_template_cannot_use_makes_an_error_and_no_half_pdf() -> None:
    with pytest.raises(NotSet):
        await Typesetter().pdf("takeaway", {"lang": "en"}, NOW)
    with pytest.raises(NotSet):
        await Typesetter().pdf("takeaway", plan(private="x" * typeset.LARGEST), NOW)


async def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    setter = Typesetter(0.2, slow)
    with pytest.raises(NotSet):
        await setter.pdf("takeaway", plan(), NOW)


async def test_only_so_many_wait(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import sys\nsys.stdin.read()\nimport time\ntime.sleep(60)\n")
    setter = Typesetter(30, slow)
    asked = [
        asyncio.create_task(setter.pdf("takeaway", plan(), NOW))
        for _ in range(typeset.MOST_WAITING)
    ]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await setter.pdf("takeaway", plan(), NOW)
    for one in asked:
        one.cancel()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert setter._waiting == 0
