"""What the product is made of, and whether that has known holes."""

from __future__ import annotations

import json
import re
import tomllib
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from scripts import audit, lock_file, sbom
from scripts.audit import Hole, NotAsked, in_osv
from scripts.lock_file import Pinned

ROOT = Path(__file__).resolve().parents[2]


# --- the bill of materials ------------------------------------------------------------------------


def test_the_bill_names_every_package_of_the_lock_file_and_no_other() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", text, re.MULTILINE))
    made = sbom.document()
    assert {one["name"]: one["version"] for one in made["components"]} == locked
    for one in made["components"]:
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert {each["content"] for each in one["hashes"]} <= set(re.findall(r"[0-9a-f]{64}", text))
        assert one["hashes"]


def test_the_bill_is_the_same_each_time_and_another_for_another_lock_file(tmp_path: Path) -> None:
    assert sbom.text() == sbom.text()
    other = tmp_path / "requirements.lock"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    other.write_text(text.replace("aiohttp==", "aiohttp==9", 1), encoding="utf-8")
    assert sbom.document(other)["serialNumber"] != sbom.document()["serialNumber"]
    assert str(ROOT) not in sbom.text()
    assert "timestamp" not in sbom.text()


def test_the_bill_has_the_form_that_its_readers_expect() -> None:
    made = json.loads(sbom.text())
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert uuid.UUID(made["serialNumber"].removeprefix("urn:uuid:")).version == 5
    references = {one["bom-ref"] for one in made["components"]}
    own = made["metadata"]["component"]["bom-ref"]
    graph = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    assert graph.keys() == references | {own}
    for wanted in graph.values():
        assert set(wanted) <= references
        assert wanted == sorted(set(wanted))


def test_the_bill_knows_what_we_want_ourselves_and_that_all_else_is_wanted_by_something() -> None:
    made = sbom.document()
    graph = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {
        re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", one)[0]).lower()  # type: ignore[index]
        for one in project["dependencies"]
    }
    own = graph[made["metadata"]["component"]["bom-ref"]]
    assert {one.removeprefix("pkg:pypi/").partition("@")[0] for one in own} == names
    reached: set[str] = set()
    todo = list(own)
    while todo:
        one = todo.pop()
        if one not in reached:
            reached.add(one)
            todo += graph[one]
    assert reached == {one["bom-ref"] for one in made["components"]}


# --- known holes ----------------------------------------------------------------------------------


def pinned(name: str = "some-thing", version: str = "1.5.0") -> Pinned:
    return Pinned(name, version, "", ("0" * 64,), ("crisisbridge",))


def entry(**affected: Any) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": "Some.Thing"}
    return {"id": "PYSEC-1", "affected": [{"package": package, **affected}]}


def ecosystem(*events: dict[str, str]) -> dict[str, Any]:
    return entry(ranges=[{"type": "ECOSYSTEM", "events": list(events)}])


