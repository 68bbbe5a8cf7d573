"""Reading PDFs: what a screen reader finds in them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader


@dataclass(frozen=True, slots=True)
class Read:
    """A PDF's title, language, words and tags."""

    title: str | None
    lang: str | None
    marked: bool
    standard: bool  # says of itself that it is PDF/UA-1
    words: str
    tags: tuple[str, ...]  # of the structure, in reading order


def read(body: bytes) -> Read:
    reader = PdfReader(io.BytesIO(body))
    root: Any = reader.trailer["/Root"]
    metadata = root["/Metadata"].get_object().get_data().decode()
    return Read(
        title=reader.metadata.title if reader.metadata else None,
        lang=root.get("/Lang"),
        marked=bool(root["/MarkInfo"]["/Marked"]),
        standard="<pdfuaid:part>1</pdfuaid:part>" in metadata,
        words="\n".join(page.extract_text() for page in reader.pages),
        tags=tuple(_tags(root["/StructTreeRoot"])),
    )


def _tags(node: Any) -> list[str]:
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        return [tag for one in node for tag in _tags(one)]
    if not hasattr(node, "get"):
        return []
    own = [str(node["/S"])] if "/S" in node else []
    return own + (_tags(node["/K"]) if "/K" in node else [])
