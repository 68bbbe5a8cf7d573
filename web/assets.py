"""Static files, read once at start: a file that is not in memory cannot be asked for.

The address holds a digest of all files (`/static/<build>/…`), so that a browser may keep them for
ever, and one module's relative imports lead to files of the same build.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from web.errors import PageNotFound

FOLDER = Path(__file__).parent / "static"
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_PACKED = frozenset({".css", ".js", ".svg", ".webmanifest", ".json"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. `packed` is the gzip form, where that is smaller."""

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str


class Assets:
    """All static files and the name of their build."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        self._files: Mapping[str, Asset] = {
            path.relative_to(folder).as_posix(): _read(path) for path in found
        }
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(f"{name}\0{asset.etag}\n".encode())
        self.build = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file, for templates. Raises KeyError: a page must not name a ghost."""
        if name not in self._files:
            raise KeyError(f"static file {name!r} does not exist")
        return f"/static/{self.build}/{name}"

    def plain(self, name: str, headers: Mapping[str, str]) -> web.Response:
        """A file at an address of its own, asked for anew each time."""
        asset = self._files[name]
        return web.Response(
            body=asset.body,
            content_type=asset.content_type,
            charset="utf-8",
            headers={"Cache-Control": REVALIDATE, "ETag": f'"{asset.etag}"', **headers},
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /static/{build}/{name}: a page of an older build gets today's file, not kept."""
        asset = self._files.get(request.match_info["name"])
        if asset is None:
            raise PageNotFound
        current = request.match_info["build"] == self.build
        headers = {
            "Cache-Control": IMMUTABLE if current else REVALIDATE,
            "ETag": f'"{asset.etag}"',
            "Vary": "Accept-Encoding",
        }
        if asset.etag in {tag.value for tag in request.if_none_match or ()}:
            return web.Response(status=304, headers=headers)
        body = asset.body
        if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = asset.packed, "gzip"
        text = asset.content_type.startswith("text/")
        return web.Response(
            body=body,
            headers=headers,
            content_type=asset.content_type,
            charset="utf-8" if text else None,
        )


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, mtime=0) if path.suffix in _PACKED else None
    if packed is not None and len(packed) >= len(body):
        packed = None
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Asset(
        body, packed, guessed or "application/octet-stream", hashlib.sha256(body).hexdigest()[:20]
    )