def osv(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, one in enumerate(entries):
            archive.writestr(f"{number}.json", json.dumps(one))
    return path


@pytest.mark.parametrize(
    ("known", "hit"),
    [
        (entry(versions=["1.4.9", "1.5.0"]), True),
        (entry(versions=["1.4.9"]), False),
        (ecosystem({"introduced": "0"}, {"fixed": "1.5.1"}), True),
        (ecosystem({"introduced": "0"}, {"fixed": "1.5.0"}), False),
        (ecosystem({"introduced": "1.10"}), False),
        (ecosystem({"introduced": "0"}, {"last_affected": "1.5.0"}), True),
        (ecosystem({"introduced": "0"}, {"last_affected": "1.4"}), False),
        (
            ecosystem(
                {"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.4"}, {"fixed": "1.6"}
            ),
            True,
        ),
        (
            ecosystem(
                {"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.6"}, {"fixed": "1.7"}
            ),
            False,
        ),
        (entry(ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}]), False),
        ({**entry(versions=["1.5.0"]), "withdrawn": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_a_known_hole_is_found_exactly_where_it_is(
    tmp_path: Path, known: dict[str, Any], hit: bool
) -> None:
    found = in_osv([pinned()], osv(tmp_path, known))
    assert bool(found) is hit
    assert all((one.package, one.version, one.id) == ("some-thing", "1.5.0", "PYSEC-1")
               for one in found)  # fmt: skip


def test_a_hole_of_another_ecosystem_or_package_is_none_of_ours(tmp_path: Path) -> None:
    for package in ({"ecosystem": "npm", "name": "some-thing"}, {"ecosystem": "PyPI", "name": "x"}):
        known = {"id": "X-1", "affected": [{"package": package, "versions": ["1.5.0"]}]}
        assert in_osv([pinned()], osv(tmp_path, known)) == []


def test_a_hole_fails_the_check_and_says_where_it_is_fixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = next(one.version for one in lock_file.read() if one.name == "aiohttp")
    fixed = str(Version(version).major + 1)
    known = ecosystem({"introduced": "0"}, {"fixed": fixed})
    known["affected"][0]["package"]["name"] = "aiohttp"
    assert audit.main(["--osv", str(osv(tmp_path, known))]) == 1
    said = capsys.readouterr().out
    assert f"aiohttp {version}: PYSEC-1, fixed in {fixed}" in said
    known["affected"][0]["ranges"][0]["events"][1]["fixed"] = "0.1"
    assert audit.main(["--osv", str(osv(tmp_path, known))]) == 0


@pytest.mark.parametrize(
    "source", ["none.zip", "empty.zip", "text.zip", "list.zip", "cut.zip", "folder", "damaged.zip"]
)
def test_a_copy_of_osv_that_cannot_be_read_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    (tmp_path / "text.zip").write_text("not an archive")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.json").write_text("{")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with zipfile.ZipFile(tmp_path / "list.zip", "w") as archive:
        archive.writestr("all.json", json.dumps([entry()]))
    whole = osv(tmp_path, *(ecosystem({"introduced": "0"}, {"fixed": "1"}) for _ in range(9)))
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-200])
    (tmp_path / "damaged.zip").write_bytes(whole.read_bytes().replace(b"PYSEC-1", b"PYSEC-2", 1))
    assert audit.main(["--osv", str(tmp_path / source)]) == 2
    told = capsys.readouterr()
    assert "NOT CHECKED for known holes" in told.err
    assert "looked up" not in told.out


def test_without_pip_audit_and_without_a_copy_it_is_said_loudly_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    assert audit.main([]) == 0
    assert "NOT CHECKED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "holes"),
    [
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": '
            '[{"id": "PYSEC-2", "fix_versions": ["2"]}]}, '
            '{"name": "b", "version": "1", "vulns": []}]}',
            [Hole("a", "1", "PYSEC-2", ("2",))],
        ),
        ("", None),
        ('{"error": 1}', None),
    ],
)
def test_pip_audit_is_understood_or_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, holes: list[Hole] | None
) -> None:
    package = tmp_path / "pip_audit"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(f"print({said!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    if holes is None:
        with pytest.raises(NotAsked):
            audit.by_pip_audit(ROOT / "requirements.lock")
    else:
        assert audit.by_pip_audit(ROOT / "requirements.lock") == holes


def test_the_lock_files_are_read_to_their_end() -> None:
    for name in audit.LOCKS:
        text = (ROOT / name).read_text(encoding="utf-8")
        found = lock_file.read(ROOT / name)
        assert len(found) == len(re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE))
        assert all(one.hashes and one.wanted_by for one in found)
    broken = ROOT / "README.md"
    with pytest.raises(ValueError, match="not an entry"):
        lock_file.read(broken)


def test_a_whole_advisory_as_osv_publishes_it_stops_the_audit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With all the parts that a real one has: the range of git commits says nothing of versions."""
    assert audit.main(["--osv", str(Path(__file__).parent / "osv")]) == 1
    said = capsys.readouterr().out
    assert re.search(r"aiohttp \S+: TEST-2026-1, fixed in 9999$", said, re.MULTILINE)
    assert said.count("TEST-2026-1") == 1  # both lock files pin it, and it is one hole
