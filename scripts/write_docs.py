"""Writes the generated parts of docs/: settings and permissions. A test sees that they fit."""

from __future__ import annotations

import re
from pathlib import Path

from auth.policy import matrix_markdown
from signaling.settings import describe

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- settings: made by scripts/write_docs.py -->", "<!-- end -->"
PERMISSIONS = """# Who may do what

Made from `auth/policy.py` by `scripts/write_docs.py`. What is not in this table is refused. A word
says how far a right reaches; – means not at all. A person may have several roles. An officer acts
through the tablet that they checked out. Somebody without the right to see a session cannot tell it
from one that does not exist.

"""


def settings_table() -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    lines += [f"| `{one.env}` | {one.default} | {one.help} |" for one in describe()]
    return "\n".join(lines)


def operators(text: str) -> str:
    """The operators' page with a fresh table."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n{settings_table()}\n{END}", text)


def permissions() -> str:
    """The whole page about permissions."""
    return PERMISSIONS + matrix_markdown()


def main() -> None:
    page = DOCS / "operators.md"
    page.write_text(operators(page.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / "permissions.md").write_text(permissions(), encoding="utf-8")


if __name__ == "__main__":
    main()
