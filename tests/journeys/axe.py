"""axe-core on the page as it stands, and on its other theme for what depends on colours.

It runs through the debugger, so the page's CSP stays on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # a theme is colours, and nothing else
RUNS: dict[str, dict[str, Any]] = {
    "dark": {"type": "tag", "values": RULES},
    "light": {"type": "rule", "values": OF_COLOURS},
}


async def violations(page: Page, within: str = "html") -> list[str]:
    """One line a violation: theme, rule, what is wrong, and the first places where it is."""
    await page.evaluate(SOURCE.read_text(encoding="utf-8") + "\n;0")
    before = await page.evaluate("() => document.documentElement.dataset.theme")
    lines = []
    for theme, only in RUNS.items():
        await _set_theme(page, theme)
        for one in await _found(page, within, only):
            lines.append(f"{theme}, {one['id']}: {one['help']} ({'; '.join(one['where'])})")
    await _set_theme(page, before)
    return lines


async def _set_theme(page: Page, theme: str) -> None:
    await page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)


async def _found(page: Page, within: str, only: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate(
        """async ([within, only]) => {
            // half-way between two colours the contrast of neither is seen; to wait for the end
            // would wait for ever where the browser paints no frames
            for (const one of document.getAnimations()) {
                if (one instanceof CSSTransition) one.finish();
            }
            const done = await globalThis.axe.run(within, {
                runOnly: only, resultTypes: ['violations'],
            });
            return done.violations.map(({ id, help, nodes }) => ({
                id, help, where: nodes.slice(0, 4).map((node) => node.target.join(' ')),
            }));
        }""",
        [within, only],
    )
    return found
