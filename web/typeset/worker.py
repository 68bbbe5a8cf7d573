"""One PDF, in a process of its own: JSON on standard input, the PDF on standard output.

Started by its path and with nothing but the standard library and the typesetter (`python -I`).
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any, Final

import typst

FOLDER = Path(__file__).parent
TEMPLATES = frozenset({"report", "takeaway"})
STANDARD: Final = "ua-1"
BOX = "\N{WHITE SQUARE}"  # for a letter that no font here has
_LACKING = re.compile(r'the text `"((?:[^"\\]|\\.)+)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read())
    template = asked["template"]
    if template not in TEMPLATES:
        sys.exit(2)
    sys.stdout.buffer.write(made(template, cleaned(asked["data"]), int(asked["at"])))


def made(template: str, data: Any, at: int) -> bytes:
    """The PDF. A letter that no font has would spoil the standard: it becomes an empty box."""
    try:
        return compiled(template, data, at)
    except typst.TypstError as error:
        lacking = set("".join(map(plain, _LACKING.findall(error.diagnostic))))
        if not lacking:
            raise
        return compiled(template, replaced(data, dict.fromkeys(map(ord, lacking), BOX)), at)


def compiled(template: str, data: Any, at: int) -> bytes:
    compiler = typst.Compiler(
        input=str(FOLDER / f"{template}.typ"),
        root=str(FOLDER),
        package_path=str(FOLDER / "none"),
        package_cache_path=str(FOLDER / "none"),
        sys_inputs={"data": json.dumps(data)},
    )
    done = compiler.compile(format="pdf", pdf_standards=[STANDARD], timestamp=at)
    if not isinstance(done, bytes):
        raise TypeError
    return done


def plain(quoted: str) -> str:
    """The letters that a message of the typesetter names."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), quoted)


def cleaned(data: Any) -> Any:
    """Data whose texts have no control or formatting characters but the end of a line."""
    if isinstance(data, str):
        kept = (c for c in data if c == "\n" or unicodedata.category(c) not in _UNSEEN)
        return "".join(kept)
    return _through(data, cleaned)


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def replaced(data: Any, letters: dict[int, str]) -> Any:
    if isinstance(data, str):
        return data.translate(letters)
    return _through(data, lambda one: replaced(one, letters))


def _through(data: Any, change: Any) -> Any:
    if isinstance(data, list):
        return [change(one) for one in data]
    if isinstance(data, dict):
        return {key: change(one) for key, one in data.items()}
    return data


if __name__ == "__main__":
    main()
