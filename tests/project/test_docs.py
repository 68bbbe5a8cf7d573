"""What the documentation says is true, as far as a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import crisisbridge
from scripts import write_docs
from signaling.settings import describe

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_every_setting_is_documented_as_it_is() -> None:
    page = text("docs/operators.md")
    for one in describe():
        assert f"| `{one.env}` | {one.default} | {one.help} |" in page
    assert write_docs.operators(page) == page, "run scripts/write_docs.py"


def test_every_column_that_leaves_is_documented_as_it_is() -> None:
    page = text("docs/interchange.md")
    assert "| `pressed_at` | no |" in page
    assert write_docs.interchange(page) == page, "run scripts/write_docs.py"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {one.env for one in describe()} | {"CRISISBRIDGE_CONFIG"}
    for page in [*PAGES, ROOT / "compose.yaml", ROOT / "Dockerfile"]:
        named = set(re.findall(r"CRISISBRIDGE_[A-Z_]+", page.read_text(encoding="utf-8")))
        assert named - {"CRISISBRIDGE_"} <= known, page


def test_the_description_of_the_api_is_that_of_the_table_of_addresses() -> None:
    assert text("docs/openapi.json") == write_docs.openapi(), "run scripts/write_docs.py"
    assert write_docs.api(text("docs/api.md")) == text("docs/api.md"), "run scripts/write_docs.py"


def test_the_table_of_permissions_is_the_policy() -> None:
    assert text("docs/permissions.md") == write_docs.permissions(), "run scripts/write_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, heading = target.partition("#")
        found = (page.parent / file) if file else page
        assert found.exists(), f"{page.name}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in titles]
            assert heading in slugs, f"{page.name}: {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        todo += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert set(PAGES) <= reached


def test_make_targets_that_are_named_exist() -> None:
    makefile = text("Makefile")
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z.][\w./-]*)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


def test_files_and_folders_that_are_named_exist() -> None:
    named = r"`((?:records|auth|queue|media|signaling|web|tests|scripts|docs|deploy)/[\w./-]*)`"
    for page in PAGES:
        for path in re.findall(named, page.read_text(encoding="utf-8")):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_every_command_is_documented_and_says_its_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    documentation = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in ("demo", "serve", "doctor", "invite"):
        assert f"crisisbridge {command}" in documentation
        with pytest.raises(SystemExit):
            crisisbridge.main([command, "--help"])
    said = capsys.readouterr().out
    for one in describe():
        assert one.env in said


def test_the_picture_is_ours_describes_itself_and_loads_nothing() -> None:
    svg = text("docs/architecture.svg")
    root = ElementTree.fromstring(svg)
    names = {child.tag.rpartition("}")[2] for child in root.iter()}
    assert {"title", "desc"} <= names
    assert not names & {"script", "image", "foreignObject", "use"}
    assert svg.count("://") == 1  # the name of the format


def test_the_licence_is_the_standard_text() -> None:
    licence = text("LICENSE")
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
