"""Templates to HTML: escaped by default, and a name that a page was not given is an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web.assets import Assets
from web.i18n import LANGUAGES, Texts

FOLDER = Path(__file__).parent / "templates"


class Renderer:
    """All templates, with the links to static files."""

    def __init__(self, assets: Assets, folder: Path = FOLDER) -> None:
        self.env = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.env.globals["static"] = assets.url
        self.env.globals["languages"] = LANGUAGES

    def page(self, template: str, texts: Texts, context: Mapping[str, Any]) -> str:
        """The HTML of one page in one language."""
        return self.env.get_template(template).render(
            {"t": texts.t, "plural": texts.plural, "lang": texts.locale, **context}
        )
