"""The shape of the project that everything else leans on."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("auth", "media", "oncall", "records", "signaling", "web")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=120
    )


def test_queue_is_a_source_root_and_never_a_package() -> None:
    inside = {path.name for path in (ROOT / "queue").iterdir()} - {"__pycache__"}
    assert inside == {"oncall"}


@pytest.mark.parametrize("path", ["", f"{ROOT}{os.pathsep}{ROOT / 'queue'}"])
def test_the_standard_library_owns_the_name_queue_when_started_from_the_root(path: str) -> None:
    done = run(sys.executable, "-c", "import queue; print(queue.Queue.__module__, queue.__file__)",
               **({"PYTHONPATH": path} if path else {}))  # fmt: skip
    assert done.returncode == 0, done.stderr
    module, file = done.stdout.split()
    assert module == "queue"
    assert not file.startswith(str(ROOT / "queue"))


def test_no_package_of_ours_is_named_like_a_module_of_the_standard_library() -> None:
    ours = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    ours |= {path.stem for path in ROOT.glob("*.py")}
    assert not ours & set(sys.stdlib_module_names)


def test_no_installed_distribution_takes_a_name_of_ours() -> None:
    owners = metadata.packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, ())) <= {"crisisbridge"}, package


def test_folders_import_downwards_only() -> None:
    done = run(
        str(Path(sys.executable).with_name("lint-imports")),
        PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'queue'}",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_imports_the_door() -> None:
    imports = re.compile(r"^\s*(import|from) crisisbridge\b", re.MULTILINE)
    for package in (*PACKAGES, "queue"):
        for path in (ROOT / package).rglob("*.py"):
            assert not imports.search(path.read_text(encoding="utf-8")), path


def sources(*patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in ROOT.glob(pattern)]


def test_only_the_door_reads_the_environment() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for package in (*PACKAGES, "queue")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"os\.environ|os\.getenv", path.read_text(encoding="utf-8"))
    ]
    assert readers == []


def test_no_pattern_of_a_regular_expression_is_made_of_what_comes_in() -> None:
    """Patterns are constants: nobody can send one that takes for ever, or means something else."""
    for package in (*PACKAGES, "queue"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for call in ast.walk(ast.parse(text)) if "\nimport re\n" in text else ():
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re."):
                    parts = ast.walk(call.args[0]) if call.args else ()
                    made = [one for one in parts if not is_fixed(one)]
                    assert not made, f"{path}:{call.lineno}"


def is_fixed(part: ast.AST) -> bool:
    """Text of the source, constants by their names, and what puts these together."""
    named = isinstance(part, ast.Name) and part.id.isupper()
    joined = (ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.BinOp, ast.Add, ast.Load)
    return named or isinstance(part, joined)


def test_no_text_becomes_code_and_no_object_is_unpickled() -> None:
    forbidden = re.compile(
        r"(?<![\w.])(eval|exec|compile|__import__)\(|\b(pickle|marshal|shelve|yaml)\b|shell=True"
    )
    for package in (*PACKAGES, "queue"):
        for path in (ROOT / package).rglob("*.py"):
            assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_no_sound_or_picture_can_be_stored_by_the_pages() -> None:
    for path in sources("web/static/js/**/*.js"):
        assert "MediaRecorder" not in path.read_text(encoding="utf-8"), path


def test_pages_never_write_markup_from_data() -> None:
    forbidden = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b")
    for path in sources("web/static/js/**/*.js"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_pages_speak_to_no_window_but_their_own_and_listen_to_none() -> None:
    """Between pages of ours there is a BroadcastChannel, which other origins cannot join."""
    forbidden = re.compile(
        r"\b(window|parent|opener|top|contentWindow|source)\.postMessage"
        r"|(?<![.\w])addEventListener\(\"message\"|window\.(onmessage|addEventListener\(\"message)"
    )
    for path in sources("web/static/js/**/*.js"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    inline = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
    for path in sources("web/templates/**/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not inline.search(text), path
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or 'type="application/json"' in tag, path
