"""Secrets are compared in constant time: how long it takes tells nobody how much was right.

What a database compares (`column == value`) is a look-up by a digest, and stays out of this.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("auth", "media", "queue", "records", "signaling", "web", "crisisbridge.py")
SECRET = re.compile(
    r"(^|_)((token|secret|digest|hash|mac|hmac|signature|pin|nonce|password|proof|ticket"
    r"|verifier|challenge|renewal|credential|recovery|one_time_code|recovery_code|set_up_code)e?s?"
    r"|csrf|t?otp)$"
)
# Not secret: sums of what lies in the record or in the program, looked at by whoever may read them.
OPEN = {
    ("auth/audit.py", "row.digest != _digest(_values(row), previous)"),
    ("auth/audit.py", "anchor.digest != row.digest"),
    ("auth/checkpoints.py", "(await _digests(conn, [one.no])).get(one.no) == one.digest"),
    ("auth/checkpoints.py", "digests[one.no] != one.digest"),
    ("records/library.py", "known == digest"),
    ("records/notes.py", "signed == await _digest(conn, vault, row)"),
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for name in PRODUCT:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))


def named(side: ast.expr) -> str:
    """The last name of `a.b.c`, of `f(x)` and of `a[b]`."""
    match side:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner) | ast.Await(value=inner):
            return named(inner)
    return ""


def of_a_column(side: ast.expr) -> bool:
    """`table.c.name`"""
    inner = side.value if isinstance(side, ast.Attribute) else None
    return isinstance(inner, ast.Attribute) and inner.attr == "c"


def plain(tree: ast.AST) -> Iterator[str]:
    """Comparisons by `==` or `in` in which something is named like a secret."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        equal = all(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        among = all(isinstance(one, ast.In | ast.NotIn) for one in node.ops)
        # `!= ""`, `len(…) == …`
        fixed = any(isinstance(side, ast.Constant) or named(side) == "len" for side in sides)
        if not (equal or among) or fixed or any(of_a_column(side) for side in sides):
            continue
        looked_at = sides if equal else [node.left]  # one secret among several
        if any(SECRET.search(named(side).lower()) for side in looked_at):
            yield ast.unparse(node)


def test_no_secret_is_compared_with_the_sign_of_equality() -> None:
    found = {(file, text) for file, tree in sources() for text in plain(tree)}
    assert found - OPEN == set()
    assert found >= OPEN, "an exception that nobody needs any more"


def test_the_search_finds_a_plain_comparison() -> None:
    tree = ast.parse(
        "offer.token == m.token\nkind == token_kind\ntable.c.token == token\na == b\n"
        "pin in pins\npin_hash(typed) != kept\ntoken == ''\nlen(token) == 3"
    )
    assert list(plain(tree)) == ["offer.token == m.token", "pin in pins", "pin_hash(typed) != kept"]
